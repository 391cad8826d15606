"""Many studies drawn from one truth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from dyadline.engine.moments import Array, Index
from dyadline.errors import DyadlineError
from dyadline.plan.analysis import ConvergenceSection
from dyadline.plan.truth import Truth
from dyadline.scoring.ratings import Ratings
from dyadline.scoring.score import score_ratings
from dyadline.studies.simulation.drawn import Drawn
from dyadline.studies.simulation.exactness import check_exactness, exact_numbers
from dyadline.studies.simulation.lines import (
    Centres,
    centred_predictors,
    outcome_lines,
    predicted,
    rating_lines,
)
from dyadline.studies.simulation.missing import lengths, observed
from dyadline.studies.simulation.population import made_baseline, population, therapist_sd
from dyadline.studies.simulation.random_numbers import Numbers, random_numbers
from dyadline.studies.simulation.true_scores import rated_times, true_convergence


def draw(truth: Truth, seeds: Sequence[np.random.SeedSequence], *, exact: bool = False) -> Drawn:
    """Draw one study per seed; each depends on its own seed alone, not on the company that it is drawn in.

    Parameters
    ----------
    truth
        Design and parameters.
    seeds
        R of them.
    exact
        Whether each sample has exactly the stated moments (n − 1 in the denominator): over dyads those of the random
        effects and the baseline, before the baseline is cut off and rounded; over therapists those of their
        effects; over all rows those of the residuals. True convergence is then centred and standardised in the sample,
        and a standardised `effect` is exactly its correlation with what the other predictors leave of the slope.

    Raises
    ------
    PlanError
        Exact moments of too few dyads or therapists.

    Notes
    -----
    With ``given = "scored"`` a replicate whose ratings cannot be scored has no outcome at all.
    """
    if exact:
        check_exactness(truth)
    normal, uniform = random_numbers(truth, seeds)
    arm, provider, added = _therapists(truth, normal, uniform, exact)
    if exact:
        early = np.concatenate([normal["effects"][:, :4], normal["baseline"][:, None]], axis=1)
        early = np.stack([exact_numbers(one) for one in early])
        normal["effects"][:, :4], normal["baseline"] = early[:, :4], early[:, 4]
    baseline = made_baseline(truth, normal["baseline"])
    ratings = rating_lines(truth, normal["effects"], None if added is None else added[:, 2:])
    centres = population(truth).centres
    if exact:
        found = true_convergence(np.moveaxis(ratings, 1, 0), truth)
        spread = found.std(axis=1, ddof=1, keepdims=True)
        centres = Centres(convergence=found.mean(axis=1, keepdims=True), spread=spread, predictors=centres.predictors)
    centred, standardised = centred_predictors(truth, ratings, baseline, centres)
    if exact:
        beside = [early, standardised[:, None]] if truth.outcome.effect is not None else [early]
        normal["effects"][:, 4:] = [
            exact_numbers(own, other)
            for own, other in zip(normal["effects"][:, 4:], np.concatenate(beside, axis=1), strict=True)
        ]
    latent = truth.outcome.given == "latent"
    outcome_line = outcome_lines(
        truth, normal["effects"], centred if latent else {}, standardised, None if added is None else added[:, :2]
    )
    n_sessions = None if truth.length is None else lengths(truth.length, uniform["length"])
    values = _ratings(truth, ratings, normal["raters"], exact)
    noise = _outcome_noise(truth, normal["outcome"], exact)
    # Where scores drive the outcome, nothing that is missing depends on it: it can come last.
    outcome = _outcome(truth, outcome_line, noise) if latent else noise
    there = observed(truth, uniform, (outcome, values), n_sessions)
    np.copyto(values, np.nan, where=~there.raters)
    if not latent:
        outcome_line = outcome_line + _from_scores(truth, values, baseline)
        outcome = _outcome(truth, outcome_line, noise)
    np.copyto(outcome, np.nan, where=~there.outcome)
    patient, therapist = _at_all_occasions(truth, values)
    return Drawn(
        truth=truth,
        time=np.array(truth.occasions),
        patient=patient,
        therapist=therapist,
        outcome=outcome,
        baseline=baseline,
        lines=np.moveaxis(np.concatenate([ratings, outcome_line], axis=1), 1, 2),
        convergence=standardised,
        arm=arm,
        provider=provider,
        n_sessions=n_sessions,
    )


def _therapists(truth: Truth, normal: Numbers, uniform: Numbers, exact: bool) -> tuple[Index, Index, Array | None]:
    """Arm and therapist of each dyad, (R, J), and what the therapist adds, (R, 4, J)."""
    replicates, n = normal["baseline"].shape
    if not truth.therapists:
        return np.full((replicates, n), -1), np.full((replicates, n), -1), None
    # Ranks of uniform numbers are a random order: arms of equal size.
    order = np.argsort(np.argsort(uniform["arm"], axis=1), axis=1)
    arm = order % len(truth.therapists)
    provider = np.empty_like(arm)
    first = 0
    for number, count in enumerate(truth.therapists.values()):
        members = arm == number
        rank = np.cumsum(members, axis=1) - 1
        # Everyone treats somebody before anyone treats a second patient at random.
        chosen = np.minimum((uniform["provider"] * count).astype(np.intp), count - 1)
        np.copyto(provider, first + np.where(rank < count, rank, chosen), where=members)
        first += count
    sd = therapist_sd(truth)
    if not sd.any():
        return arm, provider, None
    standard = normal["therapists"]
    if exact:
        for one in standard:
            one[sd > 0.0] = exact_numbers(one[sd > 0.0])
    own = np.take_along_axis(standard, np.broadcast_to(provider[:, None], (replicates, 4, n)), axis=2)
    return arm, provider, sd[:, None] * own


def _ratings(truth: Truth, lines: Array, standard: Array, exact: bool) -> Array:
    """Complete ratings of patient and therapist, (R, 2, J, K of rated occasions)."""
    alliance, t = truth.alliance, rated_times(truth)
    noise = serial(standard, t, alliance.ar1)
    if exact:
        noise = np.stack([exact_numbers(one.reshape(2, -1)).reshape(one.shape) for one in noise])
    sd = np.array([alliance.patient.residual, alliance.therapist.residual])
    rho = alliance.residual_correlation
    values = lines[:, ::2, :, None] + lines[:, 1::2, :, None] * t
    values[:, 0] += sd[0] * noise[:, 0]
    if rho:
        values[:, 1] += (sd[1] * rho) * noise[:, 0]
    values[:, 1] += (sd[1] * np.sqrt(1.0 - rho**2)) * noise[:, 1]
    if alliance.scale is not None:
        np.clip(values, *alliance.scale, out=values)
        np.round(values, 2, out=values)
    return np.asarray(values)


def _outcome_noise(truth: Truth, standard: Array, exact: bool) -> Array:
    """Residuals of the outcome, (R, J, K)."""
    noise = serial(standard, np.array(truth.occasions), truth.outcome.ar1)
    if exact:
        noise = np.stack([exact_numbers(one.reshape(1, -1)).reshape(one.shape) for one in noise])
    return np.asarray(np.sqrt(truth.outcome.residual) * noise)


def _outcome(truth: Truth, lines: Array, noise: Array) -> Array:
    """Complete outcome, (R, J, K)."""
    t = np.array(truth.occasions) - truth.occasions[0]
    values = lines[:, 0, :, None] + lines[:, 1, :, None] * t
    values += noise
    return values if truth.outcome.decimals is None else np.round(values, truth.outcome.decimals)


def serial(standard: Array, time: Array, correlation: float) -> Array:
    """Standard normal numbers made stationary AR(1) along the last axis: correlation φ to the power of the distance."""
    if correlation == 0.0:
        return standard
    made = standard.copy()
    for k in range(1, len(time)):
        carried = correlation ** float(time[k] - time[k - 1])
        made[..., k] = carried * made[..., k - 1] + np.sqrt(1.0 - carried**2) * standard[..., k]
    return made


def _from_scores(truth: Truth, values: Array, baseline: Array) -> Array:
    """What the scores of the observed ratings add to the outcome's lines, (R, 2, J); NaN where there are none."""
    t = rated_times(truth)
    rated = np.array(truth.rated_occasions)
    added = np.full((len(values), 2, truth.dyads), np.nan)
    for row, both in enumerate(values):
        index, place = np.nonzero(np.isfinite(both).any(axis=0))
        ratings = Ratings(
            dyads=pl.Series("dyad", [str(j) for j in range(truth.dyads)]),
            index=index,
            time=rated[place],
            t=t[place],
            value={"patient": both[0][index, place], "therapist": both[1][index, place]},
            first=float(t[place].min()),
            last=float(t[place].max()),
        )
        try:
            scores = {**score_ratings(ratings, ConvergenceSection()).columns, "baseline": baseline[row]}
        except DyadlineError:
            continue
        centred = {name: np.nan_to_num(score - np.nanmean(score)) for name, score in scores.items()}
        centred["product"] = centred["convergence"] * centred["development"]
        for part, coefficients in enumerate((truth.outcome.fixed, truth.outcome.slope)):
            added[row, part] = predicted(coefficients, centred) - coefficients.intercept
    return added


def _at_all_occasions(truth: Truth, values: Array) -> tuple[Array, Array]:
    """Ratings of both in the places of all occasions, (R, J, K) each."""
    if truth.rated_occasions == truth.occasions:
        return values[:, 0], values[:, 1]
    place = [truth.occasions.index(t) for t in truth.rated_occasions]
    full = np.full((*values.shape[:-1], len(truth.occasions)), np.nan)
    full[..., place] = values
    return full[:, 0], full[:, 1]
