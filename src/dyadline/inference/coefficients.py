"""The table of fixed effects."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from dyadline.data.frames import as_kind
from dyadline.engine.moments import Array
from dyadline.errors import PlanError, did_you_mean
from dyadline.inference.freedom import satterthwaite
from dyadline.inference.kenward_roger import adjusted_covariance, kenward_roger
from dyadline.model.fit import Fit

DF = ("satterthwaite", "kenward-roger", "normal")


def coefficients(
    fit: Fit, df: str = "satterthwaite", *, robust: str | None = None, cluster: object = None, level: float = 0.95
) -> Any:
    """Fixed effects with standard errors, tests and confidence intervals.

    Parameters
    ----------
    fit
        A fit.
    df
        ``"satterthwaite"``: t tests; ``"kenward-roger"``: t tests with adjusted standard errors, for REML fits;
        ``"normal"``: z tests (infinite df).
    robust, cluster
        ``"CR0"`` or ``"CR2"``: cluster-robust standard errors and their own Satterthwaite df, as
        `robust_coefficients`, which also says what clusters are.
    level
        Of the confidence interval, between 0 and 1.

    Returns
    -------
    A frame of the kind that was fitted, one row per term:
    ``term, estimate, std_error, df, statistic, p_value, conf_low, conf_high``; p two-sided.

    Raises
    ------
    PlanError
        Unknown words, robust Kenward–Roger tests, clusters for tests that are not robust.
    """
    if robust is not None:
        from dyadline.inference.robust import robust_coefficients

        check_df(df, DF)
        if df == "kenward-roger":
            raise PlanError(
                "Kenward–Roger adjusts the model's own standard errors, not cluster-robust ones",
                way_out="Leave out df: robust tests have Satterthwaite degrees of freedom of their own",
            )
        return robust_coefficients(fit, robust, cluster=cluster, df=df, level=level)
    if cluster is not None:
        raise PlanError("Clusters belong to robust standard errors", way_out='Add robust="CR2", or leave out cluster')
    terms = fit.design.terms
    table = pl.DataFrame({"term": list(terms), **tested(fit, np.eye(len(terms)), df, level)})
    return as_kind(table, fit.kind)


def tested(fit: Fit, contrasts: Array, df: str, level: float) -> dict[str, Array]:
    """The columns from ``estimate`` to ``conf_high`` for linear combinations of the coefficients, rows (m, p)."""
    check_df(df, DF)
    check_level(level)
    estimate = combined(fit, contrasts)
    if df == "kenward-roger":
        covariance, freedom = adjusted_covariance(fit, contrasts), kenward_roger(fit, contrasts)
    else:
        half = contrasts @ fit.design.to_fixed
        covariance = fit.sigma**2 * half @ fit.solution.evaluation.inverse @ half.T
        freedom = satterthwaite(fit, contrasts) if df == "satterthwaite" else np.full(len(estimate), np.inf)
    return tests(estimate, np.sqrt(np.diag(covariance)), freedom, level)


def tests(estimate: Array, std_error: Array, freedom: Array, level: float) -> dict[str, Array]:
    """The same columns from estimates, standard errors and degrees of freedom, (m,); infinite df mean z tests."""
    from scipy.special import ndtr, ndtri, stdtr, stdtrit

    statistic = estimate / std_error
    finite = np.isfinite(freedom)
    known = np.where(finite, freedom, 1.0)
    p_value = 2.0 * np.where(finite, stdtr(known, -np.abs(statistic)), ndtr(-np.abs(statistic)))
    tail = 0.5 + level / 2.0
    quantile = np.where(finite, stdtrit(known, tail), ndtri(tail))
    return {
        "estimate": estimate,
        "std_error": std_error,
        "df": freedom,
        "statistic": statistic,
        "p_value": p_value,
        "conf_low": estimate - quantile * std_error,
        "conf_high": estimate + quantile * std_error,
    }


def combined(fit: Fit, contrasts: Array) -> Array:
    """Lβ, (m,): from the standardised columns, so that far-off zero points do not cancel."""
    made = fit.design
    estimate = made.response_scale * (contrasts @ made.to_fixed @ fit.solution.evaluation.beta)
    return np.asarray(estimate + contrasts[:, list(made.constant)].sum(axis=1) * made.response_shift)


def check_df(df: str, known: tuple[str, ...]) -> None:
    """Refuse degrees of freedom that are not known."""
    if df not in known:
        raise PlanError(
            f"Degrees of freedom {df!r} are not known",
            way_out=did_you_mean(str(df), known) or f"Use {' or '.join(known)}",
        )


def check_level(level: float) -> None:
    """Refuse a confidence level that is not between 0 and 1, such as 95."""
    if isinstance(level, bool) or not isinstance(level, int | float | np.number) or not 0.0 < level < 1.0:
        raise PlanError(f"A confidence level lies between 0 and 1, not at {level!r}")
