"""Conditional modes with their errors: against lme4, and against the dense formula where lme4 has no such model."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scipy import stats

import dyadline as dl
import referee_residual
from oracles import answers, nested
from truth import agree

ORACLE, DENSE = "lme4, conditional modes", "dense likelihood, conditional modes"


def parts(name):
    return frozenset(name.split(":"))


@pytest.mark.parametrize("answer", nested.fits("modes"), ids=lambda a: a["label"])
def test_as_lme4(answer):
    table = dl.random_effects(dl.fit(answer["formula"], answers.frame(answer["data"]), answer["method"]))
    found = {(parts(r["group"]), parts(r["level"]), r["effect"]): r for r in table.to_dicts()}
    assert len(found) == table.height
    count = 0
    for group in answer["groups"]:
        for term in group["terms"]:
            scale = np.std(group["mode"][term])
            for label, mode, sd in zip(group["labels"], group["mode"][term], group["sd"][term], strict=True):
                row = found[parts(group["group"]), parts(label), term]
                agree(ORACLE, "mode / SD of the modes", abs(row["mode"] - mode) / scale, 1e-6)
                agree(ORACLE, "standard error, relative", abs(row["std_error"] / sd - 1), 1e-6)
                count += 1
    assert count == table.height


def dense(y, X, Z, G, R):
    """Modes and errors of all effects at once: `GZ'V⁻¹r` and `G − GZ'V⁻¹ZG`."""
    V = Z @ G @ Z.T + R
    solved = np.linalg.solve(V, np.column_stack([X, y]))
    beta = np.linalg.solve(X.T @ solved[:, :-1], X.T @ solved[:, -1])
    modes = G @ Z.T @ np.linalg.solve(V, y - X @ beta)
    return modes, np.sqrt(np.diag(G - G @ Z.T @ np.linalg.solve(V, Z @ G)))


def by_group(codes, columns):
    """Z of effects that are sorted by group, then effect."""
    n, q = columns.shape
    Z = np.zeros((n, q * (codes.max() + 1)))
    for e in range(q):
        Z[np.arange(n), q * codes + e] = columns[:, e]
    return Z


def test_beside_a_serial_correlation_and_therapists():
    frame = answers.frame("serial_nested")
    fit = dl.fit("y ~ t + (t | dyad) + (1 | therapist)", frame, residual="ar1(occasion)")
    g = {(r["group"], r["term1"], r["term2"]): r["estimate"] for r in dl.variance_components(fit).to_dicts()}
    t = frame["t"].to_numpy()
    X = np.column_stack([np.ones(len(t)), t])
    codes = {name: nested.group_codes(frame, [name]) for name in ("dyad", "therapist")}
    (phi,) = (v for k, v in g.items() if k[0] == "Residual correlation")
    own = np.array(
        [
            [g["dyad", "(Intercept)", None], g["dyad", "(Intercept)", "t"]],
            [g["dyad", "(Intercept)", "t"], g["dyad", "t", None]],
        ]
    )
    dyads, therapists = (codes[n].max() + 1 for n in ("dyad", "therapist"))
    G = np.zeros((2 * dyads + therapists,) * 2)
    G[: 2 * dyads, : 2 * dyads] = np.kron(np.eye(dyads), own)
    G[2 * dyads :, 2 * dyads :] = g["therapist", "(Intercept)", None] * np.eye(therapists)
    Z = np.column_stack([by_group(codes["dyad"], X), by_group(codes["therapist"], X[:, :1])])
    R = g["Residual", "Residual", None] * referee_residual.serial(frame["occasion"].to_numpy(), codes["dyad"], phi)
    modes, errors = dense(frame["y"].to_numpy(), X, Z, G, R)
    order = [*(sorted(set(frame[n])) for n in ("dyad", "therapist"))]
    keys = [("dyad", label, e) for label in order[0] for e in ("(Intercept)", "t")]
    keys += [("therapist", label, "(Intercept)") for label in order[1]]
    found = {(r["group"], r["level"], r["effect"]): r for r in dl.random_effects(fit).to_dicts()}
    assert found.keys() == set(keys)
    for key, mode, error in zip(keys, modes, errors, strict=True):
        agree(DENSE, "mode, relative", abs(found[key]["mode"] - mode) / abs(modes).max(), 1e-8)
        agree(DENSE, "standard error, relative", abs(found[key]["std_error"] / error - 1), 1e-8)


def test_of_a_joint_model():
    frame = answers.frame("study")
    fit = dl.fit("cbind(wai_p, wai_t) ~ session + (1 | dyad)", frame)
    g = {(r["group"], r["term1"], r["term2"]): r["estimate"] for r in dl.variance_components(fit).to_dicts()}
    long = frame.unpivot(["wai_p", "wai_t"], index=["dyad", "session"]).drop_nulls()
    kinds = np.column_stack([(long["variable"] == name).to_numpy() * 1.0 for name in ("wai_p", "wai_t")])
    X = np.column_stack([kinds, kinds * long["session"].to_numpy()[:, None]])
    covariance = g["dyad", "wai_p", "wai_t"]
    own = np.array([[g["dyad", "wai_p", None], covariance], [covariance, g["dyad", "wai_t", None]]])
    codes = nested.group_codes(long, ["dyad"])
    v, w = g["Residual", "wai_p", None], g["Residual", "wai_t", None]
    R = referee_residual.pairs(
        long["variable"].to_numpy(),
        nested.group_codes(long, ["dyad", "session"]),
        w / v,
        g["Residual correlation", "wai_p", "wai_t"],
    )
    G = np.kron(np.eye(codes.max() + 1), own)
    modes, errors = dense(long["value"].to_numpy(), X, by_group(codes, kinds), G, v * R)
    table = dl.random_effects(fit)
    assert table["effect"].to_list()[:2] == ["wai_p", "wai_t"]
    order = table.sort("level", "effect")
    agree(DENSE, "mode, relative", np.abs(order["mode"] - modes).max() / np.abs(modes).max(), 1e-8)
    agree(DENSE, "standard error, relative", np.abs(order["std_error"] / errors - 1).max(), 1e-8)


def test_intervals_and_labels():
    frame = answers.frame("balanced").with_columns(g=pl.col("g").str.slice(1).cast(pl.Int64))
    table = dl.random_effects(dl.fit("y ~ t + (1 | g)", frame.to_pandas()), level=0.8)
    assert type(table).__module__.startswith("pandas")
    assert list(table.columns) == ["group", "level", "effect", "mode", "std_error", "conf_low", "conf_high"]
    assert sorted(table["level"], key=int) == [str(n) for n in range(1, 21)]
    reach = stats.norm.ppf(0.9) * table["std_error"]
    np.testing.assert_allclose(table["conf_low"], table["mode"] - reach, rtol=1e-10)
    np.testing.assert_allclose(table["conf_high"], table["mode"] + reach, rtol=1e-10)


def test_effects_that_do_not_vary_have_modes_of_zero():
    table = dl.random_effects(dl.fit("y ~ t + (1 | g)", answers.frame("no_variance")))
    assert (table["mode"] == 0).all() and (table["std_error"] == 0).all()


def test_without_random_effects_there_are_no_modes():
    with pytest.raises(dl.PlanError, match="no random effects"):
        dl.random_effects(dl.fit("y ~ t", answers.frame("arms"), residual="cs(| g)"))
