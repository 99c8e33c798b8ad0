"""What the package weighs: the time of its import, and the size of its native module."""

from __future__ import annotations

import pathlib
import statistics
import subprocess
import sys
import zipfile

from pytest_benchmark.fixture import BenchmarkFixture

import flask_session_rs._native

from .interleaved import measure
from .interleaved import repeated
from .results import Results
from .results import target


def _import(module: str) -> None:
    subprocess.run([sys.executable, "-c", f"import {module}"], check=True)


def test_import(benchmark: BenchmarkFixture, results: Results, rounds: int) -> None:
    result = measure(
        benchmark,
        {
            "flask": repeated(lambda: _import("flask")),
            "ours": repeated(lambda: _import("flask_session_rs")),
        },
        calls=1,
        rounds=max(5, rounds // 2),
    )
    pairs = zip(result.rounds["ours"], result.rounds["flask"], strict=True)
    more = statistics.median(ours - flask for ours, flask in pairs) * 1e3
    what = "import, ms over importing Flask"
    results.add("footprint", what=what, figure=target(more, at_most=5))


def test_wheel(benchmark: BenchmarkFixture, results: Results, tmp_path: pathlib.Path) -> None:
    native = pathlib.Path(flask_session_rs._native.__file__)
    wheel = tmp_path / "package.zip"

    def pack() -> None:
        with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(native)
            for source in native.parent.glob("*.py*"):
                archive.write(source)

    benchmark.pedantic(pack, rounds=1)  # type: ignore[no-untyped-call]
    megabytes = wheel.stat().st_size / 1e6
    results.add("footprint", what="wheel, MB", figure=target(megabytes, at_most=1.5))
