"""Measures several contenders against each other in one process: interleaved rounds, medians of ratios."""

from __future__ import annotations

import gc
import random
import statistics
import time
import typing as t
from dataclasses import dataclass
from dataclasses import field

if t.TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

#: One call, whose result is thrown away.
Call = t.Callable[[], object]

#: A contender: so many calls, prepared outside of the measured time.
Contender = t.Callable[[int], t.Sequence[Call]]


def repeated(call: Call) -> Contender:
    """A contender that needs no preparation."""
    return lambda number: [call] * number


@dataclass
class Result:
    """Seconds for each call, by contender, one figure a round."""

    rounds: dict[str, list[float]] = field(default_factory=dict)

    def microseconds(self, name: str) -> float:
        """The median time of a call."""
        return statistics.median(self.rounds[name]) * 1e6

    def spread(self, name: str) -> float:
        """Half the distance between the quartiles, as a part of the median."""
        low, middle, high = statistics.quantiles(self.rounds[name], n=4)
        return (high - low) / 2 / middle

    def ratio(self, above: str, below: str) -> float:
        """The median over the rounds of one contender's time divided by another's.

        Both were measured within milliseconds of each other, so that what else the machine was
        doing weighs on both.
        """
        pairs = zip(self.rounds[above], self.rounds[below], strict=True)
        return statistics.median(a / b for a, b in pairs)


def measure(
    benchmark: BenchmarkFixture,
    contenders: t.Mapping[str, Contender],
    *,
    calls: int,
    rounds: int,
) -> Result:
    """Run every contender ``calls`` times in each round, in an order drawn anew for each round.

    The garbage collector runs between the measurements, not within, as in :mod:`timeit`.
    """
    result = Result({name: [] for name in contenders})
    names = list(contenders)
    order = random.Random(1)

    def one(name: str) -> float:
        prepared = contenders[name](calls)
        start = time.perf_counter()
        for call in prepared:
            call()
        return (time.perf_counter() - start) / calls

    def one_round() -> None:
        order.shuffle(names)
        for name in names:
            gc.collect()
            gc.disable()
            try:
                result.rounds[name].append(one(name))
            finally:
                gc.enable()

    for name in names:
        one(name)
    benchmark.pedantic(  # type: ignore[no-untyped-call]
        one_round, rounds=rounds, iterations=1
    )
    benchmark.extra_info.update(
        {name: f"{result.microseconds(name):.2f} us" for name in contenders}
    )
    return result
