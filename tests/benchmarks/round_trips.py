"""Counts round trips to a server: a relay in front of it that notes when it is a client's turn to speak again."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import typing as t

if t.TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self


class Relay(contextlib.AbstractContextManager["Relay"]):
    """Passes bytes on in both directions. Commands that leave together are one round trip."""

    def __init__(self, port: int) -> None:
        self.round_trips = 0
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._listener.getsockname()[1]}/0"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # A thread that waits in `accept` is woken by this, and not by `close` alone.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        # Until the listener is closed.
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._pass_on, args=(client,), daemon=True).start()

    def _pass_on(self, client: socket.socket) -> None:
        spoke_last = None
        with client, socket.create_connection(("127.0.0.1", self._target)) as server:
            while True:
                ready, _, _ = select.select([client, server], [], [])
                for source in ready:
                    data = source.recv(1 << 16)
                    if not data:
                        return
                    if source is client and spoke_last is not client:
                        self.round_trips += 1
                    spoke_last = source
                    (server if source is client else client).sendall(data)
