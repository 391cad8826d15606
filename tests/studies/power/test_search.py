"""The search for n: studies are Bernoulli draws from known power curves, so that the answer is known."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
from scipy import stats

from dyadline.errors import PlanError
from dyadline.studies.power.search import needed

SEARCHES = 200


class Study:
    """Replicates of a known power: the same replicate has the same answer whenever it is asked for."""

    def __init__(self, curve, seed=0):
        self.curve, self.seed = curve, seed
        self.asked: dict[int, list[tuple[int, int]]] = {}

    def __call__(self, n, begin, count):
        self.asked.setdefault(n, []).append((begin, count))
        draws = np.random.default_rng([self.seed, n]).random(begin + count)[begin:]
        return int((draws < self.curve(n)).sum()), count


def of_slope(beta):
    """Power of a slope from the noncentral F distribution."""

    @cache
    def curve(n):
        return float(stats.ncf.sf(stats.f.isf(0.05, 1, n - 2), 1, n - 2, n * beta**2 / (1 - beta**2)))

    return curve


def plateau(n):
    """A share of .05 of replicates that cannot reject."""
    return 0.95 * float(stats.norm.cdf(0.3 * math.sqrt(n) - 1.96))


def bent(n):
    """No probit: straight at the start, then flat."""
    return 0.05 + 0.9 * (1 - math.exp(-n / 100))


def first_with(curve, goal):
    return next(n for n in range(3, 10_000) if curve(n) >= goal)


@pytest.mark.parametrize(
    ("curve", "goal", "expected"),
    [
        (of_slope(0.4), 0.8, 44),
        (of_slope(0.3), 0.8, 82),
        (of_slope(0.2), 0.8, 191),
        (plateau, 0.8, 98),
        (bent, 0.8, 180),
    ],
    ids=["slope .4", "slope .3", "slope .2", "plateau", "bent"],
)
def test_the_interval_contains_the_known_n(curve, goal, expected):
    assert first_with(curve, goal) == expected
    found = [needed(Study(curve, seed), goal=goal, low=20, high=2000) for seed in range(SEARCHES)]
    assert all(one.status == "found" for one in found)
    inside = np.mean([one.n_low <= expected <= one.n_high for one in found])
    assert inside >= 0.95 - 4 * math.sqrt(0.05 * 0.95 / SEARCHES)
    # rounding each end up adds less than one dyad to the interval
    assert all((one.n_high - one.n_low - 1) / 2 <= 0.05 * one.n for one in found)
    off = np.mean([one.n for one in found]) - expected
    assert abs(off) <= 0.5 + 4 * 0.025 * expected / math.sqrt(
        SEARCHES
    )  # half widths of 5 % are standard errors of 2.5 %
    assert np.mean([one.replicates for one in found]) < 8000


def test_the_interval_is_not_wider_than_it_says():
    """The other side of coverage: estimates scatter as the intervals claim, within the error of an SD of 200."""
    found = [needed(Study(of_slope(0.1), seed), low=20, high=5000) for seed in range(SEARCHES)]
    z = [(one.n - 779) / ((one.n_high - one.n_low) / 2 / 1.96) for one in found]
    assert np.std(z) == pytest.approx(1.0, abs=4 / math.sqrt(2 * SEARCHES))


def test_a_finer_tolerance_is_kept_and_costs_its_square():
    coarse = needed(Study(of_slope(0.2)), low=20, high=2000, tolerance=0.1)
    fine = needed(Study(of_slope(0.2)), low=20, high=2000, tolerance=0.02, most=100_000)
    assert fine.status == coarse.status == "found"
    assert (fine.n_high - fine.n_low - 1) / 2 <= 0.02 * fine.n
    assert fine.replicates > 4 * coarse.replicates


def test_no_replicate_is_asked_for_twice_or_left_out():
    study = Study(of_slope(0.25))
    found = needed(study, low=20, high=2000, tolerance=0.02, most=30_000)
    for pieces in study.asked.values():
        assert [begin for begin, _ in pieces] == [0, *np.cumsum([count for _, count in pieces])[:-1]]
    sums = {n: sum(count for _, count in pieces) for n, pieces in study.asked.items()}
    assert found.replicates == sum(sums.values()) <= 30_000
    assert [(n, trials) for n, _, trials in found.points] == sorted(sums.items())
    assert all(20 <= n <= 2000 for n in sums)
    assert any(len(pieces) > 1 for pieces in study.asked.values())
    assert needed(Study(of_slope(0.25)), low=20, high=2000, tolerance=0.02, most=30_000) == found


def test_more_power_than_asked_for_even_with_the_fewest():
    found = needed(Study(of_slope(0.5)), low=60, high=2000)
    assert (found.status, found.n, found.n_high) == ("below", 60, 60)
    always = needed(Study(lambda n: 1.0), low=10, high=2000)
    assert (always.status, always.n) == ("below", 10)


@pytest.mark.parametrize("curve", [of_slope(0.2), lambda n: 0.05, lambda n: 0.0, lambda n: 0.75, lambda n: 1 / n])
def test_less_power_than_asked_for_even_with_the_most(curve):
    found = needed(Study(curve), low=10, high=120)
    assert (found.status, found.n, found.n_low, found.n_high) == ("above", 120, 120, math.inf)
    assert found.replicates < 5000


def test_an_answer_just_beyond_the_range_is_its_end():
    # 82 dyads: the power of 78 is .783, of 87 it is .827
    above = needed(Study(of_slope(0.3)), low=20, high=78, most=50_000)
    assert (above.status, above.n) == ("above", 78) and above.n_high > 78
    below = needed(Study(of_slope(0.3)), low=87, high=500, most=50_000)
    assert (below.status, below.n) == ("below", 87) and below.n_low < 87


def test_too_few_replicates_are_said_to_be_too_few():
    found = needed(Study(of_slope(0.3)), low=20, high=500, tolerance=0.01, most=2000)
    assert (found.status, found.replicates) == ("imprecise", 2000)
    assert found.n_low < 82 < found.n_high
    assert needed(Study(of_slope(0.3)), low=20, high=500, most=200).replicates == 200


def test_replicates_without_an_answer():
    def half(n, begin, count):
        rejections, _ = Study(of_slope(0.3))(n, begin, count // 2)
        return rejections, count // 2

    found = needed(half, low=20, high=500)
    assert found.status == "found" and found.n_low <= 82 <= found.n_high
    assert sum(trials for *_, trials in found.points) <= found.replicates / 2
    none = needed(lambda n, begin, count: (0, 0), low=20, high=500, most=1000)
    assert (none.status, none.n_low, none.n_high, none.replicates) == ("imprecise", 0.0, math.inf, 1000)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"goal": 0.05}, "between the level of the test, 0.05, and 1, not at 0.05"),
        ({"goal": 1.0}, "not at 1"),
        ({"goal": 0.1, "alpha": 0.2}, "level of the test, 0.2"),
        ({"low": 0}, "smallest number of dyads is a whole number of at least 1"),
        ({"low": 50, "high": 50}, "largest number of dyads is a whole number of at least 51"),
        ({"tolerance": 0}, "share of n between 0 and 1, not 0"),
        ({"most": 100}, "at least 200, not 100"),
        ({"first": 0}, "first round"),
    ],
)
def test_wrong_calls_are_one_sentence(given, words):
    with pytest.raises(PlanError, match=words):
        needed(Study(plateau), **{"low": 20, "high": 500, **given})
