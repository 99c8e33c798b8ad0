"""Random records for Flask-Session's serializer: every type that msgspec writes, by the thousand."""

import dataclasses
import enum
import random
import string
import uuid
from collections.abc import Callable
from datetime import datetime
from datetime import time
from datetime import timedelta
from datetime import timezone
from decimal import Decimal
from typing import Any
from typing import NamedTuple

from hypothesis import strategies as st

from .generators import Chance
from .generators import real
from .generators import text


class Colour(enum.Enum):
    RED = 1
    GREEN = "green"
    BOTH = (1, "green")
    NONE = None
    HALF = 0.5


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 300


class Word(str, enum.Enum):
    YES = "yes"
    QUOTED = 'a "b"'


class Rights(enum.Flag):
    READ = 1
    WRITE = 2


@dataclasses.dataclass
class Point:
    x: Any
    y: Any = 2
    _hidden: Any = None


@dataclasses.dataclass(slots=True)
class Slotted:
    x: Any
    y: Any = dataclasses.field(default_factory=list)


class Pair(NamedTuple):
    left: Any
    right: Any


KEYS = (
    "a", "b", "user", "_permanent", "_flashes", "cart", "csrf_token", "é", "\U0001f600", "", '"', "\\",
    "\x7f", "\x00", "0", "k" * 31, "k" * 32, "k" * 256,
)  # fmt: skip
ZONES = (
    None,
    timezone.utc,
    timezone.utc,
    timezone(timedelta(0)),
    timezone(timedelta(hours=2)),
    timezone(-timedelta(hours=9, minutes=30)),
    timezone(timedelta(hours=1, seconds=30)),
    timezone(timedelta(hours=1, seconds=31)),
    timezone(-timedelta(minutes=59, seconds=31)),
    timezone(timedelta(seconds=29)),
    timezone(timedelta(hours=23, minutes=59, seconds=59)),
)


def integer(chance: Chance) -> int:
    bits = (
        1,
        4,
        5,
        6,
        7,
        8,
        15,
        16,
        17,
        31,
        32,
        33,
        62,
        63,
        *((64, 70, 200) if chance.odd else ()),
    )
    return chance.choice((1, -1)) * chance.getrandbits(chance.choice(bits)) + chance.choice(
        (0, 1, -1)
    )


def moment(chance: Chance) -> datetime:
    year = chance.choice((1, 2, 1900, 1969, 1970, 2024, 2038, 2106, 2514, 9998, 9999))
    start = datetime(year, 1, 1)
    micros = chance.choice((0, 0, 1, 999_999, chance.randrange(1_000_000)))
    since = timedelta(
        days=chance.randrange(365), seconds=chance.randrange(86_400), microseconds=micros
    )
    return (start + since).replace(tzinfo=chance.choice(ZONES))


def clock(chance: Chance) -> time:
    micros = chance.choice((0, chance.randrange(1_000_000)))
    return time(
        chance.randrange(24),
        chance.randrange(60),
        chance.randrange(60),
        micros,
        chance.choice(ZONES),
    )


def duration(chance: Chance) -> timedelta:
    if chance.random() < 0.2:
        return chance.choice((timedelta.min, timedelta.max, timedelta(0), timedelta(-1)))
    days = chance.choice((0, 0, 1, -1, chance.randrange(-1000, 1000)))
    micros = chance.choice((0, 0, 500_000, chance.randrange(1_000_000)))
    return timedelta(days, chance.choice((0, chance.randrange(86_400))), micros)


LEAVES: tuple[Callable[[Chance], Any], ...] = (
    text, text, text, integer, integer, integer, real, real, moment, moment, clock, duration,
    lambda chance: chance.choice((None, True, False)),
    lambda chance: chance.choice((None, True, False)),
    lambda chance: "".join(chance.choices(string.printable, k=chance.choice((31, 32, 255, 256, 70000)))),
    lambda chance: chance.randbytes(chance.choice((0, 1, 20, 255, 256, 65536))),
    lambda chance: bytearray(chance.randbytes(chance.randrange(20))),
    lambda chance: memoryview(chance.randbytes(chance.randrange(20))),
    lambda chance: uuid.UUID(int=chance.getrandbits(128)),
    lambda chance: Decimal(chance.getrandbits(60)).scaleb(-chance.randrange(30)),
    lambda chance: moment(chance).date(),
    lambda chance: chance.choice((*Colour, *Level, *Word, Rights.READ | Rights.WRITE)),
    lambda chance: frozenset((integer(chance),)),
    lambda chance: {text(chance)},
)  # fmt: skip


def key(chance: Chance) -> Any:
    if chance.random() < 0.9:
        return chance.choice(KEYS) if chance.random() < 0.7 else text(chance)
    kinds: tuple[Callable[[Chance], Any], ...] = (
        integer, real, moment, duration,
        lambda chance: None,
        lambda chance: chance.random() < 0.5,
        lambda chance: chance.randbytes(3),
        lambda chance: (integer(chance), text(chance), (1.5, None)),
        lambda chance: chance.choice((*Colour, *Level, *Word)),
        lambda chance: moment(chance).date(),
        lambda chance: uuid.UUID(int=chance.getrandbits(128)),
        lambda chance: Decimal("1.10"),
    )  # fmt: skip
    return chance.choice(kinds)(chance)


def value(chance: Chance, depth: int = 0) -> Any:
    if depth > 4 or chance.random() < 0.6:
        return chance.choice(LEAVES)(chance)
    size = chance.choice((0, 1, 1, 2, 3, 15, 16, 17) if depth == 0 else (0, 1, 1, 2, 3))
    kind = chance.randrange(7)
    if kind == 0:
        return tuple(value(chance, depth + 1) for _ in range(size))
    if kind == 1:
        return Point(value(chance, depth + 1), text(chance))
    if kind == 2:
        return Slotted(value(chance, depth + 1))
    if kind == 3:
        return Pair(value(chance, depth + 1), 1)
    if kind == 4:
        return {key(chance): value(chance, depth + 1) for _ in range(size)}
    return [value(chance, depth + 1) for _ in range(size)]


def record(seed: int) -> dict[Any, Any]:
    """The same record for the same seed, on every machine."""
    chance = Chance(seed)
    size = chance.choice((0, 1, 1, 2, 3, 4, 5, 8, 15, 16, 17, 40))
    return {key(chance): value(chance) for _ in range(size)}


def strategy() -> st.SearchStrategy[dict[Any, Any]]:
    """Records that hypothesis can make, and make smaller."""
    any_text = st.text(st.characters(codec=None), max_size=30)
    offsets = st.timedeltas(timedelta(hours=-23, minutes=-59), timedelta(hours=23, minutes=59))
    zones = st.none() | st.just(timezone.utc) | offsets.map(timezone)
    scalars = (
        st.none()
        | st.booleans()
        | st.integers()
        | st.integers(-(2**63), 2**64 - 1)
        | st.floats()
        | any_text
        | st.binary(max_size=40)
        | st.uuids()
        | st.datetimes(timezones=zones)
        | st.dates()
        | st.timedeltas()
        | st.decimals(allow_nan=False)
        | st.sampled_from([*Colour, *Level, *Word])
    )
    leaves = scalars | st.times(timezones=zones) | st.binary().map(bytearray)
    keys = st.sampled_from(KEYS) | any_text | scalars
    values = st.recursive(
        leaves,
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.lists(inner, max_size=4).map(tuple)
            | st.dictionaries(keys, inner, max_size=4)
            | st.builds(Point, inner)
            | st.builds(Slotted, inner)
        ),
        max_leaves=20,
    )
    return st.dictionaries(keys, values, max_size=6)


def mutated(record: bytes, chance: random.Random) -> bytes:
    """A record with a few bytes changed, lost, doubled or put in."""
    changed = bytearray(record)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
        at = chance.randrange(len(changed) + 1)
        kind = chance.randrange(6)
        if kind == 0:
            changed[at : at + 1] = bytes((chance.randrange(256),))
        elif kind == 1:
            changed[at:at] = bytes((chance.randrange(256),))
        elif kind == 2:
            del changed[at : at + chance.randrange(1, 4)]
        elif kind == 3:
            del changed[at:]
        elif kind == 4:
            changed[at:at] = changed[at : at + chance.randrange(20)]
        elif at < len(changed):
            changed[at] ^= 1 << chance.randrange(8)
    return bytes(changed)
