"""Values that look like codes for missing ones, and that nobody declared."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import polars as pl

from dyadline.data.missing import code_text, label_of
from dyadline.data.table import Table
from dyadline.errors import Finding
from dyadline.words import SHOWN, counted, listed

_POSITIVE = (7, 8, 9, 66, 77, 88, 96, 97, 98, 99, 666, 777, 888, 996, 997, 998, 999, 7777, 8888, 9998, 9999, 99999)
CODES = (-1.0, -2.0, -3.0, *(float(sign * code) for code in _POSITIVE for sign in (1, -1)))
"""Numbers that questionnaires use for missing answers."""

WIDEST = 100.0
"""The widest range of ordinary values beside which a number may be a code."""

_WORDS = re.compile(
    r"n\.?\s?/?a\.?|k\.\s?a\.?|dk|missings?|unknown|.*\b(missing|refus(ed|al)|declined|unanswered|skipped"
    r"|(don'?t|don’t|do not|does not|doesn'?t) know|not (applicable|answered|asked|available|assessed|administered"
    r"|collected|stated|ascertained)|no (answer|response|data|information)"
    r"|keine (angaben?|antwort)|wei(ß|ss) nicht|verweigert|fehlend(e[rs]?)?|nicht (beantwortet|erhoben|anwendbar)"
    r"|vet (ikke|ej|inte)|(ikke|ej|inte) (besvart|besvaret|besvarat)|ubesvart|uoppgitt|manglende|uppgift saknas"
    r"|geen antwoord|weet niet|ontbreekt|ne sait pas|sans réponse|non[- ]réponse|manquante?"
    r"|no (sabe|contesta|responde)|perdido|non (so|risponde)|mancante)\b.*",
    re.IGNORECASE,
)


def suspects(table: Table, measured: Sequence[str] | None = None) -> tuple[Finding, ...]:
    """A warning for each value that may stand for a missing one and is not taken as such.

    Parameters
    ----------
    table
        After the codes that are known have become missing.
    measured
        Columns to look at; all unless given.

    Returns
    -------
    findings
        ``undeclared-missing-code``: its label says that it is one. ``suspected-missing-code``: a number such as 99 or
        -9 outside the labelled range, or further from all other values than these are from each other.
    """
    labelled: dict[float | str, dict[str, int]] = defaultdict(dict)
    unusual: dict[float | str, dict[str, int]] = defaultdict(dict)
    for column in table.frame if measured is None else table.frame.select(measured):
        if not (column.dtype.is_numeric() or column.dtype == pl.String):
            continue
        told = [value for value, label in table.value_labels.get(column.name, {}).items() if says_missing(label)]
        for value, count in _counts(column, told):
            labelled[value][column.name] = count
        if column.dtype.is_numeric():
            for value, count in _far_values(column, table.value_labels.get(column.name, {})):
                unusual[value][column.name] = count
    return tuple(
        [_undeclared(table, value, columns) for value, columns in labelled.items()]
        + [_suspected(table, value, columns) for value, columns in sorted(unusual.items())]
    )


def says_missing(label: str) -> bool:
    """Whether a value's label says that there is no answer."""
    return _WORDS.fullmatch(label.strip()) is not None


def _counts(column: pl.Series, values: list[float | str]) -> Iterator[tuple[float | str, int]]:
    """Those of the values that are in the column, and how often."""
    text = column.dtype == pl.String
    wanted = [value if isinstance(value, str) else float(value) for value in values if isinstance(value, str) == text]
    if not wanted:
        return
    comparable = column if text else column.cast(pl.Float64)
    there = comparable.filter(comparable.is_in(wanted))
    yield from there.value_counts(sort=True).iter_rows()


def _far_values(column: pl.Series, labels: Mapping[float | str, str]) -> Iterator[tuple[float, int]]:
    told = {float(value) for value in labels if not isinstance(value, str)}
    meant = [float(value) for value in told if not says_missing(labels[value])]
    # Two labels, such as those of the ends, make a range; without them a 7 is the highest answer more often than not.
    by_labels = len(meant) > 1
    least, most = column.min(), column.max()
    possible = [code for code in CODES if code not in told and (by_labels or code != 7)]
    # Where the ends rule all codes out, as they do in most columns of answers, the values need not be looked at.
    possible = [code for code in possible if least is not None and least <= code <= most]  # type: ignore[operator]
    if not possible:
        return
    numbers = column.cast(pl.Float64).drop_nulls()
    candidates = numbers.filter(numbers.is_in(possible)).unique().sort().to_list()
    if not candidates:
        return
    others = numbers.filter(~numbers.is_in(candidates))
    if not len(others):
        return
    low, high = float(others.min()), float(others.max())  # type: ignore[arg-type]
    gap = high - low
    if by_labels:
        if low < min(meant) or high > max(meant):  # the labels do not cover the answers
            return
        low, high, gap = min(meant), max(meant), 0.0
    if not low < high or high - low > WIDEST:
        return
    for code in candidates:
        if code > high + gap or code < low - gap:
            yield code, int((numbers == code).sum())


def _places(columns: Mapping[str, int]) -> str:
    names = listed([repr(name) for name in list(columns)[:SHOWN]], total=len(columns))
    return f"in {names} ({counted(sum(columns.values()), 'value')})"


def _rows(table: Table, value: float | str, columns: Mapping[str, int]) -> tuple[int, ...]:
    """Numbers, from 1, of the rows that have the value in any of the columns."""
    has = pl.any_horizontal(pl.col(columns) == value)
    return tuple(table.frame.select((has.arg_true() + 1).alias("row"))["row"].to_list())


def _line(table: Table, value: float | str, columns: Mapping[str, int]) -> str:
    """The plan's line that makes the value missing: everywhere, or only here if it is an answer elsewhere."""
    code = f'"{value}"' if isinstance(value, str) else code_text(value)
    elsewhere = [c for c in table.frame if c.name not in columns and any(_counts(c, [value]))]
    if not elsewhere:
        return f"codes = [{code}]"
    names = ", ".join(f'"{name}" = [{code}]' for name in list(columns)[:SHOWN])
    more = ", ..." if len(columns) > SHOWN else ""
    return f"by_column = {{ {names}{more} }}"


def _undeclared(table: Table, value: float | str, columns: Mapping[str, int]) -> Finding:
    label = label_of(table, next(iter(columns)), value)
    return Finding(
        code="undeclared-missing-code",
        level="warning",
        words=f"{code_text(value)} is labelled {label!r} {_places(columns)}, and the file does not declare it missing.",
        way_out=f"If it stands for a missing answer, write under [missing]: {_line(table, value, columns)}.",
        column=next(iter(columns)) if len(columns) == 1 else "",
        rows=_rows(table, value, columns),
    )


def _suspected(table: Table, value: float | str, columns: Mapping[str, int]) -> Finding:
    return Finding(
        code="suspected-missing-code",
        level="warning",
        words=f"{code_text(value)} {_places(columns)} is far from the other values and may stand for a missing answer.",
        way_out=f"If it does, write under [missing]: {_line(table, value, columns)}.",
        column=next(iter(columns)) if len(columns) == 1 else "",
        rows=_rows(table, value, columns),
    )
