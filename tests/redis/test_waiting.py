"""How operations wait: signals are seen, event loops go on, and forked processes start afresh."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
import typing as t

import pytest

from flask_session_rs import SessionStoreUnavailable
from flask_session_rs._native import Store

from . import loops
from .server import RedisServer

#: How late a signal may be seen: a slice of the wait, and something for a busy machine.
LATE = 0.1 + 0.2


class Alarm(Exception):
    """Raised by a signal's handler."""


@contextlib.contextmanager
def alarm(after: float, handler: t.Callable[[], object]) -> t.Iterator[None]:
    """The handler runs in the main thread after so many seconds."""
    previous = signal.signal(signal.SIGALRM, lambda number, frame: handler())
    signal.setitimer(signal.ITIMER_REAL, after)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


def raise_alarm() -> None:
    raise Alarm


@pytest.mark.parametrize("connected", [True, False])
def test_a_signal_ends_a_wait(server: RedisServer, connected: bool) -> None:
    store = Store(server.url(), timeout=5, pool_size=1)
    store.create(b"mine", b"mine", 60)
    store.create(b"other", b"other", 60)
    waits = store if connected else Store(server.url(), timeout=5)
    before = server.connections()
    with server.paused(), alarm(0.15, raise_alarm):
        begun = time.monotonic()
        with pytest.raises(Alarm):
            waits.load(b"other")
        assert time.monotonic() - begun < 0.15 + LATE
    # What was waited on is closed: its answer is nobody's.
    assert waits.load(b"mine") == b"mine"
    assert server.connections() <= before + (not connected)


@pytest.mark.parametrize("elsewhere", [False, True], ids=["here", "elsewhere"])
def test_keyboard_interrupt(server: RedisServer, elsewhere: bool) -> None:
    """The signal is the process's: the system may give it to a thread that does not wait for the store."""
    store = Store(server.url(), timeout=5)
    idle = threading.Event()
    other = threading.Thread(target=idle.wait)
    other.start()
    blocked = {signal.SIGINT} if elsewhere else set()
    timer = threading.Timer(0.15, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, blocked)
    try:
        with server.paused():
            begun = time.monotonic()
            with pytest.raises(KeyboardInterrupt):
                store.load(b"k")
            assert time.monotonic() - begun < 0.15 + LATE
    finally:
        timer.join()
        idle.set()
        other.join()
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    assert store.load(b"k") is None


def test_a_handler_that_raises_nothing_does_not_end_a_wait(server: RedisServer) -> None:
    store = Store(server.url(), timeout=5)
    store.create(b"k", b"1", 60)
    server.pause()
    try:
        with alarm(0.15, server.resume):
            begun = time.monotonic()
            assert store.load(b"k") == b"1"
            assert 0.1 < time.monotonic() - begun < 0.15 + LATE
    finally:
        server.resume()


def test_many_signals_do_not_lengthen_a_wait(server: RedisServer) -> None:
    store = Store(server.url(), timeout=0.5)
    store.load(b"k")
    seen = []
    with server.paused(), alarm(0.01, lambda: seen.append(1)):
        signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
        begun = time.monotonic()
        with pytest.raises(SessionStoreUnavailable, match="timed out"):
            store.load(b"k")
        assert 0.49 < time.monotonic() - begun < 0.8
    assert len(seen) > 20


def test_a_signal_while_another_thread_waits(server: RedisServer) -> None:
    """The main thread sees it, whoever else waits; the one that waits is not disturbed."""
    store = Store(server.url(), timeout=0.6)
    store.load(b"k")
    ends: list[float] = []
    ended = threading.Event()

    def wait() -> None:
        begun = time.monotonic()
        with contextlib.suppress(SessionStoreUnavailable):
            store.load(b"k")
        ends.append(time.monotonic() - begun)
        ended.set()

    with server.paused():
        thread = threading.Thread(target=wait)
        thread.start()
        begun = time.monotonic()
        with alarm(0.1, raise_alarm), pytest.raises(Alarm):
            ended.wait(5)
        assert time.monotonic() - begun < 0.1 + LATE
        thread.join(5)
    assert len(ends) == 1
    assert 0.59 < ends[0] < 0.9


def test_other_threads_run_while_one_waits(server: RedisServer) -> None:
    store = Store(server.url(), timeout=0.5)
    store.load(b"k")
    with server.paused():
        waits = threading.Thread(target=_load_in_vain, args=(store,))
        waits.start()
        counted, begun = 0, time.monotonic()
        while waits.is_alive():
            counted += 1
            time.sleep(0.001)
        waits.join()
        assert time.monotonic() - begun < 0.5 + LATE
    assert counted > 100


def _load_in_vain(store: Store) -> None:
    with contextlib.suppress(SessionStoreUnavailable):
        store.load(b"k")


@pytest.mark.parametrize("loop", loops.PATCHES)
@pytest.mark.parametrize("scenario", loops.SCENARIOS)
def test_event_loops_go_on(own_server: RedisServer, loop: str, scenario: str) -> None:
    assert own_server.process is not None
    code = (
        f"{loops.PATCHES[loop]}\nimport sys, {loops.__name__} as loops\nloops.main(*sys.argv[1:])"
    )
    command = [sys.executable, "-c", code, scenario]
    command += [own_server.url(), str(own_server.process.pid)]
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=30)
    finally:
        own_server.resume()
    assert (run.stdout, run.returncode) == ("passed\n", 0), run.stderr


def test_a_loop_that_patches_nothing_changes_nothing(server: RedisServer) -> None:
    code = (
        "import gevent, gevent.monkey, sys\n"
        "from flask_session_rs._native import Store\n"
        "store = Store(sys.argv[1])\n"
        "assert gevent.spawn(store.load, b'k').get() is None\n"
        "sys.modules['gevent.monkey'] = None\n"
        "assert store.load(b'k') is None\n"
        "print('passed')"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, server.url()], capture_output=True, text=True, timeout=30
    )
    assert (run.stdout, run.returncode) == ("passed\n", 0), run.stderr


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_forks_under_load(server: RedisServer) -> None:
    """A child never uses its parent's connections, and the parent never notices its children."""
    store = Store(server.url(), timeout=5, pool_size=4)
    done = threading.Event()
    wrong: list[object] = []

    def work(name: bytes) -> None:
        store.create(name, name * 20, 600)
        while not done.is_set():
            if (found := store.load(name)) != name * 20:
                wrong.append(found)

    threads = [threading.Thread(target=work, args=(b"parent %d;" % n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    try:
        for number in range(20):
            child = os.fork()
            if child == 0:
                name = b"child %d;" % number
                with contextlib.suppress(BaseException):
                    good = store.create(name, name, 60)
                    good &= all(store.load(name) == name for _ in range(10))
                    os._exit(0 if good else 1)
                os._exit(2)
            _, status = os.waitpid(child, 0)
            assert os.waitstatus_to_exitcode(status) == 0
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert not wrong
