"""Every kind of value that a session may hold or refuse: the same bytes, or the same error."""

import collections
import contextlib
import dataclasses
import decimal
import enum
import fractions
import math
import pathlib
import sys
import uuid
from collections.abc import Callable
from collections.abc import Iterator
from datetime import date
from datetime import datetime
from datetime import time
from datetime import timedelta
from datetime import timezone
from datetime import tzinfo
from typing import Any
from typing import NamedTuple

import flask
import pytest
from markupsafe import Markup

from .codec import app_context
from .codec import CODEC
from .codec import json_of
from .codec import NOW
from .codec import Oracle
from .describe import describe
from .describe import raised
from .flavours import BOTH
from .visits import new_app

pytestmark = pytest.mark.usefixtures("clock", "plain")


class Color(enum.IntEnum):
    RED = 3


class Name(str, enum.Enum):
    A = "a"


class Flags(enum.IntFlag):
    A = 1
    B = 2


class Plain(enum.Enum):
    A = 1


class Str(str):
    def __str__(self) -> str:
        return "str of a subclass"

    def __repr__(self) -> str:
        return "repr of a subclass"


class Int(int):
    def __repr__(self) -> str:
        return "repr of a subclass"

    __str__ = __repr__


class Float(float):
    def __repr__(self) -> str:
        return "repr of a subclass"

    __str__ = __repr__


class Bytes(bytes):
    pass


class List(list[Any]):
    pass


class ListIter(list[Any]):
    def __iter__(self) -> Iterator[Any]:
        return iter(["iterated"])


class Tuple(tuple[Any, ...]):
    __slots__ = ()


class Dict(dict[Any, Any]):
    pass


class DictItems(dict[Any, Any]):
    def items(self) -> Any:
        return [("of items", 1)]


class DictIter(dict[Any, Any]):
    def __iter__(self) -> Iterator[Any]:
        return iter([" t"])

    def __len__(self) -> int:
        return 1


class Point(NamedTuple):
    x: int
    y: int


class Html:
    def __html__(self) -> Any:
        return "<i>html</i>"


class HtmlNumber:
    def __html__(self) -> Any:
        return 5


class HtmlRaises:
    def __html__(self) -> Any:
        raise OSError("html")


class HtmlNotCallable:
    __html__ = "text"


class HtmlDict(dict[Any, Any]):
    def __html__(self) -> str:
        return "never asked"


class HtmlStr(str):
    def __html__(self) -> str:
        return f"<{self}>"


class HtmlInt(int):
    def __html__(self) -> str:
        return f"<{int(self)}>"


class HtmlUUID(uuid.UUID):
    def __html__(self) -> str:
        return "a UUID"


class HtmlByGetattr:
    def __getattr__(self, name: str) -> Any:
        if name == "__html__":
            return lambda: "by getattr"
        raise AttributeError(name)


class GetattrRaises:
    def __getattr__(self, name: str) -> Any:
        raise OSError(name)


class LazyString:
    """As the lazy translations of Flask extensions."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __getattr__(self, name: str) -> Any:
        if name == "__setstate__":
            raise AttributeError(name)
        return getattr(str(self), name)

    def __str__(self) -> str:
        return self.text


class LazyHtml(LazyString):
    def __html__(self) -> str:
        return str(self)


@dataclasses.dataclass
class Data:
    a: int
    b: Any = None


@dataclasses.dataclass
class HtmlData:
    a: int = 1

    def __html__(self) -> str:
        return "data"


class MyUUID(uuid.UUID):
    pass


class MyDatetime(datetime):
    pass


class MyMarkup(Markup):
    pass


class MyDecimal(decimal.Decimal):
    def __str__(self) -> str:
        return "my decimal"


class Mapping(collections.UserDict[str, int]):
    pass


class Zone(tzinfo):
    def tzname(self, dt: datetime | None) -> str | None:
        return "odd"

    def dst(self, dt: datetime | None) -> timedelta | None:
        return None


class OddZone(Zone):
    def utcoffset(self, dt: datetime | None) -> timedelta | None:
        return None


class RaisingZone(Zone):
    def utcoffset(self, dt: datetime | None) -> timedelta | None:
        raise OSError("zone")


def self_containing_list() -> Any:
    value: list[Any] = []
    value.append(value)
    return value


def self_containing_dict() -> Any:
    value: dict[str, Any] = {}
    value["again"] = value
    return value


def self_containing_tuple() -> Any:
    value: list[Any] = []
    value.append((value,))
    return tuple(value)


def nested(levels: int, make: Callable[[Any], Any] = lambda inner: [inner]) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = make(value)
    return value


UTC = timezone.utc
EAST = timezone(timedelta(hours=5, minutes=30))

VALUES: dict[str, Any] = {
    **{repr(v): v for v in (None, True, False, 0, 1, -1, 255, -256)},
    **{f"2**{n}": 2**n for n in (31, 32, 53, 62, 63, 64, 65, 127, 128, 1000)},
    **{f"-2**{n}": -(2**n) for n in (31, 32, 53, 62, 63, 64, 65, 127, 128, 1000)},
    **{f"2**{n}-1": 2**n - 1 for n in (31, 53, 63, 64, 128)},
    "4300 digits": 10**4299,
    "4301 digits": 10**4300,
    **{
        f"float {v!r}": v
        for v in (
            0.0, -0.0, 1.0, -1.5, 0.1, 1 / 3, 1e15, 1e16, 1e17, 123456789012345680.0, 1e21, 1e22,
            1e-4, 1e-5, 1.5e-5, 1e100, 1e-100, 1e308, 5e-324, 2.2250738585072014e-308,
            1.7976931348623157e308, math.inf, -math.inf, math.nan, 9007199254740993.0, 100.0,
            12345.678, 4.35, 2.5, 0.30000000000000004,
        )
    },
    "empty str": "",
    "quotes": "\"'\\/",
    "controls": "".join(map(chr, range(32))),
    "DEL and C1": "".join(map(chr, range(0x7E, 0xA1))),
    "Latin": "äöüß ÿ",
    "BMP": "\u0100\u07ff\u0800\u2028\u2029\ufeff\ufffd\uffff",
    "astral": "\U00010000\U0001f600\U0010ffff",
    "lone surrogates": "\ud800 \udfff \udc00\ud800",
    "a pair of surrogates": "\ud83d\ude00",
    "surrogate at the end": "x\ud800",
    "HTML": "<script>&'\"</script>",
    "long": "x" * 100_000,
    "long of all": "".join(map(chr, range(0x300))) * 50,
    "bytes": bytes(range(256)),
    "empty bytes": b"",
    **{f"{n} bytes": b"\xfb\xff\xfe"[:n] for n in (1, 2, 3)},
    "tuple": (1, (2, ()), [3]),
    "empty tuple": (),
    "list": [1, [2, []], (3,)],
    "dict": {"b": 1, "a": {"d": 1, "c": {}}},
    "empty dict": {},
    "markup": Markup("<b>é</b>"),
    "empty markup": Markup(""),
    "uuid": uuid.UUID("12345678-1234-5678-1234-567812345678"),
    "datetime": datetime(2024, 2, 29, 23, 59, 59, 999_999, UTC),
    "naive datetime": datetime(2024, 2, 29, 23, 59, 59, 999_999),
    "eastern datetime": datetime(2024, 3, 1, 4, 0, 0, 0, EAST),
    "western datetime": datetime(2024, 3, 1, 4, 0, tzinfo=timezone(-timedelta(hours=3))),
    "odd offset": datetime(2024, 3, 1, 4, 0, 0, 5, timezone(timedelta(seconds=-1, microseconds=3))),
    "zone without offset": datetime(2024, 1, 1, tzinfo=OddZone()),
    "zone that raises": datetime(2024, 1, 1, tzinfo=RaisingZone()),
    "first datetime": datetime.min,
    "last datetime": datetime.max,
    "first datetime in UTC": datetime.min.replace(tzinfo=UTC),
    "before the first": datetime.min.replace(tzinfo=EAST),
    "after the last": datetime.max.replace(tzinfo=timezone(-timedelta(hours=1))),
    "year 1": datetime(1, 1, 1, 12),
    "year 68": datetime(68, 5, 5),
    "year 69": datetime(69, 5, 5, tzinfo=UTC),
    "year 99": datetime(99, 5, 5),
    "year 999": datetime(999, 9, 9),
    "before 1970": datetime(1969, 12, 31, 23, 59, 59, 1),
    "fold": datetime(2024, 10, 27, 2, 30, fold=1),
    "date": date(2024, 2, 29),
    "first date": date.min,
    "time": time(1, 2, 3),
    "timedelta": timedelta(1),
    "decimal": decimal.Decimal("1.500"),
    "decimal NaN": decimal.Decimal("NaN"),
    "fraction": fractions.Fraction(1, 3),
    "complex": 1j,
    "set": {1},
    "empty set": set(),
    "frozenset": frozenset({1}),
    "bytearray": bytearray(b"x"),
    "memoryview": memoryview(b"x"),
    "object": object(),
    "function": nested,
    "class": int,
    "class with html": Html,
    "module": sys,
    "range": range(3),
    "generator": iter([]),
    "keys": {}.keys(),
    "deque": collections.deque([1]),
    "path": pathlib.PurePosixPath("/x"),
    "ellipsis": ...,
    "exception": ValueError("x"),
    "IntEnum": Color.RED,
    "str Enum": Name.A,
    "IntFlag": Flags.A | Flags.B,
    "Enum": Plain.A,
    "str subclass": Str("x"),
    "int subclass": Int(5),
    "float subclass": Float(2.5),
    "float subclass NaN": Float("nan"),
    "bytes subclass": Bytes(b"x"),
    "list subclass": List([1]),
    "list with iter": ListIter([1]),
    "tuple subclass": Tuple((1,)),
    "namedtuple": Point(1, 2),
    "dict subclass": Dict(b=1, a=2),
    "dict with items": DictItems(a=1, b=2),
    "dict with iter": DictIter({" t": 1, "b": 2}),
    "OrderedDict": collections.OrderedDict([("b", 1), ("a", 2)]),
    "defaultdict": collections.defaultdict(list, a=[1]),
    "Counter": collections.Counter("aab"),
    "UserDict": Mapping(a=1),
    "uuid subclass": MyUUID(int=5),
    "datetime subclass": MyDatetime(2024, 1, 1),
    "markup subclass": MyMarkup("<x>"),
    "decimal subclass": MyDecimal(1),
    "html": Html(),
    "html number": HtmlNumber(),
    "html raises": HtmlRaises(),
    "html not callable": HtmlNotCallable(),
    "html dict": HtmlDict(a=1),
    "html dict with a tag": HtmlDict({" t": 1}),
    "html str": HtmlStr("x"),
    "html int": HtmlInt(5),
    "html uuid": HtmlUUID(int=5),
    "html by getattr": HtmlByGetattr(),
    "html of dataclass": HtmlData(),
    "html of instance": type("I", (), {})(),
    "getattr raises": GetattrRaises(),
    "lazy string": LazyString("lazy"),
    "lazy html": LazyHtml("lazy"),
    "dataclass": Data(1, [Data(2)]),
    "dataclass with a tuple": Data(1, (1, uuid.UUID(int=1), Markup("m"))),
    "dataclass with a set": Data(1, {1}),
    "dataclass type": Data,
    **{f"tag {t!r}": {t: 1} for t in (" di", " t", " b", " m", " u", " d", "", " ", " x", "t")},
    **{f"suffixed {tag!r}": {f"{tag}__": 1} for tag in (" di", " t", " d")},
    **{f"suffixed twice {tag!r}": {f"{tag}____": 1} for tag in (" di", " t")},
    "tag of a tag": {" t": {" t": {" di": 1}}},
    "tag with another key": {" t": 1, "a": 2},
    "tag as str subclass": {Str(" t"): 1},
    "tag as enum": {Name.A: 1},
    "tag of a tuple": {" t": (1, {" b": b"x"})},
    "tag in a tuple": ({" u": uuid.UUID(int=1)},),
    "tag in an ordered dict": collections.OrderedDict([(" t", [1])]),
    "int keys": {2: "b", 10: "a"},
    "int key": {1: 1},
    "float keys": {1.5: 1, 0.5: 2, math.inf: 3},
    "NaN key": {math.nan: 1},
    "float key": {1e16: 1},
    "bool keys": {True: 1, False: 2},
    "None key": {None: 1},
    "two None": {None: 1, "a": 2},
    "mixed keys": {1: 1, "1": 2},
    "bool and int keys": {True: 1, 5: 2},
    "bytes key": {b"a": 1},
    "tuple key": {(1,): 1},
    "tuple keys": {(1,): 1, (2,): 2},
    "uuid key": {uuid.UUID(int=1): 1},
    "frozenset key": {frozenset(): 1},
    "huge int key": {2**100: 1, -(2**100): 2},
    "enum key": {Color.RED: 1},
    "enum keys": {Color.RED: 1, 1: 2},
    "str enum keys": {Name.A: 1, "b": 2},
    "int subclass key": {Int(5): 1},
    "float subclass key": {Float(2.5): 1},
    "str subclass keys": {Str("b"): 1, "a": 2},
    "markup key": {Markup("<b>"): 1, "a": 1},
    "surrogate keys": dict(zip("\ud800\uffff\U00010000\udc00", range(4), strict=True)),
    "sorted keys": dict.fromkeys(["\uffff", "\U0001f600", "z", "Z", "é", "", "_", "10", "9"], 1),
    "odd keys": {'"\\\n\x7f': 1, "é": 2},
    "many keys": {f"key {i % 97} {i}": i for i in range(2000)},
    "100 levels": nested(100),
    "100 dicts": nested(100, lambda inner: {"a": inner}),
    "90 tuples": nested(90, lambda inner: (inner,)),
    "90 tags": nested(90, lambda inner: {" t": inner}),
    "many levels": nested(100_000),
    "many dicts": nested(100_000, lambda inner: {"a": inner}),
    "many tuples": nested(100_000, lambda inner: (inner,)),
    "a list in itself": self_containing_list(),
    "a dict in itself": self_containing_dict(),
    "a tuple in itself": self_containing_tuple(),
    "the same twice": [SAME := [1], SAME, {"a": SAME}],
    "shared dict": [{"a": 1}] * 3,
}  # fmt: skip
VALUES["html of instance"].__html__ = lambda: "of the instance"


def written(dump: Callable[[Any], str], value: Any) -> str:
    try:
        return json_of(dump(value)).decode()
    except Exception as error:
        return raised(error)


def places(value: Any) -> list[dict[str, Any]]:
    """The value where a session may hold it: at the top, and inside of each container."""
    return [
        {"v": value},
        {"a": 1, "v": value, "z": 2},
        {"v": [value, 1]},
        {"v": (value,)},
        {"v": {"w": value, "x": 1}},
        {"v": {" t": value}},
        {"v": [{"w": (value,)}, value]},
    ]


@pytest.mark.parametrize("name", VALUES)
def test_same_json(name: str) -> None:
    oracle = Oracle()
    with app_context():
        for obj in places(VALUES[name]):
            expected = written(oracle.dumps, obj)
            assert written(lambda o: CODEC.dumps(o, NOW), obj) == expected


@pytest.mark.parametrize("name", [n for n in VALUES if type(VALUES[n]) is dict])
def test_same_json_at_the_top(name: str) -> None:
    oracle = Oracle()
    value = VALUES[name]
    with app_context():
        assert written(lambda o: CODEC.dumps(o, NOW), value) == written(oracle.dumps, value)


@pytest.mark.parametrize("name", VALUES)
def test_same_token_and_same_value_back(name: str) -> None:
    oracle = Oracle()
    with app_context():
        try:
            token = oracle.dumps({"v": VALUES[name]})
        except Exception:
            return
        assert CODEC.dumps({"v": VALUES[name]}, NOW) == token
        try:
            expected = describe(oracle.loads(token))
        except Exception:
            assert CODEC.loads(token, 10, NOW) is None
            return
        assert describe(CODEC.loads(token, 10, NOW)) == expected
        assert describe(CODEC.loads(token.encode(), 10, NOW)) == expected


@pytest.mark.parametrize("name", VALUES)
def test_same_through_the_interface(name: str) -> None:
    """The whole header, or the error, out of `save_session`; and the value back."""
    results = []
    for flavour in BOTH:
        app = new_app(flavour.interface())
        with app.test_request_context("/"):
            response = flask.Response()
            session = flavour.session_class({"v": VALUES[name]})
            session.modified = True
            try:
                app.session_interface.save_session(app, session, response)
            except Exception as error:
                results.append([raised(error)])
                continue
            headers = response.headers.getlist("Set-Cookie")
        cookie = headers[0].partition(";")[0]
        with app.test_request_context("/", headers={"Cookie": cookie}):
            try:
                back = describe(dict(flask.session))
            except Exception as error:
                back = raised(error)
        results.append([*headers, str(response.vary), back])
    assert results[0] == results[1]


@pytest.mark.parametrize("exponent", range(-30, 40))
def test_floats_of_every_size(exponent: int) -> None:
    oracle = Oracle()
    digits = (1.0, 1.5, 9.999999999999999, 3.141592653589793, 2.0000000000000004, 7.0)
    values = {f"{i}": s * d * 10.0**exponent for i, d in enumerate(digits) for s in (1, -1)}
    with app_context():
        assert CODEC.dumps(values, NOW) == oracle.dumps(values)
        assert describe(CODEC.loads(oracle.dumps(values), 1, NOW)) == describe(
            dict(sorted(values.items()))
        )


def test_every_character() -> None:
    """Each code point of Unicode, surrogates too, in values and in keys."""
    oracle = Oracle()
    with app_context():
        for start in range(0, 0x110000, 0x4000):
            text = "".join(map(chr, range(start, start + 0x4000)))
            obj = {"v": text, text[:300]: 1}
            token = oracle.dumps(obj)
            assert CODEC.dumps(obj, NOW) == token
            assert describe(CODEC.loads(token, 1, NOW)) == describe(oracle.loads(token))


def test_an_object_that_changes_under_our_hands() -> None:
    """Code that runs while a session is written can do no harm."""

    class Growing:
        def __html__(self) -> str:
            grown["v"].extend(range(1000))
            grown["new"] = 1
            return "x"

    class Emptying:
        def __html__(self) -> str:
            grown["v"].clear()
            grown.clear()
            return "y"

    for cls in (Growing, Emptying):
        grown: dict[str, Any] = {"v": [cls(), cls(), [1, 2, 3]]}
        # "dictionary changed size during iteration"
        with app_context(), contextlib.suppress(RuntimeError):
            CODEC.dumps(grown, NOW)
