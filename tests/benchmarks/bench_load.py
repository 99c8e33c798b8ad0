"""Throughput and latency of real servers under load, with each interface."""

from __future__ import annotations

import contextlib
import statistics
import typing as t
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from ..redis.server import RedisServer
from .load import Load
from .load import load
from .load import SECONDS
from .load import SESSIONS
from .load import TURNS
from .placement import placed
from .placement import Placement
from .placement import PLACEMENTS
from .results import Results
from .results import target
from .served import FLASK_SESSION
from .served import new_app
from .served import NULL
from .served import OURS
from .served import OURS_REDIS
from .served import SESSION
from .served import STOCK
from .servers import GTHREAD
from .servers import Served
from .servers import SERVERS
from .servers import SYNC
from .stores import cookie

KINDS = (NULL, STOCK, OURS, FLASK_SESSION, OURS_REDIS)


def cookies(kind: str, url: str, directory: Path) -> Path:
    """A file of Cookie headers of as many visitors, each with a session of their own."""
    app = new_app(kind, url)
    lines = [cookie(app, {**SESSION, "visitor": n}) + "\n" for n in range(SESSIONS)]
    path = directory / kind
    path.write_text("".join(lines))
    return path


@pytest.mark.parametrize(
    "server",
    [pytest.param(name, marks=pytest.mark.long if name == SYNC else ()) for name in SERVERS],
)
def test_load(
    benchmark: BenchmarkFixture,
    results: Results,
    quick: bool,
    redis_server: RedisServer,
    tmp_path: Path,
    server: str,
) -> None:
    url = redis_server.url()
    turns, seconds = (1, 1) if quick else (TURNS, SECONDS)
    visitors = {kind: cookies(kind, url, tmp_path) for kind in KINDS}
    found: dict[tuple[Placement, str], list[Load]] = {
        (placement, kind): [] for placement in PLACEMENTS for kind in KINDS
    }
    assert redis_server.process is not None
    redis = redis_server.process.pid
    with contextlib.ExitStack() as stack:
        started = {kind: stack.enter_context(Served(server, kind, url)) for kind in KINDS}

        def ask(kind: str, seconds: int) -> Load:
            return load(f"{started[kind].url}/read", visitors[kind], seconds)

        for kind in KINDS:
            ask(kind, 1)

        def turn() -> None:
            for (placement, kind), loads in found.items():
                with placed(placement, redis, started[kind].worker()):
                    loads.append(ask(kind, seconds))

        benchmark.pedantic(turn, rounds=turns, iterations=1)  # type: ignore[no-untyped-call]
    for (placement, kind), loads in found.items():
        medians = (statistics.median(column) for column in zip(*loads, strict=True))
        figures = dict(zip(Load._fields, medians, strict=True))
        rates = [taken.rate for taken in loads]
        spread = (max(rates) - min(rates)) / 2 / figures["rate"]
        cells: dict[str, t.Any] = {"server": server, "cores": placement, "interface": kind}
        results.add("load", **cells, **figures, spread=round(spread, 3))
    for placement in PLACEMENTS:

        def ratio(above: str, below: str, at: Placement = placement) -> float:
            pairs = zip(found[at, above], found[at, below], strict=True)
            return statistics.median(a.rate / b.rate for a, b in pairs)

        least = 2 if (server, placement) == (GTHREAD, "free") else None
        results.add(
            "throughput",
            server=server,
            cores=placement,
            cookies=target(ratio(OURS, STOCK)),
            redis=target(ratio(OURS_REDIS, FLASK_SESSION), at_least=least),
        )
