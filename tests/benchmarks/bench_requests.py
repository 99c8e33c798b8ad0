"""Whole WSGI requests with a session of about 250 bytes of JSON: ours, Flask's, and none."""

from __future__ import annotations

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from .applications import contenders
from .applications import ready_made
from .cost import times
from .interleaved import measure
from .results import Results
from .results import target
from .served import SESSION

#: name, path, permanent, ours / null at most, stock / ours at least
ROWS = [
    ("untouched", "/untouched", False, 1.02, 2),
    ("read", "/read", False, 1.06, 2),
    ("written", "/written", False, 1.10, 3),
    ("read, permanent, refreshed", "/read", True, 1.10, 2.5),
    ("untouched, permanent, refreshed", "/untouched", True, None, None),
]


@pytest.mark.parametrize(
    ("name", "path", "permanent", "most", "least"), ROWS, ids=[row[0] for row in ROWS]
)
def test_requests(
    benchmark: BenchmarkFixture,
    results: Results,
    rounds: int,
    name: str,
    path: str,
    permanent: bool,
    most: float | None,
    least: float | None,
) -> None:
    data = {**SESSION, "_permanent": True} if permanent else SESSION
    result = measure(benchmark, contenders(path, data), calls=100, rounds=rounds)
    results.add(
        "cookie requests",
        request=name,
        **times(result, null="null", stock="stock", ours="ours"),
        ours_to_null=target(result.ratio("ours", "null"), at_most=most),
        stock_to_ours=target(result.ratio("stock", "ours"), at_least=least),
    )


def test_the_least_that_a_cookie_costs(
    benchmark: BenchmarkFixture, results: Results, rounds: int
) -> None:
    result = measure(benchmark, ready_made("/written"), calls=100, rounds=rounds)
    results.add(
        "cookie floor",
        interface="ready-made cookie",
        **times(result, null="null", ready="ready-made cookie"),
        ratio=target(result.ratio("ready-made cookie", "null")),
    )
