"""Cluster-robust covariances against clubSandwich, its formulas in full matrices and dense algebra of our own."""

from __future__ import annotations

from copy import copy
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import dyadline as dl
from dyadline.errors import DataError, FitError, PlanError
from dyadline.inference.robust import robust_freedom
from dyadline.model.source import Values
from oracles import answers, nested
from truth import agree

PACKAGE, FORMULAS = "clubSandwich", "clubSandwich's formulas"
ORACLES = pytest.mark.parametrize("answer", nested.fits("robust"), ids=lambda a: f"{a['label']}-{a['cluster']}")


@pytest.mark.parametrize("kind", ["CR0", "CR2"])
@ORACLES
def test_oracle(answer, kind):
    frame = answers.frame(answer["data"])
    fit = dl.fit(answer["formula"], frame, method=answer["method"])
    labels = frame[answer["cluster"]]
    table = dl.robust_coefficients(fit, kind, cluster=labels)
    assert table["term"].to_list() == answer["terms"]
    for oracle, want in ((FORMULAS, answer[kind]), (PACKAGE, answer["club_sandwich"][kind])):
        for row in table.to_dicts():
            for column, quantity in (("std_error", "standard errors"), ("df", "df")):
                deviation = abs(row[column] / want[column][row["term"]] - 1.0)
                agree(oracle, f"{kind} {quantity}, relative", deviation, 1e-7)
    covariance = np.array(answer[kind]["covariance"])
    scale = np.sqrt(np.outer(np.diag(covariance), np.diag(covariance)))
    deviation = np.abs(dl.robust_covariance(fit, kind, labels) - covariance) / scale
    agree(FORMULAS, f"{kind} covariances / SEs", deviation.max(), 1e-7)
    if answer["cluster"] == fit.design.groupings[-1].name:
        by_name = dl.robust_coefficients(fit, kind, cluster=answer["cluster"])
        assert by_name.equals(dl.robust_coefficients(fit, kind))
        np.testing.assert_allclose(by_name["std_error"], table["std_error"], rtol=1e-12)


def test_intervals_and_tests_are_students():
    from scipy import stats

    answer = nested.fits("robust")[0]
    fit = dl.fit(answer["formula"], answers.frame(answer["data"]))
    table = dl.robust_coefficients(fit, "CR2", level=0.9)
    usual = dl.coefficients(fit)
    assert table.columns == usual.columns
    for row in table.to_dicts():
        t = row["estimate"] / row["std_error"]
        assert row["statistic"] == pytest.approx(t)
        assert row["p_value"] == pytest.approx(2 * stats.t.sf(abs(t), row["df"]))
        low, high = stats.t.interval(0.9, row["df"], row["estimate"], row["std_error"])
        assert (row["conf_low"], row["conf_high"]) == pytest.approx((low, high))
    np.testing.assert_array_equal(table["estimate"], usual["estimate"])


@pytest.mark.parametrize("kind", ["CR0", "CR2"])
def test_the_table_of_coefficients_takes_them_too(kind):
    from scipy import stats

    frame = sessions()
    fit = dl.fit("y ~ s + (1 | dyad)", frame)
    asked = {"cluster": frame["clinic"], "level": 0.9}
    table = dl.coefficients(fit, robust=kind, **asked)
    assert table.equals(dl.robust_coefficients(fit, kind, **asked))
    assert dl.coefficients(fit, robust=kind).equals(dl.robust_coefficients(fit, kind, cluster="dyad"))
    large = dl.coefficients(fit, "normal", robust=kind, **asked)
    assert large["std_error"].equals(table["std_error"])
    assert large["df"].is_infinite().all()
    np.testing.assert_allclose(large["p_value"], 2 * stats.norm.sf(np.abs(table["statistic"])), rtol=1e-12)
    for question, words in (
        ({"robust": kind, "df": "kenward-roger"}, "adjusts the model's own standard errors"),
        ({"robust": "CR1"}, "'CR1' is not known"),
        ({"robust": kind, "df": "satterthwait"}, "Did you mean 'satterthwaite'"),
        ({"cluster": frame["clinic"]}, "Clusters belong to robust standard errors"),
    ):
        with pytest.raises(PlanError, match=words):
            dl.coefficients(fit, **question)


def sessions() -> pl.DataFrame:
    rng = np.random.default_rng(11)
    dyad, s = np.repeat(np.arange(16), 5), np.tile(np.arange(5), 16)
    y = 0.3 * s + rng.normal(size=16)[dyad] + rng.normal(size=4)[dyad % 4] + rng.normal(size=80) * (1 + s % 2)
    frame = {"y": y, "s": s, "odd": s % 2, "x": rng.normal(size=16)[dyad], "dyad": dyad, "clinic": dyad % 4}
    return pl.DataFrame(frame).filter(pl.Series(rng.random(80) > 0.1))


def correlation(kind: str, s: np.ndarray, fit: dl.Fit) -> np.ndarray:
    """R of all rows relative to the first variance, from the table of variances."""
    rows = dl.variance_components(fit).filter(pl.col("group").str.starts_with("Residual")).to_dicts()
    if kind == "by(odd)":
        ratio = rows[1]["estimate"] / rows[0]["estimate"]
        return np.diag(np.where(s % 2 == 1, ratio, 1.0))
    rho = rows[-1]["estimate"]
    distance = np.abs(s[:, None] - s)
    return np.where(distance == 0, 1.0, rho) if kind == "cs" else rho ** distance.astype(float)


@pytest.mark.parametrize("kind", ["ar1(s)", "car1(s)", "cs", "by(odd)"])
@pytest.mark.parametrize("robust", ["CR0", "CR2"])
def test_residual_structures_by_dense_algebra(kind, robust):
    frame = sessions().sort("dyad", "s")
    formula = "y ~ s + x + (0 + s | dyad)"
    fit = dl.fit(formula, frame, residual=kind)
    dyad, s = frame["dyad"].to_numpy(), frame["s"].to_numpy().astype(float)
    X = np.column_stack([np.ones(len(s)), s, frame["x"].to_numpy()])
    variance = dl.variance_components(fit)["estimate"][0]
    same = dyad[:, None] == dyad
    V = np.where(same, variance * np.outer(s, s) + fit.sigma**2 * correlation(kind, s, fit), 0.0)
    covariance, df = sandwich(V, X, frame["y"].to_numpy(), frame["clinic"].to_numpy(), robust)
    np.testing.assert_allclose(dl.robust_covariance(fit, robust, frame["clinic"]), covariance, rtol=1e-6, atol=1e-9)
    contrasts = np.array([[0.0, 1.0, 0.0], [1.0, 2.0, 0.5]])
    found = robust_freedom(fit, contrasts, robust, frame["clinic"])
    np.testing.assert_allclose(found, [df(one) for one in contrasts], rtol=1e-6)


def sandwich(V, X, y, cluster, kind):
    """Pustejovsky and Tipton's formulas with full matrices; covariance, and df of a contrast."""
    W = np.linalg.inv(V)
    M = np.linalg.inv(X.T @ W @ X)
    maker = np.eye(len(y)) - X @ M @ X.T @ W
    middle, parts = 0.0, []
    for one in np.unique(cluster):
        g = np.flatnonzero(cluster == one)
        A = np.eye(len(g))
        if kind == "CR2":
            D = np.linalg.cholesky(V[np.ix_(g, g)]).T
            B = D @ (maker @ V @ maker.T)[np.ix_(g, g)] @ D.T
            values, vectors = np.linalg.eigh((B + B.T) / 2)
            root = (vectors / np.sqrt(values)) @ vectors.T
            A = D.T @ root @ D
        half = X[g].T @ W[np.ix_(g, g)] @ A
        score = half @ (maker @ y)[g]
        middle = middle + np.outer(score, score)
        parts.append(half @ maker[g])

    def df(contrast):
        U = np.stack([contrast @ M @ part for part in parts])
        P = U @ V @ U.T
        return np.trace(P) ** 2 / (P**2).sum()

    return M @ middle @ M, df


def test_cr2_is_unbiased_where_the_model_is_right():
    """Responses drawn from the fit's own V: the mean of CR2 at that V is (X'V⁻¹X)⁻¹, that of CR0 is smaller."""
    rng = np.random.default_rng(4)
    frame = sessions().sort("dyad", "s")
    dyad, s = frame["dyad"].to_numpy(), frame["s"].to_numpy()
    fit = dl.fit("y ~ s + x + (1 | dyad)", frame)
    X = np.column_stack([np.ones(len(s)), s, frame["x"].to_numpy()])
    V = dl.variance_components(fit)["estimate"][0] * (dyad[:, None] == dyad) + fit.sigma**2 * np.eye(len(s))
    want = np.diag(np.linalg.inv(X.T @ np.linalg.solve(V, X)))
    root, means = np.linalg.cholesky(V), {"CR0": 0.0, "CR2": 0.0}
    draws = 400
    made = fit.design
    for _ in range(draws):
        y = root @ rng.normal(size=len(s))
        beta = np.linalg.solve(X.T @ np.linalg.solve(V, X), X.T @ np.linalg.solve(V, y))
        # The same θ with other responses: β and the rows' outcomes are all that CR0 and CR2 see of y.
        named = (beta - np.array([made.response_shift, 0.0, 0.0])) / made.response_scale
        found = replace(fit.solution.evaluation, beta=np.linalg.solve(made.to_fixed, named))
        rows = copy(made.source.values.rows)
        rows.numbers = {**rows.numbers, "y": y}
        source = replace(made.source, values=Values(rows, made.levels))
        other = replace(fit, design=replace(made, source=source), solution=replace(fit.solution, evaluation=found))
        for kind in means:
            means[kind] = means[kind] + np.diag(dl.robust_covariance(other, kind)) / draws
    # The standard error of a mean of 400 variances with some 10 df is 2 %.
    np.testing.assert_allclose(means["CR2"] / want, 1.0, atol=0.09)
    assert (means["CR0"] / want < 0.95).all()


def test_labels_of_any_kind_for_the_rows_of_the_frame():
    frame = sessions()
    missing = frame.with_columns(y=pl.when(pl.int_range(pl.len()) == 5).then(None).otherwise("y"))
    fit = dl.fit("y ~ s + (1 | dyad)", missing)
    want = dl.robust_covariance(fit, "CR2", missing["clinic"])
    for labels in (missing["clinic"].to_numpy(), missing["clinic"].to_list(), missing["clinic"].cast(pl.String)):
        np.testing.assert_array_equal(dl.robust_covariance(fit, "CR2", labels), want)
    shuffled = missing.sample(fraction=1.0, shuffle=True, seed=1)
    again = dl.robust_covariance(dl.fit("y ~ s + (1 | dyad)", shuffled), "CR2", shuffled["clinic"])
    np.testing.assert_allclose(again, want, rtol=1e-8)
    hole = missing["clinic"].to_list()
    hole[5] = None  # this row is not fitted
    np.testing.assert_array_equal(dl.robust_covariance(fit, "CR2", hole), want)


def test_what_is_refused():
    frame = sessions()
    two = dl.fit("y ~ s + (1 | dyad)", frame)
    three = dl.fit("y ~ s + (1 | dyad) + (1 | clinic)", frame)
    with pytest.raises(PlanError, match="'CR1' is not known"):
        dl.robust_covariance(two, "CR1")
    with pytest.raises(PlanError, match="Groups of 'dyad' are not independent within clinic"):
        dl.robust_covariance(three, "CR2", "dyad")
    with pytest.raises(PlanError, match="no random effects of 'clinic'"):
        dl.robust_covariance(two, "CR2", "clinic")
    with pytest.raises(DataError, match=r"Rows of one dyad have different labels \(row \d+\)"):
        dl.robust_covariance(two, "CR2", frame["s"])
    with pytest.raises(DataError, match=f"There are 3 labels, but the fitted frame has {frame.height} rows"):
        dl.robust_covariance(two, "CR2", [1, 2, 3])
    with pytest.raises(FitError, match="one cluster"):
        dl.robust_covariance(two, "CR2", np.ones(frame.height))
    hole = frame["clinic"].to_list()
    hole[3] = None
    with pytest.raises(DataError, match=r"1 rows that were fitted have no label \(row 4\)"):
        dl.robust_covariance(two, "CR2", hole)
    with pytest.raises(PlanError, match="confidence level"):
        dl.robust_coefficients(two, level=95)
