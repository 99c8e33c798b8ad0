"""One session object that is saved twice in one request, as Flask does where something fails after the view."""

from __future__ import annotations

import typing as t

import flask
import pytest
from flask import session

from . import steps
from .flavours import Flavour
from .server import RedisServer
from .steps import begin
from .steps import request
from .steps import Store
from .steps import told
from .steps import under_way


@pytest.fixture
def store(server: RedisServer) -> Store:
    return Store(server.client)


@pytest.fixture(params=[True, False], ids=["refresh", "no refresh"])
def app(native: Flavour, server: RedisServer, request: pytest.FixtureRequest) -> flask.Flask:
    return steps.new_app(native, server.unix_url(), SESSION_REFRESH_EACH_REQUEST=request.param)


def test_the_second_save_has_nothing_to_do(
    app: flask.Flask, store: Store, server: RedisServer
) -> None:
    sid = begin(app, a=1)
    steps_ = under_way(app, sid, lambda s: s.update(b=2))
    assert told(steps_.save()) == ("set", sid)
    before = store.raw()
    with server.commands() as sent:
        assert told(steps_.save()) == ("set", sid)
        # It was modified: whether its record is still there may be asked.
        assert set(sent.names()) <= {"GETEX"}
    assert store.raw() == before
    steps_.close()


def test_a_change_in_between_is_saved(app: flask.Flask, store: Store) -> None:
    sid = begin(app, a=1)
    steps_ = under_way(app, sid, lambda s: s.update(b=2))
    steps_.save()
    steps_.use(lambda s: (s.pop("a"), s.update(c=3)))
    assert told(steps_.save()) == ("set", sid)
    assert store.get(sid) == {"b": 2, "c": 3}
    steps_.close()


def test_what_was_merged_is_kept(app: flask.Flask, store: Store) -> None:
    """The record has keys by then that this session object never held: they are not removed by it."""
    sid = begin(app, a=1)
    steps_ = under_way(app, sid, lambda s: s.update(b=2))
    request(app, sid, lambda s: s.update(others=5))
    steps_.save()
    assert store.get(sid) == {"a": 1, "b": 2, "others": 5}
    steps_.use(lambda s: s.update(c=3))
    steps_.save()
    assert store.get(sid) == {"a": 1, "b": 2, "others": 5, "c": 3}
    # And what others do to them meanwhile is left to them.
    request(app, sid, lambda s: (s.pop("others"), s.update(more=6)))
    steps_.use(lambda s: s.update(d=4))
    steps_.save()
    assert store.get(sid) == {"a": 1, "b": 2, "c": 3, "d": 4, "more": 6}
    steps_.close()


def test_the_same_key_of_another_request_is_not_set_back(app: flask.Flask, store: Store) -> None:
    sid = begin(app, a=1, mine=0)
    steps_ = under_way(app, sid, lambda s: s.update(mine=1))
    request(app, sid, lambda s: s.update(a=2))
    steps_.save()
    steps_.use(lambda s: s.update(mine=2))
    steps_.save()
    assert store.get(sid) == {"a": 2, "mine": 2}
    steps_.close()


def test_a_new_session_keeps_its_id(app: flask.Flask, store: Store) -> None:
    steps_ = under_way(app, None, lambda s: s.update(a=1))
    said = told(steps_.save())
    steps_.use(lambda s: s.update(b=2))
    assert told(steps_.save()) == said
    assert store.all() == {said[1]: {"a": 1, "b": 2}}
    assert steps_.session.sid == said[1]
    assert not steps_.session.new
    steps_.close()


def test_a_new_session_that_another_request_has_ended_already(
    app: flask.Flask, store: Store
) -> None:
    steps_ = under_way(app, None, lambda s: s.update(a=1))
    said = told(steps_.save())
    store.drop(said[1])
    steps_.use(lambda s: s.update(b=2))
    assert told(steps_.save()) == "left alone"
    assert store.all() == {}
    steps_.close()


def test_a_regenerated_session_stays_under_its_new_id(app: flask.Flask, store: Store) -> None:
    sid = begin(app, a=1)
    steps_ = under_way(app, sid, steps.regenerate)
    said = told(steps_.save())
    steps_.use(lambda s: s.update(b=2))
    assert told(steps_.save()) == said
    assert store.all() == {said[1]: {"a": 1, "b": 2}}
    assert said[1] != sid
    steps_.close()


def test_an_ended_session_stays_ended(app: flask.Flask, store: Store) -> None:
    sid = begin(app, a=1)
    steps_ = under_way(app, sid, lambda s: s.update(b=2))
    request(app, sid, lambda s: s.clear())
    assert told(steps_.save()) == "left alone"
    steps_.use(lambda s: s.update(c=3))
    assert told(steps_.save()) == "left alone"
    steps_.use(lambda s: s.clear())
    assert told(steps_.save()) == "left alone"
    assert store.all() == {}
    steps_.close()


def test_a_session_cleared_at_the_first(app: flask.Flask, store: Store) -> None:
    sid = begin(app, a=1)
    steps_ = under_way(app, sid, lambda s: s.clear())
    assert told(steps_.save()) == "deleted"
    assert told(steps_.save()) == "deleted"
    assert store.all() == {}
    # What is put in then is a new session's.
    steps_.use(lambda s: s.update(error="seen"))
    said = told(steps_.save())
    assert said[0] == "set"
    assert said[1] != sid
    assert store.all() == {said[1]: {"error": "seen"}}
    steps_.close()


def test_a_session_cleared_and_filled_at_the_first(app: flask.Flask, store: Store) -> None:
    """The second save is a change like any other: what others added since then stays."""
    sid = begin(app, a=1)
    steps_ = under_way(app, sid, lambda s: (s.clear(), s.update(user="bob")))
    steps_.save()
    request(app, sid, lambda s: s.update(others=5))
    steps_.use(lambda s: s.update(c=3))
    steps_.save()
    assert store.get(sid) == {"user": "bob", "others": 5, "c": 3}
    steps_.close()


@pytest.fixture
def failing(app: flask.Flask, monkeypatch: pytest.MonkeyPatch) -> flask.Flask:
    app.config["PROPAGATE_EXCEPTIONS"] = False
    monkeypatch.setattr(app.logger, "disabled", True)

    @app.get("/fail")
    def fail() -> str:
        session["in the view"] = 1
        raise ZeroDivisionError

    @app.errorhandler(500)
    def page(error: Exception) -> tuple[str, int]:
        session["on the page"] = session.get("on the page", 0) + 1
        return "failed", 500

    app.add_url_rule("/set", "set", lambda: session.update(set=1) or "")
    yielded: t.Any = app
    return t.cast(flask.Flask, yielded)


def get(app: flask.Flask, sid: str, path: str) -> t.Any:
    client = app.test_client()
    client.set_cookie("session", sid)
    return client.get(path)


def test_a_view_that_fails_and_a_page_that_says_so(failing: flask.Flask, store: Store) -> None:
    sid = begin(failing, a=1)
    assert get(failing, sid, "/fail").status_code == 500
    assert store.get(sid) == {"a": 1, "in the view": 1, "on the page": 1}


def test_a_failure_after_the_save(failing: flask.Flask, store: Store) -> None:
    """Whoever is told of the end of a request fails: Flask makes an error page, and saves again."""
    sid = begin(failing, a=1)

    def fail(sender: object, **more: object) -> None:
        raise ZeroDivisionError

    with flask.request_finished.connected_to(fail, failing):
        response = get(failing, sid, "/set")
    assert response.status_code == 500
    assert store.get(sid) == {"a": 1, "set": 1, "on the page": 1}


def test_a_failure_while_saving(failing: flask.Flask, store: Store) -> None:
    """What cannot be encoded: the record stays as it was, and the page is sent without a cookie."""
    sid = begin(failing, a=1)
    failing.add_url_rule("/odd", "odd", lambda: session.update(odd=object()) or "")
    before = store.raw()
    response = get(failing, sid, "/odd")
    assert response.status_code == 500
    assert "Set-Cookie" not in response.headers
    assert store.raw() == before
    assert get(failing, sid, "/set").status_code == 200
    assert store.get(sid) == {"a": 1, "set": 1}
