"""Conditional modes of the random effects, from the outermost level inwards."""

from __future__ import annotations

import numpy as np

from dyadline.engine.covariance import Structure
from dyadline.engine.levels import cells, eliminate, weighed
from dyadline.engine.moments import Array, Moments

Modes = tuple[Array, Array]
"""Modes, (U, q), and their covariance given the data and the parameters, relative to σ², (U, q, q)."""


def conditional(moments: Moments, structure: Structure, theta: Array, combination: Array) -> tuple[Modes, ...]:
    """Modes of each level, innermost first, of the residual `[X y]·v`.

    `b₃ = Q₃Z₃'V⁻¹r`, `b₂ = Q(Z'R⁻¹r − Z'R⁻¹Z₃b₃)` with `Q = (I + DA)⁻¹D`.

    Parameters
    ----------
    combination
        v, (p+1,): minus the fixed effects, and 1.
    """
    relative = structure.relative(theta)
    basis = structure.levels[0].basis()
    width = len(combination)
    if moments.forms is None:
        gram = moments.gram[moments.cell]
        own = np.einsum("jrs,js->jr", gram, moments.lines @ combination)
        link = None if moments.upper is None else gram @ moments.upper.cross[moments.cell]
        stage = cells(moments, relative[0], basis)
    else:
        weighted = weighed(moments.forms, structure.residual.weights(theta[: structure.residual.size]))
        inner = weighted.units[0][0]
        q = inner.shape[1]
        gram, link, own = inner[..., :q], inner[..., q:-width], inner[..., -width:] @ combination
        stage = eliminate(weighted, relative[0], basis)
    big_q = _shrinking(gram, relative[0])
    if len(relative) == 1 or moments.upper is None or link is None:
        return ((np.einsum("jrs,js->jr", big_q, own), big_q),)
    units = stage.units[0][0]
    q3 = units.shape[1]
    above_q = _shrinking(units[..., :q3], relative[1])
    above = np.einsum("hrs,hs->hr", above_q, units[..., q3:] @ combination)
    unit = moments.upper.unit
    own = own - np.einsum("jrs,js->jr", link, above[unit])
    reach = big_q @ link
    spread = big_q + reach @ above_q[unit] @ reach.swapaxes(-1, -2)
    return (np.einsum("jrs,js->jr", big_q, own), spread), (above, above_q)


def _shrinking(gram: Array, relative: Array) -> Array:
    """`(I + DA)⁻¹D`."""
    return np.asarray(np.linalg.inv(np.eye(len(relative)) + relative @ gram) @ relative)
