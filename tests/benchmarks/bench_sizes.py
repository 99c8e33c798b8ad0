"""What a written session costs by its size: request time less that of a request without sessions."""

from __future__ import annotations

import random
import statistics
import string
import typing as t

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from .applications import contenders
from .interleaved import measure
from .report import Report
from .report import verdict

TITLE = "Written sessions by size"
ABOUT = (
    "What a request pays for a session that it reads and writes, in microseconds: its time less that"
    " of the same request with the null interface. Up to 4 KB ours is to cost at most a quarter of"
    " stock's, beyond that never more. Browsers refuse cookies of more than about 4 KB."
)

#: bytes of JSON, calls in a round, stock / ours at least
SIZES = [
    (100, 60, 4.0),
    (250, 60, 4.0),
    (1_000, 60, 4.0),
    (1_500, 60, 4.0),
    (2_000, 60, 4.0),
    (4_000, 40, 4.0),
    (10_000, 20, 1.0),
    (100_000, 4, 1.0),
    (1_000_000, 1, 1.0),
]


def _items(size: int) -> dict[str, object]:
    """A shopping cart: short strings, numbers and small dicts, until the JSON has this size."""
    draw = random.Random(size)
    items: list[dict[str, object]] = []
    written = 20
    while written < size - 60:
        item = {
            "sku": "".join(draw.choices(string.ascii_uppercase + string.digits, k=8)),
            "quantity": draw.randrange(1, 9),
            "price": round(draw.uniform(1, 99), 2),
        }
        items.append(item)
        written += 49
    return {"cart": items, "note": "x" * max(0, size - written)}


def _text(size: int) -> dict[str, object]:
    """One long text of words."""
    draw = random.Random(size)
    words = [
        "".join(draw.choices(string.ascii_lowercase, k=draw.randrange(2, 9))) for _ in range(400)
    ]
    text = " ".join(draw.choice(words) for _ in range(size // 5))
    return {"note": text[: max(0, size - 12)]}


@pytest.mark.filterwarnings("ignore:The 'session' cookie is too large")
@pytest.mark.parametrize("kind", [_items, _text], ids=["items", "text"])
@pytest.mark.parametrize(("size", "calls", "least"), SIZES, ids=[str(row[0]) for row in SIZES])
def test_sizes(
    benchmark: BenchmarkFixture,
    report: Report,
    rounds: int,
    kind: t.Callable[[int], dict[str, object]],
    size: int,
    calls: int,
    least: float,
) -> None:
    result = measure(benchmark, contenders("/written", kind(size)), calls=calls, rounds=rounds)
    null = result.rounds["null"]
    costs = {
        name: [a - b for a, b in zip(result.rounds[name], null, strict=True)]
        for name in ("stock", "ours")
    }
    ratio = statistics.median(costs["stock"]) / statistics.median(costs["ours"])
    report.row(
        TITLE,
        ABOUT,
        {
            "JSON, bytes": f"{size:,}",
            "content": kind.__name__.strip("_"),
            "stock, us": f"{statistics.median(costs['stock']) * 1e6:.0f}",
            "ours, us": f"{statistics.median(costs['ours']) * 1e6:.0f}",
            "stock / ours": verdict(ratio, at_least=least),
        },
    )
