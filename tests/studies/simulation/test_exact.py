"""Exact mode: the sample's moments are those of the truth to the last digits."""

from __future__ import annotations

import numpy as np
import pytest

import dyadline as dl
from dyadline.studies.simulation.draw import draw
from true_studies import COVARIANCE, seeds, truth

CLOSE = {"rtol": 1e-11, "atol": 1e-12}


def test_random_effects_baseline_and_residuals_are_exact():
    asked = truth({"covariance": COVARIANCE, "alliance.residual_correlation": 0.3, "alliance.ar1": 0.4}, dyads=20)
    several = draw(asked, seeds(3), exact=True)
    for r in range(3):
        lines = several.lines[r]
        found = np.cov(np.c_[lines, several.baseline[r]].T)
        wanted = np.zeros((7, 7))
        wanted[:6, :6], wanted[6, 6] = COVARIANCE, 9.5**2
        np.testing.assert_allclose(found, wanted, rtol=1e-11, atol=1e-11)
        np.testing.assert_allclose(lines.mean(axis=0), [4.9, 0.065, 5.1, 0.035, 32.0, -0.9], **CLOSE)
        np.testing.assert_allclose(several.baseline[r].mean(), 35.8, **CLOSE)
        t = several.time - 1.0
        patient = (several.patient[r] - lines[:, [0]] - lines[:, [1]] * t).ravel()
        therapist = (several.therapist[r] - lines[:, [2]] - lines[:, [3]] * t).ravel()
        both = 0.3 * 0.45 * 0.42
        np.testing.assert_allclose(np.cov(patient, therapist), [[0.45**2, both], [both, 0.42**2]], **CLOSE)
        outcome = several.outcome[r] - lines[:, [4]] - lines[:, [5]] * t
        np.testing.assert_allclose([patient.mean(), therapist.mean(), outcome.mean()], 0.0, atol=1e-12)
        assert outcome.var(ddof=1) == pytest.approx(18.0, rel=1e-12)


@pytest.mark.parametrize("discrepancy", ["absolute", "signed", "squared"])
def test_the_effect_is_the_samples_correlation(discrepancy):
    asked = truth({"outcome.effect": 0.35, "outcome.convergence.discrepancy": discrepancy}, dyads=12)
    one = draw(asked, seeds(), exact=True)
    z, slope = one.convergence[0], one.lines[0][:, 5]
    np.testing.assert_allclose([z.mean(), z.std(ddof=1)], [0.0, 1.0], atol=1e-12)
    assert np.corrcoef(z, slope)[0, 1] == pytest.approx(0.35, abs=1e-12)
    assert slope.var(ddof=1) == pytest.approx(1.2, rel=1e-12)
    assert one.lines[0][:, 4].var(ddof=1) == pytest.approx(49.0, rel=1e-12)


def test_therapists_effects_are_exact():
    asked = truth({"therapists": {"A": 6}, "therapist_effects": {"outcome": [3.0, 0.5], "patient": 0.8}}, dyads=30)
    with_effects = draw(asked, seeds(), exact=True)
    without = draw(asked.model_copy(update={"therapist_effects": truth().therapist_effects}), seeds(), exact=True)
    added = with_effects.lines[0] - without.lines[0]
    provider = with_effects.provider[0]
    own = np.array([added[provider == number][0] for number in range(6)])[:, [0, 4, 5]]
    np.testing.assert_allclose(np.cov(own.T), np.diag([0.8, 3.0, 0.5]) ** 2, atol=1e-12)
    np.testing.assert_allclose(own.mean(axis=0), 0.0, atol=1e-12)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"dyads": 8}, "at least 9 dyads, not 8"),
        ({"dyads": 9, "outcome.effect": 0.2}, "at least 10 dyads, not 9"),
        (
            {"therapists": {"A": 2}, "therapist_effects": {"outcome": [3.0, 0.5]}},
            "2 therapist effects need at least 3 therapists, not 2",
        ),
    ],
)
def test_studies_too_small_for_it_are_refused(changes, words):
    with pytest.raises(dl.PlanError, match=words):
        draw(truth(changes), seeds(), exact=True)


@pytest.mark.parametrize(("dyads", "effect"), [(9, None), (10, 0.2)])
def test_the_smallest_exact_studies(dyads, effect):
    one = draw(truth({"dyads": dyads, "outcome.effect": effect}), seeds(), exact=True)
    assert one.lines[0][:, 5].var(ddof=1) == pytest.approx(1.2, rel=1e-9)
