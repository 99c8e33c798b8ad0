"""Our codec of records beside what Flask-Session does with msgspec, in both formats, and how they are compared."""

import typing as t
from typing import Any

import msgspec
import pytest

from flask_session_rs._native import RecordCodec

from .describe import describe


class Oracle:
    """What Flask-Session's serializer does in one format."""

    def __init__(self, format: str) -> None:
        formats: dict[str, Any] = {"msgpack": msgspec.msgpack, "json": msgspec.json}
        self.encoder = formats[format].Encoder()
        self.decoder = formats.pop(format).Decoder()
        (other,) = formats.values()
        self.other = other.Decoder()

    def dumps(self, obj: dict[Any, Any]) -> bytes:
        encoded: bytes = self.encoder.encode(obj)
        return encoded

    def loads(self, record: bytes) -> Any:
        """A session; None where Flask-Session would answer 500, or load a pickle."""
        try:
            try:
                loaded = self.decoder.decode(record)
            except msgspec.DecodeError:
                loaded = self.other.decode(record)
        # UnicodeDecodeError, and a year of 10000, among others.
        except (msgspec.DecodeError, ValueError, RecursionError):
            return None
        return loaded if isinstance(loaded, dict) else None


class Pair(t.NamedTuple):
    codec: RecordCodec
    oracle: Oracle


PAIRS = {name: Pair(RecordCodec(name), Oracle(name)) for name in ("msgpack", "json")}


def show(value: Any) -> str:
    """Extensions have no repr of their own."""
    if isinstance(value, msgspec.msgpack.Ext):
        return f"Ext({value.code}, {value.data!r})"
    if type(value) is list:
        return f"[{', '.join(map(show, value))}]"
    if type(value) is dict:
        return f"{{{', '.join(f'{show(key)}: {show(item)}' for key, item in value.items())}}}"
    return describe(value)


def compare(data: dict[Any, Any], pair: Pair) -> bytes | None:
    """The same bytes, or the same kind of error; and both read them alike. The bytes, if any."""
    try:
        record = pair.oracle.dumps(data)
    except Exception as error:
        with pytest.raises(type(error)):
            pair.codec.dumps(data)
        return None
    assert pair.codec.dumps(data) == record
    compare_read(record, pair)
    return record


def compare_read(record: bytes, pair: Pair) -> Any:
    loaded = pair.codec.loads(record)
    assert show(loaded) == show(pair.oracle.loads(record)), record
    return loaded
