"""Internal consistency of a scale from the covariances of its items: Cronbach's α and McDonald's ω, with intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dyadline.errors import FitError, PlanError
from dyadline.measures.factor import OneFactor, expected_information, one_factor
from dyadline.measures.records import Array
from dyadline.words import listed


@dataclass(frozen=True, slots=True, kw_only=True)
class Coefficient:
    """A reliability with its confidence interval; NaN where there is none.

    Attributes
    ----------
    estimate, std_error, low, high
        The coefficient, its asymptotic standard error, and its limits.
    note
        What could not be computed and why, or what is odd about the fit; else empty.
    """

    estimate: float = np.nan
    std_error: float = np.nan
    low: float = np.nan
    high: float = np.nan
    note: str = ""


def alpha(S: Array, n: int, *, level: float = 0.95, interval: str = "feldt") -> Coefficient:
    """Cronbach's α = k/(k − 1) · (1 − tr S / ΣS).

    Parameters
    ----------
    S
        Covariances of the items (k × k).
    n
        Complete records behind them.
    level
        Of the interval.
    interval
        ``"feldt"``: (1 − α)/(1 − α̂) as F with (n − 1)(k − 1) and n − 1 df: exact where items are parallel and normal
        (Feldt, Woodruff & Salih 1987). ``"normal"``: α̂ ± z · standard error (Duhachek & Iacobucci 2004), for any
        normal items. The standard error is the latter's in both cases.

    Raises
    ------
    PlanError
        Another name of an interval.
    """
    from scipy.special import fdtri, ndtri

    if interval not in ("feldt", "normal"):
        raise PlanError(f"the interval of α is 'feldt' or 'normal', not {interval!r}")
    k = len(S)
    if k < 2:
        return Coefficient(note="α: a single item")
    if n < 2:
        return Coefficient(note="α: fewer than two complete records")
    total = float(S.sum())
    if not total > 1e-12 * float(np.trace(S)):
        return Coefficient(note="α: the sum of the items does not vary")
    estimate = k / (k - 1) * (1.0 - float(np.trace(S)) / total)
    error = _alpha_error(S, n)
    tail = (1.0 - level) / 2.0
    if interval == "normal":
        low, high = estimate + error * ndtri(tail), estimate - error * ndtri(tail)
    else:
        df = (n - 1.0, (n - 1.0) * (k - 1.0))
        low, high = (1.0 - (1.0 - estimate) * fdtri(*df, p) for p in (1.0 - tail, tail))
    return Coefficient(estimate=estimate, std_error=error, low=float(low), high=float(high))


def _alpha_error(S: Array, n: int) -> float:
    """Asymptotic standard error under normality (van Zyl, Neudecker & Nel 2000)."""
    k, total, trace = len(S), float(S.sum()), float(np.trace(S))
    squared = S @ S
    spread = total * (float(np.trace(squared)) + trace**2) - 2.0 * trace * float(squared.sum())
    return float(np.sqrt(max(0.0, 2.0 * k**2 / (k - 1) ** 2 * spread / total**3 / n)))


def omega(S: Array, n: int, *, level: float = 0.95) -> Coefficient:
    """McDonald's ω (total, one factor) = (Σλ)² / ((Σλ)² + Σψ), by maximum likelihood.

    The standard error is the delta method's with the expected information of loadings and uniquenesses; the interval is
    that of logit ω, turned back, so that it stays between 0 and 1 (Raykov & Marcoulides 2011; Kelley &
    Pornprasertmanit 2016). In a Heywood case ω is that of the fit with the uniqueness at zero, without an interval.

    Parameters
    ----------
    S
        Covariances of the items (k × k).
    n
        Complete records behind them.
    level
        Of the interval.
    """
    from scipy.special import expit, ndtri

    if len(S) < 3:
        return Coefficient(note="ω: fewer than three items do not identify a factor")
    if n <= len(S):
        return Coefficient(note=f"ω: {n} complete records are too few for {len(S)} items")
    try:
        fit = one_factor(S)
    except FitError as reason:
        return Coefficient(note=f"ω: {reason.what}")
    if not fit.converged:
        return Coefficient(note="ω: the factor model did not converge")
    common, unique = float(fit.loadings.sum()), float(fit.uniquenesses.sum())
    estimate, note = common**2 / (common**2 + unique), _oddities(fit)
    if fit.heywood is not None:
        return Coefficient(estimate=estimate, note=note)
    error = _logit_error(fit, n)
    if np.isnan(error):
        return Coefficient(note="ω: the loadings are not identified")
    middle, half = 2.0 * np.log(common) - np.log(unique), error * ndtri((1.0 + level) / 2.0)
    return Coefficient(
        estimate=estimate,
        std_error=error * estimate * (1.0 - estimate),
        low=float(expit(middle - half)),
        high=float(expit(middle + half)),
        note=note,
    )


def _oddities(fit: OneFactor) -> str:
    negative = [str(place + 1) for place in np.flatnonzero(fit.loadings < 0.0)]
    notes = []
    if fit.heywood is not None:
        notes.append(f"ω: Heywood case, no variance of item {fit.heywood + 1} of the scale is unique; no interval")
    if negative:
        notes.append(f"ω: negative loading of item {listed(negative)} of the scale")
    return "; ".join(notes)


def _logit_error(fit: OneFactor, n: int) -> float:
    """Standard error of log((Σλ)²/Σψ); NaN where the information is singular."""
    # in units of the items' model SDs, so that one tolerance serves all
    scale = np.sqrt(fit.loadings**2 + fit.uniquenesses)
    information = expected_information(fit.loadings / scale, fit.uniquenesses / scale**2)
    common, unique = float(fit.loadings.sum()), float(fit.uniquenesses.sum())
    if np.linalg.eigvalsh(information)[0] < 1e-10 or common <= 0.0:
        return float("nan")
    gradient = np.concatenate([2.0 * scale / common, -(scale**2) / unique])
    return float(np.sqrt(gradient @ np.linalg.solve(information, gradient) / n))
