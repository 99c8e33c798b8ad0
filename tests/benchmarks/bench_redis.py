"""Sessions in Redis: whole WSGI requests of ours, of Flask-Session's, and without a session."""

from __future__ import annotations

import random
import statistics
import typing as t

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from ..redis.server import RedisServer
from .cost import cost_us
from .cost import costs
from .cost import times
from .interleaved import measure
from .interleaved import repeated
from .interleaved import Result
from .results import Results
from .results import target
from .served import FLASK_SESSION
from .served import NULL
from .served import OURS_REDIS
from .stores import alternating
from .stores import BETWEEN
from .stores import contenders
from .stores import PROBE
from .stores import QUIET_US
from .stores import RAW
from .stores import raw_exchange
from .stores import READY_MADE
from .stores import ready_made
from .stores import Transport
from .stores import TRANSPORTS

#: A request without a session on the machine that the targets were set on, in us.
BARE_US = 46

#: request, path, refresh, flask-session / ours at least
ROWS = [
    ("untouched", "/untouched", True, 2.5),
    ("read", "/read", True, 2.5),
    ("written", "/written", True, 2.3),
    ("untouched", "/untouched", False, 1.7),
    ("read", "/read", False, 1.4),
    ("written", "/written", False, 2.0),
]


def is_quiet(result: Result) -> bool:
    """Whether a round trip over TCP took no longer than it takes where nothing else is on the cores."""
    return result.microseconds(PROBE) <= QUIET_US


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize(
    ("name", "path", "refresh", "least"),
    ROWS,
    ids=[f"{row[0]}-{'refresh' if row[2] else 'no refresh'}" for row in ROWS],
)
def test_requests(
    benchmark: BenchmarkFixture,
    results: Results,
    rounds: int,
    near_redis: RedisServer,
    name: str,
    path: str,
    refresh: bool,
    least: float,
    transport: Transport,
) -> None:
    made = contenders(near_redis, transport, path, refresh=refresh)
    if name == "read":
        made[BETWEEN] = alternating(made[NULL], made[RAW])
    result = measure(benchmark, made, calls=100, rounds=rounds)
    quiet = is_quiet(result)
    ratio = result.ratio(FLASK_SESSION, OURS_REDIS)
    switched = "on" if refresh else "off"
    results.add(
        "redis requests",
        request=name,
        refresh=switched,
        over=transport,
        **times(result, null=NULL, flask_session=FLASK_SESSION, ours=OURS_REDIS),
        raw=result.microseconds(RAW),
        ratio=target(ratio, quiet=quiet, at_least=least),
    )
    if name == "read":
        results.add(
            "redis read",
            refresh=switched,
            over=transport,
            raw=result.microseconds(RAW),
            more=target(more_than(result, NULL, RAW), quiet=quiet, at_most=6),
            between=result.microseconds(BETWEEN) - result.microseconds(NULL),
            more_than_between=more_than(result, BETWEEN),
        )


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize(
    ("name", "path", "refresh"),
    [("read", "/read", True), ("read", "/read", False), ("written", "/written", True)],
    ids=["read-refresh", "read-no refresh", "written-refresh"],
)
def test_the_least_that_an_exchange_costs(
    benchmark: BenchmarkFixture,
    results: Results,
    rounds: int,
    near_redis: RedisServer,
    name: str,
    path: str,
    refresh: bool,
    transport: Transport,
) -> None:
    made = contenders(near_redis, transport, path, refresh=refresh)
    sent = "session=" + "x" * 43
    made[READY_MADE] = ready_made(near_redis, transport, path, refresh=refresh, sent=sent)
    result = measure(benchmark, made, calls=100, rounds=rounds)
    results.add(
        "redis floor",
        request=name,
        refresh="on" if refresh else "off",
        over=transport,
        **times(result, null=NULL, ready=READY_MADE, ours=OURS_REDIS),
        more=more_than(result, NULL, RAW, *([RAW] if path == "/written" else []), kind=READY_MADE),
        ratio=result.ratio(FLASK_SESSION, READY_MADE),
        ours_ratio=result.ratio(FLASK_SESSION, OURS_REDIS),
    )


def more_than(result: Result, *others: str, kind: str = OURS_REDIS) -> float:
    """What a request of this kind costs more than these, in us where a request without a session takes 46."""
    rounds = zip(*(result.rounds[name] for name in (kind, NULL, *others)), strict=True)
    more = [(ours - sum(others)) / null for ours, null, *others in rounds]
    return float(statistics.median(more)) * BARE_US


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
    results: Results,
    rounds: int,
    near_redis: RedisServer,
    transport: Transport,
) -> None:
    data = large()
    made = contenders(near_redis, transport, "/written", refresh=True, data=data)
    del made[RAW]
    made["raw"] = repeated(raw_exchange(near_redis, transport, data))
    result = measure(benchmark, made, calls=5, rounds=rounds)
    pairs = zip(costs(result, OURS_REDIS), result.rounds["raw"], strict=True)
    ratio = statistics.median(ours / raw for ours, raw in pairs)
    results.add(
        "redis large",
        over=transport,
        raw=result.microseconds("raw"),
        flask_session=cost_us(result, FLASK_SESSION),
        ours=cost_us(result, OURS_REDIS),
        ratio=target(ratio, quiet=is_quiet(result), at_most=1.5),
    )
