"""Questions to a grid of designs, with a sentence, a table and a figure each; only those that the grid allows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import polars as pl

from dyadline.report.document import Block, Cell, Column, Heading, Paragraph, Part, Row, RowGroup, Spanner, Table
from dyadline.report.figures.axes import short
from dyadline.report.numbers import number
from dyadline.report.power import figures
from dyadline.report.power.curves import TITLES, along_blocks, ends_and_goal, least_power, most_power
from dyadline.report.power.figures import POWER, TYPE_I, Panel
from dyadline.report.power.grid import Grid
from dyadline.report.power.names import SCORE, value_text
from dyadline.report.power.sentences import rate_parts
from dyadline.report.power.slices import Record, Slice, make_slice
from dyadline.report.power.tables import SMALL_RATE, rate_cell, rate_cells
from dyadline.words import listed


def question_blocks(grid: Grid) -> Iterator[Block]:
    """What the grid can answer, each question under its heading."""
    varying = grid.varying
    words = grid.held_words()
    if len(varying) > 1:
        nearest = f"{number(100.0 * grid.goal, 0)}%"
        said = f"What a question is not about stays the same, here at {words}, where power is nearest to {nearest}."
        yield Paragraph(parts=(said,))
    if "dyads" in varying:
        yield from along_blocks(grid, "dyads")
    if "dyads" in varying and "sessions" in varying:
        yield from _dyads_or_sessions(grid)
    elif "sessions" in varying:
        yield from along_blocks(grid, "sessions")
    if "drop_out" in varying:
        yield from along_blocks(grid, "drop_out")
    if "per_therapist" in varying:
        yield from _therapists(grid)
    if "effect" in varying and not {"dyads", "sessions"} & set(varying):
        yield from along_blocks(grid, "effect")
    if grid.several_scores:
        yield from _scores(grid)


def _dyads_or_sessions(grid: Grid) -> Iterator[Block]:
    cut = make_slice(grid, "dyads", among=("sessions", "effect"))
    sessions = grid.values("sessions")
    yield Heading(title="More dyads or more sessions?")
    panels, groups = [], []
    for value in cut.panels:
        rows = [r for s in sessions for r in cut.rows(s, value)]
        found = {(r["dyads"], r["sessions"]): r for r in rows}
        groups.append(RowGroup(label=cut.panel_title(value), rows=tuple(_matrix(grid, found, sessions))))
        points = [
            {"dyads": r["dyads"], "sessions": r["sessions"]}
            | {"y": short(r["power"]), "low": short(r["power_low"]), "high": short(r["power_high"])}
            for r in rows
            if r["power"] is not None
        ]
        if points:
            panels.append(Panel(title=cut.panel_title(value), values=points))
    yield Paragraph(parts=(*_ratings_alike(grid, cut, sessions), cut.held()))
    yield Table(
        key="dyads-by-sessions",
        caption=f"Power by dyads and sessions ({grid.test})",
        stub="Dyads",
        columns=tuple(Column(label=grid.words("sessions", s)) for s in sessions),
        groups=tuple(groups),
        note=("In bold: at least ", Cell(value=grid.goal, kind="proportion"), " before rounding."),
        wide=len(sessions) > 8,
    )
    if panels:
        low, high = least_power(panels), most_power(panels)
        yield figures.heat_map(
            panels,
            goal=grid.goal,
            caption=f"Power of the test of {grid.test} by dyads and sessions. The deeper the colour, the more power; "
            f"framed: at least the power that is wanted.{cut.held()}",
            alt=f"Heat map of power by number of dyads and of sessions, from {low} to {high}; the table above has the "
            "numbers.",
        )


def _matrix(grid: Grid, found: dict[tuple[int, int], Record], sessions: Sequence[int]) -> Iterator[Row]:
    for dyads in grid.values("dyads"):
        of_row = [found.get((dyads, s)) for s in sessions]
        cells = tuple(None if r is None else rate_cells(r, "power", goal=grid.goal)[0] for r in of_row)
        yield Row(label=value_text("dyads", dyads), cells=cells)


def _ratings_alike(grid: Grid, cut: Slice, sessions: Sequence[int]) -> Iterator[Part]:
    """Where power is enough, session by session, and that the same number of forms buys different power."""
    value = cut.panels[0]
    yield "Fewest dyads among those that were tried with a power of at least "
    yield Cell(value=100.0 * grid.goal, decimals=0)
    yield f"%{f' ({cut.panel_title(value)})' if cut.panel else ''}: "
    said = []
    for s in sessions:
        enough = [r["dyads"] for r in cut.rows(s, value) if r["power"] is not None and r["power"] >= grid.goal]
        least = value_text("dyads", min(enough)) if enough else "none"
        said.append(f"{least} with {grid.words('sessions', s)}")
    yield f"{listed(said)}. More sessions help as far as they make the score and each dyad's slope of the outcome "
    yield "more certain; beyond that only more dyads help."


def _therapists(grid: Grid) -> Iterator[Block]:
    cut = make_slice(grid, "per_therapist", panels=False)
    names, asked = cut.line_names(), cut.frame["type_i"].count() > 0
    yield Heading(title=TITLES["per_therapist"])
    yield Paragraph(parts=(*ends_and_goal(cut), *_false_alarms(cut, asked), cut.held()))
    found = [{r["per_therapist"]: r for r in cut.rows(line, None)} for line in cut.lines]
    values = grid.values("per_therapist")
    each = (("power", 2), ("type_i", SMALL_RATE)) if asked else (("power", 2),)

    def cells(value: Any) -> Iterator[Cell | None]:
        for own in found:
            for name, decimals in each:
                goal = grid.goal if name == "power" else None
                yield from rate_cells(own[value], name, decimals, goal=goal) if value in own else (None, None)

    heads = [Column(label=POWER), Column(label="95% MC interval", rank=1)]
    heads += [Column(label="Type I"), Column(label="95% MC interval", rank=1)] if asked else []
    rows = tuple(Row(label=value_text("per_therapist", v), cells=tuple(cells(v))) for v in values)
    yield Table(
        key="by-per-therapist",
        caption=f"Power and type I error by patients per therapist ({grid.test})"
        if asked
        else f"Power by patients per therapist ({grid.test})",
        stub="Per therapist",
        columns=tuple(heads) * len(cut.lines),
        spanners=tuple(Spanner(label=n, columns=len(heads)) for n in names) if len(names) > 1 else (),
        groups=(RowGroup(rows=rows),),
        note=("In bold: at least ", Cell(value=grid.goal, kind="proportion"), " before rounding."),
        wide=len(cut.lines) > 1,
    )
    panels = []
    for name, title in (("power", POWER), ("type_i", TYPE_I)):
        points = [
            {"x": figures.place_of(value), "line": line}
            | {k: short(own[value][f"{name}{end}"]) for k, end in (("y", ""), ("low", "_low"), ("high", "_high"))}
            for own, line in zip(found, names, strict=True)
            for value in values
            if value in own and own[value][name] is not None and own[value][f"{name}_low"] is not None
        ]
        panels += [Panel(title=title, values=points)] if points else []
    if panels:
        yield figures.therapist_points(
            panels,
            lines=names,
            order=[figures.place_of(v) for v in values],
            goal=grid.goal,
            alpha=grid.result.alpha,
            caption=f"Power{' and type I error' * asked} of the test of {grid.test} by patients per therapist, with "
            f"95% Monte-Carlo intervals. Dashed: the power that is wanted{' and the level of the test' * asked}."
            f"{cut.held()}",
            alt="Points with intervals by patients per therapist; the table above has the numbers.",
        )


def _false_alarms(cut: Slice, asked: bool) -> Iterator[Part]:
    if not asked:
        return
    worst = cut.frame.filter(pl.col("type_i").is_not_null()).sort("type_i", descending=True).row(0, named=True)
    yield "Type I error is highest with "
    yield f"{cut.grid.words('per_therapist', worst['per_therapist'])}: "
    yield from rate_parts(worst, "type_i", 1)
    alpha = cut.grid.result.alpha
    too_many = worst["type_i_low"] is not None and worst["type_i_low"] > alpha
    why = ", as where therapists differ and the model leaves them out" if cut.grid.result.levels == 2 else ""
    yield (
        f", more than the level of the test{why}: it finds effects that are none, and its power there is no reason to "
        "choose the design. "
        if too_many
        else ", not beyond Monte-Carlo error of the level of the test. "
    )


def _scores(grid: Grid) -> Iterator[Block]:
    frame = grid.held(grid.main(), SCORE).join(
        grid.result.scores.select("design", SCORE, "reliability", "validity"),
        on=["design", SCORE],
        how="left",
        maintain_order="left",
    )
    frame = frame.sort("power", descending=True, nulls_last=True, maintain_order=True)
    rows = list(frame.iter_rows(named=True))
    words = grid.held_words(SCORE)
    held = f" With {words}." if words else ""
    yield Heading(title="Which operationalisation sees the effect best?")
    yield Paragraph(parts=(*_best_score(grid, rows), held))
    cut = [grid.short[r[SCORE]] for r in rows]
    yield Table(
        key="by-score",
        caption=f"Power by operationalisation ({grid.test})",
        stub="Score",
        columns=(
            Column(label=POWER),
            Column(label="95% MC interval"),
            Column(label="No error", rank=1),
            Column(label="Reliability"),
            Column(label="Validity", rank=1),
        ),
        groups=(
            RowGroup(
                rows=tuple(
                    Row(
                        label=name,
                        cells=(
                            *rate_cells(r, "power", goal=grid.goal),
                            *(rate_cell(r[key]) for key in ("power_error_free", "reliability", "validity")),
                        ),
                    )
                    for name, r in zip(cut, rows, strict=True)
                )
            ),
        ),
        note=(
            "No error: power in the same studies, were the score free of error. Reliability: squared correlation of "
            "the score with the same score of the true curves. Validity: correlation with true convergence as the "
            "parameters define it. A score can be reliable and yet measure something else than what drives the "
            "outcome.",
        ),
    )
    values = [
        {"score": name, "kind": "As scored", "y": short(r["power"])}
        | {"low": short(r["power_low"]), "high": short(r["power_high"])}
        for name, r in zip(cut, rows, strict=True)
        if r["power"] is not None
    ]
    values += [
        {"score": name, "kind": "Without error", "y": short(r["power_error_free"]), "low": None, "high": None}
        for name, r in zip(cut, rows, strict=True)
        if r["power_error_free"] is not None
    ]
    if values:
        yield figures.score_points(
            values,
            order=cut,
            goal=grid.goal,
            caption=f"Power of the test of {grid.test} by operationalisation, with 95% Monte-Carlo intervals, and what "
            f"it would be if scores had no error. Dashed: the power that is wanted.{held}",
            alt="Points with intervals, one row per operationalisation, the best on top; the table above has the "
            "numbers.",
        )


def _best_score(grid: Grid, rows: list[Record]) -> Iterator[Part]:
    known = [r for r in rows if r["power"] is not None]
    if len(known) < 2:
        yield "Fewer than two scores have an answer."
        return
    best, last = known[0], known[-1]
    near = [grid.short[r[SCORE]] for r in known[1:] if r["power_high"] >= best["power_low"]]
    yield "With these parameters power is highest with the score "
    yield Cell(value=grid.short[best[SCORE]], kind="text")
    yield ", "
    yield from rate_parts(best, "power")
    yield ", and lowest with "
    yield Cell(value=grid.short[last[SCORE]], kind="text")
    yield ", "
    yield from rate_parts(last, "power")
    yield f". Within Monte-Carlo error of the best: {listed(near)}." if near else "."
    yield " If convergence works in another way than the parameters say, the order may be another."
