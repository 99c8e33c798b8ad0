"""The application that every benchmark asks; it imports only what its interface needs, as memory is measured, too."""

from __future__ import annotations

import itertools
import os
import typing as t
import weakref

import flask
from flask import session
from flask.sessions import SessionInterface
from flask.sessions import SessionMixin

#: What Flask-Login and Flask-WTF keep, and a counter: 253 bytes of JSON.
SESSION = {
    "_fresh": True,
    "_id": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08" * 2,
    "_user_id": "4711",
    "csrf_token": "da39a3ee5e6b4b0d3255bfef95601890afd80709",
    "visits": 17,
}

NULL, STOCK, OURS = "null", "stock", "ours"
FLASK_SESSION, OURS_REDIS = "flask-session", "ours on Redis"


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


def interface(kind: str, app: flask.Flask, address: str) -> SessionInterface:
    """The interface of this name; those on Redis keep their sessions at the address."""
    if kind == NULL:
        return NullInterface()
    if kind == STOCK:
        from flask.sessions import SecureCookieSessionInterface as StockInterface

        return StockInterface()
    if kind == OURS:
        from flask_session_rs import SecureCookieSessionInterface

        return SecureCookieSessionInterface()
    if kind == OURS_REDIS:
        from flask_session_rs import RedisSessionInterface

        return RedisSessionInterface(address)
    assert kind == FLASK_SESSION, kind
    from flask_session.redis import RedisSessionInterface as FlaskSessionInterface  # type: ignore[import-untyped]
    from redis import Redis

    client = Redis.from_url(address.replace("redis+unix://", "unix://"))
    # Left to the garbage collector, its sockets would warn.
    weakref.finalize(app, client.connection_pool.disconnect)
    made: SessionInterface = FlaskSessionInterface(app, client)
    return made


def new_app(kind: str, address: str = "", *, refresh: bool = True) -> flask.Flask:
    """An application with one view for each way to use a session; `kind` says who keeps it."""
    app = flask.Flask(__name__)
    app.secret_key = "a secret of a usual length, 32 by"
    app.config["SESSION_REFRESH_EACH_REQUEST"] = refresh
    app.session_interface = interface(kind, app, address)
    # A value that was there before is no change, and a written session has to be one.
    numbers = itertools.count(1000)

    @app.get("/untouched")
    def untouched() -> str:
        return "a page"

    @app.get("/read")
    def read() -> str:
        return "a page" if session.get("_user_id") else "another"

    @app.get("/written")
    def written() -> str:
        session["visits"] = next(numbers)
        return "a page"

    @app.get("/cleared")
    def cleared() -> str:
        session.clear()
        return "a page"

    return app


def create_app() -> flask.Flask:
    """What the servers serve."""
    return new_app(os.environ["BENCH_KIND"], os.environ["BENCH_REDIS"])
