"""Likelihood-ratio tests: against lme4 and nlme, closed forms and published quantiles; what cannot be compared."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
from scipy import stats

import dyadline as dl
from dyadline.engine.moments import lower
from dyadline.inference.mixture import NOTHING, Null, null_distribution, projections
from oracles import answers, nested
from truth import agree

ORACLE = "lme4 and nlme, likelihood-ratio tests"
NESTED = [one for one in nested.fits("comparison") if "smaller" in one]


def never():
    raise AssertionError("a closed form needs no information")


def fitted(formula, data, method="REML", residual=None):
    return dl.fit(formula, answers.frame(data), method, residual=residual)


def last(table):
    return table.to_dicts()[-1]


@pytest.mark.parametrize("answer", NESTED, ids=lambda a: f"{a['smaller'].replace(' ', '')}-{a['label']}")
def test_as_lme4_with_the_mixture_on_boundaries(answer):
    small, large = (fitted(answer[k], answer["data"], answer["method"]) for k in ("smaller", "larger"))
    table = dl.compare(large, small)
    row = last(table)
    assert table["model"].to_list() == [answer["smaller"], answer["larger"]]
    assert row["df"] == answer["df"]
    agree(ORACLE, "statistic", abs(row["statistic"] - answer["statistic"]), 1e-6)
    if answer["statistic"] > 1e-6:  # below, lme4's rounding decides
        want = answer["p_value"] if answer["chi_bar"] is None else answer["p_mixture"]
        agree(ORACLE, "p, relative", abs(row["p_value"] / want - 1), 1e-6)
        mixed = [f"0.5·χ²({df})" for df in sorted(answer["chi_bar"] or {})]
        assert row["reference"] == (" + ".join(mixed) or f"χ²({answer['df']})")
    else:
        assert row["p_value"] == 1.0


@pytest.mark.parametrize("method", ["ML", "REML"])
@pytest.mark.parametrize(
    ("data", "formula", "structure", "residual", "words"),
    [
        ("serial", "y ~ t + (t | dyad)", "ar1", "ar1(occasion)", "χ²(1)"),
        ("serial", "y ~ t + (t | dyad)", "variance", "by(phase)", "χ²(2)"),
        ("serial_uneven", "y ~ time + (time | dyad)", "car1", "car1(time)", "0.5·χ²(0) + 0.5·χ²(1)"),
        ("serial_nested", "y ~ t + (t | dyad) + (1 | therapist)", "ar1", "ar1(occasion)", "χ²(1)"),
    ],
)
def test_residual_structures_against_independence(method, data, formula, structure, residual, words):
    wanted = {
        one["structure"]: one["criterion"]
        for topic in ("comparison", "residual")
        for one in nested.fits(topic)
        if (one["data"], one["formula"], one["method"]) == (data, formula, method) and "structure" in one
    }
    row = last(dl.compare(fitted(formula, data, method), fitted(formula, data, method, residual)))
    want = wanted["independent"] - wanted[structure]
    agree(ORACLE, "statistic", abs(row["statistic"] - want), 1e-6)
    assert row["reference"] == words
    df = row["df"]
    half = 0.5 if words.startswith("0.5") else 1.0
    assert row["p_value"] == pytest.approx(half * stats.chi2.sf(want, df), rel=1e-6)


def test_pairs_hold_a_variance_for_each_rater():
    formula = "y ~ 0 + pat + the + pat_t + the_t + (0 + pat + the | dyad)"
    kinds = ("by(rater)", None, "pairs(rater, session)")
    table = dl.compare(*(fitted(formula, "raters_small", "ML", kind) for kind in kinds))
    assert table["reference"].to_list() == [None, "χ²(1)", "χ²(1)"]
    assert table["n_parameters"].to_list() == [8, 9, 10]
    np.testing.assert_allclose(table["statistic"][1:], -np.diff(table["criterion"]), rtol=1e-10)
    np.testing.assert_allclose(table["aic"], table["criterion"] + 2 * table["n_parameters"], rtol=1e-14)
    want = next(
        one["criterion"]
        for one in nested.fits("residual")
        if (one["data"], one["structure"], one["method"]) == ("raters_small", "pairs", "ML")
    )
    agree(ORACLE, "criterion", abs(table["criterion"][2] - want), 1e-6)


# -- the mixtures themselves ------------------------------------------------------------------------------------------


def quantile(null, p):
    low, high = 0.0, 50.0
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if null.p_value(middle) > p else (low, middle)
    return low


@pytest.mark.parametrize(("q", "want"), [(0, 2.71), (1, 5.14), (2, 7.05), (3, 8.76), (4, 10.37)])
def test_published_critical_values(q, want):
    """5 % points of 0.5·χ²(q) + 0.5·χ²(q+1): Fitzmaurice, Laird & Ware (2011), Applied longitudinal analysis, C."""
    assert quantile(null_distribution(q, (1,), never), 0.05) == pytest.approx(want, abs=0.006)


def mixed(weights, x):
    """P(T ≥ x) of a mixture with weights by df from 0."""
    return sum(w * stats.chi2.sf(x, df) for df, w in enumerate(weights) if df)


def by_shares(free, blocks, information):
    shares, dimension = projections(free, blocks, information)
    return Null(df=free + len(information), words="", shares=shares, dimension=dimension)


@pytest.mark.parametrize("r", [-0.8, 0.0, 0.6])
def test_two_variances_are_a_quadrant(r):
    """Self & Liang (1987), case 7: angles of a quadrant in the metric of the information."""
    covariance = np.array([[4.0, r * 0.2], [r * 0.2, 0.01]])
    null = by_shares(0, (1, 1), np.linalg.inv(covariance))
    both = 0.25 + math.asin(r) / (2 * math.pi)
    for x in (1.0, 3.0, 6.0, 12.0):
        assert null.p_value(x) == pytest.approx(mixed([0.5 - both, 0.5, both], x), rel=0.03)


def of_groups(factor):
    """tr(SΔ_iSΔ_j), S = FF': the information of one covariance matrix from like groups, all else known."""
    k = len(factor)
    r, c = lower(k)
    basis = np.zeros((len(r), k, k))
    basis[np.arange(len(r)), r, c] = basis[np.arange(len(r)), c, r] = 1.0
    s = factor @ factor.T
    return np.einsum("iab,jba->ij", s @ basis, s @ basis)


@pytest.mark.parametrize("factor", [np.eye(2), np.array([[3.0, 0.0], [40.0, 0.7]])], ids=["plain", "skewed"])
@pytest.mark.parametrize("free", [0, 2])
def test_a_covariance_matrix_of_two_effects_is_a_circular_cone(factor, free):
    """2×2 matrices with tr(Δ²) as metric: a cone in three dimensions with half-angle 45°, under congruence, too."""
    edge = (1 - math.sqrt(0.5)) / 2
    weights = [0.0] * free + [edge, 0.5 - edge, 0.5 - edge, edge]
    null = by_shares(free, (2,), of_groups(factor))
    for x in (0.5, 2.0, 6.0, 12.0):
        assert null.p_value(x) == pytest.approx(mixed(weights, x), rel=0.03)


def test_any_cone_of_two_effects_has_half_its_weight_on_odd_dimensions():
    """Shapiro (1988); the share of normal vectors inside the cone, and inside its polar, counted for themselves."""
    rng = np.random.default_rng(8)
    root = rng.normal(size=(3, 3)) + 2 * np.eye(3)
    information = root @ root.T
    z = rng.multivariate_normal(np.zeros(3), np.linalg.inv(information), 200_000)

    def definite(v):
        return (v[:, 0] >= 0) & (v[:, 2] >= 0) & (v[:, 0] * v[:, 2] >= v[:, 1] ** 2)

    inside = definite(z).mean()
    polar = definite(-(z @ information) * np.array([1.0, 0.5, 1.0])).mean()
    null = by_shares(0, (2,), information)
    for x in (1.0, 4.0, 9.0):
        assert null.p_value(x) == pytest.approx(mixed([polar, 0.5 - inside, 0.5 - polar, inside], x), rel=0.05)


def test_effects_that_no_group_has_both_of_are_a_quadrant():
    """(0 + arm | g) with arms between groups: nothing is known of covariances, and variances are independent."""
    null = by_shares(0, (2,), np.diag([4.0, 0.0, 0.3]))
    assert null.dimension == 2
    for x in (1.0, 4.0, 9.0):
        assert null.p_value(x) == pytest.approx(mixed([0.25, 0.5, 0.25], x), rel=0.03)
    fit = fitted("y ~ arm + (0 + arm | g)", "arms")
    row = last(dl.random_effect_test(fit, "g"))
    eighth = [0.125, 0.375, 0.375, 0.125]
    assert row["df"] == 6
    assert row["p_value"] == pytest.approx(mixed(eighth, row["statistic"]), rel=0.1)


def test_nothing_gained_is_no_evidence():
    null = null_distribution(0, (1,), never)
    assert null.p_value(0.0) == null.p_value(NOTHING / 2) == 1.0
    assert null.p_value(10 * NOTHING) == pytest.approx(0.5, abs=1e-3)


# -- one grouping's random effects ------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["ML", "REML"])
def test_without_groups_is_least_squares(method):
    frame = answers.frame("balanced")
    x, y = np.column_stack([np.ones(frame.height), frame["t"]]), frame["y"].to_numpy()
    rss = np.linalg.lstsq(x, y, rcond=None)[1].item()
    nu = len(y) - 2 * (method == "REML")
    want = nu * (1 + math.log(2 * math.pi * rss / nu))
    if method == "REML":
        want += np.linalg.slogdet(x.T @ x)[1]
    table = dl.random_effect_test(dl.fit("y ~ t + (1 | g)", frame, method), "g")
    assert table["criterion"][0] == pytest.approx(want, abs=1e-9)
    assert table["reference"][1] == "0.5·χ²(0) + 0.5·χ²(1)"
    assert table["n_parameters"].to_list() == ([1, 2] if method == "REML" else [3, 4])


@pytest.mark.parametrize("method", ["ML", "REML"])
def test_balanced_one_way_statistic(method):
    """Closed form from the mean squares; the null distribution over simulated data sets."""
    rng = np.random.default_rng(21)
    groups, size = 60, 4
    n, p_values = groups * size, []
    for number in range(150):
        y = rng.normal(size=(groups, size))
        frame = pl.DataFrame({"y": y.ravel(), "g": np.repeat(np.arange(groups), size)})
        within, between = ((y - y.mean(1, keepdims=True)) ** 2).sum(), size * ((y.mean(1) - y.mean()) ** 2).sum()
        above = groups - 1 if method == "REML" else groups
        scales = within / (n - groups), between / above
        total = n - 1 if method == "REML" else n
        want = total * math.log((within + between) / total)
        want -= (n - groups) * math.log(scales[0]) + above * math.log(scales[1])
        row = last(dl.random_effect_test(dl.fit("y ~ 1 + (1 | g)", frame, method), "g"))
        assert row["statistic"] == pytest.approx(want if scales[1] > scales[0] else 0.0, abs=1e-7), number
        p_values.append(row["p_value"])
    p_values = np.array(p_values)
    for level in (0.05, 0.2):
        assert abs((p_values <= level).mean() - level) < 3.5 * math.sqrt(level * (1 - level) / len(p_values))


@pytest.mark.parametrize("group", ["therapist", "therapist:dyad"])
def test_one_of_two_levels_as_if_refitted(group):
    whole = fitted("y ~ t + (t | therapist/dyad)", "therapist_slopes")
    kept = {"therapist": "therapist:dyad", "therapist:dyad": "therapist"}[group]
    table = dl.random_effect_test(whole, group)
    refitted = dl.compare(fitted(f"y ~ t + (t | {kept})", "therapist_slopes"), whole)
    numbers = ["n_parameters", "criterion", "aic", "bic", "statistic", "df"]
    np.testing.assert_allclose(table[numbers].to_numpy(), refitted[numbers].to_numpy(), rtol=1e-9)
    assert last(table)["p_value"] == pytest.approx(last(refitted)["p_value"], rel=0.02)
    assert table["reference"][1] == refitted["reference"][1]
    x = last(table)["statistic"]
    assert mixed([0, 1], x) < last(table)["p_value"] < mixed([0, 0, 0, 1], x)


def test_random_effects_beside_correlated_residuals():
    whole = fitted("y ~ t + (t | dyad)", "serial", residual="ar1(occasion)")
    want = next(
        one["criterion"]
        for one in nested.fits("residual")
        if (one["data"], one["formula"], one["structure"], one["method"]) == ("serial", "y ~ t", "ar1", "REML")
    )
    table = dl.random_effect_test(whole, "dyad")
    agree(ORACLE, "criterion", abs(table["criterion"][0] - want), 1e-6)
    named = dl.compare(fitted("y ~ t", "serial", residual="ar1(occasion | dyad)"), whole)
    assert last(named)["statistic"] == pytest.approx(last(table)["statistic"], abs=1e-7)
    assert last(named)["df"] == 3


# -- what is nested in what -------------------------------------------------------------------------------------------


def test_a_covariance_alone_lies_inside():
    row = last(dl.compare(fitted("y ~ t + (t || g)", "arms"), fitted("y ~ t + (t | g)", "arms")))
    assert (row["df"], row["reference"]) == (1, "χ²(1)")


def test_several_effects_at_once():
    frame = answers.frame("study")
    small, large = (dl.fit(f"cbind(wai_p, wai_t) ~ session + ({r} | dyad)", frame) for r in ("1", "session"))
    row = last(dl.compare(small, large))
    assert row["df"] == 7  # two slopes: 2 variances, their covariance, 4 covariances with the intercepts
    assert "2×2 and 4 free parameters" in row["reference"]
    # Between the tests that count only the free ones and all as free.
    assert stats.chi2.sf(row["statistic"], 4) < row["p_value"] < stats.chi2.sf(row["statistic"], 7)


def test_other_codings_of_the_same_predictors_are_nested():
    small, large = (fitted(f"y ~ {x} + (1 | g)", "arms", "ML") for x in ("0 + arm", "arm * t"))
    plain = fitted("y ~ arm + (1 | g)", "arms", "ML")
    rows = [last(dl.compare(one, large)) for one in (small, plain)]
    assert rows[0]["statistic"] == pytest.approx(rows[1]["statistic"], abs=1e-7)
    assert rows[0]["df"] == rows[1]["df"] == 3


def test_groups_count_not_their_names():
    frame = answers.frame("therapists")
    small = dl.fit("y ~ t + (1 | therapist:dyad)", frame)
    row = last(dl.compare(small, dl.fit("y ~ t + (1 | dyad) + (1 | therapist)", frame)))
    assert row["reference"] == "0.5·χ²(0) + 0.5·χ²(1)"


def test_a_chain_in_any_order_and_of_the_fitted_kind():
    frame = answers.frame("uneven").to_pandas()
    fits = [dl.fit(f"y ~ {x} + ({r} | g)", frame, "ML") for x, r in (("t", "t"), ("1", "1"), ("t", "1"))]
    table = dl.compare(*fits)
    assert type(table).__module__.startswith("pandas")
    assert list(table["model"]) == ["y ~ 1 + (1 | g)", "y ~ t + (1 | g)", "y ~ t + (t | g)"]
    assert list(table["reference"][1:]) == ["χ²(1)", "0.5·χ²(1) + 0.5·χ²(2)"]


def test_a_smaller_model_on_a_boundary_is_said():
    row = last(dl.compare(*(fitted(f"y ~ t + ({r} | g)", "no_variance") for r in ("1", "t"))))
    assert row["reference"].endswith("approximate: the smaller model lies on a boundary itself")


SMALL = "y ~ t + (1 | g)"


@pytest.mark.parametrize(
    ("one", "other", "words"),
    [
        (("y ~ t + (1 | g)", "ML"), ("y ~ t + (t | g)", "REML"), "one model was fitted by REML, the other by ML"),
        (("y ~ t + (1 | g)", "REML"), ("y ~ t * arm + (1 | g)", "REML"), "Fit both with method='ML'"),
        (("y ~ t + (1 | g)", "ML"), ("y ~ arm + (1 | g)", "ML"), "the fixed effects of the first"),
        (("y ~ t + (0 + t | g)", "ML"), ("y ~ t * arm + (1 | g)", "ML"), "the random effects of g of the first"),
        (("y ~ t + (1 | g)", "ML"), ("y ~ t + (1 | g)", "ML"), "are the same model"),
        (("y ~ t + (1 | arm)", "ML"), ("y ~ t + (t | g)", "ML"), "the grouping arm of the first"),
        (("log(y) ~ t + (1 | g)", "ML"), ("y ~ t + (t | g)", "ML"), "different outcomes, log(y) and y"),
        (("y ~ t + (1 | g)", "ML", "cs"), ("y ~ t + (t | g)", "ML"), "the residual structure of the first"),
        (("y ~ t + (1 | g)", "ML"), ("y ~ t + (t | g)", "ML", "car1(t)"), "Add one after the other"),
    ],
)
def test_what_cannot_be_compared(one, other, words):
    with pytest.raises(dl.PlanError) as caught:
        dl.compare(*(fitted(f[0], "arms", f[1], *f[2:]) for f in (one, other)))
    assert words.casefold() in str(caught.value).casefold()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: f.head(f.height - 1), "to 139 and 138 rows"),
        (lambda f: f.reverse(), "The outcome differs between the models"),
        (lambda f: pl.concat([f.with_row_index().filter(pl.col("index") != 3).drop("index"), f.tail(1)]), "differs"),
    ],
)
def test_other_frames_are_refused(change, words):
    frame = answers.frame("arms")
    with pytest.raises(dl.PlanError) as caught:
        dl.compare(dl.fit(SMALL, frame, "ML"), dl.fit("y ~ t + (t | g)", change(frame), "ML"))
    assert words in str(caught.value)
    assert not any(f"{y:.3f}" in str(caught.value) for y in frame["y"])


def test_rows_that_only_one_model_lacks_are_refused():
    frame = answers.frame("arms").with_row_index()
    holes = frame.with_columns(
        t=pl.when(pl.col("index") == 5).then(None).otherwise("t"),
        arm=pl.when(pl.col("index") == 9).then(None).otherwise("arm"),
    )
    with pytest.raises(dl.PlanError, match=r"different rows \(1 of \d+ differ\)"):
        dl.compare(dl.fit("y ~ t + (1 | g)", holes, "ML"), dl.fit("y ~ arm + (1 | g)", holes, "ML"))


def test_a_group_that_the_model_has_not():
    with pytest.raises(dl.PlanError, match="Did you mean 'therapist'"):
        dl.random_effect_test(fitted("y ~ t + (1 | dyad) + (1 | therapist)", "therapist_tiny"), "terapist")
