"""What a file shows of itself before any plan: words, numbers, dates, families of columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import polars as pl

from dyadline.data.number_text import MISSING
from dyadline.data.recognition.families import Family, families
from dyadline.data.recognition.naming import DYAD, THERAPIST, TIME, named, word_list, words
from dyadline.data.recognition.numbers import Cleaned, cleaned_columns
from dyadline.data.suspects import Suspect
from dyadline.data.table import Table
from dyadline.plan.columns import ITEM as ITEM_PLACE
from dyadline.plan.columns import TIME as TIME_PLACE

_CLOCK = r"(?:[T ]+\d{1,2}:\d{2}.*)?$"
_DATE_SHAPES = {
    "%Y-%m-%d": r"^\d{4}([-/.])\d{1,2}[-/.]\d{1,2}" + _CLOCK,
    "%d.%m.%Y": r"^\d{1,2}\.\d{1,2}\.(?:\d{4}|\d{2})" + _CLOCK,
    "": r"^(\d{1,2})[-/](\d{1,2})[-/](?:\d{4}|\d{2})" + _CLOCK,
}
_FILLER = frozenset(word_list("the of a an and der die das des und for av og til i at in on total score rating"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """The column that a role may have.

    Attributes
    ----------
    role
        A key of the plan's ``[columns]``; of another section with its name, as in ``"checks.date"``.
    column
        Name in the file, or None where nothing fits; a pattern for several columns.
    reason
        Why, in a few words.
    alternatives
        Further columns that would fit, best first.
    """

    role: str
    column: str | None
    reason: str
    alternatives: tuple[str, ...] = ()


class Evidence:
    """The columns of a table that still may play a role, with what their names and values say."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.frame = table.frame
        # A name with braces would be read as a pattern.
        self.names = [
            name
            for name in self.frame.columns
            if name and not self.frame[name].dtype.is_nested() and TIME_PLACE not in name and ITEM_PLACE not in name
        ]
        self.words = {name: words(name) for name in self.names}
        self.labels = {name: label for name, label in table.labels.items() if name in self.words}
        pools = [family.columns for family in families(self.names, self.labels, by_word=False)]
        self.numbers: dict[str, Cleaned]
        self.suspects: dict[str, tuple[Suspect, ...]]
        self.numbers, self.suspects = cleaned_columns(table, pools, self._of_labels())

    def _of_labels(self) -> set[str]:
        kinds = (DYAD, THERAPIST, TIME)
        return {name for name, spoken in self.words.items() if any(named(spoken, kind) is not None for kind in kinds)}

    def without(self, *names: str | None) -> Evidence:
        left = object.__new__(Evidence)
        left.__dict__.update(self.__dict__)
        left.names = [name for name in self.names if name not in names]
        return left

    @property
    def numeric(self) -> list[str]:
        return [name for name in self.names if name in self.numbers]

    def named(self, known: Sequence[str]) -> list[str]:
        """Columns whose name is made of known words, those named first in `known` first; then those labelled so."""
        rank = {name: place for name in self.names if (place := named(self.words[name], known)) is not None}
        by_name = sorted(rank, key=lambda name: rank[name])
        said = {}
        for name in self.names:
            spoken = [word for word in words(self.labels.get(name, "")) if word not in _FILLER]
            if name not in rank and (place := named(spoken, known)) is not None:
                said[name] = place
        return by_name + sorted(said, key=lambda name: said[name])

    def constant_within(self, dyad: str | None) -> tuple[str, ...]:
        """Columns with one value in all rows of each dyad; none where no dyad has two rows."""
        if dyad is None or self.frame[dyad].drop_nulls().is_unique().all():
            return ()
        groups = self.frame.filter(pl.col(dyad).is_not_null()).group_by(pl.col(dyad))
        most = groups.agg(pl.col(self.names).drop_nulls().n_unique()).select(pl.col(self.names).max())
        return tuple(name for name in self.names if most[name].item() == 1)

    def families(self, *, by_word: bool) -> tuple[Family, ...]:
        return families(self.names, self.labels, by_word=by_word)

    def is_date(self, name: str) -> bool:
        return self.frame[name].dtype.is_temporal() or self.date_format(name) is not None

    def date_format(self, name: str) -> str | None:
        """How dates are written in a text column: a format, ``""`` where day and month cannot be told, else None."""
        column = self.frame[name]
        if column.dtype != pl.String:
            return None
        text = column.str.strip_chars()
        text = text.filter(text.is_not_null() & ~text.is_in(MISSING))
        for written, shape in _DATE_SHAPES.items():
            fitting = text.filter(text.str.contains(shape))
            if not len(fitting) or len(fitting) < 0.9 * len(text):
                continue
            if written:
                return written
            first, second = (
                fitting.str.extract(r"^(\d{1,2})[-/](\d{1,2})", group).cast(pl.Int64).max() for group in (1, 2)
            )
            sign = "/" if fitting.str.contains("/").all() else "-"
            year = "%Y" if fitting.str.contains(r"[-/]\d{4}").all() else "%y"
            if first > 12 >= second:  # type: ignore[operator]
                return f"%d{sign}%m{sign}{year}"
            if second > 12 >= first:  # type: ignore[operator]
                return f"%m{sign}%d{sign}{year}"
            return ""
        return None

    def spread(self, columns: Iterable[str]) -> tuple[float, float] | None:
        """Lowest and highest number in some columns, codes for missing values left out."""
        there = [self.numbers[name] for name in columns if name in self.numbers]
        return (min(n.low for n in there), max(n.high for n in there)) if there else None

    def answers(self, columns: Sequence[str]) -> tuple[float, float] | None:
        """Lowest and highest answer that the value labels of all these columns name alike."""
        given = []
        for name in columns:
            codes = [float(c) for c in self.table.value_labels.get(name, {}) if not isinstance(c, str)]
            out = {s.code for s in self.suspects.get(name, ())}
            declared = self.table.declared.get(name)
            if declared:
                out |= set(declared.codes)
                codes = [c for c in codes if not any(low <= c <= high for low, high in declared.ranges)]
            codes = [c for c in codes if c not in out]
            given.append((min(codes), max(codes)) if len(codes) > 1 else None)
        return given[0] if given and given[0] is not None and len(set(given)) == 1 else None

    def about(self, name: str) -> list[str]:
        """Words of the name and of the label."""
        return [*self.words[name], *words(self.labels.get(name, ""))]


def first(role: str, candidates: Sequence[str], reason: str, otherwise: str) -> Guess:
    """The best of the candidates, or none."""
    if not candidates:
        return Guess(role=role, column=None, reason=otherwise)
    return Guess(role=role, column=candidates[0], reason=reason, alternatives=tuple(candidates[1:]))
