"""Many responses on one design: all optima at once.

With two levels and independent residuals the replicates take their Newton steps together, from one step of scoring
that is nearly the optimum. Those that end on the boundary go through the same other starts as in `solve`, together
too. Whoever does not arrive, and every other structure, is left to `solve`, with moments that share all but the
response.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from dyadline.engine.covariance import Structure
from dyadline.engine.descent import Ends, descend, factors, free_entries
from dyadline.engine.forms import Rows
from dyadline.engine.moments import LARGEST_CELLS, Array, Index, Moments
from dyadline.engine.replicates import (
    Accumulated,
    Replicates,
    inside,
    moment_estimates,
    one_by_one,
    replicates,
    residuals,
    with_response,
)
from dyadline.engine.shared import Centred, Shared, centred, shared
from dyadline.engine.simultaneous import first_estimates
from dyadline.engine.solve import (
    NO_RESIDUAL,
    TIE,
    Problem,
    _blocks,
    _on_boundary,
    _starts,
    _still,
    solve,
)
from dyadline.errors import FitError

AT_ONCE = 128
"""Replicates whose arrays are worked on together: they should stay in the processor's cache."""

FEW = 10
"""With fewer dyads than this per random effect, beyond one per fixed effect, optima may be several."""

FAR = 1e4
"""A variance that differs from that at the common point by more than this factor is too far from it for its columns."""

PLAIN = 1e-3
"""An optimum is plainly in the interior if no direction of random effects has a smaller relative SD."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Solutions:
    """Optima of R responses. Without an answer (no variation): all numbers NaN, not converged.

    Attributes
    ----------
    theta
        (R, k).
    beta
        (R, p).
    inverse
        (X'V⁻¹X)⁻¹, V relative to σ², (R, p, p).
    rss, d_rss, dd_rss
        r'V⁻¹r and its derivatives in the entries, (R,), (R, k) and (R, k, k).
    criterion
        Profiled, (R,).
    converged, singular
        As `Solution` has them, (R,).
    """

    theta: Array
    beta: Array
    inverse: Array
    rss: Array
    d_rss: Array
    dd_rss: Array
    criterion: Array
    converged: NDArray[np.bool_]
    singular: NDArray[np.bool_]


def solve_many(
    problem: Problem,
    rows: Rows,
    responses: Array,
    *,
    accumulated: Accumulated | None = None,
    at_once: int = AT_ONCE,
) -> Solutions:
    """Find the optimum of each response on one design.

    Parameters
    ----------
    problem
        The design with some response.
    rows
        Rows of the design.
    responses
        (n, R), finite, standardised, in the order of the rows.
    accumulated
        Cross-products of rows under the residual's forms, where it has any.
    at_once
        Replicates that are worked on together.
    """
    result = _empty(problem, responses.shape[1])
    design = residuals(problem.moments, rows)
    common: Shared | None = None
    for begin in range(0, responses.shape[1], at_once):
        here = np.ascontiguousarray(responses[:, begin : begin + at_once])
        if not simultaneous(problem):
            for number, moments in enumerate(one_by_one(problem.moments, design, here, accumulated)):
                _solve_alone(result, begin + number, problem, moments)
            continue
        known = replicates(design, here)
        varying = np.flatnonzero(known.within[-1] > NO_RESIDUAL * known.total[-1])
        if common is None and varying.size:
            common = _common(problem, known, varying)
        if common is not None:
            _solve_together(result, begin, common, problem, known, varying)
        for left in np.flatnonzero(np.isnan(result.criterion[begin : begin + here.shape[1]])).tolist():
            _solve_alone(result, begin + left, problem, with_response(problem.moments, known, left))
    for field in fields(result):
        getattr(result, field.name).flags.writeable = False
    return result


def simultaneous(problem: Problem) -> bool:
    """Whether replicates of a problem can be worked on together."""
    moments = problem.moments
    q, p = moments.n_random, moments.n_fixed
    two_levels = moments.upper is None and moments.forms is None
    products = len(moments.counts) * q * (q + 1) * p * (p + 1) // 4
    return two_levels and moments.n_rows > p and 8 * products <= LARGEST_CELLS


def _common(problem: Problem, known: Replicates, varying: Index) -> Shared:
    """A design at a point near the optima: the median of moment estimates, then of steps from there."""
    level = problem.structure.levels[0]
    lines, within = known.lines[:, :, varying], known.within[:, varying]
    middle = np.median(moment_estimates(problem.moments, level, known)[varying], axis=0)
    common = shared(problem.moments, level, problem.method, inside(middle[None])[0])
    for _ in range(10):
        steps = first_estimates(common, centred(common, lines, within))
        steps = steps[:, :, np.isfinite(steps).all(axis=(0, 1))]
        if not steps.shape[2]:
            break
        before, after = common.relative, inside(np.median(steps, axis=2)[None])[0]
        common = shared(problem.moments, level, problem.method, after)
        if np.trace(np.linalg.solve(before, after)) < 2 * len(after) < 4 * np.trace(np.linalg.solve(after, before)):
            break
    return common


def _solve_together(
    result: Solutions, begin: int, common: Shared, problem: Problem, known: Replicates, varying: Index
) -> None:
    """Write the replicates that arrive."""
    structure, moments = problem.structure, problem.moments
    responses = centred(common, known.lines[:, :, varying], known.within[:, varying])
    start = np.moveaxis(first_estimates(common, responses), -1, 0)
    start = inside(np.where(np.isfinite(start).all(axis=(1, 2), keepdims=True), start, common.relative))
    ends = descend(common, responses, free_entries(common.level, start))
    singular = np.zeros(varying.size, dtype=bool)
    descent = np.full(varying.size, np.inf)
    few = moments.n_groups < FEW * moments.n_random + moments.n_fixed
    doubtful = np.flatnonzero(~_plain(common, ends) | few)
    if doubtful.size:
        own = moment_estimates(moments, common.level, known)[varying[doubtful]]
        _restarted(ends, doubtful, common, responses[doubtful], free_entries(common.level, own))
        for theta in islice(_starts(problem), 1, None):
            same = np.repeat(theta[None], doubtful.size, axis=0)
            _restarted(ends, doubtful, common, responses[doubtful], same)
        arrived = doubtful[ends.arrived[doubtful]]
        edge = np.array([i for i in arrived if _on_boundary(structure, ends.theta[i])], dtype=np.intp)
        singular[edge] = True
        _snapped(ends, edge, common, responses[edge], structure)
        for number in edge:
            descent[number] = _descent(structure, ends.theta[number], ends.gradient[number])
    sizes = np.einsum("rcc->rc", ends.inverse)
    ends.value[(sizes.min(axis=1) < 1.0 / FAR) | (sizes.max(axis=1) > FAR)] = np.nan
    _write(result, begin + varying, common, ends, singular, descent)


def _plain(common: Shared, ends: Ends) -> NDArray[np.bool_]:
    """Replicates that arrived in the interior, without doubt."""
    arrived = ends.arrived
    factor = factors(common.level, np.where(arrived[:, None], ends.theta, 0.0))
    values = np.linalg.eigvalsh(factor @ factor.swapaxes(-1, -2))
    return np.asarray(arrived & (values[:, 0] > PLAIN**2 * np.maximum(1.0, values[:, -1])))


def _restarted(ends: Ends, doubtful: Index, common: Shared, responses: Centred, start: Array) -> None:
    """Try other starts, and keep what is lower."""
    other = descend(common, responses, start)
    which = np.flatnonzero(other.arrived & ~(other.value >= ends.value[doubtful] - TIE))
    ends.take(doubtful[which], other, which)


def _snapped(ends: Ends, edge: Index, common: Shared, responses: Centred, structure: Structure) -> None:
    """A D that is singular but for rounding is made exactly so, unless that costs anything."""
    if not edge.size:
        return
    points = []
    for theta in ends.theta[edge]:
        relative = [np.zeros((level.size, level.size)) for level in structure.levels]
        for number, block, values, vectors in _blocks(structure, theta):
            relative[number][block, block] = (vectors * np.where(_still(values), 0.0, values)) @ vectors.T
        point = structure.theta(relative)
        point[np.abs(point) < 1e-12] = 0.0
        points.append(point)
    other = descend(common, responses, np.stack(points))
    which = np.flatnonzero(other.arrived & (other.value <= ends.value[edge] + TIE))
    ends.take(edge[which], other, which)


def _descent(structure: Structure, theta: Array, gradient: Array) -> float:
    """Smallest eigenvalue of the gradient in D where D is null, as in `Solution`."""
    smallest = np.inf
    for number, block, values, vectors in _blocks(structure, theta):
        null = vectors[:, _still(values)]
        if null.size:
            matrix = structure.levels[number].gradient_matrix(gradient)[block, block]
            smallest = min(smallest, float(np.linalg.eigvalsh(null.T @ matrix @ null)[0]))
    return smallest


def _empty(problem: Problem, size: int) -> Solutions:
    p, k = problem.moments.n_fixed, problem.structure.parts[-1].stop
    shapes = ((k,), (p,), (p, p), (), (k,), (k, k), ())
    names = ("theta", "beta", "inverse", "rss", "d_rss", "dd_rss", "criterion")
    return Solutions(
        **{name: np.full((size, *shape), np.nan) for name, shape in zip(names, shapes, strict=True)},
        converged=np.zeros(size, dtype=bool),
        singular=np.zeros(size, dtype=bool),
    )


def _write(
    result: Solutions, numbers: Index, common: Shared, ends: Ends, singular: NDArray[np.bool_], descent: Array
) -> None:
    """Write the replicates that arrived, in the design's own columns and with Λ's diagonal positive."""
    which = np.flatnonzero(ends.arrived)
    at = numbers[which]
    rows, columns = common.level.entries
    diagonal = np.zeros((len(which), common.level.size))
    diagonal[:, rows[rows == columns]] = ends.theta[which][:, rows == columns]
    result.theta[at] = ends.theta[which] * np.where(diagonal < 0.0, -1.0, 1.0)[:, columns]
    result.beta[at] = ends.beta[which] @ common.root.T
    result.inverse[at] = common.root @ ends.inverse[which] @ common.root.T
    result.rss[at] = ends.rss[which]
    result.d_rss[at] = ends.d_rss[which]
    result.dd_rss[at] = ends.dd_rss[which]
    result.criterion[at] = ends.value[which]
    result.converged[at] = descent[which] >= -1e-4
    result.singular[at] = singular[which]


def _solve_alone(result: Solutions, number: int, problem: Problem, moments: Moments) -> None:
    """Solve one replicate by itself; one that has no answer stays empty."""
    try:
        found = solve(Problem(moments=moments, structure=problem.structure, method=problem.method))
    except FitError:
        return
    at = found.evaluation
    result.theta[number] = found.theta
    result.beta[number] = at.beta
    result.inverse[number] = at.inverse
    result.rss[number] = at.rss
    result.d_rss[number] = at.d_rss
    result.dd_rss[number] = at.dd_rss
    result.criterion[number] = at.criterion(problem.method)
    result.converged[number] = found.converged
    result.singular[number] = found.singular
