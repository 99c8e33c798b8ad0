"""What every store has to pass when it is asked through Python: the five verbs over bytes, whatever is behind them."""

from __future__ import annotations

import threading
import time
import typing as t

import pytest

from flask_session_rs import SessionStoreUnavailable
from flask_session_rs._native import Store

HOUR = 3600

EVERY_BYTE = bytes(range(256))
RECORDS = [
    b"",
    b"0",
    b"1",
    b"OK",
    b"any",
    b"\r\n$5\r\nhello\r\n",
    EVERY_BYTE,
    *((EVERY_BYTE * 4097)[:length] for length in (16_384, 100_000, 1_000_000)),
]


def accept(
    store: Store, place_foreign: t.Callable[[bytes], object], *, expiry: bool = False
) -> None:
    """A store with nothing in it passes. `place_foreign` puts something that is no record under a key.

    `expiry` waits for records to go, which takes more than a second.
    """
    for scenario in (_records, _replacing, _rotating, _deleting, _racing):
        scenario(store)
    _foreign(store, place_foreign)
    if expiry:
        _expiry(store)


def _records(store: Store) -> None:
    for number, record in enumerate(RECORDS):
        key = f"record {number} \r\n\0".encode()
        assert store.load(key) is None
        assert store.create(key, record, HOUR)
        assert store.load(key) == record
        assert not store.create(key, b"other", HOUR)
        assert store.load(key, HOUR) == record
        longer = record + b"+"
        assert store.replace(key, record, longer, HOUR) == "done"
        assert store.replace(key, record, b"late", HOUR) == longer
        assert store.load(key) == longer


def _replacing(store: Store) -> None:
    # What is gone stays gone.
    assert store.replace(b"r", None, b"2", HOUR) == "gone"
    assert store.replace(b"r", b"1", b"2", HOUR) == "gone"
    assert store.replace(b"r", b"", b"", HOUR) == "gone"
    assert store.load(b"r") is None
    store.create(b"r", b"1", HOUR)
    assert store.replace(b"r", b"1", b"2", HOUR) == "done"
    assert store.replace(b"r", b"1", b"3", HOUR) == b"2"
    # The same change once more, as after a reply that was lost.
    assert store.replace(b"r", b"1", b"2", HOUR) == "done"
    assert store.replace(b"r", None, b"4", HOUR) == "done"
    assert store.replace(b"r", b"", b"5", HOUR) == b"4"
    assert store.replace(b"r", b"4", b"", HOUR) == "done"
    assert store.replace(b"r", b"4", b"6", HOUR) == b""
    assert store.load(b"r") == b""


def _rotating(store: Store) -> None:
    assert store.rotate(b"old", b"new", None, b"2", HOUR) == "gone"
    assert store.load(b"new") is None
    store.create(b"old", b"1", HOUR)
    assert store.rotate(b"old", b"new", b"0", b"2", HOUR) == b"1"
    assert (store.load(b"old"), store.load(b"new")) == (b"1", None)
    assert store.rotate(b"old", b"new", b"1", b"2", HOUR) == "done"
    assert (store.load(b"old"), store.load(b"new")) == (None, b"2")
    # Once more, and what is not the same.
    assert store.rotate(b"old", b"new", b"1", b"2", HOUR) == "done"
    assert store.rotate(b"old", b"new", b"1", b"3", HOUR) == "gone"
    assert store.replace(b"old", None, b"9", HOUR) == "gone"
    # A key that is taken is not written to.
    store.create(b"taken", b"somebody's", HOUR)
    with pytest.raises(SessionStoreUnavailable, match="BUSYKEY"):
        store.rotate(b"new", b"taken", None, b"4", HOUR)
    assert (store.load(b"new"), store.load(b"taken")) == (b"2", b"somebody's")


def _deleting(store: Store) -> None:
    # Somebody else ended it.
    assert store.delete(b"d", None) == "gone"
    assert store.delete(b"d", b"1") == "gone"
    store.create(b"d", b"1", HOUR)
    assert store.delete(b"d", b"2") == b"1"
    assert store.load(b"d") == b"1"
    assert store.delete(b"d", b"1") == "done"
    assert store.load(b"d") is None
    store.create(b"d", b"1", HOUR)
    assert store.delete(b"d", None) == "done"
    assert store.load(b"d") is None


def _foreign(store: Store, place_foreign: t.Callable[[bytes], object]) -> None:
    """What is no record is left as it is."""
    place_foreign(b"f")
    store.create(b"mine", b"1", HOUR)
    assert store.load(b"f") is False
    assert store.load(b"f", HOUR) is False
    assert not store.create(b"f", b"1", HOUR)
    for expected in (None, b"1", b""):
        assert store.replace(b"f", expected, b"1", HOUR) == "gone"
        assert store.rotate(b"f", b"g", expected, b"1", HOUR) == "gone"
        assert store.delete(b"f", expected) == "gone"
    with pytest.raises(SessionStoreUnavailable, match="BUSYKEY"):
        store.rotate(b"mine", b"f", None, b"2", HOUR)
    assert store.load(b"f") is False
    assert (store.load(b"g"), store.load(b"mine")) == (None, b"1")


def _expiry(store: Store) -> None:
    """Each verb that writes sets the expiry, and a load that slides sets it anew."""
    for key in (b"gone 1", b"gone 2", b"kept 1", b"kept 2"):
        store.create(key, b"1", -5)
    store.create(b"long", b"1", 1 << 62)
    store.create(b"short", b"1", HOUR)
    store.replace(b"short", None, b"2", 1)
    store.create(b"from", b"1", HOUR)
    store.rotate(b"from", b"to", None, b"2", 1)
    store.load(b"gone 1")
    store.replace(b"gone 2", b"2", b"3", HOUR)
    store.load(b"kept 1", HOUR)
    store.replace(b"kept 2", b"1", b"1", HOUR)
    time.sleep(1.1)
    assert [store.load(key) for key in (b"gone 1", b"gone 2", b"short", b"to")] == [None] * 4
    assert [store.load(key) for key in (b"kept 1", b"kept 2", b"long")] == [b"1"] * 3


def _racing(store: Store, threads: int = 4, turns: int = 20) -> None:
    """Compare-and-set by several threads: no step of anyone is lost."""
    store.create(b"count", b"0", HOUR)

    def count(name: str) -> None:
        for _ in range(turns):
            now = store.load(b"count")
            while True:
                assert isinstance(now, bytes)
                # Who wrote it is part of it: the same record once more is the same change once more.
                wanted = b"%d %s" % (int(now.split()[0]) + 1, name.encode())
                outcome = store.replace(b"count", now, wanted, HOUR)
                if outcome == "done":
                    break
                now = t.cast(bytes, outcome)

    at_work = [threading.Thread(target=count, args=(str(number),)) for number in range(threads)]
    for thread in at_work:
        thread.start()
    for thread in at_work:
        thread.join()
    count_of_all = store.load(b"count")
    assert isinstance(count_of_all, bytes)
    assert int(count_of_all.split()[0]) == threads * turns
