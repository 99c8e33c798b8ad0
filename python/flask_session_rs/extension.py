"""The Flask extension: one line that sets ``app.session_interface`` from the configuration."""

from __future__ import annotations

import typing as t

from .secure_cookie import SecureCookieSessionInterface

if t.TYPE_CHECKING:
    from flask import Flask
    from flask.sessions import SessionInterface

#: The values of ``SESSION_TYPE`` that are supported.
_SUPPORTED = ("cookie",)


class Session:
    """Sets the session interface of an application from its configuration.

    ::

        Session(app)

    or, with an application factory::

        session = Session()
        session.init_app(app)

    ``SESSION_TYPE`` is ``"cookie"``, the default: the session is kept in a signed cookie by
    :class:`SecureCookieSessionInterface`. Any other value is a :exc:`ValueError` that names the
    supported ones.
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
        supported = ", ".join(map(repr, _SUPPORTED))
        raise ValueError(f"SESSION_TYPE {session_type!r} is not supported; supported: {supported}")
