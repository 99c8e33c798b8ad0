"""What each kind of request sends to Redis: commands as the server takes them, and round trips, both counted."""

from __future__ import annotations

import typing as t

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from ..redis.server import RedisServer
from .applications import environ
from .applications import start_response
from .contents import items
from .results import Cell
from .results import Results
from .round_trips import Relay
from .served import FLASK_SESSION
from .served import new_app
from .served import OURS_REDIS
from .served import SESSION
from .stores import cookie

LARGE = items(100_000)
#: request, path, refresh, what the session holds; None: there is none yet
ROWS: list[tuple[str, str, bool, t.Mapping[str, t.Any] | None]] = [
    ("untouched", "/untouched", True, SESSION),
    ("read", "/read", True, SESSION),
    ("written", "/written", True, SESSION),
    ("written, 100 KB", "/written", True, LARGE),
    ("cleared", "/cleared", True, SESSION),
    ("first written", "/written", True, None),
    ("no cookie, untouched", "/untouched", True, None),
    ("untouched", "/untouched", False, SESSION),
    ("read", "/read", False, SESSION),
    ("written", "/written", False, SESSION),
]


def sent(
    server: RedisServer, kind: str, path: str, refresh: bool, data: t.Mapping[str, t.Any] | None
) -> tuple[str, int]:
    """The commands of one request, and how many round trips they took."""
    with Relay(server.port) as relay:
        app = new_app(kind, relay.url, refresh=refresh)

        def ask(path: str, data: t.Mapping[str, t.Any] | None) -> None:
            header = None if data is None else cookie(app, data)
            with server.commands() as heard:
                before = relay.round_trips
                answer = app(environ(path, header), start_response)
                assert b"".join(answer) == b"a page"
                answer.close()  # type: ignore[attr-defined]
                counts.append((", ".join(heard.names()) or "none", relay.round_trips - before))

        counts: list[tuple[str, int]] = []
        # Before what is counted, the connection is opened and the scripts are loaded.
        for asked, held in (("/written", SESSION), (path, data), (path, data)):
            ask(asked, held)
        return counts[-1]


@pytest.mark.parametrize(
    ("name", "path", "refresh", "data"),
    ROWS,
    ids=[f"{row[0]}-{'refresh' if row[2] else 'no refresh'}" for row in ROWS],
)
def test_commands(
    benchmark: BenchmarkFixture,
    results: Results,
    redis_server: RedisServer,
    name: str,
    path: str,
    refresh: bool,
    data: t.Mapping[str, t.Any] | None,
) -> None:
    found: dict[str, Cell] = {}

    def count() -> None:
        for column, kind in (("flask_session", FLASK_SESSION), ("ours", OURS_REDIS)):
            found[column], found[f"{column}_trips"] = sent(redis_server, kind, path, refresh, data)

    benchmark.pedantic(count, rounds=1)  # type: ignore[no-untyped-call]
    results.add("redis commands", request=name, refresh="on" if refresh else "off", **found)
