"""Real requests of one session in many threads at once: every change of a key of its own survives."""

from __future__ import annotations

import collections
import sys
import threading
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor

import flask
import pytest
from flask import session

from ..visits import visit
from . import steps
from .flavours import Flavour
from .server import RedisServer
from .steps import begin
from .steps import Store
from .steps import under_way

LOST = pytest.mark.flask_session_breaks("the whole record is written by whoever is saved last")


@pytest.fixture
def switch_often() -> t.Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def together(work: t.Callable[[int], t.Any], threads: int) -> list[t.Any]:
    """`work(number)` in threads that start at the same moment; what each returned."""
    barrier = threading.Barrier(threads)

    def start(number: int) -> t.Any:
        barrier.wait(30)
        return work(number)

    with ThreadPoolExecutor(threads) as pool:
        return [future.result(60) for future in [pool.submit(start, n) for n in range(threads)]]


def views(app: flask.Flask) -> flask.Flask:
    @app.get("/set/<key>/<int:value>")
    def put(key: str, value: int) -> str:
        session[key] = value
        return "done"

    @app.get("/out")
    def out() -> str:
        session.clear()
        return "out"

    @app.get("/own/<int:owner>")
    def own(owner: int) -> str:
        """Reads and writes, and says whose everything is that is in there."""
        session.setdefault("owner", owner)
        session["count"] = session.get("count", 0) + 1
        session["filling"] = [owner] * (owner % 7 * 300)
        return f"{session['owner']} {session['count']} {set(session['filling']) <= {owner}}"

    return app


def status(app: flask.Flask, path: str, sid: str | None) -> str:
    return visit(app, path, None if sid is None else f"session={sid}").status


@LOST
def test_eight_threads_of_200_changes(flavour: Flavour, server: RedisServer) -> None:
    """Each thread sets keys of its own, one in each request. Nothing is lost, and nothing has to be tried again."""
    app = views(steps.new_app(flavour, server.unix_url(), timeout=10.0))
    sid = begin(app, a=1)

    def work(number: int) -> collections.Counter[str]:
        return collections.Counter(
            status(app, f"/set/{number}-{change}/{change}", sid) for change in range(200)
        )

    answers: collections.Counter[str] = sum(together(work, 8), collections.Counter())
    assert answers == {"200 OK": 1600}
    found = Store(server.client).get(sid)
    assert found == {"a": 1, **{f"{n}-{c}": c for n in range(8) for c in range(200)}}


@LOST
@pytest.mark.usefixtures("switch_often")
def test_eight_requests_at_once(flavour: Flavour, server: RedisServer) -> None:
    """All of them have read the session before the first one writes."""
    app = steps.new_app(flavour, server.unix_url())
    sid = begin(app, a=1)
    barrier = threading.Barrier(8)

    def work(number: int) -> None:
        request = under_way(app, sid, lambda s: s.update({f"key {number}": number}))
        barrier.wait(30)
        request.finish()

    together(work, 8)
    assert Store(server.client).get(sid) == {"a": 1, **{f"key {n}": n for n in range(8)}}


@LOST
def test_three_threads_in_step(flavour: Flavour, server: RedisServer) -> None:
    """Open, use, save: each step by all three, then the next."""
    app = steps.new_app(flavour, server.unix_url())
    sid = begin(app, a=1)
    barrier = threading.Barrier(3)

    def work(number: int) -> steps.Told:
        request = steps.InSteps(app, sid)
        request.open()
        barrier.wait(30)
        request.use(lambda s: s.update({f"key {number}": number}))
        barrier.wait(30)
        return steps.told(request.finish())

    for _ in range(30):
        assert together(work, 3) == [("set", sid)] * 3
        found = Store(server.client).get(sid)
        assert found == {"a": 1, "key 0": 0, "key 1": 1, "key 2": 2}
        steps.request(app, sid, lambda s: [s.pop(f"key {n}") for n in range(3)])


@pytest.mark.parametrize("pool_size", [1, 32])
def test_64_threads_of_64_users(native: Flavour, own_server: RedisServer, pool_size: int) -> None:
    """More threads than kept connections: none is another's, and what is kept is no more than was asked for."""
    server = own_server
    app = views(steps.new_app(native, server.unix_url(), timeout=10.0, pool_size=pool_size))

    def work(owner: int) -> None:
        cookie = None
        for count in range(1, 11):
            answer = visit(app, f"/own/{owner}", cookie)
            assert answer.body == f"{owner} {count} True"
            cookie = answer.header("Set-Cookie")[0].partition(";")[0]

    together(work, 64)
    deadline = time.monotonic() + 5
    while server.connections() > pool_size:
        assert time.monotonic() < deadline, server.connections()
        time.sleep(0.01)
    found = Store(server.client).all().values()
    assert sorted(data["owner"] for data in found) == list(range(64))
    assert all(data["count"] == 10 for data in found)


@pytest.mark.usefixtures("switch_often")
def test_logged_out_in_the_middle(native: Flavour, server: RedisServer) -> None:
    """Seven threads write while the eighth logs out: nothing is there afterwards but sessions begun anew."""
    app = views(steps.new_app(native, server.unix_url(), timeout=10.0))
    store = Store(server.client)
    for _ in range(20):
        sid = begin(app, user="ann")

        def work(number: int) -> list[str]:
            if number == 0:
                return visit(app, "/out", f"session={sid}").header("Set-Cookie")  # noqa: B023
            for change in range(5):
                visit(app, f"/set/{number}-{change}/1", f"session={sid}")  # noqa: B023
            return []

        assert "Max-Age=0" in together(work, 8)[0][0]
        found = store.all()
        assert sid not in found
        assert all("user" not in data for data in found.values())


def test_the_gil_is_released_while_waiting(native: Flavour, server: RedisServer) -> None:
    """Other threads go on while one waits for a silent server."""
    app = views(steps.new_app(native, server.unix_url(), timeout=0.5))
    app.logger.disabled = True
    sid = begin(app, a=1)
    ticks = 0
    with server.paused(), ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(status, app, "/set/a/2", sid)
        while not waiting.done():
            ticks += 1
            time.sleep(0.005)
        assert waiting.result() == "503 SERVICE UNAVAILABLE"
    assert ticks > 40


@pytest.mark.usefixtures("switch_often")
class TestOneSessionObjectInTwoThreads:
    """As `copy_current_request_context` hands it out."""

    def test_is_loaded_once_for_all_of_them(self, native: Flavour, server: RedisServer) -> None:
        app = steps.new_app(native, server.unix_url())
        sid = begin(app, a=1, nested=[1])

        @app.get("/")
        def view() -> str:
            def work(number: int) -> t.Callable[[], int]:
                @flask.copy_current_request_context
                def inside() -> int:
                    session[f"from {number}"] = number
                    return id(session["nested"])

                return inside

            inside = [work(number) for number in range(8)]
            assert len(set(together(lambda number: inside[number](), 8))) == 1
            return "done"

        for _ in range(20):
            answer = visit(app, "/", f"session={sid}")
            assert answer.body == "done", answer
            expected = {"a": 1, "nested": [1], **{f"from {n}": n for n in range(8)}}
            assert Store(server.client).get(sid) == expected
            steps.request(app, sid, lambda s: [s.pop(f"from {n}") for n in range(8)])

    def test_one_changes_it_while_the_other_saves_it(
        self, native: Flavour, server: RedisServer
    ) -> None:
        """The save is of one moment of it, whole: what comes later is the next save's."""
        app, store = steps.new_app(native, server.unix_url()), Store(server.client)
        sid = begin(app, a=1)
        request = under_way(app, sid)
        done = threading.Event()

        def change() -> None:
            number = 0
            while not done.is_set():
                number += 1
                request.session["number"] = number
                request.session["list"] = [number] * 50
                request.session.pop(f"key {number - 20}", None)
                request.session[f"key {number}"] = number

        thread = threading.Thread(target=change)
        thread.start()
        try:
            for _ in range(200):
                request.save()
                found = store.get(sid)
                assert found is not None
                assert len(set(found.get("list", [0]))) == 1
        finally:
            done.set()
            thread.join()
        request.save()
        request.close()
        found = store.get(sid)
        assert found is not None
        assert {
            key: value for key, value in request.session.items() if key != "_permanent"
        } == found

    def test_each_saves_it(self, native: Flavour, server: RedisServer) -> None:
        app, store = steps.new_app(native, server.unix_url(), timeout=10.0), Store(server.client)
        sid = begin(app, a=1)
        request = under_way(app, sid)
        interface: t.Any = app.session_interface

        def work(number: int) -> None:
            for change in range(30):
                request.session[f"{number}-{change}"] = change
                interface.save_session(app, request.session, flask.Response())

        with app.app_context():
            together(work, 4)
        expected = {"a": 1, **{f"{n}-{c}": c for n in range(4) for c in range(30)}}
        assert store.get(sid) == expected
        request.close()
