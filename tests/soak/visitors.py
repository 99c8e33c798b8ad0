"""Visitors over HTTP, each with sessions of its own, who know what an answer may say and which cookie it may carry."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor

from .findings import Findings
from .model import Effects
from .model import Held
from .model import Seen

COOKIE = "session"
#: Seconds after which an answer does not come any more: many times the deadlines of a load and a save.
PATIENCE = 20.0
#: Of values, in owner's names: short ones, some of kilobytes, and a few past the length up to which records are
#: changed by scripts and not by transactions.
SIZES = (1, 3, 10, 30, 300, 4_000)
SIZE_WEIGHTS = (20, 20, 20, 20, 10, 1)
KEYS = ("a", "b", "c")
#: What somebody with a session does, and how often.
ALONE = {
    "write": 10,
    "read": 8,
    "untouched": 4,
    "nested": 4,
    "drop": 3,
    "pair": 10,
    "pair_logout": 2,
    "pair_regenerate": 3,
    "regenerate": 3,
    "login": 3,
    "refill": 2,
    "logout": 2,
    "old": 8,
}
#: What ends the id it is sent with.
ENDING = ("login", "regenerate", "logout")
#: How many old ids a visitor keeps to show again.
KEPT = 200


class Answer(t.NamedTuple):
    """What came of one request."""

    #: "200", "503", "500 of the store", another status, or "no answer".
    status: str
    seen: Seen
    #: The id that the cookie was set to, "" for a deletion; None where it was left alone.
    cookie: str | None

    @property
    def done(self) -> bool:
        return self.status == "200"

    @property
    def open(self) -> bool:
        """Whether it may have been done all the same. A 503 is a failed load: no save was begun."""
        return not self.done and self.status != "503"


class Visitor:
    """One person, with one session at a time and the ids of those before."""

    def __init__(self, owner: int, port: int, findings: Findings, seed: int) -> None:
        self.owner = owner
        self.findings = findings
        self.random = random.Random(f"{seed} {owner}")
        self.number = 0
        self.held: Held | None = None
        #: Ids that have ended.
        self.dead: list[str] = []
        #: Ids of sessions that ended, or did not: they may be gone, now or later, and hold nothing new.
        self.limbo: list[Held] = []
        self._connections = [
            http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE) for _ in range(2)
        ]
        self._beside = ThreadPoolExecutor(1)

    def run(self, until: threading.Event) -> None:
        while not until.is_set():
            self.step()
            # A crowd of people, not one of machines: the server has breath to serve all of them.
            time.sleep(self.random.uniform(0.0, 0.02))
        self.last_look()
        self.close()

    def close(self) -> None:
        self._beside.shutdown()
        for connection in self._connections:
            connection.close()

    def step(self) -> None:
        if self.held is None:
            self.begin()
            return
        action = self.random.choices([*ALONE], [*ALONE.values()])[0]
        if action == "untouched":
            self.untouched(self.held)
        elif action == "old":
            self.show_old()
        elif action == "pair":
            self.pair(self.held)
        elif action.startswith("pair_"):
            self.pair_ending(self.held, action.removeprefix("pair_"))
        else:
            self.alone(self.held, action)

    # What a visitor does.

    def begin(self) -> None:
        """A session from nothing, or with the cookie of one that has ended."""
        shown = self.random.choice(self.dead) if self.dead and self.random.random() < 0.5 else None
        number = self._next()
        answer = self._do("write", "user", number, shown)
        if not answer.done:
            return
        if answer.seen:
            self._brought_back(shown, answer.seen)
        if answer.cookie:
            self.held = Held(answer.cookie, number, {"user": number})
        else:
            self._wrong("lost", f"a new session was answered without a cookie, write {number}")

    def untouched(self, held: Held) -> None:
        answer = self._get("/untouched", "untouched", 0, held.sid)
        self.findings.check("needless")
        if not answer.done and answer.status != "no answer":
            self._wrong("needless", f"a view that ignores its session: {answer.status}")

    def alone(self, held: Held, action: str) -> None:
        number = self._next()
        key, effects = self._effects(action, number)
        answer = self._do(action, key, number, held.sid)
        if answer.done:
            if not self._found(held, answer.seen, action):
                return
            held.settle(answer.seen)
        self._came_of(held, action, number, effects, answer)

    def pair(self, held: Held) -> None:
        """Two requests at once that change different keys."""
        keys = self.random.sample(KEYS, 2)
        numbers = [self._next(), self._next()]
        answers = self._both(held, ("write", keys[0], numbers[0]), ("write", keys[1], numbers[1]))
        writes: list[Effects] = [{key: number} for key, number in zip(keys, numbers, strict=True)]
        for number, effects in zip(numbers, writes, strict=True):
            held.doubt(number, effects)
        # Each may have been before, between or after the steps of the other.
        for answer in answers:
            if answer.done and not self._found(held, answer.seen, "one of two writes"):
                return
        for answer, number, effects in zip(answers, numbers, writes, strict=True):
            if answer.done:
                self._expect_cookie(held, answer, f"write {number}, one of two")
                held.acknowledge(number, effects, numbers[0])
                self.findings.check("lost")
            elif not answer.open:
                self._undoubt(held, number, effects)
        if any(answer.status == "no answer" for answer in answers):
            self._abandon(held)

    def pair_ending(self, held: Held, action: str) -> None:
        """A write while the session is moved to a new id, or logged out."""
        key = self.random.choice(KEYS)
        write, end = self._next(), self._next()
        effects: Effects = {} if action == "logout" else {"last": end}
        first, second = self._both(held, ("write", key, write), (action, "last", end))
        if second.status == "503":
            # Nothing was ended: the write was alone.
            if not first.done or self._found(held, first.seen, "a write"):
                self._came_of(held, "write", write, {key: write}, first)
            return
        if not second.done:
            # The write may have found the session, or nothing. What it began then has a cookie of its own.
            if first.done and first.seen and not self._found(held, first.seen, "a write"):
                return
            held.doubt(write, {key: write})
            self._abandon(held)
            self._adopt(held, first, write, key)
            return
        if first.status != "503":
            held.doubt(write, {key: write})
        if not self._found(held, second.seen, f"{action} beside a write"):
            return
        if first.done and first.seen and not self._found(held, first.seen, "a write"):
            return
        if first.done and first.cookie == held.sid:
            held.acknowledge(write, {key: write}, write)
        self._end(held.sid)
        self.held = None
        if action == "regenerate":
            self.findings.check("lost")
            if not second.cookie:
                self._wrong("lost", "regenerate was answered without a cookie")
                return
            self.held = held.moved(second.cookie)
            self.held.acknowledge(end, effects, write)
        else:
            self._adopt(held, first, write, key)

    def show_old(self) -> None:
        """An id of former times, which must never live again."""
        if self.limbo and self.random.random() < 0.3:
            held = self.random.choice(self.limbo)
            answer = self._do("read", "-", self.number, held.sid)
            if answer.done:
                self._look(held, answer.seen)
        elif self.dead:
            sid = self.random.choice(self.dead)
            answer = self._do("read", "-", self.number, sid)
            if answer.done:
                self.findings.check("back")
                if answer.seen or answer.cookie is not None:
                    self._brought_back(sid, answer.seen)

    def last_look(self) -> None:
        """At the end of the run, when nothing fails any more."""
        for held in [*self.limbo, *([self.held] if self.held else [])]:
            answer = self._do("read", "-", self.number, held.sid)
            if not answer.done:
                self._wrong("recovery", f"after the last fault: {answer.status}")
            elif held is not self.held:
                self._look(held, answer.seen)
            elif self._found(held, answer.seen, "the last read"):
                held.settle(answer.seen)

    # What came of it.

    def _came_of(
        self, held: Held, action: str, number: int, effects: Effects, answer: Answer
    ) -> None:
        """Of a request that was alone."""
        if answer.status == "no answer":
            # It may still be under way.
            held.doubt(number, {} if action in ENDING else effects)
            self._abandon(held)
        elif not answer.done:
            if action == "read" or not answer.open:
                return
            if action in (*ENDING, "refill"):
                if action == "refill":
                    emptied: Effects = dict.fromkeys({*held.settled, *held.open})
                    held.doubt(number, {**emptied, **effects})
                self._abandon(held)
            else:
                held.doubt(number, effects)
        elif action == "logout":
            self._end(held.sid)
            self.held = None
        elif action in ENDING:
            self._end(held.sid)
            self.held = None
            self.findings.check("lost")
            if not answer.cookie:
                self._wrong("lost", f"{action} {number} was answered without a cookie")
            elif action == "login":
                self.held = Held(answer.cookie, number, effects)
            else:
                self.held = held.moved(answer.cookie)
                self.held.acknowledge(number, effects)
        else:
            self._expect_cookie(held, answer, f"{action} {number}")
            if action == "refill":
                self.held = Held(held.sid, number, effects)
            elif effects:
                held.acknowledge(number, effects)

    def _found(self, held: Held, seen: Seen, who: str) -> bool:
        """Whether a session that lives was found to hold what it may. If not, it is given up."""
        self.findings.check("lost", len(held.settled))
        wrong = held.wrong(seen)
        if not wrong:
            return True
        what = "nothing is left" if not seen else "; ".join(wrong)
        self._wrong("lost", f"{who} ({self.number}) found in {held.sid[:6]}...: {what}")
        self.held = None
        return False

    def _look(self, held: Held, seen: Seen) -> None:
        """At a session that may have ended: once it has, it has for good."""
        if not seen:
            self.limbo.remove(held)
            self._end(held.sid)
        elif wrong := held.wrong(seen):
            self._wrong("lost", f"a session of which it is not known if it ended: {wrong}")
            self.limbo.remove(held)

    def _expect_cookie(self, held: Held, answer: Answer, what: str) -> None:
        """What changed a living session says so: no cookie means that it had ended."""
        if answer.cookie != held.sid:
            self._wrong("lost", f"{what}: the session had ended, cookie {answer.cookie!r:.8}")

    def _adopt(self, ended: Held, answer: Answer, number: int, key: str) -> None:
        """The session of a write that came after the end of the one that it was sent with."""
        if answer.done and answer.cookie and answer.cookie != ended.sid:
            self.held = Held(answer.cookie, number, {key: number})
            if ended in self.limbo:
                self._look(ended, {})

    def _abandon(self, held: Held) -> None:
        self.held = None
        self.limbo.append(held)
        del self.limbo[:-KEPT]

    def _end(self, sid: str) -> None:
        self.dead.append(sid)
        if len(self.dead) > KEPT:
            # Any of them: the older they are, the rarer.
            self.dead.pop(self.random.randrange(len(self.dead)))

    @staticmethod
    def _undoubt(held: Held, number: int, effects: Effects) -> None:
        for key in effects:
            held.open[key] = [write for write in held.open.get(key, []) if write[0] != number]

    def _brought_back(self, sid: str | None, seen: Seen) -> None:
        self._wrong("back", f"{(sid or 'no id')[:6]}... holds {dict(seen)}")
        if sid in self.dead:
            self.dead.remove(sid)

    def _wrong(self, kind: str, what: str) -> None:
        self.findings.wrong(kind, f"visitor {self.owner}: {what}")

    # Over HTTP.

    def _next(self) -> int:
        self.number += 1
        return self.number

    def _effects(self, action: str, number: int) -> tuple[str, Effects]:
        key = {"nested": "nested", "login": "user", "refill": "user", "regenerate": "last"}.get(
            action, self.random.choice(KEYS)
        )
        if action in ("read", "logout"):
            return key, {}
        if action == "drop":
            return key, {key: None, "last": number}
        return key, {key: number}

    def _path(self, action: str, key: str, number: int) -> str:
        size = self.random.choices(SIZES, SIZE_WEIGHTS)[0]
        return f"/do/{action}/{key}/{self.owner}/{number}/{size}"

    def _do(self, action: str, key: str, number: int, sid: str | None) -> Answer:
        return self._get(self._path(action, key, number), action, 0, sid)

    def _both(
        self, held: Held, first: tuple[str, str, int], second: tuple[str, str, int]
    ) -> tuple[Answer, Answer]:
        """Two requests that are under way at the same time."""
        paths = [
            f"{self._path(*what)}?wait={self.random.uniform(0.0, 0.02):.4f}"
            for what in (first, second)
        ]
        beside = self._beside.submit(self._get, paths[1], second[0], 1, held.sid)
        return self._get(paths[0], first[0], 0, held.sid), beside.result()

    def _get(self, path: str, action: str, line: int, sid: str | None) -> Answer:
        connection = self._connections[line]
        began = self.findings.now
        try:
            connection.request("GET", path, headers={"Cookie": f"{COOKIE}={sid}"} if sid else {})
            response = connection.getresponse()
            body = response.read().decode()
        except (OSError, http.client.HTTPException):
            connection.close()
            self.findings.answered(action, "no answer", None, began)
            return Answer("no answer", {}, None)
        status = str(response.status)
        if status == "500" and body == "store":
            status = "500 of the store"
        elif status not in ("200", "503"):
            self._wrong("answer", f"{action}: {status} {body[:200]}")
        self.findings.answered(action, status, response.getheader("X-Worker"), began)
        seen: Seen = {}
        if status == "200" and action != "untouched":
            said = json.loads(body)
            seen = said["held"]
            self.findings.check("foreign", max(1, len(seen)))
            foreign = set(said["owners"]) - {self.owner}
            if foreign:
                self._wrong("foreign", f"{action} read what is of {sorted(foreign)}")
        lines = response.headers.get_all("Set-Cookie") or []
        cookie = self._cookie(lines, action, status, sid, seen)
        return Answer(status, seen, cookie)

    def _cookie(
        self, lines: t.Sequence[str], action: str, status: str, sid: str | None, seen: Seen
    ) -> str | None:
        """What the answer does to the browser's cookie, and whether it may."""
        self.findings.check("cookie")
        if not lines:
            return None
        name, _, rest = lines[0].partition("=")
        value, *attributes = rest.split("; ")
        deletes = "Max-Age=0" in attributes
        wrong = ""
        if len(lines) > 1 or name != COOKIE:
            wrong = f"{len(lines)} cookies, {name}"
        elif status != "200":
            wrong = "a deletion" if deletes else "a cookie"
        elif deletes:
            wrong = "" if action == "logout" else "a deletion, and nobody logged out"
        elif value == sid:
            # A view that ignores its session does not say what is in it.
            if action != "untouched" and not seen:
                wrong = "the cookie of a session that has ended"
        elif not self.findings.claim(value, self.owner):
            wrong = f"the cookie of visitor {self.findings.sids[value]}, or an old one"
        elif action in ("read", "untouched") or (seen and action not in ENDING):
            wrong = "a new id"
        if wrong:
            self._wrong("cookie", f"{action}, answered with {status}: {wrong}")
        return "" if deletes else value
