"""`make soak`: a run of so many minutes, its report, and exit status 1 if anything was wrong."""

from __future__ import annotations

import argparse
import random
import signal
import sys
from pathlib import Path

from .report import text
from .run import run


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0, help="default: %(default)s")
    parser.add_argument("--seed", type=int, help="of the schedule (default: drawn)")
    parser.add_argument("--report", type=Path, help="write the report to this file, too")
    options = parser.parse_args()
    # What was started ends with this process; a shell that starts it in the background has it ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    seed = random.randrange(1 << 31) if options.seed is None else options.seed
    print(f"{options.minutes:g} minutes, seed {seed}", flush=True)
    findings = run(options.minutes * 60, seed)
    report = text(findings, options.minutes * 60, seed)
    print(report)
    if options.report is not None:
        options.report.write_text(report, encoding="utf-8")
    return 1 if findings.failed() else 0


if __name__ == "__main__":
    sys.exit(main())
