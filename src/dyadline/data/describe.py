"""The data described: levels by rater and occasion, who was there, how far the raters are apart."""

from __future__ import annotations

import polars as pl

from dyadline.data.dataset import Dataset
from dyadline.data.roles import OCCASION


def descriptives(dataset: Dataset) -> pl.DataFrame:
    """Mean and spread of both ratings and the outcome at each time.

    Returns
    -------
    polars.DataFrame
        ``variable`` (``patient_rating``, ``therapist_rating``, ``outcome``, in this order), ``time``, ``n``,
        ``mean``, ``sd`` (n − 1; null where n < 2), ``min``, ``max``; no rows where n = 0.
    """
    value = pl.col("value")
    return pl.concat(
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


def flow(dataset: Dataset) -> pl.DataFrame:
    """How many dyads are there at each time, and where they were last seen.

    Returns
    -------
    polars.DataFrame
        ``time``, ``dyads`` (with a row), ``patient_rating``, ``therapist_rating``, ``outcome`` (values),
        ``last_seen`` (dyads whose last row with any value is at this time).
    """
    rows = dataset.rows
    last = (
        rows.filter(pl.any_horizontal(pl.col(*OCCASION).is_not_null()))
        .group_by("dyad")
        .agg(pl.col("time").max())
        .group_by("time")
        .agg(last_seen=pl.len())
    )
    return (
        rows.group_by("time")
        .agg(pl.col("dyad").n_unique().alias("dyads"), pl.col(*OCCASION).count())
        .join(last, on="time", how="left")
        .sort("time")
        .with_columns(pl.exclude("time").fill_null(0).cast(pl.Int64))
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
