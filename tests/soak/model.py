"""What a session may hold, seen from its visitor: what was acknowledged, and what may have been written or not."""

from __future__ import annotations

import typing as t

#: The number of the write that a key's value is from; None where there is no such key.
Value = int | None
#: What a request writes.
Effects = t.Mapping[str, Value]
#: What a request found: keys, and the numbers of the writes they are from.
Seen = t.Mapping[str, int]


class Held:
    """The keys of one session.

    A write of which no acknowledgement came is open: it was done, was not done, or is still on its way to
    the server, which may have been stopped or cut off. A write is a compare-and-set, so none that is
    under way can come after a later one that was acknowledged: what a request finds that began after
    that, decides it.
    """

    def __init__(self, sid: str, number: int, content: Effects) -> None:
        self.sid = sid
        self.settled: dict[str, Value] = dict(content)
        self.open: dict[str, list[tuple[int, Value]]] = {}
        #: The last write that was acknowledged.
        self.acknowledged = number

    def allowed(self, key: str) -> set[Value]:
        return {self.settled.get(key), *(value for _, value in self.open.get(key, ()))}

    def wrong(self, seen: Seen) -> list[str]:
        """Each key that holds what it cannot hold."""
        return [
            f"{key} holds {seen.get(key)}, not one of {sorted(map(str, self.allowed(key)))}"
            for key in sorted({*self.settled, *self.open, *seen})
            if seen.get(key) not in self.allowed(key)
        ]

    def settle(self, seen: Seen) -> None:
        """Learn from what a request found that was alone, and began after the last acknowledgement."""
        for key, writes in list(self.open.items()):
            value = seen.get(key)
            found = [number for number, written in writes if written == value]
            if value != self.settled.get(key):
                self.settled[key] = value
                # An older write can no longer come; a newer one, which was based on it, can.
                writes = [write for write in writes if found and write[0] > found[-1]]
            writes = [write for write in writes if write[0] > self.acknowledged]
            self.open[key] = writes
            if not writes:
                del self.open[key]

    def acknowledge(self, number: int, effects: Effects, since: int | None = None) -> None:
        """A write was acknowledged. `since`: the first number of those that were sent together."""
        for key, value in effects.items():
            self.settled[key] = value
            self.open.pop(key, None)
        self.acknowledged = max(self.acknowledged, number if since is None else since - 1)

    def doubt(self, number: int, effects: Effects) -> None:
        """A write failed in a way that does not tell whether it was done."""
        for key, value in effects.items():
            self.open.setdefault(key, []).append((number, value))

    def moved(self, sid: str) -> Held:
        """The same session under a new id."""
        moved = Held(sid, self.acknowledged, self.settled)
        moved.open = {key: list(writes) for key, writes in self.open.items()}
        return moved
