"""Lists and ranges of numbers in an option: ``60:400:20``, ``3,8,14``, ``0,.3``."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from dyadline.errors import PlanError

MOST = 1000
"""Numbers that one option can stand for."""


def whole_numbers(text: str, option: str) -> tuple[int, ...]:
    """The whole numbers that an option names, in its order, each once.

    Parameters
    ----------
    text
        Numbers and ranges, parted by commas. A range is first:last:step and has its last number, if it gets there.
    option
        Its name, for a message: ``"--dyads"``.

    Raises
    ------
    PlanError
        Anything else, and more than `MOST` numbers.
    """
    found = _decimals(text, option)
    for value in found:
        if value != value.to_integral_value():
            raise PlanError(f"{option} takes whole numbers, not {value}")
    return tuple(int(value) for value in found)


def numbers(text: str, option: str) -> tuple[float, ...]:
    """The same with numbers of any kind; a range such as ``0:.6:.2`` is exact in its decimals."""
    return tuple(float(value) for value in _decimals(text, option))


def _decimals(text: str, option: str) -> tuple[Decimal, ...]:
    found: list[Decimal] = []
    for part in text.split(","):
        found += _range(part, option) if ":" in part else [_decimal(part, option)]
        if len(found) > MOST:
            raise PlanError(f"{option} stands for more than {MOST:,} numbers", way_out="Use a larger step")
    return tuple(dict.fromkeys(found))


def _range(part: str, option: str) -> list[Decimal]:
    ends = part.split(":")
    if len(ends) != 3:
        raise PlanError(
            f"{part.strip()!r} is no range of {option}", way_out="A range is first:last:step, such as 60:400:20"
        )
    first, last, step = (_decimal(end, option) for end in ends)
    if last < first or step <= 0:
        raise PlanError(
            f"The range {part.strip()} of {option} is empty", way_out="It goes up from its first to its last number"
        )
    count = min(int((last - first) / step), MOST) + 1
    return [first + step * k for k in range(count)]


def _decimal(text: str, option: str) -> Decimal:
    try:
        value = Decimal(text.strip())
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or abs(value.adjusted()) > MOST // 10:
        raise PlanError(
            f"{text.strip()!r} is no number that {option} can take",
            way_out="Numbers have a decimal point and are parted by commas, such as .2,.3,.4",
        )
    return value
