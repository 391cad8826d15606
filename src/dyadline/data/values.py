"""Columns of any type become labels or numbers, or a sentence says which values cannot."""

from __future__ import annotations

import polars as pl

from dyadline.data.number_text import EXACT, MISSING
from dyadline.errors import DataError
from dyadline.words import SHOWN, listed, role_words, rows_listed, shown

_DATE = r"^\d{1,4}[-./]\d{1,2}[-./]\d{1,4}"
_COMMA = r"^[+-]?\d*,\d+$"


def labels(series: pl.Series, *, column: str, role: str) -> pl.Series:
    """Names of groups as text; whole numbers lose a decimal point, empty text is missing.

    Parameters
    ----------
    series
        Values as they came, (n,).
    column, role
        Name in the file and what it stands for, for sentences.

    Raises
    ------
    DataError
        If values are neither text nor numbers nor dates.
    """
    dtype = series.dtype
    if dtype.is_nested() or dtype in (pl.Binary, pl.Object, pl.Duration):
        raise _wrong_kind(column, role, "text or whole numbers")
    if dtype.is_float():
        series = series.fill_nan(None)
        if (series.is_finite() & (series == series.round()) & (series.abs() < EXACT)).all():
            series = series.cast(pl.Int64)
    text = series.cast(pl.String)
    if not (dtype == pl.String or dtype in (pl.Categorical, pl.Enum)):
        return text
    text = text.str.strip_chars()
    return pl.select(pl.when(text != "").then(text)).to_series()


def numbers(series: pl.Series, *, column: str, role: str) -> pl.Series:
    """Measurements as Float64; NaN, empty text and ``NA`` are missing, true and false are 1 and 0.

    Parameters
    ----------
    series
        Values as they came, (n,).
    column, role
        Name in the file and what it stands for, for sentences.

    Raises
    ------
    DataError
        If there are text, dates or infinite values: column, first three rows, values.
    """
    dtype = series.dtype
    if dtype.is_numeric() or dtype in (pl.Boolean, pl.Null):
        values = series.cast(pl.Float64)
    elif dtype == pl.String or dtype in (pl.Categorical, pl.Enum):
        text = series.cast(pl.String).str.strip_chars()
        values = text.cast(pl.Float64, strict=False)
        wrong = text.is_not_null() & values.is_null() & ~text.is_in(MISSING)
        if wrong.any():
            raise _text_among_numbers(text, wrong, column, role)
    else:
        raise _wrong_kind(column, role, "numbers", **({"has": _DATES} if dtype.is_temporal() else {}))
    values = values.fill_nan(None)
    infinite = values.is_infinite()
    if infinite.any():
        rows = (infinite.arg_true() + 1).to_list()
        raise DataError(
            f"The column {column!r} ({role_words(role)}) has infinite values",
            where=rows_listed(rows),
            way_out="Leave the field empty where a value is missing",
        )
    return values


def _text_among_numbers(text: pl.Series, wrong: pl.Series, column: str, role: str) -> DataError:
    # Where real text stands among decimal commas, the text is what has to be named.
    commas = wrong & text.str.contains(_COMMA).fill_null(False)
    only_commas = not (wrong & ~commas).any()
    found = (wrong if only_commas else wrong & ~commas).arg_true()
    first = [f"{shown(text[row])} in row {row + 1}" for row in found.head(SHOWN).to_list()]
    if only_commas:
        advice = "Write numbers with a decimal point"
    elif role == "time" and text.gather(found).str.contains(_DATE).all():
        advice = _DATES_OUT
    elif role_words(role) == "covariate":
        advice = "Code it as numbers first, such as 0 and 1"
    else:
        advice = "Correct the values, and leave the field empty where one is missing"
    return DataError(
        f"The column {column!r} ({role_words(role)}) needs numbers and has text: {listed(first, total=len(found))}",
        way_out=advice,
    )


_DATES = "dates or times"
_DATES_OUT = (
    'Write dates = "sessions" under [time] to number each dyad\'s sessions by date, or "days", "weeks" or "months" to '
    "count from its first date"
)


def _wrong_kind(column: str, role: str, needed: str, *, has: str = "values of another kind") -> DataError:
    return DataError(
        f"The column {column!r} ({role_words(role)}) needs {needed} and has {has}",
        way_out=_DATES_OUT if has == _DATES and role == "time" else f"Turn them into {needed}, or name another column",
    )
