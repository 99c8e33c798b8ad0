"""The views of the applications under test: each does one thing to its session."""

import copy
import json
import uuid
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import MutableMapping
from datetime import datetime
from datetime import timezone
from typing import Any

import flask
from flask import session
from flask.sessions import NullSession
from flask.sessions import SecureCookieSession
from flask.sessions import SessionInterface
from flask.sessions import SessionMixin
from markupsafe import Markup

from .describe import describe
from .visits import new_app

RICH = {
    "list": [1, 2.5, None, True, "ä \U0001f600 \x7f \u2028"],
    "nested": {"a": {"b": [{"c": (1, (2,))}]}},
    "tuple": (1, "two"),
    "bytes": b"\x00\xff",
    "markup": Markup("<b>&amp;</b>"),
    "uuid": uuid.UUID(int=5),
    "when": datetime(2024, 2, 29, 12, 30, 15, 999, timezone.utc),
    " t": "looks like a tag",
    "tagged": {" u": "looks like another"},
}
"""A value of every kind that the cookie keeps."""


def _current() -> Any:
    return session._get_current_object()  # type: ignore[attr-defined]


def read() -> str:
    return describe(dict(session))


def kind() -> str:
    kinds = (dict, MutableMapping, SessionMixin, SecureCookieSession, NullSession)
    current = _current()
    return f"{type(current).__name__} {[isinstance(current, kind) for kind in kinds]}"


def flags() -> str:
    return f"{session.modified} {session.accessed} {session.permanent} {session.new}"


def write() -> None:
    session["count"] = session.get("count", 0) + 1


def rich() -> None:
    session.update(copy.deepcopy(RICH))


def nested() -> None:
    session["list"].append("unnoticed")


def nested_marked() -> None:
    session["list"].append("noticed")
    session.modified = True


def permanent() -> None:
    session.permanent = True


def not_permanent() -> None:
    session.permanent = False


def pop() -> str:
    return describe(session.pop("count"))


def pop_missing() -> str:
    return describe(session.pop("nothing", "a default"))


def delete_missing() -> None:
    del session["nothing"]


def delete() -> None:
    del session["count"]


def only_permanent() -> None:
    session.clear()
    session["_permanent"] = True


def write_and_empty() -> None:
    session["count"] = 1
    session.clear()


def update_nothing() -> None:
    session.update()


def update_in_place() -> None:
    flask.g.same = _current()
    flask.g.same |= {"or": [1]}


def set_default() -> str:
    return describe([session.setdefault("new", 1), session.setdefault("new", 2)])


def set_default_again() -> str:
    return describe(session.setdefault("new", 3))


def pop_item() -> str:
    return describe(session.popitem())


def unmodified() -> None:
    session["forgotten"] = 1
    session.modified = False


def modified() -> None:
    session.modified = True


def unaccessed() -> None:
    session["count"] = 1
    session.accessed = False


def wrong() -> None:
    session["set"] = {1, 2}


def wrong_keys() -> None:
    session["keys"] = {1: 1, "2": 2}


def fail() -> None:
    session["failed"] = True
    raise RuntimeError("as intended")


def fail_untouched() -> None:
    raise RuntimeError("as intended")


def not_found() -> None:
    session["missing"] = True
    flask.abort(404)


def flash() -> None:
    flask.flash("a <message>")
    flask.flash("another", "error")


def flashed() -> str:
    return describe(flask.get_flashed_messages(with_categories=True))


def template() -> str:
    text = "{{ session.count }} {{ session['count'] }} {% for k in session %}{{ k }};{% endfor %}"
    return flask.render_template_string(text)


def template_unused() -> str:
    return flask.render_template_string("nothing of it")


def big() -> None:
    session["big"] = "".join(f"{i:x}" for i in range(2000))


def huge() -> None:
    session["huge"] = [str(i) for i in range(20_000)]


def vary() -> flask.Response:
    response = flask.Response(str(len(session)))
    response.vary.update(["Accept-Encoding", "Accept"])
    return response


def vary_star() -> flask.Response:
    response = flask.Response(str(len(session)))
    response.headers["Vary"] = "*"
    return response


def vary_cookie() -> flask.Response:
    response = flask.Response(str(len(session)))
    response.headers.add("Vary", "cookie, X-A")
    response.headers.add("Vary", "X-B")
    return response


def other_cookies() -> flask.Response:
    session["count"] = 1
    response = flask.Response("cookies")
    response.set_cookie("before", "1")
    response.headers.add("X-Last", "1")
    return response


def stream() -> flask.Response:
    def generate() -> Iterator[str]:
        yield "streamed "
        yield describe(dict(session))
        session["too late"] = 1

    session["in time"] = 1
    return flask.Response(flask.stream_with_context(generate()))


def as_json() -> flask.Response:
    current = _current()
    return flask.jsonify([json.dumps({k: str(v) for k, v in current.items()}), len(current)])


def untouched() -> str:
    return "untouched"


VIEWS: dict[str, Callable[[], Any]] = {
    view.__name__: view
    for view in (
        read, kind, flags, write, rich, nested, nested_marked, permanent, not_permanent, pop,
        pop_missing, delete_missing, delete, only_permanent, write_and_empty, update_nothing,
        update_in_place, set_default, set_default_again, pop_item, unmodified, modified,
        unaccessed, wrong, wrong_keys, fail, fail_untouched, not_found, flash, flashed, template,
        template_unused, big, huge, vary, vary_star, vary_cookie, other_cookies, stream, as_json,
        untouched,
    )
}  # fmt: skip


def _answer(name: str) -> Any:
    result = VIEWS[name]()
    return "done" if result is None else result


def session_app(interface: SessionInterface | None, /, **config: Any) -> flask.Flask:
    """An application with all the views, each at its name."""
    app = new_app(interface, **config)
    add_views(app)
    return app


def add_views(app: flask.Flask) -> None:
    """The views, for an application of another class."""
    app.add_url_rule("/<name>", "named", _answer)


LIFE = (
    "/untouched", "/flags", "/read", "/write", "/untouched", "/read", "/template", "/rich",
    "/read", "/nested", "/read", "/nested_marked", "/read", "/pop_missing", "/delete_missing",
    "/set_default", "/set_default_again", "/permanent", "/untouched", "/template_unused",
    "/flags", "/read", "/flash", "/flashed", "/flashed", "/fail", "/fail_untouched",
    "/not_found", "/wrong", "/wrong_keys", "/read", "/vary", "/vary_star", "/vary_cookie",
    "/other_cookies", "/stream", "/as_json", "/update_nothing", "/update_in_place", "/pop_item",
    "/unmodified", "/read", "/modified", "/not_permanent", "/untouched", "/read", "/pop",
    "/only_permanent", "/untouched", "/read", "/write_and_empty", "/untouched", "/write",
    "/delete", "/read", "/unaccessed", "/untouched",
)  # fmt: skip
"""A life of a session, from nothing to nothing, through every view that fits in a cookie."""
