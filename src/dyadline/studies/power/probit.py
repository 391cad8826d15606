"""A straight line through shares on the probit scale, and where it crosses a value."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from dyadline.studies.intervals import NORMAL

Vector = NDArray[np.float64]

ROUNDS = 100


def probit_line(
    x: Vector, successes: Vector, trials: Vector, *, origin: float, origin_sd: float = math.inf
) -> tuple[Vector, Vector]:
    """Fit P(success) = Φ(a + b·x) by maximum likelihood, with a normal prior of a.

    Fisher scoring; the criterion is concave. Without a prior it needs two different values of x whose successes are
    neither none nor all; with one, a success and a failure anywhere.

    Parameters
    ----------
    x, successes, trials
        Points, 1-d and of one length.
    origin, origin_sd
        Mean and SD of the prior of a.

    Returns
    -------
    (a, b), shape (2,), and their covariance, (2, 2), the inverse of the expected information.
    """
    from scipy.special import log_ndtr, ndtri

    X = np.column_stack([np.ones_like(x), x])
    prior = np.array([origin_sd**-2.0, 0.0])

    def criterion(line: Vector) -> float:
        eta = X @ line
        likelihood = successes @ log_ndtr(eta) + (trials - successes) @ log_ndtr(-eta)
        return float(likelihood - 0.5 * prior[0] * (line[0] - origin) ** 2)

    share = (successes.sum() + 0.5) / (trials.sum() + 1.0)
    line = np.array([origin, (ndtri(share) - origin) * trials.sum() / (trials @ x)])
    for _ in range(ROUNDS):
        eta = X @ line
        log_density = -0.5 * eta**2 - 0.5 * math.log(2.0 * math.pi)
        yes, no = np.exp(log_density - log_ndtr(eta)), np.exp(log_density - log_ndtr(-eta))
        score = X.T @ (successes * yes - (trials - successes) * no) - prior * (line - np.array([origin, 0.0]))
        information = (X.T * (trials * yes * no)) @ X + np.diag(prior)
        step = np.linalg.solve(information, score)
        now, size = criterion(line), 1.0
        while size > 1e-9 and criterion(line + size * step) < now:
            size /= 2.0
        if size <= 1e-9 or step @ score < 1e-20:
            break
        line = line + size * step
    return line, np.linalg.inv(information)


def fieller(a: float, b: float, covariance: Vector) -> tuple[float, float]:
    """The 95 % interval of the x > 0 at which a + b·x is zero; 0 and infinity where nothing bounds it.

    All x at which (a + b·x)² ≤ z²·Var(a + b·x) (Fieller, 1954).
    """
    square = b**2 - NORMAL**2 * covariance[1, 1]
    if not (b > 0.0 and square > 0.0):
        return 0.0, math.inf
    half = a * b - NORMAL**2 * covariance[0, 1]
    root = math.sqrt(max(half**2 - square * (a**2 - NORMAL**2 * covariance[0, 0]), 0.0))
    return max((-half - root) / square, 0.0), max((-half + root) / square, 0.0)
