"""Applications with sessions in Redis, and what the same exchange costs on a socket alone."""

from __future__ import annotations

import socket
import typing as t
import weakref

import flask
import msgspec

from ..redis.server import RedisServer
from .applications import ReadyMadeInterface
from .applications import requests
from .interleaved import Call
from .interleaved import Contender
from .interleaved import repeated
from .served import FLASK_SESSION
from .served import new_app
from .served import NULL
from .served import OURS_REDIS
from .served import SESSION

if t.TYPE_CHECKING:
    from flask.sessions import SessionMixin

Transport = t.Literal["TCP", "unix socket"]
TRANSPORTS: tuple[Transport, ...] = t.get_args(Transport)

#: Over this a raw round trip over TCP says that other work is on the cores.
QUIET_US = 15.0

RAW, PROBE, BETWEEN = "raw GET", "raw TCP", "no session, then a raw GET"
READY_MADE = "ready-made"

#: Compare-and-set with nothing else: `KEYS` the key, `ARGV` the expected record, the new one, its seconds.
COMPARE_AND_SET = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
return 1
"""


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


def connected(owner: object, server: RedisServer, transport: Transport) -> socket.socket:
    """A bare socket, closed with its owner."""
    if transport == "TCP":
        made = socket.create_connection(("127.0.0.1", server.port))
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    else:
        made = socket.socket(socket.AF_UNIX)
        made.connect(str(server.socket_path))
    weakref.finalize(owner, made.close)
    return made


def packed(*words: bytes) -> bytes:
    """A command as it is sent."""
    bulks = b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)
    return b"*%d\r\n%b" % (len(words), bulks)


class Raw:
    """A record on a bare socket, without a client library: the least that an exchange can cost."""

    def __init__(
        self, server: RedisServer, transport: Transport, record: bytes, *, key: bytes = b"raw"
    ) -> None:
        self._socket = connected(self, server, transport)
        server.client.set(key, record)
        self._get = packed(b"GET", key)
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
        self._socket.sendall(packed(b"SET", b"raw", record))
        assert self._socket.recv(16) == b"+OK\r\n"


class ReadyMadeRedisInterface(ReadyMadeInterface):
    """Sends the same bytes to Redis with each request, waits for the replies, and sends the same headers."""

    def __init__(
        self, server: RedisServer, transport: Transport, *, refresh: bool, write: bool, cookie: str
    ) -> None:
        super().__init__(cookie)
        self._socket = connected(self, server, transport)
        record, key, seconds = msgspec.msgpack.encode(SESSION), b"session:" + b"r" * 43, b"2678400"
        server.client.set(key, record)
        self._load = packed(b"GETEX", key, b"EX", seconds) if refresh else packed(b"GET", key)
        self._reply = len(b"$%d\r\n" % len(record)) + len(record) + 2
        digest = server.client.script_load(COMPARE_AND_SET).encode()
        words = (b"EVALSHA", digest, b"1", key, record, record, seconds)
        self._save = packed(*words) if write else None

    def open_session(self, app: flask.Flask, request: flask.Request) -> SessionMixin:
        self._socket.sendall(self._load)
        assert len(self._socket.recv(1024)) == self._reply
        return super().open_session(app, request)

    def save_session(
        self, app: flask.Flask, session: SessionMixin, response: flask.Response
    ) -> None:
        if self._save is not None:
            self._socket.sendall(self._save)
            assert self._socket.recv(1024) == b":1\r\n"
        if self.cookie:
            super().save_session(app, session, response)
        else:
            response.headers._list.append(("Vary", "Cookie"))


def ready_made(
    server: RedisServer, transport: Transport, path: str, *, refresh: bool, sent: str
) -> Contender:
    """The same request with an exchange that costs no more than its bytes and the server's work."""
    app = new_app(NULL)
    write = path == "/written"
    cookie = f"{sent}; Expires=Thu, 31 Dec 2026 23:59:59 GMT; HttpOnly; Path=/"
    app.session_interface = ReadyMadeRedisInterface(
        server,
        transport,
        refresh=refresh,
        write=write,
        cookie=cookie if write or refresh else "",
    )
    return requests(app, path, sent)


def raw_exchange(server: RedisServer, transport: Transport, data: t.Mapping[str, t.Any]) -> Call:
    """GET, decode, encode, SET: what a written session of this content cannot do without."""
    record = msgspec.msgpack.encode(data)
    raw = Raw(server, transport, record)
    encoder, decoder = msgspec.msgpack.Encoder(), msgspec.msgpack.Decoder()

    def exchange() -> None:
        raw.set(encoder.encode(decoder.decode(raw.get())))

    return exchange
