"""The lowest criterion of a model with one of its parameters held at a value.

Free numbers x are the residual's η and, level by level, the free entries of Λ, with the *named* effect or the pair of
effects that a question is about first in its block, each in its own unit: then the variance of the first is `σ²x₀²`,
the correlation of the first two `x₁/√(x₁² + x₂²)`, and either can be held.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from dyadline.engine.covariance import Structure
from dyadline.engine.criterion import Evaluation, Method, evaluate
from dyadline.engine.moments import Array, Moments, lower
from dyadline.engine.optimize import minimise
from dyadline.model.fit import Fit

LogVariance = Callable[[Array], tuple[float, Array, Array]]
"""log σ² as a function of x, with gradient, (k,), and Hessian, (k, k)."""

Pieces = tuple[float, Array, Array]
"""A value, its gradient and its Hessian."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Coordinates:
    """How x stands for the covariance structure.

    Attributes
    ----------
    structure
        Of the model.
    maps
        P of each level, (q, q): D of the standardised effects is `PΛΛ'P'`.
    """

    structure: Structure
    maps: tuple[Array, ...]

    def theta(self, x: Array) -> Array:
        """The engine's θ."""
        result = x.copy()
        for level, part, back in zip(self.structure.levels, self.structure.parts, self.maps, strict=True):
            upper = np.asarray(np.linalg.qr((back @ level.factor(x[part])).T, mode="r"))
            result[part] = upper.T[level.entries]
        return result

    def x(self, relative: Sequence[Array], eta: Array) -> Array:
        """x of D of each level and η."""
        inverse = [np.linalg.inv(back) for back in self.maps]
        return self.structure.theta([b @ D @ b.T for b, D in zip(inverse, relative, strict=True)], eta)

    def pull_back(self, x: Array, gradient: Array, hessian: Array) -> tuple[Array, Array]:
        """Gradient and Hessian in x from those in the entries of D."""
        linear = np.eye(len(x))
        for level, part, back in zip(self.structure.levels, self.structure.parts, self.maps, strict=True):
            rows, columns = level.entries
            linear[part, part] = (back @ level.basis() @ back.T)[:, rows, columns].T
        return self.structure.pull_back(x, linear.T @ gradient, linear.T @ hessian @ linear)


def standardised(fit: Fit) -> Coordinates:
    """x = θ."""
    structure = fit.design.structure
    return Coordinates(structure=structure, maps=tuple(np.eye(level.size) for level in structure.levels))


def named(fit: Fit, level: int, first: Sequence[int]) -> Coordinates:
    """Coordinates in which some named effects of one block come first in it.

    The block's other effects are standardised ones, orthogonal to these: named ones would be nearly the same where
    zero points are far off.
    """
    place = standardised(fit)
    block = block_of(place.structure.levels[level].blocks, first[0])
    effects = fit.design.groupings[level].to_random[list(first), block]
    effects = effects / units(effects)[:, None]
    others = np.linalg.qr(effects.T, mode="complete")[0][:, len(first) :]
    place.maps[level][block, block] = np.linalg.inv(np.concatenate([effects, others.T]))
    return place


def units(to_random: Array) -> Array:
    """Unit of each named effect in x, (q,): its SD if the standardised ones have 1."""
    return np.asarray(np.linalg.norm(to_random, axis=1))


def block_of(blocks: Sequence[int], effect: int) -> slice:
    """The unstructured block of an effect."""
    ends = np.cumsum(blocks)
    number = int(np.searchsorted(ends, effect, side="right"))
    return slice(int(ends[number]) - blocks[number], int(ends[number]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    """What is held: `x = offset + embedding·y` with y free, and σ² if it is tied to x.

    Attributes
    ----------
    offset, embedding
        (k,) and (k, free).
    log_variance
        log σ² of x; σ² is estimated where this is ``None``.
    fixed
        Standardised coefficients `β = place + directions·γ` with γ free, (p,) and (p, p−1); all free if ``None``.
    positive
        Numbers of the y that must not change their sign.
    """

    offset: Array
    embedding: Array
    log_variance: LogVariance | None = None
    fixed: tuple[Array, Array] | None = None
    positive: tuple[int, ...] = ()


def free(k: int) -> Constraint:
    """Nothing held."""
    return Constraint(offset=np.zeros(k), embedding=np.eye(k))


def lowest(
    moments: Moments, coordinates: Coordinates, method: Method, constraint: Constraint, start: Array
) -> tuple[float, Array]:
    """The criterion's minimum under a constraint and the x where it is, from a start in y.

    Coefficients can be held under ML only: REML criteria with different fixed columns are not comparable.
    """
    offset, embedding = constraint.offset, constraint.embedding

    positive = list(constraint.positive)

    def function(y: Array) -> Pieces:
        refused = np.inf, np.full(len(y), np.inf), np.eye(len(y))
        if (y[positive] <= 0.0).any():
            return refused
        x = offset + embedding @ y
        try:
            with np.errstate(all="ignore"):  # at the ends of a correlation's range; what is not finite is refused
                found = evaluate(moments, coordinates.structure, coordinates.theta(x))
            rss = (found.rss, found.d_rss, found.dd_rss)
            if constraint.fixed is not None:
                rss = _held(found, *constraint.fixed)
        except np.linalg.LinAlgError:
            return refused
        if not (rss[0] > 0.0 and np.isfinite(rss[0] + found.log_v)):
            return refused
        value, gradient, hessian = _criterion(found, rss, method, coordinates, x, constraint.log_variance)
        return value, embedding.T @ gradient, embedding.T @ hessian @ embedding

    if not len(start):
        return function(start)[0], offset
    found = minimise(function, start)
    return found.value, offset + embedding @ found.point


def _criterion(
    found: Evaluation, rss: Pieces, method: Method, coordinates: Coordinates, x: Array, link: LogVariance | None
) -> Pieces:
    """The criterion and its derivatives in x, σ² tied to x or estimated."""
    nu = found.degrees(method)
    restricted = method == "REML"
    logs = found.log_v + restricted * found.log_xx
    d_logs, dd_logs = coordinates.pull_back(
        x, found.d_log_v + restricted * found.d_log_xx, found.dd_log_v + restricted * found.dd_log_xx
    )
    d_rss, dd_rss = coordinates.pull_back(x, rss[1], rss[2])
    if link is None:
        share = d_rss / rss[0]
        value = logs + nu * (1.0 + float(np.log(2.0 * np.pi * rss[0] / nu)))
        return value, d_logs + nu * share, dd_logs + nu * (dd_rss / rss[0] - np.outer(share, share))
    log_s, d_log_s, dd_log_s = link(x)
    precision = float(np.exp(-log_s))
    size = rss[0] * precision
    cross = precision * np.outer(d_rss, d_log_s)
    return (
        logs + nu * (float(np.log(2.0 * np.pi)) + log_s) + size,
        d_logs + (nu - size) * d_log_s + precision * d_rss,
        dd_logs + (nu - size) * dd_log_s + precision * dd_rss - cross - cross.T + size * np.outer(d_log_s, d_log_s),
    )


def _held(found: Evaluation, place: Array, directions: Array) -> Pieces:
    """r'V⁻¹r and its derivatives in the entries where only some directions of β are estimated."""
    nb, p = len(found.d_log_v), len(place)
    left = found.products[:p] @ np.append(-place, 1.0)  # X'V⁻¹(y − X·place)
    inverse = np.linalg.inv(np.linalg.cholesky(directions.T @ found.products[:p, :p] @ directions))
    gamma = inverse.T @ (inverse @ (directions.T @ left))
    v = np.append(-place - directions @ gamma, 1.0)
    d_w_v = found.d_products @ v
    pulled = d_w_v[:, :p] @ directions @ inverse.T
    hessian = np.empty((nb, nb))
    rows, columns = lower(nb)
    hessian[rows, columns] = hessian[columns, rows] = (found.dd_products @ v) @ v
    return float(v @ found.products @ v), d_w_v @ v, hessian - 2.0 * pulled @ pulled.T
