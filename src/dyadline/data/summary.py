"""What each dyad's rows come to: one pass over the rows serves every check."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from dyadline.data.roles import OCCASION, RATINGS

CODE = "[dyad]"
"""Number of the dyad, from 0 in order of first appearance; quicker to compare and to group by than its label."""


def in_order(table: pl.DataFrame) -> pl.DataFrame:
    """The rows with the dyad's number, sorted by it and by time, rows without time last.

    Parameters
    ----------
    table
        With ``dyad`` (no null) and ``time``; rows of the same dyad and time keep their order.
    """
    starts = (table["dyad"] != table["dyad"].shift()).fill_null(True)
    heads = table["dyad"].filter(starts)
    labels = heads.unique(maintain_order=True)
    if len(labels) == len(heads):
        code = (starts.cast(pl.UInt32).cum_sum() - 1).alias(CODE)
    else:
        numbered = labels.to_frame().with_row_index(CODE)
        code = table.select("dyad").join(numbered, on="dyad", how="left", maintain_order="left")[CODE].rechunk()
    table = table.with_columns(code)
    dyad, time = pl.col(CODE), pl.col("time")
    later = (dyad > dyad.shift()) | ((dyad == dyad.shift()) & ((time >= time.shift()) | time.is_null()))
    if not table.select(later.slice(1).fill_null(False).all()).item():
        # One whole number to sort by is several times quicker than two columns.
        times = table["time"].drop_nulls().unique().sort()
        place = times.search_sorted(table["time"].fill_null(float("inf")))
        key = table[CODE].cast(pl.UInt64) * (len(times) + 1) + place
        table = table.with_columns(key.alias("[key]")).sort("[key]", maintain_order=True).drop("[key]")
    return table.with_columns(pl.col(CODE).set_sorted())


def marked(table: pl.DataFrame) -> pl.DataFrame:
    """The rows with ``[seen]`` (any value), ``[rated]`` (by anyone), ``[both]`` and ``[same]`` (both and equal)."""
    patient, therapist = (pl.col(role) for role in RATINGS)
    rated = patient.is_not_null() | therapist.is_not_null()
    return table.with_columns(
        (rated | pl.col("outcome").is_not_null()).alias("[seen]"),
        rated.alias("[rated]"),
        (patient.is_not_null() & therapist.is_not_null()).alias("[both]"),
        (patient == therapist).fill_null(False).alias("[same]"),
    )


def by_dyad(table: pl.DataFrame, constant: Iterable[str]) -> pl.DataFrame:
    """One row per dyad.

    Parameters
    ----------
    table
        From `in_order` and `marked`.
    constant
        Roles with one value per dyad.

    Returns
    -------
    polars.DataFrame
        The dyad's number, ``dyad``, ``rows`` (with a time); of ratings and outcome, and of the columns with one value
        per dyad, ``ROLE min`` and ``ROLE max``; of the first three also ``ROLE n``; ``seen``, ``rated``, ``both`` and
        ``same``: how many rows are marked so.
    """
    ends = [*OCCASION, *constant]
    return table.group_by(CODE, maintain_order=True).agg(
        pl.col("dyad").first(),
        pl.col("time").count().alias("rows"),
        *(pl.col(role).count().alias(f"{role} n") for role in OCCASION),
        *(pl.col(role).min().alias(f"{role} min") for role in ends),
        *(pl.col(role).max().alias(f"{role} max") for role in ends),
        *(pl.col(f"[{mark}]").sum().alias(mark) for mark in ("seen", "rated", "both", "same")),
    )
