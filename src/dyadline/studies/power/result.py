"""What a power study found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from dyadline.parallel.jobs import Failure
from dyadline.plan.truth import Truth

DESIGN = {
    "design": pl.Int64,
    "dyads": pl.Int64,
    "sessions": pl.Int64,
    "drop_out": pl.Float64,
    "per_therapist": pl.Float64,
    "effect": pl.Float64,
}
"""Columns of a design: number, dyads, occasions with ratings, share of dyads lost by the last occasion, patients per
therapist (null without therapists), standardised effect of true convergence on the outcome's slope."""

TESTS = {
    **DESIGN,
    "score": pl.String,
    "model": pl.Int64,
    "term": pl.String,
    "replicates": pl.Int64,
    "failed": pl.Int64,
    "singular": pl.Float64,
    "power": pl.Float64,
    "power_low": pl.Float64,
    "power_high": pl.Float64,
    "type_i": pl.Float64,
    "type_i_low": pl.Float64,
    "type_i_high": pl.Float64,
    "estimate": pl.Float64,
    "std_error": pl.Float64,
    "sd_estimates": pl.Float64,
    "true_effect": pl.Float64,
    "bias": pl.Float64,
    "bias_error": pl.Float64,
    "attenuation": pl.Float64,
    "attenuation_low": pl.Float64,
    "attenuation_high": pl.Float64,
    "coverage": pl.Float64,
    "coverage_low": pl.Float64,
    "coverage_high": pl.Float64,
    "power_error_free": pl.Float64,
}
"""One row per design, score and tested term. ``score``: name of the operationalisation; ``term``: as in the tables of
fixed effects (``convergence``, ``time:convergence``, ...); ``failed``: replicates without an answer (shown, never
hidden; power counts them as not significant, and is null where there is no other replicate); ``singular``: share of
fits on the boundary; intervals: Wilson 95 %; ``type_i``: share of rejections in the same design without any effect of
convergence (null where not asked for); ``estimate``, ``std_error``: means; ``true_effect``: mean estimate where scores
are free of error; ``bias``: estimate − true_effect, ``bias_error``: its Monte-Carlo standard error; ``attenuation``:
estimate / true_effect; ``coverage``: of true_effect by 95 % intervals; ``power_error_free``: power where scores are
free of error."""

SCORES = {**DESIGN, "score": pl.String, "reliability": pl.Float64, "validity": pl.Float64, "without": pl.Float64}
"""One row per design and operationalisation. ``reliability``: squared correlation of the score with the same score of
the true curves; ``validity``: correlation with true convergence as the truth defines it; ``without``: share of dyads
without a score."""

NEEDED = {
    "sessions": pl.Int64,
    "drop_out": pl.Float64,
    "per_therapist": pl.Float64,
    "effect": pl.Float64,
    "score": pl.String,
    "model": pl.Int64,
    "term": pl.String,
    "goal": pl.Float64,
    "n": pl.Int64,
    "n_low": pl.Float64,
    "n_high": pl.Float64,
    "replicates": pl.Int64,
    "status": pl.String,
}
"""Dyads needed for a power of ``goal``; ``status``: ``found``, ``imprecise`` (stopped at the largest number of
replicates), ``below`` or ``above`` the range that was searched, n then being its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerResult:
    """What a power study found.

    Attributes
    ----------
    truth
        From which studies were drawn (the first design).
    title
        Of the study.
    alpha, replicates, seed
        Level of the tests, replicates per design, seed.
    tests, scores, needed
        Frames with the columns `TESTS`, `SCORES`, `NEEDED`; `needed` may be empty.
    operationalisations
        Name and sentence of each score that was analysed.
    failures
        Replicates without a result at all (an exception, or their worker died), by design and number; those of a study
        without effect stand under its design.
    interrupted
        Whether it was stopped: then some designs have fewer replicates.
    given
        The parameters before anything was designed; none where they are not known.
    method, levels
        Of the outcome models: ``REML`` or ``ML``; 2, or 3 with therapists above the dyads.
    """

    truth: Truth
    title: str
    alpha: float
    replicates: int
    seed: int
    tests: pl.DataFrame
    scores: pl.DataFrame
    needed: pl.DataFrame
    operationalisations: Sequence[tuple[str, str]]
    failures: Sequence[Failure]
    interrupted: bool = False
    given: Truth | None = None
    method: str = "REML"
    levels: int = 2
