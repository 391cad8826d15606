"""Values that look like codes for missing ones, and that nobody declared."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from dyadline.data.missing import code_text
from dyadline.data.table import Table
from dyadline.errors import Finding
from dyadline.plan.columns import Label
from dyadline.words import SHOWN, counted, listed

_POSITIVE = (7, 8, 9, 66, 77, 88, 96, 97, 98, 99, 666, 777, 888, 996, 997, 998, 999, 7777, 8888, 9998, 9999, 99999)
CODES = (-1.0, -2.0, -3.0, *(float(sign * code) for code in _POSITIVE for sign in (1, -1)))
"""Numbers that questionnaires use for missing answers."""

GAP = 0.4
"""A code of two digits or more lies at least this share of the other values' range above them, and ten points."""

RARE = 0.05
"""8 and 9 right behind the answers are codes where they are together at most this share of all values."""

_WORDS = re.compile(
    r"n\.?\s?/?a\.?|k\.\s?a\.?|dk|missings?|unknown|.*\b(missing|refus\w*|declined|unanswered|skipped"
    r"|(don'?t|don’t|do not|does not|doesn'?t) know|not (applicable|answered|asked|available|assessed|administered"
    r"|collected|given|stated|ascertained)|no (answer|response|data|information)"
    r"|keine (angaben?|antwort)|wei(ß|ss) nicht|verweigert|fehl(t|end(e[rs]?)?)"
    r"|nicht (beantwortet|erhoben|anwendbar|ausgefüllt)"
    r"|vet (ikke|ej|inte)|(ikke|ej|inte) (besvart|besvaret|besvarat|svart|aktuelt)|ubesvart|uoppgitt|mangler"
    r"|manglende|uppgift saknas"
    r"|geen antwoord|weet niet|ontbreekt|ne sait pas|sans réponse|non[- ]réponse|manquante?"
    r"|no (sabe|contesta|responde)|perdido|non (so|risponde)|mancante)\b.*",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspect:
    """A value that may stand for a missing one.

    Attributes
    ----------
    code
        Number or text.
    columns
        How often it is there, by column; columns without it are left out.
    why
        As in ``is far from the other values (1 to 7)``.
    label
        The label that says so; empty where the value's place says it.
    """

    code: Label
    columns: Mapping[str, int]
    why: str
    label: str = ""


def suspects(table: Table, numbers: Mapping[str, pl.Series], pools: Sequence[Sequence[str]]) -> list[Suspect]:
    """Values whose label says that they are missing, or that lie outside all others as such codes do.

    A number such as 99 or -9 is suspected outside the labelled range, or where a gap parts it from the other values.

    Parameters
    ----------
    table
        After the codes that are known have become missing.
    numbers
        Columns that have numbers, Float64 with null for missing ones.
    pools
        Columns that hold the same, so that one tells what the other's values mean.

    Returns
    -------
    One for each pool and value, labelled ones first.
    """
    found = []
    for pool in pools:
        labelled = list(_labelled(table, numbers, pool))
        told = {suspect.code for suspect in labelled}
        found += labelled
        there = {name: numbers[name] for name in pool if name in numbers}
        meant = {
            float(code)
            for name in there
            for code, label in table.value_labels.get(name, {}).items()
            if not isinstance(code, str) and not says_missing(label)
        }
        if not any(_room(column, several=len(meant) > 1) for column in there.values()):
            continue
        kinds = pl.concat([column.drop_nulls().unique() for column in there.values()]).unique().sort().to_list()
        kinds = [kind for kind in kinds if kind not in told]
        far = _outside(kinds, meant, several=len(there) > 2)
        rare = _rare_eights([kind for kind in kinds if kind not in far], list(there.values()), meant)
        others = [kind for kind in kinds if kind not in (*far, *rare)]
        for codes, place in ((far, "far from"), (rare, "rare and right above")):
            for code in codes:
                why = f"is {place} the other values ({others[0]:g} to {others[-1]:g})"
                found.append(Suspect(code=code, columns=_counts(there, code), why=why))
    return found


def _room(column: pl.Series, *, several: bool) -> bool:
    """Whether a column's ends leave room for a code at all; in most columns they do not, and nothing is looked at."""
    least, most = column.min(), column.max()
    possible = CODES if several else [code for code in CODES if code != 7]
    return least is not None and any(least <= code <= most for code in possible)  # type: ignore[operator]


def says_missing(label: str) -> bool:
    """Whether a value's label says that there is no answer."""
    return _WORDS.fullmatch(label.strip()) is not None


def _labelled(table: Table, numbers: Mapping[str, pl.Series], pool: Sequence[str]) -> Iterator[Suspect]:
    said: dict[Label, str] = {}
    for name in pool:
        for code, label in table.value_labels.get(name, {}).items():
            if says_missing(label):
                said.setdefault(code if isinstance(code, str) else float(code), label.strip())
    for code, label in said.items():
        own = [name for name in pool if code in table.value_labels.get(name, {})]
        if isinstance(code, str):
            there = {name: table.frame[name] for name in own if table.frame[name].dtype == pl.String}
        else:
            there = {name: numbers[name] for name in own if name in numbers}
        if counts := _counts(there, code):
            yield Suspect(code=code, columns=counts, why=f"is labelled {label!r}", label=label)


def _counts(columns: Mapping[str, pl.Series], code: Label) -> dict[str, int]:
    return {name: count for name, column in columns.items() if (count := int((column == code).sum()))}


def _outside(kinds: Sequence[float], meant: set[float], *, several: bool) -> list[float]:
    """Codes among the sorted different values."""
    candidates = [kind for kind in kinds if kind in CODES and kind not in meant]
    if len(meant) > 1:  # two labels, such as those of the ends, make a range
        others = [kind for kind in kinds if kind not in candidates]
        covered = others and min(meant) <= others[0] and others[-1] <= max(meant)
        return [code for code in candidates if not min(meant) <= code <= max(meant)] if covered else []
    # Without them a 7 is the highest answer more often than not.
    candidates = [code for code in candidates if code != 7]
    others = [kind for kind in kinds if kind not in candidates]
    if len(others) < 2:
        return []
    low, high = others[0], others[-1]
    # Items leave no gap between their answers, so that a lone 9 behind them is none.
    answers = several and high <= 7 and 8 not in kinds and others == [float(n) for n in range(int(low), int(high) + 1)]
    alone = sum(kind < 0 for kind in kinds) == 1
    found = []
    for code in candidates:
        above = code > 2 * high - low or (code >= 10 and code - high >= max(10.0, GAP * (high - low)))
        below = code < 2 * low - high or (low >= 0 > code and (code <= -7 or alone))
        if above or below or (code == 9 and answers):
            found.append(code)
    return found


def _rare_eights(kinds: Sequence[float], columns: Sequence[pl.Series], meant: set[float]) -> list[float]:
    """8 and 9 among items where no gap is before them: rare ones, where the highest answer is not."""
    codes = [kind for kind in kinds if kind in (8.0, 9.0)]
    answers = [kind for kind in kinds if kind < 8]
    if len(columns) < 3 or not codes or meant or kinds[-1] > 9 or len(answers) < 3:
        return []
    if answers != [float(n) for n in range(int(answers[0]), int(answers[-1]) + 1)]:
        return []
    often = [sum(int((column == kind).sum()) for column in columns) for kind in (*codes, answers[-1])]
    seldom = sum(often[:-1]) <= RARE * sum(column.count() for column in columns)
    return codes if seldom and 3 * max(often[:-1]) <= often[-1] else []


def suspicions(table: Table, pools: Sequence[Sequence[str]]) -> tuple[Finding, ...]:
    """A warning for each value that may stand for a missing one and is not taken as such.

    Parameters
    ----------
    table
        After the codes that are known have become missing.
    pools
        Columns to look at, those together that hold the same.

    Returns
    -------
    findings
        ``undeclared-missing-code``: its label says that it is one. ``suspected-missing-code``: its place says so.
    """
    numbers = {
        name: table.frame[name].cast(pl.Float64).fill_nan(None)
        for pool in pools
        for name in pool
        if table.frame[name].dtype.is_numeric()
    }
    found = suspects(table, numbers, pools)
    alike: dict[tuple[Label, str], dict[str, int]] = defaultdict(dict)
    everywhere: dict[Label, dict[str, int]] = defaultdict(dict)
    for suspect in found:
        alike[suspect.code, suspect.why].update(suspect.columns)
        everywhere[suspect.code].update(suspect.columns)
    labelled = {suspect.why for suspect in found if suspect.label}
    order = sorted(alike, key=lambda place: place[1] not in labelled)
    return tuple(
        _finding(table, code, why, alike[code, why], why in labelled, _line(table, code, everywhere[code]))
        for code, why in order
    )


def _finding(table: Table, code: Label, why: str, columns: Mapping[str, int], labelled: bool, line: str) -> Finding:
    names = listed([repr(name) for name in list(columns)[:SHOWN]], total=len(columns))
    doubt = ", and the file does not declare it missing" if labelled else " and may stand for a missing answer"
    there = table.frame.select(pl.any_horizontal(pl.col(list(columns)) == code)).to_series()
    return Finding(
        code="undeclared-missing-code" if labelled else "suspected-missing-code",
        level="warning",
        words=f"{code_text(code)} in {names} ({counted(sum(columns.values()), 'value')}) {why}{doubt}.",
        way_out=f"If it {'stands for a missing answer' if labelled else 'does'}, write under [missing]: {line}.",
        column=next(iter(columns)) if len(columns) == 1 else "",
        rows=tuple((there.arg_true() + 1).to_list()),
    )


def _line(table: Table, value: Label, columns: Mapping[str, int]) -> str:
    """The plan's line that makes the value missing: everywhere, or only here if it is an answer elsewhere."""
    code = f'"{value}"' if isinstance(value, str) else code_text(value)
    others = [column for column in table.frame if column.name not in columns]
    same_kind = [c for c in others if (c.dtype == pl.String if isinstance(value, str) else c.dtype.is_numeric())]
    if not any((column == value).any() for column in same_kind):
        return f"codes = [{code}]"
    names = ", ".join(f'"{name}" = [{code}]' for name in list(columns)[:SHOWN])
    more = ", ..." if len(columns) > SHOWN else ""
    return f"by_column = {{ {names}{more} }}"
