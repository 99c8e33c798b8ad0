"""The codec under test beside its oracle: itsdangerous with Flask's tagged serializer."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from typing import Literal

import flask.sessions
from itsdangerous import BadData
from itsdangerous import TimestampSigner
from itsdangerous import URLSafeTimedSerializer
from itsdangerous.encoding import base64_encode

from flask_session_rs._native import TokenCodec

from .flavours import NEVER
from .visits import new_app

NOW = 1_700_000_000
MAX_AGE = 1000
KEY = "a key"

CODEC = TokenCodec([KEY], compress_threshold=NEVER)


class FrozenSigner(TimestampSigner):
    """Signs and verifies at `NOW`."""

    def get_timestamp(self) -> int:
        return NOW


class Oracle:
    """What itsdangerous does with the keys, at `NOW`; within an application context."""

    def __init__(
        self,
        secret_keys: list[str | bytes] | None = None,
        *,
        salt: str | bytes = "cookie-session",
        digest: Any = None,
        derivation: str = "hmac",
    ) -> None:
        self.serializer = URLSafeTimedSerializer(
            secret_keys or [KEY],  # type: ignore[arg-type]
            salt=salt,
            serializer=flask.sessions.session_json_serializer,
            signer=FrozenSigner,
            signer_kwargs={"key_derivation": derivation, "digest_method": digest},
        )

    def dumps(self, obj: Any) -> str:
        text: str | bytes = self.serializer.dumps(obj)
        return text if isinstance(text, str) else text.decode()

    def loads(self, token: str | bytes, max_age: int = MAX_AGE) -> Any:
        """As Flask: BadSignature is an empty session, any other failure an error."""
        return self.serializer.loads(token, max_age=max_age)

    def accepts(
        self, token: str | bytes, max_age: int = MAX_AGE
    ) -> tuple[Literal[True], Any] | None:
        """The content of a token, or None for one that is refused or does not decode."""
        try:
            return True, self.serializer.loads(token, max_age=max_age)
        except (BadData, RecursionError):
            return None

    def sign(self, payload: bytes) -> str:
        """The signature on a payload that is already base64."""
        return self.serializer.make_signer(b"cookie-session").sign(payload).decode()

    def sign_json(self, json: str | bytes) -> str:
        """The signature on any JSON text, or on what is none."""
        return self.sign(base64_encode(json))


def json_of(token: str) -> bytes:
    """The JSON text in a token that is not compressed."""
    payload = token.split(".", 1)[0]
    assert payload, "a compressed token"
    return base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))


@contextmanager
def app_context(**json: Any) -> Iterator[None]:
    """An application context: in it the tagged serializer sorts its keys."""
    app = new_app(None)
    for name, value in json.items():
        setattr(app.json, name, value)
    with app.app_context():
        yield
