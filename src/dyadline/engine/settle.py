"""Problems in doubt: other starts, and what ends on the boundary made exactly singular."""

from __future__ import annotations

from itertools import chain

import numpy as np

from dyadline.engine.boundary import made_singular, on_boundary
from dyadline.engine.covariance import Structure
from dyadline.engine.descent import Ends, Posed, descend
from dyadline.engine.moments import Array, Index
from dyadline.engine.solve import TIE, scattered, shapes


def settle(problems: Posed, ends: Ends, own: Array, structure: Structure, *, scatter: bool = False) -> Index:
    """Try the other starts of `solve` from where problems ended first; better ends are written into `ends`.

    Parameters
    ----------
    problems, ends
        R problems, and where they ended.
    own
        A start of each problem's own, (R, k).
    structure
        Of their random effects.
    scatter
        Whether also from starts of any size and shape, as small studies need.

    Returns
    -------
    Numbers of those that ended on the boundary.
    """
    same = (np.repeat(theta[None], problems.size, axis=0) for theta in shapes(structure))
    for start in chain((own,), same, scattered(own) if scatter else ()):
        other = descend(problems, start)
        which = np.flatnonzero(other.arrived & ~(other.value >= ends.value - TIE))
        ends.take(which, other, which)
    edge = np.array([i for i in np.flatnonzero(ends.arrived) if on_boundary(structure, ends.theta[i])], dtype=np.intp)
    if edge.size:
        other = descend(problems[edge], np.stack([made_singular(structure, theta) for theta in ends.theta[edge]]))
        which = np.flatnonzero(other.arrived & (other.value <= ends.value[edge] + TIE))
        ends.take(edge[which], other, which)
    return edge
