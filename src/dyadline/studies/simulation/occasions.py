"""The occasions of an observed study, so that one like it can be drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from dyadline.errors import DataError

RAREST = 0.02
"""Share of the dyads that must have been observed at a time for it to be an occasion of the study."""

FEW = 2
"""Occasions are fixed where the study has at most so many times as many as the dyad with most rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Occasions in the file's own time.

    Attributes
    ----------
    occasions, rated, measured
        Of anything, of the ratings, of the outcome; ascending.
    place
        Occasion of each row, from 0; -1 for rows at times that are no occasion.
    """

    occasions: tuple[float, ...]
    rated: tuple[float, ...]
    measured: tuple[float, ...]
    place: pl.Series


def grid(rows: pl.DataFrame) -> Grid:
    """Occasions of a study: its times, or the mean times of each dyad's first, second, third ... row.

    Times are occasions where they repeat over dyads. Where each dyad has times of its own, such as days, the k-th
    occasion is the mean time of the dyads' k-th rows.

    Parameters
    ----------
    rows
        ``dyad, time, patient, therapist, outcome``, where at least one of the last three is there.

    Raises
    ------
    DataError
        If fewer than two occasions are rated or measured.
    """
    n_dyads = rows["dyad"].n_unique()
    least = max(2.0, RAREST * n_dyads)
    fixed = rows["time"].n_unique() <= FEW * rows.group_by("dyad").len()["len"].max()  # type: ignore[operator]
    key = pl.col("time") if fixed else pl.col("time").rank("ordinal").over("dyad").cast(pl.Float64)
    keyed = rows.select(pl.all(), key=key)
    by_key = keyed.group_by("key").agg(
        pl.col("time").mean(),
        pl.col("dyad").n_unique(),
        rated=pl.any_horizontal(pl.col("patient", "therapist").is_not_null()).sum(),
        measured=pl.col("outcome").is_not_null().sum(),
    )
    by_key = by_key.filter(pl.col("dyad") >= least).sort("key").with_columns(place=pl.int_range(pl.len()))
    times = by_key["time"].to_numpy()
    if not (np.diff(times) > 0).all():  # mean times of later rows can lie before those of dyads that went on
        times = np.maximum.accumulate(times) + 1e-6 * np.arange(len(times))
    enough = {name: (by_key[name] >= least).to_list() for name in ("rated", "measured")}
    chosen = {
        name: tuple(float(t) for t, some in zip(times, flags, strict=True) if some) for name, flags in enough.items()
    }
    for name, what in (("rated", "the alliance was rated"), ("measured", "the outcome was measured")):
        if len(chosen[name]) < 2:
            raise DataError(
                f"There are fewer than two occasions at which {what} in at least {least:g} dyads",
                way_out="Write a parameter file by hand: dyadline simulate study1 --parameters FILE gives a pattern",
            )
    place = keyed.join(by_key.select("key", "place"), on="key", how="left", maintain_order="left")["place"]
    return Grid(
        occasions=tuple(float(t) for t in times),
        rated=chosen["rated"],
        measured=chosen["measured"],
        place=place.fill_null(-1),
    )
