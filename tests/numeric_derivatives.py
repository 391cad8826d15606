"""Derivatives of any function by central differences and Richardson extrapolation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np


def extrapolated(coarse_to_fine: Sequence[np.ndarray]) -> np.ndarray:
    """Richardson's limit of central differences whose steps halve: errors in h², h⁴, … are removed in turn."""
    table = list(coarse_to_fine)
    for order in range(1, len(table)):
        factor = 4.0**order
        table = [(factor * fine - coarse) / (factor - 1.0) for coarse, fine in pairwise(table)]
    return table[0]


def gradient(f: Callable[[np.ndarray], float], x: np.ndarray, steps: np.ndarray, levels: int = 4) -> np.ndarray:
    """First derivatives by central differences and Richardson extrapolation, shape (k,)."""
    units = np.diag(steps)
    return extrapolated(
        [
            np.array([(f(x + u * 0.5**level) - f(x - u * 0.5**level)) / (2.0 * u.sum() * 0.5**level) for u in units])
            for level in range(levels)
        ]
    )


def hessian(f: Callable[[np.ndarray], float], x: np.ndarray, steps: np.ndarray, levels: int = 4) -> np.ndarray:
    """Second derivatives by central differences and Richardson extrapolation, shape (k, k)."""

    def differences(h: np.ndarray) -> np.ndarray:
        k, centre, units = len(x), f(x), np.diag(h)
        H = np.empty((k, k))
        for i in range(k):
            H[i, i] = (f(x + units[i]) - 2.0 * centre + f(x - units[i])) / h[i] ** 2
            for j in range(i):
                plus, minus = units[i] + units[j], units[i] - units[j]
                corners = f(x + plus) + f(x - plus) - f(x + minus) - f(x - minus)
                H[i, j] = H[j, i] = corners / (4.0 * h[i] * h[j])
        return H

    return extrapolated([differences(steps * 0.5**level) for level in range(levels)])
