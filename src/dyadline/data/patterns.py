"""Columns that a plan names, found in the file by name or by pattern."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from dyadline.data.meanings import number_in, place_of
from dyadline.errors import DataError, PlanError
from dyadline.plan.analysis import AnalysisPlan
from dyadline.plan.columns import ITEM, TIME, ItemsSection, Label
from dyadline.words import listed, nearest, role_words

REPEATED = ("patient_rating", "therapist_rating", "outcome")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Columns that the plan names for one purpose.

    Attributes
    ----------
    role
        Key of the plan; a covariate's is its own name.
    words
        The purpose in a sentence.
    columns
        Names, or patterns with ``{time}`` or ``{item}``.
    scored
        Whether they are the items of a measure.
    """

    role: str
    words: str
    columns: tuple[str, ...]
    scored: bool = False


class Place(NamedTuple):
    """Where in a pattern a column stands: its occasion and its item; None where the pattern has no such place."""

    time: float | None
    item: int | None


Found = Mapping[Place, str]
"""Column of the file by place; a plain name stands at `Place(None, None)`."""


def asked_columns(plan: AnalysisPlan) -> tuple[Asked, ...]:
    """Every column that the plan names, in the order of its keys.

    Raises
    ------
    PlanError
        If ``{time}`` stands where it cannot, or is missing in a wide file's repeated columns.
    """
    columns, checks = plan.columns, plan.checks
    given: list[tuple[str, str, str | ItemsSection | None]] = [
        ("dyad", "dyad", columns.dyad),
        ("therapist", "therapist", columns.therapist),
        ("time", "time", None if columns.wide else columns.time),
        *((role, role_words(role), getattr(columns, role)) for role in REPEATED),
        ("baseline", "baseline", None if columns.baseline == "first" else columns.baseline),
        *((name, "covariate", name) for name in columns.covariates),
        ("date", "date of the session", checks.date),
        ("sessions", "number of sessions", checks.sessions),
        ("end", "end of the dyad", checks.end),
        ("reason", "reason of the end", checks.reason),
        ("rater", "rater", plan.raters.column if plan.raters else None),
    ]
    asked = tuple(_asked(role, words, column) for role, words, column in given if column is not None)
    for each in asked:
        repeats = columns.wide and (each.role in REPEATED or each.words == "date of the session")
        _check_places(each, may_repeat=repeats)
    return asked


def _asked(role: str, words: str, column: str | ItemsSection) -> Asked:
    names = column if isinstance(column, str) else column.items
    return Asked(
        role=role,
        words=words,
        columns=(names,) if isinstance(names, str) else names,
        scored=isinstance(column, ItemsSection),
    )


def _check_places(asked: Asked, *, may_repeat: bool) -> None:
    for name in asked.columns:
        if name.count(TIME) > int(may_repeat):
            raise PlanError(
                f"The column {name!r} ({asked.words}) has {TIME} "
                f"{'more than once' if may_repeat else 'and cannot repeat over occasions'}",
                way_out=f"{TIME} stands once in patient_rating, therapist_rating and outcome of a wide file",
            )
        if may_repeat and asked.role in REPEATED and TIME not in name:
            raise PlanError(
                f"The column {name!r} ({asked.words}) needs {TIME}, as the other repeated columns have it",
                way_out=f"Write {TIME} where the occasion stands in its name",
            )


def find_columns(plan: AnalysisPlan, columns: Sequence[str], *, source: str) -> list[tuple[Asked, Found]]:
    """Where each column stands that the plan names.

    ``{item}`` stands for digits and ``{time}`` for digits with or without a decimal point; leading zeros do not
    count. With fixed occasions ``{time}`` stands for exactly these, and their place, from 0, is the time.

    Parameters
    ----------
    plan
        What is asked.
    columns
        Names in the file.
    source
        File name, for sentences.

    Raises
    ------
    PlanError
        As in `asked_columns`.
    DataError
        If a column is missing, a pattern fits nothing, or a name can be read in two ways.
    """
    asked = asked_columns(plan)
    own = {name for each in asked for name in each.columns if not _has_place(name)}
    free = [column for column in columns if column not in own]
    known = set(columns)
    found: list[tuple[Asked, Found]] = []
    missing: dict[str, str] = {}
    for each in asked:
        taken: dict[Place, str] = {}
        for number, name in enumerate(each.columns, start=1):
            item = number if each.scored and ITEM not in name else None
            if not (TIME in name or (each.scored and ITEM in name)):
                here = [(Place(None, item), name)] if name in known else []
            else:
                here = list(_fitting(name, free, plan.time.occasions, item))
            if not here:
                missing[name] = each.words
            for place, column in here:
                if place in taken:
                    raise DataError(
                        f"The columns {taken[place]!r} and {column!r} have the same place in {name!r} ({each.words})",
                        way_out="Rename or drop one of them",
                    )
                taken[place] = column
        found.append((each, taken))
    if missing:
        raise _not_there(missing, columns, own, source)
    _check_one_role_each(found, plan)
    return found


def measured_columns(plan: AnalysisPlan, columns: Sequence[str], *, source: str) -> list[str]:
    """Columns of the file that hold ratings, outcomes, answers or covariates; errors as in `find_columns`."""
    found = find_columns(plan, columns, source=source)
    measured = (*REPEATED, "baseline", *plan.columns.covariates)
    return list(dict.fromkeys(c for asked, places in found if asked.role in measured for c in places.values()))


def _has_place(name: str) -> bool:
    return TIME in name or ITEM in name


def _fitting(
    pattern: str, columns: Sequence[str], occasions: Sequence[Label] | None, item: int | None
) -> Iterator[tuple[Place, str]]:
    greedy, lazy = (_expression(pattern, occasions, greedy=greedy) for greedy in (True, False))
    for column in columns:
        one, other = greedy.fullmatch(column), lazy.fullmatch(column)
        if one is None or other is None:
            continue
        place, again = (_place(match, occasions, item) for match in (one, other))
        if place != again:
            raise DataError(
                f"The column {column!r} fits {pattern!r} in two ways: {_in_words(again)}, or {_in_words(place)}",
                way_out="Rename the columns so that something stands between the numbers",
            )
        yield place, column


def _expression(pattern: str, occasions: Sequence[Label] | None, *, greedy: bool) -> re.Pattern[str]:
    """A pattern as a regular expression; what fits long or short alternatives alike can be read in one way only."""
    more = "" if greedy else "?"
    time = rf"[0-9]+{more}(?:\.[0-9]+{more})?{more}"
    if occasions is not None:
        ways = sorted((_label_expression(label, occasions) for label in occasions), key=len, reverse=greedy)
        time = "|".join(ways)
    parts = {TIME: f"(?P<time>{time})", ITEM: f"(?P<item>[0-9]+{more})"}
    return re.compile("".join(parts.get(part, re.escape(part)) for part in re.split(r"(\{time\}|\{item\})", pattern)))


def _label_expression(label: Label, labels: Sequence[Label]) -> str:
    value = number_in(label)
    if value is not None:
        whole, _, decimals = f"{value:.15g}".partition(".")
        return rf"0*{whole}(?:\.{decimals or '0'}0*)" + ("" if decimals else "?")
    folded = [str(other).strip().casefold() for other in labels]
    fold = folded.count(str(label).strip().casefold()) == 1
    return f"(?{'i' if fold else ''}:{re.escape(str(label).strip())})"


def _place(match: re.Match[str], occasions: Sequence[Label] | None, item: int | None) -> Place:
    groups = match.groupdict()
    time = groups.get("time")
    if groups.get("item") is not None:
        item = int(groups["item"])
    if time is None:
        return Place(None, item)
    number = float(time) if occasions is None else place_of(time, occasions)
    return Place(None if number is None else float(number), item)


def _in_words(place: Place) -> str:
    parts = {"time": place.time, "item": place.item}
    return " and ".join(f"{name} {value:g}" for name, value in parts.items() if value is not None)


def _not_there(missing: Mapping[str, str], columns: Sequence[str], own: set[str], source: str) -> DataError:
    unfilled = [words for name, words in missing.items() if name.startswith("<") and name.endswith(">")]
    if unfilled:
        raise DataError(
            f"The plan does not say yet which column of {source!r} is the {listed(unfilled)}",
            where="[columns]",
            way_out=f"Write a name in place of <...>. {nearest([], columns)}",
        )
    words = [
        f"no column {'that fits' if _has_place(name) else ''} {name!r} ({words})".replace("  ", " ")
        for name, words in missing.items()
    ]
    samples = [name.replace(TIME, "1").replace(ITEM, "1") for name in missing]
    return DataError(f"There is {listed(words)} in {source!r}", way_out=nearest(samples, columns, taken=own))


def _check_one_role_each(found: Sequence[tuple[Asked, Found]], plan: AnalysisPlan) -> None:
    roles: dict[str, Asked] = {}
    both_raters = {"patient_rating", "therapist_rating"} if plan.raters else set()
    for asked, places in found:
        if asked.role not in (*REPEATED, "baseline"):
            continue
        for column in places.values():
            other = roles.setdefault(column, asked)
            if other is not asked and {other.role, asked.role} != both_raters:
                raise DataError(
                    f"The column {column!r} fits {other.columns[0]!r} ({other.words}) and {asked.columns[0]!r} "
                    f"({asked.words})",
                    way_out="Make the patterns such that each column has one role",
                )


def long_name(asked: Asked, place: Place, column: str, ending: str = "") -> str:
    """What a column of the file is called in the long frame.

    A repeated one is called like its pattern, with the item's number filled in; any other keeps its name, with the
    ending that tells raters apart.
    """
    if place.time is None:
        return column + ending
    if place.item is None or ITEM in asked.columns[0]:
        return asked.columns[0].replace(ITEM, str(place.item))
    return asked.columns[place.item - 1]


def named_columns(plan: AnalysisPlan, columns: Sequence[str]) -> list[str]:
    """Those of the columns that the plan names, or that fit one of its patterns."""
    patterns = [
        _expression(name, plan.time.occasions, greedy=True) for asked in asked_columns(plan) for name in asked.columns
    ]
    return [column for column in columns if any(pattern.fullmatch(column) for pattern in patterns)]


def columns_at_other_times(found: Sequence[tuple[Asked, Found]], columns: Sequence[str]) -> list[str]:
    """Columns that would fit a repeated pattern if their time, a number, were one of the fixed occasions."""
    used = {column for _, places in found for column in places.values()}
    patterns = [_expression(name, None, greedy=True) for asked, _ in found for name in asked.columns if TIME in name]
    return [c for c in columns if c not in used and any(pattern.fullmatch(c) for pattern in patterns)]
