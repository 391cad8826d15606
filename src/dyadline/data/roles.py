"""The plan's columns by role: found in the table, turned into labels, numbers and dates."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from dyadline.data.frames import opened, polars_series
from dyadline.data.values import dates, endings, labels, numbers
from dyadline.errors import DataErrors, Finding
from dyadline.plan.analysis import AnalysisPlan
from dyadline.plan.columns import ColumnsSection
from dyadline.words import listed, nearest, quoted, role_words

LABELS = ("dyad", "therapist")
RATINGS = ("patient_rating", "therapist_rating")
OCCASION = (*RATINGS, "outcome")

DATE, SESSIONS, END, REASON = (f"[checks] {key}" for key in ("date", "sessions", "end", "reason"))
"""Columns that [checks] may name; a covariate has its own name, which may well be ``end``."""

PLACE = "[place]"
"""Row of the table as it came in, from 0."""


def column_by_role(columns: ColumnsSection) -> dict[str, str]:
    """Column by role, covariates under their own names."""
    roles = ["dyad", "therapist", "time", *OCCASION, "baseline"]
    if columns.therapist is None:
        roles.remove("therapist")
    if columns.baseline == "first":
        roles.remove("baseline")
    return {role: columns.name(role) for role in roles} | {c: c for c in columns.covariates}


def checked_columns(plan: AnalysisPlan) -> dict[str, str]:
    """Column by role for what ``[checks]`` names."""
    keys = {DATE: plan.checks.date, SESSIONS: plan.checks.sessions, END: plan.checks.end, REASON: plan.checks.reason}
    return {role: column for role, column in keys.items() if column is not None}


def chosen(frame: object, names: Mapping[str, str], source: str) -> dict[str, pl.Series]:
    """The columns of a polars, pandas or pyarrow table by role.

    Raises
    ------
    PlanError
        If it is no table.
    DataErrors
        If there are no rows, columns are missing (all of them), or a covariate's name is a pattern.
    """
    table = opened(frame)
    present = [str(column) for column in table.columns]
    if not len(table):
        raise DataErrors(
            (_error("no-rows", f"There are no rows in {quoted(source)}", "Export it again with its data"),)
        )
    missing = {role: column for role, column in names.items() if column not in present}
    if missing:
        named = list(missing.items())[:12]
        words = [f"no column {quoted(column)} ({role_words(role)})" for role, column in named]
        said = f"There is {listed(words, total=len(missing))} in {quoted(source)}"
        way_out = nearest(missing.values(), present, taken=names.values())
        raise DataErrors((_error("no-column", said, way_out, ", ".join(missing.values())),))
    for role in names:
        # A covariate keeps its name, and polars reads these as patterns.
        if role == "*" or (role.startswith("^") and role.endswith("$")):
            said = f"The covariate {quoted(role)} has a name that stands for many columns"
            raise DataErrors((_error("pattern-name", said, "Give it another name in the file", role),))
    return {role: polars_series(table.get_column(column)) for role, column in names.items()}


def _error(code: str, words: str, way_out: str, column: str = "") -> Finding:
    return Finding(code=code, level="error", words=f"{words}.", way_out=way_out, column=column)


def typed(
    columns: Mapping[str, pl.Series], names: Mapping[str, str], row: pl.Series | None, source: str
) -> pl.DataFrame:
    """A frame with a column per role, and with the place in the table and the row number in the file.

    Raises
    ------
    DataErrors
        If values are of the wrong kind: in all columns.
    """
    made: dict[str, pl.Series] = {}
    errors: list[Finding] = []
    for role, series in columns.items():
        try:
            made[role] = (
                labels(series, column=names[role], role=role)
                if role in (*LABELS, REASON)
                else {DATE: dates, END: endings}.get(role, numbers)(series, column=names[role], role=role, row=row)
            )
        except DataErrors as error:
            errors += error.errors
    if errors:
        raise DataErrors(errors, source)
    table = pl.DataFrame(made).with_row_index(PLACE)
    return table.with_columns(row=pl.col(PLACE).cast(pl.Int64) + 1 if row is None else row)
