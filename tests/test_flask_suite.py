"""Flask's own tests, of the very release installed, pass with our interface as the default one."""

import importlib.metadata
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from xml.etree import ElementTree

import pytest

NOT_PASSED = ("failure", "error", "skipped")
PLUGINS = Path(__file__).parent / "plugins"


@pytest.fixture(scope="module")
def sources(pytestconfig: pytest.Config) -> Path:
    """The unpacked source distribution of the installed Flask, kept in `.cache/`."""
    version = importlib.metadata.version("flask")
    cache = pytestconfig.rootpath / ".cache"
    archive = cache / f"flask-{version}.tar.gz"
    unpacked = cache / f"flask-{version}"
    if not archive.exists():
        cache.mkdir(exist_ok=True)
        subprocess.run(
            [sys.executable, "-m", "pip", "download", f"flask=={version}", "--no-deps",
             "--no-binary", "flask", "--quiet", "--dest", str(cache)],
            check=True,
        )  # fmt: skip
    if not (unpacked / "tests" / "conftest.py").exists():
        with tarfile.open(archive) as tar:
            if hasattr(tarfile, "data_filter"):
                tar.extractall(cache, filter="data")
            else:
                tar.extractall(cache)
    return unpacked


def run(sources: Path, report: Path, *plugins: str, **environ: str) -> dict[str, str]:
    """Run Flask's tests against the installed Flask; the outcome of each of them."""
    options = [option for plugin in ("old_pytest", *plugins) for option in ("-p", plugin)]
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options,
         f"--junit-xml={report}", "tests"],
        cwd=sources,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(PLUGINS), "PYTEST_ADDOPTS": "", **environ},
    )  # fmt: skip
    assert report.exists(), result.stdout[-2000:] + result.stderr[-2000:]
    outcomes = {}
    for case in ElementTree.parse(report).iter("testcase"):
        name = f"{case.get('classname')}::{case.get('name')}"
        outcomes[name] = (
            ", ".join(child.tag for child in case if child.tag in NOT_PASSED) or "passed"
        )
    return outcomes


def test_flasks_own_suite(sources: Path, tmp_path: Path) -> None:
    """What passes with Flask's interface passes with ours, and as many. A test that fails with
    Flask's own, for a newer release of something else, tells nothing of ours."""
    answered = tmp_path / "answered"
    stock = run(sources, tmp_path / "stock.xml")
    native = run(
        sources, tmp_path / "native.xml", "native_by_default", REQUESTS_ANSWERED=str(answered)
    )
    assert native == stock
    outcomes = list(stock.values())
    assert outcomes.count("passed") > 400
    assert outcomes.count("failure") + outcomes.count("error") < 5
    assert int(answered.read_text()) > 300
