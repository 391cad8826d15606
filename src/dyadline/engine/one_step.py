"""Optima without one group by one Newton step: what leaving out many thousands of groups costs.

At the optimum of all rows the criterion without a group, its gradient and its Hessian are exact differences of W and
log|V|, which add over groups. One Newton step with them, and W to second order along it, leaves an error of third
order in the step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from dyadline.engine.covariance import Structure
from dyadline.engine.forms import Rows
from dyadline.engine.levels import Stage, cells, eliminate, weighed
from dyadline.engine.moments import Array, Index, Moments, lower
from dyadline.engine.optima import Optima, Whole, criteria, derivatives, newton, optima


def staged(moments: Moments, structure: Structure, theta: Array) -> Stage:
    """All random effects eliminated at θ: W and log|V| with derivatives, which add over outermost groups."""
    relative = structure.relative(theta)
    bases = [level.basis() for level in structure.levels]
    if moments.forms is None:
        stage, left = cells(moments, relative[0], bases[0]), 1
    else:
        stage, left = weighed(moments.forms, structure.residual.weights(theta[: structure.residual.size])), 0
    for D, basis in zip(relative[left:], bases[left:], strict=True):
        stage = eliminate(stage, D, basis)
    return stage


PROMISE = 0.5
"""A step whose gain differs from what it promised by more than this share is not trusted."""

NOTHING = 1e-3
"""Gains, in the criterion, below which that does not matter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """What each of some groups contributes at one θ.

    Attributes
    ----------
    n_rows
        (G,).
    total
        `[X y]'[X y]`, (G, p+1, p+1).
    products, log_v, d_log_v, dd_log_v
        As in `levels.Stage`, each with a leading axis of groups.
    """

    n_rows: Array
    total: Array
    products: Array
    log_v: Array
    d_log_v: Array
    dd_log_v: Array

    def some(self, chosen: NDArray[np.bool_]) -> Shares:
        return Shares(**{field.name: getattr(self, field.name)[chosen] for field in fields(self)})


def shares(parts: Sequence[Moments], stages: Sequence[Stage]) -> Shares:
    """Of groups whose rows were weighed one by one."""
    return Shares(
        n_rows=np.array([part.n_rows for part in parts], dtype=float),
        total=np.stack([part.total for part in parts]),
        products=np.stack([stage.products for stage in stages]),
        log_v=np.array([stage.log_v for stage in stages]),
        d_log_v=np.stack([stage.d_log_v for stage in stages]),
        dd_log_v=np.stack([stage.dd_log_v for stage in stages]),
    )


def within_dyads(moments: Moments, rows: Rows, groups: slice) -> tuple[Array, Array]:
    """Each dyad's share in R, (G, p+1, p+1), and its number of rows, (G,)."""
    ends = np.append(rows.starts, len(rows.columns))
    sizes = np.diff(ends)
    left = rows.columns - np.einsum("nq,nqc->nc", rows.random, np.repeat(moments.lines[groups], sizes, axis=0))
    return _products(left, ends), sizes.astype(float)


def _products(columns: Array, ends: Index) -> Array:
    return np.stack([columns[begin:end].T @ columns[begin:end] for begin, end in pairwise(ends.tolist())])


def dyad_shares(moments: Moments, rows: Rows, groups: slice, structure: Structure, theta: Array) -> Shares:
    """Of dyads with independent residuals and nothing above them, all at once; as `levels.cells` has it per design.

    Parameters
    ----------
    moments
        Of all rows.
    rows, groups
        The rows of some dyads, and which of all dyads they are.
    """
    (level,), (D,) = structure.levels, structure.relative(theta)
    basis, cell, lines = level.basis(), moments.cell[groups], moments.lines[groups]
    within, n_rows = within_dyads(moments, rows, groups)
    designs, number = np.unique(cell, return_inverse=True)
    gram = moments.gram[designs]
    inner = np.eye(len(D)) + D @ gram
    s = gram @ np.linalg.inv(inner)
    s = (s + s.swapaxes(-1, -2)) / 2.0
    s_basis = s @ basis[:, None]
    first, second = lower(len(basis))
    single = s_basis @ s
    pairs = s_basis[first] @ single[second]
    weights = np.concatenate([s[None], -single, pairs + pairs.swapaxes(-1, -2)]).swapaxes(0, 1)
    number = number.ravel()
    products = lines.swapaxes(-1, -2)[:, None] @ (weights[number] @ lines[:, None])
    products[:, 0] += within
    return Shares(
        n_rows=n_rows,
        total=_products(rows.columns, np.append(rows.starts, len(rows.columns))),
        products=products,
        log_v=np.linalg.slogdet(inner)[1][number],
        d_log_v=np.trace(s_basis, axis1=-2, axis2=-1).T[number],
        dd_log_v=-np.einsum("ikrs,jksr->kij", s_basis, s_basis)[number],
    )


def one_step(whole: Whole, stage: Stage, gone: Shares, structure: Structure, theta: Array) -> Optima:
    """One Newton step from the optimum of all rows for each group that goes.

    Parameters
    ----------
    whole, stage, gone
        All rows, and what they and each group contribute at θ.
    theta
        The optimum of all rows, (k,).
    """
    m, p, restricted = len(theta), stage.products.shape[1] - 1, whole.method == "REML"
    W = stage.products - gone.products
    log_v = stage.log_v - gone.log_v
    d_log_v, dd_log_v = stage.d_log_v - gone.d_log_v, stage.dd_log_v - gone.dd_log_v
    nu = whole.n - gone.n_rows - p * restricted
    gradient, hessian = derivatives(W, m, nu, restricted)
    found = newton(structure, theta[None], gradient + d_log_v, hessian + dd_log_v)

    entries = _entries(structure, theta)
    way = np.stack([_entries(structure, theta + one) - entries for one in found.step])
    along = _taylor(way)
    curved = np.einsum("gi,gij,gj->g", way, dd_log_v, way) / 2.0
    curved_all = np.einsum("gi,ij,gj->g", way, stage.dd_log_v, way) / 2.0
    there = optima(
        whole,
        theta + found.step,
        np.einsum("gk,gkcd->gcd", along, W),
        log_v + np.einsum("gi,gi->g", way, d_log_v) + curved,
        nu,
        np.einsum("gk,kcd->gcd", along, stage.products),
        stage.log_v + way @ stage.d_log_v + curved_all,
        found.doubtful,
    )
    # Near a boundary the criterion is far from quadratic: then it does not fall as the step promised.
    gain = criteria(W[:, 0], log_v, nu, restricted=restricted)[0] - there.criterion
    broken = (np.abs(gain - found.decrement) > PROMISE * found.decrement) & (found.decrement > NOTHING)
    return replace(there, doubtful=there.doubtful | broken)


def _entries(structure: Structure, theta: Array) -> Array:
    """η and the entries of each level's D."""
    found = [theta[: structure.residual.size]]
    found += [D[level.entries] for level, D in zip(structure.levels, structure.relative(theta), strict=True)]
    return np.concatenate(found)


def _taylor(way: Array) -> Array:
    """Weights (G, 1 + m + m(m+1)/2) of value, first and second derivatives at a distance, (G, m)."""
    r, s = lower(way.shape[1])
    pairs = way[:, r] * way[:, s] * np.where(r == s, 0.5, 1.0)
    return np.concatenate([np.ones((len(way), 1)), way, pairs], axis=1)
