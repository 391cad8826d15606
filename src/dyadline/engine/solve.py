"""From moments to the optimum, with its certificate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np

from dyadline.engine.boundary import descent, made_singular, on_boundary
from dyadline.engine.covariance import Level, Structure
from dyadline.engine.criterion import Evaluation, Method, evaluate
from dyadline.engine.moments import Array, Moments, centred, pseudo_inverse
from dyadline.engine.optimize import Function, Minimum, minimise
from dyadline.errors import FitError

TIE = 1e-9
"""Criteria that differ by less are the same."""

FEW = 10
"""With fewer dyads than this per random effect, beyond one per fixed effect, optima may be several."""

SCATTERED = 8
"""Random starts of either kind in such small studies."""

LONGER = 1000
"""Evaluations for an end that is not certified after the usual number."""

FARTHEST = 1e8
"""Entries of θ beyond which nothing is computed: relative SDs so large mean that there is no residual."""

NO_RESIDUAL = 1e-13
"""A residual share of the total sum of squares below this is rounding, not variation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Data, covariance structure and method: what there is to solve."""

    moments: Moments
    structure: Structure
    method: Method


@dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """The optimum and how it was reached.

    Attributes
    ----------
    theta
        Residual parameters and free entries of each level's Λ, (k,).
    relative
        D = ΛΛ' of each level, (q, q), innermost first.
    evaluation
        The criterion's pieces and derivatives there.
    minimum
        Gradient, curvature and number of evaluations of the best run.
    descent
        Smallest eigenvalue of the criterion's gradient in D over the directions in which D is singular:
        below zero, a variance now at zero would want to grow. Infinite in the interior.
    singular
        A level's D is singular: a variance of zero or a correlation of ±1.
    starts
        Starting points tried.
    """

    theta: Array
    relative: tuple[Array, ...]
    evaluation: Evaluation
    minimum: Minimum
    descent: float
    singular: bool
    starts: int

    @property
    def converged(self) -> bool:
        """Nothing left to gain in any direction, boundary included."""
        return self.minimum.certified and self.descent >= -1e-4


class Goal:
    """What is minimised, and what an end of it means."""

    def __init__(self, problem: Problem) -> None:
        self.structure, self.method = problem.structure, problem.method
        self.moments = centred(problem.moments)
        self._latest: dict[bytes, Evaluation] = {}  # the optimum's pieces need not be computed again

    def function(self, theta: Array) -> tuple[float, Array, Array]:
        """The criterion with gradient and Hessian in θ; infinite where it cannot be computed."""
        refused = np.inf, np.full_like(theta, np.inf), np.eye(len(theta))
        if not np.abs(theta).max(initial=0.0) < FARTHEST:
            return refused
        try:
            found = evaluate(self.moments, self.structure, theta)
        except np.linalg.LinAlgError:
            return refused
        self._latest = {theta.tobytes(): found}
        if not found.rss > 0.0 or not np.isfinite(found.log_v):
            return refused
        value, gradient, hessian = found.profiled(self.method)
        return value, *self.structure.pull_back(theta, gradient, hessian)

    def solution(self, ended: Minimum, starts: int) -> Solution:
        """The solution that an end is, with its certificate."""
        point = ended.point
        found = self._latest.get(point.tobytes()) or evaluate(self.moments, self.structure, point)
        singular = on_boundary(self.structure, point)
        return Solution(
            theta=point,
            relative=self.structure.relative(point),
            evaluation=found,
            minimum=ended,
            descent=descent(self.structure, point, found.profiled(self.method)[1]) if singular else np.inf,
            singular=singular,
            starts=starts,
        )


def solve(problem: Problem, start: Array | None = None) -> Solution:
    """Find the best D, from a moment estimate first, from other starts where the end is not plain.

    Parameters
    ----------
    problem
        What to solve.
    start
        θ in the interior, (k,), known to be near the optimum: it takes the place of the moment estimate.

    Raises
    ------
    FitError
        If the rows leave no residual variation.
    """
    moments, structure = problem.moments, problem.structure
    goal = Goal(problem)
    function = goal.function
    _refuse_no_variation(problem)
    guesses = _guesses(problem)
    if start is not None:
        guesses[0] = start
    # With one block of random effects the first certified end inside has never been the wrong one in thousands of
    # simulated data sets; with several blocks or levels a second start, the lowest of the others, is needed.
    plain = len(structure.levels) == 1 and len(structure.levels[0].blocks) == 1
    few = moments.n_groups < FEW * moments.n_random + moments.n_fixed
    best: Minimum | None = None
    tried, enough = 0, len(guesses) + (not plain)
    for theta in chain(guesses, _lowest_first(structure, function), scattered(guesses[0]) if few else ()):
        ended = minimise(function, theta)
        tried += 1
        if best is None or _better(ended, best):
            best = ended
        if tried == enough and not few and best.certified and not on_boundary(structure, best.point):
            break
    assert best is not None
    if not best.certified:  # a long curved valley: more steps than usual
        longer = minimise(function, best.point, limit=LONGER)
        best = longer if _better(longer, best) or (longer.certified and longer.value <= best.value) else best
    best = _snapped(structure, function, best)
    found = goal.solution(best, starts=tried)
    _refuse_no_residual(problem, found.evaluation)
    return found


def _better(one: Minimum, other: Minimum) -> bool:
    """Lower; or as low, and certified where the other is not. A certificate never buys a worse value."""
    if one.certified and not other.certified:
        return one.value <= other.value + TIE
    return one.value < other.value - TIE


def _guesses(problem: Problem) -> list[Array]:
    """A moment estimate, with each η worth trying."""
    structure = problem.structure
    guess = [_moment_estimate(problem), *(0.1 * np.eye(level.size) for level in structure.levels[1:])]
    return [structure.theta(guess, eta) for eta in (None, *structure.residual.others)]


def shapes(structure: Structure) -> list[Array]:
    """Other places to start from: covariances of several sizes and shapes."""
    others = [
        structure.theta([share * np.eye(level.size) for level in structure.levels]) for share in (1.0, 0.1, 100.0)
    ]
    for number, level in enumerate(structure.levels):
        for effect in range(level.size if level.size > 1 else 0):
            sizes = [np.full(other.size, 0.05) for other in structure.levels]
            sizes[number][effect] = 1.0
            others.append(structure.theta([np.diag(size**2) for size in sizes]))
    if any(size > 1 for size in structure.levels[0].blocks):
        for shift in (0.25, -0.25):
            factors = [_leaning(level, shift) for level in structure.levels]
            others.append(np.concatenate([structure.residual.start, *factors]))
    return others


def _lowest_first(structure: Structure, function: Function) -> Iterator[Array]:
    # A generator: most fits never ask for another start.
    yield from sorted(shapes(structure), key=lambda theta: function(theta)[0])


def scattered(guess: Array) -> Iterator[Array]:
    """Starts of any size and shape, half of them in the proportions of the guess, (..., k).

    They are the same for every data set.
    """
    rng = np.random.default_rng(2020)
    for scale in np.logspace(-1.0, 2.5, SCATTERED):
        yield np.broadcast_to(scale * rng.standard_normal(guess.shape[-1]), guess.shape).copy()
        yield guess * rng.standard_normal(guess.shape[-1])


def _leaning(level: Level, shift: float) -> Array:
    """Free entries of a Λ whose effects all correlate one way."""
    rows, columns = level.entries
    return np.where(rows == columns, 0.3, shift)


def _moment_estimate(problem: Problem) -> Array:
    """D of the dyads from the spread of their least-squares lines, less what the lines' own errors explain."""
    moments, level = problem.moments, problem.structure.levels[0]
    q, p = moments.n_random, moments.n_fixed
    if q == 0:
        return np.zeros((0, 0))
    v = np.append(-np.linalg.solve(moments.total[:p, :p], moments.total[:p, p]), 1.0)
    values = np.linalg.eigvalsh(moments.gram)
    full = values[:, 0] > 1e-10 * np.maximum(values[:, -1], 1e-300)
    groups = float(moments.counts[full].sum())
    within = float(v @ moments.within @ v)
    freedom = moments.n_rows - q * groups - p
    if groups < q + 2 or freedom < 1 or within <= 0:
        return np.eye(q)
    sigma2 = within / freedom
    own = (moments.lines @ v)[full[moments.cell]]
    errors = np.tensordot(moments.counts[full], np.linalg.inv(moments.gram[full]), axes=1) / groups
    estimate = own.T @ own / groups / sigma2 - errors
    rows, columns = level.entries
    masked = np.zeros_like(estimate)
    masked[rows, columns] = estimate[rows, columns]
    masked[columns, rows] = estimate[rows, columns]
    values, vectors = np.linalg.eigh(masked)
    # Starting inside the cone: on its edge the gradient in Λ vanishes and says nothing.
    floor = max(1e-2, 1e-2 * float(values[-1]))
    return np.asarray((vectors * np.maximum(values, floor)) @ vectors.T)


def _snapped(structure: Structure, function: Function, found: Minimum) -> Minimum:
    """A D that is singular but for rounding is made exactly so, unless that costs anything."""
    if not on_boundary(structure, found.point):
        return found
    ended = minimise(function, made_singular(structure, found.point), limit=20)
    return ended if ended.value <= found.value + TIE else found


def _refuse_no_variation(problem: Problem) -> None:
    moments = problem.moments
    p = moments.n_fixed
    if moments.n_rows <= p:
        raise FitError(
            f"The model has {p} fixed effects but only {moments.n_rows} complete rows",
            way_out="Use fewer predictors or more data",
        )
    v = np.append(-np.linalg.solve(moments.total[:p, :p], moments.total[:p, p]), 1.0)
    scale = float(moments.total[p, p])
    if not scale > 0.0 or float(v @ moments.total @ v) <= NO_RESIDUAL * scale:
        raise FitError(
            "The fixed effects explain the outcome without any remainder, so there is nothing to model",
            way_out="Check whether the outcome is constant or a copy of a predictor",
        )
    _refuse_saturated(problem)


def _refuse_saturated(problem: Problem) -> None:
    """With as many effects as rows the likelihood has no maximum, or none that tells the residual."""
    moments = problem.moments
    p = moments.n_fixed
    values = np.linalg.eigvalsh(moments.gram) if moments.n_random else np.zeros((1, 0))
    ranks = (values > 1e-10 * np.maximum(values[:, -1:], 1e-300)).sum(axis=1)
    random = round(float(moments.counts @ ranks))
    within = moments.within[:p, :p]
    if moments.upper is not None:  # therapists' effects that the dyads' own do not span
        rest = moments.upper.rest
        q3 = rest.shape[1]
        own = rest[:, :, :q3]
        random += int((np.linalg.eigvalsh(own) > 1e-10 * np.abs(moments.upper.cross).max(initial=1.0)).sum())
        across = rest[:, :, q3 : q3 + p]
        within = within - np.einsum("hrc,hrs,hsd->cd", across, pseudo_inverse(own), across, optimize=True)
    left = np.linalg.eigvalsh(within / _sizes(moments.total[:p, :p]))
    fixed = int((left > 1e-9).sum())
    if moments.n_rows <= random + fixed:
        raise FitError(
            f"The random effects are as many as the rows leave room for ({random} effects, {fixed} more of the "
            f"predictors, {moments.n_rows} rows), so they cannot be told from the residual",
            way_out="Use fewer random effects: (1 | dyad) needs two rows in some dyads, (t | dyad) three",
        )


def _sizes(gram: Array) -> Array:
    """Products of the columns' lengths, by which cross-products become cosines."""
    lengths = np.sqrt(np.maximum(np.diag(gram), 1e-300))
    return np.outer(lengths, lengths)


def _refuse_no_residual(problem: Problem, evaluation: Evaluation) -> None:
    if evaluation.rss <= NO_RESIDUAL * float(problem.moments.total[-1, -1]) or not np.isfinite(evaluation.rss):
        raise FitError(
            "The random effects explain the outcome without any remainder, so there is no residual variance",
            way_out="Use fewer random effects, or check whether the outcome was computed from the time",
        )
