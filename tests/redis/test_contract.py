"""A session's life in Redis over HTTP: what Flask-Session answers, ours answers, where it is not known to be wrong."""

from __future__ import annotations

import random
import re
import secrets
import time
import typing as t
import uuid
from datetime import timedelta

import flask
import itsdangerous
import pytest
from flask import session
from flask.sessions import SecureCookieSessionInterface

from ..clock import Clock
from ..test_contract import ATTRIBUTES
from ..views import session_app
from ..views import VIEWS
from ..visits import Answer
from ..visits import run
from ..visits import visit
from ..visits import Visitor
from . import flavours
from .apps import attributes
from .apps import content
from .apps import key_of
from .apps import LIFETIME
from .apps import PREFIX
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


@pytest.fixture
def app(flavour: Flavour, server: RedisServer) -> flask.Flask:
    return stored_app(flavour, server.url())


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


class TestTheId:
    """Drawn by the server, and looked up only if it looks like one."""

    @pytest.mark.parametrize(
        "sent",
        [secrets.token_urlsafe(32), str(uuid.uuid4()), "a" * 16, "-_" * 128],
        ids=["token", "uuid", "16", "256"],
    )
    def test_that_a_client_made_up_is_never_adopted(
        self, app: flask.Flask, server: RedisServer, sent: str
    ) -> None:
        visitor = Visitor(app)
        visitor.jar["session"] = sent
        assert content(visitor) == shown(_permanent=True)
        visitor.get("/write")
        assert sid_of(visitor) != sent
        assert list(server.records()) == [key_of(visitor)]

    @pytest.mark.parametrize(
        "sid",
        [str(uuid.uuid4()), uuid.uuid4().hex, "a" * 16, "Z9-_" * 64, "0" * 255],
        ids=["uuid", "hex", "16", "256", "255"],
    )
    def test_of_an_older_version_is_looked_up(
        self, app: flask.Flask, server: RedisServer, sid: str
    ) -> None:
        visitor = user_with(app, "/write")
        server.client.rename(key_of(visitor), PREFIX + sid)
        visitor.jar["session"] = sid
        assert content(visitor) == shown(_permanent=True, count=1)
        visitor.get("/write")
        assert sid_of(visitor) == sid
        assert record_of(server, visitor) == {"_permanent": True, "count": 2}

    @pytest.mark.flask_session_breaks("any cookie is looked up, and a signature is part of the id")
    @pytest.mark.parametrize(
        "sid",
        [
            "a" * 15, "a" * 257, "a" * 3000, "a" * 20 + " a", "a" * 20 + "*", "a" * 20 + "/../x",
            "a" * 20 + ".", "é" * 20, "%41" * 10, "a" * 20 + "=", "a" * 10 + "\x00" * 10,
            '"' + "a" * 20, "a" * 20 + "\r\nFLUSHALL", "", "session:" + "a" * 20,
        ],
        ids=lambda sid: ascii(sid[-12:]) + str(len(sid)),
    )  # fmt: skip
    def test_of_the_wrong_shape_never_reaches_redis(
        self, flavour: Flavour, server: RedisServer, sid: str
    ) -> None:
        app = stored_app(flavour, server.url())
        visit(app, "/write")
        server.client.set(PREFIX + sid, server.records().popitem()[1])
        cookie = "session=" + sid.encode().decode("latin-1")
        with server.commands() as sent:
            assert "count" not in visit(app, "/read", cookie).body
            assert visit(app, "/untouched", cookie).status == "200 OK"
            assert sent.names() == []
            answer = visit(app, "/write", cookie)
            assert sent.count() == 1
        assert answer.status == "200 OK"
        assert sid.encode() not in set_cookies(answer)[0].encode() or not sid

    @pytest.mark.parametrize("length", [16, 17, 32, 64, 191, 192])
    def test_is_as_long_as_set(self, flavour: Flavour, server: RedisServer, length: int) -> None:
        visitor = user_with(stored_app(flavour, server.url(), {"sid_length": length}), "/write")
        assert len(sid_of(visitor)) == len(secrets.token_urlsafe(length))
        assert content(visitor) == shown(_permanent=True, count=1)

    @pytest.mark.flask_session_breaks("an id of one byte is an id")
    @pytest.mark.parametrize("length", [15, 8, 1, 0, -1])
    def test_is_never_shorter_than_16_bytes(
        self, flavour: Flavour, server: RedisServer, length: int
    ) -> None:
        with pytest.raises(ValueError, match="16"):
            stored_app(flavour, server.url(), {"sid_length": length})

    def test_is_drawn_anew_each_time(self, app: flask.Flask) -> None:
        assert len({sid_of(user_with(app, "/write")) for _ in range(200)}) == 200

    def test_is_the_first_of_several_cookies(self, app: flask.Flask) -> None:
        first, second = user_with(app, "/set/a/1"), user_with(app, "/set/b/2")
        cookie = f"session={sid_of(first)}; session={sid_of(second)}"
        assert visit(app, "/read", cookie).body == shown(_permanent=True, a=1)

    def test_is_unquoted(self, app: flask.Flask) -> None:
        visitor = user_with(app, "/set/a/1")
        cookie = f'session="{sid_of(visitor)}"'
        assert visit(app, "/read", cookie).body == shown(_permanent=True, a=1)

    def test_is_an_attribute(self, app: flask.Flask) -> None:
        visitor = user_with(app, "/write")
        with app.test_request_context("/", headers={"Cookie": visitor.cookie or ""}):
            opened: t.Any = session
            assert opened.sid == sid_of(visitor)
        with app.test_request_context("/"):
            assert re.fullmatch(r"[A-Za-z0-9_-]{43}", opened.sid)


class TestTheSignedId:
    """`use_signer`: the id with a signature, as Flask-Session makes it."""

    def signed(self, sid: str, key: str = "a key") -> str:
        signer = itsdangerous.Signer(key, salt="flask-session", key_derivation="hmac")
        return signer.sign(sid).decode()

    @pytest.fixture
    def app(self, flavour: Flavour, server: RedisServer) -> flask.Flask:
        return stored_app(flavour, server.url(), {"use_signer": True})

    def test_is_signed_as_flask_session_signs(self, app: flask.Flask, server: RedisServer) -> None:
        visitor = user_with(app, "/write")
        sid, _, _ = visitor.jar["session"].rpartition(".")
        assert visitor.jar["session"] == self.signed(sid)
        assert list(server.records()) == [PREFIX + sid]
        assert content(visitor) == shown(_permanent=True, count=1)

    def test_that_does_not_verify_never_reaches_redis(
        self, app: flask.Flask, server: RedisServer
    ) -> None:
        visitor = user_with(app, "/write")
        genuine = visitor.jar["session"]
        sid = genuine.rpartition(".")[0]
        forged = [
            sid, f"{sid}.", f"{sid}.x", self.signed(sid, "another key"), genuine + "x",
            genuine[:-1], "." + genuine, genuine.replace(".", "..", 1), "x" + genuine,
        ]  # fmt: skip
        for cookie in forged:
            with server.commands() as sent:
                assert visit(app, "/read", f"session={cookie}").body == shown(_permanent=True)
                assert sent.names() == [], cookie
            answer = visit(app, "/write", f"session={cookie}")
            assert sid not in set_cookies(answer)[0]

    @pytest.mark.flask_session_breaks("the fallbacks are not asked: everyone is logged out")
    def test_is_verified_with_the_fallback_keys(
        self, flavour: Flavour, server: RedisServer
    ) -> None:
        visitor = user_with(stored_app(flavour, server.url(), {"use_signer": True}), "/write")
        sid = visitor.jar["session"].rpartition(".")[0]
        visitor.app = stored_app(
            flavour,
            server.url(),
            {"use_signer": True},
            SECRET_KEY="the new key",
            SECRET_KEY_FALLBACKS=["an older one", "a key"],
        )
        assert content(visitor) == shown(_permanent=True, count=1)
        visitor.get("/write")
        assert visitor.jar["session"] == self.signed(sid, "the new key")

    @pytest.mark.flask_session_breaks("the fallbacks are not asked: everyone is logged out")
    def test_fallback_keys_change_in_place(self, flavour: Flavour, server: RedisServer) -> None:
        visitor = user_with(stored_app(flavour, server.url(), {"use_signer": True}), "/write")
        sent = f"session={visitor.jar['session']}"
        fallbacks = ["an older one"]
        app = stored_app(
            flavour,
            server.url(),
            {"use_signer": True},
            SECRET_KEY="the new key",
            SECRET_KEY_FALLBACKS=fallbacks,
        )
        for keys, body in (
            (["an older one"], shown(_permanent=True)),
            (["an older one", "a key"], shown(_permanent=True, count=1)),
            (["a key"], shown(_permanent=True, count=1)),
            (["another"], shown(_permanent=True)),
        ):
            fallbacks[:] = keys
            assert visit(app, "/read", sent).body == body

    @pytest.mark.flask_session_breaks("an empty application starts, and each request is an error")
    def test_needs_a_key(self, flavour: Flavour, server: RedisServer) -> None:
        app = stored_app(flavour, server.url(), {"use_signer": True}, SECRET_KEY=None)
        answer = visit(app, "/write")
        assert answer.status.startswith("500")
        assert "secret_key" in " ".join(answer.logged)
        assert server.records() == {}

    def test_works_without_a_secret_key_where_it_is_not_signed(
        self, flavour: Flavour, server: RedisServer
    ) -> None:
        visitor = user_with(stored_app(flavour, server.url(), SECRET_KEY=None), "/write")
        assert content(visitor) == shown(_permanent=True, count=1)


class TestRegenerate:
    """A new id for the same session."""

    def test_moves_the_record_and_kills_the_old_id(
        self, app: flask.Flask, server: RedisServer
    ) -> None:
        visitor = user_with(app, "/write", "/set/a/1")
        old = dict(visitor.jar)
        answer = visitor.get("/regenerate")
        assert len(set_cookies(answer)) == 1
        assert sid_of(visitor) != old["session"]
        assert list(server.records()) == [key_of(visitor)]
        assert content(visitor) == shown(_permanent=True, count=1, a=1)
        assert visit(app, "/read", f"session={old['session']}").body == shown(_permanent=True)

    def test_of_an_empty_session_stores_nothing(
        self, app: flask.Flask, server: RedisServer
    ) -> None:
        visitor = user_with(app, "/regenerate")
        assert server.records() == {}
        assert visitor.jar == {}

    @pytest.mark.flask_session_breaks("sessions have no such method")
    def test_is_a_method_of_the_session_too(self, flavour: Flavour, server: RedisServer) -> None:
        app = stored_app(flavour, server.url())

        @app.get("/login_there")
        def login_there() -> str:
            opened: t.Any = session
            opened.regenerate()
            opened["user"] = "ann"
            return "done"

        visitor = user_with(app, "/write")
        old = sid_of(visitor)
        visitor.get("/login_there")
        assert sid_of(visitor) != old
        assert record_of(server, visitor) == {"_permanent": True, "count": 1, "user": "ann"}
        assert len(server.records()) == 1

    def test_twice_is_regenerated_once_more(self, app: flask.Flask, server: RedisServer) -> None:
        visitor = user_with(app, "/write")
        seen = {sid_of(visitor)}
        for _ in range(3):
            visitor.get("/regenerate")
            seen.add(sid_of(visitor))
        assert len(seen) == 4
        assert len(server.records()) == 1


class TestInFlask:
    """As extensions and tests use it."""

    def test_session_transaction_of_the_test_client(self, app: flask.Flask) -> None:
        client = app.test_client()
        with client.session_transaction() as opened:
            opened["count"] = 41
        client.get("/write")
        assert client.get("/read").text == shown(_permanent=True, count=42)
        with client.session_transaction() as opened:
            assert dict(opened) == {"_permanent": True, "count": 42}
            opened.clear()
        assert client.get("/read").text == shown(_permanent=True)

    def test_the_session_is_of_flasks_kind(self, app: flask.Flask) -> None:
        with app.test_request_context("/"):
            opened: t.Any = session
            current = opened._get_current_object()
            assert isinstance(current, dict)
            assert isinstance(current, flask.sessions.SessionMixin)
            assert not app.session_interface.is_null_session(current)

    @pytest.mark.flask_session_breaks("a session is never new")
    def test_new_tells_whether_there_was_one(self, flavour: Flavour, server: RedisServer) -> None:
        app = stored_app(flavour, server.url())
        visitor = user_with(app, "/write")
        for cookie, new in ((None, True), ("x" * 43, True), (sid_of(visitor), False)):
            headers = {"Cookie": f"session={cookie}"} if cookie else {}
            with app.test_request_context("/", headers=headers):
                assert session.new is new

    @pytest.mark.parametrize("key", ["missing", 0, None, ("a", 1)])
    def test_a_missing_key_is_a_key_error(self, app: flask.Flask, key: t.Any) -> None:
        with app.test_request_context("/"):
            with pytest.raises(KeyError) as caught:
                session[key]
            assert caught.value.args == (key,)

    def test_settings_are_read_at_each_request(self, app: flask.Flask, server: RedisServer) -> None:
        visitor = user_with(app, "/write")
        app.config["PERMANENT_SESSION_LIFETIME"] = 50
        app.config["SESSION_COOKIE_SAMESITE"] = "Strict"
        assert "SameSite=Strict" in attributes(visitor.get("/write"))
        assert server.client.ttl(key_of(visitor)) <= 50

    def test_the_cookie_expires_with_the_record(
        self, app: flask.Flask, server: RedisServer, clock: Clock
    ) -> None:
        del clock
        visitor = Visitor(app)
        first = attributes(visitor.get("/write"))
        assert any(attribute.startswith("Expires=") for attribute in first)
        visitor.get("/not_permanent")
        assert not any(a.startswith("Expires=") for a in attributes(visitor.get("/write")))
