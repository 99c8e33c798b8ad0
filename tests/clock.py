"""Time that stands still, because cookies carry it: frozen for Flask's code and for ours alike."""

import time
from datetime import datetime
from datetime import tzinfo

import flask.sessions
import pytest

NOW = 1_700_000_000.7


class Clock:
    """The time that `time.time` and Flask's `datetime.now` tell, in seconds."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def time(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


def freeze(monkeypatch: pytest.MonkeyPatch, now: float = NOW) -> Clock:
    """Stop the clock until the test ends."""
    clock = Clock(now)

    class Frozen(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> "Frozen":
            return cls.fromtimestamp(clock.now, tz)

    monkeypatch.setattr(time, "time", clock.time)
    monkeypatch.setattr(flask.sessions, "datetime", Frozen)
    return clock
