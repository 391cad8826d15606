"""A second file with one row per dyad, joined to the data by the dyad's label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import polars as pl

from dyadline.data.doubles import doubled
from dyadline.data.patterns import named_columns
from dyadline.data.table import Table
from dyadline.data.values import labels
from dyadline.errors import DataError, Finding
from dyadline.plan.analysis import AnalysisPlan
from dyadline.words import counted, dyads_listed, nearest

V = TypeVar("V")
_KEY = "\x00dyad"
"""A name that no file's column has."""


def join_dyads(table: Table, dyads: Table, plan: AnalysisPlan) -> Table:
    """The data with the columns of the dyad-level file beside; rows and their order stay.

    Labels meet as equal numbers where either file has numbers (7, 7.0, "7", "007"), else as the same text without
    surrounding blanks.

    Parameters
    ----------
    table
        The data, of any shape.
    dyads
        One row per dyad.
    plan
        Names the dyad's column in either file.

    Raises
    ------
    DataError
        If a dyad has two rows in the dyad-level file, no label occurs in both, the column is missing, or a column that
        the plan names is in both.
    """
    column = plan.columns.dyad
    other = (plan.dyads.dyad if plan.dyads else None) or column
    for name, source in ((column, table), (other, dyads)):
        if name not in source.frame.columns:
            raise DataError(
                f"There is no column {name!r} (dyad) in {source.source!r}",
                way_out=nearest([name], source.frame.columns),
            )
    added = [name for name in dyads.frame.columns if name not in (other, *table.frame.columns)]
    doubled = named_columns(
        plan, [n for n in dyads.frame.columns if n in table.frame.columns and n not in (other, column)]
    )
    if doubled:
        raise DataError(
            f"The column {doubled[0]!r} is in {table.source!r} and in {dyads.source!r}",
            way_out="Rename it in one of the files, or drop it there",
        )
    left, right = _keys(table.frame[column], dyads.frame[other], column, other)
    _check_one_row_each(right, other, dyads.source)
    beside = dyads.frame.with_columns(right).select(_KEY, *added).filter(right.is_not_null())
    if not left.is_in(right.drop_nulls().implode()).any():
        raise DataError(
            f"No dyad of {table.source!r} is in {dyads.source!r}",
            where=f"column {column!r}" if column == other else f"columns {column!r} and {other!r}",
            way_out="Name the column there that has the same labels: dyad under [dyads]",
        )
    frame = table.frame.with_columns(left).join(beside, on=_KEY, how="left", maintain_order="left").drop(_KEY)
    return replace(
        table,
        frame=frame,
        labels={**_of(dyads.labels, added), **table.labels},
        value_labels={**_of(dyads.value_labels, added), **table.value_labels},
        declared={**_of(dyads.declared, added), **table.declared},
        findings=(*table.findings, *dyads.findings, *_in_one_only(left, right, table, dyads, column, other)),
    )


def _of(by_column: Mapping[str, V], columns: Sequence[str]) -> dict[str, V]:
    return {name: value for name, value in by_column.items() if name in columns}


def _keys(one: pl.Series, other: pl.Series, column: str, other_column: str) -> tuple[pl.Series, pl.Series]:
    """Both files' labels as one kind: numbers if either file has numbers and the other's texts are different ones."""
    texts = labels(one, column=column, role="dyad"), labels(other, column=other_column, role="dyad")
    if one.dtype.is_numeric() or other.dtype.is_numeric():
        numbers = texts[0].cast(pl.Float64, strict=False), texts[1].cast(pl.Float64, strict=False)
        if all(_one_to_one(n, t) for n, t in zip(numbers, texts, strict=True)):
            texts = numbers
    return texts[0].alias(_KEY), texts[1].alias(_KEY)


def _one_to_one(numbers: pl.Series, texts: pl.Series) -> bool:
    return numbers.null_count() == texts.null_count() and numbers.n_unique() == texts.n_unique()


def _check_one_row_each(key: pl.Series, column: str, source: str) -> None:
    number, rows = doubled(pl.DataFrame([key]), pl.int_range(1, len(key) + 1, dtype=pl.Int64, eager=True))
    if number:
        raise DataError(
            f"{counted(number, 'dyad')} {'has' if number == 1 else 'have'} more than one row in {source!r}",
            where=f"column {column!r}, {rows}",
            way_out="Keep one row per dyad there",
        )


def _in_one_only(
    left: pl.Series, right: pl.Series, table: Table, dyads: Table, column: str, other: str
) -> list[Finding]:
    notes = []
    for mine, theirs, name, source, code, so in (
        (left, right, column, dyads.source, "not-in-dyad-file", "their values from there are missing"),
        (right, left, other, table.source, "only-in-dyad-file", "they are not used"),
    ):
        alone = mine.filter(~mine.is_in(theirs.drop_nulls().implode())).drop_nulls().unique(maintain_order=True)
        if len(alone):
            names = [f"{label:.15g}" if isinstance(label, float) else label for label in alone]
            notes.append(
                Finding(
                    code=code,
                    level="note",
                    words=f"{counted(len(alone), 'dyad')} not in {source!r}: {so}.",
                    way_out="Check that both files write the dyads' labels alike",
                    column=name,
                    dyad=dyads_listed(names),
                )
            )
    unnamed = right.is_null().arg_true() + 1
    if len(unnamed):
        notes.append(
            Finding(
                code="dyad-file-without-label",
                level="note",
                words=f"{counted(len(unnamed), 'row')} of {dyads.source!r} without a dyad "
                f"{'is' if len(unnamed) == 1 else 'are'} not used.",
                column=other,
            )
        )
    return notes
