"""How alike the values of a dyad, and of a therapist, are: one definition for both ratings and the outcome.

Intraclass correlations are shares of variance in the model without predictors, value ~ 1 + (1 | dyad) +
(1 | therapist): no trend is taken out, so that change over time counts as variance within dyads. They are estimated by
REML; where there are very many values, which REML would take seconds for, by analysis of variance in closed form.

References
----------
Searle, S. R., Casella, G., & McCulloch, C. E. (1992). Variance components. Wiley. Appendix F.1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from dyadline.data.dataset import Dataset
from dyadline.data.roles import OCCASION
from dyadline.engine.moments import Array
from dyadline.errors import DyadlineError
from dyadline.inference.intraclass import icc
from dyadline.model.fit import fit, random_covariance

MOST_VALUES = 50_000
"""Values up to which REML is used: a fit of as many takes a tenth of a second."""

REML, ANOVA = "REML", "analysis of variance"

SCHEMA = {
    **dict.fromkeys(("variable", "group"), pl.String),
    **dict.fromkeys(("icc", "std_error", "conf_low", "conf_high", "variance", "residual_variance"), pl.Float64),
    **dict.fromkeys(("n_values", "n_dyads", "n_therapists"), pl.Int64),
    "method": pl.String,
    "doubt": pl.String,
}


def intraclass_correlations(dataset: Dataset, *, most_values: int = MOST_VALUES) -> pl.DataFrame:
    """Intraclass correlations of dyads, and of therapists where the plan has them.

    Parameters
    ----------
    dataset
        What was observed; rows whose therapist is not known are left out where there are three levels.
    most_values
        Values up to which REML is used.

    Returns
    -------
    polars.DataFrame
        ``variable``, ``group`` (``dyad``; with three levels also ``therapist`` and ``dyad + therapist``, the
        correlation of two values of the same dyad), ``icc, std_error, conf_low, conf_high`` (95 %, on the logit;
        missing where a share is 0; with analysis of variance from groups left out one at a time), ``variance`` (of
        the group), ``residual_variance``, ``n_values, n_dyads, n_therapists``, ``method`` (``REML``,
        ``analysis of variance``),
        ``doubt`` (why there is no answer, or none for therapists; empty otherwise).
    """
    rows = _numbered(dataset)
    # What nobody rated has no line.
    return pl.DataFrame([row for v in OCCASION if rows[v].count() for row in _of(rows, v, most_values)], schema=SCHEMA)


def _numbered(dataset: Dataset) -> pl.DataFrame:
    """Rows with numbers in place of labels, which are counted and compared many times."""
    rows = dataset.rows.select(pl.col("dyad").rle_id(), *OCCASION)
    if "therapist" not in dataset.dyads.columns:
        return rows
    number = dataset.dyads["therapist"].rank("dense")
    return rows.with_columns(therapist=number.gather(rows["dyad"]))


def _of(rows: pl.DataFrame, variable: str, most_values: int) -> Iterator[dict[str, Any]]:
    rows, doubt, therapists = rows.drop_nulls(variable), "", None
    if "therapist" in rows.columns:
        known = rows.drop_nulls("therapist")
        dyads, therapists = known["dyad"].n_unique(), known["therapist"].n_unique()
        if 1 < therapists < dyads:
            rows = known
        else:
            doubt = "Therapists cannot be told from their dyads: each has one." if therapists > 1 else ""
            doubt = doubt or "Therapists cannot be compared: there is one at most."
            therapists = None
    sizes = {"n_values": rows.height, "n_dyads": rows["dyad"].n_unique(), "n_therapists": therapists}
    same = {"variable": variable, **sizes, "doubt": doubt}
    try:
        if rows.height <= most_values:
            found, method = _by_likelihood(rows, variable, therapists is not None), REML
        else:
            found, method = _by_analysis_of_variance(rows, variable, therapists is not None), ANOVA
        yield from ({**same, **row, "method": method} for row in found)
    except DyadlineError as error:
        yield {**same, "group": "dyad", "doubt": error.what}


def _by_likelihood(rows: pl.DataFrame, variable: str, three: bool) -> list[dict[str, Any]]:
    rows = rows.select("dyad", *(["therapist"] if three else []), value=variable)
    fitted = fit("value ~ 1 + (1 | dyad)" + " + (1 | therapist)" * three, rows)
    variances = [float(G[0, 0]) for G in random_covariance(fitted)]
    variances += [sum(variances)] * three
    shares = icc(fitted).select("group", "icc", "std_error", "conf_low", "conf_high").to_dicts()
    return [
        {**share, "variance": variance, "residual_variance": fitted.sigma**2}
        for share, variance in zip(shares, variances, strict=True)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sums:
    """What mean squares are made of: of each group of the highest level, of all, or of all but each; (a,) or (1,)."""

    values: Array
    dyads: Array
    groups: Array
    within: Array
    of_dyads: Array
    of_groups: Array
    total: Array
    squared_sizes: Array
    shares: Array
    squared_groups: Array

    def all(self) -> _Sums:
        return _Sums(**{name: np.atleast_1d(getattr(self, name).sum()) for name in self.__slots__})

    def without_each(self) -> _Sums:
        return _Sums(**{name: getattr(self, name).sum() - getattr(self, name) for name in self.__slots__})


def _by_analysis_of_variance(rows: pl.DataFrame, variable: str, three: bool) -> list[dict[str, Any]]:
    """Variance components of a nested design with unequal numbers, from expected mean squares; negative ones are 0."""
    sums = _sums(rows, variable, three)
    whole, parts = _components(sums.all(), three), _components(sums.without_each(), three)
    shares, jackknifed = _shares(whole), _shares(parts)
    a = len(sums.values)
    centred = jackknifed - jackknifed.mean(axis=1, keepdims=True)
    std_errors = np.sqrt((a - 1) / a * (centred**2).sum(axis=1))
    names = ["dyad", "therapist", "dyad + therapist"] if three else ["dyad"]
    variances = [*whole[1:, 0], whole[1:, 0].sum()] if three else [whole[1, 0]]
    return [
        {
            "group": name,
            "variance": float(variance),
            "residual_variance": float(whole[0, 0]),
            "icc": float(share),
            **_interval(float(share), float(std_error)),
        }
        for name, variance, share, std_error in zip(names, variances, shares[:, 0], std_errors, strict=True)
    ]


def _sums(rows: pl.DataFrame, variable: str, three: bool) -> _Sums:
    """Sums over each therapist, or with two levels over each dyad."""
    value = rows[variable].to_numpy()
    value = value - value.mean()
    size = rows["dyad"].rle().struct.field("len").cast(pl.Int64).to_numpy()
    start = np.cumsum(size) - size
    mean = np.add.reduceat(value, start) / size
    within = np.add.reduceat((value - np.repeat(mean, size)) ** 2, start)
    n = size.astype(float)
    group = rows["therapist"].gather(start).to_numpy() if three else np.arange(len(n))
    code = np.unique(group, return_inverse=True)[1]

    def total(x: Array) -> Array:
        return np.bincount(code, x).astype(float)

    values, sums = total(n), total(n * mean)
    group_mean = sums / values
    return _Sums(
        values=values,
        dyads=total(np.ones_like(n)),
        groups=np.ones(len(values)),
        within=total(within),
        of_dyads=total(n * (mean - group_mean[code]) ** 2),
        of_groups=values * group_mean**2,
        total=sums,
        squared_sizes=total(n**2),
        shares=total(n**2) / values,
        squared_groups=values**2,
    )


def _components(s: _Sums, three: bool) -> Array:
    """Variances of residual, dyad and, with three levels, therapist: (2 or 3, ...)."""
    residual = s.within / (s.values - s.dyads)
    between = s.of_groups - s.total**2 / s.values
    if not three:
        dyad = (between / (s.groups - 1.0) - residual) * (s.groups - 1.0) / (s.values - s.squared_groups / s.values)
        return np.maximum(np.stack([residual, dyad]), 0.0)
    inside = s.dyads - s.groups
    dyad = (s.of_dyads - inside * residual) / (s.values - s.shares)
    spread = s.shares - s.squared_sizes / s.values
    therapist = (between - (s.groups - 1.0) * residual - spread * dyad) / (s.values - s.squared_groups / s.values)
    return np.maximum(np.stack([residual, dyad, therapist]), 0.0)


def _shares(components: Array) -> Array:
    """Shares of dyad, therapist and their sum in the whole variance."""
    shares = components[1:] / components.sum(axis=0)
    return np.vstack([shares, shares.sum(axis=0)]) if len(shares) > 1 else shares


def _interval(share: float, std_error: float) -> dict[str, float | None]:
    from scipy.special import expit, logit

    if not (0.0 < share < 1.0 and std_error > 0.0):
        return {"std_error": None, "conf_low": None, "conf_high": None}
    centre, reach = float(logit(share)), 1.959963984540054 * std_error / (share * (1.0 - share))
    return {"std_error": std_error, "conf_low": float(expit(centre - reach)), "conf_high": float(expit(centre + reach))}
