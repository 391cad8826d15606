"""Transforms of the convergence score, and how normal it is before and after."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from dyadline.engine.moments import Array

LARGEST_SHAPIRO = 5000
"""Royston's approximation of the Shapiro–Wilk distribution was made for samples up to this size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transformed:
    """Transformed scores.

    Attributes
    ----------
    values
        (J,), NaN where there was no score.
    shift
        What was added before the logarithm (`log_shift`), else ``None``.
    power
        λ of the Yeo–Johnson transform, else ``None``.
    """

    values: Array
    shift: float | None = None
    power: float | None = None


def transform(scores: Array, name: str) -> Transformed:
    """Transform scores, leaving missing ones missing.

    ================ =====================================================
    ``log_shift``    `ln(x − min(x) + 1)`
    ``none``         x
    ``signed_log``   `sign(x) ln(1 + |x|)`
    ``asinh``        `asinh(x)`
    ``yeo_johnson``  Yeo & Johnson (2000), λ by maximum likelihood
    ``rank_normal``  `Φ⁻¹((rank − 3/8)/(n + 1/4))`, Blom (1958)
    ================ =====================================================
    """
    there = np.isfinite(scores)
    x = scores[there]
    shift: float | None = None
    power: float | None = None
    if name == "log_shift":
        shift = 1.0 - float(x.min())
        x = np.log1p(x - x.min())
    elif name == "signed_log":
        x = np.sign(x) * np.log1p(np.abs(x))
    elif name == "asinh":
        x = np.arcsinh(x)
    elif name == "yeo_johnson":
        from scipy.stats import yeojohnson

        x, power = yeojohnson(x)
    elif name == "rank_normal":
        from scipy.special import ndtri
        from scipy.stats import rankdata

        x = ndtri((rankdata(x) - 0.375) / (len(x) + 0.25))
    values = np.full(len(scores), np.nan)
    values[there] = x
    return Transformed(values=values, shift=shift, power=None if power is None else float(power))


def normality(before: Array, after: Array) -> pl.DataFrame:
    """Mean, SD, skewness (g₁) and Shapiro–Wilk test of the score before and after the transform.

    The test is for 3 to 5,000 scores; beyond, its columns are missing.
    """
    from scipy.stats import shapiro

    rows = []
    for stage, scores in (("before", before), ("after", after)):
        x = scores[np.isfinite(scores)]
        deviation = x - x.mean()
        test = shapiro(x) if 3 <= len(x) <= LARGEST_SHAPIRO else None
        rows.append(
            {
                "stage": stage,
                "n": len(x),
                "mean": float(x.mean()),
                "sd": float(x.std(ddof=1)),
                "skewness": float((deviation**3).mean() / (deviation**2).mean() ** 1.5),
                "shapiro_w": float(test.statistic) if test else None,
                "shapiro_p": float(test.pvalue) if test else None,
            }
        )
    return pl.DataFrame(rows, schema_overrides={"shapiro_w": pl.Float64, "shapiro_p": pl.Float64})
