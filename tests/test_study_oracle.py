"""The whole way from two raters' sessions to Models 1-3, against base R and lmer (tests/oracles/study.R)."""

from __future__ import annotations

from functools import cache

import numpy as np
import polars as pl
import pytest

import dyadline as dl
from oracles import answers

PLAN = """
version = 1
[columns]
dyad = "dyad"
time = "session"
patient_rating = "wai_p"
therapist_rating = "wai_t"
outcome = "bdi"
baseline = "bdi_pre"
[convergence]
"""
WAYS = {
    "default": "",
    "signed": 'discrepancy = "signed"\ntransform = "none"',
    "ols_signed": 'growth = "ols"\ndiscrepancy = "signed"\nunit = "per_unit"\ntransform = "none"',
    "ols_squared": (
        'growth = "ols"\ndiscrepancy = "squared"\ntransform = "asinh"\n'
        'early_level = "first_rating"\nearly_discrepancy = "absolute"'
    ),
    "ols_absolute": 'growth = "ols"\ntransform = "signed_log"\nearly_level = "first_rating"',
}
SCORES = (
    "convergence_raw",
    "convergence",
    "early_patient",
    "early_therapist",
    "early_discrepancy",
    "development",
    "baseline",
)


def study() -> pl.DataFrame:
    frame = answers.frame("study")
    return frame.with_columns(pl.col("session").cast(pl.Int64))


@cache
def analysed() -> dl.AnalysisResult:
    return dl.run(dl.parse_plan(PLAN), study())


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("score", SCORES)
def test_scores(way, score):
    scores = dl.convergence(study(), dl.parse_plan(PLAN + WAYS[way]))
    want = answers.study()["scores"][way]
    assert scores["dyad"].to_list() == want["dyad"]
    got = scores[score].to_list()
    assert [v is None for v in got] == [v is None for v in want[score]]
    pairs = np.array([(g, w) for g, w in zip(got, want[score], strict=True) if g is not None])
    assert len(pairs) >= 39
    # curves by lmer carry its optimiser's last digits, lines by least squares none
    close = 1e-11 if "ols" in way else 1e-6
    np.testing.assert_allclose(pairs[:, 0], pairs[:, 1], rtol=close, atol=close * pairs[:, 1].std())


def test_shift_of_the_logarithm():
    raw = dl.convergence(study(), dl.parse_plan(PLAN))["convergence_raw"]
    assert 1.0 - raw.min() == pytest.approx(answers.study()["shift"], rel=1e-7)


@pytest.mark.parametrize("want", answers.study()["models"], ids=lambda m: f"model{m['model']}")
def test_models(want):
    fit = analysed().fits[want["model"] - 1]
    assert (fit.n_rows, fit.n_groups, fit.singular) == (want["n_rows"], want["n_dyads"], want["singular"])
    assert fit.criterion == pytest.approx(want["criterion"], abs=1e-5)
    table = dl.coefficients(fit).to_dicts()
    got = {":".join(sorted(row["term"].split(":"))): row for row in table}
    assert len(got) == len(want["terms"])
    for k, term in enumerate(want["terms"]):
        row = got[":".join(sorted(term.split(":")))]
        se = want["std_error"][k]
        assert abs(row["estimate"] - want["estimate"][k]) <= 1e-5 * max(se, abs(want["estimate"][k]) / 10), term
        assert row["std_error"] == pytest.approx(se, rel=1e-5), term
        assert row["df"] == pytest.approx(want["df"][k], rel=1e-4), term
        assert row["p_value"] == pytest.approx(want["p_value"][k], rel=1e-3, abs=1e-12), term
    components = dl.variance_components(fit)
    variances = components.filter(pl.col("term2").is_null())["estimate"].to_list()
    # lme4 lists variances, then the covariance, then the residual
    np.testing.assert_allclose(variances, [*want["components"][:2], want["components"][3]], rtol=1e-4)
