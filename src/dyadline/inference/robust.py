"""Cluster-robust covariances of fixed effects: right even if the model has the covariances within clusters wrong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from dyadline.data.frames import as_kind
from dyadline.engine.moments import Array, Index
from dyadline.errors import PlanError, did_you_mean
from dyadline.inference.clusters import clusters
from dyadline.inference.coefficients import check_df, check_level, tests
from dyadline.inference.residuals import precision, precision_matrix
from dyadline.model.fit import Fit, estimates

ROBUST = ("CR0", "CR2")
ROBUST_DF = ("satterthwaite", "normal")

SINGULAR = 1e-12
"""Eigenvalues below this share of the largest count as zero where a root is inverted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandwich:
    """A robust covariance matrix and what its degrees of freedom need, in the design's standardised units.

    Attributes
    ----------
    covariance
        Of the fixed effects, (p, p).
    spread, reach
        `g'Vg` and `X'g` of each cluster, (C, p, p), with `g = AV⁻¹X`.
    """

    covariance: Array
    spread: Array
    reach: Array


def robust_covariance(fit: Fit, kind: str = "CR2", cluster: object = None) -> Array:
    """Cluster-robust covariance matrix of the named coefficients, (p, p).

    `M Σ X'V⁻¹A ee'A'V⁻¹X M` over clusters, M = (X'V⁻¹X)⁻¹, V as the fit has it, e marginal residuals. ``"CR0"``:
    A = I (Liang & Zeger 1986). ``"CR2"``: A makes it unbiased if the fit's V is right (Bell & McCaffrey 2002), with
    `A = D'(D(V − XMX')D')^{−1/2}D`, V = D'D a Cholesky factor (Pustejovsky & Tipton 2018).

    Parameters
    ----------
    fit
        A fit.
    kind
        ``"CR0"`` or ``"CR2"``.
    cluster
        Name of the fit's outermost grouping, which is also what is taken if nothing is said; or a label for every
        row of the fitted frame (a series, an array or a list), such as the column of therapists for a fit that
        knows dyads only.

    Raises
    ------
    PlanError
        Unknown kind or grouping.
    DataError
        Labels that are not one per row, that are missing, or that cut a group in two.
    FitError
        A single cluster.

    References
    ----------
    Bell, R. M., & McCaffrey, D. F. (2002). Survey Methodology, 28, 169–181. Liang, K.-Y., & Zeger, S. L. (1986).
    Biometrika, 73, 13–22. Pustejovsky, J. E., & Tipton, E. (2018). Journal of Business & Economic Statistics, 36,
    672–683.
    """
    return _named(fit, _sandwich(fit, kind, cluster).covariance)


def robust_coefficients(
    fit: Fit, kind: str = "CR2", *, cluster: object = None, df: str = "satterthwaite", level: float = 0.95
) -> Any:
    """Fixed effects with cluster-robust standard errors, t tests and confidence intervals.

    Degrees of freedom are those of Bell and McCaffrey: Satterthwaite's for the robust variance, taking the fit's V
    as the truth. They are not the number of clusters: an effect that few clusters carry has few.

    Parameters
    ----------
    fit, kind, cluster
        As for `robust_covariance`.
    df
        ``"satterthwaite"``: t tests; ``"normal"``: z tests (infinite df).
    level
        Of the confidence interval, between 0 and 1.

    Returns
    -------
    A frame of the kind that was fitted, one row per term:
    ``term, estimate, std_error, df, statistic, p_value, conf_low, conf_high``; p two-sided.
    """
    check_df(df, ROBUST_DF)
    check_level(level)
    found = _sandwich(fit, kind, cluster)
    beta, _ = estimates(fit)
    std_error = np.sqrt(np.diag(_named(fit, found.covariance)))
    freedom = np.full(len(beta), np.inf) if df == "normal" else _freedom(fit, found, np.eye(len(beta)))
    table = pl.DataFrame({"term": list(fit.design.terms), **tests(beta, std_error, freedom, level)})
    return as_kind(table, fit.kind)


def robust_freedom(fit: Fit, contrasts: Array, kind: str = "CR2", cluster: object = None) -> Array:
    """Bell–McCaffrey degrees of freedom of linear combinations of the named coefficients, rows (m, p) to (m,)."""
    return _freedom(fit, _sandwich(fit, kind, cluster), contrasts)


def _named(fit: Fit, covariance: Array) -> Array:
    made = fit.design
    return np.asarray(made.response_scale**2 * made.to_fixed @ covariance @ made.to_fixed.T)


def _freedom(fit: Fit, found: Sandwich, contrasts: Array) -> Array:
    """`(Σ p_cc)² / Σ p_cd²` with `p_cd = u_c'(V − XMX')_cd u_d`, u_c = g_c M l, without forming the C × C matrix."""
    bread = fit.solution.evaluation.inverse
    root = np.linalg.cholesky(bread)
    result = np.empty(len(contrasts))
    for number, contrast in enumerate(contrasts @ fit.design.to_fixed):
        m = bread @ contrast
        own = np.einsum("p,cpq,q->c", m, found.spread, m)
        shared = (found.reach @ m) @ root
        size = np.einsum("cp,cp->c", shared, shared)
        total = (own - size).sum()
        squares = (own**2).sum() - 2.0 * (own * size).sum() + ((shared.T @ shared) ** 2).sum()
        result[number] = total**2 / squares
    return result


def _sandwich(fit: Fit, kind: str, cluster: object) -> Sandwich:
    if kind not in ROBUST:
        raise PlanError(
            f"The robust covariance {kind!r} is not known",
            way_out=did_you_mean(str(kind), ROBUST) or f"Use {' or '.join(ROBUST)}",
        )
    _, belongs = clusters(fit, cluster)
    bread, beta = fit.solution.evaluation.inverse, fit.solution.evaluation.beta
    p, count = len(beta), int(belongs.max()) + 1
    scores, spread, reach = np.empty((count, p)), np.empty((count, p, p)), np.empty((count, p, p))
    for number, (columns, V) in enumerate(_covariances(fit, belongs)):
        X, e = columns[:, :p], columns[:, p] - columns[:, :p] @ beta
        root = np.linalg.cholesky(V)
        g = np.linalg.solve(root, X)
        if kind == "CR2":
            B = root.T @ (V - X @ bread @ X.T) @ root
            values, vectors = np.linalg.eigh((B + B.T) / 2.0)
            there = values > SINGULAR * values[-1]
            half = vectors[:, there]
            g = root @ (half @ ((half.T @ g) / np.sqrt(values[there])[:, None]))
        else:
            g = np.linalg.solve(root.T, g)
        scores[number] = g.T @ e
        spread[number] = g.T @ V @ g
        reach[number] = X.T @ g
    return Sandwich(covariance=bread @ (scores.T @ scores) @ bread, spread=spread, reach=reach)


def _covariances(fit: Fit, cluster: Index) -> Iterator[tuple[Array, Array]]:
    """`[X y]` and V, relative to σ², of the rows of each cluster."""
    made, relative = fit.design, fit.solution.relative
    rows, starts = made.source.rows(), made.source.starts
    ends = np.append(starts, made.source.n)
    structured = made.structure.residual.size > 0
    diagonal, link, block = precision(fit) if structured else (None, None, None)
    order = np.argsort(cluster, kind="stable")
    heads = np.flatnonzero(np.r_[True, np.diff(cluster[order]) != 0])
    for dyads in np.split(order, heads[1:]):
        here = np.concatenate([np.arange(ends[j], ends[j + 1]) for j in dyads])
        V = np.zeros((len(here), len(here)))
        begin = 0
        for j in dyads:
            size = ends[j + 1] - ends[j]
            own, place = slice(ends[j], ends[j + 1]), slice(begin, begin + size)
            Z = rows.random[own]
            V[place, place] = Z @ relative[0] @ Z.T
            if diagonal is None or link is None or block is None:
                V[place, place].flat[:: size + 1] += 1.0
            else:
                V[place, place] += np.linalg.inv(precision_matrix(diagonal[own], link[own], block[j]))
            begin += size
        if rows.above is not None and made.source.unit is not None:
            unit = np.repeat(made.source.unit[dyads], np.diff(ends)[dyads])
            above = rows.above[here]
            V += (above @ relative[1] @ above.T) * (unit[:, None] == unit)
        yield rows.columns[here], V
