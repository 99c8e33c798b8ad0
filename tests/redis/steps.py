"""Requests of one session taken in steps (open, use, save), so that several can be under way in any order."""

from __future__ import annotations

import contextvars
import typing as t

import flask
import msgspec
import redis as redis_py

from .flavours import Flavour

COOKIE = "session"
PREFIX = "session:"

#: What a view does with its session.
Use = t.Callable[[t.Any], object]
#: What came of the cookie: nothing, it was deleted, or it was set to an id.
Told = t.Literal["left alone", "deleted"] | tuple[t.Literal["set"], str]

Data = dict[str, t.Any]


def nothing(session: t.Any) -> None:
    """Of a view that uses its session no further."""


class InSteps:
    """One request under way, in a context of its own, with the session that its cookie names."""

    def __init__(self, app: flask.Flask, sid: str | None) -> None:
        self._app = app
        self._context = contextvars.copy_context()
        cookie = {} if sid is None else {"HTTP_COOKIE": f"{COOKIE}={sid}"}
        self._request = app.test_request_context("/", environ_overrides=cookie)
        self.session: t.Any = None

    def open(self) -> None:
        self._context.run(self._request.push)

    def use(self, use: Use = nothing) -> t.Any:
        """The view: what it returns."""

        def view() -> object:
            self.session = flask.globals.request_ctx.session
            return use(self.session)

        return self._context.run(view)

    def ignore(self) -> None:
        """The view of a request that does not use its session."""

    def save(self) -> flask.Response:
        response = self._app.response_class()
        self._context.run(self._app.process_response, response)
        return response

    def close(self) -> None:
        """After the response; also after a request that came no further."""
        self._context.run(self._request.pop)

    def finish(self) -> flask.Response:
        response = self.save()
        self.close()
        return response


def request(app: flask.Flask, sid: str | None, use: Use = nothing) -> flask.Response:
    """A whole request at once."""
    steps = InSteps(app, sid)
    steps.open()
    steps.use(use)
    return steps.finish()


def under_way(app: flask.Flask, sid: str | None, use: Use = nothing) -> InSteps:
    """A request that has used its session and is not saved yet."""
    steps = InSteps(app, sid)
    steps.open()
    steps.use(use)
    return steps


def told(response: flask.Response) -> Told:
    """What the response says to the browser about the session's cookie."""
    lines = response.headers.getlist("Set-Cookie")
    if not lines:
        return "left alone"
    assert len(lines) == 1, lines
    name, _, rest = lines[0].partition("=")
    assert name == COOKIE
    value, *attributes = rest.split("; ")
    if "Max-Age=0" in attributes:
        return "deleted"
    return ("set", value)


def begin(app: flask.Flask, **items: t.Any) -> str:
    """A new session that holds these items: its id."""
    said = told(request(app, None, lambda session: session.update(items)))
    assert isinstance(said, tuple)
    return said[1]


def regenerate(session: t.Any) -> None:
    """As both implementations have it."""
    interface: t.Any = flask.current_app.session_interface
    interface.regenerate(session)


class Store:
    """What the server holds, read behind the application's back."""

    def __init__(self, client: redis_py.Redis) -> None:
        self._client: t.Any = client

    def raw(self) -> dict[str, bytes]:
        """Every record as it stands, by its id."""
        keys = self._client.keys(f"{PREFIX}*")
        values = self._client.mget(keys) if keys else []
        return {
            key.decode().removeprefix(PREFIX): value
            for key, value in zip(keys, values, strict=True)
            if value is not None
        }

    def all(self) -> dict[str, Data]:
        """Every session by its id, without `_permanent`."""
        return {sid: self._decode(record) for sid, record in self.raw().items()}

    def get(self, sid: str) -> Data | None:
        record = self._client.get(PREFIX + sid)
        return None if record is None else self._decode(record)

    def put(self, sid: str, record: bytes) -> None:
        """As another program writes it."""
        self._client.set(PREFIX + sid, record, ex=3600)

    def drop(self, sid: str) -> None:
        self._client.delete(PREFIX + sid)

    @staticmethod
    def _decode(record: bytes) -> Data:
        decoder = msgspec.json if record[:1] == b"{" else msgspec.msgpack
        data: Data = decoder.decode(record)
        data.pop("_permanent", None)
        return data


def new_app(flavour: Flavour, client: object, **config: t.Any) -> flask.Flask:
    """An application for requests in steps; everything that is no setting of Flask's is the interface's."""
    names = ("use_signer", "permanent", "serialization_format", "timeout", "pool_size")
    options = {name: config.pop(name) for name in names if name in config}
    return flavour.app(client, options=options, **config)
