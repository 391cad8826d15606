"""Decimals that stand under each other: what is missing behind each number of a table."""

from __future__ import annotations

import re

from dyadline.report.document import Table
from dyadline.report.numbers import words

_PLAIN = re.compile(r"[−<> ]*[\d,]*\.?\d*")


def padding(table: Table) -> list[list[str]]:
    """What each number lacks to be as long behind its point as the longest of its column.

    Parameters
    ----------
    table
        Numbers of groups that are not `aligned` lack nothing, nor do intervals and words.

    Returns
    -------
    By row and column: text such as ``.00``, to be set but not seen; empty where nothing is missing.
    """
    rows = [(row, group.aligned) for group in table.groups for row in group.rows]
    ends = [["" if c is None or not aligned else _fraction(words(c)) for c in row.cells] for row, aligned in rows]
    longest = [max(column, key=len, default="") for column in zip(*ends, strict=True)]
    return [
        [
            longest[k][len(end) :] if aligned and cell is not None and _is_plain(words(cell)) else ""
            for k, (cell, end) in enumerate(zip(row.cells, of_row, strict=True))
        ]
        for (row, aligned), of_row in zip(rows, ends, strict=True)
    ]


def _is_plain(text: str) -> bool:
    return bool(_PLAIN.fullmatch(text)) and any(c.isdigit() for c in text)


def _fraction(text: str) -> str:
    """``.`` and as many zeros as there are decimals."""
    if not _is_plain(text):
        return ""
    _, point, decimals = text.partition(".")
    return point + "0" * len(decimals)
