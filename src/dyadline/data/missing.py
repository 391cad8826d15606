"""Codes that stand for a missing value become missing."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import polars as pl

from dyadline.data.table import Declared, Table
from dyadline.errors import DataError, Finding, PlanError
from dyadline.words import counted, listed, nearest

if TYPE_CHECKING:
    from dyadline.plan.columns import MissingSection

LISTED = 12
"""Codes that a sentence names before it counts the others."""

_NUMBER = r"[+-]?\d+(?:\.\d+)?"
_RANGE = re.compile(rf"\s*(lowest|{_NUMBER})\s+to\s+(highest|{_NUMBER})\s*", re.IGNORECASE)


def apply_missing(table: Table, section: MissingSection, *, measured: Sequence[Sequence[str]] | None = None) -> Table:
    """The table without the values that stand for missing ones; findings say which, and which others may.

    Parameters
    ----------
    table
        As it was read.
    section
        Which values stand for missing ones. A code that is a number is looked for among numbers and among texts that
        are numbers, one that is a text among texts; columns of dates have no codes.
    measured
        Columns with measurements, those together that hold the same; each column by itself unless given. Only there
        ``codes`` counts and further codes are suspected, so that dyad 99 stays dyad 99.

    Raises
    ------
    DataError
        If a name or pattern of ``by_column`` fits no column.
    PlanError
        If a range has its ends in the wrong order.
    """
    from dyadline.data.suspects import suspicions

    pools = [[name] for name in table.frame.columns] if measured is None else measured
    rules = _rules(table, section, [name for pool in pools for name in pool])
    columns = []
    counts: dict[float | str, dict[str, int]] = defaultdict(dict)
    for column in table.frame:
        gone = is_declared(column, rules[column.name])
        if gone.any():
            for value, count in column.filter(gone).value_counts().iter_rows():
                counts[value][column.name] = count
            column = pl.select(pl.when(~gone).then(column).alias(column.name)).to_series()
        columns.append(column)
    cleaned = replace(table, frame=pl.DataFrame(columns))
    taken = [_taken(table, counts)] if counts else []
    return replace(cleaned, findings=(*table.findings, *taken, *suspicions(cleaned, pools)))


def _rules(table: Table, section: MissingSection, measured: Sequence[str]) -> dict[str, Declared]:
    """What is missing in each column."""
    names = table.frame.columns
    own: dict[str, Declared] = {}
    for pattern, codes in section.by_column.items():
        fitting = [pattern] if pattern in names else [name for name in names if fnmatchcase(name, pattern)]
        if not fitting:
            raise DataError(
                f"There is no column {pattern!r} in the data",
                where="missing.by_column",
                way_out=nearest([pattern], names),
            )
        rule = declared(codes, where=f"missing.by_column.{pattern}")
        for name in fitting:
            own[name] = _joined(own.get(name, Declared()), rule)
    # A column's own name says more than any pattern.
    exact = {name: section.by_column[name] for name in names if name in section.by_column}
    own |= {name: declared(codes, where=f"missing.by_column.{name}") for name, codes in exact.items()}
    everywhere = declared(section.codes, where="missing.codes")
    of_file = table.declared if section.declared else {}
    rules = {name: own.get(name, of_file.get(name, Declared())) for name in names}
    return rules | {name: _joined(rules[name], everywhere) for name in measured}


def _joined(one: Declared, other: Declared) -> Declared:
    return Declared(codes=one.codes + other.codes, ranges=one.ranges + other.ranges)


def declared(codes: Iterable[float | str], *, where: str) -> Declared:
    """Codes and ranges from a plan: numbers, texts, or ``"90 to 99"``, ``"lowest to 0"``, ``"90 to highest"``.

    Raises
    ------
    PlanError
        If a range has its ends in the wrong order.
    """
    single, ranges = [], []
    for code in codes:
        ends = _RANGE.fullmatch(code) if isinstance(code, str) else None
        if ends is None:
            single.append(code)
            continue
        low = -math.inf if ends[1].lower() == "lowest" else float(ends[1])
        high = math.inf if ends[2].lower() == "highest" else float(ends[2])
        if low > high:
            raise PlanError(f"The range {code!r} ends before it begins", where=where, way_out="Turn it round")
        ranges.append((low, high))
    return Declared(codes=tuple(single), ranges=tuple(ranges))


def is_declared(column: pl.Series, rule: Declared) -> pl.Series:
    """Which values of a column are codes for missing ones, (n,) Boolean."""
    nothing = pl.repeat(False, len(column), eager=True)
    if not (rule.codes or rule.ranges) or not (column.dtype.is_numeric() or column.dtype == pl.String):
        return nothing
    is_text = column.dtype == pl.String
    number = (column.str.strip_chars() if is_text else column).cast(pl.Float64, strict=False)
    gone = nothing
    # A text counts among numbers if it is one; among texts it is looked for as it is written.
    codes = [float(code) for code in rule.codes if not isinstance(code, str) or (not is_text and _is_number(code))]
    if codes:
        gone |= number.is_in(codes).fill_null(False)
    for low, high in rule.ranges:
        gone |= number.is_between(low, high).fill_null(False)
    texts = [code.strip() for code in rule.codes if isinstance(code, str)]
    if texts and is_text:
        gone |= column.str.strip_chars().is_in(texts).fill_null(False)
    return gone


def _is_number(text: str) -> bool:
    return re.fullmatch(_NUMBER, text.strip()) is not None


def code_text(value: float | str) -> str:
    """A code in a sentence: whole numbers without a decimal point, texts quoted."""
    if isinstance(value, str):
        return repr(value)
    return f"{value:.0f}" if math.isfinite(value) and value == int(value) else f"{value:g}"


def _taken(table: Table, counts: Mapping[float | str, Mapping[str, int]]) -> Finding:
    """What became missing, by code."""
    order = sorted(counts, key=lambda value: (-sum(counts[value].values()), str(value)))
    parts = [_where(table, value, counts[value]) for value in order[:LISTED]]
    if len(order) > LISTED:
        total = sum(sum(counts[value].values()) for value in order[LISTED:])
        parts.append(f"{counted(len(order) - LISTED, 'other code')}, {counted(total, 'value')}")
    return Finding(
        code="missing-codes",
        level="note",
        words=f"{'; '.join(parts)}: taken as missing.",
        way_out="What is missing can be changed under [missing].",
        column=_only([name for columns in counts.values() for name in columns]),
    )


def _where(table: Table, value: float | str, columns: Mapping[str, int]) -> str:
    """``99 (refused) in 14 columns, 312 values``."""
    labels = {label_of(table, name, value) for name in columns} - {""}
    meaning = f" ({listed(sorted(labels))})" if labels else ""
    place = repr(next(iter(columns))) if len(columns) == 1 else counted(len(columns), "column")
    return f"{code_text(value)}{meaning} in {place}, {counted(sum(columns.values()), 'value')}"


def _only(names: list[str]) -> str:
    return names[0] if len(set(names)) == 1 else ""


def label_of(table: Table, column: str, value: float | str) -> str:
    """The value's label in the file, or an empty text; numbers stored as text have their number's label."""
    labels = table.value_labels.get(column, {})
    if value in labels or not isinstance(value, str):
        return labels.get(value, "")
    return labels.get(float(value), "") if _is_number(value) else ""


def missing_codes(table: Table) -> pl.DataFrame:
    """What the file declares missing: column, code, label and how often it is there.

    Returns
    -------
    frame
        One row per column and code or range; `code` as a plan would have it, `label` null where there is none.
    """
    rows = []
    for name, rule in table.declared.items():
        if name not in table.frame.columns:
            continue
        parts = [Declared(codes=(code,)) for code in rule.codes] + [Declared(ranges=(ends,)) for ends in rule.ranges]
        for part in parts:
            label = label_of(table, name, part.codes[0]) if part.codes else ""
            count = int(is_declared(table.frame[name], part).sum())
            rows.append((name, plan_code(part), label or None, count))
    schema = {"column": pl.String, "code": pl.String, "label": pl.String, "count": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def plan_code(part: Declared) -> str:
    """A single code or range as a plan would have it: ``99``, ``x`` or ``90 to highest``."""
    if part.codes:
        code = part.codes[0]
        return code if isinstance(code, str) else code_text(code)
    low, high = part.ranges[0]
    first = "lowest" if low == -math.inf else code_text(low)
    return f"{first} to {'highest' if high == math.inf else code_text(high)}"
