"""The differential target over its corpus, and some seconds of seeded mutations, without a fuzzing engine."""

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .. import records
from . import differential

CORPUS = Path(__file__).parent.parent.parent / "fuzz" / "corpus" / "differential"
SECONDS = 3.0


@pytest.fixture(scope="module", autouse=True)
def prepared() -> Iterator[None]:
    with differential.prepare():
        yield


def inputs() -> list[bytes]:
    files = sorted(CORPUS.iterdir())
    assert len(files) > 50
    return [file.read_bytes() for file in files]


def test_corpus() -> None:
    for data in inputs():
        differential.check(data)


def test_mutations() -> None:
    chance, corpus = random.Random(1), inputs()
    end = time.perf_counter() + SECONDS
    while time.perf_counter() < end:
        data = chance.choice(corpus)
        differential.check(data[:1] + records.mutated(data[1:], chance))
