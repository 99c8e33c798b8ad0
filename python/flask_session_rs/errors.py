"""What goes wrong with a session store."""

from __future__ import annotations

from werkzeug.exceptions import ServiceUnavailable


class SessionStoreError(Exception):
    """The session store cannot be used: the base of every failure of a store.

    One that is caused by the configuration is a :exc:`ValueError` or a :exc:`TypeError`, too.

    :param reason: What went wrong and what may be done about it. It never holds a password, a session
        id or session data, and can be logged.
    """

    def __init__(self, reason: str = "the session store cannot be used") -> None:
        # Not handed on: an HTTP exception would show it on its page.
        super().__init__()
        self.args = (reason,)
        #: What went wrong and what may be done about it.
        self.reason = reason

    def __str__(self) -> str:
        return self.reason

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.reason!r})"


class SessionStoreUnavailable(SessionStoreError, ServiceUnavailable):
    """A session was used, and the store did not answer as it should: it refused, timed out, was cut off.

    Also a :exc:`werkzeug.exceptions.ServiceUnavailable`: unless the application handles it, the view
    that used the session is answered with 503. The page says nothing of the reason.
    """


class WrongURL(SessionStoreError, ValueError):
    """A URL that no session store can be made of."""


class UnsupportedClient(SessionStoreError, TypeError):
    """An object that no session store can be made of."""
