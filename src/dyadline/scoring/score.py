"""From ratings to one row of scores per dyad: the operationalisation carried out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from dyadline.data.dataset import Dataset
from dyadline.engine.moments import Array
from dyadline.errors import DataError, DyadlineError, Finding
from dyadline.inference.boundary import boundary_words
from dyadline.plan.analysis import AnalysisPlan, ConvergenceSection
from dyadline.scoring.discrepancy import (
    crossings,
    development,
    discrepancy,
    early,
    gaps,
    rate_of_convergence,
    unit,
)
from dyadline.scoring.growth import BOTH, GrowthModels, curves, growth_models
from dyadline.scoring.null import NullDistribution, null_distribution
from dyadline.scoring.ratings import RATERS, Lines, Ratings, ratings
from dyadline.scoring.reliability import Simulated, simulate_scores
from dyadline.scoring.transform import Transformed, normality, transform

SCORES = ("convergence", "early_patient", "early_therapist", "early_discrepancy", "development", "baseline")

RELIABILITY = {"score": pl.String, "reliability": pl.Float64}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scoring:
    """Scores and how they came about.

    Attributes
    ----------
    scores
        One row per dyad: ``dyad, convergence, early_patient, early_therapist, early_discrepancy, development,
        baseline, reasons, convergence_raw, crossing, n_occasions``. `reasons` says why something is missing.
    shift
        Added before the logarithm of `log_shift`, else ``None``.
    power
        λ of `yeo_johnson`, else ``None``.
    curves
        ``dyad, rater, intercept, slope`` in model time; ``None`` for raw ratings.
    discrepancies
        ``dyad, time, t, discrepancy``: what the score is the slope of.
    normality
        Of the score before and after the transform.
    reliability
        ``score, reliability``; empty where the growth models that the simulation needs cannot be fitted.
    simulated
        Reliabilities and the null distribution of the mean score, or ``None``.
    window
        The study's first and last rating occasion in model time.
    findings
        What was noticed.
    growth
        The growth models that the curves come from; ``None`` unless growth is multilevel or dyadic.
    null
        What the score is by noise alone; ``None`` unless the plan asks for it and growth models can be fitted.
    """

    scores: pl.DataFrame
    shift: float | None
    power: float | None
    curves: pl.DataFrame | None
    discrepancies: pl.DataFrame
    normality: pl.DataFrame
    reliability: pl.DataFrame
    simulated: Simulated | None
    window: tuple[float, float]
    findings: tuple[Finding, ...]
    growth: GrowthModels | None
    null: NullDistribution | None = None


def score(dataset: Dataset, plan: AnalysisPlan, *, simulations: bool = True) -> Scoring:
    """Score every dyad of a data set as the plan's `convergence` section says.

    Parameters
    ----------
    dataset, plan
        What was observed, and what is asked.
    simulations
        Whether to simulate reliabilities and null distributions.

    Raises
    ------
    PlanError
        Choices that contradict each other.
    DataError
        No dyad has a score, or all have the same.
    """
    how = plan.convergence
    observed = ratings(dataset, how.rating_window)
    found = score_ratings(observed, how)
    between = gaps(observed, found.lines)
    columns = {**found.columns, "baseline": dataset.dyads["baseline"].cast(pl.Float64).to_numpy()}
    scores = pl.DataFrame({"dyad": observed.dyads, **columns}).with_columns(
        reasons=pl.Series(_reasons(observed, how, columns), dtype=pl.String),
        convergence_raw=pl.Series(found.raw),
        crossing=pl.Series(crossings(between)).fill_nan(None).cast(pl.Boolean),
        n_occasions=pl.Series(np.bincount(observed.index, minlength=observed.n_dyads)),
    )
    scores = scores.with_columns(pl.col(*SCORES, "convergence_raw").fill_nan(None))
    simulated, null, unable = _simulated(observed, found, how) if simulations else (None, None, [])
    return Scoring(
        scores=scores,
        shift=found.transformed.shift,
        power=found.transformed.power,
        curves=_curve_table(observed, found.lines),
        discrepancies=pl.DataFrame(
            {
                "dyad": observed.dyads.gather(between.index),
                "time": between.t * plan.time.scale + dataset.origin,
                "t": between.t,
                "discrepancy": discrepancy(between.signed, how.discrepancy),
            }
        ),
        normality=normality(found.raw, found.transformed.values),
        reliability=simulated.reliability if simulated else pl.DataFrame(schema=RELIABILITY),
        simulated=simulated,
        window=(observed.first, observed.last),
        findings=(*_findings(scores, found.growth), *unable),
        growth=found.growth,
        null=null,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """Scores as arrays, one entry per dyad, NaN where there is none.

    Attributes
    ----------
    growth
        The growth models; ``None`` unless growth is multilevel or dyadic.
    lines
        Curve by rater, or ``None`` for raw ratings.
    raw
        Convergence before the transform, (J,).
    transformed
        Convergence after it.
    columns
        ``convergence, early_patient, early_therapist, early_discrepancy, development``, (J,) each.
    """

    growth: GrowthModels | None
    lines: dict[str, Lines] | None
    raw: Array
    transformed: Transformed
    columns: dict[str, Array]


def score_ratings(observed: Ratings, how: ConvergenceSection) -> Scored:
    """Score ratings that are already arrays: what `score` does, without the story around it."""
    models = growth_models(observed, how.growth) if how.growth in ("multilevel", "dyadic") else None
    lines = curves(how.growth, models)(observed)
    per = unit(observed, how)
    raw = rate_of_convergence(gaps(observed, lines), how, per)
    _refuse_constant(raw, how)
    transformed = transform(raw, how.transform)
    first = early(observed, lines, how)
    return Scored(
        growth=models,
        lines=lines,
        raw=raw,
        transformed=transformed,
        columns={
            "convergence": transformed.values,
            "early_patient": first["patient"],
            "early_therapist": first["therapist"],
            "early_discrepancy": first["discrepancy"],
            "development": development(observed, lines, per),
        },
    )


def _refuse_constant(raw: Array, how: ConvergenceSection) -> None:
    found = raw[np.isfinite(raw)]
    if len(found) < 3:
        raise DataError(
            f"Only {len(found)} dyad{'s have' if len(found) != 1 else ' has'} a convergence score; "
            "it needs both raters and at least two occasions",
            way_out="Check the rating columns, the time column and the rating window",
        )
    if np.ptp(found) <= 1e-9 * max(1e-300, float(np.abs(found).max())) or float(np.abs(found).max()) < 1e-12:
        modelled = how.growth in ("multilevel", "dyadic")
        raise DataError(
            "The convergence score is the same for all dyads"
            + (": the growth models find no differences between the dyads' slopes" if modelled else ""),
            where="convergence",
            way_out='Try growth = "ols" or "observed"' if modelled else "There is nothing to predict with it",
        )


def _simulated(
    observed: Ratings, found: Scored, how: ConvergenceSection
) -> tuple[Simulated | None, NullDistribution | None, list[Finding]]:
    estimate = curves(how.growth, found.growth)
    try:
        models = found.growth or growth_models(observed)
        simulated = simulate_scores(models, estimate, how)
    except DyadlineError as error:  # no growth model, no statement about noise: the scores themselves stand
        return None, None, [_no_null(error)] if how.null else []
    return simulated, null_distribution(models, estimate, how, found.raw) if how.null else None, []


def _no_null(error: DyadlineError) -> Finding:
    return Finding(
        code="null-not-simulated",
        level="warning",
        words=f"What the score would be by noise alone could not be simulated, because that needs growth models of the "
        f"ratings. {error.what}.",
        way_out=error.way_out or "The scores themselves stand.",
    )


def _curve_table(observed: Ratings, lines: dict[str, Lines] | None) -> pl.DataFrame | None:
    if lines is None:
        return None
    parts = [
        pl.DataFrame({"dyad": observed.dyads, "intercept": lines[r].intercept, "slope": lines[r].slope})
        .with_columns(rater=pl.lit(r))
        .select("dyad", "rater", "intercept", "slope")
        for r in RATERS
    ]
    return pl.concat(parts).with_columns(pl.col("intercept", "slope").fill_nan(None))


def _reasons(observed: Ratings, how: ConvergenceSection, columns: dict[str, Array]) -> list[str]:
    """Why a dyad lacks a score, in words; empty where it has all."""
    occasions = {
        rater: np.bincount(observed.index[np.isfinite(observed.value[rater])], minlength=observed.n_dyads)
        for rater in RATERS
    }
    both = np.isfinite(observed.value["patient"]) & np.isfinite(observed.value["therapist"])
    pairs = np.bincount(observed.index[both], minlength=observed.n_dyads)
    rows = np.bincount(observed.index, minlength=observed.n_dyads)
    words: list[str] = []
    for j in range(observed.n_dyads):
        here: list[str] = []
        if not np.isfinite(columns["convergence"][j]):
            for rater in RATERS:
                if occasions[rater][j] == 0:
                    here.append(f"no {rater} rating")
                elif occasions[rater][j] == 1 and how.growth == "ols":
                    here.append(f"a single {rater} rating")
            if not here and how.growth == "observed" and pairs[j] < 2:
                here.append("fewer than two occasions with both ratings")
            if not here and rows[j] < 2:
                here.append("a single occasion")
            if not here:
                here.append("a discrepancy of zero has no logarithm")
        if how.early_discrepancy in ("signed", "absolute") and pairs[j] == 0:
            here.append("no occasion with both ratings")
        if not np.isfinite(columns["baseline"][j]):
            here.append("no baseline")
        words.append("; ".join(here))
    return words


def _findings(scores: pl.DataFrame, models: GrowthModels | None) -> list[Finding]:
    found: list[Finding] = []
    missing = scores.filter(pl.col("convergence").is_null())
    if missing.height:
        counted = missing.group_by("reasons").len().sort("len", descending=True)
        words = "; ".join(f"{row['len']}: {row['reasons'].replace('; ', ', ')}" for row in counted.to_dicts())
        found.append(
            Finding(
                code="dyads-without-score",
                level="warning",
                words=f"{missing.height} of {scores.height} dyads have no convergence score ({words}).",
                way_out="They take part in Model 1 only; the scores table names each.",
            )
        )
    crossed = int(scores["crossing"].fill_null(False).sum())
    if crossed:
        found.append(
            Finding(
                code="crossing-lines",
                level="note",
                words=f"In {crossed} dyads patient and therapist change places: who rates higher at the first "
                "occasion rates lower at the last.",
                way_out="A straight line through an absolute difference describes such dyads poorly; compare "
                'discrepancy = "signed" with slope = "toward_zero".',
            )
        )
    return found + _growth_findings(models)


def _growth_findings(models: GrowthModels | None) -> list[Finding]:
    found: list[Finding] = []
    for rater, model in models.fits.items() if models else ():
        joint = rater == BOTH
        code = "dyadic" if joint else rater
        which = "joint growth model of both raters' ratings" if joint else f"growth model of the {rater}'s ratings"
        if model.singular:
            found.append(
                Finding(
                    code=f"{code}-growth-on-boundary",
                    level="warning",
                    words=f"The {which} ends on the boundary: {boundary_words(model)}.",
                    way_out='The curves stand, but differ little in one respect; growth = "ols" does not shrink.',
                )
            )
        if not model.converged:
            found.append(
                Finding(
                    code=f"{code}-growth-not-certified",
                    level="warning",
                    words=f"The {which} has no certified optimum.",
                    way_out="Use another unit of time or check for a rater with hardly any variation.",
                )
            )
    return found
