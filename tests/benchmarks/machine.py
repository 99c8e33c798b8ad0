"""What a run was made with: versions and the machine."""

from __future__ import annotations

import datetime
import os
import platform
import re
import subprocess
import typing as t
from importlib.metadata import version
from pathlib import Path

from . import load

PACKAGES = (
    "flask-session-rs",
    "Flask",
    "Werkzeug",
    "itsdangerous",
    "Flask-Session",
    "redis",
    "hiredis",
    "msgspec",
    "gunicorn",
    "granian",
)


def facts() -> dict[str, t.Any]:
    """All but what a run itself brings."""
    return {
        "date": f"{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d}",
        "versions": {
            platform.python_implementation(): platform.python_version(),
            **{name: version(name) for name in PACKAGES},
            "redis-server": _told("redis-server", "--version"),
            "wrk": _told(load.program(), "--version"),
        },
        "processor": _processor(),
        "cores": os.cpu_count(),
        "virtual": " hypervisor" in Path("/proc/cpuinfo").read_text(),
        "kernel": f"{platform.system()} {platform.release()} {platform.machine()}",
    }


def _told(*command: str) -> str:
    """The first number with dots in what a program says of itself; wrk says it and fails."""
    told = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    found = re.search(r"\d+\.\d+(\.\d+)?", told.stdout)
    assert found, told.stdout
    return found[0]


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or "processor unknown"
