"""The schedule of faults: a server killed, stopped, its clients cut off, and a network that does harm."""

from __future__ import annotations

import random
import time

from ..redis.proxy import Action
from ..redis.proxy import ACTIONS
from ..redis.proxy import DIRECTIONS
from ..redis.proxy import Fault
from ..redis.proxy import FaultProxy
from ..redis.proxy import no_fault
from ..redis.proxy import Plan
from ..redis.server import RedisServer
from .findings import Findings
from .findings import Outage
from .served import TIMEOUT

KINDS = ("kill", "stop", "clients", *ACTIONS)
#: Seconds that a fault of each kind lasts, at least and at most.
LASTS = {"kill": (0.2, 0.8), "stop": (0.3, 1.5), "clients": (0.4, 0.8)}
#: Twice and four times the deadline of an operation: who waited in vain for bytes that were held back still meets them.
NETWORK_LASTS = (1.0, 2.0)
#: Seconds between two faults.
PAUSE = (0.6, 1.2)
#: Bytes of a connection that pass before it is struck: from its first to those of its tenth command or so.
OFFSET = 2_000
#: Seconds in which somebody must be served after an outage.
PATIENCE = 20.0


class Chaos:
    """Does one kind of harm after the other, each once in every round, in an order drawn anew."""

    def __init__(
        self, server: RedisServer, proxy: FaultProxy, findings: Findings, seed: int
    ) -> None:
        self.server = server
        self.proxy = proxy
        self.findings = findings
        self.random = random.Random(seed)

    def run(self, seconds: float) -> None:
        """Until the time is over; the last fault is followed by its recovery."""
        # Once everybody has a session, and the scripts are known.
        time.sleep(min(2.0, seconds / 10))
        kinds: list[str] = []
        while self.findings.now < seconds:
            if not kinds:
                kinds = self.random.sample(KINDS, len(KINDS))
            self._strike(kinds.pop(), self.random)
            time.sleep(self.random.uniform(*PAUSE))
        self.findings.faults.update({f"network: {k}": n for k, n in self.proxy.struck.items()})

    def _strike(self, kind: str, draw: random.Random) -> None:
        lasts = draw.uniform(*LASTS.get(kind, NETWORK_LASTS))
        outage = Outage(kind, self.findings.now)
        self.findings.outages.append(outage)
        if kind == "kill":
            self.server.kill()
            time.sleep(lasts)
            self.server.start()
            # A megabyte a second is appended, and a server that is started anew measures its growth anew.
            self.server.execute("BGREWRITEAOF")
            self.findings.faults["server killed and restarted"] += 1
        elif kind == "stop":
            with self.server.paused():
                time.sleep(lasts)
            self.findings.faults["server stopped and continued"] += 1
        elif kind == "clients":
            end = time.monotonic() + lasts
            while time.monotonic() < end:
                number = self.server.execute("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
                self.findings.faults["connections killed by the server"] += number
                time.sleep(0.1)
        else:
            for action in ACTIONS:
                if action == kind:
                    self.proxy.plan = harm(action, draw.randrange(1 << 32))
            # Only new connections have a fault.
            self.proxy.cut_all()
            time.sleep(lasts)
            self.proxy.plan = no_fault
            self.proxy.cut_all()
        outage.ended = self.findings.now
        deadline = time.monotonic() + PATIENCE
        while outage.recovered is None:
            if time.monotonic() > deadline:
                self.findings.wrong("recovery", f"after {kind}, for {PATIENCE:g} s")
                return
            time.sleep(0.01)


def harm(action: Action, seed: int) -> Plan:
    """This action, in a direction and at a byte drawn for each connection."""

    def plan(number: int) -> Fault:
        draw = random.Random(seed + number)
        # What is held back arrives before its request has failed, or soon after that, when a connection that was
        # used again would take it for the answer to its next command.
        seconds = draw.choice((draw.uniform(0.02, 0.4), draw.uniform(TIMEOUT, TIMEOUT + 0.2)))
        if action == "trickle":
            seconds /= 30
        return Fault(action, draw.choice(DIRECTIONS), draw.randrange(OFFSET), seconds)

    return plan
