"""A document as GitHub-flavoured Markdown: tables with bars, equations between dollars, figures as images."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from urllib.parse import quote

from dyadline.errors import Finding
from dyadline.report.document import (
    Block,
    Cell,
    Document,
    Equation,
    Figure,
    FindingList,
    Heading,
    Paragraph,
    Part,
    Reference,
    Symbol,
    Table,
)
from dyadline.report.labels import places
from dyadline.report.numbers import words
from dyadline.report.writers.captions import title_and_note
from dyadline.report.writers.characters import seen, spaced
from dyadline.report.writers.equation_text import with_words
from dyadline.report.writers.markdown_text import (
    block_start,
    markdown,
    markdown_code,
    markdown_heading,
    markdown_running,
    markdown_source,
)

_MATHS = {
    "\\": r"\backslash ",
    "^": r"\wedge ",
    "~": r"\sim ",
    "<": r"\lt ",
    ">": r"\gt ",
    "|": r"\vert ",
    "[": r"\lbrack ",
    "]": r"\rbrack ",
    "`": r"\grave{}",
    "*": r"\ast ",
    **{letter: f"\\{letter}" for letter in "{}_%$#&"},
}
"""Letters of a name that stand outside ``\\text{...}``, where neither Markdown nor mathematics sees a mark."""


def write_markdown(document: Document, *, figures: Mapping[str, str]) -> str:
    """The text of a ``.md`` file.

    Parameters
    ----------
    document
        What `compose` made.
    figures
        Key of each figure -> path of its picture from where the file will lie.

    Returns
    -------
    Markdown; write it in UTF-8.

    Raises
    ------
    KeyError
        If a figure has no picture.
    """
    labels = document.labels()
    parts = [f"# {markdown_heading(document.title)}", markdown(document.subtitle, start=True)]
    if document.banner:
        parts.append(f"> **{markdown(document.banner)}**")
    parts += [_paragraph(paragraph, labels) for paragraph in document.summary]
    for number, section in enumerate(document.sections, start=1):
        parts.append(f"## {number} {markdown_heading(section.title)}")
        parts += [_block(block, labels, figures) for block in section.blocks]
    return "\n\n".join(part for part in parts if part) + "\n"


def _block(block: Block, labels: Mapping[str, str], figures: Mapping[str, str]) -> str:
    if isinstance(block, Paragraph):
        return _paragraph(block, labels)
    if isinstance(block, Table):
        return _table(block, labels)
    if isinstance(block, Figure):
        title, note = title_and_note(block.caption)
        picture = f"![{markdown(block.alt)}]({quote(figures[block.key], safe='/')})"
        made = [_caption(labels[f"figure-{block.key}"], title), picture]
        return "\n\n".join([*made, f"*Note.* {markdown(note)}"] if note else made)
    if isinstance(block, Equation):
        return f"{_marked('*', block.words)}\n\n$$\n{_formula(block.latex)}\n$$".strip()
    if isinstance(block, Heading):
        return f"### {markdown_heading(block.title)}"
    if isinstance(block, FindingList):
        return "\n".join(_finding(finding) for finding in block.findings)
    return f"{_marked('**', block.title)}\n\n{markdown_source(block.text)}".strip()


def _paragraph(paragraph: Paragraph, labels: Mapping[str, str]) -> str:
    return block_start(f"{_marked('**', paragraph.heading)} {_parts(paragraph.parts, labels)}".strip(" "))


def _parts(parts: tuple[Part, ...], labels: Mapping[str, str]) -> str:
    said = []
    for part in parts:
        if isinstance(part, Symbol):
            said.append(_symbol(part))
        elif isinstance(part, Cell):
            said.append(markdown_code(words(part)) if part.kind == "text" else markdown(words(part)))
        elif isinstance(part, Reference):
            said.append(labels[part.anchor])
        else:
            said.append(markdown_running(part))
    return "".join(said)


def _symbol(symbol: Symbol) -> str:
    """In italics, which Markdown does not begin or end beside a punctuation mark inside a word."""
    ends = (unicodedata.category(end)[0] for end in symbol.letters[:1] + symbol.letters[-1:])
    return markdown(symbol.letters) if {"P", "S"} & {*ends} else _marked("*", symbol.letters)


def _marked(mark: str, text: str) -> str:
    """Italics or bold; nothing around nothing."""
    said = markdown(text).strip()
    return f"{mark}{said}{mark}" if said else ""


def _caption(label: str, caption: str) -> str:
    return f"**{label}.** {markdown(caption)}"


def _table(table: Table, labels: Mapping[str, str]) -> str:
    over = [spanner for spanner in table.spanners for _ in range(spanner.columns)]
    heads = [markdown(table.stub)]
    for k, column in enumerate(table.columns):
        said = _marked("*", column.label) if column.symbol else markdown(column.label)
        label = markdown(over[k].label) if over else ""
        heads.append(f"{label}: {said}" if label and said else label or said)
    lines = [heads, [":---", *(":---" if column.align == "text" else "---:" for column in table.columns)]]
    for group in table.groups:
        if group.label:
            lines.append([_marked("*", group.label), *("" for _ in table.columns)])
        lines += [[markdown(row.label), *map(_cell, row.cells)] for row in group.rows]
    explained = "; ".join(f"{markdown(s.label)}: {markdown(s.words)}" for s in table.spanners if s.words)
    note = f"{f'{explained}. ' if explained else ''}{_parts(table.note, labels)}"
    made = [
        _caption(labels[f"table-{table.key}"], table.caption),
        "\n".join(f"| {' | '.join(line)} |" for line in lines),
    ]
    return "\n\n".join([*made, f"*Note.* {note}"] if note else made)


def _cell(cell: Cell | None) -> str:
    if cell is None:
        return ""
    if isinstance(cell.value, str):
        return _marked("**", cell.value) if cell.strong else markdown(cell.value)
    return f"**{words(cell)}**" if cell.strong else words(cell)


def _formula(latex: str) -> str:
    for display in ("align*", "split"):  # which not every renderer allows between dollars
        latex = latex.replace(f"{{{display}}}", "{aligned}")
    # an underscore before a space begins no emphasis where dollars mean nothing
    return re.sub(r"(?<!\\)_(?=\S)", "_ ", with_words(latex, _name))


def _name(text: str) -> str:
    """A name in an equation; a colon is kept from making a link."""
    said, held = [], ""
    for letter in seen(spaced(text)):
        if letter in _MATHS or letter == ":":
            said += [rf"\text{{{held}}}" if held else "", _MATHS.get(letter, "{:}")]
            held = ""
        else:
            held += letter
    said.append(rf"\text{{{held}}}" if held else "")
    return f"{{{''.join(said)}}}"


def _finding(finding: Finding) -> str:
    where = places(finding)
    said = [f"**{finding.level.capitalize()}.**", markdown(finding.words), markdown(finding.way_out)]
    said += [markdown(f"({where})") if where else "", markdown_code(finding.code)]
    return f"- {' '.join(part for part in said if part)}"
