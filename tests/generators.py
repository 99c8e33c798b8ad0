"""Random sessions: seeded ones by the hundred thousand, and hypothesis' strategies."""

import math
import random
import struct
import uuid
from collections.abc import Callable
from datetime import datetime
from datetime import timedelta
from datetime import timezone
from typing import Any

from hypothesis import strategies as st
from markupsafe import Markup

TAGS = (" di", " t", " b", " m", " u", " d")
KEYS = (
    "a", "b", "user", "user_id", "_permanent", "_flashes", "_fresh", "cart", "csrf_token", "é",
    "\U0001f600", "", "_", "a b", '"', "\\", "\x7f", "Z", "0", "10", "9", *TAGS, " t__", "__html__",
)  # fmt: skip
ALPHABETS = (
    "abcdefghijklmnopqrstuvwxyz0123456789",
    "".join(map(chr, range(32, 127))),
    "".join(map(chr, range(256))),
    "äöüßéñ漢字кириллица\u2028\ufeff",
    '\U0001f600\U0001f4a9\x00\x7f"\\/',
)
ODD = "\ud800\udfff\ud83d\udc00 x"
ZONES = (
    None,
    timezone.utc,
    timezone(timedelta(hours=2)),
    timezone(-timedelta(hours=9, minutes=30)),
)


class Chance(random.Random):
    """Draws rarities into one session of ten only, since they are left to Flask's own code."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.odd = self.random() < 0.1


def text(chance: Chance) -> str:
    length = chance.choice((0, 1, 2, 5, 10, 20, 40))
    alphabet = ODD if chance.odd and chance.random() < 0.3 else chance.choice(ALPHABETS)
    return "".join(chance.choices(alphabet, k=length))


def integer(chance: Chance) -> int:
    bits = (1, 4, 8, 16, 31, 53, 62, *((64, 70, 200) if chance.odd else ()))
    return chance.choice((1, -1)) * chance.getrandbits(chance.choice(bits))


def real(chance: Chance) -> float:
    kind = chance.randrange(7)
    if kind == 0:
        number: float = struct.unpack("<d", chance.randbytes(8))[0]
        return number
    if kind == 1:
        return round(chance.uniform(-1000, 1000), chance.randrange(6))
    if kind == 2:
        return chance.uniform(1, 10) * 10.0 ** chance.randrange(-30, 30)
    if kind == 3:
        return chance.getrandbits(chance.choice((8, 30, 45, 51, 52))) + chance.choice(
            (0.25, 0.5, 0.75)
        )
    if kind == 4:
        return chance.choice((0.0, -0.0, 1e16, 1e-5, math.inf, -math.inf, math.nan))
    return chance.random()


def moment(chance: Chance) -> datetime:
    start = datetime(chance.choice((1, 69, 1970, 2024, 2024, 9990)), 1, 2)
    since = timedelta(days=chance.randrange(3600), microseconds=chance.randrange(86_400_000_000))
    return (start + since).replace(tzinfo=chance.choice(ZONES))


LEAVES: tuple[Callable[[Chance], Any], ...] = (
    text, text, text, integer, integer, real, moment,
    lambda chance: chance.choice((None, True, False)),
    lambda chance: chance.choice((None, True, False)),
    lambda chance: chance.randbytes(chance.randrange(20)),
    lambda chance: Markup(text(chance)),
    lambda chance: uuid.UUID(int=chance.getrandbits(128)),
)  # fmt: skip


def key(chance: Chance) -> str:
    return chance.choice(KEYS) if chance.random() < 0.7 else text(chance)


def value(chance: Chance, depth: int = 0) -> Any:
    if depth > 4 or chance.random() < 0.6:
        return chance.choice(LEAVES)(chance)
    size = chance.choice((0, 1, 1, 2, 3))
    kind = chance.randrange(4)
    if kind == 0:
        return [value(chance, depth + 1) for _ in range(size)]
    if kind == 1:
        return tuple(value(chance, depth + 1) for _ in range(size))
    if kind == 2:
        return {chance.choice(TAGS): value(chance, depth + 1)}
    return {key(chance): value(chance, depth + 1) for _ in range(size)}


def session(seed: int) -> dict[str, Any]:
    """The same session for the same seed, on every machine."""
    chance = Chance(seed)
    return {key(chance): value(chance) for _ in range(chance.choice((0, 1, 1, 2, 3, 4, 5, 8)))}


def strategy() -> st.SearchStrategy[dict[str, Any]]:
    """Sessions that hypothesis can make, and make smaller."""
    any_text = st.text(st.characters(codec=None), max_size=30)
    keys = st.sampled_from(KEYS) | any_text
    leaves = (
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | any_text
        | st.binary(max_size=40)
        | st.builds(Markup, any_text)
        | st.uuids()
        | st.datetimes(timezones=st.sampled_from(ZONES))
    )
    values = st.recursive(
        leaves,
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.lists(inner, max_size=4).map(tuple)
            | st.dictionaries(keys, inner, max_size=4)
            | st.dictionaries(st.sampled_from(TAGS), inner, min_size=1, max_size=1)
        ),
        max_leaves=20,
    )
    return st.dictionaries(keys, values, max_size=6)
