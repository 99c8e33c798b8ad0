"""What a program does under an event loop that has patched the socket module: gevent or eventlet."""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys
import time
import typing as t

import flask
import pytest
import redis as redis_py
from typing_extensions import Self

from flask_session_rs import RedisSessionInterface
from flask_session_rs import SessionStoreUnavailable
from flask_session_rs._native import Store

#: What the program has to do before it imports anything else.
PATCHES = {
    "gevent": "import gevent.monkey; gevent.monkey.patch_all()",
    "eventlet": "import eventlet; eventlet.monkey_patch()",
}

TICK = 0.01


def loop() -> t.Any:
    """The event loop's package."""
    return importlib.import_module("gevent" if "gevent" in sys.modules else "eventlet")


def spawn(function: t.Callable[..., object], *args: object) -> t.Any:
    return loop().spawn(function, *args)


def wait_for(tasks: t.Sequence[t.Any]) -> None:
    for task in tasks:
        task.get() if hasattr(task, "get") else task.wait()


def waiting() -> int:
    """How many waits for sockets the loop knows of."""
    if loop().__name__ == "gevent":
        return int(loop().get_hub().loop.activecnt)
    hub = loop().hubs.get_hub()
    return sum(len(listeners) for listeners in hub.listeners.values())


class Ticker:
    """A task of its own, which counts as long as the loop goes on."""

    def __init__(self) -> None:
        self.ticks = 0
        self._done = False

    def _run(self) -> None:
        while not self._done:
            time.sleep(TICK)
            self.ticks += 1

    def __enter__(self) -> Self:
        self._task = spawn(self._run)
        return self

    def __exit__(self, *_: object) -> None:
        self._done = True
        wait_for([self._task])


class Server:
    """The test's server, seen from here."""

    def __init__(self, url: str, pid: int) -> None:
        self.url = url
        self.pid = pid
        self.client = redis_py.Redis.from_url(url)

    def connections(self) -> int:
        """How many there are over TCP, the one that asks left out."""
        connected: t.Any = self.client.client_list()
        return sum("U" not in one["flags"] for one in connected) - 1

    @contextlib.contextmanager
    def paused(self) -> t.Iterator[None]:
        os.kill(self.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)

    def paused_for(self, seconds: float) -> t.Any:
        os.kill(self.pid, signal.SIGSTOP)

        def resume() -> None:
            time.sleep(seconds)
            os.kill(self.pid, signal.SIGCONT)

        return spawn(resume)


def a_silent_server(server: Server) -> None:
    """The loop goes on while one task waits in vain, for an answer or for the connection's first one."""
    warm, cold = Store(server.url, timeout=0.5), Store(server.url, timeout=0.5)
    warm.load(b"k")
    for store in (warm, cold):
        before = waiting()
        with Ticker() as ticker, server.paused():
            begun, ticks = time.monotonic(), ticker.ticks
            with pytest.raises(SessionStoreUnavailable, match="timed out"):
                store.load(b"k")
            took, ticks = time.monotonic() - begun, ticker.ticks - ticks
        assert 0.49 < took < 0.8, took
        assert ticks > 10, ticks
        assert waiting() == before, (waiting(), before)
        assert store.load(b"k") is None


def large_records(server: Server) -> None:
    """Waiting for room to write is waiting, too."""
    store = Store(server.url, timeout=5)
    record = os.urandom(8 << 20)
    with Ticker() as ticker:
        resumed = server.paused_for(0.3)
        assert store.create(b"large", record, 60)
        assert ticker.ticks > 10, ticker.ticks
        wait_for([resumed])
    assert store.load(b"large") == record


def given_up(server: Server) -> None:
    """What a loop raises into a wait is what comes out of it, and the connection is never used again."""
    store = Store(server.url, timeout=5, pool_size=1)
    store.create(b"mine", b"mine", 60)
    store.create(b"other", b"other", 60)
    owned = TimeoutError("somebody else's")
    for exception in (None, owned, KeyError("k")):
        arguments = () if exception is None else (exception,)
        before = waiting()
        with server.paused():
            begun = time.monotonic()
            limit = loop().Timeout(0.1, *arguments)
            with pytest.raises(type(limit if exception is None else exception)) as caught, limit:
                store.load(b"other")
            assert caught.value is (limit if exception is None else exception)
            assert time.monotonic() - begun < 0.5
        assert waiting() == before, (waiting(), before)
        for _ in range(3):
            assert store.load(b"mine") == b"mine"
    assert server.connections() == 1


def killed(server: Server) -> None:
    """A task that is killed while it waits."""
    store = Store(server.url, timeout=5, pool_size=1)
    store.create(b"mine", b"mine", 60)
    ends = []

    def wait() -> None:
        try:
            store.load(b"other")
        except BaseException as error:
            ends.append(type(error).__name__)
            raise

    with server.paused():
        tasks = [spawn(wait) for _ in range(5)]
        time.sleep(0.1)
        for task in tasks:
            task.kill()
        time.sleep(0.1)
    assert ends == ["GreenletExit"] * 5, ends
    assert store.load(b"mine") == b"mine"
    assert server.connections() == 1


def many_tasks(server: Server) -> None:
    """Each sees its own records, in whatever order answers come."""
    store = Store(server.url, timeout=10, pool_size=4)

    def work(name: bytes) -> None:
        record = name * 100
        assert store.create(name, record, 60)
        for turn in range(20):
            assert store.load(name, 60) == record
            following = b"%s %d" % (name * 100, turn)
            assert store.replace(name, record, following, 60) == "done"
            record = following

    with Ticker() as ticker:
        tasks = [spawn(work, b"task %d;" % number) for number in range(50)]
        time.sleep(0.05)
        wait_for([server.paused_for(0.2)])
        wait_for(tasks)
    assert ticker.ticks > 10, ticker.ticks
    assert server.connections() <= 4


def an_application(server: Server) -> None:
    """Whole requests, several of one session among them, none of which stops the others."""
    app = flask.Flask(__name__)
    app.session_interface = RedisSessionInterface(server.url, timeout=10)

    @app.get("/set/<key>")
    def set_key(key: str) -> str:
        flask.session[key] = key
        time.sleep(TICK)
        return "done"

    @app.get("/regenerate")
    def regenerate() -> str:
        flask.session.regenerate()  # type: ignore[attr-defined]
        return "done"

    @app.get("/keys")
    def keys() -> list[str]:
        return sorted(key for key in flask.session if key != "_permanent")

    shared = app.test_client()
    shared.get("/set/first")
    cookie = shared.get_cookie("session")
    assert cookie is not None

    def own_session(name: str) -> None:
        browser = app.test_client()
        for turn in range(5):
            browser.get(f"/set/{name}-{turn}")
        browser.get("/regenerate")
        assert browser.get("/keys").json == [f"{name}-{turn}" for turn in range(5)]

    def one_session(name: str) -> None:
        browser = app.test_client()
        browser.set_cookie("session", cookie.value)
        browser.get(f"/set/{name}")

    with Ticker() as ticker:
        tasks = [spawn(own_session, f"own-{number}") for number in range(20)]
        tasks += [spawn(one_session, f"one-{number}") for number in range(4)]
        time.sleep(0.02)
        wait_for([server.paused_for(0.3)])
        wait_for(tasks)
    assert ticker.ticks > 15, ticker.ticks
    assert shared.get("/keys").json == ["first", *(f"one-{number}" for number in range(4))]


def a_client_object(server: Server) -> None:
    """One that is used by its own methods waits as its library does."""

    class OwnRedis(redis_py.Redis):
        pass

    store = Store(OwnRedis.from_url(server.url, socket_timeout=5), timeout=5)
    assert not store.is_native
    assert store.create(b"k", b"1", 60)
    with Ticker() as ticker:
        resumed = server.paused_for(0.3)
        assert store.replace(b"k", b"1", b"2", 60) == "done"
        assert ticker.ticks > 10, ticker.ticks
        wait_for([resumed])
    with server.paused():
        limit = loop().Timeout(0.1)
        with pytest.raises(loop().Timeout) as caught, limit:
            store.load(b"k")
        assert caught.value is limit
    assert store.load(b"k") == b"2"


def a_real_thread(server: Server) -> None:
    """A thread of the loop's own pool, which has no loop running."""
    store = Store(server.url, timeout=5)
    store.create(b"k", b"1", 60)
    if loop().__name__ == "gevent":
        assert loop().get_hub().threadpool.apply(store.load, (b"k",)) == b"1"
    else:
        assert importlib.import_module("eventlet.tpool").execute(store.load, b"k") == b"1"
    assert store.load(b"k") == b"1"


SCENARIOS: dict[str, t.Callable[[Server], None]] = {
    function.__name__: function
    for function in (
        a_silent_server,
        large_records,
        given_up,
        killed,
        many_tasks,
        an_application,
        a_client_object,
        a_real_thread,
    )
}


def main(scenario: str, url: str, pid: str) -> None:
    SCENARIOS[scenario](Server(url, int(pid)))
    print("passed")
