"""The main table of a power study for a terminal."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING

import polars as pl

from dyadline.report.document import Column
from dyadline.report.numbers import proportion
from dyadline.report.power.failures import fits_and_failures
from dyadline.report.power.grid import Grid, make_grid
from dyadline.report.power.tables import SMALL_RATE, by_design, needed_table, rate_cells, shown
from dyadline.report.writers.text import render_text
from dyadline.studies.power.result import PowerResult
from dyadline.words import counted

if TYPE_CHECKING:
    from rich.text import Text

FEW = 8
"""Rows among which the tests of the question are seen at once."""


def power_table(result: PowerResult, *, width: int = 100) -> Text:
    """Power and type I error by design and test, dyads needed, and what failed.

    Parameters
    ----------
    result
        What a power study found.
    width
        Columns of the terminal.
    """
    from rich.text import Text

    text = Text(no_wrap=True, overflow="ignore")
    if result.tests.is_empty():
        return text.append(f"Nothing was finished; {counted(len(result.failures), 'replicate')} failed.\n")
    grid = make_grid(result)
    tests, of_slope = result.tests, result.tests.filter(pl.col("term") == grid.term)
    # Of many designs the tests that have nothing to find would hide those that have.
    few = tests.height > FEW and of_slope.height < tests.height
    part = shown(grid, of_slope if few else tests, designs_first=True)
    asked = part.frame["type_i"].count() > 0
    studies = counted(result.replicates, "simulated study", "simulated studies")
    studies += " each" * bool(grid.designed)
    columns = [Column(label="Power"), Column(label="95% MC int.")]
    columns += [Column(label="Type I", rank=1), Column(label="95% MC int.", rank=2)] if asked else []
    table = by_design(
        grid,
        part.frame,
        key="power",
        caption=f"Power (α = {proportion(result.alpha)}, {studies})",
        columns=columns,
        cells=lambda r: (
            *rate_cells(r, "power", goal=grid.goal),
            *(rate_cells(r, "type_i", SMALL_RATE) if asked else ()),
        ),
        note=(),
        held=[grid.words(k, grid.reference[k]) for k in ("dyads", "sessions", "effect") if k not in grid.designed],
    )
    text.append_text(render_text(table, width=width))
    left_out = part.left_out or ("The other tests are" if few else "")
    if left_out:
        text.append(f"{fill(f'{left_out} in the CSV files of the report.', width)}\n")
    needed = needed_table(grid)
    if needed is not None:
        text.append("\n").append_text(render_text(needed, width=width))
    for line in _notes(grid):
        text.append(f"{fill(line, width)}\n")
    return text


def _notes(grid: Grid) -> list[str]:
    result = grid.result
    _, failed = fits_and_failures(grid)
    said = []
    if failed or result.failures:
        fits, died = counted(failed, "fit"), counted(len(result.failures), "replicate")
        said.append(f"Failed: {fits} without an answer (counted as not significant), {died} without any result.")
    else:
        said.append("No replicate failed.")
    known = result.tests["singular"].drop_nulls()
    if len(known) and float(known.max()) > 0:  # type: ignore[arg-type]
        said.append(f"Fits on the boundary: up to {100.0 * float(known.max()):.1f}% in a design.")  # type: ignore[arg-type]
    if grid.several_scores:
        named = [f"{short}: {name}" for name, short in grid.short.items() if name != short]
        said += [f"Scores: {'; '.join(named)}."] if named else []
    if result.interrupted:
        said.append("Interrupted: not all that was asked for is done.")
    return said
