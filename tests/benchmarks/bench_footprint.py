"""What the package weighs: the time of its import, and the size of its native module."""

from __future__ import annotations

import pathlib
import subprocess
import sys
import zipfile

from pytest_benchmark.fixture import BenchmarkFixture

import flask_session_rs._native

from .interleaved import measure
from .interleaved import repeated
from .report import Report
from .report import verdict

TITLE = "Footprint"
ABOUT = "Import: the median over fresh interpreters. Wheel: the package's files, compressed as a wheel's are."


def _import(module: str) -> None:
    subprocess.run([sys.executable, "-c", f"import {module}"], check=True)


def test_import(benchmark: BenchmarkFixture, report: Report) -> None:
    result = measure(
        benchmark,
        {
            "flask": repeated(lambda: _import("flask")),
            "ours": repeated(lambda: _import("flask_session_rs")),
        },
        calls=1,
        rounds=25,
    )
    pairs = zip(result.rounds["ours"], result.rounds["flask"], strict=True)
    more = sorted(ours - flask for ours, flask in pairs)[len(result.rounds["ours"]) // 2] * 1e3
    report.row(
        TITLE,
        ABOUT,
        {"what": "import, ms over importing Flask", "figure": verdict(more, at_most=5)},
    )


def test_wheel(benchmark: BenchmarkFixture, report: Report, tmp_path: pathlib.Path) -> None:
    native = pathlib.Path(flask_session_rs._native.__file__)
    wheel = tmp_path / "package.zip"

    def pack() -> None:
        with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(native)
            for source in native.parent.glob("*.py*"):
                archive.write(source)

    benchmark.pedantic(pack, rounds=1)  # type: ignore[no-untyped-call]
    megabytes = wheel.stat().st_size / 1e6
    report.row(TITLE, ABOUT, {"what": "wheel, MB", "figure": verdict(megabytes, at_most=1.5)})
