"""The session classes that applications see: native dicts that are also Flask's own classes."""

from __future__ import annotations

import flask.sessions

from . import _native


class SecureCookieSession(_native.Session, flask.sessions.SecureCookieSession):
    """A session in a signed cookie: a dict that is filled when it is first used.

    It behaves as :class:`flask.sessions.SecureCookieSession`, which it also is an instance of: item
    assignment, deletion, ``clear``, ``update``, ``popitem``, ``|=``, ``setdefault`` of a new key and
    ``pop`` of a present one set :attr:`modified`; a change inside a nested object does not.

    Two things differ. It can be pickled. And its ``repr`` says how many keys there are, not what
    they hold, since a ``repr`` ends up in logs and error reports: ``dict(session)`` shows it all.
    """
