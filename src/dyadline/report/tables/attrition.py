"""Tables of attrition and missing values."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from dyadline.report.cells import count_cell, interval_cell, number_cell, percent_cell
from dyadline.report.document import Cell, Column, Part, Row, RowGroup, Spanner, Table
from dyadline.report.labels import name
from dyadline.report.numbers import decimals_for, decimals_of_spread, number, occasion
from dyadline.report.tables.study import SERIES

MOST_REASONS = 12
"""Reasons with a row of their own: rarer ones are counted together, since they may tell who somebody is."""

MOST_REASON_COLUMNS = 5

_TOGETHER = {
    SERIES: "All three",
    SERIES[:2]: "Both ratings, no outcome",
    SERIES[1:]: "Therapist's rating and outcome",
    SERIES[::2]: "Patient's rating and outcome",
    (): "None",
}

SHORT = {"patient_rating": "Patient", "therapist_rating": "Therapist", "outcome": "Outcome", "any": "Any value"}

_PATTERNS = {
    "complete": "Complete",
    "ended early": "Ended early, complete until then",
    "gaps": "Gaps, seen at the end",
    "gaps and ended early": "Gaps, and ended early",
    "none": "No value",
}


def attrition_table(attrition: pl.DataFrame, *, time: str) -> Table:
    """How many dyads were still there at each occasion."""
    in_order = (attrition["clock"] == "order").any()
    rows = [
        Row(
            label=occasion(r["time"]),
            cells=(
                *(count_cell(r[c]) for c in ("at_risk", "observed", "intermittent", "last_seen")),
                percent_cell(r["hazard"]),
                percent_cell(r["lost"]),
            ),
        )
        for r in attrition.iter_rows(named=True)
    ]
    dyads = attrition["last_seen"].sum()
    return Table(
        key="attrition",
        caption="Attrition by occasion",
        stub="Occasion of the dyad" if in_order else time,
        columns=(
            Column(label="Still there"),
            Column(label="Observed"),
            Column(label="Back later", rank=1),
            Column(label="Last seen"),
            Column(label="Last seen, %", rank=1),
            Column(label="Lost so far, %"),
        ),
        groups=(RowGroup(rows=tuple(rows)),),
        note=(
            f"{dyads:,} dyads with any value. Still there: seen at this occasion or later. Back later: not seen here, "
            "but at a later occasion. Last seen: the dyad's last value of any kind is at this occasion (in the last "
            "line they are those who stayed to the end); per cent of those still there. Lost so far: share of all "
            "dyads whose last value was at an earlier occasion. The table counts data, not reasons: whether treatment "
            "had ended as planned or the dyad dropped out is the same to it. Where treatments differ in length by "
            "design it shows their length."
            + (
                " Dyads do not share occasions, so each dyad's own first, second, third … is counted, and nobody can "
                "be back later."
                if in_order
                else ""
            ),
        ),
    )


def endings_table(endings: pl.DataFrame, *, time: str) -> Table:
    """Why dyads ended, and when they were last seen."""
    d = decimals_of_spread(*endings["time_sd"])
    known = list(endings.iter_rows(named=True))
    rows = [
        Row(
            label=_reason(r["reason"]),
            cells=(
                count_cell(r["dyads"]),
                percent_cell(r["share"]),
                number_cell(r["time_mean"], d),
                number_cell(r["time_sd"], d),
                None
                if r["time_min"] is None
                else Cell(value=f"{occasion(r['time_min'])} to {occasion(r['time_max'])}", kind="text"),
            ),
        )
        for r in known[:MOST_REASONS]
    ]
    rare = known[MOST_REASONS:]
    if rare:
        dyads, share = sum(r["dyads"] for r in rare), sum(r["share"] for r in rare)
        label = f"{len(rare)} other reason{'s' * (len(rare) > 1)}"
        rows.append(Row(label=label, cells=(count_cell(dyads), percent_cell(share), None, None, None)))
    return Table(
        key="endings",
        caption="Reasons for ending, and when dyads were last seen",
        stub="Reason",
        columns=(
            Column(label="n", symbol=True),
            Column(label="%"),
            Column(label="M", symbol=True),
            Column(label="SD", symbol=True),
            Column(label="Range", rank=1, align="text"),
        ),
        spanners=(Spanner(label="Dyads", columns=2), Spanner(label="Last seen", words=time, columns=3)),
        groups=(RowGroup(rows=tuple(rows)),),
        note=("Reasons as the data file gives them.",),
    )


def endings_by_time_table(by_time: pl.DataFrame, endings: pl.DataFrame, *, time: str) -> Table:
    """Dyads last seen at each occasion, by reason."""
    named = endings["reason"].to_list()
    named = named if len(named) <= MOST_REASON_COLUMNS else named[: MOST_REASON_COLUMNS - 1]
    number_of = {(moment, reason): dyads for moment, reason, dyads in by_time.iter_rows()}
    others = len(named) < endings.height

    def cells(moment: float) -> Iterable[Cell | None]:
        for reason in named:
            yield count_cell(number_of.get((moment, reason), 0))
        if others:
            yield count_cell(sum(n for (t, reason), n in number_of.items() if t == moment and reason not in named))

    moments = by_time["time"].unique().sort()
    return Table(
        key="endings-by-time",
        caption="Reasons for ending by the occasion at which dyads were last seen",
        stub=time,
        columns=tuple(Column(label=label) for label in [*map(_reason, named), *["Others"] * others]),
        groups=(RowGroup(rows=tuple(Row(label=occasion(m), cells=tuple(cells(m))) for m in moments)),),
    )


def _reason(reason: str) -> str:
    return reason or "(not given)"


def missing_table(descriptives: pl.DataFrame, *, time: str) -> Table | None:
    """Values expected and missing by occasion; none where dyads do not share occasions.

    Parameters
    ----------
    descriptives
        ``variable, time, expected, missing``.
    time
        What an occasion is called in the data.
    """
    if not descriptives["expected"].count():
        return None
    found = {(r["variable"], r["time"]): r for r in descriptives.iter_rows(named=True)}
    present = [v for v in SERIES if v in set(descriptives["variable"])]

    def cells(moment: float, variable: str) -> tuple[Cell | None, ...]:
        r = found.get((variable, moment))
        if r is None:
            return (None, None)
        return count_cell(r["missing"]), percent_cell(r["missing"] / r["expected"])

    def line(moment: float) -> Row:
        expected = max(found[v, moment]["expected"] for v in present if (v, moment) in found)
        return Row(
            label=occasion(moment), cells=(count_cell(expected), *(cell for v in present for cell in cells(moment, v)))
        )

    total = descriptives.group_by("variable").agg(pl.col("expected", "missing").sum())
    sums = {variable: (expected, missing) for variable, expected, missing in total.iter_rows()}
    of_all = [cell for v in present for cell in (count_cell(sums[v][1]), percent_cell(sums[v][1] / sums[v][0]))]
    return Table(
        key="missing",
        caption="Missing values by occasion",
        stub=time,
        columns=(Column(label="Dyads"), *(Column(label=label) for _ in present for label in ("Missing", "%"))),
        spanners=(
            Spanner(label="Still there", columns=1),
            *(Spanner(label=SHORT[v], columns=2) for v in present),
        ),
        groups=(
            RowGroup(rows=tuple(line(moment) for moment in descriptives["time"].unique().sort())),
            RowGroup(rows=(Row(label="All", cells=(None, *of_all)),)),
        ),
        note=(
            "Missing: no value, though the dyad was still there, that is, seen at this occasion or later (or its "
            "treatment ended later, where the data say when). Where a variable was not collected at all, nothing is "
            "counted.",
        ),
    )


def row_patterns_table(patterns: pl.DataFrame) -> Table:
    """Which values are there together."""
    rows = []
    for r in patterns.iter_rows(named=True):
        there = [v for v in SERIES if r[v]]
        label = _TOGETHER.get(tuple(there)) or f"{name(there[0])} only"
        rows.append(Row(label=label, cells=(count_cell(r["rows"]), percent_cell(r["share"]))))
    return Table(
        key="row-patterns",
        caption="Values that are there together",
        stub="Values at an occasion",
        columns=(Column(label="Rows"), Column(label="%")),
        groups=(RowGroup(rows=tuple(rows)),),
    )


def dyad_patterns_table(patterns: pl.DataFrame) -> Table:
    """How many dyads are complete, ended early, have gaps."""
    found = {(r["variable"], r["pattern"]): r for r in patterns.iter_rows(named=True)}
    variables = (*SERIES, "any")
    rows = [
        Row(
            label=label,
            cells=tuple(
                cell
                for v in variables
                for cell in (count_cell(found[v, pattern]["dyads"]), percent_cell(found[v, pattern]["share"]))
            ),
        )
        for pattern, label in _PATTERNS.items()
    ]
    return Table(
        key="dyad-patterns",
        caption="Dyads by pattern of missing values",
        stub="Pattern",
        columns=(Column(label="Dyads"), Column(label="%", rank=1)) * len(variables),
        spanners=tuple(Spanner(label=SHORT[v], columns=2) for v in variables),
        groups=(RowGroup(rows=tuple(rows)),),
        note=(
            "Occasions at which a variable was observed in no dyad do not count. Gap: no value at an occasion, but at "
            "a later one. Ended early: the last value is before the study's last occasion.",
        ),
    )


def dropout_table(dropout: pl.DataFrame) -> Table | None:
    """Odds ratios of being seen for the last time; none where there is no answer."""
    if not dropout["estimate"].count():
        return None
    rows = []
    for r in dropout.filter(pl.col("term") != "(Intercept)").iter_rows(named=True):
        d = decimals_for([r["std_error"]])
        unit = "per unit" if r["term"] == "time" else f"per {number(r['unit'], decimals_of_spread(r['unit']))} (1 SD)"
        rows.append(
            Row(
                label=f"{name(r['term'])}, {unit}",
                cells=(
                    Cell(value=r["odds_ratio"], decimals=d, strong=r["p_value"] < 0.05),
                    interval_cell(r["conf_low"], r["conf_high"], d),
                    Cell(value=r["statistic"]),
                    Cell(value=r["p_value"], kind="p"),
                ),
            )
        )
    first = dropout.row(0, named=True)
    note: tuple[Part, ...] = (
        f"Logistic regression over the {first['n_rows']:,} occasions at which one of {first['n_dyads']:,} dyads was "
        f"seen and could have come back; {first['n_events']:,} were not seen again, for whatever reason. An odds "
        "ratio above 1: the higher, the likelier it is that this was the last time. All predictors are in one model, "
        "each with its latest value up to that occasion; occasions before which one of them was never observed are "
        "left out. ",
        "If nothing here differs from 1, loss does not visibly go with what was observed. If something does, "
        "models that use all available values (as dyadline's outcome models do) allow for it. Whether loss went with "
        "values that nobody saw cannot be known from data.",
    )
    return Table(
        key="dropout",
        caption="Does loss go with earlier scores?",
        stub="Predictor",
        columns=(
            Column(label="Odds ratio"),
            Column(label="95% CI", rank=1),
            Column(label="z", symbol=True, rank=1),
            Column(label="p", symbol=True),
        ),
        groups=(RowGroup(rows=tuple(rows)),),
        note=note,
    )
