"""The applications whose sessions are in Redis: one thing for each view to do, and ways to look at what came of it."""

from __future__ import annotations

import time
import typing as t

import flask
import msgspec
from flask import session

from ..describe import describe
from ..views import add_views
from ..visits import Answer
from ..visits import Visitor
from .flavours import Flavour
from .server import RedisServer

PREFIX = "session:"
LIFETIME = 31 * 24 * 60 * 60
#: The cookie's name in every application here, unless a test sets another.
COOKIE = "session"


def stored_app(
    flavour: Flavour,
    client: object,
    /,
    options: t.Mapping[str, t.Any] | None = None,
    **config: t.Any,
) -> flask.Flask:
    """An application with the views of the cookie's tests, and with those below."""
    app = flavour.app(client, options=options, **config)
    app.add_url_rule("/set/<key>/<int:value>", view_func=set_key)
    app.add_url_rule("/drop/<key>", view_func=drop_key)
    app.add_url_rule("/append/<int:value>", view_func=append)
    app.add_url_rule("/login/<user>", view_func=login)
    app.add_url_rule("/logout", view_func=logout)
    app.add_url_rule("/regenerate", view_func=regenerate)
    app.add_url_rule("/marks", view_func=marks)
    app.add_url_rule("/types", view_func=types)
    app.add_url_rule("/slow/<key>/<float:seconds>", view_func=slow)
    app.add_url_rule("/fill/<int:size>/<letter>", view_func=fill)
    add_views(app)
    return app


def set_key(key: str, value: int) -> str:
    session[key] = value
    return "done"


def drop_key(key: str) -> str:
    session.pop(key, None)
    return "done"


def append(value: int) -> str:
    """A nested change, which `modified` does not see."""
    if "cart" in session:
        session["cart"].append(value)
    else:
        session["cart"] = [value]
    return "done"


def login(user: str) -> str:
    """The usual way: nothing of the visitor before is left."""
    session.clear()
    session["user"] = user
    return "done"


def logout() -> str:
    session.clear()
    return "done"


def regenerate() -> str:
    interface: t.Any = flask.current_app.session_interface
    interface.regenerate(session)
    return "done"


def marks() -> str:
    return f"{session.modified} {session.accessed} {session.permanent}"


def types() -> str:
    """Values that come back as lists."""
    session.update(a=(1, 2), b={3}, c=1.5, d=b"\x00", e={"f": (1,)})
    return "done"


def slow(key: str, seconds: float) -> str:
    """Loads, takes its time, and writes."""
    session[key] = len(session)
    time.sleep(seconds)
    return "done"


def fill(size: int, letter: str) -> str:
    session["filling"] = letter * size
    return "done"


# What came of it.


def sid_of(visitor: Visitor) -> str:
    """The id in the visitor's cookie, which is not signed."""
    return visitor.jar[COOKIE]


def key_of(visitor: Visitor) -> str:
    return PREFIX + sid_of(visitor)


def record_of(server: RedisServer, visitor: Visitor) -> dict[str, t.Any] | None:
    """What is stored for a visitor, in either format."""
    record: t.Any = server.client.get(key_of(visitor))
    return None if record is None else decode(record)


def decode(record: bytes) -> dict[str, t.Any]:
    """A record, as Flask-Session reads it."""
    found: dict[str, t.Any]
    try:
        found = msgspec.msgpack.decode(record)
    except msgspec.DecodeError:
        found = msgspec.json.decode(record)
    return found


def content(visitor: Visitor) -> str:
    """What the application finds in the visitor's session."""
    answer = visitor.get("/read")
    assert answer.status == "200 OK", answer
    return answer.body


def shown(**session: t.Any) -> str:
    """What `content` says of a session that holds this."""
    return describe(session)


def set_cookies(answer: Answer) -> list[str]:
    return answer.header("Set-Cookie")


def attributes(answer: Answer) -> list[str]:
    """The attributes of the one cookie that an answer sets, without name and value."""
    (line,) = set_cookies(answer)
    return line.split("; ")[1:]


def user_with(app: flask.Flask, *paths: str) -> Visitor:
    """A visitor who has been to these pages."""
    visitor = Visitor(app)
    for path in paths:
        answer = visitor.get(path)
        assert answer.status == "200 OK", answer
    return visitor


def same_user(app: flask.Flask, visitor: Visitor) -> Visitor:
    """The same browser in front of another application, or of the same one once more."""
    other = Visitor(app)
    other.jar = visitor.jar
    return other
