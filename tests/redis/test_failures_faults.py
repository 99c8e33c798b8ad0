"""P1 and P6: the network harms connections at every byte, and nobody gets or stores a byte of somebody else's."""

from __future__ import annotations

import random
import time
import typing as t

import pytest

from .owners import Load
from .proxy import ACTIONS
from .proxy import DIRECTIONS
from .proxy import Fault
from .proxy import FaultProxy
from .server import RedisServer

PASSWORD = "password-of-the-tests"
DATABASE = 3
#: AUTH and SELECT have 60 bytes of commands and 10 of replies; a GETEX follows with about 100 and 150, an EVALSHA with
#: about 400 and 4. A script that the server does not know is sent in full, with about 1,300.
HANDSHAKE = 120
EXCHANGES = 900
#: Seconds for a small number of faults.
PATIENCE = 120.0


#: Records of this many tags are changed in transactions: a read has some 48,000 bytes, and so has a write.
LARGE = 4_000


def every_byte(count: int, offsets: t.Sequence[int]) -> t.Callable[[int], Fault]:
    """Every action in every direction, at every offset in a random order; the handshake's bytes come first."""
    seeded = random.Random(20_000)

    def shuffled(offsets: t.Sequence[int]) -> list[Fault]:
        faults = [
            Fault(action, direction, offset, 0.02)
            for offset in offsets
            for action in ACTIONS
            for direction in DIRECTIONS
        ]
        seeded.shuffle(faults)
        return faults

    plan = shuffled(range(HANDSHAKE))
    # A short run has some of each.
    plan = plan[: max(count // 2, 1)] if count < len(plan) else plan
    plan += shuffled(offsets)
    return lambda number: plan[number % len(plan)]


def strike(server: RedisServer, size: int, count: int, offsets: t.Sequence[int]) -> None:
    """So many faults, under owners whose records have so many tags."""
    with FaultProxy(server.port, every_byte(count, offsets)) as proxy:
        load = Load(proxy.url(f":{PASSWORD}@", DATABASE), owners=12, timeout=0.08, size=size)
        deadline = time.monotonic() + max(PATIENCE, count / 20)
        with load:
            while sum(proxy.struck.values()) < count:
                assert time.monotonic() < deadline, proxy.struck
                assert not load.trouble.said, load.trouble.said[:5]
                time.sleep(0.02)
            # The owners find their sessions again when the network is well.
            proxy.plan = lambda number: None
            load.wait_for_successes(30)
    load.check(server, DATABASE)
    for action in ACTIONS:
        assert proxy.struck[action] > count // 20, proxy.struck
    assert load.failures, "no fault was met"
    print(f"{sum(proxy.struck.values())} faults: {dict(proxy.struck)}")
    print(f"{load.failures} failures: {dict(load.trouble.failures)}")
    print(f"{sum(owner.successes for owner in load.owners)} requests served")


@pytest.fixture
def guarded_server() -> t.Iterator[RedisServer]:
    with RedisServer(password=PASSWORD) as server:
        yield server


def test_faults_at_every_byte(guarded_server: RedisServer, pytestconfig: pytest.Config) -> None:
    """The handshake's, the commands', the replies'."""
    count = pytestconfig.getoption("--faults")
    strike(guarded_server, 3, count, range(HANDSHAKE, EXCHANGES))


def test_faults_in_transactions(guarded_server: RedisServer, pytestconfig: pytest.Config) -> None:
    """Large records are watched, read, compared and written: the faults strike around them and within."""
    seeded = random.Random(7)
    around = [base + offset for base in (48_000, 96_000, 144_000) for offset in range(-300, 900)]
    within = [seeded.randrange(HANDSHAKE, 200_000) for _ in range(1000)]
    count = max(pytestconfig.getoption("--faults") // 4, 60)
    strike(guarded_server, LARGE, count, [*range(HANDSHAKE, 500), *around, *within])


def test_a_network_that_stalls_in_the_middle_of_large_records(
    guarded_server: RedisServer, pytestconfig: pytest.Config
) -> None:
    """A megabyte each: buffers fill, commands are cut in the middle of a value, and time runs out there."""
    count = max(pytestconfig.getoption("--faults") // 25, 10)
    seeded = random.Random(1)

    def plan(number: int) -> Fault:
        action: t.Any = seeded.choice(("stall", "stall", "swallow", "cut", "reset"))
        direction: t.Any = seeded.choice(DIRECTIONS)
        return Fault(action, direction, seeded.randrange(1 << 20), 1.0)

    login = f":{PASSWORD}@"
    with FaultProxy(guarded_server.port, plan) as proxy:
        load = Load(proxy.url(login, DATABASE), owners=6, timeout=0.15, size=100_000, pool_size=2)
        deadline = time.monotonic() + max(PATIENCE, count / 10)
        with load:
            while sum(proxy.struck.values()) < count:
                assert time.monotonic() < deadline, proxy.struck
                assert not load.trouble.said, load.trouble.said[:5]
                time.sleep(0.02)
            proxy.plan = lambda number: None
            load.wait_for_successes(30)
        assert proxy.struck["stall"]
    load.check(guarded_server, DATABASE)
    assert load.failures, "no fault was met"


def test_a_stopped_server_in_the_middle_of_large_records(guarded_server: RedisServer) -> None:
    """What it had taken of a command is all that it ever gets of it."""
    load = Load(
        guarded_server.url(database=DATABASE), owners=6, timeout=0.1, size=100_000, pool_size=2
    )
    with load:
        for _ in range(6):
            time.sleep(0.1)
            with guarded_server.paused():
                time.sleep(0.15)
        load.wait_for_successes(30)
    load.check(guarded_server, DATABASE)
    assert load.failures, "no request met the silence"
