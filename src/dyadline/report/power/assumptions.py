"""What was assumed: the parameters from which studies were drawn, as sentences and tables."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from dyadline.plan.scores import DISCREPANCY, SLOPE, TRANSFORM, UNIT
from dyadline.plan.truth import EFFECTS, PREDICTORS, Truth
from dyadline.report.document import Block, Cell, Column, Paragraph, Part, Row, RowGroup, Table
from dyadline.report.labels import NAMES
from dyadline.report.numbers import decimals_of_spread, proportion
from dyadline.report.power.design import MOST_VALUES, design_table
from dyadline.report.power.grid import Grid

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
            "leave it. It is a correlation, of true convergence with true change. A study has only estimates of both, "
            "and finds less. Where the outcome counts symptoms, convergence that helps has a negative effect; for the "
            "power of a two-sided test the sign makes little difference.",
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
        f"True convergence is computed from the raters' true lines, without any error of rating: the discrepancy is "
        f"{DISCREPANCY[what.discrepancy].format(side=side)}; convergence is {SLOPE[what.slope]}{unit}{transform}."
    )


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
            "Slopes per unit of time. Outcome: means at average predictors; standard deviations beyond what the other "
            "predictors explain, of the slope with what convergence explains.",
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
            f" β: the standardised effect that was asked for ({named})." if 0 < len(asked) <= MOST_VALUES else "",
        ),
    )
