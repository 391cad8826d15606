"""From the optimiser's free numbers θ to the relative covariance of the data.

θ holds the residual's parameters η, then the free entries of Λ of each level, innermost first. The *entries*
in which the criterion is differentiated are η and the entries of each level's D = ΛΛ'.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np

from dyadline.engine.moments import Array, Index
from dyadline.engine.residual import INDEPENDENT, Residual


@dataclass(frozen=True, slots=True)
class Level:
    """Which random effects of one grouping may correlate.

    Attributes
    ----------
    blocks
        Sizes of the unstructured blocks along the diagonal: ``(2,)`` for intercept and slope,
        ``(1, 1)`` for the two without a covariance.
    """

    blocks: tuple[int, ...]

    @property
    def size(self) -> int:
        """q, the number of random effects."""
        return sum(self.blocks)

    @property
    def entries(self) -> tuple[Index, Index]:
        """Rows and columns, in D and in Λ, of the free numbers: lower triangles block by block."""
        return _entries(self.blocks)

    def factor(self, theta: Array) -> Array:
        """Λ, (q, q), lower triangular."""
        rows, columns = self.entries
        result = np.zeros((self.size, self.size))
        result[rows, columns] = theta
        return result

    def relative(self, theta: Array) -> Array:
        """D = ΛΛ', (q, q)."""
        factor = self.factor(theta)
        return factor @ factor.T

    def theta(self, relative: Array) -> Array:
        """θ of a positive semi-definite D whose entries outside the blocks are ignored."""
        rows, columns = self.entries
        factor = np.zeros_like(relative)
        start = 0
        for size in self.blocks:
            block = slice(start, start + size)
            values, vectors = np.linalg.eigh(relative[block, block])
            root = vectors * np.sqrt(np.clip(values, 0.0, None))
            upper = np.linalg.qr(root.T, mode="r")
            signs = np.where(np.diag(upper) < 0, -1.0, 1.0)
            factor[block, block] = (signs[:, None] * upper).T
            start += size
        return factor[rows, columns]

    def basis(self) -> Array:
        """Δ_i, (nb, q, q): the symmetric matrix by which D changes with its i-th entry."""
        return _basis(self.blocks)

    def jacobian(self, theta: Array) -> Array:
        """∂D_i/∂θ_j, (nb, nb), D's entries in the order of `entries`."""
        same_row, other_row, _, own, other = _places(self.blocks)
        factor = self.factor(theta).ravel()
        return np.asarray(same_row * factor[own] + other_row * factor[other])

    @property
    def n_entries(self) -> int:
        """Free entries of D, as many as of Λ."""
        return len(self.entries[0])

    def gradient_matrix(self, gradient: Array) -> Array:
        """The symmetric (q, q) matrix Γ with `tr(Γ dD)` = the change that a gradient in D's entries means."""
        rows, columns = self.entries
        result = np.zeros((self.size, self.size))
        half = np.where(rows == columns, 1.0, 0.5) * gradient
        result[rows, columns] = half
        result[columns, rows] = half
        return result

    def curvature(self, gradient: Array) -> Array:
        """What the curvature of D in θ adds to a Hessian in θ, (nb, nb), for a gradient in D's entries."""
        rows, _ = self.entries
        curved = 2.0 * self.gradient_matrix(gradient)[rows][:, rows]
        return np.asarray(curved * _places(self.blocks)[2])


@dataclass(frozen=True, slots=True)
class Structure:
    """The covariance of the data: random effects of each level, and the residual.

    Attributes
    ----------
    levels
        Innermost first: dyad, then therapist.
    residual
        Correlations and unequal variances of the rows of a dyad; independent unless said.
    """

    levels: tuple[Level, ...]
    residual: Residual = INDEPENDENT

    @property
    def parts(self) -> tuple[slice, ...]:
        """Where in θ, and in the entries, each level has its own."""
        return _parts(self.residual.size, tuple(level.n_entries for level in self.levels))

    def relative(self, theta: Array) -> tuple[Array, ...]:
        """D of each level, (q, q)."""
        return tuple(level.relative(theta[part]) for level, part in zip(self.levels, self.parts, strict=True))

    def theta(self, relative: Sequence[Array], eta: Array | None = None) -> Array:
        """θ of positive semi-definite D, one per level, and the residual's parameters (those of independence)."""
        start = self.residual.start if eta is None else eta
        return np.concatenate([start, *(level.theta(D) for level, D in zip(self.levels, relative, strict=True))])

    def jacobian(self, theta: Array) -> Array:
        """Derivative of the entries in θ, block by block; η stands for itself."""
        result = np.eye(len(theta))
        for level, part in zip(self.levels, self.parts, strict=True):
            result[part, part] = level.jacobian(theta[part])
        return result

    def pull_back(self, theta: Array, gradient: Array, hessian: Array) -> tuple[Array, Array]:
        """Gradient and Hessian in θ from those in the entries."""
        if len(self.levels) == 1 and self.residual.size == 0:  # most models; no blocks to put together
            level = self.levels[0]
            alone = level.jacobian(theta)
            return alone.T @ gradient, alone.T @ hessian @ alone + level.curvature(gradient)
        jacobian = self.jacobian(theta)
        pulled = jacobian.T @ hessian @ jacobian
        for level, part in zip(self.levels, self.parts, strict=True):
            pulled[part, part] += level.curvature(gradient[part])
        return jacobian.T @ gradient, pulled


@lru_cache(maxsize=64)
def _parts(first: int, sizes: tuple[int, ...]) -> tuple[slice, ...]:
    ends = np.cumsum((first, *sizes)).tolist()
    return tuple(slice(begin, end) for begin, end in pairwise(ends))


@lru_cache(maxsize=64)
def _entries(blocks: tuple[int, ...]) -> tuple[Index, Index]:
    rows: list[int] = []
    columns: list[int] = []
    start = 0
    for size in blocks:
        for r in range(size):
            for c in range(r + 1):
                rows.append(start + r)
                columns.append(start + c)
        start += size
    return np.array(rows, dtype=np.intp), np.array(columns, dtype=np.intp)


@lru_cache(maxsize=64)
def _places(blocks: tuple[int, ...]) -> tuple[Array, Array, Array, Index, Index]:
    """Masks of entries (i, j) with the same row, of i's column and j's row, of the same column; places in Λ."""
    rows, columns = _entries(blocks)
    q = sum(blocks)
    return (
        (rows[:, None] == rows[None, :]).astype(float),
        (columns[:, None] == rows[None, :]).astype(float),
        (columns[:, None] == columns[None, :]).astype(float),
        columns[:, None] * q + columns[None, :],
        rows[:, None] * q + columns[None, :],
    )


@lru_cache(maxsize=64)
def _basis(blocks: tuple[int, ...]) -> Array:
    rows, columns = _entries(blocks)
    result = np.zeros((len(rows), sum(blocks), sum(blocks)))
    number = np.arange(len(rows))
    result[number, rows, columns] = 1.0
    result[number, columns, rows] = 1.0
    result.flags.writeable = False
    return result
