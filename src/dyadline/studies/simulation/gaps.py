"""How much of an observed study is missing, and how."""

from __future__ import annotations

import numpy as np
import polars as pl

from dyadline.engine.descent import Mask
from dyadline.engine.moments import Array
from dyadline.studies.simulation.occasions import Grid

NONE = 1e-6
"""A rate below this is no rate."""


def missing_shares(rows: pl.DataFrame, when: Grid) -> dict[str, float | int]:
    """Drop-out, skipped occasions and missing forms of a study: the keys of `plan.truth.MissingTruth`.

    The number of occasions that are never missed is that at the start which no dyad missed, at least one. Drop-out per
    occasion and the share of skipped occasions are estimated together, because a dyad's last occasions may be
    missing for either reason.

    Parameters
    ----------
    rows
        ``dyad, time, patient, therapist, outcome``.
    when
        The study's occasions.
    """
    dyads = rows["dyad"].unique(maintain_order=True)
    numbered = rows.join(
        pl.DataFrame({"dyad": dyads, "index": np.arange(len(dyads))}), on="dyad", how="left", maintain_order="left"
    )
    index, place = numbered["index"].to_numpy(), when.place.to_numpy()
    kept = place >= 0
    shape = (len(dyads), len(when.occasions))
    forms = {}
    for name in ("patient", "therapist", "outcome"):
        forms[name] = np.zeros(shape, dtype=bool)
        forms[name][index[kept], place[kept]] = numbered[name].is_not_null().to_numpy()[kept]
    present = forms["patient"] | forms["therapist"] | forms["outcome"]
    whole = present.all(axis=0)
    always = max(1, int(np.argmin(whole)) if not whole.all() else shape[1])
    rated = np.isin(when.occasions, when.rated[1:])
    measured = np.isin(when.occasions, when.measured[1:])
    drop_out, skipped = hazards(present, always)
    return {
        "drop_out": drop_out,
        "skipped": skipped,
        "form": 1.0 - _share([forms["patient"][:, rated], forms["therapist"][:, rated]], present[:, rated]),
        "outcome_form": 1.0 - _share([forms["outcome"][:, measured]], present[:, measured]),
        "always": always,
    }


def _share(there: list[Mask], possible: Mask) -> float:
    """Share of forms that are there, of those that could be."""
    total = possible.sum() * len(there)
    return float(sum(np.sum(form & possible) for form in there) / total) if total else 1.0


def hazards(present: Mask, always: int) -> tuple[float, float]:
    """Chance that a therapy ends before an occasion, and that an occasion is skipped, by maximum likelihood.

    A dyad that is last seen at occasion L ended somewhere behind it or skipped the rest: with m occasions left, the
    chance of that is f(m) = h + (1 − h) s f(m − 1), f(0) = 1.

    Parameters
    ----------
    present
        Whether anything was observed, (J, K).
    always
        Occasions at the start that cannot be missed.
    """
    from scipy.optimize import minimize

    occasions = present.shape[1]
    last = occasions - 1 - np.argmax(present[:, ::-1], axis=1)
    last = np.maximum(last, always - 1)
    survived = int(np.sum(last - (always - 1)))
    seen = int(present[:, always:].sum())
    skipped = survived - seen
    left = np.bincount(occasions - 1 - last, minlength=1)
    if survived == 0 and left[0] == len(present):
        return 0.0, 0.0

    def deviance(logits: Array) -> float:
        h, s = 1.0 / (1.0 + np.exp(-logits))
        value = survived * np.log1p(-h) + seen * np.log1p(-s) + skipped * np.log(s)
        chance = 1.0
        for dyads in left[1:]:
            chance = h + (1.0 - h) * s * chance
            value += dyads * np.log(chance)
        return -float(value)

    found = minimize(deviance, [-3.0, -2.0], method="L-BFGS-B", bounds=[(-16.0, 10.0)] * 2)
    h, s = (1.0 / (1.0 + np.exp(-found.x))).tolist()
    return (h if h > NONE else 0.0), (s if s > NONE else 0.0)
