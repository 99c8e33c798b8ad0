"""The Flask extension: one line that sets ``app.session_interface`` from the configuration."""

from __future__ import annotations

import typing as t

from .redis import RedisSessionInterface
from .secure_cookie import SecureCookieSessionInterface

if t.TYPE_CHECKING:
    from flask import Flask
    from flask.sessions import SessionInterface

#: The values of ``SESSION_TYPE`` that are supported.
_SUPPORTED = ("cookie", "redis")

#: What each key of the configuration is to :class:`RedisSessionInterface`.
_REDIS_ARGUMENTS = {
    "SESSION_KEY_PREFIX": "key_prefix",
    "SESSION_USE_SIGNER": "use_signer",
    "SESSION_PERMANENT": "permanent",
    "SESSION_ID_LENGTH": "sid_length",
    "SESSION_SERIALIZATION_FORMAT": "serialization_format",
    "SESSION_STORE_TIMEOUT": "timeout",
    "SESSION_POOL_SIZE": "pool_size",
}


class Session:
    """Sets the session interface of an application from its configuration.

    ::

        Session(app)

    or, with an application factory::

        session = Session()
        session.init_app(app)

    The keys are those of Flask-Session, so that moving from it is a change of import.

    ``SESSION_TYPE`` is ``"cookie"``, the default: the session is kept in a signed cookie by
    :class:`SecureCookieSessionInterface`; or ``"redis"``: in Redis, by :class:`RedisSessionInterface`.
    Any other value is a :exc:`ValueError` that names the supported ones.

    For ``"redis"``: ``SESSION_REDIS`` (a URL or a client object), ``SESSION_KEY_PREFIX``,
    ``SESSION_USE_SIGNER``, ``SESSION_PERMANENT``, ``SESSION_ID_LENGTH``,
    ``SESSION_SERIALIZATION_FORMAT``; and two of this package's own, ``SESSION_STORE_TIMEOUT`` (seconds
    for each store operation) and ``SESSION_POOL_SIZE`` (connections kept for each process). Each has
    the default of :class:`RedisSessionInterface`'s argument.
    """

    def __init__(self, app: Flask | None = None) -> None:
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Set ``app.session_interface``. Nothing is kept on the extension itself."""
        app.session_interface = self._interface(app)

    def _interface(self, app: Flask) -> SessionInterface:
        session_type = app.config.setdefault("SESSION_TYPE", "cookie")
        if session_type == "cookie":
            return SecureCookieSessionInterface()
        if session_type == "redis":
            return RedisSessionInterface(
                app.config.get("SESSION_REDIS"),
                **{
                    argument: app.config[key]
                    for key, argument in _REDIS_ARGUMENTS.items()
                    if key in app.config
                },
            )
        supported = ", ".join(map(repr, _SUPPORTED))
        raise ValueError(f"SESSION_TYPE {session_type!r} is not supported; supported: {supported}")
