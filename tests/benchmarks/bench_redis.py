"""Sessions in Redis: whole WSGI requests of ours, of Flask-Session's, and without a session."""

from __future__ import annotations

import random
import statistics
import time
import typing as t

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from ..redis.server import RedisServer
from .interleaved import measure
from .interleaved import repeated
from .interleaved import Result
from .report import Report
from .report import verdict
from .stores import contenders
from .stores import FLASK_SESSION
from .stores import NULL
from .stores import OURS
from .stores import PROBE
from .stores import probe
from .stores import QUIET_US
from .stores import RAW
from .stores import raw_exchange
from .stores import Transport
from .stores import TRANSPORTS
from .throughput import Served

REQUESTS = "Requests with sessions in Redis"
ABOUT_REQUESTS = (
    "Whole WSGI requests, in microseconds, with a redis-server on this machine. *null* is an interface"
    " that does nothing, *flask-session* is Flask-Session with redis-py and hiredis at their defaults."
    " *raw GET* is one round trip of such a record on a bare socket, measured in the same rounds; where"
    f" over TCP it takes more than {QUIET_US:g} us other work is on the cores, and nothing is judged. *refresh* is"
    " SESSION_REFRESH_EACH_REQUEST."
)
READ = "What a read adds"
ABOUT_READ = (
    "The time of a request that reads its session, less that of one without a session, less one raw"
    " round trip; in proportion to a request without a session of 46 us."
)
LARGE = "A session of 100 KB in Redis"
ABOUT_LARGE = (
    "What a request pays for a session of 100 KB that it reads and changes: its time less that of a request without a"
    " session. *raw* is a GET and a SET of such a record on a bare socket, with msgspec's decoding and"
    " encoding in between."
)
THROUGHPUT = "Throughput with sessions in Redis"
ABOUT_THROUGHPUT = (
    "Requests that read their session, a second, from one gunicorn worker with four threads; eight"
    " connections that are kept open ask for them. The median of rounds in turn."
)

#: request, path, refresh, flask-session / ours at least
ROWS = [
    ("untouched", "/untouched", True, 2.5),
    ("read", "/read", True, 2.5),
    ("written", "/written", True, 2.3),
    ("untouched", "/untouched", False, 1.7),
    ("read", "/read", False, 1.4),
    ("written", "/written", False, 2.0),
]


@pytest.fixture(scope="module")
def redis_server() -> t.Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


def judged(quiet: bool, ratio: float, **bounds: float) -> str:
    """The verdict, or the figure alone where other work is on the cores."""
    return verdict(ratio, **bounds) if quiet else f"{ratio:.2f} (not judged: not quiet)"


def is_quiet(result: Result) -> bool:
    return result.microseconds(PROBE) <= QUIET_US


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize(
    ("name", "path", "refresh", "least"),
    ROWS,
    ids=[f"{row[0]}-{'refresh' if row[2] else 'no refresh'}" for row in ROWS],
)
def test_requests(
    benchmark: BenchmarkFixture,
    report: Report,
    rounds: int,
    redis_server: RedisServer,
    name: str,
    path: str,
    refresh: bool,
    least: float,
    transport: Transport,
) -> None:
    made = contenders(redis_server, transport, path, refresh=refresh)
    result = measure(benchmark, made, calls=100, rounds=rounds)
    quiet = is_quiet(result)
    cells = {"request": name, "refresh": "on" if refresh else "off", "over": transport}
    for contender in (NULL, FLASK_SESSION, OURS):
        spread = result.spread(contender) * 100
        cells[f"{contender}, us"] = f"{result.microseconds(contender):.1f} ± {spread:.0f} %"
    cells["raw GET, us"] = f"{result.microseconds(RAW):.1f}"
    cells["flask-session / ours"] = judged(quiet, result.ratio(FLASK_SESSION, OURS), at_least=least)
    report.row(REQUESTS, ABOUT_REQUESTS, cells)
    if name == "read":
        bare, ours, raw = (result.rounds[kind] for kind in (NULL, OURS, RAW))
        more = [(o - b - r) / b * 46 for b, o, r in zip(bare, ours, raw, strict=True)]
        cells = {
            "refresh": "on" if refresh else "off",
            "over": transport,
            "us over a raw round trip": judged(quiet, statistics.median(more), at_most=6),
        }
        report.row(READ, ABOUT_READ, cells)


def large() -> dict[str, t.Any]:
    """About 100 KB of msgpack: many small things, as a shop keeps them."""
    draw = random.Random(100_000)
    items = [
        {
            "sku": f"{draw.getrandbits(40):010x}",
            "quantity": draw.randrange(1, 9),
            "price": round(draw.uniform(1, 99), 2),
        }
        for _ in range(2130)
    ]
    return {"visits": 17, "_user_id": "4711", "cart": items}


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_large_session(
    benchmark: BenchmarkFixture,
    report: Report,
    rounds: int,
    redis_server: RedisServer,
    transport: Transport,
) -> None:
    data = large()
    made = contenders(redis_server, transport, "/written", refresh=True, data=data)
    del made[RAW]
    made["raw"] = repeated(raw_exchange(redis_server, transport, data))
    result = measure(benchmark, made, calls=5, rounds=rounds)
    costs = {
        kind: [a - b for a, b in zip(result.rounds[kind], result.rounds[NULL], strict=True)]
        for kind in (FLASK_SESSION, OURS)
    }
    ratio = statistics.median(a / b for a, b in zip(costs[OURS], result.rounds["raw"], strict=True))
    cells = {
        "over": transport,
        "raw, us": f"{result.microseconds('raw'):.0f}",
        "flask-session, us": f"{statistics.median(costs[FLASK_SESSION]) * 1e6:.0f}",
        "ours, us": f"{statistics.median(costs[OURS]) * 1e6:.0f}",
        "ours / raw": judged(is_quiet(result), ratio, at_most=1.5),
    }
    report.row(LARGE, ABOUT_LARGE, cells)


def test_throughput(
    benchmark: BenchmarkFixture, report: Report, rounds: int, redis_server: RedisServer
) -> None:
    seconds, turns = 0.5, max(3, rounds // 6)
    rates: dict[str, list[float]] = {FLASK_SESSION: [], OURS: []}
    round_trip = probe(redis_server)
    round_trips: list[float] = []
    with (
        Served(FLASK_SESSION, redis_server.url()) as stock,
        Served(OURS, redis_server.url()) as ours,
    ):
        for served in (stock, ours):
            served.rate(seconds)

        def turn() -> None:
            start = time.perf_counter()
            for _ in range(200):
                round_trip.get()
            round_trips.append((time.perf_counter() - start) / 200 * 1e6)
            for kind, served in ((FLASK_SESSION, stock), (OURS, ours)):
                rates[kind].append(served.rate(seconds))

        benchmark.pedantic(  # type: ignore[no-untyped-call]
            turn, rounds=turns, iterations=1
        )
    pairs = zip(rates[OURS], rates[FLASK_SESSION], strict=True)
    ratio = statistics.median(a / b for a, b in pairs)
    quiet = statistics.median(round_trips) <= QUIET_US
    report.row(
        THROUGHPUT,
        ABOUT_THROUGHPUT,
        {
            "over": "TCP",
            "flask-session": f"{statistics.median(rates[FLASK_SESSION]):.0f}",
            "ours": f"{statistics.median(rates[OURS]):.0f}",
            "ours / flask-session": judged(quiet, ratio, at_least=2),
        },
    )
