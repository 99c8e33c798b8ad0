"""How figures are written in tables."""

from __future__ import annotations

from .results import Cell


def shown(cell: Cell, form: str = "{:g}") -> str:
    """A cell as text; `form` is that of plain numbers, in which `ms` stands for microseconds as milliseconds."""
    if isinstance(cell, str):
        return cell
    if not isinstance(cell, dict):
        return form.format(cell, ms=cell / 1e3)
    if "us" in cell:
        return f"{cell['us']:.1f} ± {cell['spread'] * 100:.0f} %"
    value = cell["value"]
    if "at_least" in cell:
        met, bound, places = value >= cell["at_least"], f"at least {cell['at_least']:g}", 2
    elif "at_most" in cell:
        met, bound, places = value <= cell["at_most"], f"at most {cell['at_most']:g}", 3
    else:
        return f"{value:.2f}"
    if not cell.get("quiet", 1):
        return f"{value:.{places}f} (not judged: not quiet)"
    return f"{value:.{places}f} ({'met' if met else 'MISSED'}: {bound})"


def value(cell: Cell) -> float:
    """The number in a cell that holds one."""
    if isinstance(cell, dict):
        return cell["us"] if "us" in cell else cell["value"]
    assert not isinstance(cell, str)
    return cell
