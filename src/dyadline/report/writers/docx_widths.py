"""How wide text is in Times, to give each column of a table its room before any page is laid out.

References
----------
Adobe Systems. (1990). Times-Roman font metrics. Times New Roman and Liberation Serif have the same.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from dyadline.report.document import Table
from dyadline.report.numbers import words
from dyadline.report.writers.alignment import padding

_LETTERS: Final = {
    letter: thousandths
    for thousandths, letters in {
        200: "|",
        180: "'",
        250: " ,.",
        278: "/:;\\ijlt",
        333: "!()-I[]`fr",
        389: "Js",
        408: '"',
        444: "?acez",
        469: "^",
        480: "{}",
        500: "#$*0123456789_bdghknopquvxy–",
        541: "~",
        556: "FPS",
        564: "+<=>−×",
        611: "ELTZ",
        667: "BCR",
        722: "ADGHKNOQUVXYw",
        778: "&m",
        833: "%",
        889: "M",
        921: "@",
        944: "W",
        1000: "—",
    }.items()
    for letter in letters
}
_OTHER, _BROAD = 667, 1000
_SLACK = 1.04
"""Of text in bold or in a font that is not quite Times."""

PORTRAIT, LANDSCAPE = 453.5, 700.1
"""Width of the text in points: A4 with margins of 25 mm."""

GAP = 6.0
"""Between columns, in points: the cells' margins of the table style."""

SIZES: Final = (10.0, 9.5, 9.0, 8.5, 8.0, 7.5, 7.0, 6.5, 6.0)
"""Sizes of type for tables, in points; each has its style."""

_READABLE = 8.0
_SMALLEST_WHOLE, _SMALLEST_WHOLE_SIDEWAYS = 9.0, 7.5
"""Sizes down to which type gets smaller so that a table is not split."""
_HEIGHT, _HEIGHT_SIDEWAYS = 430.0, 450.0
"""Points that a table may take and not be split: more would leave too much of the page before it empty.

A page that is turned for a table holds nothing else but the heading of its section.
"""

_WIDEST_GAP = 24.0
_WORD, _LINE = 9.0, 12.0
"""In em: a word up to that length is not broken, and a column of longer text not narrower."""


def text_width(text: str, size: float) -> float:
    """Points that a line of Times takes."""
    thousandths = sum(_LETTERS.get(c, _BROAD if unicodedata.east_asian_width(c) in "WF" else _OTHER) for c in text)
    return thousandths * size / 1000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where a table goes and what room its columns have.

    Attributes
    ----------
    landscape
        Whether it needs a page turned sideways.
    size
        Size of its type in points.
    widths
        Of row labels and columns, in points, with the gaps.
    whole
        Whether it stays on one page with its caption and note.
    """

    landscape: bool
    size: float
    widths: tuple[float, ...]
    whole: bool


def layout(table: Table) -> Layout:
    """The largest type at which a table fits its page; only if none does are words broken.

    A table that is a little too high for that is set in smaller type, down to the readable, rather than split.
    """
    upright = None if table.wide else _fitted(table, landscape=False)
    sideways = upright or _fitted(table, landscape=True)
    if sideways is not None:
        return sideways
    least, _ = _needs(table, SIZES[-1])
    widths = tuple(width * LANDSCAPE / sum(least) for width in least)
    return Layout(landscape=True, size=SIZES[-1], widths=widths, whole=False)


def _fitted(table: Table, *, landscape: bool) -> Layout | None:
    """As large as the page allows without breaking a number or a short word."""
    room, height, smallest = PORTRAIT, _HEIGHT, _SMALLEST_WHOLE
    if landscape:
        room, height, smallest = LANDSCAPE, _HEIGHT_SIDEWAYS, _SMALLEST_WHOLE_SIDEWAYS
    largest = None
    for size in SIZES:
        if size < _READABLE and not landscape:
            break
        least, natural = _needs(table, size)
        if sum(least) > room:
            continue
        widths = _shared(least, natural, room)
        whole = _height(table, widths, size, room) <= height
        found = Layout(landscape=landscape, size=size, widths=widths, whole=whole)
        if whole and (largest is None or size >= smallest):
            return found
        largest = largest or found
        if size <= smallest:
            break
    return largest


def _height(table: Table, widths: Sequence[float], size: float, room: float) -> float:
    """Points that a table takes with caption and note, nearly."""
    line = 1.15 * size + 2.0
    lines = [_lines(row.label, widths[0] - 1.8 * size, size) for row in table.rows()]
    for c, column in enumerate(table.columns):
        if column.align == "text":
            texts = (words(cell) if (cell := row.cells[c]) is not None else "" for row in table.rows())
            lines = [max(n, _lines(text, widths[c + 1], size)) for n, text in zip(lines, texts, strict=True)]
    heads = max(_lines(column.label, width, size) for column, width in zip(table.columns, widths[1:], strict=True))
    heads += 1 + any(spanner.words for spanner in table.spanners) if table.spanners else 0
    groups = sum(bool(group.label) for group in table.groups)
    note = sum(len(part) if isinstance(part, str) else 6 for part in table.note)
    caption = 14.5 * (1 + _lines(table.caption, room, 11.0)) + 19.0
    return caption + line * (sum(lines) + heads + groups) + 4.0 * groups + 10.4 * (note * 3.9 / room + 2.0)


def _lines(text: str, width: float, size: float) -> int:
    """Lines that a text takes in a cell of that width."""
    return max(1, math.ceil(text_width(text, size) / max(width - GAP, size)))


def _needs(table: Table, size: float) -> tuple[list[float], list[float]]:
    """Least and natural width of row labels and columns."""
    grouped = any(group.label for group in table.groups)
    labels = [row.label for row in table.rows()]
    columns = [_text_needs([table.stub, *labels], size, indent=size if grouped else 0.0)]
    missing = padding(table)
    for c, column in enumerate(table.columns):
        said = [
            words(cell) + lacks[c]
            for row, lacks in zip(table.rows(), missing, strict=True)
            if (cell := row.cells[c]) is not None
        ]
        if column.align == "text":
            columns.append(_text_needs([column.label, *said], size))
            continue
        numbers = max((text_width(text, size) for text in said), default=0.0)
        columns.append(
            (
                max(numbers, _longest_word([column.label], size)),
                max(numbers, min(text_width(column.label, size), 8.0 * size)),
            )
        )
    least, natural = ([pair[which] * _SLACK + GAP for pair in columns] for which in (0, 1))
    _widen_for_spanners(table, least, size)
    return least, [max(pair) for pair in zip(least, natural, strict=True)]


def _text_needs(texts: Sequence[str], size: float, *, indent: float = 0.0) -> tuple[float, float]:
    longest = max(text_width(text, size) for text in texts) + indent
    return min(longest, max(_longest_word(texts, size) + indent, _LINE * size)), longest


def _longest_word(texts: Sequence[str], size: float) -> float:
    longest = max((text_width(word, size) for text in texts for word in text.split()), default=0.0)
    return min(longest, _WORD * size)


def _widen_for_spanners(table: Table, least: list[float], size: float) -> None:
    """Room for the longest word of a heading over several columns."""
    start = 1
    for spanner in table.spanners:
        inside = range(start, start + spanner.columns)
        missing = _longest_word([spanner.label, spanner.words], size) + GAP - sum(least[c] for c in inside)
        for c in inside:
            least[c] += max(0.0, missing) / spanner.columns
        start += spanner.columns


def _shared(least: Sequence[float], natural: Sequence[float], room: float) -> tuple[float, ...]:
    """Room beyond the least goes first to those that want little, long text gets more but not all.

    What nobody wants goes to all, up to a bearable gap.
    """
    widths, spare = list(least), room - sum(least)
    wanted = {c: n - m for c, (m, n) in enumerate(zip(least, natural, strict=True)) if n > m}
    for c in sorted(wanted, key=wanted.__getitem__):
        share = math.sqrt(wanted[c]) / sum(map(math.sqrt, wanted.values()))
        given = min(wanted.pop(c), spare * share)
        widths[c] += given
        spare -= given
    each = min(_WIDEST_GAP, spare / len(widths))
    return tuple(width + each for width in widths)
