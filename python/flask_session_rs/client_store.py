"""The five verbs of a session store through a client object's own methods, for clients with ways of their own."""

from __future__ import annotations

import time
import typing as t

from . import _native
from .client_errors import explain
from .client_errors import Failed

#: What became of a change, as the scripts say it. Anything else is the record that stands there, an unexpected one.
GONE, DONE, OCCUPIED = 0, 1, 2

#: What stands under a key: a record, nothing, or something that is no record (False).
Standing = bytes | t.Literal[False] | None

#: Sees to it that replies stay bytes, though the client decodes others (redis-py 4.2, valkey-py).
_RAW = {"NEVER_DECODE": True}


class _Decision(t.NamedTuple):
    """What comes of a change, and the commands that carry it out."""

    outcome: int | bytes
    commands: t.Sequence[tuple[t.Any, ...]] = ()


class ClientStore:
    """Records under keys, read and written by a client of redis-py's or valkey-py's kind.

    Changes are compared and set in one step, by the scripts of the native store; where there is no
    scripting (fakeredis without lupa, a server without EVAL), by WATCH and MULTI.

    In a cluster, a record moves to another id in two steps, unless both keys have the same slot: the
    new record is created, then the old one is deleted if it has not changed since. A failure before
    the second step leaves the old record whole, and the new one under an id that nobody was told, until
    it expires.

    No command is begun after the deadline. How long one may take is up to the client, its
    ``socket_timeout`` and its retries; a command that it sends again on its own account comes to no harm.

    Every failure is a :exc:`Failed`; what is no :exc:`Exception` passes through.
    """

    def __init__(self, client: t.Any) -> None:
        self._client = client
        self._replace, self._rotate, self._delete = _native.store_scripts()
        #: Whether the server runs scripts, as far as is known.
        self._scripting = True

    def load(self, seconds_left: float, key: bytes, slide: int | None) -> Standing:
        """What stands under the key; a record's expiry is set anew if `slide` says to how many seconds."""
        return self._load(time.monotonic() + seconds_left, key, slide)

    def create(self, seconds_left: float, key: bytes, record: bytes, seconds: int) -> bool:
        """Whether the record is written: not where one stands already."""
        return self._create(time.monotonic() + seconds_left, key, record, seconds)

    def replace(
        self,
        seconds_left: float,
        key: bytes,
        expected: bytes | None,
        record: bytes,
        seconds: int,
    ) -> int | bytes:
        """The record in place of the expected one; of any, if that is None."""

        def decide(now: Standing) -> _Decision:
            if not isinstance(now, bytes):
                return _Decision(GONE)
            # A record that is the new one already was written by this very change, sent a second time.
            if expected is not None and now not in (expected, record):
                return _Decision(now)
            return _Decision(DONE, [("SET", key, record, "EX", seconds)])

        words = (*_words(expected, record), seconds)
        return self._change(time.monotonic() + seconds_left, self._replace, [key], words, decide)

    def rotate(
        self,
        seconds_left: float,
        old: bytes,
        new: bytes,
        expected: bytes | None,
        record: bytes,
        seconds: int,
    ) -> int | bytes:
        """The record under the new key, and none under the old one, if that is the expected one."""
        deadline = time.monotonic() + seconds_left
        slot = getattr(self._client, "keyslot", None)
        if callable(slot) and slot(old) != slot(new):
            return self._rotate_in_two_steps(deadline, old, new, expected, record, seconds)

        def decide(now: Standing, there: Standing) -> _Decision:
            if not isinstance(now, bytes):
                return _Decision(DONE if there == record else GONE)
            if expected is not None and now != expected:
                return _Decision(now)
            if there is not None:
                return _Decision(OCCUPIED)
            return _Decision(DONE, [("SET", new, record, "EX", seconds), ("DEL", old)])

        words = (*_words(expected, record), seconds)
        return self._change(deadline, self._rotate, [old, new], words, decide)

    def delete(self, seconds_left: float, key: bytes, expected: bytes | None) -> int | bytes:
        """No record any longer under the key, if it is the expected one."""
        return self._remove(time.monotonic() + seconds_left, key, expected)

    def _load(self, deadline: float, key: bytes, slide: int | None = None) -> Standing:
        if slide is None:
            return self._standing(deadline, self._client, "GET", key)
        return self._standing(deadline, self._client, "GETEX", key, "EX", slide)

    def _create(self, deadline: float, key: bytes, record: bytes, seconds: int) -> bool:
        written = self._do(deadline, self._client, "SET", key, record, "EX", seconds, "NX")
        if written:
            return True
        # The client may have sent it twice: only who drew the id can have written this very record.
        return self._load(deadline, key) == record

    def _remove(self, deadline: float, key: bytes, expected: bytes | None) -> int | bytes:
        def decide(now: Standing) -> _Decision:
            if not isinstance(now, bytes):
                return _Decision(GONE)
            if expected is not None and now != expected:
                return _Decision(now)
            return _Decision(DONE, [("DEL", key)])

        mode, record = ("any", b"") if expected is None else ("exactly", expected)
        return self._change(deadline, self._delete, [key], (mode, record, "end"), decide)

    def _rotate_in_two_steps(
        self,
        deadline: float,
        old: bytes,
        new: bytes,
        expected: bytes | None,
        record: bytes,
        seconds: int,
    ) -> int | bytes:
        now = self._load(deadline, old)
        if not isinstance(now, bytes):
            return DONE if self._load(deadline, new) == record else GONE
        if expected is not None and now != expected:
            return now
        if not self._create(deadline, new, record, seconds):
            return OCCUPIED
        outcome = self._remove(deadline, old, expected)
        if outcome != DONE:
            # Another request was faster: nobody is told the new id.
            self._remove(deadline, new, record)
        return outcome

    def _change(
        self,
        deadline: float,
        script: tuple[str, str],
        keys: list[bytes],
        words: tuple[t.Any, ...],
        decide: t.Callable[..., _Decision],
    ) -> int | bytes:
        """One step by a script; by a transaction, with the same decision, where there are no scripts."""
        if self._scripting:
            try:
                return self._run(deadline, script, keys, words)
            except Failed as failure:
                if "unknown command" not in failure.words.lower():
                    raise
                self._scripting = False
        return self._transact(deadline, keys, decide)

    def _run(
        self,
        deadline: float,
        script: tuple[str, str],
        keys: list[bytes],
        words: tuple[t.Any, ...],
    ) -> int | bytes:
        text, digest = script
        arguments = (len(keys), *keys, *words)
        try:
            outcome = self._do(deadline, self._client, "EVALSHA", digest, *arguments, **_RAW)
        except Failed as failure:
            if failure.code != "NOSCRIPT":
                raise
            outcome = self._do(deadline, self._client, "EVAL", text, *arguments, **_RAW)
        if isinstance(outcome, (int, bytes)):
            return outcome
        raise Failed("answer", type(outcome).__name__)

    def _transact(
        self, deadline: float, keys: list[bytes], decide: t.Callable[..., _Decision]
    ) -> int | bytes:
        """Look, decide and write, again and again as long as somebody else writes in between."""
        while True:
            with _told(), self._client.pipeline() as pipe:
                self._in_time(deadline)
                pipe.watch(*keys)
                standing = [self._standing(deadline, pipe, "GET", key) for key in keys]
                decision = decide(*standing)
                if not decision.commands:
                    return decision.outcome
                pipe.multi()
                for command in decision.commands:
                    pipe.execute_command(*command)
                try:
                    pipe.execute()
                except Exception as error:
                    if type(error).__name__ != "WatchError":
                        raise
                else:
                    return decision.outcome

    def _standing(self, deadline: float, client: t.Any, *command: t.Any) -> Standing:
        try:
            found = self._do(deadline, client, *command, **_RAW)
        except Failed as failure:
            if failure.code == "WRONGTYPE":
                return False
            raise
        if found is None or isinstance(found, bytes):
            return found
        raise Failed("answer", type(found).__name__)

    def _do(self, deadline: float, client: t.Any, *command: t.Any, **options: t.Any) -> t.Any:
        self._in_time(deadline)
        with _told():
            return client.execute_command(*command, **options)

    def _in_time(self, deadline: float) -> None:
        if time.monotonic() >= deadline:
            raise Failed("timed out")


def _words(expected: bytes | None, record: bytes) -> tuple[str, bytes, bytes]:
    """What the scripts are told of the records."""
    return ("any", record, b"") if expected is None else ("exactly", record, expected)


class _told:
    """What a client raises becomes a :exc:`Failed`."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Exception) and not isinstance(error, Failed):
            raise explain(error) from None
