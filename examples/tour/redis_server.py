"""A redis-server of the demo's own: on a free port, with its records on disk, gone with the demo."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType

from redis import Redis
from redis import RedisError

PROGRAM = shutil.which("redis-server")


class RedisServer(AbstractContextManager["RedisServer"]):
    """Keeps what it was told over a stop and a start."""

    def __init__(self) -> None:
        self._directory = tempfile.TemporaryDirectory()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self._port = listener.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self._port}/0"
        self.client = Redis(port=self._port)
        self.start()

    def start(self) -> None:
        assert PROGRAM
        options = (
            f"--bind 127.0.0.1 --port {self._port} --appendonly yes --save '' --loglevel warning"
        )
        self._process = subprocess.Popen(
            [PROGRAM, *options.split(), "--dir", self._directory.name],
            stdout=subprocess.DEVNULL,
        )
        for _ in range(500):
            try:
                self.client.ping()
                return
            except RedisError:
                time.sleep(0.01)
        raise RuntimeError("redis-server does not start")

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(10)
        self.client.close()

    def commands(self, call: Callable[[], None]) -> list[str]:
        """The commands that the server is sent meanwhile, less those of scripts and of new connections."""
        names: list[str] = []
        with self.client.monitor() as monitor:  # type: ignore[no-untyped-call]
            call()
            self.client.echo("that is all")
            for command in monitor.listen():
                name = command["command"].partition(" ")[0]
                if command["command"] == "ECHO that is all":
                    return names
                if command["client_type"] != "lua" and name not in ("HELLO", "CLIENT"):
                    names.append(name)
        raise RuntimeError("redis-server does not tell")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        self._directory.cleanup()
