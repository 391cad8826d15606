"""Power along one thing in which designs differ: a sentence, a table and curves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dyadline.report.document import (
    Block,
    Cell,
    Column,
    Figure,
    Heading,
    Paragraph,
    Part,
    Row,
    RowGroup,
    Spanner,
    Table,
)
from dyadline.report.numbers import number
from dyadline.report.power import figures
from dyadline.report.power.figures import Panel
from dyadline.report.power.grid import Grid
from dyadline.report.power.names import DIMENSIONS, value_text
from dyadline.report.power.sentences import rate_parts
from dyadline.report.power.slices import Slice, make_slice
from dyadline.report.power.tables import rate_cells
from dyadline.words import listed

TITLES = {
    "dyads": "How many dyads?",
    "sessions": "How many sessions?",
    "drop_out": "What if more dyads drop out?",
    "per_therapist": "How many patients for each therapist?",
    "effect": "How large an effect can be found?",
}


def along_blocks(grid: Grid, x: str) -> Iterator[Block]:
    """Power along `x`."""
    cut = make_slice(grid, x)
    yield Heading(title=TITLES[x])
    yield Paragraph(parts=(*ends_and_goal(cut), cut.held()))
    yield along_table(cut)
    drawn = along_figure(cut)
    if drawn is not None:
        yield drawn


def along_table(cut: Slice) -> Table:
    """Power with interval, a row per value of what is asked about, two columns per line."""
    groups = []
    for panel in cut.panels:
        found = [{r[cut.x]: r for r in cut.rows(line, panel)} for line in cut.lines]
        there = [v for v in cut.grid.values(cut.x) if any(v in own for own in found)]
        rows = tuple(
            Row(
                label=value_text(cut.x, value),
                cells=tuple(
                    cell
                    for own in found
                    for cell in (rate_cells(own[value], "power", goal=cut.grid.goal) if value in own else (None, None))
                ),
            )
            for value in there
        )
        groups.append(RowGroup(label=cut.panel_title(panel), rows=rows))
    several = len(cut.lines) > 1
    return Table(
        key=f"by-{cut.x.replace('_', '-')}",
        caption=f"Power by {_by(cut.x)} ({cut.grid.test})",
        stub=DIMENSIONS[cut.x].label,
        columns=(Column(label="Power"), Column(label="95% MC interval", rank=1)) * len(cut.lines),
        spanners=tuple(Spanner(label=name, columns=2) for name in cut.line_names()) if several else (),
        groups=tuple(groups),
        note=("In bold: at least ", Cell(value=cut.grid.goal, kind="proportion"), " before rounding."),
        wide=len(cut.lines) > 3,
    )


def _by(x: str) -> str:
    axis = DIMENSIONS[x].axis
    return f"{axis[0].lower()}{axis[1:]}".removesuffix(", %")


def along_figure(cut: Slice) -> Figure | None:
    """The same as curves with bands; none where there are fewer than two points."""
    names = cut.line_names()
    panels = []
    for value in cut.panels:
        points = [
            point
            for line, name in zip(cut.lines, names, strict=True)
            for point in figures.known_points(cut.rows(line, value), cut.x, "power", name)
        ]
        if points:
            panels.append(Panel(title=cut.panel_title(value), values=points))
    if len({point["x"] for panel in panels for point in panel.values}) < 2:
        return None
    ends = f"Power from {least_power(panels)} to {most_power(panels)}"
    lines = f", one line for each of {listed(names)}" if len(names) > 1 else ""
    return figures.power_curves(
        panels,
        cut.x,
        lines=names,
        goal=cut.grid.goal,
        key=f"power-by-{cut.x.replace('_', '-')}",
        caption=f"Power of the test of {cut.grid.test} by {_by(cut.x)}. Bands: 95% Monte-Carlo intervals. Dashed: the "
        f"power that is wanted.{cut.held()}",
        alt=f"Line chart of power over {_by(cut.x)}{lines}. {ends}; the table above has the numbers.",
    )


def least_power(panels: Sequence[Panel]) -> str:
    """The smallest power that is drawn, in words."""
    return value_text("effect", min(v["y"] for panel in panels for v in panel.values))


def most_power(panels: Sequence[Panel]) -> str:
    """The largest."""
    return value_text("effect", max(v["y"] for panel in panels for v in panel.values))


def ends_and_goal(cut: Slice) -> Iterator[Part]:
    """Power at both ends, and from where on it is enough: line by line, of the first panel."""
    title = cut.panel_title(cut.panels[0])
    yield f"{title[0].upper()}{title[1:]}. " if title else ""
    for line, name in zip(cut.lines, cut.line_names(), strict=True):
        rows = [r for r in cut.rows(line, cut.panels[0]) if r["power"] is not None]
        yield f"With {name}, power" if name else "Power"
        if len(rows) < 2:
            yield " is not known for two of them. "
            continue
        yield " goes from "
        yield from rate_parts(rows[0], "power")
        yield f" ({cut.grid.words(cut.x, rows[0][cut.x])}) to "
        yield from rate_parts(rows[-1], "power")
        yield f" ({cut.grid.words(cut.x, rows[-1][cut.x])})"
        if cut.x in ("dyads", "sessions"):
            enough = [r[cut.x] for r in rows if r["power"] >= cut.grid.goal]
            yield (
                f"; the first that reaches {_goal(cut)} is {cut.grid.words(cut.x, min(enough))}"
                if enough
                else (f"; none that was tried reaches {_goal(cut)}")
            )
        yield ". "


def _goal(cut: Slice) -> str:
    return f"{number(100.0 * cut.grid.goal, 0)}%"
