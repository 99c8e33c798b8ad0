"""Hostile cookies by the million: seeded mutations of valid ones, and noise."""

import random
import string
from collections.abc import Callable
from collections.abc import Iterator

BASE64 = string.ascii_letters + string.digits + "-_"
ANY = "".join(map(chr, range(256)))
NASTY = '.=+/ \t\n\r\x00\x7f\x80\xff";,\\%' + BASE64[:4]


def flip(chance: random.Random, token: str) -> str:
    if not token:
        return token
    at = chance.randrange(len(token))
    return token[:at] + chr(ord(token[at]) ^ (1 << chance.randrange(8))) + token[at + 1 :]


def replace(chance: random.Random, token: str) -> str:
    at = chance.randrange(len(token) + 1)
    return token[:at] + chance.choice(BASE64) + token[at + 1 :]


def insert(chance: random.Random, token: str) -> str:
    at = chance.randrange(len(token) + 1)
    return token[:at] + chance.choice(NASTY) * chance.choice((1, 1, 2, 5)) + token[at:]


def insert_any(chance: random.Random, token: str) -> str:
    at = chance.randrange(len(token) + 1)
    return token[:at] + chance.choice(ANY) + token[at:]


def delete(chance: random.Random, token: str) -> str:
    at = chance.randrange(len(token) + 1)
    return token[:at] + token[at + chance.randrange(1, 5) :]


def truncate(chance: random.Random, token: str) -> str:
    return token[: chance.randrange(len(token) + 1)]


def behead(chance: random.Random, token: str) -> str:
    return token[chance.randrange(len(token) + 1) :]


def duplicate_dot(chance: random.Random, token: str) -> str:
    dots = [i for i, c in enumerate(token) if c == "."]
    at = chance.choice(dots) if dots else 0
    return token[:at] + "." * chance.randrange(2, 5) + token[at + 1 :]


def pad(chance: random.Random, token: str) -> str:
    parts = token.split(".")
    at = chance.randrange(len(parts))
    parts[at] += "=" * chance.randrange(1, 5)
    return ".".join(parts)


def last_bits(chance: random.Random, token: str) -> str:
    """Another last character of a part: the bits that base64 leaves over."""
    parts = token.split(".")
    at = chance.randrange(len(parts))
    parts[at] = parts[at][:-1] + chance.choice(BASE64)
    return ".".join(parts)


def case(chance: random.Random, token: str) -> str:
    raw = token.encode("latin-1")
    return chance.choice((raw.upper(), raw.lower(), raw.swapcase())).decode("latin-1")


def shuffle(chance: random.Random, token: str) -> str:
    parts = token.split(".")
    chance.shuffle(parts)
    return ".".join(parts)


def repeat(chance: random.Random, token: str) -> str:
    return chance.choice(("", ".", ";", "; session=")).join([token] * chance.randrange(2, 4))


def other_alphabet(chance: random.Random, token: str) -> str:
    return token.replace("-", "+").replace("_", "/")


def leading_dot(chance: random.Random, token: str) -> str:
    return token[1:] if token.startswith(".") else "." + token


def noise(chance: random.Random, token: str) -> str:
    return "".join(
        chance.choices(chance.choice((BASE64 + ".", ANY, NASTY)), k=chance.randrange(80))
    )


def timestamp(chance: random.Random, token: str) -> str:
    parts = token.split(".")
    parts[-2:-1] = ["".join(chance.choices(BASE64, k=chance.randrange(14)))]
    return ".".join(parts)


def untouched(chance: random.Random, token: str) -> str:
    return token


MUTATIONS: tuple[Callable[[random.Random, str], str], ...] = (
    flip, replace, insert, insert_any, delete, truncate, behead, duplicate_dot, pad, last_bits,
    case, shuffle, repeat, other_alphabet, leading_dot, noise, timestamp, untouched,
)  # fmt: skip


def splice(chance: random.Random, one: str, other: str) -> str:
    """Parts of two tokens, or one cut onto the other."""
    if chance.random() < 0.5:
        return one[: chance.randrange(len(one))] + other[chance.randrange(len(other)) :]
    parts = list(zip(one.split("."), other.split("."), strict=False))
    return ".".join(chance.choice(pair) for pair in parts)


def quoted(chance: random.Random, value: str) -> str:
    """As a quoted cookie value, some characters escaped, with octal digits or a backslash."""
    out = []
    for c in value:
        kind = chance.randrange(12)
        out.append(f"\\{ord(c) & 255:03o}" if kind == 0 else f"\\{c}" if kind == 1 else c)
    return '"' + "".join(out) + '"'


NAMES = (
    *("session",) * 12, "Session", "session ", " session", "sess", "xsession", "session\x00",
    "session=", "", '"session"', "\tsession",
)  # fmt: skip
NEIGHBOURS = (
    "a=b", "session", "session=", "=", ";", "", " ", '"', 'a="', 'a=";', "é=é", "\xc3\xa9=1",
    "session = x", "a=b c", 'a="\\"', "a\x00b=c", "session=x.y.z", "\xff", ",", "a=b,c=d",
    "$Version=1",
)  # fmt: skip


def header(chance: random.Random, value: str) -> str:
    """A Cookie header with the value in it, or nearly."""
    kind = chance.randrange(10)
    if kind == 0:
        value = quoted(chance, value)
    elif kind == 1:
        value = f'"{value}'
    elif kind == 2:
        value = f"{value}\\"
    pairs = [f"{chance.choice(NAMES)}={value}"]
    for _ in range(chance.choice((0, 0, 0, 1, 2))):
        pairs.insert(chance.randrange(len(pairs) + 1), chance.choice(NEIGHBOURS))
    return chance.choice(("; ", ";", " ; ", ";;", ", ")).join(pairs)


def cookies(tokens: list[str], count: int, seed: int = 0) -> Iterator[tuple[str, str]]:
    """`count` pairs of a hostile token and a Cookie header with it."""
    chance = random.Random(seed)
    for _ in range(count):
        token = chance.choice(tokens)
        if chance.random() < 0.1:
            token = splice(chance, token, chance.choice(tokens))
        for _ in range(chance.choice((1, 1, 1, 2))):
            token = chance.choice(MUTATIONS)(chance, token)
        yield token, header(chance, token)
