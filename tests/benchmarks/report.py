"""The report for people: a run's figures as tables in Markdown, with what they were measured on and how."""

from __future__ import annotations

import collections
import textwrap
import typing as t

from .cells import shown
from .results import Results
from .results import Row
from .tables import Table
from .tables import TABLES

#: Plot to what it shows.
PLOTS = {
    "requests": "Request times by interface and by what the view does with its session",
    "sizes": "What a written session costs, by its size",
    "throughput": "Requests a second of each server with each interface",
    "latency": "Latency of each server under load with each interface",
}
WIDTH = 100


def report(results: Results) -> str:
    """The whole page."""
    lines = ["# Benchmarks", ""]
    for about in _how(results):
        lines += [*paragraph(about), ""]
    lines += [*_facts(results.run), "", _judged(results), ""]
    lines += sections(results)
    return "\n".join(lines)


def sections(results: Results) -> t.Iterator[str]:
    """The lines of every table that there are figures for."""
    for table in TABLES:
        if rows := results.tables.get(table.name):
            yield from _section(table, rows)


def paragraph(text: str, width: int = WIDTH, *, first: str = "", others: str = "") -> list[str]:
    """Its lines, with what they are indented by."""
    return textwrap.wrap(
        text,
        width,
        initial_indent=first,
        subsequent_indent=others,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _how(results: Results) -> t.Iterator[str]:
    yield (
        "Written by `make bench` from [benchmarks.json](benchmarks.json), where each row is a line. Every comparison of"
        " requests runs in one process: in each round every contender gets the same number of calls (100; fewer of"
        " large sessions), in an order drawn anew, with the garbage collector run between and not within. A time is the"
        " median over the rounds, ± half the distance of the quartiles; a ratio is the median of the rounds' own"
        " ratios, so that what else the"
        " machine was doing weighs on both sides."
    )
    near = results.run["round trip"]
    free, one_core = near["us"]["free"], near["us"]["one core"]
    yield (
        f"A raw round trip to redis-server over TCP took {free:g} us where the kernel placed benchmark and server as it"
        f" liked (*free*), and {one_core:g} us with both on one core (*one core*). Requests with sessions in Redis were"
        f" measured *{near['used']}*: *free* is taken only where it is shorter by a tenth or more, as the kernel may"
        " change its mind, and the way from one core to another can be long on a virtual machine."
    )


def _facts(run: t.Mapping[str, t.Any]) -> list[str]:
    versions = ", ".join(f"{name} {version}" for name, version in run["versions"].items())
    machine = ("virtual machine, " if run["virtual"] else "") + f"{run['cores']} cores"
    facts = [
        f"{run['date']}; {run['rounds']} rounds of each comparison, {run['minutes']:g} minutes in all"
        + (", a quick run: not to be believed" if run["quick"] else ""),
        versions,
        f"{run['processor']}, {machine}, {run['kernel']}, load average at the end {run['load']}",
    ]
    return [line for fact in facts for line in paragraph(fact, first="- ", others="  ")]


def _judged(results: Results) -> str:
    counts: collections.Counter[str] = collections.Counter()
    for table in TABLES:
        for row in results.tables[table.name]:
            for cell in row.values():
                text = shown(cell)
                for verdict in ("met:", "MISSED:", "not judged:"):
                    counts[verdict] += f"({verdict}" in text
    met, missed, unjudged = (counts[verdict] for verdict in ("met:", "MISSED:", "not judged:"))
    return f"Of {met + missed + unjudged} targets, {met} are met, {missed} missed, {unjudged} not judged."


def _section(table: Table, rows: t.Sequence[Row]) -> t.Iterator[str]:
    yield f"## {table.title}"
    yield ""
    yield from paragraph(table.about)
    yield ""
    if table.plot:
        yield f"![{PLOTS[table.plot]}](benchmarks-{table.plot}.svg)"
        yield ""
    forms = {key: heading.partition("|")[2] or "{:g}" for key, heading in table.columns.items()}
    headings = [heading.partition("|")[0] for heading in table.columns.values()]
    yield from markdown(
        headings, [[shown(row[key], form) for key, form in forms.items()] for row in rows]
    )
    yield ""


def markdown(headings: t.Sequence[str], rows: t.Sequence[t.Sequence[str]]) -> t.Iterator[str]:
    """A table: columns whose cells begin with a digit are set to the right."""
    right = [all(row[n][:1].isdigit() for row in rows) for n in range(len(headings))]
    for cells in (headings, ["---:" if at else "---" for at in right], *rows):
        yield "| " + " | ".join(cells) + " |"
