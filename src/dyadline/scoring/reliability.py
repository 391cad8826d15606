"""How much of each score is signal, and what the score does when nothing converges: by simulation.

True curves are drawn from the fitted growth models (both raters' random effects together), ratings are
drawn around them at the occasions that each dyad really has, and scored as the study was. The squared
correlation of scores with the scores of the true curves is their reliability. With the true curves of a
dyad made parallel, the same gives the null distribution of the mean score: an absolute difference cannot
fall below its noise, so it may seem to grow or shrink where nothing does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from dyadline.engine.moments import Array
from dyadline.model.fit import Fit, estimates, random_covariance
from dyadline.model.predict import conditional_modes, shrinkage
from dyadline.plan.analysis import ConvergenceSection
from dyadline.scoring.discrepancy import development, early, gaps, rate_of_convergence, unit
from dyadline.scoring.ratings import RATERS, Lines, Ratings

ROWS_TO_DRAW = 400_000
"""Simulated rating occasions in all: the number of replicates follows from it."""

Curves = Callable[[Ratings], "dict[str, Lines] | None"]
"""How curves are estimated from ratings; ``None`` for raw ratings."""


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


def simulate_scores(
    observed: Ratings, models: dict[str, Fit], estimate: Curves, how: ConvergenceSection, *, seed: int = 1
) -> Simulated:
    """Simulate the study's scores from its own growth models.

    Errors of the two raters are independent given the curves; variances are taken at their estimates.

    Parameters
    ----------
    observed
        The study's ratings: who was rated when, and which ratings are missing.
    models
        Growth model by rater, `rating ~ t + (t | dyad)`.
    estimate
        How the study estimates curves.
    how
        The operationalisation.
    seed
        Of the random numbers: the same seed gives the same digits.
    """
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    joint = joint_covariance(observed, models)
    values, vectors = np.linalg.eigh(joint)
    root = vectors * np.sqrt(np.clip(values, 0.0, None))
    replicates = int(np.clip(ROWS_TO_DRAW // max(1, len(observed.t)), 40, 200))
    per = unit(observed, how)
    fixed = np.concatenate([estimates(models[r])[0] for r in RATERS])

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
        drawn = {
            rater: np.where(
                np.isfinite(observed.value[rater]),
                lines[rater].at(observed.t, observed.index)
                + models[rater].sigma * rng.standard_normal(len(observed.t)),
                np.nan,
            )
            for rater in RATERS
        }
        return replace(observed, value=drawn)

    truth: dict[str, list[Array]] = {}
    found: dict[str, list[Array]] = {}
    null: list[float] = []
    for _ in range(replicates):
        effects = fixed + rng.standard_normal((observed.n_dyads, 4)) @ root.T
        lines = _lines(effects)
        ratings = rated(lines)
        true = scores(lines, _without_noise(ratings, lines))
        for name, value in scores(estimate(ratings), ratings).items():
            found.setdefault(name, []).append(value)
            truth.setdefault(name, []).append(true[name])
        still = effects.copy()
        # Parallel from the first occasion on: the gap stays, both move with the mean of their slopes.
        still[:, 1] = still[:, 3] = (effects[:, 1] + effects[:, 3]) / 2.0
        start = observed.first * (effects - still)[:, [1, 3]]
        still[:, [0, 2]] += start
        ratings = rated(_lines(still))
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


def joint_covariance(observed: Ratings, models: dict[str, Fit]) -> Array:
    """Covariance of (patient intercept, slope, therapist intercept, slope), (4, 4), positive semi-definite.

    The blocks between raters are those that explain the cross-products of the conditional modes: modes are
    true effects shrunk by known matrices R_j, so `E b̂_P b̂_T' = mean R_Pj Σ_PT R_Tj'` is linear in Σ_PT.
    """
    within = {r: random_covariance(models[r])[0] for r in RATERS}
    place: dict[str, dict[object, int]] = {
        r: {label: n for n, label in enumerate(models[r].design.groupings[0].labels.to_list())} for r in RATERS
    }
    both = [d for d in observed.dyads.to_list() if d in place["patient"] and d in place["therapist"]]
    modes, shrunk = {}, {}
    for rater in RATERS:
        rows = np.array([place[rater][d] for d in both], dtype=np.intp)
        modes[rater] = conditional_modes(models[rater])[0][rows]
        shrunk[rater] = shrinkage(models[rater])[rows]
    cross = np.einsum("jr,js->rs", modes["patient"], modes["therapist"]) / max(1, len(both))
    system = np.einsum("jra,jsb->rsab", shrunk["patient"], shrunk["therapist"]) / max(1, len(both))
    between = np.linalg.lstsq(system.reshape(4, 4), cross.ravel(), rcond=1e-6)[0].reshape(2, 2)
    full = np.block([[within["patient"], between], [between.T, within["therapist"]]])
    return _possible(full)


def _possible(full: Array) -> Array:
    """The covariance matrix with its between-rater part shrunk until it is positive semi-definite."""
    blocks = np.zeros_like(full)
    blocks[:2, :2], blocks[2:, 2:] = full[:2, :2], full[2:, 2:]
    share = 1.0
    limit = -1e-10 * max(1e-300, float(np.trace(full)))
    while share > 1e-3 and np.linalg.eigvalsh(share * full + (1 - share) * blocks)[0] < limit:
        share *= 0.9
    return np.asarray(share * full + (1 - share) * blocks if share > 1e-3 else blocks)


def _lines(effects: Array) -> dict[str, Lines]:
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
