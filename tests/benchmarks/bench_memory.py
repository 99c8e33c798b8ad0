"""What a worker process occupies, with each interface: right after its start, and after many requests."""

from __future__ import annotations

import http.client
import statistics
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from ..redis.server import RedisServer
from .results import Results
from .served import FLASK_SESSION
from .served import new_app
from .served import NULL
from .served import OURS
from .served import OURS_REDIS
from .served import SESSION
from .served import STOCK
from .servers import GTHREAD
from .servers import Served
from .stores import cookie

REQUESTS = 5_000
STARTS = 3


def resident_mb(pid: int) -> float:
    """Megabytes of a process that are in memory, those shared with others included."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "VmRSS":
            return int(value.split()[0]) * 1024 / 1e6
    raise AssertionError("no VmRSS")


def visit(url: str, cookie: str, times: int) -> None:
    """Pages that write the session, over one connection."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=10)
    for _ in range(times):
        connection.request("GET", "/written", headers={"Cookie": cookie})
        answer = connection.getresponse()
        assert (answer.read(), answer.status) == (b"a page", 200)
    connection.close()


@pytest.mark.parametrize("kind", [NULL, STOCK, OURS, FLASK_SESSION, OURS_REDIS])
def test_worker(
    benchmark: BenchmarkFixture,
    results: Results,
    quick: bool,
    redis_server: RedisServer,
    kind: str,
) -> None:
    sent = cookie(new_app(kind, redis_server.url()), SESSION)
    requests = REQUESTS // 10 if quick else REQUESTS
    first: list[float] = []
    last: list[float] = []

    def start() -> None:
        with Served(GTHREAD, kind, redis_server.url()) as served:
            # The worker loads the application before it answers.
            visit(served.url, sent, 1)
            first.append(resident_mb(served.worker()))
            visit(served.url, sent, requests)
            last.append(resident_mb(served.worker()))

    benchmark.pedantic(start, rounds=1 if quick else STARTS, iterations=1)  # type: ignore[no-untyped-call]
    results.add(
        "memory",
        interface=kind,
        first=statistics.median(first),
        requests=requests,
        last=statistics.median(last),
    )
