"""How much of what can be counted: a small number by default, a large one on demand."""

from __future__ import annotations

import pytest


def add(parser: pytest.Parser) -> None:
    group = parser.getgroup("flask-session-rs, Redis")
    for name, default, what in (
        ("--records", 5_000, "random records to exchange with Flask-Session"),
        ("--faults", 600, "faults to strike connections with"),
        ("--broken", 3_000, "broken records to survive"),
        ("--cycles", 3_000, "load-save cycles in which memory must not grow"),
        ("--interrupts", 60, "signals in the middle of exchanges"),
        ("--interleavings", 800, "orders of the steps of three requests, out of 143,360"),
        ("--soak-seconds", 60, "seconds of load on a server that is killed, stopped and cut off"),
    ):
        group.addoption(
            name, type=int, default=default, metavar="N", help=f"{what} (default: %(default)s)"
        )
    group.addoption(
        "--oracle-too",
        action="store_true",
        help="run what Flask-Session is known to break on it as well, to see these tests fail",
    )
