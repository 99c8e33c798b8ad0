"""Real servers around the application: gunicorn with sync workers and with threads, and granian; one worker each."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
import typing as t
from pathlib import Path

from ..processes import end
from ..redis.server import free_port

if t.TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

ROOT = Path(__file__).resolve().parents[2]
THREADS = 4
#: Seconds in which a server has to answer after its start, and to end.
PATIENCE = 20.0

GUNICORN = "gunicorn --bind 127.0.0.1:{port} --no-control-socket --log-level warning"
APP = "tests.benchmarks.served:create_app"
#: Name to command. Connections are kept open but by the sync worker, which cannot.
SYNC, GTHREAD = "gunicorn sync", f"gunicorn gthread, {THREADS} threads"
SERVERS = {
    SYNC: f"{GUNICORN} {APP}()",
    GTHREAD: (f"{GUNICORN} --worker-class gthread --threads {THREADS} --keep-alive 60 {APP}()"),
    f"granian, {THREADS} threads": (
        f"granian --interface wsgi --blocking-threads {THREADS} --no-ws --http 1"
        f" --log-level warning --port {{port}} --factory {APP}"
    ),
}


class Served(contextlib.AbstractContextManager["Served"]):
    """The application with an interface of this kind behind a server, for as long as the context lasts."""

    def __init__(self, server: str, kind: str, redis_url: str) -> None:
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        command = SERVERS[server].format(port=self._port)
        self._process = subprocess.Popen(
            [sys.executable, "-m", *command.split()],
            cwd=ROOT,
            env=os.environ | {"BENCH_KIND": kind, "BENCH_REDIS": redis_url},
        )

    def __enter__(self) -> Self:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                socket.create_connection(("127.0.0.1", self._port), 1).close()
                return self
            except OSError:
                assert self._process.poll() is None, "the server ended"
                assert time.monotonic() < deadline, "the server does not listen"
                time.sleep(0.02)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        end(self._process, PATIENCE)

    def worker(self) -> int:
        """The process that answers: the only child of the one that was started."""
        deadline = time.monotonic() + PATIENCE
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        while not (found := children.read_text().split()):
            assert time.monotonic() < deadline, "the server has no worker"
            time.sleep(0.02)
        (only,) = found
        return int(only)
