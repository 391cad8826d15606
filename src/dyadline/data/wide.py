"""Wide files: one row per dyad and a column per occasion become one row per dyad and occasion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from dyadline.data.meanings import filled, some
from dyadline.data.patterns import Asked, Found, Place, columns_at_other_times, long_name
from dyadline.data.values import labels
from dyadline.errors import DataError, Finding
from dyadline.plan.analysis import AnalysisPlan
from dyadline.plan.columns import TIME
from dyadline.words import SHOWN, counted, listed

_TEXT = (pl.String, pl.Categorical, pl.Enum)


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
    try:
        long = pl.concat(parts, how="vertical_relaxed").sort(_ROW, time)
    except pl.exceptions.PolarsError:
        raise DataError(
            "A repeated column has values of different kinds at its occasions, such as dates and numbers",
            where=some(list(repeated)),
            way_out="Give it one kind at all occasions",
        ) from None
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
    silent = ~stated.select(pl.any_horizontal(pl.all())).to_series()
    others = [column for column in own if column != plan.columns.dyad]
    if others and silent.any():
        silent &= pl.DataFrame([_stated(frame[c]) for c in others]).select(pl.any_horizontal(pl.all())).to_series()
    elif not others:
        silent = pl.repeat(False, frame.height, dtype=pl.Boolean, eager=True)
    whole = all(time.is_integer() for time in times)
    row = pl.int_range(1, frame.height + 1, dtype=pl.Int64, eager=True)
    as_text = {name for name, at in repeated.items() if len({frame[c].dtype in _TEXT for c in at.values()}) > 1}
    as_text |= {name for name, at in repeated.items() if frame[next(iter(at.values()))].dtype in _TEXT}
    parts = []
    for time in times:
        here = {name: at[time] for name, at in repeated.items() if time in at}
        keep = stated.select(pl.any_horizontal(list(here.values()))).to_series()
        if time == times[0]:
            keep |= silent
        part = frame.select(
            *own,
            pl.lit(int(time) if whole else time, dtype=pl.Int64 if whole else pl.Float64).alias(plan.columns.time),
            *(
                (pl.col(here[name]).cast(pl.String) if name in as_text else pl.col(here[name])).alias(name)
                if name in here
                else pl.lit(None).alias(name)
                for name in repeated
            ),
        )
        parts.append(part.with_columns(row.alias(_ROW)).filter(keep))
    return parts


def _stated(series: pl.Series) -> pl.Series:
    return filled(series).is_not_null().alias(series.name)


def _check_one_row_each(frame: pl.DataFrame, column: str) -> None:
    dyad = labels(frame[column], column=column, role="dyad").alias("dyad")
    rows = pl.DataFrame([dyad]).with_row_index("row", offset=1).drop_nulls()
    twice = rows.group_by("dyad", maintain_order=True).agg("row").filter(pl.col("row").list.len() > 1)
    if not twice.height:
        return
    first = [listed([str(row) for row in rows]) for rows in twice["row"].head(SHOWN).to_list()]
    raise DataError(
        f"{counted(twice.height, 'dyad')} {'has' if twice.height == 1 else 'have'} more than one row in a wide file",
        where=f"column {column!r}, rows {'; '.join(first)}{' ...' if twice.height > SHOWN else ''}",
        way_out="Keep one row per dyad; where the same label is two patients, give each a label",
    )


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
