"""The criterion of many studies at once, each with its own dyads, occasions and predictors.

For models of a dyad's line: intercept and slope vary over dyads, and every fixed effect is a predictor of the dyad that
enters intercept or slope. Then `X_j = Z_j A_j` with `A_j = I₂ ⊗ w_j'`, and a study is known by each dyad's own
least-squares line e_j, its `C_j = Z_j'Z_j`, its predictors w_j, and the sum of squares R that the lines leave. With
S_j = (C_j⁻¹ + D)⁻¹, r_j = e_j − A_jβ and u_j = S_j r_j:

    W = X'V⁻¹X = Σ S_j ⊗ w_j w_j'    log|V| = Σ log|I + DC_j|    rss = R + Σ r_j'S_j r_j    N_j = A_j W⁻¹ A_j'

    ∂_i log|V| = Σ tr(SΔ_i)    ∂_i log|W| = −Σ tr(SNS Δ_i)    ∂_i rss = −Σ u'Δ_i u

and second derivatives alike (see `simultaneous`; here the Hessian is exact). All matrices of a dyad are 2 × 2 and
written out. Each study is computed by itself: its digits do not depend on the others.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

from dyadline.engine.covariance import Level, Structure
from dyadline.engine.criterion import Method
from dyadline.engine.moments import Array, Index, Moments, lower
from dyadline.engine.replicates import inside
from dyadline.engine.shared import doubled, inverted, places
from dyadline.engine.simultaneous import Evaluations

LINE = Level((2,))
"""Intercept and slope of a dyad, unstructured."""

STRUCTURE = Structure((LINE,))


@dataclass(frozen=True, slots=True, kw_only=True)
class LineModels:
    """R studies of J dyads with m predictors of the dyad, the constant among them; p = 2m.

    A dyad that a study does not use has `gram` and `lines` zero.

    Attributes
    ----------
    method
        ``"REML"`` or ``"ML"``.
    n_rows
        Rows of each study, (R,).
    gram
        Entries 11, 21, 22 of `C_j`, (R, 3, J).
    determinant
        `|C_j|`, (R, J): zero for a dyad with a single occasion.
    lines
        e_j, (R, 2, J); of a dyad with a single occasion any line through its mean.
    within
        R, (R,).
    predictors
        w_j, (R, J, m).
    products
        `w_j w_j'`, lower triangles row by row, (R, J, m(m+1)/2).
    """

    method: Method
    n_rows: Array
    gram: Array
    determinant: Array
    lines: Array
    within: Array
    predictors: Array
    products: Array

    @property
    def level(self) -> Level:
        return LINE

    @property
    def size(self) -> int:
        """R."""
        return len(self.within)

    @property
    def n_fixed(self) -> int:
        """p."""
        return 2 * int(self.predictors.shape[2])

    @property
    def degrees(self) -> Array:
        """n − p for REML, n for ML, (R,)."""
        return self.n_rows - (self.n_fixed if self.method == "REML" else 0)

    @property
    def n_groups(self) -> Array:
        """Dyads that are used, (R,)."""
        return np.asarray((self.gram[:, 0] > 0.0).sum(axis=1))

    def __getitem__(self, chosen: Index) -> LineModels:
        arrays = {f.name: getattr(self, f.name)[chosen] for f in fields(self) if f.name != "method"}
        return replace(self, **arrays)

    def evaluations(self, relative: Array) -> Evaluations:
        """The criterion at D, (2, 2, R), positive semi-definite."""
        return evaluations(self, relative)


def line_models(
    gram: Array, determinant: Array, lines: Array, within: Array, n_rows: Array, predictors: Array, method: Method
) -> LineModels:
    """Put studies together; arrays as `LineModels` has them."""
    r, s = lower(predictors.shape[2])
    return LineModels(
        method=method,
        n_rows=n_rows,
        gram=gram,
        determinant=determinant,
        lines=lines,
        within=within,
        predictors=np.ascontiguousarray(predictors),
        products=np.ascontiguousarray(predictors[:, :, r] * predictors[:, :, s]),
    )


def side_by_side(*parts: Array) -> Array:
    """Arrays (R, J) as one, (R, k, J), in memory study by study.

    Where a product's factors lie otherwise, another routine adds them up, and which one depends on R.
    """
    result = np.empty((parts[0].shape[0], len(parts), parts[0].shape[1]))
    for number, part in enumerate(parts):
        result[:, number] = part
    return result


def weights(models: LineModels, relative: Array) -> tuple[Array, Array]:
    """Entries 11, 21, 22 of S_j at D, (2, 2, R), as (R, 3, J), and log|V|, (R,)."""
    d11, d21, d22 = (relative[a, b][:, None] for a, b in ((0, 0), (1, 0), (1, 1)))
    c11, c21, c22 = (models.gram[:, k] for k in range(3))
    size = models.determinant
    delta = 1.0 + d11 * c11 + 2.0 * d21 * c21 + d22 * c22 + size * (d11 * d22 - d21 * d21)
    s = side_by_side(c11 + size * d22, c21 - size * d21, c22 + size * d11)
    s /= delta[:, None]
    return s, np.log(delta).sum(axis=1)


def residual_lines(models: LineModels, beta: Array) -> Array:
    """r_j = e_j − A_jβ, (R, 2, J), for β, (R, p)."""
    m = models.predictors.shape[2]
    fitted = models.predictors @ np.ascontiguousarray(beta.reshape(-1, 2, m).swapaxes(1, 2))
    return side_by_side(models.lines[:, 0] - fitted[:, :, 0], models.lines[:, 1] - fitted[:, :, 1])


def pressed(s: Array, line: Array) -> Array:
    """S_j times a vector of each dyad, (R, 2, J)."""
    return side_by_side(
        s[:, 0] * line[:, 0] + s[:, 1] * line[:, 1],
        s[:, 1] * line[:, 0] + s[:, 2] * line[:, 1],
    )


def full(blocks: Array, m: int) -> Array:
    """Symmetric (R, p, p) matrices from lower triangles of their blocks 11, 21, 22, (R, 3, m(m+1)/2)."""
    at = places(m)
    result = np.empty((len(blocks), 2 * m, 2 * m))
    result[:, :m, :m] = blocks[:, 0][:, at]
    result[:, m:, :m] = result[:, :m, m:] = blocks[:, 1][:, at]
    result[:, m:, m:] = blocks[:, 2][:, at]
    return result


def inverses(matrices: Array) -> tuple[Array, Array]:
    """Inverses, (R, p, p), and log-determinants, (R,), of positive definite matrices."""
    turned = np.ascontiguousarray(np.moveaxis(matrices, 0, -1))
    log_det = inverted(turned)
    return np.ascontiguousarray(np.moveaxis(turned, -1, 0)), log_det


def sandwich(s: Array, n: Array) -> Array:
    """Entries of SNS, (R, 3, J), from those of symmetric S and N."""
    s11, s21, s22 = s[:, 0], s[:, 1], s[:, 2]
    n11, n21, n22 = n[:, 0], n[:, 1], n[:, 2]
    t11, t12 = s11 * n11 + s21 * n21, s11 * n21 + s21 * n22
    t21, t22 = s21 * n11 + s22 * n21, s21 * n21 + s22 * n22
    return side_by_side(t11 * s11 + t12 * s21, t21 * s11 + t22 * s21, t21 * s21 + t22 * s22)


def traces(s: Array, b: Array) -> Array:
    """`Σ_j tr(Δ_i S Δ_k B)` for the entries of D, (R, 3, 3), S and B symmetric, (R, 3, J)."""
    t = s @ b.swapaxes(1, 2)
    result = np.empty_like(t)
    result[:, 0, 0], result[:, 2, 2] = t[:, 0, 0], t[:, 2, 2]
    result[:, 1, 1] = 2.0 * t[:, 1, 1] + t[:, 0, 2] + t[:, 2, 0]
    result[:, 0, 2] = result[:, 2, 0] = t[:, 1, 1]
    result[:, 0, 1] = result[:, 1, 0] = t[:, 0, 1] + t[:, 1, 0]
    result[:, 1, 2] = result[:, 2, 1] = t[:, 2, 1] + t[:, 1, 2]
    return result


def leverages(models: LineModels, inverse: Array) -> Array:
    """Entries of N_j = A_j W⁻¹ A_j', (R, 3, J)."""
    m = models.predictors.shape[2]
    r, s = lower(m)
    twice = doubled(r, s)
    cross = inverse[:, m:, :m] + inverse[:, m:, :m].swapaxes(1, 2)
    both = side_by_side(inverse[:, r, s] * twice, cross[:, r, s] * (twice / 2.0), inverse[:, m + r, m + s] * twice)
    return np.asarray(both @ models.products.swapaxes(1, 2))


def moved_products(models: LineModels, s: Array) -> Array:
    """−∂_i W for the three entries of D, (R, 3, p, p)."""
    s11, s21, s22 = s[:, 0], s[:, 1], s[:, 2]
    pairs = side_by_side(s11 * s11, s11 * s21, s21 * s21, s11 * s22, s21 * s22, s22 * s22)
    a, b, c, d, e, f = np.moveaxis(pairs @ models.products, 1, 0)
    m = models.predictors.shape[2]
    result = np.empty((models.size, 3, 2 * m, 2 * m))
    for number, blocks in enumerate(((a, b, c), (2.0 * b, d + c, 2.0 * e), (c, e, f))):
        result[:, number] = full(side_by_side(*blocks), m)
    return result


TWICE = np.array([1.0, 2.0, 1.0])
"""How often an entry of D stands in it."""


def evaluations(models: LineModels, relative: Array) -> Evaluations:
    """The criterion of R studies, each at its own D, (2, 2, R)."""
    size, m = models.size, models.predictors.shape[2]
    nu, restricted = models.degrees, models.method == "REML"
    s, log_v = weights(models, relative)
    inverse, log_w = inverses(full(s @ models.products, m))
    cross = (pressed(s, models.lines) @ models.predictors).reshape(size, 2 * m)
    beta = (inverse @ cross[:, :, None])[:, :, 0]
    r = residual_lines(models, beta)
    u = pressed(s, r)
    rss = models.within + (r * u).sum(axis=(1, 2))
    omega = side_by_side(u[:, 0] * u[:, 0], u[:, 1] * u[:, 0], u[:, 1] * u[:, 1])
    d_rss = -omega.sum(axis=2) * TWICE

    value = log_v + nu * (1.0 + np.log(2.0 * np.pi * rss / nu))
    slopes, curves = s, -s
    if restricted:
        value = value + log_w
        pulled_in = sandwich(s, leverages(models, inverse))
        slopes, curves = s - pulled_in, 2.0 * pulled_in - s
    per_rss = (nu / rss)[:, None]
    gradient = slopes.sum(axis=2) * TWICE + per_rss * d_rss

    moved = side_by_side(
        s[:, 0] * u[:, 0],
        s[:, 1] * u[:, 0],
        s[:, 0] * u[:, 1] + s[:, 1] * u[:, 0],
        s[:, 1] * u[:, 1] + s[:, 2] * u[:, 0],
        s[:, 1] * u[:, 1],
        s[:, 2] * u[:, 1],
    )
    pulled = (moved @ models.predictors).reshape(size, 3, 2 * m)
    dd_rss = 2.0 * (traces(s, omega) - pulled @ inverse @ pulled.swapaxes(1, 2))
    slope = d_rss / rss[:, None]
    hessian = traces(s, curves) + per_rss[:, :, None] * dd_rss - nu[:, None, None] * slope[:, :, None] * slope[:, None]
    if restricted:
        hessian -= carried(models, s, inverse)
    return Evaluations(
        value=value,
        gradient=gradient.T,
        hessian=np.moveaxis(hessian, 0, -1),
        beta=beta.T,
        inverse=np.moveaxis(inverse, 0, -1),
        rss=rss,
        d_rss=d_rss.T,
        dd_rss=np.moveaxis(dd_rss, 0, -1),
    )


def carried(models: LineModels, s: Array, inverse: Array) -> Array:
    """`tr(W⁻¹∂_iW W⁻¹∂_kW)`, (R, 3, 3)."""
    turned = inverse[:, None] @ moved_products(models, s)
    flat = turned.reshape(len(turned), 3, -1)
    return np.asarray(flat @ turned.swapaxes(2, 3).reshape(len(turned), 3, -1).swapaxes(1, 2))


def moment_estimates(models: LineModels) -> Array:
    """D from the spread of the dyads' lines, less what the lines' own errors explain, (R, 2, 2); see `solve`."""
    size, m = models.size, models.predictors.shape[2]
    at = full(models.gram @ models.products, m)
    cross = (pressed(models.gram, models.lines) @ models.predictors).reshape(size, 2 * m)
    beta = (inverses(at)[0] @ cross[:, :, None])[:, :, 0]
    own = residual_lines(models, beta)
    c11, c21, c22 = (models.gram[:, k] for k in range(3))
    whole = models.determinant > 1e-10 * np.maximum(c11 * c22, 1e-300)
    groups = whole.sum(axis=1).astype(np.float64)
    freedom = models.n_rows - 2.0 * groups - 2 * m
    with np.errstate(divide="ignore", invalid="ignore"):
        sigma2 = models.within / freedom
        inverse = np.where(whole[:, None], side_by_side(c22, -c21, c11) / models.determinant[:, None], 0.0)
        spread = side_by_side(own[:, 0] * own[:, 0], own[:, 1] * own[:, 0], own[:, 1] * own[:, 1])
        found = ((spread * whole[:, None]).sum(axis=2) / sigma2[:, None] - inverse.sum(axis=2)) / groups[:, None]
    matrix = found[:, places(2)]
    usable = (groups >= 4) & (freedom >= 1) & (models.within > 0.0) & np.isfinite(matrix).all(axis=(1, 2))
    matrix[~usable] = np.eye(2)
    return inside(matrix)


def scored(models: LineModels, relative: Array) -> Array:
    """One step of Fisher scoring in (G, σ²) from D, (R, 2, 2): nearly the optimum; see `first_estimates`."""
    at = evaluations(models, np.moveaxis(relative, 0, -1))
    rss, spread = at.rss, -at.d_rss.T
    per_rss = models.degrees / rss
    slope = at.gradient.T + per_rss[:, None] * spread
    relative_spread = spread / rss[:, None]
    curve = per_rss[:, None, None] * np.moveaxis(at.dd_rss, -1, 0) - np.moveaxis(at.hessian, -1, 0)
    curve -= models.degrees[:, None, None] * relative_spread[:, :, None] * relative_spread[:, None]
    d = relative[:, [0, 1, 1], [0, 0, 1]]
    rest = slope - (curve * d[:, None]).sum(axis=2)
    information = np.empty((models.size, 4, 4))
    information[:, :3, :3], information[:, :3, 3], information[:, 3, :3] = curve, rest, rest
    information[:, 3, 3] = models.degrees - (d * (slope + rest)).sum(axis=1)
    wanted = np.concatenate([spread, (rss - (d * spread).sum(axis=1))[:, None]], axis=1)
    usable = np.isfinite(information).all(axis=(1, 2)) & np.isfinite(wanted).all(axis=1)
    information[~usable] = np.eye(4)
    size = np.sqrt(np.maximum(np.einsum("rii->ri", information), 1e-300))
    inverse = np.linalg.pinv(information / (size[:, :, None] * size[:, None]), rcond=1e-12, hermitian=True)
    found = (inverse * (wanted / size)[:, None]).sum(axis=2) / size
    with np.errstate(divide="ignore", invalid="ignore"):
        matrix = (found[:, :3] / found[:, 3:])[:, places(2)]
    usable &= (found[:, 3] > 0.0) & np.isfinite(matrix).all(axis=(1, 2))
    return inside(np.where(usable[:, None, None], matrix, relative))


def moments_of(models: LineModels, number: int) -> Moments:
    """Moments of one study, for the engine that solves one problem at a time."""
    used = np.flatnonzero(models.gram[number, 0] > 0.0)
    w, e = models.predictors[number, used], models.lines[number][:, used].T
    m = w.shape[1]
    gram = models.gram[number][:, used].T[:, places(2)]
    lines = np.zeros((len(used), 2, 2 * m + 1))
    lines[:, 0, :m] = lines[:, 1, m : 2 * m] = w
    lines[:, :, -1] = e
    within = np.zeros((2 * m + 1, 2 * m + 1))
    within[-1, -1] = models.within[number]
    total = within + np.einsum("jqc,jqr,jrd->cd", lines, gram, lines, optimize=True)
    return Moments(
        n_rows=int(models.n_rows[number]),
        total=total,
        within=within,
        gram=gram,
        counts=np.ones(len(used)),
        cell=np.arange(len(used)),
        lines=lines,
        packed=None,
    )
