"""Requests with sessions in signed cookies, one contender for each interface."""

from __future__ import annotations

import typing as t

import flask
from flask.sessions import SessionMixin
from werkzeug.test import EnvironBuilder

from .interleaved import Contender
from .interleaved import repeated
from .served import new_app
from .served import NULL
from .served import NullInterface
from .served import OURS
from .served import SESSION
from .served import STOCK


class ReadyMadeInterface(NullInterface):
    """Sends the same cookie with each answer: what werkzeug takes for two more headers."""

    def __init__(self, cookie: str) -> None:
        self.cookie = cookie

    def save_session(
        self, app: flask.Flask, session: SessionMixin, response: flask.Response
    ) -> None:
        headers: list[tuple[str, str]] = response.headers._list
        headers.append(("Vary", "Cookie"))
        headers.append(("Set-Cookie", self.cookie))


def cookie(app: flask.Flask, data: t.Mapping[str, t.Any]) -> str | None:
    """The Cookie header of a browser with this session, as the application's interface wrote it."""
    client = app.test_client()
    with client.session_transaction() as opened:
        opened.update(data)
    found = client.get_cookie("session")
    return None if found is None else f"session={found.value}"


def contenders(path: str, data: t.Mapping[str, t.Any]) -> dict[str, Contender]:
    """The same request for each interface, with the cookie that the interface wrote itself.

    The null interface ignores the one that it is sent.
    """
    apps = {kind: new_app(kind) for kind in (NULL, STOCK, OURS)}
    cookies = {kind: cookie(app, data) for kind, app in apps.items()}
    return {kind: requests(app, path, cookies[kind] or cookies[OURS]) for kind, app in apps.items()}


def ready_made(path: str) -> dict[str, Contender]:
    """The same request with no session, and with a cookie of the usual length that costs nothing."""
    sent = cookie(new_app(OURS), SESSION) or ""
    ready = new_app(NULL)
    ready.session_interface = ReadyMadeInterface(f"{sent}; HttpOnly; Path=/")
    return {
        NULL: requests(new_app(NULL), path, sent),
        "ready-made cookie": requests(ready, path, sent),
    }


def environ(path: str, cookie: str | None) -> dict[str, t.Any]:
    """A WSGI environment for a GET of this path."""
    builder = EnvironBuilder(path=path)
    try:
        made: dict[str, t.Any] = builder.get_environ()
    finally:
        builder.close()
    if cookie is not None:
        made["HTTP_COOKIE"] = cookie
    return made


def start_response(*args: object) -> t.Callable[[bytes], object]:
    """A WSGI server that listens to nothing."""
    return lambda body: None


def requests(app: flask.Flask, path: str, cookie: str | None) -> Contender:
    """A contender: the same request over and over, answered whole as a server takes the answer."""
    sample = environ(path, cookie)

    def request() -> None:
        # What a server does for each request, and the same for every contender.
        answer = app(sample.copy(), start_response)
        for _ in answer:
            pass
        answer.close()  # type: ignore[attr-defined]

    return repeated(request)
