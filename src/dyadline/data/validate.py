"""What must hold before anything is computed, and what is worth knowing.

Functions named ``check_*`` raise; `findings` reports. All work on the typed table: one row per occasion,
sorted by dyad and time, columns by role.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from dyadline.errors import DataError, Finding
from dyadline.words import SHOWN, counted, role_words, rows_listed, shown

RATINGS = ("patient_rating", "therapist_rating")
RATERS = {"patient_rating": "patients", "therapist_rating": "therapists"}

RANGE_RATIO = 1.5
"""Ranges of the two raters that differ by this factor are pointed out: 1–7 against 1–5 is 1.5."""


def rows_without(table: pl.DataFrame, names: Mapping[str, str]) -> tuple[int, ...]:
    """Numbers of the rows that lack dyad or time and hold nothing else, so that they can be left out.

    A row without time may still carry its dyad's baseline, covariates and therapist: they belong to the dyad.

    Raises
    ------
    DataError
        If a row without dyad or time holds values: which rows.
    """
    if not table["dyad"].null_count() and not table["time"].null_count():
        return ()
    left_out: set[int] = set()
    occasion = (*RATINGS, "outcome")
    # Everything but labels and time is a value that would be lost with its dyad.
    for_role = {
        "dyad": [role for role in names if role not in ("dyad", "therapist", "time")],
        "time": list(occasion),
    }
    for role, held in for_role.items():
        lacking = table.filter(pl.col(role).is_null())
        used = lacking.filter(pl.any_horizontal(pl.col(held).is_not_null()))["row"].to_list()
        if used:
            raise DataError(
                f"{counted(len(used), 'row')} with values {'has' if len(used) == 1 else 'have'} no {role_words(role)} "
                f"in the column {names[role]!r}",
                where=rows_listed(used),
                way_out="Fill it in, or delete the rows",
            )
        left_out.update(lacking["row"].to_list())
    return tuple(sorted(left_out))


def check_times(rows: pl.DataFrame) -> None:
    """Each dyad has at most one row per time.

    Raises
    ------
    DataError
        With the number of dyads and the first three pairs of rows.
    """
    again = (pl.col("dyad") == pl.col("dyad").shift()) & (pl.col("time") == pl.col("time").shift())
    doubled = rows.select("dyad", "row", first=pl.col("row").shift(), again=again).filter("again")
    if not doubled.height:
        return
    dyads = doubled["dyad"].n_unique()
    pairs = [f"{first} and {row}" for first, row in doubled.head(SHOWN).select("first", "row").iter_rows()]
    if doubled.height > SHOWN:
        pairs.append(counted(doubled.height - SHOWN, "more pair"))
    raise DataError(
        f"{counted(dyads, 'dyad')} {'has' if dyads == 1 else 'have'} more than one row at the same time",
        where=f"rows {'; '.join(pairs)}",
        way_out="Keep one row per dyad and time",
    )


def check_constant_within_dyads(table: pl.DataFrame, roles: Mapping[str, str]) -> None:
    """Columns that belong to the dyad have one value in all its rows.

    Parameters
    ----------
    table
        With a column per role.
    roles
        Role of each such column and its name in the file.

    Raises
    ------
    DataError
        With the first dyad's rows that differ.
    """
    bounds = table.group_by("dyad", maintain_order=True).agg(
        *(pl.col(role).min().alias(f"min {role}") for role in roles),
        *(pl.col(role).max().alias(f"max {role}") for role in roles),
    )
    for role, column in roles.items():
        varying = bounds.filter(pl.col(f"min {role}") != pl.col(f"max {role}"))["dyad"]
        if not len(varying):
            continue
        own = table.filter((pl.col("dyad") == varying[0]) & pl.col(role).is_not_null()).sort("row")
        first, other = own.row(0, named=True), own.filter(pl.col(role) != own[role][0]).row(0, named=True)
        raise DataError(
            f"The column {column!r} ({role_words(role)}) changes within {counted(len(varying), 'dyad')}: the first one "
            f"has {_value(first[role])} in row {first['row']} and {_value(other[role])} in row {other['row']}",
            where=rows_listed(own["row"].to_list()),
            way_out=_CONSTANT_OUT.get(role, "Give each dyad one value, or leave the covariate out"),
        )


_CONSTANT_OUT = {
    "therapist": "Keep each dyad with one therapist, or give a patient who changed therapist a dyad per therapist",
    "baseline": 'Give each dyad one value, or write baseline = "first" for the first outcome',
}


def _value(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else shown(value)


def check_enough(rows: pl.DataFrame, names: Mapping[str, str]) -> None:
    """There are two dyads, both raters, and an outcome that varies over occasions.

    Raises
    ------
    DataError
        Saying what there is too little of.
    """
    for role in (*RATINGS, "outcome"):
        if rows[role].null_count() == rows.height:
            raise DataError(
                f"The column {names[role]!r} ({role_words(role)}) has no value in any row",
                way_out="Name the column that holds it, or check the export",
            )
    if rows["dyad"].n_unique() < 2:
        raise DataError(
            f"There is only one dyad (column {names['dyad']!r})",
            way_out="Name the column that tells the dyads apart; the models compare dyads",
        )
    times = rows.filter(pl.col("outcome").is_not_null()).group_by("dyad").len()
    if times["len"].max() == 1:
        raise DataError(
            f"No dyad has the outcome (column {names['outcome']!r}) on two occasions",
            way_out="Change over time needs at least two; name the repeated measure as outcome",
        )
    if rows["outcome"].min() == rows["outcome"].max():
        raise DataError(
            f"The outcome (column {names['outcome']!r}) has the same value in every row",
            way_out="Name a column that varies",
        )


def findings(rows: pl.DataFrame, dyads: pl.DataFrame, names: Mapping[str, str]) -> list[Finding]:
    """What is worth knowing about the ratings, the outcome and the dyads' own columns.

    Parameters
    ----------
    rows, dyads
        As in `Dataset`.
    names
        Column in the file by role, covariates by their own names.
    """
    return [*_ratings(rows, names), *_coverage(rows, dyads, names)]


def _ratings(rows: pl.DataFrame, names: Mapping[str, str]) -> list[Finding]:
    found: list[Finding] = []
    low, high, mean = ({role: getattr(rows[role], what)() for role in RATINGS} for what in ("min", "max", "mean"))
    for role in RATINGS:
        if low[role] == high[role]:
            found.append(
                Finding(
                    code="constant-rating",
                    level="warning",
                    words=f"All {RATERS[role]}' ratings have the same value, so their curves are flat.",
                    way_out="Check the column",
                    column=names[role],
                )
            )
    if found:
        return found
    patient, therapist = RATINGS
    spans = sorted(high[role] - low[role] for role in RATINGS)
    apart = any(not low[one] <= mean[other] <= high[one] for one, other in ((patient, therapist), (therapist, patient)))
    if apart or spans[1] >= RANGE_RATIO * spans[0]:
        found.append(
            Finding(
                code="rater-scales",
                level="warning" if apart else "note",
                words=f"Patients' ratings run from {low[patient]:g} to {high[patient]:g} and therapists' from "
                f"{low[therapist]:g} to {high[therapist]:g}: a discrepancy means something only on one scale.",
                way_out="Check that both raters' scores are on the same scale",
                column=names[therapist],
            )
        )
    return found


def _coverage(rows: pl.DataFrame, dyads: pl.DataFrame, names: Mapping[str, str]) -> list[Finding]:
    counts = rows.group_by("dyad", maintain_order=True).agg(pl.col(*RATINGS, "outcome").count())
    patient, therapist = (pl.col(role) > 0 for role in RATINGS)

    def lacking(
        frame: pl.DataFrame, where: pl.Expr, code: str, what: str, so: str, role: str, way_out: str = ""
    ) -> None:
        labels = frame.filter(where)["dyad"].to_list()
        if labels:
            found.append(
                Finding(
                    code=code,
                    level="note",
                    words=f"{counted(len(labels), 'dyad')} {'has' if len(labels) == 1 else 'have'} {what}: {so}.",
                    way_out=way_out,
                    column=names[role],
                    dyad=", ".join([*labels[:10], *(["…"] if len(labels) > 10 else [])]),
                )
            )

    found: list[Finding] = []
    unscored = "no convergence score, so in Model 1 only"
    lacking(counts, patient & ~therapist, "one-rater", "ratings of the patient only", unscored, "therapist_rating")
    lacking(counts, ~patient & therapist, "one-rater", "ratings of the therapist only", unscored, "patient_rating")
    lacking(counts, ~patient & ~therapist, "no-ratings", "no ratings", unscored, "patient_rating")
    lacking(counts, pl.col("outcome") == 0, "no-outcome", "no outcome", "they count for the scores only", "outcome")
    if "baseline" in names:
        lacking(dyads, pl.col("baseline").is_null(), "no-baseline", "no baseline", "in Model 1 only", "baseline")
    if "therapist" in names:
        lacking(
            dyads,
            pl.col("therapist").is_null(),
            "no-therapist",
            "no therapist",
            "models with therapists leave them out",
            "therapist",
            "Fill it in if it is known",
        )
    for covariate in dyads.columns:
        if covariate not in ("dyad", "therapist", "baseline"):
            lacking(
                dyads,
                pl.col(covariate).is_null(),
                "no-covariate",
                f"no value of {covariate!r}",
                "in Model 1 only",
                covariate,
            )
    return found
