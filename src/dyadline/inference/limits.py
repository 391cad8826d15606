"""Where the profile of one parameter rises by a given height above the optimum.

The profile of a parameter at c is the lowest criterion with it held at c. Limits are sought on scales on which
profiles are nearly parabolas: log SD, artanh of a correlation, coefficients as they are.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dyadline.engine.covariance import Level
from dyadline.engine.criterion import evaluate
from dyadline.engine.moments import Array
from dyadline.engine.residual import Autoregressive, CompoundSymmetry
from dyadline.inference.constraint import (
    Constraint,
    LogVariance,
    block_of,
    free,
    lowest,
    named,
    standardised,
    units,
)
from dyadline.model.fit import Fit

Limits = tuple[float, float]

Profile = Callable[[float, Array], tuple[float, Array]]
"""The profile's height above the optimum at a value, and x there, from an x nearby."""

RIM = 40.0
"""The artanh of a correlation that is ±1 but for rounding."""

MOST_STEPS = 200.0
"""How far from the estimate a limit is sought, in first steps (0.3 of a log SD, a standard error)."""


def fixed_limits(fit: Fit, number: int, height: float) -> Limits:
    """Of a fixed effect, under ML whatever the fit's method."""
    made, place = fit.design, standardised(fit)
    optimum, x = fit.solution.evaluation.criterion("ML"), fit.solution.theta
    if fit.method == "REML":
        optimum, x = lowest(made.moments, place, "ML", free(len(x)), x)
    found = evaluate(made.moments, made.structure, x)
    weights = made.to_fixed[number]
    shift = made.response_shift if number in made.constant else 0.0
    centre = made.response_scale * float(weights @ found.beta) + shift
    step = made.response_scale * float(np.sqrt(found.variance("ML") * weights @ found.inverse @ weights))
    directions = np.linalg.qr(weights[:, None], mode="complete")[0][:, 1:]

    def profile(value: float, near: Array) -> tuple[float, Array]:
        at = weights * ((value - shift) / made.response_scale / float(weights @ weights))
        whole = free(len(near))
        held = Constraint(offset=whole.offset, embedding=whole.embedding, fixed=(at, directions))
        criterion, x = lowest(made.moments, place, "ML", held, near)
        return criterion - optimum, x

    return _reached(profile, centre, x, -step, height), _reached(profile, centre, x, step, height)


def deviation_limits(fit: Fit, level: int, effect: int, height: float) -> Limits:
    """Of a random effect's SD; zero where the data allow that it does not vary."""
    made, (one, part) = fit.design, (fit.design.structure.levels[level], fit.design.structure.parts[level])
    coordinates = named(fit, level, (effect,))
    x = coordinates.x(fit.solution.relative, fit.solution.theta[: made.structure.residual.size])
    begin = block_of(one.blocks, effect).start
    first = part.start + _position(one, begin, begin)
    unit = made.response_scale * float(units(made.groupings[level].to_random)[effect])
    optimum = fit.solution.evaluation.criterion(fit.method)
    sigma = float(np.sqrt(fit.solution.evaluation.variance(fit.method)))

    def profile(log_sd: float, near: Array) -> tuple[float, Array]:
        near = near.copy()
        # At a σ near that of the neighbour, so that the start is about as good.
        near[first] = np.exp(log_sd) / unit / sigma
        link = _tied(2.0 * (log_sd - np.log(unit)), first)
        whole = free(len(near))
        held = Constraint(offset=whole.offset, embedding=whole.embedding, log_variance=link, positive=(int(first),))
        criterion, found = lowest(made.moments, coordinates, fit.method, held, near)
        return criterion - optimum, found

    centre = np.log(unit * sigma * max(abs(x[first]), 1e-3))
    still = lowest_without(fit, level, effect) - optimum
    low = 0.0 if still <= height else float(np.exp(_reached(profile, centre, x, -0.3, height)))
    return low, float(np.exp(_reached(profile, centre, x, 0.3, height)))


def lowest_without(fit: Fit, level: int, effect: int) -> float:
    """The criterion's minimum with one random effect's variance at zero."""
    made, one = fit.design, fit.design.structure.levels[level]
    coordinates = named(fit, level, (effect,))
    x = coordinates.x(fit.solution.relative, fit.solution.theta[: made.structure.residual.size])
    part = made.structure.parts[level]
    block = block_of(one.blocks, effect)
    factor = one.factor(x[part])
    rest = slice(block.start + 1, block.stop)
    upper = np.asarray(np.linalg.qr(factor[rest, block].T, mode="r"))
    factor[rest, rest] = upper.T
    factor[block, block.start] = 0.0
    rows, columns = one.entries
    x[part] = factor[rows, columns]
    kept = np.setdiff1d(np.arange(len(x)), part.start + np.flatnonzero(columns == block.start))
    held = Constraint(offset=np.zeros(len(x)), embedding=np.eye(len(x))[:, kept])
    return lowest(made.moments, coordinates, fit.method, held, x[kept])[0]


def correlation_limits(fit: Fit, level: int, pair: tuple[int, int], height: float) -> Limits:
    """Of the correlation of two random effects; ±1 where the data allow it."""
    made, (one, part) = fit.design, (fit.design.structure.levels[level], fit.design.structure.parts[level])
    optimum = fit.solution.evaluation.criterion(fit.method)
    if any(lowest_without(fit, level, effect) - optimum <= height for effect in pair):
        return -1.0, 1.0  # an effect that may not vary may correlate anyhow
    coordinates = named(fit, level, pair)
    x = coordinates.x(fit.solution.relative, fit.solution.theta[: made.structure.residual.size])
    begin = block_of(one.blocks, pair[0]).start
    across = part.start + _position(one, begin + 1, begin)
    own = part.start + _position(one, begin + 1, begin + 1)
    kept = np.setdiff1d(np.arange(len(x)), [across])
    offset = np.zeros(len(x))
    # A factor that changed its sign would turn the correlation's.
    positive = tuple(int(n) for n in np.searchsorted(kept, [part.start + _position(one, begin, begin), own]))

    def profile(t: float, near: Array) -> tuple[float, Array]:
        embedding = np.eye(len(near))
        embedding[across, own], embedding[own, own] = np.tanh(t), 1.0 / np.cosh(min(abs(t), 700.0))
        if np.isinf(t):
            embedding[own, own] = 0.0
        start = near.copy()
        start[own] = np.hypot(near[across], near[own])
        held = Constraint(offset=offset, embedding=embedding[:, kept], positive=positive)
        criterion, found = lowest(made.moments, coordinates, fit.method, held, start[kept])
        return criterion - optimum, found

    with np.errstate(divide="ignore"):
        centre = float(np.clip(np.arcsinh(x[across] / abs(x[own])), -RIM, RIM))
    limits = []
    for side in (-1.0, 1.0):
        allowed = profile(side * np.inf, x)[0] <= height
        limits.append(side if allowed else float(np.tanh(_reached(profile, centre, x, side * 0.3, height))))
    return limits[0], limits[1]


def residual_deviation_limits(fit: Fit, number: int, height: float) -> Limits:
    """Of a residual SD; `number` counts the residual's levels, 0 the reference."""
    made, place = fit.design, standardised(fit)
    optimum, x = fit.solution.evaluation.criterion(fit.method), fit.solution.theta
    unit = made.response_scale

    def profile(log_sd: float, near: Array) -> tuple[float, Array]:
        link = _plain(2.0 * (log_sd - np.log(unit)), number - 1)
        whole = free(len(near))
        held = Constraint(offset=whole.offset, embedding=whole.embedding, log_variance=link)
        criterion, found = lowest(made.moments, place, fit.method, held, near)
        return criterion - optimum, found

    ratio = float(x[number - 1]) / 2.0 if number else 0.0
    centre = float(np.log(fit.sigma)) + ratio
    low, high = (float(np.exp(_reached(profile, centre, x, step, height))) for step in (-0.1, 0.1))
    return low, high


def residual_correlation_limits(fit: Fit, height: float) -> Limits:
    """Of the residuals' correlation, the last of η."""
    made, place, residual = fit.design, standardised(fit), fit.design.structure.residual
    optimum, x = fit.solution.evaluation.criterion(fit.method), fit.solution.theta
    number = residual.size - 1
    kept = np.setdiff1d(np.arange(len(x)), [number])

    def profile(eta: float, near: Array) -> tuple[float, Array]:
        offset = np.zeros(len(near))
        offset[number] = eta
        held = Constraint(offset=offset, embedding=np.eye(len(near))[:, kept])
        criterion, found = lowest(made.moments, place, fit.method, held, near[kept])
        return criterion - optimum, found

    def natural(eta: float) -> float:
        if isinstance(residual, Autoregressive | CompoundSymmetry):
            with np.errstate(over="ignore", under="ignore"):
                return residual.correlation(eta)
        return float(np.tanh(eta))

    centre = float(x[number])
    ends = [natural(_reached(profile, centre, x, side * 0.2, height)) for side in (-1.0, 1.0)]
    return min(ends), max(ends)


def _position(level: Level, row: int, column: int) -> int:
    rows, columns = level.entries
    return int(np.flatnonzero((rows == row) & (columns == column))[0])


def _tied(constant: float, index: int) -> LogVariance:
    """log σ² = constant − 2 log|x_index|: the SD that x is relative to σ is held."""

    def link(x: Array) -> tuple[float, Array, Array]:
        gradient, hessian = np.zeros(len(x)), np.zeros((len(x), len(x)))
        gradient[index], hessian[index, index] = -2.0 / x[index], 2.0 / x[index] ** 2
        return constant - 2.0 * float(np.log(abs(x[index]))), gradient, hessian

    return link


def _plain(constant: float, index: int) -> LogVariance:
    """log σ² = constant − x_index, or the constant alone for −1: a residual SD is held."""

    def link(x: Array) -> tuple[float, Array, Array]:
        gradient = np.zeros(len(x))
        if index >= 0:
            gradient[index] = -1.0
        return constant + float(gradient @ x), gradient, np.zeros((len(x), len(x)))

    return link


def _reached(profile: Profile, centre: float, x: Array, step: float, height: float) -> float:
    """Where the profile has the height, in the direction of the step; infinite if it has not within reach."""
    from scipy.optimize import brentq

    target = float(np.sqrt(height))
    near = x
    known = {centre: -target}

    def beyond(value: float) -> float:
        nonlocal near
        if value not in known:
            found, there = profile(value, near)
            if found <= height:
                near = there  # never a start from outside, where variances may have gone to zero
            else:
                found = min(found, profile(value, x)[0])
            known[value] = float(np.sqrt(max(found, 0.0))) - target
        return known[value]

    inside, outside = centre, centre + step
    while abs(outside - centre) <= MOST_STEPS * abs(step):
        if beyond(outside) >= 0.0:
            return float(brentq(beyond, inside, outside, xtol=1e-8 * abs(step), rtol=1e-12))
        # A profile's root is nearly a straight line: aim a little beyond where it would have the height.
        reach = (outside - centre) * 1.1 * target / max(target + known[outside], 0.3 * target)
        inside, outside = outside, centre + reach
    return float(np.copysign(np.inf, step))
