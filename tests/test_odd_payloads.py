"""Payloads signed with the right key and odd all the same: an empty session, or Flask's answer."""

import gc
import json
import random
import subprocess
import sys
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
from itsdangerous.encoding import base64_encode

from . import clock
from .codec import app_context
from .codec import CODEC
from .codec import MAX_AGE
from .codec import NOW
from .codec import Oracle
from .describe import describe
from .flavours import BOTH
from .flavours import NATIVE
from .payloads import BYTES
from .payloads import JSON
from .payloads import LEVELS
from .payloads import WRONG_TAGS
from .test_permanent import CANONICAL
from .test_permanent import FOREIGN
from .views import session_app
from .visits import visit

EMPTY = "dict{}"


@pytest.fixture(scope="module", autouse=True)
def prepared() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        clock.freeze(patch, NOW)
        with app_context():
            yield


def deflated(data: bytes, level: int = 6) -> bytes:
    return b"." + base64_encode(zlib.compress(data, level))


def wrapped(text: str) -> str:
    return '{"a":' + text + "}"


def tokens(data: bytes) -> list[str]:
    """The payload plain and deflated, signed."""
    oracle = Oracle()
    return [oracle.sign(base64_encode(data)), oracle.sign(deflated(data))]


def flasks_answer(token: str) -> str | None:
    """None for an error."""
    app = session_app(BOTH[0].interface(), PERMANENT_SESSION_LIFETIME=MAX_AGE)
    answer = visit(app, "/read", f"session={token}")
    return answer.body if answer.status == "200 OK" else None


def check(data: bytes, **attributes: Any) -> list[str]:
    """Empty, or as Flask's; and whatever a view then does to the session, no error."""
    app = session_app(NATIVE.interface(**attributes), PERMANENT_SESSION_LIFETIME=MAX_AGE)
    bodies = []
    for token in tokens(data):
        answer = visit(app, "/read", f"session={token}")
        assert answer.status == "200 OK"
        assert answer.logged == []
        expected = flasks_answer(token)
        assert answer.body in (EMPTY, expected)
        bodies.append(answer.body)
        for path in ("/untouched", "/flags", "/write"):
            assert visit(app, path, f"session={token}").status == "200 OK"
        content = CODEC.loads(token, MAX_AGE, NOW)
        assert describe({} if content is None else content) in (EMPTY, expected)
    return bodies


@pytest.mark.parametrize("text", [*JSON, *map(wrapped, WRONG_TAGS), *CANONICAL, *FOREIGN])
def test_odd_json(text: str) -> None:
    check(text.encode())


@pytest.mark.parametrize("text", [*map(wrapped, WRONG_TAGS), *CANONICAL, *FOREIGN, *JSON])
def test_objects_are_read_as_flask_reads_them(text: str) -> None:
    """What is a JSON object to Flask and decodes there is no empty session here."""
    token = Oracle().sign_json(text)
    expected = flasks_answer(token)
    got = CODEC.loads(token, MAX_AGE, NOW)
    try:
        is_object = isinstance(json.loads(text), dict) and not text.startswith('{" ')
    except (ValueError, RecursionError):
        is_object = False
    if expected is None:
        assert got is None
    elif is_object:
        assert describe(got) == expected


@pytest.mark.parametrize("name", BYTES)
def test_odd_bytes(name: str) -> None:
    check(BYTES[name])


@pytest.mark.parametrize("name", LEVELS)
def test_levels(name: str) -> None:
    check(LEVELS[name].encode())
    check(wrapped(LEVELS[name]).encode())


@pytest.mark.parametrize(
    "text", ["[]", "5", '"ab"', '[["a",1]]', '{"a":{" u":5}}', '{"a":', "null"]
)
@pytest.mark.parametrize(
    "attributes",
    [
        {"get_cookie_path": lambda self, app: "/"},
        {"session_class": type("S", (NATIVE.session_class,), {})},
    ],
    ids=["a hook", "a session class"],
)
def test_odd_json_through_flasks_own_code(text: str, attributes: dict[str, Any]) -> None:
    """What an application customises makes no difference to what is promised."""
    check(text.encode(), **attributes)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data[:-1],
        lambda data: data[:-4],
        lambda data: data[: len(data) // 2],
        lambda data: data[:2],
        lambda data: data[:1],
        lambda data: b"",
        lambda data: data + b"trailing",
        lambda data: data + data,
        lambda data: b"\x00" + data,
        lambda data: data[:-1] + bytes([data[-1] ^ 1]),
        lambda data: b"\x78\x9c" + data[2:],
        lambda data: b"\x78\xbb" + data[2:],
        lambda data: zlib.compress(data),
        lambda data: zlib.decompress(data),
        lambda data: zlib.decompress(data)[:5],
    ],
)
def test_spoilt_zlib(spoil: Any) -> None:
    good = zlib.compress(json.dumps({"a": "text " * 100}).encode())
    token = Oracle().sign(b"." + base64_encode(spoil(good)))
    body = visit(session_app(NATIVE.interface()), "/read", f"session={token}").body
    assert body in (EMPTY, flasks_answer(token))


@pytest.mark.parametrize("level", [0, 1, 6, 9])
@pytest.mark.parametrize("strategy", [zlib.Z_DEFAULT_STRATEGY, zlib.Z_HUFFMAN_ONLY, zlib.Z_FIXED])
def test_every_kind_of_zlib(level: int, strategy: int) -> None:
    packer = zlib.compressobj(level, zlib.DEFLATED, 15, 9, strategy)
    text = json.dumps({"a": "text " * 1000, "b": random.Random(1).randbytes(2000).hex()})
    token = Oracle().sign(b"." + base64_encode(packer.compress(text.encode()) + packer.flush()))
    assert CODEC.loads(token, MAX_AGE, NOW) == json.loads(text)


@pytest.mark.parametrize(
    ("size", "fits"), [(900_000, True), (1 << 20, True), ((1 << 20) + 1, False)]
)
@pytest.mark.parametrize(
    "attributes",
    [{}, {"session_class": type("S", (NATIVE.session_class,), {})}],
    ids=["native", "through Flask's own code"],
)
def test_inflation_has_a_limit(size: int, fits: bool, attributes: dict[str, Any]) -> None:
    """1 MiB of JSON, to the byte; a plain payload of that size is read as it is."""
    text = json.dumps({"a": "x" * (size - 9)}, separators=(",", ":")).encode()
    text = text[: size - 2] + b'"}' if len(text) > size else text
    assert len(text) == min(size, len(text))
    token = Oracle().sign(deflated(text.ljust(size)))
    assert (CODEC.loads(token, MAX_AGE, NOW) is not None) == fits
    interface = NATIVE.interface(**attributes)
    body = visit(session_app(interface), "/read", f"session={token}").body
    assert (body != EMPTY) == fits
    plain = Oracle().sign(base64_encode(text.ljust(size)))
    assert CODEC.loads(plain, MAX_AGE, NOW) is not None


MEMORY = """
import sys
from flask_session_rs import SecureCookieSessionInterface
from tests.codec import Oracle, app_context
from tests.views import session_app
from tests.visits import visit

app = session_app(SecureCookieSessionInterface(), PERMANENT_SESSION_LIFETIME=10**9)
if {customised}:
    app.json.sort_keys = False
token = sys.stdin.read()
small = visit(app, "/read", "session=" + Oracle().dumps({{"a": "x" * 100_000}}))


def peak():
    # Not getrusage: that starts from what the parent had when it forked.
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))


before = peak()
for path in ("/read", "/untouched", "/write"):
    assert visit(app, path, "session=" + token).status == "200 OK"
print(peak() - before)
"""


def bombs() -> dict[str, bytes]:
    packer = zlib.compressobj(9)
    bomb = b"".join(packer.compress(b" " * (1 << 20)) for _ in range(500)) + packer.flush()
    lists = b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    wide = b'{"a":[' + b",".join([b"[]"] * 300_000) + b"]}"
    return {
        "500 MiB of spaces": b"." + base64_encode(bomb),
        "100,000 levels": b"." + base64_encode(zlib.compress(lists)),
        "100,000 plain levels": base64_encode(lists),
        "900 kB of lists": b"." + base64_encode(zlib.compress(wide)),
        "1 MiB of open brackets": b"." + base64_encode(zlib.compress(b"[" * (1 << 20))),
        "1 MiB of digits": b"." + base64_encode(zlib.compress(b'{"a":' + b"9" * 1_000_000 + b"}")),
    }


@pytest.mark.parametrize("name", bombs())
@pytest.mark.parametrize("customised", [False, True])
def test_memory_is_bounded(name: str, customised: bool, pytestconfig: pytest.Config) -> None:
    """Less than 16 MiB on top of some copies of the cookie; Flask takes 3 GiB for the first one."""
    token = Oracle().serializer.make_signer(b"cookie-session").sign(bombs()[name]).decode()
    allowed = 16 + len(token) * 8 // (1 << 20)
    result = subprocess.run(
        [sys.executable, "-c", MEMORY.format(customised=customised)],
        input=token,
        capture_output=True,
        text=True,
        cwd=pytestconfig.rootpath,
    )
    assert result.returncode == 0, result.stderr
    assert int(result.stdout) < allowed * 1024


def test_nothing_is_left_of_odd_payloads() -> None:
    texts = [t for text in (*JSON, *map(wrapped, WRONG_TAGS)) for t in tokens(text.encode())]

    def all_of_them() -> None:
        for token in texts:
            CODEC.loads(token, MAX_AGE, NOW)

    for _ in range(3):
        all_of_them()
    gc.collect()
    before = len(gc.get_objects())
    for _ in range(10):
        all_of_them()
    gc.collect()
    assert len(gc.get_objects()) - before < 50
