"""Servers of other kinds: a cluster of one node, a primary watched by a Sentinel, one that runs no scripts."""

from __future__ import annotations

import time
import typing as t

import redis as redis_py

from .server import free_port
from .server import PATIENCE
from .server import RedisServer

#: EVAL and EVALSHA do not exist.
WITHOUT_SCRIPTS: dict[str, t.Any] = {"rename_command": 'EVAL ""\nrename-command EVALSHA ""'}


class ClusterNode(RedisServer):
    """A cluster of one server that serves every slot."""

    def __init__(self) -> None:
        super().__init__(
            cluster_enabled="yes", cluster_config_file="nodes.conf", cluster_port=free_port()
        )

    def start(self) -> None:
        super().start()
        if not (self.directory / "nodes.conf").read_text().count("0-16383"):
            self.any_client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        deadline = time.monotonic() + PATIENCE
        while b"cluster_state:ok" not in self._info():
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.02)

    @property
    def any_client(self) -> t.Any:
        """The client without its types, which leave this method out."""
        return self.client

    def _info(self) -> bytes:
        # As the server wrote it: the client would make a dict of it.
        info = self.any_client.execute_command("EVAL", "return redis.call('CLUSTER', 'INFO')", 0)
        assert isinstance(info, bytes)
        return info


class Sentinel(RedisServer):
    """Knows the primary of `name`."""

    name = "sessions"

    def __init__(self, primary: RedisServer) -> None:
        super().__init__()
        self._config.write_text(
            f"bind 127.0.0.1\nport {self.port}\ndir {self.directory}\n"
            f"unixsocket {self.socket_path}\nlogfile {self.directory / 'log'}\n"
            f"sentinel monitor {self.name} 127.0.0.1 {primary.port} 1\n"
        )

    def _mode(self) -> list[str]:
        return ["--sentinel"]

    def master_for(self, name: str = name, **options: object) -> t.Any:
        """A client of the primary of this name, wherever it is."""
        library: t.Any = redis_py
        sentinel = library.Sentinel([("127.0.0.1", self.port)], socket_timeout=1)
        return sentinel.master_for(name, socket_timeout=1, **options)
