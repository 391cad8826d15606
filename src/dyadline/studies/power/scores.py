"""Scores of many drawn studies at once: what `score_ratings` does, study by study, on dyads laid end to end."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dyadline.engine.moments import Array, Index
from dyadline.errors import DyadlineError
from dyadline.model.lines import curves, fit_lines
from dyadline.plan.analysis import ConvergenceSection
from dyadline.scoring import growth
from dyadline.scoring.discrepancy import development, early, gaps, rate_of_convergence, unit
from dyadline.scoring.ratings import RATERS, Lines, Ratings, least_squares_lines
from dyadline.scoring.transform import transform

LEAST = 3
"""Dyads with a score that a study needs; see `score_ratings`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RatedStudies:
    """Ratings of R studies of J dyads at the K occasions that count.

    Attributes
    ----------
    t
        Model time, (K,).
    value
        By rater, (R, J, K); NaN where there is none.
    lines
        True intercept and slope of each dyad in model time by rater, (R, J, 2).
    """

    t: Array
    value: dict[str, Array]
    lines: dict[str, Array]

    @property
    def size(self) -> int:
        return int(self.value[RATERS[0]].shape[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyScores:
    """Scores of R studies of J dyads; NaN where there is none.

    Attributes
    ----------
    raw
        Convergence before the transform, (R, J).
    columns
        ``convergence, early_patient, early_therapist, early_discrepancy, development``, (R, J) each.
    scored
        Studies with scores that differ, (R,).
    """

    raw: Array
    columns: dict[str, Array]
    scored: NDArray[np.bool_]


def score_studies(rated: RatedStudies, how: ConvergenceSection, *, error_free: bool = False) -> StudyScores:
    """Score each study.

    Parameters
    ----------
    rated, how
        Ratings and the operationalisation; windows have been applied.
    error_free
        Score the true curves at the occasions that were observed, instead of the ratings.
    """
    raw, columns = _empty(rated), {name: _empty(rated) for name in _columns_of(how)}
    for which in _same_window(rated):
        part = _chosen(rated, which)
        if error_free:
            found = _scores(*_true(part, how), how)
        elif how.growth == "dyadic":
            found = _one_by_one(part, how)
        else:
            observed = _flat(part)
            found = _scores(observed, _curves(part, observed, how), how)
        shape = (len(which), -1)
        raw[which] = found["raw"].reshape(shape)
        for name in columns:
            columns[name][which] = found[name].reshape(shape)
    scored: NDArray[np.bool_] = np.array([_differ(x) for x in raw], dtype=np.bool_)
    for number in np.flatnonzero(scored).tolist():
        columns["convergence"][number] = transform(raw[number], how.transform).values
    columns["convergence"][~scored] = np.nan
    return StudyScores(raw=raw, columns=columns, scored=scored)


def _empty(rated: RatedStudies) -> Array:
    return np.full(rated.value[RATERS[0]].shape[:2], np.nan)


def _columns_of(how: ConvergenceSection) -> tuple[str, ...]:
    discrepancy = () if how.early_discrepancy == "none" else ("early_discrepancy",)
    return ("convergence", "early_patient", "early_therapist", *discrepancy, "development")


def _same_window(rated: RatedStudies) -> list[Index]:
    """Studies whose first and last rating are at the same occasions: mostly all."""
    either = np.isfinite(rated.value["patient"]) | np.isfinite(rated.value["therapist"])
    seen = np.asarray(either.any(axis=1))
    ends = np.stack([seen.argmax(axis=1), seen.shape[1] - 1 - seen[:, ::-1].argmax(axis=1)], axis=1)
    _, group = np.unique(ends, axis=0, return_inverse=True)
    return [np.flatnonzero(group.ravel() == k) for k in range(int(group.max()) + 1)]


def _chosen(rated: RatedStudies, which: Index) -> RatedStudies:
    if len(which) == rated.size:
        return rated
    return replace(
        rated,
        value={rater: values[which] for rater, values in rated.value.items()},
        lines={rater: values[which] for rater, values in rated.lines.items()},
    )


def _flat(rated: RatedStudies) -> Ratings:
    """Dyads of all studies laid end to end, as one study."""
    there = np.isfinite(rated.value["patient"]) | np.isfinite(rated.value["therapist"])
    studies, dyads, occasions = there.shape
    place = np.flatnonzero(there)
    t = rated.t[place % occasions]
    return Ratings(
        dyads=pl.Series("dyad", np.arange(studies * dyads)),
        index=place // occasions,
        time=t,
        t=t,
        value={rater: values.reshape(-1)[place] for rater, values in rated.value.items()},
        first=float(t.min()),
        last=float(t.max()),
    )


def _curves(rated: RatedStudies, observed: Ratings, how: ConvergenceSection) -> dict[str, Lines] | None:
    if how.growth == "observed":
        return None
    if how.growth == "ols":
        return {
            rater: least_squares_lines(observed.index, observed.t, observed.value[rater], observed.n_dyads)
            for rater in RATERS
        }
    return {rater: _lines(curves(fit_lines(rated.t, rated.value[rater]))) for rater in RATERS}


def _lines(both: Array) -> Lines:
    flat = both.reshape(-1, 2)
    return Lines(intercept=flat[:, 0], slope=flat[:, 1])


def _true(rated: RatedStudies, how: ConvergenceSection) -> tuple[Ratings, dict[str, Lines] | None]:
    """Ratings without error where there were ratings, and the true curves."""
    observed = _flat(rated)
    lines = {rater: _lines(rated.lines[rater]) for rater in RATERS}
    exact = {
        rater: np.where(np.isfinite(observed.value[rater]), lines[rater].at(observed.t, observed.index), np.nan)
        for rater in RATERS
    }
    # A dyad whom a rater never rated has no score with errors, so that none is to be compared with it.
    silent = {r: ~np.isfinite(values).any(axis=2).ravel() for r, values in rated.value.items()}
    known = {
        rater: Lines(
            intercept=np.where(silent[rater], np.nan, line.intercept), slope=np.where(silent[rater], np.nan, line.slope)
        )
        for rater, line in lines.items()
    }
    return replace(observed, value=exact), None if how.growth == "observed" else known


def _scores(observed: Ratings, lines: dict[str, Lines] | None, how: ConvergenceSection) -> dict[str, Array]:
    per = unit(observed, how)
    first = early(observed, lines, how)
    return {
        "raw": rate_of_convergence(gaps(observed, lines), how, per),
        "convergence": np.full(observed.n_dyads, np.nan),
        "early_patient": first["patient"],
        "early_therapist": first["therapist"],
        "early_discrepancy": first["discrepancy"],
        "development": development(observed, lines, per),
    }


def _one_by_one(rated: RatedStudies, how: ConvergenceSection) -> dict[str, Array]:
    """The joint growth model of both raters has no form for many studies: one after the other."""
    found = []
    for number in range(rated.size):
        observed = _flat(_chosen(rated, np.array([number])))
        try:
            models = growth.growth_models(observed, "dyadic")
            lines = growth.curves("dyadic", models)(observed)
        except DyadlineError:
            nothing = np.full(observed.n_dyads, np.nan)
            lines = {rater: Lines(intercept=nothing, slope=nothing) for rater in RATERS}
        found.append(_scores(observed, lines, how))
    return {name: np.concatenate([scores[name] for scores in found]) for name in found[0]}


def _differ(raw: Array) -> bool:
    """Whether scores are enough and differ, as `score_ratings` asks for."""
    found = raw[np.isfinite(raw)]
    if len(found) < LEAST:
        return False
    largest = float(np.abs(found).max())
    return largest >= 1e-12 and float(found.max() - found.min()) > 1e-9 * largest
