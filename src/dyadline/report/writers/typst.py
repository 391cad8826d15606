"""A document as PDF by Typst: offline, without LaTeX, the same bytes for the same document.

The layout is `report.typ`; the document goes to it as JSON, so that no name, title or label can be markup. Type is
what lies inside Typst: Libertinus Serif, New Computer Modern Math, DejaVu Sans Mono.

The file is PDF/UA-1: tagged, with its title and language, headers of columns, and words for each figure and
equation. Three things are less than one could wish. A row's label is a plain cell, because Typst offers headers of
rows only as an experiment that its Python package cannot switch on. Figures are embedded as SVG, because PDF/UA does
not let Typst embed PDF. And a name in letters that no font of Typst has, such as Arabic or Chinese, is set in a font
of the machine; where that has none either, the file is tagged all the same but does not call itself PDF/UA, which
forbids empty boxes.
"""

from __future__ import annotations

import json
import re
from functools import cache
from importlib.resources import files
from itertools import accumulate
from typing import Any, Literal

from dyadline.errors import Finding
from dyadline.report.document import (
    Block,
    Cell,
    Column,
    Document,
    Equation,
    Figure,
    FindingList,
    Heading,
    Paragraph,
    Part,
    Reference,
    RowGroup,
    Source,
    Symbol,
    Table,
)
from dyadline.report.labels import places
from dyadline.report.numbers import words
from dyadline.report.writers import pictures
from dyadline.report.writers.alignment import padding
from dyadline.report.writers.captions import title_and_note
from dyadline.report.writers.characters import from_right, printable
from dyadline.report.writers.typst_math import math_tree

_RUNNING = 45
"""Letters of the title, and of the banner, in the head of a page."""

_UPRIGHT = 464.8
"""Width of the text in points."""

_LONG_CELL = 600
"""Letters from which on a row may go on on the next page."""

_LONG_WORD = re.compile(r"[^\s\u200b]{25,}")

_FONT = "Libertinus Serif"
"""Of labels in figures: the body's, because Typst has no sans serif inside."""


def write_pdf(document: Document) -> bytes:
    """The report on A4: numbered sections, contents, tables in APA style, vector figures, equations, page numbers.

    Wide tables stand on pages turned sideways; type gets smaller before anything is clipped.

    Parameters
    ----------
    document
        What `compose` made.

    Returns
    -------
    The PDF file.
    """
    import typst

    source, said = _template(), {"report": json.dumps(_report(document), allow_nan=False)}
    for bundled in (True, False):
        try:
            return _compiled(source, said, bundled=bundled, standard="ua-1")
        except typst.TypstError as error:
            if "PDF/UA" not in str(error):
                raise
    return _compiled(source, said, bundled=False, standard=None)


def _compiled(source: bytes, said: dict[str, str], *, bundled: bool, standard: Literal["ua-1"] | None) -> bytes:
    import typst

    made = typst.compile(source, sys_inputs=said, ignore_system_fonts=bundled, pdf_standards=standard)
    return bytes(made)


@cache
def _template() -> bytes:
    return files("dyadline.report.writers").joinpath("report.typ").read_bytes()


def _report(document: Document) -> dict[str, Any]:
    labels = document.labels()
    language, _, region = document.language.partition("-")
    return {
        "title": _text(document.title),
        "running": _running(document.title),
        "subtitle": _text(document.subtitle),
        "banner": _text(document.banner),
        "warning": _running(document.banner.partition(".")[0]),
        "language": language,
        "region": region or None,
        "summary": [_paragraph(p, labels) for p in document.summary],
        "sections": [
            {
                "title": _text(section.title),
                "anchor": f"section-{section.key}",
                "blocks": [_block(block, labels) for block in section.blocks],
            }
            for section in document.sections
        ],
    }


def _block(block: Block, labels: dict[str, str]) -> dict[str, Any]:
    match block:
        case Paragraph():
            return {"kind": "paragraph", **_paragraph(block, labels)}
        case Table():
            return {"kind": "table", **_table(block, labels)}
        case Figure():
            return {"kind": "figure", **_figure(block, labels)}
        case Equation():
            plain = Equation(latex=printable(block.latex), words=printable(block.words))
            return {"kind": "equation", "words": _text(block.words), "tree": math_tree(plain)}
        case Heading():
            return {"kind": "heading", "title": _text(block.title)}
        case FindingList():
            return {"kind": "findings", "findings": [_finding(f) for f in block.findings]}
        case Source():
            return {"kind": "source", "title": _text(block.title), "text": _text(block.text)}


def _text(text: str) -> str:
    """Text as it is set: long words may be broken; letters that run to the left turn round nothing but themselves."""
    text = _LONG_WORD.sub(lambda word: "\u200b".join(re.findall(r".{1,12}", word[0])), printable(text))
    if any(map(from_right, text)):
        # An isolate for each line: it ends with the paragraph.
        return "\n".join(f"\u2066{line}\u2069" for line in text.split("\n"))
    return text


def _running(text: str) -> str:
    """As much of a text as the head of a page has room for."""
    text = " ".join(printable(text).split())
    return text if len(text) <= _RUNNING else f"{text[:_RUNNING].rstrip()}…"


def _paragraph(paragraph: Paragraph, labels: dict[str, str]) -> dict[str, Any]:
    parts = _parts(paragraph.parts, labels)
    return {"heading": _text(paragraph.heading), "parts": parts, "hanging": paragraph.hanging}


def _parts(parts: tuple[Part, ...], labels: dict[str, str]) -> list[str | list[str]]:
    said: list[str | list[str]] = []
    for part in parts:
        if isinstance(part, Symbol):
            said.append(["symbol", _text(part.letters)])
        elif isinstance(part, Cell):
            said.append(["code" if part.kind == "text" else "number", _text(words(part))])
        elif isinstance(part, Reference):
            said.append(["reference", part.anchor, labels[part.anchor]])
        else:
            said.append(_text(part))
    return said


def _figure(figure: Figure, labels: dict[str, str]) -> dict[str, Any]:
    anchor = f"figure-{figure.key}"
    title, note = title_and_note(figure.caption)
    wide, high, _ = pictures.printed(figure, width=_UPRIGHT)
    return {
        "anchor": anchor,
        "label": labels[anchor],
        "title": _text(title),
        "note": _parts((note,) if note else (), labels),
        "size": [wide, high],
        "alt": printable(figure.alt),
        "svg": pictures.svg(figure).replace(pictures.FONT, _FONT),
    }


def _finding(finding: Finding) -> dict[str, str]:
    return {
        "level": finding.level,
        "words": _text(finding.words),
        "way": _text(finding.way_out),
        "places": _text(places(finding)),
        "code": _text(finding.code),
    }


def _table(table: Table, labels: dict[str, str]) -> dict[str, Any]:
    anchor, pads = f"table-{table.key}", iter(padding(table))
    starts = [0, *accumulate(s.columns for s in table.spanners)][1:-1]
    return {
        "anchor": anchor,
        "label": labels[anchor],
        "title": _text(table.caption),
        "stub": _text(table.stub),
        "wide": table.wide,
        "broken": any(c is not None and len(words(c)) > _LONG_CELL for row in table.rows() for c in row.cells),
        "columns": [_column(column, k, table) for k, column in enumerate(table.columns)],
        "spanners": [{"label": _text(s.label), "words": _text(s.words), "columns": s.columns} for s in table.spanners],
        "starts": starts,
        "groups": [_group(group, [next(pads) for _ in group.rows]) for group in table.groups],
        "note": _parts(table.note, labels),
    }


def _column(column: Column, k: int, table: Table) -> dict[str, Any]:
    label = _text(column.label)
    return {
        "label": label,
        "symbol": column.symbol,
        "numeric": column.align == "number",
        "pieces": re.split(r"[\s\u200b]+", label),
        "below": max((len(words(cell)) for row in table.rows() if (cell := row.cells[k]) is not None), default=0),
    }


def _group(group: RowGroup, pads: list[list[str]]) -> dict[str, Any]:
    rows = [
        {"label": _text(row.label), "cells": [_cell(cell, pad) for cell, pad in zip(row.cells, line, strict=True)]}
        for row, line in zip(group.rows, pads, strict=True)
    ]
    return {"label": _text(group.label), "rows": rows}


def _cell(cell: Cell | None, pad: str) -> dict[str, Any] | None:
    return None if cell is None else {"words": _text(words(cell)), "strong": cell.strong, "pad": pad}
