"""What a client object's exceptions mean, told by the names of their classes: no library of clients is imported."""

from __future__ import annotations

import errno
import socket
import ssl
import typing as t

#: The server's code for the classes of redis-py and valkey-py whose messages have lost it.
_CODES = {
    "AskError": "ASK",
    "BusyLoadingError": "LOADING",
    "ClusterCrossSlotError": "CROSSSLOT",
    "ExecAbortError": "EXECABORT",
    "MasterDownError": "MASTERDOWN",
    "MovedError": "MOVED",
    "NoPermissionError": "NOPERM",
    "NoScriptError": "NOSCRIPT",
    "OutOfMemoryError": "OOM",
    "ReadOnlyError": "READONLY",
    "TryAgainError": "TRYAGAIN",
    "ClusterDownError": "CLUSTERDOWN",
}

#: Classes that say by their names what is the matter.
_TELLING = (
    "MasterNotFoundError",
    "SlaveNotFoundError",
    "MaxConnectionsError",
    "ChildDeadlockedError",
    "RedisClusterException",
    "ValkeyClusterException",
)


class Failed(Exception):
    """An operation that failed, and why.

    :param kind: ``"timed out"``, ``"closed"``, ``"system"`` (`code` is an errno), ``"tls"`` (`code`
        is OpenSSL's word), ``"refused"`` (`code` is the server's), ``"answer"`` (`code` is the type of
        one of the wrong kind) or ``"client"`` (`code` is the class of an exception).
    :param words: What the server said, for looking at and not for showing: it may quote anything.
    """

    def __init__(self, kind: str, code: str = "", words: str = "") -> None:
        super().__init__(kind)
        self.kind = kind
        self.code = code
        self.words = words


def explain(error: Exception) -> Failed:
    """What a client's exception means."""
    names = [cls.__name__ for cls in type(error).__mro__]
    words = str(error)
    for name in names:
        if name in _CODES:
            return Failed("refused", _CODES[name], words)
        if name in _TELLING:
            return Failed("client", name)
    if "AuthenticationError" in names:
        return Failed("refused", _code_of_authentication(words), words)
    if "ResponseError" in names:
        code = words.partition(" ")[0]
        return Failed("refused", code if code.isupper() else "ERR", words)
    if "ConnectionError" in names or isinstance(error, OSError) or "TimeoutError" in names:
        return _unreachable(error, names)
    return Failed("client", type(error).__name__)


def _code_of_authentication(words: str) -> str:
    """The code, which these messages have lost: those of ``NOAUTH`` ask for it, in one way or another."""
    words = words.lower()
    if "required" in words or "hello must be called" in words:
        return "NOAUTH"
    return "ERR" if "without any password" in words else "WRONGPASS"


def _unreachable(error: Exception, names: list[str]) -> Failed:
    """Why there is no connection: the libraries' own exceptions keep the system's behind them."""
    if "max number of clients" in str(error):
        return Failed("refused", "ERR", str(error))
    for cause in _causes(error):
        if isinstance(cause, TimeoutError):
            return Failed("timed out")
        if isinstance(cause, ssl.SSLError):
            return Failed("tls", getattr(cause, "reason", None) or type(cause).__name__)
        if isinstance(cause, socket.gaierror):
            return Failed("system", str(errno.ENOENT))
        if isinstance(cause, OSError) and cause.errno is not None:
            return Failed("system", str(cause.errno))
    return Failed("timed out" if "TimeoutError" in names else "closed")


def _causes(error: BaseException) -> t.Iterator[BaseException]:
    """The exception, and those behind it."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or cause.__context__
