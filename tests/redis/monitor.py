"""Which commands a redis-server is sent, in order: a connection that only listens (MONITOR)."""

from __future__ import annotations

import contextlib
import re
import secrets
import socket
import typing as t
from pathlib import Path

if t.TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

#: `+1700000000.1 [0 127.0.0.1:1234] "GET" "key"`; scripts' own calls have `lua` for an address.
LINE = re.compile(r"\+\d+\.\d+ \[(\d+) ([^\]]*)\] (.*)")
WORD = re.compile(r'"((?:[^"\\]|\\.)*)"')

#: What opens a connection or looks after it, and is no work on a session.
CONNECTING = frozenset(
    {"HELLO", "AUTH", "SELECT", "CLIENT", "PING", "COMMAND", "READONLY", "SCRIPT", "INFO", "QUIT"}
)


class Command(t.NamedTuple):
    """One command as the server took it."""

    database: int
    address: str
    words: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.words[0].upper()


class Monitor(contextlib.AbstractContextManager["Monitor"]):
    """Listens from its beginning to its end, or to each `take`."""

    def __init__(self, path: Path, password: str | None) -> None:
        self._path = path
        self._password = password
        self._seen: list[Command] = []

    def __enter__(self) -> Self:
        self._listening, self._replies = self._connect()
        self._marking, self._marked = self._connect()
        self._listening.sendall(b"MONITOR\r\n")
        assert self._replies.readline() == b"+OK\r\n"
        return self

    def _connect(self) -> tuple[socket.socket, t.BinaryIO]:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(10)
        connection.connect(str(self._path))
        replies = connection.makefile("rb")
        if self._password is not None:
            connection.sendall(f"AUTH {self._password}\r\n".encode())
            assert replies.readline() == b"+OK\r\n"
        return connection, replies

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self._listen()
        for closed in (self._replies, self._listening, self._marked, self._marking):
            closed.close()

    def _listen(self) -> None:
        """Read until a command of our own comes by: all that was sent before it has come by, too."""
        marker = secrets.token_hex(8)
        self._marking.sendall(f"ECHO {marker}\r\n".encode())
        for expected in (b"$16\r\n", f"{marker}\r\n".encode()):
            assert self._marked.readline() == expected
        while True:
            line = self._replies.readline().decode("latin-1")
            found = LINE.match(line)
            assert found, line
            words = tuple(WORD.findall(found[3]))
            if words == ("ECHO", marker):
                return
            self._seen.append(Command(int(found[1]), found[2], words))

    def take(self) -> list[Command]:
        """What came since the last `take`: all of it."""
        if not self._replies.closed:
            self._listen()
        taken, self._seen = self._seen, []
        return taken

    def names(self) -> list[str]:
        """The names of the commands since the last look, without those of connections and scripts."""
        return [
            command.name
            for command in self.take()
            if command.address != "lua" and command.name not in CONNECTING
        ]

    def count(self) -> int:
        return len(self.names())
