"""The faults that `make mutations` plants can still be planted, and the tests that are to find them are there."""

from __future__ import annotations

import pathlib
import re

import pytest

from .mutations.fault import Edit
from .mutations.fault import Mutation
from .mutations.planted import MUTATIONS
from .mutations.scratch import applied
from .mutations.scratch import DoesNotApply
from .mutations.scratch import ROOT


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_fault_still_applies(mutation: Mutation) -> None:
    for file, text in applied(mutation, ROOT).items():
        assert text != (ROOT / file).read_text()


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_the_tests_that_are_to_find_it_are_there(mutation: Mutation) -> None:
    assert mutation.tests
    for test in mutation.tests:
        file, *names = test.split("::")
        text = (ROOT / file).read_text()
        for name in names:
            assert re.search(rf"\b(?:fn|mod|def|class) {name}\b", text), test


def test_names_are_told_apart() -> None:
    names = [mutation.name for mutation in MUTATIONS]
    assert len(set(names)) == len(names) >= 20


@pytest.mark.parametrize("text", ["nothing of it", "twice twice"])
def test_a_fault_that_applies_no_longer_is_an_error(tmp_path: pathlib.Path, text: str) -> None:
    (tmp_path / "code.rs").write_text(text)
    mutation = Mutation("a fault", (Edit("code.rs", "twice", "once"),), ())
    with pytest.raises(DoesNotApply):
        applied(mutation, tmp_path)
