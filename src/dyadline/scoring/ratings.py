"""The ratings of both raters as arrays, and each rater's curve in each dyad."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl

from dyadline.data.dataset import Dataset
from dyadline.engine.moments import Array, Index
from dyadline.errors import DataError, DyadlineError
from dyadline.model.fit import Fit, fit
from dyadline.model.predict import curve_estimator

RATERS = ("patient", "therapist")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratings:
    """Occasions in the rating window at which at least one of the two rated.

    Attributes
    ----------
    dyads
        Labels, (J,).
    index
        Dyad of each row, (n,), 0 to J − 1, ascending.
    time, t
        Occasion in the file's own values and in model time, (n,).
    value
        Ratings by rater, (n,) each; NaN where missing.
    first, last
        The study's first and last rating occasion, in model time.
    """

    dyads: pl.Series
    index: Index
    time: Array
    t: Array
    value: dict[str, Array]
    first: float
    last: float

    @property
    def n_dyads(self) -> int:
        return len(self.dyads)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """A straight line for each dyad, in model time; NaN where there is none. Arrays (J,)."""

    intercept: Array
    slope: Array

    def at(self, t: Array | float, index: Index | slice = slice(None)) -> Array:
        """Heights at times t for the dyads of `index`."""
        return np.asarray(self.intercept[index] + self.slope[index] * t)


def ratings(dataset: Dataset, window: str | tuple[float, float]) -> Ratings:
    """Ratings of a data set within a window of its own time values.

    Raises
    ------
    DataError
        If the window holds no rating, or one rater is never there.
    """
    rows = dataset.rows
    if not isinstance(window, str):
        rows = rows.filter(pl.col("time").is_between(window[0], window[1]))
    rows = rows.filter(pl.col("patient_rating").is_not_null() | pl.col("therapist_rating").is_not_null())
    for rater in RATERS:
        if rows[f"{rater}_rating"].null_count() == rows.height:
            raise DataError(
                f"There is no {rater} rating in the rating window",
                where="convergence.rating_window",
                way_out="Widen the window, or check the column",
            )
    labels = dataset.dyads["dyad"]
    number = pl.DataFrame({"dyad": labels, "index": np.arange(len(labels))})
    index = rows.join(number, on="dyad", how="left", maintain_order="left")["index"].to_numpy()
    t = rows["t"].to_numpy()
    return Ratings(
        dyads=labels,
        index=index,
        time=rows["time"].to_numpy(),
        t=t,
        value={rater: rows[f"{rater}_rating"].to_numpy() for rater in RATERS},
        first=float(t.min()),
        last=float(t.max()),
    )


def least_squares_lines(index: Index, t: Array, y: Array, n_dyads: int) -> Lines:
    """An ordinary least squares line per dyad; NaN with fewer than two different times.

    Parameters
    ----------
    index, t, y
        Dyad, time and value of each point, (n,); points with a missing value do not count.
    """
    there = np.isfinite(y)
    index, t, y = index[there], t[there], y[there]
    n = np.bincount(index, minlength=n_dyads).astype(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean_t = np.bincount(index, t, minlength=n_dyads) / n
        mean_y = np.bincount(index, y, minlength=n_dyads) / n
        from_mean = t - mean_t[index]
        spread = np.bincount(index, from_mean**2, minlength=n_dyads)
        together = np.bincount(index, from_mean * (y - mean_y[index]), minlength=n_dyads)
        slope = np.where(spread > 0.0, together / spread, np.nan)
    return Lines(intercept=mean_y - slope * mean_t, slope=slope)


def growth_models(observed: Ratings) -> dict[str, Fit]:
    """`rating ~ t + (t | dyad)` by REML for each rater.

    Raises
    ------
    DyadlineError
        With the rater's name, where the model cannot be fitted.
    """
    found: dict[str, Fit] = {}
    for rater in RATERS:
        frame = pl.DataFrame(
            {"rating": observed.value[rater], "t": observed.t, "dyad": observed.dyads.gather(observed.index)}
        )
        try:
            found[rater] = fit("rating ~ t + (t | dyad)", frame)
        except DyadlineError as error:
            raise type(error)(
                f"No growth curves for the {rater}'s ratings: {error.what}",
                where="convergence.growth",
                way_out=error.way_out,
            ) from error
    return found


def multilevel_lines(models: dict[str, Fit], observed: Ratings) -> Callable[[Ratings], dict[str, Lines]]:
    """How each dyad's curves, fixed effect plus conditional mode, come from ratings at the models' variances.

    Parameters
    ----------
    models
        Growth model by rater, fitted to the observed ratings.
    observed
        The ratings that were fitted.

    Returns
    -------
    A function of these ratings, or of simulated ones on the same rows; lines are NaN for dyads without ratings.
    """
    curves = {rater: curve_estimator(models[rater]) for rater in RATERS}
    dyads = {}
    for rater in RATERS:
        there = np.isfinite(observed.value[rater])
        dyads[rater] = np.unique(observed.index[there])  # as in the model: by first appearance

    def lines(ratings: Ratings) -> dict[str, Lines]:
        found = {}
        for rater in RATERS:
            own = curves[rater](ratings.value[rater])
            intercept, slope = np.full(observed.n_dyads, np.nan), np.full(observed.n_dyads, np.nan)
            intercept[dyads[rater]], slope[dyads[rater]] = own[:, 0], own[:, 1]
            found[rater] = Lines(intercept=intercept, slope=slope)
        return found

    return lines
