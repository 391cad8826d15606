"""Values that look like codes for missing ones: what the file declares, what its labels say, what lies far outside."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from dyadline.data.number_text import MISSING
from dyadline.data.recognition.naming import word_list
from dyadline.data.table import Declared, Table
from dyadline.plan.columns import Label

_HIGH = (9.0, 77.0, 88.0, 97.0, 98.0, 99.0, 777.0, 888.0, 997.0, 998.0, 999.0, 8888.0, 9999.0, 99999.0)
_LOW = (-1.0, -2.0, -7.0, -8.0, -9.0, -66.0, -77.0, -88.0, -99.0, -777.0, -888.0, -999.0, -9999.0)
_TEXTS = frozenset(word_list(". - -- ? n/a n.a. n.a na #n/a nan null none missing k.a. k.a ka mangler fehlend fehlt x"))
_MEANS_MISSING = re.compile(
    r"(?i)\b(missing|no (answer|response|data)|not (answered|applicable|available|given)|n/?a|refus\w*|unknown|"
    r"don.?t know|keine (angabe|antwort)|k\.?\s?a\.?|fehl\w*|wei(ß|ss) nicht|nicht (beantwortet|ausgefüllt)|"
    r"ikke (besvart|svart|aktuelt)|ubesvart|mangler\w*|vet ikke)(\b|$)"
)
MANY = 3
"""Columns that hold the same, from which on a code of more of them is taken for one of all."""

GAP = 0.4
"""A two-digit code lies at least this share of the other values' range above them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspect:
    """A value that is taken for a missing one.

    Attributes
    ----------
    code
        Number, or text among numbers.
    count
        How often the column has it.
    why
        In a few words.
    """

    code: Label
    count: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleaned:
    """Numbers of a column without codes for missing ones.

    Attributes
    ----------
    values
        Float64, (n,), with null for missing ones.
    whole
        Whether all are whole numbers.
    """

    values: pl.Series
    whole: bool

    @property
    def low(self) -> float:
        return float(self.values.min())  # type: ignore[arg-type]

    @property
    def high(self) -> float:
        return float(self.values.max())  # type: ignore[arg-type]


def suspects(table: Table, pools: Sequence[Sequence[str]], labels_of: set[str]) -> dict[str, tuple[Suspect, ...]]:
    """Undeclared codes for missing values, by column.

    Parameters
    ----------
    table
        As it was read.
    pools
        Columns that hold the same, so that one tells what the other's values mean.
    labels_of
        Columns of labels and times, in which no number is out of range.
    """
    found: dict[str, list[Suspect]] = {}
    for pool in pools:
        columns = [name for name in pool if name not in labels_of]
        raw = {name: numbers for name in columns if (numbers := _numbers(table, name)) is not None}
        for name in raw:
            for text, count in _texts(table.frame[name]):
                found.setdefault(name, []).append(Suspect(code=text, count=count, why="text among numbers"))
        for name, numbers in raw.items():
            for code, meaning in table.value_labels.get(name, {}).items():
                count = int((numbers == code).sum()) if isinstance(code, int | float) else 0
                if count and _MEANS_MISSING.search(meaning):
                    found.setdefault(name, []).append(
                        Suspect(code=float(code), count=count, why=f"labelled {meaning.strip()!r}")
                    )
        if not raw:
            continue
        labelled = {float(s.code) for name in raw for s in found.get(name, []) if not isinstance(s.code, str)}
        together = pl.concat([numbers.drop_nulls() for numbers in raw.values()])
        counts = together.filter(~together.is_in(list(labelled))).value_counts()
        meant = {float(code) for name in raw for code in table.value_labels.get(name, {}) if not isinstance(code, str)}
        for code, why in _outside(sorted(counts.to_series(0).to_list()), several=len(raw) > 2):
            if code in meant:
                continue  # its label says that it is an answer
            times = {name: int((numbers == code).sum()) for name, numbers in raw.items()}
            # What is no answer in many of them is none in the others: the plan has one pattern for all.
            everywhere = sum(map(bool, times.values())) > MANY
            for name, count in times.items():
                if count or everywhere:
                    found.setdefault(name, []).append(Suspect(code=code, count=count, why=why))
    return {name: tuple(each) for name, each in found.items()}


def cleaned(table: Table, name: str, codes: Sequence[Suspect]) -> Cleaned | None:
    """Numbers of a column without declared and suspected codes; None if it has none, or has other text."""
    numbers = _numbers(table, name)
    if numbers is None:
        return None
    out = [float(s.code) for s in codes if not isinstance(s.code, str)]
    numbers = pl.select(pl.when(~numbers.is_in(out)).then(numbers)).to_series()
    there = numbers.drop_nulls()
    return Cleaned(values=numbers, whole=bool((there == there.round()).all())) if len(there) else None


def _numbers(table: Table, name: str) -> pl.Series | None:
    """Finite numbers, declared codes left out; None for other kinds of columns and for text."""
    column = table.frame[name]
    if column.dtype.is_numeric() or column.dtype == pl.Boolean:
        numbers = column.cast(pl.Float64, strict=False)
    elif column.dtype == pl.String:
        text = column.str.strip_chars()
        known = text.is_null() | text.is_in(MISSING)
        numbers = text.cast(pl.Float64, strict=False)
        other = (~known & numbers.is_null()).fill_null(False)
        codes = {code for code, _ in _texts(column)}
        if (other & ~text.is_in(list(codes)).fill_null(False)).any():
            return None
    else:
        return None
    numbers = pl.select(pl.when(numbers.is_finite()).then(numbers)).to_series()
    declared = table.declared.get(name, Declared())
    out = numbers.is_in([float(code) for code in declared.codes if not isinstance(code, str)])
    for low, high in declared.ranges:
        out = out | numbers.is_between(low, high)
    return pl.select(pl.when(~out).then(numbers)).to_series()


def _texts(column: pl.Series) -> list[tuple[str, int]]:
    """Texts that stand for a missing number, where nearly all other values are numbers."""
    if column.dtype != pl.String:
        return []
    text = column.str.strip_chars()
    there = text.filter(text.is_not_null() & ~text.is_in(MISSING))
    other = there.filter(there.cast(pl.Float64, strict=False).is_null() | there.str.to_lowercase().is_in(["nan"]))
    kinds = other.unique(maintain_order=True).to_list()
    if not kinds or len(kinds) > 5 or 2 * len(other) > len(there):
        return []
    known = all(kind.casefold() in _TEXTS or _MEANS_MISSING.fullmatch(kind) for kind in kinds)
    return [(kind, int((other == kind).sum())) for kind in kinds] if known else []


def _outside(values: Sequence[float], *, several: bool) -> list[tuple[float, str]]:
    """Codes among the sorted different values, with the reason."""
    found: list[tuple[float, str]] = []
    rest = list(values)
    while len(rest) > 2 and rest[-1] in _HIGH:
        low, high, code = rest[0], rest[-2], rest[-1]
        others = [value for value in rest if value not in _HIGH]
        if others:
            low, high = others[0], others[-1]
        # A lone 9 is a code only beside items, whose answers leave no gap.
        answers = several and others == [float(n) for n in range(int(low), int(high) + 1)] and high <= 7
        if not (answers if code == 9 else code - high >= max(10.0, GAP * (high - low))):
            break
        found.append((code, f"the other values go from {low:g} to {high:g}"))
        rest.pop()
    while len(rest) > 2 and rest[0] in _LOW:
        others = [value for value in rest if value not in _LOW]
        if not others or others[0] < 0:
            break
        found.append((rest[0], f"the other values go from {others[0]:g} to {others[-1]:g}"))
        rest.pop(0)
    return found


def by_column(
    columns: Sequence[str], codes: Mapping[str, Sequence[Suspect]], table: Table
) -> dict[str, tuple[Label, ...]]:
    """What a plan writes: codes by column, one pattern for many columns where it fits no others.

    A column that is named here loses the codes that the file declares, so that they are named again.
    """
    wanted: dict[tuple[Label, ...], list[str]] = {}
    for name in columns:
        if not codes.get(name):
            continue
        declared = table.declared.get(name, Declared())
        ranges = [f"{low:g} to {high:g}" for low, high in declared.ranges if abs(low) != float("inf") != abs(high)]
        own = tuple(dict.fromkeys([*(s.code for s in codes[name]), *declared.codes, *ranges]))
        wanted.setdefault(own, []).append(name)
    written: dict[str, tuple[Label, ...]] = {}
    for own, names in wanted.items():
        pattern = _pattern(names, table.frame.columns)
        alike: dict[str, list[str]] = {}
        for name in names:
            alike.setdefault("" if pattern else re.sub(r"\d+", "#", name), []).append(name)
        for group in alike.values():
            pattern = _pattern(group, table.frame.columns)
            written.update({pattern: own} if pattern else dict.fromkeys(group, own))
    return written


def _pattern(names: Sequence[str], columns: Sequence[str]) -> str | None:
    """A pattern with one star that fits these columns and no others."""
    if len(names) < 3:
        return None
    start, end = _shared(names), _shared([name[::-1] for name in names])[::-1]
    start = re.sub(r"\d+$", "", start)
    end = re.sub(r"^\d+", "", end)
    if any(sign in start + end for sign in "*?["):
        return None
    fitting = {c for c in columns if c.startswith(start) and c.endswith(end) and len(c) > len(start + end)}
    return f"{start}*{end}" if start and fitting == set(names) else None


def _shared(names: Sequence[str]) -> str:
    first, last = min(names), max(names)
    return first[: next((n for n, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))]
