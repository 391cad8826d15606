"""Every number of a document, and the text of each format that must have it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from dyadline.report.document import Cell, Document, Figure, Paragraph, Part, Table
from dyadline.report.listings import without_listings
from dyadline.report.numbers import words
from dyadline.report.writers.docx import write_docx
from dyadline.report.writers.html import write_html
from dyadline.report.writers.latex import write_latex
from dyadline.report.writers.markdown import write_markdown
from dyadline.report.writers.typst import write_pdf
from read_back import docx_words, html_words, latex_words, markdown_words, pdf_words
from report_blocks import SPEC

NUMBER = re.compile(r"[−-]?(?:\d+[.,])*\.?\d+")


def plain(text: str) -> str:
    return " ".join(text.replace("\u00ad", "").replace("’", "'").split())


def numbers(text: str) -> Counter[str]:
    return Counter(NUMBER.findall(text))


def read(document: Document) -> dict[str, str]:
    """The text of each format."""
    paths = {figure.key: f"{figure.key}.png" for figure in document.figures()}
    paper = without_listings(document)
    made = {
        "html": html_words(write_html(document)),
        "docx": docx_words(write_docx(paper)),
        "pdf": pdf_words(write_pdf(paper)),
        "tex": latex_words(write_latex(paper, figures=paths)),
        "md": markdown_words(write_markdown(document, figures=paths)),
    }
    return {form: plain(text) for form, text in made.items()}


def quickly_drawn(document: Document) -> Document:
    """With a small picture in place of each: drawing is not what is tested here."""
    return replace(
        document,
        sections=tuple(
            replace(s, blocks=tuple(replace(b, spec=SPEC) if isinstance(b, Figure) else b for b in s.blocks))
            for s in document.sections
        ),
    )


def cells(parts: tuple[Part, ...]) -> Iterator[Cell]:
    yield from (part for part in parts if isinstance(part, Cell) and not isinstance(part.value, str))


def of_table(table: Table) -> Counter[str]:
    inside = [c for row in table.rows() for c in row.cells if c is not None and not isinstance(c.value, str)]
    return sum((numbers(plain(words(c))) for c in (*inside, *cells(table.note))), Counter())


def paragraphs(document: Document) -> Iterator[Paragraph]:
    yield from document.summary
    yield from (b for s in document.sections for b in s.blocks if isinstance(b, Paragraph))


def spaced_anyhow(text: str) -> re.Pattern[str]:
    """The text, wherever a line is broken."""
    return re.compile(r"[\s-]*".join(re.escape(letter) for letter in text if not letter.isspace() and letter != "-"))
