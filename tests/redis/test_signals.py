"""Signals in the middle of exchanges: raised at once, and nothing that was on its way reaches anybody else."""

from __future__ import annotations

import contextlib
import contextvars
import random
import signal
import subprocess
import sys
import textwrap
import threading
import time
import typing as t
from pathlib import Path

import flask
import pytest

from . import steps
from .flavours import Flavour
from .proxy import Fault
from .proxy import FaultProxy
from .proxy import no_fault
from .proxy import Plan
from .server import RedisServer

#: Seconds in which an exception of a handler is to be raised: the wait is cut into slices of 100 ms.
PROMPT = 0.2
#: What a machine that is busy with other things may take besides.
SLACK = 0.15


class Raised(BaseException):
    """As `gevent.Timeout` and others of its kind: no Exception."""


@contextlib.contextmanager
def raising(error: type[BaseException]) -> t.Iterator[None]:
    """A handler of SIGALRM that raises."""

    def handle(number: int, frame: object) -> None:
        raise error

    before = signal.signal(signal.SIGALRM, handle)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def interrupted(work: t.Callable[[], t.Any], seconds: float, error: type[BaseException]) -> float:
    """Does the work until the signal comes: how many seconds after it its exception was raised."""
    due = time.monotonic() + seconds

    def begin() -> None:
        # Not before the exception is expected: on a busy machine half a millisecond is soon over.
        signal.setitimer(signal.ITIMER_REAL, seconds)
        # Contexts that an interrupt keeps from being left are forgotten with this one.
        contextvars.copy_context().run(work)

    with pytest.raises(error):
        begin()
    return time.monotonic() - due


@pytest.fixture
def app(native: Flavour, own_server: RedisServer) -> flask.Flask:
    app = steps.new_app(native, own_server.unix_url(), timeout=5.0)
    return app


class User:
    """One whose requests may be broken off anywhere.

    The interface is called as Flask calls it, but without Flask around it: where an interrupt strikes there, Flask
    itself may fail in other ways.
    """

    def __init__(self, app: flask.Flask, name: str) -> None:
        self.app = app
        self.name = name
        items = {"owner": name, "count": 0, "text": name}
        said = steps.told(steps.request(app, None, lambda s: s.update(items)))
        self.sid = said[1]
        cookie = {"HTTP_COOKIE": f"session={self.sid}"}
        self._request = app.test_request_context("/", environ_overrides=cookie).request

    def visit(self) -> None:
        interface, response = self.app.session_interface, self.app.response_class()
        session: t.Any = interface.open_session(self.app, self._request)
        assert session["owner"] == self.name, "another's session"
        assert set(session["text"].split(",")) == {self.name}, "another's text"
        session["count"] += 1
        session["text"] = ",".join([self.name] * random.randrange(1, 4000))
        interface.save_session(self.app, session, response)
        assert steps.told(response) == ("set", self.sid)


def always(fault: Fault) -> Plan:
    return lambda number: fault


ERRORS = (KeyboardInterrupt, SystemExit, Raised)


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("when", ["loading", "saving"])
def test_while_the_server_is_silent(
    app: flask.Flask, own_server: RedisServer, error: type[BaseException], when: str
) -> None:
    users = [User(app, name) for name in ("a", "b")]
    sid = users[0].sid
    used = {client["id"] for client in own_server.client.client_list()}
    request = steps.InSteps(app, sid)
    request.open()
    if when == "saving":
        request.use(lambda s: s.update(text="a,a"))
    with raising(error), own_server.paused():
        work = request.use if when == "loading" else request.save
        assert -0.01 < interrupted(work, 0.05, error) < PROMPT + SLACK
        # What looks at the session afterwards finds it empty, and saves nothing.
        before = time.monotonic()
        assert steps.told(request.save()) == "left alone"
        assert time.monotonic() - before < 0.05
    request.close()
    # The reply comes now, to a connection that is closed.
    for user in users * 3:
        user.visit()
    own = {str(own_server.client.client_id())}
    now = {client["id"] for client in own_server.client.client_list()}
    assert now & used == own, "the connection was used again"


@pytest.mark.parametrize("error", ERRORS)
def test_while_an_expiry_is_slid(
    app: flask.Flask, own_server: RedisServer, error: type[BaseException]
) -> None:
    """A view that does not use its session does not need the server, but it can be broken off all the same."""
    request = steps.InSteps(app, User(app, "a").sid)
    request.open()
    with raising(error), own_server.paused():
        assert interrupted(request.save, 0.05, error) < PROMPT + SLACK
    request.close()


@pytest.mark.parametrize("error", ERRORS)
def test_while_connecting(
    native: Flavour, own_server: RedisServer, error: type[BaseException]
) -> None:
    """The first use: the handshake of a connection is waited for."""
    app = steps.new_app(native, own_server.url("default", "x"), timeout=5.0)
    with raising(error), own_server.paused():
        request = steps.InSteps(app, "x" * 43)
        request.open()
        assert interrupted(request.use, 0.05, error) < PROMPT + SLACK
        request.close()


@pytest.mark.parametrize("error", ERRORS)
def test_at_random_moments(
    app: flask.Flask,
    own_server: RedisServer,
    error: type[BaseException],
    pytestconfig: pytest.Config,
) -> None:
    """Whatever it was in the middle of, nobody sees another's session afterwards, and nothing is stuck."""
    users = [User(app, f"user-{n}") for n in range(4)]

    def work() -> None:
        end = time.monotonic() + 1
        while time.monotonic() < end:
            random.choice(users).visit()

    with raising(error):
        for _ in range(pytestconfig.getoption("--interrupts")):
            late = interrupted(work, random.uniform(0.0005, 0.01), error)
            assert late < PROMPT + SLACK
            for user in users:
                user.visit()
    for data in steps.Store(own_server.client).all().values():
        assert set(data["text"].split(",")) == {data["owner"]}


@pytest.mark.parametrize("error", ERRORS)
def test_between_command_and_reply(
    native: Flavour, server: RedisServer, error: type[BaseException], pytestconfig: pytest.Config
) -> None:
    """A network that delivers half of a reply, and the rest after the signal."""
    with FaultProxy(server.port) as proxy:
        app = steps.new_app(native, proxy.url(), timeout=5.0)
        users = [User(app, name) for name in ("a", "b", "c")]
        for user in users:
            user.visit()
        with raising(error):
            for number in range(pytestconfig.getoption("--interrupts") // 6):
                # The next connection is slow in the middle of a reply; the kept one is closed.
                proxy.plan = always(Fault("delay", "replies", number % 8 * 7, 0.3))
                fresh = steps.new_app(native, proxy.url(), timeout=5.0)
                users[0].app = fresh
                late = interrupted(users[0].visit, random.uniform(0.02, 0.1), error)
                assert late < PROMPT + SLACK
                proxy.plan = no_fault
                for user in users:
                    user.app = fresh
                    user.visit()


def test_a_handler_that_raises_nothing_only_runs(app: flask.Flask, own_server: RedisServer) -> None:
    """The wait goes on, and the handler ran while it did."""
    ran = []
    user = User(app, "a")
    before = signal.signal(signal.SIGALRM, lambda *_: ran.append(time.monotonic()))
    try:
        threading.Timer(0.4, own_server.resume).start()
        own_server.pause()
        start = time.monotonic()
        signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
        user.visit()
        elapsed = time.monotonic() - start
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        own_server.resume()
    assert 0.35 < elapsed < 2
    assert len([moment for moment in ran if moment < start + 0.4]) >= 2


def test_a_handler_that_uses_the_store_itself(app: flask.Flask, own_server: RedisServer) -> None:
    """It gets a connection of its own: the one in use is nobody else's."""
    outer, inner = User(app, "outer"), User(app, "inner")
    sid = outer.sid
    ran = []

    def handle(number: int, frame: object) -> None:
        own_server.resume()
        inner.visit()
        ran.append(1)

    before = signal.signal(signal.SIGALRM, handle)
    try:
        request = steps.InSteps(app, sid)
        request.open()
        own_server.pause()
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        assert request.use(lambda s: s["owner"]) == "outer"
        request.finish()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        own_server.resume()
    assert ran == [1]


PROGRAM = """
    import sys, time
    import flask
    from flask import session
    import flask_session_rs

    app = flask.Flask(__name__)
    app.secret_key = "a key"
    app.session_interface = flask_session_rs.RedisSessionInterface({url!r}, timeout=30.0)

    with app.test_request_context("/", headers={{"Cookie": "session=" + "x" * 43}}):
        print("reading", flush=True)
        try:
            session.get("a")
        except KeyboardInterrupt:
            print("interrupted", flush=True)
            sys.exit(3)
"""


def test_control_c(own_server: RedisServer) -> None:
    """A program that waits for a silent server ends when its user wants it to."""
    root = Path(__file__).parents[2]
    with own_server.paused():
        program = textwrap.dedent(PROGRAM).format(url=own_server.unix_url())
        process = subprocess.Popen(
            [sys.executable, "-c", program], stdout=subprocess.PIPE, cwd=root / "python"
        )
        assert process.stdout is not None
        assert process.stdout.readline() == b"reading\n"
        time.sleep(0.1)
        start = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == b"interrupted\n"
        assert time.monotonic() - start < PROMPT + SLACK
        assert process.wait(10) == 3
        process.stdout.close()
