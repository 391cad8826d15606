"""Designs of a study that is planned: how a truth changes with dyads, occasions, drop-out, therapists and effect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any

import numpy as np

from dyadline.errors import PlanError
from dyadline.plan.truth import DropOutTruth, MissingTruth, Truth
from dyadline.plan.truth_checks import contradictions

FEWEST = 10
"""Dyads that a design needs, at least."""

MOST_DESIGNS = 10_000
"""Of one grid."""

MOST_OCCASIONS = 1000
"""With ratings, of one design."""

MOST_ROWS = 2_000_000
"""Dyads times occasions of one study: several are in memory at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """One design; what is ``None`` stays as the truth has it.

    Attributes
    ----------
    effect
        Standardised effect of true convergence on the outcome's slope.
    dyads
        Number of dyads; therapists grow in proportion.
    sessions
        Occasions with ratings: spread evenly over the truth's, or going on beyond them in the same steps. An outcome
        that has occasions of its own keeps them; else it goes with the ratings, and stays where there are none.
    drop_out
        Share of dyads that are lost by the last occasion.
    per_therapist
        Patients per therapist.
    """

    effect: float
    dyads: int | None = None
    sessions: int | None = None
    drop_out: float | None = None
    per_therapist: float | None = None


def grid(
    *,
    effects: Sequence[float],
    dyads: Sequence[int | None] = (None,),
    sessions: Sequence[int | None] = (None,),
    drop_out: Sequence[float | None] = (None,),
    per_therapist: Sequence[float | None] = (None,),
) -> list[Design]:
    """All combinations, each once; dyads vary fastest, so that one power curve stands together.

    Raises
    ------
    PlanError
        More than `MOST_DESIGNS`.
    """
    count = prod(len(set(axis)) for axis in (effects, per_therapist, drop_out, sessions, dyads))
    if count > MOST_DESIGNS:
        raise PlanError(
            f"These are {count:,} designs, and one study compares {MOST_DESIGNS:,} at most",
            way_out="Use larger steps, such as 60:400:20",
        )
    combinations = product(
        dict.fromkeys(effects),
        dict.fromkeys(per_therapist),
        dict.fromkeys(drop_out),
        dict.fromkeys(sessions),
        dict.fromkeys(dyads),
    )
    return [
        Design(effect=beta, per_therapist=per, drop_out=lost, sessions=k, dyads=n)
        for beta, per, lost, k, n in combinations
    ]


def designed(truth: Truth, design: Design) -> Truth:
    """The truth of a design.

    Raises
    ------
    PlanError
        For a design that cannot be.
    """
    if not -1.0 < design.effect < 1.0:
        raise PlanError(
            f"A standardised effect lies between −1 and 1, not {design.effect:g}",
            where="effect",
            way_out="It is a correlation, such as 0.3",
        )
    made = truth if design.sessions is None else _with_sessions(truth, design.sessions)
    changed: dict[str, Any] = {}
    dyads = truth.dyads if design.dyads is None else design.dyads
    if dyads < FEWEST:
        raise PlanError(f"A design needs at least {FEWEST} dyads, not {dyads}", where="dyads")
    if dyads * len(made.occasions) > MOST_ROWS:
        raise PlanError(
            f"{dyads:,} dyads at {len(made.occasions):,} occasions are more than a study of power can draw",
            where="dyads",
            way_out=f"At most {MOST_ROWS // len(made.occasions):,} dyads at so many occasions",
        )
    changed["dyads"] = dyads
    changed["therapists"] = _therapists(truth, dyads, design.per_therapist)
    if design.drop_out is not None:
        changed["missing"] = _losing(made, design.drop_out)
    changed["outcome"] = made.outcome.model_copy(update={"effect": design.effect})
    made = made.model_copy(update=changed)
    # Copies with other values were not checked when they were made.
    for path, said in contradictions(made):
        raise PlanError(f"The design does not go with the study's parameters: {said}", where=".".join(path))
    return made


def only_convergence(truth: Truth) -> Truth:
    """The truth in which true convergence alone, and nothing that goes with it, drives the outcome's slope.

    What early alliance, development and discrepancy would add is left out; the baseline keeps what it adds.
    """
    parts = {}
    for name in ("fixed", "slope"):
        held = getattr(truth.outcome, name)
        parts[name] = type(held)(intercept=held.intercept, baseline=held.baseline)
    return truth.model_copy(update={"outcome": truth.outcome.model_copy(update={"given": "latent", **parts})})


def as_latent(truth: Truth) -> Truth:
    """The truth with all its effects, but with true curves in the place of scores, and convergence to be set."""
    slope = truth.outcome.slope.model_copy(update={"convergence": 0.0})
    return truth.model_copy(update={"outcome": truth.outcome.model_copy(update={"given": "latent", "slope": slope})})


def without_effect(truth: Truth) -> Truth:
    """The truth in which convergence has no effect at all, neither on the level nor together with development."""
    parts = {}
    for name in ("fixed", "slope"):
        parts[name] = getattr(truth.outcome, name).model_copy(update={"convergence": 0.0, "product": 0.0})
    return truth.model_copy(update={"outcome": truth.outcome.model_copy(update=parts)})


def share_lost(truth: Truth) -> float | None:
    """Share of dyads lost by the last occasion, where drop-out does not depend on anything."""
    drop_out = truth.missing.drop_out
    if isinstance(drop_out, DropOutTruth):
        return None
    return 1.0 - (1.0 - drop_out) ** _can_be_missed(truth)


def patients_per_therapist(truth: Truth) -> float | None:
    """Dyads per therapist; None without therapists."""
    count = sum(truth.therapists.values())
    return truth.dyads / count if count else None


def _therapists(truth: Truth, dyads: int, per: float | None) -> dict[str, int]:
    if per is None:
        return truth.with_dyads(dyads).therapists
    arms = list(truth.therapists) or ["T"]
    most = dyads / (2 * len(arms))
    if not 1.0 <= per <= most:
        raise PlanError(
            f"{per:g} patients per therapist are not possible with {dyads} dyads",
            where="per therapist",
            way_out=f"From 1 to {most:g}, so that there are two therapists{' in each arm' if len(arms) > 1 else ''}",
        )
    whole = max(2 * len(arms), round(dyads / per))
    return {arm: whole // len(arms) + (k < whole % len(arms)) for k, arm in enumerate(arms)}


def _can_be_missed(truth: Truth) -> int:
    return max(0, len(truth.occasions) - truth.missing.always)


def _losing(truth: Truth, share: float) -> MissingTruth:
    """Constant drop-out that loses this share by the last occasion."""
    if not 0.0 <= share < 1.0:
        raise PlanError(f"Drop-out is a share from 0 to less than 1, not {share:g}", where="drop-out")
    steps = _can_be_missed(truth)
    missing = truth.missing
    if share and not steps:
        # All occasions are kept by the truth's rule; who drops out then does so before the last.
        missing = missing.model_copy(update={"always": max(1, len(truth.occasions) - 1)})
        steps = len(truth.occasions) - missing.always
    rate = 1.0 - (1.0 - share) ** (1.0 / steps) if share else 0.0
    return missing.model_copy(update={"drop_out": rate})


def _with_sessions(truth: Truth, sessions: int) -> Truth:
    """Rated occasions spread evenly over those of the truth, or going on in the same steps; drop-out per time kept."""
    if sessions < 2:
        raise PlanError(f"Convergence needs at least 2 occasions with ratings, not {sessions}", where="sessions")
    if sessions > MOST_OCCASIONS:
        raise PlanError(f"A design has at most {MOST_OCCASIONS:,} occasions with ratings, not {sessions:,}")
    rated = truth.rated_occasions
    if sessions == len(rated):
        return truth
    if sessions < len(rated):
        places = np.unique(np.round(np.linspace(0, len(rated) - 1, sessions)).astype(int))
        kept = tuple(rated[k] for k in places)
        occasions = tuple(o for o in truth.occasions if o not in rated or o in kept or o in (truth.measured or ()))
    else:
        step = (rated[-1] - rated[0]) / (len(rated) - 1)
        kept = rated + tuple(rated[-1] + step * (k + 1) for k in range(sessions - len(rated)))
        occasions = tuple(sorted({*truth.occasions, *kept}))
    always = sum(o in occasions for o in truth.occasions[: truth.missing.always])
    changed = truth.model_copy(
        update={
            "occasions": occasions,
            "rated": kept,
            "sessions": None,
            "length": None if truth.sessions is not None else truth.length,
            "missing": truth.missing.model_copy(update={"always": max(1, always)}),
        }
    )
    return changed.model_copy(update={"missing": _thinned(truth, changed)})


def _thinned(truth: Truth, changed: Truth) -> MissingTruth:
    """The same drop-out over the same time, and as much again per time where it is longer."""
    missing, before, after = changed.missing, _can_be_missed(truth), _can_be_missed(changed)
    if not after or not before:
        return missing
    step = (truth.occasions[-1] - truth.occasions[truth.missing.always - 1]) / before
    power = (before + (changed.occasions[-1] - truth.occasions[-1]) / step) / after
    drop_out = missing.drop_out
    if isinstance(drop_out, DropOutTruth):
        rate = 1.0 - (1.0 - drop_out.rate) ** power
        return missing.model_copy(
            update={"drop_out": drop_out.model_copy(update={"rate": rate, "time": drop_out.time * power})}
        )
    return missing.model_copy(update={"drop_out": 1.0 - (1.0 - drop_out) ** power})
