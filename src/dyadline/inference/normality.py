"""What residuals and conditional modes say against the model: shape, outlying ones, spread and order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dyadline.engine.moments import Array, Index
from dyadline.errors import Finding
from dyadline.inference.residuals import normalised, row_numbers, row_values
from dyadline.model.fit import Fit, random_covariance
from dyadline.model.predict import conditional_effects

Mask = NDArray[np.bool_]

FAR = 4.0
"""Normalised residuals beyond this are outlying, or beyond what one in a hundred samples of this size has."""

SHAPE = (0.5, 1.0)
"""Skewness and excess kurtosis that matter."""

CERTAIN = 1e-3
"""Below this p a deviation is not chance: hundreds of fits are checked in a year of work."""

SMALLEST = 20
"""Values that a test of shape needs."""

UNEQUAL = 2.0
"""Ratio of residual variances, between the upper and the lower third, that matters."""

SERIAL = 0.1
"""Correlation of neighbouring residuals that matters."""

SHOWN = 8


def distribution_findings(fit: Fit) -> Iterator[Finding]:
    """Findings on residuals and conditional modes."""
    fixed, modes, left = row_values(fit)
    residual = normalised(fit, left)
    limit = max(FAR, _normal_quantile(1.0 - 0.005 / len(residual)))
    far = np.abs(residual) > limit
    yield from _outlying_rows(fit, residual, far, limit)
    yield from _residual_shape(residual[~far])
    yield from _effects(fit)
    varying = _varying(fit)
    spread = residual / np.sqrt(_share_left(fit))
    yield from _unequal_spread(spread, far, {"the fitted values": fixed + modes} | varying)
    if fit.spec.residual.kind in ("independent", "by") and not fit.spec.responses:
        yield from _serial(fit, left / fit.sigma if fit.spec.residual.kind == "independent" else residual, varying)


def _normal_quantile(p: float) -> float:
    from scipy.special import ndtri

    return float(ndtri(p))


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Skewness, excess kurtosis, correlation with normal quantiles, and p of the two-moment test."""

    skewness: float
    kurtosis: float
    correlation: float
    p_value: float

    @property
    def odd(self) -> bool:
        """Certain and large enough to matter."""
        return self.p_value < CERTAIN and (abs(self.skewness) > SHAPE[0] or abs(self.kurtosis) > SHAPE[1])

    @property
    def words(self) -> str:
        return (
            f"skewness {self.skewness:.2f}, excess kurtosis {self.kurtosis:.2f}, "
            f"correlation with normal quantiles {self.correlation:.3f}"
        )


def shape(values: Array) -> Shape | None:
    """How far values are from normal; ``None`` of fewer than 20.

    References
    ----------
    D'Agostino, R., & Pearson, E. S. (1973). Biometrika, 60, 613–622.
    """
    from scipy.special import ndtri
    from scipy.stats import normaltest

    n = len(values)
    if n < SMALLEST or not values.std() > 0.0:
        return None
    z = (values - values.mean()) / values.std()
    quantiles = ndtri((np.arange(1, n + 1) - 0.375) / (n + 0.25))
    return Shape(
        skewness=float((z**3).mean()),
        kurtosis=float((z**4).mean() - 3.0),
        correlation=float(np.corrcoef(np.sort(z), quantiles)[0, 1]),
        p_value=float(normaltest(values).pvalue),
    )


def _outlying_rows(fit: Fit, residual: Array, far: Mask, limit: float) -> Iterator[Finding]:
    if not far.any():
        return
    where = np.flatnonzero(far)
    where = where[np.argsort(-np.abs(residual[where]))]
    numbers = row_numbers(fit)[0][where]
    yield Finding(
        code="outlying-rows",
        level="warning",
        words=(
            f"{_count(len(where), 'row')} far from what the model expects: residuals of more than {limit:.1f} standard "
            f"deviations ({_listed(f'row {r}: {residual[k]:.1f}' for r, k in zip(numbers, where, strict=True))})"
        ),
        way_out="Check these rows for typing errors; if the values are right, report the fit with and without them",
        rows=tuple(int(r) for r in numbers),
    )


def _residual_shape(residual: Array) -> Iterator[Finding]:
    found = shape(residual)
    if found is not None and found.odd:
        yield Finding(
            code="residuals-not-normal",
            level="note",
            words=f"The residuals are not normally distributed ({found.words})",
            way_out=(
                "Fixed effects and their tests hardly suffer with this many rows; predictions of single values do. A "
                "transformed outcome (log, sqrt) may fit better, and cluster-robust standard errors do not need it"
            ),
        )


def _effects(fit: Fit) -> Iterator[Finding]:
    for grouping, G, (modes, spread) in zip(
        fit.design.groupings, random_covariance(fit), conditional_effects(fit), strict=True
    ):
        variance = G - spread  # of the modes themselves
        far = _far_groups(modes, variance)
        for number in np.flatnonzero(far)[:SHOWN]:
            label = str(grouping.labels[int(number)])
            yield Finding(
                code="outlying-group",
                level="warning",
                words=(
                    f"{grouping.name} {label!r} differs more from the others than the random effects "
                    f"({', '.join(grouping.effects)}) allow for"
                ),
                way_out="Check its data; if they are right, report the fit with and without it (see influence)",
                dyad=label,
            )
        for number, effect in enumerate(grouping.effects):
            own = variance[:, number, number]
            if not (own > 1e-9 * max(G[number, number], 1e-300)).all():
                continue
            found = shape((modes[:, number] / np.sqrt(own))[~far])
            if found is not None and found.odd:
                yield Finding(
                    code="effects-not-normal",
                    level="note",
                    words=f"The random effects of {effect} over {grouping.name} are not normal ({found.words})",
                    way_out=(
                        "Fixed effects are little affected; variances and single groups' predictions more so. Look for "
                        "subgroups that a predictor could tell apart"
                    ),
                )


def _far_groups(modes: Array, variance: Array) -> Mask:
    """Groups whose modes lie beyond what one sample in a hundred has."""
    from scipy.special import chdtri

    values, vectors = np.linalg.eigh(variance)
    there = values > 1e-6 * np.maximum(values[:, -1:], 1e-300)
    along = np.einsum("jqk,jq->jk", vectors, modes)
    distance = np.where(there, along**2 / np.where(there, values, 1.0), 0.0).sum(axis=1)
    return np.asarray(distance > chdtri(np.maximum(there.sum(axis=1), 1), 0.01 / len(modes)))


def _varying(fit: Fit) -> dict[str, Array]:
    """Numeric predictors that vary within dyads, by name, those with a random slope first; (n,) each."""
    values, starts = fit.design.source.values, fit.design.source.starts
    slopes = [atoms for block in fit.design.source.random for atoms in block.columns]
    found: dict[str, Array] = {}
    for column in (*slopes, *fit.design.source.fixed.columns):
        for atom in column:
            if atom.level is not None or atom.variable.label in found or atom.variable.column in fit.spec.responses:
                continue
            numbers = values.numeric(atom.variable)
            low, high = np.minimum.reduceat(numbers, starts), np.maximum.reduceat(numbers, starts)
            if (high > low).mean() > 0.5:
                found[atom.variable.label] = numbers
    return found


def _share_left(fit: Fit) -> Array:
    """Variance of each conditional residual relative to that of the residual itself, (n,): rows pull the modes."""
    made = fit.design
    if made.structure.residual.size:
        return np.ones(made.source.n)
    rows, dyad = made.source.rows(), _dyads(fit)
    pulled = np.einsum("nr,nrs,ns->n", rows.random, _shrinking(fit)[dyad], rows.random)
    return np.asarray(np.maximum(1.0 - pulled, 1e-3))


def _shrinking(fit: Fit) -> Array:
    """`(I + DZ'Z)⁻¹D` of each dyad, (J, q, q)."""
    moments, D = fit.design.moments, fit.solution.relative[0]
    shrinking: Array = np.linalg.inv(np.eye(len(D)) + D @ moments.gram) @ D
    found: Array = shrinking[moments.cell]
    return found


def _dyads(fit: Fit) -> Index:
    starts, n = fit.design.source.starts, fit.design.source.n
    return np.repeat(np.arange(len(starts)), np.diff(np.append(starts, n)))


def _unequal_spread(residual: Array, far: Mask, along: dict[str, Array]) -> Iterator[Finding]:
    """Koenker's test of squared residuals over each of some variables.

    References
    ----------
    Koenker, R. (1981). Journal of Econometrics, 17, 107–112.
    """
    from scipy.special import chdtrc

    squares = residual[~far] ** 2
    if len(squares) < SMALLEST:
        return
    for name, values in along.items():
        x = values[~far]
        if not x.std() > 1e-12 * max(1.0, float(np.abs(x).max())):
            continue
        statistic = len(x) * float(np.corrcoef(x, squares)[0, 1]) ** 2
        low, high = np.quantile(x, [1 / 3, 2 / 3])
        ratio = float(squares[x >= high].mean() / squares[x <= low].mean())
        if chdtrc(1, statistic) < CERTAIN and not 1.0 / UNEQUAL < ratio < UNEQUAL:
            where = "large" if ratio > 1.0 else "small"
            yield Finding(
                code="unequal-spread",
                level="warning",
                words=(
                    f"Residuals spread {max(ratio, 1 / ratio):.1f} times as much (in variance) where {name} "
                    f"{'are' if name.startswith('the ') else 'is'} {where}"
                ),
                way_out=(
                    "A transformed outcome, a variance per level of a column (residual='by(...)'), or cluster-robust "
                    "standard errors"
                ),
                column="" if name.startswith("the ") else name,
            )


def _serial(fit: Fit, residual: Array, varying: dict[str, Array]) -> Iterator[Finding]:
    """Neighbouring residuals of a dyad, against what the fit itself makes of independent ones."""
    if not varying:
        return
    name, time = next(iter(varying.items()))
    dyad = _dyads(fit)
    order = np.lexsort((time, dyad))
    same = dyad[order][1:] == dyad[order][:-1]
    before, after = order[:-1][same], order[1:][same]
    if len(before) < SMALLEST:
        return
    expected = np.zeros(len(before))
    if not fit.design.structure.residual.size:
        Z, Q = fit.design.source.rows().random, _shrinking(fit)
        expected = -np.einsum("nr,nrs,ns->n", Z[before], Q[dyad[before]], Z[after])
    excess = residual[before] * residual[after] - expected
    z = float(excess.sum() / np.sqrt((excess**2).sum()))
    correlation = float(excess.mean())
    if abs(z) > FAR and abs(correlation) > SERIAL:
        slopes = {a.variable.label for b in fit.design.source.random for column in b.columns for a in column}
        slope = "C" if name in slopes else f"Let {name} have a random slope, or c"
        whole = bool((np.diff(time[order])[same] % 1 == 0).all())
        yield Finding(
            code="serial-correlation",
            level="warning",
            words=(
                f"Residuals of neighbouring rows of a {fit.design.groupings[0].name} (by {name}) correlate about "
                f"{correlation:.2f} more than the model has it"
            ),
            way_out=f"{slope}ompare with a fit with residual='{'ar1' if whole else 'car1'}({name})'",
            column=name,
        )


def _count(n: int, what: str) -> str:
    return f"{n} {what} lies" if n == 1 else f"{n} {what}s lie"


def _listed(words: Iterator[str]) -> str:
    found = list(words)
    return "; ".join(found[:SHOWN]) + (f"; and {len(found) - SHOWN} more" if len(found) > SHOWN else "")
