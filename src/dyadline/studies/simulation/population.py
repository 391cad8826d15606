"""What a truth amounts to over all dyads that there could be."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from dyadline.engine.moments import Array
from dyadline.plan.truth import Truth
from dyadline.plan.truth_checks import effects_covariance
from dyadline.studies.simulation.exactness import exact_numbers
from dyadline.studies.simulation.lines import (
    Centres,
    centred_predictors,
    expected_predictors,
    outcome_lines,
    rating_lines,
)
from dyadline.studies.simulation.true_scores import rated_times, true_convergence

DYADS = 200_000
"""Of the draw from which the mean and SD of true convergence come: Monte-Carlo error of the mean .0022 SD or less."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Population:
    """Moments over dyads.

    Attributes
    ----------
    centres
        Of predictors and true convergence.
    outcome
        Mean and SD of the outcome at each occasion before it is rounded, (2, K); where true curves drive it.
    raters
        Mean and SD of patient's and therapist's ratings at each rated occasion before they are cut off, (2, 2, K).
    """

    centres: Centres
    outcome: Array
    raters: Array


def population(truth: Truth) -> Population:
    """Moments of the population that a truth describes.

    Whatever is not linear in the random effects comes from one draw of 200,000 dyads with a fixed seed, whose
    random effects have exactly the stated means, variances and covariances. The mean of the baseline is that of
    a cut-off normal distribution in closed form, without rounding.
    """
    # Size, names and seed change nothing here, so that designs of all sizes share one draw.
    bare = truth.model_copy(
        update={
            "title": "",
            "seed": 0,
            "dyads": 2,
            "items": {},
            "therapists": dict.fromkeys(list(truth.therapists)[:1], 1),
        }
    )
    return _population(bare.model_dump_json())


@lru_cache(maxsize=1024)
def _population(written: str) -> Population:
    truth = Truth.model_validate_json(written)
    rng = np.random.default_rng(np.random.SeedSequence(20_200_823))
    standard = exact_numbers(rng.standard_normal((11, DYADS)))[None]
    by_therapist = therapist_sd(truth)[:, None] * standard[:, 7:]
    ratings = rating_lines(truth, standard, by_therapist[:, 2:])
    convergence = true_convergence(ratings[0], truth)
    mean = baseline_mean(truth)
    centres = Centres(
        convergence=float(convergence.mean()),
        spread=float(convergence.std()),
        predictors=expected_predictors(truth, mean),
    )
    baseline = made_baseline(truth, standard[:, 6])
    centred, standardised = centred_predictors(truth, ratings, baseline, centres)
    lines = outcome_lines(truth, standard[:, :6], centred, standardised, by_therapist[:, :2])[0]
    t = np.array(truth.occasions) - truth.occasions[0]
    return Population(
        centres=centres,
        outcome=_moments(lines.mean(axis=1), np.cov(lines), t, truth.outcome.residual),
        raters=_rater_moments(truth),
    )


def therapist_sd(truth: Truth) -> Array:
    """Standard deviations over therapists, in the order of `random_numbers`, (4,)."""
    effects = truth.therapist_effects
    return np.array([*effects.outcome, effects.patient, effects.therapist])


def made_baseline(truth: Truth, standard: Array) -> Array:
    """Baseline scores from standard normal numbers: cut off and rounded where the truth says so."""
    how = truth.baseline
    scores = how.mean + how.sd * standard
    if how.range is not None:
        scores = np.clip(scores, *how.range)
    return scores if how.decimals is None else np.round(scores, how.decimals)


def baseline_mean(truth: Truth) -> float:
    """Mean of the baseline over all dyads, with what is cut off at the ends of its range."""
    from scipy.special import ndtr

    how = truth.baseline
    if how.range is None or how.sd == 0.0:
        return how.mean if how.range is None else float(np.clip(how.mean, *how.range))
    low, high = how.range
    a, b = (low - how.mean) / how.sd, (high - how.mean) / how.sd
    inside, density = ndtr(b) - ndtr(a), np.exp(-(np.array([a, b]) ** 2) / 2.0) / np.sqrt(2.0 * np.pi)
    ends = low * ndtr(a) + high * ndtr(-b)
    return float(ends + how.mean * inside + how.sd * (density[0] - density[1]))


def _rater_moments(truth: Truth) -> Array:
    covariance, spread, t = effects_covariance(truth), therapist_sd(truth)[2:], rated_times(truth)
    found = []
    for number, rater in enumerate((truth.alliance.patient, truth.alliance.therapist)):
        own = covariance[2 * number : 2 * number + 2, 2 * number : 2 * number + 2].copy()
        own[0, 0] += spread[number] ** 2
        found.append(_moments(np.array([rater.intercept, rater.slope]), own, t, rater.residual**2))
    return np.array(found)


def _moments(line: Array, covariance: Array, t: Array, residual: float) -> Array:
    basis = np.stack([np.ones_like(t), t])
    variance = np.einsum("ik,ij,jk->k", basis, covariance, basis) + residual
    return np.stack([line @ basis, np.sqrt(variance)])
