"""How much variance a model explains: R², and proportional reductions of variances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from dyadline.data.frames import as_kind
from dyadline.engine.moments import Array
from dyadline.errors import PlanError
from dyadline.inference.nestedness import refuse_different_data
from dyadline.inference.variance import CORRELATION, variance_components
from dyadline.model.design import ROWS_AT_ONCE
from dyadline.model.fit import Fit
from dyadline.model.stacked import KIND


def r_squared(fit: Fit) -> Any:
    """Marginal and conditional R²: variance explained by the fixed effects, and by fixed and random effects.

    The fixed part is the variance of Xβ over the rows (divisor n − 1), the random part the mean over the rows of
    the variance that the random effects give to a row, z'Gz summed over the levels; with random slopes as Johnson
    (2014). Of a joint model each outcome has its own row. Where residual variances differ by a factor, their mean
    over the rows counts.

    Returns
    -------
    A frame of the kind that was fitted: ``outcome, r2_marginal, r2_conditional, variance_fixed, variance_random,
    variance_residual``.

    References
    ----------
    Nakagawa, S., & Schielzeth, H. (2013). Methods in Ecology and Evolution, 4, 133–142.
    Johnson, P. C. D. (2014). Methods in Ecology and Evolution, 5, 944–946.
    """
    outcomes = fit.spec.responses or (fit.spec.response.label,)
    fixed, random = _parts_of_rows(fit, len(outcomes))
    components = _components(fit)
    first = sum(one.n_entries for one in fit.design.structure.levels)
    labels = fit.design.residual.labels
    errors = np.array([row["estimate"] for row in components[first : first + max(1, len(labels))]])
    if len(outcomes) == 1 and len(labels) > 1:
        errors = np.array([errors @ _residual_shares(fit)])
    total = fixed + random + errors
    table = pl.DataFrame(
        {
            "outcome": list(outcomes),
            "r2_marginal": fixed / total,
            "r2_conditional": (fixed + random) / total,
            "variance_fixed": fixed,
            "variance_random": random,
            "variance_residual": errors,
        }
    )
    return as_kind(table, fit.kind)


def pseudo_r_squared(null: Fit, fit: Fit) -> Any:
    """Proportional reduction of each variance from a null model to one with predictors: `(null − model)/null`.

    The variances are those of random intercepts, random slopes and residuals that both models have. A reduction can
    be negative: a predictor that varies within dyads moves variance from one level to another, so it is no share of
    anything (Snijders & Bosker); `r_squared` is.

    Parameters
    ----------
    null, fit
        Fits of the same rows by the same method; `fit` has more fixed effects, for example the predictors of slopes.

    Returns
    -------
    A frame of the kind that was fitted: ``group, term, null, model, reduction, note``; the reduction is missing where
    the null model's variance is zero.

    Raises
    ------
    PlanError
        If the fits have other rows, outcomes or methods, or no variance in common.

    References
    ----------
    Raudenbush, S. W., & Bryk, A. S. (2002). Hierarchical linear models (2nd ed.), chapter 4.
    Snijders, T. A. B., & Bosker, R. J. (1994). Sociological Methods & Research, 22, 342–363.
    """
    if null.method != fit.method:
        raise PlanError("One model was fitted by REML, the other by ML", way_out="Fit both by the same method")
    refuse_different_data(null, fit)
    before, after = (
        {(row["group"], row["term1"]): row["estimate"] for row in _components(one) if _is_variance(row)}
        for one in (null, fit)
    )
    shared = [key for key in before if key in after]
    if not any(group in {g.name for g in fit.design.groupings} for group, _ in shared):
        raise PlanError(
            "The two models have no random effect in common",
            way_out="Keep the random effects as they are and add fixed effects only",
        )
    same = before.keys() == after.keys()
    rows = [_reduction(key, before[key], after[key], same) for key in shared]
    schema = {
        **dict.fromkeys(("group", "term"), pl.String),
        **dict.fromkeys(("null", "model", "reduction"), pl.Float64),
        "note": pl.String,
    }
    return as_kind(pl.DataFrame(rows, schema=schema), fit.kind)


def _is_variance(row: dict[str, Any]) -> bool:
    return row["term2"] is None and row["group"] != CORRELATION


def _reduction(key: tuple[str, str], before: float, after: float, same: bool) -> dict[str, Any]:
    there = before > 0.0
    reduction = (before - after) / before if there else None
    notes = []
    if reduction is None:
        notes.append("the null model's variance is zero, so there is nothing to reduce")
    elif reduction < 0.0:
        notes.append("negative: predictors moved variance to this level, which is no error")
    if not same:
        notes.append("the models have different random effects, so part of the change is theirs")
    return {
        "group": key[0],
        "term": key[1],
        "null": before,
        "model": after,
        "reduction": reduction,
        "note": "; ".join(notes),
    }


def _components(fit: Fit) -> list[dict[str, Any]]:
    table: pl.DataFrame = variance_components(replace(fit, kind="polars"))
    return table.to_dicts()


def _parts_of_rows(fit: Fit, outcomes: int) -> tuple[Array, Array]:
    """Variance of Xβ and mean variance of the random effects, of each outcome, (outcomes,), in one pass."""
    made, beta = fit.design, fit.solution.evaluation.beta
    s = fit.sigma**2
    n, sums, squares, random = (np.zeros(outcomes) for _ in range(4))
    for part, numbers, _ in made.source.parts(ROWS_AT_ONCE):
        which = _outcome_of_rows(fit, numbers)
        predicted = made.response_scale * (part.columns[:, :-1] @ beta)
        for k in range(outcomes):
            mine = slice(None) if which is None else which == k
            here = predicted[mine]
            count, mean = len(here), float(here.mean()) if len(here) else 0.0
            # Means of chunks are joined as in Chan, Golub and LeVeque (1983), so that nothing cancels.
            squares[k] += float(((here - mean) ** 2).sum())
            if n[k] and count:
                squares[k] += (mean - sums[k] / n[k]) ** 2 * n[k] * count / (n[k] + count)
            n[k] += count
            sums[k] += mean * count
            for z, relative in zip((part.random, part.above), fit.solution.relative, strict=False):
                if z is not None:
                    random[k] += s * float(np.einsum("nr,rs,ns->", z[mine], relative, z[mine], optimize=True))
    return squares / (n - 1.0), random / n


def _outcome_of_rows(fit: Fit, numbers: slice) -> Array | None:
    """Number of each row's outcome in a joint model."""
    return _codes(fit.design.source.values.rows.series[KIND][numbers]) if fit.spec.responses else None


def _residual_shares(fit: Fit) -> Array:
    """Share of the rows that each residual variance belongs to."""
    codes = _codes(fit.design.source.values.rows.series[fit.spec.residual.columns[0]])
    return np.bincount(codes.astype(np.intp)) / len(codes)


def _codes(series: pl.Series) -> Array:
    ordered: Sequence[Any] = series.unique().sort().to_list()
    return series.replace_strict(ordered, list(range(len(ordered))), return_dtype=pl.Float64).to_numpy()
