"""P2: every store operation has one total deadline, whatever the server or the network does meanwhile."""

from __future__ import annotations

import contextlib
import itertools
import socket
import time
import typing as t

import pytest

from flask_session_rs import RedisSessionInterface

from ..visits import Answer
from ..visits import Visitor
from .failing import app_over
from .failing import bulk
from .failing import ends_in_time
from .failing import error_of
from .failing import FAILED
from .failing import happening
from .failing import is_silent
from .failing import known_visitor
from .failing import logged
from .failing import served
from .failing import TIMEOUT
from .failing import UNAVAILABLE
from .failing import visit_as
from .failing import WRITERS
from .proxy import Action
from .proxy import Direction
from .proxy import Fault
from .proxy import FaultProxy
from .proxy import no_fault
from .scripted import ScriptedServer
from .scripted import Words
from .server import free_port
from .server import RedisServer

#: How the network harms the connections: what, which way, and how slowly. A reply to a script has four bytes, a read's
#: more than twenty, and each trickles for longer than the deadline.
NETWORK: dict[str, tuple[Action, Direction]] = {
    "commands swallowed": ("swallow", "commands"),
    "replies swallowed": ("swallow", "replies"),
    "commands trickling": ("trickle", "commands"),
    "replies trickling": ("trickle", "replies"),
    "nothing taken": ("stall", "commands"),
}


class Harm(t.NamedTuple):
    """Something that can be done to a store and undone."""

    do: t.Callable[[], None]
    undo: t.Callable[[], None]


def by_network(proxy: FaultProxy, name: str) -> Harm:
    action, direction = NETWORK[name]

    def do() -> None:
        # Connections that are there already are not part of the plan: they end.
        proxy.plan = lambda _: Fault(action, direction, 0, 0.2 if action == "trickle" else 30)
        proxy.cut_all()

    def undo() -> None:
        proxy.plan = no_fault
        proxy.cut_all()

    return Harm(do, undo)


@pytest.mark.parametrize("name", NETWORK)
def test_a_harmful_network(proxy: FaultProxy, name: str) -> None:
    """Reading, sliding, and every kind of writing."""
    app = app_over(proxy.url(), timeout=TIMEOUT)
    suffer(known_visitor(app), by_network(proxy, name), waits=True)


def test_a_silent_server(own_server: RedisServer) -> None:
    """Its process is stopped: the system still accepts connections, and takes what is sent."""
    harm = Harm(own_server.pause, own_server.resume)
    suffer(known_visitor(app_over(own_server.url(), timeout=TIMEOUT)), harm, waits=True)


@pytest.mark.parametrize("refresh", [True, False])
def test_a_view_that_ignores_its_session_waits_where_an_expiry_slides(
    own_server: RedisServer, refresh: bool
) -> None:
    """As documented, with the setting that spares it the wait; without a cookie, nobody waits."""
    app = app_over(own_server.url(), timeout=TIMEOUT, SESSION_REFRESH_EACH_REQUEST=refresh)
    visitor = known_visitor(app)
    with own_server.paused():
        known = ends_in_time(lambda: visitor.get("/untouched"), waits=refresh)
        new = ends_in_time(lambda: Visitor(app).get("/untouched"), waits=False)
    assert known.status == new.status == "200 OK"


def test_a_silent_server_at_a_unix_socket(own_server: RedisServer) -> None:
    harm = Harm(own_server.pause, own_server.resume)
    suffer(known_visitor(app_over(own_server.unix_url(), timeout=TIMEOUT)), harm, waits=True)


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_server_that_is_gone(end: str) -> None:
    """Refused at once. What it holds has to be there again after it: nobody is logged out by a new start."""
    with RedisServer(appendonly=True) as server:
        harm = Harm(getattr(server, end), server.start)
        suffer(known_visitor(app_over(server.url(), timeout=TIMEOUT)), harm, waits=False)


def test_a_server_that_is_gone_from_a_unix_socket() -> None:
    with RedisServer(appendonly=True) as server:
        harm = Harm(server.kill, server.start)
        suffer(known_visitor(app_over(server.unix_url(), timeout=TIMEOUT)), harm, waits=False)


def suffer(visitor: Visitor, harm: Harm, *, waits: bool) -> None:
    """The session is used while the store is harmed, before and after its first use in the request."""
    app, jar = visitor.app, dict(visitor.jar)

    @contextlib.contextmanager
    def harmed() -> t.Iterator[None]:
        harm.do()
        try:
            yield
        finally:
            harm.undo()

    def again(path: str) -> Answer:
        visitor.jar = dict(jar)
        return visitor.get(path)

    with harmed():
        for path in ("/read", "/write"):
            answer = ends_in_time(lambda path=path: again(path), waits=waits)  # type: ignore[misc]
            assert answer.status == UNAVAILABLE, answer
            assert is_silent(answer)
        # Its expiry is to be slid, and is not.
        answer = ends_in_time(lambda: again("/untouched"), waits=waits)
        assert (answer.status, answer.body) == ("200 OK", "untouched")
        assert is_silent(answer)
        # Somebody new, whose record cannot be written.
        answer = ends_in_time(lambda: Visitor(app).get("/write"), waits=waits)
        assert answer.status == FAILED, answer
        assert is_silent(answer)
    for path in WRITERS:

        def saved_in_vain(path: str = path) -> Answer:
            with (
                contextlib.ExitStack() as meanwhile,
                happening(app, lambda: meanwhile.enter_context(harmed())),
            ):
                return again(path)

        # The view's own way to the store is quick, so that the request takes hardly longer than its save.
        answer = ends_in_time(saved_in_vain, waits=waits, status=FAILED)
        assert answer.status == FAILED, (path, answer)
        assert is_silent(answer), (path, answer)
        visitor.jar = dict(jar)
        if served(visitor, "/read").body in ('{"_permanent": true}', "{}"):
            # It was carried out after all when the server went on: a deletion, or a move to an id that nobody knows.
            assert path in ("/logout", "/emptied", "/regenerate"), path
            jar = dict(known_visitor(app).jar)


def test_a_connection_that_is_never_accepted() -> None:
    """The queue is full and the system drops what comes: packets that disappear."""
    with socket.socket() as listener, contextlib.ExitStack() as stack:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            queued = stack.enter_context(socket.socket())
            queued.setblocking(False)
            queued.connect_ex(listener.getsockname())
        app = app_over(f"redis://127.0.0.1:{listener.getsockname()[1]}/0", timeout=TIMEOUT)
        answer = ends_in_time(lambda: Visitor(app).get("/write"), waits=True)
        assert answer.status == FAILED, answer


def test_a_name_that_leads_nowhere() -> None:
    app = app_over(f"redis://no-such-host.invalid:{free_port()}/0", timeout=TIMEOUT)
    answer = ends_in_time(lambda: Visitor(app).get("/write"))
    assert answer.status == FAILED, answer
    assert "no-such-host" not in str(answer)


def test_a_handshake_counts_as_well() -> None:
    """AUTH and SELECT are each answered in good time, and together they are not."""
    with RedisServer(password="pass") as server, FaultProxy(server.port) as proxy:
        app = app_over(proxy.url(":pass@", 3), timeout=TIMEOUT)
        visitor = known_visitor(app)
        # 5 bytes to each of the two, a twelfth of the time apart: the command itself is what comes too late.
        proxy.plan = lambda _: Fault("trickle", "replies", 0, TIMEOUT / 12)
        proxy.cut_all()
        answer = ends_in_time(lambda: visitor.get("/read"), waits=True)
        assert answer.status == UNAVAILABLE, answer
        assert "timed out" in str(error_of(visitor))


def test_the_default_is_a_second(own_server: RedisServer) -> None:
    app = app_over(own_server.url(), timeout=TIMEOUT)
    visitor = known_visitor(app)
    app.session_interface = RedisSessionInterface(own_server.url())
    with own_server.paused():
        answer = ends_in_time(lambda: visitor.get("/read"), 1.0, waits=True)
    assert answer.status == UNAVAILABLE


def test_the_tries_of_a_contended_change_share_one_deadline() -> None:
    """Each try is answered late, though none by itself too late, and each time others were faster."""
    tries = itertools.count()

    def answer(words: Words) -> bytes:
        if words[0] in (b"GETEX", b"GET"):
            return bulk(b"\x81\xa1n\x01")
        time.sleep(TIMEOUT * 0.4)
        return bulk(b"\x82\xa1n\x01\xa1x" + bytes([next(tries)]))

    with ScriptedServer(answer) as server:
        app = app_over(server.url, timeout=TIMEOUT)
        with logged() as log:
            late = ends_in_time(lambda: visit_as(app, "a" * 43, "/nested"), waits=True)
    assert late.status == FAILED, late
    assert "timed out" in log.lines[0]


def test_no_more_than_five_tries() -> None:
    tries = itertools.count()

    def answer(words: Words) -> bytes:
        if words[0] in (b"GETEX", b"GET"):
            return bulk(b"\x81\xa1n\x01")
        return bulk(b"\x82\xa1n\x01\xa1x" + bytes([next(tries)]))

    with ScriptedServer(answer) as server:
        app = app_over(server.url)
        with logged() as log:
            failed = visit_as(app, "a" * 43, "/nested")
    assert failed.status == FAILED, failed
    assert next(tries) == 5
    assert "changed by others too often" in log.lines[0]
