"""What a document says, as a reader sees it: sentences of a section, cells of a table."""

from __future__ import annotations

from dyadline.report.document import Paragraph
from dyadline.report.numbers import words


def flat(blocks) -> str:
    """Sentences as a reader sees them."""
    parts = [p for b in blocks if isinstance(b, Paragraph) for p in (b.heading, *b.parts, "\n")]
    return "".join(words(p) if hasattr(p, "kind") else getattr(p, "letters", "") or str(p) for p in parts)


def said(document, key: str) -> str:
    (section,) = [s for s in document.sections if s.key == key]
    return flat(section.blocks)


def printed(table) -> dict[tuple[str, str], list[str]]:
    return {
        (group.label, row.label): ["" if c is None else words(c) for c in row.cells]
        for group in table.groups
        for row in group.rows
    }
