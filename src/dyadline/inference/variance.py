"""The table of random effects: variances, covariances and the residual."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from dyadline.data.frames import as_kind
from dyadline.engine.information import parameter_covariance
from dyadline.engine.moments import Array
from dyadline.inference.coefficients import check_level
from dyadline.model.fit import Fit, random_covariance

SCHEMA = {
    "term2": pl.String,
    **dict.fromkeys(("std_error", "statistic", "p_value", "conf_low", "conf_high"), pl.Float64),
}


def variance_components(fit: Fit, *, level: float = 0.95) -> Any:
    """Variances and covariances with Wald tests, as SPSS MIXED prints them.

    Standard errors come from the observed information. The confidence interval of a variance is
    `exp(ln θ ± z·SE/θ)`, that of a covariance `θ ± z·SE`. What the boundary fixes (a variance of zero) has
    an estimate and nothing else. A Wald p of a variance is too large near zero: read it as SPSS users do, or
    compare models.

    Returns
    -------
    A frame of the kind that was fitted: ``group, term1, term2, estimate, std_error, statistic, p_value,
    conf_low, conf_high``; ``term2`` is missing for variances; the last row is the group ``Residual``.
    """
    from scipy.special import ndtr, ndtri

    check_level(level)
    made = fit.design
    rows, columns = made.structure.entries
    estimate = np.append(random_covariance(fit)[rows, columns], fit.sigma**2)
    std_error = _standard_errors(fit)
    std_error[std_error <= 1e-9 * np.abs(estimate).max(initial=0.0)] = np.nan
    is_variance = np.append(rows == columns, True)
    std_error[is_variance & (estimate <= 0.0)] = np.nan
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        statistic = estimate / std_error
        reach = float(ndtri(0.5 + level / 2.0)) * std_error
        low = np.where(is_variance, estimate * np.exp(-reach / estimate), estimate - reach)
        high = np.where(is_variance, estimate * np.exp(reach / estimate), estimate + reach)
    effects = made.effects
    table = pl.DataFrame(
        {
            "group": [made.group] * len(rows) + ["Residual"],
            "term1": [effects[c] for c in columns] + ["Residual"],
            "term2": [effects[r] if r != c else None for r, c in zip(rows, columns, strict=True)] + [None],
            "estimate": estimate,
            "std_error": _missing(std_error),
            "statistic": _missing(statistic),
            "p_value": _missing(2.0 * ndtr(-np.abs(statistic))),
            "conf_low": _missing(low),
            "conf_high": _missing(high),
        },
        schema_overrides=SCHEMA,
    )
    return as_kind(table, fit.kind)


def _standard_errors(fit: Fit) -> Array:
    """Delta-method standard errors of the named entries of G and of σ², (k+1,)."""
    made, solution = fit.design, fit.solution
    structure = made.structure
    rows, columns = structure.entries
    s = solution.evaluation.variance(fit.method)
    unit, back = made.response_scale**2, made.to_random
    # G = unit · s · B D B': linear in the entries of D, and those are known functions of θ.
    per_entry = (back @ structure.basis() @ back.T)[:, rows, columns].T
    jacobian = np.zeros((len(rows) + 1, len(rows) + 1))
    jacobian[:-1, :-1] = unit * s * per_entry @ structure.jacobian(solution.theta)
    jacobian[:-1, -1] = unit * (back @ solution.relative @ back.T)[rows, columns]
    jacobian[-1, -1] = unit
    covariance = parameter_covariance(structure, solution, fit.method)
    return np.sqrt(np.maximum(np.diag(jacobian @ covariance @ jacobian.T), 0.0))


def _missing(values: Array) -> list[float | None]:
    return [float(v) if np.isfinite(v) else None for v in values]
