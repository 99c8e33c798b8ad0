"""A redis-server of the test's own, on a free port of this machine, that can be stopped, frozen and killed."""

from __future__ import annotations

import contextlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import typing as t
from pathlib import Path

import redis as redis_py

from .certificates import Certificates
from .monitor import Monitor

if t.TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

HOW = "redis-server is not installed: run tests/install.sh redis-server, or 'apt-get install redis-server'"
#: Seconds in which a server has to answer after its start.
PATIENCE = 10.0


def free_port() -> int:
    """A port of the loopback address that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


class RedisServer(contextlib.AbstractContextManager["RedisServer"]):
    """One server process. It is started by `start` or by entering the context.

    Ports and files stay the same over restarts. Whatever comes after the keyword arguments is an
    option of redis-server, with `_` for `-`.
    """

    def __init__(
        self,
        *,
        password: str | None = None,
        users: t.Sequence[str] = (),
        appendonly: bool = False,
        certificates: Certificates | None = None,
        client_certificates: bool = False,
        **options: object,
    ) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="redis-"))
        self.port = free_port()
        self.tls_port = free_port() if certificates else None
        self.socket_path = self.directory / "socket"
        self.password = password
        self.process: subprocess.Popen[bytes] | None = None
        self._client: redis_py.Redis | None = None
        lines: dict[str, object] = {
            "bind": "127.0.0.1",
            "port": self.port,
            "unixsocket": self.socket_path,
            "dir": self.directory,
            "save": '""',
            "appendonly": "yes" if appendonly else "no",
            "appendfsync": "always",
            "daemonize": "no",
            "logfile": self.directory / "log",
        }
        if password is not None:
            lines["requirepass"] = password
        if certificates is not None:
            lines |= {
                "tls-port": self.tls_port,
                "tls-cert-file": certificates.server_pem,
                "tls-key-file": certificates.server_pem,
                "tls-ca-cert-file": certificates.ca_pem,
                "tls-auth-clients": "yes" if client_certificates else "no",
            }
        lines |= {name.replace("_", "-"): value for name, value in options.items()}
        self._config = self.directory / "redis.conf"
        text = [f"{name} {value}" for name, value in lines.items()]
        text += [f"user {user}" for user in users]
        self._config.write_text("\n".join(text) + "\n")

    # Its life.

    def start(self) -> None:
        """Start it, and wait until it answers."""
        program = shutil.which("redis-server")
        assert program, HOW
        assert self.process is None, "it runs already"
        command = [program, str(self._config), *self._mode()]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                if self.client.ping():
                    return
            except redis_py.AuthenticationError:
                raise
            except redis_py.RedisError:
                assert self.process.poll() is None, self.log()
                assert time.monotonic() < deadline, self.log()
                time.sleep(0.005)

    def _mode(self) -> list[str]:
        return []

    def stop(self) -> None:
        """An orderly end, as at a deployment."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """As at a power cut."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Stop, and start again on the same port."""
        self.stop()
        self.start()

    def _end(self, number: signal.Signals) -> None:
        if self.process is None:
            return
        self.resume()
        self.process.send_signal(number)
        self.process.wait(PATIENCE)
        self.process = None
        if self._client is not None:
            self._client.close()

    def pause(self) -> None:
        """Stop the process where it is: it accepts connections, and answers nothing."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    @contextlib.contextmanager
    def paused(self) -> t.Iterator[None]:
        """Silent for a while."""
        self.pause()
        try:
            yield
        finally:
            self.resume()

    @contextlib.contextmanager
    def stopped(self) -> t.Iterator[None]:
        """Gone for a while; what it held is gone with it, unless it is `appendonly`."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    def close(self) -> None:
        """Stop for good, and leave nothing behind."""
        with contextlib.suppress(redis_py.RedisError):
            self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def log(self) -> str:
        """What the server wrote."""
        path = self.directory / "log"
        return path.read_text()[-2000:] if path.exists() else ""

    # Its addresses.

    def url(self, user: str = "", password: str | None = None, database: int = 0) -> str:
        return f"redis://{self._login(user, password)}127.0.0.1:{self.port}/{database}"

    def unix_url(self, user: str = "", password: str | None = None, database: int = 0) -> str:
        """As in this package's documentation; redis-py writes ``unix://``."""
        path = self.socket_path
        return f"redis+unix://{self._login(user, password)}{path}?db={database}"

    def tls_url(self, host: str = "localhost", query: str = "") -> str:
        return f"rediss://{self._login('', None)}{host}:{self.tls_port}/0{query}"

    def _login(self, user: str, password: str | None) -> str:
        password = self.password if password is None else password
        return f"{user}:{password}@" if password is not None else ""

    # What it holds and what it was sent.

    @property
    def client(self) -> redis_py.Redis:
        """A client for the test's own looks; it uses the unix socket."""
        if self._client is None:
            self._client = redis_py.Redis(
                unix_socket_path=str(self.socket_path),
                password=self.password,
                retry=redis_py.retry.Retry(redis_py.backoff.NoBackoff(), 0),
                socket_timeout=PATIENCE,
            )
        return self._client

    def execute(self, *words: object) -> t.Any:
        """Any command."""
        client: t.Any = self.client
        return client.execute_command(*words)

    def flush(self) -> None:
        self.client.flushall()

    def records(self, prefix: str = "") -> dict[str, bytes]:
        """Every string record under the prefix, by its key."""
        client: t.Any = self.client
        return {key.decode(): client.get(key) or b"" for key in client.keys(f"{prefix}*")}

    def commands(self) -> Monitor:
        """What clients send from now on: a context manager."""
        return Monitor(self.socket_path, self.password)

    def connections(self) -> int:
        """How many clients are connected, the test's own left out."""
        return len(self.client.client_list()) - 1
