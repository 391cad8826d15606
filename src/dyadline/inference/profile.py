"""Confidence intervals of every parameter: by the profile of the likelihood, or Wald's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import polars as pl

from dyadline.data.frames import as_kind
from dyadline.engine.moments import Array
from dyadline.errors import PlanError, did_you_mean
from dyadline.inference.coefficients import check_level, coefficients
from dyadline.inference.limits import (
    Limits,
    correlation_limits,
    deviation_limits,
    fixed_limits,
    residual_correlation_limits,
    residual_deviation_limits,
)
from dyadline.inference.variance import natural_covariance, variance_components
from dyadline.model.fit import Fit, estimates

METHODS = ("profile", "wald")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parameter:
    """A row of the table.

    Attributes
    ----------
    kind
        ``residual`` stands for a residual SD, ``serial`` for a residual correlation.
    level, effects
        Of random effects: level, and one or two numbers of effects; otherwise the number of the coefficient or
        of the residual variance.
    components
        Rows of `variance_components` that it is made of.
    """

    name: str
    group: str | None
    terms: tuple[str, str | None]
    kind: Literal["fixed", "deviation", "correlation", "residual", "serial"]
    level: int = 0
    effects: tuple[int, ...]
    components: tuple[int, ...] = ()


def confidence_intervals(
    fit: Fit, method: str = "profile", *, level: float = 0.95, terms: Sequence[str] | None = None
) -> Any:
    """Confidence intervals of fixed effects, SDs and correlations.

    A profile interval holds the values at which the criterion, minimised over everything else, is at most the
    χ²(1) quantile above its minimum. It needs no standard error, is not symmetric, and ends at the edge of a
    parameter's range (an SD of 0, a correlation of ±1) where the data allow the edge. REML criteria say nothing of
    fixed effects: of a REML fit the SDs and correlations have REML profiles, and the fixed effects those of the
    same model by ML, as the column ``criterion`` says.

    Parameters
    ----------
    fit
        A fit.
    method
        ``"profile"``, or ``"wald"``: `estimate ± z·SE` for fixed effects, on the log scale for SDs, on that of
        artanh for correlations.
    level
        Between 0 and 1.
    terms
        Names of the parameters wanted, as in the column ``parameter``; all if not given. Each costs about a
        hundred evaluations of the criterion.

    Returns
    -------
    A frame of the kind that was fitted: ``parameter, group, term1, term2, estimate, conf_low, conf_high,
    criterion``. Parameters are named as lme4 names them: a coefficient by its term, ``sd_t|dyad``,
    ``cor_t.(Intercept)|dyad``, ``sigma`` (``sigma_A`` where residual variances differ), and
    ``cor_ar1(session)|Residual``.

    Raises
    ------
    PlanError
        For an unknown method or name.

    References
    ----------
    Venzon, D. J., & Moolgavkar, S. H. (1988). A method for computing profile-likelihood-based confidence intervals.
    Applied Statistics, 37, 87–94. Bates, D., et al. (2015). Journal of Statistical Software, 67(1), section 5.1.
    """
    if method not in METHODS:
        raise PlanError(
            f"The method {method!r} is not known",
            way_out=did_you_mean(method, METHODS) or f"Use {' or '.join(METHODS)}",
        )
    check_level(level)
    parameters = _wanted(_parameters(fit), terms)
    limits = _profiled(fit, parameters, level) if method == "profile" else _wald(fit, parameters, level)
    ml_profile = method == "profile"
    table = pl.DataFrame(
        {
            "parameter": [one.name for one in parameters],
            "group": [one.group for one in parameters],
            "term1": [one.terms[0] for one in parameters],
            "term2": [one.terms[1] for one in parameters],
            "estimate": _missing(_estimates(fit, parameters)),
            "conf_low": _missing([low for low, _ in limits]),
            "conf_high": _missing([high for _, high in limits]),
            "criterion": ["ML" if one.kind == "fixed" and ml_profile else fit.method for one in parameters],
        },
        schema_overrides={
            **dict.fromkeys(("group", "term1", "term2"), pl.String),
            **dict.fromkeys(("estimate", "conf_low", "conf_high"), pl.Float64),
        },
    )
    return as_kind(table, fit.kind)


def _parameters(fit: Fit) -> list[_Parameter]:
    """Fixed effects, then rows of `variance_components` in their order."""
    found = [
        _Parameter(name=term, group=None, terms=(term, None), kind="fixed", effects=(number,))
        for number, term in enumerate(fit.design.terms)
    ]
    rows = _components(fit)
    number = 0
    for level, (grouping, structure) in enumerate(zip(fit.design.groupings, fit.design.structure.levels, strict=True)):
        pairs = list(zip(*(e.tolist() for e in structure.entries), strict=True))
        variance = {r: number + n for n, (r, c) in enumerate(pairs) if r == c}
        for r, c in pairs:
            one, other = grouping.effects[c], grouping.effects[r]
            found.append(
                _Parameter(
                    name=f"sd_{one}|{grouping.name}" if r == c else f"cor_{other}.{one}|{grouping.name}",
                    group=grouping.name,
                    terms=(one, None if r == c else other),
                    kind="deviation" if r == c else "correlation",
                    level=level,
                    effects=(r,) if r == c else (c, r),
                    components=(number,) if r == c else (variance[c], number, variance[r]),
                )
            )
            number += 1
    variances = max(1, len(fit.design.residual.labels))
    for n, row in enumerate(rows[number:]):
        one, other = row["term1"], row["term2"]
        both = one if other is None else f"{one}.{other}"
        residual = n < variances
        sigma = "sigma" if variances == 1 else f"sigma_{one}"
        found.append(
            _Parameter(
                name=sigma if residual else f"cor_{both}|Residual",
                group=row["group"],
                terms=(one, other),
                kind="residual" if residual else "serial",
                effects=(n,),
                components=(number + n,),
            )
        )
    return found


def _components(fit: Fit, level: float = 0.95) -> list[dict[str, Any]]:
    table: pl.DataFrame = variance_components(replace(fit, kind="polars"), level=level)
    return table.to_dicts()


def _wanted(parameters: list[_Parameter], terms: str | Sequence[str] | None) -> list[_Parameter]:
    if terms is None:
        return parameters
    if isinstance(terms, str) or not isinstance(terms, Iterable):
        terms = [terms]
    by_name = {one.name: one for one in parameters}
    unknown = [term for term in terms if term not in by_name]
    if unknown:
        raise PlanError(
            f"The model has no parameter {unknown[0]!r}",
            way_out=did_you_mean(unknown[0], by_name) or f"Its parameters are {', '.join(by_name)}",
        )
    return [by_name[term] for term in terms]


def _estimates(fit: Fit, parameters: Sequence[_Parameter]) -> list[float]:
    beta = estimates(fit)[0]
    values = [row["estimate"] for row in _components(fit)]
    found = []
    for one in parameters:
        if one.kind == "fixed":
            found.append(float(beta[one.effects[0]]))
            continue
        parts = [values[n] for n in one.components]
        if one.kind == "correlation":
            size = np.sqrt(parts[0] * parts[2])
            found.append(float(np.clip(parts[1] / size, -1.0, 1.0)) if size > 0.0 else np.nan)
        else:
            found.append(parts[0] if one.kind == "serial" else float(np.sqrt(parts[0])))
    return found


def _profiled(fit: Fit, parameters: Sequence[_Parameter], level: float) -> list[Limits]:
    from scipy.special import chdtri

    height = float(chdtri(1, 1.0 - level))
    return [_profile_limits(fit, one, height) for one in parameters]


def _profile_limits(fit: Fit, one: _Parameter, height: float) -> Limits:
    match one.kind:
        case "fixed":
            return fixed_limits(fit, one.effects[0], height)
        case "deviation":
            return deviation_limits(fit, one.level, one.effects[0], height)
        case "correlation":
            return correlation_limits(fit, one.level, (one.effects[0], one.effects[1]), height)
        case "residual":
            return residual_deviation_limits(fit, one.effects[0], height)
        case "serial":
            return residual_correlation_limits(fit, height)


def _wald(fit: Fit, parameters: Sequence[_Parameter], level: float) -> list[Limits]:
    from scipy.special import ndtri

    fixed: pl.DataFrame = coefficients(replace(fit, kind="polars"), df="normal", level=level)
    rows, covariance = _components(fit, level), natural_covariance(fit)
    reach = float(ndtri(0.5 + level / 2.0))
    found: list[Limits] = []
    for one in parameters:
        if one.kind == "fixed":
            row = fixed.row(one.effects[0], named=True)
        elif one.kind == "correlation":
            found.append(_wald_correlation([rows[n]["estimate"] for n in one.components], one, covariance, reach))
            continue
        else:
            row = rows[one.components[0]]
        low, high = (np.nan if row[k] is None else row[k] for k in ("conf_low", "conf_high"))
        root = one.kind in ("deviation", "residual")
        found.append((float(np.sqrt(low)), float(np.sqrt(high))) if root else (low, high))
    return found


def _wald_correlation(values: Sequence[float], one: _Parameter, covariance: Array, reach: float) -> Limits:
    """By the delta method on artanh of c/√(v w); missing where an SD is zero or the correlation ±1."""
    v, c, w = values
    size = np.sqrt(v) * np.sqrt(w)
    if not (size > 0.0 and abs(c) < (1.0 - 5e-10) * size):
        return np.nan, np.nan
    r = c / size
    gradient = np.array([-r / (2.0 * v), 1.0 / size, -r / (2.0 * w)]) / (1.0 - r**2)
    part = covariance[np.ix_(one.components, one.components)]
    with np.errstate(invalid="ignore"):
        variance = float(gradient @ part @ gradient)
    if not variance > 0.0:  # not identified, or lost in rounding
        return np.nan, np.nan
    span = reach * float(np.sqrt(variance))
    return float(np.tanh(np.arctanh(r) - span)), float(np.tanh(np.arctanh(r) + span))


def _missing(values: Sequence[float]) -> list[float | None]:
    return [float(v) if np.isfinite(v) else None for v in values]
