"""What a fit owes to single dyads or therapists: every estimate again, each time without one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import polars as pl

from dyadline.data.frames import as_kind
from dyadline.engine.moments import Array
from dyadline.errors import PlanError, did_you_mean
from dyadline.inference.omission import Impossible, Reduced, p_values_of, parts, refitted, refitted_together, stepped
from dyadline.inference.variance import components_at, variance_components
from dyadline.model.fit import Fit, estimates

EXACT_UP_TO = 500
"""Groups of which ``"auto"`` refits all."""

EXACT_OF_MANY = 50
"""Groups of more than these that ``"auto"`` refits: those that one step finds most influential."""


NOT_ENOUGH = "one step may not be enough"


@dataclass(frozen=True, slots=True, kw_only=True)
class Influence:
    """Estimates without each group, as three tables of the kind that was fitted.

    Attributes
    ----------
    group
        Name of the grouping whose groups were left out.
    groups
        One row per group, in the order of the fit: ``group, n_rows, cooks_distance, displacement, criterion, sigma,
        singular, converged, exact, note``. ``n_rows`` are the group's own; ``criterion`` and ``sigma`` those of the
        fit without it; ``exact`` tells a refit from one Newton step; ``note`` says why numbers are missing, or that
        one step may not be enough.
    terms
        One row per group and fixed effect: ``group, term, estimate, dfbeta, dfbetas`` and, on request, ``p_value,
        p_value_change``. ``estimate`` and ``p_value`` are those without the group, differences those of all rows
        minus these: what the group adds.
    variances
        One row per group and covariance parameter, named as by `variance_components`:
        ``group, component, term1, term2, estimate, change``, with the same meaning.
    """

    group: str
    groups: Any
    terms: Any
    variances: Any


def influence(
    fit: Fit, group: str | None = None, *, exact: bool | Literal["auto"] = "auto", p_values: bool = False
) -> Influence:
    """Leave one group out, for each group.

    With b the estimates of all rows, C their covariance matrix and b₍ⱼ₎ the estimates without group j:

    - Cook's distance `(b − b₍ⱼ₎)'C⁻¹(b − b₍ⱼ₎)/p` (Cook 1977; for mixed models Demidenko & Stukel 2005);
    - dfbetas `(b − b₍ⱼ₎)/SE₍ⱼ₎`, with the standard error without the group (Belsley, Kuh & Welsch 1980);
    - displacement: −2 log-likelihood of all rows at the parameters without the group, minus that at its optimum
      (Cook 1986; restricted under REML, as SAS has it).

    Parameters
    ----------
    fit
        A fit.
    group
        Name of a grouping of the fit, such as ``"dyad"`` or ``"therapist"``; the innermost unless said.
    exact
        ``True``: refit without each group. ``False``: one Newton step for each, from the exact gradient and Hessian.
        ``"auto"``: refit all of up to 500 groups; of more, the 50 most influential ones and those that one step
        does not reach.
    p_values
        Also the two-sided p of each fixed effect without the group (Satterthwaite); of refitted groups only.

    Raises
    ------
    PlanError
        If the fit has no such grouping.

    References
    ----------
    Belsley, D. A., Kuh, E., & Welsch, R. E. (1980). Regression diagnostics. Wiley. Cook, R. D. (1977).
    Technometrics, 19, 15–18. Cook, R. D. (1986). J. R. Stat. Soc. B, 48, 133–169. Demidenko, E., & Stukel, T. A.
    (2005). Statistics in Medicine, 24, 893–909.
    """
    level = _level(fit, group)
    n = len(fit.design.groupings[level].labels)
    found, doubtful = stepped(fit, level)
    if exact not in (True, False, "auto"):
        raise PlanError(f"exact is True, False or 'auto', not {exact!r}")
    chosen = np.full(n, exact is True or (exact == "auto" and n <= EXACT_UP_TO))
    if exact == "auto" and n > EXACT_UP_TO:
        chosen[np.argsort(-np.nan_to_num(_distances(fit, found)), kind="stable")[:EXACT_OF_MANY]] = True
        chosen |= doubtful
    alone = chosen.copy()
    if level == 0 and chosen.all() and not p_values:
        for number, one in enumerate(refitted_together(fit, found)):
            if one is not None:
                found[number], alone[number] = one, False
    for number, part in zip(np.flatnonzero(alone).tolist(), parts(fit, level, alone), strict=True):
        near = found[number]
        if isinstance(near, Reduced):
            start = fit.solution.theta if doubtful[number] else near.theta
            found[number] = refitted(fit, part, start, p_values=p_values)
    return _tables(fit, level, found, chosen, doubtful & ~chosen, p_values=p_values)


def cooks_distances(fit: Fit, group: str | None = None) -> Array:
    """Cook's distance of each group by one Newton step, (G,); NaN where a term cannot be estimated without it."""
    return _distances(fit, stepped(fit, _level(fit, group))[0])


def _level(fit: Fit, group: str | None) -> int:
    names = [grouping.name for grouping in fit.design.groupings]
    if group is None:
        return 0
    if group not in names:
        raise PlanError(
            f"The fit has no random effects of {group!r}",
            way_out=did_you_mean(group, names) or f"Use {' or '.join(names)}",
        )
    return names.index(group)


def _distances(fit: Fit, found: Sequence[Reduced | Impossible]) -> Array:
    """Cook's distances, the same in standardised and in named units."""
    known = fit.solution.evaluation
    p, variance = len(known.beta), known.variance(fit.method)
    changes = np.array([known.beta - one.beta if isinstance(one, Reduced) else np.full(p, np.nan) for one in found])
    information = known.products[:p, :p]
    return np.asarray(np.einsum("gc,cd,gd->g", changes, information, changes) / (p * variance))


def _tables(
    fit: Fit, level: int, found: Sequence[Reduced | Impossible], exact: Array, doubtful: Array, *, p_values: bool
) -> Influence:
    labels = fit.design.groupings[level].labels
    groups = pl.DataFrame(
        {
            "group": labels,
            "n_rows": [one.n_rows for one in found],
            "cooks_distance": _missing(_distances(fit, found)),
            "displacement": [one.displacement if isinstance(one, Reduced) else None for one in found],
            "criterion": [_criterion(fit, one) if isinstance(one, Reduced) else None for one in found],
            "sigma": [
                fit.design.response_scale * float(np.sqrt(one.variance)) if isinstance(one, Reduced) else None
                for one in found
            ],
            "singular": [one.singular if isinstance(one, Reduced) else None for one in found],
            "converged": [one.converged if isinstance(one, Reduced) else None for one in found],
            "exact": exact,
            "note": [
                one.words if isinstance(one, Impossible) else NOT_ENOUGH * bool(far)
                for one, far in zip(found, doubtful, strict=True)
            ],
        },
        schema_overrides={
            **dict.fromkeys(("cooks_distance", "displacement", "criterion", "sigma"), pl.Float64),
            **dict.fromkeys(("singular", "converged"), pl.Boolean),
        },
    )
    return Influence(
        group=fit.design.groupings[level].name,
        groups=as_kind(groups, fit.kind),
        terms=as_kind(_terms(fit, labels, found, p_values=p_values), fit.kind),
        variances=as_kind(_variances(fit, labels, found), fit.kind),
    )


def _criterion(fit: Fit, one: Reduced) -> float:
    """In the units of the data, which add the same to every criterion but for the number of rows."""
    added = fit.criterion - fit.solution.evaluation.criterion(fit.method)
    return one.criterion + added - 2.0 * one.n_rows * float(np.log(fit.design.response_scale))


def _terms(fit: Fit, labels: pl.Series, found: Sequence[Reduced | Impossible], *, p_values: bool) -> pl.DataFrame:
    made, (whole, _) = fit.design, estimates(fit)
    p = len(whole)
    estimate, std_error, p_value = (np.full((len(found), p), np.nan) for _ in range(3))
    for number, one in enumerate(found):
        if isinstance(one, Reduced):
            estimate[number] = made.response_scale * (made.to_fixed @ one.beta)
            spread = np.einsum("tc,cd,td->t", made.to_fixed, one.inverse, made.to_fixed)
            std_error[number] = made.response_scale * np.sqrt(one.variance * spread)
            if one.p_value is not None:
                p_value[number] = one.p_value
    estimate[:, list(made.constant)] += made.response_shift
    columns = {
        "group": _repeated(labels, p),
        "term": pl.Series(list(made.terms) * len(found)),
        "estimate": _missing(estimate),
        "dfbeta": _missing(whole - estimate),
        "dfbetas": _missing((whole - estimate) / std_error),
    }
    if p_values:
        columns |= {"p_value": _missing(p_value), "p_value_change": _missing(p_values_of(fit) - p_value)}
    return pl.DataFrame(columns)


def _variances(fit: Fit, labels: pl.Series, found: Sequence[Reduced | Impossible]) -> pl.DataFrame:
    named = variance_components(replace(fit, kind="polars"))
    names = named.select(pl.col("group").alias("component"), "term1", "term2")
    whole = named["estimate"].to_numpy()
    theta, sigma = np.full((len(found), len(fit.solution.theta)), np.nan), np.full(len(found), np.nan)
    for number, one in enumerate(found):
        if isinstance(one, Reduced):
            theta[number], sigma[number] = one.theta, fit.design.response_scale * np.sqrt(one.variance)
    estimate = components_at(fit, theta, sigma)
    return pl.DataFrame(
        {
            "group": _repeated(labels, len(whole)),
            **{name: pl.concat([names[name]] * len(found)) for name in names.columns},
            "estimate": _missing(estimate),
            "change": _missing(whole - estimate),
        }
    )


def _repeated(labels: pl.Series, times: int) -> pl.Series:
    return labels.gather(np.repeat(np.arange(len(labels)), times)).alias("group")


def _missing(values: Array) -> pl.Series:
    """NaN as a missing value, in one column."""
    return pl.Series(values.ravel(), dtype=pl.Float64).fill_nan(None)
