"""Numbers as they are printed: each stands for all that are rounded to it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Mark = Literal[".", ","]

_NUMBER = re.compile(r"[+-]?(?P<whole>\d*)(?:\.(?P<decimals>\d+))?(?:[eE](?P<power>[+-]?\d+))?")
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d+)?")
_COMMA = re.compile(r"(^|\D)0?,\d|,(\d{1,2}|\d{4,})($|\D)")
"""A comma that can only be a decimal mark: nothing or a zero before it, or no three digits behind it."""
_SIGNS = str.maketrans({"\u2212": "-", "\u2013": "-", "\u00a0": None, "\u2009": None, " ": None, "*": None, "=": None})


@dataclass(frozen=True, slots=True, kw_only=True)
class Printed:
    """A printed number.

    Attributes
    ----------
    text
        As printed.
    low, high
        Bounds of what is rounded to it: ``.05`` is .045 to .055; ``< .001`` is 0 to .001.
    bounded
        Whether it was printed with ``<`` or ``>``.
    """

    text: str
    low: float
    high: float
    bounded: bool = False

    @property
    def middle(self) -> float:
        """Halfway between the bounds: the number itself where it has no sign of comparison."""
        return 0.5 * (self.low + self.high)

    @property
    def size(self) -> tuple[float, float]:
        """Bounds of the absolute value."""
        least = 0.0 if self.low <= 0.0 <= self.high else min(abs(self.low), abs(self.high))
        return least, max(abs(self.low), abs(self.high))


def decimal_mark(texts: Iterable[str]) -> Mark:
    """What the numbers of a table have before their decimals: a comma if one of them can only be that.

    Otherwise a point, so that ``6,953`` is six thousand and more.
    """
    return "," if any(_COMMA.search(text.translate(_SIGNS)) for text in texts) else "."


def printed(text: str, decimal: Mark = ".") -> Printed | None:
    """A number in print; the mark that does not stand before its decimals may part its thousands.

    Returns
    -------
    ``None`` for an empty field or a dash.

    Raises
    ------
    ValueError
        For anything that is no number.
    """
    plain = text.translate(_SIGNS)
    if plain in ("", "-", "--", "\u2014", "NA"):
        return None
    sign, plain = (plain[0], plain[1:]) if plain[0] in "<>" else ("", plain)
    if decimal == ",":
        plain = plain.translate(str.maketrans(".,", ",."))
    if _THOUSANDS.fullmatch(plain):
        plain = plain.replace(",", "")
    found = _NUMBER.fullmatch(plain)
    if found is None or not (found["whole"] or found["decimals"]):
        raise ValueError(text)
    value = float(plain)
    if not math.isfinite(value):
        raise ValueError(text)
    if sign == "<":
        return Printed(text=text.strip(), low=0.0, high=value, bounded=True)
    if sign == ">":
        return Printed(text=text.strip(), low=value, high=math.inf, bounded=True)
    half = 0.5 * 10.0 ** (int(found["power"] or 0) - len(found["decimals"] or ""))
    return Printed(text=text.strip(), low=value - half, high=value + half)
