"""How many levels the outcome models have, and the test that says whether therapists matter.

The question is asked of Model 1 (time alone), which all dyads with an outcome can answer, and its answer holds for
every model: models of different levels could not be compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import polars as pl

from dyadline.errors import DyadlineError
from dyadline.inference.compare import compare
from dyadline.inference.mixture import NOTHING
from dyadline.model.fit import Fit, fit, random_covariance
from dyadline.plan.analysis import AnalysisPlan
from dyadline.plan.recipes import outcome_model, random_part

ALPHA = 0.05
"""Therapists stay in the models if the test of their variance has a smaller p."""

DECIDED_ON = 1
"""The model that is asked whether therapists matter."""

SCHEMA = {
    "model": pl.Int64,
    "effect": pl.String,
    "method": pl.String,
    **dict.fromkeys(("n_rows", "n_dyads", "n_therapists"), pl.Int64),
    **dict.fromkeys(("criterion_without", "criterion_with", "statistic"), pl.Float64),
    "distribution": pl.String,
    "p_value": pl.Float64,
    "doubt": pl.String,
    **dict.fromkeys(("variance", "icc"), pl.Float64),
    "levels_asked": pl.String,
    "levels_used": pl.Int64,
    "reason": pl.String,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelTest:
    """Does an effect vary over therapists?

    Attributes
    ----------
    effect
        ``intercept``, or ``slope``: intercept and slope against the intercept alone.
    smaller, larger
        The fit without and with it, on the same rows.
    statistic
        Difference of the criteria, not negative.
    distribution
        Under no variance: ``0.5·χ²(0) + 0.5·χ²(1)``.
    p_value
        Boundary-correct.
    doubt
        Why the distribution is approximate; empty if it is not.
    """

    effect: str
    smaller: Fit
    larger: Fit
    statistic: float
    distribution: str
    p_value: float
    doubt: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Levels:
    """The levels of the outcome models.

    Attributes
    ----------
    asked
        As in the plan.
    used
        2 or 3.
    slopes
        Whether therapists' slopes vary.
    tests
        What was tested; empty with two levels, and where no model with therapists could be fitted.
    reason
        A sentence; empty with two levels.
    """

    asked: int | str
    used: int
    slopes: bool
    tests: tuple[LevelTest, ...]
    reason: str

    @property
    def random(self) -> str:
        """Random part of every model, as a formula has it."""
        return random_part(therapists=self.used == 3, slopes=self.slopes)


def choose_levels(rows: pl.DataFrame, plan: AnalysisPlan) -> Levels:
    """Two levels, three, or three only if therapists differ: as the plan says.

    Parameters
    ----------
    rows
        ``outcome, time, dyad`` and, where the plan asks for three levels, ``therapist``; the test is made on rows
        whose therapist is known.
    plan
        What is asked.

    Raises
    ------
    DyadlineError
        If three levels are asked for and cannot be fitted.
    """
    asked = plan.models.levels
    if asked == 2:
        return Levels(asked=2, used=2, slopes=False, tests=(), reason="")
    try:
        tests = _tests(rows.drop_nulls("therapist"), plan)
    except DyadlineError as error:
        if asked == 3:
            raise type(error)(
                f"Three levels: {error.what}", where="models.levels",
                way_out='Write levels = 2, or levels = "auto" to fall back by itself',
            ) from error  # fmt: skip
        reason = f"A model with therapists cannot be fitted: {error.what[:1].lower()}{error.what[1:].rstrip('.')}."
        return Levels(asked=asked, used=2, slopes=False, tests=(), reason=reason)
    if asked == 3:
        return Levels(asked=3, used=3, slopes=len(tests) > 1, tests=tests, reason="The plan asks for them.")
    kept = tests
    while kept and not (kept[-1].p_value < ALPHA and kept[-1].larger.converged):
        kept = kept[:-1]
    return Levels(asked=asked, used=3 if kept else 2, slopes=len(kept) > 1, tests=tests, reason=_reason(tests, kept))


def _tests(rows: pl.DataFrame, plan: AnalysisPlan) -> tuple[LevelTest, ...]:
    """Therapists' intercepts against none, then their slopes against intercepts alone."""
    parts = [random_part(therapists=False), random_part(therapists=True)]
    if plan.models.therapist_slopes:
        parts.append(random_part(therapists=True, slopes=True))
    fits = [fit(outcome_model(DECIDED_ON, plan, random=part), rows, plan.models.method) for part in parts]
    return tuple(_test(effect, *pair) for effect, pair in zip(("intercept", "slope"), pairwise(fits), strict=False))


def _test(effect: str, smaller: Fit, larger: Fit) -> LevelTest:
    found = compare(smaller, larger).row(1, named=True)
    distribution, _, doubt = found["reference"].partition("; ")
    return LevelTest(
        effect=effect,
        smaller=smaller,
        larger=larger,
        statistic=found["statistic"] if found["statistic"] > NOTHING else 0.0,
        distribution=distribution,
        p_value=found["p_value"],
        doubt=doubt,
    )


def _reason(tests: tuple[LevelTest, ...], kept: tuple[LevelTest, ...]) -> str:
    if kept:
        effects = "intercepts and slopes differ" if len(kept) > 1 else "intercepts differ"
        return f"Therapists' {effects} on the {ALPHA:.0%} level."
    doubtful = [t for t in tests if not t.larger.converged]
    if doubtful and any(t.p_value < ALPHA for t in doubtful):
        return "The model with therapists has no certified optimum."
    if all(test.statistic == 0.0 for test in tests):
        return "The estimated variance of therapists is zero."
    return f"Differences between therapists do not reach the {ALPHA:.0%} level."


def therapist_share(fitted: Fit) -> float:
    """Share of the therapists in the variance of the outcome where time is 0 (an intraclass correlation)."""
    dyads, therapists = (float(covariance[0, 0]) for covariance in random_covariance(fitted))
    return therapists / (therapists + dyads + fitted.sigma**2)


def level_table(levels: Levels) -> pl.DataFrame:
    """One row per test; one without numbers where no model with therapists could be fitted.

    Returns
    -------
    ``model, effect, method, n_rows, n_dyads, n_therapists, criterion_without, criterion_with, statistic,
    distribution, p_value, doubt, variance, icc, levels_asked, levels_used, reason``. Doubt says why the distribution
    is approximate, if it is. Variance (of the effect) and ICC (share of the therapists' intercepts in the outcome's
    variance at time 0) are those of the model with the effect.
    """
    said = {"levels_asked": str(levels.asked), "levels_used": levels.used, "reason": levels.reason}
    rows = [{"model": DECIDED_ON, **_record(test), **said} for test in levels.tests]
    return pl.DataFrame(rows or [{"model": DECIDED_ON, **said}], schema=SCHEMA)


def _record(test: LevelTest) -> dict[str, object]:
    number = 0 if test.effect == "intercept" else 1
    return {
        "effect": test.effect,
        "method": test.larger.method,
        "n_rows": test.larger.n_rows,
        "n_dyads": test.larger.n_groups,
        "n_therapists": len(test.larger.design.groupings[1].labels),
        "criterion_without": test.smaller.criterion,
        "criterion_with": test.larger.criterion,
        "statistic": test.statistic,
        "distribution": test.distribution,
        "p_value": test.p_value,
        "doubt": test.doubt,
        "variance": float(random_covariance(test.larger)[1][number, number]),
        "icc": therapist_share(test.larger),
    }
