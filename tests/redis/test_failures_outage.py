"""P3, P4 and P5: an outage is 503 where the session is used and nothing elsewhere, and it logs nobody out."""

from __future__ import annotations

import pickle
import subprocess
import sys
import typing as t

import flask
import flask_login  # type: ignore[import-untyped]
import pytest
from flask import session
from werkzeug.exceptions import ServiceUnavailable

from flask_session_rs import RedisSessionInterface
from flask_session_rs import Session
from flask_session_rs import SessionStoreError
from flask_session_rs import SessionStoreUnavailable

from ..visits import new_app
from ..visits import Visitor
from .failing import app_over
from .failing import bulk
from .failing import content
from .failing import COOKIE
from .failing import FAILED
from .failing import happening
from .failing import is_silent
from .failing import key_of
from .failing import known_visitor
from .failing import logged
from .failing import served
from .failing import TRIES
from .failing import UNAVAILABLE
from .failing import visit_as
from .failing import WRITERS
from .scripted import ScriptedServer
from .scripted import Words
from .server import free_port
from .server import RedisServer

SID = "a" * 43
RECORD = bulk(b"\x82\xaa_permanent\xc3\xa1n\x01")


@pytest.fixture
def nowhere() -> str:
    """The URL of a server that is not there."""
    return f"redis://127.0.0.1:{free_port()}/0"


def as_known(app: flask.Flask) -> Visitor:
    """Somebody who was given a session before the outage."""
    visitor = Visitor(app)
    visitor.jar[COOKIE] = SID
    return visitor


@pytest.mark.parametrize("refresh", [True, False])
@pytest.mark.parametrize("path", ["/untouched", "/no/such/page"])
def test_a_view_that_ignores_its_session_goes_on(nowhere: str, refresh: bool, path: str) -> None:
    app = app_over(nowhere, SESSION_REFRESH_EACH_REQUEST=refresh)
    for visitor in (Visitor(app), as_known(app)):
        answer = visitor.get(path)
        assert answer.status == ("200 OK" if path == "/untouched" else "404 NOT FOUND")
        assert is_silent(answer)
        assert not answer.logged


@pytest.mark.parametrize("path", ["/read", *WRITERS])
def test_a_view_that_uses_its_session_is_unavailable(nowhere: str, path: str) -> None:
    visitor = as_known(app_over(nowhere))
    answer = visitor.get(path)
    assert answer.status == UNAVAILABLE
    assert is_silent(answer)
    assert not answer.logged, "a 503 is an answer like any other, and no error of the application"
    assert visitor.jar == {COOKIE: SID}


USES: dict[str, t.Callable[[], object]] = {
    "==": lambda: session == {},
    "!=": lambda: session != {},
    "bool": lambda: bool(session),
    "dict": lambda: dict(session),
    "for": lambda: [key for key in session],  # noqa: C416
    "get": lambda: session.get("n"),
    "in": lambda: "n" in session,
    "iter": lambda: next(iter(session), None),
    "len": lambda: len(session),
    "list": lambda: list(session),
    "permanent": lambda: session.permanent,
    "regenerate": lambda: session.regenerate(),  # type: ignore[attr-defined]
    "reversed": lambda: list(reversed(session)),  # type: ignore[call-overload]
    "set": lambda: session.__setitem__("n", 1),
    "sid": lambda: session.sid,  # type: ignore[attr-defined]
    "sorted": lambda: sorted(session),
    "template": lambda: flask.render_template_string("{{ session.n }}"),
    "tuple": lambda: (*session,),
    "|": lambda: session | {},  # type: ignore[operator]
    "{**}": lambda: {**session},
}


@pytest.mark.parametrize("use", USES)
def test_no_way_to_use_a_session_hides_the_outage(nowhere: str, use: str) -> None:
    """The interpreter forgets errors of some of the look-ups that `flask.session` makes on its way."""
    app = app_over(nowhere)

    @app.route("/use")
    def view() -> str:
        USES[use]()
        return "used"

    answer = as_known(app).get("/use")
    assert answer.status == UNAVAILABLE, answer
    assert is_silent(answer)


def test_a_session_that_is_handed_out_and_not_used(nowhere: str) -> None:
    app = app_over(nowhere)

    @app.route("/hand")
    def view() -> str:
        for _ in range(3):
            assert isinstance(session, dict)
            # What is logged to find out what is going on does not stand in the way.
            assert repr(session) == str(session) == "<RedisSession (not loaded)>"
        return "not used"

    @app.route("/use")
    def use() -> str:
        view()
        session["n"] = 1
        return "used"

    answer = as_known(app).get("/hand")
    assert (answer.status, answer.body) == ("200 OK", "not used")
    assert is_silent(answer)
    assert answer.header("Vary") == ["Cookie"]
    assert as_known(app).get("/use").status == UNAVAILABLE


def test_somebody_new_reads_without_a_store(nowhere: str) -> None:
    """There is nothing to be asked for."""
    answer = Visitor(app_over(nowhere, SESSION_REFRESH_EACH_REQUEST=False)).get("/read")
    assert answer.status == "200 OK", answer
    assert is_silent(answer)


class Counted:
    """An application with an extension that looks into the session after each request, as Flask-Login does."""

    def __init__(self, url: str) -> None:
        self.app = app_over(url)
        self.errors = 0
        self.seen: list[dict[str, t.Any]] = []
        self.app.after_request(self.look)
        self.app.add_url_rule("/attempts", view_func=self.attempts)

    def look(self, response: flask.Response) -> flask.Response:
        try:
            self.seen.append(dict(session))
            session["seen"] = True
            session.permanent = False
        except SessionStoreUnavailable:
            self.errors += 1
        return response

    def attempts(self) -> str:
        """A view that does not take no for an answer."""
        for _ in range(5):
            try:
                session.get("n")
            except SessionStoreUnavailable:
                self.errors += 1
        session["n"] = 1
        return f"{self.errors} {dict(session)}"


def test_one_error_is_raised_for_each_request() -> None:
    """And after it there is an empty session, which nobody saves, whatever is put into it: a view that does is told."""

    def answer(words: Words) -> bytes:
        return b"-LOADING Redis is loading the dataset in memory\r\n"

    with ScriptedServer(answer) as server:
        counted = Counted(server.url)
        visitor = as_known(counted.app)
        for _ in range(2):
            heard = len(server.heard)
            answered = visitor.get("/read")
            assert answered.status == UNAVAILABLE
            assert is_silent(answered)
            assert (counted.errors, counted.seen.pop()) == (0, {})
            assert len(server.heard) == heard + 1, "the store is asked once, and no more"
        heard = len(server.heard)
        answered = visitor.get("/attempts")
        assert answered.status.startswith("500")
        assert "what the request put into it is not saved" in answered.logged[0]
        assert is_silent(answered)
        assert (counted.errors, counted.seen[0]) == (1, {"n": 1})
        assert len(server.heard) == heard + 1
    assert visitor.jar == {COOKIE: SID}


def test_a_reader_after_the_request_sees_the_error_if_nobody_did(nowhere: str) -> None:
    """The view ignores its session, and the extension does not: it is the extension that uses it."""
    counted = Counted(nowhere)
    answer = as_known(counted.app).get("/untouched")
    assert (answer.status, answer.body) == ("200 OK", "untouched")
    assert (counted.errors, counted.seen) == (1, [])
    assert is_silent(answer)


def test_flask_login_itself(own_server: RedisServer) -> None:
    """A user stays logged in over an outage, and answers in it are 503."""
    app = app_over(own_server.url(), timeout=0.2)
    manager = flask_login.LoginManager(app)

    class User(flask_login.UserMixin):  # type: ignore[misc]
        id = "7"

    manager.user_loader(lambda _: User())

    @app.route("/enter")
    def enter() -> str:
        return str(flask_login.login_user(User(), remember=True))

    @app.route("/who")
    def who() -> str:
        return str(flask_login.current_user.get_id())

    visitor = Visitor(app)
    assert served(visitor, "/enter").body == "True"
    assert served(visitor, "/who").body == "7"
    jar = dict(visitor.jar)
    assert jar.keys() == {COOKIE, "remember_token"}
    own_server.pause()
    try:
        for path in ("/who", "/read", "/write"):
            answer = visitor.get(path)
            assert answer.status == UNAVAILABLE, answer
            assert is_silent(answer)
        # Its own look into the session is one at a store that does not answer.
        answer = visitor.get("/untouched")
        assert answer.status == FAILED, answer
        assert is_silent(answer)
    finally:
        own_server.resume()
    assert visitor.jar == jar
    assert served(visitor, "/who").body == "7"


# A save that fails, after the view.


@pytest.mark.parametrize("path", WRITERS)
def test_a_save_that_fails_is_a_500_and_is_not_tried_again(path: str) -> None:
    """Flask saves once more while it makes the error page: that does nothing."""

    def answer(words: Words) -> bytes:
        if words[0] in (b"GETEX", b"GET"):
            return RECORD
        return b"-OOM command not allowed when used memory > 'maxmemory'.\r\n"

    with ScriptedServer(answer) as server:
        app = app_over(server.url)
        with logged() as log:
            answered = visit_as(app, SID, path)
    assert answered.status == FAILED
    assert is_silent(answered)
    assert [words[0] for words in server.heard] == [b"GETEX", b"EVALSHA"]
    assert len(answered.logged) == 1, "one traceback"
    assert "OOM" in log.lines[0]
    assert "maxmemory" in log.lines[0]


def test_a_new_session_that_cannot_be_saved() -> None:
    with ScriptedServer(lambda words: b"-MISCONF Redis is configured to save\r\n") as server:
        visitor = Visitor(app_over(server.url))
        answer = visitor.get("/write")
    assert answer.status == FAILED
    assert is_silent(answer)
    assert visitor.jar == {}
    assert [words[0] for words in server.heard] == [b"SET"]


def test_a_session_that_is_used_once_more_by_the_error_page_is_not_saved(
    own_server: RedisServer,
) -> None:
    """The page counts its visits; the store is back by then."""
    app = app_over(own_server.url(), timeout=0.2)

    @app.errorhandler(500)
    def page(error: BaseException) -> tuple[str, int]:
        own_server.resume()
        session["failures"] = session.get("failures", 0) + 1
        return "a page", 500

    visitor = known_visitor(app)
    with happening(app, own_server.pause):
        answer = visitor.get("/write")
    assert (answer.status, answer.body) == (FAILED, "a page")
    assert is_silent(answer)
    assert "failures" not in content(own_server, visitor)
    # The write whose outcome was unknown: carried out or not, and nothing in between.
    assert content(own_server, visitor)["n"] in (2, 3)


# What applications do about it.


def test_the_application_handles_it(nowhere: str) -> None:
    app = app_over(nowhere)
    handled: list[SessionStoreUnavailable] = []

    @app.errorhandler(SessionStoreUnavailable)
    def page(error: SessionStoreUnavailable) -> tuple[str, int]:
        handled.append(error)
        return f"come back later {dict(session)}", 503

    answer = as_known(app).get("/read")
    assert (answer.status, answer.body) == (UNAVAILABLE, "come back later {}")
    assert is_silent(answer)
    answer = Visitor(app).get("/write")
    # Raised after the view: Flask's own error page is what is left, and its handlers see the cause.
    assert answer.status == FAILED, answer
    assert is_silent(answer)
    for error in handled:
        assert "refused" in str(error)
        assert isinstance(error, ServiceUnavailable)
        assert isinstance(error, SessionStoreError)


@pytest.mark.parametrize("kind", [503, ServiceUnavailable, SessionStoreError])
def test_it_is_handled_as_any_of_its_kinds(nowhere: str, kind: t.Any) -> None:
    app = app_over(nowhere)
    app.register_error_handler(kind, lambda error: ("handled", 200))
    answer = as_known(app).get("/read")
    assert (answer.status, answer.body) == ("200 OK", "handled")
    assert is_silent(answer)


def test_the_page_does_not_show_the_reason(nowhere: str) -> None:
    answer = as_known(app_over(nowhere)).get("/read")
    assert answer.status == UNAVAILABLE
    assert "refused" not in answer.body
    assert "session" not in answer.body.lower()


def test_it_can_be_copied_as_exceptions_are(nowhere: str) -> None:
    error = SessionStoreUnavailable("the reason")
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.code) == (SessionStoreUnavailable, "the reason", 503)


# When it connects.


def test_importing_and_configuring_connect_to_nothing() -> None:
    """Not even where the server is there: it would count a connection."""
    with ScriptedServer(lambda words: b"+OK\r\n") as server:
        program = f"""
import socket
def refuse(*arguments): raise AssertionError("a look at the network")
socket.getaddrinfo = refuse
import flask, flask_session_rs
app = flask.Flask("app")
app.config.update(SECRET_KEY="k", SESSION_TYPE="redis", SESSION_REDIS={server.url!r})
flask_session_rs.Session(app)
flask_session_rs.RedisSessionInterface({server.url!r}, use_signer=True, pool_size=100)
flask_session_rs.RedisSessionInterface("rediss://no-such-host.invalid:1/0")
flask_session_rs.RedisSessionInterface("redis+unix:///no/such/socket")
"""
        subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
        app = new_app(None, SESSION_TYPE="redis", SESSION_REDIS=server.url)
        Session(app)
        assert isinstance(app.session_interface, RedisSessionInterface)
        with app.test_request_context("/"):
            pass
        assert server.opened == 0


def test_the_server_is_started_after_the_application() -> None:
    server = RedisServer()
    try:
        app = app_over(server.url())
        visitor = Visitor(app)
        assert visitor.get("/untouched").status == "200 OK"
        assert visitor.get("/write").status == FAILED
        assert as_known(app).get("/read").status == UNAVAILABLE
        server.start()
        assert visitor.get("/write").status == "200 OK"
        assert visitor.get("/write").status == "200 OK"
        assert content(server, visitor)["n"] == 2
    finally:
        server.close()


def test_nobody_is_logged_out_by_an_outage(own_server: RedisServer) -> None:
    """Neither cookie nor record is any different after it."""
    app = app_over(own_server.url(), timeout=0.2)
    visitors = [known_visitor(app) for _ in range(3)]
    before = [dict(visitor.jar) for visitor in visitors]
    records = own_server.records()
    with own_server.paused():
        for visitor, path in zip(visitors, ("/read", "/write", "/untouched"), strict=True):
            assert is_silent(visitor.get(path))
    assert [visitor.jar for visitor in visitors] == before
    assert own_server.records() == records
    for visitor in visitors:
        served(visitor, "/write")
        # More only where this machine was too slow for an answer, and the write was done.
        assert 3 <= content(own_server, visitor)["n"] <= 3 + TRIES
        assert own_server.client.ttl(key_of(visitor)) > 0
