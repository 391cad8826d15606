"""What a reader of the paper's method could trip over, looked for in every study.

Each finding has a stable code; the reports print words and way out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import polars as pl

from dyadline.data.dataset import Dataset
from dyadline.errors import Finding
from dyadline.inference.boundary import boundary_words
from dyadline.plan.analysis import AnalysisPlan
from dyadline.scoring.score import Scoring
from dyadline.studies.levels import DECIDED_ON, Levels
from dyadline.studies.outcome import OutcomeModels
from dyadline.words import counted, listed

LOW_RELIABILITY = 0.70
HIGH_VIF = 5.0
HIGH_CONDITION = 10.0


def traps(
    dataset: Dataset,
    scoring: Scoring,
    models: OutcomeModels,
    tables: Mapping[str, pl.DataFrame],
    plan: AnalysisPlan,
) -> tuple[Finding, ...]:
    """Everything in this analysis that calls for a word of caution."""
    return (
        *_synthetic(plan),
        *_baseline(plan),
        *_same_sessions(dataset, scoring, plan),
        *_listwise(models, tables, plan),
        *_shift(scoring),
        *_transform(scoring, plan),
        *_reliability(scoring),
        *_noise_floor(scoring, plan),
        *_near_collinear(tables),
        *_criteria(models, plan),
        *_time_shape(tables),
        *_boundary(models),
        *_levels(dataset, models),
        *_nesting(models),
    )


def _number(value: float, decimals: int = 3) -> str:
    return f"{value:.{decimals}f}".replace("-", "−")


def _synthetic(plan: AnalysisPlan) -> Iterator[Finding]:
    if plan.data is not None and plan.data.synthetic:
        yield Finding(
            code="synthetic-data",
            level="warning",
            words="These data are synthetic: a simulator drew them, no patient is in them. Ratings stay on their "
            "scale; the outcome follows the model's normal distributions and may leave the questionnaire's range.",
            way_out="Nothing here is evidence about psychotherapy.",
        )


def _baseline(plan: AnalysisPlan) -> Iterator[Finding]:
    if plan.columns.baseline == "first" and any(n > 1 for n in plan.models.run):
        yield Finding(
            code="baseline-is-first-outcome",
            level="warning",
            words="The baseline is the first outcome value, and that value is also an outcome row: the model "
            "predicts it partly from itself. The variance of the intercepts collapses and its tests mean little.",
            way_out="Name a pre-treatment column as baseline, or start the outcome window after the first occasion.",
        )


def _same_sessions(dataset: Dataset, scoring: Scoring, plan: AnalysisPlan) -> Iterator[Finding]:
    rated = scoring.discrepancies["time"]
    window = plan.convergence.outcome_window
    outcome = dataset.rows.filter(pl.col("outcome").is_not_null())
    if not isinstance(window, str):
        outcome = outcome.filter(pl.col("time").is_between(window[0], window[1]))
    if rated.is_empty() or outcome.is_empty():
        return
    if float(rated.max()) > float(outcome["time"].min()):  # type: ignore[arg-type]
        yield Finding(
            code="same-sessions",
            level="note",
            words="Alliance and outcome are measured over the same sessions, so the models say whether they go "
            "together, not which comes first.",
            way_out="Set rating_window to the earlier and outcome_window to the later sessions to separate them.",
        )


def _listwise(models: OutcomeModels, tables: Mapping[str, pl.DataFrame], plan: AnalysisPlan) -> Iterator[Finding]:
    left_out = tables["left_out"]
    if left_out.is_empty() or plan.models.missing_predictors != "listwise":
        return
    sentences = []
    for (number,), group in left_out.group_by("model", maintain_order=True):
        lacking = [f"{name} {n}" for name, n in group.drop_nulls("predictor").select("predictor", "n_dyads").rows()]
        first, total = group.row(0, named=True), len(_with_outcome(models))
        sentences.append(
            f"Model {number} leaves out {first['n_dyads']} of {counted(total, 'dyad')} with an outcome "
            f"({counted(first['n_rows'], 'outcome value')}), because they lack a predictor ({', '.join(lacking)})."
        )
    can_be = [name for name in ("baseline", *plan.columns.covariates) if name in set(left_out["predictor"])]
    yield Finding(
        code="listwise-deletion",
        level="warning" if can_be else "note",
        words=f"{' '.join(sentences)} What the dyads that are left say is biased if those that are not differ.",
        way_out=f'missing_predictors = "impute" in [models] imputes {listed(can_be)}; scores are never imputed.'
        if can_be
        else "Scores are never imputed: they need ratings of both.",
    )


def _shift(scoring: Scoring) -> Iterator[Finding]:
    if scoring.shift is not None:
        yield Finding(
            code="log-shift",
            level="note",
            words=f"The score can be negative, so {scoring.shift:.4f} was added before the logarithm: the lowest "
            "score becomes ln 1 = 0. The shift comes from this sample's minimum; another sample has another.",
        )


def _transform(scoring: Scoring, plan: AnalysisPlan) -> Iterator[Finding]:
    if plan.convergence.transform == "none":
        return
    before, after = scoring.normality.to_dicts()
    known = before["shapiro_w"] is not None
    if known and after["shapiro_w"] < before["shapiro_w"] and abs(after["skewness"]) > abs(before["skewness"]):
        yield Finding(
            code="transform-does-not-help",
            level="note",
            words=f"The transform takes the score further from a normal distribution: skewness "
            f"{_number(before['skewness'], 2)} before and {_number(after['skewness'], 2)} after it. A predictor need "
            "not be normal.",
            way_out='Use transform = "none", or keep it to follow the published method.',
        )


def _reliability(scoring: Scoring) -> Iterator[Finding]:
    low = scoring.reliability.filter(pl.col("reliability") < LOW_RELIABILITY)
    if low.height:
        words = ", ".join(
            f"{row['score'].replace('_', ' ')} {row['reliability']:.2f}".replace("0.", ".") for row in low.to_dicts()
        )
        yield Finding(
            code="low-reliability",
            level="warning",
            words=f"Scores of low reliability: {words}. They are estimated first and then used as predictors as if "
            "known, so their own coefficients are drawn towards zero, and those of predictors that correlate with "
            "them may be off in either direction.",
            way_out="Read a small coefficient as weak evidence of a small effect; more occasions per dyad help.",
        )


def _noise_floor(scoring: Scoring, plan: AnalysisPlan) -> Iterator[Finding]:
    simulated, how = scoring.simulated, plan.convergence
    if simulated is None or how.discrepancy == "signed":
        return
    mean = float(scoring.scores["convergence_raw"].mean())  # type: ignore[arg-type]
    null, tested = scoring.null, ""
    expected, low, high = simulated.null_mean, simulated.null_low, simulated.null_high
    if null is not None:
        expected, low, high = null.mean, null.low, null.high
        tested = f" ({len(null.means):,} simulated studies, two-sided {_p(null.p_value)})"
    inside = low <= mean <= high
    yield Finding(
        code="noise-floor",
        level="note" if inside else "warning",
        words=f"An {how.discrepancy} discrepancy cannot fall below its noise. If no dyad's true gap had changed, "
        f"studies like this one would have a mean score (before the transform) of {_number(expected)}, "
        f"95% of them between {_number(low)} and {_number(high)}; "
        f"here it is {_number(mean)}{tested}, "
        + (
            "which is what no convergence on average looks like."
            if inside
            else f"{'above' if mean > high else 'below'} that range: on average the dyads "
            f"{'converge' if mean > high else 'diverge'}."
        ),
    )


def _near_collinear(tables: Mapping[str, pl.DataFrame]) -> Iterator[Finding]:
    vif, condition = tables["collinearity"], tables["condition"]
    for row in condition.to_dicts():
        high = vif.filter((pl.col("model") == row["model"]) & (pl.col("vif") > HIGH_VIF))
        if row["condition_number"] <= HIGH_CONDITION and high.is_empty():
            continue
        named = ", ".join(
            f"{r['term'].replace('_', ' ').replace(':', ' × ')} (VIF {r['vif']:.1f})" for r in high.to_dicts()
        )
        yield Finding(
            code="near-collinearity",
            level="warning",
            words=f"Model {row['model']}: predictors that nearly repeat each other: "
            f"{named or 'several of them'}; condition number "
            f"{row['condition_number']:.1f}. Their separate coefficients have large standard errors.",
            way_out='Consider early_discrepancy = "absolute" or "none".',
        )


def _criteria(models: OutcomeModels, plan: AnalysisPlan) -> Iterator[Finding]:
    if len(models.numbers) < 2:
        return
    rows = {fitted.n_rows for fitted in models.fits}
    reasons = []
    if plan.models.method == "REML":
        reasons.append("REML criteria of models with different fixed effects are not comparable")
    if len(rows) > 1:
        reasons.append(f"the models use different rows ({', '.join(str(n) for n in sorted(rows, reverse=True))})")
    if reasons:
        yield Finding(
            code="criteria-not-comparable",
            level="warning",
            words=f"The information criteria below the main table cannot be compared across models: "
            f"{'; and '.join(reasons)}.",
            way_out="Compare the models by the table of ML criteria on the rows that all of them share.",
        )


def _time_shape(tables: Mapping[str, pl.DataFrame]) -> Iterator[Finding]:
    shapes = {row["shape"]: row["aic"] for row in tables["time_shape"].to_dicts()}
    best = min(shapes, key=lambda name: shapes[name])
    if best != "linear":
        yield Finding(
            code="time-not-linear",
            level="warning",
            words=f"A {best} course of the outcome fits better than a straight line (AIC {shapes[best]:.1f} against "
            f"{shapes['linear']:.1f}, ML on the same rows).",
            way_out="The models assume linear change; transform the time column in the file if that matters here.",
        )


def _boundary(models: OutcomeModels) -> Iterator[Finding]:
    for number, fitted in zip(models.numbers, models.fits, strict=True):
        if fitted.singular:
            words = boundary_words(fitted)
            simpler = 'levels = "auto" leaves therapists out where they do not differ' if "therapist" in words else ""
            yield Finding(
                code="boundary-fit",
                level="warning",
                words=f"Model {number} ends on the boundary: {words}. That is an estimate, not a failure; Wald tests "
                "of the random effects mean nothing there.",
                way_out="The fixed effects stand. A simpler random part would give the same criterion"
                + (f"; {simpler}." if simpler else "."),
            )
        if not fitted.converged:
            yield Finding(
                code="not-certified",
                level="warning",
                words=f"Model {number} has no certified optimum (largest gradient "
                f"{fitted.solution.minimum.gradient_norm:.1e} after {fitted.solution.starts} starts).",
                way_out="Rescale time or outcome, or simplify the model; do not report these numbers as they are.",
            )


def _levels(dataset: Dataset, models: OutcomeModels) -> Iterator[Finding]:
    levels = models.levels
    if levels.asked == 2:
        yield from _left_out(dataset)
        return
    unknown = dataset.dyads.filter(pl.col("dyad").is_in(_with_outcome(models)) & pl.col("therapist").is_null()).height
    if unknown:
        consequence = (
            "the test of the therapists' variance leaves them out; the models, of two levels, do not"
            if levels.used == 2
            else "the models leave them out, because a therapist who is not known is not one more therapist"
        )
        yield Finding(
            code="dyads-without-therapist",
            level="warning",
            words=f"{unknown} of {len(_with_outcome(models))} dyads with an outcome have no therapist: {consequence}.",
            way_out="Fill in the column of therapists, or write levels = 2.",
        )
    if levels.asked != "auto":
        return
    said = _test_words(levels)
    if levels.used == 2:
        yield Finding(
            code="therapist-level-dropped",
            level="warning",
            words=f"Three levels were tried, and all models have two (session, dyad). {levels.reason}{said}",
            way_out="Say so where you report the models; a test of few therapists finds large differences only.",
        )
    else:
        yield Finding(
            code="therapist-level-kept",
            level="note",
            words=f"All models have three levels (session, dyad, therapist). {levels.reason}{said}",
        )


def _test_words(levels: Levels) -> str:
    """The tests in a sentence each, after a blank."""
    what = {
        "intercept": "A variance of therapists' intercepts lowers",
        "slope": "That their slopes vary too lowers",
    }
    return "".join(
        f" {what[test.effect]} the {test.larger.method} criterion of Model {DECIDED_ON} by "
        f"{_number(test.statistic, 2)} ({_p(test.p_value)}, {test.distribution}{'; ' * bool(test.doubt)}{test.doubt})."
        for test in levels.tests
    )


def _p(value: float) -> str:
    if value < 0.001 or value >= 0.9995:
        return "p < .001" if value < 0.001 else "p > .999"
    return f"p = {value:.3f}".replace("0.", ".")


def _with_outcome(models: OutcomeModels) -> list[str]:
    dyads: list[str] = models.frame["dyad"].unique().to_list()
    return dyads


def _left_out(dataset: Dataset) -> Iterator[Finding]:
    if "therapist" not in dataset.dyads.columns:
        return
    known = dataset.dyads["therapist"].drop_nulls()
    several = int((known.value_counts()["count"] > 1).sum())
    if several:
        yield Finding(
            code="therapist-level-left-out",
            level="note",
            words=f"{known.n_unique()} therapists treat {len(known)} patients, {several} of them more than one; the "
            "models have two levels (session, dyad) and leave the therapist level out, as the paper's final models do.",
            way_out="If therapists differ in outcome, standard errors of therapist-related predictors are too small; "
            'levels = "auto" tests it.',
        )


def _nesting(models: OutcomeModels) -> Iterator[Finding]:
    """What the fits decided about labels of dyads that several therapists have; the same in each, so said once."""
    yield from dict.fromkeys(note for fitted in models.fits for note in fitted.design.notes)
