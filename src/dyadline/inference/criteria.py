"""Information criteria, each under the convention of the program that prints it so."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import polars as pl

from dyadline.data.frames import as_kind
from dyadline.errors import PlanError, did_you_mean
from dyadline.model.fit import Fit

CONVENTIONS = ("spss", "lme4", "nlme", "sas")


def information_criteria(fit: Fit, convention: str = "spss") -> Any:
    """AIC, AICC, CAIC and BIC, smaller is better.

    ============ ================================================ ==================
    convention   parameters d (REML)                              n in BIC
    ============ ================================================ ==================
    ``spss``     covariance parameters, boundary ones counted     n − p
    ``lme4``     fixed and covariance parameters                  n
    ``nlme``     fixed and covariance parameters                  n − p
    ``sas``      covariance parameters off the boundary           number of subjects
    ============ ================================================ ==================

    Under ML d counts the fixed effects in all four, and n is n in place of n − p. AICC is
    `criterion + 2 d n/(n − d − 1)`, CAIC `criterion + d (ln n + 1)`, with the same n as BIC (but for SAS's AICC,
    which has n − p as SPSS's does).

    Returns
    -------
    A frame of the kind that was fitted, one row:
    ``convention, criterion, aic, aicc, caic, bic, n_parameters, n``.
    """
    if convention not in CONVENTIONS:
        raise PlanError(
            f"The convention {convention!r} is not known",
            way_out=did_you_mean(convention, CONVENTIONS) or f"Use one of {', '.join(CONVENTIONS)}",
        )
    p = len(fit.design.terms)
    covariance = len(fit.solution.theta) + 1
    if convention == "sas" and fit.singular:
        covariance -= _on_boundary(fit)
    restricted = fit.method == "REML"
    d = covariance if restricted and convention in ("spss", "sas") else covariance + p
    n = {
        "spss": fit.n_rows - p if restricted else fit.n_rows,
        "lme4": fit.n_rows,
        "nlme": fit.n_rows - p if restricted else fit.n_rows,
        "sas": len(fit.design.groupings[-1].labels),
    }[convention]
    rows = n if convention != "sas" else fit.n_rows - p * restricted
    room = rows - d - 1
    table = pl.DataFrame(
        {
            "convention": [convention],
            "criterion": [fit.criterion],
            "aic": [fit.criterion + 2 * d],
            "aicc": [fit.criterion + 2 * d * rows / room if room > 0 else None],
            "caic": [fit.criterion + d * (math.log(n) + 1)],
            "bic": [fit.criterion + d * math.log(n)],
            "n_parameters": [d],
            "n": [n],
        },
        schema_overrides={"aicc": pl.Float64},
    )
    return as_kind(table, fit.kind)


def _on_boundary(fit: Fit) -> int:
    """Covariance parameters that the boundary fixes: variances at zero, with their covariances."""
    fixed = 0
    for level, relative in zip(fit.design.structure.levels, fit.solution.relative, strict=True):
        rows, columns = level.entries
        variances = np.diag(relative)
        zero = variances < 1e-10 * max(1.0, float(variances.max()))
        fixed += int((zero[rows] | zero[columns]).sum())
    return fixed
