"""Real servers that refuse: passwords, permissions, memory, replicas. The error says what to mend."""

from __future__ import annotations

import time
import typing as t

import msgspec
import pytest

from flask_session_rs import RedisSessionInterface
from flask_session_rs import SessionStoreError

from ..visits import Visitor
from .failing import app_over
from .failing import content
from .failing import COOKIE
from .failing import error_of
from .failing import FAILED
from .failing import is_silent
from .failing import key_of
from .failing import known_visitor
from .failing import logged
from .failing import UNAVAILABLE
from .failing import WRITERS
from .server import RedisServer

PASSWORD = "Tr0ub4dor-and-3"
WRONG = "c0rrect-h0rse"
#: Those that the error for a missing right names.
COMMANDS = "+get +getex +set +del +eval +evalsha +watch +unwatch +multi +exec"


@pytest.fixture(scope="module")
def guarded() -> t.Iterator[RedisServer]:
    """A server with a password, and with users of several rights."""
    users = [
        f"full on >{PASSWORD} ~session:* {COMMANDS}",
        f"reader on >{PASSWORD} ~session:* +get +getex",
        f"elsewhere on >{PASSWORD} ~other:* {COMMANDS}",
        f"writer on >{PASSWORD} ~session:* {COMMANDS} -del",
        f"small on >{PASSWORD} ~session:* {COMMANDS} -watch -multi",
        f"off off >{PASSWORD} ~* +@all",
        "open on nopass ~session:* " + COMMANDS,
    ]
    with RedisServer(password=PASSWORD, users=users) as server:
        yield server


def known(url: str, server: RedisServer) -> Visitor:
    """A visitor of an application at this URL, who has a session already."""
    visitor = Visitor(app_over(url, timeout=2))
    visitor.jar = dict(known_visitor(app_over(server.url(password=PASSWORD))).jar)
    return visitor


def refused(visitor: Visitor, code: str, advice: str, *, path: str = "/read") -> None:
    """At once, for the reason, with no cookie and no password."""
    jar = dict(visitor.jar)
    with logged() as log:
        start = time.monotonic()
        answer = visitor.get(path)
        assert time.monotonic() - start < 1, "it waited"
    assert answer.status == (UNAVAILABLE if path == "/read" else FAILED), answer
    assert is_silent(answer)
    assert visitor.jar == jar
    text = str(error_of(visitor)) if path == "/read" else log.lines[0]
    assert code in text
    assert advice in text
    for secret in (PASSWORD, WRONG):
        assert secret not in f"{text} {log.lines} {answer}"


@pytest.mark.parametrize(
    ("user", "password", "code"),
    [
        ("", "", "NOAUTH"),
        ("", WRONG, "WRONGPASS"),
        ("full", WRONG, "WRONGPASS"),
        ("full", "", "WRONGPASS"),
        ("nobody", PASSWORD, "WRONGPASS"),
        ("off", PASSWORD, "WRONGPASS"),
    ],
)
@pytest.mark.parametrize("protocol", [2, 3])
def test_a_password_that_is_wrong(
    guarded: RedisServer, user: str, password: str, code: str, protocol: int
) -> None:
    login = f"{user}:{password}@" if user or password else ""
    url = f"redis://{login}127.0.0.1:{guarded.port}/0?protocol={protocol}"
    visitor = known(url, guarded)
    refused(visitor, code, "password" if code == "NOAUTH" else "no such user and password")
    answer = Visitor(visitor.app).get("/write")
    assert answer.status == FAILED
    assert visitor.get("/untouched").status == "200 OK"


@pytest.mark.parametrize("user", ["full", "open", ""])
@pytest.mark.parametrize("protocol", [2, 3])
def test_those_that_are_right(guarded: RedisServer, user: str, protocol: int) -> None:
    """An application needs no rights but those that the error for a missing one names."""
    password = "" if user == "open" else PASSWORD
    url = f"redis://{user}:{password}@127.0.0.1:{guarded.port}/0?protocol={protocol}"
    for path in ("/read", *WRITERS):
        assert known(url, guarded).get(path).status == "200 OK", path
    assert Visitor(app_over(url)).get("/write").status == "200 OK"


def test_a_user_without_the_rights(guarded: RedisServer) -> None:
    url = f"redis://reader:{PASSWORD}@127.0.0.1:{guarded.port}/0"
    visitor = known(url, guarded)
    assert visitor.get("/read").status == "200 OK"
    for path in WRITERS:
        refused(visitor, "NOPERM", "ACL has to allow", path=path)
    assert Visitor(visitor.app).get("/write").status == FAILED
    assert content(guarded, visitor)["n"] == 2
    visitor = known(f"redis://elsewhere:{PASSWORD}@127.0.0.1:{guarded.port}/0", guarded)
    refused(visitor, "NOPERM", "ACL has to allow")


def test_a_user_who_may_write_and_not_delete(guarded: RedisServer) -> None:
    """A regenerate that fails half-way leaves the old session whole, and the browser with it."""
    visitor = known(f"redis://writer:{PASSWORD}@127.0.0.1:{guarded.port}/0", guarded)
    assert visitor.get("/write").status == "200 OK"
    for path in ("/regenerate", "/logout", "/emptied"):
        refused(visitor, "NOPERM", "ACL has to allow", path=path)
        assert content(guarded, visitor)["n"] == 3


def test_a_user_who_may_not_do_what_large_records_take(guarded: RedisServer) -> None:
    """They are changed in transactions, small ones by scripts."""
    large = msgspec.msgpack.encode({"_permanent": True, "n": 2, "filling": "a" * 100_000})
    for user, allowed in (("small", False), ("writer", False), ("full", True)):
        visitor = known(f"redis://{user}:{PASSWORD}@127.0.0.1:{guarded.port}/0", guarded)
        assert visitor.get("/write").status == "200 OK"
        guarded.client.set(key_of(visitor), large)
        for path in ("/write", "/regenerate"):
            if allowed:
                assert visitor.get(path).status == "200 OK"
            elif user == "small" or path == "/regenerate":
                refused(visitor, "NOPERM", "ACL has to allow", path=path)
                assert content(guarded, visitor)["filling"] == "a" * 100_000


def test_memory_used_up_by_large_records(own_server: RedisServer) -> None:
    """A transaction that is refused in its middle changes nothing."""
    visitor = known_visitor(app_over(own_server.url(), timeout=2))
    large = {"_permanent": True, "n": 2, "filling": "a" * 100_000}
    own_server.client.set(key_of(visitor), msgspec.msgpack.encode(large))
    own_server.client.config_set("maxmemory", 1)
    for path in ("/write", "/nested", "/regenerate"):
        refused(visitor, "OOM", "maxmemory", path=path)
        assert content(own_server, visitor) == large
    own_server.client.config_set("maxmemory", 0)
    assert visitor.get("/regenerate").status == "200 OK"
    assert content(own_server, visitor) == large | {"n": 3}


def test_rights_that_are_taken_away_and_given_back(guarded: RedisServer) -> None:
    """In the same process, on connections that were let in before."""
    visitor = known(f"redis://full:{PASSWORD}@127.0.0.1:{guarded.port}/0", guarded)
    assert visitor.get("/write").status == "200 OK"
    guarded.execute("ACL", "SETUSER", "full", "off")
    guarded.execute("ACL", "SETUSER", "full", "resetpass")
    guarded.execute("CLIENT", "KILL", "USER", "full", "SKIPME", "yes")
    refused(visitor, "WRONGPASS", "no such user and password")
    guarded.execute("ACL", "SETUSER", "full", "on", f">{PASSWORD}")
    assert visitor.get("/write").status == "200 OK"
    assert content(guarded, visitor)["n"] == 4


def test_a_password_that_is_not_asked_for(own_server: RedisServer) -> None:
    """It is not passed over: who wrote it believes that the server is guarded."""
    visitor = Visitor(app_over(f"redis://:{WRONG}@127.0.0.1:{own_server.port}/0"))
    visitor.jar[COOKIE] = "a" * 43
    refused(visitor, "ERR", "no password")


def test_a_database_that_is_not_there(own_server: RedisServer) -> None:
    visitor = Visitor(app_over(own_server.url(database=99)))
    visitor.jar[COOKIE] = "a" * 43
    refused(visitor, "ERR", "no database of that number")


def test_memory_used_up(own_server: RedisServer) -> None:
    """Reading goes on, logging out too; what cannot be written is reported, and the old record stays."""
    app = app_over(own_server.url(), timeout=2)
    visitor, leaver = known_visitor(app), known_visitor(app)
    own_server.client.config_set("maxmemory", 1)
    for path in ("/write", "/nested", "/login", "/regenerate"):
        refused(visitor, "OOM", "maxmemory", path=path)
        assert content(own_server, visitor) == {"_permanent": True, "n": 2}
    newcomer = Visitor(app)
    answer = newcomer.get("/write")
    assert (answer.status, newcomer.jar) == (FAILED, {})
    assert visitor.get("/read").status == "200 OK"
    own_server.client.config_set("maxmemory", 0)
    assert visitor.get("/write").status == "200 OK"
    assert leaver.get("/logout").status == "200 OK"


def test_a_replica(own_server: RedisServer) -> None:
    """Even sliding an expiry is a write. The connection is closed, as the primary may be elsewhere by now."""
    own_server.client.config_set("repl-diskless-sync-delay", 0)
    with RedisServer() as replica:
        replica.execute("REPLICAOF", "127.0.0.1", str(own_server.port))
        app = app_over(replica.url(), timeout=2)
        visitor = known_visitor(app_over(own_server.url()))
        wait_for_copy(replica, key_of(visitor))
        of_replica = Visitor(app)
        of_replica.jar = visitor.jar
        refused(of_replica, "READONLY", "primary")
        assert of_replica.get("/untouched").status == "200 OK"
        assert Visitor(app).get("/write").status == FAILED
        reader = Visitor(app_over(replica.url(), SESSION_REFRESH_EACH_REQUEST=False))
        reader.jar = visitor.jar
        assert reader.get("/read").status == "200 OK"
        refused(reader, "READONLY", "primary", path="/write")
        # It is promoted, under clients that were there before.
        replica.execute("REPLICAOF", "NO", "ONE")
        assert of_replica.get("/write").status == "200 OK"
        assert content(replica, visitor)["n"] == 3


def wait_for_copy(replica: RedisServer, key: str) -> None:
    deadline = time.monotonic() + 20
    while True:
        if replica.client.exists(key):
            return
        assert time.monotonic() < deadline, replica.log()
        time.sleep(0.02)


def test_as_many_clients_as_there_may_be(own_server: RedisServer) -> None:
    app = app_over(own_server.url(), timeout=2)
    own_server.client.config_set("maxclients", 1)
    visitor = Visitor(app)
    visitor.jar[COOKIE] = "a" * 43
    refused(visitor, "ERR", "maxclients")
    own_server.client.config_set("maxclients", 100)
    assert visitor.get("/write").status == "200 OK"


def test_scripts_that_are_forgotten_between_requests(server: RedisServer) -> None:
    visitor = known_visitor(app_over(server.url()))
    for count in range(3, 6):
        server.client.script_flush()
        with server.commands() as monitor:
            assert visitor.get("/write").status == "200 OK"
            assert monitor.names() == ["GETEX", "EVALSHA", "EVAL"]
            assert visitor.get("/nested").status == "200 OK"
            assert monitor.names() == ["GETEX", "EVALSHA"]
        assert content(server, visitor)["n"] == count


WRONG_URLS = (
    "", "localhost", "localhost:6379", "http://localhost", "redis:/localhost", "redis://",
    "redis://localhost:port", "redis://localhost:99999", "redis://localhost:0", "redis://localhost/x",
    "redis://localhost/-1", "redis://localhost/0/1", "redis://localhost?db=x", "redis://localhost?bd=1",
    "redis://localhost?ssl_ca_certs=/x", "redis://localhost#x", "redis://local host",
    "redis+unix://localhost/run/redis", "redis+unix://", "redis+unix:///", "rediss://localhost?ssl_cert_reqs=x",
    "redis+sentinel://localhost/0", "redis://a,b/0", "redis://[::1", "redis://%ff/", "redis://localhost?db=1&db=2",
)  # fmt: skip


@pytest.mark.parametrize("url", WRONG_URLS)
@pytest.mark.parametrize("login", ["", f":{PASSWORD}@", f"{PASSWORD}:{PASSWORD}@"])
def test_a_url_that_is_wrong(url: str, login: str) -> None:
    """Found when the interface is made, said in words about URLs, and without what stands in it."""
    scheme, separator, rest = url.partition("://")
    error = refusal_of(f"{scheme}{separator}{login}{rest}")
    if error is None:
        # A list of hosts is a name like any other to the parser of URLs, and leads nowhere.
        assert url == "redis://a,b/0"
        visitor = Visitor(app_over(f"{scheme}{separator}{login}{rest}"))
        visitor.jar[COOKIE] = "a" * 43
        error = error_of(visitor)
    assert PASSWORD not in f"{error} {error!r}"


def refusal_of(url: str) -> SessionStoreError | None:
    """What is said against it when an interface is made of it."""
    try:
        RedisSessionInterface(url)
    except SessionStoreError as error:
        return error
    return None


@pytest.mark.parametrize(
    "password", ["a/b", "a?b", "a#b", "a@b", "a:b", "a b", "a%zz", "a&b=c", "?x=a@b"]
)
def test_a_password_that_is_not_encoded(password: str) -> None:
    """It may be read as a port, as a path or as options: no part of it is shown for that."""
    secret = f"Zq9{password}Zq9"
    error = refusal_of(f"redis://:{secret}@127.0.0.1:1/0")
    assert "Zq9" not in f"{error} {error!r}"
    assert error is not None or not set(password) & set("/?# ")
