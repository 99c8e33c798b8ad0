"""The differential target under atheris, or hypothesis where it has no wheel: `python -m tests.fuzzing.run SECONDS`."""

import importlib
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import HealthCheck
from hypothesis import settings
from hypothesis import strategies as st

ORACLES = ["itsdangerous", "flask.json", "flask.sessions", "werkzeug.sansio", "json"]
"""What is instrumented, and so leads atheris. Our own module and msgspec are native: they lead nobody."""

ARTIFACTS = Path(__file__).parent.parent.parent / "fuzz" / "artifacts" / "differential"


def with_atheris(atheris: Any, seconds: int) -> None:
    """Ends the process. A failing input stays in fuzz/artifacts/differential/, under the name that is printed."""
    # Before they are imported.
    with atheris.instrument_imports(include=ORACLES):
        for name in ("flask.json.tag", "flask.sessions", "werkzeug.sansio.http"):
            importlib.import_module(name)
        from . import differential
    from .. import records
    from .test_replay import inputs

    corpus = inputs()

    def mutator(data: bytes, longest: int, seed: int) -> bytes:
        """Half from the corpus: what only leads to native code is not kept as new by atheris."""
        chance = random.Random(seed)
        if chance.random() < 0.5:
            data = chance.choice(corpus)
            return (data[:1] + records.mutated(data[1:], chance))[:longest]
        mutated: bytes = atheris.Mutate(data, longest)
        return mutated

    found = tempfile.mkdtemp(prefix="differential-")
    for number, data in enumerate(corpus):
        with open(f"{found}/{number}", "wb") as file:
            file.write(data)
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    limits = ["-timeout=5", "-rss_limit_mb=512", f"-max_len={differential.LONGEST}"]
    arguments = [
        f"-max_total_time={seconds}",
        "-print_final_stats=1",
        f"-artifact_prefix={ARTIFACTS}/",
    ]
    with differential.prepare():
        atheris.Setup(
            [sys.argv[0], *limits, *arguments, found],
            differential.check,
            custom_mutator=mutator,
        )
        atheris.Fuzz()


def with_hypothesis(seconds: int) -> None:
    from .. import records
    from . import differential
    from .test_replay import inputs

    def spliced(one: bytes, other: bytes, at: int, seed: int) -> bytes:
        """Half of one input and half of another, of the first one's kind, and some bytes changed."""
        return one[:1] + records.mutated(one[1 : at + 1] + other[at + 1 :], random.Random(seed))

    corpus = st.sampled_from(inputs())
    changed = st.builds(spliced, corpus, corpus, st.integers(0, 200), st.integers(0, 2**32))
    one_alone = st.builds(
        lambda data, seed: data[:1] + records.mutated(data[1:], random.Random(seed)),
        corpus,
        st.integers(0, 2**32),
    )

    @settings(max_examples=2000, deadline=5000, suppress_health_check=list(HealthCheck))
    @given(one_alone | changed | st.binary(max_size=200))
    def some(data: bytes) -> None:
        differential.check(data)

    end = time.perf_counter() + seconds
    rounds = 0
    with differential.prepare():
        while time.perf_counter() < end:
            some()
            rounds += 1
    print(f"differential: {rounds} rounds of 2000 examples by hypothesis")


def main(seconds: int) -> None:
    try:
        atheris = importlib.import_module("atheris")
    except ModuleNotFoundError:
        with_hypothesis(seconds)
    else:
        with_atheris(atheris, seconds)


if __name__ == "__main__":
    main(int(sys.argv[1]))
