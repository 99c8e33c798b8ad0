"""Values as text that tells all that `==` forgives: types, order, NaN, the sign of zero, zones."""

import math
from typing import Any


def describe(value: Any) -> str:
    """Equal texts mean equal values of equal types."""
    kind = type(value).__name__
    if isinstance(value, dict):
        items = ", ".join(f"{describe(k)}: {describe(v)}" for k, v in value.items())
        return f"{kind}{{{items}}}"
    if isinstance(value, (list, tuple)):
        return f"{kind}[{', '.join(map(describe, value))}]"
    if isinstance(value, float):
        return f"{kind} {value.hex()} {math.copysign(1, value)}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{kind} {int(value):x}"
    return f"{kind} {value!r}"


def raised(error: BaseException) -> str:
    """The type of an exception and its text."""
    if isinstance(error, RecursionError):
        return "RecursionError"  # where the stack ends is nobody's promise
    return f"{type(error).__name__} {error.args!r}"
