"""What the native module gives the shim."""

import typing as t
from typing import Final
from typing import final

from flask import Flask
from flask import Request
from flask import Response
from flask.sessions import SessionMixin

DEBUG_BUILD: Final[bool]
__version__: Final[str]

def remember_shipped() -> None: ...

class Session(dict[str, t.Any]):
    accessed: bool
    modified: bool
    def __new__(cls, *_args: object, **_kwargs: object) -> t.Self: ...
    def __init__(self, initial: t.Any = None) -> None: ...

class SecureCookieInterface:
    def __new__(cls, *_args: object, **_kwargs: object) -> t.Self: ...
    def open_session(self, app: Flask, request: Request) -> SessionMixin | None: ...
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
    ) -> t.Self: ...
    def dumps(self, obj: dict[str, t.Any], now: int | None = None) -> str: ...
    def loads(
        self, token: str | bytes, max_age: int, now: int | None = None
    ) -> dict[str, t.Any] | None: ...
