"""How much of each score is signal, and what the score does when nothing converges: by simulation.

True curves are drawn from the fitted growth models (both raters' random effects together), ratings are
drawn around them at the occasions that each dyad really has, and scored as the study was. The squared
correlation of scores with the scores of the true curves is their reliability. With the true curves of a
dyad made parallel, the same gives the null distribution of the mean score: an absolute difference cannot
fall below its noise, so it may seem to grow or shrink where nothing does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from dyadline.engine.moments import Array
from dyadline.plan.analysis import ConvergenceSection
from dyadline.scoring.discrepancy import development, early, gaps, rate_of_convergence, unit
from dyadline.scoring.growth import Curves, GrowthModels, population
from dyadline.scoring.ratings import RATERS, Lines, Ratings

ROWS_TO_DRAW = 400_000
"""Simulated rating occasions in all: the number of replicates follows from it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulated:
    """Reliabilities and the null distribution of the mean untransformed convergence score.

    Attributes
    ----------
    reliability
        Frame ``score, reliability``.
    null_mean, null_low, null_high
        Mean and 95 % range of the study's mean score if no dyad's true gap changed.
    replicates
        Simulated studies.
    """

    reliability: pl.DataFrame
    null_mean: float
    null_low: float
    null_high: float
    replicates: int


def simulate_scores(models: GrowthModels, estimate: Curves, how: ConvergenceSection, *, seed: int = 1) -> Simulated:
    """Simulate the study's scores from its own growth models.

    Errors of the two raters are independent given the curves, or correlate within an occasion as the joint model
    says; variances are taken at their estimates.

    Parameters
    ----------
    models
        Growth models, with the study's ratings: who was rated when, and which ratings are missing.
    estimate
        How the study estimates curves.
    how
        The operationalisation.
    seed
        Of the random numbers: the same seed gives the same digits.
    """
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    observed, of_all = models.observed, population(models)
    root = of_all.root
    replicates = int(np.clip(ROWS_TO_DRAW // max(1, len(observed.t)), 40, 200))
    per = unit(observed, how)

    def scores(lines: dict[str, Lines] | None, ratings: Ratings) -> dict[str, Array]:
        found = early(ratings, lines, how)
        return {
            "convergence": rate_of_convergence(gaps(ratings, lines), how, per),
            "early_patient": found["patient"],
            "early_therapist": found["therapist"],
            "early_discrepancy": found["discrepancy"],
            "development": development(ratings, lines, per),
        }

    def rated(lines: dict[str, Lines]) -> Ratings:
        noise = of_all.noise @ rng.standard_normal((2, len(observed.t)))
        drawn = {
            rater: np.where(
                np.isfinite(observed.value[rater]), lines[rater].at(observed.t, observed.index) + own, np.nan
            )
            for rater, own in zip(RATERS, noise, strict=True)
        }
        return replace(observed, value=drawn)

    truth: dict[str, list[Array]] = {}
    found: dict[str, list[Array]] = {}
    null: list[float] = []
    for _ in range(replicates):
        effects = of_all.fixed + rng.standard_normal((observed.n_dyads, 4)) @ root.T
        lines = lines_of(effects)
        ratings = rated(lines)
        true = scores(lines, _without_noise(ratings, lines))
        for name, value in scores(estimate(ratings), ratings).items():
            found.setdefault(name, []).append(value)
            truth.setdefault(name, []).append(true[name])
        ratings = rated(lines_of(parallel(effects, observed.first)))
        null.append(float(np.nanmean(rate_of_convergence(gaps(ratings, estimate(ratings)), how, per))))
    reliability = {name: _squared_correlation(truth[name], found[name]) for name in found}
    return Simulated(
        reliability=pl.DataFrame(
            {"score": list(reliability), "reliability": list(reliability.values())},
            schema={"score": pl.String, "reliability": pl.Float64},
        ),
        null_mean=float(np.mean(null)),
        null_low=float(np.quantile(null, 0.025)),
        null_high=float(np.quantile(null, 0.975)),
        replicates=replicates,
    )


def parallel(effects: Array, first: float) -> Array:
    """Effects, (J, 4), of dyads whose gap stays as it is at the time `first`: both move with their mean slope."""
    still = effects.copy()
    still[:, 1] = still[:, 3] = (effects[:, 1] + effects[:, 3]) / 2.0
    start = first * (effects - still)[:, [1, 3]]
    still[:, [0, 2]] += start
    return still


def lines_of(effects: Array) -> dict[str, Lines]:
    """True curves of dyads, from their effects, (J, 4), in the order of `EFFECTS`."""
    return {
        "patient": Lines(intercept=effects[:, 0], slope=effects[:, 1]),
        "therapist": Lines(intercept=effects[:, 2], slope=effects[:, 3]),
    }


def _without_noise(ratings: Ratings, lines: dict[str, Lines]) -> Ratings:
    true = {
        rater: np.where(np.isfinite(ratings.value[rater]), lines[rater].at(ratings.t, ratings.index), np.nan)
        for rater in RATERS
    }
    return replace(ratings, value=true)


def _squared_correlation(truth: list[Array], found: list[Array]) -> float | None:
    x, y = np.concatenate(truth), np.concatenate(found)
    both = np.isfinite(x) & np.isfinite(y)
    if both.sum() < 3 or np.ptp(x[both]) == 0.0 or np.ptp(y[both]) == 0.0:
        return None
    return float(np.corrcoef(x[both], y[both])[0, 1] ** 2)
