"""Tables of the study: what was asked, who was observed, ratings by occasion, scores."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from dyadline.plan.scores import Operationalisation
from dyadline.report.document import Cell, Column, Kind, Row, RowGroup, Spanner, Symbol, Table
from dyadline.report.figures.aggregates import LEAST
from dyadline.report.labels import name
from dyadline.report.numbers import decimals_of_spread, occasion

SERIES = ("patient_rating", "therapist_rating", "outcome")

SCORES = (
    "convergence_raw",
    "convergence",
    "early_patient",
    "early_therapist",
    "early_discrepancy",
    "development",
    "baseline",
)

TITLES = {
    "growth": "Growth curves",
    "discrepancy": "Discrepancy",
    "slope": "Slope",
    "unit": "Unit",
    "transform": "Transform",
    "early_level": "Early alliance",
    "early_discrepancy": "Early discrepancy",
    "rating_window": "Window, alliance",
    "outcome_window": "Window, outcome",
}


def choices_table(asked: Operationalisation, others: Mapping[str, tuple[str, str]]) -> Table:
    """Every choice with its name in the plan and its meaning.

    Parameters
    ----------
    asked
        The operationalisation.
    others
        Choices outside it: title -> (value, meaning).
    """
    scores = tuple(
        Row(label=TITLES.get(c.key, c.key), cells=(_word(c.value), _word(f"{c.words[:1].upper()}{c.words[1:]}")))
        for c in asked.choices
    )
    rest = tuple(Row(label=title, cells=(_word(value), _word(words))) for title, (value, words) in others.items())
    return Table(
        key="choices",
        caption="Every choice of the analysis",
        stub="Choice",
        columns=(Column(label="Value", align="text"), Column(label="Meaning", align="text")),
        groups=(RowGroup(label="Scores", rows=scores), RowGroup(label="Time, predictors and models", rows=rest)),
        note=("Cite the scores as: ", asked.name, "."),
    )


def _word(text: str) -> Cell:
    return Cell(value=text, kind="text")


def sizes_table(counts: Mapping[str, tuple[int | None, int | None]]) -> Table:
    """From the file to the models: label -> (rows, dyads)."""
    rows = tuple(
        Row(label=label, cells=tuple(None if n is None else Cell(value=n, kind="count") for n in pair))
        for label, pair in counts.items()
    )
    return Table(
        key="sizes",
        caption="From the data file to the models",
        stub="Step",
        columns=(Column(label="Rows"), Column(label="Dyads")),
        groups=(RowGroup(rows=rows),),
    )


def flow_table(flow: pl.DataFrame, *, time: str) -> Table:
    """Who was observed at each occasion, and after which one dyads were not seen again."""
    columns = ("dyads", *SERIES, "last_seen")
    rows = tuple(
        Row(label=occasion(r["time"]), cells=tuple(Cell(value=r[c], kind="count") for c in columns))
        for r in flow.iter_rows(named=True)
    )
    labels = ("Dyads", "Patient's rating", "Therapist's rating", "Outcome", "Last seen")
    return Table(
        key="flow",
        caption="Observations by occasion",
        stub=time,
        columns=tuple(Column(label=label) for label in labels),
        groups=(RowGroup(rows=rows),),
        note=(
            "Dyads: with any row at the occasion. Last seen: dyads whose last value of any kind is at this "
            "occasion; in the last line they are those who stayed to the end.",
        ),
    )


FEW = f"With fewer than {LEAST} dyads only their number is shown, so that no dyad's values are given away."


def descriptives_table(
    descriptives: pl.DataFrame, *, time: str, names: Mapping[str, str], individual: bool = False
) -> Table:
    """Both raters and the outcome side by side, by occasion (the paper's supplements S1 and S2).

    Parameters
    ----------
    descriptives
        ``variable, time, n, mean, sd, min, max``.
    time
        What an occasion is called in the data.
    names
        Role -> column name in the data.
    individual
        Whether values of fewer than five dyads are shown; otherwise a dash is in their place.
    """
    found = {(r["variable"], r["time"]): r for r in descriptives.iter_rows(named=True)}
    present = [v for v in SERIES if v in set(descriptives["variable"])]
    decimals = {v: decimals_of_spread(*(r["sd"] for r in found.values() if r["variable"] == v)) for v in present}
    below_zero = {r["variable"] for r in found.values() if r["n"] and r["min"] < 0}
    rows, few = [], False
    for moment in descriptives["time"].unique().sort():
        cells: list[Cell | None] = []
        for variable in present:
            r = found.get((variable, moment))
            if r is None or not r["n"]:
                cells += [None] * 4
                continue
            d = decimals[variable]
            cells.append(Cell(value=r["n"], kind="count"))
            if r["n"] < LEAST and not individual:
                cells += [Cell(value=None)] * 3
                few = True
                continue
            cells += [Cell(value=r["mean"], decimals=d), Cell(value=r["sd"], decimals=d)]
            kind: Kind = "extent" if variable in below_zero else "range"
            cells.append(Cell(value=(r["min"], r["max"]), kind=kind, decimals=d))
        rows.append(Row(label=occasion(moment), cells=tuple(cells)))
    columns = (
        Column(label="n", symbol=True),
        Column(label="M", symbol=True),
        Column(label="SD", symbol=True),
        Column(label="Range", rank=1),
    )
    return Table(
        key="descriptives",
        caption="Ratings and outcome by occasion",
        stub=time,
        columns=columns * len(present),
        spanners=tuple(Spanner(label=name(v), words=names.get(v, ""), columns=4) for v in present),
        groups=(RowGroup(rows=tuple(rows)),),
        note=(FEW,) if few else (),
    )


def agreement_table(agreement: pl.DataFrame, *, time: str, individual: bool = False) -> Table:
    """How far the two raters are apart at each occasion, and how their ratings correlate; as `descriptives_table`."""
    few = not individual and bool((agreement["n"] < LEAST).any())
    d = decimals_of_spread(*agreement["sd_difference"])
    keys = ("mean_difference", "sd_difference", "mean_absolute_difference")
    rows = tuple(
        Row(
            label=occasion(r["time"]),
            cells=(
                Cell(value=r["n"], kind="count"),
                *(Cell(value=None if hidden else r[key], decimals=d) for key in keys),
                Cell(value=None if hidden else r["correlation"], kind="proportion"),
            ),
        )
        for r in agreement.iter_rows(named=True)
        for hidden in (r["n"] < LEAST and not individual,)
    )
    return Table(
        key="agreement",
        caption="Patient and therapist at the same occasion",
        stub=time,
        columns=(
            Column(label="Pairs"),
            Column(label="Mean difference"),
            Column(label="SD", symbol=True),
            Column(label="Mean absolute difference"),
            Column(label="r", symbol=True),
        ),
        groups=(RowGroup(rows=rows),),
        note=("Raw ratings, patient minus therapist; ", Symbol("SD"), f" of the difference.{f' {FEW}' if few else ''}"),
    )


def normality_table(normality: pl.DataFrame, *, transformed: bool) -> Table:
    """The convergence score before and after its transform."""
    if not transformed:
        normality = normality.head(1)
    rows = tuple(
        Row(
            label={"before": "Before the transform", "after": "After the transform"}.get(r["stage"], r["stage"]),
            cells=(
                Cell(value=r["n"], kind="count"),
                Cell(value=r["mean"], decimals=decimals_of_spread(r["sd"])),
                Cell(value=r["sd"], decimals=decimals_of_spread(r["sd"])),
                Cell(value=r["skewness"]),
                Cell(value=r["shapiro_w"], kind="proportion", decimals=3),
                Cell(value=r["shapiro_p"], kind="p"),
            ),
        )
        for r in normality.iter_rows(named=True)
    )
    symbols = (("n", True), ("M", True), ("SD", True), ("Skewness", False), ("W", True), ("p", True))
    return Table(
        key="normality",
        caption="Distribution of the convergence score",
        stub="Score",
        columns=tuple(Column(label=label, symbol=symbol) for label, symbol in symbols),
        groups=(RowGroup(rows=rows),),
        note=(Symbol("W"), ", ", Symbol("p"), ": Shapiro–Wilk test of a normal distribution."),
    )


def scores_table(scores: pl.DataFrame, reliability: pl.DataFrame) -> Table:
    """Mean, spread, reliability and correlations of the scores.

    Parameters
    ----------
    scores
        One row per dyad.
    reliability
        ``score, reliability``.
    """
    present = [s for s in SCORES if s in scores.columns and scores[s].drop_nulls().drop_nans().len() > 1]
    known = dict(zip(reliability["score"], reliability["reliability"], strict=True)) if len(reliability) else {}
    if scores["convergence_raw"].equals(scores["convergence"]):
        present.remove("convergence_raw")
    correlated = [s for s in present if s != "convergence_raw"]
    rows = []
    for score in present:
        x = scores[score].drop_nulls().drop_nans()
        d = decimals_of_spread(x.std())  # type: ignore[arg-type]
        # The simulated reliability is that of the slope, before the transform.
        reliable = known.get(score) if score != "convergence_raw" else None
        place = correlated.index(score) if score in correlated else -1
        cells = [
            Cell(value=x.len(), kind="count"),
            Cell(value=x.mean(), decimals=d),  # type: ignore[arg-type]
            Cell(value=x.std(), decimals=d),  # type: ignore[arg-type]
            Cell(value=(x.min(), x.max()), kind="extent", decimals=d),  # type: ignore[arg-type]
            None if reliable is None else Cell(value=reliable, kind="proportion"),
        ]
        pairs = [
            Cell(value=_correlation(scores, score, other), kind="proportion") if number < place else None
            for number, other in enumerate(correlated[:-1])
        ]
        number = f"{place + 1}. " if place >= 0 else ""
        rows.append(Row(label=f"{number}{name(score)}", cells=(*cells, *pairs)))
    fixed = (("n", True), ("M", True), ("SD", True), ("Range", False), ("Reliability", False))
    return Table(
        key="scores",
        caption="Scores of the dyads, and their correlations",
        stub="Score",
        columns=(
            *(Column(label=label, symbol=symbol) for label, symbol in fixed),
            *(Column(label=str(number + 1), rank=1) for number in range(len(correlated) - 1)),
        ),
        groups=(RowGroup(rows=tuple(rows)),),
        note=(
            "Before grand-mean centring. Correlations (",
            Symbol("r"),
            ") over the dyads that have both scores. Reliability: share of the variance of the estimated scores that "
            "is variance of the true ones (squared correlation in data simulated from the fitted growth models); it is "
            "that of the convergence score before its transform. An unreliable predictor has its effect drawn "
            "towards zero.",
        ),
    )


def _correlation(scores: pl.DataFrame, one: str, other: str) -> float | None:
    both = scores.select(one, other).drop_nulls()
    value = both.select(pl.corr(one, other)).item() if len(both) > 2 else None
    return float(value) if value is not None else None
