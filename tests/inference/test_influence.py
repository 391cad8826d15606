"""Leave-one-out: against lme4 on the rows that stay (tests/oracles), and against fits of the filtered frame."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import dyadline as dl
from dyadline.errors import PlanError
from dyadline.inference.influence import cooks_distances
from oracles import answers, nested
from truth import agree

LME4 = "lme4: refits without a group"
ORACLES = pytest.mark.parametrize("answer", nested.fits("influence"), ids=lambda a: f"{a['label']}-{a['by']}")


@ORACLES
def test_refits_are_lme4s(answer):
    frame = answers.frame(answer["data"])
    fit = dl.fit(answer["formula"], frame, method=answer["method"])
    found = dl.influence(fit, answer["by"])
    assert found.group == answer["by"]
    assert found.groups["group"].to_list() == list(answer["without"])
    assert found.groups["exact"].all()
    for row in found.groups.to_dicts():
        want = answer["without"][row["group"]]
        assert row["n_rows"] == answer["whole"]["n_rows"] - want["n_rows"]
        agree(LME4, "criterion", abs(row["criterion"] - want["criterion"]), 1e-6)
        assert row["criterion"] <= want["criterion"] + 1e-7
        agree(LME4, "σ, relative", abs(row["sigma"] / want["sigma"] - 1.0), 1e-5)
        assert row["singular"] == want["singular"]
        assert row["converged"]
        for term in found.terms.filter(pl.col("group") == row["group"]).to_dicts():
            name = term["term"]
            agree(LME4, "estimate / SE", abs(term["estimate"] - want["beta"][name]) / want["std_error"][name], 1e-5)
            change = (answer["whole"]["beta"][name] - want["beta"][name]) / want["std_error"][name]
            agree(LME4, "dfbetas", abs(term["dfbetas"] - change), 2e-5)


def simulated(seed: int = 3, dyads: int = 30, sessions: int = 6) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    dyad = np.repeat(np.arange(dyads), sessions)
    s = np.tile(np.arange(sessions), dyads)
    x = rng.normal(size=dyads)[dyad]
    y = 3 + 0.3 * s + 0.4 * x + rng.normal(size=dyads)[dyad] + 0.3 * rng.normal(size=dyads)[dyad] * s
    y = y + rng.normal(size=dyads // 3)[dyad // 3] + rng.normal(size=len(s))
    data = {
        "y": y,
        "s": s,
        "odd": s % 2,
        "x": x,
        "dyad": dyad,
        "therapist": dyad // 3,
        "w": y + rng.normal(size=len(s)),
    }
    frame = pl.DataFrame(data).filter(pl.Series(rng.random(len(s)) > 0.1))
    return frame.with_columns(pl.when(pl.int_range(pl.len()) % 9 == 0).then(None).otherwise("w").alias("w"))


MODELS = [
    ("y ~ s * x + (s | dyad)", None, "dyad", "REML"),
    ("y ~ s * x + (s | dyad)", None, "dyad", "ML"),
    ("y ~ s * x + (s || dyad)", None, "dyad", "REML"),
    ("y ~ s * x + (s | dyad) + (1 | therapist)", None, "dyad", "REML"),
    ("y ~ s * x + (s | dyad) + (1 | therapist)", None, "therapist", "ML"),
    ("y ~ s * x + (1 | dyad)", "ar1(s)", "dyad", "REML"),
    ("y ~ s * x + (1 | dyad) + (1 | therapist)", "by(odd)", "dyad", "REML"),
    ("y ~ s * x + (1 | dyad) + (1 | therapist)", "car1(s)", "therapist", "REML"),
    ("cbind(w, y) ~ s + (1 | dyad)", None, "dyad", "REML"),
]


@pytest.mark.parametrize(("formula", "residual", "group", "method"), MODELS)
def test_refits_are_those_of_the_filtered_frame(formula, residual, group, method):
    frame = simulated()
    fit = dl.fit(formula, frame, method=method, residual=residual)
    found = dl.influence(fit, group, p_values=True)
    full = dl.coefficients(fit)
    for label in (0, 4):
        one = dl.fit(formula, frame.filter(pl.col(group) != label), method=method, residual=residual)
        row = found.groups.filter(pl.col("group") == label).row(0, named=True)
        assert row["criterion"] == pytest.approx(one.criterion, abs=1e-8)
        assert (row["singular"], row["converged"]) == (one.singular, one.converged)
        want, got = dl.coefficients(one), found.terms.filter(pl.col("group") == label)
        np.testing.assert_allclose(got["estimate"], want["estimate"], rtol=1e-6, atol=1e-7)
        np.testing.assert_allclose(got["p_value"], want["p_value"], rtol=1e-4, atol=1e-12)
        np.testing.assert_allclose(got["p_value_change"], full["p_value"] - want["p_value"], atol=1e-6)
        np.testing.assert_allclose(got["dfbeta"], full["estimate"] - want["estimate"], atol=1e-6)
        parameters = found.variances.filter(pl.col("group") == label)
        components = dl.variance_components(one)
        assert parameters["term1"].to_list() == components["term1"].to_list()
        np.testing.assert_allclose(parameters["estimate"], components["estimate"], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("method", ["REML", "ML"])
@pytest.mark.parametrize("group", ["dyad", "therapist"])
def test_cooks_distance_and_displacement_by_definition(method, group):
    """`(b − b₍ⱼ₎)'C⁻¹(b − b₍ⱼ₎)/p`, C of all rows; the criterion of all rows at the parameters without the group."""
    formula = "y ~ s + (1 | dyad) + (1 | therapist)" if group == "therapist" else "y ~ s + (1 | dyad)"
    frame = simulated()
    fit = dl.fit(formula, frame, method=method)
    row = dl.influence(fit, group).groups.row(2, named=True)
    one = dl.fit(formula, frame.filter(pl.col(group) != row["group"]), method=method)
    V, X, _ = dense(frame, fit, group)
    C = np.linalg.inv(X.T @ np.linalg.solve(V, X))
    change = dl.coefficients(fit)["estimate"].to_numpy() - dl.coefficients(one)["estimate"].to_numpy()
    assert row["cooks_distance"] == pytest.approx(change @ np.linalg.solve(C, change) / 2, rel=1e-6)
    here = deviance(*dense(frame, fit, group), dl.coefficients(fit)["estimate"].to_numpy(), method)
    there = deviance(*dense(frame, one, group), dl.coefficients(one)["estimate"].to_numpy(), method)
    assert here == pytest.approx(fit.criterion, abs=1e-6)
    assert row["displacement"] == pytest.approx(there - here, rel=1e-4)
    assert row["displacement"] > 0


def dense(frame: pl.DataFrame, fit: dl.Fit, group: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """V, X and y of a random-intercept model, V from the table of variances."""
    variance = dict(dl.variance_components(fit).select("group", "estimate").iter_rows())
    V = variance["Residual"] * np.eye(frame.height)
    for name in ("dyad", "therapist") if group == "therapist" else ("dyad",):
        code = frame[name].to_numpy()
        V += variance[name] * (code[:, None] == code)
    return V, np.column_stack([np.ones(frame.height), frame["s"].to_numpy()]), frame["y"].to_numpy()


def deviance(V: np.ndarray, X: np.ndarray, y: np.ndarray, beta: np.ndarray, method: str) -> float:
    inverse = np.linalg.inv(V)
    value, n = np.linalg.slogdet(V)[1], len(y)
    if method == "REML":
        beta = np.linalg.solve(X.T @ inverse @ X, X.T @ inverse @ y)
        value, n = value + np.linalg.slogdet(X.T @ inverse @ X)[1], n - X.shape[1]
    left = y - X @ beta
    return float(value + n * np.log(2 * np.pi) + left @ inverse @ left)


@pytest.mark.parametrize(("formula", "residual", "group", "method"), MODELS)
def test_one_step_is_near_the_refit(formula, residual, group, method):
    fit = dl.fit(formula, simulated(dyads=45), method=method, residual=residual)
    exact, step = (dl.influence(fit, group, exact=how) for how in (True, False))
    assert not step.groups["exact"].any()
    assert step.groups["singular"].null_count() == step.groups.height
    near = (step.groups["note"] == "").to_numpy()
    assert near.mean() > 0.9
    want, got = (one.groups["cooks_distance"].to_numpy() for one in (exact, step))
    np.testing.assert_allclose(cooks_distances(fit, group), got)
    assert set(np.argsort(-got)[:5]) & set(np.argsort(-want)[:5])
    # of third order in what a group moves
    difference = np.abs(got - want)[near]
    assert np.median(difference) < 0.01 * want.max()
    assert difference.max() < 0.05 * want.max()
    for kind in ("estimate", "dfbetas"):
        pairs = (one.terms[kind].to_numpy().reshape(len(want), -1)[near] for one in (exact, step))
        exactly, nearly = pairs
        np.testing.assert_allclose(nearly, exactly, atol=0.05 * np.abs(exactly).max())


def test_of_many_groups_the_most_influential_are_refitted():
    frame = simulated(dyads=600, sessions=3)
    fit = dl.fit("y ~ s * x + (1 | dyad)", frame)
    found = dl.influence(fit)
    assert 50 <= found.groups["exact"].sum() < 100
    every = dl.influence(fit, exact=True).groups["cooks_distance"].to_numpy()
    some = found.groups["cooks_distance"].to_numpy()
    assert found.groups["exact"].to_numpy()[np.argsort(-every)[:40]].all()
    chosen = found.groups["exact"].to_numpy()
    np.testing.assert_allclose(some[chosen], every[chosen], rtol=1e-6)


def test_a_term_that_hangs_on_one_group():
    frame = simulated().with_columns(special=(pl.col("dyad") == 7).cast(pl.Float64))
    fit = dl.fit("y ~ s + special + (1 | dyad)", frame)
    found = dl.influence(fit)
    row = found.groups.filter(pl.col("group") == 7).row(0, named=True)
    assert row["note"] == "special cannot be estimated without it"
    assert row["cooks_distance"] is None
    assert found.terms.filter(pl.col("group") == 7)["estimate"].null_count() == 3
    assert found.groups["note"].to_list().count("") == found.groups.height - 1
    one = dl.fit("y ~ s + special + (1 | dyad)", frame.filter(pl.col("dyad") != 3))
    assert found.groups.filter(pl.col("group") == 3)["criterion"][0] == pytest.approx(one.criterion, abs=1e-8)


def test_two_groups_leave_nothing_to_compare():
    fit = dl.fit("y ~ s + (1 | dyad)", simulated().filter(pl.col("dyad") < 2))
    assert dl.influence(fit).groups["note"].to_list() == ["too little is left without it"] * 2


def test_a_refit_on_the_boundary_is_named():
    """The slope's variance is that of one dyad's; a full fit on the boundary is refitted there too."""
    rng = np.random.default_rng(3)
    dyad, s = np.repeat(np.arange(12), 6), np.tile(np.arange(6), 12)
    y = rng.normal(size=72) + rng.normal(size=12)[dyad] + 3.0 * s * (dyad == 5)
    frame = pl.DataFrame({"y": y, "s": s, "dyad": dyad})
    fit = dl.fit("y ~ s + (s || dyad)", frame)
    assert not fit.singular
    found = dl.influence(fit)
    one = dl.fit("y ~ s + (s || dyad)", frame.filter(pl.col("dyad") != 5))
    row = found.groups.row(5, named=True)
    assert row["singular"] is True
    assert one.singular
    assert row["criterion"] == pytest.approx(one.criterion, abs=1e-8)
    within = dl.influence(one)
    assert within.groups["converged"].all()
    for label in (0, 11):
        less = dl.fit("y ~ s + (s || dyad)", frame.filter(~pl.col("dyad").is_in([5, label])))
        assert within.groups.filter(pl.col("group") == label)["criterion"][0] <= less.criterion + 1e-7


def test_an_unknown_grouping_is_refused():
    fit = dl.fit("y ~ s + (1 | dyad)", simulated())
    with pytest.raises(PlanError, match=r"no random effects of 'therapist'\. Use dyad"):
        dl.influence(fit, "therapist")


def test_the_kind_of_frame_comes_back():
    pandas = pytest.importorskip("pandas")
    found = dl.influence(dl.fit("y ~ s + (1 | dyad)", simulated().to_pandas()))
    assert all(isinstance(t, pandas.DataFrame) for t in (found.groups, found.terms, found.variances))
