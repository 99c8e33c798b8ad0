"""What a run counted and found, by all visitors and by the chaos."""

from __future__ import annotations

import collections
import dataclasses
import threading
import time
import typing as t

#: What must not happen, and how the report says it.
WRONGS = {
    "foreign": "foreign values read or stored",
    "back": "sessions brought back after log-out or regenerate",
    "lost": "acknowledged writes lost",
    "cookie": "wrongly sent cookies",
    "needless": "failures of views that ignore their session",
    "answer": "answers that are neither 200, 503 nor a failed save's 500",
    "worker": "worker processes that died",
    "recovery": "outages without recovery",
}
#: As many examples of what was wrong as anybody wants to read.
EXAMPLES = 40


@dataclasses.dataclass
class Outage:
    """One fault of the schedule, in seconds since the start of the run."""

    kind: str
    began: float
    ended: float = 0.0
    #: Seconds from its end to the first answer of a request that began after it and needed the store.
    recovered: float | None = None
    #: Seconds from its end to the last failure before the next one.
    last_failure: float = 0.0


class Findings:
    """Counts that threads share."""

    def __init__(self) -> None:
        self.start = time.monotonic()
        self.actions: collections.Counter[str] = collections.Counter()
        self.statuses: collections.Counter[str] = collections.Counter()
        self.faults: collections.Counter[str] = collections.Counter()
        self.wrongs: collections.Counter[str] = collections.Counter()
        self.checks: collections.Counter[str] = collections.Counter()
        self.examples: list[str] = []
        self.outages: list[Outage] = []
        self.workers: set[str] = set()
        self.longest = 0.0
        #: The server's name and version.
        self.server = ""
        #: Whose each session id is.
        self.sids: dict[str, int] = {}
        self._lock = threading.Lock()

    @property
    def now(self) -> float:
        """Seconds since the start of the run."""
        return time.monotonic() - self.start

    @property
    def operations(self) -> int:
        return sum(self.actions.values())

    def wrong(self, kind: str, what: str, count: int = 1) -> None:
        with self._lock:
            self.wrongs[kind] += count
            if len(self.examples) < EXAMPLES:
                self.examples.append(f"{self.now:.2f} s, {WRONGS[kind]}: {what}")

    def check(self, kind: str, count: int = 1) -> None:
        """Something was looked at that could have been wrong."""
        with self._lock:
            self.checks[kind] += count

    def answered(self, action: str, status: str, worker: str | None, began: float) -> None:
        now = self.now
        with self._lock:
            self.actions[action] += 1
            self.statuses[status] += 1
            if worker is not None:
                self.workers.add(worker)
            self.longest = max(self.longest, now - began)
            if not self.outages or not self.outages[-1].ended:
                return
            outage = self.outages[-1]
            if status == "200" and action != "untouched":
                if began > outage.ended and outage.recovered is None:
                    outage.recovered = now - outage.ended
            elif status != "200":
                outage.last_failure = max(outage.last_failure, now - outage.ended)

    def claim(self, sid: str, owner: int) -> bool:
        """Whether nobody had this session id before."""
        with self._lock:
            if sid in self.sids:
                return False
            self.sids[sid] = owner
            return True

    def failed(self) -> bool:
        return any(self.wrongs.values())

    def outages_of(self, kind: str) -> t.Iterator[Outage]:
        return (outage for outage in self.outages if outage.kind == kind)
