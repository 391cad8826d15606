"""A report before it has a format: sections of paragraphs, tables, figures and equations.

Cells hold numbers, not strings, so that every writer rounds them alike and last.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from dyadline.errors import Finding

Kind = Literal[
    "text",
    "count",
    "occasion",
    "number",
    "estimate",
    "interval",
    "statistic",
    "criterion",
    "percent",
    "proportion",
    "bounds",
    "spread",
    "p",
    "p_relation",
    "df",
    "range",
    "extent",
]
"""What a number is, which decides how it is written: see `dyadline.report.numbers.words`.

An estimate (a coefficient, its standard error, a variance) has an interval; bounds are the interval of a proportion, a
spread its range. A p_relation is a p value with its sign, for sentences. A range may be read as an en dash, an
extent has `to`, for columns with negative numbers. Everything else with decimals is a number.
"""

Value = float | int | str | tuple[float, float] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One number (or word) of a report.

    Attributes
    ----------
    value
        At full precision; a pair for intervals and ranges; ``None`` where there is none.
    kind
        What it is.
    decimals
        Decimals, for the kinds that leave a choice; the kind's own where it is ``None``.
    strong
        Set in bold, such as an effect with p < .05.
    """

    value: Value
    kind: Kind = "number"
    decimals: int | None = None
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Symbol:
    """A statistical symbol, set in italics: ``Symbol("p")``."""

    letters: str


@dataclass(frozen=True, slots=True)
class Reference:
    """Something in the same document: ``Reference("table-models")`` is printed as `Document.labels` has it, Table 3.

    The anchor is ``section-``, ``table-`` or ``figure-`` and its key.
    """

    anchor: str


Part = str | Cell | Symbol | Reference


@dataclass(frozen=True, slots=True, kw_only=True)
class Paragraph:
    """Running text whose numbers are still numbers.

    Attributes
    ----------
    parts
        Text, symbols and numbers in the order of reading.
    heading
        Set before the text in bold; empty if there is none.
    hanging
        Whether print indents all lines but the first, as in a list of references.
    """

    parts: tuple[Part, ...]
    heading: str = ""
    hanging: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a table.

    Attributes
    ----------
    label
        Heading.
    symbol
        Whether the heading is a statistical symbol, set in italics.
    rank
        0 for what must be shown; columns of higher rank go first where there is little room, as in a terminal.
    align
        ``"number"`` lines up decimals, ``"text"`` starts at the left.
    """

    label: str
    symbol: bool = False
    rank: int = 0
    align: Literal["number", "text"] = "number"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spanner:
    """A heading over several neighbouring columns.

    Attributes
    ----------
    label, words
        Heading, and a second, lighter line.
    columns
        How many columns it spans.
    """

    label: str
    columns: int
    words: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row: what it is about, and one cell per column (``None`` where the cell stays empty)."""

    label: str
    cells: tuple[Cell | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowGroup:
    """Rows that belong together.

    Attributes
    ----------
    rows
        From top to bottom.
    label
        Heading, may be empty.
    aligned
        Whether decimals stand under those of the other groups.
    """

    rows: tuple[Row, ...]
    label: str = ""
    aligned: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table.

    Attributes
    ----------
    key
        Stable name, such as ``"models"``.
    caption
        Title.
    stub
        Heading of the row labels.
    columns, spanners
        Columns from left to right; spanners cover all of them or there are none.
    groups
        Rows.
    note
        What a reader must know to read it.
    wide
        Whether it needs a page turned sideways in print.
    """

    key: str
    caption: str
    stub: str
    columns: tuple[Column, ...]
    groups: tuple[RowGroup, ...]
    spanners: tuple[Spanner, ...] = ()
    note: tuple[Part, ...] = ()
    wide: bool = False

    def __post_init__(self) -> None:
        for row in self.rows():
            if len(row.cells) != len(self.columns):
                raise ValueError(f"the row {row.label!r} has {len(row.cells)} cells for {len(self.columns)} columns")
        if self.spanners and sum(s.columns for s in self.spanners) != len(self.columns):
            raise ValueError(f"the spanners of {self.caption!r} do not cover its columns")

    def rows(self) -> Iterator[Row]:
        """All rows, whatever their group."""
        for group in self.groups:
            yield from group.rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A figure as a Vega-Lite specification with its data inside.

    Attributes
    ----------
    key
        Stable name, unique in the document.
    caption
        What it shows.
    alt
        The same for who cannot see it.
    spec
        Vega-Lite, version 5; not to be changed.
    individual
        Whether it has values of single dyads, under pseudonyms (field ``dyad``): drawn only when asked for.
    """

    key: str
    caption: str
    alt: str
    spec: Mapping[str, Any]
    individual: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Equation:
    """A formula in LaTeX, and its name in words (also what a screen reader says)."""

    latex: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """A heading inside a section."""

    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingList:
    """Findings in the order in which they are to be read."""

    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A text file to reproduce something with, folded away until asked for.

    Attributes
    ----------
    title, text
        What it is, and its lines.
    file
        Where the same text is written as a file; formats that cannot fold it away name the file instead.
    """

    title: str
    text: str
    file: str = ""


Block = Paragraph | Table | Figure | Equation | Heading | FindingList | Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A section with a heading.

    Attributes
    ----------
    key
        Stable name, used as the anchor.
    title, blocks
        Heading and content.
    """

    key: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A report.

    Attributes
    ----------
    title, subtitle
        Heading and the line under it.
    banner
        What must be seen before anything else, such as that the data are synthetic; usually empty.
    summary
        The main result in a few sentences.
    sections
        Content.
    language
        BCP 47 tag.

    Raises
    ------
    ValueError
        If two of its sections, tables and figures have the same key.
    """

    title: str
    subtitle: str
    sections: tuple[Section, ...]
    banner: str = ""
    summary: tuple[Paragraph, ...] = ()
    language: str = "en"

    def __post_init__(self) -> None:
        anchors = [anchor for anchor, _ in self._anchors()]
        if len(set(anchors)) < len(anchors):
            twice = sorted({anchor for anchor in anchors if anchors.count(anchor) > 1})
            raise ValueError(f"two parts of the document have the same key: {', '.join(twice)}")

    def tables(self) -> Iterator[Table]:
        """All tables in order."""
        for section in self.sections:
            yield from (block for block in section.blocks if isinstance(block, Table))

    def figures(self) -> Iterator[Figure]:
        """All figures in order."""
        for section in self.sections:
            yield from (block for block in section.blocks if isinstance(block, Figure))

    def labels(self) -> dict[str, str]:
        """What sections, tables and figures are called in the text: ``table-models`` -> ``Table 3``."""
        return dict(self._anchors())

    def _anchors(self) -> Iterator[tuple[str, str]]:
        parts: tuple[tuple[str, Iterable[Section | Table | Figure]], ...] = (
            ("section", self.sections),
            ("table", self.tables()),
            ("figure", self.figures()),
        )
        for kind, ones in parts:
            yield from ((f"{kind}-{one.key}", f"{kind.capitalize()} {n}") for n, one in enumerate(ones, start=1))

    def table(self, key: str) -> Table:
        """The table of that name.

        Raises
        ------
        KeyError
            If there is none.
        """
        for table in self.tables():
            if table.key == key:
                return table
        raise KeyError(key)
