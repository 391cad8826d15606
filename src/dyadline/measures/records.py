"""Answered records as arrays: the items of one occasion, and what covariances they have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dyadline.errors import DataError, PlanError

Array = NDArray[Any]


def matrix(frame: pl.DataFrame) -> Array:
    """Rows × columns in float, column by column in memory; null and anything that is not finite is NaN."""
    values = frame.select(pl.all().cast(pl.Float64)).to_numpy(writable=True)
    infinite = np.isinf(values)
    if infinite.any():
        values[infinite] = np.nan
    return values


def same_rows(frame: pl.DataFrame, **series: pl.Series) -> None:
    """Refuse series that are not as long as the frame.

    Raises
    ------
    DataError
        One is shorter or longer.
    """
    for name, values in series.items():
        if len(values) != frame.height:
            raise DataError(f"there are {frame.height:,} records but {len(values):,} values of {name}")


def positions(answers: pl.DataFrame, items: Sequence[int], scale: str) -> list[int]:
    """Where a scale's items stand among the columns ``"1"``, ``"2"``, ….

    Raises
    ------
    PlanError
        An item that has no column.
    """
    absent = [str(item) for item in items if str(item) not in answers.columns]
    if absent:
        raise PlanError(
            f"scale {scale!r} has the item {absent[0]}, for which there are no answers",
            way_out=f"There are answers to the items {', '.join(answers.columns)}",
        )
    return [answers.columns.index(str(item)) for item in items]


def codes(labels: pl.Series) -> tuple[pl.Series, Array]:
    """The distinct values in order, and the place of each row's among them; −1 where there is none."""
    clean = labels.fill_nan(None) if labels.dtype.is_float() else labels
    distinct = clean.drop_nulls().unique().sort()
    rank = distinct.search_sorted(clean).cast(pl.Int64)
    places = pl.select(pl.when(clean.is_not_null()).then(rank).otherwise(-1)).to_series()
    return distinct, places.to_numpy(writable=True)


def occasions(answers: pl.DataFrame, time: pl.Series) -> Iterator[tuple[object, Array]]:
    """Each time with the answers given then; rows without any answer, or without a time, are left out."""
    values = matrix(answers)
    times, code = codes(time)
    code[np.isnan(values).all(axis=1)] = -1
    # Sorting is several times quicker by two bytes than by more.
    order = np.argsort(code.astype(np.int16 if len(times) < 2**15 else np.int32), kind="stable")
    bounds = np.searchsorted(code[order], np.arange(len(times) + 1))
    for one, start, stop in zip(times, bounds[:-1], bounds[1:], strict=True):
        yield one, values.T.take(order[start:stop], axis=1).T


def covariance(values: Array) -> Array:
    """Covariances of complete records (divisor n − 1); zeros for a single one."""
    centred = values - values.mean(axis=0)
    found: Array = centred.T @ centred / max(1, len(values) - 1)
    # A column of one value is left with a rounding error where the mean has no short binary form.
    constant = np.diag(found) <= 1e-14 * values[0] ** 2
    constant[constant] = (values[:, constant] == values[0, constant]).all(axis=0)
    found[constant] = 0.0
    found[:, constant] = 0.0
    return found
