"""Reliability of the scores, and how much of the expected slope they leave."""

from __future__ import annotations

from dyadline.report.document import Figure
from dyadline.report.figures.axes import short
from dyadline.report.power import figures
from dyadline.report.power.grid import Grid, thinned
from dyadline.report.power.names import SCORE


def attenuation_figure(grid: Grid) -> Figure | None:
    """Slope found over slope expected, by sessions or dyads, and by score; none where it is not known."""
    asked = ("sessions", "drop_out", "dyads", "per_therapist", "effect")
    over = next((key for key in asked if key in grid.varying), "")
    line = SCORE if over and grid.several_scores else ""
    over = over or SCORE
    frame = grid.held(grid.main(), over, *([SCORE] if line else []))
    lines = thinned(grid.values(SCORE), figures.MOST_LINES) if line else []
    known = [
        r
        for r in frame.iter_rows(named=True)
        if r["attenuation"] is not None and r["attenuation_low"] is not None and (not line or r[SCORE] in lines)
    ]
    if not known:
        return None
    order = [value for value in grid.values(over) if any(r[over] == value for r in known)]
    values = [
        {
            "row": grid.words(over, r[over]),
            "line": grid.short[r[SCORE]] if line else "",
            **{key: short(r[f"attenuation{end}"]) for key, end in (("y", ""), ("low", "_low"), ("high", "_high"))},
            "expected": short(r["true_effect"]),
            "found": short(r["estimate"]),
        }
        for r in known
    ]
    words = grid.held_words(*{over, *([SCORE] if line else [])})
    held = f" With {words}." if words else ""
    return figures.attenuation_points(
        values,
        order=[grid.words(over, value) for value in order],
        lines=[grid.short[name] for name in lines] if line else [""],
        caption=f"Slope found with the scores, as a share of the slope expected where they are free of error "
        f"({grid.test}), with 95% Monte-Carlo intervals. Dashed: nothing is lost.{held}",
        alt="Points with intervals beside a line at 1; the table of this section has the numbers.",
    )
