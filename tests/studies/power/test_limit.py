"""Where the score has no error and the design is balanced, simulated power is that of the closed form.

Rating residuals of nothing and the signed score make the score exactly normal and observed as it is; with an outcome
residual of nearly nothing a dyad's slope is observed too. Model 2 is then a regression of slopes on convergence and
baseline, t with n − 3 degrees of freedom.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import integrate, stats

import dyadline as dl
from dyadline.parallel.jobs import Part
from dyadline.plan.analysis import AnalysisPlan, ConvergenceSection
from dyadline.plan.truth import Truth
from dyadline.studies.power.models import terms_in_question
from dyadline.studies.power.summary import rejections
from dyadline.studies.power.work import PowerWork
from dyadline.studies.simulation.draw import draw

COLUMNS = {"dyad": "dyad", "time": "t", "patient_rating": "p", "therapist_rating": "q", "outcome": "y", "baseline": "b"}
HOW = ConvergenceSection.model_validate({"growth": "ols", "discrepancy": "signed", "transform": "none"})
PLAN = AnalysisPlan.model_validate({"columns": COLUMNS, "convergence": HOW.model_dump(exclude={"null"})})
REPLICATES = 3000


def truth(dyads: int, effect: float, *, residual: float = 1e-6, rating: float = 0.0) -> Truth:
    rater = {"intercept": 5.0, "slope": 0.05, "sd": [1.0, 0.1], "residual": rating}
    return Truth.model_validate(
        {
            "dyads": dyads,
            "occasions": [1, 2, 3, 4, 5, 6],
            "alliance": {"patient": rater, "therapist": rater, "between": 0.3},
            "baseline": {"mean": 30.0, "sd": 9.0},
            "outcome": {
                "effect": effect,
                "convergence": {"discrepancy": "signed"},
                "fixed": {"intercept": 30.0},
                "slope": {"intercept": -1.0},
                "random": {"intercept": 40.0, "slope": 1.2},
                "residual": residual,
            },
        }
    )


def simulated(dyads: int, effect: float, **more: float) -> float:
    work = PowerWork(
        truths=(truth(dyads, effect, **more),), scores=(HOW,), plan=PLAN, models=(2,), seed=3, error_free=False
    )
    place = terms_in_question(2, PLAN, every=False).index("time:convergence")
    hits = [
        rejections(work(Part(0, tuple(range(k, k + 50)))), "0.2.estimated", 0.05)[:, place]
        for k in range(0, REPLICATES, 50)
    ]
    return float(np.concatenate(hits).mean())


def exact(n: int, beta: float) -> float:
    """Power of the slope where the predictor is normal too: the noncentral t over the χ² of its sum of squares."""
    df = n - 3
    critical = stats.t.ppf(0.975, df)
    size = beta / np.sqrt(1.0 - beta**2)

    def at(squares: float) -> float:
        shift = size * np.sqrt(squares)
        power = stats.nct.sf(critical, df, shift) + stats.nct.cdf(-critical, df, shift)
        return float(power * stats.chi2.pdf(squares, n - 2))

    return float(integrate.quad(at, 0.0, n + 12.0 * np.sqrt(2.0 * n), limit=200)[0])


@pytest.mark.parametrize(("dyads", "effect"), [(44, 0.4), (82, 0.3), (191, 0.2)])
def test_power_is_that_of_one_slope(dyads, effect):
    power = simulated(dyads, effect)
    error = np.sqrt(power * (1.0 - power) / REPLICATES)
    assert abs(power - exact(dyads, effect)) < 3.0 * error


@pytest.mark.parametrize(("dyads", "effect"), [(44, 0.4), (82, 0.3), (191, 0.2)])
def test_with_the_same_predictor_in_every_study_it_is_the_closed_form_itself(dyads, effect):
    drawn = draw(truth(dyads, effect), [np.random.SeedSequence(4)], exact=True)
    z = drawn.convergence[0] - drawn.convergence[0].mean()
    z /= np.sqrt(np.mean(z**2))
    rng = np.random.default_rng(5)
    slopes = -1.0 + np.sqrt(1.2) * (effect * z + np.sqrt(1 - effect**2) * rng.standard_normal((REPLICATES, dyads)))
    levels = 30.0 + 6.0 * rng.standard_normal((REPLICATES, dyads))
    noise = 1e-3 * rng.standard_normal((REPLICATES, dyads, 6))
    many = {
        name: np.repeat(getattr(drawn, name), REPLICATES, axis=0)
        for name in ("patient", "therapist", "baseline", "lines", "convergence", "arm", "provider")
    }
    outcome = levels[:, :, None] + slopes[:, :, None] * np.arange(6.0) + noise
    work = PowerWork(truths=(drawn.truth,), scores=(HOW,), plan=PLAN, models=(2,), seed=3, error_free=False)
    hits = rejections(work.analysed(replace(drawn, outcome=outcome, **many)), "0.2.estimated", 0.05)
    power = float(hits[:, terms_in_question(2, PLAN, every=False).index("time:convergence")].mean())
    expected = dl.power_slope(beta=effect, n=dyads, covariates=1).power
    assert abs(power - expected) < 3.0 * np.sqrt(expected * (1.0 - expected) / REPLICATES)


def test_an_outcome_slope_with_error_attenuates_what_is_found():
    residual = 18.0
    squares = float(np.sum((np.arange(6) - 2.5) ** 2))
    beta = 0.3 * np.sqrt(1.2 / (1.2 + residual / squares))
    power = simulated(82, 0.3, residual=residual)
    assert abs(power - exact(82, beta)) < 3.0 * np.sqrt(power * (1.0 - power) / REPLICATES)


def test_a_score_with_error_attenuates_by_the_root_of_its_reliability():
    # Variance of the difference of two true slopes against that of their least-squares estimates.
    true, error = 2.0 * 0.01 * (1.0 - 0.3), 2.0 * 0.4**2 / 17.5
    power = simulated(150, 0.3, rating=0.4)
    expected = exact(150, 0.3 * np.sqrt(true / (true + error)))
    assert abs(power - expected) < 3.0 * np.sqrt(expected * (1.0 - expected) / REPLICATES)
