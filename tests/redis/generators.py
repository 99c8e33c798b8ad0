"""Random sessions of everything that Flask-Session can store, and of some that it cannot."""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import enum
import typing as t
import uuid

from ..generators import Chance
from ..generators import integer
from ..generators import key
from ..generators import moment
from ..generators import real
from ..generators import text


class Colour(enum.Enum):
    RED = "red"
    TWO = 2


class Level(enum.IntEnum):
    LOW = 1


@dataclasses.dataclass
class Point:
    x: t.Any
    y: t.Any = None


LEAVES: tuple[t.Callable[[Chance], t.Any], ...] = (
    text, text, text, integer, integer, real,
    lambda chance: chance.choice((None, True, False)),
    lambda chance: chance.choice((None, True, False)),
    lambda chance: chance.choice((0, 127, 128, 255, 256, 65535, 65536, 2**32 - 1, 2**32, 2**63)),
    lambda chance: -chance.choice((1, 32, 33, 128, 129, 32768, 32769, 2**31, 2**31 + 1, 2**63)),
    lambda chance: chance.randbytes(chance.choice((0, 1, 20, 255, 256))),
    lambda chance: bytearray(chance.randbytes(3)),
    lambda chance: "x" * chance.choice((31, 32, 255, 256, 65535, 65536)),
    lambda chance: uuid.UUID(int=chance.getrandbits(128)),
    moment,
    lambda chance: moment(chance).date(),
    lambda chance: moment(chance).timetz(),
    lambda chance: dt.timedelta(microseconds=chance.randrange(-10**12, 10**12)),
    lambda chance: dt.timedelta(seconds=chance.choice((0, 1, 90, -90, 86400, 10**9))),
    lambda chance: decimal.Decimal(chance.randrange(-10**9, 10**9)).scaleb(-chance.randrange(9)),
    lambda chance: chance.choice((*Colour, *Level)),
)  # fmt: skip


def any_key(chance: Chance) -> t.Any:
    """Mostly text; now and then what only msgpack, or nothing, takes."""
    if chance.random() < 0.9 or not chance.odd:
        return key(chance)
    return chance.choice((1, -5, None, True, 1.5, (1, 2), uuid.UUID(int=1), b"bytes", Level.LOW))


def value(chance: Chance, depth: int = 0) -> t.Any:
    if depth > 4 or chance.random() < 0.65:
        return chance.choice(LEAVES)(chance)
    size = chance.choice((0, 1, 1, 2, 3, 15, 16, 17))
    kind = chance.randrange(6)
    if kind == 0:
        return tuple(value(chance, depth + 1) for _ in range(min(size, 3)))
    if kind == 1:
        return {integer(chance) for _ in range(size)}
    if kind == 2:
        return frozenset(text(chance) for _ in range(size))
    if kind == 3:
        return Point(value(chance, depth + 1), value(chance, depth + 1))
    if kind == 4:
        return [value(chance, depth + 1) for _ in range(size)]
    return {any_key(chance): value(chance, depth + 1) for _ in range(size)}


def session(seed: int) -> dict[str, t.Any]:
    """The same session for the same seed, on every machine."""
    chance = Chance(seed)
    return {key(chance): value(chance) for _ in range(chance.choice((1, 1, 2, 3, 4, 5, 8, 17)))}
