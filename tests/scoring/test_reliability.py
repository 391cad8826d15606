"""Simulated reliabilities where theory knows them, and the null distribution where nothing converges."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from dyadline.plan.analysis import ConvergenceSection
from dyadline.scoring.growth import curves, growth_models, population
from dyadline.scoring.ratings import RATERS, Ratings
from dyadline.scoring.reliability import simulate_scores

OLS = ConvergenceSection(growth="ols", discrepancy="signed", transform="none", unit="per_unit")


def balanced_ratings(dyads=400, times=6, residual=0.5, seed=2, common=0.5):
    """Two raters with correlated lines; slopes SD .2 each, intercepts SD 1."""
    rng = np.random.default_rng(seed)
    sd = np.array([1.0, 0.2, 1.0, 0.2])
    correlation = np.eye(4)
    correlation[[0, 1, 2, 3], [2, 3, 0, 1]] = common
    effects = rng.normal(size=(dyads, 4)) @ np.linalg.cholesky(correlation * np.outer(sd, sd)).T
    index, t = np.repeat(np.arange(dyads), times), np.tile(np.arange(float(times)), dyads)
    value = {
        rater: 5 + effects[index, 2 * k] + (0.1 + effects[index, 2 * k + 1]) * t + residual * rng.normal(size=len(t))
        for k, rater in enumerate(RATERS)
    }
    labels = pl.Series([f"d{j}" for j in range(dyads)])
    return Ratings(dyads=labels, index=index, time=t, t=t, value=value, first=0.0, last=times - 1.0)


by_least_squares = curves("ols", None)


def test_reliability_of_a_difference_of_slopes_is_that_of_classical_theory():
    observed = balanced_ratings()
    found = simulate_scores(growth_models(observed), by_least_squares, OLS)
    reliability = dict(found.reliability.iter_rows())
    # Var(b_P − b_T) = 2·.04·(1 − .5) = .04; error 2·.25/Σ(t − t̄)² = .5/17.5.
    assert reliability["convergence"] == pytest.approx(0.04 / (0.04 + 0.5 / 17.5), abs=0.06)
    # Mean of the slopes: Var = .04·(1 + .5)/2 = .03; error .25/2/17.5.
    assert reliability["development"] == pytest.approx(0.03 / (0.03 + 0.125 / 17.5), abs=0.05)


def test_covariance_between_the_raters_is_recovered():
    observed = balanced_ratings(dyads=1500)
    found = population(growth_models(observed)).covariance
    assert found[0, 2] == pytest.approx(0.5, abs=0.1)
    assert found[1, 3] == pytest.approx(0.02, abs=0.005)
    assert np.linalg.eigvalsh(found)[0] >= -1e-10


def test_no_convergence_has_a_mean_score_near_zero_for_signed_gaps():
    observed = balanced_ratings(dyads=200)
    found = simulate_scores(growth_models(observed), by_least_squares, OLS)
    assert found.null_low < 0 < found.null_high
    # SE of a mean of 200 scores of which only the noise varies: sqrt(.5/17.5/200).
    assert found.null_high - found.null_low == pytest.approx(2 * 1.96 * np.sqrt(0.5 / 17.5 / 200), rel=0.2)


def test_the_same_seed_gives_the_same_digits():
    observed = balanced_ratings(dyads=30)
    models = growth_models(observed)
    a = simulate_scores(models, by_least_squares, OLS, seed=4)
    b = simulate_scores(models, by_least_squares, OLS, seed=4)
    assert a.null_mean == b.null_mean
    assert a.reliability.equals(b.reliability)
