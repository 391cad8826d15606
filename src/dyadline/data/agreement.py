"""Patient and therapist over all occasions: correlations within and between dyads, and limits of agreement.

References
----------
Bland, J. M., & Altman, D. G. (1995). Calculating correlation coefficients with repeated observations: Parts 1 and 2.
BMJ, 310, 446 and 633.
Bland, J. M., & Altman, D. G. (2007). Agreement between methods of measurement with multiple observations per
individual. Journal of Biopharmaceutical Statistics, 17, 571–582.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from dyadline.data.dataset import Dataset

Array = np.ndarray[Any, np.dtype[np.float64]]

FEWEST = 3
"""Occasions with both ratings from which on a dyad has a correlation of its own."""

ROUNDING = 1e-13
"""Distances from a mean, as a share of the largest rating, below which ratings do not vary."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """Occasions at which both rated, dyad by dyad.

    Attributes
    ----------
    patient, therapist
        Ratings, (N,).
    size
        Number of pairs of each dyad, (k,).
    """

    patient: Array
    therapist: Array
    size: np.ndarray[Any, np.dtype[np.int64]]

    def means(self, x: Array) -> Array:
        """Mean of each dyad, (k,)."""
        return np.asarray(self._sums(x) / self.size)

    def within(self, x: Array) -> Array:
        """Distances from the dyad's mean, (N,)."""
        return np.asarray(x - np.repeat(self.means(x), self.size))

    def products(self, x: Array, y: Array) -> Array:
        """Sum of products of each dyad, (k,)."""
        return self._sums(x * y)

    def _sums(self, x: Array) -> Array:
        return np.asarray(np.add.reduceat(x, np.cumsum(self.size) - self.size))


def pairs(dataset: Dataset) -> Pairs:
    """The occasions at which both rated."""
    both = dataset.rows.select(pl.col("dyad").rle_id(), "patient_rating", "therapist_rating").drop_nulls()
    patient, therapist = (both[c].to_numpy() for c in ("patient_rating", "therapist_rating"))
    size = both["dyad"].rle().struct.field("len").cast(pl.Int64).to_numpy()
    return Pairs(patient=patient, therapist=therapist, size=size)


def rater_correlations(pairs: Pairs) -> pl.DataFrame:
    """Do the two raters agree on which occasions, and which dyads, are better?

    Returns
    -------
    polars.DataFrame
        ``level, correlation, df, n, conf_low, conf_high, p_value``. ``within``: common to all dyads, their means
        taken out, N − k − 1 df (part 1 of Bland and Altman). ``between``: of the dyads' means, k − 2 df;
        ``between_weighted``: each weighted by its number of pairs (part 2). ``total``: of all pairs as if they were
        independent, so without df, interval and p. `n` is pairs, for the levels between dyads it is dyads. Intervals
        (95 %) by Fisher's z. Null where a rater does not vary or too few remain.
    """
    N, k = len(pairs.patient), len(pairs.size)
    rows: list[dict[str, Any]] = []
    if N:
        p, t = pairs.patient, pairs.therapist
        mean_p, mean_t = pairs.means(p), pairs.means(t)
        within = _correlation(pairs.within(p), pairs.within(t), _peak(p), _peak(t))
        between = _correlation(_centred(mean_p), _centred(mean_t), _peak(p), _peak(t))
        weighted = _correlation(_weighted(mean_p, pairs.size), _weighted(mean_t, pairs.size), _peak(p), _peak(t))
        total = _correlation(_centred(p), _centred(t), _peak(p), _peak(t))
        rows = [
            {"level": "within", "n": N, **_tested(within, N - k - 1)},
            {"level": "between", "n": k, **_tested(between, k - 2)},
            {
                "level": "between_weighted",
                "n": k,
                **_tested(weighted, k - 2),
            },
            {"level": "total", "n": N, "correlation": total, "df": None},
        ]
    return pl.DataFrame(
        rows,
        schema={
            "level": pl.String,
            "correlation": pl.Float64,
            **dict.fromkeys(("df", "n"), pl.Int64),
            **dict.fromkeys(("conf_low", "conf_high", "p_value"), pl.Float64),
        },
    )


def correlations_by_dyad(pairs: Pairs) -> pl.DataFrame:
    """The correlation over its own occasions, of each dyad that has one, in summary.

    Returns
    -------
    polars.DataFrame
        One row: ``dyads`` (with at least three pairs and both ratings varying), ``mean``, ``min``, ``q1``, ``median``,
        ``q3``, ``max``, ``negative`` (share of them below 0). Correlations of few occasions spread widely by chance.
    """
    p, t = (pairs.within(x / _peak(x)) for x in (pairs.patient, pairs.therapist))
    pp, tt, pt = pairs.products(p, p), pairs.products(t, t), pairs.products(p, t)
    vary = (np.minimum(pp, tt) > pairs.size * ROUNDING**2) & (pairs.size >= FEWEST)
    r = np.clip(pt[vary] / np.sqrt(pp[vary] * tt[vary]), -1.0, 1.0)
    some = len(r) > 0
    quartiles = np.quantile(r, [0.0, 0.25, 0.5, 0.75, 1.0]).tolist() if some else [None] * 5
    return pl.DataFrame(
        {
            "dyads": [len(r)],
            "mean": [float(r.mean()) if some else None],
            **{name: [q] for name, q in zip(("min", "q1", "median", "q3", "max"), quartiles, strict=True)},
            "negative": [float((r < 0.0).mean()) if some else None],
        },
        schema_overrides=dict.fromkeys(("mean", "min", "q1", "median", "q3", "max", "negative"), pl.Float64),
    )


def limits_of_agreement(pairs: Pairs) -> pl.DataFrame:
    """How far apart patient and therapist are over all occasions, where dyads have several (Bland & Altman, 2007).

    The variance of a difference is that between dyads plus that within them, by analysis of variance. The mean is that
    of all pairs; its standard error takes the dyads into account.

    Returns
    -------
    polars.DataFrame
        One row: ``pairs``, ``dyads``, ``mean_difference`` (patient minus therapist), ``std_error``, ``df`` (dyads −
        1), ``conf_low``, ``conf_high`` (95 %), ``p_value``, ``sd_between``, ``sd_within``, ``sd_difference``,
        ``limit_low``, ``limit_high`` (mean ± 1.96 SD: where 95 % of the differences are expected),
        ``mean_absolute_difference``. Spread is null unless there are two dyads, one with two pairs.
    """
    from scipy.special import stdtr, stdtrit

    d = np.asarray(pairs.patient - pairs.therapist)
    unit = _peak(d)
    d = d / unit  # squares of very large numbers would overflow
    m, N, k = pairs.size, len(d), len(pairs.size)
    found: dict[str, float | None] = dict.fromkeys(_LIMITS)
    if N:
        found |= {"mean_difference": float(d.mean()), "mean_absolute_difference": float(np.abs(d).mean())}
    if k > 1 and k < N:
        within = float(pairs.within(d) @ pairs.within(d)) / (N - k)
        between = float(m @ (pairs.means(d) - d.mean()) ** 2) / (k - 1)
        of_dyads = max((between - within) * (k - 1) / (N - float(m @ m) / N), 0.0)
        mean, spread = float(d.mean()), float(np.sqrt(of_dyads + within))
        std_error = float(np.sqrt(of_dyads * float(m @ m) / N**2 + within / N))
        reach = float(stdtrit(k - 1, 0.975)) * std_error
        found |= {
            "std_error": std_error,
            "conf_low": mean - reach,
            "conf_high": mean + reach,
            "p_value": float(2.0 * stdtr(k - 1, -abs(mean) / std_error)) if std_error else None,
            "sd_between": float(np.sqrt(of_dyads)),
            "sd_within": float(np.sqrt(within)),
            "sd_difference": spread,
            "limit_low": mean - 1.96 * spread,
            "limit_high": mean + 1.96 * spread,
        }
    in_units = {n: [x if x is None or n == "p_value" else x * unit] for n, x in found.items()}
    return pl.DataFrame(
        {"pairs": [N], "dyads": [k], "df": [k - 1 if k else None], **in_units},
        schema_overrides={"df": pl.Int64, **dict.fromkeys(_LIMITS, pl.Float64)},
    ).select("pairs", "dyads", *_LIMITS[:2], "df", *_LIMITS[2:])


_LIMITS = (
    "mean_difference",
    "std_error",
    "conf_low",
    "conf_high",
    "p_value",
    "sd_between",
    "sd_within",
    "sd_difference",
    "limit_low",
    "limit_high",
    "mean_absolute_difference",
)


def _centred(x: Array) -> Array:
    return np.asarray(x - x.mean())


def _weighted(means: Array, size: np.ndarray[Any, Any]) -> Array:
    """Distances from the weighted mean, times the roots of the weights."""
    return np.asarray((means - float(size @ means) / size.sum()) * np.sqrt(size))


def _peak(x: Array) -> float:
    """The largest size, or 1 where that is 0."""
    return float(np.abs(x).max(initial=0.0)) or 1.0


def _correlation(x: Array, y: Array, peak_x: float, peak_y: float) -> float | None:
    """Of centred numbers; none where one of them does not vary by more than rounding of the largest raw value."""
    x, y = x / peak_x, y / peak_y  # any unit will do, and squares of very large numbers would overflow
    xx, yy = float(x @ x), float(y @ y)
    if min(xx, yy) <= len(x) * ROUNDING**2:
        return None
    return float(np.clip(float(x @ y) / np.sqrt(xx * yy), -1.0, 1.0))


def _tested(r: float | None, df: int) -> dict[str, float | None]:
    """The test against 0 on t with these df, and the interval: the variance of z is 1/(df − 1)."""
    from scipy.special import ndtri, stdtr

    if r is None or df < 1 or abs(r) == 1.0:
        return {"correlation": r if df > 0 else None, "df": df if df > 0 else None}
    statistic = r * np.sqrt(df / (1.0 - r * r))
    found: dict[str, float | None] = {"correlation": r, "df": df, "p_value": float(2.0 * stdtr(df, -abs(statistic)))}
    if df > 1:
        reach = float(ndtri(0.975)) / np.sqrt(df - 1)
        found |= {"conf_low": float(np.tanh(np.arctanh(r) - reach)), "conf_high": float(np.tanh(np.arctanh(r) + reach))}
    return found
