"""Imputation of dyad-level predictors from the course of the outcome and the other predictors.

The imputation model is the outcome model turned round: y_tj = u0_j + u1_j t + e_tj, and (u0_j, u1_j, z_j) given x_j
is multivariate normal with a mean linear in x_j; z are the predictors with missing values, x the complete ones (and
their products). Given z it is a growth model in which every predictor enters intercept and slope, so that the outcome
models are compatible with it. Complete predictors are conditioned on: their distribution does not matter.

Predictors with two values are imputed as normal and not rounded: rounding biases proportions and regression
coefficients, and a coefficient needs no value to be 0 or 1 (Horton, Lipsitz & Parzen, 2003). Therapists have no place
in the imputation model, also where the outcome models have three levels.

References
----------
Schafer, J. L., & Yucel, R. M. (2002). J. Comput. Graph. Stat., 11, 437–457. Quartagno, M., & Carpenter, J. R. (2016).
Stat. Med., 35, 2938–2954. Horton, N. J., Lipsitz, S. R., & Parzen, M. (2003). Am. Stat., 57, 229–232.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from dyadline.engine.moments import Array, Index
from dyadline.model.fit import fit, random_covariance

Generators = Sequence[np.random.Generator]

BURN_IN = 200
"""Sweeps of each chain. Every imputation is the end of a chain of its own, so that nothing needs thinning; what must be
forgotten is the common start. In a study of 96 dyads no parameter's autocorrelation exceeds .05 after 50 sweeps
(benchmarks/imputation.py). Slopes that hardly vary, in 1,000 dyads with three occasions, keep .2 of their variance's
after 200, while the imputed values have lost theirs after 10."""

DEPENDENT = 1e-9
"""Share of a complete predictor, not explained by those before it, that is rounding."""

PRIOR_VARIANCE = 0.1
"""Prior guess of a predictor's variance, in standard units: enough to keep the covariance regular where predictors
repeat each other, and little beside the dyads."""

LEAST_SHARE = 0.1
"""Least prior guess of a random effect's variance, as a share of the sampling variance of one dyad's own estimate: a
guess of zero would hold a chain at zero."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImputationModel:
    """The imputation model of J dyads as arrays; outcome, time and predictors in standard units.

    Attributes
    ----------
    products
        Z'Z of each dyad, Z = (1, time), (J, 2, 2).
    own
        Least-squares intercept and slope of each dyad; of smallest norm where it has a single time, (J, 2).
    within
        Sum of squares around those lines.
    n_rows
        Outcome values.
    basis
        Orthonormal columns that span the complete predictors and the constant, (J, r).
    z
        Predictors to impute, NaN where missing, (J, k).
    guess
        Variances of (u0, u1, z) in the prior, (2 + k,).
    residual
        Residual variance in the prior.
    """

    products: Array
    own: Array
    within: float
    n_rows: int
    basis: Array
    z: Array
    guess: Array
    residual: float


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Where M chains stand.

    Attributes
    ----------
    w
        (u0, u1, z) of each dyad, (M, J, 2 + k).
    mean
        Their expectations given the complete predictors, (M, J, 2 + k).
    covariance
        Around these, (M, 2 + k, 2 + k).
    residual
        Residual variance, (M,).
    """

    w: Array
    mean: Array
    covariance: Array
    residual: Array


def impute(rows: pl.DataFrame, complete: Array, z: Array, dyads: pl.Series, *, imputations: int, seed: int) -> Array:
    """Draw the missing predictors.

    Parameters
    ----------
    rows
        ``dyad, time, outcome``, without missing values; rows of other dyads are not looked at.
    complete
        Complete predictors and products, without the constant, (J, p); p may be 0.
    z
        Predictors to impute, NaN where missing, (J, k).
    dyads
        Labels of the J dyads; each has a row.
    imputations
        M; the first imputations are the same whatever M is.
    seed
        Not negative.

    Returns
    -------
    z without gaps, (M, J, k); observed values as they are.

    Raises
    ------
    FitError
        If there is no growth model of the outcome.
    """
    centre, spread = np.nanmean(z, axis=0), np.nanstd(z, axis=0)
    spread = np.where(spread > 0.0, spread, 1.0)
    model = imputation_model(rows, complete, (z - centre) / spread, dyads)
    chains = [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(imputations)]
    state = started(model, imputations)
    for _ in range(BURN_IN):
        state = swept(model, state, chains)
    return np.where(np.isnan(z), state.w[:, :, 2:] * spread + centre, z)


def imputation_model(rows: pl.DataFrame, complete: Array, z: Array, dyads: pl.Series) -> ImputationModel:
    """The model of `impute`; z in standard units."""
    places = pl.DataFrame({"dyad": dyads, "place": np.arange(len(dyads))})
    rows = rows.join(places, on="dyad", maintain_order="left")
    y, t = (_standard(rows[name].to_numpy()) for name in ("outcome", "time"))
    fitted = fit("y ~ t + (t | dyad)", pl.DataFrame({"y": y, "t": t, "dyad": rows["dyad"]}))
    products, own, within = _lines(rows["place"].to_numpy(), y, t, len(dyads))
    sampling = fitted.sigma**2 / products[:, [0, 1], [0, 1]].mean(axis=0)
    random = np.maximum(np.diag(random_covariance(fitted)[0]), LEAST_SHARE * sampling)
    return ImputationModel(
        products=products,
        own=own,
        within=within,
        n_rows=len(y),
        basis=_orthonormal(np.column_stack([np.ones(len(dyads)), *(_standard(column) for column in complete.T)])),
        z=z,
        guess=np.append(random, np.full(z.shape[1], PRIOR_VARIANCE)),
        residual=fitted.sigma**2,
    )


def _standard(values: Array) -> Array:
    spread = float(np.std(values))
    return np.asarray((values - values.mean()) / (spread if spread > 0.0 else 1.0))


def _orthonormal(columns: Array) -> Array:
    """The columns one after the other made orthonormal, those left out that repeat others, (J, r).

    Unlike singular vectors these do not turn with the last digits: the same seed gives the same imputations.
    """
    basis = np.empty((len(columns), 0))
    for column in columns.T:
        rest = column - basis @ (basis.T @ column)
        rest -= basis @ (basis.T @ rest)
        if np.linalg.norm(rest) > DEPENDENT * np.sqrt(len(columns)):
            basis = np.column_stack([basis, rest / np.linalg.norm(rest)])
    return basis


def _lines(place: Index, y: Array, t: Array, n: int) -> tuple[Array, Array, float]:
    """Z'Z and own line of each dyad, and the sum of squares around the lines."""
    total, first, second = (np.bincount(place, weights=t**power, minlength=n) for power in (0, 1, 2))
    products = np.stack([total, first, first, second], axis=1, dtype=np.float64).reshape(n, 2, 2)
    cross = np.stack([np.bincount(place, weights=y * t**power, minlength=n) for power in (0, 1)], axis=1)
    own = np.einsum("jab,jb->ja", np.linalg.pinv(products, hermitian=True), cross)
    residuals = y - own[place, 0] - own[place, 1] * t
    return np.asarray(products), np.asarray(own), float(residuals @ residuals)


def started(model: ImputationModel, chains: int) -> State:
    """All chains at the prior's guess, missing values at their means."""
    j, q = len(model.z), len(model.guess)
    w = np.concatenate([np.zeros((j, 2)), np.nan_to_num(model.z)], axis=1)
    mean = model.basis @ (model.basis.T @ w)
    return State(
        w=np.tile(w, (chains, 1, 1)),
        mean=np.tile(mean, (chains, 1, 1)),
        covariance=np.tile(np.diag(model.guess), (chains, 1, 1)).reshape(chains, q, q),
        residual=np.full(chains, model.residual),
    )


def swept(model: ImputationModel, state: State, generators: Generators) -> State:
    """One sweep of the Gibbs sampler: missing predictors, lines of the dyads, expectations, covariance, residual.

    Missing predictors are drawn from their distribution over all lines of their dyad, the lines after them: chains
    forget faster than if each were drawn given the other.
    """
    w = state.w.copy()
    w[:, :, 2:] = missing_drawn(model, state, generators)
    w[:, :, :2] = lines_drawn(model, w, state, generators)
    mean, covariance = moments_drawn(model, w, generators)
    around = w[:, :, :2] - model.own
    squares = model.within + np.einsum("mja,jab,mjb->m", around, model.products, around, optimize=True)
    # The prior counts as one row with the guessed variance.
    counted = np.array([g.chisquare(model.n_rows + 1) for g in generators])
    residual = (squares + model.residual) / counted
    return State(w=w, mean=mean, covariance=covariance, residual=residual)


def conditional(model: ImputationModel, state: State) -> tuple[Index, Array, Array, Array]:
    """What is not observed of the dyads that lack a predictor: (u, z_mis) given outcome and observed predictors.

    Returns
    -------
    Dyads, (I,); which of (u0, u1, z) are unknown, (I, q); precision A, (M, I, q, q), the identity where known; and
    A times the expectation, (M, I, q), zero where known.
    """
    dyads = np.flatnonzero(np.isnan(model.z).any(axis=1))
    unknown = np.concatenate([np.ones((len(dyads), 2), dtype=bool), np.isnan(model.z[dyads])], axis=1)
    prior = np.linalg.inv(state.covariance)
    precision = np.repeat(prior[:, None], len(dyads), axis=1)
    data = model.products[dyads] / state.residual[:, None, None, None]
    precision[:, :, :2, :2] += data
    known = np.where(unknown, 0.0, np.append(np.zeros((len(dyads), 2)), model.z[dyads], axis=1))
    weighed = np.einsum("mab,mib->mia", prior, state.mean[:, dyads], optimize=True)
    weighed[:, :, :2] += np.einsum("miab,ib->mia", data, model.own[dyads])
    weighed -= np.einsum("miab,ib->mia", precision, known)
    both = unknown[:, :, None] & unknown[:, None, :]
    return dyads, unknown, np.where(both, precision, np.eye(unknown.shape[1])), np.where(unknown, weighed, 0.0)


def missing_drawn(model: ImputationModel, state: State, generators: Generators) -> Array:
    """z with its gaps filled, (M, J, k)."""
    filled = state.w[:, :, 2:].copy()
    dyads, unknown, precision, weighed = conditional(model, state)
    noise = np.linalg.cholesky(precision) @ _normal(generators, unknown.shape)[..., None]
    drawn = np.linalg.solve(precision, weighed[..., None] + noise)[..., 0]
    filled[:, dyads] = np.where(unknown[:, 2:], drawn[:, :, 2:], filled[:, dyads])
    return np.asarray(filled)


def lines_drawn(model: ImputationModel, w: Array, state: State, generators: Generators) -> Array:
    """u given outcome and all predictors, (M, J, 2)."""
    covariance, residual = state.covariance, state.residual[:, None, None]
    slopes = np.linalg.solve(covariance[:, 2:, 2:], covariance[:, 2:, :2])
    prior = np.linalg.inv(covariance[:, :2, :2] - covariance[:, :2, 2:] @ slopes)
    expected = state.mean[:, :, :2] + (w[:, :, 2:] - state.mean[:, :, 2:]) @ slopes
    weighed = expected @ prior + np.einsum("jab,jb->ja", model.products, model.own) / residual
    (a, b), (_, d) = ([prior[:, r, c, None] + model.products[:, r, c] / residual[:, 0] for c in (0, 1)] for r in (0, 1))
    # Two by two, so Cholesky's factor and the inverse are written out: many dyads at once.
    noise = _normal(generators, (len(model.z), 2))
    root = np.sqrt(a)
    below = b / root
    rest = np.sqrt(d - below**2)
    h0 = weighed[:, :, 0] + root * noise[:, :, 0]
    h1 = weighed[:, :, 1] + below * noise[:, :, 0] + rest * noise[:, :, 1]
    determinant = (root * rest) ** 2
    return np.stack([(d * h0 - b * h1) / determinant, (a * h1 - b * h0) / determinant], axis=2)


def moments_drawn(model: ImputationModel, w: Array, generators: Generators) -> tuple[Array, Array]:
    """Expectations, (M, J, q), and covariance, (M, q, q), given all of w.

    Flat prior of the coefficients; inverse-Wishart prior of the covariance with q + 1 degrees of freedom and the
    guesses as scale: it weighs as much as one dyad.
    """
    basis, (j, q) = model.basis, w.shape[1:]
    rank = basis.shape[1]
    fitted = basis.T @ w
    around = w - basis @ fitted
    scale = np.linalg.cholesky(around.swapaxes(1, 2) @ around + np.diag(model.guess))
    covariance = scale @ _inverse_wishart(q + 1 + j - rank, q, generators) @ scale.swapaxes(1, 2)
    covariance = (covariance + covariance.swapaxes(1, 2)) / 2.0
    noise = _normal(generators, (rank, q)) @ np.linalg.cholesky(covariance).swapaxes(1, 2)
    return basis @ (fitted + noise), covariance


def _inverse_wishart(freedom: int, q: int, generators: Generators) -> Array:
    """Inverse-Wishart matrices with the identity as scale, (M, q, q), by Bartlett's decomposition."""
    below = np.tril(_normal(generators, (q, q)), -1)
    below[:, range(q), range(q)] = np.sqrt([g.chisquare(freedom - np.arange(q)) for g in generators])
    inverse = np.linalg.inv(below)
    return np.asarray(inverse.swapaxes(1, 2) @ inverse)


def _normal(generators: Generators, shape: tuple[int, ...]) -> Array:
    return np.stack([g.standard_normal(shape) for g in generators])
