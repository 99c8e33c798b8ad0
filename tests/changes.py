"""Ways to change a session that it does not hear of, or is told to forget."""

from collections.abc import Callable
from typing import Any


def marked_back(session: Any) -> None:
    session["a"] = 2
    session.modified = False


CHANGES: dict[str, Callable[[Any], object]] = {
    "nothing": lambda session: None,
    "the same again": lambda session: dict.__setitem__(session, "a", session["a"]),
    "an item": lambda session: dict.__setitem__(session, "a", 2),
    "a new item": lambda session: dict.update(session, b=2),
    "no item any longer": lambda session: dict.pop(session, "a"),
    "nothing left": dict.clear,
    "other items": lambda session: (dict.clear(session), dict.update(session, _permanent=True)),
    "inside an item": lambda session: session["list"].append(2),
    "inside and back": lambda session: (session["list"].append(2), session["list"].pop()),
    "marked back": marked_back,
}
"""By what they do to a session that holds `a`, and a list where they look inside."""
