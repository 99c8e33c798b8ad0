"""Load by many owners of sessions, each of whom knows its own data, and knows at once if it gets somebody else's."""

from __future__ import annotations

import collections
import contextlib
import json
import random
import re
import threading
import time
import typing as t

import flask
import msgspec
import redis as redis_py
from flask import session

from flask_session_rs import SessionStoreUnavailable

from . import flavours
from .server import RedisServer

if t.TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

COOKIE = "session"
TAG = re.compile(rb"<owner (\d+)>")
#: What an owner does: the steady ones only what leaves no doubt about the outcome for long.
STEADY = ("read", "read", "write", "write", "nested", "untouched")
WILD = (*STEADY, "regenerate", "login", "logout", "emptied")


def _read() -> str:
    return ""


def _write() -> None:
    session["sequence"] = flask.g.sequence
    session["mark"] = flask.g.tag
    session["filling"] = flask.g.tag * flask.g.size


def _nested() -> None:
    session.setdefault("marks", []).append(flask.g.tag)
    del session["marks"][:-3]


def _login() -> None:
    session.clear()
    session["user"] = flask.g.tag
    _write()


def _regenerate() -> None:
    interface: t.Any = flask.current_app.session_interface
    _write()
    interface.regenerate(session)


def _emptied() -> None:
    for key in list(session):
        session.pop(key)


ACTIONS: dict[str, t.Callable[[], object]] = {
    "read": _read,
    "write": _write,
    "nested": _nested,
    "login": _login,
    "logout": lambda: session.clear(),
    "regenerate": _regenerate,
    "emptied": _emptied,
}


def owned_app(url: str, timeout: float, pool_size: int) -> flask.Flask:
    options = {"timeout": timeout, "pool_size": pool_size}
    app = flavours.NATIVE.app(url, options=options, PROPAGATE_EXCEPTIONS=True)

    @app.route("/do/<action>/<tag>/<int:sequence>/<int:size>")
    def do(action: str, tag: str, sequence: int, size: int) -> str:
        flask.g.tag, flask.g.sequence, flask.g.size = f"<{tag}>", sequence, size
        before = dict(session)
        ACTIONS[action]()
        return json.dumps(before)

    @app.route("/untouched")
    def untouched() -> str:
        return "untouched"

    return app


class Owner:
    """One browser with one session, and what it may hold."""

    def __init__(self, app: flask.Flask, number: int, *, steady: bool, size: int) -> None:
        self.number = number
        self.tag = f"owner {number}"
        self.steady = steady
        self.client = app.test_client()
        self.random = random.Random(number)
        self.size = size
        self.sequence = 0
        #: The last write that was acknowledged, and those since then of which nothing is known.
        self.acknowledged = 0
        self.unknown: set[int] = set()
        self.sids: set[str] = set()
        self.has_session = False
        self.successes = 0

    @property
    def sid(self) -> str | None:
        cookie = self.client.get_cookie(COOKIE)
        return cookie.value if cookie else None

    def step(self, trouble: Trouble) -> None:
        action = self.random.choice(STEADY if self.steady else WILD)
        if self.steady and not self.has_session:
            action = "write"
        self.sequence += 1
        writes = action in ("write", "login", "regenerate")
        if writes:
            self.unknown.add(self.sequence)
        path = f"/do/{action}/{self.tag}/{self.sequence}/{self.size}"
        before = self.sid
        try:
            response = self.client.get("/untouched" if action == "untouched" else path)
        except SessionStoreUnavailable as error:
            # Raised by the save.
            trouble.failures[str(error)] += 1
            if action == "untouched":
                trouble.say(f"{self.tag}: an untouched session needed its store: {error}")
            if self.sid != before:
                trouble.say(f"{self.tag}: a cookie in an outage")
            return
        except BaseException as error:
            trouble.say(f"{self.tag}: {action} raised {error!r}")
            return
        if response.status_code == 503:
            trouble.failures["503"] += 1
            if writes:
                # It did not come to the save.
                self.unknown.discard(self.sequence)
            if response.headers.getlist("Set-Cookie"):
                trouble.say(f"{self.tag}: a cookie in an outage")
            return
        if response.status_code != 200:
            trouble.say(f"{self.tag}: {action} answered {response.status}")
            return
        self.successes += 1
        if action == "untouched":
            return
        found = response.get_data()
        for number in set(TAG.findall(found)):
            if int(number) != self.number:
                trouble.foreign += found.count(b"<owner " + number + b">")
                trouble.say(f"{self.tag}: got data of owner {number.decode()}")
        if self.steady and self.has_session:
            self.check_sequence(json.loads(found).get("sequence"), trouble)
        if writes:
            self.acknowledged = self.sequence
            self.unknown.clear()
            self.has_session = True
        if self.sid is not None:
            self.sids.add(self.sid)

    def check_sequence(self, found: int | None, trouble: Trouble) -> None:
        """What is there is the last write that was acknowledged, or one since then that was reported as failed."""
        if found != self.acknowledged and found not in self.unknown:
            trouble.say(
                f"{self.tag}: the session holds {found}, not {self.acknowledged} or {self.unknown}"
            )


class Trouble:
    """What went wrong, of all owners."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.foreign = 0
        self.failures: collections.Counter[str] = collections.Counter()

    def say(self, what: str) -> None:
        self.said.append(what)


class Load(contextlib.AbstractContextManager["Load"]):
    """Owners who visit as quickly as they can, each in a thread, half of them in ways that are always certain."""

    def __init__(
        self,
        url: str,
        *,
        owners: int,
        timeout: float,
        size: int = 3,
        pool_size: int = 4,
    ) -> None:
        self.app = owned_app(url, timeout, pool_size)
        self.owners = [
            Owner(self.app, number, steady=number % 2 == 0, size=size)
            for number in range(1, owners + 1)
        ]
        self.trouble = Trouble()
        self._done = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(owner,), daemon=True) for owner in self.owners
        ]

    @property
    def failures(self) -> int:
        return sum(self.trouble.failures.values())

    def _run(self, owner: Owner) -> None:
        while not self._done.is_set():
            owner.step(self.trouble)

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join(30)

    def wait_for_successes(self, patience: float = 10.0) -> None:
        """Until everybody was served once more."""
        goals = {owner.number: owner.successes + 3 for owner in self.owners}
        deadline = time.monotonic() + patience
        while any(owner.successes < goals[owner.number] for owner in self.owners):
            assert time.monotonic() < deadline, (self.trouble.said[:5], self.trouble.failures)
            time.sleep(0.01)

    def check(self, server: RedisServer, database: int = 0) -> None:
        """Nothing went wrong, and every record in the server is of one owner, under a key of that owner."""
        assert not self.trouble.said, (len(self.trouble.said), self.trouble.said[:5])
        assert self.trouble.foreign == 0
        owner_of = {sid: owner.number for owner in self.owners for sid in owner.sids}
        client: t.Any = redis_py.Redis(
            unix_socket_path=str(server.socket_path), password=server.password, db=database
        )
        with contextlib.closing(client):
            records = {key.decode(): client.get(key) or b"" for key in client.keys("*")}
        assert records, "nothing was ever written"
        assert all(key.startswith("session:") for key in records)
        for key, record in records.items():
            owners = {int(number) for number in TAG.findall(record)}
            assert len(owners) <= 1, f"a record of {owners}"
            known = owner_of.get(key.removeprefix("session:"))
            assert known is None or owners <= {known}, "a record under somebody else's key"
            assert isinstance(msgspec.msgpack.decode(record), dict)
        for owner in self.owners:
            if not owner.steady or not owner.has_session:
                continue
            record = records[f"session:{owner.sid}"]
            owner.check_sequence(msgspec.msgpack.decode(record).get("sequence"), self.trouble)
        assert not self.trouble.said, self.trouble.said
