"""Listings on paper: what a page can fold away is named there, and stands in a file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from dyadline.report.document import Block, Cell, Document, Heading, Paragraph, Part, Source


def without_listings(document: Document) -> Document:
    """The same document with the names of files where it has their text: for formats that are printed."""
    return replace(document, sections=tuple(replace(s, blocks=tuple(_named(s.blocks))) for s in document.sections))


def _named(blocks: tuple[Block, ...]) -> Iterator[Block]:
    """Blocks in which neighbouring listings, and the heading above them, are one line."""
    above: Heading | None = None
    files: list[str] = []
    for block in (*blocks, None):
        if isinstance(block, Source) and block.file:
            files.append(block.file)
            continue
        if files:
            yield _line(above.title if above else "", files)
            above, files = None, []
        if above is not None:
            yield above
            above = None
        if isinstance(block, Heading):
            above = block
        elif block is not None:
            yield block


def _line(title: str, files: list[str]) -> Paragraph:
    parts: list[Part] = []
    for file in files:
        parts += [", " if parts else "", Cell(value=file, kind="text")]
    return Paragraph(heading=f"{title}." if title else "", parts=(*parts, "."))
