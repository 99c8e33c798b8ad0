"""Which cores a benchmark and its servers run on."""

from __future__ import annotations

import contextlib
import os
import statistics
import time
import typing as t

if t.TYPE_CHECKING:
    from ..redis.server import RedisServer
    from .stores import Raw

#: Where the kernel likes, or all programs on one core: nobody works while another does then, but between two cores
#: of a virtual machine a byte can take longer to be noticed than to be answered.
Placement = t.Literal["free", "one core"]
PLACEMENTS: tuple[Placement, ...] = t.get_args(Placement)


def cores(placement: Placement) -> set[int]:
    """The cores that this process may use, or the last of them."""
    usable = os.sched_getaffinity(0)
    return {max(usable)} if placement == "one core" else usable


@contextlib.contextmanager
def placed(placement: Placement, *processes: int) -> t.Iterator[None]:
    """This process, what it starts meanwhile, and every thread of the processes, on these cores."""
    before = os.sched_getaffinity(0)
    chosen = cores(placement)
    tasks = [0, *(int(task) for pid in processes for task in os.listdir(f"/proc/{pid}/task"))]
    _place(tasks, chosen)
    try:
        yield
    finally:
        _place(tasks, before)


def _place(tasks: t.Iterable[int], chosen: set[int]) -> None:
    for task in tasks:
        # A thread may have ended meanwhile.
        with contextlib.suppress(ProcessLookupError):
            os.sched_setaffinity(task, chosen)


def round_trips(server: RedisServer, raw: Raw, rounds: int = 25) -> dict[Placement, float]:
    """A raw round trip in microseconds under each placement, the median of rounds in turn."""
    assert server.process is not None
    times: dict[Placement, list[float]] = {placement: [] for placement in PLACEMENTS}
    for _ in range(rounds):
        for placement, found in times.items():
            with placed(placement, server.process.pid):
                start = time.perf_counter()
                for _ in range(100):
                    raw.get()
                found.append((time.perf_counter() - start) / 100 * 1e6)
    return {placement: statistics.median(found) for placement, found in times.items()}
