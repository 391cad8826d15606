"""From the optimiser's free numbers θ to the relative covariance D = ΛΛ' of the random effects."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from dyadline.engine.moments import Array, Index


@dataclass(frozen=True, slots=True)
class Structure:
    """Which random effects of a group may correlate.

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
        rows, columns = self.entries
        factor = self.factor(theta)
        same_row = rows[:, None] == rows[None, :]
        other_row = columns[:, None] == rows[None, :]
        return np.asarray(same_row * factor[columns][:, columns] + other_row * factor[rows][:, columns])

    def gradient_matrix(self, gradient: Array) -> Array:
        """The symmetric (q, q) matrix Γ with `tr(Γ dD)` = the change that a gradient in D's entries means."""
        rows, columns = self.entries
        result = np.zeros((self.size, self.size))
        half = np.where(rows == columns, 1.0, 0.5) * gradient
        result[rows, columns] = half
        result[columns, rows] = half
        return result

    def pull_back(self, theta: Array, gradient: Array, hessian: Array) -> tuple[Array, Array]:
        """Gradient and Hessian in θ from those in the entries of D."""
        rows, columns = self.entries
        jacobian = self.jacobian(theta)
        curved = 2.0 * self.gradient_matrix(gradient)[np.ix_(rows, rows)]
        curved *= columns[:, None] == columns[None, :]
        return jacobian.T @ gradient, jacobian.T @ hessian @ jacobian + curved


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
def _basis(blocks: tuple[int, ...]) -> Array:
    rows, columns = _entries(blocks)
    result = np.zeros((len(rows), sum(blocks), sum(blocks)))
    number = np.arange(len(rows))
    result[number, rows, columns] = 1.0
    result[number, columns, rows] = 1.0
    result.flags.writeable = False
    return result
