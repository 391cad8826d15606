"""Columns as numbers, without the codes that stand for missing ones, declared or suspected."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from dyadline.data.missing import apply_missing, plan_code
from dyadline.data.number_text import MISSING
from dyadline.data.recognition.naming import word_list
from dyadline.data.suspects import Suspect, says_missing, suspects
from dyadline.data.table import Declared, Table
from dyadline.plan.columns import Label, MissingSection

MANY = 3
"""Columns that hold the same, from which on a code of more of them is taken for one of all."""

_TEXTS = frozenset(word_list(". - -- ? n/a n.a. n.a na #n/a nan null none k.a ka mangler x"))


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


def cleaned_columns(
    table: Table, pools: Sequence[Sequence[str]], labels_of: set[str]
) -> tuple[dict[str, Cleaned], dict[str, tuple[Suspect, ...]]]:
    """Columns of numbers, and the undeclared codes for missing values that were taken from them, both by column.

    Parameters
    ----------
    table
        As it was read.
    pools
        Columns that hold the same, so that one tells what the other's values mean.
    labels_of
        Columns of labels and times, in which no number is out of range.
    """
    table = apply_missing(table, MissingSection(), measured=())
    names = [name for pool in pools for name in pool]
    texts = {name: _texts(table.frame[name]) for name in names}
    numbers = {name: n for name in names if (n := _numbers(table.frame[name], texts[name])) is not None}
    found: dict[str, list[Suspect]] = {
        name: [Suspect(code=text, columns={name: count}, why="is text among numbers") for text, count in each.items()]
        for name, each in texts.items()
        if each and name not in labels_of
    }
    for suspect in suspects(table, numbers, [[name for name in pool if name not in labels_of] for pool in pools]):
        # What is no answer in many of them is none in the others: the plan has one pattern for all.
        own = list(suspect.columns)
        alike = next((pool for pool in pools if own[0] in pool), own) if len(own) > MANY else own
        for name in alike:
            if name in numbers and suspect.code not in texts[name]:
                found.setdefault(name, []).append(suspect)
    without = {}
    for name, column in numbers.items():
        out = [float(s.code) for s in found.get(name, ()) if not isinstance(s.code, str)]
        left = pl.select(pl.when(~column.is_in(out)).then(column)).to_series()
        if len(there := left.drop_nulls()):
            without[name] = Cleaned(values=left, whole=bool((there == there.round()).all()))
    return without, {name: tuple(each) for name, each in found.items()}


def _numbers(column: pl.Series, codes: Mapping[str, int]) -> pl.Series | None:
    """Finite numbers; None for other kinds of columns and for text other than codes."""
    if column.dtype.is_numeric() or column.dtype == pl.Boolean:
        numbers = column.cast(pl.Float64, strict=False)
    elif column.dtype == pl.String:
        text = column.str.strip_chars()
        numbers = text.cast(pl.Float64, strict=False)
        known = text.is_null() | text.is_in([*MISSING, *codes])
        if (~known & numbers.is_null()).fill_null(False).any():
            return None
    else:
        return None
    return pl.select(pl.when(numbers.is_finite()).then(numbers)).to_series()


def _texts(column: pl.Series) -> dict[str, int]:
    """Texts that stand for a missing number, where nearly all other values are numbers, and how often."""
    if column.dtype != pl.String:
        return {}
    text = column.str.strip_chars()
    there = text.filter(text.is_not_null() & ~text.is_in(MISSING))
    other = there.filter(there.cast(pl.Float64, strict=False).is_null() | there.str.to_lowercase().is_in(["nan"]))
    kinds = other.unique(maintain_order=True).to_list()
    if not kinds or len(kinds) > 5 or 2 * len(other) > len(there):
        return {}
    known = all(kind.casefold() in _TEXTS or says_missing(kind) for kind in kinds)
    return {kind: int((other == kind).sum()) for kind in kinds} if known else {}


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
        ranges = [plan_code(Declared(ranges=(ends,))) for ends in declared.ranges]
        own = tuple(dict.fromkeys([*(s.code for s in codes[name]), *declared.codes, *ranges]))
        wanted.setdefault(own, []).append(name)
    written: dict[str, tuple[Label, ...]] = {}
    for own, names in wanted.items():
        every = table.frame.columns
        pattern = _pattern(names, every)
        alike: dict[str, list[str]] = {}
        for name in names:
            alike.setdefault("" if pattern else re.sub(r"\d+", "#", name), []).append(name)
        for group in alike.values():
            # A pattern may fit bdi_pre as well, where that has none of the codes.
            touched = [c for c in every if c in group or not _untouched(table, c, own)]
            pattern = _pattern(group, every) or _pattern(group, touched)
            written.update({pattern: own} if pattern else dict.fromkeys(group, own))
    return written


def _untouched(table: Table, name: str, codes: Sequence[Label]) -> bool:
    """Whether a pattern may fit this column as well, because it has none of the codes."""
    if name in table.declared or any(isinstance(code, str) for code in codes):
        return False
    numbers = _numbers(table.frame[name], {})
    return numbers is not None and not numbers.is_in([float(code) for code in codes]).any()


def _pattern(names: Sequence[str], columns: Sequence[str]) -> str | None:
    """A pattern with one star that fits these of the columns and no others."""
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
