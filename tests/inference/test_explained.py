"""Intraclass correlations and explained variance: against lme4, closed forms and sums by hand."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest

import dyadline as dl
from oracles import answers, nested
from truth import agree

ORACLE = "lme4, explained variance"


def refit(answer):
    return dl.fit(answer["formula"], answers.frame(answer["data"]), answer["method"])


def components(fit):
    return {(r["group"], r["term1"], r["term2"]): r["estimate"] for r in dl.variance_components(fit).to_dicts()}


# -- R² ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", nested.fits("explained"), ids=lambda a: a["label"])
def test_r_squared_and_shares_of_lme4(answer):
    fit = refit(answer)
    (row,) = dl.r_squared(fit).to_dicts()
    assert row["outcome"] == "y"
    for name in ("r2_marginal", "r2_conditional"):
        agree(ORACLE, name, abs(row[name] - answer[name]), 1e-6)
        agree("performance", name, abs(row[name] - answer["performance"][name]), 1e-6)
    wanted = {
        "variance_fixed": answer["variance_fixed"],
        "variance_random": sum(answer["variance_random"].values()),
        "variance_residual": answer["variance_residual"],
    }
    for name, want in wanted.items():
        agree(ORACLE, f"{name}, relative", abs(row[name] - want) / max(want, 1e-6), 1e-5)
    if all(grouping.effects == ("(Intercept)",) for grouping in fit.design.groupings):
        found = dict(dl.icc(fit).select("group", "icc").iter_rows())
        for group, want in answer["icc_by_group"].items():
            agree(ORACLE, "intraclass correlation", abs(found[group] - want), 1e-6)
        agree(
            "performance", "adjusted ICC", abs(list(found.values())[-1] - answer["performance"]["icc_adjusted"]), 1e-6
        )


def test_joint_models_have_a_row_for_each_outcome():
    """Row by row from the printed tables; the fixed part's variance with R's divisor."""
    frame = answers.frame("study")
    fit = dl.fit("cbind(wai_p, wai_t) ~ session + (session | dyad)", frame)
    beta = dict(dl.coefficients(fit).select("term", "estimate").iter_rows())
    g = components(fit)
    for row in dl.r_squared(fit).to_dicts():
        name = row["outcome"]
        t = frame.drop_nulls([name])["session"].to_numpy()
        fixed = np.var(beta[name] + beta[f"{name}:session"] * t, ddof=1)
        v, w = g["dyad", name, None], g["dyad", f"{name}:session", None]
        random = np.mean(v + 2 * t * g["dyad", name, f"{name}:session"] + t**2 * w)
        residual = g["Residual", name, None]
        total = fixed + random + residual
        found = [row[k] for k in ("variance_fixed", "variance_random", "variance_residual", "r2_marginal")]
        assert found == pytest.approx([fixed, random, residual, fixed / total], rel=1e-8)
        assert row["r2_conditional"] == pytest.approx((fixed + random) / total, rel=1e-8)


def test_unequal_residual_variances_count_by_their_rows():
    frame = answers.frame("serial")
    fit = dl.fit("y ~ t + (1 | dyad)", frame, residual="by(phase)")
    shares = frame["phase"].value_counts(normalize=True)
    g = components(fit)
    want = sum(share * g["Residual", phase, None] for phase, share in shares.iter_rows())
    assert dl.r_squared(fit)["variance_residual"].item() == pytest.approx(want, rel=1e-9)


def test_r_squared_does_not_depend_on_units_or_parts(monkeypatch):
    frame = answers.frame("therapists")
    moved = frame.with_columns(t=pl.col("t") * 60 + 2020, y=1e5 - pl.col("y") * 1e3)
    plain, other = (
        dl.r_squared(dl.fit("y ~ t * x + (t | dyad) + (1 | therapist)", f)).drop("outcome") for f in (frame, moved)
    )
    names = ["r2_marginal", "r2_conditional"]
    np.testing.assert_allclose(other[names].to_numpy(), plain[names].to_numpy(), rtol=1e-6)
    fit = dl.fit("y ~ t * x + (t | dyad) + (1 | therapist)", frame)
    monkeypatch.setattr("dyadline.inference.explained.ROWS_AT_ONCE", 40)
    np.testing.assert_allclose(dl.r_squared(fit).drop("outcome").to_numpy(), plain.to_numpy(), rtol=1e-10)


# -- intraclass correlations ------------------------------------------------------------------------------------------


def test_balanced_one_way_icc_in_closed_form():
    """From mean squares, whose variances are 2 MS²/df; delta method on the logit."""
    rng = np.random.default_rng(6)
    groups, size = 25, 6
    y = rng.normal(size=(groups, 1)) + rng.normal(size=(groups, size))
    frame = pl.DataFrame({"y": y.ravel(), "g": np.repeat(np.arange(groups), size)})
    between = size * ((y.mean(1) - y.mean()) ** 2).sum() / (groups - 1)
    within = ((y - y.mean(1, keepdims=True)) ** 2).sum() / (groups * (size - 1))
    share = (between - within) / (between + (size - 1) * within)
    # d share / d MS, for both
    down = (between + (size - 1) * within) ** 2
    slopes = size * within / down, -size * between / down
    variances = 2 * between**2 / (groups - 1), 2 * within**2 / (groups * (size - 1))
    error = math.sqrt(sum(s**2 * v for s, v in zip(slopes, variances, strict=True)))
    logit, span = math.log(share / (1 - share)), 1.959963984540054 * error / (share * (1 - share))
    (row,) = dl.icc(dl.fit("y ~ 1 + (1 | g)", frame)).to_dicts()
    assert (row["group"], row["residual"], row["at"]) == ("g", None, "")
    assert row["icc"] == pytest.approx(share, rel=1e-7)
    assert row["std_error"] == pytest.approx(error, rel=1e-5)
    ends = [1 / (1 + math.exp(-(logit + side * span))) for side in (-1, 1)]
    assert [row["conf_low"], row["conf_high"]] == pytest.approx(ends, rel=1e-5)


@pytest.mark.parametrize("t", [0.0, 2.5])
def test_random_slopes_make_shares_depend_on_the_place(t):
    answer = next(a for a in nested.fits("explained") if a["formula"].startswith("y ~ t * x + exper"))
    fit = refit(answer)
    table = dl.icc(fit, at={"t": t})
    g = components(fit)
    parts = [
        g[n, "(Intercept)", None] + 2 * t * g[n, "(Intercept)", "t"] + t**2 * g[n, "t", None]
        for n in ("therapist:dyad", "therapist")
    ]
    total = sum(parts) + g["Residual", "Residual", None]
    assert table["group"].to_list() == ["therapist:dyad", "therapist", "therapist:dyad + therapist"]
    assert set(table["at"]) == {f"t = {t:g}"}
    np.testing.assert_allclose(table["icc"], [p / total for p in (*parts, sum(parts))], rtol=1e-10)
    # Moving time to that place says the same with intercepts alone, errors included.
    moved = answers.frame(answer["data"]).with_columns(t=pl.col("t") - t)
    other = dl.icc(dl.fit(answer["formula"], moved))
    for name in ("icc", "std_error", "conf_low", "conf_high"):
        np.testing.assert_allclose(table[name], other[name], rtol=1e-6)


def test_shares_at_levels_of_a_factor_and_by_residual():
    fit = dl.fit("y ~ t * arm + (0 + arm | g)", answers.frame("arms"), residual="by(arm)")
    g = components(fit)
    for arm in ("CBT", "IPT", "waiting"):
        table = dl.icc(fit, {"arm": arm})
        assert table["residual"].to_list() == ["CBT", "IPT", "waiting"]
        row = table.filter(residual=arm).to_dicts()[0]
        v = g["g", f"arm{arm}", None]
        assert row["at"] == f"arm = {arm}"
        assert row["icc"] == pytest.approx(v / (v + g["Residual", arm, None]), rel=1e-9)


def test_each_outcome_of_a_joint_model_has_its_share():
    fit = dl.fit("cbind(wai_p, wai_t) ~ session + (session | dyad)", answers.frame("study"))
    g = components(fit)
    table = dl.icc(fit, at={"session": 3})
    assert table["residual"].to_list() == ["wai_p", "wai_t"]
    for row in table.to_dicts():
        name = row["residual"]
        slope = f"{name}:session"
        v = g["dyad", name, None] + 6 * g["dyad", name, slope] + 9 * g["dyad", slope, None]
        assert row["icc"] == pytest.approx(v / (v + g["Residual", name, None]), rel=1e-9)
        assert row["conf_low"] < row["icc"] < row["conf_high"]


def test_no_variance_no_interval():
    (row,) = dl.icc(dl.fit("y ~ t + (1 | g)", answers.frame("no_variance"))).to_dicts()
    assert row["icc"] == 0.0
    assert [row[k] for k in ("std_error", "conf_low", "conf_high")] == [None] * 3


# -- proportional reductions ------------------------------------------------------------------------------------------


def test_reductions_of_lme4s_variances():
    null, model = (
        next(a for a in nested.fits("explained") if (a["data"], a["formula"]) == ("balanced", f"y ~ {x} + (1 | g)"))
        for x in ("1", "t")
    )
    table = dl.pseudo_r_squared(refit(null), refit(model))
    want = [(null["variance_random"]["g"], model["variance_random"]["g"])]
    want.append((null["variance_residual"], model["variance_residual"]))
    assert table["group"].to_list() == ["g", "Residual"]
    np.testing.assert_allclose(table["reduction"], [1 - after / before for before, after in want], atol=1e-6)
    # Time varies within groups, so it moves variance up: the field's well-known negative R².
    assert table["reduction"][0] < 0
    assert table["note"][0].startswith("negative")
    assert table["note"][1] == ""


def test_slopes_that_a_predictor_explains():
    frame = answers.frame("arms")
    null, model = (dl.fit(f"y ~ t{x} + (t | g)", frame) for x in ("", " * arm"))
    table = dl.pseudo_r_squared(null, model)
    before, after = components(null), components(model)
    assert [tuple(r) for r in table.select("group", "term").iter_rows()] == [
        *(("g", "(Intercept)"), ("g", "t"), ("Residual", "Residual"))
    ]
    for row in table.to_dicts():
        key = row["group"], row["term"], None
        assert (row["null"], row["model"]) == (before[key], after[key])
        assert row["reduction"] == pytest.approx(1 - after[key] / before[key], rel=1e-12)
    assert table["reduction"][1] > 0.2  # arms differ in their slopes by construction


def test_nothing_to_reduce_and_other_random_effects_are_said():
    frame = answers.frame("no_variance")
    table = dl.pseudo_r_squared(dl.fit("y ~ 1 + (1 | g)", frame), dl.fit("y ~ t + (t | g)", frame))
    assert table["reduction"][0] is None
    assert "nothing to reduce" in table["note"][0]
    assert table["note"].str.contains("different random effects").all()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda f: dl.icc(dl.fit("y ~ t + (t | g)", f), {"arm": 1}), "'arm' has no random slope"),
        (lambda f: dl.icc(dl.fit("y ~ t + (t | g)", f), {"t": "late"}), "'t' needs a number"),
        (lambda f: dl.icc(dl.fit("y ~ t + (0 + arm | g)", f), {"arm": "IPD"}), "Did you mean 'IPT'?"),
        (lambda f: dl.icc(dl.fit("y ~ t + (log1p(t) | g)", f), {"t": -2}), "no finite value at t = -2"),
        (lambda f: dl.icc(dl.fit("y ~ t", f, residual="cs(| g)")), "no random effects"),
        (lambda f: dl.icc(dl.fit("y ~ t + (t | g)", f), level=95), "between 0 and 1"),
        (
            lambda f: dl.pseudo_r_squared(dl.fit("y ~ 1 + (1 | g)", f), dl.fit("y ~ t + (1 | g)", f, "ML")),
            "Fit both by the same method",
        ),
        (
            lambda f: dl.pseudo_r_squared(dl.fit("y ~ 1 + (1 | g)", f), dl.fit("y ~ t + (1 | g)", f.head(100))),
            "and 100 rows",
        ),
        (
            lambda f: dl.pseudo_r_squared(dl.fit("y ~ 1 + (1 | g)", f), dl.fit("y ~ t + (0 + t | g)", f)),
            "no random effect in common",
        ),
    ],
)
def test_wrong_questions_are_refused(call, words):
    with pytest.raises(dl.PlanError) as caught:
        call(answers.frame("arms"))
    assert words in str(caught.value)
