"""How wide things will be in Latin Modern, in em: enough to choose sizes and to break headings beforehand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dyadline.report.document import Cell, Table
from dyadline.report.numbers import words
from dyadline.report.writers.alignment import padding
from dyadline.report.writers.characters import clusters, spaced
from dyadline.report.writers.latex_text import LONG_WORD, is_foreign, pieces

_CLASSES = {"ijl.,;:'!|": 0.28, "()[]frts-–−": 0.4, "mwMW—": 0.9, "ABCDEFGHJKLNOPQRSTUVXYZ%&@+=<>×": 0.76, " ": 0.34}
_WIDTHS = {c: width for letters, width in _CLASSES.items() for c in letters} | {"−": 0.78}
_PRINTED, _FOREIGN, _BOLD = 0.56, 4.2, 1.15

WORDS = 12.0
"""The widest words in a column of numbers."""

APART = 0.6
"""Extra space before the columns under each heading over several, in em."""

_STUB, _TEXT, _HEAD, _LEAST = 17.0, 12.0, 4.5, 6.0
"""Room that row labels and texts are given before a smaller size is tried; headings of numbers; the least of each."""

_SNUG = 0.7
"""Share of that room with which words make do rather than have the page turned."""

_GAPS = {10: 0.5, 9: 0.4, 8: 0.3}
"""Type sizes in points -> half the space between two columns in em."""

_LAST_GAP = 0.3
_LAST_SIZES = (7, 6, 5, 4, 3, 2)
"""Only for what has no room otherwise."""

_EM = {10: 10.0, 9: 9.25, 8: 8.5, 7: 7.97, 6: 7.33, 5: 6.8, 4: 5.44, 3: 4.08, 2: 2.72}
"""Type sizes -> their em in points: small type is wider."""

_UPRIGHT, _SIDEWAYS = 455.0, 702.0
"""Width of the text in points, on A4 as it stands and turned."""


def width(text: str, *, bold: bool = False) -> float:
    """Width of a text on one line."""
    total = sum(_FOREIGN * len(c) if is_foreign(c) else _WIDTHS.get(c[0], _PRINTED) for c in clusters(text))
    return total * (_BOLD if bold else 1.0)


def lines(text: str, room: float) -> list[str]:
    """A text in lines that are no wider than the room, where its words can be broken so."""
    done, held = [], ""
    for word in spaced(text).split(" "):
        for k, piece in enumerate(pieces(word, longest=longest_whole(word, room))):
            joined = f"{held} {piece}" if held and not k else held + piece
            if held and width(joined) > room:
                done.append(held)
                joined = piece
            held = joined
    return [*done, held]


def longest_whole(text: str, room: float) -> int:
    """Letters of the longest word of a text that stays whole on lines of so much room."""
    fits = all(width(word) <= room for word in spaced(text).split(" "))
    return LONG_WORD if fits else max(4, int(room / 0.6))


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How a table is set.

    Attributes
    ----------
    points, gap
        Type size, and half the space between columns in em.
    widths
        Of the stub and of each column in em.
    breaks
        Whether its lines are broken at this width: those of words are, numbers take what they need.
    heads
        Each heading in lines.
    rows
        Lines of each row.
    width
        Of all in em.
    sideways
        Whether the page is turned.
    """

    points: int
    gap: float
    widths: tuple[float, ...]
    breaks: tuple[bool, ...]
    heads: tuple[list[str], ...]
    rows: tuple[int, ...]
    width: float
    sideways: bool


def layout(table: Table) -> Layout:
    """The largest type in which a table has room, upright before sideways; the smallest if it has none anywhere."""
    needs = _needs(table)
    upright = [(points, False, needs.wanted) for points in _GAPS]
    turned = [(points, True, needs.wanted) for points in _GAPS]
    smallest = [(points, True, needs.least) for points in _LAST_SIZES]
    for points, sideways, needed in (*upright, (min(_GAPS), False, needs.snug), *turned, *smallest):
        room = _room(table, points, sideways=sideways)
        if needed <= room:
            break
    return needs.given(table, room, points=points, sideways=sideways)


def _room(table: Table, points: int, *, sideways: bool) -> float:
    """What the spaces between columns leave of the line, in em."""
    line = (_SIDEWAYS if sideways else _UPRIGHT) / _EM[points]
    return line - 2 * _GAPS.get(points, _LAST_GAP) * len(table.columns) - APART * len(table.spanners) - 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class _Needs:
    """Widths on one line of stub and columns, what is wanted of them, and which of them can be broken."""

    natural: list[float]
    wants: list[float]
    breaks: list[bool]
    heads: tuple[list[str], ...]

    @property
    def wanted(self) -> float:
        return sum(self.wants)

    @property
    def snug(self) -> float:
        return sum(_SNUG * w if b else w for w, b in zip(self.wants, self.breaks, strict=True))

    @property
    def least(self) -> float:
        return sum(min(w, _LEAST) if b else w for w, b in zip(self.wants, self.breaks, strict=True))

    def given(self, table: Table, room: float, *, points: int, sideways: bool) -> Layout:
        gap, widths = _GAPS.get(points, _LAST_GAP), list(self.wants)
        spare = room - self.wanted
        lacks = [n - w if b else 0.0 for n, w, b in zip(self.natural, widths, self.breaks, strict=True)]
        if spare < 0:
            least = [min(w, _LEAST) if b else w for w, b in zip(widths, self.breaks, strict=True)]
            over = [w - m for w, m in zip(widths, least, strict=True)]
            share = min(1.0, -spare / sum(over)) if sum(over) else 0.0
            widths = [w - share * o for w, o in zip(widths, over, strict=True)]
        elif sum(lacks):
            share = min(1.0, spare / sum(lacks))
            widths = [w + share * lack for w, lack in zip(widths, lacks, strict=True)]
        return Layout(
            points=points,
            gap=gap,
            widths=tuple(widths),
            breaks=tuple(self.breaks),
            heads=self.heads,
            rows=tuple(_lines_of_rows(table, widths)),
            width=sum(widths) + 2 * gap * len(table.columns) + APART * len(table.spanners),
            sideways=sideways,
        )


def _needs(table: Table) -> _Needs:
    labels = [r.label for r in table.rows()]
    indent = 1.0 if any(g.label for g in table.groups) else 0.0
    natural = [max(map(width, [table.stub, *labels]), default=0.0) + indent + 0.4]
    wants, breaks, heads = [min(natural[0], _STUB)], [True], [[table.stub]]
    pads = padding(table)
    for c, column in enumerate(table.columns):
        cells = [
            _cell_width(cell, pads[r][c], broken=column.align == "number")
            for r, row in enumerate(table.rows())
            if (cell := row.cells[c]) is not None
        ]
        widest = max(cells, default=0.0)
        if column.align == "text":
            natural.append(max(widest, width(column.label)) + 0.4)
            wants.append(min(natural[-1], _TEXT))
            heads.append([column.label])
        else:
            longest = max(map(width, spaced(column.label).split(" ")))
            heads.append(lines(column.label, max(widest, min(longest, 2 * _HEAD), _HEAD)))
            natural.append(max(widest, *map(width, heads[-1])))
            wants.append(natural[-1])
        breaks.append(column.align == "text")
    _widen_for_spanners(table, wants)
    return _Needs(natural=natural, wants=wants, breaks=breaks, heads=tuple(heads))


def _cell_width(cell: Cell, pad: str, *, broken: bool) -> float:
    said = words(cell)
    parts = lines(said, WORDS) if broken and isinstance(cell.value, str) else [said + pad]
    return max(width(part, bold=cell.strong) for part in parts)


def _widen_for_spanners(table: Table, wants: list[float]) -> None:
    """Where the longest word over some columns is wider than they are, the last of them takes the rest."""
    at = 1
    for spanner in table.spanners:
        longest = max(
            width(piece)
            for text in (spanner.label, spanner.words)
            for word in spaced(text).split(" ")
            for piece in pieces(word)
        )
        wants[at + spanner.columns - 1] += max(0.0, longest - sum(wants[at : at + spanner.columns]))
        at += spanner.columns


def _lines_of_rows(table: Table, widths: Sequence[float]) -> list[int]:
    counted = []
    for row in table.rows():
        texts = [row.label, *("" if cell is None else words(cell) for cell in row.cells)]
        counted.append(max(len(lines(text, room)) for text, room in zip(texts, widths, strict=True)))
    return counted
