"""Numbers written as text, and which of them may become numbers."""

from __future__ import annotations

from typing import Literal

import polars as pl

MISSING = ("", "NA")
"""Fields that stand for a missing value."""

EXACT = 2.0**53
"""From here on a float no longer tells neighbouring whole numbers apart."""

Decimal = Literal[".", ","]


def typed(frame: pl.DataFrame, decimal: Decimal | None) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Text columns become numbers where every value is one and none is changed by it.

    Parameters
    ----------
    frame
        Any columns; those that are not text stay as they are.
    decimal
        Decimal mark. None: a point, or a comma if no column has a point.

    Returns
    -------
    frame
        With Int64, Float64 and String columns; an empty field and ``NA`` are missing.
    with_comma
        Columns whose decimal commas were understood.
    """
    text = pl.col(pl.String).str.strip_chars()
    frame = frame.with_columns(pl.when(text.is_in(MISSING).not_()).then(text).name.keep())
    plain = [number_column(column) if column.dtype == pl.String else column for column in frame]
    if decimal == ".":
        return pl.DataFrame(plain), ()
    points = [new.dtype == pl.Float64 and new.count() and old.dtype == pl.String
              for new, old in zip(plain, frame, strict=True)]  # fmt: skip
    if decimal is None and any(points):
        return pl.DataFrame(plain), ()
    # Where the comma is the decimal mark, a point is none: "1.234" may be a thousand.
    kept = [old if point else new for new, old, point in zip(plain, frame, points, strict=True)]
    columns = [_with_decimal_comma(column) for column in kept]
    changed = [new.name for new, old in zip(columns, kept, strict=True) if new.dtype != old.dtype]
    return pl.DataFrame(columns), tuple(changed)


def number_column(column: pl.Series) -> pl.Series:
    """A text column as Int64 or Float64 if nothing is lost by it, else as it is."""
    for kind in (pl.Int64, pl.Float64):
        numbers = column.cast(kind, strict=False)
        if numbers.null_count() > column.null_count():
            continue
        if kind == pl.Float64 and (numbers.is_finite() & (numbers.abs() >= EXACT)).any():
            return column
        if column.str.contains(r"^[+-]?0\d").any():
            return column
        # A column without any value could be either; Float64 is what a column of measurements is.
        return numbers.cast(pl.Float64).fill_nan(None) if kind == pl.Float64 or not numbers.count() else numbers
    return column


def _with_decimal_comma(column: pl.Series) -> pl.Series:
    """A text column of numbers with decimal commas as Float64; any other as it is."""
    if column.dtype != pl.String or not column.str.contains(r"^[+-]?\d*(,\d+)?$").all():
        return column
    return number_column(column.str.replace(",", ".", literal=True))


def whole_where_whole(column: pl.Series) -> pl.Series:
    """A Float64 column without a fraction as Int64, as text files give it; any other as it is."""
    if column.dtype != pl.Float64 or not column.count():
        return column
    column = column.fill_nan(None)
    if not (column.is_finite() & (column.abs() < EXACT) & (column == column.floor())).all():
        return column
    return column.cast(pl.Int64)
