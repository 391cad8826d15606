"""What is not observed of a drawn study."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dyadline.engine.descent import Mask
from dyadline.engine.moments import Array, Index
from dyadline.plan.truth import DropOutTruth, LengthTruth, Truth
from dyadline.studies.simulation.population import population
from dyadline.studies.simulation.random_numbers import Numbers

LONGEST = 1_000_000
"""Sessions that no dyad exceeds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """Which forms are there.

    Attributes
    ----------
    outcome
        (R, J, K).
    raters
        Patient's and therapist's forms at rated occasions, (R, 2, J, K of rated occasions).
    """

    outcome: Mask
    raters: Mask


def observed(truth: Truth, uniform: Numbers, values: tuple[Array, Array], n_sessions: Index | None) -> Observed:
    """Which forms are there, given complete values and uniform numbers.

    The first `always` occasions are never skipped or dropped; the first form of each kind is never missing. Occasions
    after the dyad's last session do not take place, whatever else is said.

    Parameters
    ----------
    values
        Complete outcome, (R, J, K), and ratings, (R, 2, J, K of rated occasions): what drop-out depends on.
    n_sessions
        Of each dyad, (R, J), where lengths differ.
    """
    missing, always, shape = truth.missing, truth.missing.always, values[0].shape
    there = np.ones(shape, dtype=bool)
    if missing.skipped:
        there[..., always:] &= uniform["skipped"][..., always:] >= missing.skipped
    if truth.length is not None and truth.sessions is None and n_sessions is not None:
        there &= np.array(truth.occasions) <= n_sessions[..., None]
    place = [truth.occasions.index(t) for t in truth.rated_occasions]
    raters = np.ones(values[1].shape, dtype=bool)
    if missing.form:
        raters[..., 1:] = uniform["forms"][..., 1:] >= missing.form
    measured = np.isin(truth.occasions, truth.measured_occasions)
    outcome = np.broadcast_to(measured, shape)
    if missing.outcome_form:
        filled = uniform["outcome_form"] >= missing.outcome_form
        filled[..., np.argmax(measured)] = True
        outcome = outcome & filled
    if isinstance(missing.drop_out, float):
        if missing.drop_out:
            ends = uniform["ends"] < missing.drop_out
            ends[..., :always] = False
            there &= ~np.logical_or.accumulate(ends, axis=-1)
    else:
        there &= _stayed(
            truth, missing.drop_out, uniform["ends"], values, (outcome & there, raters & there[:, None][..., place])
        )
    return Observed(outcome=outcome & there, raters=raters & there[:, None][..., place])


def _stayed(
    truth: Truth, how: DropOutTruth, ends: Array, values: tuple[Array, Array], forms: tuple[Mask, Mask]
) -> Mask:
    """Whether the therapy still goes on at each occasion, where ending depends on what was observed last."""
    always = truth.missing.always
    moments = population(truth)
    stayed = np.ones(ends.shape, dtype=bool)
    on = np.ones(ends.shape[:-1], dtype=bool)
    last = {name: np.zeros(ends.shape[:-1]) for name in ("outcome", "patient", "therapist")}
    rated = {truth.occasions.index(t): place for place, t in enumerate(truth.rated_occasions)}
    base = np.log(how.rate) - np.log1p(-how.rate) if how.rate else -np.inf
    for k in range(ends.shape[-1]):
        if k >= always:
            odds = base + how.time * (k - always)
            for name, value in last.items():
                if weight := getattr(how, name):
                    odds = odds + weight * value
            with np.errstate(over="ignore"):
                on &= ends[..., k] >= 1.0 / (1.0 + np.exp(-odds))
        stayed[..., k] = on
        if how.outcome:
            mean, sd = moments.outcome[:, k]
            _keep_last(last["outcome"], values[0][..., k], forms[0][..., k] & on, mean, sd)
        if k in rated:
            for number, name in enumerate(("patient", "therapist")):
                if getattr(how, name):
                    mean, sd = moments.raters[number][:, rated[k]]
                    form = forms[1][:, number, :, rated[k]] & on
                    _keep_last(last[name], values[1][:, number, :, rated[k]], form, mean, sd)
    return stayed


def _keep_last(last: Array, value: Array, there: Mask, mean: float, sd: float) -> None:
    np.copyto(last, (value - mean) / sd if sd > 0.0 else 0.0, where=there)


def lengths(how: LengthTruth, uniform: Array) -> Index:
    """Numbers of sessions from uniform numbers: a log-normal distribution, rounded, without what is below the least."""
    from scipy.special import ndtr, ndtri

    centre = np.log(how.median)
    if how.log_sd == 0.0:
        return np.full(uniform.shape, max(how.least, round(how.median)), dtype=np.intp)
    # Rounding takes what is above the least minus one half.
    below = ndtr((np.log(how.least - 0.5) - centre) / how.log_sd)
    above = (1.0 - below) * (1.0 - uniform)
    numbers = np.exp(centre - how.log_sd * ndtri(np.maximum(above, np.finfo(float).tiny)))
    return np.asarray(np.clip(np.rint(numbers), how.least, LONGEST).astype(np.intp))
