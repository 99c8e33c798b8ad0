"""Renders a run's figures again: report, plots and the README's section (`python -m tests.benchmarks.render`)."""

from __future__ import annotations

import sys
import typing as t
from pathlib import Path

from .readme import with_section
from .report import report
from .results import Results
from .tables import TABLES

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
#: Where figures go that are not to be kept.
SCRATCH = ROOT / ".benchmarks"
NAME = "benchmarks.json"


def missing(results: Results) -> list[str]:
    """The tables that a run has not filled."""
    return [table.name for table in TABLES if table.name not in results.tables]


def render(directory: Path) -> t.Iterator[Path]:
    """Write all that is made of the figures in a directory; in docs/, the README's section, too."""
    from .plots import draw

    results = Results.read(directory / NAME)
    page = directory / "benchmarks.md"
    page.write_text(report(results), encoding="utf-8")
    yield page
    yield from draw(results, directory)
    if directory.resolve() == DOCS:
        readme = ROOT / "README.md"
        readme.write_text(with_section(readme.read_text("utf-8"), results), encoding="utf-8")
        yield readme


if __name__ == "__main__":
    for path in render(Path(sys.argv[1]) if len(sys.argv) > 1 else DOCS):
        print(f"written: {path}")
