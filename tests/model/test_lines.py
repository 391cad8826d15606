"""Models of dyads' lines, many studies at once: against one fit at a time, the dense referee, and each study alone."""

from __future__ import annotations

import numpy as np
import pytest

import dyadline as dl
import referee
from drawn_lines import frame, studies
from dyadline.model.fit import random_covariance
from dyadline.model.lines import curves, fit_lines, satterthwaite_lines
from dyadline.model.predict import conditional_modes

SHAPES = {
    "interior": {"size": 6, "dyads": 40, "occasions": 7, "slope_variance": 1.5, "missing": 0.2, "count": 3},
    "boundary": {"size": 12, "dyads": 40, "occasions": 4, "slope_variance": 0.0, "missing": 0.3, "count": 2},
    "tiny": {"size": 4, "dyads": 12, "occasions": 5, "slope_variance": 0.5, "missing": 0.2, "count": 2},
    "three occasions": {"size": 6, "dyads": 60, "occasions": 3, "slope_variance": 0.2, "missing": 0.1, "count": 1},
}


def named(term: str, names) -> str:
    return term if term in names else ":".join(reversed(term.split(":")))


@pytest.mark.parametrize("method", ["REML", "ML"])
@pytest.mark.parametrize("shape", SHAPES)
def test_each_study_is_fitted_as_it_would_be_alone(shape, method):
    t, y, x = studies(7, **SHAPES[shape])
    found = fit_lines(t, y, x, method)
    df = satterthwaite_lines(found, found.terms)
    lines = curves(found)
    for number in range(len(y)):
        one = dl.fit(
            f"y ~ t * ({' + '.join(x)}) + (t | dyad)", frame(t, y[number], {n: v[number] for n, v in x.items()}), method
        )
        table = {row["term"]: row for row in dl.coefficients(one).to_dicts()}
        rows = [table[named(term, table)] for term in found.terms]
        assert found.converged[number] == one.converged
        assert found.singular[number] == one.singular
        error = np.array([row["std_error"] for row in rows])
        np.testing.assert_allclose(
            found.estimates[number] / error, [r["estimate"] / r["std_error"] for r in rows], atol=1e-6
        )
        np.testing.assert_allclose(found.std_errors[number], error, rtol=1e-6)
        np.testing.assert_allclose(df[number], [row["df"] for row in rows], rtol=1e-5)
        assert found.sigma[number] == pytest.approx(one.sigma, rel=1e-6)
        covariance = random_covariance(one)[0]
        np.testing.assert_allclose(
            found.covariance[number], covariance, rtol=1e-5, atol=1e-6 * np.abs(covariance).max()
        )
        seen = np.isfinite(lines[number, :, 0])
        assert seen.sum() == one.n_groups
        modes = conditional_modes(one)[0]
        fixed = [table[term]["estimate"] for term in ("(Intercept)", "t")]
        if not x:
            np.testing.assert_allclose(lines[number, seen], fixed + modes, rtol=1e-6)


@pytest.mark.parametrize("number", range(3))
def test_curves_are_fixed_effects_and_conditional_modes(number):
    t, y, _ = studies(number, size=3, dyads=25, occasions=5, slope_variance=1.0, missing=0.2, count=1)
    lines = curves(fit_lines(t, y))
    for study, own in zip(y, lines, strict=True):
        one = dl.fit("y ~ t + (t | dyad)", frame(t, study, {}))
        fixed = dl.coefficients(one)["estimate"].to_numpy()
        order = np.argsort(one.design.groupings[0].labels.to_numpy())
        seen = np.isfinite(own[:, 0])
        np.testing.assert_allclose(own[seen], fixed + conditional_modes(one)[0][order], rtol=1e-6, atol=1e-7)
        assert not seen[1]


@pytest.mark.parametrize("method", ["REML", "ML"])
def test_no_study_ends_above_the_referees_optimum(method):
    t, y, x = studies(3, size=6, dyads=14, occasions=4, slope_variance=0.1, missing=0.15, count=1)
    found = fit_lines(t, y, x, method)
    df = satterthwaite_lines(found, found.terms)
    for number in range(len(y)):
        table = frame(t, y[number], {n: v[number] for n, v in x.items()}).drop_nulls()
        times, own = table["t"].to_numpy(), table["x0"].to_numpy()
        ones = np.ones(len(times))
        X = np.column_stack([ones, own, times, times * own])
        Z = [(np.column_stack([ones, times]), table["dyad"].to_numpy())]
        response = table["y"].to_numpy()
        D = found.covariance[number] / found.sigma[number] ** 2
        best = referee.optimum(response, X, Z, method, starts=3, seed=number)
        assert referee.criterion(response, X, Z, [D], method) <= best.criterion + 1e-6
        np.testing.assert_allclose(referee.beta(response, X, Z, [D]), found.estimates[number], rtol=1e-7)
        if not found.singular[number]:
            G, sigma2 = [found.covariance[number]], found.sigma[number] ** 2
            expected = referee.satterthwaite_df(np.eye(4), response, X, Z, G, sigma2, method)
            np.testing.assert_allclose(df[number], expected, rtol=1e-3)


def test_a_studys_digits_do_not_depend_on_the_others():
    t, y, x = studies(11, size=20, dyads=30, occasions=6, slope_variance=0.05, missing=0.2, count=3)
    together = fit_lines(t, y, x)
    df = satterthwaite_lines(together, together.terms)
    assert 0 < together.singular.sum() < 20
    for chosen in ([0], [3, 19], list(range(10)), [19, 18, 0]):
        part = fit_lines(t, y[chosen], {n: v[chosen] for n, v in x.items()})
        for name in ("estimates", "std_errors", "sigma", "covariance", "singular"):
            assert (getattr(part, name) == getattr(together, name)[chosen]).all(), name
        assert (satterthwaite_lines(part, part.terms) == df[chosen]).all()
        assert np.array_equal(curves(part), curves(together)[chosen], equal_nan=True)


def test_studies_without_an_answer_stay_empty_and_leave_the_others_alone():
    t, y, x = studies(5, size=5, dyads=20, occasions=4, slope_variance=1.0, missing=0.1, count=2)
    x["x1"] = x["x1"].copy()
    x["x1"][1] = 2.0 * x["x0"][1]  # the same twice
    y[2, 5:] = np.nan  # three dyads left
    y[3] = 4.0  # no variation
    found = fit_lines(t, y, x)
    assert list(found.converged) == [True, False, False, False, True]
    assert np.isnan(found.estimates[1:4]).all() and np.isfinite(found.estimates[[0, 4]]).all()
    assert np.isnan(satterthwaite_lines(found, ("t:x0",))[1:4]).all()


def test_a_study_whose_slopes_cannot_be_told_apart_stays_empty():
    """Two dyads with more than one occasion: the predictors differ over dyads, their products with time do not."""
    t = np.array([0.0, 1.0, 2.0, 3.0])
    rng = np.random.default_rng(4)
    y = rng.standard_normal((2, 12, 4))
    y[0, 2:, 1:] = np.nan
    y[0, 2:, 0] = rng.standard_normal(10)
    x = {"x0": rng.standard_normal((2, 12)), "x1": rng.standard_normal((2, 12))}
    X = np.stack([np.ones(12), x["x0"][0], x["x1"][0]], axis=1)
    rows = [np.kron([1.0, t[k]], X[j]) for j in range(12) for k in range(4) if np.isfinite(y[0, j, k])]
    assert np.linalg.matrix_rank(rows) < 6
    found = fit_lines(t, y, x)
    assert list(found.converged) == [False, True]
    assert np.isnan(found.estimates[0]).all() and np.isfinite(found.estimates[1]).all()


def test_far_origins_and_awkward_units_change_nothing_but_what_they_should():
    t, y, x = studies(2, size=3, dyads=30, occasions=6, slope_variance=1.0, missing=0.1, count=2)
    plain = fit_lines(t, y, x)
    moved = fit_lines(1e-3 * (t + 1e4), 1e6 + 1e-4 * y, {"x0": 1e5 * x["x0"], "x1": x["x1"]})
    place = plain.terms.index("t:x0")
    np.testing.assert_allclose(moved.estimates[:, place], plain.estimates[:, place] * 1e-4 / 1e-3 / 1e5, rtol=1e-6)
    df = satterthwaite_lines(plain, ("t:x0", "t:x1"))
    np.testing.assert_allclose(satterthwaite_lines(moved, ("t:x0", "t:x1")), df, rtol=1e-5)
