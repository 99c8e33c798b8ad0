"""Whole WSGI requests with a session of about 250 bytes of JSON: ours, Flask's, and none."""

from __future__ import annotations

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from .applications import contenders
from .applications import ready_made
from .applications import SESSION
from .interleaved import measure
from .report import Report
from .report import verdict

TITLE = "Requests"
ABOUT = (
    "Whole WSGI requests, in microseconds. *null* is an interface that does nothing, *stock* is Flask's."
    " The session holds 253 bytes of JSON; each interface reads the cookie that it wrote itself."
)

#: name, path, permanent, ours / null at most, stock / ours at least
ROWS = [
    ("untouched", "/untouched", False, 1.02, 2.0),
    ("read", "/read", False, 1.06, 2.0),
    ("written", "/written", False, 1.10, 3.0),
    ("read, permanent, refreshed each request", "/read", True, 1.10, 2.5),
    ("untouched, permanent, refreshed each request", "/untouched", True, None, None),
]


@pytest.mark.parametrize(
    ("name", "path", "permanent", "most", "least"), ROWS, ids=[row[0] for row in ROWS]
)
def test_requests(
    benchmark: BenchmarkFixture,
    report: Report,
    rounds: int,
    name: str,
    path: str,
    permanent: bool,
    most: float | None,
    least: float | None,
) -> None:
    data = {**SESSION, "_permanent": True} if permanent else SESSION
    result = measure(benchmark, contenders(path, data), calls=100, rounds=rounds)
    cells = {"request": name}
    for interface in result.rounds:
        spread = result.spread(interface) * 100
        cells[f"{interface}, us"] = f"{result.microseconds(interface):.1f} ± {spread:.0f} %"
    to_null = result.ratio("ours", "null")
    to_stock = result.ratio("stock", "ours")
    cells["ours / null"] = f"{to_null:.3f}" if most is None else verdict(to_null, at_most=most)
    cells["stock / ours"] = (
        f"{to_stock:.2f}" if least is None else verdict(to_stock, at_least=least)
    )
    report.row(TITLE, ABOUT, cells)


def test_the_least_that_a_cookie_costs(
    benchmark: BenchmarkFixture, report: Report, rounds: int
) -> None:
    result = measure(benchmark, ready_made("/written"), calls=100, rounds=rounds)
    report.row(
        "The least that a cookie costs",
        "The same written request with an interface that appends two ready-made headers, Vary and"
        " Set-Cookie, and does nothing else. werkzeug copies and checks every header of a response"
        " once more; a search of each value for line breaks is most of it. No interface that sets a"
        " cookie can come below this.",
        {
            "interface": "ready-made cookie",
            **{
                f"{name}, us": f"{result.microseconds(name):.1f}"
                for name in ("null", "ready-made cookie")
            },
            "ready-made / null": f"{result.ratio('ready-made cookie', 'null'):.3f}",
        },
    )
