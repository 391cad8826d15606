"""Decimals as the plan asks for them, in every number of a document."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from dyadline.plan.report import DecimalsSection
from dyadline.report.document import Block, Cell, Document, Paragraph, Part, Row, Section, Table

_ASKED_AS = {
    "estimate": "estimate",
    "interval": "estimate",
    "statistic": "statistic",
    "criterion": "criterion",
    "percent": "percent",
    "proportion": "proportion",
    "bounds": "proportion",
    "spread": "proportion",
    "p": "p",
    "p_relation": "p",
    "df": "df",
    "number": "number",
    "range": "number",
    "extent": "number",
}
"""Kind of a cell -> key of ``[report.decimals]``."""


def rounded(document: Document, asked: DecimalsSection) -> Document:
    """The same document with as many decimals as the plan sets; kinds that it leaves open keep their own."""
    set_by_plan = {key: decimals for key, decimals in asked.model_dump().items() if decimals is not None}
    if not set_by_plan:
        return document

    def cell(given: Cell) -> Cell:
        decimals = set_by_plan.get(_ASKED_AS.get(given.kind, ""))
        return given if decimals is None else replace(given, decimals=decimals)

    return replace(
        document,
        summary=tuple(_paragraph(p, cell) for p in document.summary),
        sections=tuple(_section(s, cell) for s in document.sections),
    )


_Change = Callable[[Cell], Cell]


def _section(section: Section, cell: _Change) -> Section:
    return replace(section, blocks=tuple(_block(block, cell) for block in section.blocks))


def _block(block: Block, cell: _Change) -> Block:
    if isinstance(block, Paragraph):
        return _paragraph(block, cell)
    if not isinstance(block, Table):
        return block
    groups = tuple(replace(g, rows=tuple(_row(row, cell) for row in g.rows)) for g in block.groups)
    return replace(block, groups=groups, note=_parts(block.note, cell))


def _row(row: Row, cell: _Change) -> Row:
    return replace(row, cells=tuple(None if c is None else cell(c) for c in row.cells))


def _paragraph(paragraph: Paragraph, cell: _Change) -> Paragraph:
    return replace(paragraph, parts=_parts(paragraph.parts, cell))


def _parts(parts: tuple[Part, ...], cell: _Change) -> tuple[Part, ...]:
    return tuple(cell(part) if isinstance(part, Cell) else part for part in parts)
