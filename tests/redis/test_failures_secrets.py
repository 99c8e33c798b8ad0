"""P8: no log line, exception, repr or local variable of ours holds a password, a session id or session data."""

from __future__ import annotations

import contextlib
import gc
import logging
import sys
import traceback
import types
import typing as t

import fakeredis
import flask
import pytest
import redis as redis_py
from flask import session

import flask_session_rs
from flask_session_rs import RedisSessionInterface
from flask_session_rs import SessionStoreError

from ..visits import visit
from ..visits import Visitor
from .failing import app_over
from .failing import bulk
from .failing import COOKIE
from .failing import error_of
from .failing import happening
from .failing import known_visitor
from .failing import Log
from .failing import logged
from .failing import PREFIX
from .failing import WRITERS
from .proxy import FaultProxy
from .scripted import ScriptedServer
from .scripted import Words
from .server import free_port
from .server import RedisServer

PASSWORD = "sentinel-password"
USER = "sentinel-user"
SID = "sentinel-id-" + "i" * 31
DATA = "sentinel-data"
SECRET_KEY = "sentinel-secret-key"
SECRETS = (PASSWORD, SID, DATA, SECRET_KEY)
RECORD = b"\x82\xaa_permanent\xc3\xa4user\xad" + DATA.encode()


def assert_silent(text: str, *more: str) -> None:
    for secret in (*SECRETS, *more):
        assert secret not in text, f"{secret} in: {text[:2000]}"


def everything_about(error: BaseException) -> str:
    """What an error reporter makes of it: the traceback with the local variables of this package's frames."""
    parts = [str(error), repr(error), repr(error.args), repr(vars(error))]
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        parts += traceback.format_exception(current)
        for frame, _ in traceback.walk_tb(current.__traceback__):
            if frame.f_code.co_filename.startswith(str(flask_session_rs.__path__[0])):
                parts.append(repr(frame.f_locals))
        current = current.__cause__ or (
            None if current.__suppress_context__ else current.__context__
        )
    return "\n".join(parts)


@contextlib.contextmanager
def everything_logged() -> t.Iterator[list[str]]:
    """All that is logged, with all that is known of the errors in it."""
    said: list[str] = []
    with logged() as log:
        yield said
    for record in log.records:
        said.append(Log().format(record))
        if record.exc_info and record.exc_info[1] is not None:
            said.append(everything_about(record.exc_info[1]))


def asked_by(answer: bytes) -> t.Callable[[Words], bytes]:
    """Reads succeed; what follows is answered like this."""
    return lambda words: bulk(RECORD) if words[0] in (b"GETEX", b"GET") else answer


FAILURES: dict[str, bytes] = {
    "an error": b"-OOM command not allowed\r\n",
    "an error that quotes": f"-ERR unknown command 'EVALSHA', '{SID}' '{DATA}' '{PASSWORD}'\r\n".encode(),
    "a code that is a secret": f"-{DATA.upper()} {DATA}\r\n".encode(),
    "a wrong kind": f"+{DATA}\r\n".encode(),
    "somebody's data": f"*1\r\n+{DATA}\r\n".encode(),
    "no reply at all": DATA.encode() + b"\r\n",
    "silence": b"",
}


@pytest.mark.parametrize("name", FAILURES)
@pytest.mark.parametrize("path", WRITERS)
def test_a_save_that_fails_says_nothing(name: str, path: str) -> None:
    with ScriptedServer(asked_by(FAILURES[name])) as server:
        url = f"redis://{USER}:{PASSWORD}@127.0.0.1:{server.port}/0"
        app = app_over(url, timeout=2 if FAILURES[name] else 0.2, SECRET_KEY=SECRET_KEY)
        with everything_logged() as said:
            answer = visit(app, path, f"{COOKIE}={SID}")
    assert answer.status.startswith("500")
    text = "\n".join(said)
    assert "SessionStoreUnavailable" in text
    assert_silent(text)
    assert_silent(str(answer))


@pytest.mark.parametrize("name", FAILURES)
def test_a_load_that_fails_says_nothing(name: str) -> None:
    with ScriptedServer(lambda words: FAILURES[name]) as server:
        url = f"redis://{USER}:{PASSWORD}@127.0.0.1:{server.port}/0"
        app = app_over(url, timeout=2 if FAILURES[name] else 0.2, SECRET_KEY=SECRET_KEY)
        visitor = Visitor(app)
        visitor.jar[COOKIE] = SID
        with everything_logged() as said:
            error = error_of(visitor)
            answer = visitor.get("/read")
    assert answer.status.startswith("503")
    assert_silent("\n".join(said))
    assert_silent(everything_about(error))
    assert_silent(str(answer))


@pytest.mark.parametrize("form", ["msgpack", "json"])
@pytest.mark.parametrize(
    "value",
    [
        lambda: {DATA: object()},
        lambda: [DATA, {DATA: {1: lambda: DATA}}],
        lambda: DATA + "\udc80",
        lambda: {DATA + "\udc80": 1},
        lambda: {(DATA, 1): object()},
        lambda: {DATA: 1 << 80},
        lambda: [DATA, -(1 << 80)],
        lambda: Unfriendly(),
    ],
    ids=["object", "lambda", "surrogate", "key", "tuple", "int", "negative", "class"],
)
def test_what_cannot_be_stored_is_not_shown(
    server: RedisServer, form: str, value: t.Callable[[], object]
) -> None:
    """A mistake of the application's: the error tells its kind and nothing of what is beside it."""
    app = app_over(server.url(), SECRET_KEY=SECRET_KEY, options={"serialization_format": form})

    @app.route("/store")
    def store() -> str:
        session["value"] = value()
        return "stored"

    with everything_logged() as said:
        answer = visit(app, "/store")
    assert answer.status.startswith(("500", "200")), answer
    text = "\n".join(said)
    assert bool(text) is answer.status.startswith("500")
    assert_silent(text)
    assert_silent(str(answer))


class Unfriendly:
    """Not even its name may be asked for."""

    def __repr__(self) -> str:
        return DATA

    __str__ = __repr__


def test_what_can_be_looked_at_shows_nothing(server: RedisServer) -> None:
    """The interface, the session before and after it is loaded, the extension."""
    server.client.set(PREFIX + SID, RECORD)
    url = f"redis://127.0.0.1:{server.port}/0?password={PASSWORD}"
    shown = [repr(RedisSessionInterface(url)), str(vars(RedisSessionInterface(url)))]
    app = app_over(server.url(), SECRET_KEY=SECRET_KEY, options={"use_signer": False})
    with app.test_request_context("/", headers={"Cookie": f"{COOKIE}={SID}"}):
        current = flask.globals.request_ctx._session
        shown += [repr(current), str(current), repr(app.session_interface)]
        assert session["user"] == DATA
        shown += [repr(session), str(session), f"{session}", repr(current), repr(vars(current))]
        session["user"] = DATA * 2
        shown += [repr(session), str(session)]
    shown += [repr(flask_session_rs.Session()), str(vars(flask_session_rs.Session()))]
    assert_silent("\n".join(shown))


def test_misconfiguration_shows_nothing() -> None:
    """See also the tests of URLs. Passwords of client objects, and the client's repr, are not shown either."""
    port = free_port()
    client = redis_py.Redis(port=port, password=PASSWORD, username=USER)
    app = app_over(client, timeout=0.2)
    visitor = Visitor(app)
    visitor.jar[COOKIE] = SID
    assert_silent(everything_about(error_of(visitor)))
    for wrong in (
        f"redis://:{PASSWORD}@127.0.0.1:{port}/x",
        f"rediss://:{PASSWORD}@127.0.0.1:{port}/0?ssl_cert_reqs=x",
        f"redis://:{PASSWORD}@/0",
        f"{PASSWORD}",
        f"redis://127.0.0.1:{port}/0?{PASSWORD}=1",
        f"redis://127.0.0.1:{port}/0?password={PASSWORD}&password={PASSWORD}",
        f"redis://127.0.0.1:{PASSWORD}/0",
        {"password": PASSWORD},
        types.SimpleNamespace(password=PASSWORD),
    ):
        with pytest.raises((SessionStoreError, TypeError, ValueError)) as raised:
            RedisSessionInterface(wrong)
        assert_silent(everything_about(raised.value))


@pytest.mark.parametrize("signed", [True, False])
def test_a_client_objects_errors_show_nothing(signed: bool) -> None:
    """One that is used through its own methods, whose exceptions may say anything."""
    client: t.Any = fakeredis.FakeRedis()
    app = app_over(client, SECRET_KEY=SECRET_KEY, options={"use_signer": signed})
    visitor = known_visitor(app)
    sid = visitor.jar[COOKIE]

    def fail(*arguments: object, **options: object) -> t.NoReturn:
        raise redis_py.ConnectionError(f"{DATA} {PASSWORD} {arguments} {options}")

    client.execute_command = fail
    client.pipeline = fail
    with everything_logged() as said:
        for path in ("/read", "/write"):
            assert visitor.get(path).status.startswith("503")
        assert Visitor(app).get("/write").status.startswith("500")
        assert visitor.get("/untouched").status == "200 OK"
        error = error_of(visitor)
    assert said
    assert_silent("\n".join(said) + everything_about(error), sid)


def test_the_network_is_told_what_it_needs_and_the_log_is_not(own_server: RedisServer) -> None:
    """Every failure of the proxy's, with a visitor whose session holds what must not be seen."""
    with FaultProxy(own_server.port) as proxy:
        app = app_over(proxy.url(), timeout=0.2, SECRET_KEY=SECRET_KEY)
        own_server.client.set(PREFIX + SID, RECORD)
        visitor = Visitor(app)
        visitor.jar[COOKIE] = SID
        with everything_logged() as said:
            for event in (proxy.cut_all, own_server.pause):
                with happening(app, t.cast("t.Callable[[], object]", event)):
                    visitor.get("/write")
            visitor.get("/read")
            visitor.get("/untouched")
            own_server.resume()
        assert said
        assert_silent("\n".join(said))


def test_the_errors_do_not_hold_on_to_the_session() -> None:
    """An exception that is kept (by a reporter, in `sys.last_value`) keeps no objects of ours with data in them."""
    with ScriptedServer(lambda words: b"-OOM x\r\n") as server:
        visitor = Visitor(app_over(server.url))
        visitor.jar[COOKIE] = SID
        error = error_of(visitor)
    held = gc.get_referents(error, *error.args, vars(error))
    assert_silent(" ".join(map(repr, held)))
    assert not any(isinstance(thing, flask.sessions.SessionMixin) for thing in held)
    assert logging.raiseExceptions
    assert sys.exc_info() == (None, None, None)
