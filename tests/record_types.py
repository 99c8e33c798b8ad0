"""Objects that a session can hold: those that msgspec writes, and those that it refuses and we do not."""

import collections
import dataclasses
import datetime
import decimal
import enum
import struct
import types
import typing as t
import uuid
from collections.abc import Callable
from typing import Any

import freezegun
import msgspec
from markupsafe import Markup

from . import records

UTC = datetime.timezone.utc


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
