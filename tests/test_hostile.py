"""Whatever stands in the Cookie header: never an error, and never more than Flask would believe."""

import random
from collections.abc import Iterator
from typing import Any

import flask
import pytest

from . import clock
from . import hostile
from .codec import app_context
from .codec import CODEC
from .codec import MAX_AGE
from .codec import NOW
from .codec import Oracle
from .describe import describe
from .flavours import BOTH
from .flavours import FLASK
from .flavours import Flavour
from .flavours import NATIVE
from .views import session_app
from .visits import new_app
from .visits import visit

SESSIONS: list[dict[str, Any]] = [
    {},
    {"a": 1},
    {"_permanent": True},
    {"user": "é", "list": [1, (2,), b"x"]},
    {"text": "lorem ipsum " * 20},
    {"n": list(range(100)), "_permanent": True},
]


@pytest.fixture(scope="module", autouse=True)
def prepared() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        clock.freeze(patch, NOW)
        with app_context():
            yield


@pytest.fixture(scope="module")
def tokens() -> list[str]:
    """Valid ones, compressed and plain, of two keys and of several ages."""
    valid = [Oracle().dumps(data) for data in SESSIONS]
    valid += [CODEC.dumps(data, NOW - age) for data in SESSIONS for age in (1, MAX_AGE)]
    return [*valid, *valid, Oracle(["a stranger"]).dumps({"a": 1}), CODEC.dumps({"a": 1}, NOW + 5)]


class Opener:
    """One application, and the session that it opens for a header."""

    def __init__(self, flavour: Flavour) -> None:
        self.app = new_app(flavour.interface(), PERMANENT_SESSION_LIFETIME=MAX_AGE)
        self.interface: Any = self.app.session_interface

    def __call__(self, header: str) -> str:
        request = self.app.request_class({"HTTP_COOKIE": header})
        return describe(dict(self.interface.open_session(self.app, request)))


EMPTY = "dict{}"


def test_mutated_cookies(pytestconfig: pytest.Config, tokens: list[str]) -> None:
    """Half through the whole header, half through the codec alone."""
    count: int = pytestconfig.getoption("--hostile")
    oracle, native = Oracle(), Opener(NATIVE)
    stock = Opener(FLASK)
    accepted = seen = 0
    for number, (token, header) in enumerate(hostile.cookies(tokens, count)):
        if number % 2:
            if (got := native(header)) != EMPTY:
                accepted += 1
                assert got == stock(header), header
        else:
            content = CODEC.loads(token.encode("latin-1"), MAX_AGE, NOW)
            if content is not None:
                seen += 1
                theirs = oracle.accepts(token.encode("latin-1"))
                assert theirs is not None, token
                assert describe(content) == describe(theirs[1]), token
    assert accepted > count // 100
    assert seen > count // 100


def test_strictness_is_a_matter_of_form_only(tokens: list[str]) -> None:
    """What Flask accepts and we do not is no token that either ever issued."""
    oracle = Oracle()
    refused = 0
    for token, _ in hostile.cookies(tokens, 20_000, seed=1):
        raw = token.encode("latin-1")
        theirs = oracle.accepts(raw)
        ours = CODEC.loads(raw, MAX_AGE, NOW)
        if theirs is not None and ours is None:
            refused += 1
            assert token not in tokens
            payload, _, _ = raw.rsplit(b".", 2)
            canonical = oracle.serializer.make_signer(b"cookie-session").sign(payload)
            assert canonical != raw
    assert refused > 10


def test_quoted_and_escaped_headers_are_read(tokens: list[str]) -> None:
    """A header that werkzeug reads, however it is written, is read the same."""
    chance = random.Random(2)
    stock, native = Opener(FLASK), Opener(NATIVE)
    read = 0
    for _ in range(5000):
        token = chance.choice(tokens)
        value = hostile.quoted(chance, token) if chance.random() < 0.5 else token
        header = hostile.header(chance, value)
        expected, got = stock(header), native(header)
        if got != expected:
            # Flask's base64 forgives characters that do not belong: such a value may be refused.
            found = flask.Request({"HTTP_COOKIE": header}).cookies["session"]
            assert (got, found == token) == (EMPTY, False), header
        read += got != EMPTY
    assert read > 1000


PIECES = (
    "session", "=", ";", " ", "\t", '"', "\\", "\\0", "\\056", "\\101", ".", ",", "\xe9",
    "\xc3\xa9", "\x00", "\n", "x", "a=b", "=;", "\xe2\x82\xac", "\xff", "session=", "\x1c",
    "\xa0", "\x0b", "\xc2\xa0", "\\377", "\\400", "\\\xc3\xa9",
)  # fmt: skip


def fuzz(chance: random.Random) -> str:
    return "".join(chance.choices(PIECES, k=chance.randrange(12)))


def test_headers_of_noise() -> None:
    """The value that is found is the value that werkzeug finds: shown by one that is signed."""
    chance = random.Random(3)
    token = Oracle().dumps({"a": 1})
    stock, native = Opener(FLASK), Opener(NATIVE)
    read = 0
    for _ in range(40_000):
        header = (
            fuzz(chance)
            + chance.choice(("session=", ";session=", '; session="'))
            + token
            + fuzz(chance)
        )
        expected, got = stock(header), native(header)
        # Flask's base64 forgives characters that do not belong: such a value may be refused.
        if expected == EMPTY or flask.Request({"HTTP_COOKIE": header}).cookies["session"] == token:
            assert got == expected, repr(header)
        else:
            assert got in (EMPTY, expected), repr(header)
        read += got != EMPTY
    assert read > 1000


HEADERS: dict[str, str] = {
    "empty": "",
    "only a name": "session",
    "no value": "session=",
    "no name": "=x",
    "a dot": "session=.",
    "dots": "session=...",
    "many dots": "session=" + "." * 100_000,
    "a quote": 'session="',
    "two quotes": 'session=""',
    "many quotes": 'session="' * 50_000,
    "backslashes": 'session="' + "\\" * 100_001,
    "backslashes closed": 'session="' + "\\" * 100_000 + '"',
    "NUL": "session=\x00",
    "not UTF-8": "session=\xff",
    "not UTF-8 elsewhere": "a=\xff; session=x",
    "half a character": "session=\xc3",
    "overlong": "session=\xc0\xaf",
    "surrogate": "session=\xed\xa0\x80",
    "UTF-8": "session=\xc3\xa9",
    "not Latin-1": "session=\u20ac",
    "a lone surrogate": "session=\ud800",
    "1 MB": "session=" + "A" * 1_000_000,
    "1 MB of parts": "session=" + "A." * 500_000,
    "1 MB compressed": "session=." + "A" * 1_000_000 + ".A.A",
    "1 MB of escapes": 'session="' + "\\056" * 250_000 + '"',
    "1 MB of semicolons": ";" * 1_000_000,
    "1 MB of spaces": " " * 1_000_000,
    "1 MB of spaces in the name": "a" + " " * 1_000_000 + "=b",
    "1 MB of equals": "=" * 1_000_000,
    "1 MB of quotes": '"' * 1_000_000,
    "1 MB unclosed": 'a="' + "b" * 1_000_000 + "; session=x",
    "many unclosed": 'a="b; ' * 100_000,
    "thousands": "; ".join(f"c{i}=v{i}" for i in range(20_000)),
    "thousands of the name": "; ".join(f"session={i}" for i in range(20_000)),
    "thousands of prefixes": "; ".join(f"session{i}=x" for i in range(20_000)),
    "newlines": "session=a\r\nb",
}


@pytest.mark.parametrize("name", HEADERS)
@pytest.mark.parametrize("path", ["/untouched", "/read", "/write", "/flags"])
def test_odd_headers(name: str, path: str) -> None:
    """As a request without a cookie, in everything. Work that grew with the square of the length
    would take hours for 1 MB: there is no need of a clock to see it."""
    app = session_app(NATIVE.interface(), PERMANENT_SESSION_LIFETIME=MAX_AGE)
    assert visit(app, path, HEADERS[name]) == visit(app, path)


@pytest.mark.parametrize("name", [n for n in HEADERS if "1 MB" not in n and "any" not in n])
def test_a_cookie_after_an_odd_one(name: str) -> None:
    """The first of the name counts, as in Flask; where Flask answers 500, the session is empty."""
    header = f"{HEADERS[name]}; session={Oracle().dumps({'a': 1})}"
    try:
        expected = Opener(FLASK)(header)
    except UnicodeError:
        expected = EMPTY
    assert Opener(NATIVE)(header) == expected


@pytest.mark.parametrize("value", [b"session=x", 5, None, ["session=x"]])
def test_an_environ_that_is_none(value: Any) -> None:
    """A Cookie header that is no text is a bug of the server: Flask's own error, or none."""
    for flavour in BOTH:
        app = session_app(flavour.interface())
        request = app.request_class({"HTTP_COOKIE": value})
        try:
            assert not app.session_interface.open_session(app, request)
        except (AttributeError, TypeError) as error:
            assert "session" not in str(error)  # noqa: PT017
