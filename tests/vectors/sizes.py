"""What decoded JSON really weighs, as data: estimates of it are held to this.

It differs between Python versions, so run it with each of them; a run replaces its own column.
"""

from __future__ import annotations

import json
import sys
import typing as t
from pathlib import Path

FILE = Path(__file__).with_name("sizes.json")
VERSION = f"{sys.version_info[0]}.{sys.version_info[1]}"


def size(value: t.Any) -> int:
    """Bytes of memory, no object taken to be shared, but for the ones that there is only one of."""
    if value is None or isinstance(value, bool):
        return 0
    if isinstance(value, dict):
        inner = sum(size(key) + size(item) for key, item in value.items())
        # Object and table are two blocks.
        return rounded(sys.getsizeof({})) + rounded(sys.getsizeof(value) - 64) + inner
    if isinstance(value, list):
        inner = sum(map(size, value))
        return rounded(sys.getsizeof([])) + rounded(sys.getsizeof(value) - 56) + inner
    return rounded(sys.getsizeof(value))


def rounded(length: int) -> int:
    """The allocator gives multiples of 16."""
    return -(-length // 16) * 16


def dumps(value: t.Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def users(count: int) -> t.Any:
    return [{"id": 1000 + n, "name": f"user {n}", "active": n % 2 == 0} for n in range(count)]


TYPICAL = {
    "list of small dicts": dumps({"users": users(100)}),
    "list of dicts of five": dumps([{f"key_{k}": f"value {k}" for k in range(5)}] * 50),
    "list of dicts of ten": dumps([{f"key_{k}": f"value {k}" for k in range(10)}] * 50),
    "text": dumps({"text": "spam and eggs " * 100}),
    "text, not ASCII": dumps({"text": "\u4e2d\u6587" * 300}),
    "text, not ASCII, unescaped": '{"text":"' + "\u4e2d\u6587" * 300 + '"}',
    "login": dumps({"_permanent": True, "_user_id": "42", "_id": "0123456789abcdef" * 8}),
}
OTHER = {
    "empty dict": "{}",
    "empty list": "[]",
    "zero": "0",
    "empty string": '""',
    "empty dicts": "[" + ",".join(["{}"] * 500) + "]",
    "empty dicts with blanks": "[" + ", ".join(["{ }"] * 500) + "]",
    "empty lists": "[" + ",".join(["[]"] * 500) + "]",
    "lists of one": "[" + ",".join(["[0]"] * 500) + "]",
    "dicts of one": "[" + ",".join(['{"":0}'] * 500) + "]",
    "deep lists": "[" * 200 + "]" * 200,
    "deep dicts": '{"":' * 200 + "0" + "}" * 200,
    "dicts first": dumps({str(n): {} if n < 3 else 0 for n in range(11)}),
    "dicts last": dumps({str(n): {} if n > 8 else 0 for n in range(11)}),
    "integers": dumps([10**n for n in range(400)]),
    "digits": "[" + ",".join(str(n % 10) for n in range(500)) + "]",
    "floats": dumps([n / 3 for n in range(300)]),
    "no numbers": dumps([float("nan"), float("inf"), float("-inf")] * 50),
    "Latin-1": dumps(["\xe9" * n for n in range(40)]),
    "Latin-1, unescaped": json.dumps(["\xe9" * n for n in range(40)], ensure_ascii=False),
    "one wide character": dumps(["a" * n + "\U0001f600" for n in range(60)]),
    "wide, unescaped": json.dumps(["a" * n + "\U0001f600" for n in range(60)], ensure_ascii=False),
    "escaped": dumps(['\n"\\\x00\x7f' * n for n in range(40)]),
    "escaped for nothing": '["' + "\\u0061" * 500 + '"]',
    **{f"dict of {n}": dumps({str(k): 0 for k in range(n)}) for n in range(1, 24)},
    **{f"dict of {n}": dumps({str(k): 0 for k in range(n)}) for n in (42, 43, 85, 86, 170, 171)},
    **{f"list of {n}": dumps([0] * n) for n in range(1, 24)},
    **{f"string of {n}": dumps("a" * n) for n in range(40)},
}

if __name__ == "__main__":
    before = json.loads(FILE.read_text()) if FILE.exists() else []
    columns = {row["name"]: row["sizes"] for row in before}
    rows = []
    for name, text in {**TYPICAL, **OTHER}.items():
        sizes = {**columns.get(name, {}), VERSION: size(json.loads(text))}
        row = {"name": name, "typical": name in TYPICAL, "json": text, "sizes": sizes}
        row["sizes"] = dict(sorted(sizes.items()))
        rows.append(json.dumps(row, separators=(",", ":")))
    FILE.write_text("[\n" + ",\n".join(rows) + "\n]\n", encoding="ascii")
