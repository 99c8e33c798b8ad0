"""What a fault is, as data."""

from __future__ import annotations

import typing as t


class Edit(t.NamedTuple):
    """A text that stands once in a file of the repository, and what stands there instead."""

    file: str
    old: str
    new: str


class Mutation(t.NamedTuple):
    """One fault. Where two guards cover each other, it takes both of them away."""

    name: str
    edits: tuple[Edit, ...]
    #: Tests that are expected to find it, and are run first: `FILE.rs::NAME` or a node id of pytest.
    tests: tuple[str, ...]
