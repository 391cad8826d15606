"""Independent clusters of rows: the outermost groups of a fit, or larger ones by a label per row."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import polars as pl

from dyadline.engine.moments import Index
from dyadline.errors import DataError, FitError, PlanError
from dyadline.model.fit import Fit


def clusters(fit: Fit, by: object) -> tuple[str, Index]:
    """Their name and the cluster of each dyad of the design, (J,), from 0 without gaps.

    Parameters
    ----------
    fit
        A fit.
    by
        Name of the fit's outermost grouping, which is also what is taken for ``None``; or a label for every row of
        the fitted frame.

    Raises
    ------
    PlanError
        Another grouping's name, or neither a name nor labels.
    DataError
        Labels that are not one per row, that are missing, or that cut a group in two.
    FitError
        A single cluster.
    """
    source = fit.design.source
    names = [grouping.name for grouping in fit.design.groupings]
    whole = np.arange(len(source.starts)) if source.unit is None else source.unit
    if by is None or isinstance(by, str):
        if by is not None and by != names[-1]:
            raise _not_outermost(by, names)
        return names[-1], _several(whole)
    codes = _codes(fit, by)
    rows = np.repeat(whole, np.diff(np.append(source.starts, source.n)))
    # Rows are sorted by the outermost grouping.
    heads = np.flatnonzero(np.r_[True, rows[1:] != rows[:-1]])
    cut = np.flatnonzero(codes != codes[heads][rows])
    if len(cut):
        raise DataError(
            f"Rows of one {names[-1]} have different labels",
            where=f"row {source.row_numbers[cut[0]] % _height(fit) + 1}",
            way_out=f"Every {names[-1]} must belong to one cluster as a whole",
        )
    found = np.unique(codes[source.starts], return_inverse=True)[1].ravel()
    return by.name if isinstance(by, pl.Series) and by.name else "the given labels", _several(found)


def _several(found: Index) -> Index:
    if not found.any():
        raise FitError(
            "All rows belong to one cluster, so nothing can be said of differences between clusters",
            way_out="Use smaller clusters: two are needed, twenty are better",
        )
    return found


def _not_outermost(by: str, names: list[str]) -> PlanError:
    if by in names:
        return PlanError(
            f"Groups of {by!r} are not independent within {names[-1]}, so they are no clusters",
            way_out=f"Use {names[-1]!r} with all that belongs to it, or a label per row of larger clusters",
        )
    return PlanError(
        f"The fit has no random effects of {by!r}",
        way_out=f"Use {names[-1]!r}, or hand in a label per row, such as frame[{by!r}]",
    )


def _height(fit: Fit) -> int:
    """Rows of the fitted frame; a joint model has each once per outcome."""
    return (fit.design.source.n + fit.design.n_dropped) // max(1, len(fit.spec.responses))


def _codes(fit: Fit, labels: object) -> Index:
    """Number of each design row's label, (n,)."""
    if not isinstance(labels, Iterable):
        raise PlanError(
            f"A cluster is a name or a label per row, not {labels!r}", way_out="Hand in a column of the fitted frame"
        )
    series = labels if isinstance(labels, pl.Series) else pl.Series(list(labels))
    height, numbers = _height(fit), fit.design.source.row_numbers
    if len(series) != height:
        raise DataError(
            f"There are {len(series)} labels, but the fitted frame has {height} rows",
            way_out="Hand in one label for every row of that frame",
        )
    if series.dtype.is_float():
        series = series.fill_nan(None)
    text = series.cast(pl.String).gather(numbers % height)
    missing = np.flatnonzero(text.is_null().to_numpy())
    if len(missing):
        raise DataError(
            f"{len(missing)} rows that were fitted have no label",
            where=f"row {numbers[missing[0]] % height + 1}",
            way_out="Fill them in, or leave these rows out of the fit",
        )
    return np.unique(text.to_numpy().astype(str), return_inverse=True)[1].ravel()
