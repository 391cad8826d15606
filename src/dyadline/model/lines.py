"""Models of dyads' lines fitted to many studies at once, each with its own occasions and predictors.

What `fit` finds for ``y ~ t * (x1 + x2) + (t | dyad)``, study by study: simulations rest on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dyadline.engine.criterion import Method
from dyadline.engine.descent import factors
from dyadline.engine.line_models import LINE, LineModels, line_models, pressed, residual_lines, side_by_side, weights
from dyadline.engine.line_solve import line_freedom, solve_line_models
from dyadline.engine.moments import Array
from dyadline.engine.solutions import Solutions

INTERCEPT = "(Intercept)"


@dataclass(frozen=True, slots=True, kw_only=True)
class LineFits:
    """Fits of R studies; a study without an answer has NaN everywhere and did not converge.

    Attributes
    ----------
    terms
        Names of the p coefficients: the constant and the predictors, then time and its products with them.
    estimates, std_errors
        (R, p).
    sigma
        Residual standard deviations, (R,).
    covariance
        Of the random intercept and slope, (R, 2, 2).
    converged, singular
        As for a single `Fit`, (R,).
    models, solutions, back, centre
        What was solved, in standardised columns: for whoever asks further questions.
    """

    terms: tuple[str, ...]
    estimates: Array
    std_errors: Array
    sigma: Array
    covariance: Array
    converged: NDArray[np.bool_]
    singular: NDArray[np.bool_]
    models: LineModels
    solutions: Solutions
    back: Scale


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """From standardised columns to named ones: t = centre + unit · t', y = shift + size · y', x = width · x'.

    Attributes
    ----------
    centre, unit
        Of time, the same for all studies.
    shift, size
        Of the response, (R,).
    width
        Of the predictors, the constant first, (R, m).
    """

    centre: float
    unit: float
    shift: Array
    size: Array
    width: Array

    def line(self, part: Array) -> Array:
        """Intercept and slope at t = 0 per unit of t, from those in t', (..., 2)."""
        slope = part[..., 1] / self.unit
        return np.stack([part[..., 0] - slope * self.centre, slope], axis=-1)

    @property
    def turn(self) -> Array:
        """The same as a matrix, (2, 2)."""
        return np.array([[1.0, -self.centre / self.unit], [0.0, 1.0 / self.unit]])


def fit_lines(
    t: Array,
    responses: Array,
    predictors: Mapping[str, Array] | None = None,
    method: Method = "REML",
    *,
    time: str = "t",
) -> LineFits:
    """Fit `y ~ t * (x1 + x2 + …) + (t | dyad)` to each of R studies.

    Parameters
    ----------
    t
        Model time of each occasion, (K,).
    responses
        (R, J, K), NaN where there is none.
    predictors
        Of the dyad, (R, J) each; a dyad that lacks one is left out of its study. They should be centred: one whose mean
        is 100,000 of its standard deviations counts as constant, which `fit` can still tell apart.
    method
        ``"REML"`` or ``"ML"``.
    time
        Name of t among the terms.
    """
    # How an array lies in memory decides in which order it is summed.
    responses = np.ascontiguousarray(responses)
    given = {name: np.ascontiguousarray(values) for name, values in (predictors or {}).items()}
    size, dyads, _ = responses.shape
    known = np.ones((size, dyads), dtype=bool)
    for values in given.values():
        known &= np.isfinite(values)
    there = np.isfinite(responses) & known[:, :, None]
    scale, w = _standards(t, responses, there, list(given.values()), known)
    y = np.where(there, (responses - scale.shift[:, None, None]) / scale.size[:, None, None], 0.0)
    at = (t - scale.centre) / scale.unit
    models = _models(at, y, there, w, method)
    found = solve_line_models(models)
    return _named(tuple(given), time, models, found, scale)


def satterthwaite_lines(fits: LineFits, terms: tuple[str, ...]) -> Array:
    """Satterthwaite degrees of freedom of some terms, (R, number of terms); see `inference.freedom.satterthwaite`."""
    m = len(fits.terms) // 2
    rows = np.zeros((len(terms), 2 * m))
    for row, term in zip(rows, terms, strict=True):
        number = fits.terms.index(term)
        row[[number % m, m + number % m]] = fits.back.turn[number // m]
    return line_freedom(fits.models, fits.solutions, rows)


def curves(fits: LineFits) -> Array:
    """Each dyad's curve, fixed effects plus conditional modes, as intercept and slope, (R, J, 2); NaN without rows."""
    models, found = fits.models, fits.solutions
    factor = factors(LINE, found.theta)
    relative = factor @ factor.swapaxes(-1, -2)
    s, _ = weights(models, np.moveaxis(relative, 0, -1))
    left = residual_lines(models, found.beta)
    line = relative @ pressed(s, left) + (models.lines - left)
    named = fits.back.line(np.moveaxis(line, 1, 2)) * fits.back.size[:, None, None]
    named[..., 0] += fits.back.shift[:, None]
    named[models.gram[:, 0] == 0.0] = np.nan
    return np.asarray(named)


def _standards(
    t: Array, responses: Array, there: NDArray[np.bool_], predictors: list[Array], known: NDArray[np.bool_]
) -> tuple[Scale, Array]:
    """Scales, by the rule for a single study but for time's, and the standardised predictors, (R, J, m)."""
    counts = np.maximum(there.sum(axis=(1, 2)), 1)
    shift = np.where(there, responses, 0.0).sum(axis=(1, 2)) / counts
    spread = np.sqrt((np.where(there, responses - shift[:, None, None], 0.0) ** 2).sum(axis=(1, 2)) / counts)
    columns, widths = [known.astype(np.float64)], [np.ones(len(responses))]
    for values in predictors:
        held = np.where(known, values, 0.0)
        width = _binary(np.sqrt((held * held).sum(axis=1) / np.maximum(known.sum(axis=1), 1)))
        columns.append(held / width[:, None])
        widths.append(width)
    scale = Scale(
        centre=float(t.mean()),
        unit=float(_binary(np.array([t.std()]))[0]),
        shift=shift,
        size=_binary(spread),
        width=np.stack(widths, axis=1),
    )
    return scale, np.stack(columns, axis=2)


def _binary(sizes: Array) -> Array:
    """The nearest power of two, so that scaling rounds nothing."""
    usable = (sizes > 0.0) & np.isfinite(sizes)
    return np.where(usable, 2.0 ** np.round(np.log2(np.where(usable, sizes, 1.0))), 1.0)


def _models(t: Array, y: Array, there: NDArray[np.bool_], w: Array, method: Method) -> LineModels:
    """Each dyad's least-squares line and what it leaves."""
    seen = there.astype(np.float64)
    n = seen @ np.ones_like(t)
    safe = np.maximum(n, 1.0)
    mean_t, mean_y = seen @ t / safe, y @ np.ones_like(t) / safe
    from_mean = np.where(there, t - mean_t[:, :, None], 0.0)
    spread = (from_mean * from_mean) @ np.ones_like(t)
    spread[n < 2.0] = 0.0
    off = np.where(there, y - mean_y[:, :, None], 0.0)
    slope = np.where(spread > 0.0, (from_mean * off) @ np.ones_like(t) / np.where(spread > 0.0, spread, 1.0), 0.0)
    left = off - slope[:, :, None] * from_mean
    return line_models(
        gram=side_by_side(n, n * mean_t, spread + n * mean_t * mean_t),
        determinant=n * spread,
        lines=side_by_side(mean_y - slope * mean_t, slope),
        within=(left * left).sum(axis=(1, 2)),
        n_rows=n.sum(axis=1),
        predictors=w,
        method=method,
    )


def _named(names: tuple[str, ...], time: str, models: LineModels, found: Solutions, scale: Scale) -> LineFits:
    m = len(names) + 1
    sigma = scale.size * np.sqrt(found.rss / models.degrees)
    parts = np.moveaxis(found.beta.reshape(-1, 2, m), 1, 2)  # (R, m, 2)
    estimates = scale.line(parts) * (scale.size[:, None] / scale.width)[:, :, None]
    estimates[:, 0, 0] += scale.shift
    number = np.arange(m)
    blocks = np.ascontiguousarray(found.inverse.reshape(-1, 2, m, 2, m)[:, :, number, :, number])  # (m, R, 2, 2)
    turned = scale.turn @ blocks @ scale.turn.T
    sizes = np.moveaxis(np.stack([turned[..., 0, 0], turned[..., 1, 1]], axis=2), 0, 1)
    errors = sigma[:, None, None] * np.sqrt(sizes) / scale.width[:, :, None]
    factor = scale.turn @ factors(LINE, found.theta)
    # The slope's part of a dyad's line is in the response's units; σ²D likewise.
    covariance = (sigma**2)[:, None, None] * (factor @ factor.swapaxes(-1, -2))
    terms = (INTERCEPT, *names, time, *(f"{time}:{name}" for name in names))
    return LineFits(
        terms=terms,
        estimates=estimates.swapaxes(1, 2).reshape(-1, 2 * m),
        std_errors=errors.swapaxes(1, 2).reshape(-1, 2 * m),
        sigma=sigma,
        covariance=covariance,
        converged=found.converged,
        singular=found.singular,
        models=models,
        solutions=found,
        back=scale,
    )
