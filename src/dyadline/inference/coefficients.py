"""The table of fixed effects."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from dyadline.data.frames import as_kind
from dyadline.errors import PlanError, did_you_mean
from dyadline.inference.freedom import satterthwaite
from dyadline.model.fit import Fit, estimates

DF = ("satterthwaite", "normal")


def coefficients(fit: Fit, df: str = "satterthwaite", *, level: float = 0.95) -> Any:
    """Fixed effects with standard errors, tests and confidence intervals.

    Parameters
    ----------
    fit
        A fit.
    df
        ``"satterthwaite"``: t tests; ``"normal"``: z tests (infinite df).
    level
        Of the confidence interval, between 0 and 1.

    Returns
    -------
    A frame of the kind that was fitted, one row per term:
    ``term, estimate, std_error, df, statistic, p_value, conf_low, conf_high``; p two-sided.
    """
    from scipy.special import ndtr, ndtri, stdtr, stdtrit

    if df not in DF:
        raise PlanError(
            f"Degrees of freedom {df!r} are not known",
            way_out=did_you_mean(df, DF) or f"Use {' or '.join(DF)}",
        )
    check_level(level)
    beta, covariance = estimates(fit)
    std_error = np.sqrt(np.diag(covariance))
    statistic = beta / std_error
    normal = df == "normal"
    freedom = np.full(len(beta), np.inf) if normal else satterthwaite(fit, np.eye(len(beta)))
    finite = np.isfinite(freedom)
    known = np.where(finite, freedom, 1.0)
    p_value = 2.0 * np.where(finite, stdtr(known, -np.abs(statistic)), ndtr(-np.abs(statistic)))
    tail = 0.5 + level / 2.0
    quantile = np.where(finite, stdtrit(known, tail), ndtri(tail))
    table = pl.DataFrame(
        {
            "term": list(fit.design.terms),
            "estimate": beta,
            "std_error": std_error,
            "df": freedom,
            "statistic": statistic,
            "p_value": p_value,
            "conf_low": beta - quantile * std_error,
            "conf_high": beta + quantile * std_error,
        },
    )
    return as_kind(table, fit.kind)


def check_level(level: float) -> None:
    """Refuse a confidence level that is not between 0 and 1, such as 95."""
    if not 0.0 < level < 1.0:
        raise PlanError(f"A confidence level lies between 0 and 1, not at {level!r}")
