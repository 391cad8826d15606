"""Trust-region Newton with exact derivatives, and what it has to say about how it ended.

Written for few parameters and a function whose value, gradient and Hessian come together and are cheap;
curvature of the wrong sign is used as a way down, so that saddle points (a zero variance that wants to
grow is one) do not stop it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dyadline.engine.moments import Array

Function = Callable[[Array], tuple[float, Array, Array]]

DECREMENT = 1e-12
"""A Newton step that promises less than this, relative to 1 + |f|/1e3, is the last one."""

FLAT = 1e-9
"""Curvature below this share of the largest counts as none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Minimum:
    """Where an optimisation ended.

    Attributes
    ----------
    point
        θ, (k,).
    value
        The function there.
    gradient_norm
        Largest absolute gradient entry.
    decrement
        `½ g'|H|⁻¹g`: what another Newton step would still gain.
    eigenvalues
        Of the Hessian, ascending, (k,).
    evaluations
        Function calls.
    """

    point: Array
    value: float
    gradient_norm: float
    decrement: float
    eigenvalues: Array
    evaluations: int

    @property
    def certified(self) -> bool:
        """Nothing left to gain, and no direction of negative curvature."""
        largest = max(1.0, float(np.abs(self.eigenvalues).max(initial=0.0)))
        return self.decrement <= 1e-8 and bool(self.eigenvalues.min(initial=0.0) >= -1e-6 * largest)


def minimise(function: Function, start: Array, *, limit: int = 120) -> Minimum:
    """A local minimum from `start`; not finding one within `limit` calls is a value, not an error.

    Parameters
    ----------
    function
        Value, gradient (k,) and Hessian (k, k); a value of infinity refuses a point.
    start
        Where to begin, (k,), finite there.
    limit
        Function calls at most.
    """
    point = np.asarray(start, dtype=float)
    value, gradient, hessian = function(point)
    if not np.isfinite(value):
        eigenvalues = np.full(len(point), np.nan)
        return Minimum(
            point=point, value=value, gradient_norm=np.inf, decrement=np.inf, eigenvalues=eigenvalues, evaluations=1
        )
    calls, radius = 1, max(1.0, float(np.linalg.norm(point)))
    values, vectors = np.linalg.eigh(hessian)
    while True:
        step, promised, last = _step(values, vectors, gradient, radius, value)
        if calls >= limit or not step.any():
            break
        trial = function(point + step)
        calls += 1
        gain = value - trial[0]
        if last:
            # Below the rounding of the value only the gradient can tell whether the step was good.
            if not np.abs(trial[1]).max() <= np.abs(gradient).max():
                break
        elif not gain > 1e-4 * promised:
            radius = 0.25 * float(np.linalg.norm(step))
            if radius < 1e-12 * max(1.0, float(np.linalg.norm(point))):
                break
            continue
        elif gain > 0.75 * promised:
            radius = max(radius, 2.5 * float(np.linalg.norm(step)))
        point = point + step
        value, gradient, hessian = trial
        values, vectors = np.linalg.eigh(hessian)
        if last:
            break
    along = vectors.T @ gradient
    size = np.maximum(np.abs(values), FLAT * max(1.0, float(np.abs(values).max())))
    return Minimum(
        point=point,
        value=value,
        gradient_norm=float(np.abs(gradient).max()),
        decrement=float(0.5 * (along**2 / size).sum()),
        eigenvalues=values,
        evaluations=calls,
    )


def _step(values: Array, vectors: Array, gradient: Array, radius: float, level: float) -> tuple[Array, float, bool]:
    """Step, promised gain, and whether the gain is too small to be seen in the function's value."""
    largest = max(1e-8, float(np.abs(values).max()))
    size = np.maximum(np.abs(values), FLAT * largest)
    along = vectors.T @ gradient
    promised = float(0.5 * (along**2 / size).sum())
    downhill = values[0] < -1e-7 * largest
    if promised <= DECREMENT * (1.0 + abs(level) / 1e3):
        if not downhill:
            return -vectors @ (along / size), promised, True
        # A saddle point: any way along the negative curvature leads down.
        distance = min(radius, 0.1 * max(1.0, radius))
        return distance * vectors[:, 0], 0.5 * distance**2 * -values[0], False
    coefficients = along / size
    if np.linalg.norm(coefficients) > radius:
        shift = _shift(along, size, radius)
        coefficients = along / (size + shift)
        promised = float((along * coefficients).sum() - 0.5 * (values * coefficients**2).sum())
    return -vectors @ coefficients, promised, False


def _shift(along: Array, size: Array, radius: float) -> float:
    """The shift λ with ‖along / (size + λ)‖ = radius, by Newton on the secular equation."""
    shift = 0.0
    for _ in range(30):
        coefficients = along / (size + shift)
        norm = float(np.linalg.norm(coefficients))
        if norm <= radius * 1.01:
            break
        derivative = float((coefficients**2 / (size + shift)).sum()) / norm
        shift += (norm / radius) * (norm - radius) / derivative
    return shift
