"""The samples of the documentation, run as a reader would run them: each page from its beginning to its end."""

from __future__ import annotations

import typing as t

import pytest

from .. import documents
from .server import RedisServer

#: Where the samples have their server.
WRITTEN = "redis://localhost:6379/0"


@pytest.mark.parametrize("page", documents.PAGES)
def test_samples_of_a_page(page: str, server: RedisServer) -> None:
    """They share one namespace, and have asserts of their own."""
    namespace: dict[str, t.Any] = {"__name__": "sample"}
    for sample in documents.samples(documents.PAGES[page], "python"):
        if sample.runs:
            # As many empty lines in front as make the line numbers of a traceback the page's own.
            text = "\n" * (sample.line - 1) + sample.text.replace(WRITTEN, server.url())
            exec(compile(text, str(documents.PAGES[page]), "exec"), namespace)


def test_samples_run() -> None:
    """Those that do not run are few enough to be counted: none at present."""
    found = [
        sample for path in documents.PAGES.values() for sample in documents.samples(path, "python")
    ]
    assert len(found) > 15
    assert all(sample.runs for sample in found)
