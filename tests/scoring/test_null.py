"""What the score is by noise alone: against a dense referee, closed forms, and studies whose truth is known."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scipy.stats import binom, kstest

import dyadline as dl
from dyadline.model.fit import random_covariance
from dyadline.model.predict import curve_estimator
from dyadline.plan.analysis import ConvergenceSection
from dyadline.scoring import null
from dyadline.scoring.growth import curves, growth_models, population
from dyadline.scoring.null import null_distribution, null_tables, simulated_ratings
from dyadline.scoring.ratings import RATERS, Ratings
from dyadline.scoring.reliability import parallel
from dyadline.scoring.score import score, score_ratings
from dyadline.workflow import load

SIGNED = {"growth": "ols", "discrepancy": "signed", "transform": "none", "unit": "per_unit"}


def study(seed: int, *, dyads: int = 24, times: int = 6, closer: float = 0.0, missing: float = 0.0) -> Ratings:
    """Ratings of dyads whose gap shrinks by `closer` from an occasion to the next; treatments of uneven length."""
    rng = np.random.default_rng(seed)
    length = rng.integers(times - 2, times + 1, dyads)
    index = np.repeat(np.arange(dyads), length)
    t = np.concatenate([np.arange(2.0, 2.0 + n) for n in length])
    level, gap = 5 + 0.8 * rng.normal(size=dyads), rng.normal(-0.4, 0.9, dyads)
    slope = rng.normal(0.05, 0.1, dyads)
    half = (gap - closer * np.sign(gap) * np.arange(times)[:, None]).T / 2
    step = (t - 2.0).astype(int)
    value = {
        rater: level[index] + slope[index] * t + sign * half[index, step] + 0.4 * rng.normal(size=len(t))
        for rater, sign in zip(RATERS, (1, -1), strict=True)
    }
    for rater in RATERS if missing else ():
        value[rater][rng.random(len(t)) < missing] = np.nan
    there = np.isfinite(value["patient"]) | np.isfinite(value["therapist"])
    value = {rater: values[there] for rater, values in value.items()}
    labels = pl.Series([f"d{j}" for j in range(dyads)])
    last = float(t.max())
    return Ratings(dyads=labels, index=index[there], time=t[there], t=t[there], value=value, first=2.0, last=last)


def simulated(observed: Ratings, seed: int = 1, **choices: object):
    how = ConvergenceSection(**{"transform": "none", "null": 1000} | choices)
    found = score_ratings(observed, how)
    models = found.growth or growth_models(observed)
    return null_distribution(models, curves(how.growth, found.growth), how, found.raw, seed=seed), models


def parallel_ratings(observed: Ratings, models, rng, studies: int) -> dict[str, list[np.ndarray]]:
    """Ratings of dyad after dyad, (occasions, studies) each, around lines with one slope and a gap that stays."""
    of_all, made = population(models), {rater: [] for rater in RATERS}
    for j in range(observed.n_dyads):
        here = observed.index == j
        drawn = rng.multivariate_normal(of_all.fixed, of_all.covariance, size=studies).T
        at_first = drawn[[0, 2]] + drawn[[1, 3]] * observed.first
        both = (drawn[1] + drawn[3]) / 2
        error = np.einsum("ab,bns->ans", of_all.noise, rng.normal(size=(2, here.sum(), studies)))
        for k, rater in enumerate(RATERS):
            y = at_first[k] + np.outer(observed.t[here] - observed.first, both) + error[k]
            y[np.isnan(observed.value[rater][here])] = np.nan
            made[rater].append(y)
    return made


def heights_of_lines(observed: Ratings, y: list[np.ndarray]) -> list[np.ndarray]:
    """A least squares line per dyad, at all of its occasions, by normal equations."""
    found = []
    for j, values in enumerate(y):
        t = observed.t[observed.index == j]
        x = np.column_stack([np.ones_like(t), t])
        rated = np.isfinite(values[:, 0])
        found.append(x @ np.linalg.pinv(x[rated]) @ values[rated])
    return found


def heights_of_predictions(observed: Ratings, y: list[np.ndarray], model) -> list[np.ndarray]:
    """Fixed effects by generalised least squares plus best linear predictions, with dense covariance matrices."""
    between = random_covariance(model)[0]
    xs, rated, inverses = [], [], []
    for j, values in enumerate(y):
        t = observed.t[observed.index == j]
        x = np.column_stack([np.ones_like(t), t])
        there = np.isfinite(values[:, 0])
        covariance = x[there] @ between @ x[there].T + model.sigma**2 * np.eye(there.sum())
        xs.append(x)
        rated.append(there)
        inverses.append(np.linalg.inv(covariance))
    normal = sum(x[r].T @ v @ x[r] for x, r, v in zip(xs, rated, inverses, strict=True))
    right = sum(x[r].T @ v @ own[r] for x, r, v, own in zip(xs, rated, inverses, y, strict=True))
    fixed = np.linalg.solve(normal, right)
    return [
        x @ (fixed + between @ x[r].T @ v @ (own[r] - x[r] @ fixed))
        for x, r, v, own in zip(xs, rated, inverses, y, strict=True)
    ]


def referee(observed: Ratings, models, growth: str, *, studies: int, seed: int) -> np.ndarray:
    """Minus the slope of |P − T| over the window, (dyads, studies)."""
    made = parallel_ratings(observed, models, np.random.default_rng(seed), studies)
    if growth == "ols":
        patient, therapist = (heights_of_lines(observed, made[rater]) for rater in RATERS)
    else:
        patient, therapist = (heights_of_predictions(observed, made[r], models.fits[r]) for r in RATERS)
    scores = []
    for j in range(observed.n_dyads):
        t = observed.t[observed.index == j]
        scores.append(-np.polyfit(t, np.abs(patient[j] - therapist[j]), 1)[0] * (observed.last - observed.first))
    return np.array(scores)


@pytest.mark.parametrize("growth", ["ols", "multilevel"])
def test_the_distribution_is_that_of_a_dense_referee(growth):
    observed = study(3, closer=0.05, missing=0.1)
    counts = [np.bincount(observed.index[np.isfinite(observed.value[rater])], minlength=24) for rater in RATERS]
    assert np.min(counts) >= 2
    assert np.isnan(observed.value["patient"]).sum() > 5
    found, models = simulated(observed, growth=growth, null=3000)
    want = referee(observed, models, growth, studies=3000, seed=9)
    means = want.mean(axis=0)
    error = np.hypot(found.sd, means.std()) / np.sqrt(3000)
    assert found.mean == pytest.approx(means.mean(), abs=4 * error)
    assert found.sd == pytest.approx(means.std(ddof=1), rel=4 / np.sqrt(3000))
    assert found.low == pytest.approx(np.quantile(means, 0.025), abs=4 * 1.5 * found.low_error)
    assert found.high == pytest.approx(np.quantile(means, 0.975), abs=4 * 1.5 * found.high_error)
    assert found.dyads.n == want.size
    for share, quantile in zip((0.025, 0.25, 0.5, 0.75, 0.975), found.dyads.quantiles, strict=True):
        # The share of the referee's scores below our quantile; dyads of one study are all but independent.
        assert (want <= quantile).mean() == pytest.approx(share, abs=4 * np.sqrt(2 * share * (1 - share) / want.size))


def test_mean_and_variance_of_signed_least_squares_scores_are_known():
    observed = study(5, dyads=40, missing=0.15)
    found, models = simulated(observed, null=4000, **SIGNED)
    variance = 0.0
    for rater in RATERS:
        for j in range(40):
            t = observed.t[(observed.index == j) & np.isfinite(observed.value[rater])]
            variance += models.fits[rater].sigma ** 2 / ((t - t.mean()) ** 2).sum() / 40**2
    assert found.sd == pytest.approx(np.sqrt(variance), rel=4 / np.sqrt(2 * 4000))
    assert found.mean == pytest.approx(0.0, abs=4 * np.sqrt(variance / 4000))
    assert found.z == pytest.approx((found.observed - found.mean) / found.sd)


def test_p_values_count_the_observed_mean_and_agree_with_the_range():
    for seed in range(12):
        found, _ = simulated(study(seed, closer=0.04), seed=seed, null=100 + 37 * seed, **SIGNED)
        n, ordered = len(found.means), sorted(found.means)
        above = sum(m >= found.observed for m in found.means)
        assert found.p_more == (1 + above) / (n + 1)
        assert found.p_less == (1 + n - above) / (n + 1)
        assert found.p_value == min(1.0, 2 * min(found.p_more, found.p_less))
        assert (found.p_value <= 0.05) == (found.outside != 0)
        k = (n + 1) // 40
        assert (found.low, found.high) == (ordered[k - 1], ordered[-k])


def test_standard_errors_of_the_limits_are_those_of_the_whole_bootstrap():
    found, _ = simulated(study(2), null=399, **SIGNED)
    ordered = np.sort(found.means)
    for k, error in ((10, found.low_error), (390, found.high_error)):
        # The k-th of 399 values drawn with replacement is at most the i-th if at least k of them are.
        at_most = binom.sf(k - 1, 399, np.arange(400) / 399)
        chance = np.diff(at_most)
        variance = chance @ ordered**2 - (chance @ ordered) ** 2
        assert error == pytest.approx(np.sqrt(variance), rel=1e-6)


@pytest.mark.parametrize("discrepancy", ["absolute", "signed"])
def test_p_is_uniform_where_nothing_converges_and_small_where_all_do(discrepancy):
    choices = {"growth": "ols", "discrepancy": discrepancy, "null": 199}
    p = np.array([simulated(study(1000 + s), **choices)[0].p_value for s in range(60)])
    low, high = binom.ppf([0.001, 0.999], 60, 0.05)
    assert low <= (p <= 0.05).sum() <= high
    assert kstest(p, "uniform").pvalue > 0.001
    if discrepancy == "absolute":
        found, _ = simulated(study(1000, dyads=120, closer=0.1), **choices)
        assert found.p_value == 2 * found.p_more == 0.01
        assert found.outside == 1
        apart, _ = simulated(study(1000, dyads=120, closer=-0.1), **choices)
        assert apart.p_value == 2 * apart.p_less == 0.01
        assert apart.outside == -1


@pytest.mark.parametrize("growth", ["ols", "multilevel", "dyadic", "observed"])
def test_the_same_seed_gives_the_same_digits_in_pieces_of_any_size(growth, monkeypatch):
    early = {"early_level": "first_rating"} if growth == "observed" else {}
    how = ConvergenceSection(growth=growth, null=120, **early)
    observed = study(7, missing=0.1)
    made = score_ratings(observed, how)
    models, estimate = made.growth or growth_models(observed), curves(growth, made.growth)

    def means(seed=1, studies=120):
        asked = how.model_copy(update={"null": studies})
        return null_distribution(models, estimate, asked, made.raw, seed=seed).means

    whole = means()
    assert (means() == whole).all()
    assert (means(seed=2) != whole).all()
    np.testing.assert_allclose(means(studies=300)[:120], whole, rtol=1e-10, atol=1e-12)
    monkeypatch.setattr(null, "ROWS_AT_ONCE", 1)
    np.testing.assert_allclose(means(), whole, rtol=1e-10, atol=1e-12)


def test_quantiles_of_single_dyads_are_taken_of_whole_studies_up_to_a_limit(monkeypatch):
    monkeypatch.setattr(null, "MOST_SCORES", 24 * 50)
    monkeypatch.setattr(null, "ROWS_AT_ONCE", 3000)
    found, _ = simulated(study(2), null=100, **SIGNED)
    assert found.dyads.n == 24 * 50
    assert len(found.means) == 100
    monkeypatch.setattr(null, "MOST_SCORES", 1)
    found, _ = simulated(study(2), null=100, **SIGNED)
    assert found.dyads.n == 24


def test_curves_of_several_responses_are_those_of_each():
    observed = study(4, missing=0.1)
    rng = np.random.default_rng(3)
    for model in growth_models(observed).fits.values():
        estimator = curve_estimator(model)
        responses = rng.normal(size=(len(observed.t), 3))
        together = estimator(responses)
        for number in range(3):
            np.testing.assert_allclose(together[:, number], estimator(responses[:, number]), rtol=1e-12, atol=1e-13)


def test_simulated_ratings_stay_parallel_and_missing_where_they_were():
    observed = study(6, missing=0.2)
    effects = np.random.default_rng(1).normal(size=(3 * 24, 4))
    made = simulated_ratings(observed, parallel(effects, observed.first), np.zeros((3, 2, len(observed.t))))
    n = len(observed.t)
    assert made.n_dyads == 72
    assert made.index.tolist() == [j + 24 * study for study in range(3) for j in observed.index]
    for rater in RATERS:
        assert (np.isnan(made.value[rater]) == np.tile(np.isnan(observed.value[rater]), 3)).all()
    gap = made.value["patient"] - made.value["therapist"]
    first = effects[:, 0] - effects[:, 2] + observed.first * (effects[:, 1] - effects[:, 3])
    np.testing.assert_allclose(gap[np.isfinite(gap)], first[made.index][np.isfinite(gap)], atol=1e-12)
    assert len(gap) == 3 * n


def test_tables_hold_what_was_found():
    found, _ = simulated(study(8), null=150, growth="multilevel")
    tables = null_tables(found)
    mean, dyad = tables["null_distribution"].to_dicts()
    assert (mean["score"], mean["n"], dyad["score"], dyad["n"]) == ("mean", 150, "dyad", 24 * 150)
    assert (mean["q2_5"], mean["q97_5"], mean["observed"]) == (found.low, found.high, found.observed)
    assert tables["null_means"]["mean"].to_list() == found.means.tolist()
    assert mean["q50"] == np.median(found.means)
    assert (dyad["n_dyads"], dyad["n_above"], dyad["n_below"]) == (24, found.n_above, found.n_below)
    assert dyad["observed"] is None


def plan(**convergence: object) -> dl.AnalysisPlan:
    roles = {"dyad": "dyad", "time": "time", "patient_rating": "p", "therapist_rating": "q", "outcome": "y"}
    return dl.AnalysisPlan.model_validate({"columns": roles, "convergence": convergence, "models": {"run": [1]}})


def test_a_study_without_growth_models_says_that_it_could_not_be_simulated():
    observed = study(1)
    frame = pl.DataFrame({"dyad": observed.index, "time": observed.t, "p": 4.0, "q": observed.value["therapist"]})
    frame = frame.with_columns(y=pl.col("q") * pl.col("time"))
    asked = {"growth": "ols", "transform": "none"}
    scoring = score(load(plan(null=100, **asked), frame), plan(null=100, **asked))
    found = [f for f in scoring.findings if f.code == "null-not-simulated"]
    assert len(found) == 1
    assert "patient" in found[0].words
    assert scoring.null is None
    scoring = score(load(plan(**asked), frame), plan(**asked))
    assert all(f.code != "null-not-simulated" for f in scoring.findings)
