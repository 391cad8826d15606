"""Rubin's rules: one answer from the fits of several completed data sets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dyadline.engine.moments import Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Pooled:
    """Pooled estimates, each (p,).

    Attributes
    ----------
    estimate
        Mean over the completed data sets.
    std_error
        Square root of the total variance, within plus (1 + 1/M) times between.
    df
        Degrees of freedom of its t test.
    increase
        Relative increase in variance by the missing values.
    fraction_missing
        Fraction of missing information.
    """

    estimate: Array
    std_error: Array
    df: Array
    increase: Array
    fraction_missing: Array


def pool(estimates: Array, variances: Array, df: Array) -> Pooled:
    """Pool estimates of M completed data sets.

    Parameters
    ----------
    estimates, variances
        Estimates and their squared standard errors, (M, p), M at least 2, variances positive.
    df
        Their degrees of freedom, (M, p), may be infinite; their mean counts as that of complete data.

    References
    ----------
    Rubin, D. B. (1987). Multiple imputation for nonresponse in surveys. Wiley. Barnard, J., & Rubin, D. B. (1999).
    Small-sample degrees of freedom with multiple imputation. Biometrika, 86, 948–955.
    """
    m = len(estimates)
    within, between = variances.mean(axis=0), estimates.var(axis=0, ddof=1) * (1.0 + 1.0 / m)
    increase = between / within
    share = between / (within + between)
    # As reciprocals, so that no variance between the data sets and infinite df need no cases of their own.
    complete = 1.0 / df.mean(axis=0)
    observed = complete * (1.0 + 3.0 * complete) / ((1.0 + complete) * (1.0 - share))
    with np.errstate(divide="ignore"):
        freedom = 1.0 / (share**2 / (m - 1) + observed)
    return Pooled(
        estimate=estimates.mean(axis=0),
        std_error=np.sqrt(within + between),
        df=freedom,
        increase=increase,
        fraction_missing=(increase + 2.0 / (freedom + 3.0)) / (increase + 1.0),
    )
