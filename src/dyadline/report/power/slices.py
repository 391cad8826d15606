"""The designs that answer one question: along what is asked, as lines and panels for what else varies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from dyadline.report.power import figures
from dyadline.report.power.grid import Grid, thinned
from dyadline.report.power.names import DIMENSIONS, SCORE
from dyadline.words import listed

_LINES = ("sessions", "effect", "per_therapist", "drop_out", "dyads", SCORE)
"""What becomes lines of one panel, then panels, where it varies beside what is asked."""


Record = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """The rows of the main test that answer a question.

    Attributes
    ----------
    grid
        Of the whole.
    x
        What is asked about.
    line, panel
        What else is shown, as lines and panels; empty for nothing.
    lines, panels
        Their values, at most as many as can be told apart.
    frame
        Rows, all else as in the grid's reference.
    left_out
        Whether some values of lines or panels are not shown.
    """

    grid: Grid
    x: str
    line: str
    panel: str
    lines: Sequence[Any]
    panels: Sequence[Any]
    frame: pl.DataFrame = field(repr=False)
    left_out: bool

    def line_names(self) -> list[str]:
        """What the lines are called."""
        score = "score " if self.line == SCORE else ""
        return [f"{score}{self.grid.words(self.line, v)}" for v in self.lines] if self.line else [""]

    def rows(self, line: Any, panel: Any) -> list[Record]:
        """Rows of one line in one panel, along x."""
        frame = self.frame
        for key, value in ((self.line, line), (self.panel, panel)):
            if key:
                frame = frame.filter(pl.col(key).eq_missing(pl.lit(value, dtype=frame.schema[key])))
        return list(frame.sort(self.x, nulls_last=False, maintain_order=True).iter_rows(named=True))

    def panel_title(self, value: Any) -> str:
        """What a panel is called; empty if there is one."""
        score = "score " if self.panel == SCORE else ""
        return f"{score}{self.grid.words(self.panel, value)}" if self.panel else ""

    def held(self) -> str:
        """``; with …`` for what is held, and that values are left out."""
        free = [key for key in (self.x, self.line, self.panel) if key]
        words = self.grid.held_words(*free)
        said = f" With {words}." if words else ""
        if self.left_out:
            what = listed([DIMENSIONS[key].what for key in (self.line, self.panel) if key])
            said += f" Only some {what} are shown; all are in the CSV files."
        return said


def make_slice(grid: Grid, x: str, *, among: Sequence[str] = _LINES, panels: bool = True) -> Slice:
    """Rows along `x`, with up to two other things that vary."""
    others = [key for key in among if key in grid.varying and key != x]
    line, panel = (others[0] if others else ""), (others[1] if panels and len(others) > 1 else "")
    all_lines, all_panels = (grid.values(key) if key else [None] for key in (line, panel))
    lines = thinned(all_lines, figures.MOST_LINES)
    kept = thinned(all_panels, figures.MOST_PANELS)
    return Slice(
        grid=grid,
        x=x,
        line=line,
        panel=panel,
        lines=lines,
        panels=kept,
        frame=grid.held(grid.main(), *(key for key in (x, line, panel) if key)),
        left_out=len(lines) < len(all_lines) or len(kept) < len(all_panels),
    )
