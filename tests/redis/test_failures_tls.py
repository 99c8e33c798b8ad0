"""TLS: what is not trusted is not spoken to, and nothing is ever said in the clear instead."""

from __future__ import annotations

import ssl
import time
import typing as t
import warnings
from pathlib import Path
from urllib.parse import quote

import pytest
import redis as redis_py

from flask_session_rs import SessionStoreError
from flask_session_rs import SessionStoreUnavailable

from ..visits import Visitor
from . import certificates as certs
from .certificates import Certificates
from .failing import app_over
from .failing import content
from .failing import COOKIE
from .failing import ends_in_time
from .failing import error_of
from .failing import FAILED
from .failing import is_silent
from .failing import known_visitor
from .failing import served
from .failing import TIMEOUT
from .failing import UNAVAILABLE
from .listeners import Eavesdropper
from .listeners import Handshaker
from .proxy import Fault
from .proxy import FaultProxy
from .server import RedisServer

SID = "s" * 43
PASSWORD = "sentinel-password"


@pytest.fixture(scope="module")
def tls_server(certificates: Certificates) -> t.Iterator[RedisServer]:
    """A server with a good certificate, and a password that must not be read by anybody else."""
    with RedisServer(certificates=certificates, password=PASSWORD) as server:
        yield server


@pytest.fixture(scope="module")
def strict_server(certificates: Certificates) -> t.Iterator[RedisServer]:
    """One that asks its clients for certificates."""
    with RedisServer(certificates=certificates, client_certificates=True) as server:
        yield server


def trusting(authority: Path, **more: object) -> str:
    options = {"ssl_ca_certs": authority, **more}
    return "?" + "&".join(f"{name}={quote(str(value))}" for name, value in options.items())


def refused(url: str, *words: str, timeout: float = 2) -> str:
    """The store is not available, at once and for this reason; an untouched view is; no cookie is sent."""
    app = app_over(url, timeout=timeout)
    visitor = Visitor(app)
    visitor.jar[COOKIE] = SID
    start = time.monotonic()
    error = error_of(visitor)
    assert time.monotonic() - start < 1.9, "it waited"
    assert isinstance(error, SessionStoreUnavailable)
    for word in words:
        assert word.lower() in str(error).lower(), error
    assert PASSWORD not in f"{error} {error!r}"
    assert visitor.get("/read").status == UNAVAILABLE
    assert visitor.get("/untouched").status == "200 OK"
    answer = Visitor(app).get("/write")
    assert answer.status == FAILED
    assert is_silent(answer)
    return str(error)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
@pytest.mark.parametrize("protocol", [2, 3])
def test_a_good_certificate(
    tls_server: RedisServer, certificates: Certificates, host: str, protocol: int
) -> None:
    """By name and by address."""
    query = trusting(certificates.ca_pem, protocol=protocol)
    app = app_over(tls_server.tls_url(host, query), timeout=5)
    visitor = known_visitor(app)
    for path in ("/read", "/nested", "/regenerate", "/untouched", "/login", "/write"):
        assert visitor.get(path).status == "200 OK"
    assert content(tls_server, visitor) == {"_permanent": True, "user": "ann", "n": 1}


def test_a_large_record(tls_server: RedisServer, certificates: Certificates) -> None:
    app = app_over(tls_server.tls_url(query=trusting(certificates.ca_pem)), timeout=10)
    big = "b" * (3 << 20)
    tls_server.client.set(f"session:{SID}", b'{"big":"' + big.encode() + b'"}')
    visitor = Visitor(app)
    visitor.jar[COOKIE] = SID
    assert big in visitor.get("/read").body
    assert visitor.get("/write").status == "200 OK"
    assert content(tls_server, visitor) == {"big": big, "n": 1}


def test_an_unknown_authority(tls_server: RedisServer, tmp_path: Path) -> None:
    other = certs.make(tmp_path, name="other")
    refused(tls_server.tls_url(query=trusting(other.ca_pem)), "TLS", "unknown", "issuer")
    # The system's own authorities do not know it either.
    refused(tls_server.tls_url(), "TLS")


def test_an_optional_certificate_is_verified_like_a_required_one(
    tls_server: RedisServer, certificates: Certificates, tmp_path: Path
) -> None:
    """As in redis-py: a server always shows one."""
    other = certs.make(tmp_path, name="other")
    for requirement in ("required", "optional"):
        url = tls_server.tls_url(query=trusting(other.ca_pem, ssl_cert_reqs=requirement))
        refused(url, "TLS", "unknown", "issuer")
        with redis_py.Redis.from_url(url) as client, pytest.raises(redis_py.ConnectionError):
            client.ping()
        url = tls_server.tls_url(query=trusting(certificates.ca_pem, ssl_cert_reqs=requirement))
        known_visitor(app_over(url, timeout=5))
        with redis_py.Redis.from_url(url) as client:
            assert client.ping()


def test_another_hosts_certificate(certificates: Certificates, tmp_path: Path) -> None:
    of_another = certs.make(tmp_path, "redis.example.com", name="another")
    with RedisServer(certificates=of_another, password=PASSWORD) as server:
        for host in ("localhost", "127.0.0.1"):
            query = trusting(of_another.ca_pem)
            refused(server.tls_url(host, query), "TLS", "name")
        # Said in so many words, it is let through; and it is the name alone that is.
        query = trusting(of_another.ca_pem, ssl_check_hostname="false")
        known_visitor(app_over(server.tls_url(query=query), timeout=5))
        query = trusting(certificates.ca_pem, ssl_check_hostname="false")
        refused(server.tls_url(query=query), "TLS")
        known_visitor(app_over(server.tls_url(query="?ssl_cert_reqs=none"), timeout=5))


def test_a_certificate_that_has_expired(tmp_path: Path) -> None:
    expired = certs.make(tmp_path, expires=certs.EXPIRED, name="expired")
    with RedisServer(certificates=expired, password=PASSWORD) as server:
        refused(server.tls_url(query=trusting(expired.ca_pem)), "TLS", "expired")
        query = trusting(expired.ca_pem, ssl_check_hostname="false")
        refused(server.tls_url(query=query), "TLS", "expired")


def test_a_server_that_asks_for_a_certificate(
    strict_server: RedisServer, certificates: Certificates, tmp_path: Path
) -> None:
    refused(strict_server.tls_url(query=trusting(certificates.ca_pem)))
    other = certs.make(tmp_path, name="other")
    query = trusting(
        certificates.ca_pem, ssl_certfile=other.client_certificate, ssl_keyfile=other.client_key
    )
    refused(strict_server.tls_url(query=query))
    query = trusting(
        certificates.ca_pem,
        ssl_certfile=certificates.client_certificate,
        ssl_keyfile=certificates.client_key,
    )
    known_visitor(app_over(strict_server.tls_url(query=query), timeout=5))
    # Both in one file.
    query = trusting(certificates.ca_pem, ssl_certfile=certificates.client_pem)
    known_visitor(app_over(strict_server.tls_url(query=query), timeout=5))


def test_files_that_are_not_what_they_should_be(
    tls_server: RedisServer, certificates: Certificates, tmp_path: Path
) -> None:
    """Said by the name of the setting."""
    empty, odd = tmp_path / "empty.pem", tmp_path / "odd.pem"
    empty.write_text("")
    odd.write_text("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n")
    good = certificates.ca_pem
    for file in (tmp_path / "missing.pem", empty, odd, tmp_path):
        refused(tls_server.tls_url(query=trusting(file)), "ssl_ca_certs")
        refused(tls_server.tls_url(query=trusting(good, ssl_certfile=file)), "ssl_certfile")
    key = certificates.client_key
    refused(tls_server.tls_url(query=trusting(good, ssl_keyfile=key)), "ssl_certfile")
    query = trusting(good, ssl_certfile=certificates.client_certificate, ssl_keyfile=empty)
    refused(tls_server.tls_url(query=query), "ssl_keyfile")
    query = trusting(good, ssl_certfile=certificates.client_certificate, ssl_keyfile=good)
    refused(tls_server.tls_url(query=query), "ssl_keyfile")


def test_a_server_in_the_clear_at_the_port_of_tls(certificates: Certificates) -> None:
    """A real one, and one that notes what it hears: not a byte of it is a command, and the password is not there."""
    with RedisServer(password=PASSWORD) as server, Eavesdropper(server.port) as listener:
        never_in_the_clear(listener, certificates)


def test_a_server_that_answers_anything_with_ok(certificates: Certificates) -> None:
    with Eavesdropper(None) as listener:
        never_in_the_clear(listener, certificates)


def never_in_the_clear(listener: Eavesdropper, certificates: Certificates) -> None:
    url = f"rediss://:{PASSWORD}@localhost:{listener.port}/0"
    # A server of Redis waits for the end of the line that it takes the first message of TLS for.
    refused(url + trusting(certificates.ca_pem), timeout=0.2)
    refused(url + "?ssl_cert_reqs=none", timeout=0.2)
    assert listener.heard, "nobody connected"
    for heard in listener.heard:
        assert heard[:1] in (b"\x16", b""), heard[:20]
        for word in (b"AUTH", b"GETEX", PASSWORD.encode(), SID.encode()):
            assert word not in heard


def test_tls_at_the_port_of_a_server_in_the_clear(tls_server: RedisServer) -> None:
    """The other way round: what is to be spoken in the clear is no TLS, and is not turned into it."""
    error = refused(f"redis://:{PASSWORD}@localhost:{tls_server.tls_port}/0")
    assert "unreachable" in error or "wrong kind" in error


def test_a_certificate_that_is_replaced(tmp_path: Path) -> None:
    """By one of another authority, under an application that runs: the next connection is refused."""
    first, second = (certs.make(tmp_path, name=name) for name in ("first", "second"))
    server = RedisServer(certificates=first, password=PASSWORD)
    with server:
        app = app_over(server.tls_url(query=trusting(first.ca_pem)), timeout=5)
        visitor = known_visitor(app)
        first.server_pem.write_bytes(second.server_pem.read_bytes())
        first.ca_pem.write_bytes(second.ca_pem.read_bytes())
        server.restart()
        answer = visitor.get("/read")
        assert answer.status == UNAVAILABLE, answer
        assert is_silent(answer)
        assert "TLS" in str(error_of(visitor))


def test_versions_that_are_too_old(tmp_path: Path) -> None:
    good = certs.make(tmp_path, name="old")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(good.server_pem)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with Handshaker(context) as server:
        refused(f"rediss://localhost:{server.port}/0{trusting(good.ca_pem)}")
        assert not server.said


@pytest.mark.parametrize("action", ["swallow", "stall", "trickle", "cut", "reset"])
@pytest.mark.parametrize("direction", ["commands", "replies"])
def test_a_network_that_harms_the_handshake(
    tls_server: RedisServer, certificates: Certificates, action: t.Any, direction: t.Any
) -> None:
    """Within the deadline, as everything."""
    assert tls_server.tls_port is not None
    with FaultProxy(tls_server.tls_port) as proxy:
        login = f":{PASSWORD}@"
        query = trusting(certificates.ca_pem)
        # The very first connection reads certificates, and takes its time.
        app = app_over(f"rediss://{login}localhost:{proxy.port}/0{query}", timeout=TIMEOUT)
        visitor = known_visitor(app)
        for offset in (0, 1, 100):
            proxy.plan = lambda _, offset=offset: Fault(action, direction, offset, 1.0)  # type: ignore[misc]
            proxy.cut_all()
            answer = ends_in_time(
                lambda: visitor.get("/read"), waits=action not in ("cut", "reset")
            )
            assert answer.status == UNAVAILABLE, (offset, answer)
        proxy.plan = lambda _: None
        proxy.cut_all()
        served(visitor, "/read")


def test_stray_bytes_under_tls(tls_server: RedisServer, certificates: Certificates) -> None:
    """In the clear, in the middle of it: the connection is closed, and nobody notices."""
    assert tls_server.tls_port is not None
    with FaultProxy(tls_server.tls_port) as proxy:
        query = trusting(certificates.ca_pem)
        app = app_over(f"rediss://:{PASSWORD}@localhost:{proxy.port}/0{query}", timeout=5)
        visitor = known_visitor(app)
        for stray in (
            b"+OK\r\n",
            b"$5\r\nalice\r\n",
            b"\x15\x03\x03\x00\x02\x01\x00",
            b"\x17\x03\x03\x00\x01x",
        ):
            proxy.inject(stray)
            time.sleep(0.01)
            answer = visitor.get("/read")
            assert (answer.status, answer.body) == ("200 OK", '{"_permanent": true, "n": 2}')


def test_a_client_objects_settings_are_no_less_strict(
    tls_server: RedisServer, certificates: Certificates, tmp_path: Path
) -> None:
    """redis-py verifies by default, and so does what takes its place."""
    options: dict[str, t.Any] = {
        "host": "localhost", "port": tls_server.tls_port, "ssl": True, "password": PASSWORD,
    }  # fmt: skip
    good = redis_py.Redis(**options, ssl_ca_certs=str(certificates.ca_pem))
    known_visitor(app_over(good, timeout=5))
    other = certs.make(tmp_path, name="other")
    for client in (
        redis_py.Redis(**options, ssl_ca_certs=str(other.ca_pem)),
        redis_py.Redis(**options),
    ):
        visitor = Visitor(app_over(client, timeout=2))
        visitor.jar[COOKIE] = SID
        error = error_of(visitor)
        assert isinstance(error, SessionStoreError)
        assert PASSWORD not in str(error)
