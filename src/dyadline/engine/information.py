"""The covariance matrix of the estimated covariance parameters, from observed information.

The parameters are (θ, σ²) of the unprofiled criterion. At an optimum its gradient vanishes in these
coordinates, on the boundary too, so the Hessian is a tensor there: in the interior it is the same
information as in (G, σ²), and on the boundary directions in which nothing can vary drop out by themselves.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dyadline.engine.covariance import Structure
from dyadline.engine.criterion import Method
from dyadline.engine.moments import Array
from dyadline.engine.solve import Solution


def parameter_covariance(structure: Structure, solution: Solution, method: Method) -> Array:
    """`2 H⁻¹` in (θ, σ²), (k+1, k+1), zero along directions that the boundary or the data leave free."""
    values, vectors, scale = _curvature(structure, solution, method)
    flat = _flat(values)
    inverse = np.where(flat, 0.0, 2.0 / np.where(flat, 1.0, values))
    return np.asarray((vectors * inverse) @ vectors.T) * np.outer(scale, scale)


def free_directions(structure: Structure, solution: Solution, method: Method) -> tuple[Array, Array]:
    """Directions in (θ, log σ²) along which the criterion does not change, (k+1, m), and the way to (θ, σ²), (k+1,).

    On the boundary such a direction may change θ and not D.
    """
    values, vectors, scale = _curvature(structure, solution, method)
    return vectors[:, _flat(values)], scale


def _flat(values: Array) -> NDArray[np.bool_]:
    return np.asarray(values <= 1e-9 * values[-1])


def _curvature(structure: Structure, solution: Solution, method: Method) -> tuple[Array, Array, Array]:
    """Eigenvalues, ascending, and eigenvectors of the information in (θ, log σ²), and the way from there to σ²."""
    k = len(solution.theta)
    gradient, hessian = solution.evaluation.unprofiled(method)
    _, in_theta = structure.pull_back(solution.theta, gradient[:k], hessian[:k, :k])
    full = np.empty((k + 1, k + 1))
    full[:k, :k], full[k, k] = in_theta, hessian[k, k]
    full[:k, k] = full[k, :k] = structure.jacobian(solution.theta).T @ hessian[:k, k]
    # σ² may be of any size: bring its row to the scale of log σ² before judging what is flat.
    scale = np.append(np.ones(k), solution.evaluation.variance(method))
    values, vectors = np.linalg.eigh(full * np.outer(scale, scale))
    return values, vectors, scale
