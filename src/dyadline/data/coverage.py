"""Which dyads have what: raters, outcomes, baselines, occasions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import polars as pl

from dyadline.data.roles import RATINGS
from dyadline.data.summary import CODE
from dyadline.errors import Finding
from dyadline.plan.analysis import AnalysisPlan
from dyadline.words import counted, dyads_listed, quoted

USUAL_STEP = 0.8
"""Share of the steps from occasion to occasion that have to be the same for a longer one to be a gap."""

LONG = 20_000.0
"""Units of time from which on a slope per unit is hardly seen; days of fifty years are fewer."""

FEW_ROWS = 0.05
"""Times that lie far from all others are pointed out where at most so large a share of the rows is there."""


def coverage(
    rows: pl.DataFrame, dyads: pl.DataFrame, own: pl.DataFrame, names: Mapping[str, str], plan: AnalysisPlan
) -> Iterator[Finding]:
    """What is missing for whom, and which times stand out.

    Parameters
    ----------
    rows, dyads
        From `summary.in_order` and `summary.by_dyad`.
    own
        Dyads as in `Dataset`.
    names
        Column in the file by role, covariates by their own names.
    plan
        What is asked.
    """
    patient, therapist = (pl.col(f"{role} n") > 0 for role in RATINGS)
    unscored = "no convergence score, so in Model 1 only"
    for where, what, role in (
        (patient & ~therapist, "patient", "therapist_rating"),
        (~patient & therapist, "therapist", "patient_rating"),
    ):
        yield from _lacking(dyads, where, "one-rater", f"ratings of the {what} only", unscored, names[role])
    yield from _lacking(dyads, ~patient & ~therapist, "no-ratings", "no ratings", unscored, names["patient_rating"])
    scores_only = "in the scores, but in no model"
    yield from _lacking(dyads, pl.col("outcome n") == 0, "no-outcome", "no outcome", scores_only, names["outcome"])
    imputed = plan.models.missing_predictors == "impute"
    predictor = "imputed in models with it" if imputed else "models with it leave them out"
    if "baseline" in names:
        where = pl.col("baseline").is_null()
        yield from _lacking(own, where, "no-baseline", "no baseline", predictor, names["baseline"])
    if "therapist" in names:
        yield from _therapists(own, names["therapist"], plan)
    for covariate in plan.columns.covariates:
        lacks = f"no value of {quoted(covariate)}"
        yield from _lacking(own, pl.col(covariate).is_null(), "no-covariate", lacks, predictor, covariate)
    no_change = "no change over time can be seen in them"
    yield from _lacking(
        dyads, pl.col("seen") == 1, "single-occasion", "a single occasion with values", no_change, names["time"]
    )
    yield from _times(rows, names["time"])
    yield from _span(rows, names["time"], plan.time.scale)


_OF_A_ROLE = ("one-rater", "no-ratings", "no-outcome")


def _lacking(
    frame: pl.DataFrame, where: pl.Expr, code: str, what: str, so: str, column: str, way_out: str = ""
) -> Iterator[Finding]:
    labels = frame.filter(where)["dyad"]
    # What no dyad has is an error of its own.
    if len(labels) and not (code in _OF_A_ROLE and len(labels) == frame.height):
        yield Finding(
            code=code,
            level="note",
            words=f"{counted(len(labels), 'dyad')} {'has' if len(labels) == 1 else 'have'} {what}: {so}.",
            way_out=way_out,
            column=column,
            dyad=dyads_listed(labels),
        )


def _therapists(own: pl.DataFrame, column: str, plan: AnalysisPlan) -> Iterator[Finding]:
    unknown = pl.col("therapist").is_null()
    so, way_out = "models with therapists leave them out", "Fill it in if it is known"
    yield from _lacking(own, unknown, "no-therapist", "no therapist", so, column, way_out)
    patients = own.filter(~unknown).group_by("therapist", maintain_order=True).len()
    single = patients.filter(pl.col("len") == 1)
    if not single.height:
        return
    share = single.height / patients.height
    yield Finding(
        code="one-patient-therapists",
        level="warning" if share > 0.5 and plan.models.levels == 3 else "note",
        words=f"{single.height:,} of {counted(patients.height, 'therapist')} ({share:.0%}) "
        f"{'has' if single.height == 1 else 'have'} one patient here: what is the therapist's and what the patient's "
        "cannot be told apart in them.",
        way_out="More patients per therapist would be needed for a third level" if share > 0.5 else "",
        column=column,
    )


def _times(rows: pl.DataFrame, column: str) -> Iterator[Finding]:
    """Gaps between a dyad's occasions, and times far from all others."""
    seen = rows.filter("[seen]").select(CODE, "dyad", "row", "time")
    yield from _far(seen, column)
    steps = seen.with_columns(step=pl.col("time") - pl.col("time").shift()).filter(pl.col(CODE) == pl.col(CODE).shift())
    counts = steps["step"].value_counts(sort=True)
    if not counts.height or counts["count"][0] < USUAL_STEP * steps.height:
        return
    usual = counts["step"][0]
    gaps = steps.filter(pl.col("step") > 1.5 * usual)
    if usual > 0 and gaps.height:
        dyads = gaps["dyad"].unique(maintain_order=True)
        yield Finding(
            code="gaps",
            level="note",
            words=f"{counted(len(dyads), 'dyad')} {'has' if len(dyads) == 1 else 'have'} "
            f"{counted(gaps.height, 'gap')}: more than the usual step of {usual:g} from one occasion with values to "
            "the next.",
            column=column,
            dyad=dyads_listed(dyads),
            rows=tuple(gaps["row"].to_list()),
        )


def _span(rows: pl.DataFrame, column: str, scale: float) -> Iterator[Finding]:
    """Time in units so small that slopes per unit are shown as zero, as seconds are."""
    times = rows["time"].drop_nulls()
    span = float(times.max()) - float(times.min()) if len(times) else 0.0  # type: ignore[arg-type]
    if span / scale > LONG:
        yield Finding(
            code="small-units",
            level="warning",
            words=f"Time runs over {span / scale:,.0f} units, and slopes are per unit: tables would show zeros.",
            way_out="Divide time by scale under [time], such as scale = 604800 for weeks from seconds",
            column=column,
        )


def _far(seen: pl.DataFrame, column: str) -> Iterator[Finding]:
    times = seen["time"].unique().sort()
    if len(times) < 4:
        return
    steps = times.diff().slice(1)
    widest = steps.arg_max()
    assert widest is not None
    below, above = times[widest], times[widest + 1]
    for span, far in ((below - times[0], pl.col("time") >= above), (times[-1] - above, pl.col("time") <= below)):
        # Two times are no spread to compare with: 1, 2 and 20 may be what was planned.
        if not 0 < span < above - below or seen.filter(~far)["time"].n_unique() < 3:
            continue
        there = seen.filter(far).sort("row")
        if there.height > FEW_ROWS * seen.height:
            continue
        others = seen.filter(~far)["time"]
        low, high = float(others.min()), float(others.max())  # type: ignore[arg-type]
        yield Finding(
            code="far-times",
            level="note",
            words=f"{counted(there.height, 'row')} {'lies' if there.height == 1 else 'lie'} far from all others in "
            f"time: {there['time'][0]:g}, where the others run from {low:g} to {high:g}.",
            way_out="Check the time; a slip here bends the whole line",
            column=column,
            dyad=dyads_listed(there["dyad"].unique(maintain_order=True)),
            time=f"{there['time'][0]:g}",
            rows=tuple(there["row"].to_list()),
        )
        return
