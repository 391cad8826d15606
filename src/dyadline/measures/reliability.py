"""How reliable scales are at each occasion, and how far they go together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, islice
from typing import Any

import numpy as np
import polars as pl

from dyadline.measures.consistency import alpha, omegas
from dyadline.measures.records import Array, codes, covariance, matrix, occasions, positions, same_rows

COEFFICIENTS = ("alpha", "alpha_low", "alpha_high", "omega", "omega_low", "omega_high", "mean_inter_item")

TIMES_AT_ONCE = 500
"""Occasions whose covariances are held at a time."""


def reliability_by_occasion(
    answers: pl.DataFrame, time: pl.Series, scales: Mapping[str, tuple[int, ...]], *, level: float = 0.95
) -> pl.DataFrame:
    """α and ω of each scale at each occasion, over the records that answer all its items.

    There is no row over all occasions: pooled records would count the differences between occasions, and the same
    person several times. The range over occasions is what studies report.

    Parameters
    ----------
    answers
        One column per item, named ``"1"`` to ``"k"``, reverse-keyed ones turned; a row per record. Null, and anything
        that is not finite, is missing.
    time
        Occasion of each record; records without one are left out.
    scales
        Item numbers of each scale.
    level
        Of the confidence intervals (Feldt's for α, logit for ω: `alpha`, `omega`).

    Returns
    -------
    polars.DataFrame
        ``scale``, ``time``, ``n`` (complete records), ``n_items``, ``alpha``, ``alpha_low``, ``alpha_high``, ``omega``,
        ``omega_low``, ``omega_high``, ``mean_inter_item`` (mean correlation of two items), ``note`` (what could not be
        computed, Heywood cases, negative loadings; else empty). In the order of the scales, then of time; times at
        which no item is answered are there with n = 0.

    Raises
    ------
    PlanError
        A scale with an item that has no answers.
    DataError
        Answers and times of different lengths.
    """
    from threadpoolctl import threadpool_limits

    same_rows(answers, time=time)
    place = {scale: positions(answers, items, scale) for scale, items in scales.items()}
    found: dict[str, list[dict[str, object]]] = {scale: [] for scale in scales}
    # On matrices as small as these several threads wait for each other.
    with threadpool_limits(limits=1, user_api="blas"):
        times = occasions(answers, time)
        while block := list(islice(times, TIMES_AT_ONCE)):
            parts = [_covariances(values, list(place.values())) for _, values in block]
            for number, scale in enumerate(scales):
                for (moment, _), row in zip(block, _rows([part[number] for part in parts], level), strict=True):
                    found[scale].append({"scale": scale, "time": moment, **row})
    types: dict[str, Any] = (
        {"scale": pl.String, "time": time.dtype, "n": pl.Int64, "n_items": pl.Int64}
        | dict.fromkeys(COEFFICIENTS, pl.Float64)
        | {"note": pl.String}
    )
    rows = [row for scale in scales for row in found[scale]]
    return pl.DataFrame(rows, schema=types).with_columns(pl.selectors.float().exclude("time").fill_nan(None))


def _covariances(values: Array, place: Sequence[list[int]]) -> list[tuple[int, Array]]:
    """Complete records and covariances of each scale; formed once where no answer is missing."""
    missing = np.isnan(values)
    if len(values) and not missing.any():
        everything = covariance(values)
        return [(len(values), everything[np.ix_(items, items)]) for items in place]
    chosen = [values[:, items][~missing[:, items].any(axis=1)] for items in place]
    return [(len(x), covariance(x) if len(x) else np.zeros((x.shape[1], x.shape[1]))) for x in chosen]


def _rows(found: Sequence[tuple[int, Array]], level: float) -> Iterator[dict[str, object]]:
    """The coefficients of one scale at several times."""
    numbers, S = np.array([n for n, _ in found]), np.stack([S for _, S in found])
    k = S.shape[-1]
    for (n, S_here), o in zip(found, omegas(S, numbers, level=level), strict=True):
        a, sd = alpha(S_here, n, level=level), np.sqrt(np.diag(S_here))
        apart = n > 1 and k > 1 and sd.min() > 0.0
        yield {
            "n": n,
            "n_items": k,
            "alpha": a.estimate,
            "alpha_low": a.low,
            "alpha_high": a.high,
            "omega": o.estimate,
            "omega_low": o.low,
            "omega_high": o.high,
            "mean_inter_item": float((np.sum(S_here / np.outer(sd, sd)) - k) / (k * (k - 1))) if apart else np.nan,
            "note": "; ".join(filter(None, (a.note, o.note))),
        }


def scale_correlations(scores: pl.DataFrame, person: pl.Series, time: pl.Series) -> pl.DataFrame:
    """How two scales go together: at an occasion, within a person over time, and between persons.

    Parameters
    ----------
    scores
        A column per scale; a row per record.
    person, time
        Of each record; records without them are left out.

    Returns
    -------
    polars.DataFrame
        A row per pair of scales: ``scale1``, ``scale2``, ``n`` (records with both scores), ``r`` (over records, each
        score about the mean of its occasion: the correlation at an occasion, pooled), ``r_within`` (each score about
        its person's mean), ``r_between`` (of the persons' means, each person counting once); null where a score does
        not vary.

    Raises
    ------
    DataError
        Columns of different lengths.
    """
    same_rows(scores, person=person, time=time)
    values = matrix(scores)
    who, when = codes(person)[1], codes(time)[1]
    rows = []
    for i, j in combinations(range(scores.width), 2):
        chosen = ~np.isnan(values[:, [i, j]]).any(axis=1) & (who >= 0) & (when >= 0)
        x, people, times = values[chosen][:, [i, j]], who[chosen], when[chosen]
        means = _means(x, people)
        present = np.bincount(people, minlength=len(means)) > 0
        rows.append(
            {
                "scale1": scores.columns[i],
                "scale2": scores.columns[j],
                "n": len(x),
                "r": _correlation(x - _means(x, times)[times], x),
                "r_within": _correlation(x - means[people], x),
                "r_between": _correlation(means[present] - means[present].mean(axis=0), x) if len(x) else np.nan,
            }
        )
    types = {"scale1": pl.String, "scale2": pl.String, "n": pl.Int64}
    shape = types | dict.fromkeys(("r", "r_within", "r_between"), pl.Float64)
    return pl.DataFrame(rows, schema=shape).with_columns(pl.selectors.float().fill_nan(None))


def _means(x: Array, code: Array) -> Array:
    """Mean of each column in each group; NaN where a group has no rows."""
    with np.errstate(invalid="ignore"):
        n = np.bincount(code)
        return np.column_stack([np.bincount(code, column) / n for column in x.T])


def _correlation(deviations: Array, x: Array) -> float:
    """Correlation of two columns of deviations; NaN where one is nothing but the rounding of x."""
    S = deviations.T @ deviations
    if (np.diag(S) <= 1e-24 * (x**2).sum(axis=0)).any():
        return float("nan")
    return float(S[0, 1] / np.sqrt(S[0, 0] * S[1, 1]))
