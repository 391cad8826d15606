"""Drawn studies as files have them, and the plan that goes with such a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from dyadline.engine.moments import Index
from dyadline.plan.analysis import AnalysisPlan
from dyadline.plan.truth import Truth
from dyadline.studies.simulation.drawn import Drawn


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """How dyads and therapists of a part of a study are numbered.

    Attributes
    ----------
    dyad
        Number of the part's first dyad, from 0.
    therapist
        Number of the part's first therapist in each arm, from 0.
    dyads, therapists
        How many there are in the whole study; therapists of the largest arm.
    """

    dyad: int
    therapist: tuple[int, ...]
    dyads: int
    therapists: int


def study_frame(drawn: Drawn, replicate: int = 0, *, labels: Labels | None = None) -> pl.DataFrame:
    """A drawn study as a long table: one row per dyad and occasion at which anything was observed.

    Parameters
    ----------
    drawn
        R studies.
    replicate
        Which of them.
    labels
        How dyads and therapists are numbered, where this is part of a larger study.

    Returns
    -------
    ``dyad``, ``therapist`` (with therapists), ``arm`` (if there are several), the occasion, ``session`` (where the
    truth has `sessions`), both ratings, the outcome, the baseline, ``n_sessions`` (where it has `length`); under the
    names of the truth.
    """
    truth, names = drawn.truth, drawn.truth.names
    counts = tuple(truth.therapists.values())
    if labels is None:
        labels = Labels(dyad=0, therapist=(0,) * len(counts), dyads=truth.dyads, therapists=max(counts, default=0))
    values = {"patient": drawn.patient, "therapist": drawn.therapist, "outcome": drawn.outcome}
    there = np.logical_or.reduce([np.isfinite(value[replicate]) for value in values.values()])
    index, place = np.nonzero(there)
    columns: dict[str, Any] = {"dyad": _numbered("D", np.arange(truth.dyads) + labels.dyad, labels.dyads, 3)[index]}
    if counts:
        therapists, arms = _therapists(truth, labels)
        columns["therapist"] = therapists[drawn.provider[replicate][index]]
        if len(counts) > 1:
            columns["arm"] = arms[drawn.arm[replicate][index]]
    time = drawn.time[place]
    columns[names.time] = time.astype(np.int64) if (drawn.time == np.rint(drawn.time)).all() else time
    n_sessions = None if drawn.n_sessions is None else drawn.n_sessions[replicate][index]
    if truth.sessions is not None and n_sessions is not None:
        sessions = np.array([*truth.sessions, 0])[place]
        columns["session"] = np.where(place == len(truth.sessions), n_sessions, sessions)
    for name, value in values.items():
        columns[getattr(names, name)] = value[replicate][index, place]
    columns[names.baseline] = drawn.baseline[replicate][index]
    if n_sessions is not None:
        columns["n_sessions"] = n_sessions
    return pl.DataFrame(columns).with_columns(pl.col(pl.Float64).fill_nan(None))


def _therapists(truth: Truth, labels: Labels) -> tuple[pl.Series, pl.Series]:
    """Labels of the therapists, in the order of their numbers, and of the arms."""
    named = [
        _numbered(arm, np.arange(count) + first, labels.therapists, 2)
        for (arm, count), first in zip(truth.therapists.items(), labels.therapist, strict=True)
    ]
    return pl.concat(named), pl.Series(list(truth.therapists))


def _numbered(letters: str, numbers: Index, largest: int, width: int) -> pl.Series:
    width = max(width, len(str(largest)))
    return letters + pl.Series(numbers + 1).cast(pl.String).str.zfill(width)


def truth_plan(truth: Truth, file: str, *, items: bool = False) -> AnalysisPlan:
    """The plan of a simulated file: the defaults on its columns, and three levels where therapists differ in outcome.

    Parameters
    ----------
    truth
        What the file was drawn from.
    file
        Its name, relative to the plan's folder.
    items
        Whether it has answers to items in place of scores.
    """
    names = truth.names
    scored = truth.items if items else {}
    levels, slopes = truth.therapist_effects.outcome
    models = {"levels": 3, "therapist_slopes": bool(slopes)} if levels or slopes else {}
    checks = {"rating_range": truth.alliance.scale, "sessions": None if truth.length is None else "n_sessions"}
    return AnalysisPlan.model_validate(
        {
            "title": truth.title or "Simulated study",
            "data": {"file": file, "synthetic": True},
            "columns": {
                "dyad": "dyad",
                "therapist": "therapist" if truth.therapists else None,
                "time": names.time,
                "patient_rating": scored.get(names.patient, names.patient),
                "therapist_rating": scored.get(names.therapist, names.therapist),
                "outcome": scored.get(names.outcome, names.outcome),
                "baseline": names.baseline,
            },
            "models": models,
            "checks": {key: value for key, value in checks.items() if value is not None},
        }
    )
