"""The benchmarks' report: tables in Markdown, shown at the end of the run and written to a file."""

from __future__ import annotations

import datetime
import os
import platform
import typing as t
from dataclasses import dataclass
from dataclasses import field
from importlib.metadata import version

PACKAGES = (
    "flask",
    "werkzeug",
    "itsdangerous",
    "flask-session",
    "redis",
    "hiredis",
    "msgspec",
    "flask-session-rs",
)


@dataclass
class Table:
    """One table of the report."""

    title: str
    about: str
    header: t.Sequence[str]
    rows: list[t.Sequence[str]] = field(default_factory=list)

    def lines(self) -> t.Iterator[str]:
        yield f"## {self.title}"
        yield ""
        yield self.about
        yield ""
        yield _row(self.header)
        yield _row(["---"] * len(self.header))
        for row in self.rows:
            yield _row(row)
        yield ""


def _row(cells: t.Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


class Report:
    """The tables of a run, in the order in which the benchmarks made them."""

    def __init__(self) -> None:
        self.tables: dict[str, Table] = {}

    def row(self, title: str, about: str, cells: t.Mapping[str, str]) -> None:
        """Add a row to the table of this title, which is made with the first row."""
        table = self.tables.setdefault(title, Table(title, about, list(cells)))
        table.rows.append(list(cells.values()))

    def text(self) -> str:
        """The whole report."""
        lines = [
            "# Benchmarks",
            "",
            "Written by `make bench`. Every comparison runs in one process: in each round every",
            "contender gets the same number of calls, in an order drawn anew, with the garbage",
            "collector run between and not within. A time is the median over the rounds, ± half the",
            "distance of the quartiles; a ratio is the median of the rounds' own ratios, so that what",
            "else the machine was doing weighs on both sides.",
            "",
            f"- {datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d},"
            f" {platform.python_implementation()} {platform.python_version()},"
            f" {', '.join(f'{name} {version(name)}' for name in PACKAGES)}",
            f"- {platform.system()} {platform.machine()}, {_processor()}, {os.cpu_count()} cores,"
            f" load average at the end of the run {os.getloadavg()[0]:.1f}",
            "",
        ]
        for table in self.tables.values():
            lines.extend(table.lines())
        return "\n".join(lines)


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as info:
            for line in info:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or "processor unknown"


def verdict(ratio: float, *, at_least: float | None = None, at_most: float | None = None) -> str:
    """A ratio beside its target."""
    if at_least is not None:
        return f"{ratio:.2f} ({'met' if ratio >= at_least else 'MISSED'}: at least {at_least:g})"
    assert at_most is not None
    return f"{ratio:.3f} ({'met' if ratio <= at_most else 'MISSED'}: at most {at_most:g})"
