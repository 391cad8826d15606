"""Residual covariances for the referee, written out densely: R0 (n, n) of ``V = σ² (R0 + Σ_b …)``.

Plain builders first, one entry after the other from the definition; then the same as functions of their parameters
(`referee.Residual`) for `referee.optimum` and `referee.satterthwaite_df`.
"""

from __future__ import annotations

import numpy as np

from referee import Residual

INFINITE = float("inf")
ABOVE = 1e-12  # a hair away from a bound


def levels(labels: np.ndarray) -> list[str]:
    """The levels of a factor in sorted order; the first is the one that the others are relative to."""
    return sorted(set(np.asarray(labels).tolist()))


def _same(codes: np.ndarray) -> np.ndarray:
    codes = np.asarray(codes)
    return codes[:, None] == codes[None, :]


def by_level(labels: np.ndarray, ratios: np.ndarray) -> np.ndarray:
    """A variance per level: `ratios` of every level but the first (sorted) to the first."""
    relative = dict(zip(levels(labels), [1.0, *ratios], strict=True))
    return np.diag([relative[label] for label in np.asarray(labels).tolist()])


def serial(position: np.ndarray, group: np.ndarray, phi: float) -> np.ndarray:
    """``phi^|t_i − t_j|`` within a group: AR(1) on integer occasions, phi in (−1, 1); else continuous, in (0, 1)."""
    distance = np.abs(np.subtract.outer(position, position))
    return np.where(_same(group), np.float64(phi) ** distance, 0.0)


def symmetry(group: np.ndarray, rho: float) -> np.ndarray:
    """All pairs of rows of a group correlate rho, which may be negative down to −1/(largest group − 1)."""
    return np.where(_same(group), rho, 0.0) + (1.0 - rho) * np.eye(len(group))


def pairs(rater: np.ndarray, occasion: np.ndarray, ratio: float, rho: float) -> np.ndarray:
    """Two raters: variance 1 for the first (sorted) and `ratio` for the second, correlated rho at the same occasion.

    `occasion` numbers the occasions of all dyads together: rows with different numbers are independent.
    """
    return scaled(symmetry(occasion, rho), rater, [ratio])


def scaled(R0: np.ndarray, labels: np.ndarray, ratios: np.ndarray) -> np.ndarray:
    """A correlation matrix with the variances of `by_level`: ``S R0 S``."""
    sd = np.sqrt(np.diag(by_level(labels, ratios)))
    return sd[:, None] * R0 * sd[None, :]


# -- the same as functions of their parameters ---------------------------------------------------------------------


def level_residual(labels: np.ndarray) -> Residual:
    """Parameters: a variance ratio per level but the first."""
    rest = levels(labels)[1:]
    return Residual(
        R0=lambda psi: by_level(labels, psi),
        names=tuple(f"ratio:{level}" for level in rest),
        bounds=((0.0, INFINITE),) * len(rest),
    )


def serial_residual(position: np.ndarray, group: np.ndarray, continuous: bool = False) -> Residual:
    """Parameter: phi, in (0, 1) if `continuous` and in (−1, 1) on integer occasions."""
    return Residual(
        R0=lambda psi: serial(position, group, psi[0]), names=("phi",), bounds=((0.0 if continuous else -1.0, 1.0),)
    )


def symmetry_residual(group: np.ndarray) -> Residual:
    """Parameter: rho, from the least that the largest group allows to 1."""
    largest = int(np.unique(group, return_counts=True)[1].max())
    return Residual(
        R0=lambda psi: symmetry(group, psi[0]), names=("rho",), bounds=((-1.0 / (largest - 1) + ABOVE, 1.0),)
    )


def scaled_residual(residual: Residual, labels: np.ndarray) -> Residual:
    """Variances by level and then the parameters of a correlation, as in ``S R0 S``."""
    variance = level_residual(labels)
    k = len(variance.names)
    return Residual(
        R0=lambda psi: scaled(residual.R0(psi[k:]), labels, psi[:k]),
        names=(*variance.names, *residual.names),
        bounds=(*variance.bounds, *residual.bounds),
    )


def pair_residual(rater: np.ndarray, occasion: np.ndarray) -> Residual:
    """Parameters: variance ratio of the second rater, rho at the same occasion."""
    return scaled_residual(symmetry_residual(occasion), rater)
