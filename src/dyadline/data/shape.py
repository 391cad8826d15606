"""Files of any shape become one row per dyad and occasion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from dyadline.data.meanings import filled
from dyadline.data.patterns import Asked, Found, find_columns, long_name
from dyadline.data.raters import endings, joined
from dyadline.data.table import Table
from dyadline.data.times import EXCEL, at_occasions, counted_dates, dates
from dyadline.data.values import labels
from dyadline.data.wide import stacked
from dyadline.errors import DataError, Finding, PlanError
from dyadline.plan.analysis import AnalysisPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class Long:
    """The file's values, one row per dyad and occasion.

    Attributes
    ----------
    frame
        Columns under the file's names, or under the pattern that they fit.
    row
        The file's row number of each row, (n,) Int64; 1 is the first below the header.
    names
        Column of `frame` by role, covariates under their own names; for a role that is scored from items, what the
        score will be called.
    items
        Columns of the items, by role and number of the item.
    findings
        The table's, then what was noticed here.
    """

    frame: pl.DataFrame
    row: pl.Series
    names: Mapping[str, str]
    items: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()


def reshape(table: Table, plan: AnalysisPlan) -> Long:
    """One row per dyad and occasion, with time as a number.

    A file that is so already passes as it is. In a wide file (``{time}`` in the columns' names) each occasion becomes
    a row; where raters have rows of their own, the two rows of an occasion are joined; fixed occasions count as
    0, 1, 2 ...; dates are counted as ``[time]`` says and stay in their own column.

    Parameters
    ----------
    table
        As read, missing codes already taken out.
    plan
        What is asked.

    Raises
    ------
    PlanError
        If ``{time}`` or a date format stands where it cannot.
    DataError
        If columns are missing or can be read in two ways, dates cannot be read, or a dyad has two rows where one is
        needed.
    """
    frame, columns, time = table.frame, plan.columns, plan.time
    if columns.wide and time.dates is not None:
        raise PlanError(
            f'dates = "{time.dates}" needs a column of dates, and in a wide file the occasions stand in the names',
            where="time.dates",
            way_out="Leave it out; [checks] date may name the columns of dates",
        )
    found = find_columns(plan, frame.columns, source=table.source)
    _check_kinds(frame, found)
    row = pl.int_range(1, frame.height + 1, dtype=pl.Int64, eager=True).alias("row")
    ending = endings(plan, found)
    findings: list[Finding] = []
    if time.dates is not None or plan.raters is not None:
        _check_labels(frame, plan)
    if not columns.wide and time.occasions is not None:
        meanings = table.value_labels.get(columns.time)
        frame, row, findings = at_occasions(frame, row, columns.time, time.occasions, meanings)
    if time.dates is not None:
        read = dates(frame[columns.time], row, column=columns.time, words="time", written=time.date_format)
        frame = frame.with_columns(read)
    if columns.wide:
        frame, row, more = stacked(frame, plan, found)
        findings += more
    elif plan.raters is not None:
        meanings = table.value_labels.get(plan.raters.column)
        frame, row, more = joined(frame, row, plan, plan.raters, found, ending, meanings)
        findings += more
    frame = _with_dates(frame, row, plan)
    names = _names(plan, found, ending)
    if time.dates is not None:
        names["time"] = _free(f"{columns.time} ({time.dates})", frame.columns)
        numbers = counted_dates(frame[columns.time], frame[columns.dyad], time.dates)
        frame = frame.with_columns(numbers.alias(names["time"]))
    return Long(
        frame=frame,
        row=row.alias("row"),
        names=names,
        items=_items(found, ending),
        findings=(*table.findings, *findings),
    )


def _names(plan: AnalysisPlan, found: Sequence[tuple[Asked, Found]], ending: Mapping[str, str]) -> dict[str, str]:
    asked = {each.role for each, _ in found}
    roles = [role for role in _ROLES if role in asked or role == "time"]
    names = {role: plan.columns.name(role) + ending.get(role, "") for role in roles}
    return names | {name: name for name in plan.columns.covariates}


_ROLES = ("dyad", "therapist", "time", "patient_rating", "therapist_rating", "outcome", "baseline")


def _items(found: Sequence[tuple[Asked, Found]], ending: Mapping[str, str]) -> dict[str, dict[int, str]]:
    items: dict[str, dict[int, str]] = {}
    for asked, places in found:
        for place, column in places.items() if asked.scored else ():
            if place.item is not None:
                name = long_name(asked, place, column, ending.get(asked.role, ""))
                items.setdefault(asked.role, {})[place.item] = name
    return {role: dict(sorted(by_number.items())) for role, by_number in items.items()}


def _with_dates(frame: pl.DataFrame, row: pl.Series, plan: AnalysisPlan) -> pl.DataFrame:
    """The columns of [checks] that hold dates as dates; an end may be a time as well."""
    checks, written = plan.checks, plan.time.date_format
    for column, words in ((checks.date, "date of the session"), (checks.end, "end of the dyad")):
        if column is None or frame[column].dtype == pl.Date:
            continue
        if column == checks.end and written != EXCEL and _all_numbers(frame[column]):
            continue
        frame = frame.with_columns(dates(frame[column], row, column=column, words=words, written=written))
    return frame


def _all_numbers(series: pl.Series) -> bool:
    values = filled(series)
    if values.dtype != pl.String:
        return not values.dtype.is_temporal()
    return values.cast(pl.Float64, strict=False).null_count() == values.null_count()


def _free(name: str, taken: Sequence[str]) -> str:
    while name in taken:
        name += "*"
    return name


def _check_kinds(frame: pl.DataFrame, found: Sequence[tuple[Asked, Found]]) -> None:
    for asked, places in found:
        for column in places.values():
            dtype = frame.schema[column]
            if dtype.is_nested() or dtype in (pl.Binary, pl.Object, pl.Duration):
                raise DataError(
                    f"The column {column!r} ({asked.words}) has neither numbers nor text nor dates",
                    way_out="Turn its values into one of them, or name another column",
                )


def _check_labels(frame: pl.DataFrame, plan: AnalysisPlan) -> None:
    """Dyads that are numbered anew for each therapist would be mixed up where rows of a dyad are looked at together."""
    columns = plan.columns
    if columns.therapist is None:
        return
    both = pl.DataFrame(
        {
            "dyad": labels(frame[columns.dyad], column=columns.dyad, role="dyad"),
            "therapist": labels(frame[columns.therapist], column=columns.therapist, role="therapist"),
        }
    ).drop_nulls()
    therapists = both.group_by("dyad").agg(pl.col("therapist").n_unique())["therapist"]
    repeated = int((therapists > 1).sum())
    if repeated >= 2 and 2 * repeated >= len(therapists):
        raise DataError(
            f"{repeated:,} of {len(therapists):,} labels in {columns.dyad!r} occur under more than one therapist",
            way_out="Where dyads are numbered anew for each therapist, give each dyad a label of its own, such as "
            "therapist and number together",
        )
