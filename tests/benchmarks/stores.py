"""Applications with sessions in Redis, and what the same exchange costs on a socket alone."""

from __future__ import annotations

import socket
import typing as t
import weakref

import flask
import msgspec

from ..redis.server import RedisServer
from .applications import requests
from .interleaved import Call
from .interleaved import Contender
from .interleaved import repeated
from .served import FLASK_SESSION
from .served import new_app
from .served import NULL
from .served import OURS_REDIS
from .served import SESSION

Transport = t.Literal["TCP", "unix socket"]
TRANSPORTS: tuple[Transport, ...] = t.get_args(Transport)

#: Over this a raw round trip over TCP says that other work is on the cores.
QUIET_US = 15.0

RAW, PROBE, BETWEEN = "raw GET", "raw TCP", "no session, then a raw GET"


def url(server: RedisServer, transport: Transport) -> str:
    return server.url() if transport == "TCP" else server.unix_url()


def cookie(app: flask.Flask, data: t.Mapping[str, t.Any]) -> str:
    """The Cookie header of a browser whose session, now in Redis, holds this."""
    client = app.test_client()
    with client.session_transaction() as opened:
        opened.update(data)
    found = client.get_cookie("session")
    return f"session={found.value}" if found else "session=" + "x" * 43


def contenders(
    server: RedisServer,
    transport: Transport,
    path: str,
    *,
    refresh: bool,
    data: t.Mapping[str, t.Any] = SESSION,
) -> dict[str, Contender]:
    """The same request for each, a raw GET of such a record, and one over TCP that tells a busy machine."""
    address = url(server, transport)
    found: dict[str, Contender] = {}
    for kind in (NULL, FLASK_SESSION, OURS_REDIS):
        app = new_app(kind, address, refresh=refresh)
        found[kind] = requests(app, path, cookie(app, data))
    found[RAW] = repeated(Raw(server, transport, msgspec.msgpack.encode(data)).get)
    found[PROBE] = repeated(probe(server).get)
    return found


def probe(server: RedisServer) -> Raw:
    """A round trip of a small record over TCP: some 7 us on a quiet machine."""
    return Raw(server, "TCP", msgspec.msgpack.encode(SESSION), key=b"probe")


def alternating(one: Contender, other: Contender) -> Contender:
    """Each time a call of the one and a call of the other."""

    def prepared(number: int) -> list[Call]:
        [first], [second] = one(1), other(1)

        def both() -> None:
            first()
            second()

        return [both] * number

    return prepared


class Raw:
    """A record on a bare socket, without a client library: the least that an exchange can cost."""

    def __init__(
        self, server: RedisServer, transport: Transport, record: bytes, *, key: bytes = b"raw"
    ) -> None:
        if transport == "TCP":
            self._socket = socket.create_connection(("127.0.0.1", server.port))
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        else:
            self._socket = socket.socket(socket.AF_UNIX)
            self._socket.connect(str(server.socket_path))
        weakref.finalize(self, self._socket.close)
        server.client.set(key, record)
        self._key = b"$%d\r\n%b\r\n" % (len(key), key)
        self._get = b"*2\r\n$3\r\nGET\r\n" + self._key
        self._head = b"$%d\r\n" % len(record)
        self._size = len(self._head) + len(record) + 2
        self._buffer = memoryview(bytearray(self._size))

    def get(self) -> bytes:
        """One round trip."""
        self._socket.sendall(self._get)
        got = 0
        while got < self._size:
            got += self._socket.recv_into(self._buffer[got:])
        return bytes(self._buffer[len(self._head) : -2])

    def set(self, record: bytes) -> None:
        """One round trip with the record on the way there."""
        self._socket.sendall(
            b"*3\r\n$3\r\nSET\r\n$3\r\nraw\r\n$%d\r\n%b\r\n" % (len(record), record)
        )
        assert self._socket.recv(16) == b"+OK\r\n"


def raw_exchange(server: RedisServer, transport: Transport, data: t.Mapping[str, t.Any]) -> Call:
    """GET, decode, encode, SET: what a written session of this content cannot do without."""
    record = msgspec.msgpack.encode(data)
    raw = Raw(server, transport, record)
    encoder, decoder = msgspec.msgpack.Encoder(), msgspec.msgpack.Decoder()

    def exchange() -> None:
        raw.set(encoder.encode(decoder.decode(raw.get())))

    return exchange
