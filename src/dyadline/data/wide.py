"""Wide files: one row per dyad and a column per occasion become one row per dyad and occasion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from dyadline.data.doubles import doubled
from dyadline.data.meanings import filled, some
from dyadline.data.patterns import Asked, Found, Place, columns_at_other_times, long_name
from dyadline.data.values import labels
from dyadline.errors import DataError, Finding
from dyadline.plan.analysis import AnalysisPlan
from dyadline.plan.columns import TIME
from dyadline.words import SHOWN, counted, listed


def stacked(
    frame: pl.DataFrame, plan: AnalysisPlan, found: Sequence[tuple[Asked, Found]]
) -> tuple[pl.DataFrame, pl.Series, list[Finding]]:
    """The long frame, the file's row number of each row (n,), and what was noticed.

    Sorted by the file's row and time. Occasions at which a dyad has no value are no rows; a dyad without any, but
    with values of its own, keeps one at the first occasion.

    Raises
    ------
    DataError
        If a dyad has two rows, or a column is called as the time is to be called.
    """
    time = plan.columns.time
    if time in frame.columns:
        raise DataError(
            f"The file has a column {time!r}, and the occasions of a wide file stand in its columns' names",
            way_out="Choose another name for time under [columns]; it is only what to call it",
        )
    _check_one_row_each(frame, plan.columns.dyad)
    repeated: dict[str, dict[float, str]] = {}
    own = []
    for asked, places in found:
        for place, column in places.items():
            if place.time is None:
                own.append(column)
            else:
                repeated.setdefault(long_name(asked, place, column), {})[place.time] = column
    times = sorted({time for at in repeated.values() for time in at})
    parts = _parts(frame, repeated, list(dict.fromkeys(own)), times, plan)
    long = pl.concat(parts, how="vertical_relaxed").sort(_ROW, time)
    empty = frame.height * len(times) - long.height
    return long.drop(_ROW), long[_ROW], [_what(frame, times, empty, plan), *_uneven(found, frame, plan)]


_ROW = "\x00row"
"""A name that no file's column has."""


def _parts(
    frame: pl.DataFrame,
    repeated: Mapping[str, Mapping[float, str]],
    own: Sequence[str],
    times: Sequence[float],
    plan: AnalysisPlan,
) -> list[pl.DataFrame]:
    """A frame per occasion, of the rows that have a value there."""
    stated = pl.DataFrame({column: _stated(frame[column]) for at in repeated.values() for column in at.values()})
    silent = ~stated.select(pl.any_horizontal(pl.all())).to_series() & _with_own_values(frame, own, plan)
    whole = all(time.is_integer() for time in times)
    time_type = pl.Int64 if whole else pl.Float64
    row = _numbered(frame)
    kinds = {name: _kind_of_all(frame, name, list(at.values())) for name, at in repeated.items()}
    parts = []
    for time in times:
        here = {name: at[time] for name, at in repeated.items() if time in at}
        keep = stated.select(pl.any_horizontal(list(here.values()))).to_series()
        if time == times[0]:
            keep |= silent
        columns = [pl.col(here[name]) if name in here else pl.lit(None) for name in repeated]
        part = frame.select(
            *own,
            pl.lit(int(time) if whole else time, dtype=time_type).alias(plan.columns.time),
            *(
                (column.cast(kind) if (kind := kinds[name]) else column).alias(name)
                for name, column in zip(repeated, columns, strict=True)
            ),
        )
        parts.append(part.with_columns(row.alias(_ROW)).filter(keep))
    return parts


def _with_own_values(frame: pl.DataFrame, own: Sequence[str], plan: AnalysisPlan) -> pl.Series:
    others = [pl.lit(False), *(_stated(frame[column]) for column in own if column != plan.columns.dyad)]
    return frame.select(pl.any_horizontal(others).alias("own")).to_series()


def _kind_of_all(frame: pl.DataFrame, name: str, columns: Sequence[str]) -> type[pl.DataType] | None:
    """What the columns of all occasions become: text if one has text, dates, or what their numbers have in common."""
    kinds = {_kind(frame.schema[column]) for column in columns} - {""}
    if "text" in kinds:
        return pl.String
    if len(kinds) > 1:
        raise DataError(
            f"The columns that fit {name!r} have values of different kinds: {listed(sorted(kinds))}",
            where=some([column for column in columns if _kind(frame.schema[column])], at_most=SHOWN),
            way_out="Give them one kind at all occasions",
        )
    return pl.Date if kinds == {"dates"} else None


def _kind(dtype: pl.DataType) -> str:
    if dtype == pl.Null:
        return ""
    if dtype in (pl.String, pl.Categorical, pl.Enum):
        return "text"
    if dtype in (pl.Date, pl.Datetime):
        return "dates"
    return "times of day" if dtype == pl.Time else "numbers"


def _stated(series: pl.Series) -> pl.Series:
    return filled(series).is_not_null().alias(series.name)


def _check_one_row_each(frame: pl.DataFrame, column: str) -> None:
    dyad = labels(frame[column], column=column, role="dyad")
    number, rows = doubled(pl.DataFrame([dyad]), _numbered(frame))
    if number:
        raise DataError(
            f"{counted(number, 'dyad')} {'has' if number == 1 else 'have'} more than one row in a wide file",
            where=f"column {column!r}, {rows}",
            way_out="Keep one row per dyad; where the same label is two patients, give each a label",
        )


def _numbered(frame: pl.DataFrame) -> pl.Series:
    return pl.int_range(1, frame.height + 1, dtype=pl.Int64, eager=True)


def _shown_times(times: Sequence[float], plan: AnalysisPlan) -> str:
    occasions = plan.time.occasions
    return some(times if occasions is None else [occasions[int(time)] for time in times])


def _what(frame: pl.DataFrame, times: Sequence[float], empty: int, plan: AnalysisPlan) -> Finding:
    words = f"{counted(frame.height, 'row')} with a column per occasion: {counted(len(times), 'occasion')}, "
    words += f"{_shown_times(times, plan)}."
    if empty:
        words += (
            f" {counted(empty, 'occasion')} of single dyads without any value {'is' if empty == 1 else 'are'} no row."
        )
    return Finding(code="wide-file", level="note", words=words)


def _uneven(found: Sequence[tuple[Asked, Found]], frame: pl.DataFrame, plan: AnalysisPlan) -> list[Finding]:
    """What the names tell: occasions of one rater only, items that some occasions lack, columns that are not used."""
    by_role = {asked.role: (asked, places) for asked, places in found}
    at = {role: {place.time for place in by_role[role][1]} for role in ("patient_rating", "therapist_rating")}
    notes = []
    for one, other, whose in (
        ("patient_rating", "therapist_rating", "patients"),
        ("therapist_rating", "patient_rating", "therapists"),
    ):
        alone = sorted(time for time in at[one] - at[other] if time is not None)
        if alone:
            words = f"Only {whose} have columns at {counted(len(alone), 'occasion')}: {_shown_times(alone, plan)}."
            notes.append(_note("occasions-of-one-rater", words, by_role[other][0].columns[0]))
    for asked, places in by_role.values():
        items = {place.item for place in places}
        gaps = [
            f"item {item} at {_shown_times([time], plan)}"
            for time in sorted({place.time for place in places if place.time is not None})
            for item in sorted(n for n in items if n is not None)
            if Place(time, item) not in places
        ]
        if asked.scored and gaps:
            words = f"Some items have no column at some occasions: {listed(gaps[:SHOWN], total=len(gaps))}."
            notes.append(_note("items-of-some-occasions", words, asked.columns[0]))
    unused = columns_at_other_times(found, frame.columns) if plan.time.occasions else []
    if unused:
        notes.append(
            Finding(
                code="other-occasions",
                level="warning",
                words=f"{counted(len(unused), 'column')} at other times than the occasions "
                f"{'is' if len(unused) == 1 else 'are'} not used: {some(unused)}.",
                way_out="If they count, name these times under occasions in [time]",
            )
        )
    return notes


def _note(code: str, words: str, column: str) -> Finding:
    return Finding(code=code, level="note", words=words, column=column, way_out=f"Check the names with {TIME}")
