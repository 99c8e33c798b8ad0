"""The session object, as Flask-Session's `ServerSideSession` where that is promised; and what is its own."""

from __future__ import annotations

import copy
import json
import pickle
import typing as t

import flask
import pytest
from flask.sessions import SecureCookieSession
from flask.sessions import SessionMixin

from flask_session_rs import RedisSession

from . import steps
from .flavours import FLASK_SESSION
from .flavours import Flavour
from .flavours import NATIVE
from .server import RedisServer
from .steps import begin
from .steps import InSteps
from .steps import request
from .steps import Store
from .steps import told
from .steps import Use

DATA: dict[str, t.Any] = {"a": 1, "nested": {"list": [1, 2]}}


@pytest.fixture
def app(flavour: Flavour, server: RedisServer) -> flask.Flask:
    return steps.new_app(flavour, server.unix_url())


@pytest.fixture
def ours(native: Flavour, server: RedisServer) -> flask.Flask:
    return steps.new_app(native, server.unix_url())


def opened(app: flask.Flask, sid: str | None) -> t.Any:
    """A session that the context has not handed out: of ours, not loaded."""
    steps_ = InSteps(app, sid)
    steps_.open()
    session = steps_._context.run(lambda: flask.globals.request_ctx._session)
    steps_.close()
    return session


class TestOnBoth:
    """The same answers from Flask-Session's class and from ours."""

    def test_new_ones(self, app: flask.Flask) -> None:
        session = opened(app, None)
        assert not session
        assert session == {"_permanent": True}
        assert session.permanent is True
        assert session.modified is False
        assert len(session.sid) == 43

    def test_truth(self, app: flask.Flask) -> None:
        session = opened(app, None)
        session["a"] = 1
        assert session
        del session["a"]
        assert not session
        session.permanent = False
        assert not session
        del session["_permanent"]
        assert not session
        session["b"] = None
        assert session

    def test_clear_leaves_permanent_alone(self, app: flask.Flask) -> None:
        for permanent in (True, False):
            session = opened(app, None)
            session.update(a=1, _permanent=permanent)
            session.clear()
            assert session == {"_permanent": permanent}
            assert session.permanent is permanent
            assert session.modified is True

    def test_the_id(self, app: flask.Flask) -> None:
        sid = begin(app, a=1)
        session = opened(app, sid)
        assert session.sid == sid
        assert opened(app, "x" * 43).sid != "x" * 43

    def test_permanent(self, app: flask.Flask, server: RedisServer) -> None:
        sid = begin(app, a=1)
        request(app, sid, lambda s: setattr(s, "permanent", False))
        assert opened(app, sid).permanent is False
        response = request(app, sid, lambda s: s.update(b=1))
        assert "Expires" not in response.headers["Set-Cookie"]

    def test_not_permanent_from_the_start(self, flavour: Flavour, server: RedisServer) -> None:
        app = steps.new_app(flavour, server.unix_url(), permanent=False)
        session = opened(app, None)
        assert session.permanent is False
        assert not session

    def test_regenerate_through_the_interface(self, app: flask.Flask, server: RedisServer) -> None:
        sid = begin(app, **DATA)
        said = told(request(app, sid, steps.regenerate))
        assert said[1] != sid
        assert Store(server.client).all() == {said[1]: DATA}

    def test_regenerate_of_an_empty_one_does_nothing(
        self, app: flask.Flask, server: RedisServer
    ) -> None:
        assert told(request(app, None, steps.regenerate)) == "left alone"
        assert server.records() == {}

    def test_marks(self, app: flask.Flask) -> None:
        """What sets `modified`, and what does not."""
        sid = begin(app, **DATA)
        uses: list[tuple[steps.Use, bool]] = [
            (lambda s: s.get("a"), False),
            (lambda s: s.pop("missing", None), False),
            (lambda s: s.setdefault("a", 2), False),
            (lambda s: s.update(), True),
            (lambda s: s.pop("a"), True),
            (lambda s: s.popitem(), True),
            (lambda s: s.setdefault("b", 2), True),
            (lambda s: s.clear(), True),
        ]
        for use, modified in uses:
            session = opened(app, sid)
            use(session)
            assert session.modified is modified

    @pytest.mark.parametrize("refresh", [True, False])
    def test_a_new_session_that_is_not_marked(
        self, flavour: Flavour, server: RedisServer, refresh: bool
    ) -> None:
        """Begun where every response refreshes its cookie; else it is not, by either."""

        def use(session: t.Any) -> None:
            session["a"] = 1
            session.modified = False

        app = steps.new_app(flavour, server.unix_url(), SESSION_REFRESH_EACH_REQUEST=refresh)
        said = told(request(app, None, use))
        assert (said == "left alone") == (not refresh)
        assert len(server.records()) == refresh

    def test_is_a_mutable_mapping(self, app: flask.Flask) -> None:
        session = opened(app, begin(app, **DATA))
        assert isinstance(session, SessionMixin)
        assert isinstance(session, dict)
        assert dict(session) == {"_permanent": True, **DATA}

    def test_session_transaction(self, app: flask.Flask, server: RedisServer) -> None:
        client = app.test_client()
        with client.session_transaction() as session:
            session["a"] = 1
        sid = client.get_cookie("session")
        assert sid is not None
        with client.session_transaction() as session:
            assert session["a"] == 1
            session["b"] = 2
        assert Store(server.client).get(sid.value) == {"a": 1, "b": 2}
        with client.session_transaction() as session:
            session.clear()
        assert server.records() == {}
        assert client.get_cookie("session") is None


class TestOurs:
    """What is ours alone."""

    def test_class(self, ours: flask.Flask) -> None:
        session = opened(ours, None)
        assert type(session) is RedisSession
        assert isinstance(session, SecureCookieSession)

    def test_new(self, ours: flask.Flask) -> None:
        sid = begin(ours, a=1)
        assert opened(ours, sid).new is False
        assert opened(ours, None).new is True
        assert opened(ours, "x" * 43).new is True
        steps_ = steps.under_way(ours, None, lambda s: s.update(a=1))
        assert steps_.session.new is True
        steps_.save()
        assert steps_.session.new is False
        steps_.close()

    def test_the_id_of_a_new_one_is_the_one_that_it_is_saved_under(
        self, ours: flask.Flask, server: RedisServer
    ) -> None:
        steps_ = steps.under_way(ours, None, lambda s: s.update(a=1))
        sid = steps_.session.sid
        assert told(steps_.finish()) == ("set", sid)
        assert list(Store(server.client).all()) == [sid]

    def test_regenerate(self, ours: flask.Flask, server: RedisServer) -> None:
        sid = begin(ours, a=1)
        steps_ = steps.under_way(ours, sid, lambda s: s.regenerate())
        moved = steps_.session.sid
        assert moved != sid
        assert steps_.session.modified
        # Until it is saved, nothing has happened.
        assert Store(server.client).all() == {sid: {"a": 1}}
        assert told(steps_.finish()) == ("set", moved)
        assert Store(server.client).all() == {moved: {"a": 1}}

    def test_regenerate_twice(self, ours: flask.Flask, server: RedisServer) -> None:
        sid = begin(ours, a=1)
        said = told(request(ours, sid, lambda s: (s.regenerate(), s.regenerate())))
        assert Store(server.client).all() == {said[1]: {"a": 1}}

    @pytest.mark.parametrize(
        "look",
        [
            copy.copy,
            copy.deepcopy,
            lambda s: pickle.loads(pickle.dumps(s)),
            lambda s: json.loads(json.dumps(s)),
            lambda s: s | {},
            lambda s: {} | s,
            lambda s: {**s},
            lambda s: dict(s),
            lambda s: dict(s.items()),
            lambda s: {key: s[key] for key in s},
            lambda s: {key: s.get(key) for key in s.keys()},  # noqa: SIM118
            lambda s: s.copy(),
            lambda s: dict(zip(s, s.values(), strict=True)),
        ],
    )
    def test_is_read_when_it_is_looked_at(self, ours: flask.Flask, look: t.Any) -> None:
        session = opened(ours, begin(ours, **DATA))
        assert "not loaded" in repr(session)
        found = look(session)
        assert found == {"_permanent": True, **DATA}
        assert not session.modified

    @pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
    def test_pickled(self, ours: flask.Flask, protocol: int) -> None:
        session = opened(ours, begin(ours, **DATA))
        again = pickle.loads(pickle.dumps(session, protocol))
        assert type(again) is RedisSession
        assert again == session

    def test_copies_are_saved_by_nobody(self, ours: flask.Flask, server: RedisServer) -> None:
        sid = begin(ours, **DATA)
        before = server.records()

        def use(session: t.Any) -> None:
            for made in (copy.copy(session), copy.deepcopy(session), session.copy()):
                made["b"] = 1
            copy.deepcopy(session)["nested"]["list"].append(3)

        request(ours, sid, use)
        assert server.records() == before

    def test_equality(self, ours: flask.Flask) -> None:
        sid = begin(ours, **DATA)
        assert opened(ours, sid) == opened(ours, sid)
        assert opened(ours, sid) == {"_permanent": True, **DATA}
        assert opened(ours, sid) == {"_permanent": True, **DATA}
        assert opened(ours, sid) != opened(ours, None)
        session = opened(ours, sid)
        assert session | opened(ours, None) == {"_permanent": True, **DATA}

    @pytest.mark.parametrize("refresh", [True, False])
    @pytest.mark.parametrize(
        ("change", "expected"),
        [
            (lambda s: s.update(a=2), {**DATA, "a": 2}),
            (lambda s: s.pop("a"), {"nested": {"list": [1, 2]}}),
            (lambda s: s["nested"]["list"].append(3), {"a": 1, "nested": {"list": [1, 2, 3]}}),
            # In both: one that was emptied and is not marked stays as it was.
            (lambda s: s.clear(), DATA),
        ],
        ids=["set", "removed", "nested", "emptied"],
    )
    def test_the_mark_taken_off_discards_no_change(
        self, server: RedisServer, change: Use, expected: object, refresh: bool
    ) -> None:
        """Changes are found by comparing. Flask-Session, with refresh off, goes by the mark alone."""

        def use(session: t.Any) -> None:
            change(session)
            session.modified = False

        store = Store(server.client)
        for flavour, found in (
            (NATIVE, expected),
            (FLASK_SESSION, expected if refresh else DATA),
        ):
            app = steps.new_app(flavour, server.unix_url(), SESSION_REFRESH_EACH_REQUEST=refresh)
            sid = begin(app, **copy.deepcopy(DATA))
            request(app, sid, use)
            assert store.get(sid) == found, flavour.name

    @pytest.mark.parametrize("refresh", [True, False])
    def test_nested_changes_need_no_mark(self, server: RedisServer, refresh: bool) -> None:
        """For Flask-Session they do, unless it writes every record again."""
        store = Store(server.client)
        for flavour, saved in ((NATIVE, True), (FLASK_SESSION, refresh)):
            app = steps.new_app(flavour, server.unix_url(), SESSION_REFRESH_EACH_REQUEST=refresh)
            sid = begin(app, cart=[1])
            request(app, sid, lambda s: s["cart"].append(2))
            assert store.get(sid) == {"cart": [1, 2] if saved else [1]}, flavour.name

    def test_made_by_hand(self) -> None:
        session = RedisSession({"a": 1}, sid="s" * 20, permanent=True)
        assert session == {"a": 1, "_permanent": True}
        assert session.sid == "s" * 20
        assert session.new
        assert not session.modified
        with pytest.raises(TypeError):
            RedisSession(sid="not an id!")

    def test_repr_shows_no_data(self, ours: flask.Flask) -> None:
        session = opened(ours, begin(ours, secret="hunter2"))
        assert "hunter2" not in repr(session)
        assert session["secret"] == "hunter2"
        assert "hunter2" not in repr(session)
        assert session.sid not in repr(session)
