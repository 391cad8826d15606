"""Columns of any type become labels or numbers, or a sentence says which values cannot."""

from __future__ import annotations

import json
import re

import polars as pl

from dyadline.data.number_text import EXACT, MISSING
from dyadline.errors import DataErrors, Finding
from dyadline.words import SHOWN, listed, quoted, role_words, rows_listed, shown

_LABELS = (pl.String, pl.Categorical, pl.Enum, pl.Boolean, pl.Date, pl.Datetime, pl.Null)
_DATE = r"^\d{1,4}[-./]\d{1,2}[-./]\d{1,4}"
_YEAR_FIRST = r"^\d{4}-\d{1,2}-\d{1,2}$"
_COMMA = r"^[+-]?\d*,\d+$"
FEW, LONGEST = 5, 12
"""Different texts, and characters of each, that may be codes for missing values."""


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
    DataErrors
        If values are neither text nor numbers nor dates.
    """
    dtype = series.dtype
    if not (dtype.is_numeric() or dtype in _LABELS):
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


def numbers(series: pl.Series, *, column: str, role: str, row: pl.Series | None = None) -> pl.Series:
    """Measurements as Float64; NaN, empty text and ``NA`` are missing, true and false are 1 and 0.

    Parameters
    ----------
    series
        Values as they came, (n,).
    column, role
        Name in the file and what it stands for, for sentences.
    row
        Row numbers in the file, (n,); 1, 2 ... unless given.

    Raises
    ------
    DataErrors
        If there are text, dates or infinite values: column, first three rows, values.
    """
    dtype = series.dtype
    if dtype.is_numeric() or dtype in (pl.Boolean, pl.Null):
        values = series.cast(pl.Float64)
    elif dtype == pl.String or dtype in (pl.Categorical, pl.Enum):
        text = stripped(series)
        values = text.cast(pl.Float64, strict=False)
        wrong = text.is_not_null() & values.is_null() & ~text.is_in(MISSING)
        if wrong.any():
            raise _text_among_numbers(text, wrong, column, role, row)
    else:
        raise _wrong_kind(column, role, "numbers", **({"has": _DATES} if dtype.is_temporal() else {}))
    values = values.fill_nan(None)
    infinite = values.is_infinite()
    if infinite.any():
        rows = rows_at(infinite, row)
        raise _error(
            "infinite-values",
            f"The column {quoted(column)} ({role_words(role)}) has infinite values ({rows_listed(rows)})",
            "Leave the field empty where a value is missing",
            column,
            rows,
        )
    return values


def dates(series: pl.Series, *, column: str, role: str, row: pl.Series | None = None) -> pl.Series:
    """Days as Date; a time of day is left out, text is read as year, month and day (``2020-01-31``).

    Parameters
    ----------
    series, column, role, row
        As for `numbers`.

    Raises
    ------
    DataErrors
        If there are other values.
    """
    dtype = series.dtype
    if dtype in (pl.Date, pl.Datetime):
        return series.dt.date()
    if dtype == pl.Null:
        return series.cast(pl.Date)
    if not (dtype == pl.String or dtype in (pl.Categorical, pl.Enum)):
        raise _wrong_kind(column, role, "dates")
    text = stripped(series)
    days = text.str.to_date("%Y-%m-%d", strict=False)
    wrong = text.is_not_null() & days.is_null() & ~text.is_in(MISSING)
    if wrong.any():
        raise _error(
            "no-dates",
            f"The column {quoted(column)} ({role_words(role)}) needs dates and has text: {_first(text, wrong, row)}",
            "Write dates as in 2020-01-31",
            column,
            rows_at(wrong, row),
        )
    return days


def endings(series: pl.Series, *, column: str, role: str, row: pl.Series | None = None) -> pl.Series:
    """Times as Float64, or days as Date where they are dates; parameters and errors as for `numbers`."""
    dtype = series.dtype
    if dtype in (pl.Date, pl.Datetime):
        return dates(series, column=column, role=role)
    if dtype == pl.String or dtype in (pl.Categorical, pl.Enum):
        text = stripped(series).drop_nulls()
        text = text.filter(~text.is_in(MISSING))
        if len(text) and text.str.contains(_YEAR_FIRST).all():
            return dates(series, column=column, role=role, row=row)
    return numbers(series, column=column, role=role, row=row)


def stripped(series: pl.Series) -> pl.Series:
    """Text without blanks around it."""
    return series.cast(pl.String).str.strip_chars()


def rows_at(there: pl.Series, row: pl.Series | None) -> tuple[int, ...]:
    """Row numbers where a mask, (n,), is true."""
    found = there.arg_true()
    return tuple((found + 1 if row is None else row.gather(found)).to_list())


def _first(text: pl.Series, wrong: pl.Series, row: pl.Series | None) -> str:
    rows = rows_at(wrong, row)
    values = text.filter(wrong).head(SHOWN)
    return listed([f"{shown(value)} in row {n}" for value, n in zip(values, rows, strict=False)], total=len(rows))


def _text_among_numbers(text: pl.Series, wrong: pl.Series, column: str, role: str, row: pl.Series | None) -> DataErrors:
    # Where real text stands among decimal commas, the text is what has to be named.
    commas = wrong & text.str.contains(_COMMA).fill_null(False)
    only_commas = not (wrong & ~commas).any()
    named = wrong if only_commas else wrong & ~commas
    if only_commas:
        advice = 'Where the comma is the decimal mark, write a point, or decimal = "," under [data] for a text file; '
        advice += "where it groups thousands, take it out"
    elif role == "time" and text.filter(named).str.contains(_DATE).all():
        advice = _DATES_OUT
    elif role_words(role) == "covariate":
        advice = "Code it as numbers first, such as 0 and 1"
    elif codes := _codes(text.filter(named)):
        advice = (
            f"Correct them; or, if they stand for missing values, write under [missing]: codes = [{', '.join(codes)}]"
        )
    else:
        advice = "Correct the values, and leave the field empty where one is missing"
    return _error(
        "not-numbers",
        f"The column {quoted(column)} ({role_words(role)}) needs numbers and has text: {_first(text, named, row)}",
        advice,
        column,
        rows_at(named, row),
    )


def _codes(text: pl.Series) -> list[str]:
    """The few texts without a digit that may stand for missing values, in quotes; none where there are others."""
    kinds = text.unique(maintain_order=True).to_list()
    fitting = len(kinds) <= FEW and not any(re.search(r"\d", kind) or len(kind) > LONGEST for kind in kinds)
    return [json.dumps(kind, ensure_ascii=False) for kind in kinds] if fitting else []


_DATES = "dates or times"
_DATES_OUT = (
    'Write dates = "sessions" under [time] to number each dyad\'s sessions by date, or "days", "weeks" or "months" to '
    "count from its first date"
)


def _wrong_kind(column: str, role: str, needed: str, *, has: str = "values of another kind") -> DataErrors:
    return _error(
        "wrong-kind",
        f"The column {quoted(column)} ({role_words(role)}) needs {needed} and has {has}",
        _DATES_OUT if has == _DATES and role == "time" else f"Turn them into {needed}, or name another column",
        column,
    )


def _error(code: str, words: str, way_out: str, column: str, rows: tuple[int, ...] = ()) -> DataErrors:
    found = Finding(code=code, level="error", words=f"{words}.", way_out=way_out, column=column, rows=rows)
    return DataErrors((found,))
