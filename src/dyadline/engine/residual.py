"""Residual covariances R whose inverse is a weighted sum of fixed forms: `R⁻¹ = Σ_s ω_s(η) F_s`.

The forms depend on the design alone, so their cross-products are accumulated once; a residual parameter then
only changes the weights. R is relative to σ²: the variance of the first level, or of every row.

=================== ============================================= ====================================
structure           forms                                         η
=================== ============================================= ====================================
unequal variances   rows of each level                            log variance ratios to the first
pairs               both rated: own, own, product; single rows    log variance ratio, atanh correlation
autoregressive      rows; per gap: both ends of links, products   atanh φ, or log decay rate
compound symmetry   rows; per group size: products of group sums  logit of ρ above its lower bound
=================== ============================================= ====================================

Pinheiro, J. C., & Bates, D. M. (2000). Mixed-effects models in S and S-PLUS, chapter 5.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """Weights of the forms and log|R|, with derivatives in η.

    Attributes
    ----------
    value, first, second
        ω, (S,), (m, S) and (m, m, S).
    log_det, d_log_det, dd_log_det
        log|R|, (m,) and (m, m).
    """

    value: Array
    first: Array
    second: Array
    log_det: float
    d_log_det: Array
    dd_log_det: Array


class Residual(Protocol):
    """A residual structure, as the criterion needs it."""

    @property
    def size(self) -> int:
        """m, the number of parameters η."""

    @property
    def start(self) -> Array:
        """η of independent residuals, or near it, (m,)."""

    def weights(self, eta: Array) -> Weights:
        """Weights of the forms at η."""


@dataclass(frozen=True, slots=True)
class Independent:
    """`R = I`."""

    size: int = 0

    @property
    def start(self) -> Array:
        return np.empty(0)

    def weights(self, eta: Array) -> Weights:
        return Weights(
            value=np.ones(1),
            first=np.zeros((0, 1)),
            second=np.zeros((0, 0, 1)),
            log_det=0.0,
            d_log_det=np.zeros(0),
            dd_log_det=np.zeros((0, 0)),
        )


INDEPENDENT = Independent()


@dataclass(frozen=True, slots=True)
class UnequalVariances:
    """A variance per level of a factor; forms: rows of each level.

    Attributes
    ----------
    counts
        Rows per level; the first is the reference.
    """

    counts: tuple[int, ...]

    @property
    def size(self) -> int:
        return len(self.counts) - 1

    @property
    def start(self) -> Array:
        return np.zeros(self.size)

    def weights(self, eta: Array) -> Weights:
        m = self.size
        first, second = np.zeros((m, m + 1)), np.zeros((m, m, m + 1))
        number = np.arange(m)
        precision = np.exp(-eta)
        first[number, number + 1] = -precision
        second[number, number, number + 1] = precision
        counts = np.array(self.counts[1:], dtype=float)
        return Weights(
            value=np.append(1.0, precision),
            first=first,
            second=second,
            log_det=float(counts @ eta),
            d_log_det=counts,
            dd_log_det=np.zeros((m, m)),
        )


@dataclass(frozen=True, slots=True)
class Pairs:
    """Two raters at the same occasion: a variance each and their correlation.

    Forms: in pairs the first's rows, the second's rows and the products of both; single rows of the first
    and of the second.

    Attributes
    ----------
    n_pairs, n_second
        Occasions with both, and single rows of the second rater.
    """

    n_pairs: int
    n_second: int

    @property
    def size(self) -> int:
        return 2

    @property
    def start(self) -> Array:
        return np.zeros(2)

    def weights(self, eta: Array) -> Weights:
        # With ρ = tanh ζ: 1/(1−ρ²) = cosh²ζ and ρ/(1−ρ²) = sinh ζ cosh ζ.
        ratio, zeta = float(eta[0]), float(eta[1])
        one, half = np.exp(-ratio), np.exp(-ratio / 2.0)
        square, cross = np.cosh(zeta) ** 2, np.sinh(zeta) * np.cosh(zeta)
        turn, double = np.sinh(2.0 * zeta), np.cosh(2.0 * zeta)
        rho = np.tanh(zeta)
        n = float(self.n_pairs)
        second = np.zeros((2, 2, 5))
        second[0, 0] = [0.0, one * square, -half * cross / 4.0, 0.0, one]
        second[1, 1] = [2.0 * double, 2.0 * one * double, -2.0 * half * turn, 0.0, 0.0]
        second[0, 1] = second[1, 0] = [0.0, -one * turn, half * double / 2.0, 0.0, 0.0]
        return Weights(
            value=np.array([square, one * square, -half * cross, 1.0, one]),
            first=np.array(
                [
                    [0.0, -one * square, half * cross / 2.0, 0.0, -one],
                    [turn, one * turn, -half * double, 0.0, 0.0],
                ]
            ),
            second=second,
            log_det=n * (ratio - 2.0 * float(np.log(np.cosh(zeta)))) + self.n_second * ratio,
            d_log_det=np.array([n + self.n_second, -2.0 * n * rho]),
            dd_log_det=np.array([[0.0, 0.0], [0.0, -2.0 * n * (1.0 - rho**2)]]),
        )


@dataclass(frozen=True, slots=True)
class Autoregressive:
    """Correlation φ^d of rows d apart in time, of the same group.

    Forms: all rows; then for each gap the rows at both ends of its links, and for each gap the products over
    its links.

    Attributes
    ----------
    gaps, counts
        Different gaps between consecutive rows, and how many links have each.
    continuous
        φ = exp(−e^η) > 0 for any spacing; otherwise φ = tanh η and the gaps are whole numbers.
    """

    gaps: tuple[float, ...]
    counts: tuple[int, ...]
    continuous: bool

    @property
    def size(self) -> int:
        return 1

    @property
    def start(self) -> Array:
        # Far enough from independence in the continuous form, where its gradient vanishes.
        return np.array([np.log(1.5 / np.median(self.gaps)) if self.continuous else 0.1])

    def correlation(self, eta: float) -> float:
        """φ, the correlation of rows one unit of time apart."""
        return float(np.exp(-np.exp(eta)) if self.continuous else np.tanh(eta))

    def weights(self, eta: Array) -> Weights:
        d, n = np.array(self.gaps), np.array(self.counts, dtype=float)
        with np.errstate(under="ignore"):
            psi, d_psi, dd_psi = self._powers(float(eta[0]), d)
        rest = 1.0 - psi**2
        ends = _chain(psi**2 / rest, 2 * psi / rest**2, (2 + 6 * psi**2) / rest**3, d_psi, dd_psi)
        links = _chain(-psi / rest, -(1 + psi**2) / rest**2, -2 * psi * (3 + psi**2) / rest**3, d_psi, dd_psi)
        logs = _chain(np.log(rest), -2 * psi / rest, -2 * (1 + psi**2) / rest**2, d_psi, dd_psi)
        value, first, second = (
            np.concatenate([[1.0 if order == 0 else 0.0], ends[order], links[order]]) for order in range(3)
        )
        return Weights(
            value=value,
            first=first[None],
            second=second[None, None],
            log_det=float(n @ logs[0]),
            d_log_det=np.array([n @ logs[1]]),
            dd_log_det=np.array([[n @ logs[2]]]),
        )

    def _powers(self, eta: float, d: Array) -> tuple[Array, Array, Array]:
        """φ^d and its derivatives in η."""
        if self.continuous:
            rate = np.exp(eta) * d
            psi = np.exp(-rate)
            return psi, -rate * psi, psi * (rate**2 - rate)
        phi = float(np.tanh(eta))
        slope, curve = 1.0 - phi**2, -2.0 * phi * (1.0 - phi**2)
        once = d * phi ** (d - 1)
        twice = np.where(d > 1, d * (d - 1) * phi ** np.maximum(d - 2, 0), 0.0)
        return phi**d, once * slope, twice * slope**2 + once * curve


@dataclass(frozen=True, slots=True)
class CompoundSymmetry:
    """The same correlation ρ of all rows of a group; it may be negative, as far as R stays a covariance.

    Forms: all rows; for each size of group above 1 the products of the groups' sums.

    Attributes
    ----------
    sizes, counts
        Different sizes of groups (2 or more), and how many groups have each.
    """

    sizes: tuple[int, ...]
    counts: tuple[int, ...]

    @property
    def size(self) -> int:
        return 1

    @property
    def lowest(self) -> float:
        """Smallest ρ at which the largest group has a covariance matrix."""
        return -1.0 / (max(self.sizes) - 1)

    @property
    def start(self) -> Array:
        share = (0.05 - self.lowest) / (1.0 - self.lowest)
        return np.array([np.log(share / (1.0 - share))])

    def correlation(self, eta: float) -> float:
        """ρ."""
        return self.lowest + (1.0 - self.lowest) / (1.0 + float(np.exp(-eta)))

    def weights(self, eta: Array) -> Weights:
        n, groups = np.array(self.sizes, dtype=float), np.array(self.counts, dtype=float)
        share = 1.0 / (1.0 + float(np.exp(-eta[0])))
        span = 1.0 - self.lowest
        rho = self.lowest + span * share
        d_rho = span * share * (1.0 - share)
        dd_rho = d_rho * (1.0 - 2.0 * share)
        rest = span * (1.0 - share)  # 1 − ρ
        whole = 1.0 + (n - 1.0) * rho
        rows = _chain(1.0 / rest, 1.0 / rest**2, 2.0 / rest**3, d_rho, dd_rho)
        # ρ/((1−ρ)(1+(n−1)ρ)) = (1/(1−ρ) − 1/(1+(n−1)ρ))/n
        sums = _chain(
            -(1.0 / rest - 1.0 / whole) / n,
            -(1.0 / rest**2 + (n - 1.0) / whole**2) / n,
            -(2.0 / rest**3 - 2.0 * (n - 1.0) ** 2 / whole**3) / n,
            d_rho,
            dd_rho,
        )
        logs = _chain(
            (n - 1.0) * np.log(rest) + np.log(whole),
            (n - 1.0) * (1.0 / whole - 1.0 / rest),
            -(n - 1.0) * (1.0 / rest**2 + (n - 1.0) / whole**2),
            d_rho,
            dd_rho,
        )
        value, first, second = (np.append(rows[order], sums[order]) for order in range(3))
        return Weights(
            value=value,
            first=first[None],
            second=second[None, None],
            log_det=float(groups @ logs[0]),
            d_log_det=np.array([groups @ logs[1]]),
            dd_log_det=np.array([[groups @ logs[2]]]),
        )


def _chain(
    value: Array | float, once: Array | float, twice: Array | float, inner: Array | float, inner_twice: Array | float
) -> tuple[Array, Array, Array]:
    """Value and derivatives of f(g(η)) from those of f and g."""
    return np.asarray(value), np.asarray(once * inner), np.asarray(twice * inner**2 + once * inner_twice)
