"""Records that nobody wrote so, read by ours and by msgspec: odd, mutated, nested, deep."""

import enum
import random
import struct
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from . import records
from .generators import Chance
from .record_pairs import compare_read
from .record_pairs import Pair
from .record_pairs import PAIRS

ODD_MSGPACK: list[bytes] = [
    b"", b"\x80", b"\xde\x00\x00", b"\xdf\x00\x00\x00\x00", b"\x90", b"\xc0", b"\x01", b"\x80\x80", b"\xc1",
    b"\x81\xa1a\xc1", b"\x81\xa1a", b"\x81\xa1", b"\x81", b"\xdf\xff\xff\xff\xff", b"\x81\xa1a\xdd\xff\xff\xff\xff",
    b"\x81\xa1a\xdb\xff\xff\xff\xffx", b"\x81\xa1a\xc9\xff\xff\xff\xff\x01", b"\x81\xa1\xff\x01",
    b"\x81\xa1a\xa1\xff", b"\x81\xa1a\xa3\xed\xa0\x80", b"\x81\xa1a\xcc\x01", b"\x81\xa1a\xd3" + b"\xff" * 8,
    b"\x81\xa1a\xcf" + b"\xff" * 8, b"\x81\xa1a\xca\x3f\xc0\x00\x00", b"\x81\xa1a\xca\x7f\xc0\x00\x00",
    b"\x81\xd9\x01a\xda\x00\x01a", b"\x81\xdb\x00\x00\x00\x01a\xc4\x01a", b"\x81\xa1a\xc5\x00\x01a",
    b"\x81\xa1a\xc6\x00\x00\x00\x01a", b"\x81\xa1a\xdc\x00\x01\x01", b"\x81\xa1a\xdd\x00\x00\x00\x01\x01",
    b"\x82\xa1a\x01\xa1a\x02", b"\x82\x01\x01\xc3\x02", b"\x82\x01\x01\xcb\x3f\xf0\0\0\0\0\0\0\x02",
    b"\x82\xd9\x01a\x01\xa1a\x02", b"\x82\xa1a\x01\xc4\x01a\x02", b"\x81\x90\x01", b"\x81\x91\x91\x01\x01",
    b"\x81\x92\xc4\x01a\xcb\x7f\xf8\0\0\0\0\0\0\x01", b"\x81\x80\x01", b"\x81\x91\x80\x01", b"\x81\x81\x01\x01\x01",
    b"\x81\xd4\x05a\x01", b"\x81\x91\xd4\x05a\x01", b"\x81\xd6\xff\0\0\0\0\x01", b"\x81\x91\xd6\xff\0\0\0\0\x01",
    b"\x81\xa1a\xd4\x05a", b"\x81\xa1a\xc7\x00\x05", b"\x81\xa1a\xc8\x00\x01\x80a", b"\x81\xa1a\xd8\x7f" + b"x" * 16,
]  # fmt: skip


def timestamps() -> list[bytes]:
    """Every form, about every edge."""
    forms = [
        b"\xd4\xff\x00",
        b"\xd5\xff\x00\x00",
        b"\xd8\xff" + bytes(16),
        b"\xc7\x00\xff",
        b"\xc7\x0b\xff" + bytes(11),
    ]
    for seconds in (0, 1, 2**32 - 1, 2**34 - 1):
        forms += [
            b"\xd6\xff" + struct.pack(">I", seconds & 0xFFFFFFFF),
            b"\xc7\x04\xff" + struct.pack(">I", seconds & 0xFFFFFFFF),
        ]
        for nanos in (
            0,
            1,
            499,
            500,
            501,
            1500,
            999_999_499,
            999_999_500,
            999_999_999,
            10**9,
            2**30 - 1,
        ):
            forms.append(b"\xd7\xff" + struct.pack(">Q", nanos << 34 | seconds))
    for seconds in (
        -1,
        0,
        -62135596800,
        -62135596801,
        253402300799,
        253402300800,
        253402300801,
        2**63 - 1,
        -(2**63),
    ):
        for nanos in (0, 1, 500, 999_999_499, 999_999_500, 999_999_999, 10**9, 2**32 - 1):
            forms.append(b"\xc7\x0c\xff" + struct.pack(">Iq", nanos, seconds))
    return [b"\x81\xa1a" + form for form in forms]


def test_odd_msgpack(pair: Pair) -> None:
    for record in ODD_MSGPACK + timestamps():
        compare_read(record, pair)


ODD_JSON: list[bytes] = [
    b"{}", b" \t\r\n{ } \n", b"\x0b{}", b"\x0c{}", b"\xef\xbb\xbf{}", b"{}\0", b"{} {}", b"{}x", b"[]", b"1", b"null",
    b'"a"', b" ", b"{", b'{"a"', b'{"a":', b'{"a":1', b'{"a":1,', b'{"a":1,}', b"{,}", b'{"a" 1}', b"{a:1}", b"{1:1}",
    b"{'a':1}", b'{"a":1 "b":2}', b'{"a":1,"a":2,"\\u0061":3}', "{}".encode("utf-16"), "{}".encode("utf-32"), b"//\n{}",
    *(b'{"a":' + value + b"}" for value in (
        b"1", b"-1", b"-0", b"-0.0", b"0", b"00", b"01", b"-01", b"-", b"+1", b".5", b"1.", b"1.e1", b"1e", b"1e+",
        b"1E5", b"1e+5", b"1e-5", b"0e0", b"0.1e1", b"1e400", b"-1e400", b"1e-400",
        b"1e99999999999", b"0e99999999999", b"1_0",
        b"123456789012345678", b"1234567890123456789", b"18446744073709551615", b"18446744073709551616",
        b"-9223372036854775808", b"-9223372036854775809", b"123456789012345678.5", b"1234567890123456789.5",
        b"12345678901234567890e3", b"0.30000000000000004", b"2.2250738585072011e-308", b"9007199254740993.0",
        b"1x", b"0x1", b"NaN", b"nan", b"Infinity", b"-Infinity", b"true", b"false", b"null", b"tru",
        b"True", b"nulll", b"undefined",
        b"[]", b"[1,]", b"[,1]", b"[1 2]", b"[1", b"[1,2]", b"[[[[]]]]", b"{}", b'{"a":{}}', b"",
        b'""', b'"', b'"\\"', b'"\\', b'"\\x41"', b'"\\u0041"', b'"\\u00e9"', b'"\\u00E9"', b'"\\u004"', b'"\\u+041"',
        b'"\\u 041"', b'"\\ud83d\\ude00"', b'"\\uD83D\\uDE00"', b'"\\ud800"', b'"\\udc00"', b'"\\ud800\\ud800"',
        b'"\\ud800a"', b'"\\ud800\\u0041"', b'"\\u0000"', b'"\\/\\b\\f\\n\\r\\t\\\\\\""',
        b'"\\a"', b'"\n"', b'"\t"', b'"\0"',
        b'"\x1f"', b'"\x7f"', b'"\xc3\xa9"', b'"\xff"', b'"\xed\xa0\x80"', b'"\xf0\x9f\x98\x80"',
        b'"\xc3"', b'"\xc3\xa9\\n"',
        b'"2020-01-01T00:00:00Z"', b'"YWJj"',
    )),
    b'{"\\ud800":1}', b'{"\\u00e9":1}', b'{"\xc3\xa9":1}', b'{"\xff":1}', b'{"":1}',
]  # fmt: skip


def test_odd_json(pair: Pair) -> None:
    for record in ODD_JSON:
        compare_read(record, pair)


def test_mutated_records(pair: Pair, pytestconfig: pytest.Config) -> None:
    """Never an error, and never more than what msgspec reads."""
    count: int = pytestconfig.getoption("--records")
    chance = random.Random(7)
    read = 0
    written: list[bytes] = []
    for seed in range(count):
        if len(written) < 300:
            data = {str(key): records.value(Chance(seed + 1), 2) for key in range(seed % 4 + 1)}
            try:
                record = pair.oracle.dumps(data)
            except Exception:
                continue
            if len(record) < 2000:
                written.append(record)
    for _ in range(count * 3):
        read += compare_read(records.mutated(chance.choice(written), chance), pair) is not None
    assert read > count * 0.1


@settings(max_examples=2000, deadline=None)
@given(
    st.binary(max_size=60),
    st.sampled_from([b"", b"\x81", b"\x82\xa1a", b"\xde\x00\x02", b"{", b'{"a":']),
)
def test_any_bytes(rest: bytes, start: bytes) -> None:
    for pair in PAIRS.values():
        compare_read(start + rest, pair)


def nested(depth: int, *, json: bool, key: bool = False, maps: bool = False) -> bytes:
    """A record of so many containers in each other."""
    inner = depth - 1
    if json:
        if maps:
            return b'{"a":' * depth + b"1" + b"}" * depth
        return b'{"a":' + b"[" * inner + b"1" + b"]" * inner + b"}"
    if key:
        return b"\x81" + b"\x91" * inner + b"\x01\x01"
    if maps:
        return b"\x81\xa1a" * depth + b"\x01"
    return b"\x81\xa1a" + b"\x91" * inner + b"\x01"


SHAPES = [
    {"json": True},
    {"json": True, "maps": True},
    {"json": False},
    {"json": False, "maps": True},
    {"json": False, "key": True},
]


def unwind(loaded: Any) -> None:
    """Takes a deep object apart, which may be too deep for the garbage collector's own stack in old versions."""
    while isinstance(loaded, (dict, list)) and loaded:
        loaded = loaded.popitem()[1] if isinstance(loaded, dict) else loaded.pop()


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_nesting(pair: Pair, shape: Any) -> None:
    for depth in (1, 2, 100, 900, 1024):
        loaded = pair.codec.loads(nested(depth, **shape))
        assert loaded is not None, depth
        unwind(loaded)
    for depth in (1025, 5000, 100_000, 1_000_000):
        assert pair.codec.loads(nested(depth, **shape)) is None, depth


def test_what_is_written_is_read(pair: Pair) -> None:
    data: Any = 1
    for _ in range(1023):
        data = [data]
    record = pair.codec.dumps({"k": data})
    loaded = pair.codec.loads(record)
    assert loaded is not None
    assert pair.codec.dumps(loaded) == record
    for deep in ({"k": [data]}, {"k": {"k": data}}, {"k": ((data,),)}, {"k": records.Point(data)}):
        with pytest.raises(RecursionError):
            pair.codec.dumps(deep)
    unwind(loaded)
    unwind(data)


def test_what_holds_itself(pair: Pair) -> None:
    itself: dict[str, Any] = {}
    itself["k"] = [itself]
    with pytest.raises(RecursionError):
        pair.codec.dumps(itself)

    class Selfish(enum.Enum):
        A = 1

    vars(Selfish.A)["_value_"] = Selfish.A
    for data in ({"k": Selfish.A}, {Selfish.A: 1}):
        with pytest.raises((RecursionError, TypeError)):
            pair.codec.dumps(data)
    itself.clear()


def test_a_small_stack() -> None:
    """The deepest record fits into three quarters of the smallest stack that threads of Python have, musl's."""
    before = threading.stack_size(768 << 10)
    try:
        results: list[bool] = []

        def work() -> None:
            for pair in PAIRS.values():
                for shape in SHAPES:
                    loaded = pair.codec.loads(nested(1024, **shape))
                    results.append(loaded is not None)
                    if loaded is not None and "key" not in shape:
                        results.append(bool(pair.codec.dumps(loaded)))
                    unwind(loaded)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    finally:
        threading.stack_size(before)
    assert results == [True] * 18


def test_pickles_are_never_loaded(pair: Pair) -> None:
    import pickle

    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert pair.codec.loads(pickle.dumps({"a": 1}, protocol)) is None
