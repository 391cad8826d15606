"""Kenward–Roger: pbkrtest's answers (17 digits, tests/oracles), exact tests of balanced designs, any units.

pbkrtest's own answers stand in kenward_roger.json; those on the boundary, with three random effects, at a large
ICC and in large units in kenward_roger_edges.json.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import polars as pl
import pytest
from scipy import stats

import dyadline as dl
import referee_inference
from dyadline.inference.kenward_roger import adjusted_covariance, kenward_roger_f
from dyadline.model.fit import random_covariance
from oracles import answers, nested
from truth import agree

PROGRAMS = {"satterthwaite": "lmerTest", "kenward-roger": "pbkrtest"}
HOTELLING = "Hotelling's T², balanced lines"
EVERY = [*nested.fits("kenward_roger"), *nested.fits("kenward_roger_edges")]
every = pytest.mark.parametrize("answer", EVERY, ids=lambda a: a["label"])
F_TESTS = [(a, number) for a in EVERY for number in range(len(a["f_tests"]))]
f_tests = pytest.mark.parametrize(("answer", "number"), F_TESTS, ids=[f"{a['label']}-{n}" for a, n in F_TESTS])
CONTRASTS = [(a, number) for a in EVERY for number in range(len(a.get("contrasts", [])))]
each_contrast = pytest.mark.parametrize(
    ("answer", "number"), CONTRASTS, ids=[f"{a['label']}-{n}" for a, n in CONTRASTS]
)


@cache
def _fit(formula: str, data: str) -> dl.Fit:
    return dl.fit(formula, answers.frame(data))


def fitted(answer: answers.Answer) -> dl.Fit:
    return _fit(answer["formula"], answer["data"])


def oracle_of(answer: answers.Answer, program: str) -> str:
    return f"{program}: {'two' if len(fitted(answer).design.groupings) == 1 else 'three'} levels"


@every
def test_adjusted_errors_and_df_are_pbkrtests(answer):
    want, oracle = answer["kenward_roger"], oracle_of(answer, "pbkrtest")
    for row in dl.coefficients(fitted(answer), df="kenward-roger").to_dicts():
        term = row["term"]
        agree(oracle, "adjusted standard errors, relative", abs(row["std_error"] / want["std_error"][term] - 1.0), 1e-5)
        agree(oracle, "df, relative", abs(row["df"] / want["df"][term] - 1.0), 1e-4)


@pytest.mark.parametrize("answer", [a for a in EVERY if "covariance" in a["kenward_roger"]], ids=lambda a: a["label"])
def test_adjusted_covariance_is_pbkrtests(answer):
    want = np.array(answer["kenward_roger"]["covariance"], dtype=float)
    got = adjusted_covariance(fitted(answer), np.eye(len(want)))
    sd = np.sqrt(np.diag(want))
    deviation = np.abs(got - want) / np.outer(sd, sd)
    agree(oracle_of(answer, "pbkrtest"), "adjusted covariances / SEs", deviation.max(), 1e-5)


@each_contrast
def test_contrasts_are_those_of_lmer_test_and_pbkrtest(answer, number):
    asked = answer["contrasts"][number]
    for df in ("satterthwaite", "kenward-roger"):
        want = asked[df.replace("-", "_")]
        if want is None:
            continue
        row = dl.contrasts(fitted(answer), {"c": asked["weights"]}, df=df).to_dicts()[0]
        oracle = oracle_of(answer, PROGRAMS[df])
        agree(oracle, "contrasts: df, relative", abs(row["df"] / want["df"] - 1.0), 1e-4)
        agree(oracle, "contrasts: SE, relative", abs(row["std_error"] / want["std_error"] - 1.0), 1e-5)
        assert row["statistic"] == pytest.approx(want["t"], rel=1e-5, abs=1e-6)
        assert row["p_value"] == pytest.approx(want["p_value"], rel=1e-3)
        for ours, theirs in (("estimate", "estimate"), ("conf_low", "lower"), ("conf_high", "upper")):
            deviation = abs(row[ours] - want[theirs]) / want["std_error"]
            agree(oracle, "contrasts: estimate and limits / SE", deviation, 2e-5)


@f_tests
def test_joint_tests_are_those_of_lmer_test_and_pbkrtest(answer, number):
    asked = answer["f_tests"][number]
    rows = np.atleast_2d(np.array(asked["weights"], dtype=float))
    for df in ("satterthwaite", "kenward-roger"):
        want = asked[df.replace("-", "_")]
        if want is None:
            continue
        got = dl.f_test(fitted(answer), rows, df=df).to_dicts()[0]
        assert got["df1"] == want["num_df"]
        oracle = oracle_of(answer, PROGRAMS[df])
        agree(oracle, "joint tests: denominator df, relative", abs(got["df2"] / want["den_df"] - 1.0), 1e-4)
        agree(oracle, "joint tests: F, relative", abs(got["f"] / want["f"] - 1.0), 2e-5)
        assert got["p_value"] == pytest.approx(stats.f.sf(want["f"], want["num_df"], want["den_df"]), rel=1e-3)
        if df == "kenward-roger":
            found = kenward_roger_f(fitted(answer), rows, rows @ list(answer_beta(answer).values()))
            agree(oracle, "joint tests: scaling, relative", abs(found.scaling / want["scaling"] - 1.0), 1e-4)


def answer_beta(answer: answers.Answer) -> dict[str, float]:
    table = dl.coefficients(fitted(answer))
    return dict(zip(table["term"], table["estimate"], strict=True))


# -- balanced designs have exact tests ---------------------------------------------------------------------------------


def balanced(seed=11, groups=20, times=5):
    rng = np.random.default_rng(seed)
    g = np.repeat(np.arange(groups), times)
    t = np.tile(np.arange(float(times)), groups)
    y = 5 + t + rng.normal(size=groups)[g] * 2 + rng.normal(size=groups)[g] * 0.7 * t + rng.normal(size=len(g))
    arm = np.array(["a", "b", "c", "d"])[g % 4]
    return pl.DataFrame({"g": g, "t": t, "y": y, "arm": arm})


@pytest.mark.parametrize("df", ["satterthwaite", "kenward-roger"])
def test_a_balanced_growth_model_has_the_df_of_its_groups(df):
    fit = dl.fit("y ~ t + (t | g)", balanced())
    table = dl.coefficients(fit, df=df)
    np.testing.assert_allclose(table["df"], [19.0, 19.0], rtol=1e-8)
    np.testing.assert_allclose(table["std_error"], dl.coefficients(fit)["std_error"], rtol=1e-9)
    at_two = dl.contrasts(fit, "(Intercept) + 2*t", df=df)
    lines = [np.polyfit(part["t"], part["y"], 1) for part in balanced().partition_by("g")]
    exact = stats.ttest_1samp([slope * 2 + start for slope, start in lines], 0.0)
    assert at_two["df"].item() == pytest.approx(19.0, rel=1e-8)
    assert at_two["statistic"].item() == pytest.approx(exact.statistic, rel=1e-6)


@pytest.mark.parametrize("df", ["satterthwaite", "kenward-roger"])
def test_balanced_arms_are_an_analysis_of_variance_of_the_group_means(df):
    frame = balanced()
    means = frame.group_by("g", "arm").agg(pl.col("y").mean())
    exact = stats.f_oneway(*(part["y"] for part in means.partition_by("arm")))
    row = dl.f_test(dl.fit("y ~ arm + (1 | g)", frame), "arm", df=df).to_dicts()[0]
    assert row["hypothesis"] == "armb, armc, armd = 0"
    assert (row["df1"], row["df2"]) == (3, pytest.approx(16.0, rel=1e-8))
    assert row["f"] == pytest.approx(exact.statistic, rel=1e-7)
    assert row["p_value"] == pytest.approx(exact.pvalue, rel=1e-6)


@pytest.mark.parametrize("df", ["satterthwaite", "kenward-roger"])
def test_balanced_slopes_over_time_within_groups(df):
    row = dl.coefficients(dl.fit("y ~ t + (1 | g)", balanced()), df=df).to_dicts()[1]
    assert row["df"] == pytest.approx(100 - 20 - 1, rel=1e-8)


@pytest.mark.parametrize("groups", [5, 20])
def test_the_joint_test_of_balanced_lines_is_hotellings(groups):
    """KR's F is exact where Hotelling's T² is: this is what its second df correction was made for."""
    frame = balanced(groups=groups)
    lines = np.array([np.polyfit(part["t"], part["y"] - 5, 1) for part in frame.partition_by("g")])
    mean = lines.mean(axis=0)
    t2 = groups * mean @ np.linalg.solve(np.cov(lines.T), mean)
    shifted = frame.with_columns(y=pl.col("y") - 5)
    fit = dl.fit("y ~ t + (t | g)", shifted)
    assert not fit.singular
    row = dl.f_test(fit, ["(Intercept)", "t"], df="kenward-roger").to_dicts()[0]
    assert row["df1"] == 2
    agree(HOTELLING, "denominator df, relative", abs(row["df2"] / (groups - 2) - 1.0), 1e-8)
    exact = (groups - 2) / (2 * (groups - 1)) * t2
    agree(HOTELLING, "F, relative", abs(row["f"] / exact - 1.0), 1e-6)


def test_a_variance_estimated_at_zero_stays_uncertain():
    frame = balanced()
    flat = frame.with_columns(y=pl.col("y") - pl.col("y").mean().over("g"))
    fit = dl.fit("y ~ arm + (1 | g)", flat)
    assert fit.singular
    # As pbkrtest does; Satterthwaite's parameters end on the boundary and leave the residual df.
    np.testing.assert_allclose(dl.coefficients(fit, df="kenward-roger")["df"], 16.0, rtol=1e-7)
    np.testing.assert_allclose(dl.coefficients(fit)["df"], 96.0, rtol=1e-7)


# -- units -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("shift", "scale"), [(1e6, 1.0), (0.0, 1e-6), (-1e6, 1e6)])
def test_units_and_zero_points_change_nothing(shift, scale):
    frame = answers.frame("uncorrelated")
    moved = frame.with_columns(y=pl.col("y") * scale + shift, x=pl.col("x") * 1000.0, t=pl.col("t") + shift)
    formula = "y ~ t * x + (t | g)"
    for df in ("satterthwaite", "kenward-roger"):
        here, there = (dl.coefficients(dl.fit(formula, f), df=df) for f in (frame, moved))
        for term, factor in (("t", 1.0), ("t:x", 1e-3)):
            one, other = (f.filter(pl.col("term") == term).to_dicts()[0] for f in (here, there))
            assert other["df"] == pytest.approx(one["df"], rel=1e-6)
            assert other["std_error"] == pytest.approx(one["std_error"] * scale * factor, rel=1e-6)
    one, other = (dl.f_test(dl.fit(formula, f), ["t", "t:x"], df="kenward-roger").to_dicts()[0] for f in (frame, moved))
    assert (other["f"], other["df2"]) == (pytest.approx(one["f"], rel=1e-6), pytest.approx(one["df2"], rel=1e-6))


def test_one_contrast_is_tested_alike_by_t_and_f():
    fit = dl.fit("y ~ t * x + (t || g)", answers.frame("uncorrelated"))
    for df in ("satterthwaite", "kenward-roger"):
        row, joint = dl.contrasts(fit, "t + t:x", df=df).to_dicts()[0], dl.f_test(fit, "t + t:x", df=df).to_dicts()[0]
        assert joint["f"] == pytest.approx(row["statistic"] ** 2, rel=1e-9)
        assert (joint["df1"], joint["df2"]) == (1, pytest.approx(row["df"], rel=1e-9))
        assert joint["p_value"] == pytest.approx(row["p_value"], rel=1e-8)


# -- refusals ----------------------------------------------------------------------------------------------------------


def test_an_ml_fit_is_refused():
    fit = dl.fit("y ~ t + (t | g)", balanced(), method="ML")
    for question in (dl.coefficients, lambda f, df: dl.f_test(f, "t", df=df)):
        with pytest.raises(dl.PlanError, match=r"needs a REML fit.*method='REML'"):
            question(fit, df="kenward-roger")


def test_too_few_groups_are_refused_in_words():
    """Two lines have two means, and nothing is left to estimate their variances from: Hotelling's df are zero."""
    fit = dl.fit("y ~ t + (t | g)", balanced(groups=2))
    with pytest.raises(dl.FitError, match=r"breaks down in so few groups.*Test fewer"):
        dl.f_test(fit, ["(Intercept)", "t"], df="kenward-roger")
    assert dl.coefficients(fit, df="kenward-roger")["df"][1] == pytest.approx(1.0, rel=1e-6)


def residual_directions(answer, fit):
    """dR/d(its variances and covariances), dense, in the rows of the oracle's data."""
    data = answers.frame(answer["data"])
    if answer["structure"] == "symmetry":
        group = nested.group_codes(data, ["dyad"])
        same = (group[:, None] == group[None, :]) * 1.0
        return [np.eye(len(group)), same - np.eye(len(group))]
    labels = data[answer["residual"]["level"]].to_numpy()
    parts = [np.diag((labels == level) * 1.0) for level in sorted(set(labels))]
    if answer["structure"] == "pairs":
        occasion = nested.group_codes(data, ["dyad", "session"])
        same = (occasion[:, None] == occasion[None, :]) * 1.0
        parts.append(same - np.eye(len(labels)))
    return parts


LINEAR = [
    a
    for a in nested.fits("residual")
    if a["structure"] in ("variance", "pairs", "symmetry") and a["random"] and a["method"] == "REML"
]


@pytest.mark.parametrize("answer", LINEAR, ids=lambda a: a["label"])
def test_residual_structures_that_are_linear_in_their_covariances(answer):
    """Against the dense formulas; pbkrtest has none for them."""
    given = answer["residual"]
    written = {"variance": f"by({given['level']})", "pairs": "pairs(rater, session)", "symmetry": "cs"}
    fit = dl.fit(answer["formula"], answers.frame(answer["data"]), residual=written[answer["structure"]])
    y, X, blocks = nested.arrays(answer)
    part, psi = nested.residual_structure(answer)
    rows = dl.variance_components(fit).to_dicts()
    sigma2 = next(r["estimate"] for r in rows if r["group"] == "Residual")
    G = random_covariance(fit)
    V = sigma2 * part.R0(psi) + sum(
        np.where(codes[:, None] == codes[None, :], Z @ g @ Z.T, 0.0) for (Z, codes), g in zip(blocks, G, strict=True)
    )
    parts = referee_inference.linear_parts(blocks, len(y), residual_directions(answer, fit))
    want = referee_inference.kenward_roger(X, V, parts)
    table = dl.coefficients(fit, df="kenward-roger")
    # The optimum is ours, the residual's parameters nlme's: they agree to six digits.
    np.testing.assert_allclose(table["std_error"], np.sqrt(np.diag(want.adjusted)), rtol=1e-5)
    for k, row in enumerate(np.eye(X.shape[1])):
        assert table["df"][k] == pytest.approx(
            referee_inference.kenward_roger_test(row, y[: len(row)], want).df, rel=1e-4
        )


def test_serial_correlations_are_refused():
    fit = dl.fit("y ~ t + (t | dyad)", answers.frame("serial"), residual="ar1(occasion)")
    with pytest.raises(dl.PlanError, match="not offered for a serial correlation"):
        dl.coefficients(fit, df="kenward-roger")
