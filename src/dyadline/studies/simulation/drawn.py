"""What a simulator draws: many studies of the same design as arrays."""

from __future__ import annotations

from dataclasses import dataclass

from dyadline.engine.moments import Array, Index
from dyadline.plan.truth import Truth


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """R studies of J dyads at K occasions.

    Attributes
    ----------
    truth
        What they were drawn from.
    time
        Occasions in the file's own values, (K,).
    patient, therapist, outcome
        Ratings and outcomes, (R, J, K); NaN where they were not observed.
    baseline
        Symptoms before the therapy, (R, J).
    lines
        True intercepts and slopes in the order of `plan.truth.EFFECTS`, means and predictors' effects included,
        (R, J, 6). Ratings over t = occasion − first rated occasion, the outcome over t = occasion − first occasion.
    convergence
        True convergence, standardised with its mean and SD over all dyads that there could be, (R, J).
    arm, provider
        Arm and therapist of each dyad, as numbers from 0, (R, J); -1 without therapists.
    n_sessions
        Number of sessions of each dyad, (R, J), where the truth says `length`.
    """

    truth: Truth
    time: Array
    patient: Array
    therapist: Array
    outcome: Array
    baseline: Array
    lines: Array
    convergence: Array
    arm: Index
    provider: Index
    n_sessions: Index | None = None
