"""A document as a file of Word: real tables, native equations, captions and links that Word can renew."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass

from docx.document import Document as WordDocument
from docx.oxml import parse_xml
from docx.shared import Length, Pt

from dyadline.report.document import (
    Block,
    Document,
    Equation,
    Figure,
    FindingList,
    Heading,
    Paragraph,
    Section,
    Source,
    Table,
)
from dyadline.report.labels import places
from dyadline.report.writers import pictures
from dyadline.report.writers.captions import title_and_note
from dyadline.report.writers.characters import printable
from dyadline.report.writers.docx_page import blank, packed, turn
from dyadline.report.writers.docx_table import write_note, write_table
from dyadline.report.writers.docx_widths import PORTRAIT, Layout, layout
from dyadline.report.writers.docx_words import Anchors, anchors, field, write
from dyadline.report.writers.mathml import mathml
from dyadline.report.writers.omml import office_math


def write_docx(document: Document) -> bytes:
    """The file of Word.

    Parameters
    ----------
    document
        What `compose` made.

    Returns
    -------
    The same bytes for the same document. Everything is set in named styles; numbers of tables and figures are fields.

    Raises
    ------
    ValueError
        At an equation for which `office_math` has no rule.
    """
    word = blank(document)
    writer = _Writer(word, anchors(document), {table.key: layout(table) for table in document.tables()})
    writer.front(document)
    for section in document.sections:
        writer.section(section)
    return packed(word)


@dataclass(slots=True)
class _Writer:
    word: WordDocument
    anchors: Anchors
    layouts: Mapping[str, Layout]
    landscape: bool = False

    def front(self, document: Document) -> None:
        """Title, banner and summary."""
        write(self.word.add_paragraph(style="Title"), document.title)
        write(self.word.add_paragraph(style="Subtitle"), document.subtitle)
        if document.banner:
            write(self.word.add_paragraph(style="Banner"), document.banner)
        for paragraph in document.summary:
            self._running(paragraph, "Summary")

    def section(self, section: Section) -> None:
        """Its heading stands on the page of its first block."""
        self._turn(*section.blocks)
        heading = self.word.add_paragraph(style="Heading 1")
        anchor = f"section-{section.key}"
        self.anchors.begin(heading, anchor)
        write(heading, section.title)
        self.anchors.end(heading, anchor)
        depth = 2
        for place, block in enumerate(section.blocks):
            self._turn(*section.blocks[place:])
            if isinstance(block, Heading):
                depth = 3
                write(self.word.add_paragraph(style="Heading 2"), block.title)
            elif isinstance(block, Source):
                write(self.word.add_paragraph(style=f"Heading {depth}"), block.title)
                for line in block.text.splitlines():
                    write(self.word.add_paragraph(style="Source"), line)
            else:
                self._block(block)

    def _turn(self, *blocks: Block) -> None:
        """Turn the page if the first of these that is no heading needs it."""
        first = next((block for block in blocks if not isinstance(block, Heading)), None)
        needed = isinstance(first, Table) and self.layouts[first.key].landscape
        if needed != self.landscape:
            turn(self.word, landscape=needed)
            self.landscape = needed

    def _block(self, block: Block) -> None:
        if isinstance(block, Paragraph):
            self._running(block, "Bibliography" if block.hanging else "Body Text")
        elif isinstance(block, Table):
            self._caption(f"table-{block.key}", block.caption)
            write_table(self.word, block, self.layouts[block.key], self.anchors)
        elif isinstance(block, Figure):
            self._figure(block)
        elif isinstance(block, Equation):
            self._equation(block)
        elif isinstance(block, FindingList):
            self._findings(block)

    def _running(self, given: Paragraph, style: str) -> None:
        paragraph = self.word.add_paragraph(style=style)
        if given.heading:
            write(paragraph, given.heading, "Label")
            write(paragraph, " ")
        self.anchors.write(paragraph, given.parts)

    def _caption(self, anchor: str, title: str) -> None:
        """``Table 1`` in bold, its number a field; on the next line the title, in italics."""
        noun, number = self.anchors.labels[anchor].split(" ")
        paragraph = self.word.add_paragraph(style="Caption")
        self.anchors.begin(paragraph, anchor)
        write(paragraph, f"{noun} ", "Label")
        paragraph._p.append(field(f"SEQ {noun} \\* ARABIC", write(paragraph, number, "Label")))
        self.anchors.end(paragraph, anchor)
        paragraph.add_run().add_break()
        write(paragraph, title, "CaptionTitle")

    def _figure(self, figure: Figure) -> None:
        title, note = title_and_note(figure.caption)
        self._caption(f"figure-{figure.key}", title)
        paragraph = self.word.add_paragraph(style="Figure")
        width, height, scale = pictures.printed(figure, width=PORTRAIT)
        drawn = io.BytesIO(pictures.png(figure, scale=scale))
        picture = paragraph.add_run().add_picture(drawn, _points(width), _points(height))
        described = picture._inline.docPr
        described.set("name", printable(self.anchors.labels[f"figure-{figure.key}"]))
        described.set("descr", printable(figure.alt))
        write_note(self.word, (note,) if note else (), self.anchors)

    def _equation(self, equation: Equation) -> None:
        write(self.word.add_paragraph(style="Equation Label"), equation.words)
        made = office_math(printable(mathml(equation)))
        self.word.add_paragraph(style="Equation")._p.append(parse_xml(made))

    def _findings(self, given: FindingList) -> None:
        for finding in given.findings:
            paragraph = self.word.add_paragraph(style="Finding")
            write(paragraph, f"{finding.level.capitalize()}.", "Label")
            where = places(finding)
            for said in (finding.words, finding.way_out, where and f"({where})"):
                if said:
                    write(paragraph, f" {said}")
            write(paragraph, " ")
            write(paragraph, finding.code, "Code")


def _points(value: float) -> Length:
    return Pt(round(value, 1))
