"""Drawn studies have the moments that the truth states."""

from __future__ import annotations

import numpy as np
import pytest

from dyadline.engine.moments import Array
from dyadline.plan.analysis import ConvergenceSection
from dyadline.scoring.discrepancy import Gaps, rate_of_convergence
from dyadline.scoring.transform import transform
from dyadline.studies.simulation.draw import draw
from dyadline.studies.simulation.population import baseline_mean, population
from dyadline.studies.twins import parameters, simulate
from true_studies import COVARIANCE, FULL, seeds, truth

MANY = 100_000
NO_NOISE = {"alliance.patient.residual": 0.0, "alliance.therapist.residual": 0.0, "outcome.residual": 0.0}


def assert_covariance(found: Array, wanted: Array, n: int) -> None:
    """Each entry within four and a half standard errors of a normal sample's covariance."""
    error = np.sqrt((np.outer(np.diag(wanted), np.diag(wanted)) + wanted**2) / n)
    assert (np.abs(found - wanted) <= 4.5 * error + 1e-15).all()


@pytest.mark.parametrize("dimensions", [4, 5, 6])
def test_random_effects_have_the_given_covariance(dimensions):
    given = [row[:dimensions] for row in COVARIANCE[:dimensions]]
    one = draw(truth(dyads=MANY, covariance=given), seeds())
    wanted = np.zeros((6, 6))
    wanted[:dimensions, :dimensions] = given
    if dimensions == 4:
        wanted[4:, 4:] = [[49.0, -1.9], [-1.9, 1.2]]
    lines = one.lines[0]
    assert_covariance(np.cov(lines.T), wanted, MANY)
    means = np.array([4.9, 0.065, 5.1, 0.035, 32.0, -0.9])
    assert (np.abs(lines.mean(axis=0) - means) <= 4.5 * np.sqrt(np.diag(wanted) / MANY) + 1e-12).all()


def test_standard_deviations_and_correlations_make_the_covariance():
    lines = draw(truth(dyads=MANY), seeds()).lines[0]
    between = 0.45 * 1.15 * 0.75, 0.45 * 0.25 * 0.2
    wanted = np.array(
        [
            [1.15**2, -0.25 * 1.15 * 0.25, between[0], 0.0],
            [-0.25 * 1.15 * 0.25, 0.25**2, 0.0, between[1]],
            [between[0], 0.0, 0.75**2, -0.2 * 0.75 * 0.2],
            [0.0, between[1], -0.2 * 0.75 * 0.2, 0.2**2],
        ]
    )
    assert_covariance(np.cov(lines[:, :4].T), wanted, MANY)


def test_ratings_and_outcomes_lie_around_their_lines():
    one = draw(truth({"rated": [2, 3, 6, 8], "outcome.ar1": 0.6, "alliance.ar1": 0.5}, dyads=MANY // 4), seeds())
    assert np.isnan(one.patient[0][:, [0, 3]]).all()
    rated = np.array([1, 2, 4, 5])
    t = one.time[rated] - 2.0
    lines = one.lines[0]
    for values, first, sd in ((one.patient, 0, 0.45), (one.therapist, 2, 0.42)):
        residuals = values[0][:, rated] - lines[:, [first]] - lines[:, [first + 1]] * t
        assert_covariance(np.cov(residuals.T), sd**2 * 0.5 ** np.abs(np.subtract.outer(t, t)), MANY // 4)
    residuals = one.outcome[0] - lines[:, [4]] - lines[:, [5]] * (one.time - 1.0)
    distance = np.abs(np.subtract.outer(one.time, one.time))
    assert_covariance(np.cov(residuals.T), 18.0 * 0.6**distance, MANY // 4)


def test_residuals_of_the_raters_correlate_within_an_occasion():
    one = draw(truth({"alliance.residual_correlation": -0.35}, dyads=MANY // 4), seeds())
    lines, t = one.lines[0], one.time - 1.0
    patient = one.patient[0] - lines[:, [0]] - lines[:, [1]] * t
    therapist = one.therapist[0] - lines[:, [2]] - lines[:, [3]] * t
    both = np.cov(np.c_[patient, therapist].T)
    wanted = np.kron([[0.45**2, -0.35 * 0.45 * 0.42], [-0.35 * 0.45 * 0.42, 0.42**2]], np.eye(6))
    assert_covariance(both, wanted, MANY // 4)


def test_a_negative_serial_correlation_alternates():
    one = draw(truth({"outcome.ar1": -0.4, **NO_NOISE, "outcome.residual": 4.0}, dyads=20_000), seeds())
    residuals = one.outcome[0] - one.lines[0][:, [4]] - one.lines[0][:, [5]] * (one.time - 1.0)
    distance = np.abs(np.subtract.outer(one.time, one.time))
    assert_covariance(np.cov(residuals.T), 4.0 * (-0.4) ** distance, 20_000)


def test_scale_and_range_cut_off_and_round():
    one = draw(truth(FULL, dyads=2_000), seeds())
    for values in (one.patient, one.therapist):
        there = values[np.isfinite(values)]
        assert there.min() >= 1.0
        assert there.max() == 7.0
        np.testing.assert_array_equal(there, np.round(there, 2))
    assert (one.baseline.min(), one.baseline.max()) == (14.0, 58.0)
    np.testing.assert_array_equal(one.baseline, np.rint(one.baseline))
    there = one.outcome[np.isfinite(one.outcome)]
    np.testing.assert_array_equal(there, np.round(there, 2))


def test_mean_of_a_baseline_that_is_cut_off_and_rounded():
    cut = truth({"baseline.range": [30, 50], "baseline.decimals": 1}, dyads=MANY)
    drawn = draw(cut, seeds()).baseline
    assert abs(drawn.mean() - baseline_mean(cut)) < 4 * drawn.std() / np.sqrt(MANY)
    # R: integrate() of pmin(pmax(x, 30), 50) * dnorm(x, 35.8, 9.5), in three parts.
    assert baseline_mean(cut) == pytest.approx(37.0933686681, abs=1e-9)


@pytest.mark.parametrize("effect", [-0.3, 0.6])
@pytest.mark.parametrize("how", [{}, {"discrepancy": "signed", "transform": "asinh"}])
def test_the_standardised_effect_is_the_correlation_of_convergence_and_slope(effect, how):
    one = draw(truth({"outcome.effect": effect, "outcome.convergence": how}, dyads=200_000), seeds())
    slope = one.lines[0][:, 5]
    found = np.corrcoef(one.convergence[0], slope)[0, 1]
    assert abs(found - effect) < 4.5 * (1 - effect**2) / np.sqrt(200_000)
    assert slope.var() == pytest.approx(1.2, rel=0.03)
    assert abs(one.convergence.mean()) < 0.015
    assert one.convergence.std() == pytest.approx(1.0, abs=0.015)


def test_other_predictors_come_on_top_of_the_effect():
    slope = {"intercept": -0.9, "baseline": 0.05, "early_patient": 0.2, "product": 0.1}
    one = draw(truth({"outcome.effect": -0.4, "outcome.slope": slope}, dyads=MANY), seeds())
    lines = one.lines[0]
    development = (lines[:, 1] + lines[:, 3]) / 2 * 7.0
    distance = np.abs(lines[:, [0]] - lines[:, [2]] + (lines[:, [1]] - lines[:, [3]]) * (one.time - 1.0))
    convergence = -7.0 * np.polyfit(one.time, distance.T, 1)[0]
    product = (development - 0.35) * (convergence - convergence.mean())
    others = 0.05 * (one.baseline[0] - 35.8) + 0.2 * (lines[:, 0] - 4.9) + 0.1 * product
    left = lines[:, 5] - others
    assert np.corrcoef(left, one.convergence[0])[0, 1] == pytest.approx(-0.4, abs=4.5 * 0.84 / np.sqrt(MANY))
    assert left.var() == pytest.approx(1.2, rel=4.5 * np.sqrt(2 / MANY) * 1.5)
    assert left.mean() == pytest.approx(-0.9, abs=4.5 * np.sqrt(1.2 / MANY))


def test_predictors_have_their_coefficients_at_their_means():
    names = ["baseline", "early_patient", "early_therapist", "development", "convergence"]
    fixed = dict(zip(names, (0.7, -0.5, -4.0, 0.6, -0.3), strict=True))
    slope = dict(zip(names, (0.02, -0.1, -0.2, -0.9, -0.33), strict=True))
    one = draw(
        truth(
            {
                "outcome.fixed": {"intercept": 32.0, **fixed},
                "outcome.slope": {"intercept": -0.9, **slope},
                "outcome.random": {"intercept": 1.0, "slope": 0.1},
                "outcome.convergence": {"unit": "per_unit"},
            },
            dyads=MANY,
        ),
        seeds(),
    )
    lines = one.lines[0]
    distance = np.abs(lines[:, [0]] - lines[:, [2]] + (lines[:, [1]] - lines[:, [3]]) * (one.time - 1.0))
    convergence = -np.polyfit(one.time, distance.T, 1)[0]
    development = (lines[:, 1] + lines[:, 3]) / 2
    values = [one.baseline[0], lines[:, 0], lines[:, 2], development, convergence]
    means = [35.8, 4.9, 5.1, 0.05, convergence.mean()]
    x = np.column_stack([np.ones(MANY), *(value - mean for value, mean in zip(values, means, strict=True))])
    inverse = np.linalg.inv(x.T @ x)
    for column, part, intercept, variance in ((4, fixed, 32.0, 1.0), (5, slope, -0.9, 0.1)):
        found = inverse @ x.T @ lines[:, column]
        error = np.sqrt(variance * np.diag(inverse))
        # Convergence is centred at the mean of a draw of 200,000.
        error[0] += abs(part["convergence"]) * convergence.std() / np.sqrt(MANY)
        assert (np.abs(found - [intercept, *part.values()]) < 4.5 * error).all()


def test_signed_convergence_has_moments_in_closed_form():
    signed = truth({"outcome.convergence.discrepancy": "signed"})
    centres = population(signed).centres
    assert centres.convergence == pytest.approx(-(0.065 - 0.035) * 7.0, abs=1e-10)
    variance = 0.25**2 + 0.2**2 - 2 * 0.45 * 0.25 * 0.2
    assert centres.spread == pytest.approx(7.0 * np.sqrt(variance), rel=1e-5)
    one = draw(signed, seeds(3))
    by_hand = -(one.lines[..., 1] - one.lines[..., 3]) * 7.0
    np.testing.assert_allclose(one.convergence, (by_hand + 0.21) / (7.0 * np.sqrt(variance)), rtol=1e-5, atol=1e-10)


@pytest.mark.parametrize("discrepancy", ["absolute", "signed", "squared"])
@pytest.mark.parametrize("slope", ["rate", "toward_zero", "endpoints"])
@pytest.mark.parametrize(("unit", "transformed"), [("window", "none"), ("per_unit", "signed_log"), ("window", "asinh")])
def test_true_convergence_is_the_score_of_error_free_curves(discrepancy, slope, unit, transformed):
    how = {"discrepancy": discrepancy, "slope": slope, "unit": unit, "transform": transformed}
    one = draw(truth({"outcome.convergence": how, "rated": [2, 3, 6, 8]}), seeds())
    lines, t = one.lines[0], np.array([0.0, 1.0, 4.0, 6.0])
    signed = lines[:, [0]] - lines[:, [2]] + (lines[:, [1]] - lines[:, [3]]) * t
    between = Gaps(index=np.repeat(np.arange(60), 4), t=np.tile(t, 60), signed=signed.ravel(), n_dyads=60)
    asked = ConvergenceSection.model_validate(how)
    score = transform(rate_of_convergence(between, asked, 6.0 if unit == "window" else 1.0), transformed).values
    ours = one.convergence[0]
    np.testing.assert_allclose((ours - ours.mean()) / ours.std(), (score - score.mean()) / score.std(), atol=1e-9)
    centres = population(one.truth).centres
    np.testing.assert_allclose(ours * centres.spread + centres.convergence, score, atol=1e-9)


def test_therapists_share_what_they_are_given():
    effects = {"outcome": [3.0, 0.5], "patient": 0.8, "therapist": 0.6}
    one = draw(truth({"therapists": {"A": 2_000, "B": 1_000}, "therapist_effects": effects}, dyads=30_000), seeds())
    provider, lines = one.provider[0], one.lines[0]
    assert np.bincount(one.arm[0]).tolist() == [15_000, 15_000]
    assert (np.unique(provider[one.arm[0] == 0]) == np.arange(2_000)).all()
    assert (np.unique(provider[one.arm[0] == 1]) == np.arange(2_000, 3_000)).all()
    size = np.bincount(provider)
    for column, sd in ((0, 0.8), (2, 0.6), (4, 3.0), (5, 0.5)):
        means = np.bincount(provider, lines[:, column]) / size
        within = np.sum((lines[:, column] - means[provider]) ** 2) / (30_000 - 3_000)
        between = np.sum(size * (means - lines[:, column].mean()) ** 2) / 2_999
        n0 = (30_000 - np.sum(size**2) / 30_000) / 2_999
        assert (between - within) / n0 == pytest.approx(sd**2, rel=0.2)


def test_without_therapists_there_are_none():
    one = draw(truth(), seeds(2))
    assert (one.arm == -1).all()
    assert (one.provider == -1).all()
    assert one.n_sessions is None


@pytest.mark.parametrize(
    "changes", [{}, FULL, {**FULL, "dyads": 33}, {**FULL, "outcome.effect": None}, {"outcome.given": "scored"}]
)
@pytest.mark.parametrize("exact", [False, True])
def test_a_replicate_is_the_same_alone_and_in_company(changes, exact):
    asked, company = truth(changes), seeds(7)
    together = draw(asked, company, exact=exact)
    reversed_company = draw(asked, company[::-1], exact=exact)
    for number in (0, 3, 6):
        alone = draw(asked, company[number : number + 1], exact=exact)
        for name in ("patient", "therapist", "outcome", "baseline", "lines", "convergence", "arm", "provider"):
            held = getattr(alone, name)[0]
            np.testing.assert_array_equal(getattr(together, name)[number], held, err_msg=name)
            np.testing.assert_array_equal(getattr(reversed_company, name)[6 - number], held, err_msg=name)


def test_replicates_differ():
    one = draw(truth(), seeds(3))
    assert len({float(value) for value in one.outcome[:, 0, 0]}) == 3


def test_a_scored_truth_gives_studies_like_the_twins():
    from dyadline.plan.truth import Truth

    ours = draw(Truth.model_validate(parameters("study1")), seeds(20))
    theirs = [simulate("study1", seed=seed) for seed in range(1, 21)]
    rows = {name: np.concatenate([frame[name].to_numpy() for frame in theirs]) for name in ("session", "wai_p", "bdi")}
    for session in (1, 7, 14):
        for name, values in (("wai_p", ours.patient), ("bdi", ours.outcome)):
            here = values[..., session - 1]
            here, other = here[np.isfinite(here)], rows[name][rows["session"] == session]
            other = other[np.isfinite(other)]
            error = np.sqrt(here.var() / len(here) + other.var() / len(other))
            assert abs(here.mean() - other.mean()) < 4 * error
            assert here.std() == pytest.approx(other.std(), rel=0.1)
    there = np.isfinite(ours.outcome).sum() / ours.outcome.size
    assert there == pytest.approx(len(rows["bdi"]) / (20 * 96 * 14), abs=0.015)


def test_ratings_that_cannot_be_scored_leave_no_outcome():
    flat = {"alliance.patient.sd": [0, 0], "alliance.therapist.sd": [0, 0], **NO_NOISE, "outcome.residual": 18.0}
    one = draw(truth({**flat, "outcome.given": "scored"}), seeds(2))
    assert np.isnan(one.outcome).all()
    assert np.isfinite(one.patient).all()
