"""One pass over the rows: the cross-products that the likelihood needs, and nothing else.

A dyad j with rows X_j (n_j × p), y_j and Z_j (n_j × q) enters by `C = Z'Z`, by its own least-squares fits
`b = C⁺Z'[X y]` (q × (p+1)) and by what these leave, `R = Σ [X y]'(I − Z C⁺ Z')[X y]`, taken from the rows'
residuals. Then `[X y]'V⁻¹[X y] = R + Σ b'Sb` with `S = (C⁻¹ + D)⁻¹`: nothing cancels, however much more dyads
differ than rows within them. Dyads with the same C form a *cell*; within a cell the likelihood sees only the sum
of the outer products of b, so that after this pass its cost does not depend on the number of rows, and with
repeated designs not on the number of dyads either.

With therapists above the dyads, the columns of their random effects are carried like those of X, and what is
needed of a therapist are sums of b over his or her dyads in each cell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from dyadline.engine.forms import Forms, SerialRows

Array = NDArray[np.float64]
Index = NDArray[np.intp]

LARGEST_CELLS = 512 * 2**20
"""Bytes that the summed outer products may take before dyads are kept one by one."""

CHUNK = 4 * 2**20
"""Bytes of outer products in the making at a time: they should stay in the processor's cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upper:
    """What is needed of the units above the dyads (therapists).

    Attributes
    ----------
    cross
        `C⁺Z'Z₃` per cell, (K, q, q₃): the columns of the upper random effects fitted by the dyad's own.
    rest
        What that leaves of `Z₃'[Z₃ X y]`, (H, q₃, q₃+p+1).
    unit
        Unit of each dyad, (J,), ascending.
    pair_cell, pair_unit, pair_counts, pair_sums
        Cell, unit, number of dyads and sum of b, (N, q, p+1), of the dyads of one unit in one cell; by unit.
    reference
        Coefficients c, (H, q₃, p+1), of what has been taken out of `[X y]` as `Z₃c`; see `centred`.
    """

    cross: Array
    rest: Array
    unit: Index
    pair_cell: Index
    pair_unit: Index
    pair_counts: Array
    pair_sums: Array
    reference: Array | None = None

    @property
    def n_units(self) -> int:
        return int(self.rest.shape[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """What the likelihood needs to know of the data.

    Attributes
    ----------
    n_rows
        Number of rows n.
    total
        `Σ [X y]'[X y]`, (p+1, p+1), the response last.
    within
        `R`, (p+1, p+1): the same after each dyad's least-squares fit on its random columns.
    gram
        `C_k`, (K, q, q), one per cell.
    counts
        Dyads per cell, (K,).
    cell
        Cell of each dyad, (J,).
    lines
        `b_j`, (J, q, p+1): each dyad's own least-squares fit.
    packed
        Outer products of b summed over the dyads of a cell, (K·q(q+1)/2, (p+1)(p+2)/2); ``None`` where
        designs hardly repeat and the dyads are used one by one.
    upper
        Of the therapists, where the model has random effects for them.
    forms
        Cross-products under the residual's forms, where residuals are correlated or unequal.
    """

    n_rows: int
    total: Array
    within: Array
    gram: Array
    counts: Array
    cell: Index
    lines: Array
    packed: Array | None
    upper: Upper | None = None
    forms: Forms | SerialRows | None = None

    @property
    def n_groups(self) -> int:
        return int(self.lines.shape[0])

    @property
    def n_random(self) -> int:
        return int(self.gram.shape[1])

    @property
    def n_fixed(self) -> int:
        return int(self.total.shape[0]) - 1

    def __add__(self, other: Moments) -> Moments:
        """Moments of two disjoint sets of dyads (of therapists) together; see `together`."""
        return together([self, other])

    def contract(self, weights: Array) -> Array:
        """`Σ_j b_j' B_k(j) b_j` for several sets of symmetric weights at once.

        Parameters
        ----------
        weights
            B, (m, K, q, q), symmetric in the last two axes.

        Returns
        -------
        (m, p+1, p+1), symmetric.
        """
        m, width = weights.shape[0], self.total.shape[0]
        if self.packed is None:
            stacked = self.lines.reshape(-1, width)
            return np.stack([(stacked.T @ (w[self.cell] @ self.lines).reshape(-1, width)) for w in weights])
        r, s = lower(self.n_random)
        flat = weights[:, :, r, s].reshape(m, -1) @ self.packed
        full = np.empty((m, width, width))
        c, d = lower(width)
        full[:, c, d] = flat
        full[:, d, c] = flat
        return full


def together(parts: Sequence[Moments]) -> Moments:
    """Moments of disjoint sets of dyads: chunks of a file, or clinics that may not pool rows.

    All parts must come from columns that were standardised alike, and a therapist's dyads must be in one part.
    """
    if len(parts) == 1:
        return parts[0]
    upper = [p.upper for p in parts if p.upper is not None]
    gram = np.concatenate([p.gram for p in parts])
    cross = np.concatenate([u.cross for u in upper]) if upper else None
    first, joint, _ = _same_designs(gram, cross)
    begins = np.cumsum([0, *(len(p.gram) for p in parts)])
    cells = [joint[begin : begin + len(p.gram)] for begin, p in zip(begins, parts, strict=False)]
    packed = None
    if all(p.packed is not None for p in parts):
        pairs, columns = len(lower(parts[0].n_random)[0]), len(lower(len(parts[0].total))[0])
        summed = np.zeros((len(first), pairs, columns))
        for mine, part in zip(cells, parts, strict=True):
            if part.packed is not None:
                summed[mine] += part.packed.reshape(len(mine), pairs, -1)
        packed = summed.reshape(len(first) * pairs, -1)
    forms = [p.forms for p in parts if p.forms is not None]
    return Moments(
        n_rows=sum(p.n_rows for p in parts),
        total=np.sum([p.total for p in parts], axis=0),
        within=np.sum([p.within for p in parts], axis=0),
        gram=gram[first],
        counts=np.bincount(joint, np.concatenate([p.counts for p in parts])).astype(np.float64),
        cell=np.concatenate([mine[p.cell] for mine, p in zip(cells, parts, strict=True)]),
        lines=np.concatenate([p.lines for p in parts]),
        packed=packed,
        upper=_upper_together(upper, cells, first) if upper else None,
        forms=Forms.together(forms) if forms else None,
    )


def _upper_together(parts: Sequence[Upper], cells: Sequence[Index], first: Index) -> Upper:
    shifts = np.cumsum([0, *(u.n_units for u in parts)])
    return Upper(
        cross=np.concatenate([u.cross for u in parts])[first],
        rest=np.concatenate([u.rest for u in parts]),
        unit=np.concatenate([u.unit + shift for u, shift in zip(parts, shifts, strict=False)]),
        pair_cell=np.concatenate([mine[u.pair_cell] for mine, u in zip(cells, parts, strict=True)]),
        pair_unit=np.concatenate([u.pair_unit + shift for u, shift in zip(parts, shifts, strict=False)]),
        pair_counts=np.concatenate([u.pair_counts for u in parts]),
        pair_sums=np.concatenate([u.pair_sums for u in parts]),
    )


def centred(moments: Moments) -> Moments:
    """The same moments with each therapist's own least-squares fit of `[X y]` taken out and kept beside them.

    Where therapists differ a hundred times more than sessions do, sums over dyads that contain these differences
    would cancel when the therapists are eliminated; what is left after the fit does not contain them.
    """
    upper = moments.upper
    if upper is None or upper.reference is not None or moments.forms is not None:
        return moments
    q3 = upper.cross.shape[2]
    cross = upper.cross[upper.pair_cell]
    weighted = cross.swapaxes(-1, -2) @ moments.gram[upper.pair_cell]
    heads = np.flatnonzero(np.r_[True, upper.pair_unit[1:] != upper.pair_unit[:-1]])
    own = np.add.reduceat(weighted @ cross * upper.pair_counts[:, None, None], heads, axis=0) + upper.rest[:, :, :q3]
    both = np.add.reduceat(weighted @ upper.pair_sums, heads, axis=0) + upper.rest[:, :, q3:]
    reference = pseudo_inverse(own) @ both
    lines = moments.lines - upper.cross[moments.cell] @ reference[upper.unit]
    counted = upper.pair_counts[:, None, None] * (cross @ reference[upper.pair_unit])
    rest = upper.rest.copy()
    rest[:, :, q3:] -= rest[:, :, :q3] @ reference
    # R of [X y] − Z₃c: r'r with r = [X y] − Z₃c, both less the dyads' fits.
    across = np.einsum("hrc,hrd->cd", reference, upper.rest[:, :, q3:] + rest[:, :, q3:])
    return replace(
        moments,
        within=moments.within - (across + across.T) / 2.0,
        lines=lines,
        packed=None if moments.packed is None else summed_outer_products(lines, moments.cell, len(moments.gram)),
        upper=replace(upper, rest=rest, pair_sums=upper.pair_sums - counted, reference=reference),
    )


@lru_cache(maxsize=64)
def lower(size: int) -> tuple[Index, Index]:
    """Row and column numbers of a lower triangle, row by row."""
    rows, columns = np.tril_indices(size)
    rows.flags.writeable = columns.flags.writeable = False
    return rows, columns


def moments(
    columns: Array, random: Array, starts: Index, above: Array | None = None, unit: Index | None = None
) -> Moments:
    """Accumulate the moments of rows that are sorted by dyad (by therapist, then dyad).

    Parameters
    ----------
    columns
        Fixed columns and, last, the response, (n, p+1).
    random
        Columns of the dyads' random effects, (n, q).
    starts
        First row of each dyad, (J,), increasing, from 0.
    above
        Columns of the therapists' random effects, (n, q₃), if there are any.
    unit
        Therapist of each dyad, (J,), ascending, from 0, without gaps.
    """
    everything = columns if above is None else np.concatenate([above, columns], axis=1)
    n, width = everything.shape
    q, q3 = random.shape[1], width - columns.shape[1]
    if q == 0:
        return _without_random_effects(columns, len(starts))
    products = np.empty((len(starts), q, width))
    gram = np.empty((len(starts), q, q))
    for r in range(q):
        products[:, r] = np.add.reduceat(everything * random[:, r, None], starts, axis=0)
        gram[:, r, : r + 1] = np.add.reduceat(random[:, : r + 1] * random[:, r, None], starts, axis=0)
        gram[:, : r + 1, r] = gram[:, r, : r + 1]
    first, cell, counts = _same_designs(gram, products[:, :, :q3] if q3 else None)
    inverse = pseudo_inverse(gram[first])
    fitted = inverse[cell] @ products
    left = everything - fitted_rows(random, fitted, starts)
    lines = np.ascontiguousarray(fitted[:, :, q3:])
    cells = len(first)
    r_pairs, c_pairs = q * (q + 1) // 2, columns.shape[1] * (columns.shape[1] + 1) // 2
    cost_by_cell, cost_by_group = cells * r_pairs * c_pairs, len(starts) * q * width * (q + width)
    small = cells * r_pairs * c_pairs * 8 <= LARGEST_CELLS
    upper = None
    if unit is not None:
        upper = _upper(fitted[first][:, :, :q3], left, lines, starts, cell, unit)
    return Moments(
        n_rows=n,
        total=columns.T @ columns,
        within=left[:, q3:].T @ left[:, q3:],
        gram=gram[first],
        counts=counts.astype(np.float64),
        cell=cell,
        lines=lines,
        packed=summed_outer_products(lines, cell, cells) if small and cost_by_cell <= cost_by_group else None,
        upper=upper,
    )


def _without_random_effects(columns: Array, groups: int) -> Moments:
    """Of a model in which only the residuals of a group hang together."""
    total = columns.T @ columns
    return Moments(
        n_rows=len(columns),
        total=total,
        within=total,
        gram=np.zeros((1, 0, 0)),
        counts=np.array([float(groups)]),
        cell=np.zeros(groups, dtype=np.intp),
        lines=np.zeros((groups, 0, columns.shape[1])),
        packed=None,
    )


def _upper(cross: Array, left: Array, lines: Array, starts: Index, cell: Index, unit: Index) -> Upper:
    """Sums over the dyads of each unit, from the rows' residuals and the dyads' own fits."""
    q3 = cross.shape[2]
    heads = np.flatnonzero(np.r_[True, unit[1:] != unit[:-1]])
    rest = np.stack([np.add.reduceat(left * left[:, r, None], starts[heads], axis=0) for r in range(q3)], axis=1)
    # What is rounding in columns that the dyad's own random effects span must not look like information.
    size = np.abs(rest).max(initial=0.0)
    rest[np.abs(rest) < 1e-14 * max(size, 1.0)] = 0.0
    key = unit * (int(cell.max(initial=0)) + 1) + cell
    order = np.argsort(key, kind="stable")
    begin = np.flatnonzero(np.r_[True, key[order][1:] != key[order][:-1]])
    return Upper(
        cross=cross,
        rest=rest,
        unit=unit,
        pair_cell=cell[order][begin],
        pair_unit=unit[order][begin],
        pair_counts=np.diff(np.append(begin, len(order))).astype(np.float64),
        pair_sums=np.add.reduceat(lines[order], begin, axis=0),
    )


def pseudo_inverse(gram: Array) -> Array:
    values, vectors = np.linalg.eigh(gram)
    there = values > 1e-10 * np.maximum(values[:, -1:], 1e-300)
    reciprocal = np.where(there, 1.0 / np.where(there, values, 1.0), 0.0)
    return np.asarray((vectors * reciprocal[:, None, :]) @ vectors.swapaxes(-1, -2))


def fitted_rows(random: Array, coefficients: Array, starts: Index) -> Array:
    """Rows of `Z_j b_j`, (n, p+1)."""
    if not random.shape[1]:
        return np.zeros((len(random), coefficients.shape[2]))
    sizes = np.diff(np.append(starts, len(random)))
    result = random[:, 0, None] * np.repeat(coefficients[:, 0], sizes, axis=0)
    for r in range(1, random.shape[1]):
        result += random[:, r, None] * np.repeat(coefficients[:, r], sizes, axis=0)
    return np.asarray(result)


def _same_designs(gram: Array, cross: Array | None = None) -> tuple[Index, Index, Index]:
    """First dyad, cell of each dyad, and size of the cells of dyads with bitwise equal `Z'Z` (and `Z'Z₃`)."""
    r, s = lower(gram.shape[1])
    packed = np.ascontiguousarray(gram[:, r, s])
    if cross is not None:
        packed = np.concatenate([packed, cross.reshape(len(cross), -1)], axis=1)
    keys = packed.view(np.dtype((np.void, packed.dtype.itemsize * packed.shape[1]))).ravel()
    _, first, cell, counts = np.unique(keys, return_index=True, return_inverse=True, return_counts=True)
    return first, cell.ravel(), counts


def summed_outer_products(lines: Array, cell: Index, cells: int) -> Array:
    """Σ over the dyads of a cell of `b[r] ⊗ b[s]`, made symmetric, as (cells · pairs, column pairs)."""
    groups, q, width = lines.shape
    pairs, column_pairs = len(lower(q)[0]), len(lower(width)[0])
    order = np.argsort(cell, kind="stable")
    sorted_cells = cell[order]
    result = np.zeros((cells, pairs * column_pairs))
    step = max(1, CHUNK // (8 * pairs * column_pairs))
    for begin in range(0, groups, step):
        outer = outer_products(lines[order[begin : begin + step]])
        here = sorted_cells[begin : begin + step]
        starts = np.flatnonzero(np.r_[True, here[1:] != here[:-1]])
        result[here[starts]] += np.add.reduceat(outer, starts, axis=0)
    return result.reshape(cells * pairs, column_pairs)


def outer_products(lines: Array) -> Array:
    """`b[r] ⊗ b[s]`, made symmetric, of each dyad, packed as in `Moments.packed`, (J, pairs · column pairs)."""
    left, right, off, turned_left, turned_right = _pairs(lines.shape[1], lines.shape[2])
    flat = lines.reshape(len(lines), -1)
    outer = flat[:, left] * flat[:, right]
    if len(turned_left):  # an off-diagonal weight stands for both (r, s) and (s, r)
        outer[:, off] += flat[:, turned_left] * flat[:, turned_right]
    return np.asarray(outer)


@lru_cache(maxsize=64)
def _pairs(q: int, width: int) -> tuple[Index, Index, Index, Index, Index]:
    """Places in a flattened b of both factors of each product; of those off the diagonal, and their other factors."""
    (r, s), (c, d) = lower(q), lower(width)
    left, right = (r[:, None] * width + c).ravel(), (s[:, None] * width + d).ravel()
    off = np.repeat(r != s, len(c))
    other = (r[:, None] * width + d).ravel()[off], (s[:, None] * width + c).ravel()[off]
    return left, right, np.flatnonzero(off), *other
