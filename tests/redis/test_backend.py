"""Whatever stands behind an interface passes the same suite: URLs, plain clients, clients with ways of their own."""

from __future__ import annotations

import subprocess
import sys
import typing as t

import fakeredis
import pytest
import redis as redis_py
import valkey

from flask_session_rs._native import Store

from .server import RedisServer
from .topologies import ClusterNode
from .topologies import Sentinel
from .topologies import WITHOUT_SCRIPTS
from .verbs import accept

#: With plenty of time, and for clients of their own ways with the least waiting of their own.
TIMEOUT = 10.0


class OwnRedis(redis_py.Redis):
    """A class of the application's own: who knows what it does to commands."""


class OwnValkey(valkey.Valkey):
    """The same, of the other library."""


#: What stands for a server: given to the interface; and whether the native transport takes its place.
NATIVE: dict[str, t.Callable[[RedisServer], object]] = {
    "TCP": lambda server: server.url(),
    "TCP by name, RESP3, another database": lambda server: (
        f"redis://localhost:{server.port}/7?protocol=3"
    ),
    "unix socket": lambda server: server.unix_url(),
    "redis-py": lambda server: redis_py.Redis(port=server.port),
    "redis-py, RESP3": lambda server: redis_py.Redis(port=server.port, protocol=3),
    "redis-py, RESP2": lambda server: redis_py.Redis(port=server.port, protocol=2),
    "redis-py, decoding": lambda server: redis_py.StrictRedis(
        port=server.port, decode_responses=True
    ),
    "redis-py, unix socket": lambda server: redis_py.Redis(
        unix_socket_path=str(server.socket_path)
    ),
    "redis-py, from a URL": lambda server: redis_py.Redis.from_url(server.url()),
    "redis-py, a pool that waits": lambda server: redis_py.Redis(
        connection_pool=t.cast(t.Any, redis_py).BlockingConnectionPool(port=server.port)
    ),
    "valkey-py": lambda server: valkey.Valkey(port=server.port),
    "valkey-py, from a URL": lambda server: valkey.Valkey.from_url(
        server.url().replace("redis", "valkey")
    ),
}

OWN: dict[str, t.Callable[[RedisServer], object]] = {
    "redis-py, a subclass": lambda server: OwnRedis(port=server.port),
    "redis-py, a subclass, RESP2": lambda server: OwnRedis(port=server.port, protocol=2),
    "redis-py, a subclass that decodes": lambda server: OwnRedis(
        port=server.port, decode_responses=True
    ),
    "valkey-py, a subclass": lambda server: OwnValkey(port=server.port),
    "valkey-py, a subclass that decodes": lambda server: OwnValkey(
        port=server.port, decode_responses=True, protocol=3
    ),
}

FAKES: dict[str, t.Callable[[], t.Any]] = {
    "fakeredis": lambda: fakeredis.FakeRedis(server=fakeredis.FakeServer()),
    "fakeredis, strict": lambda: fakeredis.FakeStrictRedis(server=fakeredis.FakeServer()),
    "fakeredis, decoding": lambda: fakeredis.FakeRedis(
        server=fakeredis.FakeServer(), decode_responses=True
    ),
    "fakeredis, RESP3": lambda: fakeredis.FakeRedis(server=fakeredis.FakeServer(), protocol=3),
    "fakeredis as Valkey": lambda: fakeredis.FakeValkey(
        server=fakeredis.FakeServer(server_type="valkey")
    ),
}

CLUSTERS: dict[str, t.Callable[[RedisServer], t.Any]] = {
    "redis-py": lambda node: redis_py.RedisCluster("127.0.0.1", node.port),
    "redis-py, decoding": lambda node: redis_py.RedisCluster(
        "127.0.0.1", node.port, decode_responses=True
    ),
    "valkey-py": lambda node: valkey.ValkeyCluster("127.0.0.1", node.port),
}


@pytest.fixture(scope="module")
def without_scripts() -> t.Iterator[RedisServer]:
    with RedisServer(**WITHOUT_SCRIPTS) as server:
        yield server


def place_foreign(server: RedisServer) -> t.Callable[[bytes], None]:
    """Puts a list under a key, in every database that a test here uses."""

    def place(key: bytes) -> None:
        for database in (0, 7):
            with redis_py.Redis(port=server.port, db=database) as client:
                client.rpush(key, b"1")

    return place


@pytest.mark.parametrize("name", NATIVE)
def test_the_native_transport(server: RedisServer, name: str) -> None:
    store = Store(NATIVE[name](server), timeout=TIMEOUT)
    assert store.is_native
    accept(store, place_foreign(server), expiry=name == "TCP")


@pytest.mark.parametrize("name", OWN)
def test_a_clients_own_methods(server: RedisServer, name: str) -> None:
    store = Store(OWN[name](server), timeout=TIMEOUT)
    assert not store.is_native
    accept(store, place_foreign(server), expiry=name == "redis-py, a subclass")
    # What stands in the server is the record as it is.
    assert server.records("r")["r"] == b""


@pytest.mark.parametrize("name", OWN)
def test_a_server_without_scripts(without_scripts: RedisServer, name: str) -> None:
    without_scripts.flush()
    store = Store(OWN[name](without_scripts), timeout=TIMEOUT)
    accept(store, place_foreign(without_scripts), expiry=name == "valkey-py, a subclass")


@pytest.mark.parametrize("name", FAKES)
def test_fakeredis(name: str) -> None:
    client = FAKES[name]()
    store = Store(client, timeout=TIMEOUT)
    assert not store.is_native
    accept(store, lambda key: client.rpush(key, "1"), expiry=name == "fakeredis")


def test_fakeredis_without_lua() -> None:
    code = f"""
import sys
sys.modules["lupa"] = None
import fakeredis
from flask_session_rs._native import Store
from {__package__}.verbs import accept
client = fakeredis.FakeRedis()
try:
    client.eval("return 1", 0)
except fakeredis._clients._sync.redis.ResponseError:
    accept(Store(client, timeout={TIMEOUT}), lambda key: client.rpush(key, "1"))
    print("accepted")
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (run.stdout, run.returncode) == ("accepted\n", 0), run.stderr


@pytest.mark.parametrize("name", CLUSTERS)
def test_a_cluster(cluster: ClusterNode, name: str) -> None:
    client = CLUSTERS[name](cluster)
    store = Store(client, timeout=TIMEOUT)
    assert not store.is_native
    # Both ways to move a record: the keys of the suite have slots of their own.
    assert client.keyslot(b"old") != client.keyslot(b"new")
    accept(store, lambda key: cluster.client.rpush(key, "1"), expiry=name == "redis-py")
    store.create(b"{same}1", b"1", 60)
    assert store.rotate(b"{same}1", b"{same}2", b"1", b"2", 60) == "done"
    assert (store.load(b"{same}1"), store.load(b"{same}2")) == (None, b"2")
    client.close()


@pytest.mark.parametrize("decoding", [False, True], ids=["bytes", "decoding"])
def test_a_primary_that_a_sentinel_knows(server: RedisServer, decoding: bool) -> None:
    with Sentinel(server) as sentinel:
        store = Store(sentinel.master_for(decode_responses=decoding), timeout=TIMEOUT)
        assert not store.is_native
        accept(store, place_foreign(server))
