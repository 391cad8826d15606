"""Optima of many responses on one design, written as they are found."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from dyadline.engine.covariance import Level
from dyadline.engine.descent import Ends
from dyadline.engine.moments import Array, Index, Moments
from dyadline.engine.solve import Problem, solve
from dyadline.errors import FitError


@dataclass(frozen=True, slots=True, kw_only=True)
class Solutions:
    """Optima of R responses. Without an answer (no variation): all numbers NaN, not converged.

    Attributes
    ----------
    theta
        (R, k).
    beta
        (R, p).
    inverse
        (X'V⁻¹X)⁻¹, V relative to σ², (R, p, p).
    rss, d_rss, dd_rss
        r'V⁻¹r and its derivatives in the entries, (R,), (R, k) and (R, k, k).
    criterion
        Profiled, (R,).
    converged, singular
        As `Solution` has them, (R,).
    """

    theta: Array
    beta: Array
    inverse: Array
    rss: Array
    d_rss: Array
    dd_rss: Array
    criterion: Array
    converged: NDArray[np.bool_]
    singular: NDArray[np.bool_]

    @classmethod
    def unsolved(cls, p: int, k: int, size: int) -> Solutions:
        """Of replicates that are still to be solved, with p coefficients and k covariance parameters."""
        shapes = ((k,), (p,), (p, p), (), (k,), (k, k), ())
        numbers = [field.name for field in fields(cls)][: len(shapes)]
        return cls(
            **{name: np.full((size, *shape), np.nan) for name, shape in zip(numbers, shapes, strict=True)},
            converged=np.zeros(size, dtype=bool),
            singular=np.zeros(size, dtype=bool),
        )

    def finished(self) -> Solutions:
        """The same, not to be written any more."""
        for field in fields(self):
            getattr(self, field.name).flags.writeable = False
        return self

    def write(self, numbers: Index, level: Level, ends: Ends, root: Array | None = None) -> None:
        """The replicates that arrived, with Λ's diagonal positive; columns of the ends = own columns · root, (p, p)."""
        which = np.flatnonzero(ends.arrived)
        at, theta = numbers[which], ends.theta[which]
        rows, columns = level.entries
        diagonal = np.zeros((len(which), level.size))
        diagonal[:, rows[rows == columns]] = theta[:, rows == columns]
        self.theta[at] = theta * np.where(diagonal < 0.0, -1.0, 1.0)[:, columns]
        beta, inverse = ends.beta[which], ends.inverse[which]
        self.beta[at] = beta if root is None else beta @ root.T
        self.inverse[at] = inverse if root is None else root @ inverse @ root.T
        self.rss[at], self.d_rss[at], self.dd_rss[at] = ends.rss[which], ends.d_rss[which], ends.dd_rss[which]
        self.criterion[at] = ends.value[which]
        self.converged[at] = True

    def write_alone(self, number: int, problem: Problem, moments: Moments) -> None:
        """One replicate solved by itself; one that has no answer stays empty."""
        try:
            found = solve(Problem(moments=moments, structure=problem.structure, method=problem.method))
        except FitError:
            return
        at = found.evaluation
        self.theta[number], self.beta[number], self.inverse[number] = found.theta, at.beta, at.inverse
        self.rss[number], self.d_rss[number], self.dd_rss[number] = at.rss, at.d_rss, at.dd_rss
        self.criterion[number] = at.criterion(problem.method)
        self.converged[number], self.singular[number] = found.converged, found.singular
