"""Internal consistency of a scale from the covariances of its items: Cronbach's α and McDonald's ω, with intervals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from dyadline.errors import FitError, PlanError
from dyadline.measures.factor import OneFactor, expected_information, one_factors
from dyadline.measures.records import Array
from dyadline.words import listed

NUMBERS_AT_ONCE = 2_000_000
"""Second derivatives of factor models that are held at a time."""


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
    return omegas(S[None], np.array([n]), level=level)[0]


def omegas(S: Array, n: Array, *, level: float = 0.95) -> list[Coefficient]:
    """`omega` of several scales with as many items, at once: covariances (m × k × k) of n (m) complete records."""
    k = S.shape[-1]
    if k < 3:
        return [Coefficient(note="ω: fewer than three items do not identify a factor")] * len(S)
    size = max(1, NUMBERS_AT_ONCE // (2 * k) ** 2)
    blocks = (slice(start, start + size) for start in range(0, len(S), size))
    return [one for block in blocks for one in _omegas(S[block], n[block], level)]


def _omegas(S: Array, n: Array, level: float) -> Iterator[Coefficient]:
    enough = np.flatnonzero(n > S.shape[-1])
    fits = dict(zip(enough.tolist(), one_factors(S[enough]), strict=True))
    inside = {i: f for i, f in fits.items() if isinstance(f, OneFactor) and f.converged and f.heywood is None}
    errors = dict(zip(inside, _logit_errors(list(inside.values())) / np.sqrt(n[list(inside)]), strict=True))
    for i, records in enumerate(n.tolist()):
        fit = fits.get(i)
        if fit is None:
            yield Coefficient(note=f"ω: {records} complete records are too few for {S.shape[-1]} items")
        elif isinstance(fit, FitError):
            yield Coefficient(note=f"ω: {fit.what}")
        elif not fit.converged:
            yield Coefficient(note="ω: the factor model did not converge")
        else:
            yield _omega(fit, records, errors.get(i), level)


def _omega(fit: OneFactor, n: int, error: float | None, level: float) -> Coefficient:
    """ω of a fit, given the standard error of its log odds; None in a Heywood case."""
    from scipy.special import expit, ndtri

    common, unique = float(fit.loadings.sum()), float(fit.uniquenesses.sum())
    estimate, note = common**2 / (common**2 + unique), _oddities(fit, n)
    if error is None:
        return Coefficient(estimate=estimate, note=note)
    if np.isnan(error):
        return Coefficient(note="ω: the loadings are not identified")
    middle, half = 2.0 * np.log(common) - np.log(unique), error * ndtri((1.0 + level) / 2.0)
    return Coefficient(
        estimate=estimate,
        std_error=float(error * estimate * (1.0 - estimate)),
        low=float(expit(middle - half)),
        high=float(expit(middle + half)),
        note=note,
    )


def _oddities(fit: OneFactor, n: int) -> str:
    k = len(fit.loadings)
    negative = [str(place + 1) for place in np.flatnonzero(fit.loadings < 0.0)]
    notes = []
    if n < 2 * k:
        notes.append(f"ω: {n} complete records for {2 * k} parameters, not to be relied upon")
    if fit.heywood is not None:
        notes.append(f"ω: Heywood case, no variance of item {fit.heywood + 1} of the scale is unique; no interval")
    if negative:
        notes.append(f"ω: negative loading of item {listed(negative)} of the scale")
    return "; ".join(notes)


def _logit_errors(fits: Sequence[OneFactor]) -> Array:
    """Standard errors of log((Σλ)²/Σψ) from a single record, (m); NaN where the information is singular."""
    if not fits:
        return np.empty(0)
    loadings, uniquenesses = (np.stack([getattr(fit, part) for fit in fits]) for part in ("loadings", "uniquenesses"))
    # in units of the items' model SDs, so that one tolerance serves all
    scale = np.sqrt(loadings**2 + uniquenesses)
    information = expected_information(loadings / scale, uniquenesses / scale**2)
    common, unique = loadings.sum(axis=1, keepdims=True), uniquenesses.sum(axis=1, keepdims=True)
    identified = (np.linalg.eigvalsh(information)[:, 0] >= 1e-10) & (common[:, 0] > 0.0)
    gradient = np.concatenate([2.0 * scale / common, -(scale**2) / unique], axis=1)[identified, :, None]
    errors = np.full(len(fits), np.nan)
    squared = gradient.swapaxes(1, 2) @ np.linalg.solve(information[identified], gradient)
    errors[identified] = np.sqrt(squared[:, 0, 0])
    return errors
