"""Runs tests in threads, each in four at the same time, on one application: `make parallel`.

pytest-run-parallel leaves out what it takes for unfit: tests that patch, that catch warnings or
output, that collect garbage. How many those are is said at the end.
"""

import sys
import threading

import pytest
from werkzeug.routing import Rule

FILES = [
    "tests/test_session_object.py",
    "tests/test_session_copies.py",
    "tests/test_lazy.py",
    "tests/test_contract.py",
    "tests/test_keys.py",
    "tests/test_serialization.py",
    "tests/test_contexts.py",
    "tests/test_null_session.py",
]

OPTIONS = [
    "-p",
    "no:cacheprovider",
    "--parallel-threads=4",
    "--iterations=5",
    "--skip-thread-unsafe=true",
    # It looks into what a test calls, and cannot look into Flask's proxies outside of a request.
    "-W",
    "ignore:Uncaught exception while checking test:RuntimeWarning",
]

LEAST = 100
"""So many have to have run: an empty run proves nothing."""


def compile_rules_in_turn() -> None:
    """CPython 3.11 counts the depth of an AST for all threads in one place, and fails when two build one."""
    lock, compile_rule = threading.RLock(), Rule.compile

    def in_turn(rule: Rule) -> None:
        with lock:
            compile_rule(rule)

    Rule.compile = in_turn  # type: ignore[assignment]


class Count:
    """Counts the tests that passed."""

    passed = 0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.passed += report.when == "call" and report.passed


if __name__ == "__main__":
    compile_rules_in_turn()
    count = Count()
    status = pytest.main([*OPTIONS, *FILES, *sys.argv[1:]], plugins=[count])
    print(f"{count.passed} tests ran in four threads at the same time")
    sys.exit(status or (count.passed < LEAST and len(sys.argv) == 1))
