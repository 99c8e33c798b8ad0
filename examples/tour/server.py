"""The shop behind a real WSGI server, on an address of its own."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType

EXAMPLES = Path(__file__).resolve().parent.parent


class Server(AbstractContextManager["Server"]):
    """gunicorn with one worker, serving ``create_app(kind)`` with these settings.

    The socket is bound here and handed down: no port is chosen twice, and requests that come
    before the worker is ready wait in the socket's queue.
    """

    def __init__(self, kind: str, settings: Mapping[str, object], port: int = 0) -> None:
        environment = {f"SHOP_{name}": _text(value) for name, value in settings.items()}
        with socket.create_server(("127.0.0.1", port)) as listener:
            self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            # The thread worker keeps connections open, as servers behind a proxy do.
            command = (
                f"gunicorn --bind fd://{listener.fileno()} --worker-class gthread"
                " --no-control-socket --log-level warning"
            )
            self._process = subprocess.Popen(
                [sys.executable, "-m", *command.split(), f"shop:create_app({kind!r})"],
                cwd=EXAMPLES,
                env=os.environ | environment,
                pass_fds=[listener.fileno()],
            )

    def wait(self) -> int:
        """Until it ends by itself: its exit status."""
        return self._process.wait()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.terminate()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _text(value: object) -> str:
    """A setting as Flask reads it from the environment: JSON, or else plain text."""
    return value if isinstance(value, str) else json.dumps(value)
