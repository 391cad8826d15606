"""The one place that rounds: numbers as APA style writes them.

References
----------
American Psychological Association. (2020). Publication manual (7th ed.), sections 6.36 and 6.44.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from dyadline.report.document import Cell, Value

MINUS, EN_DASH, EM_DASH = "\u2212", "\u2013", "\u2014"
MISSING = EM_DASH


def _absent(value: object) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def number(value: float | None, decimals: int = 2) -> str:
    """``−1.20``; never a negative zero; a dash where there is no number, powers of ten from ten million on."""
    if value is None or _absent(value):
        return MISSING
    if math.isinf(value):
        return f"{MINUS if value < 0 else ''}\u221e"
    size = abs(value)
    if size >= 1e7:
        return _power_of_ten(value)
    text = f"{size:.{decimals}f}"
    negative = value < 0 and any(digit in text for digit in "123456789")
    return f"{MINUS if negative else ''}{text}"


def _power_of_ten(value: float) -> str:
    mantissa, exponent = f"{value:.2e}".split("e")
    power = str(int(exponent)).translate(str.maketrans("-0123456789", "\u207b⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{mantissa.replace('-', MINUS)} × 10{power}"


def proportion(value: float | None, decimals: int = 2) -> str:
    """A number that cannot exceed 1, without its leading zero: ``.76``, ``−.25``, ``1.00``."""
    text = number(value, decimals)
    return text.replace("0.", ".", 1) if text.lstrip(MINUS).startswith("0.") else text


def p_value(value: float | None, decimals: int = 3) -> str:
    """``.032``, ``< .001``; never exactly 0 or 1."""
    if value is None or _absent(value):
        return MISSING
    least = 10.0**-decimals
    if value < least:
        return f"< {proportion(least, decimals)}"
    return f"> {proportion(1.0 - least, decimals)}" if value >= 1.0 - least / 2.0 else proportion(value, decimals)


def p_relation(value: float | None, decimals: int = 3) -> str:
    """``= .032``, ``< .001``, for sentences; a line never ends after the sign."""
    said = p_value(value, decimals)
    return said.replace(" ", "\u00a0") if said[0] in "<>" else f"=\u00a0{said}"


def freedom(value: float | None, decimals: int | None = None) -> str:
    """Degrees of freedom: ``91.4``, whole where exact, ``∞`` for the normal distribution.

    Unless decimals are asked for there is one below 100, and none above.
    """
    if value is None or _absent(value) or math.isinf(value):
        return number(value)
    if abs(value - round(value)) < 1e-6:
        return number(round(value), 0)
    if decimals is None:
        decimals = 0 if abs(round(value, 1)) >= 100 else 1
    return number(value, decimals)


def interval(low: float | None, high: float | None, decimals: int = 2) -> str:
    """``[−1.20, 0.34]``."""
    if _absent(low) and _absent(high):
        return MISSING
    return f"[{number(low, decimals)}, {number(high, decimals)}]"


def span(low: float | None, high: float | None, decimals: int = 2, *, dash: bool = True) -> str:
    """A range: ``2.10–6.90``; without dash, or where a minus would stand beside it, ``−0.40 to 1.20``."""
    if _absent(low) or _absent(high):
        return MISSING
    first, last = number(low, decimals), number(high, decimals)
    return f"{first}{EN_DASH}{last}" if dash and MINUS not in first + last else f"{first} to {last}"


def count(value: float | None) -> str:
    """A whole number with commas from a thousand on: ``1,090``."""
    if value is None or _absent(value):
        return MISSING
    return f"{round(value):,}".replace("-", MINUS)


def occasion(value: float | None) -> str:
    """A session, week or occasion as the data name it: ``3``, ``2.5``."""
    if value is None or _absent(value):
        return MISSING
    text = f"{value:.6g}" if abs(value) < 1e6 else f"{value:.0f}"
    return text.replace("-", MINUS)


def decimals_for(std_errors: Iterable[float | None]) -> int:
    """Decimals at which the smallest of the standard errors keeps a digit or two: 2, or 3 and more below 0.05."""
    known = [abs(s) for s in std_errors if s is not None and math.isfinite(s) and s]
    if not known or min(known) >= 0.05:
        return 2
    return min(5, 2 + math.ceil(math.log10(0.05 / min(known)) + 1e-9))


def decimals_of_spread(*sds: float | None) -> int:
    """Decimals for means of things that spread this much: 2, or 3 and more below a standard deviation of 0.1."""
    return decimals_for(None if sd is None else sd / 2.0 for sd in sds)


def words(cell: Cell) -> str:
    """A cell as it is printed."""
    value, kind = cell.value, cell.kind
    decimals = 2 if cell.decimals is None else cell.decimals
    if isinstance(value, str):
        return value
    if kind in ("interval", "bounds", "range", "spread", "extent"):
        low, high = value if isinstance(value, tuple) else (None, None)
        if kind == "interval":
            return interval(low, high, decimals)
        if kind == "bounds":
            return MISSING if _absent(low) else f"[{proportion(low, decimals)}, {proportion(high, decimals)}]"
        if kind == "spread":
            ends = (proportion(low, decimals), proportion(high, decimals))
            return (" to " if MINUS in "".join(ends) else EN_DASH).join(ends)
        return span(low, high, decimals, dash=kind == "range")
    return _one(value, kind, cell.decimals)


def _one(value: Value, kind: str, decimals: int | None) -> str:
    if isinstance(value, tuple | str):
        raise TypeError(f"{value!r} is not one number, as the kind {kind!r} wants it")
    if kind == "p":
        return p_value(value, 3 if decimals is None else decimals)
    if kind == "p_relation":
        return p_relation(value, 3 if decimals is None else decimals)
    if kind == "df":
        return freedom(value, decimals)
    if kind == "count":
        return count(value)
    if kind == "occasion":
        return occasion(value)
    decimals = 2 if decimals is None else decimals
    return proportion(value, decimals) if kind == "proportion" else number(value, decimals)
