"""What must hold before anything is computed: each function gives the errors that it finds.

All work on the table from `summary.in_order`, with columns by role, and on what `summary.by_dyad` makes of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

import polars as pl

from dyadline.data.roles import OCCASION, PLACE, RATINGS, REASON
from dyadline.data.summary import CODE
from dyadline.errors import Finding
from dyadline.plan.columns import ChecksSection, is_open
from dyadline.words import SHOWN, counted, dyads_listed, listed, quoted, role_words, rows_listed, shown


def error(
    code: str, words: str, way_out: str, *, column: str = "", dyad: str = "", time: str = "", rows: tuple[int, ...] = ()
) -> Finding:
    return Finding(
        code=code, level="error", words=f"{words}.", way_out=way_out, column=column, dyad=dyad, time=time, rows=rows
    )


def rows_without(table: pl.DataFrame, names: Mapping[str, str]) -> tuple[tuple[int, ...], list[Finding]]:
    """Numbers of the rows that lack dyad or time and can be left out, and an error for those that hold values.

    A row without time may still carry its dyad's baseline, covariates and therapist: they belong to the dyad.
    """
    if not table["dyad"].null_count() and not table["time"].null_count():
        return (), []
    left_out: set[int] = set()
    errors = []
    # Everything but labels and time is a value that would be lost with its dyad.
    for_role = {
        "dyad": [role for role in names if role not in ("dyad", "therapist", "time")],
        "time": list(OCCASION),
    }
    for role, held in for_role.items():
        lacking = table.filter(pl.col(role).is_null())
        used = tuple(lacking.filter(pl.any_horizontal(pl.col(held).is_not_null()))["row"].to_list())
        if used:
            words = (
                f"{counted(len(used), 'row')} with values {_have(len(used))} no {role_words(role)} "
                f"in the column {quoted(names[role])} ({rows_listed(used)})"
            )
            way_out = "Fill it in, or delete the rows"
            if role == "dyad":
                way_out += "; cells of a spreadsheet that were merged have their value in the first row only"
            errors.append(error(f"row-without-{role}", words, way_out, column=names[role], rows=used))
        left_out.update(set(lacking["row"].to_list()).difference(used))
    return tuple(sorted(left_out)), errors


def doubled_times(table: pl.DataFrame, names: Mapping[str, str]) -> list[Finding]:
    """Dyads with several rows at one time; exact copies of another row are told apart."""
    again = (pl.col(CODE) == pl.col(CODE).shift()) & (pl.col("time") == pl.col("time").shift()).fill_null(False)
    marked = table.with_columns(again=again, first=pl.col("row").shift())
    doubled = marked.filter("again")
    if not doubled.height:
        return []
    pairs = [f"{first} and {row}" for first, row in doubled.head(SHOWN).select("first", "row").iter_rows()]
    if doubled.height > SHOWN:
        pairs.append(counted(doubled.height - SHOWN, "more pair"))
    concerned = marked.filter(pl.col("again") | pl.col("again").shift(-1)).drop("again", "first", "row", PLACE)
    copies = concerned.height - concerned.n_unique()
    way_out = "Keep one row per dyad and time; give a patient's second therapy a dyad of its own"
    if copies:
        one = copies == 1
        way_out = f"{counted(copies, 'row')} {'is an exact copy' if one else 'are exact copies'} of another row: "
        way_out += f"delete {'it' if one else 'them'}"
        if copies < doubled.height:
            way_out += "; of the others keep one row per dyad and time"
    dyads = doubled["dyad"].unique(maintain_order=True)
    words = f"{counted(len(dyads), 'dyad')} {_have(len(dyads))} more than one row at the same time "
    return [
        error(
            "doubled-times",
            f"{words}(rows {'; '.join(pairs)})",
            way_out,
            column=names["time"],
            dyad=dyads_listed(dyads),
            time=", ".join(f"{time:g}" for time in doubled["time"].unique(maintain_order=True).head(SHOWN)),
            rows=tuple(doubled["row"].to_list()),
        )
    ]


_CONSTANT_OUT = {
    "therapist": "Keep each dyad with one therapist, or give a patient who changed therapist a dyad per therapist",
    "baseline": 'Give each dyad one value, or write baseline = "first" for the first outcome',
}


def changes_within_dyads(
    table: pl.DataFrame, dyads: pl.DataFrame, roles: Mapping[str, str], *, level: Literal["error", "warning"] = "error"
) -> list[Finding]:
    """Columns that belong to the dyad and do not have one value in all its rows.

    Parameters
    ----------
    table, dyads
        From `summary.in_order` and `summary.by_dyad`.
    roles
        Role of each such column and its name in the file.
    level
        Whether it stops the work.
    """
    errors = []
    for role, column in roles.items():
        varying = dyads.filter(pl.col(f"{role} min") != pl.col(f"{role} max"))
        if not varying.height:
            continue
        own = table.filter((pl.col(CODE) == varying[CODE][0]) & pl.col(role).is_not_null()).sort("row")
        first, other = own.row(0, named=True), own.filter(pl.col(role) != own[role][0]).row(0, named=True)
        rows = tuple(own["row"].to_list())
        words = (
            f"The column {quoted(column)} ({role_words(role)}) changes within {counted(varying.height, 'dyad')}: "
            f"the first one has {_value(first[role])} in row {first['row']} and "
            f"{_value(other[role])} in row {other['row']} ({rows_listed(rows)})"
        )
        way_out = _CONSTANT_OUT.get(role, "Give each dyad one value, or leave the covariate out")
        if level == "warning":
            used = "last in the alphabet" if role == REASON else "largest"
            way_out = f"Give each dyad one value; until then the {used} counts"
        errors.append(
            Finding(
                code="changes-within-dyad",
                level=level,
                words=f"{words}.",
                way_out=way_out,
                column=column,
                dyad=dyads_listed(varying["dyad"]),
                rows=rows,
            )
        )
    return errors


def too_little(dyads: pl.DataFrame, names: Mapping[str, str], *, analysed: bool = True) -> list[Finding]:
    """Less than two dyads, a rater or an outcome that is never there, an outcome that does not vary.

    Where nothing is analysed, ratings and outcome are warned of as long as one of them is there.
    """
    errors = []
    for role in OCCASION:
        if not dyads[f"{role} n"].sum():
            words = f"The column {quoted(names[role])} ({role_words(role)}) has no value in any row"
            way_out = "Name the column that holds it, or check the export"
            if is_open(names[role]):
                words = f"The plan does not say yet which column has the {role_words(role)}: {role} = {names[role]!r}"
                way_out = "Write its name there. Without it the data can be described, but not analysed"
            errors.append(error("no-values", words, way_out, column=names[role]))
    there = len(errors) < len(OCCASION)
    if dyads.height < 2:
        way_out = "Name the column that tells the dyads apart; the models compare dyads"
        errors.append(
            error("one-dyad", f"There is only one dyad (column {quoted(names['dyad'])})", way_out, column=names["dyad"])
        )
    outcome = names["outcome"]
    if dyads["outcome n"].max() == 1:
        words = f"No dyad has the outcome (column {quoted(outcome)}) on two occasions"
        way_out = "Change over time needs at least two; name the repeated measure as outcome"
        errors.append(error("one-occasion", words, way_out, column=outcome))
    elif dyads["outcome n"].sum() and dyads["outcome min"].min() == dyads["outcome max"].max():
        words = f"The outcome (column {quoted(outcome)}) has the same value in every row"
        errors.append(error("constant-outcome", words, "Name a column that varies", column=outcome))
    if analysed or not there:
        return errors
    return [e if e.code == "one-dyad" else replace(e, level="warning") for e in errors]


def out_of_range(
    table: pl.DataFrame, dyads: pl.DataFrame, names: Mapping[str, str], checks: ChecksSection
) -> list[Finding]:
    """Ratings and outcomes outside what ``[checks]`` says is possible."""
    errors = []
    for role in OCCASION:
        key = "rating_range" if role in RATINGS else "outcome_range"
        bounds = getattr(checks, key)
        lowest, highest = dyads[f"{role} min"].min(), dyads[f"{role} max"].max()
        if bounds is None or lowest is None or (bounds[0] <= lowest and highest <= bounds[1]):
            continue
        outside = table.filter(~pl.col(role).is_between(*bounds)).sort("row")
        first = [f"{value:g} in row {row}" for value, row in outside.head(SHOWN).select(role, "row").iter_rows()]
        errors.append(
            error(
                "out-of-range",
                f"The column {quoted(names[role])} ({role_words(role)}) has {counted(outside.height, 'value')} outside "
                f"{bounds[0]:g} to {bounds[1]:g}: {listed(first, total=outside.height)}",
                f"Correct them, name them as missing under [missing], or change {key} in [checks]",
                column=names[role],
                dyad=dyads_listed(outside["dyad"].unique(maintain_order=True)),
                rows=tuple(outside["row"].to_list()),
            )
        )
    return errors


def _have(number: int) -> str:
    return "has" if number == 1 else "have"


def _value(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else shown(value)
