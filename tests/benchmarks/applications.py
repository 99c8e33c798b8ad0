"""One application for each interface, and the requests that are sent to it."""

from __future__ import annotations

import typing as t

import flask
from flask import session
from flask.sessions import SecureCookieSessionInterface as StockInterface
from flask.sessions import SessionInterface
from flask.sessions import SessionMixin
from werkzeug.test import EnvironBuilder

from flask_session_rs import SecureCookieSessionInterface

from .interleaved import Contender
from .interleaved import repeated

#: What Flask-Login and Flask-WTF keep, and a counter: 253 bytes of JSON.
SESSION = {
    "_fresh": True,
    "_id": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08" * 2,
    "_user_id": "4711",
    "csrf_token": "da39a3ee5e6b4b0d3255bfef95601890afd80709",
    "visits": 17,
}


class NullSession(dict[str, t.Any], SessionMixin):
    """A dict, and nothing more."""

    modified = False
    accessed = False


class NullInterface(SessionInterface):
    """Does nothing: what Flask costs without sessions."""

    def open_session(self, app: flask.Flask, request: flask.Request) -> SessionMixin:
        return NullSession()

    def save_session(
        self, app: flask.Flask, session: SessionMixin, response: flask.Response
    ) -> None:
        pass


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


INTERFACES: dict[str, t.Callable[[], SessionInterface]] = {
    "null": NullInterface,
    "stock": StockInterface,
    "ours": SecureCookieSessionInterface,
}


def new_app(interface: SessionInterface) -> flask.Flask:
    """An application with one view for each way to use a session."""
    app = flask.Flask(__name__)
    app.secret_key = "a secret of a usual length, 32 by"
    app.session_interface = interface

    @app.get("/untouched")
    def untouched() -> str:
        return "a page"

    @app.get("/read")
    def read() -> str:
        return "a page" if session.get("_user_id") else "another"

    @app.get("/written")
    def written() -> str:
        session["visits"] = 18
        return "a page"

    return app


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
    apps = {name: new_app(make()) for name, make in INTERFACES.items()}
    cookies = {name: cookie(app, data) for name, app in apps.items()}
    return {
        name: requests(app, path, cookies[name] or cookies["ours"]) for name, app in apps.items()
    }


def ready_made(path: str) -> dict[str, Contender]:
    """The same request with no session, and with a cookie of the usual length that costs nothing."""
    sent = cookie(new_app(SecureCookieSessionInterface()), SESSION) or ""
    interfaces = {
        "null": NullInterface(),
        "ready-made cookie": ReadyMadeInterface(f"{sent}; HttpOnly; Path=/"),
    }
    return {
        name: requests(new_app(interface), path, sent) for name, interface in interfaces.items()
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
