"""What has to come of requests that run at the same time, in plain Python: the oracle of the interleavings.

It follows the promises, not the code: sessions live under ids, a request sees the session as it was when it
used it, and what it changed is done to the session as it is when it is saved.
"""

from __future__ import annotations

import itertools
import typing as t

Data = dict[str, t.Any]
Action = t.Literal["ignore", "read", "write", "log in", "log out", "regenerate", "pop", "refill"]

ACTIONS: tuple[Action, ...] = t.get_args(Action)

#: What the browser is told: nothing, a deletion, or the id of this number.
Said = t.Literal["left alone", "deleted"] | int


class Request:
    """One request: what it saw, and what it made of that."""

    def __init__(self, name: str, action: Action) -> None:
        self.name = name
        self.action = action
        #: What it saw when it used its session; None where there was none.
        self.base: Data | None = None
        self.data: Data = {}

    def own(self) -> Data:
        """What this request writes under keys of its own."""
        return {f"by {self.name}": self.name}


class Model:
    """The sessions, by numbers in place of ids; every request's cookie names number 0."""

    def __init__(self, start: Data, *, refresh: bool) -> None:
        self.sessions: dict[int, Data] = {0: dict(start)}
        self._numbers = itertools.count(1)
        self._refresh = refresh

    def use(self, request: Request) -> None:
        if request.action == "ignore":
            return
        found = self.sessions.get(0)
        request.base = None if found is None else dict(found)
        data = dict(found or {})
        if request.action == "write":
            data.update(request.own())
        elif request.action == "log in" or request.action == "refill":
            data = {"user": request.name}
        elif request.action in ("log out", "pop"):
            data = {}
        request.data = data

    def save(self, request: Request) -> Said:
        action, base = request.action, request.base
        if action == "ignore":
            return 0 if self._refresh and 0 in self.sessions else "left alone"
        if base is None:
            return self._save_new(request)
        if action == "read":
            # The one exception: it may carry an id that has ended meanwhile.
            return 0 if self._refresh else "left alone"
        now = self.sessions.get(0)
        if now is None:
            # Ended while this request was under way: nothing is written, nothing is said.
            return "left alone"
        if action == "log out":
            del self.sessions[0]
            return "deleted"
        if action in ("log in", "refill"):
            return self._put(request.data, 0 if action == "refill" else next(self._numbers))
        merged = {
            key: value for key, value in now.items() if key in request.data or key not in base
        }
        merged.update({k: v for k, v in request.data.items() if k not in base})
        if action == "pop":
            if merged:
                self.sessions[0] = merged
                return "left alone"
            del self.sessions[0]
            return "deleted"
        return self._put(merged, 0 if action == "write" else next(self._numbers))

    def _put(self, data: Data, number: int) -> Said:
        del self.sessions[0]
        self.sessions[number] = data
        return number

    def _save_new(self, request: Request) -> Said:
        """Its cookie named nothing when it was used: it begins a session of its own, or none."""
        if request.data:
            number = next(self._numbers)
            self.sessions[number] = request.data
            return number
        # Emptied, though empty before: as Flask-Session has it.
        return "deleted" if request.action == "log out" else "left alone"
