"""A run's figures as data: rows of tables, and facts about the run. All that is readable is rendered from them."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

#: A text, a number, a time (`us`, and `spread` as a part of it), or a figure with a target (`value`,
#: `at_least` or `at_most`, and `quiet`: whether the machine was quiet enough to judge it).
Cell: t.TypeAlias = "str | float | dict[str, float]"
Row: t.TypeAlias = "dict[str, Cell]"

#: More digits than any figure is good for.
DIGITS = 4


def time(us: float, spread: float) -> Cell:
    """Microseconds, and half the distance of the quartiles as a part of them."""
    return {"us": _short(us), "spread": round(spread, 3)}


def target(
    value: float,
    *,
    at_least: float | None = None,
    at_most: float | None = None,
    quiet: bool = True,
) -> Cell:
    """A figure beside its target, if it has one."""
    bounds = {"at_least": at_least, "at_most": at_most}
    cell = {"value": _short(value)}
    cell |= {name: bound for name, bound in bounds.items() if bound is not None}
    return cell if quiet else {**cell, "quiet": 0}


def _short(number: float) -> float:
    """As many digits as are worth keeping."""
    return float(f"{number:.{DIGITS}g}")


class Results:
    """Rows by the name of their table, and facts about the run."""

    def __init__(
        self, run: dict[str, t.Any] | None = None, tables: dict[str, list[Row]] | None = None
    ) -> None:
        self.run = run or {}
        self.tables = tables or {}

    def add(self, table: str, **cells: Cell) -> None:
        """A row; numbers are cut to the digits that mean something."""
        row = {
            key: _short(cell) if isinstance(cell, float) else cell for key, cell in cells.items()
        }
        self.tables.setdefault(table, []).append(row)

    def find(self, table: str, **cells: Cell) -> Row:
        """The one row of a table with these cells."""
        (found,) = (row for row in self.tables[table] if cells.items() <= row.items())
        return found

    def text(self) -> str:
        """JSON with a row on each line, so that a figure can be pointed at."""
        tables = [
            f"  {json.dumps(name)}: [\n"
            + ",\n".join(f"   {json.dumps(row, ensure_ascii=False)}" for row in rows)
            + "\n  ]"
            for name, rows in self.tables.items()
        ]
        run = json.dumps(self.run, indent=1, ensure_ascii=False).replace("\n", "\n ")
        return f'{{\n "run": {run},\n "tables": {{\n' + ",\n".join(tables) + "\n }\n}\n"

    @classmethod
    def read(cls, path: Path) -> Results:
        """What `text` made."""
        found = json.loads(path.read_text(encoding="utf-8"))
        return cls(found["run"], found["tables"])
