"""What people read of the benchmarks is what their figures say: the report, the README's section and the plots."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .benchmarks.cells import shown
from .benchmarks.plots import COLOURS
from .benchmarks.plots import fingerprint
from .benchmarks.plots import path as plot_path
from .benchmarks.plots import TEXT
from .benchmarks.readme import END
from .benchmarks.readme import section
from .benchmarks.readme import START
from .benchmarks.readme import with_section
from .benchmarks.render import DOCS
from .benchmarks.render import missing
from .benchmarks.render import NAME
from .benchmarks.render import ROOT
from .benchmarks.report import PLOTS
from .benchmarks.report import report
from .benchmarks.results import Results
from .benchmarks.results import target
from .benchmarks.results import time

MOST_BYTES = 60_000
HOW = "`make report` writes it from the figures"


@pytest.fixture
def results() -> Results:
    """Those of the committed run."""
    return Results.read(DOCS / NAME)


def test_the_figures_are_of_one_whole_run(results: Results) -> None:
    assert not missing(results)
    assert not results.run["quick"]
    assert results.text() == (DOCS / NAME).read_text(encoding="utf-8")


def test_the_report_says_what_the_figures_say(results: Results) -> None:
    assert (DOCS / "benchmarks.md").read_text(encoding="utf-8") == report(results), HOW


def test_the_readme_says_what_the_figures_say(results: Results) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert readme == with_section(readme, results), HOW


@pytest.mark.parametrize("plot", PLOTS)
def test_a_plot_shows_the_figures_and_is_small(results: Results, plot: str) -> None:
    drawn = plot_path(DOCS, plot).read_text(encoding="utf-8")
    assert fingerprint(results, plot) in drawn, HOW
    assert len(drawn.encode()) < MOST_BYTES


@pytest.mark.parametrize("plot", PLOTS)
def test_a_plot_is_drawn_in_its_own_colours_on_the_pages_background(plot: str) -> None:
    drawn = plot_path(DOCS, plot).read_text(encoding="utf-8")
    assert set(re.findall(r"fill: ([^;\"]+)", drawn)) <= {"none", TEXT, *COLOURS.values()}
    assert "<dc:date>" not in drawn


def luminance(colour: str) -> float:
    """As WCAG 2 defines it."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("background", ["#ffffff", "#0d1117"])
@pytest.mark.parametrize(("colour", "least"), [(TEXT, 4.0), *((c, 3.0) for c in COLOURS.values())])
def test_a_plots_colours_are_seen_on_white_and_on_dark(
    background: str, colour: str, least: float
) -> None:
    dark, light = sorted((luminance(background), luminance(colour)))
    assert (light + 0.05) / (dark + 0.05) >= least


def test_every_number_of_the_readmes_table_stands_in_the_report(results: Results) -> None:
    rows = [line for line in section(results).splitlines() if line.startswith("| ")][2:]
    assert len(rows) == 5
    told = report(results)
    for row in rows:
        for number in re.findall(r"\d[\d,.]*", row.partition(" | ")[2]):
            assert re.search(rf"(?<![\d.,]){re.escape(number)}(?![\d])", told), (row, number)


def test_the_section_takes_the_place_of_the_one_before(results: Results) -> None:
    before = f"# Title\n\n{START}\nold figures\n{END}\n\nThe rest.\n"
    after = with_section(before, results)
    assert after == f"# Title\n\n{START}\n{section(results)}\n{END}\n\nThe rest.\n"
    assert with_section(after, results) == after


@pytest.mark.parametrize("readme", ["", START, END, f"{END}{START}"])
def test_a_readme_without_its_markers_is_an_error(results: Results, readme: str) -> None:
    with pytest.raises(AssertionError, match="lacks"):
        with_section(readme, results)


def test_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    made = Results({"date": "2026-01-01", "versions": {"Flask": "3"}})
    made.add("one", name="a", figure=target(1.23456, at_least=1), taken=time(12.3456, 0.123456))
    made.add("one", name="b", figure=target(1.0), taken=123456.0)
    made.add("two", name="é", count=7)
    (tmp_path / NAME).write_text(made.text(), encoding="utf-8")
    found = Results.read(tmp_path / NAME)
    assert (found.run, found.tables) == (made.run, made.tables)
    assert found.find("one", name="b") == {"name": "b", "figure": {"value": 1.0}, "taken": 123500.0}


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("read", "read"),
        (7, "7"),
        (time(12.345, 0.018), "12.3 ± 2 %"),
        (target(2.5), "2.50"),
        (target(2.0, at_least=2), "2.00 (met: at least 2)"),
        (target(1.99, at_least=2), "1.99 (MISSED: at least 2)"),
        (target(1.1, at_most=1.1), "1.100 (met: at most 1.1)"),
        (target(1.101, at_most=1.1), "1.101 (MISSED: at most 1.1)"),
        (target(9.0, at_least=2, quiet=False), "9.00 (not judged: not quiet)"),
    ],
)
def test_cells(cell: str | float | dict[str, float], text: str) -> None:
    assert shown(cell) == text


def test_latencies_are_shown_in_milliseconds() -> None:
    assert shown(1234.0, "{ms:.2f}") == "1.23"
