"""A session's life in Redis over HTTP: what Flask-Session answers, ours answers, where it is not known to be wrong."""

from __future__ import annotations

import random
import re
import time
import typing as t
from datetime import timedelta

import flask
import pytest
from flask import session
from flask.sessions import SecureCookieSessionInterface

from ..test_contract import ATTRIBUTES
from ..views import session_app
from ..views import VIEWS
from ..visits import Answer
from ..visits import run
from ..visits import visit
from . import flavours
from .apps import attributes
from .apps import content
from .apps import key_of
from .apps import LIFETIME
from .apps import record_of
from .apps import set_cookies
from .apps import shown
from .apps import sid_of
from .apps import stored_app
from .apps import user_with
from .flavours import Flavour
from .server import RedisServer

# What differs in the answers, and is told apart by tests of its own:
# the class's name; whether it is new; what msgspec cannot encode; one that says it is not modified and is.
NOT_COMPARED = {"kind", "flags", "rich", "unmodified", "huge"}


MORE = ["set/a/1", "append/1", "login/ann", "logout", "marks"]


COMPARED = [*sorted(set(VIEWS) - NOT_COMPARED), *MORE]


LIFE = (
    "/untouched", "/marks", "/read", "/write", "/untouched", "/read", "/append/1", "/append/2",
    "/read", "/template", "/set_default", "/set_default_again", "/flash", "/flashed", "/flashed",
    "/permanent", "/untouched", "/pop_missing", "/delete_missing", "/fail", "/fail_untouched",
    "/not_found", "/vary", "/vary_star", "/vary_cookie", "/other_cookies", "/stream", "/as_json",
    "/update_nothing", "/update_in_place", "/modified", "/read", "/not_permanent", "/untouched",
    "/read", "/write", "/regenerate", "/read", "/login/ann", "/read", "/logout", "/read", "/write",
    "/only_permanent", "/untouched", "/read", "/write_and_empty", "/read", "/write", "/delete",
    "/read", "/unaccessed", "/untouched",
)  # fmt: skip


def anonymous(answer: Answer) -> tuple[str, str, list[str], list[str]]:
    """What has to be the same: without the ids, and without the attributes of a deletion."""
    lines = []
    for line in set_cookies(answer):
        if "Max-Age=0" in line:
            line = "deleted"
        elif line.startswith("session="):
            line = re.sub("^session=[^;]+", "session=id", line)
        lines.append(line)
    return answer.status, answer.body, answer.header("Vary"), lines


def compare(server: RedisServer, steps: t.Sequence[str], **config: t.Any) -> None:
    """The steps on both, with the same answers."""
    both = []
    for flavour in flavours.BOTH:
        server.flush()
        app = stored_app(flavour, server.url(), **config)
        both.append([anonymous(answer) for answer in run(app, steps)])
    for step, expected, got in zip(steps, *both, strict=True):
        assert got == expected, step


@pytest.mark.usefixtures("clock")
class TestTheSameAnswers:
    """As Flask-Session's, step by step."""

    @pytest.mark.parametrize("refresh", [True, False])
    @pytest.mark.parametrize("permanent", [True, False])
    def test_in_a_whole_life(self, server: RedisServer, refresh: bool, permanent: bool) -> None:
        steps = [*([] if permanent else ["/not_permanent"]), *LIFE]
        # Flask-Session forgets a nested change where it does not refresh.
        steps = [step for step in steps if refresh or not step.startswith("/append")]
        compare(server, steps, SESSION_REFRESH_EACH_REQUEST=refresh)

    @pytest.mark.parametrize("start", [(), ("/write",), ("/login/ann", "/not_permanent")])
    def test_of_each_view_from_each_state(
        self, server: RedisServer, start: tuple[str, ...]
    ) -> None:
        for view in COMPARED:
            compare(server, (*start, f"/{view}", "/untouched", "/read", f"/{view}", "/read"))

    @pytest.mark.parametrize("seed", range(15))
    def test_in_random_lives(self, server: RedisServer, seed: int) -> None:
        chance = random.Random(seed)
        compare(server, [f"/{chance.choice(COMPARED)}" for _ in range(30)])


class TestTheCookie:
    """Its name, its attributes, and when it is sent."""

    @pytest.mark.usefixtures("clock")
    @pytest.mark.flask_session_breaks("no Partitioned, and a deletion without most attributes")
    @pytest.mark.parametrize(
        ("key", "value"), [(key, value) for key in ATTRIBUTES for value in ATTRIBUTES[key]]
    )
    def test_carries_what_flasks_own_cookie_carries(
        self, flavour: Flavour, server: RedisServer, key: str, value: t.Any
    ) -> None:
        config: dict[str, t.Any] = {
            "SESSION_COOKIE_PARTITIONED": True,
            key: value,
            "MAX_COOKIE_SIZE": 4093,
        }
        theirs = session_app(SecureCookieSessionInterface(), **config)
        ours = stored_app(flavour, server.url(), **config)
        for path in ("/only_permanent_and_more", "/write_and_empty"):
            for app in (theirs, ours):
                app.view_functions["named"] = _only_these
            expected, got = (visit(app, path) for app in (theirs, ours))
            assert got.status == expected.status
            if got.status != "200 OK":
                # A SameSite that there is not.
                assert set_cookies(got) == set_cookies(expected) == []
                continue
            (line,) = set_cookies(got)
            (reference,) = set_cookies(expected)
            assert line.partition("=")[0] == reference.partition("=")[0]
            assert attributes(got) == attributes(expected)
            assert got.header("Vary") == ["Cookie"]

    # Partitioned brings Secure along, so that one that was forgotten shows without it alone.
    @pytest.mark.parametrize("partitioned", [True, False])
    @pytest.mark.flask_session_breaks("a deletion without Secure: browsers ignore it")
    def test_is_deleted_under_a_host_name(
        self, flavour: Flavour, server: RedisServer, partitioned: bool
    ) -> None:
        config: dict[str, t.Any] = {
            "SESSION_COOKIE_NAME": "__Host-id",
            "SESSION_COOKIE_SECURE": True,
            "SESSION_COOKIE_PARTITIONED": partitioned,
            "SESSION_COOKIE_SAMESITE": "None",
        }
        visitor = user_with(stored_app(flavour, server.url(), **config), "/write")
        assert set(visitor.jar) == {"__Host-id"}
        deleted = attributes(visitor.get("/logout"))
        assert {"Secure", "HttpOnly", "Path=/", "SameSite=None"} <= set(deleted)
        assert ("Partitioned" in deleted) == partitioned
        assert "Max-Age=0" in deleted

    def test_holds_an_id_and_nothing_else(self, app: flask.Flask) -> None:
        sid = sid_of(user_with(app, "/write"))
        assert re.fullmatch(r"[A-Za-z0-9_-]{43}", sid)

    @pytest.mark.parametrize("refresh", [True, False])
    @pytest.mark.parametrize("permanent", [True, False])
    def test_is_sent_again_where_it_is_to_be_refreshed(
        self, flavour: Flavour, server: RedisServer, refresh: bool, permanent: bool
    ) -> None:
        app = stored_app(
            flavour,
            server.url(),
            {"permanent": permanent},
            SESSION_REFRESH_EACH_REQUEST=refresh,
        )
        visitor = user_with(app, "/write")
        sid = sid_of(visitor)
        for path in ("/untouched", "/read"):
            sent = set_cookies(visitor.get(path))
            assert len(sent) == (refresh and permanent), path
            assert sid_of(visitor) == sid

    def test_varies_by_cookie_if_it_was_asked_for_or_set(
        self, flavour: Flavour, server: RedisServer
    ) -> None:
        app = stored_app(flavour, server.url(), SESSION_REFRESH_EACH_REQUEST=False)
        visitor = user_with(app, "/write")
        vary = [visitor.get(path).header("Vary") for path in ("/untouched", "/read", "/write")]
        assert vary == [[], ["Cookie"], ["Cookie"]]


def _only_these(name: str) -> str:
    if name == "only_permanent_and_more":
        session.permanent = True
        session["a"] = 1
    else:
        session["a"] = 1
        session.clear()
    return "done"


class TestTheRecord:
    """Where it is, how long it stays, and what is in it."""

    def test_is_under_the_prefix_and_the_id(self, flavour: Flavour, server: RedisServer) -> None:
        app = stored_app(flavour, server.url(), {"key_prefix": "shop 1:é:"})
        visitor = user_with(app, "/write")
        assert list(server.records()) == [f"shop 1:é:{sid_of(visitor)}"]

    @pytest.mark.parametrize("permanent", [True, False])
    @pytest.mark.parametrize("lifetime", [LIFETIME, 100, timedelta(seconds=90.9)])
    def test_expires_after_the_lifetime(
        self, flavour: Flavour, server: RedisServer, permanent: bool, lifetime: t.Any
    ) -> None:
        app = stored_app(
            flavour,
            server.url(),
            {"permanent": permanent},
            PERMANENT_SESSION_LIFETIME=lifetime,
        )
        visitor = user_with(app, "/write")
        seconds = int(lifetime.total_seconds()) if isinstance(lifetime, timedelta) else lifetime
        assert seconds - 2 <= server.client.ttl(key_of(visitor)) <= seconds

    @pytest.mark.flask_session_breaks("Redis refuses an expiry of zero: a 500")
    @pytest.mark.parametrize("lifetime", [0, 0.5, -1, -(10**6)])
    def test_lives_for_a_second_at_least(
        self, flavour: Flavour, server: RedisServer, lifetime: float
    ) -> None:
        app = stored_app(
            flavour, server.url(), PERMANENT_SESSION_LIFETIME=timedelta(seconds=lifetime)
        )
        answer = visit(app, "/write")
        assert answer.status == "200 OK"
        (key,) = server.records()
        assert 0 < server.client.pttl(key) <= 1000

    def test_that_expired_is_an_empty_session(self, flavour: Flavour, server: RedisServer) -> None:
        app = stored_app(flavour, server.url(), PERMANENT_SESSION_LIFETIME=1)
        visitor = user_with(app, "/write")
        old = sid_of(visitor)
        time.sleep(1.1)
        assert "count" not in content(visitor)
        visitor.get("/write")
        assert sid_of(visitor) != old

    @pytest.mark.parametrize(
        ("path", "refresh", "slides"),
        [
            ("/untouched", True, True),
            ("/read", True, True),
            ("/write", True, True),
            ("/untouched", False, False),
            ("/read", False, False),
            ("/write", False, True),
        ],
    )
    def test_slides_where_flask_sessions_does(
        self, flavour: Flavour, server: RedisServer, path: str, refresh: bool, slides: bool
    ) -> None:
        app = stored_app(flavour, server.url(), SESSION_REFRESH_EACH_REQUEST=refresh)
        visitor = user_with(app, "/write")
        server.client.expire(key_of(visitor), 100)
        visitor.get(path)
        assert (server.client.ttl(key_of(visitor)) > 100) == slides

    def test_keeps_the_order_and_whether_it_is_permanent(
        self, app: flask.Flask, server: RedisServer
    ) -> None:
        visitor = user_with(app, "/set/z/1", "/set/a/2", "/set/m/3")
        record = record_of(server, visitor)
        assert record is not None
        assert list(record) == ["_permanent", "z", "a", "m"]
        assert record["_permanent"] is True

    def test_of_a_session_that_is_not_permanent(
        self, flavour: Flavour, server: RedisServer
    ) -> None:
        visitor = user_with(stored_app(flavour, server.url(), {"permanent": False}), "/write")
        assert record_of(server, visitor) == {"count": 1}

    @pytest.mark.parametrize("format", ["msgpack", "json"])
    def test_is_in_the_format_that_is_set(
        self, flavour: Flavour, server: RedisServer, format: str
    ) -> None:
        user_with(stored_app(flavour, server.url(), {"serialization_format": format}), "/write")
        (record,) = server.records().values()
        assert (record[:1] == b"{") == (format == "json")

    @pytest.mark.parametrize("written", ["msgpack", "json"])
    @pytest.mark.parametrize("read", ["msgpack", "json"])
    def test_in_the_other_format_is_read_too_and_written_in_the_one_that_is_set(
        self, flavour: Flavour, server: RedisServer, written: str, read: str
    ) -> None:
        visitor = user_with(
            stored_app(flavour, server.url(), {"serialization_format": written}), "/write"
        )
        visitor.app = stored_app(flavour, server.url(), {"serialization_format": read})
        assert content(visitor) == shown(_permanent=True, count=1)
        visitor.get("/write")
        (record,) = server.records().values()
        assert (record[:1] == b"{") == (read == "json")
        assert record_of(server, visitor) == {"_permanent": True, "count": 2}


class TestTruth:
    """When a session counts as empty, and what empties it."""

    def test_a_session_with_nothing_but_permanent_is_empty(
        self, app: flask.Flask, server: RedisServer
    ) -> None:
        with app.test_request_context("/"):
            assert not session
            session["a"] = 1
            assert session
            del session["a"]
            assert not session
            assert dict(session) == {"_permanent": True}
        visitor = user_with(app, "/permanent", "/not_permanent", "/only_permanent")
        assert visitor.jar == {}
        assert server.records() == {}

    def test_clear_keeps_permanent(self, app: flask.Flask) -> None:
        with app.test_request_context("/"):
            for permanent in (True, False):
                session.permanent = permanent
                session["a"] = 1
                session.clear()
                assert dict(session) == {"_permanent": permanent}
                assert session.modified

    @pytest.mark.parametrize("emptied_by", ["/logout", "/write_and_empty", "/only_permanent"])
    def test_an_emptied_session_takes_record_and_cookie_away(
        self, app: flask.Flask, server: RedisServer, emptied_by: str
    ) -> None:
        visitor = user_with(app, "/write")
        assert server.records()
        answer = visitor.get(emptied_by)
        assert answer.header("Vary") == ["Cookie"]
        assert visitor.jar == {}
        assert server.records() == {}

    @pytest.mark.parametrize("emptied_by", ["/drop/count", "/pop", "/delete"])
    def test_so_does_one_whose_last_key_is_removed(
        self, app: flask.Flask, server: RedisServer, emptied_by: str
    ) -> None:
        visitor = user_with(app, "/write", emptied_by)
        assert visitor.jar == {}
        assert server.records() == {}

    def test_an_empty_session_is_not_stored(self, app: flask.Flask, server: RedisServer) -> None:
        visitor = user_with(app, "/read", "/untouched", "/marks", "/pop_missing")
        assert visitor.jar == {}
        assert server.records() == {}
