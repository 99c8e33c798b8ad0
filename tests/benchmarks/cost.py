"""What a session costs a request: the time of the request less that of the same one without a session."""

from __future__ import annotations

import statistics

from .interleaved import Result
from .results import Cell
from .results import time
from .served import NULL


def times(result: Result, **names: str) -> dict[str, Cell]:
    """Each contender's median and spread, under the name that its column has."""
    return {
        column: time(result.microseconds(name), result.spread(name))
        for column, name in names.items()
    }


def costs(result: Result, name: str) -> list[float]:
    """A contender's seconds over the null interface's, round by round."""
    pairs = zip(result.rounds[name], result.rounds[NULL], strict=True)
    return [taken - bare for taken, bare in pairs]


def cost_us(result: Result, name: str) -> float:
    """The median of a contender's cost, in microseconds."""
    return statistics.median(costs(result, name)) * 1e6
