"""Flask's classes and ours under one roof, so that every test can be written once for both."""

import zlib
from typing import Any
from typing import NamedTuple

import flask.sessions
import itsdangerous.url_safe
import pytest

import flask_session_rs

NEVER = 1 << 30
"""A `compress_threshold` that no payload reaches."""


class Flavour(NamedTuple):
    """One of the two implementations."""

    name: str
    interface_class: type[flask.sessions.SecureCookieSessionInterface]
    session_class: type[flask.sessions.SecureCookieSession]

    def interface(self, **overrides: Any) -> flask.sessions.SecureCookieSessionInterface:
        """An interface that compresses nothing under the fixture `plain`.

        `overrides` are the attributes of a subclass; without any, it is the class itself.
        """
        cls: Any = self.interface_class
        if overrides:
            cls = type("Overridden", (cls,), overrides)
        interface: flask.sessions.SecureCookieSessionInterface
        interface = cls() if self is FLASK else cls(compress_threshold=NEVER)
        return interface


FLASK = Flavour(
    "flask", flask.sessions.SecureCookieSessionInterface, flask.sessions.SecureCookieSession
)
NATIVE = Flavour(
    "native",
    flask_session_rs.SecureCookieSessionInterface,
    flask_session_rs.SecureCookieSession,
)
BOTH = (FLASK, NATIVE)


class PlainZlib:
    """Stands for zlib in itsdangerous: what it "compresses" is never shorter."""

    error = zlib.error
    decompress = staticmethod(zlib.decompress)

    @staticmethod
    def compress(data: bytes) -> bytes:
        return data


def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep Flask from compressing, since two implementations of zlib write different bytes."""
    monkeypatch.setattr(itsdangerous.url_safe, "zlib", PlainZlib)
