"""The table of random effects: variances, covariances and the residual."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dyadline.data.frames import as_kind
from dyadline.engine.descent import factors
from dyadline.engine.information import free_directions, parameter_covariance
from dyadline.engine.moments import Array
from dyadline.engine.residual import Autoregressive, CompoundSymmetry, Pairs
from dyadline.inference.coefficients import check_level
from dyadline.model.fit import Fit, random_covariance

SCHEMA = {
    "term2": pl.String,
    **dict.fromkeys(("std_error", "statistic", "p_value", "conf_low", "conf_high"), pl.Float64),
}
RESIDUAL, CORRELATION = "Residual", "Residual correlation"
"""Groups of the rows that follow the random effects."""

LEFT_FREE = 1e-3
"""Share of a parameter's own direction along which the criterion is flat, from which it is not identified."""


def variance_components(fit: Fit, *, level: float = 0.95) -> Any:
    """Variances and covariances with Wald tests, as SPSS MIXED prints them.

    Standard errors come from the observed information. The confidence interval of a variance is
    `exp(ln θ ± z·SE/θ)`, that of a covariance `θ ± z·SE`, that of a residual correlation
    `tanh(artanh r ± z·SE/(1−r²))`. What the boundary fixes (a variance of zero) has an estimate and nothing else.
    A Wald p of a variance is too large near zero: read it as SPSS users do, or compare models.

    Returns
    -------
    A frame of the kind that was fitted: ``group, term1, term2, estimate, std_error, statistic, p_value,
    conf_low, conf_high``; ``term2`` is missing for variances. Groups: the innermost grouping, the one above it,
    ``Residual`` (one row, or one per level with a variance of its own), ``Residual correlation`` (of two raters, of
    rows one unit of time apart, or of all rows of a group).
    """
    from scipy.special import ndtr, ndtri

    check_level(level)
    names, estimate, kinds = _named(fit)
    covariance = natural_covariance(fit)
    std_error = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    std_error[std_error <= 1e-9 * _sizes(fit)] = np.nan
    is_variance, is_correlation = kinds == "variance", kinds == "correlation"
    std_error[is_variance & (estimate <= 0.0)] = np.nan
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        statistic = estimate / std_error
        reach = float(ndtri(0.5 + level / 2.0)) * std_error
        low = np.where(is_variance, estimate * np.exp(-reach / estimate), estimate - reach)
        high = np.where(is_variance, estimate * np.exp(reach / estimate), estimate + reach)
        z, span = np.arctanh(estimate), reach / (1.0 - estimate**2)
        low = np.where(is_correlation, np.tanh(z - span), low)
        high = np.where(is_correlation, np.tanh(z + span), high)
    table = pl.DataFrame(
        {
            "group": [n[0] for n in names],
            "term1": [n[1] for n in names],
            "term2": [n[2] for n in names],
            "estimate": estimate,
            "std_error": _missing(std_error),
            "statistic": _missing(statistic),
            "p_value": _missing(2.0 * ndtr(-np.abs(statistic))),
            "conf_low": _missing(low),
            "conf_high": _missing(high),
        },
        schema_overrides=SCHEMA,
    )
    return as_kind(table, fit.kind)


def _named(fit: Fit) -> tuple[list[tuple[str, str, str | None]], Array, Any]:
    """Group and terms, estimate and kind of each row of the table."""
    made = fit.design
    names: list[tuple[str, str, str | None]] = []
    estimate: list[float] = []
    kinds: list[str] = []
    for grouping, structure, covariance in zip(
        made.groupings, made.structure.levels, random_covariance(fit), strict=True
    ):
        for r, c in zip(*structure.entries, strict=True):
            names.append((grouping.name, grouping.effects[c], grouping.effects[r] if r != c else None))
            estimate.append(float(covariance[r, c]))
            kinds.append("variance" if r == c else "covariance")
    labels, ratios = made.residual.labels or (RESIDUAL,), _ratios(fit)
    for label, ratio in zip(labels, ratios, strict=True):
        names.append((RESIDUAL, label, None))
        estimate.append(fit.sigma**2 * float(ratio))
        kinds.append("variance")
    if (correlation := residual_correlation(fit, fit.solution.theta)) is not None:
        names.append(correlation[0])
        estimate.append(correlation[1])
        kinds.append("correlation")
    return names, np.array(estimate), np.array(kinds)


def _sizes(fit: Fit) -> Array:
    """How large each row of the table could be at these standard deviations of the standardised effects, (k,).

    What is small beside this is rounding; rows may differ from each other by any factor.
    """
    sizes = []
    for grouping, structure, relative in zip(
        fit.design.groupings, fit.design.structure.levels, fit.solution.relative, strict=True
    ):
        r, c = structure.entries
        reach = fit.sigma * np.abs(grouping.to_random) @ np.sqrt(np.diag(relative))
        sizes.append(reach[r] * reach[c])
    residual = residual_correlation(fit, fit.solution.theta)
    return np.concatenate([*sizes, fit.sigma**2 * _ratios(fit), [] if residual is None else [1.0]])


def _ratios(fit: Fit) -> Array:
    """Residual variances relative to the first."""
    eta = fit.solution.theta[: max(0, len(fit.design.residual.labels) - 1)]
    return np.append(1.0, np.exp(eta))


def components_at(fit: Fit, theta: Array, sigma: Array) -> Array:
    """Estimates of the table at other parameters, (R, k), from θ of each, (R, ·), and σ, (R,)."""
    made = fit.design
    found = []
    for grouping, level, part in zip(made.groupings, made.structure.levels, made.structure.parts, strict=True):
        half = grouping.to_random @ factors(level, theta[:, part])
        rows, columns = level.entries
        found.append((half @ half.swapaxes(-1, -2))[:, rows, columns] * sigma[:, None] ** 2)
    ratios = np.exp(theta[:, : max(0, len(made.residual.labels) - 1)])
    found.append(sigma[:, None] ** 2 * np.concatenate([np.ones((len(theta), 1)), ratios], axis=1))
    if residual_correlation(fit, fit.solution.theta) is not None:
        correlations = [residual_correlation(fit, one) for one in theta]
        found.append(np.array([one[1] for one in correlations if one is not None])[:, None])
    return np.concatenate(found, axis=1)


def residual_correlation(fit: Fit, theta: Array) -> tuple[tuple[str, str, str | None], float, float] | None:
    """Name, value at θ and derivative in its η of the residual's correlation, if the model has one."""
    residual = fit.design.structure.residual
    labels = fit.design.residual.labels
    if isinstance(residual, Pairs):
        r = float(np.tanh(theta[1]))
        return (CORRELATION, labels[0], labels[1]), r, 1.0 - r**2
    if isinstance(residual, Autoregressive):
        phi, eta = residual.correlation(float(theta[0])), float(theta[0])
        slope = -np.exp(eta) * phi if residual.continuous else 1.0 - phi**2
        return (CORRELATION, fit.spec.residual.label, None), phi, float(slope)
    if isinstance(residual, CompoundSymmetry):
        rho = residual.correlation(float(theta[0]))
        span = 1.0 - residual.lowest
        share = (rho - residual.lowest) / span
        return (CORRELATION, fit.spec.residual.label, None), rho, span * share * (1.0 - share)
    return None


def natural_covariance(fit: Fit) -> Array:
    """Covariance matrix of the table's estimates, in its order, by the delta method; NaN for what is not identified."""
    full = _jacobian(fit)
    with np.errstate(over="ignore", invalid="ignore"):  # fourth powers of the outcome's unit
        found = full @ parameter_covariance(fit.design.structure, fit.solution, fit.method) @ full.T
    unknown = unidentified(fit)
    found[unknown] = found[:, unknown] = np.nan
    return np.asarray(found)


def unidentified(fit: Fit) -> NDArray[np.bool_]:
    """Which rows of the table the criterion leaves free, (k,): other values fit as well."""
    free, scale = free_directions(fit.design.structure, fit.solution, fit.method)
    rows = _jacobian(fit) * scale
    rows /= np.maximum(np.abs(rows).max(axis=1, keepdims=True), 1e-300)
    return np.asarray((np.abs(rows @ free) > LEFT_FREE * np.linalg.norm(rows, axis=1, keepdims=True)).any(axis=1))


def _jacobian(fit: Fit) -> Array:
    """Derivative of the table's estimates in (θ, σ²), (k, number of parameters)."""
    made, solution = fit.design, fit.solution
    structure, theta = made.structure, solution.theta
    s = solution.evaluation.variance(fit.method)
    unit, k = made.response_scale**2, len(theta)
    rows: list[Array] = []
    jacobian = structure.jacobian(theta)
    for grouping, level, part, relative in zip(
        made.groupings, structure.levels, structure.parts, solution.relative, strict=True
    ):
        back, (r, c) = grouping.to_random, level.entries
        # G = unit · s · B D B': linear in the entries of D, and those are known functions of θ.
        per_entry = (back @ level.basis() @ back.T)[:, r, c].T
        block = np.zeros((len(r), k + 1))
        block[:, part] = unit * s * per_entry @ jacobian[part, part]
        block[:, -1] = unit * (back @ relative @ back.T)[r, c]
        rows.append(block)
    for number, ratio in enumerate(_ratios(fit)):
        row = np.zeros((1, k + 1))
        row[0, -1] = unit * ratio
        if number:
            row[0, number - 1] = unit * s * ratio
        rows.append(row)
    if (correlation := residual_correlation(fit, theta)) is not None:
        row = np.zeros((1, k + 1))
        row[0, structure.residual.size - 1] = correlation[2]
        rows.append(row)
    return np.concatenate(rows)


def _missing(values: Array) -> list[float | None]:
    return [float(v) if np.isfinite(v) else None for v in values]
