"""Times: fixed occasions become 0, 1, 2 ..., dates become numbers of sessions, days, weeks or months."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Literal

import polars as pl

from dyadline.data.meanings import filled, places, some
from dyadline.data.values import labels
from dyadline.errors import DataError, Finding, PlanError
from dyadline.plan.columns import Label
from dyadline.words import SHOWN, counted, listed, shown

DAYS = {"days": 1.0, "weeks": 7.0, "months": 30.4375}
"""Length of a unit in days; a month is a twelfth of 365.25 days."""

EXCEL = "excel"
"""The date format of a spreadsheet's day numbers."""

_EXCEL_ORIGIN = date(1899, 12, 30)
_EXCEL_DAYS = (20_000, 60_000)
_YEARS = (1950, 2100)
_CLOCK = r"(?:[T ]+\d{1,2}:\d{2}.*)?$"
_SHAPES = {
    "year first": r"^\d{4}[-/.]\d{1,2}[-/.]\d{1,2}" + _CLOCK,
    "dots": r"^\d{1,2}\.\d{1,2}\.\d{4}" + _CLOCK,
    "slashes": r"^\d{1,2}[-/]\d{1,2}[-/]\d{4}" + _CLOCK,
    "short year": r"^\d{1,2}[-/.]\d{1,2}[-/.]\d{2}" + _CLOCK,
}


def at_occasions(
    frame: pl.DataFrame,
    row: pl.Series,
    column: str,
    occasions: Sequence[Label],
    meanings: Mapping[float | str, str] | None = None,
) -> tuple[pl.DataFrame, pl.Series, list[Finding]]:
    """Rows at the fixed occasions, which count as 0, 1, 2 ...; rows without time stay.

    Parameters
    ----------
    frame, row
        Rows and their numbers in the file.
    column
        The column for time.
    occasions
        In order; `place_of` says what meets what.
    meanings
        Value labels of the column.

    Raises
    ------
    DataError
        If no row is at any of the occasions.
    """
    place, other = places(frame[column], occasions, meanings)
    if not place.count():
        raise DataError(
            f"No row is at one of the occasions {some(occasions)}",
            where=f"column {column!r}",
            way_out=f"The column has {some(other)}: write those under occasions in [time]" if other else "It is empty",
        )
    keep = place.is_not_null() | filled(frame[column]).is_null()
    frame = frame.with_columns(place.alias(column))
    if not other:
        return frame, row, []
    out = row.filter(~keep).to_list()
    finding = Finding(
        code="other-occasions",
        level="warning",
        words=f"{counted(len(out), 'row')} at no occasion of the plan {'was' if len(out) == 1 else 'were'} left out: "
        f"{column!r} is {some(other)} there.",
        way_out="If they count, name these times under occasions in [time]",
        column=column,
        rows=tuple(out),
    )
    return frame.filter(keep), row.filter(keep), [finding]


def dates(series: pl.Series, row: pl.Series, *, column: str, words: str, written: str | None = None) -> pl.Series:
    """Dates from dates, from text, or from a spreadsheet's day numbers, (n,) Date.

    Text is recognised where the year has four digits and comes first, or comes last after day and month with dots;
    with slashes or dashes a number above 12 tells the day from the month. A time of day after the date is left out.

    Parameters
    ----------
    series, row
        Values as they came and their row numbers in the file, (n,).
    column, words
        Name in the file and what it stands for, for sentences.
    written
        How text is written, such as ``"%d.%m.%Y"``; ``"excel"`` for day numbers; recognised unless given.

    Raises
    ------
    PlanError
        If `written` is no date format.
    DataError
        If values are no dates, impossible ones, before 1950 or after 2100, or can be read in two ways.
    """
    values = filled(series)
    if values.dtype in (pl.Date, pl.Datetime):
        found = values.dt.date()
    elif values.dtype == pl.Null:
        return values.cast(pl.Date)
    elif written == EXCEL:
        found = _from_days(values)
    elif written is not None and (values.dtype.is_integer() or values.dtype == pl.String):
        found = _as_written(values.cast(pl.String), written)
    elif values.dtype == pl.String:
        found = _recognised(values, row, column=column, words=words)
    else:
        raise DataError(
            f"The column {column!r} ({words}) needs dates and has {shown(values.drop_nulls().first())}",
            way_out='Write date_format = "excel" under [time] for the day numbers of a spreadsheet'
            + ("; where the column counts sessions or weeks already, leave dates out" if words == "time" else ""),
        )
    _refuse(values, values.is_not_null() & found.is_null(), row, f"The column {column!r} ({words}) has what is no date",
            "Correct it" if written is None else f"Correct it, or date_format = {written!r} under [time]")  # fmt: skip
    far = ~found.dt.year().is_between(*_YEARS).fill_null(True)
    _refuse(values, far, row, f"The column {column!r} ({words}) has dates before {_YEARS[0]} or after {_YEARS[1]}",
            "Correct them, and leave the field empty where the date is not known")  # fmt: skip
    return found.alias(series.name)


def _refuse(values: pl.Series, wrong: pl.Series, row: pl.Series, what: str, way_out: str) -> None:
    if not wrong.any():
        return
    first = [
        f"{shown(value)} in row {number}"
        for value, number in zip(values.filter(wrong).head(SHOWN), row.filter(wrong).head(SHOWN), strict=True)
    ]
    raise DataError(f"{what}: {listed(first, total=int(wrong.sum()))}", way_out=way_out)


def _from_days(values: pl.Series) -> pl.Series:
    days = values.cast(pl.Float64, strict=False)
    days = pl.select(pl.when(days.is_between(*_EXCEL_DAYS)).then(days.floor())).to_series()
    # A date is stored as its number of days since 1970.
    return (days.cast(pl.Int32) - (date(1970, 1, 1) - _EXCEL_ORIGIN).days).cast(pl.Date)


def _as_written(text: pl.Series, written: str) -> pl.Series:
    if "%" not in written:
        raise PlanError(
            f"The date format {written!r} has no places for day, month and year",
            where="time.date_format",
            way_out='Write them as in "%d.%m.%Y", "%m/%d/%Y" or "%Y-%m-%d"; "excel" for a spreadsheet\'s day numbers',
        )
    return text.str.to_date(written, strict=False)


def _recognised(text: pl.Series, row: pl.Series, *, column: str, words: str) -> pl.Series:
    """Dates by the shape of each text; the order of day and month is decided for all texts with slashes together."""
    begin = f"The column {column!r} ({words}) has"
    like = {shape: text.str.contains(pattern).fill_null(False) for shape, pattern in _SHAPES.items()}
    short = like["short year"]
    mark = str(text.filter(short).str.extract(r"^\d+(\D)").first()) if short.any() else "."
    either = f'date_format = "%d{mark}%m{mark}%y"' + ("" if mark == "." else f', or "%m{mark}%d{mark}%y",')
    way_out = f"Say how they are written: {either} under [time]"
    _refuse(text, short, row, f"{begin} years of two digits",
            way_out if bool((short | text.is_null()).all()) else "Write all dates in one way")  # fmt: skip
    strange = text.is_not_null() & ~(like["year first"] | like["dots"] | like["slashes"])
    _refuse(text, strange, row, f"{begin} text that is no date of a known form",
            'Say how it is written: date_format under [time], such as "%d %b %Y" for 31 Jan 2020')  # fmt: skip
    parts = pl.DataFrame({"text": text}).select(pl.col("text").str.extract_all(r"\d+").list.head(3).alias("part"))
    one, two, three = (
        parts.select(pl.col("part").list.get(n, null_on_oob=True).cast(pl.Int32)).to_series() for n in range(3)
    )
    day_first = _day_first(text, one, two, like["slashes"], row, begin=begin)
    by_shape = (("year first", (one, two, three)), ("dots", (three, two, one)),
                ("slashes", (three, two, one) if day_first else (three, one, two)))  # fmt: skip
    found = pl.Series([None], dtype=pl.Date).new_from_index(0, len(text))
    for shape, (year, month, day) in by_shape:
        iso = pl.select(
            pl.concat_str(year, month, day, separator="-").str.to_date("%Y-%m-%d", strict=False)
        ).to_series()
        found = found.zip_with(~like[shape], iso)
    return found


def _day_first(
    text: pl.Series, one: pl.Series, two: pl.Series, slashes: pl.Series, row: pl.Series, *, begin: str
) -> bool:
    undecided = slashes & (one != two)
    day, month = undecided & (one > 12), undecided & (two > 12)
    if day.any() and month.any():
        _refuse(text, (day & (day.cum_sum() == 1)) | (month & (month.cum_sum() == 1)), row,
                f"{begin} dates with the day first and dates with the month first", "Write all in one way")  # fmt: skip
    _refuse(text, undecided & (not day.any() and not month.any()), row, f"{begin} dates that can be read in two ways",
            'Say which comes first: date_format = "%d/%m/%Y" or "%m/%d/%Y" under [time]')  # fmt: skip
    return not month.any()


def counted_dates(dates: pl.Series, dyad: pl.Series, how: Literal["sessions", "days", "weeks", "months"]) -> pl.Series:
    """Times from dates, (n,): the number of the date among the dyad's different ones, or the time since its first.

    Parameters
    ----------
    dates
        Date of each row, (n,) Date.
    dyad
        Label of each row, (n,).
    how
        ``"sessions"`` counts from 1, the others from 0 at the dyad's first date; a week has 7 days and a month
        30.4375.
    """
    date = pl.col("date")
    if how == "sessions":
        time = date.rank("dense").over("dyad").cast(pl.Int64)
    else:
        days = (date - date.min().over("dyad")).dt.total_days()
        time = days if how == "days" else days / DAYS[how]
    return pl.DataFrame({"date": dates, "dyad": labels(dyad, column="", role="dyad")}).select(time).to_series()
