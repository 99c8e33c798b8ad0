"""The pages of the documentation, taken apart: their samples, their tables, their links."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
#: Every page, by its name.
PAGES = {path.name: path for path in (README, *sorted((ROOT / "docs").glob("*.md")))}

_FENCE = re.compile(r"^```(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
#: Stands above a sample that cannot run, with the reason.
_NOT_RUN = re.compile(r"<!-- not run: .+ -->\n+\Z")


class Sample(t.NamedTuple):
    """One block of code of a page."""

    language: str
    text: str
    #: Where its first line stands, counted from 1.
    line: int
    #: Whether it runs. In the source of a page, what does not has a comment above it that says why.
    runs: bool


def samples(page: Path, language: str) -> list[Sample]:
    """The blocks of one language, in the order of the page."""
    text = page.read_text(encoding="utf-8")
    found = []
    for match in _FENCE.finditer(text):
        before = text[: match.start()]
        runs = _NOT_RUN.search(before) is None
        found.append(Sample(match[1], match[2], before.count("\n") + 2, runs))
    return [sample for sample in found if sample.language == language]


def tables(page: Path) -> list[list[dict[str, str]]]:
    """The tables of a page, each as its rows, each as its cells by their headings."""
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    found = []
    for match in re.finditer(r"(?:^\|.*\|\n)+", text, re.MULTILINE):
        lines = [_cells(line) for line in match[0].splitlines()]
        found.append([dict(zip(lines[0], line, strict=True)) for line in lines[2:]])
    return found


def table(page: Path, heading: str) -> list[dict[str, str]]:
    """The rows of the one table whose first column has this heading."""
    (found,) = (rows for rows in tables(page) if next(iter(rows[0])) == heading)
    return found


def rows_with(page: Path, first: str, column: str) -> list[dict[str, str]]:
    """The rows of all tables whose first column and one of whose others have these headings."""
    return [
        row
        for rows in tables(page)
        if next(iter(rows[0])) == first and column in rows[0]
        for row in rows
    ]


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def links(page: Path) -> list[str]:
    """Where the links of a page lead, if that is a file of the project."""
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    targets = (target.partition("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", text))
    return [target for target in targets if target and "://" not in target]


def code(cell: str) -> str:
    """What stands in a cell between backticks."""
    match = re.fullmatch(r"`(.+)`", cell)
    assert match, f"no code in {cell!r}"
    return match[1]
