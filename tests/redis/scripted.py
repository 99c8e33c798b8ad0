"""A server that is none: it answers each command with bytes that the test chose."""

from __future__ import annotations

import contextlib
import socket
import threading
import typing as t

if t.TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

Words = tuple[bytes, ...]


class Close(Exception):
    """Raised by an answer: the connection is closed instead."""


class Silence(Exception):
    """Raised by an answer: nothing is sent, and the connection stays open."""


#: Makes the reply to a command.
Answer = t.Callable[[Words], bytes]

#: What an old and plain server says while a connection is opened.
OPENING: dict[bytes, bytes] = {
    b"HELLO": b"-ERR unknown command 'HELLO'\r\n",
    b"AUTH": b"+OK\r\n",
    b"SELECT": b"+OK\r\n",
    b"CLIENT": b"+OK\r\n",
    b"PING": b"+PONG\r\n",
}


def commands(stream: t.BinaryIO) -> t.Iterator[Words]:
    """The commands that a client sends, until it closes the connection."""
    while line := stream.readline():
        assert line[:1] == b"*", line
        words = []
        for _ in range(int(line[1:])):
            head = stream.readline()
            assert head[:1] == b"$", head
            words.append(stream.read(int(head[1:]) + 2)[:-2])
        yield tuple(words)


class ScriptedServer(contextlib.AbstractContextManager["ScriptedServer"]):
    """Answers by `answer`, and by `OPENING` what opens a connection.

    `heard` holds all commands but the opening ones, in the order of their arrival.
    """

    def __init__(self, answer: Answer, opening: t.Mapping[bytes, bytes] = OPENING) -> None:
        self._answer = answer
        self._opening = opening
        self.heard: list[Words] = []
        self.opened = 0
        self._ended = threading.Event()
        self._connections: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            if self._ended.is_set():
                connection.close()
                return
            self.opened += 1
            self._connections.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError, Close), connection, connection.makefile("rb") as stream:
            for words in commands(stream):
                name = words[0].upper()
                if name in self._opening:
                    connection.sendall(self._opening[name])
                    continue
                self.heard.append(words)
                with contextlib.suppress(Silence):
                    connection.sendall(self._answer(words))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        # A listener that another thread waits on is not woken by closing it.
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        self._listener.close()
        for connection in self._connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
