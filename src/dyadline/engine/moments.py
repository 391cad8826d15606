"""One pass over the rows: the cross-products that the likelihood needs, and nothing else.

For group j with rows X_j (n_j × p), y_j and Z_j (n_j × q) these are `C = Z'Z`, `a = Z'[X y]`,
`E = Σ [X y]'[X y]` and the part of E that is left within groups, `R = Σ (E_j − a'C⁺a)`, taken from the rows'
residuals: where groups differ a thousand times more than rows within them, `E − a'Qa` would cancel, and
`R + a'(C⁺ − Q)a` does not. Groups with the same C form a *cell*; within a cell the likelihood sees only the
sum of the outer products of a, so that after this pass its cost does not depend on the number of rows,
and with repeated designs not on the number of groups either.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Index = NDArray[np.intp]

LARGEST_CELLS = 512 * 2**20
"""Bytes that the summed outer products may take before groups are kept one by one."""

CHUNK = 4 * 2**20
"""Bytes of outer products in the making at a time: they should stay in the processor's cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """What the likelihood of a two-level model needs to know of the data.

    Attributes
    ----------
    n_rows
        Number of rows n.
    total
        `E`, (p+1, p+1): cross-products of the fixed columns and, last, the response.
    within
        `R`, (p+1, p+1): the same after each group's least-squares fit on its random columns.
    gram, inverse
        `C_k` and its (pseudo-)inverse `C_k⁺`, (K, q, q), one per cell.
    full
        Whether C_k has full rank, (K,).
    counts
        Groups per cell, (K,).
    cell
        Cell of each group, (J,).
    products
        `a_j`, (J, q, p+1).
    packed
        Outer products summed over the groups of a cell, (K·q(q+1)/2, (p+1)(p+2)/2); ``None`` where
        designs hardly repeat and the groups are used one by one.
    """

    n_rows: int
    total: Array
    within: Array
    gram: Array
    inverse: Array
    full: NDArray[np.bool_]
    counts: Array
    cell: Index
    products: Array
    packed: Array | None

    @property
    def n_groups(self) -> int:
        return int(self.products.shape[0])

    @property
    def n_random(self) -> int:
        return int(self.gram.shape[1])

    @property
    def n_fixed(self) -> int:
        return int(self.total.shape[0]) - 1

    def __add__(self, other: Moments) -> Moments:
        """Moments of two disjoint sets of groups together: chunks of a file, or clinics that may not pool rows.

        Both must come from columns that were standardised alike.
        """
        gram = np.concatenate([self.gram, other.gram])
        first, joint, _ = _same_designs(gram)
        mine, theirs = joint[: len(self.gram)], joint[len(self.gram) :]
        packed = None
        if self.packed is not None and other.packed is not None:
            pairs = len(lower(self.n_random)[0])
            summed = np.zeros((len(first), pairs, self.packed.shape[1]))
            for cells, part in ((mine, self.packed), (theirs, other.packed)):
                summed[cells] += part.reshape(len(cells), pairs, -1)
            packed = summed.reshape(len(first) * pairs, -1)
        return Moments(
            n_rows=self.n_rows + other.n_rows,
            total=self.total + other.total,
            within=self.within + other.within,
            gram=gram[first],
            inverse=np.concatenate([self.inverse, other.inverse])[first],
            full=np.concatenate([self.full, other.full])[first],
            counts=np.bincount(joint, np.concatenate([self.counts, other.counts])).astype(np.float64),
            cell=np.concatenate([mine[self.cell], theirs[other.cell]]),
            products=np.concatenate([self.products, other.products]),
            packed=packed,
        )

    def contract(self, weights: Array) -> Array:
        """`Σ_j a_j' B_k(j) a_j` for several sets of symmetric weights at once.

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
            stacked = self.products.reshape(-1, width)
            return np.stack([(stacked.T @ (w[self.cell] @ self.products).reshape(-1, width)) for w in weights])
        r, s = lower(self.n_random)
        flat = weights[:, :, r, s].reshape(m, -1) @ self.packed
        full = np.empty((m, width, width))
        c, d = lower(width)
        full[:, c, d] = flat
        full[:, d, c] = flat
        return full

    def residual_products(self, combination: Array) -> Array:
        """`Σ_{j in k} (a_j v)(a_j v)'`, (K, q, q), for a combination v, (p+1,), of the columns."""
        scores = self.products @ combination
        outer = scores[:, :, None] * scores[:, None, :]
        summed = np.zeros_like(self.gram)
        np.add.at(summed, self.cell, outer)
        return summed


@lru_cache(maxsize=64)
def lower(size: int) -> tuple[Index, Index]:
    """Row and column numbers of a lower triangle, row by row."""
    rows, columns = np.tril_indices(size)
    rows.flags.writeable = columns.flags.writeable = False
    return rows, columns


def moments(columns: Array, random: Array, starts: Index) -> Moments:
    """Accumulate the moments of rows that are sorted by group.

    Parameters
    ----------
    columns
        Fixed columns and, last, the response, (n, p+1).
    random
        Columns of the random effects, (n, q).
    starts
        First row of each group, (J,), increasing, from 0.
    """
    n, width = columns.shape
    q = random.shape[1]
    products = np.empty((len(starts), q, width))
    gram = np.empty((len(starts), q, q))
    for r in range(q):
        products[:, r] = np.add.reduceat(columns * random[:, r, None], starts, axis=0)
        gram[:, r, : r + 1] = np.add.reduceat(random[:, : r + 1] * random[:, r, None], starts, axis=0)
        gram[:, : r + 1, r] = gram[:, r, : r + 1]
    first, cell, counts = _same_designs(gram)
    inverse, full = _pseudo_inverse(gram[first])
    left = columns - _fitted(random, inverse[cell] @ products, starts)
    cells = len(first)
    r_pairs, c_pairs = q * (q + 1) // 2, width * (width + 1) // 2
    cost_by_cell, cost_by_group = cells * r_pairs * c_pairs, len(starts) * q * width * (q + width)
    small = cells * r_pairs * c_pairs * 8 <= LARGEST_CELLS
    return Moments(
        n_rows=n,
        total=columns.T @ columns,
        within=left.T @ left,
        gram=gram[first],
        inverse=inverse,
        full=full,
        counts=counts.astype(np.float64),
        cell=cell,
        products=products,
        packed=_summed_outer_products(products, cell, cells) if small and cost_by_cell <= cost_by_group else None,
    )


def _pseudo_inverse(gram: Array) -> tuple[Array, NDArray[np.bool_]]:
    values, vectors = np.linalg.eigh(gram)
    there = values > 1e-10 * np.maximum(values[:, -1:], 1e-300)
    reciprocal = np.where(there, 1.0 / np.where(there, values, 1.0), 0.0)
    return (vectors * reciprocal[:, None, :]) @ vectors.swapaxes(-1, -2), there.all(axis=1)


def _fitted(random: Array, coefficients: Array, starts: Index) -> Array:
    """Rows of `Z_j C_j⁺ a_j`, (n, p+1)."""
    sizes = np.diff(np.append(starts, len(random)))
    result = random[:, 0, None] * np.repeat(coefficients[:, 0], sizes, axis=0)
    for r in range(1, random.shape[1]):
        result += random[:, r, None] * np.repeat(coefficients[:, r], sizes, axis=0)
    return np.asarray(result)


def _same_designs(gram: Array) -> tuple[Index, Index, Index]:
    """First group, cell of each group, and size of the cells of groups with bitwise equal `Z'Z`."""
    r, s = lower(gram.shape[1])
    packed = np.ascontiguousarray(gram[:, r, s])
    keys = packed.view(np.dtype((np.void, packed.dtype.itemsize * packed.shape[1]))).ravel()
    _, first, cell, counts = np.unique(keys, return_index=True, return_inverse=True, return_counts=True)
    return first, cell.ravel(), counts


def _summed_outer_products(products: Array, cell: Index, cells: int) -> Array:
    """Σ over the groups of a cell of `a[r] ⊗ a[s]`, made symmetric, as (cells · pairs, column pairs)."""
    groups, q, width = products.shape
    r, s = lower(q)
    c, d = lower(width)
    order = np.argsort(cell, kind="stable")
    sorted_cells = cell[order]
    result = np.zeros((cells, len(r), len(c)))
    step = max(1, CHUNK // (8 * len(r) * len(c)))
    for begin in range(0, groups, step):
        a = products[order[begin : begin + step]]
        left, right = a[:, r][:, :, c], a[:, s][:, :, d]
        outer = left * right
        off = r != s  # an off-diagonal weight stands for both (r, s) and (s, r)
        if off.any():
            outer[:, off] += a[:, r[off]][:, :, d] * a[:, s[off]][:, :, c]
        here = sorted_cells[begin : begin + step]
        starts = np.flatnonzero(np.r_[True, here[1:] != here[:-1]])
        result[here[starts]] += np.add.reduceat(outer, starts, axis=0)
    return result.reshape(cells * len(r), len(c))
