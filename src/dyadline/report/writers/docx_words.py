"""Running text in Word: runs, links to other parts of the document, and the bookmarks that they lead to."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.oxml.xmlchemy import BaseOxmlElement
from docx.text.paragraph import Paragraph
from docx.text.run import Run

from dyadline.report.document import Cell, Document, Part, Reference, Symbol
from dyadline.report.numbers import words
from dyadline.report.writers.characters import from_right, printable

_LONGEST_BOOKMARK = 40
_AFTER_BORDERS_AND_DIRECTION = ("w:spacing", "w:ind", "w:jc", "w:outlineLvl", "w:rPr", "w:sectPr")


def right_to_left(text: str) -> bool:
    """Whether most of its letters are of a script that is written from the right."""
    return sum(map(from_right, text)) > sum(unicodedata.bidirectional(letter) == "L" for letter in text)


def element(tag: str, attributes: Mapping[str, str] | None = None) -> BaseOxmlElement:
    """An element such as ``w:hyperlink`` with attributes such as ``w:anchor``."""
    made = OxmlElement(tag)
    for name, value in (attributes or {}).items():
        made.set(qn(name), value)
    return made


def insert_property(paragraph: Paragraph, made: BaseOxmlElement) -> None:
    """Add a border or a direction of reading to a paragraph, where the schema wants it."""
    paragraph._p.get_or_add_pPr().insert_element_before(made, *_AFTER_BORDERS_AND_DIRECTION)


def write(paragraph: Paragraph, text: str, style: str | None = None) -> Run:
    """Add text in a style of characters (its id); text from the right says so, and turns the paragraph it begins."""
    text = printable(text)
    turned = right_to_left(text)
    if turned and not paragraph.runs:
        insert_property(paragraph, element("w:bidi"))
    run = paragraph.add_run(text)
    if style is not None:
        run._r.style = style
    if turned:
        run.font.rtl = True
    return run


@dataclass(frozen=True, slots=True)
class Anchors:
    """What the parts of a document are called, and where links to them lead.

    Attributes
    ----------
    labels
        As `Document.labels`.
    bookmarks
        Anchor -> number and name of its bookmark, as Word allows names.
    """

    labels: Mapping[str, str]
    bookmarks: Mapping[str, tuple[int, str]]

    def begin(self, paragraph: Paragraph, anchor: str) -> None:
        """Start the bookmark of an anchor at the end of a paragraph."""
        number, name = self.bookmarks[anchor]
        paragraph._p.append(element("w:bookmarkStart", {"w:id": str(number), "w:name": name}))

    def end(self, paragraph: Paragraph, anchor: str) -> None:
        """End it."""
        paragraph._p.append(element("w:bookmarkEnd", {"w:id": str(self.bookmarks[anchor][0])}))

    def write(self, paragraph: Paragraph, parts: Sequence[Part]) -> None:
        """Add running text: symbols in italics, formulas and file names as code, references as links."""
        for part in parts:
            if isinstance(part, Symbol):
                write(paragraph, part.letters, "Symbol")
            elif isinstance(part, Cell):
                write(paragraph, words(part), "Code" if part.kind == "text" else None)
            elif isinstance(part, Reference):
                self._link(paragraph, part.anchor)
            else:
                write(paragraph, part)

    def _link(self, paragraph: Paragraph, anchor: str) -> None:
        """A link whose words Word renews when tables or figures are added: a field of the caption's number."""
        name = self.bookmarks[anchor][1]
        link = element("w:hyperlink", {"w:anchor": name, "w:history": "1"})
        paragraph._p.append(link)
        run = paragraph.add_run(self.labels[anchor])
        if anchor.startswith("section-"):
            link.append(run._r)
        else:
            link.append(field(f"REF {name} \\h \\* MERGEFORMAT", run))


def field(instruction: str, result: Run) -> BaseOxmlElement:
    """A field around a run that shows its present result."""
    made = element("w:fldSimple", {"w:instr": f" {instruction} "})
    made.append(result._r)
    return made


def anchors(document: Document) -> Anchors:
    """Anchors of a document, each with a bookmark of its own."""
    bookmarks: dict[str, tuple[int, str]] = {}
    taken: set[str] = set()
    labels = document.labels()
    for number, anchor in enumerate(labels, start=1):
        name = re.sub(r"[^A-Za-z0-9]", "_", anchor)[:_LONGEST_BOOKMARK]
        if name.casefold() in taken:
            name = f"{name[: _LONGEST_BOOKMARK - 6]}_{number:05d}"
        taken.add(name.casefold())
        bookmarks[anchor] = (number, name)
    return Anchors(labels, bookmarks)
