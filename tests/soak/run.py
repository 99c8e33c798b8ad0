"""One run: the server, the proxy, the workers, the visitors and the chaos, and a last look at what is stored."""

from __future__ import annotations

import contextlib
import threading
import time
import typing as t

import msgspec

from ..redis.proxy import FaultProxy
from ..redis.server import RedisServer
from .chaos import Chaos
from .findings import Findings
from .served import Served
from .served import summary
from .served import WORKERS
from .visitors import Visitor

VISITORS = 12
PREFIX = "session:"


def run(seconds: float, seed: int) -> Findings:
    """Visitors and chaos for so long, and what was found."""
    with (
        RedisServer(appendonly=True) as server,
        FaultProxy(server.port) as proxy,
        Served(proxy.url()) as served,
    ):
        findings = Findings()
        findings.server = f"redis-server {server.execute('INFO', 'server')['redis_version']}"
        visitors = [Visitor(n, served.port, findings, seed) for n in range(1, VISITORS + 1)]
        with crowd(visitors, findings):
            Chaos(server, proxy, findings, seed).run(seconds)
        sweep(server, visitors, findings)
        if served.process.poll() is not None or len(findings.workers) > WORKERS:
            findings.wrong("worker", f"{WORKERS} were started, {len(findings.workers)} answered")
        findings.check("worker", len(findings.workers))
        return findings


@contextlib.contextmanager
def crowd(visitors: t.Sequence[Visitor], findings: Findings) -> t.Iterator[None]:
    """The visitors, each in a thread, until the block ends."""
    over = threading.Event()
    errors: list[BaseException] = []

    def visit(visitor: Visitor) -> None:
        try:
            visitor.run(over)
        except BaseException as error:
            errors.append(error)
            raise

    threads = [threading.Thread(target=visit, args=(visitor,)) for visitor in visitors]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert not errors, errors


def sweep(server: RedisServer, visitors: t.Sequence[Visitor], findings: Findings) -> None:
    """What is in the append-only file: the server is killed once more, so that memory helps nobody."""
    time.sleep(1.0)
    server.kill()
    server.start()
    stored: dict[str, dict[str, t.Any]] = {}
    for key, record in server.records(PREFIX).items():
        sid = key.removeprefix(PREFIX)
        stored[sid] = summary(msgspec.msgpack.decode(record))
        owners = set(stored[sid]["owners"])
        findings.check("foreign")
        # A session whose first answer was lost has an id that nobody knows.
        if len(owners) != 1 or findings.sids.get(sid) not in (None, *owners):
            findings.wrong("foreign", f"a record of {findings.sids.get(sid)} holds {owners}")
    for visitor in visitors:
        for sid in visitor.dead:
            findings.check("back")
            if sid in stored:
                findings.wrong("back", f"visitor {visitor.owner}: {sid[:6]}... is stored")
        if visitor.held is not None:
            held = visitor.held
            findings.check("lost", len(held.settled))
            wrong = held.wrong(stored.get(held.sid, {"held": {}})["held"])
            if wrong:
                findings.wrong("lost", f"visitor {visitor.owner}, in the file: {wrong}")
