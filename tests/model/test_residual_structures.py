"""Residual structures and joint models: against nlme (17 digits) and, at nlme's own parameters, the dense referee."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import polars as pl
import pytest

import dyadline as dl
import referee
from dyadline.engine.criterion import evaluate
from dyadline.engine.residual import Autoregressive, CompoundSymmetry, Pairs
from dyadline.model import residual as residual_rows
from dyadline.model.fit import Fit, _in_units, estimates
from dyadline.plan.residual import parse_residual
from oracles import answers, nested
from truth import agree

EXACT = 1e-11
NLME, DENSE = "nlme: residual structures and both raters", "the dense referee: residual structures"
WRITTEN = {
    "variance": "by({level})",
    "ar1": "ar1({along} | {by})",
    "car1": "car1({along} | {by})",
    "symmetry": "cs(| {by})",
    "pairs": "pairs({level}, session)",
}
FITS = tuple(a for a in nested.fits("residual") if a["structure"] in WRITTEN)
every = pytest.mark.parametrize("answer", FITS, ids=lambda a: a["label"] + a["source"])


def written(answer: answers.Answer) -> str:
    given = answer["residual"]
    return WRITTEN[answer["structure"]].format(**{**given, "by": ":".join(given["by"])})


@cache
def _fit(formula: str, data: str, method: str, residual: str) -> Fit:
    return dl.fit(formula, answers.frame(data), method, residual=residual)


def fitted(answer: answers.Answer) -> Fit:
    return _fit(answer["formula"], answer["data"], answer["method"], written(answer))


@every
def test_the_optimum_is_nlmes_or_lower(answer):
    fit = fitted(answer)
    assert fit.converged
    assert fit.criterion <= answer["criterion"] + 1e-7
    # nlme stops that far above.
    agree(NLME, "criterion at the optimum", abs(fit.criterion - answer["criterion"]), 2e-7)
    table = {row["term"]: row for row in dl.coefficients(fit).to_dicts()}
    for term, value in answer["beta"].items():
        se = answer["std_error"][term]
        agree(NLME, "fixed effects, relative", abs(table[term]["estimate"] - value) / max(abs(value), se), 1e-6)
        agree(NLME, "standard errors, relative", abs(table[term]["std_error"] / se - 1.0), 1e-5)


@every
def test_variances_and_residual_parameters(answer):
    rows = dl.variance_components(fitted(answer)).to_dicts()
    given = answer["residual"]
    residuals = {r["term1"]: r["estimate"] for r in rows if r["group"] == "Residual"}
    wanted = {"Residual": given["variance"]["all"]} if given["level"] is None else given["variance"]
    assert residuals.keys() == wanted.keys()
    for level, value in wanted.items():
        agree(NLME, "residual variances, relative", abs(residuals[level] / value - 1.0), 1e-4)
    correlations = [r["estimate"] for r in rows if r["group"] == "Residual correlation"]
    for got, value in zip(correlations, (given[k] for k in ("phi", "rho") if given[k] is not None), strict=True):
        agree(NLME, "residual correlations", abs(got - value), 1e-5)
    for block in answer["random"]:
        # What nlme leaves of a variance of zero is small beside the residual's.
        sd = np.sqrt(np.maximum(np.diag(block["covariance"]), 1e-3 * min(residuals.values())))
        for r in rows:
            if r["group"] == block["group"]:
                i, j = (block["terms"].index(r[t] or r["term1"]) for t in ("term1", "term2"))
                value = np.atleast_2d(block["covariance"])[i, j]
                agree(NLME, "(co)variances / SDs", abs(r["estimate"] - value) / (sd[i] * sd[j]), 1e-4)


@pytest.mark.parametrize("answer", [a for a in FITS if a["random"]], ids=lambda a: a["label"])
def test_at_fixed_parameters_the_referee_agrees(answer):
    """At parameters away from the optimum, where only the formula counts."""
    fit, (y, X, blocks) = fitted(answer), nested.arrays(answer)
    made = fit.design
    rng = np.random.default_rng(len(answer["label"]))
    D = []
    for Z, _ in blocks:
        root = rng.normal(size=(Z.shape[1],) * 2) / np.sqrt((Z**2).mean(axis=0))[:, None]
        D.append(root @ root.T)
    part, psi = nested.residual_structure(answer)
    standardised = []
    for grouping in made.groupings:
        k = next(k for k, block in enumerate(answer["random"]) if block["group"] == grouping.name)
        back = np.linalg.inv(grouping.to_random)
        standardised.append(back @ D[k] @ back.T)
    eta = residual_parameters(fit, psi)
    there = evaluate(made.moments, made.structure, made.structure.theta(standardised, eta))
    solution = replace(fit.solution, evaluation=there)
    want = referee.criterion(y, X, blocks, D, answer["method"], R0=part.R0(psi))
    deviation = abs(_in_units(made, solution, fit.method) - want) / abs(want)
    agree(DENSE, "criterion at fixed parameters, relative", deviation, EXACT)
    beta, _ = estimates(replace(fit, solution=solution))
    verdict = referee.solve(y, X, blocks, D, R0=part.R0(psi))
    std_error = np.sqrt(np.diag(verdict.covariance) * verdict.rss / len(y))
    deviations = np.abs(beta - verdict.beta) / np.maximum(np.abs(verdict.beta), std_error)
    agree(DENSE, "fixed effects at fixed parameters, relative", deviations.max(), 1e-10)


def residual_parameters(fit: Fit, psi: np.ndarray) -> np.ndarray:
    """Our η from variance ratios and correlation."""
    structure = fit.design.structure.residual
    if isinstance(structure, Pairs):
        return np.array([np.log(psi[0]), np.arctanh(psi[1])])
    if isinstance(structure, Autoregressive):
        return np.array([np.log(-np.log(psi[0])) if structure.continuous else np.arctanh(psi[0])])
    if isinstance(structure, CompoundSymmetry):
        share = (psi[0] - structure.lowest) / (1 - structure.lowest)
        return np.array([np.log(share / (1 - share))])
    return np.log(psi)


def test_rows_weighed_anew_give_what_forms_give(monkeypatch):
    answer = next(a for a in FITS if a["structure"] == "ar1" and a["random"])
    usual = fitted(answer)
    monkeypatch.setattr(residual_rows, "LARGEST_FORMS", 0)
    anew = dl.fit(answer["formula"], answers.frame(answer["data"]), answer["method"], residual=written(answer))
    assert anew.design.residual.gap is not None and usual.design.residual.gap is None
    assert anew.criterion == pytest.approx(usual.criterion, rel=1e-12)
    np.testing.assert_allclose(estimates(anew)[1], estimates(usual)[1], rtol=1e-6)


def raters() -> pl.DataFrame:
    """The long two-rater oracle data as one row per session."""
    long = answers.frame("raters")
    return long.pivot("rater", index=["dyad", "session", "t"], values="y")


@pytest.mark.parametrize("method", ["REML", "ML"])
def test_both_raters_at_once_are_the_long_model(method):
    answer = next(
        a for a in FITS if a["data"] == "raters" and a["structure"] == "pairs" and "pat_t + the_t |" in a["formula"]
        and a["method"] == method
    )  # fmt: skip
    fit = dl.fit_dyadic(raters(), dyad="dyad", time="t", patient="patient", therapist="therapist", method=method)
    assert fit.criterion == pytest.approx(answer["criterion"], abs=1e-7)
    table = {row["term"]: row["estimate"] for row in dl.coefficients(fit).to_dicts()}
    names = {"patient": "pat", "therapist": "the", "patient:t": "pat_t", "therapist:t": "the_t"}
    assert list(table) == list(names)
    for ours, theirs in names.items():
        assert abs(table[ours] - answer["beta"][theirs]) <= 1e-6 * answer["std_error"][theirs] + 1e-6 * abs(table[ours])


def test_a_rating_that_is_missing_costs_only_itself():
    frame = raters()
    fit = dl.fit_dyadic(frame, dyad="dyad", time="t", patient="patient", therapist="therapist")
    assert fit.n_rows == frame["patient"].count() + frame["therapist"].count()
    assert frame["patient"].null_count() + frame["therapist"].null_count() > 0


@pytest.mark.parametrize("gap", [None, float("nan")])
def test_a_predictor_of_one_rater_may_be_missing_for_the_other(gap):
    """Missing or NaN: the other rater's rows stay."""
    rng = np.random.default_rng(3)
    dyad = np.repeat(np.arange(15), 4)
    columns = {name: rng.normal(size=60) for name in ("p", "t", "x")}
    frame = pl.DataFrame({"dyad": dyad, **columns}).with_columns(
        x=pl.when(pl.int_range(pl.len()) % 5 == 0).then(pl.lit(gap, pl.Float64)).otherwise("x")
    )
    assert dl.fit("cbind(p, t) ~ p + t + p:x + (1 | dyad)", frame).n_rows == 60 + 48


def test_columns_of_the_dyadic_model_are_names():
    frame = pl.DataFrame({"dyad": np.repeat(np.arange(9), 5), "week": np.tile(np.arange(5.0), 9)})
    rng = np.random.default_rng(5)
    frame = frame.with_columns(p=pl.Series(rng.normal(size=45)), t=pl.Series(rng.normal(size=45)), age=pl.col("dyad"))
    asked = {"dyad": "dyad", "time": "week", "patient": "p", "therapist": "t"}
    one, other = (dl.fit_dyadic(frame, **asked, predictors=names) for names in ("age", ["age"]))
    assert one.spec == other.spec
    for wrong in ({"dyad": 3}, {"time": None}, {"predictors": 3}, {"predictors": [3]}, {"therapist_id": 3}):
        with pytest.raises(dl.PlanError, match="given by name"):
            dl.fit_dyadic(frame, **{**asked, **wrong})
    for wrong in ({"time": "p"}, {"dyad": "week"}, {"predictors": ["age", "t"]}, {"predictors": ["age", "age"]}):
        with pytest.raises(dl.PlanError, match="named twice"):
            dl.fit_dyadic(frame, **{**asked, **wrong})
    lettered = frame.with_columns(week=pl.col("week").cast(pl.String))
    for shape in ("linear", "quadratic"):
        with pytest.raises(dl.DataError, match="The time 'week' holds text, not numbers"):
            dl.fit_dyadic(lettered, **asked, shape=shape)


def test_who_is_called_first_does_not_matter():
    frame = raters()
    one = dl.fit("cbind(patient, therapist) ~ t + (t | dyad)", frame)
    other = dl.fit("cbind(therapist, patient) ~ t + (t | dyad)", frame)
    assert other.criterion == pytest.approx(one.criterion, rel=1e-11)
    mine, theirs = ({r["term"]: r for r in dl.coefficients(f).to_dicts()} for f in (one, other))
    for term, row in mine.items():
        assert theirs[term]["estimate"] == pytest.approx(row["estimate"], rel=1e-7)
        assert theirs[term]["df"] == pytest.approx(row["df"], rel=1e-5)


def test_six_random_effects_and_predictors():
    # Dyads enough for so many effects, each of which varies: no fit needs all starts.
    rng = np.random.default_rng(2)
    dyad, t = np.repeat(np.arange(80), 8), np.tile(np.linspace(-1.0, 1.0, 8), 80)
    effects, noise = rng.normal(size=(6, 80)), 0.5 * rng.normal(size=(2, 640))
    patient, therapist = (b[0, dyad] + b[1, dyad] * t + b[2, dyad] * t**2 for b in (effects[:3], effects[3:]))
    frame = pl.DataFrame({"dyad": dyad, "t": t, "x": effects[0, dyad] > 0, "patient": patient, "therapist": therapist})
    frame = frame.with_columns(
        pl.col("x").cast(pl.Float64), pl.col("patient") + noise[0], pl.col("therapist") + noise[1]
    )
    fit = dl.fit_dyadic(
        frame, dyad="dyad", time="t", patient="patient", therapist="therapist", shape="quadratic", predictors=["x"]
    )
    assert len(fit.design.groupings[0].effects) == 6
    assert fit.converged and not fit.singular
    assert "therapist:t_squared:x" in dl.coefficients(fit)["term"].to_list()
    smaller = dl.fit_dyadic(
        frame, dyad="dyad", time="t", patient="patient", therapist="therapist", shape="quadratic", random="linear",
        predictors=["x"],
    )  # fmt: skip
    assert fit.criterion <= smaller.criterion + 1e-7


def test_an_outcome_of_a_million_more_moves_both_intercepts_alone():
    frame = raters()
    one = dl.fit("cbind(patient, therapist) ~ t + (t | dyad)", frame)
    far = dl.fit("cbind(patient, therapist) ~ t + (t | dyad)", frame.with_columns(pl.col("patient", "therapist") + 1e6))
    assert far.criterion == pytest.approx(one.criterion, rel=1e-8)
    a, b = (estimates(f)[0] for f in (one, far))
    np.testing.assert_allclose(b - a, [1e6, 1e6, 0, 0], atol=1e-6)


def test_three_levels_of_both_raters_is_the_dense_likelihood():
    frame = raters().with_columns(th=pl.col("dyad").str.slice(1).cast(pl.Int64) // 3)
    fit = dl.fit_dyadic(
        frame, dyad="dyad", time="t", patient="patient", therapist="therapist", therapist_id="th", random="intercept"
    )
    assert [g.name for g in fit.design.groupings] == ["dyad", "th"]
    long = pl.concat(
        [
            frame.select("dyad", "session", "t", "th", pl.col(r).alias("y"), rater=pl.lit(r)).drop_nulls("y")
            for r in ("patient", "therapist")
        ]
    )
    other = dl.fit(
        "y ~ 0 + p + c + p:t + c:t + (0 + p + c | dyad) + (0 + p + c | th)",
        long.with_columns(p=(pl.col("rater") == "patient") * 1.0, c=(pl.col("rater") == "therapist") * 1.0),
        residual="pairs(rater, session)",
    )
    assert other.criterion == pytest.approx(fit.criterion, rel=1e-11)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("arr1(t)", "Did you mean 'ar1'"),
        ("ar1", "cannot be read"),
        ("by(a, b)", "cannot be read"),
        ("pairs(rater)", "cannot be read"),
        ("ar1(t | )", "cannot be read"),
        ("cs(t)", "cannot be read"),
        ("ar1(t", "cannot be read"),
    ],
)
def test_structures_that_cannot_be_read(text, words):
    with pytest.raises(dl.PlanError, match=words):
        parse_residual(text)


def test_structures_as_they_are_written():
    for text in ("independent", "by(rater)", "pairs(rater, session)", "ar1(t | dyad)", "car1(`a b`)", "cs(| a:b)"):
        assert parse_residual(text).label == text.replace("`", "")


@pytest.mark.parametrize(
    ("residual", "change", "error", "words"),
    [
        ("ar1(t)", {"t": pl.col("t") / 3}, dl.DataError, "whole occasions"),
        ("ar1(t)", {"t": pl.lit(1.0)}, dl.DataError, "two rows at the same t"),
        ("car1(phase)", {}, dl.DataError, "needs numbers"),
        ("by(one)", {"one": pl.lit("a")}, dl.FitError, "one value"),
        ("pairs(phase, t)", {}, dl.DataError, "has 3 values"),
        ("pairs(two, t)", {"two": pl.when(pl.col("t") > 3).then(pl.lit("a")).otherwise(pl.lit("b"))}, dl.FitError,
         "No occasion has both"),
        ("ar1(t | phase)", {}, dl.PlanError, "cannot hang together"),
        ("by(gone)", {}, dl.PlanError, "no column 'gone'"),
    ],
)  # fmt: skip
def test_structures_that_the_data_cannot_have(residual, change, error, words):
    frame = answers.frame("serial").with_columns(**change)
    formula = "y ~ 1 + (1 | dyad)" if "t" in change else "y ~ t + (1 | dyad)"
    with pytest.raises(error, match=words):
        dl.fit(formula, frame, residual=residual)


def test_joint_models_have_their_own_residual_structure():
    with pytest.raises(dl.PlanError, match="its own residual structure"):
        dl.fit("cbind(patient, therapist) ~ t + (t | dyad)", raters(), residual="ar1(session)")
