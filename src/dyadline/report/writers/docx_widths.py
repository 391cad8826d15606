"""How wide text is in Times, to give each column of a table its room before any page is laid out.

References
----------
Adobe Systems. (1990). Times-Roman font metrics. Times New Roman and Liberation Serif have the same.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from dyadline.report.document import Table
from dyadline.report.numbers import words

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
    """

    landscape: bool
    size: float
    widths: tuple[float, ...]


def layout(table: Table) -> Layout:
    """The largest type at which a table fits its page; only if none does are words broken."""
    for landscape in (False, True):
        room = LANDSCAPE if landscape else PORTRAIT
        if table.wide and not landscape:
            continue
        for size in SIZES:
            if size < _READABLE and not landscape:
                break
            least, natural = _needs(table, size)
            if sum(least) <= room:
                return Layout(landscape=landscape, size=size, widths=_shared(least, natural, room))
    least, _ = _needs(table, SIZES[-1])
    widths = tuple(width * LANDSCAPE / sum(least) for width in least)
    return Layout(landscape=True, size=SIZES[-1], widths=widths)


def _needs(table: Table, size: float) -> tuple[list[float], list[float]]:
    """Least and natural width of row labels and columns."""
    grouped = any(group.label for group in table.groups)
    labels = [row.label for row in table.rows()]
    columns = [_text_needs([table.stub, *labels], size, indent=size if grouped else 0.0)]
    for c, column in enumerate(table.columns):
        said = [words(cell) for row in table.rows() if (cell := row.cells[c]) is not None]
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
    """Room beyond the least: first to those that want little, and what nobody wants to all, up to a bearable gap."""
    widths, spare = list(least), room - sum(least)
    order = sorted(range(len(widths)), key=lambda c: natural[c] - least[c])
    for place, c in enumerate(order):
        given = min(natural[c] - least[c], spare / (len(order) - place))
        widths[c] += given
        spare -= given
    each = min(_WIDEST_GAP, spare / len(widths))
    return tuple(width + each for width in widths)
