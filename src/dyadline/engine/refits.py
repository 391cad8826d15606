"""All refits without one dyad at once: each has its own θ, and what they need of the data is one matrix product.

For two levels and independent residuals. W of all rows at the G different θ is `(G · weights) @ moments`; without a
dyad it is that minus the dyad's own share at its θ. Newton steps with the exact Hessian, from starts that one step
has found, need two or three such products.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from dyadline.engine.boundary import BOUNDARY
from dyadline.engine.covariance import Structure
from dyadline.engine.moments import Array, Index, Moments, lower, summed_outer_products
from dyadline.engine.optima import Mask, Optima, Whole, derivatives, newton, optima

STEPS = 8

ARRIVED = 1e-15
"""A Newton step that promises less, in the criterion, is not made."""

AT_ONCE = 1_000_000
"""Numbers in the weights that are made together."""


def refits(
    whole: Whole,
    moments: Moments,
    within: Array,
    n_rows: Array,
    dyads: Index,
    structure: Structure,
    start: Array,
) -> Optima:
    """Optima without each of some dyads; doubtful where steps did not arrive in the interior.

    Parameters
    ----------
    whole, moments
        Of all rows, summed by design.
    within, n_rows
        Share of each dyad in R, (G, p+1, p+1), and its rows, (G,).
    dyads
        The dyads that go one by one, (G,).
    start
        θ of each, (G, k), near its optimum.
    """
    m, p, restricted = start.shape[1], moments.n_fixed, whole.method == "REML"
    q, cells = moments.n_random, len(moments.gram)
    nu = whole.n - n_rows - p * restricted
    theta = start.copy()
    count = len(start)
    W, everywhere = np.empty((count, p + 1, p + 1)), np.empty((count, p + 1, p + 1))
    log_v, log_v_all, arrived = np.empty(count), np.empty(count), np.zeros(count, dtype=bool)
    block = max(1, AT_ONCE // ((1 + m + m * (m + 1) // 2) * cells * q * q))
    for begin in range(0, count, block):
        active = np.arange(begin, min(begin + block, count))
        for _ in range(STEPS):
            found = _pieces(moments, dyads[active], within[active], structure, theta[active])
            left, left_log_v = found.everywhere - found.own, found.log_v[0] - found.log_v[1]
            gradient, hessian = derivatives(left, m, nu[active], restricted)
            gradient = gradient + found.d_log_v[0] - found.d_log_v[1]
            hessian = hessian + found.dd_log_v[0] - found.dd_log_v[1]
            steps = newton(structure, theta[active], gradient, hessian)
            W[active], everywhere[active] = left[:, 0], found.everywhere[:, 0]
            log_v[active], log_v_all[active] = left_log_v, found.log_v[0]
            there = steps.decrement < ARRIVED
            arrived[active] = there & ~steps.doubtful & _interior(structure, theta[active])
            going = ~there
            theta[active[going]] += steps.step[going]
            active = active[going]
            if not len(active):
                break
    return optima(whole, theta, W, log_v, nu, everywhere, log_v_all, ~arrived)


def by_design(moments: Moments) -> Moments | None:
    """The same moments with outer products summed by design, where these are not too many."""
    if moments.packed is not None:
        return moments
    cells, columns = len(moments.gram), len(lower(moments.n_random)[0]) * len(lower(len(moments.total))[0])
    if cells * columns > AT_ONCE:
        return None
    return replace(moments, packed=summed_outer_products(moments.lines, moments.cell, cells))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pieces:
    """W, (G, 1 + m + m(m+1)/2, p+1, p+1), of all rows and of the dyad alone; log|V| of both with derivatives."""

    everywhere: Array
    own: Array
    log_v: tuple[Array, Array]
    d_log_v: tuple[Array, Array]
    dd_log_v: tuple[Array, Array]


def _pieces(moments: Moments, dyads: Index, within: Array, structure: Structure, theta: Array) -> _Pieces:
    (level,) = structure.levels
    basis, gram, counts, cell = level.basis(), moments.gram, moments.counts, moments.cell[dyads]
    relative = np.stack([level.relative(one) for one in theta])
    nb, count, width = len(basis), len(theta), len(moments.total)
    inner = np.eye(gram.shape[1]) + relative[:, None] @ gram  # (G, K, q, q)
    s = gram @ np.linalg.inv(inner)
    s = (s + s.swapaxes(-1, -2)) / 2.0
    s_basis = s @ basis[:, None, None]
    first, second = lower(nb)
    single = s_basis @ s
    pairs = s_basis[first] @ single[second]
    weights = np.concatenate([s[None], -single, pairs + pairs.swapaxes(-1, -2)])  # (k, G, K, q, q)
    each, mine = np.arange(count), moments.lines[dyads]
    own = (mine.swapaxes(-1, -2) @ (weights[:, each, cell] @ mine)).swapaxes(0, 1)
    own[:, 0] += within
    everywhere = moments.contract(weights.reshape(-1, *gram.shape)).reshape(len(weights), count, width, width)
    everywhere[0] += moments.within
    log_v = np.linalg.slogdet(inner)[1]
    trace = np.trace(s_basis, axis1=-2, axis2=-1)  # (nb, G, K)
    bend = -np.einsum("igkrs,jgksr->gkij", s_basis, s_basis, optimize=True)
    return _Pieces(
        everywhere=everywhere.swapaxes(0, 1),
        own=own,
        log_v=(log_v @ counts, log_v[each, cell]),
        d_log_v=((trace @ counts).T, trace[:, each, cell].T),
        dd_log_v=(np.einsum("gkij,k->gij", bend, counts), bend[each, cell]),
    )


def _interior(structure: Structure, theta: Array) -> Mask:
    (level,) = structure.levels
    values = np.linalg.eigvalsh(np.stack([level.relative(one) for one in theta]))
    return np.asarray(values[:, 0] >= BOUNDARY**2 * np.maximum(1.0, values[:, -1]))
