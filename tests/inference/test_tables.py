"""Coefficients, variance components and criteria: what is closed-form, and what must be refused in words."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy import stats

import dyadline as dl

SHARED = Path(__file__).resolve().parents[2].parent / "shared"


def balanced(seed=11, groups=20, times=5):
    rng = np.random.default_rng(seed)
    g = np.repeat(np.arange(groups), times)
    t = np.tile(np.arange(float(times)), groups)
    y = 5 + t + rng.normal(size=groups)[g] * 2 + rng.normal(size=groups)[g] * 0.7 * t + rng.normal(size=len(g))
    return pl.DataFrame({"g": g, "t": t, "y": y})


def test_balanced_growth_has_the_degrees_of_freedom_of_the_groups():
    table = dl.coefficients(dl.fit("y ~ t + (t | g)", balanced()))
    np.testing.assert_allclose(table["df"], [19.0, 19.0], rtol=1e-8)


def test_balanced_growth_is_the_t_test_of_the_slopes():
    frame = balanced()
    slopes = [np.polyfit(part["t"], part["y"], 1)[0] for part in frame.partition_by("g")]
    expected = stats.ttest_1samp(slopes, 0.0)
    row = dl.coefficients(dl.fit("y ~ t + (t | g)", frame)).to_dicts()[1]
    assert row["estimate"] == pytest.approx(np.mean(slopes), rel=1e-8)
    assert row["statistic"] == pytest.approx(expected.statistic, rel=1e-6)
    assert row["p_value"] == pytest.approx(expected.pvalue, rel=1e-5)
    interval = expected.confidence_interval()
    assert (row["conf_low"], row["conf_high"]) == pytest.approx((interval.low, interval.high), rel=1e-6)


def test_normal_tests_have_infinite_df():
    fitted = dl.fit("y ~ t + (t | g)", balanced())
    row = dl.coefficients(fitted, df="normal").to_dicts()[1]
    assert math.isinf(row["df"])
    assert row["p_value"] == pytest.approx(2 * stats.norm.sf(abs(row["statistic"])), rel=1e-10)
    assert row["conf_high"] - row["estimate"] == pytest.approx(1.959963984540054 * row["std_error"], rel=1e-10)


def test_wald_tests_and_intervals_of_variances():
    fitted = dl.fit("y ~ t + (t | g)", balanced())
    rows = dl.variance_components(fitted).to_dicts()
    assert [(r["group"], r["term1"], r["term2"]) for r in rows] == [
        ("g", "(Intercept)", None),
        ("g", "(Intercept)", "t"),
        ("g", "t", None),
        ("Residual", "Residual", None),
    ]
    for row in rows:
        z = row["estimate"] / row["std_error"]
        assert row["statistic"] == pytest.approx(z, rel=1e-12)
        assert row["p_value"] == pytest.approx(2 * stats.norm.sf(abs(z)), rel=1e-9)
        if row["term2"] is None:  # symmetric about ln θ
            assert row["conf_low"] * row["conf_high"] == pytest.approx(row["estimate"] ** 2, rel=1e-9)
        else:
            assert (row["conf_low"] + row["conf_high"]) / 2 == pytest.approx(row["estimate"], rel=1e-9)
    # Balanced REML: the residual is a mean square on 20·(5 − 2) df, whose variance is 2σ⁴/df.
    assert rows[3]["std_error"] == pytest.approx(rows[3]["estimate"] * math.sqrt(2 / 60), rel=1e-8)


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the reference data beside the checkout (../shared)")
@pytest.mark.parametrize(
    ("convention", "d", "aic", "bic"),
    [
        ("spss", 4, 1751.628, 1764.355),
        ("lme4", 6, 1755.628, 1774.786),
        ("nlme", 6, 1755.628, 1774.719),
        ("sas", 4, 1751.628, 1755.190),
    ],
)
def test_four_conventions_on_sleepstudy(convention, d, aic, bic):
    fitted = dl.fit("Reaction ~ Days + (Days | Subject)", pl.read_csv(SHARED / "data" / "sleepstudy.csv"))
    row = dl.information_criteria(fitted, convention=convention).to_dicts()[0]
    assert row["n_parameters"] == d
    assert (row["aic"], row["bic"]) == pytest.approx((aic, bic), abs=5.1e-4)


def test_conventions_by_their_definitions():
    fitted = dl.fit("y ~ t + (t | g)", balanced())
    row = dl.information_criteria(fitted, convention="spss").to_dicts()[0]
    n, d, c = 98, 4, fitted.criterion  # 100 rows, 2 fixed effects
    assert (row["n"], row["n_parameters"]) == (n, d)
    assert row["aicc"] == pytest.approx(c + 2 * d * n / (n - d - 1), rel=1e-12)
    assert row["caic"] == pytest.approx(c + d * (math.log(n) + 1), rel=1e-12)
    ml = dl.fit("y ~ t + (t | g)", balanced(), method="ML")
    for convention, size in (("spss", 100), ("lme4", 100), ("nlme", 100), ("sas", 20)):
        row = dl.information_criteria(ml, convention=convention).to_dicts()[0]
        assert (row["n_parameters"], row["n"]) == (6, size)


def test_a_variance_of_zero_has_an_estimate_and_nothing_else():
    frame = balanced()
    lines = frame.with_columns(y=pl.col("y") - pl.col("y").mean().over("g"))
    fitted = dl.fit("y ~ t + (1 | g)", lines)
    assert fitted.singular and fitted.converged
    row = dl.variance_components(fitted).to_dicts()[0]
    assert row["estimate"] == 0.0
    assert [row[k] for k in ("std_error", "statistic", "p_value", "conf_low", "conf_high")] == [None] * 5
    sas = dl.information_criteria(fitted, convention="sas").to_dicts()[0]
    assert sas["n_parameters"] == 1 and dl.information_criteria(fitted)["n_parameters"].item() == 2
    # Without random effects left, REML is least squares: residual df for every coefficient.
    np.testing.assert_allclose(dl.coefficients(fitted)["df"], 98.0, rtol=1e-8)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda f: dl.coefficients(f, df="satterthwait"), "Did you mean 'satterthwaite'?"),
        (lambda f: dl.coefficients(f, level=95), "between 0 and 1"),
        (lambda f: dl.coefficients(f, level="95%"), "between 0 and 1"),
        (lambda f: dl.information_criteria(f, convention=None), "convention None is not known"),
        (lambda f: dl.residuals(f, kind=3), "kind of residual 3 is not known"),
        (lambda f: dl.confidence_intervals(f, terms=5), "no parameter 5"),
        (lambda f: dl.icc(f, at=5), "Values are given by name"),
        (lambda f: dl.simple_slopes(f, "t", at=5), "Values are given by name"),
        (lambda f: dl.simple_slopes(f, ["t"]), "not a predictor"),
        (lambda f: dl.standardised(f, sd=2.0), "SDs are given by name"),
        (lambda f: dl.simulate_responses(f, "many"), "whole number of at least 1"),
        (lambda f: dl.simulate_responses(f, 2, seed=-1), "whole number of at least 0"),
        (lambda f: dl.variance_components(f, level=1.0), "between 0 and 1"),
        (lambda f: dl.information_criteria(f, convention="SPSS"), "Did you mean 'spss'?"),
    ],
)
def test_wrong_questions_are_refused(call, words):
    with pytest.raises(dl.PlanError) as caught:
        call(dl.fit("y ~ t + (t | g)", balanced()))
    assert words in str(caught.value)
