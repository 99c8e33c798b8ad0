"""What a written session costs by its size: in signed cookies, and in Redis."""

from __future__ import annotations

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from ..redis.server import RedisServer
from . import applications
from . import stores
from .contents import CONTENTS
from .contents import SIZES
from .cost import cost_us
from .interleaved import measure
from .results import Results
from .results import target
from .served import FLASK_SESSION
from .served import OURS
from .served import OURS_REDIS
from .served import STOCK

#: Up to here a cookie of ours is to cost at most a quarter of stock's, beyond it never more.
BROWSERS_LIMIT = 4_000


@pytest.mark.filterwarnings("ignore:The 'session' cookie is too large")
@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("size", SIZES)
def test_cookies(
    benchmark: BenchmarkFixture, results: Results, rounds: int, size: int, content: str
) -> None:
    made = applications.contenders("/written", CONTENTS[content](size))
    result = measure(benchmark, made, calls=SIZES[size], rounds=rounds)
    stock, ours = cost_us(result, STOCK), cost_us(result, OURS)
    least = 4 if size <= BROWSERS_LIMIT else 1
    ratio = target(stock / ours, at_least=least)
    results.add("cookie sizes", size=size, content=content, stock=stock, ours=ours, ratio=ratio)


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("size", SIZES)
def test_redis(
    benchmark: BenchmarkFixture,
    results: Results,
    rounds: int,
    near_redis: RedisServer,
    size: int,
    content: str,
) -> None:
    data = CONTENTS[content](size)
    made = stores.contenders(near_redis, "TCP", "/written", refresh=True, data=data)
    result = measure(benchmark, made, calls=SIZES[size], rounds=rounds)
    theirs, ours = cost_us(result, FLASK_SESSION), cost_us(result, OURS_REDIS)
    results.add(
        "redis sizes",
        size=size,
        content=content,
        raw=result.microseconds(stores.RAW),
        flask_session=theirs,
        ours=ours,
        ratio=target(theirs / ours),
    )
