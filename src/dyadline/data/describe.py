"""The data described: how many on each level, values by rater and occasion, how far the raters are apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from dyadline.data.attrition import seen, shares_occasions
from dyadline.data.dataset import Dataset
from dyadline.data.roles import OCCASION

QUARTILES = {"min": 0.0, "q1": 0.25, "median": 0.5, "q3": 0.75, "max": 1.0}


def descriptives(dataset: Dataset) -> pl.DataFrame:
    """Mean and spread of both ratings and the outcome at each time.

    Returns
    -------
    polars.DataFrame
        ``variable`` (``patient_rating``, ``therapist_rating``, ``outcome``, in this order), ``time``, ``n``,
        ``mean``, ``sd`` (n − 1; null where n < 2), ``min``, ``max``, ``expected`` (dyads still there: seen at this
        time or later, or with a later end of treatment where the plan names one that is a number), ``missing``
        (those of them without the value). No rows where n = 0. Where dyads do not share occasions, nothing is
        expected at a time: both are null.
    """
    value = pl.col("value")
    found = pl.concat(
        dataset.rows.select("time", value=variable)
        .drop_nulls()
        .group_by("time")
        .agg(
            n=pl.len().cast(pl.Int64),
            mean=value.mean(),
            sd=value.std(),
            min=value.min(),
            max=value.max(),
        )
        .sort("time")
        .select(pl.lit(variable).alias("variable"), pl.all())
        for variable in OCCASION
    )
    until = _until(dataset)
    expected = [None] if until is None else len(until) - np.searchsorted(until, found["time"].to_numpy())
    expecting = pl.Series("expected", expected, dtype=pl.Int64)
    return found.with_columns(expecting.extend_constant(None, found.height - len(expecting))).with_columns(
        missing=pl.col("expected") - pl.col("n")
    )


def _until(dataset: Dataset) -> np.ndarray[Any, np.dtype[np.float64]] | None:
    """Sorted times until which each dyad was there; none where dyads do not share occasions."""
    rows = seen(dataset)
    if not shares_occasions(rows):
        return None
    last = rows.filter("last").select("dyad", "time")
    if "end" in dataset.endings.columns and dataset.endings["end"].dtype.is_numeric():
        ends = dataset.endings.select(pl.col("end").cast(pl.Float64)).with_row_index("dyad")
        last = ends.join(last, on="dyad", how="inner").select(time=pl.max_horizontal("time", "end"))
    return last["time"].sort().to_numpy()


def flow(dataset: Dataset) -> pl.DataFrame:
    """How many dyads are there at each time, and where they were last seen.

    Returns
    -------
    polars.DataFrame
        ``time``, ``dyads`` (with a row), ``patient_rating``, ``therapist_rating``, ``outcome`` (values),
        ``last_seen`` (dyads whose last row with any value is at this time).
    """
    last = seen(dataset).filter("last").group_by("time").agg(last_seen=pl.len())
    return (
        dataset.rows.group_by("time")
        .agg(pl.len().alias("dyads"), pl.col(*OCCASION).count())
        .join(last, on="time", how="left")
        .sort("time")
        .with_columns(pl.exclude("time").fill_null(0).cast(pl.Int64))
    )


def sizes(dataset: Dataset) -> pl.DataFrame:
    """How many units there are on each level, and how many of the next lower level each has.

    Returns
    -------
    polars.DataFrame
        ``of`` (``sessions``, ``patient_rating``, ``therapist_rating``, ``outcome``, ``dyads``), ``per`` (``dyad``, for
        dyads ``therapist``), ``total``, ``units`` (dyads or therapists), and of the numbers per unit ``min``, ``q1``,
        ``median``, ``q3``, ``max`` (quartiles by linear interpolation). A session is an occasion with any value; all
        dyads count, also those without. Dyads whose therapist is not known count for none.
    """
    rows = seen(dataset)
    by_dyad = rows.group_by("dyad").agg(sessions=pl.len(), **{c: pl.col(c).count() for c in OCCASION})
    numbers = [("dyad", name, by_dyad[name].cast(pl.Int64)) for name in ("sessions", *OCCASION)]
    without = pl.Series([0] * (dataset.n_dyads - by_dyad.height), dtype=pl.Int64)
    numbers = [(per, of, number.extend(without)) for per, of, number in numbers]
    if "therapist" in dataset.dyads.columns:
        known = dataset.dyads["therapist"].drop_nulls()
        numbers.append(("therapist", "dyads", known.value_counts()["count"].cast(pl.Int64)))
    return pl.DataFrame(
        [
            {
                "of": of,
                "per": per,
                "total": number.sum(),
                "units": number.len(),
                **{name: number.quantile(q, "linear") for name, q in QUARTILES.items()},
            }
            for per, of, number in numbers
        ],
        schema={
            **dict.fromkeys(("of", "per"), pl.String),
            **dict.fromkeys(("total", "units"), pl.Int64),
            **dict.fromkeys(QUARTILES, pl.Float64),
        },
    )


def coverage(dataset: Dataset) -> pl.DataFrame:
    """What dyads have, at one time or another.

    Returns
    -------
    polars.DataFrame
        ``what``, ``dyads``, ``share``: ``outcome``, ``patient_rating``, ``therapist_rating`` (at least one value),
        ``both_at_once`` (both ratings at the same time), ``patient_only``, ``therapist_only`` (ratings of one rater
        alone), ``no_rating``, ``nothing``.
    """
    there = {name: pl.col(name).is_not_null() for name in OCCASION}
    at_once = there["patient_rating"] & there["therapist_rating"]
    rows = seen(dataset).select("dyad", **there, both_at_once=at_once)
    by_dyad = rows.group_by("dyad").agg(pl.all().any())
    patient, therapist = pl.col("patient_rating"), pl.col("therapist_rating")
    unseen = dataset.n_dyads - by_dyad.height
    counts = by_dyad.select(
        "outcome",
        "patient_rating",
        "therapist_rating",
        "both_at_once",
        patient_only=patient & ~therapist,
        therapist_only=therapist & ~patient,
        no_rating=~(patient | therapist),
    ).sum()
    found = {**counts.row(0, named=True), "nothing": unseen}
    found["no_rating"] += unseen
    return pl.DataFrame(
        [(what, n, n / dataset.n_dyads) for what, n in found.items()],
        schema={"what": pl.String, "dyads": pl.Int64, "share": pl.Float64},
        orient="row",
    )


def agreement(dataset: Dataset) -> pl.DataFrame:
    """How far patient and therapist are apart at each time at which a dyad has both ratings.

    Returns
    -------
    polars.DataFrame
        ``time``, ``n`` (pairs), ``mean_difference`` (patient minus therapist), ``sd_difference`` (n − 1),
        ``mean_absolute_difference``, ``correlation``; the SD and the correlation are null where n < 2, the
        correlation also where a rater does not vary.
    """
    patient, therapist = pl.col("patient_rating"), pl.col("therapist_rating")
    difference = patient - therapist
    varies = (patient.min() < patient.max()) & (therapist.min() < therapist.max())
    return (
        dataset.rows.select("time", "patient_rating", "therapist_rating")
        .drop_nulls()
        .group_by("time")
        .agg(
            n=pl.len().cast(pl.Int64),
            mean_difference=difference.mean(),
            sd_difference=difference.std(),
            mean_absolute_difference=difference.abs().mean(),
            correlation=pl.when(varies).then(pl.corr(patient, therapist)),
        )
        .sort("time")
    )
