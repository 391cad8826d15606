"""Tables of a power study: one row per design and test."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from dyadline.report.cells import count_cell, percent_cell
from dyadline.report.document import Cell, Column, Part, Row, RowGroup, Spanner, Table
from dyadline.report.numbers import decimals_for
from dyadline.report.power.grid import Grid
from dyadline.report.power.names import DIMENSIONS, SCORE, label_of_test, value_cell, value_text, value_words

Record = dict[str, Any]

MOST_LINES = 40
"""Rows that a reader bears."""

WIDE = 8
"""Columns, the first included, beyond which a page is turned sideways."""

RATE, SMALL_RATE = 2, 3
"""Decimals of power, and of rates near .05 or .95."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """Rows that have room in a table.

    Attributes
    ----------
    frame
        The rows.
    left_out
        What else there is, as the end of a sentence; empty if nothing.
    """

    frame: pl.DataFrame
    left_out: str


def shown(grid: Grid, frame: pl.DataFrame, *, most: int = MOST_LINES, designs_first: bool = False) -> Shown:
    """All tests of all designs if they have room, else fewer.

    Parameters
    ----------
    grid, frame
        Of the whole, and rows with a score, a model and a term.
    most
        Rows that have room.
    designs_first
        Whether all designs of the main test matter more than all tests and scores of the reference.
    """
    main = frame.filter((pl.col("model") == grid.model) & (pl.col("term") == grid.term))
    of_one_score = main.filter(pl.col(SCORE) == grid.reference[SCORE])
    tried = [
        (frame, ""),
        (main, "The other tests are"),
        (of_one_score, "The other scores and tests are"),
        (grid.held(frame, SCORE), "The other designs are"),
        (grid.held(main, SCORE), "The other designs and tests are"),
        (grid.held(main), "The other designs, scores and tests are"),
    ]
    if not designs_first:
        tried.insert(2, tried.pop(3))
    rows, left_out = next((one for one in tried if one[0].height <= most), tried[-1])
    return Shown(frame=rows, left_out=left_out)


def power_table(grid: Grid, part: Shown) -> Table:
    """Power of each test."""
    columns = (
        Column(label="Power"),
        Column(label="95% MC interval"),
        Column(label="Power, no error", rank=1),
        Column(label="Replicates", rank=2),
    )
    note = (
        "MC interval: Monte-Carlo interval (Wilson, 1927), how far the simulated share may be from the power that "
        "endless replicates would give. No error: power in the same studies, were scores free of error. In bold: "
        "at least ",
        Cell(value=grid.goal, kind="proportion"),
        " before rounding",
        _where_left(part),
    )
    return by_design(
        grid,
        part.frame,
        key="power",
        caption="Power of the tests",
        columns=columns,
        cells=lambda r: (
            *rate_cells(r, "power", goal=grid.goal),
            rate_cell(r["power_error_free"]),
            count_cell(r["replicates"]),
        ),
        note=note,
    )


def errors_table(grid: Grid, part: Shown) -> Table:
    """Type I error, bias and coverage of each test."""
    asked = part.frame["type_i"].count() > 0
    note: tuple[Part, ...] = (
        "Type I: share of rejections in the same design without the effect. Bias: mean estimate minus the mean "
        "estimate where scores are free of error, with its Monte-Carlo standard error. Coverage: share of 95% "
        "confidence intervals that hold the effect that scores free of error show. Brackets: 95% Monte-Carlo "
        "intervals",
        _where_left(part),
    )
    of_type_i = (Column(label="Rate"), Column(label="95% MC interval", rank=1)) if asked else ()

    def cells(r: Record) -> tuple[Cell | None, ...]:
        d = decimals_for([r["bias_error"]])
        return (
            *(rate_cells(r, "type_i", SMALL_RATE) if asked else ()),
            _estimate(r["bias"], d),
            _estimate(r["bias_error"], d),
            *rate_cells(r, "coverage", SMALL_RATE),
        )

    return by_design(
        grid,
        part.frame,
        key="errors",
        caption="Type I error, bias and coverage" if asked else "Bias and coverage",
        columns=(
            *of_type_i,
            Column(label="Bias"),
            Column(label="MC SE", rank=1),
            Column(label="Rate"),
            Column(label="95% MC interval", rank=1),
        ),
        spanners=(
            *([Spanner(label="Type I error", columns=2)] if asked else []),
            Spanner(label="Estimate", columns=2),
            Spanner(label="Coverage", columns=2),
        ),
        cells=cells,
        note=note,
    )


def attenuation_table(grid: Grid, part: Shown) -> Table:
    """Reliability of the scores, and what their error does to the estimate of the main test."""
    frame = part.frame.join(
        grid.result.scores.select("design", SCORE, "reliability", "validity", "without"),
        on=["design", SCORE],
        how="left",
        maintain_order="left",
    )

    def cells(r: Record) -> tuple[Cell | None, ...]:
        d = decimals_for([r["std_error"]])
        return (
            rate_cell(r["reliability"]),
            rate_cell(r["validity"]),
            percent_cell(r["without"]),
            _estimate(r["true_effect"], d),
            _estimate(r["estimate"], d),
            _estimate(r["std_error"], d),
            _estimate(r["sd_estimates"], d),
            *rate_cells(r, "attenuation"),
        )

    return by_design(
        grid,
        frame,
        key="attenuation",
        caption=f"Reliability of the scores, and the estimate that they leave ({grid.test})",
        columns=(
            Column(label="Reliability"),
            Column(label="Validity", rank=1),
            Column(label="No score, %", rank=2),
            Column(label="Expected"),
            Column(label="Found"),
            Column(label="SE", symbol=True, rank=1),
            Column(label="SD", symbol=True, rank=2),
            Column(label="Ratio"),
            Column(label="95% MC interval", rank=1),
        ),
        spanners=(
            Spanner(label="Score", columns=3),
            Spanner(label="Estimate", columns=4),
            Spanner(label="Attenuation", columns=2),
        ),
        cells=cells,
        tests=False,
        note=(
            "Reliability: squared correlation of the score with the same score of the true curves. Validity: "
            "correlation with true convergence as the parameters define it. No score: dyads that cannot be scored. "
            "Expected: mean estimate where scores are free of error. Found: mean estimate; SE and SD: mean standard "
            "error, and standard deviation of the estimates over replicates. Ratio: found over expected",
            _where_left(part),
        ),
    )


def needed_table(grid: Grid) -> Table | None:
    """Dyads needed for the power that is wanted; none where nothing was searched for."""
    if grid.result.needed.is_empty():
        return None
    part = shown(grid, grid.result.needed, designs_first=True)
    needed = part.frame
    varying = [k for k in DIMENSIONS if k in needed.columns and k != SCORE and needed[k].n_unique() > 1]
    several = needed[SCORE].n_unique() > 1
    groups: dict[tuple[str, str], list[Row]] = {}
    for r in needed.iter_rows(named=True):
        test, score = label_of_test(r["model"], r["term"]), grid.short.get(r[SCORE], r[SCORE])
        cells = (
            *(value_cell(key, r[key]) for key in varying[1:]),
            Cell(value=r["goal"], kind="proportion"),
            needed_cell(r),
            Cell(value=(r["n_low"], r["n_high"]), kind="interval", decimals=0),
            count_cell(r["replicates"]),
            Cell(value=STATUS.get(r["status"], r["status"]), kind="text"),
        )
        if varying:
            group, label = (test, f"score {score}" if several else ""), value_text(varying[0], r[varying[0]])
        else:
            group, label = ((test, ""), score) if several else (("", ""), test)
        groups.setdefault(group, []).append(Row(label=label, cells=cells))
    return Table(
        key="needed",
        caption="Dyads needed",
        stub=DIMENSIONS[varying[0]].label if varying else "Score" if several else "Test",
        columns=(
            *(column_of(key) for key in varying[1:]),
            Column(label="Power"),
            Column(label="Dyads"),
            Column(label="95% MC interval"),
            Column(label="Replicates", rank=2),
            Column(label="Search", align="text", rank=1),
        ),
        groups=_by_test(groups),
        note=(
            "The number of dyads was searched for with replicates at numbers near the answer, until it was precise "
            "enough. Interval: Monte-Carlo error of the search alone, not doubt about the parameters",
            _where_left(part),
        ),
    )


STATUS = {
    "found": "found",
    "imprecise": "stopped before it was precise",
    "below": "fewer were not tried",
    "above": "more were not tried",
}
"""How a search ended, in print."""


def needed_cell(r: Record) -> Cell:
    """A number of dyads; with ≤ or > where it is only the end of the range that was searched."""
    if r["n"] is None or r["status"] not in ("below", "above"):
        return Cell(value=r["n"], kind="count")
    sign = "≤" if r["status"] == "below" else ">"
    return Cell(value=f"{sign}\u00a0{value_text('dyads', r['n'])}", kind="text")


def rate_cell(value: float | None, decimals: int = RATE) -> Cell | None:
    """A share or correlation."""
    return None if value is None else Cell(value=value, kind="proportion", decimals=decimals)


def rate_cells(r: Record, name: str, decimals: int = RATE, *, goal: float | None = None) -> tuple[Cell | None, ...]:
    """A share and its interval, in bold from the goal on; a dash where there is no answer."""
    value, low, high = r[name], r[f"{name}_low"], r[f"{name}_high"]
    if value is None:
        return Cell(value=None, kind="proportion"), None
    strong = goal is not None and value >= goal
    bounds = None if low is None or high is None else Cell(value=(low, high), kind="bounds", decimals=decimals)
    return Cell(value=value, kind="proportion", decimals=decimals, strong=strong), bounds


def by_design(
    grid: Grid,
    frame: pl.DataFrame,
    *,
    key: str,
    caption: str,
    columns: Sequence[Column],
    cells: Callable[[Record], tuple[Cell | None, ...]],
    note: tuple[Part, ...],
    spanners: Sequence[Spanner] = (),
    tests: bool = True,
    terms: bool = True,
    held: Sequence[str] = (),
) -> Table:
    """A table with a row per design, score and test, in groups by what does not stand in the row's label.

    Parameters
    ----------
    grid, frame
        What varies, and the rows.
    key, caption, columns, cells, note, spanners
        Of the table; columns and cells without the design's own.
    tests, terms
        Whether rows differ in model and term, and whether a test is named with its term.
    held
        What the caption names of the design, before what varies in the whole but not in these rows.
    """
    told = tuple(name for name in grid.designed if frame[name].n_unique() > 1)
    several = frame[SCORE].n_unique() > 1
    groups: dict[tuple[str, str], list[Row]] = {}
    for r in frame.iter_rows(named=True):
        model = label_of_test(r["model"], r["term"])
        test = "" if not tests else model if terms else model.split(": ", 1)[0]
        test, score, label = _place(grid, r, told, test=test, several=several)
        own = [value_cell(name, r[name]) for name in told[1:]]
        groups.setdefault((test, score), []).append(Row(label=label, cells=(*own, *cells(r))))
    over = [Spanner(label="Design", columns=len(told) - 1)] if spanners and len(told) > 1 else []
    return Table(
        key=key,
        caption=": ".join(filter(None, (caption, ", ".join((*held, *_held(grid, frame, told, several=several)))))),
        stub=DIMENSIONS[told[0]].label if told else "Score" if several or not tests else "Test" if terms else "Model",
        columns=(*(column_of(name) for name in told[1:]), *columns),
        spanners=(*over, *spanners),
        groups=_by_test(groups),
        note=note,
        wide=len(told) + len(columns) > WIDE,
    )


def _by_test(groups: dict[tuple[str, str], list[Row]]) -> tuple[RowGroup, ...]:
    """Groups of one test behind each other, whatever the order of designs and scores."""
    order = list(dict.fromkeys(test for test, _ in groups))
    ordered = sorted(groups, key=lambda group: order.index(group[0]))
    return tuple(RowGroup(label=", ".join(filter(None, one)), rows=tuple(groups[one])) for one in ordered)


def column_of(key: str) -> Column:
    """The column of something in which designs differ."""
    return Column(label=DIMENSIONS[key].label)


def _held(grid: Grid, frame: pl.DataFrame, told: Sequence[str], *, several: bool) -> list[str]:
    """What varies in the whole but not in these rows."""
    if frame.is_empty():
        return []
    r = frame.row(0, named=True)
    said = [value_words(key, r[key]) for key in grid.designed if key not in told]
    return said + ([f"score {grid.short[r[SCORE]]}"] if grid.several_scores and not several else [])


def _place(grid: Grid, r: Record, told: Sequence[str], *, test: str, several: bool) -> tuple[str, str, str]:
    """Test and score that head the group, and label of the row."""
    score = grid.short[r[SCORE]]
    if told:
        over = f"score {score}" if several else ""
        return test, over if test else over.capitalize(), value_text(told[0], r[told[0]])
    return (test, "", score) if several or not test else ("", "", test)


def _estimate(value: float | None, decimals: int) -> Cell | None:
    return None if value is None else Cell(value=value, kind="estimate", decimals=decimals)


def _where_left(part: Shown) -> str:
    return f". {part.left_out} in the CSV files." if part.left_out else "."
