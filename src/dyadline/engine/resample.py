"""Moments of groups drawn with replacement, every copy a group of its own.

What a dyad adds to the sums over rows is known from one pass, so the sums of R resamples are one matrix product of
multiplicities with these shares; what belongs to single dyads or therapists is looked up by number. Only a serial
correlation over gaps that hardly repeat needs the rows again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from dyadline.engine.counts import counted, estimable, form_weights, gap_weights
from dyadline.engine.forms import Form, Forms, Rows, SerialRows
from dyadline.engine.moments import Array, Index, Moments, Upper, fitted_rows, lower, outer_products
from dyadline.engine.solve import Problem

PACKED_AT_ONCE = 256 * 2**20
"""Bytes of outer products of several resamples that are made together."""

DYADS_AT_ONCE = 2048
"""Dyads whose outer products are in the making at a time."""

INESTIMABLE = 1e-10
"""Share of a column's sum of squares left by the columns before it below which a resample cannot tell it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """One resample.

    Attributes
    ----------
    dyads
        Numbers of its dyads, (M,), copies included.
    copy
        Number, from 0, of the drawn cluster to which each belongs, (M,), ascending.
    """

    dyads: Index
    copy: Index


@dataclass(frozen=True, slots=True, kw_only=True)
class Clusters:
    """Sets of dyads that are drawn as a whole.

    Attributes
    ----------
    dyads
        Numbers of all dyads, (J,), sorted by cluster, within a cluster in their own order.
    heads
        Where each cluster begins, and J, (C+1,).
    """

    dyads: Index
    heads: Index

    @classmethod
    def of(cls, cluster: Index) -> Clusters:
        """From the cluster of each dyad, (J,), from 0 without gaps."""
        counts = np.bincount(cluster)
        return cls(dyads=np.argsort(cluster, kind="stable"), heads=np.append(0, np.cumsum(counts)))

    def drawn(self, chosen: Index) -> Draw:
        """The dyads of the chosen clusters, copies as often as they are chosen."""
        places, copy = _spans(self.heads, chosen)
        return Draw(dyads=self.dyads[places], copy=copy)


def _spans(heads: Index, chosen: Index) -> tuple[Index, Index]:
    """Places of everything in the chosen spans, one span after the other, and the number of the span."""
    sizes = heads[chosen + 1] - heads[chosen]
    span = np.repeat(np.arange(len(chosen)), sizes)
    before = np.cumsum(sizes) - sizes
    return np.arange(len(span)) + (heads[chosen] - before)[span], span


def shares(rows: Rows, lines: Array, forms: Sequence[Form] = ()) -> Array:
    """What each dyad adds to the sums over rows, (J, 1 + (2 + S)·(p+1)(p+2)/2 + S).

    Its number of rows; the lower triangles of `[X y]'[X y]`, of the same after its own least-squares fit, and of the
    same under each of S forms; the sum of each form's weights.

    Parameters
    ----------
    rows
        Of whole dyads.
    lines
        Their own fits, (J, q, p+1).
    forms
        Of the residual's structure over these rows.
    """
    columns, starts = rows.columns, rows.starts
    sizes = np.diff(np.append(starts, len(columns))).astype(np.float64)
    left = columns - fitted_rows(rows.random, lines, starts) if lines.shape[1] else columns
    weighted = [form.times(columns, starts) for form in forms]
    products = [
        _products(a, b, starts) for a, b in ((columns, columns), (left, left), *((columns, w) for w in weighted))
    ]
    return np.concatenate([sizes[:, None], *products, form_weights(forms, starts)], axis=1)


def _products(one: Array, other: Array, starts: Index) -> Array:
    parts = [np.add.reduceat(one[:, r, None] * other[:, : r + 1], starts, axis=0) for r in range(one.shape[1])]
    return np.concatenate(parts, axis=1)


def resamples(problem: Problem, sums: Array, draws: Sequence[Draw], multiplicities: Array) -> Iterator[Problem | None]:
    """The problem of each resample; ``None`` where it leaves a fixed effect or a residual parameter undetermined.

    Parameters
    ----------
    problem
        Of all dyads.
    sums
        Multiplicities times `shares`, (R, ·).
    draws
        The resamples, R of them.
    multiplicities
        How often each has each dyad, (R, J).
    """
    moments = problem.moments
    packed = moments.packed if moments.forms is None else None
    step = len(draws) if packed is None else max(1, PACKED_AT_ONCE // (8 * packed.size))
    for begin in range(0, len(draws), step):
        here = range(begin, min(begin + step, len(draws)))
        outer = None if packed is None else _packed(moments, packed.shape, multiplicities[here.start : here.stop])
        for r in here:
            yield _resampled(problem, sums[r], draws[r], None if outer is None else outer[r - begin])


def _packed(moments: Moments, shape: tuple[int, ...], multiplicities: Array) -> Array:
    """Summed outer products of several resamples, (R, K·q(q+1)/2, (p+1)(p+2)/2)."""
    cells, size = len(moments.counts), len(multiplicities)
    result = np.zeros((size, cells, shape[0] * shape[1] // cells))
    order = np.argsort(moments.cell, kind="stable")
    for begin in range(0, len(order), DYADS_AT_ONCE):
        dyads = order[begin : begin + DYADS_AT_ONCE]
        outer = outer_products(moments.lines[dyads])
        cell, weights = moments.cell[dyads], multiplicities[:, dyads]
        heads = np.flatnonzero(np.r_[True, cell[1:] != cell[:-1], True])
        for first, last in zip(heads[:-1].tolist(), heads[1:].tolist(), strict=True):
            result[:, cell[first]] += weights[:, first:last] @ outer[first:last]
    return result.reshape(size, *shape)


def _resampled(problem: Problem, sums: Array, draw: Draw, packed: Array | None) -> Problem | None:
    moments, structure = problem.moments, problem.structure
    n_rows, total, within, under, weights = _parted(sums, len(moments.total))
    if not _estimable(total[:-1, :-1]):
        return None
    unit, above = None, np.empty(0, dtype=np.intp)
    if moments.upper is not None:
        old = moments.upper.unit[draw.dyads]
        new = np.r_[True, (old[1:] != old[:-1]) | (draw.copy[1:] != draw.copy[:-1])]
        unit, above = np.cumsum(new) - 1, old[new]
    forms: Forms | SerialRows | None = None
    if isinstance(moments.forms, Forms):
        known = moments.forms
        forms = Forms(
            inner=known.inner[:, draw.dyads],
            upper=None if known.upper is None else known.upper[:, above],
            total=under,
            unit=unit,
        )
    elif moments.forms is not None:
        forms = _serial_rows(moments.forms, draw.dyads, unit)
        weights = gap_weights(structure.residual, forms.gap)
    residual = counted(structure.residual, weights)
    if not estimable(residual):
        return None
    cell = moments.cell[draw.dyads]
    found = Moments(
        n_rows=n_rows,
        total=total,
        within=within,
        gram=moments.gram,
        counts=np.bincount(cell, minlength=len(moments.counts)).astype(np.float64),
        cell=cell,
        lines=moments.lines[draw.dyads],
        packed=packed,
        upper=None if moments.upper is None or unit is None else _upper(moments.upper, unit, above),
        forms=forms,
    )
    return replace(problem, moments=found, structure=replace(structure, residual=residual))


def _parted(sums: Array, width: int) -> tuple[int, Array, Array, Array, Array]:
    """Rows, `[X y]'[X y]`, the same within dyads, under each form, (S, p+1, p+1), and the forms' weights, (S,)."""
    r, c = lower(width)
    count = (len(sums) - 1 - 2 * len(r)) // (len(r) + 1)
    end = 1 + (2 + count) * len(r)
    full = np.empty((2 + count, width, width))
    full[:, r, c] = full[:, c, r] = sums[1:end].reshape(2 + count, -1)
    return round(float(sums[0])), full[0], full[1], full[2:], sums[end:]


def _estimable(gram: Array) -> bool:
    """Whether no fixed column is, in these rows, a combination of others."""
    size = np.sqrt(np.diag(gram))
    if not (size > 0.0).all():
        return False
    try:
        root = np.linalg.cholesky(gram / np.outer(size, size))
    except np.linalg.LinAlgError:
        return False
    return bool(np.diag(root).min() ** 2 > INESTIMABLE)


def _upper(upper: Upper, unit: Index, above: Index) -> Upper:
    """Of the drawn therapists, `above` their old numbers, `unit` the new one of each drawn dyad."""
    pairs, number = _spans(np.searchsorted(upper.pair_unit, np.arange(upper.n_units + 1)), above)
    return Upper(
        cross=upper.cross,
        rest=upper.rest[above],
        unit=unit,
        pair_cell=upper.pair_cell[pairs],
        pair_unit=number,
        pair_counts=upper.pair_counts[pairs],
        pair_sums=upper.pair_sums[pairs],
    )


def _serial_rows(known: SerialRows, dyads: Index, unit: Index | None) -> SerialRows:
    rows = known.rows
    places, copy = _spans(np.append(rows.starts, len(known.gap)), dyads)
    return SerialRows(
        rows=Rows(
            columns=rows.columns[places],
            random=rows.random[places],
            starts=np.searchsorted(copy, np.arange(len(dyads))),
            above=None if rows.above is None else rows.above[places],
            unit=unit,
        ),
        gap=known.gap[places],
    )
