"""Tables of Word in APA style: rules above, below the head and at the end, decimals under each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from docx.document import Document as WordDocument
from docx.oxml.xmlchemy import BaseOxmlElement
from docx.text.paragraph import Paragraph

from dyadline.report.document import Column, Part, Row, Spanner, Table
from dyadline.report.numbers import words
from dyadline.report.writers.alignment import padding
from dyadline.report.writers.characters import printable
from dyadline.report.writers.docx_widths import GAP, SIZES, Layout, text_width
from dyadline.report.writers.docx_words import Anchors, element, insert_property, write

_RULE = {"w:val": "single", "w:sz": "4", "w:space": "0", "w:color": "auto"}
_TWIPS = 20
_TOGETHER = 3
"""Rows that stay together at the beginning and the end of a table that is split."""


def write_table(word: WordDocument, table: Table, layout: Layout, anchors: Anchors) -> None:
    """Add a table with its note to the end of a document; its caption stands before it.

    Parameters
    ----------
    word
        Where it is added.
    table, layout
        Any table of a report, and the room that it has.
    anchors
        For references in the note.
    """
    made = _Writer(word, table, layout, padding(table)).table()
    word._body._body.insert_element_before(made, "w:sectPr")
    write_note(word, table.note, anchors)


def write_note(word: WordDocument, parts: Sequence[Part], anchors: Anchors) -> None:
    """Add the note under a table or figure, or the space that stands there without one."""
    if not parts:
        word.add_paragraph(style="No Note")
        return
    note = word.add_paragraph(style="Note")
    write(note, "Note.", "Symbol")
    write(note, " ")
    anchors.write(note, parts)


@dataclass(frozen=True, slots=True)
class _Writer:
    word: WordDocument
    given: Table
    layout: Layout
    missing: list[list[str]]

    def table(self) -> BaseOxmlElement:
        made = element("w:tbl")
        made.append(self._properties())
        grid = element("w:tblGrid")
        for width in self._widths:
            grid.append(element("w:gridCol", {"w:w": str(width)}))
        made.append(grid)
        for row in (*self._heads(), *self._body()):
            made.append(row)
        return made

    @property
    def _widths(self) -> list[int]:
        return [round(width * _TWIPS) for width in self.layout.widths]

    def _properties(self) -> BaseOxmlElement:
        properties = element("w:tblPr")
        for tag, attributes in (
            ("w:tblStyle", {"w:val": "ReportTable"}),
            ("w:tblW", {"w:w": str(sum(self._widths)), "w:type": "dxa"}),
            ("w:tblLayout", {"w:type": "fixed"}),
            ("w:tblLook", {"w:val": "00A0", "w:firstRow": "1", "w:firstColumn": "1", "w:noHBand": "0"}),
            ("w:tblCaption", {"w:val": printable(self.given.caption)}),
        ):
            properties.append(element(tag, attributes))
        return properties

    def _heads(self) -> Iterator[BaseOxmlElement]:
        """One row of headings, or two."""
        if self.given.spanners:
            row = _row(head=True)
            row.append(self._cell(0, 1, self._paragraph(keep=True)))
            start = 1
            for spanner in self.given.spanners:
                row.append(self._cell(start, spanner.columns, self._spanner(spanner), head=True))
                start += spanner.columns
            yield row
        row = _row(head=True)
        stub = self._paragraph(keep=True)
        write(stub, self.given.stub)
        row.append(self._cell(0, 1, stub, head=True, rule=True))
        for c, column in enumerate(self.given.columns):
            row.append(self._cell(c + 1, 1, self._heading(column), head=True, rule=True))
        yield row

    def _spanner(self, spanner: Spanner) -> Paragraph:
        """Its rule is the paragraph's, which ends at the cell's margins and so does not touch the next one."""
        paragraph = self._paragraph(keep=True, align="center")
        write(paragraph, spanner.label)
        if spanner.words:
            paragraph.add_run().add_break()
            write(paragraph, spanner.words)
        if spanner.label or spanner.words:
            border = element("w:pBdr")
            border.append(element("w:bottom", {**_RULE, "w:space": "1"}))
            insert_property(paragraph, border)
        return paragraph

    def _heading(self, column: Column) -> Paragraph:
        paragraph = self._paragraph(keep=True, align="center" if column.align == "number" else "left")
        write(paragraph, column.label, "Symbol" if column.symbol else None)
        return paragraph

    def _body(self) -> Iterator[BaseOxmlElement]:
        total = left = sum(len(group.rows) + bool(group.label) for group in self.given.groups)
        missing = iter(self.missing)
        room = self._room()
        for group in self.given.groups:
            if group.label:
                left -= 1
                heading = self._paragraph(keep=True, before=4.0)
                write(heading, group.label, "Symbol")
                row = _row()
                row.append(self._cell(0, len(self._widths), heading))
                yield row
            for given in group.rows:
                left -= 1
                near_end = left < _TOGETHER or total - left < _TOGETHER
                keep = (left > 0 and (self.layout.whole or near_end)) or (left == 0 and bool(self.given.note))
                insets = [space + text_width(m, self.layout.size) for space, m in zip(room, next(missing), strict=True)]
                yield self._line(given, insets, indented=bool(group.label), keep=keep)

    def _line(self, given: Row, insets: list[float], *, indented: bool, keep: bool) -> BaseOxmlElement:
        row, em = _row(), self.layout.size
        label = self._paragraph(keep=keep, indents={"w:left": em * (1.8 if indented else 0.8), "w:hanging": 0.8 * em})
        write(label, given.label)
        row.append(self._cell(0, 1, label))
        for c, cell in enumerate(given.cells):
            number = self.given.columns[c].align == "number"
            indents = {"w:right": round(insets[c], 1)} if number and cell is not None else {}
            paragraph = self._paragraph(keep=keep, indents=indents, align="right" if number else "left")
            if cell is not None:
                run = write(paragraph, words(cell))
                if cell.strong:
                    run.bold = True
            row.append(self._cell(c + 1, 1, paragraph))
        return row

    def _room(self) -> list[float]:
        """Room right of the numbers of each column, so that they stand under the middle of its heading.

        Indents, not decimal tab stops: those follow the decimal sign of the reader's system, a comma in half of Europe.
        """
        widest = [0.0] * len(self.given.columns)
        for row, missing in zip(self.given.rows(), self.missing, strict=True):
            for c, cell in enumerate(row.cells):
                if cell is not None:
                    widest[c] = max(widest[c], text_width(words(cell) + missing[c], self.layout.size))
        return [max(0.0, (w - GAP - n) / 2.0) for w, n in zip(self.layout.widths[1:], widest, strict=True)]

    def _paragraph(
        self,
        *,
        keep: bool = False,
        before: float = 0.0,
        indents: Mapping[str, float] = MappingProxyType({}),
        align: Literal["left", "center", "right"] = "left",
    ) -> Paragraph:
        """An empty paragraph; lengths are points, and properties stand in the order of the schema."""
        size = self.layout.size
        properties = element("w:pPr")
        style = "TableText" if size == SIZES[0] else f"TableText{2.0 * size:g}"
        properties.append(element("w:pStyle", {"w:val": style}))
        if keep:
            properties.append(element("w:keepNext"))
        if before:
            properties.append(element("w:spacing", {"w:before": _twips(before)}))
        if indents:
            properties.append(element("w:ind", {side: _twips(room) for side, room in indents.items()}))
        if align != "left":
            properties.append(element("w:jc", {"w:val": align}))
        made = element("w:p")
        made.append(properties)
        return Paragraph(made, self.word._body)

    def _cell(
        self, first: int, span: int, paragraph: Paragraph, *, head: bool = False, rule: bool = False
    ) -> BaseOxmlElement:
        cell = element("w:tc")
        properties = element("w:tcPr")
        width = sum(self._widths[first : first + span])
        properties.append(element("w:tcW", {"w:w": str(width), "w:type": "dxa"}))
        if span > 1:
            properties.append(element("w:gridSpan", {"w:val": str(span)}))
        if rule:
            borders = element("w:tcBorders")
            borders.append(element("w:bottom", _RULE))
            properties.append(borders)
        if head:
            properties.append(element("w:vAlign", {"w:val": "bottom"}))
        cell.append(properties)
        cell.append(paragraph._p)
        return cell


def _twips(points: float) -> str:
    return str(round(points * _TWIPS))


def _row(*, head: bool = False) -> BaseOxmlElement:
    row = element("w:tr")
    properties = element("w:trPr")
    properties.append(element("w:cantSplit"))
    if head:
        properties.append(element("w:tblHeader"))
    row.append(properties)
    return row
