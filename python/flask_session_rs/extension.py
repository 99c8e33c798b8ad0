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


class _Setting(t.NamedTuple):
    """What a key of the configuration is to :class:`RedisSessionInterface`, and what it takes, in words."""

    argument: str
    takes: str


_REDIS_SETTINGS = {
    "SESSION_KEY_PREFIX": _Setting("key_prefix", "a str of valid Unicode"),
    "SESSION_USE_SIGNER": _Setting("use_signer", "True or False"),
    "SESSION_PERMANENT": _Setting("permanent", "True or False"),
    "SESSION_ID_LENGTH": _Setting("sid_length", "a whole number of bytes from 16 to 192"),
    "SESSION_SERIALIZATION_FORMAT": _Setting("serialization_format", '"msgpack" or "json"'),
    "SESSION_STORE_TIMEOUT": _Setting("timeout", "a number of seconds above 0"),
    "SESSION_POOL_SIZE": _Setting("pool_size", "a whole number of connections, 0 or more"),
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
    Any other value is a :exc:`ValueError` that names the supported ones. A value that another setting
    does not take is a :exc:`TypeError` or a :exc:`ValueError` that names the setting and what it takes.

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
            arguments = {}
            for key, setting in _REDIS_SETTINGS.items():
                if key in app.config:
                    _check(key, app.config[key])
                    arguments[setting.argument] = app.config[key]
            return RedisSessionInterface(app.config.get("SESSION_REDIS"), **arguments)
        supported = ", ".join(map(repr, _SUPPORTED))
        raise ValueError(f"SESSION_TYPE {session_type!r} is not supported; supported: {supported}")


def _check(key: str, value: t.Any) -> None:
    """Refuse what the interface refuses, by the name of the setting and without the value."""
    setting = _REDIS_SETTINGS[key]
    try:
        # Any URL will do: nothing is connected, and no frame of this error holds the one with the password.
        RedisSessionInterface("redis://localhost", **{setting.argument: value})
    except TypeError:
        kind = type(value).__name__
        raise TypeError(f"{key} is {setting.takes}, not a value of type {kind}") from None
    except (ValueError, OverflowError):
        raise ValueError(f"{key} is {setting.takes}") from None
