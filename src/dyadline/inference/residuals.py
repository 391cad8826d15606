"""What a fit leaves of every row: marginal, conditional and normalised residuals."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import polars as pl

from dyadline.data.frames import as_kind
from dyadline.engine.modes import conditional
from dyadline.engine.moments import Array, Index
from dyadline.errors import PlanError, did_you_mean
from dyadline.model.fit import Fit

KINDS = ("conditional", "marginal", "normalised")

Kind = Literal["conditional", "marginal", "normalised"]


def residuals(fit: Fit, kind: str = "conditional") -> Any:
    """Fitted values and residuals of the rows that the fit used.

    Parameters
    ----------
    fit
        A fit.
    kind
        ``"conditional"``: outcome minus fixed effects and conditional modes of all levels. ``"marginal"``: outcome
        minus fixed effects. ``"normalised"``: conditional residuals of a dyad times L⁻¹/σ, where σ²LL' is the
        residual covariance matrix of its rows; with independent residuals that is the conditional residual over σ,
        with a serial correlation what the rows before do not predict (nlme's ``normalized``). If the model is
        right, these are about standard normal and uncorrelated.

    Returns
    -------
    A frame of the kind that was fitted, in the order of its rows: ``row`` (first row of the frame is 1), ``outcome``
    (joint models only), ``group`` (innermost grouping), ``fitted``, ``residual``.

    References
    ----------
    Pinheiro, J. C., & Bates, D. M. (2000). Mixed-effects models in S and S-PLUS, section 5.3.
    """
    if kind not in KINDS:
        raise PlanError(
            f"The kind of residual {kind!r} is not known",
            way_out=did_you_mean(kind, KINDS) or f"Use one of {', '.join(KINDS)}",
        )
    fixed, modes, left = row_values(fit)
    fitted = fixed if kind == "marginal" else fixed + modes
    found = left + modes if kind == "marginal" else left
    if kind == "normalised":
        found = normalised(fit, left)
    design = fit.design
    row, outcome = row_numbers(fit)
    sizes = np.diff(np.append(design.source.starts, design.source.n))
    table = pl.DataFrame(
        {
            "row": row,
            **({"outcome": pl.Series(list(fit.spec.responses)).gather(outcome)} if fit.spec.responses else {}),
            "group": design.groupings[0].labels.gather(np.repeat(np.arange(len(sizes)), sizes)),
            "fitted": fitted,
            "residual": found,
        }
    )
    order = np.lexsort((outcome, row))
    return as_kind(table[order], fit.kind)


def row_values(fit: Fit) -> tuple[Array, Array, Array]:
    """Fixed part, random part and conditional residual of each row, (n,), in the order of the design."""
    made, beta = fit.design, fit.solution.evaluation.beta
    levels = conditional(made.moments, made.structure, fit.solution.theta, np.append(-beta, 1.0))
    rows, starts, unit = made.source.rows(), made.source.starts, made.source.unit
    dyad = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, made.source.n)))
    fixed = rows.columns[:, :-1] @ beta
    random = np.einsum("nq,nq->n", rows.random, levels[0][0][dyad])
    if rows.above is not None and unit is not None:
        random += np.einsum("nq,nq->n", rows.above, levels[1][0][unit[dyad]])
    left = rows.columns[:, -1] - fixed - random
    scale = made.response_scale
    return made.response_shift + scale * fixed, scale * random, scale * left


def normalised(fit: Fit, left: Array) -> Array:
    """Conditional residuals made uncorrelated and of unit variance, (n,), in the order of the design."""
    if fit.design.structure.residual.size == 0:
        return left / fit.sigma
    starts = fit.design.source.starts
    diagonal, link, block = precision(fit)
    result = np.empty_like(left)
    for number, (begin, end) in enumerate(zip(starts, [*starts[1:], len(left)], strict=True)):
        here = slice(begin, end)
        root = np.linalg.cholesky(np.linalg.inv(precision_matrix(diagonal[here], link[here], block[number])))
        result[here] = np.linalg.solve(root, left[here])
    return result / fit.sigma


def precision(fit: Fit) -> tuple[Array, Array, Array]:
    """R⁻¹ relative to σ² of all rows: its diagonal, (n,), what links each row to the next, (n,), and what all rows
    of a dyad share, (J,)."""
    made = fit.design
    n, groups = made.source.n, len(made.source.starts)
    omega = made.structure.residual.weights(fit.solution.theta[: made.structure.residual.size]).value
    diagonal, link, block = np.zeros(n), np.zeros(n), np.zeros(groups)
    gap = made.residual.gap
    if gap is not None:  # more gaps than forms: as the engine weighs its rows
        ends, links = np.split(omega[1:], 2)
        linked = gap >= 0
        at = np.where(linked, ends[gap], 0.0)
        diagonal += omega[0] + at
        diagonal[1:] += at[:-1]
        return diagonal, np.where(linked, links[gap], 0.0), block
    for weight, form in zip(omega, made.residual.forms(slice(0, n), slice(0, groups)), strict=True):
        if form.diagonal is not None:
            diagonal += weight * form.diagonal
        if form.link is not None:
            link += weight * form.link
        if form.block is not None:
            block += weight * form.block
    return diagonal, link, block


def precision_matrix(diagonal: Array, link: Array, block: float) -> Array:
    """R⁻¹ of one dyad, (n, n)."""
    result = np.diag(diagonal) + np.diag(link[:-1], 1) + np.diag(link[:-1], -1)
    return result + block


def row_numbers(fit: Fit) -> tuple[Index, Index]:
    """Number in the frame, from 1, of each row of the design, and which of several outcomes it is, (n,)."""
    kept = fit.design.source.row_numbers
    if not fit.spec.responses:
        return kept + 1, np.zeros_like(kept)
    height = (len(kept) + fit.design.n_dropped) // len(fit.spec.responses)
    return kept % height + 1, kept // height
