"""A gunicorn worker with four threads, and a crowd that asks it for pages as fast as it answers."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
import typing as t
from pathlib import Path

import flask

from .applications import SESSION
from .stores import cookie
from .stores import new_app

if t.TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

ROOT = Path(__file__).resolve().parents[2]
CROWD = 8


def create_app() -> flask.Flask:
    """What gunicorn serves."""
    return new_app(os.environ["BENCH_KIND"], os.environ["BENCH_REDIS"])


class Served(contextlib.AbstractContextManager["Served"]):
    """One of the applications behind gunicorn, and eight visitors with sessions of their own."""

    def __init__(self, kind: str, redis_url: str) -> None:
        app = new_app(kind, redis_url)
        self._cookies = [cookie(app, SESSION | {"visitor": n}) for n in range(CROWD)]
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self._address = listener.getsockname()
            # Inherited by what it accepts. A head that waits for its acknowledgement before the
            # body is sent would be all that is measured.
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            command = (
                f"gunicorn --bind fd://{listener.fileno()} --worker-class gthread --threads 4"
                " --keep-alive 60 --no-control-socket --log-level warning"
            )
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    *command.split(),
                    "tests.benchmarks.throughput:create_app()",
                ],
                cwd=ROOT,
                env=os.environ | {"BENCH_KIND": kind, "BENCH_REDIS": redis_url},
                pass_fds=[listener.fileno()],
            )

    def __enter__(self) -> Self:
        self._visitors = [Visitor(self._address, cookie) for cookie in self._cookies]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for visitor in self._visitors:
            visitor.close()
        self._process.terminate()
        self._process.wait(10)

    def rate(self, seconds: float) -> float:
        """Answers a second, over so many seconds."""
        counts = [0] * CROWD
        end = time.perf_counter() + seconds

        def ask(number: int) -> None:
            visitor = self._visitors[number]
            while time.perf_counter() < end:
                visitor.ask()
                counts[number] += 1

        start = time.perf_counter()
        threads = [threading.Thread(target=ask, args=(n,)) for n in range(CROWD)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sum(counts) / (time.perf_counter() - start)


class Visitor:
    """Asks for the same page over one connection that is kept open."""

    def __init__(self, address: tuple[str, int], cookie: str) -> None:
        self._socket = socket.create_connection(address, 10)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._request = f"GET /read HTTP/1.1\r\nHost: bench\r\nCookie: {cookie}\r\n\r\n".encode()

    def ask(self) -> None:
        self._socket.sendall(self._request)
        answer = b""
        # The page is short, and is the same each time.
        while not answer.endswith(b"\r\n\r\na page"):
            received = self._socket.recv(4096)
            assert received, f"the server went away: {answer!r}"
            answer += received
        assert answer.startswith(b"HTTP/1.1 200"), answer

    def close(self) -> None:
        self._socket.close()
