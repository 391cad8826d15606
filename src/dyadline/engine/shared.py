"""A design that many responses share, seen from a common point D₀ near their optima.

Its fixed columns are turned so that `X'V⁻¹X = I` there: at every D near it the matrices to be inverted are well
conditioned. Arrays have the replicates last, so that every operation runs over them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dyadline.engine.covariance import Level, Structure
from dyadline.engine.criterion import Evaluation, Method, evaluate
from dyadline.engine.moments import Array, Index, Moments, lower, summed_outer_products


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What replicates on one design share, in fixed columns for which `X'V⁻¹X = I` at a common D₀.

    Attributes
    ----------
    method, degrees
        n − p for REML, n for ML.
    level
        Of the dyads.
    relative
        D₀, (q, q).
    evaluation
        The criterion's pieces at D₀ with all entries of D free; what concerns a response is not meant.
    root
        New columns = old columns · root, (p, p).
    log_root
        log|X'V⁻¹X| at D₀.
    order, cell, heads
        Dyads sorted by cell; cell of each; first dyad of each cell, ``None`` where each cell has one.
    counts
        Dyads per cell, (K,).
    lines
        b of the fixed columns, (J, q, p).
    packed
        Their outer products, (K·q(q+1)/2, p(p+1)/2).
    within
        R of the fixed columns, (p, p).
    inner
        From the entries of D to those of F'DF, (K·q(q+1)/2, q(q+1)/2), with C = FF'.
    outer
        From the entries of (I + F'DF)⁻¹ to those of S, (K, q(q+1)/2, q(q+1)/2).
    products
        From the entries of A ⊗ B to `tr(Δ_i A Δ_j B)`, (nb², (q(q+1)/2)²).
    mean
        Mean C, (q, q).
    carried
        K at D₀ for directions L'ΔL, L the Cholesky factor of the S of the mean C, (q(q+1)/2, q(q+1)/2).
    """

    method: Method
    degrees: int
    level: Level
    relative: Array
    evaluation: Evaluation
    root: Array
    log_root: float
    order: Index
    cell: Index
    heads: Index | None
    counts: Array
    lines: Array
    packed: Array
    within: Array
    inner: Array
    outer: Array
    products: Array
    mean: Array
    carried: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Centred:
    """Responses less their fit at D₀, as far as the likelihood sees them.

    Attributes
    ----------
    beta
        That fit, in the shared columns, (p, R).
    lines
        e, (J, q, R).
    within
        R of fixed columns with each response and, last, of the response with itself, (p+1, R).
    """

    beta: Array
    lines: Array
    within: Array

    def __getitem__(self, chosen: Index) -> Centred:
        return Centred(beta=self.beta[:, chosen], lines=self.lines[:, :, chosen], within=self.within[:, chosen])


def shared(moments: Moments, level: Level, method: Method, relative: Array) -> Shared:
    """Bring a design into the columns of a common D₀ (positive definite), `relative`."""
    q, p = moments.n_random, moments.n_fixed
    every = Level((q,))
    at = evaluate(moments, Structure((every,)), every.theta(relative))
    cholesky = np.linalg.cholesky(at.products[:p, :p])
    root = np.linalg.inv(cholesky).T
    order = np.argsort(moments.cell, kind="stable")
    cell = moments.cell[order]
    lines = np.ascontiguousarray(moments.lines[order][:, :, :p] @ root)
    cells = len(moments.counts)

    r, s = lower(q)
    basis = every.basis()
    values, vectors = np.linalg.eigh(moments.gram)
    there = values > 1e-10 * np.maximum(values[:, -1:], 1e-300)
    half = vectors * np.sqrt(np.where(there, values, 0.0))[:, None, :]  # F
    turned = half.swapaxes(-1, -2)
    inner = (turned[:, None] @ basis @ half[:, None])[:, :, r, s].swapaxes(1, 2)
    outer = (half[:, None] @ basis @ turned[:, None])[:, :, r, s].swapaxes(1, 2)
    chosen = level.basis()
    products = np.einsum("iab,xbc,jcd,yda->ijxy", chosen, basis, chosen, basis, optimize=True)

    mean = np.tensordot(moments.counts, moments.gram, axes=1) / moments.counts.sum()
    mean = mean + 1e-10 * np.trace(mean) * np.eye(q)
    whitened = (root.T @ at.d_products[:, :p, :p] @ root).reshape(len(r), -1)
    back = np.linalg.inv(np.linalg.cholesky(average(mean, relative)))
    turn = (back.T @ basis @ back)[:, r, s]
    return Shared(
        method=method,
        degrees=at.degrees(method),
        level=level,
        relative=relative,
        evaluation=at,
        root=root,
        log_root=2.0 * float(np.log(np.diag(cholesky)).sum()),
        order=order,
        cell=cell,
        heads=None if cells == len(cell) else np.flatnonzero(np.r_[True, cell[1:] != cell[:-1]]),
        counts=moments.counts,
        lines=lines,
        packed=summed_outer_products(lines, cell, cells),
        within=root.T @ moments.within[:p, :p] @ root,
        inner=np.ascontiguousarray(inner.reshape(-1, len(r))),
        outer=np.ascontiguousarray(outer),
        products=products.reshape(len(chosen) ** 2, -1),
        mean=mean,
        carried=turn @ whitened @ whitened.T @ turn.T,
    )


def average(mean: Array, relative: Array) -> Array:
    """S of a dyad of average design."""
    s = mean @ np.linalg.inv(np.eye(len(mean)) + relative @ mean)
    return np.asarray((s + s.swapaxes(-1, -2)) / 2.0)


def centred(design: Shared, lines: Array, within: Array) -> Centred:
    """Responses, by their lines (J, q, R) and `R` with fixed columns and themselves (p+1, R), less their fit at D₀."""
    p = design.root.shape[0]
    lines = lines[design.order]
    cross = design.root.T @ within[:p]
    at = weights_at(design, packed(design.relative)[:, None])[0]
    beta = flat(design.lines).T @ flat(times(design, at, lines)) + cross
    fitted = design.within @ beta
    left = within[p] - (beta * (2.0 * cross - fitted)).sum(axis=0)
    return Centred(
        beta=beta,
        lines=lines - (flat(design.lines) @ beta).reshape(lines.shape),
        within=np.concatenate([cross - fitted, left[None]]),
    )


def inverted(matrices: Array) -> Array:
    """Invert in place positive definite matrices, (..., s, s, R); their log-determinants, (..., R).

    Gauss and Jordan without pivots, which positive definite matrices do not need: one operation for all.
    """
    log_det = np.zeros((*matrices.shape[:-3], matrices.shape[-1]))
    for k in range(matrices.shape[-2]):
        pivot = matrices[..., k, k, :].copy()
        log_det += np.log(pivot)
        row = matrices[..., k, :, :] / pivot[..., None, :]
        column = matrices[..., :, k, :].copy()
        matrices -= column[..., :, None, :] * row[..., None, :, :]
        matrices[..., k, :, :] = row
        matrices[..., :, k, :] = -column / pivot[..., None, :]
        matrices[..., k, k, :] = 1.0 / pivot
    return log_det


def weights_at(design: Shared, entries: Array) -> tuple[Array, Array]:
    """Entries of S of each cell, (K, q(q+1)/2, R), from those of D, (q(q+1)/2, R), and log|V|, (R,)."""
    q = design.level.size
    r, s = lower(q)
    middle = (design.inner @ entries).reshape(len(design.counts), len(r), -1)[:, places(q)]
    middle[:, np.arange(q), np.arange(q)] += 1.0
    log_det = inverted(middle)
    return design.outer @ middle[:, r, s], design.counts @ log_det


def times(design: Shared, weights: Array, lines: Array) -> Array:
    """S_k(j) times vectors of each dyad, (J, q, R)."""
    q = lines.shape[1]
    full = places(q)
    s = weights if design.heads is None else weights[design.cell]
    result = np.empty_like(lines)
    for a in range(q):
        np.multiply(s[:, full[a, 0]], lines[:, 0], out=result[:, a])
        for b in range(1, q):
            result[:, a] += s[:, full[a, b]] * lines[:, b]
    return result


def flat(lines: Array) -> Array:
    return lines.reshape(-1, lines.shape[-1])


def packed(relative: Array) -> Array:
    return np.asarray(relative[lower(len(relative))])


def places(size: int) -> Index:
    """Where in a lower triangle, row by row, each entry of a symmetric matrix is, (size, size)."""
    rows, columns = lower(size)
    result = np.empty((size, size), dtype=np.intp)
    result[rows, columns] = result[columns, rows] = np.arange(len(rows))
    return result


def numbers(level: Level) -> Index:
    """Numbers of a level's entries among those of a full D, (nb,)."""
    return np.asarray(places(level.size)[level.entries])


def doubled(rows: Index, columns: Index) -> Array:
    """How often an entry of a lower triangle stands in the symmetric matrix."""
    return np.where(rows == columns, 1.0, 2.0)
