"""What may stand for a server: which clients become settings, which keep their own ways, which are refused and how."""

from __future__ import annotations

import collections
import ssl
import subprocess
import sys
import typing as t
from types import SimpleNamespace
from unittest import mock

import fakeredis
import flask
import pytest
import redis
import redis.asyncio
import valkey
import valkey.asyncio

import flask_session_rs
from flask_session_rs import RedisSessionInterface
from flask_session_rs import SessionStoreError
from flask_session_rs import SessionStoreUnavailable
from flask_session_rs._native import Store
from flask_session_rs.clients import native_settings
from flask_session_rs.clients import Settings
from flask_session_rs.clients import TlsSettings

from .certificates import Certificates
from .server import free_port
from .server import RedisServer

#: The libraries without their types, which are odd in places.
redis_py: t.Any = redis
valkey_py: t.Any = valkey

PLAIN = Settings(
    path=None,
    host="localhost",
    port=6379,
    database=0,
    username=None,
    password=None,
    resp3=False,
    tls=None,
)
TLS = TlsSettings(ca_file=None, certificate=None, key=None, verifies_chain=True, verifies_host=True)


class OwnConnection(redis.Connection):
    """Who knows where it connects to."""


class OwnPool(redis.ConnectionPool):
    """Who knows which connections it hands out."""


class OwnCredentials(redis.CredentialProvider):
    """Asks somebody each time."""

    def get_credentials(self) -> tuple[str]:
        return ("secret",)


def plain(**settings: t.Any) -> Settings:
    return PLAIN._replace(**settings)


def tls(**settings: t.Any) -> Settings:
    return PLAIN._replace(tls=TLS._replace(**settings))


SETTINGS: list[tuple[t.Any, Settings]] = [
    (redis_py.Redis(), PLAIN),
    (redis_py.StrictRedis(), PLAIN),
    (valkey_py.Valkey(), PLAIN),
    (valkey_py.StrictValkey(), PLAIN),
    (
        redis_py.Redis("h", 1, 2, username="u", password="p"),
        plain(host="h", port=1, database=2, username="u", password=b"p"),
    ),
    (redis_py.Redis(port="7"), plain(port=7)),
    (redis_py.Redis(db="3"), plain(database=3)),
    (redis_py.Redis(db=None), PLAIN),
    (redis_py.Redis(username="", password=""), PLAIN),
    (redis_py.Redis(username="u"), plain(username="u")),
    (redis_py.Redis(password=b"\xff"), plain(password=b"\xff")),
    (redis_py.Redis(password="\u00fc"), plain(password="\u00fc".encode())),
    (redis_py.Redis(protocol=3), plain(resp3=True)),
    (redis_py.Redis(protocol=2), PLAIN),
    (valkey_py.Valkey(protocol=3), plain(resp3=True)),
    (redis_py.Redis(unix_socket_path="/s"), plain(path="/s", host="", port=0)),
    (
        redis_py.Redis.from_url("unix://u:p@/s?db=4"),
        plain(path="/s", host="", port=0, database=4, username="u", password=b"p"),
    ),
    (
        redis_py.Redis.from_url("redis://u:p%40@h:1/2"),
        plain(host="h", port=1, database=2, username="u", password=b"p@"),
    ),
    (redis_py.Redis.from_url("redis://"), PLAIN),
    (redis_py.Redis.from_url("redis://h/?db=5&socket_timeout=3"), plain(host="h", database=5)),
    (redis_py.Redis.from_url("rediss://"), tls()),
    (valkey_py.Valkey.from_url("valkey://h:1/2"), plain(host="h", port=1, database=2)),
    # What does not bear on where the server is and who is let in.
    (
        redis_py.Redis(
            socket_timeout=3,
            socket_connect_timeout=4,
            socket_keepalive=False,
            retry_on_error=[ValueError],
            retry=redis_py.retry.Retry(redis_py.backoff.NoBackoff(), 9),
            health_check_interval=7,
            max_connections=5,
            client_name="somebody",
            decode_responses=True,
        ),
        PLAIN,
    ),
    (redis_py.Redis(connection_pool=redis_py.ConnectionPool(host="h")), plain(host="h")),
    (redis_py.Redis(connection_pool=redis_py.BlockingConnectionPool(timeout=3)), PLAIN),
    (
        redis_py.Redis(credential_provider=redis_py.UsernamePasswordCredentialProvider("u", "p")),
        plain(username="u", password=b"p"),
    ),
    # TLS.
    (redis_py.Redis(ssl=True), tls()),
    (redis_py.Redis(ssl=True, ssl_ca_certs="/ca"), tls(ca_file="/ca")),
    (
        redis_py.Redis(ssl=True, ssl_certfile="/c", ssl_keyfile="/k"),
        tls(certificate="/c", key="/k"),
    ),
    (redis_py.Redis(ssl=True, ssl_check_hostname=False), tls(verifies_host=False)),
    (redis_py.Redis(ssl=True, ssl_cert_reqs="none"), tls(verifies_chain=False)),
    (redis_py.Redis(ssl=True, ssl_cert_reqs=ssl.CERT_NONE), tls(verifies_chain=False)),
    (redis_py.Redis(ssl=True, ssl_cert_reqs=None), tls(verifies_chain=False)),
    (redis_py.Redis(ssl=True, ssl_cert_reqs="optional"), tls()),
    (redis_py.Redis(ssl=True, ssl_cert_reqs=ssl.CERT_REQUIRED), tls()),
    (redis_py.Redis(ssl=True, ssl_min_version=ssl.TLSVersion.TLSv1_2), tls()),
    # As the library has it, whatever one may think of it.
    (valkey_py.Valkey(ssl=True), tls(verifies_host=False)),
    (valkey_py.Valkey.from_url("valkeys://"), tls(verifies_host=False)),
    (valkey_py.Valkey(ssl=True, ssl_check_hostname=True), tls()),
]


@pytest.mark.parametrize("number", range(len(SETTINGS)))
def test_a_plain_client_is_its_settings(number: int) -> None:
    client, settings = SETTINGS[number]
    assert native_settings(client) == settings
    assert Store(client).is_native


def patched() -> t.Any:
    """A client whose commands somebody wants to see."""
    client = redis_py.Redis()
    client.execute_command = mock.Mock()
    return client


class OwnRedis(redis.Redis):
    """Who knows what it does to commands."""


#: Each would connect only when used.
OWN_WAYS: list[t.Callable[[], t.Any]] = [
    fakeredis.FakeRedis,
    fakeredis.FakeStrictRedis,
    fakeredis.FakeValkey,
    OwnRedis,
    patched,
    lambda: redis_py.Redis(connection_pool=OwnPool()),
    lambda: redis_py.Redis(connection_pool=redis_py.ConnectionPool(connection_class=OwnConnection)),
    lambda: redis_py.Redis(credential_provider=OwnCredentials()),
    lambda: redis_py.Redis(redis_connect_func=print),
    lambda: valkey_py.Valkey(valkey_connect_func=print),
    lambda: redis_py.Redis(encoding="latin-1"),
    lambda: redis_py.Redis(host=""),
    lambda: redis_py.Redis(port=0),
    lambda: redis_py.Redis(db=-1),
    lambda: redis_py.Redis(db=1 << 40),
    lambda: redis_py.Redis(password=5),
    lambda: redis_py.Redis(unix_socket_path="\0abstract"),
    lambda: redis_py.Redis(unix_socket_path=""),
    lambda: redis_py.Redis(ssl=True, ssl_ca_path="/etc/ssl/certs"),
    lambda: redis_py.Redis(ssl=True, ssl_ca_data="-----BEGIN"),
    lambda: redis_py.Redis(ssl=True, ssl_password="p"),
    lambda: redis_py.Redis(ssl=True, ssl_ciphers="AES256"),
    lambda: redis_py.Redis(ssl=True, ssl_validate_ocsp=True),
    lambda: redis_py.Redis(ssl=True, ssl_min_version=ssl.TLSVersion.TLSv1_3),
    lambda: redis_py.Redis(ssl=True, ssl_exclude_verify_flags=[ssl.VerifyFlags.VERIFY_X509_STRICT]),
    lambda: redis_py.Sentinel([("localhost", 1)]).master_for("sessions"),
    lambda: valkey_py.Sentinel([("localhost", 1)]).master_for("sessions"),
]


@pytest.mark.parametrize("number", range(len(OWN_WAYS)))
def test_a_client_with_ways_of_its_own_keeps_them(number: int) -> None:
    client = OWN_WAYS[number]()
    assert native_settings(client) is None
    assert not Store(client).is_native


class AsyncClient:
    """Somebody's own."""

    async def execute_command(self, *command: object) -> None: ...

    def pipeline(self) -> None: ...


def instrumented() -> t.Any:
    """A client for asyncio whose commands somebody wants to see."""
    client: t.Any = redis.asyncio.Redis()
    client.execute_command = mock.Mock()
    return client


#: No clients, or none that can serve a request.
REFUSED: list[t.Callable[[], t.Any]] = [
    lambda: None,
    lambda: 6379,
    lambda: b"redis://localhost",
    lambda: {"host": "localhost"},
    object,
    collections.OrderedDict,
    lambda: ("localhost", 6379),
    lambda: redis_py,
    lambda: redis_py.Redis,
    lambda: redis_py.ConnectionPool(),
    lambda: redis_py.Connection(),
    lambda: redis_py.Sentinel([("localhost", 1)]),
    lambda: redis_py.Redis().pipeline(),
    lambda: redis_py.Redis().pubsub(),
    lambda: fakeredis.FakeRedis().pipeline(),
    redis.asyncio.Redis,
    valkey.asyncio.Valkey,
    fakeredis.FakeAsyncRedis,
    lambda: AsyncClient(),
    lambda: instrumented(),
    lambda: redis.asyncio.RedisCluster("localhost"),
    lambda: t.cast(t.Any, redis.asyncio).Sentinel([("localhost", 1)]).master_for("sessions"),
    mock.MagicMock,
    lambda: SimpleNamespace(execute_command=len),
    lambda: flask.g,
]


@pytest.mark.parametrize("number", range(len(REFUSED)))
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_what_is_no_client_is_refused_with_what_is_accepted(number: int) -> None:
    client = REFUSED[number]()
    with pytest.raises(TypeError, match="redis-py or valkey-py") as caught:
        RedisSessionInterface(client)
    assert isinstance(caught.value, SessionStoreError)
    assert not isinstance(caught.value, SessionStoreUnavailable)
    assert "redis://" in str(caught.value)
    app = flask.Flask(__name__)
    app.config.from_mapping(SESSION_TYPE="redis", SESSION_REDIS=client)
    with pytest.raises(SessionStoreError):
        flask_session_rs.Session(app)


@pytest.mark.parametrize(
    ("client", "said"),
    [
        (6379, "an object of type int is no Redis client: give a URL"),
        (object(), "an object of type object is no Redis client: give a URL"),
        (b"redis://", "an object of type bytes is no Redis client: give a URL"),
        (redis_py.Redis, "a class is no Redis client: give a URL"),
        (redis_py, "a module is no Redis client: give a URL"),
        (None, "no Redis client is given: give a URL"),
    ],
)
def test_what_is_no_client_is_called_by_its_type(client: t.Any, said: str) -> None:
    with pytest.raises(SessionStoreError) as caught:
        RedisSessionInterface(client)
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost",
        "localhost:6379",
        "http://localhost:6379",
        "redis://",
        "redis://:s3cret@",
        "redis://u:s3cret@localhost:port",
        "redis://u:s3cret@localhost/db",
        "redis://u:s3cret@localhost?s3cret=1",
        "redis://u:s3cret@localhost/0?db=s3cret",
        "redis://u:s3#cret@localhost",
        "redis://u:s3cret@local host",
        "redis://u:s3cret@local\0host",
        "redis://u:s3cret@local\udc80host",
        "redis://u:s3cret@a..ü",
        "redis+unix://u:s3cret@host",
        "unix://",
    ],
)
def test_a_wrong_url_is_told_what_to_mend_and_not_shown(url: str) -> None:
    with pytest.raises(ValueError, match=r"URL|%23") as caught:
        RedisSessionInterface(url)
    assert isinstance(caught.value, SessionStoreError)
    for shown in (str(caught.value), repr(caught.value)):
        assert "s3" not in shown
        assert "cret" not in shown


def test_nothing_is_imported_and_nothing_connected() -> None:
    """The package works without the libraries, and does not load them where nobody does."""
    code = (
        "import sys, flask_session_rs\n"
        f"flask_session_rs.RedisSessionInterface('redis://127.0.0.1:{free_port()}')\n"
        "try: flask_session_rs.RedisSessionInterface(object())\n"
        "except TypeError: pass\n"
        "print(sorted({'redis', 'valkey', 'fakeredis', 'gevent', 'eventlet'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    assert (run.stdout, run.returncode) == ("[]\n", 0), run.stderr


def test_settings_reach_the_server() -> None:
    users = ["app on >p4ss ~* +@all"]
    with RedisServer(password="s3cret", users=users) as server:
        for client in (
            redis_py.Redis(port=server.port, password="s3cret", db=3),
            redis_py.Redis(port=server.port, username="app", password="p4ss", db=3, protocol=3),
            redis_py.Redis(unix_socket_path=str(server.socket_path), password="s3cret", db=3),
            valkey_py.Valkey(port=server.port, username="app", password="p4ss", db=3),
            redis_py.Redis(
                port=server.port,
                db=3,
                credential_provider=redis_py.UsernamePasswordCredentialProvider("app", "p4ss"),
            ),
            redis_py.Redis(port=server.port, db=3, credential_provider=AppCredentials()),
        ):
            store = Store(client)
            store.delete(b"k", None)
            assert store.create(b"k", b"1", 60)
            with redis_py.Redis(port=server.port, password="s3cret", db=3) as looking:
                assert looking.get("k") == b"1"


def test_a_host_of_other_letters_is_the_one_that_redis_py_connects_to() -> None:
    wide = "localhost".translate({letter: letter + 0xFEE0 for letter in range(33, 127)})
    with RedisServer() as server:
        url = f"redis://{wide}:{server.port}"
        for number, client in enumerate((url, redis_py.Redis(host=wide, port=server.port))):
            store = Store(client)
            assert store.is_native
            assert store.create(b"%d" % number, b"1", 60)
            with redis_py.Redis.from_url(url) as looking:
                assert looking.get(str(number)) == b"1"


def test_a_client_whose_host_is_no_name() -> None:
    with pytest.raises(SessionStoreError, match="host"):
        Store(redis_py.Redis(host="a..ü"))


class AppCredentials(redis.CredentialProvider):
    """Those of a user, from somewhere."""

    def get_credentials(self) -> tuple[str, str]:
        return ("app", "p4ss")


def test_tls_settings_reach_the_server(certificates: Certificates) -> None:
    with RedisServer(certificates=certificates, client_certificates=True) as server:
        assert server.tls_port is not None
        good = {
            "host": "localhost",
            "port": server.tls_port,
            "ssl": True,
            "ssl_ca_certs": str(certificates.ca_pem),
            "ssl_certfile": str(certificates.client_certificate),
            "ssl_keyfile": str(certificates.client_key),
        }
        for library in (redis_py.Redis, valkey_py.Valkey):
            store = Store(library(**good))
            assert store.is_native
            assert store.load(b"k") is None
        for bad in (
            good | {"ssl_ca_certs": None},
            good | {"ssl_certfile": None, "ssl_keyfile": None},
            good | {"ssl": False},
        ):
            store = Store(redis_py.Redis(**bad))
            assert store.is_native
            with pytest.raises(SessionStoreUnavailable):
                store.load(b"k")
        # What the native transport lacks, the client does.
        by_itself = Store(
            redis_py.Redis(
                **(good | {"ssl_ca_certs": None, "ssl_ca_data": certificates.ca_pem.read_text()})
            )
        )
        assert not by_itself.is_native
        assert by_itself.load(b"k") is None
