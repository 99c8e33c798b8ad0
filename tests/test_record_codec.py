"""Records through msgspec, as Flask-Session uses it, and through ours: the same bytes, and the same objects back."""

import collections
import dataclasses
import datetime
import decimal
import enum
import gc
import json
import random
import struct
import subprocess
import sys
import threading
import types
import typing as t
import uuid
from collections.abc import Callable
from typing import Any

import freezegun
import msgspec
import pytest
from hypothesis import given
from hypothesis import HealthCheck
from hypothesis import settings
from hypothesis import strategies as st
from markupsafe import Markup

from flask_session_rs._native import Ext
from flask_session_rs._native import RecordCodec

from . import records
from .describe import describe
from .generators import Chance

UTC = datetime.timezone.utc


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


@pytest.fixture(params=PAIRS.values(), ids=list(PAIRS))
def pair(request: pytest.FixtureRequest) -> Pair:
    chosen: Pair = request.param
    return chosen


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


def test_seeded_records(pair: Pair, pytestconfig: pytest.Config) -> None:
    count: int = pytestconfig.getoption("--records")
    written = 0
    for seed in range(count):
        record = compare(records.record(seed), pair)
        if record is not None:
            written += 1
            # What is read and written again is what was read.
            loaded = pair.codec.loads(record)
            assert loaded is not None
            compare(loaded, pair)
    assert written > count * 0.5


@settings(max_examples=1000, deadline=None, suppress_health_check=list(HealthCheck))
@given(records.strategy())
def test_records_of_hypothesis(data: dict[Any, Any]) -> None:
    for pair in PAIRS.values():
        compare(data, pair)


@settings(max_examples=2000, deadline=None)
@given(st.lists(st.floats(), min_size=1))
def test_floats_of_hypothesis(numbers: list[float]) -> None:
    for pair in PAIRS.values():
        compare({"n": numbers, **dict.fromkeys(map(str, numbers))}, pair)


def test_floats(pair: Pair) -> None:
    chance = random.Random(1)
    powers = [
        sign * 10.0**power * digit
        for power in range(-30, 30)
        for digit in (1, 1.5, 9.75)
        for sign in (1, -1)
    ]
    bits = [struct.unpack("<d", chance.randbytes(8))[0] for _ in range(3000)]
    compare({"n": powers + bits + [5e-324, 1.7976931348623157e308, -0.0, 1e22, 2.0**53]}, pair)


@pytest.mark.parametrize(
    "value", [v for n in range(66) for s in (1, -1) for d in (-1, 0, 1) for v in (s * 2**n + d,)]
)
def test_integers(pair: Pair, value: int) -> None:
    compare({"n": value}, pair)


@pytest.mark.parametrize("digits", [19, 20, 21, 100, 4299, 4300, 4301, 10_000])
def test_long_integers(pair: Pair, digits: int) -> None:
    for text in (
        "9" * digits,
        "-" + "1" * digits,
        "-" + "1" * (digits - 1),
        "1" * digits + ".5",
        "1" * digits + "e-5",
    ):
        compare_read(f'{{"n":{text}}}'.encode(), pair)


@pytest.mark.parametrize("length", [0, 1, 15, 16, 31, 32, 255, 256, 65535, 65536])
def test_lengths(pair: Pair, length: int) -> None:
    compare({"s": "a" * length}, pair)
    compare({"s": "é" * length}, pair)
    compare({"b": b"a" * length}, pair)
    compare({"l": [None] * length}, pair)
    compare({str(n): None for n in range(length)}, pair)
    compare({"d": {str(n): None for n in range(length)}}, pair)


@dataclasses.dataclass
class Partial:
    a: int
    given: dataclasses.InitVar[int] = 3
    shared: t.ClassVar[int] = 4
    late: int = dataclasses.field(init=False)
    plain: int = 5


@dataclasses.dataclass
class Dynamic:
    a: int

    def __getattr__(self, name: str) -> int:
        raise AttributeError(name)


@dataclasses.dataclass
class Child(Partial):
    b: Any = None


@dataclasses.dataclass
class DictBased(dict[str, int]):
    a: int = 1


Wide = dataclasses.make_dataclass("Wide", [(f"f{n}", int, n) for n in range(17)])


def partial_wide() -> Any:
    wide = Wide()
    for n in range(3, 17):
        del wide.__dict__[f"f{n}"]
    return wide


class Attrs:
    """What attrs leaves on a class, without attrs."""

    __attrs_attrs__ = ()

    def __init__(self) -> None:
        self.x = 1
        self._y = 2
        self.z = msgspec.UNSET


class SlottedAttrs:
    __slots__ = ("__weakref__", "_hidden", "a", "b", "never")
    __attrs_attrs__ = ()

    def __init__(self) -> None:
        self.a, self.b, self._hidden = 1, [2], 3


class SlottedChild(SlottedAttrs):
    __slots__ = ("c",)
    __attrs_attrs__ = ()

    def __init__(self) -> None:
        super().__init__()
        self.c = 4


class AttrsByInheritanceOnly(Attrs):
    pass


class Struct(msgspec.Struct):
    a: Any
    b: str = "x"


class ArrayStruct(msgspec.Struct, array_like=True, tag="t"):
    a: Any
    b: str = "x"


class Lean(
    msgspec.Struct, omit_defaults=True, kw_only=True, tag=3, tag_field="kind", rename="camel"
):
    an_int: int
    a_list: list[Any] = []
    a_dict: dict[str, Any] = msgspec.field(default_factory=dict)
    a_number: int = 4
    a_str: str | msgspec.UnsetType = msgspec.UNSET


class OddEnum(enum.Enum):
    ID = uuid.UUID(int=3)

    @property
    def value(self) -> Any:
        return "overridden"


class Zone(datetime.tzinfo):
    """A zone that is asked for its offset only, and gives anything."""

    def __init__(self, offset: Any) -> None:
        self.offset = offset

    def utcoffset(self, _: Any) -> Any:
        return self.offset

    def dst(self, _: Any) -> None:
        raise AssertionError

    def tzname(self, _: Any) -> str:
        raise AssertionError


def with_more() -> Any:
    partial = Partial(1)
    partial.__dict__["more"] = 5
    return partial


LIKE_MSGSPEC: dict[str, Callable[[], Any]] = {
    "dataclass": lambda: Child(1),
    "dataclass without a field": lambda: Partial(1),
    "dataclass with more": with_more,
    "dataclass with __getattr__": lambda: Dynamic(1),
    "dataclass that is a dict": DictBased,
    "dataclass of 17 fields": Wide,
    "dataclass of 17 fields, 14 of them missing": partial_wide,
    "dataclass with UNSET": lambda: Child(1, b=msgspec.UNSET),
    "a dataclass itself": lambda: Child,
    "attrs": Attrs,
    "attrs with slots": SlottedAttrs,
    "attrs with inherited slots": SlottedChild,
    "a subclass of attrs": AttrsByInheritanceOnly,
    "struct": lambda: Struct(Struct(1)),
    "struct with UNSET": lambda: Struct(msgspec.UNSET),
    "array struct": lambda: ArrayStruct([1]),
    "lean struct": lambda: Lean(an_int=1),
    "lean struct, filled": lambda: Lean(an_int=1, a_list=[1], a_dict={"a": 1}, a_number=5, a_str=""),
    "struct without fields": type("Empty", (msgspec.Struct,), {}),
    "enum": lambda: OddEnum.ID,
    "uuid": lambda: uuid.UUID("12345678-1234-5678-1234-56781234567a"),
    "decimals": lambda: [decimal.Decimal(text) for text in ("1.10", "NaN", "-Infinity", "1E+5", "-0")],
    "set": lambda: [set(), frozenset(), {1}, frozenset(("a",))],
    "memoryview": lambda: memoryview(b"abc"),
    "memoryview of integers": lambda: memoryview(struct.pack("ii", 1, 2)).cast("i"),
    "bytearray": lambda: bytearray(b"\xff\x00"),
    "ext": lambda: msgspec.msgpack.Ext(5, b"abc"),
    "exts": lambda: [msgspec.msgpack.Ext(n, b"x" * n) for n in range(20)],
    "long ext": lambda: [msgspec.msgpack.Ext(-128, bytearray(n)) for n in (255, 256, 65535, 65536)],
    "UNSET": lambda: msgspec.UNSET,
    "nowhere": lambda: datetime.time(1, 2, 3, tzinfo=Zone(None)),
    "wrong zone": lambda: datetime.time(1, 2, 3, tzinfo=Zone(5)),
    "year 0": lambda: datetime.datetime(1, 1, 1, tzinfo=datetime.timezone(datetime.timedelta(hours=5))),
    "year 10000": lambda: datetime.datetime(9999, 12, 31, 23, tzinfo=datetime.timezone(-datetime.timedelta(hours=5))),
    "ordered": lambda: collections.OrderedDict(b=1, a=2),
    "defaultdict": lambda: collections.defaultdict(list, a=[1]),
    "counter": lambda: collections.Counter("aab"),
    "surrogate": lambda: "\ud800",
    "surrogate key": lambda: {"\ud800": 1},
    "deque": collections.deque,
    "mappingproxy": lambda: types.MappingProxyType({}),
    "complex": lambda: 1j,
    "object": object,
    "function": lambda: len,
    "ellipsis": lambda: ...,
    "range": lambda: range(3),
    "exception": lambda: ValueError("x"),
}  # fmt: skip


@pytest.mark.parametrize("make", LIKE_MSGSPEC.values(), ids=LIKE_MSGSPEC)
def test_like_msgspec(pair: Pair, make: Callable[[], Any]) -> None:
    compare({"k": make()}, pair)
    compare({"k": [{"k": (make(),)}]}, pair)
    with_key = types.SimpleNamespace(made=make())
    try:
        hash(with_key.made)
    except (TypeError, ValueError):
        return
    compare({with_key.made: 1}, pair)


def test_raw(pair: Pair) -> None:
    raw = msgspec.Raw(pair.oracle.dumps({"a": [1, 2]}))
    compare({"k": raw, "l": [raw]}, pair)
    for bad in (b"", b"\xc1", b"\x01\x01", b"{} {}", b"[1", b"1,1"):
        with pytest.raises(TypeError):
            pair.codec.dumps({"k": msgspec.Raw(bad)})


class LazyString:
    """As Flask-Babel's: every attribute is the text's."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __getattr__(self, name: str) -> Any:
        return getattr(str(self), name)

    def __str__(self) -> str:
        return self._text


class _LazyString(LazyString):
    pass


class LazyProxy(LazyString):
    pass


class Translated(LazyString):
    pass


class Text(str):
    def __str__(self) -> str:
        return "overridden"


class Number(int):
    def __repr__(self) -> str:
        return "overridden"

    def __index__(self) -> int:
        return 99


class Real(float):
    def __repr__(self) -> str:
        return "overridden"


class Octets(bytes):
    pass


class Buffer(bytearray):
    pass


class Day(datetime.date):
    pass


class Moment(datetime.datetime):
    pass


class Money(decimal.Decimal):
    pass


BEYOND: list[tuple[Any, Any]] = [
    (Markup("<b>é</b>"), "<b>é</b>"),
    (Text("plain"), "plain"),
    (Number(5), 5),
    (Number(-(2**63)), -(2**63)),
    (Number(2**64 - 1), 2**64 - 1),
    (Real(1.5), 1.5),
    (Octets(b"abc"), b"abc"),
    (Buffer(b"abc"), b"abc"),
    (LazyString("lazy"), "lazy"),
    (_LazyString("lazy"), "lazy"),
    (LazyProxy("lazy"), "lazy"),
    (Translated("lazy"), "lazy"),
    (Day(2020, 1, 2), datetime.date(2020, 1, 2)),
    (Moment(2020, 1, 2, 3), datetime.datetime(2020, 1, 2, 3)),
    (Moment(2020, 1, 2, 3, tzinfo=UTC), datetime.datetime(2020, 1, 2, 3, tzinfo=UTC)),
    (Money("1.10"), decimal.Decimal("1.10")),
    (memoryview(b"abcdef")[::2], b"ace"),
    (freezegun.api.FakeDatetime(2020, 1, 2), datetime.datetime(2020, 1, 2)),
    (Struct(Markup("x")), Struct("x")),
    (records.Point(Number(5), LazyString("lazy")), records.Point(5, "lazy")),
]


@pytest.mark.parametrize(("value", "plain"), BEYOND, ids=lambda value: type(value).__name__)
def test_beyond_msgspec(pair: Pair, value: Any, plain: Any) -> None:
    """What msgspec refuses, as what it is like."""
    if not isinstance(value, (Struct, records.Point)):
        with pytest.raises((TypeError, BufferError)):
            pair.oracle.dumps({"k": value})
    assert pair.codec.dumps({"k": value}) == pair.oracle.dumps({"k": plain})
    assert pair.codec.dumps({"k": [value, value]}) == pair.oracle.dumps({"k": [plain, plain]})
    if not isinstance(value, (Buffer, memoryview, Struct, records.Point)):
        assert pair.codec.dumps({value: 1}) == pair.oracle.dumps({plain: 1})


def test_a_lazy_string_that_fails(pair: Pair) -> None:
    class LazyString:
        def __str__(self) -> str:
            raise RuntimeError("no request")

    with pytest.raises(RuntimeError, match="no request"):
        pair.codec.dumps({"k": LazyString()})


class Secretive:
    def __repr__(self) -> str:
        return "the secret"

    __str__ = __repr__


def test_errors_name_types_only(pair: Pair) -> None:
    with pytest.raises(TypeError) as caught:
        pair.codec.dumps({"the secret": [Secretive()]})
    assert str(caught.value).endswith(".Secretive cannot be stored in a session")
    assert "the secret" not in str(caught.value)


@pytest.mark.parametrize("key", [None, True, False, (1, 2), (), Pair, object(), frozenset()])
def test_keys_that_json_has_not(key: Any) -> None:
    compare({key: 1}, PAIRS["json"])
    with pytest.raises(TypeError):
        PAIRS["json"].codec.dumps({key: 1})


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


class Meddler(decimal.Decimal):
    """Changes the object that it is in while it is written."""

    meddle: Callable[[], None]

    def __str__(self) -> str:
        self.meddle()
        return "1"


@pytest.mark.parametrize("change", ["more", "fewer", "others"])
def test_what_changes_meanwhile(pair: Pair, change: str) -> None:
    meddler = Meddler(1)

    def dumps_or_refuses(data: dict[Any, Any]) -> Any:
        try:
            return pair.codec.loads(pair.codec.dumps(data))
        except RuntimeError as error:
            return str(error)

    refused = "an object in the session changed size while it was stored"
    for data in ({"a": meddler, "b": 1, "c": 2}, {"k": {"a": meddler, "b": 1, "c": 2}}):
        inner: Any = data.get("k", data)

        def meddle(inner: Any = inner) -> None:
            if change != "more":
                del inner["b"]
            if change != "fewer":
                inner["d"] = 3

        meddler.meddle = meddle
        result = dumps_or_refuses(data)
        assert result == refused if change != "others" else isinstance(result, (str, dict))

    items: list[Any] = [meddler, 1, 2]

    def meddle_list() -> None:
        if change == "fewer":
            items.pop()
        else:
            items.append(3)

    meddler.meddle = meddle_list
    result = dumps_or_refuses({"k": items})
    assert result == (refused if change == "fewer" else {"k": ["1", 1, 2]})


def test_sets_that_change_meanwhile(pair: Pair) -> None:
    meddler = Meddler(1)
    members: set[Any] = {meddler, 2, 3}

    def meddle() -> None:
        members.add(len(members) + 100)

    meddler.meddle = meddle
    try:
        record = pair.codec.dumps({"k": members})
    except RuntimeError:
        return
    assert pair.codec.loads(record) is not None


def test_interrupts_pass(pair: Pair) -> None:
    class LazyString:
        def __str__(self) -> str:
            raise KeyboardInterrupt

    class Loud:
        def __getattr__(self, name: str) -> Any:
            raise KeyboardInterrupt

    for value in (LazyString(), Loud()):
        with pytest.raises(KeyboardInterrupt):
            pair.codec.dumps({"k": value})


def test_either_codec_reads_both_formats() -> None:
    data = {"a": [1, "é", None], "b": {"c": 1.5}}
    for writer in PAIRS.values():
        record = writer.oracle.dumps(data)
        for reader in PAIRS.values():
            assert reader.codec.loads(record) == data


def test_pickles_are_never_loaded(pair: Pair) -> None:
    import pickle

    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert pair.codec.loads(pickle.dumps({"a": 1}, protocol)) is None


def test_unknown_format() -> None:
    with pytest.raises(ValueError, match="msgpack"):
        RecordCodec("pickle")


def test_without_msgspec() -> None:
    """In a process that cannot import it, nothing is lost."""
    program = """
import sys
sys.modules["msgspec"] = sys.modules["msgspec.msgpack"] = None
import dataclasses
from flask_session_rs._native import Ext, RecordCodec
@dataclasses.dataclass
class Point:
    x: int
codec = RecordCodec("msgpack")
record = b"\\x82\\xa1a\\xd4\\x05x\\xa1b\\x81\\xa1x\\x01"
loaded = codec.loads(record)
assert type(loaded["a"]) is Ext and (loaded["a"].code, loaded["a"].data) == (5, b"x")
loaded["b"] = Point(1)
assert codec.dumps(loaded) == record
try:
    RecordCodec("json").dumps(loaded)
except TypeError:
    print("done")
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "done\n"


def test_own_ext(pair: Pair) -> None:
    ext = Ext(-5, b"abc")
    if pair is PAIRS["json"]:
        with pytest.raises(TypeError):
            pair.codec.dumps({"k": ext})
    else:
        assert pair.codec.dumps({"k": ext}) == pair.oracle.dumps(
            {"k": msgspec.msgpack.Ext(-5, b"abc")}
        )


def test_json_is_json() -> None:
    """Python's own decoder reads what is written."""
    codec = PAIRS["json"].codec
    for seed in range(500):
        try:
            record = codec.dumps(records.record(seed))
        except (TypeError, UnicodeEncodeError):
            continue
        assert show(json.loads(record)) == show(codec.loads(record))


def test_nothing_is_leaked(pair: Pair) -> None:
    data = {str(n): records.value(Chance(n), 2) for n in range(30)}
    try:
        record = pair.codec.dumps(data)
    except Exception:
        record = pair.codec.dumps({"a": [1.5, "x" * 100, {"b": None}]})
    broken = record[:-1]

    def cycle() -> None:
        for _ in range(200):
            pair.codec.loads(record)
            pair.codec.loads(broken)
            with pytest.raises(TypeError):
                pair.codec.dumps({"a": [object()]})

    def grown() -> int:
        gc.collect()
        before = sys.getallocatedblocks()
        cycle()
        gc.collect()
        return sys.getallocatedblocks() - before

    cycle()
    # What earlier tests left may go at any time: a leak is there each time.
    assert min(abs(grown()) for _ in range(3)) < 50
