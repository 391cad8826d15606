"""What was assumed: the parameters from which studies were drawn, as sentences and tables."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

from dyadline.plan.scores import DISCREPANCY, SLOPE, TRANSFORM, UNIT
from dyadline.plan.truth import EFFECTS, PREDICTORS, DropOutTruth, Truth
from dyadline.report.document import Block, Cell, Column, Paragraph, Part, Row, RowGroup, Table
from dyadline.report.labels import NAMES
from dyadline.report.numbers import decimals_of_spread, number, occasion, proportion
from dyadline.report.power.grid import Grid, thinned
from dyadline.report.power.names import DESIGNED, DIMENSIONS, value_text

MOST_VALUES = 8

_EFFECTS = {
    "patient": "Patient's rating, intercept",
    "patient:t": "Patient's rating, slope",
    "therapist": "Therapist's rating, intercept",
    "therapist:t": "Therapist's rating, slope",
    "outcome": "Outcome, intercept",
    "outcome:t": "Outcome, slope",
}


def assumption_blocks(grid: Grid) -> Iterator[Block]:
    """Design, meaning of the effect, curves, correlations and coefficients."""
    truth = grid.result.truth
    yield design_table(grid)
    yield effect_words(grid)
    yield curves_table(truth)
    correlated = correlations_table(truth)
    if correlated is not None:
        yield correlated
    coefficients = coefficients_table(grid)
    if coefficients is not None:
        yield coefficients


def effect_words(grid: Grid) -> Paragraph:
    """What an effect of that size means."""
    truth, effects = grid.result.truth, [v for v in grid.values("effect") if v is not None]
    meaning = _true_convergence(truth)
    if not effects:
        return Paragraph(
            heading="The effect.",
            parts=(
                f"{meaning} Its effect on the outcome's slope is the coefficient of the parameter file; no "
                "standardised effect was asked for.",
            ),
        )
    size: Part = Cell(value=effects[0], kind="proportion") if len(effects) == 1 else "β"
    named: tuple[Part, ...] = (" = ", size) if len(effects) == 1 else ()
    return Paragraph(
        heading="The effect.",
        parts=(
            f"{meaning} An effect of β",
            *named,
            " means: where true convergence is one standard deviation higher, the true slope of the outcome "
            f"({truth.names.outcome}) is ",
            size,
            " of its standard deviation over dyads higher (for a negative number, lower), as the other predictors "
            "leave it. Where the outcome counts symptoms, convergence that helps has a negative effect. β is an effect "
            "of true convergence on the true slope: what a study sees of it is smaller.",
        ),
    )


def _true_convergence(truth: Truth) -> str:
    if truth.outcome.given == "scored":
        return "Here the outcome depends on the scores that the default operationalisation gives, not on true curves."
    what = truth.outcome.convergence
    side = "true curve" if what.discrepancy == "signed" else "true curves"
    unit = "" if what.slope == "endpoints" else f", {UNIT[what.unit]}"
    transform = "" if what.transform == "none" else f", {TRANSFORM[what.transform]}"
    return (
        f"True convergence belongs to the raters' true curves, without any error of rating: the discrepancy is "
        f"{DISCREPANCY[what.discrepancy].format(side=side)}; convergence is {SLOPE[what.slope]}{unit}{transform}."
    )


def design_table(grid: Grid) -> Table:
    """Design and missing values, a line each."""
    rows = [(_DESIGN[key], _values(grid, key)) for key in DESIGNED if _told(grid, key)]
    rows += list(_of_truth(grid.result.truth, grid.designed))
    return Table(
        key="design",
        caption="Design of the studies that were drawn",
        stub="What",
        columns=(Column(label="Value", align="text"),),
        groups=(RowGroup(rows=tuple(Row(label=a, cells=(Cell(value=b, kind="text"),)) for a, b in rows)),),
        note=("Where designs differ, all their values are named; everything else is the same in all of them.",)
        if grid.designed
        else (),
    )


_DESIGN = {
    "dyads": "Dyads",
    "sessions": "Sessions with ratings",
    "drop_out": "Dyads lost by the last occasion",
    "per_therapist": "Patients per therapist",
    "effect": "Effect β of true convergence on the slope",
}


def _told(grid: Grid, key: str) -> bool:
    return key in grid.designed or grid.reference[key] is not None


def _values(grid: Grid, key: str) -> str:
    values = grid.values(key)
    said = [f"{value_text(key, v)}{'%' * (key == 'drop_out')}" for v in thinned(values, MOST_VALUES)]
    more = "" if len(said) == len(values) else f" ({len(values)} {DIMENSIONS[key].what})"
    return ", ".join(said) + more


def _of_truth(truth: Truth, told: Sequence[str]) -> Iterator[tuple[str, str]]:
    missing = truth.missing
    if "sessions" not in told:
        yield "Occasions with an outcome", _occasions(truth.occasions)
        if truth.rated is not None:
            yield "Occasions with ratings", _occasions(truth.rated)
    if "drop_out" not in told:
        yield "Drop-out", _drop_out(truth)
    said = [("Occasion without any form", missing.skipped), ("Rater's form missing", missing.form)]
    said.append(("Outcome missing", missing.outcome_form))
    yield from ((label, f"{_percent(share)} of occasions") for label, share in said if share)
    if truth.length is not None:
        length = truth.length
        yield (
            "Number of sessions",
            f"log-normal (median {occasion(length.median)}, SD of the logarithm {number(length.log_sd)}), without what "
            f"is below {length.least}",
        )
    if truth.alliance.scale is not None:
        low, high = truth.alliance.scale
        yield "Ratings are cut off at", f"{occasion(low)} and {occasion(high)}"
    effects = truth.therapist_effects
    if truth.therapists:
        arms = ", ".join(f"{n} ({arm})" for arm, n in truth.therapists.items())
        yield "Therapists in the parameter file", arms
    sds = {
        "outcome's intercept": effects.outcome[0],
        "outcome's slope": effects.outcome[1],
        "patients' ratings": effects.patient,
        "therapist's ratings": effects.therapist,
    }
    named = [f"{what} {number(sd, decimals_of_spread(sd))}" for what, sd in sds.items() if sd]
    yield "SD over therapists", ", ".join(named) if named else "none: therapists do not differ"


def _drop_out(truth: Truth) -> str:
    rule, always = truth.missing.drop_out, truth.missing.always
    since = f"after the first {always}"
    if not isinstance(rule, DropOutTruth):
        return f"a chance of {_percent(rule)} before each occasion {since}" if rule else "nobody"
    slopes = {"occasion": rule.time, "SD of the last outcome": rule.outcome}
    slopes |= {"SD of the patient's last rating": rule.patient, "SD of the therapist's last rating": rule.therapist}
    named = [f"{number(by)} per {what}" for what, by in slopes.items() if by]
    more = f"; its log odds change by {', '.join(named)}" if named else ""
    return f"a chance of {_percent(rule.rate)} before the first occasion {since}{more}"


def _percent(share: float) -> str:
    return f"{number(100.0 * share, 1)}%"


def _occasions(times: Sequence[float]) -> str:
    steps = {round(b - a, 9) for a, b in pairwise(times)}
    if len(times) > 4 and len(steps) == 1:
        return f"{occasion(times[0])}, {occasion(times[1])}, …, {occasion(times[-1])}"
    return ", ".join(map(occasion, times))


def curves_table(truth: Truth) -> Table:
    """Means and standard deviations of intercepts and slopes, residuals and symptoms before the therapy."""
    alliance, outcome = truth.alliance, truth.outcome
    means = (
        alliance.patient.intercept,
        alliance.patient.slope,
        alliance.therapist.intercept,
        alliance.therapist.slope,
        outcome.fixed.intercept,
        outcome.slope.intercept,
    )
    given = (
        *alliance.patient.sd,
        *alliance.therapist.sd,
        math.sqrt(outcome.random.intercept),
        math.sqrt(outcome.random.slope),
    )
    own = [math.sqrt(max(0.0, row[k])) for k, row in enumerate(truth.covariance or ())]
    sds = (*own, *given[len(own) :])
    lines = [(_EFFECTS[effect], m, sd) for effect, m, sd in zip(EFFECTS, means, sds, strict=True)]
    lines.append(("Symptoms before the therapy", truth.baseline.mean, truth.baseline.sd))
    residuals = [
        ("Patient's rating", alliance.patient.residual),
        ("Therapist's rating", alliance.therapist.residual),
        ("Outcome", math.sqrt(outcome.residual)),
    ]

    def row(label: str, mean: float | None, sd: float) -> Row:
        d = max(2, decimals_of_spread(sd))
        shown = None if mean is None else Cell(value=mean, decimals=d)
        return Row(label=label, cells=(shown, Cell(value=sd, decimals=d)))

    return Table(
        key="curves",
        caption="True curves and their spread over dyads",
        stub="What",
        columns=(Column(label="M", symbol=True), Column(label="SD", symbol=True)),
        groups=(
            RowGroup(label="Over dyads", rows=tuple(row(*line) for line in lines)),
            RowGroup(label="Around the curve, over occasions", rows=tuple(row(a, None, sd) for a, sd in residuals)),
        ),
        note=(
            "Slopes per unit of time; the outcome's intercept and slope at average predictors, their standard "
            "deviations beyond what predictors explain. Parameters of the first design.",
        ),
    )


def correlations_table(truth: Truth) -> Table | None:
    """Correlations of random effects and residuals that are not zero."""
    alliance, outcome = truth.alliance, truth.outcome
    told: list[tuple[str, float]] = []
    spread = math.sqrt(outcome.random.intercept * outcome.random.slope)
    if truth.covariance is None:
        told = [
            ("Patient's intercept and slope", alliance.patient.r),
            ("Therapist's intercept and slope", alliance.therapist.r),
            ("Intercepts of patient and therapist", alliance.between),
            ("Slopes of patient and therapist", alliance.between),
            ("Outcome's intercept and slope", outcome.random.covariance / spread if spread else 0.0),
        ]
    else:
        told = list(_of_covariance(truth.covariance))
        if len(truth.covariance) < len(EFFECTS) and spread:
            told.append(("Outcome's intercept and slope", outcome.random.covariance / spread))
    told += [
        ("Residuals of the two raters at one occasion", alliance.residual_correlation),
        ("A rater's residuals one unit of time apart", alliance.ar1),
        ("The outcome's residuals one unit of time apart", outcome.ar1),
    ]
    rows = tuple(Row(label=label, cells=(Cell(value=r, kind="proportion"),)) for label, r in told if r)
    if not rows:
        return None
    return Table(
        key="correlations",
        caption="Correlations that were assumed",
        stub="Of",
        columns=(Column(label="r", symbol=True),),
        groups=(RowGroup(rows=rows),),
        note=("All others are zero.",),
    )


def _of_covariance(covariance: Sequence[Sequence[float]]) -> Iterator[tuple[str, float]]:
    for k, row in enumerate(covariance):
        for j in range(k):
            spread = math.sqrt(max(0.0, covariance[j][j] * row[k]))
            first, second = _EFFECTS[EFFECTS[j]], _EFFECTS[EFFECTS[k]]
            yield f"{first}; {second[0].lower()}{second[1:]}", row[j] / spread if spread else 0.0


def coefficients_table(grid: Grid) -> Table | None:
    """What predictors add to the outcome; none where nothing does but convergence."""
    fixed, slope = grid.result.truth.outcome.fixed, grid.result.truth.outcome.slope
    asked = [value for value in grid.values("effect") if value is not None]
    rows = []
    for name in (*PREDICTORS, "product"):
        level, change = getattr(fixed, name), getattr(slope, name)
        by_effect = name == "convergence" and bool(asked)
        if not (level or change or by_effect):
            continue
        label = "Convergence × alliance dev." if name == "product" else NAMES[name]
        said = Cell(value="β", kind="text") if by_effect else Cell(value=change, kind="occasion")
        rows.append(Row(label=label, cells=(Cell(value=level, kind="occasion"), said)))
    if not rows:
        return None
    named = ", ".join(dict.fromkeys(proportion(value) for value in asked))
    return Table(
        key="coefficients",
        caption="What predictors add to the outcome",
        stub="Per unit of",
        columns=(Column(label="Intercept"), Column(label="Slope")),
        groups=(RowGroup(rows=tuple(rows)),),
        note=(
            "Predictors that are not named add nothing.",
            f" β: as the standardised effect says ({named})." if 0 < len(asked) <= MOST_VALUES else "",
        ),
    )
