"""What failed, and what ended on the boundary: counts that are always there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import polars as pl

from dyadline.report.cells import count_cell, percent_cell
from dyadline.report.document import Block, Cell, Column, Paragraph, Part, Row, RowGroup, Table
from dyadline.report.power.grid import Grid
from dyadline.report.power.names import DESIGNED, SCORE, value_words
from dyadline.report.power.tables import MOST_LINES, by_design
from dyadline.words import counted

MOST_REASONS = 8
WORST = 20
"""Designs that are shown where all are too many."""

_HEADS = (
    Column(label="Fits"),
    Column(label="No answer"),
    Column(label="No result", rank=1),
    Column(label="On the boundary, %"),
)
_NOTE = (
    "No answer: the model could not be fitted or tested; power counts such a replicate as not significant. No "
    "result: a replicate of the design, or of the same design without effect, that ended with an error or with its "
    "process, for all its models and scores. On the boundary: "
    "a variance of the random effects is zero, or their correlation 1; such fits are answers."
)


def failure_blocks(grid: Grid) -> Iterator[Block]:
    """Counts in words, reasons if there are any, and the table."""
    asked, failed = fits_and_failures(grid)
    died = len(grid.result.failures)
    parts: tuple[Part, ...] = (
        "Of ",
        Cell(value=asked, kind="count"),
        " fits of a model to a replicate, ",
        Cell(value=failed, kind="count"),
        " gave no answer; ",
        Cell(value=died, kind="count"),
        f" replicate{'s' * (died != 1)} ended without any result. "
        "Replicates without an answer count as not significant, and are in no mean.",
    )
    yield Paragraph(parts=parts)
    reasons = Counter(failure.words for failure in grid.result.failures).most_common()
    if reasons:
        named = "; ".join(f"{words} ({counted(n, 'replicate')})" for words, n in reasons[:MOST_REASONS])
        more = f"; and {counted(len(reasons) - MOST_REASONS, 'other reason')}" if len(reasons) > MOST_REASONS else ""
        yield Paragraph(heading="Why replicates ended.", parts=(f"{named[0].upper()}{named[1:]}{more}.",))
    yield failures_table(grid)


def fits_and_failures(grid: Grid) -> tuple[int, int]:
    """How many fits of a model to a replicate there were, and how many gave no answer."""
    fits = _fits(grid)
    return int(fits["replicates"].sum()), int(fits["failed"].sum())


def _fits(grid: Grid) -> pl.DataFrame:
    """One row per design, score and model: tests of one model share its fits."""
    keys = ["design", *DESIGNED, SCORE, "model"]
    most = pl.col("replicates", "failed", "singular").max()
    return grid.result.tests.group_by(keys, maintain_order=True).agg(most, pl.col("term").first())


def failures_table(grid: Grid) -> Table:
    """By design, score and model; by design alone where those are too many, and only the worst of many designs."""
    died = Counter(failure.task for failure in grid.result.failures)
    fits, caption = _fits(grid), "Fits without an answer, and fits on the boundary"
    if fits.height <= MOST_LINES:
        return by_design(
            grid,
            fits,
            key="failures",
            caption=caption,
            columns=_HEADS,
            cells=lambda r: (
                count_cell(r["replicates"]),
                count_cell(r["failed"]),
                count_cell(died[r["design"]]),
                percent_cell(r["singular"]),
            ),
            terms=False,
            note=(_NOTE,),
        )
    together = " Fits of all models and scores together; on the boundary: of the score and model with most of them."
    designs = fits.group_by(["design", *DESIGNED], maintain_order=True).agg(
        pl.col("replicates", "failed").sum(), pl.col("singular").max()
    )
    if designs.height > MOST_LINES:
        together += f" The worst {WORST} of {designs.height} designs; the others are in the CSV files."
        designs = designs.sort("failed", "singular", descending=True, nulls_last=True, maintain_order=True).head(WORST)
    rows = tuple(
        Row(
            label=", ".join(value_words(key, r[key]) for key in grid.designed),
            cells=(
                count_cell(r["replicates"]),
                count_cell(r["failed"]),
                count_cell(died[r["design"]]),
                percent_cell(r["singular"]),
            ),
        )
        for r in designs.iter_rows(named=True)
    )
    return Table(
        key="failures",
        caption=caption,
        stub="Design",
        columns=_HEADS,
        groups=(RowGroup(rows=rows),),
        note=(f"{_NOTE}{together}",),
    )
