"""The store comes back, and so do the sessions, in the same process; what was acknowledged is really there."""

from __future__ import annotations

import threading
import time
import typing as t

import pytest

from ..visits import Visitor
from .failing import app_over
from .failing import content
from .failing import FAILED
from .failing import is_silent
from .failing import known_visitor
from .failing import served
from .failing import UNAVAILABLE
from .owners import Load
from .proxy import FaultProxy
from .server import RedisServer


@pytest.fixture
def lasting_server() -> t.Iterator[RedisServer]:
    """A server that has after its end what it acknowledged before."""
    with RedisServer(appendonly=True) as server:
        yield server


@pytest.mark.parametrize("end", ["stop", "kill"])
@pytest.mark.parametrize("way", ["tcp", "unix"])
def test_sessions_go_on_after_a_restart(lasting_server: RedisServer, end: str, way: str) -> None:
    """At once, with idle connections to the old process in the pool, and with its scripts forgotten."""
    app = app_over(lasting_server.url() if way == "tcp" else lasting_server.unix_url())
    visitor = known_visitor(app)
    for count in range(3, 6):
        getattr(lasting_server, end)()
        lasting_server.start()
        assert visitor.get("/write").status == "200 OK"
        assert content(lasting_server, visitor)["n"] == count


def test_the_first_request_after_a_restart_may_be_any(lasting_server: RedisServer) -> None:
    app = app_over(lasting_server.url())
    for path in ("/read", "/untouched", "/write", "/login", "/regenerate", "/logout"):
        visitor = known_visitor(app)
        lasting_server.restart()
        assert visitor.get(path).status == "200 OK", path
    lasting_server.restart()
    assert Visitor(app).get("/write").status == "200 OK"


def test_after_silence(own_server: RedisServer) -> None:
    """A stopped process carries out what it was sent when it goes on: no reply of then is taken for one of now."""
    app = app_over(own_server.url(), timeout=0.1)
    visitors = [known_visitor(app) for _ in range(5)]
    with own_server.paused():
        for visitor in visitors:
            answer = visitor.get("/read")
            assert answer.status == UNAVAILABLE
            assert Visitor(app).get("/write").status == FAILED
    for _ in range(3):
        for visitor in visitors:
            answer = served(visitor, "/read")
            assert answer.body == '{"_permanent": true, "n": 2}'


def test_after_the_connections_were_cut(own_server: RedisServer) -> None:
    """While they were idle: nobody notices."""
    with FaultProxy(own_server.port) as proxy:
        app = app_over(proxy.url())
        visitor = known_visitor(app)
        for reset in (False, True) * 5:
            proxy.cut_all(reset=reset)
            answer = visitor.get("/write")
            assert answer.status == "200 OK", answer
        assert content(own_server, visitor)["n"] == 12


def test_idle_connections_that_the_server_closes(own_server: RedisServer) -> None:
    """By a time-out of its own, or by an administrator's command."""
    app = app_over(own_server.url())
    visitor = known_visitor(app)
    for _ in range(3):
        own_server.execute("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        answer = visitor.get("/write")
        assert answer.status == "200 OK", answer
    assert content(own_server, visitor)["n"] == 5


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_restarts_under_load(end: str) -> None:
    """Each owner's session is there after every end of the server, with every write that was acknowledged."""
    with RedisServer(appendonly=True) as server:
        load = Load(server.url(), owners=8, timeout=0.3)
        with load:
            for _ in range(3):
                time.sleep(0.15)
                getattr(server, end)()
                time.sleep(0.1)
                server.start()
            load.wait_for_successes()
        load.check(server)
        assert load.failures, "no request met the outage"


def test_pauses_under_load(own_server: RedisServer) -> None:
    load = Load(own_server.url(), owners=8, timeout=0.1)
    with load:
        for _ in range(3):
            time.sleep(0.1)
            with own_server.paused():
                time.sleep(0.25)
        load.wait_for_successes()
    load.check(own_server)
    assert load.failures, "no request met the silence"


def test_new_connections_meet_each_others_deadlines(own_server: RedisServer) -> None:
    """Sixteen requests at once in a silence: each has its own time, none waits for another's."""
    app = app_over(own_server.url(), timeout=0.2, options={"pool_size": 1})
    visitors = [known_visitor(app) for _ in range(16)]
    seconds: list[float] = []

    def visit(visitor: Visitor) -> None:
        start = time.monotonic()
        with app.test_client() as client:
            client.set_cookie("session", visitor.jar["session"])
            answer = client.get("/read")
        seconds.append(time.monotonic() - start)
        assert answer.status == UNAVAILABLE
        assert is_silent_response(answer)

    with own_server.paused():
        threads = [threading.Thread(target=visit, args=(visitor,)) for visitor in visitors]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(seconds) == 16
    # Sixteen Python threads share the cores with the test: what is asked is that they do not queue up.
    assert max(seconds) < 0.2 + 1.0


def is_silent_response(response: t.Any) -> bool:
    return not response.headers.getlist("Set-Cookie")


def test_silence_is_silent_for_cookies_too(own_server: RedisServer) -> None:
    app = app_over(own_server.url(), timeout=0.1)
    visitor = known_visitor(app)
    with own_server.paused():
        for path in ("/read", "/write", "/untouched", "/login", "/logout"):
            assert is_silent(visitor.get(path))
