"""Newton steps of many replicates at once, each in its own Λ; whoever has arrived leaves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from dyadline.engine.covariance import Level
from dyadline.engine.moments import Array, Index
from dyadline.engine.simultaneous import Evaluations

Mask = NDArray[np.bool_]

ARRIVED = 1e-16
"""A Newton step that would gain less than this is not taken."""

LIMIT = 20
"""Evaluations after which a replicate is given up."""


class Posed(Protocol):
    """R problems that are worked on together: responses on one design, or studies with designs of their own."""

    @property
    def level(self) -> Level: ...

    @property
    def n_fixed(self) -> int: ...

    @property
    def size(self) -> int: ...

    def __getitem__(self, chosen: Index) -> Self: ...

    def evaluations(self, relative: Array) -> Evaluations:
        """The criterion at D, (q, q, R), positive semi-definite."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """Where R replicates arrived; NaN where they did not.

    Attributes
    ----------
    theta, value
        (R, k) and (R,).
    gradient
        In the entries of D, (R, k).
    beta, inverse
        Coefficients, (R, p), and (X'V⁻¹X)⁻¹, (R, p, p), in the problems' columns.
    rss, d_rss, dd_rss
        (R,), (R, k) and (R, k, k).
    """

    theta: Array
    value: Array
    gradient: Array
    beta: Array
    inverse: Array
    rss: Array
    d_rss: Array
    dd_rss: Array

    @classmethod
    def nowhere(cls, size: int, p: int, k: int) -> Ends:
        """Of replicates that are still to be followed."""
        shapes = ((k,), (), (k,), (p,), (p, p), (), (k,), (k, k))
        names = (field.name for field in fields(cls))
        return cls(**{name: np.full((size, *shape), np.nan) for name, shape in zip(names, shapes, strict=True)})

    @property
    def arrived(self) -> Mask:
        return np.isfinite(self.value)

    def __getitem__(self, chosen: Index) -> Ends:
        return Ends(**{field.name: getattr(self, field.name)[chosen] for field in fields(self)})

    @staticmethod
    def together(parts: Sequence[Ends]) -> Ends:
        """Of replicates one after the other."""
        return Ends(**{f.name: np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Ends)})

    def take(self, numbers: Index, other: Ends, which: Index) -> None:
        """Put some ends of others in the place of `numbers`."""
        for field in fields(self):
            getattr(self, field.name)[numbers] = getattr(other, field.name)[which]


def descend(problems: Posed, start: Array) -> Ends:
    """Follow each replicate from its start, (R, k), to where nothing is left to gain."""
    size, k = start.shape
    level = problems.level
    ends = Ends.nowhere(size, problems.n_fixed, k)
    active, point, value = np.arange(size), start, np.full(size, np.inf)
    step, promised = np.zeros_like(start), np.zeros(size)
    for _ in range(LIMIT):
        trial = point + step
        factor = factors(level, trial)
        with np.errstate(all="ignore"):  # a point that cannot be used is told by its value
            found = problems.evaluations(np.moveaxis(factor @ factor.swapaxes(-1, -2), 0, -1))
        in_entries = np.ascontiguousarray(found.gradient.T)
        gradient, hessian = pulled_back(level, factor, in_entries, np.moveaxis(found.hessian, -1, 0))
        usable = np.isfinite(found.value) & np.isfinite(hessian).all(axis=(1, 2))
        hessian[~usable] = np.eye(k)
        values, vectors = np.linalg.eigh(hessian)
        largest = np.abs(values).max(axis=1, keepdims=True)
        curvature = np.maximum(np.abs(values), 1e-7 * largest)
        # Sums of products written out: other ways add up in an order that depends on how many problems there are.
        along = (np.where(usable[:, None], gradient, 0.0)[:, :, None] * vectors).sum(axis=1)
        decrement = 0.5 * (along**2 / curvature).sum(axis=1)
        # Below the rounding of the value only the next gradient can tell whether a step was good.
        hidden = promised <= 1e-12 * (1.0 + np.abs(found.value) / 1e3)
        better = usable & (hidden | (value - found.value > 1e-4 * promised))
        done = better & (decrement <= ARRIVED) & (values[:, 0] >= -1e-7 * largest[:, 0])
        _keep(ends, active, found, trial, in_entries, np.flatnonzero(done))

        newton = -(vectors * (along / curvature)[:, None]).sum(axis=2)
        radius = np.maximum(1.0, np.linalg.norm(trial, axis=1))
        newton *= np.minimum(1.0, radius / np.maximum(np.linalg.norm(newton, axis=1), 1e-300))[:, None]
        point = np.where(better[:, None], trial, point)
        value = np.where(better, found.value, value)
        step = np.where(better[:, None], newton, 0.25 * step)
        promised = np.where(better, decrement, 0.25 * promised)
        stay = np.flatnonzero(~done & np.isfinite(value))
        if not stay.size:
            break
        if stay.size < active.size:
            active, problems = active[stay], problems[stay]
            point, value, step, promised = point[stay], value[stay], step[stay], promised[stay]
    return ends


def _keep(
    ends: Ends,
    active: Index,
    found: Evaluations,
    theta: Array,
    gradient: Array,
    which: Index,
) -> None:
    if not which.size:
        return
    at = active[which]
    ends.theta[at] = theta[which]
    ends.value[at] = found.value[which]
    ends.gradient[at] = gradient[which]
    ends.beta[at] = found.beta[:, which].T
    ends.inverse[at] = np.moveaxis(found.inverse[:, :, which], -1, 0)
    ends.rss[at] = found.rss[which]
    ends.d_rss[at] = found.d_rss[:, which].T
    ends.dd_rss[at] = np.moveaxis(found.dd_rss[:, :, which], -1, 0)


def factors(level: Level, theta: Array) -> Array:
    """Λ, (R, q, q)."""
    rows, columns = level.entries
    result = np.zeros((len(theta), level.size, level.size))
    result[:, rows, columns] = theta
    return result


def free_entries(level: Level, relative: Array) -> Array:
    """θ, (R, k), of positive definite D, (R, q, q)."""
    rows, columns = level.entries
    return np.asarray(np.linalg.cholesky(relative)[:, rows, columns])


def jacobians(level: Level, factor: Array) -> Array:
    """`Level.jacobian` of each replicate, (R, k, k)."""
    rows, columns = level.entries
    same_row = rows[:, None] == rows
    other_row = columns[:, None] == rows
    own, other = factor[:, columns[:, None], columns], factor[:, rows[:, None], columns]
    return np.ascontiguousarray(same_row * own + other_row * other)


def pulled_back(level: Level, factor: Array, gradient: Array, hessian: Array) -> tuple[Array, Array]:
    """Gradients, (R, k), and Hessians, (R, k, k), in θ from those in the entries of D; as `Structure.pull_back`."""
    rows, columns = level.entries
    jacobian = jacobians(level, factor)
    matrix = np.zeros_like(factor)
    half = np.where(rows == columns, 1.0, 0.5) * gradient
    matrix[:, rows, columns] = half
    matrix[:, columns, rows] = half
    pulled = jacobian.swapaxes(-1, -2) @ np.ascontiguousarray(hessian) @ jacobian
    pulled += 2.0 * matrix[:, rows[:, None], rows] * (columns[:, None] == columns)
    return (gradient[:, None, :] @ jacobian)[:, 0], (pulled + pulled.swapaxes(-1, -2)) / 2.0
