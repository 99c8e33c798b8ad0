"""Servers that answer what nobody asked for: an error at once, never "no session", never the next one's reply."""

from __future__ import annotations

import functools
import itertools
import time
import typing as t
from pathlib import Path

import pytest

from flask_session_rs import SessionStoreError
from flask_session_rs import SessionStoreUnavailable

from ..visits import Visitor
from .failing import app_over
from .failing import bulk
from .failing import COOKIE
from .failing import error_of
from .failing import FAILED
from .failing import is_silent
from .failing import known_visitor
from .failing import logged
from .failing import UNAVAILABLE
from .failing import visit_as
from .proxy import Fault
from .proxy import FaultProxy
from .scripted import Close
from .scripted import ScriptedServer
from .scripted import Words
from .server import RedisServer

SID = "a" * 43
RECORD = bulk(b"\x82\xaa_permanent\xc3\xa1n\x01")
MEGABYTES = 64

#: Replies that are none to GETEX.
NO_RECORD: dict[str, bytes] = {
    "status": b"+OK\r\n",
    "queued": b"+QUEUED\r\n",
    "number": b":1\r\n",
    "array": b"*1\r\n" + RECORD,
    "empty array": b"*0\r\n",
    "map": b"%1\r\n+a\r\n:1\r\n",
    "set": b"~0\r\n",
    "boolean": b"#t\r\n",
    "double": b",1.5\r\n",
    "big number": b"(123456789012345678901234567890\r\n",
    "push": b">2\r\n+invalidate\r\n*-1\r\n",
    "attribute": b"|1\r\n+ttl\r\n:3600\r\n" + RECORD,
    "two replies": RECORD + RECORD,
    "a byte too many": RECORD + b"$",
    "nothing of ours": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "an empty line": b"\r\n",
    "zeros": bytes(100),
    "a line without return": b"+OK\n",
    "a wrong end": b"$1\r\nabcd\r\n",
    "a negative length": b"$-2\r\n",
    "an empty length": b"$\r\n",
    "a length of letters": b"$1a\r\n",
    "a length of 2^63": b"$9223372036854775808\r\n",
    "a length of 2^64 and two": b"$18446744073709551618\r\nab\r\n",
    "a length past all bounds": b"$" + b"9" * 1000 + b"\r\n",
    "an array of 2^31": b"*2147483648\r\n",
    "an array of millions": b"*4000000\r\n",
    "nested": b"*1\r\n" * 100_000,
    "nested maps": b"%1\r\n+a\r\n" * 100_000,
    "a line without end": b"+" + b"a" * 100_000,
    "an error without end": b"-" + b"a" * 100_000,
}
#: The three that are one to GETEX, and are no record.
ABSENT = {"nil": b"$-1\r\n", "null": b"_\r\n", "null array": b"*-1\r\n"}
#: Those of the above that a script could give.
TO_A_SCRIPT = {"number"}


@pytest.mark.parametrize("name", NO_RECORD)
def test_no_reply_to_a_read(name: str) -> None:
    """An error, on a connection that is closed."""
    with ScriptedServer(lambda words: NO_RECORD[name]) as server:
        app = app_over(server.url, timeout=2)
        for count in (1, 2):
            start = time.monotonic()
            answer = visit_as(app, SID, "/read")
            assert time.monotonic() - start < 1, "it was waited for what does not come"
            assert answer.status == UNAVAILABLE, answer
            assert is_silent(answer)
            assert server.opened == count, "the connection was used again"
        visitor = Visitor(app)
        visitor.jar[COOKIE] = SID
        assert "wrong kind" in str(error_of(visitor))


@pytest.mark.parametrize("name", sorted(NO_RECORD.keys() - TO_A_SCRIPT))
def test_no_reply_to_a_write(name: str) -> None:
    """Neither to one by a script nor to one of a new session."""

    def answer(words: Words) -> bytes:
        return RECORD if words[0] == b"GETEX" else NO_RECORD[name]

    with ScriptedServer(answer) as server:
        app = app_over(server.url, timeout=2)
        answered = visit_as(app, SID, "/write")
        assert answered.status == FAILED, answered
        assert is_silent(answered)
        if name == "status":
            return
        visitor = Visitor(app)
        answered = visitor.get("/write")
        assert answered.status == FAILED, answered
        assert visitor.jar == {}


@pytest.mark.parametrize("name", ABSENT)
def test_nothing_is_no_session(name: str) -> None:
    """What a read may say of a key that is not there begins a new session, without a word in the log."""
    with ScriptedServer(lambda words: ABSENT[name]) as server, logged() as log:
        answer = visit_as(app_over(server.url), SID, "/read")
    assert (answer.status, answer.body) == ("200 OK", '{"_permanent": true}')
    assert not log.of("flask_session_rs")


def test_a_record_as_long_as_can_be_is_not_waited_for_past_the_deadline() -> None:
    """A length that is announced and does not come: as much memory as came, and no more time than there is."""
    announced = b"$%d\r\n" % ((MEGABYTES << 20) - 100)
    # More than a buffer has room for, so that there has to be a larger one.
    with ScriptedServer(lambda words: announced + b"a" * 100_000) as server:
        app = app_over(server.url, timeout=0.1)
        before = highest_memory(anew=True)
        for _ in range(5):
            start = time.monotonic()
            answer = visit_as(app, SID, "/read")
            assert time.monotonic() - start < 1
            assert answer.status == UNAVAILABLE
        assert highest_memory() - before < MEGABYTES << 18


def highest_memory(*, anew: bool = False) -> int:
    """The most bytes that this process ever had in memory; `anew`, from now on."""
    if anew:
        # See proc_pid_clear_refs(5).
        Path("/proc/self/clear_refs").write_text("5")
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) << 10


ERRORS = {
    "LOADING Redis is loading the dataset in memory": ("LOADING", "loading"),
    "MISCONF Redis is configured to save RDB snapshots": ("MISCONF", "disk"),
    "READONLY You can't write against a read only replica.": ("READONLY", "replica"),
    "OOM command not allowed when used memory > 'maxmemory'.": ("OOM", "maxmemory"),
    "NOPERM this user has no permissions to run the 'getex' command": ("NOPERM", "ACL"),
    "NOAUTH Authentication required.": ("NOAUTH", "password"),
    "MASTERDOWN Link with MASTER is down": ("MASTERDOWN", "primary"),
    "NOREPLICAS Not enough good replicas to write.": ("NOREPLICAS", "replicas"),
    "BUSY Redis is busy running a script.": ("BUSY", "busy"),
    "CLUSTERDOWN The cluster is down": ("CLUSTERDOWN", "cluster"),
    "MOVED 3999 127.0.0.1:6381": ("MOVED", "cluster client"),
    "ASK 3999 127.0.0.1:6381": ("ASK", "cluster client"),
    "TRYAGAIN Multiple keys request during rehashing of slot": ("TRYAGAIN", "moving"),
    "CROSSSLOT Keys in request don't hash to the same slot": ("CROSSSLOT", "cluster client"),
    "ERR max number of clients reached": ("ERR", "maxclients"),
    "ERR unknown command 'GETEX', with args beginning with: 'sentinel-value'": ("ERR", "6.2"),
    "SOMENEW sentinel-value": ("SOMENEW", "log"),
    "sentinel-value sentinel-value": ("ERR", "log"),
    "": ("ERR", "log"),
}


@pytest.mark.parametrize("line", ERRORS)
def test_a_servers_error_is_one_of_the_store_at_once(line: str) -> None:
    """By its code and what may be done about it, and never in the server's own words, which may quote anything."""
    code, advice = ERRORS[line]
    with ScriptedServer(lambda words: f"-{line}\r\n".encode()) as server, logged() as log:
        app = app_over(server.url, timeout=2)
        start = time.monotonic()
        answer = visit_as(app, SID, "/read")
        assert time.monotonic() - start < 1
        assert answer.status == UNAVAILABLE, answer
        assert is_silent(answer)
        assert len(server.heard) == 1, "not tried again"
        visitor = Visitor(app)
        answer = visitor.get("/write")
        assert (answer.status, visitor.jar) == (FAILED, {})
        answer = visit_as(app, SID, "/untouched")
        assert answer.status == "200 OK"
        assert is_silent(answer)
        visitor.jar[COOKIE] = SID
        error = error_of(visitor)
        assert type(error) is SessionStoreUnavailable
        assert isinstance(error, SessionStoreError)
        assert f"refused: {code} (" in str(error)
        assert advice in str(error)
    said = f"{error} {error!r} {answer} {log.lines}"
    assert "sentinel-value" not in said
    assert SID not in said


@pytest.mark.parametrize("where", ["GETEX", "EVALSHA", "EVAL"])
def test_no_script(where: str) -> None:
    """A script that is not known is sent in full once; a server that knows none at all is not asked for ever."""

    def answer(words: Words) -> bytes:
        unknown = b"-NOSCRIPT No matching script. Please use EVAL.\r\n"
        if words[0] == where.encode() or words[0] == b"EVALSHA":
            return unknown
        return RECORD if words[0] == b"GETEX" else b":1\r\n"

    with ScriptedServer(answer) as server:
        answered = visit_as(app_over(server.url), SID, "/write")
        names = [words[0].decode() for words in server.heard]
    assert (
        names
        == {
            "GETEX": ["GETEX"],
            "EVALSHA": ["GETEX", "EVALSHA", "EVAL"],
            "EVAL": ["GETEX", "EVALSHA", "EVAL"],
        }[where]
    )
    assert answered.status == {"GETEX": UNAVAILABLE, "EVALSHA": "200 OK", "EVAL": FAILED}[where]


def test_a_new_id_that_is_always_taken() -> None:
    """Drawn anew a few times, and not for ever."""
    with ScriptedServer(lambda words: b"$-1\r\n") as server:
        visitor = Visitor(app_over(server.url))
        answer = visitor.get("/write")
        keys = {words[1] for words in server.heard}
        assert all(words[0] == b"SET" for words in server.heard)
    assert answer.status == FAILED
    assert visitor.jar == {}
    assert 1 < len(keys) == len(server.heard) < 10


@pytest.mark.parametrize(
    "opening", [b"-ERR Protocol error\r\n", b"+QUEUED\r\n", b"$2\r\nOK\r\n", b"*0\r\n", b"x\r\n"]
)
@pytest.mark.parametrize("step", [b"AUTH", b"SELECT"])
def test_a_handshake_of_odd_replies(step: bytes, opening: bytes) -> None:
    """No command on a session is sent before it is through."""
    steps = {b"AUTH": b"+OK\r\n", b"SELECT": b"+OK\r\n"} | {step: opening}
    with ScriptedServer(lambda words: RECORD, opening=steps) as server:
        app = app_over(f"redis://:secret-password@127.0.0.1:{server.port}/1")
        answer = visit_as(app, SID, "/read")
        assert answer.status == UNAVAILABLE, answer
        assert not server.heard
        visitor = Visitor(app)
        visitor.jar[COOKIE] = SID
        assert "secret-password" not in str(error_of(visitor))


# Bytes that come when nothing was asked.


STRAY = (b"+OK\r\n", b"\0", b"-LOADING\r\n", bulk(b"\x81\xa4user\xa7mallory"), b">1\r\n+hello\r\n")


@pytest.mark.parametrize("stray", STRAY)
def test_stray_bytes_on_an_idle_connection(server: RedisServer, stray: bytes) -> None:
    """Seen before it is used again; nobody notices."""
    with FaultProxy(server.port) as proxy:
        app = app_over(proxy.url(), timeout=2)
        visitor = known_visitor(app)
        for count in itertools.count(1):
            opened = proxy.connections
            proxy.inject(stray)
            time.sleep(0.01)
            answer = visitor.get("/read")
            assert answer.status == "200 OK"
            assert answer.body == '{"_permanent": true, "n": 2}'
            assert proxy.connections == opened + 1, "a connection with a stray byte was used"
            if count == 5:
                break


def test_an_answer_that_comes_too_late_is_nobodys(server: RedisServer) -> None:
    """One user's read times out; its answer arrives before the next user's read."""
    late = itertools.count()

    def answer(words: Words) -> bytes:
        if next(late) == 0:
            time.sleep(0.4)
            return bulk(b"\x81\xa4user\xa5alice")
        return bulk(b"\x81\xa4user\xa3bob")

    with ScriptedServer(answer) as scripted:
        app = app_over(scripted.url, timeout=0.3)
        assert visit_as(app, "a" * 43, "/read").status == UNAVAILABLE
        time.sleep(0.15)
        for _ in range(3):
            assert visit_as(app, "b" * 43, "/read").body == '{"user": "bob"}'


@pytest.mark.parametrize(("last", "sent"), [("closed", 2), ("wrong kind", 1)])
def test_a_command_is_sent_again_once_and_only_where_nothing_came(last: str, sent: int) -> None:
    """Over a new connection, where an idle one was closed; what was answered in whatever way is not asked again."""

    def answer(words: Words) -> bytes:
        if len(server.heard) == 1:
            return RECORD
        if last == "closed":
            raise Close
        return b"+OK\r\n"

    with ScriptedServer(answer) as server:
        app = app_over(server.url)
        assert visit_as(app, SID, "/read").status == "200 OK"
        assert visit_as(app, SID, "/read").status == UNAVAILABLE
        assert len(server.heard) == 1 + sent


@pytest.mark.parametrize("came", [1, 5, 20])
def test_a_part_of_a_reply_is_no_reason_to_send_again(server: RedisServer, came: int) -> None:
    record = b"\x81\xa1n\xd9\x40" + b"a" * 64
    server.client.set(f"session:{SID}", record)
    whole = len(bulk(record))
    with FaultProxy(server.port) as proxy:
        app = app_over(proxy.url())
        proxy.plan = lambda number: Fault("cut", "replies", whole + came) if not number else None
        with server.commands() as monitor:
            assert visit_as(app, SID, "/read").status == "200 OK"
            assert visit_as(app, SID, "/read").status == UNAVAILABLE
            assert monitor.names() == ["GETEX", "GETEX"]
        assert visit_as(app, SID, "/read").status == "200 OK"


def replying(reply: bytes, words: Words) -> bytes:
    return reply


def test_errors_are_told_apart_from_silence() -> None:
    """Each way to fail in words of its own."""
    reasons: set[str] = set()
    replies: t.Any = (b"-LOADING x\r\n", b"-OOM x\r\n", b"+OK\r\n", b"")
    for reply in replies:
        with ScriptedServer(functools.partial(replying, reply)) as server:
            visitor = Visitor(app_over(server.url, timeout=2 if reply else 0.05))
            visitor.jar[COOKIE] = SID
            reasons.add(str(error_of(visitor)))
    assert len(reasons) == 4
