"""How well a method does in a simulation: bias, precision, coverage, each with its Monte-Carlo error.

References
----------
Morris, T. P., White, I. R., & Crowther, M. J. (2019). Using simulation studies to evaluate statistical methods.
Statistics in Medicine, 38(11), 2074–2102, Table 6. doi:10.1002/sim.8086.

Holm, S. (1979). A simple sequentially rejective multiple test procedure. Scandinavian Journal of Statistics, 6(2),
65–70.
"""

from __future__ import annotations

import numpy as np

from dyadline.engine.moments import Array
from dyadline.studies.intervals import wilson

LEVEL = 0.95
"""Of the analysis' intervals and of those for its shares."""


def performance(estimate: Array, std_error: Array, low: Array, high: Array, truth: Array) -> dict[str, Array]:
    """Performance of n estimates of each of k parameters.

    With estimates θ̂ᵢ, standard errors sᵢ and truth θ:

    - bias: mean(θ̂) − θ; its Monte-Carlo standard error ``√(Σ(θ̂ᵢ − θ̄)² / (n(n − 1)))``;
    - empirical standard error E: the estimates' standard deviation; ``E / √(2(n − 1))``;
    - model standard error M: ``√mean(sᵢ²)``; ``√(var(sᵢ²) / (4nM²))``;
    - relative error of M in per cent: ``100(M/E − 1)``; ``100(M/E) √(var(sᵢ²) / (4nM⁴) + 1 / (2(n − 1)))``;
    - coverage c: share of intervals with θ in them; ``√(c(1 − c)/n)``, and Wilson's interval.

    The second and fourth Monte-Carlo standard errors take estimates to be normal.

    Parameters
    ----------
    estimate, std_error, low, high
        (n, k); NaN where there is none (a variance on the boundary has no standard error and no interval).
    truth
        (k,).

    Returns
    -------
    ``mean, bias, bias_error, empirical_se, empirical_se_error, model_se, model_se_error, relative_error,
    relative_error_error, covered, coverage, coverage_error, coverage_low, coverage_high, without_interval``, (k,) each;
    coverage is of the intervals that there are, and ``covered`` and ``without_interval`` are counts.
    """
    n = len(estimate)
    mean = estimate.mean(axis=0)
    empirical = estimate.std(axis=0, ddof=1)
    squares = std_error**2
    there = np.isfinite(squares)
    known = there.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean_square = np.where(there, squares, 0.0).sum(axis=0) / known
        spread = np.where(there, (squares - mean_square) ** 2, 0.0).sum(axis=0) / (known - 1)
        model = np.sqrt(mean_square)
        own = spread / (4.0 * known * mean_square**2)
        relative = model / empirical
        intervals = np.isfinite(low) & np.isfinite(high)
        count = intervals.sum(axis=0)
        covered = (intervals & (low <= truth) & (truth <= high)).sum(axis=0)
        coverage = covered / count
        below, above = wilson(covered, count)
        return {
            "mean": mean,
            "bias": mean - truth,
            "bias_error": empirical / np.sqrt(n),
            "empirical_se": empirical,
            "empirical_se_error": empirical / np.sqrt(2.0 * (n - 1)),
            "model_se": model,
            "model_se_error": model * np.sqrt(own),
            "relative_error": 100.0 * (relative - 1.0),
            "relative_error_error": 100.0 * relative * np.sqrt(own + 0.5 / (n - 1)),
            "covered": covered,
            "coverage": coverage,
            "coverage_error": np.sqrt(coverage * (1.0 - coverage) / count),
            "coverage_low": below,
            "coverage_high": above,
            "without_interval": n - count,
        }


def binomial_p(hits: Array, n: Array, share: float) -> Array:
    """Two-sided exact p of so many hits if each had this chance: twice the smaller tail, at most 1."""
    from scipy.special import bdtr, bdtrc

    hits, n = np.asarray(hits), np.asarray(n)
    below = bdtr(hits, n, share)
    above = np.where(hits > 0, bdtrc(np.maximum(hits - 1, 0), n, share), 1.0)
    return np.asarray(np.minimum(1.0, 2.0 * np.minimum(below, above)))


def holm(p: Array) -> Array:
    """Holm's adjusted p values, NaN left out: at most α of them is wrongly below α, however they depend."""
    adjusted = np.full(len(p), np.nan)
    known = np.flatnonzero(np.isfinite(p))
    order = known[np.argsort(p[known], kind="stable")]
    steps = p[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0) if len(order) else steps
    return adjusted


def beyond_two(n: int) -> float:
    """How many of n normal numbers lie more than two standard errors away, on average."""
    from scipy.special import ndtr

    return float(n * 2.0 * ndtr(-2.0))


def chance_of(found: int, n: int) -> float:
    """Chance that so many of n independent normal numbers, or more, lie more than two standard errors away."""
    from scipy.special import bdtrc, ndtr

    return 1.0 if found == 0 else float(bdtrc(found - 1, n, 2.0 * ndtr(-2.0)))
