"""Standardised coefficients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from dyadline.data.frames import as_kind
from dyadline.errors import PlanError, did_you_mean
from dyadline.inference.coefficients import tested
from dyadline.model.columns import Column, expand
from dyadline.model.fit import Fit


def standardised(
    fit: Fit, df: str = "satterthwaite", *, sd: Mapping[str, float] | None = None, level: float = 0.95
) -> Any:
    """Fixed effects in standard deviations: each variable divided by its SD, the outcome by its own.

    `β · SD(x)/SD(y)`, and for a product `β · SD(x)·SD(z)/SD(y)`: what the model would give if every numeric variable
    had been divided by its SD before it was fitted. Zero points stay where they were, so that a coefficient means
    what it meant; text columns stay differences between levels, in SDs of the outcome. Standard errors and
    intervals are scaled alike, the SDs taken as known; tests stay the same.

    SDs are those over the rows of the fit (n − 1), which for a predictor at the level of dyads weighs dyads by their
    sessions: give another one by ``sd``, for example over dyads, or of the outcome within dyads.

    Parameters
    ----------
    fit
        A fit.
    df, level
        As in `coefficients`.
    sd
        SDs to use instead, by variable or outcome.

    Returns
    -------
    As `coefficients`.

    Raises
    ------
    PlanError
        An SD for something that is not in the model, or that is no positive number; a joint model.

    References
    ----------
    Hox, J. J., Moerbeek, M., & van de Schoot, R. (2018). Multilevel analysis (3rd ed.). Routledge.
    Snijders, T. A. B., & Bosker, R. J. (2012). Multilevel analysis (2nd ed.). Sage.
    """
    if fit.spec.responses:
        raise PlanError(
            "The outcomes of a joint model have SDs of their own, so there is no one way to standardise it",
            way_out="Divide the columns by their SDs and fit again",
        )
    if not isinstance(sd, Mapping | None):
        raise PlanError(f"SDs are given by name, as in sd={{'session': 3.5}}, not as {type(sd).__name__}")
    columns = expand(fit.spec.fixed, fit.design.levels)
    sizes = _sizes(fit, columns, dict(sd or {}))
    outcome = sizes[fit.spec.response.label]
    factor = np.array([np.prod([sizes[a.variable.label] for a in c if a.level is None]) / outcome for c in columns])
    made = tested(fit, np.eye(len(columns)), df, level)
    for name in ("estimate", "std_error", "conf_low", "conf_high"):
        made[name] = made[name] * factor
    return as_kind(pl.DataFrame({"term": list(fit.design.terms), **made}), fit.kind)


def _sizes(fit: Fit, columns: tuple[Column, ...], given: dict[str, float]) -> dict[str, float]:
    """SD of every numeric variable and of the outcome."""
    numeric = dict.fromkeys(a.variable.label for column in columns for a in column if a.level is None)
    wanted = [*numeric, fit.spec.response.label]
    for name, size in given.items():
        if name not in wanted:
            raise PlanError(
                f"{name!r} is neither the outcome nor a numeric variable of this model",
                where="sd",
                way_out=did_you_mean(name, wanted) or f"Known: {', '.join(wanted)}",
            )
        if isinstance(size, bool) or not isinstance(size, int | float | np.number) or not 0.0 < float(size) < np.inf:
            raise PlanError(f"The SD of {name!r} is not a positive number", where="sd")
    found = {name: float(size) for name, size in given.items()}
    if all(name in found for name in wanted):
        return found
    values = fit.design.source.values
    variables = {a.variable.label: a.variable for column in columns for a in column if a.level is None}
    variables[fit.spec.response.label] = fit.design.source.response[0]
    in_rows = {name: float(values.numeric(variables[name]).std(ddof=1)) for name in wanted if name not in found}
    return found | in_rows
