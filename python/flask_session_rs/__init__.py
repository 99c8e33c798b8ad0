"""Flask's sessions, native: signed cookies with Flask's own answers, sooner."""

from . import _native
from ._native import __version__ as __version__
from .errors import SessionStoreError as SessionStoreError
from .errors import SessionStoreUnavailable as SessionStoreUnavailable
from .extension import Session as Session
from .redis import RedisSessionInterface as RedisSessionInterface
from .secure_cookie import SecureCookieSessionInterface as SecureCookieSessionInterface
from .sessions import RedisSession as RedisSession
from .sessions import SecureCookieSession as SecureCookieSession

__all__ = [
    "RedisSession",
    "RedisSessionInterface",
    "SecureCookieSession",
    "SecureCookieSessionInterface",
    "Session",
    "SessionStoreError",
    "SessionStoreUnavailable",
]

# From here on, what Flask ships is known: what an application changes later is seen as a change.
_native.remember_shipped()

if _native.DEBUG_BUILD:
    import warnings

    warnings.warn(
        "flask_session_rs is a debug build, many times slower than a release build:"
        " do not measure it, and do not deploy it.",
        RuntimeWarning,
        stacklevel=2,
    )
