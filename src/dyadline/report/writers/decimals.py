"""Decimals under each other, for writers that cannot leave it to their format."""

from __future__ import annotations

import re

from dyadline.report.document import Table
from dyadline.report.numbers import words


def missing_decimals(table: Table) -> list[list[str]]:
    """What is missing behind each number for the decimals of its column to stand under each other.

    Parameters
    ----------
    table
        Groups that are not `aligned` are left out.

    Returns
    -------
    Row by row and column by column: ``".00"``, ``"0"``, or nothing.
    """
    written = [["" if cell is None else words(cell) for cell in row.cells] for row in table.rows()]
    aligned = [group.aligned for group in table.groups for _ in group.rows]
    longest = [
        max((_fraction(row[c]) for row, counts in zip(written, aligned, strict=True) if counts), key=len, default="")
        for c in range(len(table.columns))
    ]
    return [
        [longest[c][len(_fraction(text)) :] if counts and _is_plain(text) else "" for c, text in enumerate(row)]
        for row, counts in zip(written, aligned, strict=True)
    ]


def _is_plain(text: str) -> bool:
    return bool(re.fullmatch(r"[−<> ]*[\d,]*\.?\d*", text)) and any(c.isdigit() for c in text)


def _fraction(text: str) -> str:
    """``.`` and as many zeros as there are decimals."""
    if not _is_plain(text):
        return ""
    _, point, decimals = text.partition(".")
    return point + "0" * len(decimals)
