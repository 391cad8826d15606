"""Synthetic twins of the paper's two studies: no real patient is in them.

Ratings are drawn around each rater's own line; they are scored under the default operationalisation; the
outcome is drawn given those scores, so that Model 3 is true as written. All numbers stand in the parameter
files beside this module.
"""

from __future__ import annotations

import tomllib
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

import numpy as np
import polars as pl

from dyadline.engine.moments import Array, Index
from dyadline.errors import PlanError, did_you_mean, whole_number
from dyadline.plan.analysis import AnalysisPlan, ConvergenceSection
from dyadline.plan.columns import ItemsSection
from dyadline.plan.truth import PREDICTORS
from dyadline.scoring.ratings import Ratings
from dyadline.scoring.score import score_ratings
from dyadline.studies.answers import with_answers

STUDIES = ("study1", "study2")


def twin_file(study: str, suffix: str) -> Traversable:
    """A bundled file of a twin: ``.toml`` (parameters) or ``.csv`` (data).

    Raises
    ------
    PlanError
        If there is no such study.
    """
    if study not in STUDIES:
        raise PlanError(
            f"There is no bundled study {study!r}",
            way_out=did_you_mean(study, STUDIES) or f"Use {' or '.join(STUDIES)}",
        )
    return files("dyadline.studies") / "twins" / f"{study}{suffix}"


def parameters(study: str) -> dict[str, Any]:
    """The twin's parameter file."""
    return tomllib.loads(twin_file(study, ".toml").read_text(encoding="utf-8"))


def twin_plan(study: str, *, file: str | None = None, items: bool = False) -> AnalysisPlan:
    """The plan of a twin: the defaults on its columns.

    Study 2 takes the first outcome as baseline, as the paper's Table II suggests it did: its intercept
    variance then collapses, and the report says why. The separate column ``gsi_pre`` avoids that; its column of the
    number of sessions is named, so that sensitivity uses it as the paper did. With `items` the
    ratings and the outcome are scored from answers, as `simulate` draws them.
    """
    given = parameters(study)
    names = given["names"]
    scored = given["items"] if items else {}
    return AnalysisPlan.model_validate(
        {
            "title": given["title"],
            "data": {"file": file or f"{study}.csv", "synthetic": True},
            "columns": {
                "dyad": "dyad",
                "therapist": "therapist",
                "time": names["time"],
                "patient_rating": scored.get("wai_p", "wai_p"),
                "therapist_rating": scored.get("wai_t", "wai_t"),
                "outcome": scored.get(names["outcome"], names["outcome"]),
                "baseline": "first" if study == "study2" else names["baseline"],
            },
            **({"checks": {"sessions": "n_sessions"}} if study == "study2" else {}),
        }
    )


def twin_data(study: str) -> pl.DataFrame:
    """The bundled draw of a twin."""
    return pl.read_csv(twin_file(study, ".csv").read_bytes())


def simulate(study: str, *, dyads: int | None = None, seed: int | None = None, items: bool = False) -> pl.DataFrame:
    """Draw a study.

    Parameters
    ----------
    study
        ``"study1"`` or ``"study2"``.
    dyads
        Number of dyads, at least 10; the paper's by default. Therapists grow in proportion.
    seed
        Of the random numbers, not negative; the bundled draw's by default.
    items
        Whether the answers to the questionnaires' items stand in place of the scores: ``wai_p_1 …``, ``wai_t_1 …``,
        ``bdi_1 …`` or ``scl_1 …``. Scoring them gives the scores, rounded to what answers can make and kept within
        the scale's range (the twin's symptom scores leave it).

    Returns
    -------
    One row per dyad and occasion that was not missed: ``dyad, therapist, arm, session, wai_p, wai_t, bdi,
    bdi_pre`` (study1); ``dyad, therapist, occasion, session, wai_p, wai_t, gsi, gsi_pre, n_sessions`` (study2).

    Raises
    ------
    PlanError
        Unknown study, too few dyads, a negative seed, or `items` that is neither True nor False.
    """
    given = parameters(study)
    n = given["dyads"] if dyads is None else whole_number(dyads, "The number of dyads", 10)
    if not isinstance(items, bool):
        raise PlanError(f"items is True or False, not {items!r}")
    seed = given["seed"] if seed is None else whole_number(seed, "The seed", 0)
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    occasions = np.array(given["occasions"], dtype=float)
    index = np.repeat(np.arange(n), len(occasions))
    place = np.tile(np.arange(len(occasions)), n)
    kept = _kept(given["missing"], n, len(occasions), rng).ravel()
    index, place = index[kept], place[kept]
    observed = _draw_ratings(given, n, index, occasions[place], rng)
    baseline = _draw_baseline(given["baseline"], n, rng)
    outcome = _draw_outcome(given["outcome"], observed, index, occasions[place], baseline, rng)
    arm, therapist = _therapists(given, n, rng)
    names = given["names"]
    width = max(3, len(str(n)))
    frame = pl.DataFrame({"dyad": [f"D{j + 1:0{width}d}" for j in index], "therapist": therapist[index]})
    if len(given["therapists"]) > 1:
        frame = frame.with_columns(arm=pl.Series(arm[index]))
    frame = frame.with_columns(pl.Series(names["time"], occasions[place].astype(np.int64)))
    if "length" in given:
        lengths = _draw_lengths(given["length"], n, rng)
        sessions = np.array([*given["sessions"], 0])[place]
        frame = frame.with_columns(session=pl.Series(np.where(sessions == 0, lengths[index], sessions)))
    frame = frame.with_columns(
        wai_p=pl.Series(_at_rows(observed, "patient", index, occasions[place])),
        wai_t=pl.Series(_at_rows(observed, "therapist", index, occasions[place])),
        **{names["outcome"]: pl.Series(outcome), names["baseline"]: pl.Series(baseline[index])},
    ).with_columns(pl.col("wai_p", "wai_t").fill_nan(None))
    if "length" in given:
        frame = frame.with_columns(n_sessions=pl.Series(lengths[index]))
    if not items:
        return frame
    return with_answers(frame, {name: ItemsSection.model_validate(held) for name, held in given["items"].items()}, rng)


def _kept(missing: dict[str, float], n: int, occasions: int, rng: np.random.Generator) -> Index:
    """Which occasions left a record, (n, occasions); the first three always do."""
    ends = rng.random((n, occasions)) < missing["drop_out"]
    ends[:, :3] = False
    gone = np.cumsum(ends, axis=1) > 0
    skipped = rng.random((n, occasions)) < missing["skipped"]
    skipped[:, :3] = False
    return np.asarray(~(gone | skipped))


def _draw_ratings(given: dict[str, Any], n: int, index: Index, time: Array, rng: np.random.Generator) -> Ratings:
    """Ratings of the occasions at which the alliance is rated."""
    alliance = given["alliance"]
    rated = np.array(given["rated"], dtype=float)
    raters = [alliance["patient"], alliance["therapist"]]
    correlation = np.eye(4)
    for block, rater in enumerate(raters):
        correlation[2 * block, 2 * block + 1] = correlation[2 * block + 1, 2 * block] = rater["r"]
    correlation[[0, 1, 2, 3], [2, 3, 0, 1]] = alliance["between"]
    sd = np.array([*raters[0]["sd"], *raters[1]["sd"]])
    root = np.linalg.cholesky(correlation * np.outer(sd, sd))
    effects = rng.standard_normal((n, 4)) @ root.T
    here = np.isin(time, rated)
    index, time = index[here], time[here]
    t = time - rated[0]
    value = {}
    for block, (name, rater) in enumerate(zip(("patient", "therapist"), raters, strict=True)):
        level = rater["intercept"] + effects[index, 2 * block]
        line = level + (rater["slope"] + effects[index, 2 * block + 1]) * t
        noisy = line + rater["residual"] * rng.standard_normal(len(t))
        rating = np.round(np.clip(noisy, *alliance["scale"]), 2)
        skipped = (rng.random(len(t)) < given["missing"]["form"]) & (t > 0)
        value[name] = np.where(skipped, np.nan, rating)
    there = np.isfinite(value["patient"]) | np.isfinite(value["therapist"])
    return Ratings(
        dyads=pl.Series("dyad", [str(j) for j in range(n)]),
        index=index[there],
        time=time[there],
        t=t[there],
        value={name: rating[there] for name, rating in value.items()},
        first=float(t.min()),
        last=float(t.max()),
    )


def _at_rows(observed: Ratings, rater: str, index: Index, time: Array) -> Array:
    """Ratings in the places of all rows, NaN where nothing was rated."""
    known = dict(zip(zip(observed.index, observed.time, strict=True), observed.value[rater], strict=True))
    return np.array([known.get(key, np.nan) for key in zip(index, time, strict=True)])


def _draw_baseline(given: dict[str, Any], n: int, rng: np.random.Generator) -> Array:
    drawn = given["mean"] + given["sd"] * rng.standard_normal(n)
    return np.asarray(np.round(np.clip(drawn, *given["range"]), given["decimals"]))


def _draw_outcome(
    given: dict[str, Any],
    observed: Ratings,
    index: Index,
    time: Array,
    baseline: Array,
    rng: np.random.Generator,
) -> Array:
    """Outcome given the scores: Model 3 as written, with centred predictors."""
    scores = {**score_ratings(observed, ConvergenceSection()).columns, "baseline": baseline}
    centred = {name: np.nan_to_num(scores[name] - np.nanmean(scores[name])) for name in PREDICTORS}
    centred["product"] = centred["convergence"] * centred["development"]
    level, slope = (
        given[part]["intercept"] + sum(given[part][name] * value for name, value in centred.items())
        for part in ("fixed", "slope")
    )
    random = given["random"]
    covariance = np.array([[random["intercept"], random["covariance"]], [random["covariance"], random["slope"]]])
    effects = rng.standard_normal((len(baseline), 2)) @ np.linalg.cholesky(covariance).T
    t = time - time.min()
    mean = (level + effects[:, 0])[index] + (slope + effects[:, 1])[index] * t
    noise = np.sqrt(given["residual"]) * rng.standard_normal(len(t))
    return np.asarray(np.round(mean + noise, given["decimals"]))


def _draw_lengths(given: dict[str, float], n: int, rng: np.random.Generator) -> Index:
    """Numbers of sessions: log-normal, drawn again below the least."""
    lengths = np.zeros(n)
    while (short := lengths < given["least"]).any():
        drawn = np.exp(np.log(given["median"]) + given["log_sd"] * rng.standard_normal(int(short.sum())))
        lengths[short] = np.round(drawn)
    return lengths.astype(np.intp)


def _therapists(
    given: dict[str, Any], n: int, rng: np.random.Generator
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Arm and therapist of each dyad: arms of equal size, therapists within an arm at random."""
    arms = list(given["therapists"])
    arm = np.array([arms[j % len(arms)] for j in range(n)])
    arm = arm[rng.permutation(n)]
    names = np.empty(n, dtype=object)
    for label in arms:
        members = np.flatnonzero(arm == label)
        count = max(2, round(given["therapists"][label] * n / given["dyads"]))
        # Everyone treats somebody before anyone treats a second patient at random.
        number = np.r_[np.arange(min(count, len(members))), rng.integers(0, count, max(0, len(members) - count))]
        names[members] = [f"{label}{k + 1:02d}" for k in number]
    return arm, names
