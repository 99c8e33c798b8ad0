"""The session classes that applications see: native dicts that are also Flask's own classes."""

from __future__ import annotations

import typing as t

import flask.sessions

from . import _native

if t.TYPE_CHECKING:
    from flask.sessions import SessionMixin


def set_modified(session: SessionMixin) -> None:
    """What follows a change of a session's own items, unless its ``on_update`` is set to something else."""
    session.modified = True


class SecureCookieSession(_native.Session, flask.sessions.SecureCookieSession):
    """A session in a signed cookie: a dict that is filled when it is first used.

    It behaves as :class:`flask.sessions.SecureCookieSession`, which it also is an instance of: item
    assignment, deletion, ``clear``, ``update``, ``popitem``, ``|=``, ``setdefault`` of a new key and
    ``pop`` of a present one set :attr:`modified`; a change inside a nested object does not.

    Two things differ. It can be pickled. And its ``repr`` says how many keys there are, not what
    they hold, since a ``repr`` ends up in logs and error reports: ``dict(session)`` shows it all.
    """

    def __init_subclass__(cls, **kwargs: t.Any) -> None:
        """Give a subclass dict's own ``__iter__`` back, unless it has one of its own.

        ``dict(session)`` then copies the items as they are, as it does for a subclass of Flask's
        class, and does not ask an overridden ``__getitem__`` for each. Only this class itself is
        ever filled late, and needs the native one.
        """
        super().__init_subclass__(**kwargs)
        if cls.__iter__ is _native.Session.__iter__:
            cls.__iter__ = dict.__iter__  # type: ignore[method-assign]


# Flask's `new` is a plain attribute; ours has to be asked for.
class RedisSession(_native.RedisSession, flask.sessions.SecureCookieSession):  # type: ignore[override]
    """A session in Redis: a dict that asks for its record when it is first used.

    It behaves as :class:`SecureCookieSession` does, and as the sessions of Flask-Session do where
    those differ: one that holds nothing but ``_permanent`` counts as empty, and :meth:`clear` leaves
    ``_permanent`` alone.
    """
