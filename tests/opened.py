"""Sessions in each state that a reader may find them in: made, opened, read, used, changed."""

import copy
import functools
import uuid
from collections.abc import Callable
from datetime import datetime
from datetime import timezone
from typing import Any

import flask
from flask.sessions import SecureCookieSession
from markupsafe import Markup

from .flavours import FLASK
from .flavours import Flavour
from .visits import new_app

DATA: dict[str, Any] = {
    "a": 1,
    "b": [1, 2, {"c": (3, 4)}],
    "html": Markup("<b>"),
    "n": None,
    "text": "é",
    "user": uuid.UUID(int=7),
    "when": datetime(2024, 1, 2, 3, 4, 5, tzinfo=timezone.utc),
}
"""In the order in which JSON keeps it, so that every state has the same order."""


@functools.cache
def shared_app(flavour: Flavour) -> flask.Flask:
    """One application for all that needs nothing special of it."""
    return new_app(flavour.interface())


def token(data: dict[str, Any]) -> str:
    """The cookie that Flask writes for the data."""
    app = shared_app(FLASK)
    with app.app_context():
        serializer = app.session_interface.get_signing_serializer(app)  # type: ignore[attr-defined]
        text: str = serializer.dumps(data)
        return text


def open_cookie(flavour: Flavour, cookie: str, **attributes: Any) -> SecureCookieSession:
    """What `open_session` returns for a cookie, before anyone touched it."""
    app = new_app(flavour.interface(**attributes)) if attributes else shared_app(flavour)
    with app.test_request_context("/", headers={"Cookie": f"session={cookie}"}) as context:
        # The request itself: a proxy of it is none that native code knows.
        session = app.session_interface.open_session(app, context.request)
    assert isinstance(session, flavour.session_class)
    return session


def made(flavour: Flavour, data: dict[str, Any]) -> SecureCookieSession:
    """Made by calling the class."""
    return flavour.session_class(copy.deepcopy(data))


def opened(flavour: Flavour, data: dict[str, Any]) -> SecureCookieSession:
    """Just opened: ours has not loaded its data."""
    return open_cookie(flavour, token(data))


def accessed(flavour: Flavour, data: dict[str, Any]) -> SecureCookieSession:
    """Opened and handed out by the request context."""
    session = opened(flavour, data)
    session.accessed = True
    return session


def read(flavour: Flavour, data: dict[str, Any]) -> SecureCookieSession:
    """Opened and read behind the context's back."""
    session = opened(flavour, data)
    session.get("a")
    return session


def saved(flavour: Flavour, data: dict[str, Any]) -> SecureCookieSession:
    """Opened and marked as saved."""
    session = opened(flavour, data)
    session.modified = False
    return session


STATES: tuple[Callable[[Flavour, dict[str, Any]], SecureCookieSession], ...] = (
    made, opened, accessed, read, saved,
)  # fmt: skip


class OwnModified:
    """Comes before a session class, and keeps `modified` in its own way."""

    @property
    def modified(self) -> bool:
        return bool(getattr(self, "marked", False))

    @modified.setter
    def modified(self, value: bool) -> None:
        self.marked = value
