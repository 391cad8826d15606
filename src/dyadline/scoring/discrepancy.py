"""How far apart the two raters are at each occasion, and how that changes: one number per dyad."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dyadline.engine.moments import Array, Index
from dyadline.plan.analysis import ConvergenceSection
from dyadline.scoring.ratings import Lines, Ratings, least_squares_lines


@dataclass(frozen=True, slots=True, kw_only=True)
class Gaps:
    """Patient minus therapist at each occasion where both sides are known.

    Attributes
    ----------
    index, t, signed
        Dyad, model time and difference, (m,) each, ascending in dyad and time.
    n_dyads
        J.
    """

    index: Index
    t: Array
    signed: Array
    n_dyads: int

    @property
    def ends(self) -> tuple[Index, Index, Index]:
        """Dyads that have a gap, and the positions of their first and last one."""
        starts = np.flatnonzero(np.r_[True, self.index[1:] != self.index[:-1]]) if len(self.index) else self.index
        return self.index[starts], starts, np.r_[starts[1:], len(self.index)][: len(starts)] - 1


def gaps(observed: Ratings, lines: dict[str, Lines] | None) -> Gaps:
    """Gaps between the two curves at the occasions where the dyad was rated, or between raw ratings.

    Parameters
    ----------
    observed
        Ratings; a row counts for curves if at least one of the two rated, for raw ratings if both did.
    lines
        Curves by rater, or ``None`` for raw ratings.
    """
    if lines is None:
        signed = observed.value["patient"] - observed.value["therapist"]
    else:
        signed = lines["patient"].at(observed.t, observed.index) - lines["therapist"].at(observed.t, observed.index)
    known = np.isfinite(signed)
    return Gaps(index=observed.index[known], t=observed.t[known], signed=signed[known], n_dyads=observed.n_dyads)


def discrepancy(signed: Array, kind: str) -> Array:
    """`|P − T|`, `P − T` or `(P − T)²`."""
    if kind == "absolute":
        return np.abs(signed)
    return np.square(signed) if kind == "squared" else signed


def unit(observed: Ratings, how: ConvergenceSection) -> float:
    """What a slope per unit of model time is multiplied by: the study's rating window, or 1."""
    return observed.last - observed.first if how.unit == "window" else 1.0


def rate_of_convergence(between: Gaps, how: ConvergenceSection, per: float) -> Array:
    """The untransformed convergence score of each dyad, (J,); positive = converging; NaN where there is none.

    Parameters
    ----------
    between
        Gaps.
    how
        Choices `discrepancy` and `slope`.
    per
        Unit of a slope, see `unit`; the choices `endpoints` and `log_ratio` compare the dyad's own first and
        last occasion and have no unit of time.
    """
    values = discrepancy(between.signed, how.discrepancy)
    slope = least_squares_lines(between.index, between.t, values, between.n_dyads).slope
    if how.slope == "rate":
        return -slope * per
    dyads, first, last = between.ends
    start, end = np.full(between.n_dyads, np.nan), np.full(between.n_dyads, np.nan)
    start[dyads], end[dyads] = values[first], values[last]
    if how.slope == "toward_zero":
        return np.asarray(-np.sign(start) * slope * per)
    apart = np.isfinite(slope)
    if how.slope == "endpoints":
        return np.where(apart, np.abs(start) - np.abs(end), np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.log(np.abs(start) / np.abs(end))
    return np.where(apart & np.isfinite(ratio), ratio, np.nan)


def crossings(between: Gaps) -> Array:
    """Whether the sign of the gap changes between a dyad's first and last occasion, (J,) as 0, 1 or NaN."""
    dyads, first, last = between.ends
    result = np.full(between.n_dyads, np.nan)
    result[dyads] = between.signed[first] * between.signed[last] < 0
    return result


def development(observed: Ratings, lines: dict[str, Lines] | None, per: float) -> Array:
    """Slope of the dyad's mean curve (or of the mean of its raw ratings), (J,), in the score's unit."""
    if lines is not None:
        return (lines["patient"].slope + lines["therapist"].slope) / 2.0 * per
    both = (observed.value["patient"] + observed.value["therapist"]) / 2.0
    return least_squares_lines(observed.index, observed.t, both, observed.n_dyads).slope * per


def first_values(observed: Ratings, values: Array) -> Array:
    """The first value that is not missing of each dyad, (J,)."""
    result = np.full(observed.n_dyads, np.nan)
    there = np.flatnonzero(np.isfinite(values))[::-1]
    result[observed.index[there]] = values[there]  # written from the last to the first
    return result


def early(observed: Ratings, lines: dict[str, Lines] | None, how: ConvergenceSection) -> dict[str, Array]:
    """Early level of each rater and early discrepancy, (J,) each: ``patient, therapist, discrepancy``."""
    levels: dict[str, Array] = {}
    for rater in ("patient", "therapist"):
        if how.early_level == "curve" and lines is not None:
            levels[rater] = lines[rater].at(observed.first)
        else:
            levels[rater] = first_values(observed, observed.value[rater])
    if how.early_discrepancy == "none":
        levels["discrepancy"] = np.full(observed.n_dyads, np.nan)
    elif how.early_discrepancy == "curve" and lines is not None:
        levels["discrepancy"] = lines["patient"].at(observed.first) - lines["therapist"].at(observed.first)
    else:
        raw = first_values(observed, observed.value["patient"] - observed.value["therapist"])
        levels["discrepancy"] = np.abs(raw) if how.early_discrepancy == "absolute" else raw
    return levels
