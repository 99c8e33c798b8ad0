"""Cookies carry the time that Python tells: a clock that tests stop, and let go again, is seen at once."""

import pytest
from itsdangerous import TimestampSigner

from .clock import freeze
from .clock import NOW
from .codec import CODEC


def sealed_at() -> int:
    """The time that a token sealed now carries."""
    signer = TimestampSigner("a key", salt="cookie-session", key_derivation="hmac")
    _, time = signer.unsign(CODEC.dumps({}), return_timestamp=True)
    return int(time.timestamp())


def test_stopped_and_let_go() -> None:
    signer = TimestampSigner("a key")
    # Twice each, since what was found once may be kept.
    for now in [None, NOW, None, NOW + 5, NOW + 10, None]:
        for _ in range(2):
            with pytest.MonkeyPatch.context() as patch:
                if now is not None:
                    freeze(patch, now)
                earliest = signer.get_timestamp()
                assert earliest <= sealed_at() <= signer.get_timestamp()


def test_stopped_in_between(monkeypatch: pytest.MonkeyPatch) -> None:
    sealed_at()
    clock = freeze(monkeypatch)
    for seconds in range(1, 4):
        clock.advance(1)
        assert sealed_at() == int(NOW) + seconds
