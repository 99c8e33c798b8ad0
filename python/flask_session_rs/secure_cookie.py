"""The interface that keeps the session in a signed cookie."""

from __future__ import annotations

import copyreg
import typing as t
import zlib
from collections.abc import Mapping

import flask.sessions
from itsdangerous import BadData
from itsdangerous import BadPayload
from itsdangerous import URLSafeTimedSerializer
from itsdangerous.encoding import base64_decode

from . import _native
from .sessions import SecureCookieSession

if t.TYPE_CHECKING:
    from flask import Flask
    from flask import Request
    from flask import Response
    from flask.sessions import SessionMixin

#: Bytes that a compressed payload may inflate to, as in native code (``src/payload.rs``).
_INFLATE_CAP = 1 << 20


class SecureCookieSessionInterface(
    _native.SecureCookieInterface, flask.sessions.SecureCookieSessionInterface
):
    """Flask's signed-cookie sessions, with native code doing the work.

    ::

        app.session_interface = SecureCookieSessionInterface()

    Every setting is Flask's own, read at each request. Cookies are the same in both directions: what
    Flask wrote is read, and what this wrote, Flask reads. Every extension point of Flask's class can
    be overridden in a subclass. What is customised beyond what native code covers is answered by
    Flask's own code: slower, never different.

    A cookie that is not accepted is an empty session. So is one that is correctly signed but does
    not decode, which Flask itself answers with an error 500.

    :param compress_threshold: A session of fewer bytes of JSON is not compressed, which costs more
        than all the rest. ``0`` compresses whenever the cookie gets shorter, as Flask does. The
        class attribute of the same name is the default.
    """

    session_class = SecureCookieSession

    #: A session of fewer bytes of JSON is not compressed.
    compress_threshold: int = 1024

    def __init__(self, compress_threshold: int | None = None) -> None:
        super().__init__()
        if compress_threshold is not None:
            if compress_threshold < 0:
                raise ValueError("compress_threshold is a number of bytes, 0 or more")
            self.compress_threshold = compress_threshold

    def __reduce_ex__(self, protocol: t.SupportsIndex) -> tuple[t.Any, ...]:
        """Copied and pickled as Flask's: by its class and its attributes."""
        names = copyreg._slotnames(type(self))  # type: ignore[attr-defined]
        slots = {name: getattr(self, name) for name in names if hasattr(self, name)}
        return copyreg.__newobj__, (type(self),), (vars(self), slots)  # type: ignore[attr-defined]

    def get_signing_serializer(self, app: Flask) -> URLSafeTimedSerializer | None:
        """As Flask's, for code that signs or reads session cookies itself.

        Like native code, it does not inflate a compressed payload beyond 1 MiB.
        """
        serializer = super().get_signing_serializer(app)
        if serializer is not None:
            serializer.__class__ = _SigningSerializer
        return serializer

    def _open_with_flask(self, app: Flask, request: Request) -> SessionMixin | None:
        """Flask's own ``open_session``, for what native code does not cover."""
        try:
            return flask.sessions.SecureCookieSessionInterface.open_session(self, app, request)
        except BadPayload:
            return self.session_class()
        except UnicodeError:
            # Raised once more where it is a key that has no bytes, and not the cookie.
            self.get_signing_serializer(app)
            return self.session_class()
        except (TypeError, ValueError):
            if self._holds_no_mapping(app, request):
                return self.session_class()
            raise

    def _holds_no_mapping(self, app: Flask, request: Request) -> bool:
        """Whether it was the cookie's content that Flask could make no session of."""
        try:
            serializer = self.get_signing_serializer(app)
            data = serializer.loads(request.cookies[self.get_cookie_name(app)])  # type: ignore[union-attr]
        except Exception:
            return False
        return not isinstance(data, Mapping)

    def _save_with_flask(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Flask's own ``save_session``, for what native code does not cover."""
        flask.sessions.SecureCookieSessionInterface.save_session(self, app, session, response)


class _SigningSerializer(URLSafeTimedSerializer):
    """itsdangerous' serializer with a bound on what a payload may inflate to."""

    def load_payload(self, payload: bytes, *args: t.Any, **kwargs: t.Any) -> t.Any:
        if payload.startswith(b"."):
            try:
                inflater = zlib.decompressobj()
                text = inflater.decompress(base64_decode(payload[1:]), _INFLATE_CAP)
            except (BadData, zlib.error):
                # Reported by itsdangerous, in its own words.
                pass
            else:
                if inflater.unconsumed_tail or _native.is_out_of_proportion(text):
                    raise BadPayload("Could not decompress the payload: it is too large")
        return super().load_payload(payload, *args, **kwargs)
