"""Many responses on the design of a fit, against fits of their own."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from dyadline.errors import DataError, PlanError
from dyadline.inference.freedom import satterthwaite
from dyadline.model.fit import estimates, fit
from dyadline.model.many import fit_many, many_satterthwaite

MODELS = [
    ("y ~ t * x + (t | dyad)", None),
    ("y ~ t * x + (1 | dyad)", None),
    ("y ~ 0 + t + x + (1 | dyad)", None),
    ("y ~ t * x + (t | dyad) + (1 | therapist)", None),
    ("y ~ t * x + (1 | dyad)", "ar1(t)"),
]


@pytest.fixture(scope="module")
def frame():
    """Sessions in shuffled order, some without an outcome."""
    rng = np.random.default_rng(1)
    dyad, t = np.repeat(np.arange(60), 10), np.tile(np.arange(10.0), 60)
    n = len(dyad)
    x = rng.normal(size=60)[dyad]
    y = 1 + 0.3 * t + x + rng.normal(size=60)[dyad] + 0.2 * rng.normal(size=60)[dyad] * t + rng.normal(size=n)
    y[rng.uniform(size=n) < 0.1] = np.nan
    made = pl.DataFrame({"y": y, "t": t, "x": x, "dyad": dyad, "therapist": dyad // 6}).fill_nan(None)
    return made.sample(fraction=1.0, shuffle=True, seed=2)


@pytest.fixture(scope="module")
def responses(frame):
    """Around the outcome, with other sizes and places; one is noise alone."""
    rng = np.random.default_rng(3)
    base = frame["y"].fill_null(0.0).to_numpy()[:, None]
    noise = rng.normal(size=(frame.height, 5))
    return base * [1, 1, 1, 0, 1] + noise * [1, 2, 0.1, 1e3, 1] + [0, 1e4, 0, 0, -3]


def replaced(frame, values):
    missing = frame["y"].is_null()
    return frame.with_columns(pl.when(missing).then(None).otherwise(pl.Series(values)).alias("y"))


@pytest.mark.parametrize("method", ["REML", "ML"])
@pytest.mark.parametrize(("formula", "residual"), MODELS)
def test_each_response_is_a_fit_of_its_own(frame, responses, formula, residual, method):
    model = fit(formula, frame, "REML", residual=residual)
    many = fit_many(model, responses, method)
    df = many_satterthwaite(many)
    contrast = np.arange(1.0, len(many.terms) + 1)[None]
    df_contrast = many_satterthwaite(many, contrast)
    for number in range(responses.shape[1]):
        alone = fit(formula, replaced(frame, responses[:, number]), method, residual=residual)
        beta, covariance = estimates(alone)
        assert many.criterion[number] == pytest.approx(alone.criterion, abs=1e-8, rel=1e-12)
        assert (many.converged[number], many.singular[number]) == (alone.converged, alone.singular)
        assert many.sigma[number] == pytest.approx(alone.sigma, rel=1e-7)
        se = np.sqrt(np.diag(covariance))
        np.testing.assert_allclose(many.estimates[number], beta, rtol=1e-7, atol=1e-7 * se.max())
        np.testing.assert_allclose(many.std_errors[number], se, rtol=1e-7)
        np.testing.assert_allclose(df[number], satterthwaite(alone, np.eye(len(beta))), rtol=1e-5)
        np.testing.assert_allclose(df_contrast[number], satterthwaite(alone, contrast), rtol=1e-5)


def test_balanced_growth_has_the_degrees_of_freedom_of_theory():
    rng = np.random.default_rng(4)
    dyad, t = np.repeat(np.arange(20), 5), np.tile(np.arange(5.0) - 2.0, 20)
    y = rng.normal(size=(20, 30))[dyad] + 0.6 * rng.normal(size=(20, 30))[dyad] * t[:, None]
    y += rng.normal(size=y.shape)
    frame = pl.DataFrame({"y": y[:, 0], "t": t, "dyad": dyad})
    many = fit_many(fit("y ~ t + (t | dyad)", frame), y)
    assert not many.singular.any()
    np.testing.assert_allclose(many_satterthwaite(many), 19.0, rtol=1e-5)
    # Least squares of each dyad by itself give the same coefficients, and their spread the standard errors.
    slopes = (y.reshape(20, 5, -1) * (np.arange(5.0) - 2.0)[:, None]).sum(axis=1) / 10.0
    np.testing.assert_allclose(many.estimates[:, 1], slopes.mean(axis=0), rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(many.std_errors[:, 1], slopes.std(axis=0, ddof=1) / np.sqrt(20), rtol=1e-6)


def test_rows_come_in_the_order_of_the_frame_or_of_the_design(frame, responses):
    model = fit("y ~ t * x + (t | dyad)", frame)
    whole = fit_many(model, responses)
    complete = fit_many(model, responses[frame["y"].is_not_null().to_numpy()])
    sorted_rows = fit_many(model, responses[model.design.source.row_numbers], order="design")
    named = fit_many(model, pl.DataFrame(responses).to_pandas())
    for other in (complete, sorted_rows, named):
        np.testing.assert_array_equal(whole.estimates, other.estimates)
        np.testing.assert_array_equal(whole.criterion, other.criterion)


def test_the_outcome_itself_gives_the_fit_again(frame):
    model = fit("y ~ t * x + (t | dyad)", frame, "ML")
    again = fit_many(model, frame.select(pl.col("y").fill_null(0.0)))
    beta, covariance = estimates(model)
    assert again.method == "ML" and again.terms == model.design.terms
    assert again.criterion[0] == pytest.approx(model.criterion, rel=1e-12)
    np.testing.assert_allclose(again.estimates[0], beta, rtol=1e-7)
    np.testing.assert_allclose(again.std_errors[0], np.sqrt(np.diag(covariance)), rtol=1e-7)
    assert repr(again) == "<Many 1 responses, ML, 1 converged, 0 singular>"


def test_results_are_read_only(frame, responses):
    many = fit_many(fit("y ~ t + (1 | dyad)", frame), responses)
    for array in (many.estimates, many.std_errors, many.theta, many.sigma, many.criterion, many.converged):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_a_constant_response_has_no_answer(frame, responses):
    changed = responses.copy()
    changed[:, 2] = 7.0
    many = fit_many(fit("y ~ t + (1 | dyad)", frame), changed)
    assert np.isnan(many.estimates[2]).all() and np.isnan(many.sigma[2]) and not many.converged[2]
    assert many.converged[[0, 1, 3, 4]].all()


def test_what_cannot_be_fitted_is_said_plainly(frame, responses):
    model = fit("y ~ t + (1 | dyad)", frame)
    with pytest.raises(PlanError, match="599 rows, the fit used"):
        fit_many(model, responses[1:])
    with pytest.raises(PlanError, match="two-dimensional array"):
        fit_many(model, responses[:, 0])
    with pytest.raises(PlanError, match="method 'REM' is not known"):
        fit_many(model, responses, "REM")
    with pytest.raises(PlanError, match="order 'rows' is not known"):
        fit_many(model, responses, order="rows")
    holes = responses.copy()
    holes[frame["y"].is_null().to_numpy(), 0] = np.nan  # not used by the fit
    assert fit_many(model, holes).converged.all()
    row = int(np.flatnonzero(frame["y"].is_not_null().to_numpy())[4])
    holes[row, 1] = np.inf
    with pytest.raises(DataError, match=f"row {row + 1} of response 2"):
        fit_many(model, holes)


@pytest.mark.filterwarnings("ignore:the matrix subclass")
def test_other_arrays_are_read_or_refused(frame, responses):
    model = fit("y ~ t + (1 | dyad)", frame)
    want = fit_many(model, responses).criterion
    np.testing.assert_array_equal(fit_many(model, np.asmatrix(responses)).criterion, want)
    masked = np.ma.array(responses, mask=np.zeros_like(responses, dtype=bool))
    np.testing.assert_array_equal(fit_many(model, masked).criterion, want)
    masked[int(np.flatnonzero(frame["y"].is_not_null().to_numpy())[0])] = np.ma.masked
    for wrong in (masked, responses * 1e200):
        with pytest.raises(DataError, match="cannot be computed with"):
            fit_many(model, wrong)
    for contrasts in (np.ones((1, 3)), "t", [[["t"]]]):
        with pytest.raises(PlanError, match="rows of 2 weights"):
            many_satterthwaite(fit_many(model, responses), contrasts)
