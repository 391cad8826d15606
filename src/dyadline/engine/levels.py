"""The recursive step: random effects of one level are eliminated, and what is left is a problem of the level above.

A level's units u enter by `A_u = Z'V⁻¹Z` and `B_u = Z'V⁻¹[Z₊ X y]` with V of everything below, Z₊ the columns of the
levels above. With `P = (I + DA)⁻¹`, `Q = PD` and `S = AP` the step gives, for the columns c = [Z₊ X y],

    T  ←  T − Σ B'QB      log|V|  ←  log|V| + Σ log|I + DA|.

A and B may depend on parameters φ_i (residual, levels below). With `K = [[S, P'], [P, −Q]]`, the inverse of
`[[D, I], [I, −A]]`, and x_i = (0, ∂_iB − ∂_iA QB) for those, x_l = (−Δ_l P'B, 0) for the entries of D,

    ∂_ij T  ←  ∂_ij T + x_i'K x_j + x_j'K x_i − (terms in ∂_ij A and ∂_ij B, as in ∂_i T).

If `Z₃c` has been taken out of [X y] before (`moments.centred`), `K(c, B)` takes the place of `K(0, B)` everywhere.
At the bottom, where `A = Z'Z` is constant, `cells` takes the same step for all dyads of a design at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from dyadline.engine.forms import Forms, SerialRows
from dyadline.engine.moments import Array, Index, Moments, lower
from dyadline.engine.residual import Weights


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What is left of the likelihood when the levels below are eliminated, and its m parameters' derivatives.

    Attributes
    ----------
    products
        `[X y]'V⁻¹[X y]` and its first and second derivatives, (1 + m + m(m+1)/2, p+1, p+1); the second ones as
        the lower triangle, row by row.
    log_v, d_log_v, dd_log_v
        log|V|, (m,) and (m, m).
    units
        `[A B]` of the units of each level still to be eliminated, (1 + m + m(m+1)/2, U, q, q+q₊+p+1).
    parent
        For each of these levels but the last, the unit above each unit, (U,), ascending.
    reference
        Coefficients c, (U, q, p+1), of the last level's columns that have been taken out of `[X y]`.
    """

    products: Array
    log_v: float
    d_log_v: Array
    dd_log_v: Array
    units: tuple[Array, ...] = ()
    parent: tuple[Index, ...] = ()
    reference: Array | None = None


def weighed(forms: Forms | SerialRows, weights: Weights) -> Stage:
    """The rows under R⁻¹(η): nothing eliminated yet."""
    inner, upper, total = forms.combined(weights)
    return Stage(
        products=total,
        log_v=weights.log_det,
        d_log_v=weights.d_log_det,
        dd_log_v=weights.dd_log_det,
        units=(inner,) if upper is None else (inner, upper),
        parent=() if forms.unit is None else (forms.unit,),
    )


def cells(moments: Moments, relative: Array, basis: Array) -> Stage:
    """The dyads eliminated at once, all of the same design together: `T = R + Σ b'Sb`."""
    gram, counts = moments.gram, moments.counts
    nb = len(basis)
    inner = np.eye(moments.n_random) + relative @ gram
    s_k = gram @ np.linalg.inv(inner)
    s_k = (s_k + s_k.swapaxes(-1, -2)) / 2.0
    s_basis = s_k @ basis[:, None]  # (nb, K, q, q)
    first, second = lower(nb)
    single = s_basis @ s_k
    pairs = s_basis[first] @ single[second]
    weights = np.concatenate([s_k[None], -single, pairs + pairs.swapaxes(-1, -2)])
    products = moments.contract(weights)
    products[0] += moments.within
    weighted = (s_basis * counts[:, None, None]).reshape(nb, -1)
    return Stage(
        products=products,
        log_v=float(counts @ np.linalg.slogdet(inner)[1]),
        d_log_v=np.trace(s_basis, axis1=-2, axis2=-1) @ counts,
        dd_log_v=-weighted @ s_basis.swapaxes(-1, -2).reshape(nb, -1).T,
        units=() if moments.upper is None else (_above(moments, weights),),
        reference=None if moments.upper is None else moments.upper.reference,
    )


def _above(moments: Moments, weights: Array) -> Array:
    """`Z₃'V⁻¹[Z₃ X y]` of each therapist with its derivatives, (k, H, q₃, q₃+p+1), from sums over cells."""
    upper = moments.upper
    assert upper is not None
    cross = upper.cross
    left = cross.swapaxes(-1, -2) @ weights  # (k, K, q₃, q)
    own = left @ cross
    heads = np.flatnonzero(np.r_[True, upper.pair_unit[1:] != upper.pair_unit[:-1]])
    result = np.empty((len(weights), *upper.rest.shape))
    q3 = cross.shape[2]
    for number in range(len(weights)):
        square = own[number][upper.pair_cell] * upper.pair_counts[:, None, None]
        result[number, :, :, :q3] = np.add.reduceat(square, heads, axis=0)
        result[number, :, :, q3:] = np.add.reduceat(left[number][upper.pair_cell] @ upper.pair_sums, heads, axis=0)
    result[0] += upper.rest
    return result


AT_ONCE = 250
"""Units of the last level that are eliminated together: their arrays should stay in the processor's cache."""


def eliminate(stage: Stage, relative: Array, basis: Array) -> Stage:
    """Eliminate the first level that is left; its entries of D become the last parameters."""
    if not len(relative):  # only residuals hang together
        return replace(stage, units=stage.units[1:], parent=stage.parent[1:])
    many = stage.units[0].shape[1]
    if stage.parent or many <= AT_ONCE:
        return _eliminated(stage, relative, basis)

    def part(here: slice) -> Stage:
        reference = None if stage.reference is None else stage.reference[here]
        return replace(stage, units=(stage.units[0][:, here],), reference=reference)

    return _in_parts(part, many, relative, basis)


def dyads_under(forms: Forms | SerialRows, weights: Weights, relative: Array, basis: Array) -> Stage:
    """The dyads eliminated under R⁻¹(η); a part of them at a time where there is nothing above."""
    if isinstance(forms, SerialRows) or forms.unit is not None:
        return eliminate(weighed(forms, weights), relative, basis)
    inner = forms.inner

    def part(here: slice) -> Stage:
        return weighed(replace(forms, inner=inner[:, here]), weights)

    return _in_parts(part, inner.shape[1], relative, basis)


def _in_parts(part: Callable[[slice], Stage], many: int, relative: Array, basis: Array) -> Stage:
    """What the units of the last level take from T adds up: all but the first part start from nothing."""
    found = []
    for begin in range(0, many, AT_ONCE):
        stage = part(slice(begin, begin + AT_ONCE))
        if begin:
            stage = replace(
                stage,
                products=np.zeros_like(stage.products),
                log_v=0.0,
                d_log_v=np.zeros_like(stage.d_log_v),
                dd_log_v=np.zeros_like(stage.dd_log_v),
            )
        found.append(_eliminated(stage, relative, basis))
    return Stage(
        products=np.sum([one.products for one in found], axis=0),
        log_v=sum(one.log_v for one in found),
        d_log_v=np.sum([one.d_log_v for one in found], axis=0),
        dd_log_v=np.sum([one.dd_log_v for one in found], axis=0),
    )


def _eliminated(stage: Stage, relative: Array, basis: Array) -> Stage:
    units = stage.units[0]
    m, nb, q = len(stage.d_log_v), len(basis), units.shape[2]
    a, b = units[..., :q], units[..., q:]
    inner = np.eye(q) + relative @ a[0]
    p = np.linalg.inv(inner)
    pt, big_q, s = p.swapaxes(-1, -2), p @ relative, a[0] @ p
    z, g = big_q @ b[0], pt @ b[0]
    taken_out = stage.reference if not stage.parent else None
    if taken_out is not None:  # K(c, B) in place of K(0, B)
        z, g = z - p @ taken_out, g + s @ taken_out
    below = b[1 : m + 1] - a[1 : m + 1] @ z
    delta_g = basis[:, None] @ g
    step = _Step(
        # Terms of the value and of ∂A, ∂B are h'z + z'h.
        h=np.concatenate([b[:1] / 2.0, b[1:] - a[1:] @ z / 2.0]),
        z=z,
        g=g,
        x=(below, -delta_g),
        top=np.concatenate([pt @ below, -(s @ delta_g)]),
        bottom=-(big_q @ below),
    )
    wide, width = b.shape[3], stage.products.shape[1]
    upper: tuple[Array, ...] = ()
    if stage.parent:
        above, heads = stage.units[1], np.flatnonzero(np.r_[True, stage.parent[0][1:] != stage.parent[0][:-1]])
        upper = (_grown(above, m, nb) + step.sums(above.shape[2], heads), *stage.units[2:])
    d_log_v, dd_log_v = _log_det(stage, a, p, big_q, s, basis)
    return Stage(
        products=_grown(stage.products, m, nb) + step.totals(slice(wide - width, wide), taken_out),
        log_v=stage.log_v + float(np.linalg.slogdet(inner)[1].sum()),
        d_log_v=d_log_v,
        dd_log_v=dd_log_v,
        units=upper,
        parent=stage.parent[1:],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """What one elimination takes from T, for all columns c of the units: arrays (·, U, q, c)."""

    h: Array
    z: Array
    g: Array
    x: tuple[Array, Array]
    top: Array
    bottom: Array

    def totals(self, ours: slice, taken_out: Array | None) -> Array:
        """Change of the value, first and second derivatives for the columns [X y], summed over the units."""
        below, entries = (_flat(x[..., ours]) for x in self.x)
        m, nb = len(below), len(entries)
        g, z = _flat(self.g[None, ..., ours])[0], _flat(self.z[None, ..., ours])[0]
        simple = _flat(self.h[..., ours]).swapaxes(-1, -2) @ z
        simple += simple.swapaxes(-1, -2)
        delta = entries.swapaxes(-1, -2) @ g
        width = g.shape[1]
        top, bottom = (_flat(k[..., ours]).transpose(1, 0, 2).reshape(len(g), -1) for k in (self.top, self.bottom))
        rows, columns = lower(m + nb)
        pairs = np.empty((m + nb, m + nb, width, width))
        if m:
            found = below.transpose(0, 2, 1).reshape(-1, len(g)) @ bottom
            pairs[:m, :m] = found.reshape(m, width, m, width).transpose(0, 2, 1, 3)
        found = entries.transpose(0, 2, 1).reshape(-1, len(g)) @ top
        pairs[m:] = found.reshape(nb, width, m + nb, width).transpose(0, 2, 1, 3)
        second = pairs[rows, columns]
        second += second.swapaxes(-1, -2)
        second[: m * (m + 1) // 2] -= simple[m + 1 :]
        if taken_out is not None:
            value = _flat(taken_out[None])[0].T @ g
            simple[0] -= (value + value.T) / 2.0
        return np.concatenate([-simple[: m + 1], delta, second])

    def sums(self, q3: int, heads: Index) -> Array:
        """The same for the rows Z₊ and all columns, summed over the units of each unit above."""

        def summed(left: Array, right: Array) -> Array:
            return np.asarray(np.add.reduceat(left[..., :q3].swapaxes(-1, -2) @ right, heads, axis=-3))

        below, entries = self.x
        m, nb = len(below), len(entries)
        simple = np.stack([summed(h, self.z) + summed(self.z, h) for h in self.h])
        delta = np.stack([summed(self.g, e) for e in entries])
        second = []
        for i, j in zip(*lower(m + nb), strict=True):
            x, k = (below[i], self.bottom[j]) if i < m else (entries[i - m], self.top[j])
            second.append(summed(x, k) + summed(k, x))
        pairs = np.stack(second)
        pairs[: m * (m + 1) // 2] -= simple[m + 1 :]
        return np.concatenate([-simple[: m + 1], delta, pairs])


def _flat(units: Array) -> Array:
    """(k, U·q, c)."""
    return units.reshape(len(units), units.shape[1] * units.shape[2], units.shape[3])


def _grown(known: Array, m: int, nb: int) -> Array:
    """Value and derivatives with room for nb more parameters."""
    rest = known.shape[1:]
    new_pairs = (m + nb) * (m + nb + 1) // 2 - m * (m + 1) // 2
    return np.concatenate([known[: m + 1], np.zeros((nb, *rest)), known[m + 1 :], np.zeros((new_pairs, *rest))])


def _log_det(stage: Stage, a: Array, p: Array, big_q: Array, s: Array, basis: Array) -> tuple[Array, Array]:
    """Gradient and Hessian of log|V| after the step."""
    m, nb = len(stage.d_log_v), len(basis)
    first, second = lower(m)
    q_a = big_q @ a[1 : m + 1]
    s_basis = s @ basis[:, None]
    gradient = np.concatenate(
        [
            stage.d_log_v + np.einsum("urs,musr->m", big_q, a[1 : m + 1]),
            np.trace(s_basis, axis1=-2, axis2=-1).sum(axis=1),
        ]
    )
    hessian = np.zeros((m + nb, m + nb))
    hessian[:m, :m] = stage.dd_log_v - np.einsum("iurs,jusr->ij", q_a, q_a)
    curved = np.einsum("urs,musr->m", big_q, a[m + 1 :])
    hessian[first, second] += curved
    off = first != second
    hessian[second[off], first[off]] += curved[off]
    inside = (p.swapaxes(-1, -2) @ a[1 : m + 1] @ p).sum(axis=1)
    hessian[:m, m:] = np.einsum("mrs,lsr->ml", inside, basis)
    hessian[m:, :m] = hessian[:m, m:].T
    hessian[m:, m:] = -np.einsum("iurs,jusr->ij", s_basis, s_basis)
    return gradient, hessian
