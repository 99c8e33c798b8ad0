"""How many commands a request sends, and that reading writes nothing."""

from __future__ import annotations

import json
import typing as t

import flask
import msgspec
import pytest
from flask import session

from ..visits import visit
from ..visits import Visitor
from .apps import content
from .apps import key_of
from .apps import record_of
from .apps import set_cookies
from .apps import shown
from .apps import sid_of
from .apps import stored_app
from .apps import user_with
from .flavours import Flavour
from .server import RedisServer

WRITES = {"SET", "EVAL", "EVALSHA", "DEL", "UNLINK", "EXPIRE", "FCALL"}


@pytest.fixture(params=[True, False], ids=["refresh", "no refresh"])
def refresh(request: pytest.FixtureRequest) -> bool:
    chosen: bool = request.param
    return chosen


@pytest.fixture
def app(flavour: Flavour, server: RedisServer, refresh: bool) -> flask.Flask:
    app = stored_app(flavour, server.url(), SESSION_REFRESH_EACH_REQUEST=refresh)
    # The connection is open, and the server knows the scripts.
    user_with(app, "/write", "/write", "/regenerate", "/login/x", "/drop/user", "/write", "/logout")
    server.flush()
    return app


def sent_for(server: RedisServer, visitor: Visitor, path: str) -> list[str]:
    with server.commands() as sent:
        answer = visitor.get(path)
        assert answer.status in ("200 OK", "404 NOT FOUND"), answer
        return sent.names()


@pytest.mark.flask_session_breaks("GET and the whole SET for every request that carries the cookie")
class TestARequest:
    """Of each kind, with the expiry slid at each request and without."""

    def test_that_does_not_touch_its_session_sends_one_command_to_slide_it_or_none(
        self, app: flask.Flask, server: RedisServer, refresh: bool
    ) -> None:
        visitor = user_with(app, "/write")
        assert len(sent_for(server, visitor, "/untouched")) == int(refresh)
        assert len(sent_for(server, visitor, "/missing/page")) == int(refresh)

    def test_that_has_no_cookie_and_no_session_sends_none(
        self, app: flask.Flask, server: RedisServer
    ) -> None:
        visitor = Visitor(app)
        for path in ("/untouched", "/read", "/marks", "/logout"):
            sent = sent_for(server, visitor, path)
            # What is cleared may be deleted, though it was never there.
            assert sent in ([], ["DEL"]) if path == "/logout" else sent == [], path

    @pytest.mark.parametrize("path", ["/read", "/marks", "/pop_missing"])
    def test_that_reads_sends_one(
        self, app: flask.Flask, server: RedisServer, refresh: bool, path: str
    ) -> None:
        # Whether a list in it has changed is found out in another way.
        for visitor in user_with(app, "/write"), user_with(app, "/write", "/append/1"):
            assert sent_for(server, visitor, path) == ["GETEX" if refresh else "GET"]

    @pytest.mark.parametrize("path", ["/write", "/set/b/2", "/append/1", "/drop/other", "/login/x"])
    def test_that_changes_it_sends_two(
        self, app: flask.Flask, server: RedisServer, path: str
    ) -> None:
        visitor = user_with(app, "/write", "/set/other/1")
        assert len(sent_for(server, visitor, path)) == 2

    @pytest.mark.parametrize("path", ["/write", "/append/1", "/login/ann"])
    def test_that_begins_one_sends_one(
        self, app: flask.Flask, server: RedisServer, path: str
    ) -> None:
        assert sent_for(server, Visitor(app), path) == ["SET"]

    def test_that_begins_one_in_place_of_one_that_is_gone_sends_two(
        self, app: flask.Flask, server: RedisServer
    ) -> None:
        visitor = user_with(app, "/write")
        server.flush()
        sent = sent_for(server, visitor, "/write")
        assert len(sent) == 2
        assert sent[1] == "SET"

    @pytest.mark.parametrize("path", ["/regenerate", "/logout", "/drop/count"])
    def test_that_ends_or_moves_it_sends_two(
        self, app: flask.Flask, server: RedisServer, path: str
    ) -> None:
        visitor = user_with(app, "/write")
        assert len(sent_for(server, visitor, path)) <= 2

    def test_that_sets_what_was_there_writes_nothing(
        self, app: flask.Flask, server: RedisServer
    ) -> None:
        visitor = user_with(app, "/set/a/1")
        assert not WRITES & set(sent_for(server, visitor, "/set/a/1"))


@pytest.mark.flask_session_breaks("reading rewrites the record")
class TestReading:
    """Writes nothing, whoever wrote the record."""

    @pytest.mark.parametrize("path", ["/untouched", "/read", "/marks", "/pop_missing"])
    def test_leaves_the_record_byte_for_byte(
        self, app: flask.Flask, server: RedisServer, path: str
    ) -> None:
        visitor = user_with(app, "/set/a/1", "/append/5")
        before = server.client.get(key_of(visitor))
        sent = sent_for(server, visitor, path)
        assert not WRITES & set(sent)
        assert server.client.get(key_of(visitor)) == before

    @pytest.mark.parametrize(
        "record",
        [
            b'{"_permanent": true, "a" : 1.0, "b":"\\u0041\\/", "c":[1,2 , 3]}',
            b'\n{"a":1e3,"b":1E-2,"c":-0.0,"d":"\\ud83d\\ude00"}\n',
            json.dumps({"a": "é", "b": [None, True], "c": {"d": 1}}, indent=2).encode(),
            # The longest forms of what has shorter ones, as another encoder may choose them.
            b"\xdf\x00\x00\x00\x02\xdb\x00\x00\x00\x01a\xd3\x00\x00\x00\x00\x00\x00\x00\x01"
            b"\xd9\x01b\xdd\x00\x00\x00\x01\xcf\x00\x00\x00\x00\x00\x00\x00\x05",
            b"\x82\xa1a\xca\x3f\x80\x00\x00\xa1b\xc6\x00\x00\x00\x02xy",
            # Twice the same key: the last one counts.
            b"\x82\xa1a\x01\xa1a\x02",
        ],
        ids=["json", "more json", "indented", "long forms", "single floats", "twice"],
    )
    @pytest.mark.parametrize("format", ["msgpack", "json"])
    def test_of_a_record_that_another_encoder_wrote_is_no_change(
        self, flavour: Flavour, server: RedisServer, refresh: bool, record: bytes, format: str
    ) -> None:
        app = stored_app(
            flavour,
            server.url(),
            {"serialization_format": format},
            SESSION_REFRESH_EACH_REQUEST=refresh,
        )

        @app.get("/every_value")
        def every_value() -> str:
            return repr([*session.values(), *session.items(), *map(session.get, session)])

        visitor = user_with(app, "/write")
        server.client.set(key_of(visitor), record)
        for path in ("/read", "/every_value", "/untouched", "/modified"):
            sent = sent_for(server, visitor, path)
            if path != "/modified":
                assert not WRITES & set(sent), path
                assert server.client.get(key_of(visitor)) == record, path

    def test_a_value_of_a_type_that_only_the_record_changes_is_no_change(
        self, app: flask.Flask, server: RedisServer
    ) -> None:
        """What comes back as a list was a tuple; read again, it is no change."""
        visitor = user_with(app, "/types")
        before = server.client.get(key_of(visitor))
        assert not WRITES & set(sent_for(server, visitor, "/read"))
        assert server.client.get(key_of(visitor)) == before


class TestANestedChange:
    """Is saved without `modified`."""

    @pytest.mark.parametrize("refresh", [True])
    def test_is_saved_as_flask_sessions_defaults_do(
        self, flavour: Flavour, server: RedisServer, refresh: bool
    ) -> None:
        del refresh
        visitor = user_with(stored_app(flavour, server.url()), "/append/1", "/append/2")
        assert record_of(server, visitor) == {"_permanent": True, "cart": [1, 2]}

    @pytest.mark.flask_session_breaks("without the refresh it is lost")
    def test_is_saved_where_nothing_is_refreshed(
        self, flavour: Flavour, server: RedisServer
    ) -> None:
        app = stored_app(flavour, server.url(), SESSION_REFRESH_EACH_REQUEST=False)
        visitor = user_with(app, "/append/1", "/append/2", "/append/3")
        assert record_of(server, visitor) == {"_permanent": True, "cart": [1, 2, 3]}

    @pytest.mark.flask_session_breaks("without the refresh it is lost")
    @pytest.mark.parametrize("depth", [1, 5, 20])
    def test_is_seen_at_any_depth(self, flavour: Flavour, server: RedisServer, depth: int) -> None:
        app = stored_app(flavour, server.url(), SESSION_REFRESH_EACH_REQUEST=False)

        @app.get("/deep")
        def deep() -> str:
            at = session.setdefault("deep", {})
            for _ in range(depth):
                at = at.setdefault("in", {})
            at["n"] = at.get("n", 0) + 1
            return str(at["n"])

        visitor = Visitor(app)
        assert [visitor.get("/deep").body for _ in range(3)] == ["1", "2", "3"]


class TestTheNetwork:
    """What connections are for."""

    def test_nothing_is_connected_before_the_first_use(
        self, flavour: Flavour, own_server: RedisServer
    ) -> None:
        before = own_server.connections()
        app = stored_app(flavour, own_server.url())
        assert visit(app, "/untouched").status == "200 OK"
        assert own_server.connections() == before

    def test_one_connection_serves_one_thread(
        self, flavour: Flavour, own_server: RedisServer
    ) -> None:
        before = own_server.connections()
        app = stored_app(flavour, own_server.url())
        user_with(app, *["/write", "/read", "/append/1"] * 20)
        assert own_server.connections() == before + 1

    @pytest.mark.flask_session_breaks("no compare-and-set, no scripts")
    def test_scripts_are_sent_again_where_the_server_forgot_them(
        self, flavour: Flavour, server: RedisServer
    ) -> None:
        visitor = user_with(stored_app(flavour, server.url()), "/write", "/write")
        for path in ("/write", "/regenerate", "/login/ann", "/drop/user"):
            server.client.script_flush()
            assert visitor.get(path).status == "200 OK", path
        assert server.records() == {}

    def test_the_database_is_the_urls(self, flavour: Flavour, server: RedisServer) -> None:
        visitor = user_with(stored_app(flavour, server.url(database=3)), "/write")
        assert server.records() == {}
        with server.commands() as sent:
            assert content(visitor) == shown(_permanent=True, count=1)
            assert {command.database for command in sent.take()} == {3}

    def test_a_unix_socket_serves_as_well(self, flavour: Flavour, server: RedisServer) -> None:
        visitor = user_with(stored_app(flavour, server.unix_url()), "/write", "/write")
        assert record_of(server, visitor) == {"_permanent": True, "count": 2}

    def test_a_value_is_never_the_last_argument_of_a_command(
        self, native: Flavour, server: RedisServer
    ) -> None:
        """So that a command that is cut off cannot be completed by the bytes of the next one."""
        app = stored_app(native, server.url())
        with server.commands() as sent:
            user_with(
                app, "/fill/1000/a", "/fill/1001/b", "/regenerate", "/login/ann", "/drop/user"
            )
            for command in sent.take():
                assert "filling" not in command.words[-1], command.name


def test_the_session_of_one_request_is_loaded_once(native: Flavour, server: RedisServer) -> None:
    app = stored_app(native, server.url(), SESSION_REFRESH_EACH_REQUEST=False)

    @app.get("/many_ways")
    def many_ways() -> str:
        found: t.Any = session
        return repr([len(found), list(found), dict(found), found.copy(), "a" in found, found == {}])

    visitor = user_with(app, "/write")
    assert sent_for(server, visitor, "/many_ways") == ["GET"]


def test_a_record_of_flask_session_does_not_look_changed(
    native: Flavour, server: RedisServer
) -> None:
    app = stored_app(native, server.url())
    visitor = user_with(app, "/write")
    for value in (1.5, [1, [2]], {"a": {"b": None}}, "é\U0001f600", b"\x00\xff", 2**63, -(2**63)):
        record = msgspec.msgpack.encode({"_permanent": True, "v": value, "w": [value]})
        server.client.set(key_of(visitor), record)
        assert sent_for(server, visitor, "/read") == ["GETEX"], value
        assert set_cookies(visitor.get("/read")), value
        assert server.client.get(key_of(visitor)) == record, value
        assert sid_of(visitor)
