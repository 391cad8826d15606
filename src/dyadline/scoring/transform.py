"""Transforms of the convergence score, and how normal it is before and after."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from dyadline.engine.moments import Array


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
    """Mean, SD, skewness (g₁) and Shapiro–Wilk test of the score before and after the transform."""
    from scipy.stats import shapiro

    rows = []
    for stage, scores in (("before", before), ("after", after)):
        x = scores[np.isfinite(scores)]
        deviation = x - x.mean()
        w, p = shapiro(x) if len(x) >= 3 else (np.nan, np.nan)
        rows.append(
            {
                "stage": stage,
                "n": len(x),
                "mean": float(x.mean()),
                "sd": float(x.std(ddof=1)),
                "skewness": float((deviation**3).mean() / (deviation**2).mean() ** 1.5),
                "shapiro_w": float(w),
                "shapiro_p": float(p),
            }
        )
    return pl.DataFrame(rows)
