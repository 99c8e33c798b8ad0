"""Random sessions through Flask's code and ours, both ways: not one byte may differ."""

import random
import sys
import zlib
from collections.abc import Iterator
from typing import Any

import flask.json.tag
import pytest
from hypothesis import given
from hypothesis import HealthCheck
from hypothesis import settings
from hypothesis import strategies as st

from flask_session_rs._native import TokenCodec

from . import clock
from . import flavours
from . import generators
from .codec import app_context
from .codec import CODEC
from .codec import json_of
from .codec import MAX_AGE
from .codec import NOW
from .codec import Oracle
from .describe import describe
from .describe import raised
from .flavours import BOTH
from .visits import new_app


@pytest.fixture(scope="module", autouse=True)
def prepared() -> Iterator[None]:
    """One clock, one zlib, one context for all: hypothesis calls each test many times."""
    with pytest.MonkeyPatch.context() as patch:
        clock.freeze(patch, NOW + 0.25)
        flavours.plain(patch)
        with app_context():
            yield


class Saver:
    """One application of a flavour, and its shortest way to a Set-Cookie header and back."""

    def __init__(self, flavour: flavours.Flavour) -> None:
        self.flavour = flavour
        self.app = new_app(flavour.interface(), SESSION_COOKIE_SAMESITE="Lax")
        self.interface: Any = self.app.session_interface

    def save(self, data: dict[str, Any]) -> list[tuple[str, str]] | str:
        """All headers of a response that saves the data, or the error."""
        session = self.flavour.session_class(data)
        session.modified = session.accessed = True
        response = flask.Response()
        try:
            self.interface.save_session(self.app, session, response)
        except Exception as error:
            return raised(error)
        return list(response.headers)

    def open(self, cookie: str) -> str:
        request = self.app.request_class({"HTTP_COOKIE": cookie})
        return describe(dict(self.interface.open_session(self.app, request)))


def compare(data: dict[str, Any], stock: Saver, native: Saver) -> bool:
    """The same headers, or the same error; and both read back the same. Whether they wrote."""
    headers = stock.save(data)
    assert native.save(data) == headers
    if not data or isinstance(headers, str):
        return False
    # What the one wrote is what the other wrote, so that each reads the other's cookie.
    cookie = dict(headers)["Set-Cookie"].partition(";")[0]
    assert native.open(cookie) == stock.open(cookie)
    return True


def test_seeded_sessions(pytestconfig: pytest.Config) -> None:
    count: int = pytestconfig.getoption("--sessions")
    stock, native = map(Saver, BOTH)
    with stock.app.app_context():
        written = sum(compare(generators.session(seed), stock, native) for seed in range(count))
    assert written > count * 0.8


def test_native_code_is_what_is_compared() -> None:
    """Of the seeded sessions few may be left to Flask's own code, or this file proves nothing."""
    native = Saver(flavours.NATIVE)
    by_flask: list[str] = []

    def profile(frame: Any, event: str, arg: object) -> None:
        if event == "call" and frame.f_code.co_filename == flask.json.tag.__file__:
            by_flask.append(frame.f_code.co_name)

    left = 0
    with native.app.app_context():
        for seed in range(500):
            by_flask.clear()
            sys.setprofile(profile)
            try:
                headers = native.save(generators.session(seed))
                if not isinstance(headers, str):
                    native.open(dict(headers).get("Set-Cookie", "").partition(";")[0])
            finally:
                sys.setprofile(None)
            left += bool(by_flask)
    assert left < 100


@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
@given(generators.strategy())
def test_sessions_of_hypothesis(data: dict[str, Any]) -> None:
    stock, native = map(Saver, BOTH)
    with stock.app.app_context():
        compare(data, stock, native)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(generators.strategy())
def test_codec_of_hypothesis(data: dict[str, Any]) -> None:
    """The codec by itself, which the benchmarks and the hostile tests use."""
    oracle = Oracle()
    try:
        token = oracle.dumps(data)
    except Exception as error:
        with pytest.raises(type(error)):
            CODEC.dumps(data, NOW)
        return
    assert CODEC.dumps(data, NOW) == token
    assert describe(CODEC.loads(token, MAX_AGE, NOW)) == describe(oracle.loads(token))


@settings(max_examples=2000, deadline=None)
@given(st.lists(st.floats(), min_size=1))
def test_floats_of_hypothesis(numbers: list[float]) -> None:
    assert CODEC.dumps({"a": numbers}, NOW) == Oracle().dumps({"a": numbers})


def test_floats_between_two_texts() -> None:
    """Numbers exactly between two equally short texts: Python takes the one with an even digit."""
    chance = random.Random(5)
    halves = (0.25, 0.75, 0.5, 0.125, 0.375)
    for exponent in range(40, 60):
        numbers = [chance.randrange(2**exponent) + chance.choice(halves) for _ in range(300)]
        assert CODEC.dumps({"a": numbers}, NOW) == Oracle().dumps({"a": numbers})


SECRETS: st.SearchStrategy[list[str | bytes]] = st.lists(
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=100)
    | st.binary(min_size=1, max_size=150),
    min_size=1,
    max_size=4,
)


@settings(max_examples=300, deadline=None)
@given(
    SECRETS,
    st.text(st.characters(codec="utf-8"), max_size=80) | st.binary(max_size=80),
    st.sampled_from(["sha1", "sha256", "sha512"]),
    st.sampled_from(["hmac", "concat", "django-concat", "none"]),
    st.dictionaries(st.text(), st.integers(), max_size=3),
)
def test_keys_salts_and_digests(
    secrets: list[str | bytes], salt: Any, digest: str, derivation: str, data: dict[str, Any]
) -> None:
    import hashlib

    codec = TokenCodec(
        secrets, salt=salt, digest=digest, derivation=derivation, compress_threshold=flavours.NEVER
    )
    theirs = getattr(hashlib, digest)
    oracle = Oracle(secrets, salt=salt, digest=theirs, derivation=derivation)
    token = oracle.dumps(data)
    assert codec.dumps(data, NOW) == token
    for secret in secrets:
        older = Oracle([secret], salt=salt, digest=theirs, derivation=derivation).dumps(data)
        assert codec.loads(older, MAX_AGE, NOW) == oracle.loads(older) == data
    stranger = Oracle(
        ["a stranger", *secrets, "nobody"], salt=salt, digest=theirs, derivation=derivation
    )
    assert codec.loads(stranger.dumps(data), MAX_AGE, NOW) is None


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**63), st.integers(0, 2**63), st.integers(-(2**31), 2**40))
def test_age(signed: int, now: int, max_age: int) -> None:
    """Accepted from the second of the signature on, until it is `max_age` seconds old."""
    token = CODEC.dumps({"a": 1}, signed)
    accepted = CODEC.loads(token, max_age, now) is not None
    assert accepted == (0 <= now - signed <= max_age)


@pytest.mark.parametrize(
    "size", [*range(0, 60, 3), 100, 300, 1000, 1023, 1024, 1025, 5000, 100_000]
)
@pytest.mark.parametrize("kind", ["same", "text", "digits"])
def test_compression(size: int, kind: str) -> None:
    """Compressed from the threshold on and if it pays, by Flask's rule; readable to both."""
    chance = random.Random(size)
    filling = {
        "same": "x" * size,
        "text": " ".join(["lorem", "ipsum", "dolor"][i % 3] for i in range(size // 6)),
        "digits": "".join(chance.choices("0123456789abcdefghijklmnopqrstuvwxyz_-", k=size)),
    }[kind]
    data = {"filling": filling}
    oracle = Oracle()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("itsdangerous.url_safe.zlib", zlib)
        stock = oracle.dumps(data)
        for threshold in (0, 1024):
            codec = TokenCodec(["a key"], compress_threshold=threshold)
            token = codec.dumps(data, NOW)
            json_size = len(json_of(CODEC.dumps(data, NOW)))
            # Two implementations of zlib may differ by some bytes where compression hardly pays.
            hardly = abs(len(zlib.compress(json_of(CODEC.dumps(data, NOW)))) - json_size) < 10
            if json_size < threshold:
                assert not token.startswith(".")
            elif not hardly:
                assert token.startswith(".") == stock.startswith(".")
            assert len(token) <= len(CODEC.dumps(data, NOW))
            assert oracle.loads(token) == data
            assert codec.loads(stock, MAX_AGE, NOW) == data


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(generators.strategy(), st.integers(1, 40))
def test_compressed_sessions_of_hypothesis(data: dict[str, Any], times: int) -> None:
    codec = TokenCodec(["a key"], compress_threshold=0)
    oracle = Oracle()
    try:
        many = {"list": [data] * times}
        expected = describe(oracle.loads(oracle.dumps(many)))
    except Exception:
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("itsdangerous.url_safe.zlib", zlib)
        token = codec.dumps(many, NOW)
        assert describe(oracle.loads(token)) == expected
        assert describe(codec.loads(oracle.dumps(many), MAX_AGE, NOW)) == expected
        assert describe(codec.loads(token, MAX_AGE, NOW)) == expected
