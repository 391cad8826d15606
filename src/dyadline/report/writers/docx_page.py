"""The file of Word around the text: styles, pages upright and sideways, properties, packing."""

from __future__ import annotations

import io
import zipfile
from importlib.resources import files

import docx
from docx.document import Document as WordDocument
from docx.enum.section import WD_ORIENT, WD_SECTION
from docx.oxml.ns import qn
from docx.shared import Mm

from dyadline.report.document import Document
from dyadline.report.writers.characters import printable

_PARTS = {
    "[Content_Types].xml": "content_types.xml",
    "_rels/.rels": "package_rels.xml",
    "docProps/core.xml": "core.xml",
    "word/document.xml": "document.xml",
    "word/_rels/document.xml.rels": "document_rels.xml",
    "word/styles.xml": "styles.xml",
    "word/settings.xml": "settings.xml",
    "word/numbering.xml": "numbering.xml",
    "word/fontTable.xml": "font_table.xml",
    "word/footer1.xml": "footer.xml",
}
_EPOCH = (1980, 1, 1, 0, 0, 0)
_LANGUAGES = {"en": "en-US"}
"""A language as Word names it, with its country."""


def blank(document: Document) -> WordDocument:
    """An empty document with the styles of all reports, its title and its language."""
    sources = files("dyadline.report.writers").joinpath("docx_template")
    packed = _zipped({path: sources.joinpath(name).read_bytes() for path, name in _PARTS.items()})
    word = docx.Document(io.BytesIO(packed))
    word.core_properties.title = printable(document.title)[:255]
    word.core_properties.subject = printable(document.subtitle)[:255]
    word.core_properties.language = document.language
    language = _LANGUAGES.get(document.language, document.language)
    for element in (*word.styles.element.iter(qn("w:lang")), *word.settings.element.iter(qn("w:themeFontLang"))):
        element.set(qn("w:val"), language)
    return word


def turn(word: WordDocument, *, landscape: bool) -> None:
    """Let what follows stand on pages turned that way."""
    section = word.add_section(WD_SECTION.NEW_PAGE)
    short, long = sorted((section.page_width or 0, section.page_height or 0))
    section.orientation = WD_ORIENT.LANDSCAPE if landscape else WD_ORIENT.PORTRAIT
    section.page_width, section.page_height = (long, short) if landscape else (short, long)
    section.top_margin = section.bottom_margin = Mm(20 if landscape else 25)


def packed(word: WordDocument) -> bytes:
    """The file, the same for the same document: no date, no name."""
    made = io.BytesIO()
    word.save(made)
    with zipfile.ZipFile(made) as archive:
        return _zipped({path: archive.read(path) for path in archive.namelist()})


def _zipped(parts: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in parts.items():
            archive.writestr(zipfile.ZipInfo(path, _EPOCH), content, zipfile.ZIP_DEFLATED)
    return made.getvalue()
