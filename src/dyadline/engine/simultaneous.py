"""The criterion of many responses on one design at once, each at its own D: two levels, independent residuals.

A response enters only by `e_j`, its dyads' own lines, and by what these leave; everything else is shared. With
S_k = (C_k⁻¹ + D)⁻¹ of each cell and each replicate, `X'V⁻¹X = R + Σ S : (b b')` is one matrix product for all
replicates, and `u_j = S(e_j − b_j β)` gives the rest: `Ω_k = Σ u u'`, `N_k = Σ b (X'V⁻¹X)⁻¹ b'` and

    ∂_i log|V| = n tr(SΔ_i)     ∂_i log|X'V⁻¹X| = −tr(SNS Δ_i)     ∂_i rss = −tr(ΩΔ_i),

summed over cells. Of the Hessian only `K_ij = tr((X'V⁻¹X)⁻¹∂_iW (X'V⁻¹X)⁻¹∂_jW)` costs more than all else; it is
carried over from the point that all replicates share, as a dyad of average design carries it (exact where all dyads
have the same design). The gradient is exact, so that this changes the number of steps and not where they end.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from dyadline.engine.covariance import Level
from dyadline.engine.moments import Array, Index, lower
from dyadline.engine.shared import (
    Centred,
    Shared,
    average,
    doubled,
    flat,
    inverted,
    numbers,
    packed,
    places,
    times,
    weights_at,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluations:
    """The criterion of R replicates, each at its own D.

    Attributes
    ----------
    value, gradient, hessian
        Profiled, in the nb entries of D: (R,), (nb, R), (nb, nb, R); the Hessian nearly.
    beta
        (p, R); from `evaluations` below less the fit at D₀.
    inverse
        (X'V⁻¹X)⁻¹ in the problems' columns, (p, p, R).
    rss, d_rss, dd_rss
        r'V⁻¹r and its exact derivatives, (R,), (nb, R) and (nb, nb, R).
    """

    value: Array
    gradient: Array
    hessian: Array
    beta: Array
    inverse: Array
    rss: Array
    d_rss: Array
    dd_rss: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Responses:
    """R responses on one design, as problems that are worked on together (`descent.Posed`)."""

    design: Shared
    centred: Centred

    @property
    def level(self) -> Level:
        return self.design.level

    @property
    def n_fixed(self) -> int:
        return int(self.design.root.shape[0])

    @property
    def size(self) -> int:
        return int(self.centred.beta.shape[1])

    def __getitem__(self, chosen: Index) -> Responses:
        return Responses(design=self.design, centred=self.centred[chosen])

    def evaluations(self, relative: Array) -> Evaluations:
        """The criterion at D, (q, q, R)."""
        found = evaluations(self.design, relative, self.centred)
        return replace(found, beta=self.centred.beta + found.beta)


def first_estimates(design: Shared, responses: Centred) -> Array:
    """One step of Fisher scoring in (G, σ²) from D₀, (q, q, R): nearly the optimum, and hardly any work.

    Where all dyads have the same design it is the optimum. Not always positive definite; not finite where the
    residual variance is not positive. Rao, C. R. (1971), MINQUE. Journal of Multivariate Analysis, 1, 257–275.
    """
    which, entries = numbers(design.level), packed(design.relative)
    d = entries[which]
    at = design.evaluation
    slope, curve = at.d_log_v[which], -at.dd_log_v[np.ix_(which, which)]
    if design.method == "REML":
        slope = slope + at.d_log_xx[which]
        curve = curve - at.dd_log_xx[np.ix_(which, which)]
    rest = slope - curve @ d
    corner = design.degrees - d @ (slope + rest)
    information = np.block([[curve, rest[:, None]], [rest[None, :], np.array([[corner]])]])
    weights = weights_at(design, entries[:, None])[0]
    u = times(design, weights, responses.lines)
    rss = (u * responses.lines).sum(axis=(0, 1)) + responses.within[-1]
    r, s = lower(design.level.size)
    rows, columns = r[which], s[which]
    spread = np.stack([np.einsum("jr,jr->r", u[:, a], u[:, b]) for a, b in zip(rows, columns, strict=True)])
    spread *= doubled(rows, columns)[:, None]
    size = np.sqrt(np.diag(information))[:, None]
    # Pseudo-inverse: the design may say nothing of a direction.
    inverse = np.linalg.pinv(information / (size * size.T), rcond=1e-12, hermitian=True)
    found = inverse @ (np.concatenate([spread, (rss - d @ spread)[None]]) / size) / size
    relative = np.zeros((design.level.size, design.level.size, spread.shape[1]))
    with np.errstate(divide="ignore", invalid="ignore"):
        relative[rows, columns] = relative[columns, rows] = np.where(found[-1] > 0.0, found[:-1] / found[-1], np.nan)
    return relative


def evaluations(design: Shared, relative: Array, responses: Centred) -> Evaluations:
    """The criterion of R responses at their D, (q, q, R), positive semi-definite."""
    p, q = design.root.shape[0], design.level.size
    r, s = lower(q)
    which = numbers(design.level)
    twice = doubled(r, s)[which][:, None]
    restricted = design.method == "REML"
    nu, counts = design.degrees, design.counts[:, None, None]

    weights, log_v = weights_at(design, packed(relative))
    inverse = (design.packed.T @ weights.reshape(-1, weights.shape[-1]))[places(p)]
    inverse += design.within[:, :, None]
    log_xx = inverted(inverse) + design.log_root

    b = flat(design.lines)
    weighted = times(design, weights, responses.lines)
    cross = b.T @ flat(weighted) + responses.within[:-1]
    beta = np.einsum("cdr,dr->cr", inverse, cross)
    rss = np.einsum("jqr,jqr->r", weighted, responses.lines) + responses.within[-1] - (beta * cross).sum(axis=0)
    u = times(design, weights, responses.lines - (b @ beta).reshape(responses.lines.shape))
    omega = _by_cell(design, u[:, r] * u[:, s])
    d_rss = -omega.sum(axis=0)[which] * twice

    value = log_v + nu * (1.0 + np.log(2.0 * np.pi * rss / nu))
    slopes, curves = counts * weights, -counts * weights
    if restricted:
        value = value + log_xx
        pressed = sandwiched(design, weights, inverse)
        slopes -= pressed
        curves += 2.0 * pressed
    per_rss = nu / rss
    gradient = slopes.sum(axis=0)[which] * twice + per_rss * d_rss

    pulled = np.stack([b.T @ flat(h) for h in _towards(design, weights, u)])
    dd_rss = traces(design, weights, 2.0 * omega)
    dd_rss -= 2.0 * np.einsum("icr,cdr,jdr->ijr", pulled, inverse, pulled, optimize=["einsum_path", (1, 2), (0, 1)])
    slope = d_rss / rss
    hessian = traces(design, weights, curves) + per_rss * dd_rss - nu * slope[:, None] * slope
    if restricted:
        hessian -= _carried(design, relative)
    return Evaluations(
        value=value,
        gradient=gradient,
        hessian=hessian,
        beta=beta,
        inverse=inverse,
        rss=rss,
        d_rss=d_rss,
        dd_rss=dd_rss,
    )


def sandwiched(design: Shared, weights: Array, inverse: Array) -> Array:
    """Entries of SNS of each cell, (K, q(q+1)/2, R), from those of S and (X'V⁻¹X)⁻¹."""
    q, p = design.level.size, design.root.shape[0]
    r, s = lower(q)
    c, d = lower(p)
    n = (design.packed @ (inverse[c, d] * doubled(c, d)[:, None])).reshape(weights.shape[0], len(r), -1)
    n[:, r != s] *= 0.5
    at, inner = places(q), range(q)
    left = [[sum(weights[:, at[a, x]] * n[:, at[x, b]] for x in inner) for b in inner] for a in inner]
    result = np.zeros_like(n)
    for number, (a, b) in enumerate(zip(r, s, strict=True)):
        for x in inner:
            result[:, number] += left[a][x] * weights[:, at[x, b]]
    return result


def _towards(design: Shared, weights: Array, u: Array) -> list[Array]:
    """`S Δ_i u` of each dyad for each entry of D, (J, q, R)."""
    q = u.shape[1]
    full = places(q)
    s = weights if design.heads is None else weights[design.cell]
    found = []
    for a, b in zip(*design.level.entries, strict=True):
        moved = s[:, full[:, a]] * u[:, None, b]
        if a != b:
            moved += s[:, full[:, b]] * u[:, None, a]
        found.append(moved)
    return found


def _by_cell(design: Shared, values: Array) -> Array:
    return values if design.heads is None else np.add.reduceat(values, design.heads, axis=0)


def traces(design: Shared, weights: Array, other: Array) -> Array:
    """`Σ_k tr(Δ_i S Δ_j B)` for the entries of S and B, (nb, nb, R)."""
    summed = np.einsum("kir,kjr->ijr", weights, other)
    nb = design.level.n_entries
    return np.asarray(design.products @ summed.reshape(-1, summed.shape[-1])).reshape(nb, nb, -1)


def _carried(design: Shared, relative: Array) -> Array:
    """K, (nb, nb, R), nearly."""
    r, s = lower(design.level.size)
    factor = np.linalg.cholesky(average(design.mean, np.moveaxis(relative, -1, 0)))
    rows, columns = design.level.entries
    one, other = factor[:, rows], factor[:, columns]
    turned = one[:, :, r] * other[:, :, s]
    turned += np.where(rows == columns, 0.0, 1.0)[:, None] * other[:, :, r] * one[:, :, s]
    return np.moveaxis(turned @ design.carried @ turned.swapaxes(-1, -2), 0, -1)
