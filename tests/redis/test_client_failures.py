"""What goes wrong with a client's own methods: told in the store's words, without data, never passed off as done."""

from __future__ import annotations

import errno
import functools
import itertools
import pickle
import socket
import ssl
import threading
import time
import typing as t

import fakeredis
import flask
import pytest
import redis as redis_py
import redis.exceptions as redis_errors
import redis.sentinel
import valkey
import valkey.exceptions as valkey_errors
from werkzeug.exceptions import ServiceUnavailable

from flask_session_rs import RedisSessionInterface
from flask_session_rs import SessionStoreError
from flask_session_rs import SessionStoreUnavailable
from flask_session_rs._native import Store

from .certificates import Certificates
from .server import free_port
from .server import RedisServer
from .topologies import ClusterNode
from .topologies import Sentinel
from .topologies import WITHOUT_SCRIPTS

KEY, RECORD = b"session:Sup3rSecretId", b"the record's bytes"

Hook = t.Callable[[tuple[t.Any, ...]], object]


class Scripted(fakeredis.FakeRedis):
    """A fake server's client that does something before and after each command."""

    before: Hook = staticmethod(lambda command: None)
    after: Hook = staticmethod(lambda command: None)

    def execute_command(self, *args: t.Any, **options: t.Any) -> t.Any:
        self.before(args)
        reply = super().execute_command(*args, **options)  # type: ignore[no-untyped-call]
        self.after(args)
        return reply


def scripted(before: Hook | None = None, after: Hook | None = None) -> Scripted:
    client = Scripted(server=fakeredis.FakeServer())
    client.before = before or client.before
    client.after = after or client.after
    return client


class OwnRedis(redis_py.Redis):
    """Used by its own methods. It tries once."""

    def __init__(self, **settings: t.Any) -> None:
        retry = redis_py.retry.Retry(redis_py.backoff.NoBackoff(), 0)
        super().__init__(retry=retry, **settings)


class OwnValkey(valkey.Valkey):
    """The same, of the other library."""


def chained(error: Exception, behind: Exception) -> Exception:
    error.__context__ = behind
    return error


def quoting(template: str) -> str:
    """Words of a server or a client that quote a key and a record, as some do."""
    return f"{template}, with args beginning with: '{KEY.decode()}' '{RECORD.decode()}'"


RAISED: list[tuple[Exception, str]] = [
    (redis_errors.TimeoutError("Timeout reading from socket"), "timed out"),
    (valkey_errors.TimeoutError(quoting("late")), "timed out"),
    (TimeoutError(), "timed out"),
    (chained(redis_errors.ConnectionError("Error"), TimeoutError()), "timed out"),
    (redis_errors.ConnectionError("Connection closed by server."), "closed the connection"),
    (valkey_errors.ConnectionError(quoting("no")), "closed the connection"),
    (
        chained(redis_errors.ConnectionError("Error 111"), ConnectionRefusedError(111, "no")),
        "connection refused",
    ),
    (ConnectionResetError(errno.ECONNRESET, "reset"), "connection reset"),
    (OSError(quoting("odd")), "closed the connection"),
    (chained(redis_errors.ConnectionError(), socket.gaierror(-2, "Name")), "not found"),
    (chained(redis_errors.ConnectionError(), ssl.SSLError(1, "bad")), "TLS: SSLError"),
    (redis_errors.ConnectionError("max number of clients reached"), "maxclients"),
    (redis_errors.AuthenticationError("Authentication required."), "NOAUTH .*password"),
    (valkey_errors.AuthenticationError("invalid username-password pair"), "WRONGPASS"),
    (
        redis_errors.AuthenticationError(
            "AUTH <password> called without any password configured for the default user."
        ),
        "ERR .*has no password",
    ),
    (redis_errors.NoPermissionError(quoting("this user has no permissions")), "NOPERM .*ACL"),
    (redis_errors.OutOfMemoryError("command not allowed"), "OOM .*maxmemory"),
    (valkey_errors.ReadOnlyError("You can't write"), "READONLY .*replica"),
    (redis_errors.BusyLoadingError("Redis is loading"), "LOADING"),
    (redis_errors.ClusterDownError("CLUSTERDOWN The cluster is down"), "CLUSTERDOWN"),
    (redis_errors.MasterDownError("MASTERDOWN Link is down"), "MASTERDOWN"),
    (redis_errors.TryAgainError("TRYAGAIN Multiple keys"), "TRYAGAIN"),
    (redis_errors.ResponseError(quoting("MISCONF Redis is configured")), "MISCONF .*disk"),
    (redis_errors.ResponseError(quoting("unknown command 'GET'")), r"ERR .*6\.2"),
    (valkey_errors.ResponseError(quoting("ERR syntax error")), r"ERR .*6\.2"),
    (redis_errors.ResponseError(quoting("NEWCODE odd")), "NEWCODE"),
    (redis_errors.ResponseError(quoting("nothing known")), "ERR"),
    (redis_errors.ResponseError(""), "ERR"),
    (redis_errors.DataError(quoting("Invalid input")), "DataError"),
    (redis_errors.MaxConnectionsError("Too many connections"), "MaxConnectionsError .*in use"),
    (redis_errors.RedisClusterException(quoting("No way")), "RedisClusterException .*cluster"),
    (redis_errors.SlotNotCoveredError(quoting("Slot")), "RedisClusterException .*cluster"),
    (valkey_errors.ValkeyClusterException(quoting("No way")), "ValkeyClusterException"),
    (redis.sentinel.MasterNotFoundError("No master found"), "MasterNotFoundError .*Sentinel"),
    (ValueError(quoting("a bug")), "ValueError .*client's own"),
    (UnicodeDecodeError("utf-8", RECORD, 0, 1, "odd"), "UnicodeDecodeError"),
]


@pytest.mark.parametrize("number", range(len(RAISED)))
def test_what_a_client_raises_is_told_without_what_it_quotes(number: int) -> None:
    error, words = RAISED[number]

    def fail(command: tuple[t.Any, ...]) -> None:
        raise error

    store = Store(scripted(fail))
    for verb in (
        lambda: store.load(KEY),
        lambda: store.load(KEY, 5),
        lambda: store.create(KEY, RECORD, 5),
    ):
        with pytest.raises(SessionStoreUnavailable, match=words) as caught:
            verb()
        assert_silent(caught.value)


def assert_silent(error: SessionStoreUnavailable) -> None:
    """Neither the error nor what it came from shows a key or a record."""
    assert error.__cause__ is None
    assert error.__context__ is None
    for shown in (str(error), repr(error), error.reason, str(error.args), str(vars(error))):
        assert "Sup3r" not in shown
        assert "record's bytes" not in shown
    assert error.get_response().get_data(as_text=True).count(error.reason) == 0


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), SystemExit(3), GeneratorExit(), BaseException("own")]
)
def test_what_is_no_exception_passes_unharmed(error: BaseException) -> None:
    def fail(command: tuple[t.Any, ...]) -> None:
        raise error

    store = Store(scripted(fail))
    for verb in (lambda: store.load(b"k"), lambda: store.replace(b"k", None, b"1", 5)):
        with pytest.raises(type(error)) as caught:
            verb()
        assert caught.value is error


@pytest.mark.parametrize("reply", ["text", 5, b"OK".decode(), [b"a"], True, object()])
def test_a_reply_of_the_wrong_kind(reply: object) -> None:
    class Odd(fakeredis.FakeRedis):
        def execute_command(self, *args: t.Any, **options: t.Any) -> t.Any:
            return reply

    store = Store(Odd())
    with pytest.raises(SessionStoreUnavailable, match="answer of the wrong kind") as caught:
        store.load(b"k")
    assert ("decode_responses=False" in str(caught.value)) is isinstance(reply, str)
    if not isinstance(reply, int):
        with pytest.raises(SessionStoreUnavailable, match="answer of the wrong kind"):
            store.replace(b"k", None, b"1", 5)


def test_no_command_is_begun_after_the_deadline() -> None:
    sent = []

    def slow(command: tuple[t.Any, ...]) -> None:
        sent.append(command[0])
        time.sleep(0.15)

    store = Store(scripted(slow), timeout=0.1)
    # The server does not know the script by its name, and would be sent it in full.
    with pytest.raises(SessionStoreUnavailable, match="timed out"):
        store.replace(b"k", None, b"1", 5)
    assert sent == ["EVALSHA"]
    with pytest.raises(SessionStoreUnavailable, match="timed out"):
        Store(scripted(slow), timeout=0).load(b"k")
    assert sent == ["EVALSHA"]


def test_a_write_that_the_client_sent_twice() -> None:
    """The reply to the first `SET NX` was lost; the client's second one finds the key taken, by this very record."""

    def lose(command: tuple[t.Any, ...]) -> None:
        if command[0] == "SET":
            client.before = lambda command: None
            client.execute_command(*command)

    client = scripted(lose)
    store = Store(client)
    assert store.create(b"k", b"1", 60)
    assert not store.create(b"k", b"2", 60)


def test_scripts_that_the_server_forgets(server: RedisServer) -> None:
    store = Store(OwnRedis(port=server.port))
    store.create(b"k", b"1", 60)
    for now, then in ((b"1", b"2"), (b"2", b"3")):
        server.client.script_flush()
        assert store.replace(b"k", now, then, 60) == "done"
    server.client.script_flush()
    assert store.rotate(b"k", b"l", b"3", b"4", 60) == "done"
    server.client.script_flush()
    assert store.delete(b"l", b"4") == "done"


class WithoutScripts(OwnRedis):
    """Of a server without scripts. What others write between its looks and its writes is in `others`, in turn."""

    def __init__(self, port: int) -> None:
        super().__init__(port=port)
        self.others: t.Iterator[t.Callable[[], object]] = iter(())

    def execute_command(self, *args: t.Any, **options: t.Any) -> t.Any:
        if args[0] in ("EVALSHA", "EVAL"):
            raise redis_py.ResponseError(f"unknown command '{args[0]}'")
        return super().execute_command(*args, **options)  # type: ignore[no-untyped-call]

    def pipeline(self, *args: t.Any, **options: t.Any) -> t.Any:
        pipe: t.Any = super().pipeline(*args, **options)
        multi = pipe.multi

        def meddle_and_begin() -> None:
            for write in itertools.islice(self.others, 1):
                write()
            multi()

        pipe.multi = meddle_and_begin
        return pipe


def test_others_write_in_the_middle_of_a_transaction(server: RedisServer) -> None:
    """Without scripts, what was compared is what is replaced, or it is compared anew."""
    client = WithoutScripts(server.port)
    store = Store(client)

    def others(key: str, *records: str) -> None:
        client.others = iter([functools.partial(server.client.set, key, it) for it in records])

    store.create(b"k", b"1", 60)
    others("k", "2")
    assert store.replace(b"k", b"1", b"3", 60) == b"2"
    others("k", "1")
    assert store.replace(b"k", b"2", b"3", 60) == b"1"
    others("k", "4", "5", "6")
    assert store.replace(b"k", None, b"3", 60) == "done"
    client.others = iter([functools.partial(server.client.delete, "k")])
    assert store.replace(b"k", None, b"3", 60) == "gone"
    assert server.client.get("k") is None
    # Somebody takes the new key.
    store.create(b"k", b"1", 60)
    others("l", "theirs")
    with pytest.raises(SessionStoreUnavailable, match="BUSYKEY"):
        store.rotate(b"k", b"l", None, b"3", 60)
    assert server.records() == {"k": b"1", "l": b"theirs"}
    # Somebody who never stops.
    client.others = itertools.repeat(functools.partial(server.client.incr, "k"))
    begun = time.monotonic()
    with pytest.raises(SessionStoreUnavailable, match="timed out"):
        store.replace(b"k", None, b"3", 60)
    assert time.monotonic() - begun < 1.5


def test_a_transaction_that_fails_for_another_reason() -> None:
    with RedisServer(**WITHOUT_SCRIPTS) as server:
        store = Store(OwnRedis(port=server.port), timeout=5)
        store.create(b"k", b"1", 60)
        server.client.config_set("maxmemory", "1")
        begun = time.monotonic()
        with pytest.raises(SessionStoreUnavailable, match=r"OOM .*maxmemory|EXECABORT"):
            store.replace(b"k", b"1", b"2", 60)
        assert time.monotonic() - begun < 1
        assert server.records() == {"k": b"1"}


class TestCluster:
    """A record moves in two steps, whatever comes between them."""

    OLD, NEW = b"old", b"new"

    def client(
        self, cluster: ClusterNode, between: t.Callable[[], object]
    ) -> redis_py.RedisCluster:
        """A client that does something when the new record is there and the old one still is."""

        class Meddled(redis_py.RedisCluster):
            def execute_command(self, *args: t.Any, **options: t.Any) -> t.Any:
                if args[0] == "EVALSHA" and args[3] == TestCluster.OLD:
                    between()
                return super().execute_command(*args, **options)  # type: ignore[no-untyped-call]

        cluster.client.set(self.OLD, b"1")
        return Meddled("127.0.0.1", cluster.port)

    def records(self, cluster: ClusterNode) -> dict[str, bytes]:
        return cluster.records()

    def test_nothing(self, cluster: ClusterNode) -> None:
        client = self.client(cluster, lambda: None)
        assert Store(client).rotate(self.OLD, self.NEW, b"1", b"2", 60) == "done"
        assert self.records(cluster) == {"new": b"2"}

    @pytest.mark.parametrize("expected", [None, b"1"])
    def test_a_logout(self, cluster: ClusterNode, expected: bytes | None) -> None:
        client = self.client(cluster, lambda: cluster.client.delete(self.OLD))
        assert Store(client).rotate(self.OLD, self.NEW, expected, b"2", 60) == "gone"
        assert self.records(cluster) == {}

    def test_a_change(self, cluster: ClusterNode) -> None:
        client = self.client(cluster, lambda: cluster.client.set(self.OLD, b"3"))
        assert Store(client).rotate(self.OLD, self.NEW, b"1", b"2", 60) == b"3"
        assert self.records(cluster) == {"old": b"3"}

    def test_a_change_that_does_not_matter(self, cluster: ClusterNode) -> None:
        client = self.client(cluster, lambda: cluster.client.set(self.OLD, b"3"))
        assert Store(client).rotate(self.OLD, self.NEW, None, b"2", 60) == "done"
        assert self.records(cluster) == {"new": b"2"}

    def test_a_failure_leaves_the_old_record_whole(self, cluster: ClusterNode) -> None:
        def fail() -> None:
            raise redis_py.ConnectionError("cut off")

        client = self.client(cluster, fail)
        with pytest.raises(SessionStoreUnavailable, match="closed the connection"):
            Store(client).rotate(self.OLD, self.NEW, b"1", b"2", 60)
        assert self.records(cluster)["old"] == b"1"
        assert 0 < cluster.client.ttl(self.NEW) <= 60

    def test_a_node_that_is_gone(self) -> None:
        with ClusterNode() as node:
            client = redis_py.RedisCluster(
                "127.0.0.1", node.port, socket_timeout=0.2, retry=self.once()
            )
            store = Store(client)
            store.create(b"k", b"1", 60)
            with node.stopped(), pytest.raises(SessionStoreUnavailable) as caught:
                store.load(KEY)
            assert_silent(caught.value)

    @staticmethod
    def once() -> redis_py.retry.Retry:
        return redis_py.retry.Retry(redis_py.backoff.NoBackoff(), 0)


def test_real_failures_through_a_client(certificates: Certificates) -> None:
    users = ["reader on >r ~* +get +hello +client"]
    with RedisServer(password="s3cret", users=users, certificates=certificates) as server:
        port = server.port
        # redis-py tells the client's name and version at the beginning, which is refused likewise.
        assert server.tls_port is not None
        for client, words in (
            (OwnRedis(port=port), "NOAUTH"),
            (OwnRedis(port=port, protocol=2), "NOAUTH"),
            (OwnRedis(port=port, password="wrong-p4ss"), "WRONGPASS"),
            (OwnValkey(port=port, password="wrong-p4ss"), "WRONGPASS"),
            (OwnRedis(port=free_port()), "connection refused"),
            (OwnValkey(port=free_port()), "connection refused"),
            (OwnRedis(unix_socket_path="/nowhere/at/all"), "not found"),
            (OwnRedis(host="nobody.invalid"), "not found"),
            (OwnRedis(port=port, password="s3cret", db=4096), "no database of that number"),
            (OwnRedis(port=server.tls_port, ssl=True, password="s3cret"), "TLS: .*CERTIFICATE"),
        ):
            store = Store(client, timeout=5)
            assert not store.is_native
            with pytest.raises(SessionStoreUnavailable, match=words) as caught:
                store.load(KEY)
            assert_silent(caught.value)
            assert "p4ss" not in str(caught.value)
            client.close()
        reader = Store(OwnRedis(port=port, username="reader", password="r"))
        assert reader.load(KEY) is None
        for verb in (
            lambda: reader.create(KEY, RECORD, 5),
            lambda: reader.delete(KEY, None),
        ):
            with pytest.raises(SessionStoreUnavailable, match=r"NOPERM .*ACL") as caught:
                verb()
            assert_silent(caught.value)
        full = Store(OwnRedis(port=port, password="s3cret"))
        assert full.create(b"k", b"1", 60)
        server.client.config_set("maxmemory", "1")
        with pytest.raises(SessionStoreUnavailable, match=r"OOM .*maxmemory"):
            full.replace(b"k", b"1", b"2", 60)
        server.client.config_set("maxmemory", "0")
        server.client.replicaof("127.0.0.1", free_port())
        with pytest.raises(SessionStoreUnavailable, match=r"READONLY .*replica"):
            full.replace(b"k", b"1", b"2", 60)


def test_a_silent_server_and_the_clients_own_time_out(server: RedisServer) -> None:
    store = Store(OwnRedis(port=server.port, socket_timeout=0.3))
    assert store.load(b"k") is None
    with server.paused():
        begun = time.monotonic()
        with pytest.raises(SessionStoreUnavailable, match="timed out"):
            store.load(b"k")
        assert time.monotonic() - begun < 1
    assert store.load(b"k") is None


def test_a_primary_that_is_gone_and_comes_back(own_server: RedisServer) -> None:
    with Sentinel(own_server) as sentinel:
        store = Store(sentinel.master_for(retry=TestCluster.once()), timeout=5)
        assert store.create(b"k", b"1", 60)
        with own_server.stopped(), pytest.raises(SessionStoreUnavailable):
            store.load(b"k")
        assert store.load(b"k") is None
        with pytest.raises(SessionStoreUnavailable, match="Sentinel"):
            Store(sentinel.master_for("nobody"), timeout=5).load(b"k")


def test_a_whole_application_over_fakeredis() -> None:
    client = scripted()
    app = flask.Flask(__name__)
    app.session_interface = RedisSessionInterface(client)

    @app.get("/")
    def count() -> str:
        flask.session["count"] = flask.session.get("count", 0) + 1
        return str(flask.session["count"])

    @app.get("/bare")
    def bare() -> str:
        return "bare"

    browser = app.test_client()
    assert [browser.get("/").text for _ in range(3)] == ["1", "2", "3"]

    def fail(command: tuple[t.Any, ...]) -> None:
        raise redis_py.ConnectionError(quoting("no"))

    client.before = fail
    answer = browser.get("/")
    assert answer.status_code == 503
    assert "Set-Cookie" not in answer.headers
    assert "session store" not in answer.text
    assert browser.get("/bare").status_code == 200
    client.before = lambda command: None
    assert browser.get("/").text == "4"


def test_many_threads_and_one_client(server: RedisServer) -> None:
    store = Store(OwnRedis(port=server.port, max_connections=64), timeout=10)
    wrong = []

    def work(name: bytes) -> None:
        store.create(name, name * 50, 60)
        for _ in range(30):
            if store.load(name) != name * 50:
                wrong.append(name)

    threads = [threading.Thread(target=work, args=(b"%d" % number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_the_errors_themselves() -> None:
    error = SessionStoreUnavailable("the reason")
    assert isinstance(error, ServiceUnavailable)
    assert isinstance(error, SessionStoreError)
    for same in (error, pickle.loads(pickle.dumps(error))):
        assert (str(same), same.reason, same.args) == ("the reason", "the reason", ("the reason",))
        assert repr(same) == "SessionStoreUnavailable('the reason')"
        assert same.code == 503
        assert same.description == ServiceUnavailable.description
        assert "reason" not in same.get_response().get_data(as_text=True)
    assert SessionStoreUnavailable().code == 503
    assert str(SessionStoreError()) == "the session store cannot be used"
