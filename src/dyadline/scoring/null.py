"""What the score is by noise alone: studies in which no dyad's true gap changes, simulated and scored.

|P − T| cannot fall below its noise, and folding at zero moves its slope, so that a mean score of zero need not be what
no convergence looks like. Here true curves are drawn from the fitted growth models and made parallel within each
dyad (the gap stays as it is at the study's first occasion; both curves move with the mean of their two slopes), ratings
are drawn around them at the occasions that each dyad really has, and each study is scored as the observed one was.

Variances, also those at which curves are predicted, are taken at their estimates and not fitted again in each simulated
study: that they are uncertain themselves is not in the distribution. The null is that no gap changes at all: where gaps
drift in both directions the mean score varies more than here, and discrepancies without a sign grow on average.

References
----------
Davison, A. C., & Hinkley, D. V. (1997). Bootstrap methods and their application. Section 4.2 (p values by simulation).
Maritz, J. S., & Jarrett, R. G. (1978). A note on estimating the variance of the sample median. Journal of the American
Statistical Association, 73, 194–196 (standard errors of order statistics).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from dyadline.engine.moments import Array
from dyadline.plan.analysis import ConvergenceSection
from dyadline.scoring.discrepancy import gaps, rate_of_convergence, unit
from dyadline.scoring.growth import Curves, GrowthModels, population
from dyadline.scoring.ratings import RATERS, Ratings
from dyadline.scoring.reliability import lines_of, parallel

OUTSIDE = 0.025
"""Share of the distribution on each side of its 95 % range."""

ROWS_AT_ONCE = 200_000
"""Simulated rating occasions that are scored together."""

MOST_SCORES = 4_000_000
"""Single dyads' scores that quantiles are taken of: as many whole studies as have no more, at least one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NullDistribution:
    """Scores of simulated studies without convergence, before the transform, and where the observed ones lie.

    Attributes
    ----------
    observed
        The study's mean score.
    means
        Mean scores of the simulated studies, (N,), in the order in which they were drawn.
    mean, sd
        Of `means`.
    low, high
        95 % range of `means`: their k-th lowest and k-th highest value, k = ⌊.025 (N + 1)⌋, so that the observed mean
        lies outside it exactly if ``p_value`` is at most .05.
    low_error, high_error
        Monte-Carlo standard errors of these limits (Maritz & Jarrett, 1978).
    p_more, p_less
        One-sided: ``(1 + simulated means at least as high as the observed one) / (N + 1)``, and as low.
    p_value
        Two-sided: twice the smaller of the two, at most 1.
    p_error
        Monte-Carlo standard error of ``p_value``.
    z
        ``(observed − mean) / sd``; ``None`` if simulated means do not differ.
    dyads
        Single dyads' scores in the simulated studies.
    n_dyads, n_above, n_below
        Observed dyads with a score, and those of them above the 97.5th and below the 2.5th percentile of `dyads`.
    """

    observed: float
    means: Array
    mean: float
    sd: float
    low: float
    high: float
    low_error: float
    high_error: float
    p_more: float
    p_less: float
    p_value: float
    p_error: float
    z: float | None
    dyads: Spread
    n_dyads: int
    n_above: int
    n_below: int

    @property
    def outside(self) -> int:
        """1 if the observed mean lies above the 95 % range, −1 below it, 0 within."""
        return int(self.observed > self.high) - int(self.observed < self.low)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Number, mean, standard deviation and quantiles (2.5, 25, 50, 75, 97.5 %) of simulated scores."""

    n: int
    mean: float
    sd: float
    quantiles: tuple[float, float, float, float, float]


def null_distribution(
    models: GrowthModels, estimate: Curves, how: ConvergenceSection, scores: Array, *, seed: int = 1
) -> NullDistribution:
    """Simulate ``how.null`` studies without convergence and score them as the study was.

    Parameters
    ----------
    models
        Growth models, with the study's ratings: who was rated when, and which ratings are missing.
    estimate
        How the study estimates curves.
    how
        The operationalisation, and how many studies.
    scores
        The study's own scores before the transform, (J,); NaN where there is none.
    seed
        Of the random numbers: the same seed gives the same digits, and more studies begin with the same ones.
    """
    means: list[Array] = []
    single: list[Array] = []
    kept = 0
    for found in _simulated_scores(models, estimate, how, seed):
        there = np.isfinite(found)
        means.append(np.where(there, found, 0.0).sum(axis=1) / np.maximum(there.sum(axis=1), 1))
        more = found[: max(int(not single), (MOST_SCORES - kept) // found.shape[1])]
        kept += more.size
        single.append(more[np.isfinite(more)])
    own = scores[np.isfinite(scores)]
    spread = _spread(np.concatenate(single))
    above, below = (int((own > spread.quantiles[-1]).sum()), int((own < spread.quantiles[0]).sum()))
    return _placed(float(own.mean()), np.concatenate(means), spread, (len(own), above, below))


def _simulated_scores(models: GrowthModels, estimate: Curves, how: ConvergenceSection, seed: int) -> Iterator[Array]:
    """Scores of simulated studies, (studies, J), some of them at a time."""
    observed, of_all = models.observed, population(models)
    # Another branch than the reliabilities': those have the same digits whether this is asked for or not.
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1,)))
    n, size = len(observed.t), observed.n_dyads
    per, at_once = unit(observed, how), max(1, ROWS_AT_ONCE // len(observed.t))
    for start in range(0, how.null, at_once):
        studies = min(at_once, how.null - start)
        drawn = rng.standard_normal((studies, 4 * size + 2 * n))
        effects = of_all.fixed + drawn[:, : 4 * size].reshape(-1, 4) @ of_all.root.T
        noise = of_all.noise @ drawn[:, 4 * size :].reshape(studies, 2, n)
        ratings = simulated_ratings(observed, parallel(effects, observed.first), noise)
        scores = rate_of_convergence(gaps(ratings, estimate(ratings)), how, per)
        yield scores.reshape(studies, size)


def simulated_ratings(observed: Ratings, effects: Array, noise: Array) -> Ratings:
    """Several studies on the rows of one, one after the other as if they were one study of R · J dyads.

    Parameters
    ----------
    observed
        The rows, and which ratings are missing.
    effects
        Of the dyads, (R · J, 4), in the order of `EFFECTS`.
    noise
        Of the ratings, (R, 2, n), patient first.
    """
    studies = len(noise)
    index = (observed.n_dyads * np.arange(studies)[:, None] + observed.index).ravel()
    t = np.tile(observed.t, studies)
    lines = lines_of(effects)
    value = {
        rater: np.where(
            np.tile(np.isfinite(observed.value[rater]), studies),
            lines[rater].at(t, index) + noise[:, number].ravel(),
            np.nan,
        )
        for number, rater in enumerate(RATERS)
    }
    labels = pl.Series(np.arange(len(effects)))
    return replace(observed, dyads=labels, index=index, time=np.tile(observed.time, studies), t=t, value=value)


def _spread(scores: Array) -> Spread:
    low, first, middle, third, high = (float(q) for q in np.quantile(scores, [OUTSIDE, 0.25, 0.5, 0.75, 1 - OUTSIDE]))
    return Spread(
        n=len(scores),
        mean=float(scores.mean()),
        sd=float(scores.std(ddof=1)),
        quantiles=(low, first, middle, third, high),
    )


def _placed(observed: float, means: Array, dyads: Spread, counts: tuple[int, int, int]) -> NullDistribution:
    n, ordered = len(means), np.sort(means)
    k = int(OUTSIDE * (n + 1))
    more, less = (1 + int((means >= observed).sum())) / (n + 1), (1 + int((means <= observed).sum())) / (n + 1)
    smaller, sd = min(more, less), float(means.std(ddof=1))
    return NullDistribution(
        observed=observed,
        means=means,
        mean=float(means.mean()),
        sd=sd,
        low=float(ordered[k - 1]),
        high=float(ordered[n - k]),
        low_error=_order_error(ordered, k),
        high_error=_order_error(ordered, n + 1 - k),
        p_more=more,
        p_less=less,
        p_value=min(1.0, 2.0 * smaller),
        p_error=2.0 * float(np.sqrt(smaller * (1.0 - smaller) / n)) if smaller < 0.5 else 0.0,
        z=(observed - float(means.mean())) / sd if sd > 0.0 else None,
        dyads=dyads,
        n_dyads=counts[0],
        n_above=counts[1],
        n_below=counts[2],
    )


def _order_error(ordered: Array, k: int) -> float:
    """Standard error of the k-th of ascending values, from the distribution of its place (Maritz & Jarrett, 1978)."""
    from scipy.special import betainc

    n = len(ordered)
    weights = np.diff(betainc(k, n - k + 1, np.arange(n + 1) / n))
    # From the middle one: squares of large scores that hardly differ would cancel.
    away = ordered - ordered[k - 1]
    return float(np.sqrt(max(0.0, weights @ away**2 - (weights @ away) ** 2)))


def null_tables(found: NullDistribution) -> dict[str, pl.DataFrame]:
    """``null_distribution``, a row for the study's mean score and one for single dyads' scores, and ``null_means``.

    Columns of the first: ``score`` (mean, dyad), ``n`` (simulated), ``observed, mean, sd, q2_5, q25, q50, q75, q97_5,
    q2_5_error, q97_5_error, z, p_value, p_error, p_more, p_less``, and of the observed dyads ``n_dyads, n_above,
    n_below``. The second has ``study, mean``: the simulated studies.
    """
    quarters = np.quantile(found.means, [0.25, 0.5, 0.75]).tolist()
    names = ("q2_5", "q25", "q50", "q75", "q97_5")
    floats = ("observed", "mean", "sd", *names, "q2_5_error", "q97_5_error", "z")
    tests = ("p_value", "p_error", "p_more", "p_less")
    mean = {
        "score": "mean",
        "n": len(found.means),
        **{key: getattr(found, key) for key in ("observed", "mean", "sd", "z", *tests)},
        **dict(zip(names, (found.low, *quarters, found.high), strict=True)),
        "q2_5_error": found.low_error,
        "q97_5_error": found.high_error,
    }
    dyad = {
        "score": "dyad",
        "n": found.dyads.n,
        "mean": found.dyads.mean,
        "sd": found.dyads.sd,
        **dict(zip(names, found.dyads.quantiles, strict=True)),
    }
    counts = {key: getattr(found, key) for key in ("n_dyads", "n_above", "n_below")}
    schema = {
        "score": pl.String(),
        "n": pl.Int64(),
        **dict.fromkeys((*floats, *tests), pl.Float64()),
        **dict.fromkeys(counts, pl.Int64()),
    }
    return {
        "null_distribution": pl.DataFrame([mean, dyad | counts], schema=schema),
        "null_means": pl.DataFrame({"study": np.arange(1, len(found.means) + 1), "mean": found.means}),
    }
