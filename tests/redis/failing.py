"""An application whose store fails when a test wants it to, and what its visitors get, and when."""

from __future__ import annotations

import contextlib
import json
import logging
import time
import typing as t

import flask
import msgspec
import pytest
from flask import session

from flask_session_rs import SessionStoreError

from ..visits import Answer
from ..visits import visit
from ..visits import Visitor
from . import flavours
from .server import RedisServer

COOKIE = "session"
PREFIX = "session:"
#: Seconds that a store operation may take where a test waits for its end.
TIMEOUT = 0.15
#: Seconds that it may take where nobody waits for its end: a machine with other work is no failure.
PATIENT = 5.0
#: Seconds after its deadline by which an operation has ended.
GRACE = 0.05
#: What a machine that gives its cores to somebody else may add to one try.
NOISE = 1.0
TRIES = 5

UNAVAILABLE = "503 SERVICE UNAVAILABLE"
FAILED = "500 INTERNAL SERVER ERROR"


#: The seconds that tests spent within requests, which are not the requests' own.
spent = 0.0


def between() -> None:
    """What the test wants to happen after the view's use of its session, and before the save."""
    global spent
    start = time.monotonic()
    flask.current_app.extensions["between"]()
    spent += time.monotonic() - start


def untouched() -> str:
    return "untouched"


def read() -> str:
    """Whatever a record may hold."""
    content = {str(key): session[key] for key in sorted(session, key=str)}
    return json.dumps(content, default=repr, skipkeys=True)


def write() -> str:
    session["n"] = counted(session.get("n"))
    between()
    return "written"


def counted(found: object) -> int:
    """One more than what was found, if that is a number that can be counted from."""
    return found + 1 if isinstance(found, int) and abs(found) < 1 << 53 else 1


def nested() -> str:
    session.setdefault("cart", []).append(1)
    session.modified = False
    between()
    return "written"


def login() -> str:
    session.clear()
    session["user"] = "ann"
    between()
    return "logged in"


def logout() -> str:
    session.clear()
    between()
    return "logged out"


def regenerate() -> str:
    interface: t.Any = flask.current_app.session_interface
    session["n"] = counted(session.get("n"))
    interface.regenerate(session)
    between()
    return "regenerated"


def emptied() -> str:
    """Emptied key by key, without `clear`."""
    for key in list(session):
        if key != "_permanent":
            del session[key]
    between()
    return "emptied"


VIEWS = (untouched, read, write, nested, login, logout, regenerate, emptied)
#: The views that load their session, and then need the store once more to save it.
WRITERS = ("/write", "/nested", "/login", "/logout", "/regenerate", "/emptied")


def app_over(
    client: object,
    *,
    timeout: float = PATIENT,
    options: t.Mapping[str, t.Any] | None = None,
    **config: t.Any,
) -> flask.Flask:
    """An application of ours with the views above; nothing happens between use and save."""
    app = flavours.NATIVE.app(client, options={"timeout": timeout, **(options or {})}, **config)
    for view in VIEWS:
        app.add_url_rule(f"/{view.__name__}", view_func=view)
    app.extensions["between"] = lambda: None
    return app


@contextlib.contextmanager
def happening(app: flask.Flask, event: t.Callable[[], object]) -> t.Iterator[None]:
    """The event between the use of a session and its save."""
    app.extensions["between"] = event
    try:
        yield
    finally:
        app.extensions["between"] = lambda: None


def known_visitor(app: flask.Flask) -> Visitor:
    """Somebody who has a session."""
    for _ in range(TRIES):
        visitor = Visitor(app)
        # After the second one, the server knows the scripts.
        if [visitor.get("/write").status for _ in range(2)] == ["200 OK", "200 OK"]:
            assert visitor.jar.keys() == {COOKIE}
            return visitor
    raise AssertionError(visitor.get("/write"))


def served(visitor: Visitor, path: str) -> Answer:
    """What the visitor gets under a short deadline that this machine may be too busy for."""
    for _ in range(TRIES):
        answer = visitor.get(path)
        if answer.status == "200 OK":
            break
    assert answer.status == "200 OK", answer
    return answer


def key_of(visitor: Visitor) -> str:
    return PREFIX + visitor.jar[COOKIE]


def content(server: RedisServer, visitor: Visitor) -> dict[str, t.Any]:
    """The visitor's record, as it stands in the server."""
    record: t.Any = server.client.get(key_of(visitor))
    found: dict[str, t.Any] = msgspec.msgpack.decode(record)
    return found


def timed(function: t.Callable[[], Answer]) -> tuple[Answer, float]:
    """The answer, and the seconds that it took, without what the test did meanwhile."""
    start = time.monotonic() - spent
    answer = function()
    return answer, time.monotonic() - spent - start


def ends_in_time(
    attempt: t.Callable[[], Answer],
    timeout: float = TIMEOUT,
    *,
    waits: bool | None = None,
    status: str | None = None,
) -> Answer:
    """The answer of an attempt which takes no longer than the deadline and 50 ms.

    The machine has other work, and whoever waits may be woken late: one of a few tries has to be in
    time, and none far from it. `waits` says whether the deadline is waited for, if that is known (an
    attempt that does not wait ends before it);
    `status` what is answered where what comes before the attempt was in time.
    """
    for _ in range(TRIES):
        answer, seconds = timed(attempt)
        assert seconds < timeout + GRACE + NOISE, (answer, seconds)
        if waits:
            assert seconds > timeout - 0.01, f"{answer} after {seconds:.3f} s"
        in_time = seconds <= (timeout if waits is False else timeout + GRACE)
        if in_time and status in (None, answer.status):
            return answer
    raise AssertionError(f"{TRIES} times late, the last time {seconds:.3f} s: {answer}")


def is_silent(answer: Answer) -> bool:
    """Whether the answer leaves the browser's cookies alone."""
    return not answer.header("Set-Cookie")


class Log(logging.Handler):
    """Everything that is logged by anybody, as it would be written to a file."""

    def __init__(self) -> None:
        super().__init__(level=logging.DEBUG)
        self.records: list[logging.LogRecord] = []
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)
        self.lines.append(self.format(record))

    def of(self, name: str) -> list[str]:
        return [record.getMessage() for record in self.records if record.name == name]


@contextlib.contextmanager
def logged() -> t.Iterator[Log]:
    """What is logged meanwhile."""
    handler = Log()
    root = logging.getLogger()
    level, ours = root.level, logging.getLogger("visited")
    # `visit` keeps what the application logs to itself.
    for logger in (root, ours):
        logger.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield handler
    finally:
        for logger in (root, ours):
            logger.removeHandler(handler)
        root.setLevel(level)


def visit_as(app: flask.Flask, sid: str, path: str) -> Answer:
    """A request with this session id, whatever it looks like."""
    return visit(app, path, f"{COOKIE}={sid}")


def error_of(visitor: Visitor) -> SessionStoreError:
    """What the visitor's session raises at its first use."""
    headers = {"Cookie": visitor.cookie or ""}
    with visitor.app.test_request_context("/", headers=headers):
        with pytest.raises(SessionStoreError) as raised:
            session.get("n")
        return raised.value


def bulk(record: bytes) -> bytes:
    """A record as the reply to a read."""
    return b"$%d\r\n%s\r\n" % (len(record), record)
