"""Many responses on one design: all optima at once.

With two levels and independent residuals the replicates take their Newton steps together, from one step of scoring
that is nearly the optimum. Those that end on the boundary go through the same other starts as in `solve`, together
too. Whoever does not arrive, and every other structure, is left to `solve`, with moments that share all but the
response.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from dyadline.engine.boundary import descent
from dyadline.engine.covariance import Level
from dyadline.engine.descent import Ends, Mask, descend, factors, free_entries
from dyadline.engine.forms import Rows
from dyadline.engine.moments import LARGEST_CELLS, Array, Index
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
from dyadline.engine.settle import settle
from dyadline.engine.shared import Shared, centred, shared
from dyadline.engine.simultaneous import Responses, first_estimates
from dyadline.engine.solutions import Solutions
from dyadline.engine.solve import FEW, NO_RESIDUAL, Problem

AT_ONCE = 128
"""Replicates that are worked on together, at most."""

CACHE = 2 * 2**20
"""Bytes of their dyads' lines, beyond which fewer are: they should stay in the processor's cache."""

FAR = 1e4
"""A coefficient's variance, relative to that at the common point, beyond which the common columns are not exact."""

PLAIN = 1e-3
"""An optimum is plainly in the interior if no direction of random effects has a smaller relative SD."""


def solve_many(
    problem: Problem,
    rows: Rows,
    responses: Array,
    *,
    accumulated: Accumulated | None = None,
    at_once: int | None = None,
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
        Replicates that are worked on together; by the size of the design unless said.
    """
    moments = problem.moments
    result = Solutions.unsolved(moments.n_fixed, problem.structure.parts[-1].stop, responses.shape[1])
    at_once = at_once or max(16, min(AT_ONCE, CACHE // (8 * moments.n_groups * max(1, moments.n_random))))
    design = residuals(moments, rows)
    chunks = range(0, responses.shape[1], at_once)
    if simultaneous(problem):
        parts = (replicates(design, np.ascontiguousarray(responses[:, k : k + at_once])) for k in chunks)
        _solve_together(result, problem, parts, at_once)
        return result.finished()
    for begin in chunks:
        here = np.ascontiguousarray(responses[:, begin : begin + at_once])
        for number, one in enumerate(one_by_one(moments, design, here, accumulated)):
            result.write_alone(begin + number, problem, one)
    return result.finished()


def simultaneous(problem: Problem) -> bool:
    """Whether replicates of a problem can be worked on together."""
    moments = problem.moments
    q, p = moments.n_random, moments.n_fixed
    two_levels = moments.upper is None and moments.forms is None
    products = len(moments.counts) * q * (q + 1) * p * (p + 1) // 4
    return two_levels and moments.n_rows > p and 8 * products <= LARGEST_CELLS


Waiting = list[tuple[Index, Replicates, Ends]]
"""Replicates in doubt: their numbers, their cross-products and where they ended first."""


def _solve_together(result: Solutions, problem: Problem, parts: Iterable[Replicates], at_once: int) -> None:
    """Write all replicates; those that do not end plainly in the interior wait until there are enough of them."""
    moments, level = problem.moments, problem.structure.levels[0]
    few = moments.n_groups < FEW * moments.n_random + moments.n_fixed
    common: Shared | None = None
    waiting: Waiting = []
    begin = 0
    for known in parts:
        varying = known.within[-1] > NO_RESIDUAL * known.total[-1]
        for number in np.flatnonzero(~varying).tolist():
            result.write_alone(begin + number, problem, with_response(moments, known, number))
        numbers = begin + np.flatnonzero(varying)
        begin += known.size
        known = known[np.flatnonzero(varying)]
        if not known.size:
            continue
        common = common or _common(problem, known)
        posed = Responses(design=common, centred=centred(common, known.lines, known.within))
        start = np.moveaxis(first_estimates(common, posed.centred), -1, 0)
        start = inside(np.where(np.isfinite(start).all(axis=(1, 2), keepdims=True), start, common.relative))
        ends = descend(posed, free_entries(level, start))
        sure = plain(level, ends) & ~_far(ends) if not few else np.zeros(known.size, dtype=bool)
        certain, doubtful = np.flatnonzero(sure), np.flatnonzero(~sure)
        result.write(numbers[certain], level, ends[certain], common.root)
        waiting.append((numbers[doubtful], known[doubtful], ends[doubtful]))
        if sum(part.size for part, _, _ in waiting) >= at_once:
            _settle(result, problem, common, waiting)
            waiting = []
    if common is not None:
        _settle(result, problem, common, waiting)


def _common(problem: Problem, known: Replicates) -> Shared:
    """A design at a point near the optima: the median of moment estimates, then of steps from there."""
    level = problem.structure.levels[0]
    middle = np.median(moment_estimates(problem.moments, level, known), axis=0)
    common = shared(problem.moments, level, problem.method, inside(middle[None])[0])
    for _ in range(10):
        steps = first_estimates(common, centred(common, known.lines, known.within))
        steps = steps[:, :, np.isfinite(steps).all(axis=(0, 1))]
        if not steps.shape[2]:
            break
        before, after = common.relative, inside(np.median(steps, axis=2)[None])[0]
        common = shared(problem.moments, level, problem.method, after)
        if np.trace(np.linalg.solve(before, after)) < 2 * len(after) < 4 * np.trace(np.linalg.solve(after, before)):
            break
    return common


def _settle(result: Solutions, problem: Problem, common: Shared, waiting: Waiting) -> None:
    """Replicates in doubt: the other starts of `solve`, and what ends on the boundary made exactly singular."""
    structure, level = problem.structure, common.level
    numbers = np.concatenate([np.empty(0, dtype=np.intp), *(part for part, _, _ in waiting)])
    if not numbers.size:
        return
    known = Replicates.together([part for _, part, _ in waiting])
    ends = Ends.together([part for _, _, part in waiting])
    posed = Responses(design=common, centred=centred(common, known.lines, known.within))
    edge = settle(posed, ends, free_entries(level, moment_estimates(problem.moments, level, known)), structure)
    near = np.flatnonzero(ends.arrived & ~_far(ends))
    result.write(numbers[near], level, ends[near], common.root)
    for i in edge:
        result.singular[numbers[i]] = True
        result.converged[numbers[i]] &= descent(structure, ends.theta[i], ends.gradient[i]) >= -1e-4
    for i in np.setdiff1d(np.arange(known.size), near).tolist():
        result.write_alone(int(numbers[i]), problem, with_response(problem.moments, known, i))


def plain(level: Level, ends: Ends) -> Mask:
    """Replicates that arrived in the interior, without doubt."""
    arrived = ends.arrived
    factor = factors(level, np.where(arrived[:, None], ends.theta, 0.0))
    values = np.linalg.eigvalsh(factor @ factor.swapaxes(-1, -2))
    return np.asarray(arrived & (values[:, 0] > PLAIN**2 * np.maximum(1.0, values[:, -1])))


def _far(ends: Ends) -> Mask:
    """Replicates too far from the common point for its columns."""
    sizes = np.einsum("rcc->rc", ends.inverse)
    return np.asarray((sizes.min(axis=1) < 1.0 / FAR) | (sizes.max(axis=1) > FAR))
