"""Models in which only the residuals of a dyad hang together (SPSS: REPEATED; R: gls) answer every question, too."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import dyadline as dl

STRUCTURES = ("ar1(t | dyad)", "car1(t | dyad)", "cs(| dyad)")


def frame() -> pl.DataFrame:
    rng = np.random.default_rng(12)
    dyad, t = np.repeat(np.arange(25), 6), np.tile(np.arange(6), 25)
    error = rng.normal(size=(25, 6))
    for k in range(1, 6):
        error[:, k] = 0.5 * error[:, k - 1] + np.sqrt(0.75) * error[:, k]
    x = rng.normal(size=25)[dyad]
    return pl.DataFrame({"dyad": dyad, "t": t, "x": x, "y": 3 + 0.4 * t + x + error.ravel()})


@pytest.fixture(scope="module", params=STRUCTURES)
def fit(request):
    return dl.fit("y ~ t + x", frame(), residual=request.param)


def test_normalised_residuals_are_the_dense_ones(fit):
    """L⁻¹(y − Xβ)/σ of each dyad with R written out."""
    t = np.arange(6.0)
    r = dl.variance_components(fit)["estimate"][-1]
    power = np.where(np.eye(6) > 0, 0.0, 1.0) if fit.spec.residual.kind == "cs" else np.abs(t[:, None] - t)
    root = np.linalg.cholesky(r**power)
    left = dl.residuals(fit, "marginal")["residual"].to_numpy().reshape(25, 6)
    want = np.linalg.solve(root, left.T).T / fit.sigma
    np.testing.assert_allclose(dl.residuals(fit, "normalised")["residual"], want.ravel(), rtol=1e-9)
    np.testing.assert_array_equal(dl.residuals(fit)["residual"], left.ravel())


def test_clean_data_raise_nothing(fit):
    assert [f.code for f in dl.checks(fit)] in ([], ["serial-correlation"])  # cs leaves what the data have


def test_leaving_one_out_is_a_fit_of_the_rest(fit):
    found = dl.influence(fit)
    rest = dl.fit("y ~ t + x", frame().filter(pl.col("dyad") != 7), residual=fit.spec.residual)
    terms = found.terms.filter(pl.col("group") == 7)
    np.testing.assert_allclose(terms["estimate"], dl.coefficients(rest)["estimate"], rtol=1e-7)
    assert found.groups.row(7, named=True)["criterion"] == pytest.approx(rest.criterion, rel=1e-9)


def test_many_responses_are_fits_of_their_own(fit):
    drawn = dl.simulate_responses(fit, 3)
    many = dl.fit_many(fit, drawn, order="design")
    for number, response in enumerate(drawn.T):
        alone = dl.fit("y ~ t + x", frame().with_columns(y=pl.Series(response)), residual=fit.spec.residual)
        assert many.criterion[number] == pytest.approx(alone.criterion, rel=1e-9)
        np.testing.assert_allclose(many.estimates[number], dl.coefficients(alone)["estimate"], rtol=1e-6)


@pytest.mark.parametrize("kind", ["parametric", "case"])
def test_bootstrap(fit, kind):
    found = dl.bootstrap(fit, kind, replicates=40)
    assert found.failed == 0
    np.testing.assert_allclose(found.table["std_error"][:3], dl.coefficients(fit)["std_error"], rtol=0.6)
