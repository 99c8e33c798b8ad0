"""Sessions of a given size, of two kinds of content."""

from __future__ import annotations

import random
import string
import typing as t


def items(size: int) -> dict[str, object]:
    """A shopping cart: short strings, numbers and small dicts, until the JSON has this size."""
    draw = random.Random(size)
    cart: list[dict[str, object]] = []
    written = 20
    while written < size - 60:
        item = {
            "sku": "".join(draw.choices(string.ascii_uppercase + string.digits, k=8)),
            "quantity": draw.randrange(1, 9),
            "price": round(draw.uniform(1, 99), 2),
        }
        cart.append(item)
        written += 49
    return {"cart": cart, "note": "x" * max(0, size - written)}


def text(size: int) -> dict[str, object]:
    """One long text of words."""
    draw = random.Random(size)
    words = [
        "".join(draw.choices(string.ascii_lowercase, k=draw.randrange(2, 9))) for _ in range(400)
    ]
    long = " ".join(draw.choice(words) for _ in range(size // 5))
    return {"note": long[: max(0, size - 12)]}


CONTENTS: dict[str, t.Callable[[int], dict[str, object]]] = {"items": items, "text": text}

#: bytes of JSON, calls in a round
SIZES = {
    100: 60,
    250: 60,
    1_000: 60,
    2_000: 60,
    4_000: 40,
    10_000: 20,
    100_000: 4,
    1_000_000: 1,
}
