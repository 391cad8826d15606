"""How small an effect a test could have seen."""

from __future__ import annotations

import math

ALPHA, POWER = 0.05, 0.80


def detectable_effect(std_error: float, df: float | None, *, power: float = POWER, alpha: float = ALPHA) -> float:
    """Smallest true effect that a two-sided test with this standard error detects with this power.

    (t₁₋α/2 + t_power) · SE, with quantiles of t for these degrees of freedom: the minimum detectable effect. It speaks
    of the design and its noise, not of the estimate, so that it says something which the p value does not.

    Parameters
    ----------
    std_error
        Of the estimate.
    df
        Degrees of freedom of its test; ``None`` or infinite for a z test.
    power, alpha
        Between 0 and 1.

    References
    ----------
    Bloom, H. S. (1995). Minimum detectable effects. Evaluation Review, 19, 547–556.
    """
    from scipy.special import ndtri, stdtrit

    shares = (1.0 - alpha / 2.0, power)
    if df is None or not math.isfinite(df):
        return float(sum(ndtri(share) for share in shares)) * std_error
    return float(sum(stdtrit(df, share) for share in shares)) * std_error
