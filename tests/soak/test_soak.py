"""A short soak in every run of the tests; `make soak` runs longer ones."""

from __future__ import annotations

import pytest

from .chaos import KINDS
from .report import text
from .run import run

SEED = 1
#: In so many seconds each kind of fault strikes at least twice.
TWICE = 50


def test_nothing_is_lost_mixed_up_or_brought_back(request: pytest.FixtureRequest) -> None:
    seconds: int = request.config.getoption("--soak-seconds")
    findings = run(seconds, SEED)
    report = text(findings, seconds, SEED)
    assert not findings.failed(), report
    assert findings.statuses["200"] > 20 * seconds, report
    if seconds >= TWICE:
        for kind in KINDS:
            assert len(list(findings.outages_of(kind))) >= 2, kind
        assert findings.statuses["503"], report
        assert findings.statuses["500 of the store"], report
