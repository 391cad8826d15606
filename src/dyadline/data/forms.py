"""Ratings and outcomes that look as if nobody, or somebody else, had filled in the form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import reduce
from operator import or_

import polars as pl

from dyadline.data.roles import OCCASION, RATINGS
from dyadline.data.summary import CODE
from dyadline.errors import Finding
from dyadline.words import counted, dyads_listed

RATERS = {"patient_rating": "patients", "therapist_rating": "therapists"}

RANGE_RATIO = 1.5
"""Ranges of the two raters that differ by this factor are pointed out: 1–7 against 1–5 is 1.5."""

LONG, SHORT = 4, 3
"""Ratings of one rater, and joint occasions, from which on sameness says something."""

MANY = 0.2
"""Share of dyads from which on raters who never change their rating are a warning."""


def forms(rows: pl.DataFrame, dyads: pl.DataFrame, names: Mapping[str, str]) -> Iterator[Finding]:
    """Scales that differ, ratings that never change, raters that agree always, dyads that are the same.

    Parameters
    ----------
    rows, dyads
        From `summary.in_order` and `summary.by_dyad`.
    names
        Column in the file by role.
    """
    constant = [role for role in RATINGS if _lowest(dyads, role) == _highest(dyads, role) is not None]
    for role in constant:
        yield Finding(
            code="constant-rating",
            level="warning",
            words=f"All {RATERS[role]}' ratings have the same value, so their curves are flat.",
            way_out="Check the column",
            column=names[role],
        )
    if not constant:
        yield from _scales(rows, dyads, names)
    for role in RATINGS:
        if role not in constant:
            yield from _same_throughout(dyads, role, names)
    yield from _copied(dyads, names)
    yield from _twice(rows, dyads, names)


def _lowest(dyads: pl.DataFrame, role: str) -> float | None:
    return dyads[f"{role} min"].min()  # type: ignore[return-value]


def _highest(dyads: pl.DataFrame, role: str) -> float | None:
    return dyads[f"{role} max"].max()  # type: ignore[return-value]


def _scales(rows: pl.DataFrame, dyads: pl.DataFrame, names: Mapping[str, str]) -> Iterator[Finding]:
    ends = {role: (_lowest(dyads, role), _highest(dyads, role), rows[role].mean()) for role in RATINGS}
    (low, high, mean), (other_low, other_high, other_mean) = (ends[role] for role in RATINGS)
    if low is None or high is None or other_low is None or other_high is None:
        return
    spans = sorted((high - low, other_high - other_low))
    apart = not (low <= other_mean <= high and other_low <= mean <= other_high)  # type: ignore[operator]
    if apart or spans[1] >= RANGE_RATIO * spans[0]:
        yield Finding(
            code="rater-scales",
            level="warning" if apart else "note",
            words=f"Patients' ratings run from {low:g} to {high:g} and therapists' from "
            f"{other_low:g} to {other_high:g}: a discrepancy means something only on one scale.",
            way_out="Check that both raters' scores are on the same scale",
            column=names["therapist_rating"],
        )


def _same_throughout(dyads: pl.DataFrame, role: str, names: Mapping[str, str]) -> Iterator[Finding]:
    long = dyads.filter(pl.col(f"{role} n") >= LONG)
    same = long.filter(pl.col(f"{role} min") == pl.col(f"{role} max"))
    if same.height:
        share = same.height / long.height
        yield Finding(
            code="same-rating-throughout",
            level="warning" if share > MANY else "note",
            words=f"{same.height:,} of {long.height:,} {RATERS[role]} with at least {LONG} ratings ({share:.0%}) "
            f"{'gives' if same.height == 1 else 'give'} the same rating every time.",
            way_out="Look at their forms: the same answer throughout may mean that nobody read the questions",
            column=names[role],
            dyad=dyads_listed(same["dyad"]),
        )


def _copied(dyads: pl.DataFrame, names: Mapping[str, str]) -> Iterator[Finding]:
    same = dyads.filter((pl.col("both") >= SHORT) & (pl.col("same") == pl.col("both")))
    if same.height:
        yield Finding(
            code="copied-forms",
            level="warning",
            words=f"In {counted(same.height, 'dyad')} patient and therapist have the same rating on every one of at "
            f"least {SHORT} joint occasions.",
            way_out="Check whether one form was entered twice",
            column=f"{names['patient_rating']}, {names['therapist_rating']}",
            dyad=dyads_listed(same["dyad"]),
        )


def _twice(rows: pl.DataFrame, dyads: pl.DataFrame, names: Mapping[str, str]) -> Iterator[Finding]:
    """Dyads with the same ratings and outcomes at the same times."""
    alike = ["seen", *(f"{role} {what}" for role in OCCASION for what in ("n", "min", "max"))]
    enough = [pl.col(f"{role} n") >= SHORT for role in OCCASION]
    varying = reduce(or_, (pl.col(f"{role} min") < pl.col(f"{role} max") for role in OCCASION))
    # Few dyads have the same numbers, lowest and highest values: only their rows are compared.
    maybe = dyads.filter(*enough, varying).filter(pl.struct(alike).is_duplicated())
    if not maybe.height:
        return
    series = (
        rows.filter("[seen]")
        .join(maybe.select(CODE), on=CODE, how="semi", maintain_order="left")
        .group_by(CODE, maintain_order=True)
        .agg(pl.col("dyad").first(), seen=pl.struct("time", *OCCASION).hash().sum())
    )
    same = series.filter(pl.col("seen").is_duplicated())
    if not same.height:
        return
    groups = same.group_by("seen", maintain_order=True).agg(pl.col("dyad"))["dyad"].head(5)
    first = [dyads_listed(group, 3).replace(", ", " = ") for group in groups]
    yield Finding(
        code="duplicated-dyads",
        level="warning",
        words=f"{same.height:,} dyads have the ratings and outcomes of another dyad, value by value.",
        way_out="Check whether a dyad was entered under two labels, and delete one of them",
        column=names["dyad"],
        dyad=", ".join([*first, *(["…"] if same["seen"].n_unique() > len(first) else [])]),
    )
