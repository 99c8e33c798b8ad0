"""What nobody reads is not decoded: seen from outside, through what a session refers to."""

import copy
import gc
import operator
from collections.abc import Callable
from typing import Any

import flask
import pytest
from flask.globals import request_ctx

from .clock import Clock
from .flavours import FLASK
from .flavours import Flavour
from .flavours import NATIVE
from .opened import DATA
from .opened import open_cookie
from .opened import token
from .test_session_object import READS
from .test_session_object import WRITES
from .views import session_app
from .visits import Visitor

MARKER = "a text that is nowhere else"
COOKIE = {"marker": MARKER, "a": 1, "text": "é"}
PERMANENT = {**COOKIE, "_permanent": True}


def loaded(session: Any) -> bool:
    """Whether the decoded data hangs on the session, found without calling any of its methods."""
    return MARKER in [o for o in gc.get_referents(session) if type(o) is str]


def test_the_probe_works() -> None:
    session = open_cookie(NATIVE, token(COOKIE))
    assert not loaded(session)
    assert session["marker"] == MARKER
    assert loaded(session)


@pytest.mark.parametrize(
    "use",
    [
        len, bool, iter, list, dict, repr, copy.copy, copy.deepcopy, reversed,
        lambda s: s == {}, lambda s: s != {}, lambda s: operator.eq({}, s), lambda s: s | {},
        lambda s: {} | s, lambda s: {**s}, lambda s: "x" in s, lambda s: s.get("x"),
        lambda s: s.keys(), lambda s: s.values(), lambda s: s.items(), lambda s: s.copy(),
        lambda s: s.pop("x", 0), lambda s: s.setdefault("a"), lambda s: s.update(),
        lambda s: s.popitem(), lambda s: s.permanent, lambda s: s.__setitem__("x", 1), lambda s: s.__delitem__("a"),
        lambda s: s.__ior__({}), lambda s: setattr(s, "accessed", True),
        lambda s: s.__reduce_ex__(2),
    ],
)  # fmt: skip
def test_each_use_loads(use: Callable[[Any], Any]) -> None:
    session = open_cookie(NATIVE, token(COOKIE))
    use(session)
    if use is not repr:
        assert loaded(session) or "marker" not in session
    assert dict(session).get("marker", MARKER) == MARKER


@pytest.mark.parametrize(
    "use",
    [
        lambda s: s.accessed,
        lambda s: s.modified,
        lambda s: s.new,
        type,
        id,
        lambda s: isinstance(s, dict),
        lambda s: setattr(s, "note", 1),
        lambda s: setattr(s, "accessed", False),
    ],
)
def test_what_needs_no_data_does_not_load(use: Callable[[Any], Any]) -> None:
    session = open_cookie(NATIVE, token(COOKIE))
    use(session)
    assert not loaded(session)
    assert dict(session) == COOKIE


def watched_app(**config: Any) -> tuple[flask.Flask, list[Any]]:
    """An application that keeps the sessions of its requests, without touching them."""
    app = session_app(NATIVE.interface(), **config)
    kept: list[Any] = []
    app.before_request(lambda: kept.append(request_ctx._session))
    return app, kept


@pytest.mark.parametrize("data", [COOKIE, PERMANENT])
@pytest.mark.parametrize("refresh", [True, False])
@pytest.mark.parametrize("path", ["/untouched", "/template_unused", "/fail_untouched", "/a/404"])
def test_an_untouched_request_decodes_nothing(
    data: dict[str, Any], refresh: bool, path: str
) -> None:
    app, kept = watched_app(SESSION_REFRESH_EACH_REQUEST=refresh)
    visitor = Visitor(app)
    visitor.jar["session"] = token(data)
    answer = visitor.get(path)
    assert [loaded(session) for session in kept] == [False]
    assert bool(answer.header("Set-Cookie")) == (refresh and data is PERMANENT)
    assert visitor.get("/read").body.count(MARKER) == 1
    assert loaded(kept[-1])


def test_clear_needs_no_data_either_way() -> None:
    """Whether `clear` loads first is free; what it leaves is not."""
    for name in ("clear", "clear and set"):
        session = open_cookie(NATIVE, token(COOKIE))
        WRITES[name](session)
        assert session.modified
        assert "marker" not in session


def test_loaded_once() -> None:
    """The objects handed out stay the same, so that nested changes are kept."""
    session = open_cookie(NATIVE, token(DATA))
    first = session["b"]
    session.accessed = True
    session.get("a")
    assert session["b"] is first
    assert READS["values"](session)[1] is first


def test_a_customised_session_is_lazy_or_right() -> None:
    """With Flask's own code behind it, the answers are the same."""
    app, _ = watched_app()
    app.json.sort_keys = False  # type: ignore[attr-defined]
    visitor = Visitor(app)
    visitor.jar["session"] = token(COOKIE)
    assert visitor.get("/untouched").header("Set-Cookie") == []
    assert MARKER in visitor.get("/read").body


def test_age_is_judged_at_the_first_use(flavour: Flavour, clock: Clock) -> None:
    """A session read late in a long request: Flask has judged its age when the request began."""
    app = session_app(flavour.interface(), PERMANENT_SESSION_LIFETIME=60)
    visitor = Visitor(app)
    visitor.jar["session"] = token(COOKIE)
    app.before_request(lambda: clock.advance(100))
    assert (MARKER in visitor.get("/read").body) == (flavour is FLASK)


def test_settings_stand_where_the_request_began(flavour: Flavour) -> None:
    """Keys, names and lifetimes that change under a request count from the next one on."""
    app = session_app(flavour.interface())

    def change() -> None:
        app.config.update(SECRET_KEY="another", PERMANENT_SESSION_LIFETIME=-5)
        app.config["SESSION_COOKIE_NAME"] = "another"

    app.before_request(change)
    visitor = Visitor(app)
    visitor.jar["session"] = token(COOKIE)
    assert MARKER in visitor.get("/read").body
    visitor.jar["another"] = visitor.jar["session"]
    assert visitor.get("/read").body == "dict{}"


def test_a_header_that_changes_under_the_request(flavour: Flavour) -> None:
    app = session_app(flavour.interface())

    def change() -> None:
        flask.request.environ["HTTP_COOKIE"] = "session=x"

    app.before_request(change)
    visitor = Visitor(app)
    visitor.jar["session"] = token(COOKIE)
    assert MARKER in visitor.get("/read").body


def test_a_proxy_of_the_request(flavour: Flavour) -> None:
    app = session_app(flavour.interface())
    with app.test_request_context("/", headers={"Cookie": f"session={token(COOKIE)}"}):
        assert flask.request.cookies["session"]
        session = app.session_interface.open_session(app, flask.request)
        assert session is not None
        assert dict(session) == COOKIE
