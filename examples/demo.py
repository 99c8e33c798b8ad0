"""`make demo`: visits the shop over HTTP, checks what its sessions do, and shows what they cost."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import version

from tour.redis_sessions import redis_sessions
from tour.report import Report
from tour.request_times import request_times
from tour.signed_cookies import signed_cookies

PARTS = (signed_cookies, request_times, redis_sessions)


def main() -> int:
    print(
        f"flask-session-rs {version('flask-session-rs')}"
        f" with Flask {version('flask')} on Python {platform.python_version()}"
    )
    report = Report()
    for part in PARTS:
        part(report)
    return report.close()


if __name__ == "__main__":
    sys.exit(main())
