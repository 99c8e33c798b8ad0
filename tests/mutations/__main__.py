"""`make mutations`: plants one fault after the other, and reports which test found it."""

from __future__ import annotations

import argparse
import pathlib
import sys
import time
import typing as t

from .fault import Mutation
from .planted import MUTATIONS
from .scratch import applied
from .scratch import DoesNotApply
from .scratch import DoesNotBuild
from .scratch import ROOT
from .scratch import Scratch

#: Seconds for the tests that are expected to find a fault, and for all tests.
A_FEW, ALL = 300.0, 3600.0

SURVIVED = "**nothing**"


class Result(t.NamedTuple):
    mutation: Mutation
    found_by: str
    #: Whether it took more than the tests that were expected to find it.
    unexpected: bool
    seconds: float


def split(tests: t.Iterable[str]) -> tuple[list[str], list[str]]:
    """Tests of the core, and of the package."""
    tests = list(tests)
    rust = [test for test in tests if test.split("::")[0].endswith(".rs")]
    return rust, [test for test in tests if test not in rust]


def find(scratch: Scratch, mutation: Mutation, few: bool) -> tuple[str, bool]:
    """The test that finds the fault that is planted now, and whether all of them had to be run for that."""
    rust, python = split(mutation.tests)
    changes_rust = any(file.endswith(".rs") for file, _, _ in mutation.edits)
    if rust and (found := scratch.rust(rust, A_FEW)):
        return found, False
    # Of a fault in Python, too: the module in the copy may still be that of the fault before.
    scratch.build()
    if python and (found := scratch.python(python, A_FEW)):
        return found, False
    if few:
        return SURVIVED, False
    print(f"{mutation.name}: not found by {', '.join(mutation.tests)}; running all", flush=True)
    if changes_rust and (found := scratch.rust([], ALL)):
        return found, True
    return scratch.python([], ALL) or SURVIVED, True


def check_without_faults(scratch: Scratch, mutations: t.Sequence[Mutation]) -> None:
    """A test that fails without any fault would find every one of them."""
    rust, python = split(sorted({test for mutation in mutations for test in mutation.tests}))
    scratch.build()
    failed = (rust and scratch.rust(rust, ALL)) or (python and scratch.python(python, ALL))
    if failed:
        sys.exit(f"fails without any fault: {failed}")


def fails(scratch: Scratch, test: str) -> bool:
    """Whether this test fails in the copy as it is now."""
    rust, python = split([test])
    scratch.build()
    return bool((rust and scratch.rust(rust, A_FEW)) or (python and scratch.python(python, A_FEW)))


def table(results: t.Sequence[Result]) -> str:
    """The report, in Markdown."""
    found = sum(result.found_by != SURVIVED for result in results)
    lines = [
        "# Planted faults",
        "",
        "Each of these faults was planted in a copy of the code, one at a time, and the tests were run:",
        f"{found} of {len(results)} were found. `make mutations` does it anew and writes this page;",
        "`tests/mutations/planted/` holds the faults. Where two guards cover each other, the fault takes both",
        "away. The seconds are those of building the code and of running the tests up to the first that failed.",
        "",
        "| fault | where | found by | seconds |",
        "|---|---|---|---:|",
    ]
    for mutation, found_by, unexpected, seconds in results:
        files = ", ".join(
            f"`{file}`" for file in dict.fromkeys(edit.file for edit in mutation.edits)
        )
        by = found_by if found_by == SURVIVED else f"`{found_by}`"
        lines.append(
            f"| {mutation.name} | {files} | {by}{' (not expected)' * unexpected} | {seconds:.0f} |"
        )
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutations", description=__doc__)
    parser.add_argument(
        "--report", type=pathlib.Path, help="where the table goes, if all are planted"
    )
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="WORDS",
        help="faults whose name has these words",
    )
    parser.add_argument(
        "--few", action="store_true", help="run no more than the tests that are to find a fault"
    )
    options = parser.parse_args()
    chosen = [
        mutation
        for mutation in MUTATIONS
        if not options.only or any(words in mutation.name for words in options.only)
    ]
    # All of them, before the first is built.
    for mutation in chosen:
        applied(mutation, ROOT)

    scratch = Scratch()
    print(f"{len(chosen)} faults; first, the tests that are to find them, without any", flush=True)
    check_without_faults(scratch, chosen)
    results, broken = [], []
    for mutation in chosen:
        begin = time.monotonic()
        before = scratch.plant(mutation)
        try:
            try:
                found_by, unexpected = find(scratch, mutation, options.few)
                # A test that nobody expected may have failed by chance. One that crashed or hung has no plain name.
                doubtful = unexpected and found_by != SURVIVED and found_by[-1].isalnum()
                if doubtful and not fails(scratch, found_by):
                    raise DoesNotApply(f"{found_by} failed once, and not again")
            finally:
                scratch.restore(before)
            if doubtful and fails(scratch, found_by):
                raise DoesNotApply(f"{found_by} fails without the fault, too")
        except (DoesNotApply, DoesNotBuild) as error:
            broken.append(f"{mutation.name}: {error}")
            print(f"{mutation.name}: {error}", flush=True)
            continue
        result = Result(mutation, found_by, unexpected, time.monotonic() - begin)
        results.append(result)
        print(f"{mutation.name}: {found_by} ({result.seconds:.0f} s)", flush=True)
    report = table(results)
    if options.report and not (options.only or options.few or broken):
        options.report.write_text(report)
    survived = [result.mutation.name for result in results if result.found_by == SURVIVED]
    for name in survived:
        print(f"found by no test: {name}")
    for reason in broken:
        print(f"no fault: {reason}")
    print(
        f"{len(results) - len(survived)} found, {len(survived)} not found, {len(broken)} could not be planted"
    )
    return 1 if survived or broken else 0


if __name__ == "__main__":
    sys.exit(main())
