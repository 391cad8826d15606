"""Power of one slope: R's noncentral t and F (tests/oracles/power.R), quadrature, and simulated regressions."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from scipy import integrate, stats

import dyadline as dl
from dyadline.inference.power import rejection
from truth import agree

ORACLE = json.loads((Path(__file__).parents[1] / "oracles" / "power.json").read_text(encoding="utf-8"))
R = "R, noncentral t and F"
DESIGN = ("covariates", "r2_outcome", "r2_predictor", "reliability")


def design(case):
    return {name: case[name] for name in DESIGN}


def label(case):
    start = case.get("beta") or case["study"]
    return f"{start}-{case.get('alpha') or case['goal']}-{case['covariates']}-{case['reliability']}"


def test_the_figures_of_the_paper():
    assert [dl.power_slope(beta=beta, power=0.8).n for beta in (0.4, 0.3, 0.2)] == [44, 82, 191]
    assert dl.power_slope(n=96, power=0.8).beta == pytest.approx(0.2775, abs=5e-5)
    assert dl.power_slope(n=139, power=0.8).beta == pytest.approx(0.2327, abs=5e-5)


@pytest.mark.parametrize("case", ORACLE["cases"], ids=label)
def test_power_and_sample_size_against_r(case):
    for known in case["power"]:
        found = dl.power_slope(beta=case["beta"], n=known["n"], alpha=case["alpha"], **design(case))
        agree(R, "power", abs(found.power - known["t"]), 2e-9)  # R's own two ways differ by 1e-9
        agree(R, "power", abs(found.power - known["F"]), 2e-9)
        for name in ("beta_observed", "r2_added", "f2"):
            agree(R, "attenuated slope and what it explains", abs(getattr(found, name) - case[name]), 1e-14)
        assert found.df == known["n"] - 2 - case["covariates"]
        assert found.noncentrality == pytest.approx(math.sqrt(known["n"] * case["f2"]), rel=1e-13)
    assert dl.power_slope(beta=case["beta"], power=0.8, alpha=case["alpha"], **design(case)).n == case["n80"]


@pytest.mark.parametrize("case", ORACLE["slopes"], ids=label)
def test_smallest_slope_against_r(case):
    found = dl.power_slope(n=case["study"], power=case["goal"], **design(case))
    agree(R, "smallest slope", abs(found.beta - case["slope"]), 1e-9)
    assert found.power == pytest.approx(case["goal"], abs=1e-13)


@pytest.mark.parametrize("alpha", [0.2, 0.05, 0.001, 1e-6])
@pytest.mark.parametrize("df", [1, 2, 10, 94, 2000])
def test_rejections_by_quadrature(df, alpha):
    """t = (Z + λ)/V with V² a mean square of df normals: Φ(λ − cV) + Φ(−λ − cV), averaged over V."""
    critical = stats.t.isf(alpha / 2, df)
    spread = [stats.chi.ppf(q, df) / math.sqrt(df) for q in (1e-14, 1e-6, 0.01, 0.3, 0.7, 0.99, 1 - 1e-10)]
    cuts = sorted([0.0, *spread, *(size / critical for size in (0.5, 2.0, 5.0, 9.0, 15.0, 25.0)), 12.0])
    for noncentrality in (0.0, 0.5, 2.0, 2.8, 6.9, 7.1, 12.0):

        def rejected(v, shift=noncentrality):
            both = stats.norm.cdf(shift - critical * v) + stats.norm.cdf(-shift - critical * v)
            return both * stats.chi.pdf(v * math.sqrt(df), df) * math.sqrt(df)

        known = sum(
            integrate.quad(rejected, a, b, epsabs=1e-15, epsrel=1e-12, limit=300)[0] for a, b in pairwise(cuts) if a < b
        )
        found = rejection(noncentrality, df, alpha)
        agree("quadrature", "power of a t test", abs(found - known), 2e-11)
        assert rejection(-noncentrality, df, alpha) == found


@pytest.mark.parametrize("alpha", [0.05, 1e-12])
def test_power_never_falls_where_the_far_tail_has_no_digits(alpha):
    for df in (1, 3, 94):
        powers = [rejection(size, df, alpha) for size in np.linspace(0.0, 60.0, 601)]
        assert powers[0] == pytest.approx(alpha, rel=1e-6)
        assert np.isfinite(powers).all() and (np.diff(powers) > -2e-12).all() and powers[-1] <= 1.0


@pytest.mark.parametrize("beta", [0.4, -0.15, 0.9, 0.01])
@pytest.mark.parametrize("goal", [0.06, 0.5, 0.9, 0.9999])
def test_the_sample_size_is_the_smallest(beta, goal):
    found = dl.power_slope(beta=beta, power=goal, covariates=2)
    assert found.power >= goal and found.beta == beta and found.goal == goal
    assert dl.power_slope(beta=beta, n=found.n, covariates=2).power == found.power
    if found.n > 5:
        assert dl.power_slope(beta=beta, n=found.n - 1, covariates=2).power < goal


@pytest.mark.parametrize("goal", [0.0500001, 0.06, 0.3, 0.8, 0.999, 1 - 1e-10])
@pytest.mark.parametrize("n", [7, 40, 1000, 10**6])
def test_the_smallest_slope_has_the_power_that_was_asked_for(n, goal):
    given = {"covariates": 3, "r2_outcome": 0.3, "r2_predictor": 0.2}
    found = dl.power_slope(n=n, power=goal, **given)
    assert found.power == pytest.approx(goal, abs=1e-12)
    assert dl.power_slope(n=n, beta=-found.beta, **given).power == found.power


def rejected_share(draw, n, studies, alpha=0.05):
    """Share of simulated regressions with a significant slope of the first predictor."""
    rejections = 0
    for part in np.array_split(np.arange(studies), 10):
        X, y = draw(part.size, n)
        X = np.concatenate([X, np.ones((*X.shape[:2], 1))], axis=2)
        inverse = np.linalg.inv(np.swapaxes(X, 1, 2) @ X)
        b = np.einsum("sij,skj,sk->si", inverse, X, y)
        residual = y - np.einsum("snp,sp->sn", X, b)
        df = n - X.shape[2]
        t = b[:, 0] / np.sqrt(inverse[:, 0, 0] * (residual**2).sum(axis=1) / df)
        rejections += int((np.abs(t) > stats.t.isf(alpha / 2, df)).sum())
    return rejections / studies


def test_simulated_regressions_with_these_very_predictors():
    """Predictors with exact sample moments: then the noncentral t distribution is exact, too."""
    n, beta, studies = 25, 0.45, 40_000
    rng = np.random.default_rng(31)
    raw = rng.normal(size=(n, 3))
    raw -= raw.mean(axis=0)
    exact = np.linalg.qr(raw)[0] * math.sqrt(n)
    r = math.sqrt(0.3)
    score = r * exact[:, 1] + math.sqrt(1 - r**2) * exact[:, 0]  # a third of it shared with the covariates
    covariates = exact[:, 1:]
    gamma = math.sqrt(0.35) - beta * r
    residual = math.sqrt(1 - 0.35 - beta**2 * (1 - r**2))
    fixed = np.column_stack([score, covariates])

    def draw(size, n):
        y = beta * score + gamma * exact[:, 1] + residual * rng.normal(size=(size, n))
        return np.broadcast_to(fixed, (size, *fixed.shape)), y

    expected = dl.power_slope(beta=beta, n=n, covariates=2, r2_outcome=0.35, r2_predictor=0.3).power
    assert rejected_share(draw, n, studies) == pytest.approx(expected, abs=4 * math.sqrt(0.25 / studies))


def with_new_predictors(found):
    """Power where predictors are drawn anew: the score's own sum of squares is a χ² with n − 1 − covariates df."""
    shares = (np.arange(2000) + 0.5) / 2000
    squares = stats.chi2.ppf(shares, found.n - 1 - found.covariates)
    return float(np.mean(stats.ncf.sf(stats.f.isf(found.alpha, 1, found.df), 1, found.df, found.f2 * squares)))


@pytest.mark.parametrize("covariate", [False, True])
def test_simulated_regressions_on_a_score_with_error(covariate):
    """Every study draws its dyads: λ² is random, and f² from the attenuated slope."""
    n, beta, reliability, studies = 140, 0.3, 0.6, 20_000
    shared, explained = (0.1, 0.25) if covariate else (0.0, 0.0)
    rng = np.random.default_rng(32)
    r = math.sqrt(shared / reliability)
    gamma = math.sqrt(explained) - beta * r

    def draw(size, n):
        z, own, error, noise = rng.normal(size=(4, size, n))
        true = r * z + math.sqrt(1 - r**2) * own
        score = math.sqrt(reliability) * true + math.sqrt(1 - reliability) * error
        y = beta * true + gamma * z + math.sqrt(1 - explained - beta**2 * (1 - r**2)) * noise
        return np.stack([score, z] if covariate else [score], axis=2), y

    given = {"covariates": 1, "r2_outcome": explained, "r2_predictor": shared} if covariate else {}
    found = dl.power_slope(beta=beta, n=n, reliability=reliability, **given)
    expected = with_new_predictors(found)
    share = rejected_share(draw, n, studies)
    assert share == pytest.approx(expected, abs=4 * math.sqrt(expected * (1 - expected) / studies))
    assert 0.005 < found.power - expected < 0.012


def test_predictors_that_are_drawn_anew_take_two_dyads_more():
    for beta, n in ((0.4, 44), (0.3, 82), (0.2, 191)):
        powers = [with_new_predictors(dl.power_slope(beta=beta, n=n + more)) for more in (1, 2)]
        assert powers[0] < 0.8 <= powers[1]


def test_a_result_as_a_dictionary():
    found = dl.power_slope(beta=0.3, power=0.8)
    said = found.to_dict()
    assert isinstance(found, dl.SlopePower)
    assert (said["n"], said["beta"], said["alpha"], said["goal"], said["solved"]) == (82, 0.3, 0.05, 0.8, "n")
    assert said["power"] == found.power > 0.8
    assert json.loads(json.dumps(said)) == said


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"beta": 0.3}, "exactly one is left out, not 2"),
        ({}, "exactly one is left out, not 3"),
        ({"beta": 0.3, "n": 82, "power": 0.8}, "exactly one is left out, not none"),
        ({"beta": 1.0, "n": 82}, "between −1 and 1, not 1"),
        ({"beta": math.nan, "n": 82}, "beta is a number"),
        ({"beta": "0.3", "n": 82}, "beta is a number, not '0.3'"),
        ({"beta": 0.3, "power": 80}, "power is above 0 and below 1, not 80"),
        ({"beta": 0.3, "power": 0.8, "alpha": 0}, "alpha is above 0 and below 1, not 0"),
        ({"beta": 0.3, "power": 0.04}, "has more power than 0.04 at any sample size"),
        ({"beta": 0.3, "n": 2}, "n is a whole number of at least 3, not 2"),
        ({"beta": 0.3, "n": 7, "covariates": 5}, "With 5 covariates, n is a whole number of at least 8, not 7"),
        ({"beta": 0.3, "n": 40.5}, "not 40.5"),
        ({"beta": 0.3, "n": 40, "covariates": -1}, "number of covariates is a whole number of at least 0"),
        ({"beta": 0.3, "n": 40, "r2_outcome": 0.2}, "r2_outcome is explained by covariates, and there are none"),
        ({"beta": 0.3, "n": 40, "r2_predictor": 0.2}, "r2_predictor is explained by covariates"),
        ({"beta": 0.3, "n": 40, "covariates": 1, "r2_outcome": 1.0}, "r2_outcome is at least 0 and below 1"),
        ({"beta": 0.9, "n": 40, "covariates": 1, "r2_outcome": 0.5}, "more than all of the outcome"),
        ({"beta": 0.3, "n": 40, "reliability": 0}, "reliability is above 0 and at most 1, not 0"),
        ({"beta": 0.3, "n": 40, "covariates": 1, "r2_predictor": 0.7, "reliability": 0.7}, "its error is beyond them"),
    ],
)
def test_wrong_calls_are_one_sentence(given, words):
    with pytest.raises(dl.PlanError, match=words):
        dl.power_slope(**given)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"beta": 0, "power": 0.8}, "Without an effect"),
        ({"beta": 1e-6, "power": 0.8}, "needs more than 1,000,000,000 dyads"),
        ({"n": 5, "power": 0.9, "reliability": 0.2}, "no possible slope has a power of 0.9"),
        ({"n": 3, "beta": 0.999999999, "alpha": 1e-12}, None),
    ],
)
def test_what_has_no_answer_says_so(given, words):
    if words is None:
        assert 0.0 < dl.power_slope(**given).power < 1e-6  # nearly exact, and yet three dyads prove nothing
        return
    with pytest.raises(dl.FitError, match=words):
        dl.power_slope(**given)


def test_a_slope_without_effect_is_found_as_often_as_alpha():
    assert dl.power_slope(beta=0, n=50).power == pytest.approx(0.05, abs=1e-14)
