"""The benchmarks' options, and their report."""

from __future__ import annotations

import pathlib

import pytest

from .report import Report

REPORT = pytest.StashKey[Report]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("flask-session-rs benchmarks")
    group.addoption(
        "--bench-report",
        type=pathlib.Path,
        metavar="FILE",
        help="write the tables to this Markdown file",
    )
    group.addoption(
        "--bench-rounds",
        type=int,
        default=60,
        metavar="N",
        help="rounds of each comparison (default: %(default)s)",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.stash[REPORT] = Report()


@pytest.fixture
def report(pytestconfig: pytest.Config) -> Report:
    """Where a benchmark puts its figures."""
    return pytestconfig.stash[REPORT]


@pytest.fixture
def rounds(pytestconfig: pytest.Config) -> int:
    """How many rounds a comparison takes."""
    number: int = pytestconfig.getoption("--bench-rounds")
    return number


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    report = config.stash[REPORT]
    if not report.tables:
        return
    text = report.text()
    terminalreporter.write_line("")
    terminalreporter.write_line(text)
    if path := config.getoption("--bench-report"):
        path.write_text(text, encoding="utf-8")
        terminalreporter.write_line(f"written to {path}")
