"""The number of dyads with a given power, found by simulations that are placed where they tell most."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from dyadline.errors import PlanError, whole_number
from dyadline.studies.power.probit import fieller, probit_line

Evaluate = Callable[[int, int, int], tuple[int, int]]
"""``evaluate(n, begin, count)``: rejections and trials among the replicates begin … begin + count − 1 with n dyads."""

Status = Literal["found", "imprecise", "below", "above"]

NEAR = 1.25
"""Sample sizes within this factor of the estimate are fitted; those further away only say where to look."""

SPREAD = 1.15
"""New simulations are placed so many times above and below the estimate: near enough that a straight line between them
is as good as any curve, and far enough to hold its slope."""

SAME = 1.03
"""A sample size within this factor of one that was simulated already is not a new one."""

STRIDE = 4.0
"""A step goes at most so many times beyond what was simulated."""

PRIOR_SD = 2.0
"""Of the curve's value at n = 0, where the test rejects in α/2 of studies: wide, for the first rounds."""

DECIDED = 4.0
"""Standard errors between the goal and the power at an end of the range that end the search there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Needed:
    """How many dyads a power needs.

    Attributes
    ----------
    n
        Smallest whole number whose fitted power reaches the goal; an end of the range where `status` is ``"below"`` or
        ``"above"``.
    n_low, n_high
        95 % interval of that whole number; 0 and infinity where nothing bounds it.
    goal
        The power.
    replicates
        Studies that were simulated.
    status
        ``"found"``; ``"imprecise"``: as many replicates as were allowed, and the interval still wider than asked for;
        ``"below"``: even the smallest sample size has more power; ``"above"``: even the largest has less.
    points
        Sample size, rejections and trials of everything that was simulated, by sample size.
    """

    n: int
    n_low: float
    n_high: float
    goal: float
    replicates: int
    status: Status
    points: tuple[tuple[int, int, int], ...]


def needed(
    evaluate: Evaluate,
    *,
    goal: float = 0.8,
    alpha: float = 0.05,
    low: int,
    high: int,
    tolerance: float = 0.05,
    most: int = 20_000,
    first: int = 200,
) -> Needed:
    """Search the number of dyads with which a test has a given power.

    The power of a z test is Φ(δ√n − z₁₋α/2), so that power as a probit is nearly a straight line in √n. Rounds of
    simulations are placed 15 % above and below the n at which the line that was fitted so far reaches the goal, and
    only sample sizes near it are fitted in the end: another shape of the curve further away does not matter. The
    interval is Fieller's, and the search ends when its half width is at most `tolerance` · n.

    Parameters
    ----------
    evaluate
        ``evaluate(n, begin, count)`` gives the rejections and trials among the replicates begin … begin + count − 1
        with n dyads. It is asked for each replicate once; begin counts for each n from 0. Trials may be fewer than
        count where replicates have no answer and are not to count.
    goal
        Power, above `alpha` and below 1.
    alpha
        Level of the test.
    low, high
        Smallest and largest number of dyads that come into question.
    tolerance
        Half width of the 95 % interval, as a share of n. The interval's ends are then rounded up, as n
        is.
    most
        Replicates at most.
    first
        Replicates of the first round, and per sample size at least.

    Returns
    -------
    Needed

    Raises
    ------
    PlanError
        Numbers that are out of range.

    Notes
    -----
    Other searches of this kind: stochastic root finding by probabilistic bisection (Waeber et al., 2013; Chalmers,
    2024) and with surrogate models (Zimmer & Debelak, 2023).

    References
    ----------
    Chalmers, R. P. (2024). Solving variables with Monte Carlo simulation experiments: A stochastic root-solving
    approach. Psychological Methods.
    Fieller, E. C. (1954). Some problems in interval estimation. Journal of the Royal Statistical Society, Series B, 16,
    175–185.
    Waeber, R., Frazier, P. I., & Henderson, S. G. (2013). Bisection search with noisy responses. SIAM Journal on
    Control and Optimization, 51, 2261–2279.
    Zimmer, F., & Debelak, R. (2023). Simulation-based design optimization for statistical power: Utilizing machine
    learning. Psychological Methods. https://doi.org/10.1037/met0000611
    """
    low, high = checked_range(goal=goal, alpha=alpha, low=low, high=high, tolerance=tolerance)
    first = whole_number(first, "The number of replicates of the first round", 1)
    most = whole_number(most, "The largest number of replicates", first)
    search = _Search(evaluate, goal, alpha)
    center = math.sqrt(low * high)
    plan = {round(center): first}
    while True:
        for n, count in plan.items():
            search.simulate(n, count)
        if search.differs(low) > DECIDED:
            return search.ended(low, 0.0, low, "below")
        if search.differs(high) < -DECIDED:
            return search.ended(high, high, math.inf, "above")
        crossing = search.crossing(center, least=2 * first)
        width = (crossing.high - crossing.low) / (2.0 * tolerance * crossing.n)
        precise = crossing.local and width <= 1.0
        if precise or search.replicates >= most:
            n = math.ceil(crossing.n)
            ends = (_whole(crossing.low), _whole(crossing.high))
            if precise and not low <= n <= high:
                return search.ended(min(max(n, low), high), *ends, "below" if n < low else "above")
            return search.ended(min(max(n, low), high), *ends, "found" if precise else "imprecise")
        center = min(max(crossing.n, low), high)
        more = crossing.trials * (width**2 - 1.0) * 1.1 if crossing.local else 0.0
        more = min(max(more, 2.0 * first), 2.0 * search.replicates, most - search.replicates)
        plan = search.placed(center, low, high, max(1, math.ceil(more / 2.0)), most)


def checked_range(*, goal: float, alpha: float, low: int, high: int, tolerance: float) -> tuple[int, int]:
    """The range of a search; arguments and errors as in `needed`."""
    low = whole_number(low, "The smallest number of dyads", 1)
    high = whole_number(high, "The largest number of dyads", low + 1)
    if not 0.0 < alpha < goal < 1.0:
        raise PlanError(
            f"The power that is sought lies between the level of the test, {alpha:g}, and 1, not at {goal:g}"
        )
    if not 0.0 < tolerance < 1.0:
        raise PlanError(f"The precision is a share of n between 0 and 1, not {tolerance:g}")
    return low, high


class _Crossing(NamedTuple):
    """Where the fitted power reaches the goal: n with its interval, the trials behind it, and whether they are near."""

    n: float
    low: float
    high: float
    trials: int
    local: bool


class _Search:
    """What was simulated."""

    def __init__(self, evaluate: Evaluate, goal: float, alpha: float) -> None:
        from scipy.special import ndtri

        self.evaluate, self.goal = evaluate, goal
        self.probit, self.origin = float(ndtri(goal)), float(ndtri(alpha / 2.0))
        self.asked: dict[int, int] = {}
        self.counts: dict[int, tuple[int, int]] = {}

    @property
    def replicates(self) -> int:
        return sum(self.asked.values())

    def simulate(self, n: int, count: int) -> None:
        begin = self.asked.get(n, 0)
        rejections, trials = self.evaluate(n, begin, count)
        before = self.counts.get(n, (0, 0))
        self.asked[n] = begin + count
        self.counts[n] = (before[0] + rejections, before[1] + trials)

    def differs(self, n: int) -> float:
        """Standard errors by which the share of rejections with n dyads lies above the goal."""
        rejections, trials = self.counts.get(n, (0, 0))
        return (rejections - trials * self.goal) / math.sqrt(max(trials, 1) * self.goal * (1.0 - self.goal))

    def placed(self, center: float, low: int, high: int, count: int, most: int) -> dict[int, int]:
        """The next two sample sizes and their numbers of replicates."""
        plan: dict[int, int] = {}
        for wanted in (center * SPREAD, center / SPREAD):
            n = min(max(round(wanted), low), high)
            known = min(self.asked, key=lambda other: abs(math.log(other / n)))
            if n not in (low, high) and max(known / n, n / known) <= SAME:
                n = known
            left = most - self.replicates - sum(plan.values())
            if left > 0:
                plan[n] = plan.get(n, 0) + min(count, left)
        return plan

    def crossing(self, center: float, *, least: int) -> _Crossing:
        """From the sample sizes near the center, or from all while those are few."""
        near = [n for n in self.counts if center / NEAR <= n <= center * NEAR]
        local = len(near) > 1 and sum(self.counts[n][1] for n in near) >= least
        used = sorted(near if local else self.counts)
        counts = np.array([self.counts[n] for n in used], dtype=float)
        rejections, trials = counts.T
        if not 0 < rejections.sum() < trials.sum():
            step = max(used) * STRIDE if not rejections.sum() else min(used) / STRIDE
            return _Crossing(step, 0.0, math.inf, int(trials.sum()), False)
        scale = math.sqrt(center)
        (a, b), covariance = probit_line(
            np.sqrt(used) / scale, rejections, trials, origin=self.origin, origin_sd=PRIOR_SD
        )
        least_n, most_n = min(used) / STRIDE, max(used) * STRIDE
        n = (scale * (self.probit - a) / b) ** 2 if b > 0.0 and a < self.probit else most_n if b <= 0.0 else least_n
        low, high = fieller(a - self.probit, b, covariance)
        inside = local and min(used) / SPREAD <= n <= max(used) * SPREAD
        return _Crossing(
            min(max(n, least_n), most_n), (scale * low) ** 2, (scale * high) ** 2, int(trials.sum()), inside
        )

    def ended(self, n: int, n_low: float, n_high: float, status: Status) -> Needed:
        points = tuple((n, *self.counts[n]) for n in sorted(self.counts))
        return Needed(
            n=n, n_low=n_low, n_high=n_high, goal=self.goal, replicates=self.replicates, status=status, points=points
        )


def _whole(end: float) -> float:
    """An end of the interval of the smallest whole number."""
    return float(math.ceil(end)) if math.isfinite(end) else end
