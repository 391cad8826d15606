"""Covariance matrices that are singular: which directions do not vary, and whether the criterion wants them to."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from dyadline.engine.covariance import Structure
from dyadline.engine.moments import Array

BOUNDARY = 1e-5
"""A direction of random effects whose relative SD is below this is on the boundary: it does not vary."""

ROUNDING = 1e-12
"""Entries of Λ below this are zero where a D is made singular."""

Block = tuple[int, slice, Array, Array]
"""Level, place in its D, eigenvalues and eigenvectors of an unstructured block."""


def blocks_of(structure: Structure, theta: Array) -> Iterator[Block]:
    for number, (level, relative) in enumerate(zip(structure.levels, structure.relative(theta), strict=True)):
        start = 0
        for size in level.blocks:
            block = slice(start, start + size)
            values, vectors = np.linalg.eigh(relative[block, block])
            yield number, block, values, vectors
            start += size


def still(values: Array) -> NDArray[np.bool_]:
    """Directions that do not vary, judged by their relative variances."""
    return np.asarray(values < BOUNDARY**2 * max(1.0, float(values[-1])))


def on_boundary(structure: Structure, theta: Array) -> bool:
    return any(bool(still(values).any()) for _, _, values, _ in blocks_of(structure, theta))


def made_singular(structure: Structure, theta: Array) -> Array:
    """θ with the directions that do not vary at exactly zero, (k,)."""
    relative = [np.zeros((level.size, level.size)) for level in structure.levels]
    for number, block, values, vectors in blocks_of(structure, theta):
        relative[number][block, block] = (vectors * np.where(still(values), 0.0, values)) @ vectors.T
    point = structure.theta(relative, theta[: structure.residual.size])
    point[np.abs(point) < ROUNDING] = 0.0
    return point


def descent(structure: Structure, theta: Array, gradient: Array) -> float:
    """Smallest eigenvalue of the gradient in D on the null space of D (Karush–Kuhn–Tucker: ≥ 0).

    Parameters
    ----------
    theta
        (k,).
    gradient
        Of the criterion in the residual's parameters and the entries of D, (k,).
    """
    smallest = np.inf
    for number, block, values, vectors in blocks_of(structure, theta):
        null = vectors[:, still(values)]
        if null.size:
            matrix = structure.levels[number].gradient_matrix(gradient[structure.parts[number]])
            smallest = min(smallest, float(np.linalg.eigvalsh(null.T @ matrix[block, block] @ null)[0]))
    return smallest
