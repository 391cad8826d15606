"""Values of the file that a plan writes down: numbers, texts, or what the file says that a value means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite

import polars as pl

from dyadline.data.number_text import MISSING
from dyadline.plan.columns import Label
from dyadline.words import listed, shown


def number_in(value: object) -> float | None:
    """The number that a value is or that its text says; None where it says none."""
    if isinstance(value, bool):
        return None
    try:
        number = float(value) if isinstance(value, int | float) else float(str(value).strip().replace("_", "x"))
    except ValueError:
        return None
    return number if isfinite(number) else None


def place_of(value: object, wanted: Sequence[Label], meaning: str | None = None) -> int | None:
    """Place, from 0, of the label that a value of the file has in the plan; None where it has none.

    Numbers meet numbers and numeric texts; texts meet texts without surrounding blanks; then the value's label in
    the file; then both regardless of capitals, where that leaves one.

    Parameters
    ----------
    value
        As the file has it.
    wanted
        Labels of the plan.
    meaning
        What the file says that the value means, if it does.
    """
    number = number_in(value)
    texts = [text.strip() for text in (str(value), meaning or "") if text.strip()]
    labels = [str(label).strip() for label in wanted]
    for place, label in enumerate(wanted):
        if number is not None and number == number_in(label):
            return place
    for text in texts:
        if text in labels:
            return labels.index(text)
    folded = [label.casefold() for label in labels]
    for text in texts:
        if folded.count(text.casefold()) == 1:
            return folded.index(text.casefold())
    return None


def some(values: Sequence[object], *, at_most: int = 10) -> str:
    """The first values in quotes, and how many more there are."""
    texts = [f"{value:.15g}" if isinstance(value, float) else str(value) for value in values[:at_most]]
    return listed([shown(text) for text in texts], total=len(values))


def filled(series: pl.Series) -> pl.Series:
    """The same values, with null for what counts as missing: NaN, empty text and ``NA``; text without blanks around."""
    if series.dtype.is_float():
        return series.fill_nan(None)
    if series.dtype == pl.String or series.dtype in (pl.Categorical, pl.Enum):
        text = series.cast(pl.String).str.strip_chars()
        return pl.select(pl.when(~text.is_in(MISSING)).then(text)).to_series().alias(series.name)
    return series


def places(
    series: pl.Series, wanted: Sequence[Label], meanings: Mapping[float | str, str] | None = None
) -> tuple[pl.Series, list[object]]:
    """Place of each value among the plan's labels, (n,) Int64 with null for none, and the values that have none.

    Parameters
    ----------
    series
        Values as they came, (n,).
    wanted
        Labels of the plan; `place_of` says what meets what.
    meanings
        Value labels of the column.
    """
    values = filled(series)
    if values.dtype == pl.Boolean:
        values = values.cast(pl.String)
    kinds = values.drop_nulls().unique(maintain_order=True)
    found = [place_of(value, wanted, (meanings or {}).get(value)) for value in kinds]
    place = values.replace_strict(kinds, pl.Series(found, dtype=pl.Int64), default=None, return_dtype=pl.Int64)
    return place, [value for value, at in zip(kinds, found, strict=True) if at is None]
