"""The doctor: one data set per finding that raises it and nothing else, and clean data that raise nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import dyadline as dl
from dyadline.errors import PlanError
from dyadline.inference.normality import shape
from dyadline.model.predict import conditional_modes
from oracles import answers

SLOPES = "y ~ t * x + (t | dyad)"


def draws(
    seed: int = 1,
    dyads: int = 60,
    sessions: int = 8,
    *,
    error: np.ndarray | float = 1.0,
    effects: np.ndarray | None = None,
) -> pl.DataFrame:
    """A growth model as it is assumed to be; `error` multiplies residuals, `effects` (J, 2) replace random effects."""
    rng = np.random.default_rng(seed)
    dyad, t = np.repeat(np.arange(dyads), sessions), np.tile(np.arange(sessions), dyads) / 4.0
    x = rng.normal(size=dyads)
    b = rng.multivariate_normal([0, 0], [[1.0, 0.2], [0.2, 0.4]], size=dyads)
    b = b if effects is None else effects
    y = 10 + 0.5 * t + 0.3 * x[dyad] + b[dyad, 0] + b[dyad, 1] * t + error * rng.normal(size=len(t))
    frame = {"y": y, "t": t, "s": np.tile(np.arange(sessions), dyads), "x": x[dyad], "dyad": dyad}
    return pl.DataFrame(frame).with_columns(therapist=pl.col("dyad") // 4)


def codes(fit: dl.Fit) -> list[str]:
    found = dl.checks(fit)
    assert all(f.words and (f.way_out or f.level == "note") for f in found)
    return [f.code for f in found]


def only(fit: dl.Fit, code: str) -> dl.Finding:
    """The one finding, of that code."""
    found = dl.checks(fit)
    assert [f.code for f in found] == [code], found
    return found[0]


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("method", ["REML", "ML"])
def test_clean_data_raise_nothing(seed, method):
    assert dl.checks(dl.fit(SLOPES, draws(seed), method=method)) == ()


def test_clean_data_of_other_models_raise_nothing():
    rng = np.random.default_rng(2)
    frame = draws(4, dyads=80)
    three = frame.with_columns(y=pl.col("y") + pl.Series(rng.normal(size=20)[frame["therapist"].to_numpy()]))
    assert dl.checks(dl.fit(SLOPES + " + (1 | therapist)", three)) == ()
    assert dl.checks(dl.fit("y ~ t * x + (1 + t | dyad)", frame, residual="ar1(s)")) == ()
    other = rng.normal(size=80)[frame["dyad"].to_numpy()] + rng.normal(size=frame.height)
    pair = frame.with_columns(w=0.3 * pl.col("y") + pl.Series(other))
    assert dl.checks(dl.fit("cbind(y, w) ~ 0 + y + w + y:t + w:t + (0 + y + w | dyad)", pair)) == ()


def test_one_in_twenty_clean_data_sets_raises_something_at_most():
    """40 clean data sets, singular fits (which are chance's own) apart."""
    found = [c for seed in range(40) for c in codes(dl.fit(SLOPES, draws(100 + seed))) if c != "singular"]
    assert len(found) <= 2, found


def test_not_converged():
    """A fit that stopped on its way: gradient and curvature are said; nothing is called singular."""
    fit = dl.fit(SLOPES, draws())
    ended = replace(fit.solution.minimum, decrement=0.3, gradient_norm=2.5, eigenvalues=np.array([-4.0, 1.0, 90.0]))
    stopped = replace(fit, converged=False, solution=replace(fit.solution, minimum=ended, starts=7))
    found = only(stopped, "not-converged")
    assert found.level == "error"
    assert "gradient 2.5e+00" in found.words
    assert "wrong sign" in found.words
    assert "7 starting points were tried" in found.words


def test_singular_is_not_called_unconverged():
    rng = np.random.default_rng(82)
    frame = draws(8, effects=np.column_stack([rng.normal(size=60), np.zeros(60)]))
    fit = dl.fit("y ~ t * x + (t || dyad)", frame)
    assert fit.singular
    found = only(fit, "singular")
    assert "the variance of t is zero" in found.words
    assert "starting points were tried" in found.words
    assert "not a failure" in found.words


def test_near_collinear_names_the_terms():
    frame = draws()
    rng = np.random.default_rng(3)
    twin = frame["x"].to_numpy() + 0.02 * rng.normal(size=60)[frame["dyad"].to_numpy()]
    found = only(dl.fit("y ~ t + x + twin + (t | dyad)", frame.with_columns(twin=pl.Series(twin))), "near-collinear")
    assert "x and twin" in found.words
    # inflation of x by the closed form 1/(1 − r²), here of columns about zero
    r = float(np.corrcoef(frame["x"], twin)[0, 1])
    said = float(found.words.split("variance inflation up to ")[1].split(")")[0])
    assert said == pytest.approx(1 / (1 - r**2), rel=0.05)


def test_an_uncentred_interaction_is_not_collinear():
    """What centring removes does no harm to what is estimated."""
    assert dl.checks(dl.fit(SLOPES, draws().with_columns(t=pl.col("t") + 100.0))) == ()


@pytest.mark.parametrize(("factor", "names"), [(1e6, ("x", "t")), (1e-7, ("t", "x"))])
def test_scales_of_predictors(factor, names):
    found = only(dl.fit(SLOPES, draws().with_columns(x=pl.col("x") * factor)), "scales-differ")
    assert found.level == "note"
    assert f"predictors {names[0]} and {names[1]}" in found.words


def test_scales_of_random_effects():
    frame = draws().with_columns(day=pl.col("t") * 2.0**15)
    found = only(dl.fit("y ~ day + (day | dyad)", frame), "scales-differ")
    assert "(Intercept) and day" in found.words
    assert "Express day in larger units" in found.way_out


def test_residuals_not_normal():
    rng = np.random.default_rng(5)
    frame = draws(5, error=0.0)
    skewed = rng.exponential(size=frame.height) - 1.0
    found = only(
        dl.fit(SLOPES, frame.with_columns(y=pl.col("y") + pl.Series(skewed.clip(None, 3.5)))), "residuals-not-normal"
    )
    assert found.level == "note"
    assert "skewness 1" in found.words or "skewness 0." in found.words


def test_random_effects_not_normal():
    rng = np.random.default_rng(6)
    two_kinds = np.column_stack([np.where(rng.random(120) < 0.15, 4.0, -0.7), np.zeros(120)])
    two_kinds += 0.3 * rng.normal(size=(120, 2))
    found = only(dl.fit("y ~ t * x + (t || dyad)", draws(6, dyads=120, effects=two_kinds)), "effects-not-normal")
    assert "random effects of (Intercept) over dyad" in found.words


def test_outlying_rows_by_their_number_in_the_frame():
    frame = draws(7, sessions=14).sample(fraction=1.0, shuffle=True, seed=2)
    high, low = np.flatnonzero(frame["s"].to_numpy() == 6)[[4, 30]]
    y = frame["y"].to_numpy().copy()
    y[[high, low]] += [6.5, -7.0]
    found = only(dl.fit(SLOPES, frame.with_columns(y=pl.Series(y))), "outlying-rows")
    assert set(found.rows) == {high + 1, low + 1}
    assert f"row {low + 1}: -" in found.words


def test_outlying_and_influential_groups():
    frame = draws(9)
    odd = dl.fit("y ~ t + (t | dyad)", frame.with_columns(y=pl.col("y") + 9.0 * (pl.col("dyad") == 17)))
    found = only(odd, "outlying-group")
    assert (found.dyad, found.level) == ("17", "warning")
    lever = frame.with_columns(x=pl.when(pl.col("dyad") == 5).then(14.0).otherwise(pl.col("x")))
    pull = lever.with_columns(y=pl.col("y") + 2.0 * (pl.col("dyad") == 5))
    found = only(dl.fit("y ~ t + x + (t | dyad)", pull), "influential-group")
    assert found.dyad == "5"
    fit = dl.fit("y ~ t + x + (t | dyad)", pull)
    without = dl.fit("y ~ t + x + (t | dyad)", pull.filter(pl.col("dyad") != 5))
    moved = (dl.coefficients(fit)["estimate"] - dl.coefficients(without)["estimate"]) / dl.coefficients(fit)[
        "std_error"
    ]
    assert f"effect of x would change by {abs(moved[2]):.1f}" in found.words


def test_few_therapists_and_few_dyads_of_each():
    rng = np.random.default_rng(10)
    few = draws(10, dyads=66).with_columns(therapist=pl.col("dyad") % 6)
    few = few.with_columns(y=pl.col("y") + pl.Series(2 * rng.normal(size=6)[few["therapist"].to_numpy()]))
    found = only(dl.fit("y ~ t + x + (t | dyad) + (1 | therapist)", few), "few-groups")
    assert "only 6 groups of therapist" in found.words
    assert "CR2" in found.way_out
    single = draws(11, dyads=60).with_columns(therapist=pl.col("dyad").clip(20, None))
    single = single.with_columns(
        therapist=pl.when(pl.col("dyad") < 20).then(pl.col("dyad") // 4).otherwise(pl.col("dyad"))
    )
    single = single.with_columns(y=pl.col("y") + pl.Series(2 * rng.normal(size=60)[single["therapist"].to_numpy()]))
    found = only(dl.fit("y ~ t + x + (t | dyad) + (1 | therapist)", single), "few-members")
    assert "40 of 45 groups of therapist have a single dyad" in found.words


def test_few_degrees_of_freedom():
    """A predictor that differs in very few dyads only leaves its slope few degrees of freedom."""
    rng = np.random.default_rng(12)
    dyads = 12
    b = np.column_stack([0.2 * rng.normal(size=dyads), 3.0 * rng.normal(size=dyads)])
    frame = draws(13, dyads=dyads, effects=b).filter((pl.col("dyad") < 4) | (pl.col("s") == 0))
    fit = dl.fit("y ~ t + (0 + t | dyad)", frame)
    assert dl.coefficients(fit)["df"].min() < 5
    found = only(fit, "few-df")
    assert "t 3" in found.words or "t 2" in found.words


def test_many_terms_for_few_groups():
    rng = np.random.default_rng(14)
    frame = draws(14, dyads=12, sessions=20)
    names = [f"z{k}" for k in range(5)]
    extra = {name: rng.normal(size=frame.height) for name in names}
    fit = dl.fit(f"y ~ t + {' + '.join(names)} + (1 | dyad)", frame.with_columns(**extra))
    assert "many-terms" in codes(fit)
    assert "many-terms" not in codes(dl.fit("y ~ t + z0 + (1 | dyad)", frame.with_columns(**extra)))


def test_rows_and_groups_left_out():
    frame = draws(1)
    hole = frame.with_columns(x=pl.when(pl.int_range(pl.len()) == 9).then(None).otherwise("x"))
    found = only(dl.fit(SLOPES, hole), "rows-dropped")
    assert found.level == "note"
    assert "1 of 480 rows (0.2%)" in found.words
    lost = frame.with_columns(x=pl.when(pl.col("dyad").is_in([3, 4, 5, 6])).then(None).otherwise("x"))
    rows, groups = dl.checks(dl.fit(SLOPES, lost))
    assert (rows.code, rows.level) == ("rows-dropped", "warning")
    assert groups.code == "groups-dropped"
    assert "4 groups of dyad lost all their rows: 3, 4, 5, 6" in groups.words


def test_unequal_spread_over_time():
    t = np.tile(np.arange(12), 60) / 4.0
    frame = draws(15, sessions=12, error=np.exp(0.35 * t) * 0.6)
    found = [f for f in dl.checks(dl.fit(SLOPES, frame)) if f.code != "residuals-not-normal"]
    assert {f.code for f in found} == {"unequal-spread"}
    assert "t" in [f.column for f in found]
    assert "where t is large" in " ".join(f.words for f in found)


def test_serial_correlation_and_its_cure():
    rng = np.random.default_rng(16)
    frame = draws(16, sessions=12, error=0.0)
    noise = rng.normal(size=(60, 12))
    for k in range(1, 12):
        noise[:, k] = 0.6 * noise[:, k - 1] + 0.8 * noise[:, k]
    frame = frame.with_columns(y=pl.col("y") + pl.Series(noise.ravel()))
    fit = dl.fit("y ~ s + x + (1 | dyad)", frame)
    found = [f for f in dl.checks(fit) if f.code == "serial-correlation"]
    assert found[0].way_out == "Let s have a random slope, or compare with a fit with residual='ar1(s)'"
    slope = [f for f in dl.checks(dl.fit("y ~ s + x + (s | dyad)", frame)) if f.code == "serial-correlation"]
    assert slope[0].way_out == "Compare with a fit with residual='ar1(s)'"
    assert codes(dl.fit("y ~ s + x + (s | dyad)", frame, residual="ar1(s)")) == []
    weeks = dl.fit("y ~ t + x + (1 | dyad)", frame)
    assert "car1(t)" in next(f for f in dl.checks(weeks) if f.code == "serial-correlation").way_out


def test_short_groups_are_not_taken_for_serially_correlated():
    """Conditional residuals of four rows hang together by themselves; that is not the data's."""
    for seed in range(5):
        fit = dl.fit("y ~ t + x + (1 | dyad)", draws(30 + seed, dyads=200, sessions=3))
        assert "serial-correlation" not in codes(fit)
        assert "unequal-spread" not in codes(fit)


def test_notes_of_the_design_are_passed_on():
    rng = np.random.default_rng(2)
    frame = draws(4, dyads=80)
    frame = frame.with_columns(y=pl.col("y") + pl.Series(rng.normal(size=20)[frame["therapist"].to_numpy()]))
    frame = frame.with_columns(dyad=pl.col("dyad").replace({79: 0}))
    only(dl.fit(SLOPES + " + (1 | therapist)", frame), "labels-repeat-across-groups")


def test_shape_is_scipys():
    from scipy import stats

    values = np.random.default_rng(0).gamma(2.0, size=300)
    found = shape(values)
    assert found.skewness == pytest.approx(stats.skew(values))
    assert found.kurtosis == pytest.approx(stats.kurtosis(values))
    assert found.p_value == pytest.approx(stats.normaltest(values).pvalue)
    assert found.correlation == pytest.approx(stats.probplot(values)[1][2], abs=2e-3)
    assert shape(values[:10]) is None


# -- residuals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [None, "ar1(s)", "cs"])
def test_residuals_by_dense_algebra(kind):
    """e = R V⁻¹(y − Xβ), in the order of the frame; normalised by the Cholesky factor of R, so that var = 1/df."""
    frame = draws(20, dyads=14, sessions=5).sample(fraction=0.8, shuffle=True, seed=3)
    fit = dl.fit("y ~ t + x + (0 + t | dyad)", frame, residual=kind)
    t, dyad = frame["t"].to_numpy(), frame["dyad"].to_numpy()
    X = np.column_stack([np.ones(len(t)), t, frame["x"].to_numpy()])
    table = dl.variance_components(fit)
    distance = np.abs(frame["s"].to_numpy()[:, None] - frame["s"].to_numpy()).astype(float)
    same = dyad[:, None] == dyad
    rho = 0.0 if kind is None else table["estimate"][-1]
    R = np.where(same, rho**distance if kind == "ar1(s)" else np.where(distance == 0, 1.0, rho), 0.0) * fit.sigma**2
    V = R + np.where(same, table["estimate"][0] * np.outer(t, t), 0.0)
    left = frame["y"].to_numpy() - X @ dl.coefficients(fit)["estimate"].to_numpy()
    marginal = dl.residuals(fit, "marginal")
    np.testing.assert_array_equal(marginal["row"], np.arange(1, frame.height + 1))
    np.testing.assert_array_equal(marginal["group"], frame["dyad"])
    np.testing.assert_allclose(marginal["residual"], left, atol=1e-8)
    conditional = dl.residuals(fit)
    e = R @ np.linalg.solve(V, left)
    np.testing.assert_allclose(conditional["residual"], e, atol=1e-7)
    np.testing.assert_allclose(conditional["fitted"] + conditional["residual"], frame["y"], atol=1e-9)
    order = np.lexsort((frame["s"].to_numpy(), dyad))
    whitened = np.linalg.solve(np.linalg.cholesky(R[np.ix_(order, order)]), e[order])
    got = dl.residuals(fit, "normalised")["residual"].to_numpy()[order]
    if kind == "cs":  # any order of a dyad's rows is as good: only the length is the same in all
        assert (got**2).sum() == pytest.approx((whitened**2).sum(), rel=1e-7)
    else:
        np.testing.assert_allclose(got, whitened, atol=1e-7)


def test_residuals_of_three_levels_and_of_two_outcomes():
    frame = answers.frame("therapists")
    fit = dl.fit("y ~ t * exper + (t | dyad) + (1 | therapist)", frame)
    found = dl.residuals(fit)
    dyads, therapists = conditional_modes(fit)
    labels = [
        {str(label): mode for label, mode in zip(g.labels, modes, strict=True)}
        for g, modes in zip(fit.design.groupings, (dyads, therapists), strict=True)
    ]
    fixed = dict(dl.coefficients(fit).select("term", "estimate").iter_rows())
    for row, got in zip(frame.to_dicts(), found.to_dicts(), strict=True):
        b, u = labels[0][got["group"]], labels[1][str(row["therapist"])]
        t, exper = row["t"], row["exper"]
        want = fixed["(Intercept)"] + fixed["t"] * t + fixed["exper"] * exper + fixed["t:exper"] * t * exper
        assert got["fitted"] == pytest.approx(want + b[0] + b[1] * t + u[0], abs=1e-8)
        assert got["fitted"] + got["residual"] == pytest.approx(row["y"], abs=1e-8)
    rng = np.random.default_rng(1)
    pair = draws(21, dyads=20, sessions=4).with_columns(w=pl.Series(rng.normal(size=80) + 3.0))
    hole = pair.with_columns(y=pl.when(pl.int_range(pl.len()) == 6).then(None).otherwise("y"))
    two = dl.residuals(dl.fit("cbind(y, w) ~ 0 + y + w + y:t + w:t + (0 + y + w | dyad)", hole))
    assert two.height == 159
    assert two["outcome"][:4].to_list() == ["y", "w", "y", "w"]
    assert two.filter(pl.col("row") == 7)["outcome"].to_list() == ["w"]
    whole = two.with_columns(total=pl.col("fitted") + pl.col("residual"))
    for name in ("y", "w"):
        mine = whole.filter(pl.col("outcome") == name)
        np.testing.assert_allclose(mine["total"], pair[name].to_numpy()[mine["row"].to_numpy() - 1], atol=1e-9)


def test_an_unknown_kind_of_residual():
    with pytest.raises(PlanError, match="Did you mean 'normalised'"):
        dl.residuals(dl.fit(SLOPES, draws()), "normalized")
