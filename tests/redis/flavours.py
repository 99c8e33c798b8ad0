"""Flask-Session's Redis sessions and ours under one roof, so that a test can be written once for both."""

from __future__ import annotations

import typing as t
import warnings

import flask
import flask_session.redis  # type: ignore[import-untyped]
import redis as redis_py
from flask.sessions import SessionInterface

import flask_session_rs

from ..visits import new_app


class Flavour(t.NamedTuple):
    """One of the two implementations."""

    name: str
    make: t.Callable[..., SessionInterface]

    def interface(self, app: flask.Flask, client: object, **options: t.Any) -> SessionInterface:
        """An interface over a client, or over the server at a URL; with the options of both."""
        return self.make(app, client, **options)

    def app(self, client: object, /, options: t.Any = None, **config: t.Any) -> flask.Flask:
        """An application without views; `options` are the interface's."""
        app = new_app(None, **config)
        app.session_interface = self.interface(app, client, **(options or {}))
        return app


def _flask_session(app: flask.Flask, client: object, **options: t.Any) -> SessionInterface:
    if isinstance(client, str):
        client = redis_py.Redis.from_url(client.replace("redis+unix://", "unix://"))
    with warnings.catch_warnings():
        # That signing the id is deprecated there.
        warnings.simplefilter("ignore", DeprecationWarning)
        interface: SessionInterface = flask_session.redis.RedisSessionInterface(
            app, client, **options
        )
    return interface


def _native(app: flask.Flask, client: object, **options: t.Any) -> SessionInterface:
    interface: SessionInterface = flask_session_rs.RedisSessionInterface(client, **options)
    return interface


FLASK_SESSION = Flavour("flask-session", _flask_session)
NATIVE = Flavour("native", _native)
BOTH = (FLASK_SESSION, NATIVE)
