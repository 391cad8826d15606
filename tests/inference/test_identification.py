"""Covariance parameters that the data leave free are named and get no standard error; what they determine keeps its."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import dyadline as dl


def frame() -> pl.DataFrame:
    """Arms differ between therapists, never within one."""
    rng = np.random.default_rng(4)
    therapist = np.repeat(np.arange(40), 8)
    arm = therapist % 2
    y = 5 + rng.normal(size=40)[therapist] * np.where(arm == 1, 2.0, 1.0) + rng.normal(size=320)
    return pl.DataFrame({"therapist": therapist, "arm": arm, "other": 1 - arm, "y": y})


@pytest.fixture(scope="module")
def free():
    return dl.fit("y ~ arm + (arm | therapist)", frame())


@pytest.fixture(scope="module")
def determined():
    """The same model with the two variances that there are."""
    return dl.fit("y ~ arm + (0 + other + arm || therapist)", frame())


def test_it_is_the_same_model(free, determined):
    assert free.criterion == pytest.approx(determined.criterion, abs=1e-7)
    assert free.converged


def test_what_is_free_has_no_standard_error(free, determined):
    variance, covariance, slope, residual = dl.variance_components(free).to_dicts()
    assert covariance["std_error"] is slope["std_error"] is slope["conf_low"] is None
    want = dl.variance_components(determined)
    for found, row in ((variance, 0), (residual, 2)):
        assert found["std_error"] == pytest.approx(want["std_error"][row], rel=1e-4)
    wald = dl.confidence_intervals(free, "wald")
    assert wald["conf_low"].is_null().to_list() == [False, False, False, True, True, False]


def test_what_does_not_depend_on_it_is_told(free, determined):
    """In the arm that is zero neither the covariance nor the slope's variance matters."""
    want = dl.icc(determined, {"other": 1.0}).filter(pl.col("group") == "therapist")
    assert dl.icc(free)["std_error"][0] == pytest.approx(want["std_error"][0], rel=1e-4)


def test_the_doctor_names_it(free, determined):
    found = next(f for f in dl.checks(free) if f.code == "not-identified")
    assert found.level == "error"
    assert "the covariance of (Intercept) and arm over therapist, the variance of arm over therapist" in found.words
    assert "the variance of (Intercept)" not in found.words
    assert not [f for f in dl.checks(determined) if f.code == "not-identified"]


def test_symmetry_and_a_random_intercept_are_the_same_thing():
    found = dl.checks(dl.fit("y ~ 1 + (1 | therapist)", frame(), residual="cs"))
    assert found[0].code == "not-identified"
    assert "the residual correlation cs" in found[0].words


def test_many_responses_find_the_optimum_along_the_flat_direction(free, determined):
    drawn = dl.simulate_responses(determined, 20)
    one, other = (dl.fit_many(fit, drawn, order="design") for fit in (free, determined))
    assert one.converged.all()
    np.testing.assert_allclose(one.criterion[~other.singular], other.criterion[~other.singular], rtol=1e-9)
