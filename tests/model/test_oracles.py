"""Fits against lme4, lmerTest and nlme (17-digit answers, tests/oracles) and against the dense referee.

Tolerances are those of the engine's design: the criterion may be lower than the oracle's but not higher by more
than 1e-7; beta and sigma agree to 1e-6, standard errors to 1e-5, variances and degrees of freedom to 1e-4.
A fixed effect near zero is measured in its standard error, a covariance in the two SDs it belongs to.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

import dyadline as dl
import referee
from oracles import answers

FITS = answers.fits()
INTERIOR = [a for a in FITS if not a["singular"]]
every = pytest.mark.parametrize("answer", FITS, ids=lambda a: a["label"])
interior = pytest.mark.parametrize("answer", INTERIOR, ids=lambda a: a["label"])


@cache
def _fit(formula: str, data: str, method: str) -> dl.Fit:
    return dl.fit(formula, answers.frame(data), method=method)


def fitted(answer: answers.Answer) -> dl.Fit:
    return _fit(answer["formula"], answer["data"], answer["method"])


def by_term(fit: dl.Fit, column: str) -> dict[str, float]:
    table = dl.coefficients(fit, df="satterthwaite")
    return dict(zip(table["term"], table[column], strict=True))


def component(fit: dl.Fit, group: str, term1: str | None, term2: str | None) -> dict[str, float]:
    for row in dl.variance_components(fit).to_dicts():
        if row["group"] == group == "Residual":
            return row
        if row["group"] == group and {row["term1"], row["term2"]} == {term1, term2}:
            return row
    raise AssertionError(f"no component {group} {term1} {term2}")


@every
def test_counts_terms_and_ending(answer):
    fit = fitted(answer)
    assert (fit.n_rows, fit.n_groups, fit.method) == (answer["n_rows"], answer["n_groups"], answer["method"])
    assert list(dl.coefficients(fit)["term"]) == answer["terms"]
    assert fit.converged
    assert fit.singular == answer["singular"]


@every
def test_criterion_is_not_above_lme4(answer):
    assert fitted(answer).criterion <= answer["criterion"] + 1e-7
    # and not below what is possible: both are at the same optimum
    assert fitted(answer).criterion == pytest.approx(answer["criterion"], abs=1e-7)


@every
def test_fixed_effects(answer):
    got, want, se = by_term(fitted(answer), "estimate"), answer["beta"], answer["std_error"]
    for term in answer["terms"]:
        assert abs(got[term] - want[term]) <= 1e-6 * max(abs(want[term]), se[term]), term


@every
def test_standard_errors(answer):
    got = by_term(fitted(answer), "std_error")
    assert got == pytest.approx(answer["std_error"], rel=1e-5)


@every
def test_sigma(answer):
    assert fitted(answer).sigma == pytest.approx(answer["sigma"], rel=1e-6)


@every
def test_variances_and_covariances(answer):
    fit = fitted(answer)
    variance = {c["term1"]: c["value"] for c in answer["components"] if c["term2"] is None}
    for c in answer["components"]:
        got = component(fit, c["group"], c["term1"], c["term2"])["estimate"]
        scale = variance[c["term1"]]
        if c["term2"] is not None:
            scale = np.sqrt(scale * variance[c["term2"]])
        if answer["singular"]:  # a zero is zero to the precision of lme4's own boundary, theta to 1e-5
            scale = max(scale, 1e-6 * answer["sigma"] ** 2)
        assert abs(got - c["value"]) <= 1e-4 * scale, c


@interior
def test_satterthwaite_freedom_is_lmer_tests(answer):
    got = by_term(fitted(answer), "df")
    assert got == pytest.approx(answer["df"], rel=1e-4)


@every
def test_criteria_of_the_lme4_convention(answer):
    row = dl.information_criteria(fitted(answer), convention="lme4").to_dicts()[0]
    assert row["criterion"] == pytest.approx(-2 * answer["log_lik"], abs=1e-7)
    assert row["aic"] == pytest.approx(answer["aic"], abs=1e-7)
    assert row["bic"] == pytest.approx(answer["bic"], abs=1e-7)


@pytest.mark.parametrize("answer", [a for a in FITS if "nlme" in a], ids=lambda a: a["label"])
def test_criteria_of_the_nlme_convention(answer):
    row = dl.information_criteria(fitted(answer), convention="nlme").to_dicts()[0]
    assert row["aic"] == pytest.approx(answer["nlme"]["aic"], abs=1e-7)
    assert row["bic"] == pytest.approx(answer["nlme"]["bic"], abs=1e-7)


@pytest.mark.parametrize("answer", [a for a in FITS if "modes" in a], ids=lambda a: a["label"])
def test_conditional_modes(answer):
    from dyadline.model.predict import conditional_modes

    fit = fitted(answer)
    (got,) = conditional_modes(fit)
    for k, effect in enumerate(fit.design.groupings[0].effects):
        want = answer["modes"][effect]
        scale = max(abs(v) for v in want.values())
        for label, value in zip(fit.design.groupings[0].labels, got[:, k], strict=True):
            assert abs(value - want[str(label)]) <= 1e-5 * scale, (effect, label)


@pytest.mark.parametrize("method", ["ML", "REML"])
@pytest.mark.parametrize(
    ("data", "formula"),
    [
        ("balanced", "y ~ t + (1 | g)"),
        ("uncorrelated", "y ~ t * x + (t || g)"),
        ("arms", "y ~ t * arm + (t | g)"),
        ("tiny", "y ~ t + (t | g)"),
    ],
)
def test_observed_information_and_freedom_of_the_referee(data, formula, method):
    """Standard errors of the covariance parameters and df, from the referee's numeric derivatives."""
    answer = next(a for a in FITS if (a["data"], a["formula"], a["method"]) == (data, formula, method))
    fit = fitted(answer)
    y, X, blocks = answers.arrays(answer)
    rows = [r for r in dl.variance_components(fit).to_dicts() if r["group"] != "Residual"]
    effects = list(dict.fromkeys(r["term1"] for r in rows))
    value = {frozenset((r["term1"], r["term2"] or r["term1"])): r["estimate"] for r in rows}
    full = np.array([[value.get(frozenset((a, b)), 0.0) for a in effects] for b in effects])
    G = [full] if len(blocks) == 1 else [full[k : k + 1, k : k + 1] for k in range(len(effects))]
    A = referee.observed_covariance(y, X, blocks, G, fit.sigma**2, method)
    by_rank = [r for k, a in enumerate(effects) for b in effects[k:] for r in rows if _is_pair(r, a, b)]
    got = [r["std_error"] for r in by_rank] + [component(fit, "Residual", None, None)["std_error"]]
    np.testing.assert_allclose(got, np.sqrt(np.diag(A)), rtol=1e-5)
    df = referee.satterthwaite_df(np.eye(len(answer["terms"])), y, X, blocks, G, fit.sigma**2, method)
    np.testing.assert_allclose(list(by_term(fit, "df").values()), df, rtol=1e-5)


def _is_pair(row: dict[str, object], a: str, b: str) -> bool:
    return {row["term1"], row["term2"] or row["term1"]} == {a, b}
