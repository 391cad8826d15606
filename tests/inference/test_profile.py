"""Confidence intervals: against lme4's profiles, against the definition by a dense likelihood, and on boundaries."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
from scipy import optimize, stats

import dyadline as dl
import referee
import referee_residual
from oracles import answers, nested
from truth import agree

ORACLE = "lme4, profile intervals by ML"
HEIGHT = stats.chi2.ppf(0.95, 1)

KINKED = {("therapist_tiny", "sd_(Intercept)|dyad", "conf_high")}
"""The therapists' variance reaches zero on the way, and lme4 interpolates across the kink; see the dense check."""


def rows(fit, *args, **options):
    return {row["parameter"]: row for row in dl.confidence_intervals(fit, *args, **options).to_dicts()}


@pytest.mark.parametrize("answer", nested.fits("profile"), ids=lambda a: a["label"])
def test_as_lme4(answer):
    fit = dl.fit(answer["formula"], answers.frame(answer["data"]), answer["method"])
    found = dl.confidence_intervals(fit, level=answer["level"])
    assert sorted(found["parameter"]) == sorted(answer["names"])
    wanted = {(None, one["term"], None): one for one in answer["fixed"]}
    for one in answer["components"]:
        residual = one["group"] == "Residual"
        wanted[one["group"], "Residual" if residual else one["term1"], one["term2"]] = one
    for row in found.to_dicts():
        want = wanted[row["group"], row["term1"], row["term2"]]
        scale = abs(want["upper"] - want["lower"])
        assert row["criterion"] == "ML"
        agree(ORACLE, "estimate / width", abs(row["estimate"] - want["estimate"]) / scale, 1e-6)
        for end, name in (("conf_low", "lower"), ("conf_high", "upper")):
            kinked = (answer["data"], row["parameter"], end) in KINKED
            agree(ORACLE, f"{name} limit / width", abs(row[end] - want[name]) / scale, 1e-3 if kinked else 1e-4)


def lowest(function, start):
    """A minimum by Nelder–Mead: derivatives do not help at kinks."""
    close = {"xatol": 1e-5, "fatol": 1e-8, "maxiter": 4000, "maxfev": 4000}
    return optimize.minimize(function, start, method="Nelder-Mead", options=close).fun


def dense_height(data, arrays, held, start, method):
    """Height of the dense profile: `held` gives G of each block and σ² from the free numbers."""
    y, X, blocks = arrays

    def function(free):
        G, sigma2 = held(free)
        try:
            return referee.unprofiled(y, X, blocks, G, sigma2, method)
        except np.linalg.LinAlgError:
            return 1e10

    return lowest(function, np.asarray(start, dtype=float))


@pytest.mark.parametrize(
    ("method", "names"), [("ML", ["sd_(Intercept)|g", "cor_t.(Intercept)|g"]), ("REML", ["sd_t|g", "sigma"])]
)
def test_limits_of_two_levels_have_the_height_of_the_quantile(method, names):
    frame = answers.frame("tiny")
    fit = dl.fit("y ~ t + (t | g)", frame, method)
    arrays = answers.arrays({"data": "tiny", "formula": "y ~ t + (t | g)", "terms": ["(Intercept)", "t"]})
    found = rows(fit)
    sd0, r, sd1, sigma = (found[n]["estimate"] for n in ("sd_(Intercept)|g", "cor_t.(Intercept)|g", "sd_t|g", "sigma"))

    def at(s0, r, s1, s):
        return [np.array([[s0**2, r * s0 * s1], [r * s0 * s1, s1**2]])], s**2

    exp, tanh = np.exp, np.tanh
    start = [math.log(sd0), math.atanh(max(min(r, 0.99), -0.99)), math.log(sd1), math.log(sigma)]
    holds = {
        "sd_(Intercept)|g": (0, lambda c, f: at(c, tanh(f[0]), exp(f[1]), exp(f[2]))),
        "cor_t.(Intercept)|g": (1, lambda c, f: at(exp(f[0]), c, exp(f[1]), exp(f[2]))),
        "sd_t|g": (2, lambda c, f: at(exp(f[0]), tanh(f[1]), c, exp(f[2]))),
        "sigma": (3, lambda c, f: at(exp(f[0]), tanh(f[1]), exp(f[2]), c)),
    }
    for name in names:
        row, (place, hold) = found[name], holds[name]
        assert row["criterion"] == method
        assert row["conf_low"] <= row["estimate"] <= row["conf_high"]
        near = [value for number, value in enumerate(start) if number != place]
        for end in ("conf_low", "conf_high"):
            if row[end] in (0.0, -1.0, 1.0):
                continue
            height = dense_height(frame, arrays, lambda f, c=row[end], h=hold: h(c, f), near, method) - fit.criterion
            agree("dense likelihood, profile limits", "height above the minimum", abs(height - HEIGHT), 1e-5)


def test_a_limit_beyond_which_another_variance_is_zero():
    """The kink at which lme4 interpolates: the definition itself, densely."""
    formula = "y ~ t + (1 | dyad) + (1 | therapist)"
    answer = next(one for one in nested.fits("modes") if one["data"] == "therapist_tiny")
    fit = dl.fit(formula, answers.frame("therapist_tiny"), "ML")
    row = rows(fit, terms=["sd_(Intercept)|dyad"])["sd_(Intercept)|dyad"]

    def held(free):
        return [np.array([[row["conf_high"] ** 2]]), np.array([[free[0] ** 2]])], math.exp(2 * free[1])

    height = dense_height(None, nested.arrays(answer), held, [0.3, math.log(fit.sigma)], "ML") - fit.criterion
    agree("dense likelihood, profile limits", "height above the minimum", abs(height - HEIGHT), 1e-5)


def test_limits_of_a_serial_correlation_have_the_height_of_the_quantile():
    rng = np.random.default_rng(4)
    g, t = np.repeat(np.arange(8), 7), np.tile(np.arange(7.0), 8)
    noise = rng.normal(size=(8, 7))
    for k in range(1, 7):
        noise[:, k] = 0.5 * noise[:, k - 1] + math.sqrt(0.75) * noise[:, k]
    frame = pl.DataFrame({"g": g, "t": t, "y": 3 + 0.4 * t + rng.normal(size=8)[g] + noise.ravel()})
    fit = dl.fit("y ~ t + (1 | g)", frame, residual="ar1(t)")
    found = rows(fit)
    X, y = np.column_stack([np.ones(len(t)), t]), frame["y"].to_numpy()
    blocks = [(X[:, :1], g)]

    def height(phi, sd, sigma, free, start):
        def function(x):
            values = {"phi": phi, "sd": sd, "sigma": sigma} | dict(zip(free, x, strict=True))
            R0 = referee_residual.serial(t, g, math.tanh(values["phi"]))
            G = [np.array([[values["sd"] ** 2]])]
            return referee.unprofiled(y, X, blocks, G, math.exp(2 * values["sigma"]), "REML", R0)

        return lowest(function, np.array(start)) - fit.criterion

    phi, sd, sigma = found["cor_ar1(t)|Residual"], found["sd_(Intercept)|g"], found["sigma"]
    near = {"phi": math.atanh(phi["estimate"]), "sd": sd["estimate"], "sigma": math.log(sigma["estimate"])}
    for name, row, scale in (("phi", phi, math.atanh), ("sd", sd, float)):
        free = [n for n in near if n != name]
        for end in ("conf_low", "conf_high") if name == "phi" else ("conf_high",):
            values = {"phi": None, "sd": None, "sigma": None, name: scale(row[end])}
            at = height(values["phi"], values["sd"], values["sigma"], free, [near[n] for n in free])
            agree("dense likelihood, profile limits", "height above the minimum", abs(at - HEIGHT), 1e-5)


def test_fixed_effects_of_a_reml_fit_are_profiled_by_ml():
    frame = answers.frame("arms")
    terms = ["t", "armIPT", "sigma"]
    reml, ml = (rows(dl.fit("y ~ t * arm + (t | g)", frame, method), terms=terms) for method in ("REML", "ML"))
    for name in terms[:2]:
        assert reml[name]["criterion"] == "ML"
        for end in ("conf_low", "conf_high"):
            assert reml[name][end] == pytest.approx(ml[name][end], abs=1e-6)
    assert reml["sigma"]["criterion"] == "REML"
    assert reml["sigma"]["conf_high"] > ml["sigma"]["conf_high"]  # REML divides by the residual df


def test_a_single_coefficient_is_the_t_interval_of_least_squares():
    """With a variance of zero a profile of n rows is that of least squares: n log(1 + t²/(n − p)) = the quantile."""
    frame = answers.frame("no_variance")
    fit = dl.fit("y ~ t + (1 | g)", frame, "ML")
    assert fit.singular
    x, y = np.column_stack([np.ones(frame.height), frame["t"]]), frame["y"].to_numpy()
    beta, rss = np.linalg.lstsq(x, y, rcond=None)[:2]
    error = math.sqrt(np.linalg.inv(x.T @ x)[1, 1] * rss.item())
    reach = math.sqrt(math.exp(HEIGHT / len(y)) - 1) * error
    row = rows(fit, terms=["t"])["t"]
    found = row["conf_low"], row["conf_high"]
    assert found == pytest.approx((beta[1] - reach, beta[1] + reach), rel=1e-6)


def test_limits_end_at_the_edge_where_the_data_allow_it():
    pair = ["sd_t|g", "cor_t.(Intercept)|g"]
    found = rows(dl.fit("y ~ t + (t | g)", answers.frame("zero_slope")), terms=pair)
    assert found["sd_t|g"]["conf_low"] == 0.0 < found["sd_t|g"]["conf_high"]
    assert (found["cor_t.(Intercept)|g"]["conf_low"], found["cor_t.(Intercept)|g"]["conf_high"]) == (-1.0, 1.0)
    found = rows(dl.fit("y ~ t + (t | g)", answers.frame("perfect_correlation")), terms=pair[1:])
    assert 0.0 < found["cor_t.(Intercept)|g"]["conf_low"] < found["cor_t.(Intercept)|g"]["conf_high"] == 1.0
    found = rows(dl.fit("y ~ t + (1 | g)", answers.frame("no_variance")), terms=["sd_(Intercept)|g"])
    assert found["sd_(Intercept)|g"]["estimate"] == found["sd_(Intercept)|g"]["conf_low"] == 0.0
    assert found["sd_(Intercept)|g"]["conf_high"] > 0.05


def test_a_joint_model_has_them_all():
    frame = answers.frame("study")
    fit = dl.fit("cbind(wai_p, wai_t) ~ session + (1 | dyad)", frame)
    wald = rows(fit, "wald")
    assert list(wald) == [
        *("wai_p", "wai_t", "wai_p:session", "wai_t:session"),
        *("sd_wai_p|dyad", "cor_wai_t.wai_p|dyad", "sd_wai_t|dyad"),
        *("sigma_wai_p", "sigma_wai_t", "cor_wai_p.wai_t|Residual"),
    ]
    found = rows(fit, terms=["wai_t", "cor_wai_t.wai_p|dyad", "sd_wai_t|dyad", "sigma_wai_t", list(wald)[-1]])
    for name, row in found.items():
        width = wald[name]["conf_high"] - wald[name]["conf_low"]
        assert row["conf_low"] < row["estimate"] < row["conf_high"]
        # 646 ratings of 40 dyads: both are near, and differ.
        for end in ("conf_low", "conf_high"):
            assert 0.0 < abs(row[end] - wald[name][end]) < 0.15 * width


def test_units_and_shifts_change_nothing():
    frame = answers.frame("arms")
    plain = rows(dl.fit("y ~ t + (t | g)", frame))
    scaled = frame.with_columns(t=pl.col("t") * 1e3, y=pl.col("y") * 1e-4 + 50)
    other = rows(dl.fit("y ~ t + (t | g)", scaled))
    factors = {"t": 1e-7, "sd_(Intercept)|g": 1e-4, "sd_t|g": 1e-7, "cor_t.(Intercept)|g": 1.0, "sigma": 1e-4}
    for name, factor in factors.items():
        for end in ("conf_low", "conf_high"):
            assert other[name][end] == pytest.approx(plain[name][end] * factor, rel=1e-6)


def test_wald_intervals_by_their_definitions():
    fit = dl.fit("y ~ t * arm + (t | g)", answers.frame("arms"))
    found = rows(fit, "wald", level=0.9)
    for row in dl.coefficients(fit, df="normal", level=0.9).to_dicts():
        assert found[row["term"]]["conf_low"] == pytest.approx(row["conf_low"], rel=1e-12)
    components = dl.variance_components(fit, level=0.9).to_dicts()
    for name, row in zip(("sd_(Intercept)|g", None, "sd_t|g", "sigma"), components, strict=True):
        if name:
            got = [found[name][k] ** 2 for k in ("estimate", "conf_low", "conf_high")]
            assert got == pytest.approx([row[k] for k in ("estimate", "conf_low", "conf_high")], rel=1e-9)
    # The correlation's error by the dense referee: numeric information in (G, σ²), delta method on artanh.
    answer = next(one for one in answers.fits() if one["label"] == "arms-y~t*arm+(t|g)-REML")
    y, X, blocks = answers.arrays(answer)
    v, c, w = (row["estimate"] for row in components[:3])
    A = referee.observed_covariance(y, X, blocks, [np.array([[v, c], [c, w]])], components[3]["estimate"], "REML")
    r = c / math.sqrt(v * w)
    slope = np.array([-r / (2 * v), 1 / math.sqrt(v * w), -r / (2 * w), 0]) / (1 - r**2)
    reach = stats.norm.ppf(0.95) * math.sqrt(slope @ A @ slope)
    row = found["cor_t.(Intercept)|g"]
    ends = math.tanh(math.atanh(r) - reach), math.tanh(math.atanh(r) + reach)
    assert (row["conf_low"], row["conf_high"]) == pytest.approx(ends, rel=1e-4)


def test_terms_are_chosen_by_name_in_the_order_asked():
    fit = dl.fit("y ~ t + (t | g)", answers.frame("uneven").to_pandas())
    table = dl.confidence_intervals(fit, terms=["sigma", "t"])
    assert type(table).__module__.startswith("pandas")
    assert list(table["parameter"]) == ["sigma", "t"]


def test_narrower_levels_lie_inside():
    fit = dl.fit("y ~ t + (t | g)", answers.frame("uneven"))
    terms = ["t", "sd_t|g", "cor_t.(Intercept)|g"]
    wide, narrow = (dl.confidence_intervals(fit, level=level, terms=terms) for level in (0.95, 0.5))
    assert (narrow["conf_low"] > wide["conf_low"]).all()
    assert (narrow["conf_high"] <= wide["conf_high"]).all()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"method": "profil"}, "Did you mean 'profile'?"),
        ({"level": 95}, "between 0 and 1"),
        ({"terms": ["sd_t"]}, "no parameter 'sd_t'"),
        ({"terms": "sigmo"}, "Did you mean 'sigma'?"),
    ],
)
def test_wrong_questions_are_refused(options, words):
    with pytest.raises(dl.PlanError) as caught:
        dl.confidence_intervals(dl.fit("y ~ t + (t | g)", answers.frame("uneven")), **options)
    assert words in str(caught.value)


@pytest.mark.parametrize("shift", [1e3, 1e6])
def test_a_far_off_zero_point_changes_only_what_is_said_at_it(shift):
    """A slope's SD and its interval do not depend on where time is zero."""
    rng = np.random.default_rng(6)
    g, t = np.repeat(np.arange(20), 5), np.tile(np.arange(5.0), 20)
    y = 5 + t + 2 * rng.normal(size=20)[g] + 0.7 * rng.normal(size=20)[g] * t + rng.normal(size=100)
    frame = pl.DataFrame({"g": g, "t": t, "y": y})
    fits = [dl.fit("y ~ t + (t | g)", part) for part in (frame, frame.with_columns(t=pl.col("t") + shift))]
    for method in ("profile", "wald"):
        near, far = (dl.confidence_intervals(fit, method, terms=["t", "sd_t|g", "sigma"]) for fit in fits)
        for column in ("estimate", "conf_low", "conf_high"):
            np.testing.assert_allclose(far[column], near[column], rtol=1e-6)
    near, far = (dl.variance_components(fit)["std_error"] for fit in fits)
    np.testing.assert_allclose(far[2:], near[2:], rtol=1e-6)
