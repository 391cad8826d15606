"""Who was there until when: attrition by occasion, reasons, and which values are missing together."""

from __future__ import annotations

import polars as pl

from dyadline.data.dataset import Dataset
from dyadline.data.roles import OCCASION

SHARED = 0.5
"""Occasions are shared where dyads have a value at no less than this share of those until they were last seen."""

NOT_GIVEN = ""
"""The reason of dyads for which the column of reasons is empty."""

PATTERNS = ("complete", "ended early", "gaps", "gaps and ended early", "none")


def seen(dataset: Dataset) -> pl.DataFrame:
    """The rows with any value, in order.

    Returns
    -------
    polars.DataFrame
        ``dyad`` (place in ``dataset.dyads``, from 0), ``time``, both ratings and the outcome, ``last`` (whether the
        dyad has no later one).
    """
    dyad = pl.col("dyad")
    return (
        dataset.rows.select(dyad.rle_id(), "time", *OCCASION)
        .filter(pl.any_horizontal(pl.col(*OCCASION).is_not_null()))
        .with_columns(last=(dyad != dyad.shift(-1)).fill_null(True))
    )


def shares_occasions(seen: pl.DataFrame) -> bool:
    """Whether dyads meet at the same times, as sessions do; not so where time is the exact day of each visit."""
    by_time = _by_time(seen, "time")
    observed, at_risk = by_time.select("observed", "at_risk").sum().row(0)
    return bool(observed >= SHARED * at_risk)


def attrition(dataset: Dataset) -> pl.DataFrame:
    """How many dyads are still there at each occasion; nothing is assumed about why the others are not.

    A dyad is at risk until its last value of any kind. Where dyads do not share occasions (exact days of visits),
    occasions are each dyad's own first, second, third ... one.

    Returns
    -------
    polars.DataFrame
        ``clock`` (``time``, or ``order`` where occasions are not shared), ``time``, ``at_risk`` (dyads seen here or
        later), ``observed`` (dyads with any value here), ``intermittent`` (not here, but later), ``last_seen``,
        ``hazard`` (``last_seen / at_risk``; null at the last occasion), ``retention`` (``at_risk`` as a share of
        all dyads with any value), ``lost`` (1 − retention).
    """
    found = seen(dataset)
    clock = "time" if shares_occasions(found) else "order"
    if clock == "order":
        found = found.with_columns(order=pl.int_range(1, pl.len() + 1).over("dyad").cast(pl.Float64))
    at_risk = pl.col("at_risk")
    return _by_time(found, clock).select(
        pl.lit(clock).alias("clock"),
        "time",
        "at_risk",
        "observed",
        intermittent=at_risk - pl.col("observed"),
        last_seen="last_seen",
        hazard=pl.when(pl.col("time") < pl.col("time").max()).then(pl.col("last_seen") / at_risk),
        retention=at_risk / pl.col("last_seen").sum(),
        lost=1.0 - at_risk / pl.col("last_seen").sum(),
    )


def _by_time(seen: pl.DataFrame, clock: str) -> pl.DataFrame:
    """``time, observed, last_seen, at_risk`` in order of time."""
    gone = pl.col("last_seen")
    return (
        seen.group_by(pl.col(clock).alias("time"))
        .agg(observed=pl.len().cast(pl.Int64), last_seen=pl.col("last").sum().cast(pl.Int64))
        .sort("time")
        .with_columns(at_risk=gone.sum() - gone.cum_sum() + gone)
    )


def endings(dataset: Dataset) -> pl.DataFrame:
    """Why dyads ended, as the column of reasons says, and when they were last seen.

    Returns
    -------
    polars.DataFrame
        ``reason`` (empty where none is given), ``dyads``, ``share``, and of the last time with a value
        ``time_mean``, ``time_sd`` (n − 1), ``time_min``, ``time_max``; the most frequent reason first. Dyads without
        any value count, but have no time. No rows where the plan names no reasons.
    """
    time = pl.col("time")
    return (
        _reasons(dataset)
        .group_by("reason")
        .agg(
            dyads=pl.len().cast(pl.Int64),
            time_mean=time.mean(),
            time_sd=time.std(),
            time_min=time.min(),
            time_max=time.max(),
        )
        .sort("dyads", "reason", descending=[True, False])
        .select("reason", "dyads", (pl.col("dyads") / pl.col("dyads").sum()).alias("share"), pl.col("^time_.*$"))
    )


def endings_by_time(dataset: Dataset) -> pl.DataFrame:
    """Dyads by the occasion at which they were last seen and the reason: ``time, reason, dyads``."""
    return (
        _reasons(dataset)
        .drop_nulls("time")
        .group_by("time", "reason")
        .agg(dyads=pl.len().cast(pl.Int64))
        .sort("time", "reason")
    )


def _reasons(dataset: Dataset) -> pl.DataFrame:
    """One row per dyad: ``reason, time`` (last seen)."""
    if "reason" not in dataset.endings.columns:
        return pl.DataFrame(schema={"reason": pl.String, "time": pl.Float64})
    last = seen(dataset).filter("last").select("dyad", "time")
    return (
        dataset.endings.select(pl.col("reason").fill_null(NOT_GIVEN))
        .with_row_index("dyad")
        .join(last, on="dyad", how="left")
        .select("reason", "time")
    )


def row_patterns(dataset: Dataset) -> pl.DataFrame:
    """Which values are there together: ``patient_rating, therapist_rating, outcome`` (booleans), ``rows, share``."""
    rows = pl.col("rows")
    return (
        dataset.rows.group_by(pl.col(*OCCASION).is_not_null())
        .agg(rows=pl.len().cast(pl.Int64))
        .sort("rows", *OCCASION, descending=True)
        .with_columns(share=rows / rows.sum())
    )


def dyad_patterns(dataset: Dataset) -> pl.DataFrame:
    """How many dyads are complete, ended early, have gaps.

    For each variable only the occasions count at which it was observed in any dyad; a gap is an occasion without a
    value and with a later one.

    Returns
    -------
    polars.DataFrame
        ``variable`` (``patient_rating``, ``therapist_rating``, ``outcome``, ``any``), ``pattern`` (``complete``,
        ``ended early``: complete until the last value, ``gaps``: seen at the end, ``gaps and ended early``,
        ``none``: no value), ``dyads``, ``share``. No rows where dyads do not share occasions.
    """
    found = seen(dataset)
    schema = {"variable": pl.String, "pattern": pl.String, "dyads": pl.Int64, "share": pl.Float64}
    if not shares_occasions(found):
        return pl.DataFrame(schema=schema)
    counts = []
    for variable in (*OCCASION, "any"):
        there = found if variable == "any" else found.filter(pl.col(variable).is_not_null())
        place = there["time"].unique().sort().search_sorted(there["time"]) + 1
        by_dyad = (
            there.select("dyad", place=place)
            .group_by("dyad")
            .agg(values=pl.len(), last=pl.col("place").max())
            .select(gaps=pl.col("values") < pl.col("last"), early=pl.col("last") < pl.col("last").max())
        )
        number = {(gaps, early): n for gaps, early, n in by_dyad.group_by("gaps", "early").len().iter_rows()}
        kinds = ((False, False), (False, True), (True, False), (True, True))
        known = [number.get(kind, 0) for kind in kinds]
        counts += [
            (variable, pattern, n, n / dataset.n_dyads)
            for pattern, n in zip(PATTERNS, [*known, dataset.n_dyads - sum(known)], strict=True)
        ]
    return pl.DataFrame(counts, schema=schema, orient="row")
