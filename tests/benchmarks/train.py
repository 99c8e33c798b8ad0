"""The requests that the compiler's profile is made of: each kind of use of a session, in the proportions of a real day.

`python -m tests.benchmarks.train` with an extension that counts what it runs, see `tests/benchmarks/profile.sh`.
"""

from __future__ import annotations

import warnings

import flask

from flask_session_rs import RedisSessionInterface

from ..redis.server import RedisServer
from . import applications
from . import stores
from .bench_redis import large
from .contents import CONTENTS
from .contents import items
from .interleaved import Contender
from .served import OURS
from .served import OURS_REDIS
from .served import SESSION

#: How often each request is sent. Enough that what is counted once, at the start, counts for nothing.
TIMES = 400


def _cookies() -> None:
    permanent = {**SESSION, "_permanent": True}
    nested = {**SESSION, **items(600)}
    for path in ("/untouched", "/read", "/written"):
        for data, times in ((SESSION, TIMES * 4), (permanent, TIMES * 2), (nested, TIMES)):
            _send(applications.contenders(path, data)[OURS], times)
        for size in (2_000, 4_000, 20_000):
            for kind in CONTENTS.values():
                _send(applications.contenders(path, kind(size))[OURS], max(4, 40_000 // size))


def _redis(server: RedisServer) -> None:
    for path in ("/untouched", "/read", "/written"):
        for refresh in (True, False):
            for data, times in ((SESSION, TIMES), (items(2_000), TIMES // 8), (large(), 4)):
                made = stores.contenders(server, "unix socket", path, refresh=refresh, data=data)
                _send(made[OURS_REDIS], times)
    app = flask.Flask(__name__)
    app.secret_key = "a secret of a usual length, 32 by"
    app.session_interface = RedisSessionInterface(server.unix_url(), serialization_format="json")
    for number in range(TIMES // 4):
        client = app.test_client()
        with client.session_transaction() as opened:
            opened.update(SESSION, visits=number)
        with client.session_transaction() as opened:
            opened["visits"] += 1
            opened.regenerate()  # type: ignore[attr-defined]
        with client.session_transaction() as opened:
            opened.clear()


def _send(contender: Contender, times: int) -> None:
    for request in contender(times):
        request()


if __name__ == "__main__":
    warnings.filterwarnings("ignore", "The 'session' cookie is too large")
    _cookies()
    with RedisServer() as started:
        _redis(started)
