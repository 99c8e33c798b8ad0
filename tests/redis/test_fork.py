"""Processes that fork with a store in use: the child opens connections of its own, and nothing is mixed up."""

from __future__ import annotations

import contextlib
import http.client
import multiprocessing
import os
import pickle
import select
import signal
import subprocess
import sys
import textwrap
import threading
import time
import traceback
import typing as t
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import flask
import pytest

from . import steps
from .flavours import Flavour
from .owned import add_views
from .owned import Owner
from .server import free_port
from .server import RedisServer

PATIENCE = 20.0


def in_child(work: t.Callable[[], t.Any]) -> t.Callable[[], t.Any]:
    """Fork, and do the work in the child; what it returned, or raised, is had by calling the result."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        # That a process with threads forks: it is what is to be tested.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        outcome: tuple[bool, t.Any]
        try:
            outcome = (True, work())
        except BaseException:
            outcome = (False, traceback.format_exc())
        with contextlib.suppress(BaseException):
            os.write(writing, pickle.dumps(outcome))
        os._exit(0)
    os.close(writing)

    def result() -> t.Any:
        try:
            ready, _, _ = select.select([reading], [], [], PATIENCE)
            if not ready:
                os.kill(pid, signal.SIGKILL)
            answer = b"" if not ready else os.read(reading, 1 << 16)
        finally:
            os.close(reading)
            os.waitpid(pid, 0)
        assert answer, "the child hangs" if not ready else "the child died"
        good, value = pickle.loads(answer)
        assert good, value
        return value

    return result


@pytest.fixture
def app(native: Flavour, own_server: RedisServer) -> flask.Flask:
    return add_views(steps.new_app(native, own_server.unix_url(), timeout=10.0))


def sockets() -> set[str]:
    """The sockets that this process has open."""
    links = set()
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            link = os.readlink(f"/proc/self/fd/{name}")
            if link.startswith("socket:"):
                links.add(link)
    return links


def busy(app: flask.Flask, names: t.Sequence[str], visits: int) -> None:
    """All of these users at once, each on a thread."""
    with ThreadPoolExecutor(len(names)) as pool:

        def use(name: str) -> None:
            owner = Owner(app, name)
            for _ in range(visits):
                owner.visit()

        list(pool.map(use, names))


def test_both_go_on(app: flask.Flask) -> None:
    owner = Owner(app, "before")
    owner.visit()

    def child() -> int:
        mine = Owner(app, "child")
        for _ in range(50):
            mine.visit()
        return mine.count

    result = in_child(child)
    for _ in range(50):
        owner.visit()
    assert result() == 50


def test_the_child_has_connections_of_its_own(app: flask.Flask, own_server: RedisServer) -> None:
    before_all = sockets()
    busy(app, ["a", "b", "c"], 5)
    inherited = sockets() - before_all
    known = {client["id"] for client in own_server.client.client_list()}
    assert inherited

    def child() -> tuple[bool, int]:
        Owner(app, "child").visit()
        now = sockets()
        return bool(now & inherited), len(now - before_all)

    still_open, opened = in_child(child)()
    assert not still_open, "the child holds its parent's connections open"
    assert opened == 1
    # The parent's are as they were: the child has neither used nor ended them.
    assert known <= {client["id"] for client in own_server.client.client_list()}
    owner = Owner(app, "after")
    with own_server.commands() as sent:
        owner.visit()
        assert sent.names() == ["SET"]
    assert {client["id"] for client in own_server.client.client_list()} == known


def test_a_child_that_never_uses_it_ends_nothing(app: flask.Flask, own_server: RedisServer) -> None:
    owner = Owner(app, "before")
    owner.visit()
    known = {client["id"] for client in own_server.client.client_list()}
    assert in_child(lambda: 5)() == 5
    owner.visit()
    assert {client["id"] for client in own_server.client.client_list()} == known


def test_children_of_children(app: flask.Flask) -> None:
    owner = Owner(app, "before")
    owner.visit()

    def grandchild() -> int:
        Owner(app, "grandchild").visit()
        return os.getppid()

    def child() -> int:
        Owner(app, "child").visit()
        result = in_child(grandchild)
        Owner(app, "child again").visit()
        return t.cast(int, result())

    assert in_child(child)() != os.getpid()
    owner.visit()


@pytest.mark.parametrize("server_is_slow", [False, True])
def test_while_threads_are_in_the_middle_of_it(
    app: flask.Flask, own_server: RedisServer, server_is_slow: bool
) -> None:
    """Every child can use the store at once, whatever the threads were doing that it does not have."""
    done = threading.Event()

    def use(number: int) -> int:
        owner = Owner(app, f"thread {number}")
        while not done.is_set():
            owner.visit()
        return owner.count

    def child(number: int) -> int:
        busy(app, [f"child {number} {n}" for n in range(3)], 5)
        return number

    with ThreadPoolExecutor(6) as pool:
        threads = [pool.submit(use, number) for number in range(6)]
        try:
            for number in range(12):
                if server_is_slow:
                    with own_server.paused():
                        time.sleep(0.01)
                        result = in_child(lambda: child(number))  # noqa: B023
                        time.sleep(0.01)
                else:
                    time.sleep(0.003)
                    result = in_child(lambda: child(number))  # noqa: B023
                assert result() == number
        finally:
            done.set()
        counts = [thread.result(PATIENCE) for thread in threads]
    assert all(count > 0 for count in counts)


def test_in_the_middle_of_a_request(app: flask.Flask, own_server: RedisServer) -> None:
    """A view that forks: the child has the session that was read, and its own connection to save it."""
    sid = steps.begin(app, a=1)
    request = steps.under_way(app, sid, lambda s: s.update(parent=1))

    def child() -> steps.Told:
        request.use(lambda s: s.update(child=1))
        return steps.told(request.save())

    assert in_child(child)() == ("set", sid)
    request.finish()
    assert steps.Store(own_server.client).get(sid) == {"a": 1, "parent": 1, "child": 1}


def _in_a_pool(number: int) -> int:
    assert _app is not None
    busy(_app, [f"{number} {n}" for n in range(2)], 5)
    return os.getpid()


_app: flask.Flask | None = None


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_multiprocessing(app: flask.Flask) -> None:
    global _app
    _app = app
    owner = Owner(app, "before")
    owner.visit()
    try:
        with multiprocessing.get_context("fork").Pool(3) as pool:
            pids = pool.map(_in_a_pool, range(9), chunksize=1)
            owner.visit()
    finally:
        _app = None
    assert os.getpid() not in pids
    owner.visit()


APPLICATION = """
    from flask import Flask
    from flask_session_rs import RedisSessionInterface
    from tests.redis.owned import add_views, Owner

    app = Flask(__name__)
    app.secret_key = "a key"
    app.session_interface = RedisSessionInterface({url!r}, timeout=10.0)
    add_views(app)

    # The parent uses the store before it forks, and leaves a connection behind.
    before = Owner(app, "parent")
    before.visit()
"""


@pytest.mark.parametrize(("workers", "threads"), [(2, 1), (4, 2)])
def test_gunicorn_with_preload(
    native: Flavour, server: RedisServer, tmp_path: Path, workers: int, threads: int
) -> None:
    (tmp_path / "preloaded.py").write_text(
        textwrap.dedent(APPLICATION).format(url=server.unix_url())
    )
    port = free_port()
    root = Path(__file__).parents[2]
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "gunicorn", "--preload", "-w", str(workers)),
            *("--threads", str(threads), "-b", f"127.0.0.1:{port}", "--log-level", "warning"),
            *("--pythonpath", f"{root},{root / 'python'}", "preloaded:app"),
        ],
        cwd=tmp_path,
    )
    try:
        _wait_for(port, process)

        def use(number: int) -> set[int]:
            name, cookie, pids = f"user-{number}", "", set()
            for count in range(1, 21):
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
                connection.request("GET", f"/own/{name}", headers={"Cookie": cookie})
                response = connection.getresponse()
                body = response.read().decode()
                assert response.status == 200, body[:500]
                owner, text, seen, pid = body.split(" ")
                assert (owner, text, int(seen)) == (name, name, count)
                cookie = (response.getheader("Set-Cookie") or "").partition(";")[0]
                pids.add(int(pid))
                connection.close()
            return pids

        with ThreadPoolExecutor(8) as pool:
            served = set().union(*pool.map(use, range(8)))
        assert process.pid not in served
        assert len(served) > 1
        assert process.poll() is None
    finally:
        process.terminate()
        process.wait(PATIENCE)
    owners = [data["owner"] for data in steps.Store(server.client).all().values()]
    assert sorted(owners) == ["parent", *(f"user-{n}" for n in range(8))]


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        try:
            connection.request("GET", "/nothing")
            connection.getresponse().read()
            return
        except OSError:
            assert process.poll() is None, "gunicorn has ended"
            assert time.monotonic() < deadline, "gunicorn does not answer"
            time.sleep(0.05)
        finally:
            connection.close()
