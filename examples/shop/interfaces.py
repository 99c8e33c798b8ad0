"""Who may keep the shop's sessions: Flask or this package in cookies, Flask-Session or this package in Redis."""

from __future__ import annotations

from collections.abc import Callable

from flask import Flask
from flask.sessions import SecureCookieSessionInterface
from flask.sessions import SessionInterface

import flask_session_rs

COOKIES = ("flask", "flask_session_rs")
REDIS = ("flask_session.redis", "flask_session_rs.redis")


def flask_session_redis(app: Flask) -> SessionInterface:
    """Flask-Session as its documentation has it, over the server at ``SHOP_REDIS``."""
    from flask_session.redis import RedisSessionInterface  # type: ignore[import-untyped]
    from redis import Redis

    interface: SessionInterface = RedisSessionInterface(app, Redis.from_url(app.config["REDIS"]))
    return interface


def flask_session_rs_redis(app: Flask) -> SessionInterface:
    """Ours, over the same server."""
    return flask_session_rs.RedisSessionInterface(app.config["REDIS"])


MAKERS: dict[str, Callable[[Flask], SessionInterface]] = {
    "flask": lambda app: SecureCookieSessionInterface(),
    "flask_session_rs": lambda app: flask_session_rs.SecureCookieSessionInterface(),
    "flask_session.redis": flask_session_redis,
    "flask_session_rs.redis": flask_session_rs_redis,
}


def interface_of(kind: str, app: Flask) -> SessionInterface:
    return MAKERS[kind](app)


def comparable(kind: str, app: Flask) -> list[SessionInterface]:
    """An interface for each who keeps sessions in the same place."""
    return [interface_of(name, app) for name in (COOKIES if kind in COOKIES else REDIS)]
