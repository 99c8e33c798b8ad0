"""What the native module gives the shim."""

import typing as t
from typing import Final
from typing import final

from flask import Flask
from flask import Request
from flask import Response
from flask.sessions import SecureCookieSession
from flask.sessions import SessionMixin
from typing_extensions import disjoint_base
from typing_extensions import Self

__all__ = [
    "DEBUG_BUILD",
    "SecureCookieInterface",
    "Session",
    "TokenCodec",
    "__version__",
    "is_out_of_proportion",
    "remember_shipped",
]

DEBUG_BUILD: Final[bool]
__version__: Final[str]

def remember_shipped() -> None: ...
def is_out_of_proportion(text: bytes) -> bool: ...

@disjoint_base
class Session(dict[str, t.Any]):
    accessed: bool
    modified: bool
    def __new__(cls, initial: t.Any = None) -> Self: ...
    def __init__(self, initial: t.Any = None) -> None: ...
    # As werkzeug's methods, which take their arguments by name, too.
    def pop(self, key: str, default: t.Any = ...) -> t.Any: ...
    def setdefault(self, key: str, default: t.Any = None) -> t.Any: ...
    def update(self, arg: t.Any = None, /, **kwargs: t.Any) -> None: ...

@disjoint_base
class SecureCookieInterface:
    def __new__(cls, *_args: object, **_kwargs: object) -> Self: ...
    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None: ...
    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None: ...

@final
class TokenCodec:
    def __new__(
        cls,
        secret_keys: t.Sequence[str | bytes],
        *,
        salt: str | bytes | None = None,
        digest: str = "sha1",
        derivation: str = "hmac",
        compress_threshold: int = 1024,
    ) -> Self: ...
    def dumps(self, obj: dict[str, t.Any], now: int | None = None) -> str: ...
    def loads(
        self, token: str | bytes, max_age: int, now: int | None = None
    ) -> dict[str, t.Any] | None: ...
