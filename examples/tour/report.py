"""What the tour prints: steps, checks and tables; and whether every check held."""

from __future__ import annotations

import sys
from collections.abc import Sequence

GREEN, RED, BOLD, FAINT = "32", "31", "1", "2"


class Report:
    """Prints as it goes, and counts."""

    def __init__(self) -> None:
        self.passed = 0
        self.failed = 0
        self._colours = sys.stdout.isatty()

    def part(self, title: str) -> None:
        print(f"\n{self._paint(BOLD, title)}")

    def step(self, title: str) -> None:
        print(f"\n  {title}")

    def check(self, claim: str, held: bool) -> None:
        """A claim that makes the demo fail if it does not hold."""
        if held:
            self.passed += 1
            word = self._paint(GREEN, "  ok  ")
        else:
            self.failed += 1
            word = self._paint(RED, "FAILED")
        print(f"    {word} {claim}", flush=True)

    def note(self, text: str) -> None:
        print(self._paint(FAINT, f"           {text}"))

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """The first column is text, the others are numbers."""
        widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
        print()
        for row in (head, *rows):
            first, *others = (
                cell.ljust(width) if i == 0 else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
            line = "   ".join((first, *others))
            print("    " + (self._paint(FAINT, line) if row is head else line))

    def close(self) -> int:
        """The exit status."""
        total = self.passed + self.failed
        if self.failed:
            print(f"\n{self._paint(RED, f'{self.failed} of {total} checks failed.')}")
        else:
            print(f"\n{self._paint(GREEN, f'All {total} checks passed.')}")
        return 1 if self.failed else 0

    def _paint(self, colour: str, text: str) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self._colours else text
