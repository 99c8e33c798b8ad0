"""Load on a server: wrk, whose connections each ask again as soon as they were answered."""

from __future__ import annotations

import json
import shutil
import subprocess
import typing as t
from pathlib import Path

SCRIPT = Path(__file__).with_name("load.lua")
HOW = "wrk is not installed: run tests/install.sh wrk, or 'apt-get install wrk'"
CONNECTIONS = 8
#: Rounds in turn, and the seconds of each.
TURNS, SECONDS = 5, 2
#: More than connections, so that two requests at a time hardly ever have the same one.
SESSIONS = 64


class Load(t.NamedTuple):
    """What a server answered, and how soon: requests a second, and percentiles of latency in us."""

    rate: float
    p50: float
    p99: float
    p999: float


def program() -> str:
    found = shutil.which("wrk")
    assert found, HOW
    return found


def load(url: str, cookies: Path, seconds: int) -> Load:
    """Ask for the page with the Cookie headers in the file, one a line; any answer but 200 is an error."""
    command = (
        f"{program()} --threads 1 --connections {CONNECTIONS} --duration {seconds} --timeout 5"
    )
    told = subprocess.run(
        [*command.split(), "--script", str(SCRIPT), url, "--", str(cookies)],
        stdout=subprocess.PIPE,
        check=True,
        text=True,
        timeout=seconds + 30,
    ).stdout
    (line,) = (line for line in told.splitlines() if line.startswith("figures: "))
    figures = json.loads(line.removeprefix("figures: "))
    assert not figures["errors"], told
    rate = figures["requests"] / figures["us"] * 1e6
    return Load(rate, figures["p50"], figures["p99"], figures["p999"])
