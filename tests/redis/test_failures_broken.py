"""Records that are none: a new session under a new id, the record as it was, one warning, and never a 5xx."""

from __future__ import annotations

import collections
import json
import pickle
import random
import time
import typing as t
from pathlib import Path

import msgspec
import pytest

from ..visits import Answer
from ..visits import Visitor
from .failing import app_over
from .failing import COOKIE
from .failing import known_visitor
from .failing import logged
from .failing import PREFIX
from .server import RedisServer

WARNING = "a session record cannot be read: it is left as it is, and a new session begins"
SID = "Q" * 43
KEY = PREFIX + SID
NEW = '{"_permanent": true}'
#: In every record below, so that it is seen where it should not be.
DATA = "sentinel-data"
LEVELS = 100_000

SESSION = {"_permanent": True, "user": DATA, "cart": [1, 2.5, None, {"a": b"b"}], "n": 300}


class Evil:
    """Unpickling it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[t.Callable[[str], object], tuple[str]]:
        return Path.touch, (self.path,)  # type: ignore[return-value]


BROKEN: dict[str, bytes] = {
    "text": b"sentinel-data",
    "a space": b" ",
    "zero": b"\0",
    "a msgpack list": msgspec.msgpack.encode([DATA]),
    "a msgpack string": msgspec.msgpack.encode(DATA),
    "a msgpack number": msgspec.msgpack.encode(7),
    "msgpack nil": msgspec.msgpack.encode(None),
    "a json list": b'["sentinel-data"]',
    "a json string": b'"sentinel-data"',
    "a json number": b"7",
    "json null": b"null",
    "json with a wrong end": b'{"user": "sentinel-data"]',
    "json without an end": b'{"user": "sentinel-data"',
    "json and more": b'{"user": "sentinel-data"} x',
    "two json objects": b'{"user": "sentinel-data"}{}',
    "json with a byte order mark": b'\xef\xbb\xbf{"user": "sentinel-data"}',
    "json in utf-16": '{"user": "sentinel-data"}'.encode("utf-16"),
    "json with wrong utf-8": b'{"user": "sentinel-data\xff"}',
    "json of python": b"{'user': 'sentinel-data'}",
    "json with half a surrogate's escape": b'{"user": "sentinel-data\\ud8"}',
    "json with a number of 5,000 digits and more": b'{"user": 1' + b"0" * 5_000 + b"x}",
    "deep json": b'{"a":' * LEVELS + b"1" + b"}" * LEVELS,
    "deep json lists": b'{"a":' + b"[" * LEVELS + b"]" * LEVELS + b"}",
    "deep json without an end": b'{"a":' * LEVELS,
    "deep msgpack": b"\x81\xa1a" * LEVELS + b"\x01",
    "deep msgpack lists": b"\x81\xa1a" + b"\x91" * LEVELS + b"\x01",
    "deep msgpack keys": b"\x81" + b"\x91" * LEVELS + b"\x01\x01",
    "msgpack and more": msgspec.msgpack.encode(SESSION) + b"\0",
    "two of msgpack": msgspec.msgpack.encode(SESSION) * 2,
    "a msgpack map of 2^32 entries": b"\xdf\xff\xff\xff\xff\xa1a\x01",
    "a msgpack list of 2^32 items": b"\x81\xa1a\xdd\xff\xff\xff\xff\x01",
    "a msgpack string of 2^32 bytes": b"\x81\xa1a\xdb\xff\xff\xff\xffsentinel-data",
    "msgpack with wrong utf-8": b"\x81\xa4user\xa1\xff",
    "msgpack with a surrogate": b"\x81\xa4user\xa3\xed\xa0\x80",
    "the byte that msgpack never uses": b"\x81\xa4user\xc1",
    "a map for a key": b"\x81\x81\x01\x01\x01",
    "a timestamp of no year": b"\x81\xa1a\xc7\x0c\xff" + b"\xff" * 12,
    "pickle of a dict": pickle.dumps(SESSION),
    "pickle 0 of a dict": pickle.dumps(SESSION, 0),
    "compressed": b"\x78\x9csentinel-data",
    "a signed cookie": b"eyJ1c2VyIjoic2VudGluZWwifQ.Zr0AAA.sentinel-data",
    "java": b"\xac\xed\x00\x05sr\x00",
    "a megabyte of zeros": bytes(1 << 20),
    "a megabyte of maps": b"\x81" * (1 << 20),
}


def new_session_at(visitor: Visitor, old: str) -> Answer:
    """What somebody with a broken record gets: an empty session, and with the first write one under another id."""
    answer = visitor.get("/read")
    assert (answer.status, answer.body) == ("200 OK", NEW), answer
    assert DATA not in str(answer)
    return answer


def bystander(app: t.Any) -> Visitor:
    """A visitor with the id of the record under test."""
    visitor = Visitor(app)
    visitor.jar[COOKIE] = SID
    return visitor


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("form", ["msgpack", "json"])
def test_a_broken_record(server: RedisServer, name: str, form: str) -> None:
    """It is passed over, and stays."""
    record = BROKEN[name]
    server.client.set(KEY, record, ex=1000)
    app = app_over(server.url(), timeout=5, options={"serialization_format": form})
    start = time.monotonic()
    with logged() as log:
        answer = bystander(app).get("/read")
    assert (answer.status, answer.body) == ("200 OK", NEW), answer
    assert time.monotonic() - start < 1
    assert log.of("flask_session_rs") == [WARNING]
    assert [entry.levelname for entry in log.records if entry.name == "flask_session_rs"] == [
        "WARNING"
    ]
    with logged() as log:
        assert bystander(app).get("/untouched").status == "200 OK"
    assert DATA not in str(log.lines)
    visitor = bystander(app)
    with logged() as log:
        answer = visitor.get("/write")
    assert answer.status == "200 OK", answer
    assert log.of("flask_session_rs") == [WARNING]
    assert SID not in f"{log.lines} {answer}"
    assert DATA not in f"{log.lines} {answer}"
    assert visitor.jar[COOKIE] != SID
    assert visitor.get("/read").body == '{"_permanent": true, "n": 1}'
    for path in ("/logout", "/emptied", "/login", "/nested", "/regenerate"):
        assert bystander(app).get(path).status == "200 OK", path
    assert server.client.get(KEY) == record
    assert server.client.ttl(KEY) > 0


@pytest.mark.parametrize(
    "command",
    [
        ("RPUSH", KEY, DATA, "b"),
        ("HSET", KEY, "user", DATA),
        ("SADD", KEY, DATA, "b"),
        ("ZADD", KEY, "1", DATA),
        ("XADD", KEY, "*", "user", DATA),
    ],
    ids=lambda command: command[0].lower(),
)
def test_a_record_of_another_type(server: RedisServer, command: tuple[str, ...]) -> None:
    """Of Redis' own: the server refuses to read it, and it is left where it is."""
    server.execute(*command)
    kind, dump = server.client.type(KEY), server.client.dump(KEY)
    app = app_over(server.url())
    for path in ("/read", "/write", "/logout", "/emptied", "/login", "/nested", "/regenerate"):
        visitor = bystander(app)
        with logged() as log:
            answer = visitor.get(path)
        assert answer.status == "200 OK", answer
        assert log.of("flask_session_rs") == [WARNING], path
        assert visitor.jar.get(COOKIE) != SID or not answer.header("Set-Cookie")
        assert DATA not in f"{answer} {log.lines}"
    assert bystander(app).get("/untouched").status == "200 OK"
    assert (server.client.type(KEY), server.client.dump(KEY)) == (kind, dump)


def test_an_empty_record_is_an_absent_one(server: RedisServer) -> None:
    """As Flask-Session has it: no warning."""
    server.client.set(KEY, b"")
    with logged() as log:
        answer = bystander(app_over(server.url())).get("/read")
    assert (answer.status, answer.body) == ("200 OK", NEW)
    assert not log.of("flask_session_rs")


def test_pickle_is_never_loaded(server: RedisServer, tmp_path: Path) -> None:
    """Flask-Session's last resort runs what is in it."""
    made = tmp_path / "made"
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        record = pickle.dumps({"user": Evil(made)}, protocol)
        server.client.set(KEY, record)
        for form in ("msgpack", "json"):
            app = app_over(server.url(), options={"serialization_format": form})
            answer = bystander(app).get("/read")
            assert (answer.status, answer.body) == ("200 OK", NEW)
        assert server.client.get(KEY) == record
        assert not made.exists()
        pickle.loads(record)
        assert made.exists(), "the record is as dangerous as it should be"
        made.unlink()


def test_a_record_that_breaks_between_load_and_save(server: RedisServer) -> None:
    """Somebody else wrote there: what stands there is no session any longer, and is left alone."""
    app = app_over(server.url())
    things: list[t.Callable[[str], object]] = [
        lambda key: server.client.set(key, b"sentinel-data"),
        lambda key: server.client.set(key, pickle.dumps(SESSION)),
        lambda key: server.client.set(key, b""),
        lambda key: (server.client.delete(key), server.client.rpush(key, DATA)),
    ]
    for change in things:
        for path in ("/write", "/nested", "/regenerate", "/emptied"):
            visitor = known_visitor(app)
            key = PREFIX + visitor.jar[COOKIE]
            app.extensions["between"] = lambda change=change, key=key: change(key)
            answer = visitor.get(path)
            app.extensions["between"] = lambda: None
            assert answer.status == "200 OK", answer
            assert not answer.header("Set-Cookie")
            kind: t.Any = server.client.type(key)
            assert kind == b"list" or server.client.get(key) in (
                b"sentinel-data", pickle.dumps(SESSION), b""
            ), path  # fmt: skip


# Many of them.


def mutated(seeded: random.Random, record: bytes) -> bytes:
    """A record with something wrong in it, or nothing: some mutations are sessions still."""
    bytes_ = bytearray(record)
    for _ in range(seeded.choice((1, 1, 1, 2, 3, 8))):
        where = seeded.randrange(len(bytes_) or 1)
        match seeded.randrange(7):
            case 0:
                del bytes_[where:]
            case 1:
                del bytes_[:where]
            case 2:
                bytes_[where:where] = seeded.randbytes(seeded.randrange(1, 9))
            case 3:
                del bytes_[where : where + seeded.randrange(1, 9)]
            case 4 if bytes_:
                bytes_[where] ^= 1 << seeded.randrange(8)
            case 5:
                # A byte that means something.
                meant = b'\x80\x90\xa0\xc0\xc1\xc2\xc4\xc7\xc9\xcb\xcf\xd4\xd8\xd9\xdb\xdc\xdd\xde\xdf\xff{}[]",:\\'
                bytes_[where : where + 1] = bytes((seeded.choice(meant),))
            case _:
                again = seeded.randrange(len(bytes_) or 1)
                bytes_[where:where] = bytes_[again : again + seeded.randrange(1, 40)]
    return bytes(bytes_)


def test_many_broken_records(server: RedisServer, pytestconfig: pytest.Config) -> None:
    """Each is a session, whole, or none at all."""
    count = pytestconfig.getoption("--broken")
    seeded = random.Random(100_000)
    rich: dict[str, t.Any] = {
        **SESSION,
        "ä": "ö \U0001f600",
        "nested": {"list": [[[{}]]], "big": 1 << 60, "negative": -300, "float": 1e300},
        "long": "x" * 300,
    }
    plain = {**rich, "cart": [1, 2.5, None, {"a": "b"}]}
    originals = [
        msgspec.msgpack.encode(SESSION),
        msgspec.msgpack.encode(rich),
        msgspec.json.encode(plain),
        json.dumps(plain).encode(),
        pickle.dumps(SESSION),
    ]
    app = app_over(server.url(), timeout=5, PROPAGATE_EXCEPTIONS=False)
    other = app_over(
        server.url(),
        timeout=5,
        options={"serialization_format": "json"},
        PROPAGATE_EXCEPTIONS=False,
    )
    outcomes: collections.Counter[str] = collections.Counter()
    clients = [each.test_client() for each in (app, other)]
    with logged() as log:
        for number in range(count):
            record = mutated(seeded, seeded.choice(originals))
            server.client.set(KEY, record)
            client = clients[number % 2]
            client.set_cookie(COOKIE, SID)
            write = number % 10 == 0
            answer = client.get("/write" if write else "/read")
            assert answer.status_code == 200, (record, answer.text, log.lines[-3:])
            warnings = log.of("flask_session_rs")
            read_here = not warnings
            assert warnings in ([], [WARNING]), warnings
            log.records.clear()
            log.lines.clear()
            cookie = client.get_cookie(COOKIE)
            assert cookie is not None
            if not record:
                outcomes["empty"] += 1
            elif read_here:
                outcomes["read"] += 1
                assert readable(record), record
                assert cookie.value == SID
            else:
                outcomes["broken"] += 1
                assert not readable(record), record
                assert write or answer.text == NEW
                assert server.client.get(KEY) == record
                assert (cookie.value != SID) is write
            if write:
                assert server.client.exists(PREFIX + cookie.value)
                if cookie.value != SID:
                    server.client.delete(PREFIX + cookie.value)
    print(outcomes)
    assert outcomes["broken"] > count // 3
    assert outcomes["read"] > count // 50
    assert not outcomes.keys() - {"read", "broken", "empty"}


def readable(record: bytes) -> bool:
    """Whether msgspec reads it as Flask-Session has it do, and gets a dict."""
    for decode in (msgspec.msgpack.decode, msgspec.json.decode):
        try:
            found = decode(record)
        except (msgspec.DecodeError, ValueError, RecursionError, TypeError):
            continue
        return isinstance(found, dict)
    return False
