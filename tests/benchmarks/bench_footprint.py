"""What the package weighs: the time of its import, and the size of its wheel."""

from __future__ import annotations

import compileall
import pathlib
import statistics
import subprocess
import sys

from pytest_benchmark.fixture import BenchmarkFixture

from .interleaved import measure
from .interleaved import repeated
from .render import ROOT
from .results import Results
from .results import target


def _import(module: str) -> None:
    subprocess.run([sys.executable, "-c", f"import {module}"], check=True)


def test_import(benchmark: BenchmarkFixture, results: Results, rounds: int) -> None:
    # Flask was installed from a wheel, and compiled then.
    compileall.compile_dir(ROOT / "python", quiet=1)
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
    command = ["make", "-C", str(ROOT), "wheel", f"DIST={tmp_path}", f"PYTHON={sys.executable}"]

    def build() -> None:
        subprocess.run(command, check=True)

    benchmark.pedantic(build, rounds=1)  # type: ignore[no-untyped-call]
    (wheel,) = tmp_path.glob("*.whl")
    megabytes = wheel.stat().st_size / 1e6
    results.add("footprint", what="wheel, MB", figure=target(megabytes, at_most=1.5))
