"""What one part of a power study does: draw studies, score them, fit the models, test."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dyadline.engine.moments import Array
from dyadline.parallel.jobs import Arrays, Part
from dyadline.plan.analysis import AnalysisPlan, ConvergenceSection
from dyadline.plan.model import Term, term_label
from dyadline.plan.truth import Truth
from dyadline.scoring.ratings import RATERS
from dyadline.studies.power.models import centred_predictors, dyad_terms, model_tests, terms_in_question
from dyadline.studies.power.nested import nested_tests
from dyadline.studies.power.scores import RatedStudies, score_studies
from dyadline.studies.simulation.draw import draw
from dyadline.studies.simulation.drawn import Drawn

ESTIMATED, ERROR_FREE = "estimated", "error-free"


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerWork:
    """A picklable piece of work: replicates of designs, each analysed by several operationalisations.

    Attributes
    ----------
    truths
        One per design.
    scores
        Operationalisations to be analysed.
    plan
        Models and time.
    models
        2, 3 or both.
    seed, key
        Replicate k has the random numbers of (seed, key, k) in whichever design, so that designs are compared on the
        same ones.
    every
        Whether all predictors' tests are counted, or those of convergence alone.
    error_free
        Whether the same studies are also analysed with scores free of error.
    levels
        3: with therapists above the dyads, one study after the other.
    """

    truths: tuple[Truth, ...]
    scores: tuple[ConvergenceSection, ...]
    plan: AnalysisPlan
    models: tuple[int, ...]
    seed: int
    every: bool = False
    error_free: bool = True
    levels: int = 2
    key: tuple[int, ...] = ()

    def __call__(self, part: Part) -> Arrays:
        """Arrays by name, each with a first axis of n replicates.

        ``estimate, std_error, df``, (n, T), and ``converged, singular`` of each ``score.model.kind``; of each ``score``
        ``validity`` and ``reliability``, sums for correlations with true scores, (n, 6), and ``without``; ``rows``.
        """
        from threadpoolctl import threadpool_limits

        seeds = [np.random.SeedSequence(self.seed, spawn_key=(*self.key, number)) for number in part.numbers]
        with threadpool_limits(limits=1, user_api="blas"):
            drawn = draw(self.truths[part.task], seeds)
            return self.analysed(drawn)

    def analysed(self, drawn: Drawn) -> dict[str, NDArray[np.generic]]:
        """What is kept of drawn studies."""
        found: dict[str, NDArray[np.generic]] = {"rows": np.isfinite(drawn.outcome).sum(axis=(1, 2))}
        kinds = (ESTIMATED, ERROR_FREE) if self.error_free else (ESTIMATED,)
        for number, how in enumerate(self.scores):
            scored = {}
            for kind in kinds:
                rated, t, outcome = in_windows(drawn, self.plan, how)
                scored[kind] = score_studies(rated, how, error_free=kind == ERROR_FREE)
                plan = self.plan.model_copy(update={"convergence": how})
                terms = [_told_apart(dyad_terms(model, plan), kind, how) for model in self.models]
                columns = {**scored[kind].columns, "baseline": drawn.baseline}
                predictors = centred_predictors(columns, outcome, terms)
                for model, own in zip(self.models, terms, strict=True):
                    asked = terms_in_question(model, plan, every=self.every)
                    if self.levels == 3:
                        tests = nested_tests(
                            t,
                            outcome,
                            predictors,
                            own,
                            asked,
                            drawn.provider,
                            method=plan.models.method,
                            slopes=plan.models.therapist_slopes,
                        )
                    else:
                        tests = model_tests(t, outcome, predictors, own, asked, method=plan.models.method)
                    key = f"{number}.{model}.{kind}"
                    found |= {
                        f"{key}.estimate": tests.estimates,
                        f"{key}.std_error": tests.std_errors,
                        f"{key}.df": tests.df,
                        f"{key}.converged": tests.converged & scored[kind].scored,
                        f"{key}.singular": tests.singular,
                    }
            own_scores = scored[ESTIMATED]
            found[f"{number}.without"] = 1.0 - np.isfinite(own_scores.raw).mean(axis=1)
            found[f"{number}.validity"] = sums(own_scores.columns["convergence"], drawn.convergence)
            if self.error_free:
                found[f"{number}.reliability"] = sums(own_scores.raw, scored[ERROR_FREE].raw)
        return found


def _told_apart(terms: tuple[Term, ...], kind: str, how: ConvergenceSection) -> tuple[Term, ...]:
    """Without error an early difference is that of the two early levels: it says nothing that they do not."""
    if kind == ERROR_FREE and how.early_discrepancy in ("signed", "curve"):
        return tuple(t for t in terms if term_label(t) != "early_discrepancy")
    return terms


def in_windows(drawn: Drawn, plan: AnalysisPlan, how: ConvergenceSection) -> tuple[RatedStudies, Array, Array]:
    """Ratings in the rating window, and model time and outcome, (R, J, K), in the outcome window."""
    origin = drawn.time[0] if isinstance(plan.time.origin, str) else plan.time.origin
    t = (drawn.time - origin) / plan.time.scale
    rated = np.isin(drawn.time, drawn.truth.rated_occasions) & _inside(drawn.time, how.rating_window)
    wanted = _inside(drawn.time, how.outcome_window)
    first = drawn.truth.rated_occasions[0]
    lines = {}
    for number, rater in enumerate(RATERS):
        level, slope = drawn.lines[:, :, 2 * number], drawn.lines[:, :, 2 * number + 1]
        # From t counted from the first rated occasion to model time.
        lines[rater] = np.stack([level + slope * (origin - first), slope * plan.time.scale], axis=2)
    # In memory study by study, as sums have to run over it.
    values = {rater: np.ascontiguousarray(getattr(drawn, rater)[:, :, rated]) for rater in RATERS}
    observed = RatedStudies(t=t[rated], value=values, lines=lines)
    return observed, t[wanted], np.ascontiguousarray(drawn.outcome[:, :, wanted])


def _inside(time: Array, window: str | tuple[float, float]) -> NDArray[np.bool_]:
    if isinstance(window, str):
        return np.ones(len(time), dtype=bool)
    return np.asarray((time >= window[0]) & (time <= window[1]))


def sums(x: Array, y: Array) -> Array:
    """Number, sums, sums of squares and of products of the pairs of each study, (R, 6)."""
    both = np.isfinite(x) & np.isfinite(y)
    x, y = np.where(both, x, 0.0), np.where(both, y, 0.0)
    parts = (both, x, y, x * x, y * y, x * y)
    return np.stack([part.sum(axis=1) for part in parts], axis=1).astype(np.float64)


def correlation(pairs: Array) -> float | None:
    """Correlation within studies over all of them, from `sums`, (R, 6)."""
    n = pairs[:, 0]
    there = n > 2
    n, x, y, xx, yy, xy = pairs[there].T
    cross, own_x, own_y = (xy - x * y / n).sum(), (xx - x * x / n).sum(), (yy - y * y / n).sum()
    return float(cross / np.sqrt(own_x * own_y)) if own_x > 0.0 and own_y > 0.0 else None
