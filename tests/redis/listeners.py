"""Servers that keep what they hear, to see what is said to whom: in the clear, and under TLS."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import typing as t

if t.TYPE_CHECKING:
    from typing_extensions import Self


class Eavesdropper(contextlib.AbstractContextManager["Eavesdropper"]):
    """Passes everything on to a server, or says OK to it, and keeps what clients say."""

    def __init__(self, target: int | None) -> None:
        self.heard: list[bytes] = []
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._done = False
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def _run(self) -> None:
        while True:
            client, _ = self._listener.accept()
            if self._done:
                client.close()
                return
            with client, contextlib.ExitStack() as stack:
                server = None
                if self._target is not None:
                    server = socket.create_connection(("127.0.0.1", self._target), 0.1)
                    stack.enter_context(server)
                client.settimeout(1)
                heard = b""
                with contextlib.suppress(OSError):
                    while data := client.recv(1 << 16):
                        heard += data
                        if server is None:
                            client.sendall(b"+OK\r\n")
                            continue
                        server.sendall(data)
                        with contextlib.suppress(TimeoutError):
                            client.sendall(server.recv(1 << 16))
                self.heard.append(heard)

    def __exit__(self, *_: object) -> None:
        self._done = True
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        self._thread.join(5)
        self._listener.close()


class Handshaker(contextlib.AbstractContextManager["Handshaker"]):
    """Does a handshake under a context of the test's, and keeps what is said after it."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.said: list[bytes] = []
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._done = False
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def _run(self) -> None:
        while True:
            client, _ = self._listener.accept()
            if self._done:
                client.close()
                return
            client.settimeout(1)
            with client, contextlib.suppress(OSError):
                stream = self._context.wrap_socket(client, server_side=True)
                with stream:
                    self.said.append(stream.recv(1 << 16))

    def __exit__(self, *_: object) -> None:
        self._done = True
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        self._thread.join(5)
        self._listener.close()
