"""The benchmarks' options, the server they share, and what becomes of their figures."""

from __future__ import annotations

import os
import time
import typing as t
from pathlib import Path

import pytest

from ..redis.server import RedisServer
from . import machine
from .placement import placed
from .placement import Placement
from .placement import round_trips
from .render import DOCS
from .render import missing
from .render import NAME
from .render import render
from .render import SCRATCH
from .report import sections
from .results import Results
from .stores import probe

RESULTS = pytest.StashKey[Results]()
STARTED = pytest.StashKey[float]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("flask-session-rs benchmarks")
    group.addoption(
        "--bench-report",
        type=Path,
        metavar="DIRECTORY",
        help="write figures, tables and plots there; in docs/, the README's section, too",
    )
    group.addoption(
        "--bench-rounds",
        type=int,
        metavar="N",
        help="rounds of each comparison (default: 40, or 5 if quick)",
    )
    group.addoption(
        "--bench-quick",
        action="store_true",
        help="few rounds of everything: to see it run, not to believe it",
    )


def _option(config: pytest.Config, name: str) -> t.Any:
    """An option, or None where this file was met too late to declare it, as in a run of all tests."""
    return config.getoption(f"--bench-{name}", default=None)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "long: left out of a quick run")
    # Asked before anything is measured: what is missing is said at once.
    reported = _option(config, "report") is not None
    config.stash[RESULTS] = Results(machine.facts() if reported else None)
    config.stash[STARTED] = time.monotonic()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if _option(config, "quick"):
        left_out = [item for item in items if item.get_closest_marker("long")]
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)


@pytest.fixture
def results(pytestconfig: pytest.Config) -> Results:
    """Where a benchmark puts its figures."""
    return pytestconfig.stash[RESULTS]


@pytest.fixture
def quick(pytestconfig: pytest.Config) -> bool:
    """Whether a short run is wanted more than good figures."""
    return bool(_option(pytestconfig, "quick"))


@pytest.fixture
def rounds(pytestconfig: pytest.Config) -> int:
    """How many rounds a comparison takes."""
    return _rounds(pytestconfig)


def _rounds(config: pytest.Config) -> int:
    chosen: int | None = _option(config, "rounds")
    return chosen or (5 if _option(config, "quick") else 40)


@pytest.fixture(scope="session")
def redis_server() -> t.Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture(scope="session")
def nearest(pytestconfig: pytest.Config, redis_server: RedisServer) -> Placement:
    """Where this process and the server are to run for the shortest round trip; both are reported."""
    found = round_trips(redis_server, probe(redis_server))
    # The kernel's choice may change at any moment.
    chosen: Placement = "free" if found["free"] < 0.9 * found["one core"] else "one core"
    pytestconfig.stash[RESULTS].run["round trip"] = {
        "used": chosen,
        "us": {placement: round(us, 1) for placement, us in found.items()},
    }
    return chosen


@pytest.fixture
def near_redis(nearest: Placement, redis_server: RedisServer) -> t.Iterator[RedisServer]:
    """The server, on the cores from which this process reaches it soonest."""
    assert redis_server.process is not None
    with placed(nearest, redis_server.process.pid):
        yield redis_server


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, exitstatus: int, config: pytest.Config
) -> None:
    results = config.stash[RESULTS]
    directory: Path | None = _option(config, "report")
    if directory is None or not results.tables:
        return
    results.run |= {
        "load": round(os.getloadavg()[0], 1),
        "minutes": round((time.monotonic() - config.stash[STARTED]) / 60, 1),
        "quick": bool(_option(config, "quick")),
        "rounds": _rounds(config),
    }
    for line in sections(results):
        terminalreporter.write_line(line)
    whole = not missing(results) and not exitstatus
    # What is committed is of one whole run.
    if directory.resolve() == DOCS and not whole:
        terminalreporter.write_line(f"{DOCS} is left as it is: the run was not whole")
        directory = SCRATCH
    directory.mkdir(parents=True, exist_ok=True)
    (directory / NAME).write_text(results.text(), encoding="utf-8")
    for path in render(directory) if whole else (directory / NAME,):
        terminalreporter.write_line(f"written: {path}")
