"""A TCP proxy on the loopback address that harms connections at chosen bytes: late, cut, reset, swallowed, slow."""

from __future__ import annotations

import collections
import contextlib
import heapq
import itertools
import queue
import selectors
import socket
import struct
import threading
import time
import typing as t

if t.TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

Action = t.Literal["delay", "cut", "reset", "swallow", "stall", "trickle"]
Direction = t.Literal["commands", "replies"]

ACTIONS: tuple[Action, ...] = t.get_args(Action)
DIRECTIONS: tuple[Direction, ...] = t.get_args(Direction)

CHUNK = 1 << 16


class Fault(t.NamedTuple):
    """What happens to one connection: `offset` bytes of one direction pass, then it strikes.

    delay: what follows waits for `seconds`, once. cut: both ends see an orderly end. reset: both see
    a reset. swallow: what follows in this direction disappears. stall: for `seconds` nothing is taken
    from the sender, so that its buffers fill. trickle: one byte at a time, `seconds` apart.
    """

    action: Action
    direction: Direction
    offset: int
    seconds: float = 0.0


#: The fault of each connection, by its number.
Plan = t.Callable[[int], Fault | None]


def no_fault(number: int) -> None:
    """The plan of a network that works."""


def every_offset(
    offsets: t.Sequence[int],
    *,
    actions: t.Sequence[Action] = ACTIONS,
    seconds: float = 0.05,
    start: int = 0,
) -> Plan:
    """Each action, in each direction, at each offset, in turn."""
    kinds = [(action, direction) for action in actions for direction in DIRECTIONS]

    def plan(number: int) -> Fault:
        number += start
        action, direction = kinds[number % len(kinds)]
        return Fault(action, direction, offsets[number // len(kinds) % len(offsets)], seconds)

    return plan


class _Lane:
    """One direction of one connection."""

    def __init__(self, source: socket.socket, sink: socket.socket, fault: Fault | None) -> None:
        self.source = source
        self.sink = sink
        self.fault = fault
        self.buffer = bytearray()
        self.passed = 0
        self.ended = False
        self.struck = False
        #: Before this moment nothing goes on.
        self.held_until = 0.0

    def allowed(self, now: float) -> int:
        """How many bytes may go on now."""
        waiting = len(self.buffer)
        if self.fault is None:
            return waiting
        left = self.fault.offset - self.passed
        if left > 0:
            return min(waiting, left)
        if self.held_until > now:
            return 0
        return min(waiting, 1) if self.fault.action == "trickle" else waiting

    @property
    def reading(self) -> bool:
        """Whether more is taken from the sender."""
        stalled = self.struck and self.fault is not None and self.fault.action == "stall"
        return not self.ended and not (stalled and self.held_until > time.monotonic())


class _Link:
    """One connection from a client, and its counterpart to the server."""

    def __init__(self, client: socket.socket, server: socket.socket, fault: Fault | None) -> None:
        self.client = client
        self.server = server
        lanes: dict[str, Fault | None] = dict.fromkeys(DIRECTIONS)
        if fault is not None:
            lanes[fault.direction] = fault
        self.commands = _Lane(client, server, lanes["commands"])
        self.replies = _Lane(server, client, lanes["replies"])
        self.lanes = (self.commands, self.replies)
        self.closed = False


class FaultProxy(contextlib.AbstractContextManager["FaultProxy"]):
    """Between clients and the server on `target`. `plan` may be replaced while it runs."""

    def __init__(self, target: int, plan: Plan = no_fault) -> None:
        self.plan = plan
        self.connections = 0
        #: How many faults have struck, by what they did.
        self.struck: collections.Counter[str] = collections.Counter()
        self._target = target
        self._links: set[_Link] = set()
        self._timers: list[tuple[float, int, _Link]] = []
        self._tie = itertools.count()
        self._calls: queue.SimpleQueue[t.Callable[[], None]] = queue.SimpleQueue()
        self._done = False
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self._listener.setblocking(False)
        self.port: int = self._listener.getsockname()[1]
        self._wake, self._woken = socket.socketpair()
        self._woken.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._thread = threading.Thread(target=self._run, name="fault proxy", daemon=True)

    def url(self, login: str = "", database: int = 0) -> str:
        return f"redis://{login}127.0.0.1:{self.port}/{database}"

    def __enter__(self) -> Self:
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._done = True
        self._wake.send(b"x")
        self._thread.join(10)
        for link in list(self._links):
            self._close(link, reset=True)
        self._selector.close()
        for end in (self._listener, self._wake, self._woken):
            end.close()

    # Said from the test's thread.

    def inject(self, stray: bytes) -> None:
        """Send every connected client bytes that nobody asked for."""

        def send() -> None:
            for link in list(self._links):
                with contextlib.suppress(OSError):
                    link.client.send(stray)

        self._call(send)

    def cut_all(self, *, reset: bool = False) -> None:
        """End every connection there is."""

        def cut() -> None:
            for link in list(self._links):
                self._close(link, reset=reset)

        self._call(cut)

    def _call(self, function: t.Callable[[], None]) -> None:
        done = threading.Event()

        def call() -> None:
            function()
            done.set()

        self._calls.put(call)
        self._wake.send(b"x")
        assert done.wait(10), "the proxy does not run"

    # The loop's own thread.

    def _run(self) -> None:
        while not self._done:
            timeout = None
            if self._timers:
                timeout = max(0.0, self._timers[0][0] - time.monotonic())
            for key, events in self._selector.select(timeout):
                if key.fileobj is self._listener:
                    self._accept()
                elif key.fileobj is self._woken:
                    with contextlib.suppress(BlockingIOError):
                        self._woken.recv(CHUNK)
                    while not self._calls.empty():
                        self._calls.get()()
                else:
                    self._ready(key.data, t.cast(socket.socket, key.fileobj), events)
            now = time.monotonic()
            while self._timers and self._timers[0][0] <= now:
                link = heapq.heappop(self._timers)[2]
                if not link.closed:
                    self._advance(link)

    def _accept(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                client, _ = self._listener.accept()
                number, self.connections = self.connections, self.connections + 1
                try:
                    server = socket.create_connection(("127.0.0.1", self._target), 1)
                except OSError:
                    _reset(client)
                    continue
                for end in (client, server):
                    end.setblocking(False)
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                link = _Link(client, server, self.plan(number))
                self._links.add(link)
                for end in (client, server):
                    self._selector.register(end, selectors.EVENT_READ, link)
                # A fault at the very first byte.
                self._advance(link)

    def _ready(self, link: _Link, end: socket.socket, events: int) -> None:
        if link.closed:
            return
        if events & selectors.EVENT_READ:
            lane = link.commands if end is link.client else link.replies
            try:
                data = end.recv(CHUNK)
            except BlockingIOError:
                pass
            except OSError:
                self._close(link, reset=True)
                return
            else:
                lane.buffer += data
                lane.ended = not data
        self._advance(link)

    def _advance(self, link: _Link) -> None:
        """Pass on what may go on, strike where a fault is due, and see what to wait for."""
        for lane in link.lanes:
            self._move(link, lane)
            if link.closed:
                return
        if any(lane.ended and not lane.buffer for lane in link.lanes):
            self._close(link, reset=False)
            return
        now = time.monotonic()
        for end, reads, writes in (
            (link.client, link.commands, link.replies),
            (link.server, link.replies, link.commands),
        ):
            events = selectors.EVENT_READ if reads.reading else 0
            if writes.allowed(now):
                events |= selectors.EVENT_WRITE
            self._watch(link, end, events)

    def _move(self, link: _Link, lane: _Lane) -> None:
        while True:
            fault = lane.fault
            if fault is not None and lane.passed >= fault.offset and not lane.struck:
                self._strike(link, lane, fault)
                if link.closed:
                    return
            if lane.struck and fault is not None and fault.action == "swallow":
                lane.buffer.clear()
                return
            number = lane.allowed(time.monotonic())
            if not number:
                return
            try:
                sent = lane.sink.send(memoryview(lane.buffer)[:number].tobytes())
            except BlockingIOError:
                return
            except OSError:
                self._close(link, reset=True)
                return
            del lane.buffer[:sent]
            lane.passed += sent
            if lane.struck and fault is not None and fault.action == "trickle":
                self._hold(link, lane, fault.seconds)

    def _strike(self, link: _Link, lane: _Lane, fault: Fault) -> None:
        if fault.action in ("delay", "trickle", "swallow") and not lane.buffer:
            # Nothing to do it to yet.
            return
        lane.struck = True
        self.struck[fault.action] += 1
        if fault.action in ("cut", "reset"):
            self._close(link, reset=fault.action == "reset")
        elif fault.action in ("delay", "stall", "trickle"):
            self._hold(link, lane, fault.seconds)

    def _hold(self, link: _Link, lane: _Lane, seconds: float) -> None:
        lane.held_until = time.monotonic() + seconds
        heapq.heappush(self._timers, (lane.held_until, next(self._tie), link))

    def _watch(self, link: _Link, end: socket.socket, events: int) -> None:
        known = self._selector.get_map().get(end)
        if not events:
            if known is not None:
                self._selector.unregister(end)
        elif known is None:
            self._selector.register(end, events, link)
        elif known.events != events:
            self._selector.modify(end, events, link)

    def _close(self, link: _Link, *, reset: bool) -> None:
        if link.closed:
            return
        link.closed = True
        self._links.discard(link)
        for end in (link.client, link.server):
            if self._selector.get_map().get(end) is not None:
                self._selector.unregister(end)
            if reset:
                _reset(end)
            else:
                end.close()


def _reset(end: socket.socket) -> None:
    """Close with RST: no time to linger."""
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    end.close()
