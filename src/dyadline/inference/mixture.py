"""Null distributions of likelihood-ratio statistics where a variance is zero under the null: χ̄² mixtures.

What a larger model adds is, under the null, a cone: any numbers for its free parameters, and covariance matrices
(positive semi-definite) for its new random effects. The statistic is then distributed as the squared length of a
normal vector's projection on that cone, in the metric of the information.

References
----------
Self, S. G., & Liang, K.-Y. (1987). Journal of the American Statistical Association, 82, 605–610.
Stram, D. O., & Lee, J. W. (1994). Biometrics, 50, 1171–1177. Shapiro, A. (1988). International Statistical Review,
56, 49–62. Verbeke, G., & Molenberghs, G. (2000). Linear mixed models for longitudinal data, section 6.3.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from dyadline.engine.moments import Array, lower

DIRECTIONS, SEED = 10_000, 1994
"""Random directions that are projected, and the seed that makes a p value the same each time."""

FLAT = 1e-8
"""Information below this share of the largest is none."""

NOTHING = 1e-7
"""A statistic below the accuracy of two optima is zero."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Null:
    """The distribution of a likelihood-ratio statistic under the null.

    Attributes
    ----------
    df
        Parameters that the larger model adds.
    words
        The distribution in words.
    weights
        Weight of χ² by degrees of freedom; empty if it is simulated.
    shares
        Squared length of the projections of random directions, between 0 and 1.
    dimension
        Of these directions; below df if data say nothing of an added parameter.
    """

    df: int
    words: str
    weights: tuple[tuple[int, float], ...] = ()
    shares: Array | None = None
    dimension: int = 0

    def p_value(self, statistic: float) -> float:
        """P(T ≥ statistic); one at zero."""
        from scipy.special import chdtrc

        if statistic <= NOTHING:
            return 1.0
        if self.shares is None:
            return float(sum(w * float(chdtrc(df, statistic)) for df, w in self.weights if df))
        # A normal vector's length is independent of its direction: given that, the statistic is share · χ².
        inside = self.shares[self.shares > 0.0]
        return float(chdtrc(self.dimension, statistic / inside).sum() / len(self.shares))


def null_distribution(free: int, blocks: Sequence[int], information: Callable[[], Array]) -> Null:
    """The distribution for `free` unrestricted parameters and new covariance matrices of the sizes `blocks`.

    Parameters
    ----------
    free
        Parameters in the interior: fixed effects, covariances with effects that were there before, residuals'.
    blocks
        Numbers of new random effects that correlate with each other, one per block.
    information
        Gives the information of the entries of these matrices (lower triangles row by row), all other parameters
        estimated; asked only if the weights have no closed form.
    """
    if not blocks:
        return Null(df=free, words=f"χ²({free})", weights=((free, 1.0),))
    if tuple(blocks) == (1,):
        return Null(
            df=free + 1,
            words=f"0.5·χ²({free}) + 0.5·χ²({free + 1})",
            weights=((free, 0.5), (free + 1, 0.5)),
        )
    df = free + sum(k * (k + 1) // 2 for k in blocks)
    sizes = " and ".join(f"{k}×{k}" for k in blocks)
    shares, dimension = projections(free, blocks, information())
    return Null(
        df=df,
        words=(
            f"χ̄² between χ²({free}) and χ²({df}): the cone of covariance matrices {sizes}"
            + (f" and {free} free parameter{'s' * (free > 1)}" if free else "")
            + f"; weights from {DIRECTIONS} random directions, seed {SEED}"
        ),
        shares=shares,
        dimension=dimension,
    )


def projections(free: int, blocks: Sequence[int], information: Array) -> tuple[Array, int]:
    """Squared lengths, (DIRECTIONS,), of random unit vectors' projections on the cone, and their dimension.

    Directions of which the information says nothing (the covariance of effects that no group has both of) count
    for nothing.
    """
    change = _isotropic(blocks, information)
    metric = change.T @ information @ change
    values, vectors = np.linalg.eigh(metric)
    known = values > FLAT * values[-1]
    metric = (vectors[:, known] * values[known]) @ vectors[:, known].T
    rng = np.random.default_rng(SEED)
    normal = rng.standard_normal((DIRECTIONS, free + int(known.sum())))
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    # Where the cone would have no edges the nearest point is metric⁻¹ · pull, whose squared length is the normal's.
    pull = (normal[:, free:] * np.sqrt(values[known])) @ vectors[:, known].T
    nearest = _projection(blocks, metric, pull, values[known])
    lengths = np.einsum("ni,ij,nj->n", nearest, metric, nearest)
    return (normal[:, :free] ** 2).sum(axis=1) + lengths, normal.shape[1]


def _isotropic(blocks: Sequence[int], information: Array) -> Array:
    """Entries of the matrices = result · coordinates in which the metric is near the plain one.

    A congruence D → ADA' leaves the cone as it is; with like groups the information is tr(SΔSΔ), and A with A'SA = I
    makes it tr(ΔΔ). S is read off the information, its correlations as far as they help. Off the diagonal
    coordinates are entries times √2.
    """
    result, begin = np.zeros_like(information), 0
    for k in blocks:
        part = slice(begin, begin + k * (k + 1) // 2)
        own = information[part, part]
        changes = [_congruence(one) for one in _shapes(own, k)]
        result[part, part] = min(changes, key=lambda change: np.linalg.cond(change.T @ own @ change))
        begin = part.stop
    return result


def _shapes(information: Array, k: int) -> list[Array]:
    """S with its correlations shrunk more and more, as far as positive definite."""
    r, c = lower(k)
    place = {pair: number for number, pair in enumerate(zip(r.tolist(), c.tolist(), strict=True))}
    sizes = np.sqrt([information[place[i, i], place[i, i]] for i in range(k)])
    sizes = np.maximum(sizes, FLAT * sizes.max())
    # tr(SΔ_iiSΔ_ij) = 2 S_ii S_ij
    beside = np.zeros((k, k))
    for i, j in ((i, j) for i, j in place if i != j):
        halves = [information[place[e, e], place[i, j]] / sizes[e] for e in (i, j)]
        beside[i, j] = beside[j, i] = (halves[0] + halves[1]) / 4.0
    shrunk = (np.diag(sizes) + share * beside for share in (1.0, 0.99, 0.9, 0.5, 0.0))
    return [one for one in shrunk if np.linalg.eigvalsh(one)[0] > 1e-12 * sizes.max()]


def _congruence(s: Array) -> Array:
    """From coordinates to entries of AD̃A', A'SA = I."""
    k = len(s)
    r, c = lower(k)
    back = np.linalg.inv(np.linalg.cholesky(s)).T
    basis = np.zeros((len(r), k, k))
    number = np.arange(len(r))
    basis[number, r, c] = basis[number, c, r] = np.where(r == c, 1.0, np.sqrt(0.5))
    return np.asarray((back @ basis @ back.T)[:, r, c].T)


def _projection(blocks: Sequence[int], metric: Array, pull: Array, values: Array) -> Array:
    """Points of the cone with the least `c'Mc − 2 c'pull`, by accelerated projected gradients, all at once.

    `values` are the eigenvalues of the metric M that are not zero, ascending.
    """
    step, ratio = 1.0 / values[-1], float(np.sqrt(values[0] / values[-1]))
    momentum = (1.0 - ratio) / (1.0 + ratio)
    current = _nearest(blocks, step * pull)
    ahead = current
    for _ in range(2000):
        new = _nearest(blocks, ahead - step * (ahead @ metric - pull))
        left = float(np.abs(new - ahead).max())  # of a nearest point a step leads back to itself
        ahead, current = new + momentum * (new - current), new
        if left * np.sqrt(values[-1]) < 1e-6:
            break
    return current


def _nearest(blocks: Sequence[int], points: Array) -> Array:
    """Nearest points of the cone in the plain metric: negative eigenvalues become zero."""
    result, begin = np.empty_like(points), 0
    for k in blocks:
        r, c = lower(k)
        part = slice(begin, begin + len(r))
        begin += len(r)
        if k == 1:
            result[:, part] = np.maximum(points[:, part], 0.0)
            continue
        weight = np.where(r == c, 1.0, np.sqrt(0.5))
        matrices = np.zeros((len(points), k, k))
        matrices[:, r, c] = points[:, part] * weight
        eigenvalues, vectors = np.linalg.eigh(matrices)  # reads the lower triangle
        clipped = (vectors * np.maximum(eigenvalues, 0.0)[:, None, :]) @ vectors.swapaxes(-1, -2)
        result[:, part] = clipped[:, r, c] / weight
    return result
