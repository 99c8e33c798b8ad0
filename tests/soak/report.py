"""The report of a run, in Markdown."""

from __future__ import annotations

import datetime
import os
import platform
import statistics
import textwrap
import typing as t
from importlib.metadata import version
from pathlib import Path

from .chaos import KINDS
from .chaos import LASTS
from .chaos import NETWORK_LASTS
from .chaos import PAUSE
from .findings import Findings
from .findings import WRONGS
from .run import VISITORS
from .served import THREADS
from .served import TIMEOUT
from .served import WORKERS

PACKAGES = ("flask-session-rs", "flask", "werkzeug", "gunicorn")
MEANINGS = {
    "kill": "the server is killed (SIGKILL) and started again on its append-only file",
    "stop": "the server's process is stopped (SIGSTOP) and continued (SIGCONT)",
    "clients": "the server closes every connection (CLIENT KILL), each tenth of a second",
    "delay": "bytes of a connection are held back, once, for less than the deadline or a little more",
    "cut": "connections end in order, at any byte",
    "reset": "connections are reset, at any byte",
    "swallow": "from any byte on, one direction of a connection disappears",
    "stall": "from any byte on, nothing is taken from the sender for as long",
    "trickle": "from any byte on, one byte at a time",
}
LOOKED_AT = {
    "foreign": "values read and records stored",
    "back": "looks at ids that had ended",
    "lost": "values compared with what was acknowledged",
    "cookie": "answers",
    "needless": "visits to such a view",
    "answer": "answers",
    "worker": "worker processes",
    "recovery": "outages",
}


def text(findings: Findings, seconds: float, seed: int) -> str:
    """The whole report."""
    checks = {
        **findings.checks,
        "answer": findings.operations,
        "recovery": len(findings.outages),
    }
    minutes = f"{seconds / 60:g}"
    parts = [
        "# Reliability",
        "",
        *paragraph(
            f"Written by `make soak MINUTES={minutes} REPORT=docs/reliability.md`. It runs {WORKERS} workers of"
            f" gunicorn with {THREADS} threads each, on one redis-server with `appendfsync always`, and {VISITORS}"
            " visitors who know what their sessions hold, while the server is killed and stopped and the network"
            " between does harm."
        ),
        *paragraph(
            f"**{'FAILED' if findings.failed() else 'PASSED'}**: {findings.operations:,} requests in {minutes}"
            f" minutes, {len(findings.outages)} outages, {sum(findings.wrongs.values())} findings."
        ),
        *paragraph(
            f"- {datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d},"
            f" {platform.python_implementation()} {platform.python_version()},"
            f" {', '.join(f'{name} {version(name)}' for name in PACKAGES)}, {findings.server}"
        )[:-1],
        *paragraph(
            f"- {platform.system()} {platform.machine()}, {processor()}, {os.cpu_count()} cores,"
            f" load average at the end of the run {os.getloadavg()[0]:.1f}"
        )[:-1],
        *paragraph(
            f"- the deadline of a store operation was {TIMEOUT:g} s; the longest answer took"
            f" {findings.longest:.2f} s (a request may load and save, and wait for a thread before)"
        ),
        "## Findings",
        "",
        *paragraph(
            "A write counts as acknowledged when its request was answered with 200. After a failed save, which"
            " Flask answers with 500, both outcomes are allowed, and nothing else; after a 503 only the old one, as"
            " nothing was to be saved yet. At the end the server is killed once more, and its file is compared with"
            " what visitors know."
        ),
        *table(
            ("what must not happen", "how often", "out of"),
            (
                (
                    what,
                    f"{findings.wrongs.get(kind, 0):,}",
                    f"{checks.get(kind, 0):,} {LOOKED_AT[kind]}",
                )
                for kind, what in WRONGS.items()
            ),
        ),
    ]
    if findings.examples:
        parts += ["The first of them:", "", *(f"- {what}" for what in findings.examples), ""]
    parts += [
        *paragraph(
            "A cookie is wrong if it comes with a 503 or after a failed save, if it holds the id of another visitor"
            " or one that has ended, if a living session gets a new id without asking, or if it is deleted and"
            " nobody logged out."
        ),
        "## Outages",
        "",
        *paragraph(
            "One after the other, each kind once in every round, in an order drawn anew, with pauses of"
            f" {span(PAUSE)}. A kill lasts {span(LASTS['kill'])}, a stop {span(LASTS['stop'])}, the closing of"
            f" connections {span(LASTS['clients'])}, and harm by the network {span(NETWORK_LASTS)}. Recovery is the"
            " time from the outage's end (for a kill, when the server answers again) to the first answer of a"
            " request that began after it and used its session; the last failure is the end of the last request"
            " that still failed, also one that began before."
        ),
        *table(
            ("kind", "what it does", "times", "recovery: median", "most", "last failure: most"),
            (row for kind in KINDS if (row := outage_row(findings, kind))),
        ),
        "Faults that struck:",
        "",
        *table(
            ("fault", "times"),
            ((fault, f"{count:,}") for fault, count in sorted(findings.faults.items())),
        ),
        "## Load",
        "",
        *table(
            ("answer", "times"),
            ((status, f"{count:,}") for status, count in sorted(findings.statuses.items())),
        ),
        *table(
            ("what the view did", "times"),
            ((action, f"{count:,}") for action, count in sorted(findings.actions.items())),
        ),
        *paragraph(
            "Two requests of one session are often under way at once: two writes of different keys, both of which"
            " have to survive, or a write while the session is logged out or moved. Ids that have ended are shown"
            " again all the time."
        ),
        "## Again",
        "",
        *paragraph(
            f'`make soak MINUTES={minutes} ARGS="--seed {seed}"` repeats the schedule and each visitor\'s random'
            " numbers; which byte meets which fault depends on the machine. The tests run a minute of it, in"
            " `tests/soak/test_soak.py`."
        ),
    ]
    return "\n".join(parts).rstrip() + "\n"


def paragraph(said: str) -> list[str]:
    """Wrapped, with an empty line after it; a list's item is indented from its second line on."""
    indent = "  " if said.startswith("- ") else ""
    lines = textwrap.wrap(
        said, 100, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
    return [*lines, ""]


def table(header: t.Sequence[str], rows: t.Iterable[t.Sequence[str]]) -> list[str]:
    cells = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return [*("| " + " | ".join(row) + " |" for row in cells), ""]


def outage_row(findings: Findings, kind: str) -> tuple[str, ...] | None:
    outages = list(findings.outages_of(kind))
    if not outages:
        return None
    recovered = [outage.recovered for outage in outages if outage.recovered is not None]
    median, most = (
        (milliseconds(statistics.median(recovered)), milliseconds(max(recovered)))
        if len(recovered) == len(outages)
        else ("none", "none")
    )
    last = milliseconds(max(outage.last_failure for outage in outages))
    return kind, MEANINGS[kind], str(len(outages)), median, most, last


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"


def span(seconds: tuple[float, float]) -> str:
    return f"{seconds[0]:g} to {seconds[1]:g} s"


def processor() -> str:
    """The model's name, where the system tells."""
    path = Path("/proc/cpuinfo")
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or "processor unknown"
