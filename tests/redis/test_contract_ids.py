"""A session's id in Redis, over HTTP: drawn, looked up, signed, changed; and what Flask does with such a session."""

from __future__ import annotations

import re
import secrets
import typing as t
import uuid

import flask
import itsdangerous
import pytest
from flask import session

from ..clock import Clock
from ..visits import visit
from ..visits import Visitor
from .apps import attributes
from .apps import content
from .apps import key_of
from .apps import PREFIX
from .apps import record_of
from .apps import set_cookies
from .apps import shown
from .apps import sid_of
from .apps import stored_app
from .apps import user_with
from .flavours import Flavour
from .server import RedisServer


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
