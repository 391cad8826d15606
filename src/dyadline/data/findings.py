"""Findings as a table, and in the order in which they are read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import polars as pl

from dyadline.errors import Finding
from dyadline.words import SHOWN, listed

LEVELS = ("error", "warning", "note")


def findings_table(findings: Iterable[Finding]) -> pl.DataFrame:
    """One row per finding: errors, then warnings, then notes.

    Returns
    -------
    polars.DataFrame
        ``code, level, dyad, time, column, rows`` (``"3, 7, 9 and 12 more"``), ``words, way_out``; all text, empty
        where there is nothing to say.
    """
    columns = ("code", "level", "dyad", "time", "column", "rows", "words", "way_out")
    made = [{name: getattr(finding, name) for name in columns} for finding in by_level(findings)]
    table = [{**row, "rows": row_numbers(row["rows"])} for row in made]
    return pl.DataFrame(table, schema=dict.fromkeys(columns, pl.String))


def by_level(findings: Iterable[Finding]) -> list[Finding]:
    """Errors, then warnings, then notes, each in the order in which they were found."""
    return sorted(findings, key=lambda finding: LEVELS.index(finding.level))


def row_numbers(rows: Sequence[int]) -> str:
    """``3, 7, 9 and 12 more``; empty for none."""
    return listed([str(row) for row in rows[:SHOWN]], total=len(rows)) if rows else ""
