"""Thousands of load-save cycles: memory does not grow, descriptors stay the same, and no session is kept."""

from __future__ import annotations

import contextlib
import copy
import gc
import os
import pickle
import typing as t
import weakref
from pathlib import Path

import flask
import pytest

from flask_session_rs import RedisSession
from flask_session_rs import SessionStoreUnavailable

from . import steps
from .flavours import Flavour
from .proxy import Fault
from .proxy import FaultProxy
from .server import RedisServer
from .steps import begin
from .steps import request
from .steps import under_way

MEBIBYTE = 1 << 20


def resident() -> int:
    """Bytes of memory that this process has."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def grows_by(cycle: t.Callable[[int], object], cycles: int) -> int:
    """How much memory a number of cycles adds, after as many of them as it takes to be warm."""
    for number in range(max(300, cycles // 10)):
        cycle(number)
    gc.collect()
    memory, files = resident(), descriptors()
    for number in range(cycles):
        cycle(number)
    gc.collect()
    assert descriptors() == files
    return resident() - memory


@pytest.fixture
def cycles(pytestconfig: pytest.Config) -> int:
    number: int = pytestconfig.getoption("--cycles")
    return number


def change(number: int) -> steps.Use:
    def use(session: t.Any) -> None:
        session["count"] = number
        session["text"] = "x" * (number % 50 * 40)
        session[f"key {number % 7}"] = [number, {"a": None}]

    return use


def test_of_changes(native: Flavour, server: RedisServer, cycles: int) -> None:
    app = steps.new_app(native, server.unix_url())
    sid = begin(app, a=1)
    assert grows_by(lambda number: request(app, sid, change(number)), cycles) < MEBIBYTE


def test_of_whole_lives(native: Flavour, server: RedisServer, cycles: int) -> None:
    """Begun, regenerated, read, logged out."""
    app = steps.new_app(native, server.unix_url())

    def cycle(number: int) -> None:
        sid = begin(app, a=number)
        moved = steps.told(request(app, sid, steps.regenerate))
        request(app, moved[1], lambda session: session["a"])
        request(app, moved[1], lambda session: session.clear())

    assert grows_by(cycle, cycles // 4) < MEBIBYTE
    assert server.records() == {}


def test_of_conflicts(native: Flavour, server: RedisServer, cycles: int) -> None:
    app = steps.new_app(native, server.unix_url())
    sid = begin(app, a=1)

    def cycle(number: int) -> None:
        slow = under_way(app, sid, lambda session: session.update(slow=number))
        request(app, sid, lambda session: session.update(fast=number))
        slow.finish()

    assert grows_by(cycle, cycles // 2) < MEBIBYTE


def test_of_failures(native: Flavour, server: RedisServer, cycles: int, tmp_path: Path) -> None:
    """Refused, cut off in the middle of a reply, of a record that is none, of data that cannot be encoded."""
    with FaultProxy(server.port) as proxy:
        refused = steps.new_app(native, f"redis+unix://{tmp_path}/none", timeout=0.2)
        app = steps.new_app(native, proxy.url(), timeout=1.0)
        sid, broken = begin(app, a=1), "b" * 43
        steps.Store(server.client).put(broken, b"\xc1 broken")
        proxy.plan = lambda number: Fault("cut", "replies", number % 90) if number % 3 else None

        def cycle(number: int) -> None:
            with contextlib.suppress(SessionStoreUnavailable):
                request(app, sid, change(number))
            if number % 10:
                return
            under_way(app, broken).close()
            failed = steps.InSteps(refused, sid)
            failed.open()
            with pytest.raises(SessionStoreUnavailable):
                failed.use(lambda session: session.get("a"))
            failed.finish()
            odd = steps.InSteps(app, None)
            odd.open()
            odd.use(lambda session: session.update(a=object()))
            with pytest.raises(TypeError):
                odd.save()
            odd.close()

        # Connections that are cut come and go: they are counted at the end, all of them closed but one.
        before = descriptors()
        for number in range(400):
            cycle(number)
        gc.collect()
        memory = resident()
        for number in range(cycles // 3):
            cycle(number)
        gc.collect()
        assert resident() - memory < MEBIBYTE
        assert abs(descriptors() - before) <= 4


class Tracked(RedisSession):
    """One that can be watched: a plain session has no weak references."""

    made: t.ClassVar[list[weakref.ref[Tracked]]] = []

    def __init__(self, *args: t.Any, **kwargs: t.Any) -> None:
        super().__init__(*args, **kwargs)
        self.made.append(weakref.ref(self))


@pytest.fixture
def tracked(native: Flavour, server: RedisServer) -> t.Iterator[flask.Flask]:
    Tracked.made.clear()
    app = steps.new_app(native, server.unix_url())
    interface: t.Any = app.session_interface
    interface.session_class = Tracked
    yield app
    Tracked.made.clear()


def left() -> int:
    gc.collect()
    return sum(reference() is not None for reference in Tracked.made)


@pytest.mark.parametrize(
    "use",
    [
        lambda s: None,
        lambda s: s.get("a"),
        lambda s: s.update(b=1),
        lambda s: s.update(me=1) or s.regenerate(),
        lambda s: s.clear(),
        lambda s: (copy.copy(s), copy.deepcopy(s), pickle.dumps(s), s | {}, repr(s)),
        lambda s: list(s.items()),
    ],
)
def test_no_session_is_kept(tracked: flask.Flask, use: steps.Use) -> None:
    sid = begin(tracked, a=1)
    for _ in range(20):
        request(tracked, sid, use)
    untouched = steps.InSteps(tracked, sid)
    untouched.open()
    untouched.finish()
    del untouched
    assert len(Tracked.made) >= 22
    assert left() == 0


def test_a_session_that_holds_itself_is_collected(tracked: flask.Flask) -> None:
    sid = begin(tracked, a=1)
    for _ in range(5):
        steps_ = under_way(tracked, sid, lambda s: s.update(me=s))
        steps_.close()
        del steps_
    assert left() == 0


def test_no_interface_is_kept(native: Flavour, server: RedisServer) -> None:
    """Nor its connections."""
    before = descriptors()
    kept = []
    for _ in range(20):
        app = steps.new_app(native, server.unix_url())
        request(app, begin(app, a=1), lambda session: session["a"])
        kept.append(weakref.ref(app))
        del app
    gc.collect()
    assert [reference for reference in kept if reference() is not None] == []
    assert descriptors() <= before + 1
