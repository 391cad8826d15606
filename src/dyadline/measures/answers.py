"""Answers that look as if nobody had given them: straight lines and copied forms."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from dyadline.errors import Finding
from dyadline.measures.measure import Measure
from dyadline.words import counted, listed, role_words

NAMED = 10
"""Dyads that a sentence names before it counts the others."""

LEAST_SESSIONS = 2
"""Sessions that a pattern in item answers must hold in."""

LEAST_RATINGS = 3
"""The same for single ratings, where twice the same number is often chance."""

LEAST_ITEMS = 3
"""Answered items that make a line."""


def straight_lining(
    answers: pl.DataFrame,
    dyad: pl.Series,
    measure: Measure,
    *,
    role: str,
    range: tuple[float, float] | None = None,
) -> tuple[Finding, ...]:
    """Records in which all items have the identical answer, reverse-keyed ones too.

    Parameters
    ----------
    answers
        As in `Scores.answers`: a column per item, reverse-keyed items turned, (n, items).
    dyad
        Dyad of each row, (n,).
    measure
        Their measure.
    role
        Whose answers: ``patient_rating``, ``therapist_rating``, ``outcome``.
    range
        Lowest and highest answer in use; the measure's by default.
    """
    low, high = range or measure.range
    reverse = {str(number) for number in measure.reverse}
    # As the rater ticked them, before keys were turned.
    ticked = answers.select(
        (low + high - pl.col(name) if name in reverse else pl.col(name)).alias(name) for name in answers.columns
    )
    records = ticked.select(
        dyad=dyad,
        answered=pl.sum_horizontal(pl.all().is_not_null()),
        line=pl.min_horizontal(pl.all()) == pl.max_horizontal(pl.all()),
    ).filter(pl.col("answered") >= LEAST_ITEMS)
    lines = int(records["line"].sum())
    if not lines:
        return ()
    by_dyad = records.group_by("dyad", maintain_order=True).agg(pl.len(), pl.col("line").all())
    whole = by_dyad.filter(pl.col("line") & (pl.col("len") >= LEAST_SESSIONS))["dyad"].to_list()
    reading = (
        "With reverse-keyed items such answers contradict themselves."
        if reverse & set(answers.columns)
        else "The measure has no reverse-keyed items, so that this may be meant."
    )
    found = [
        Finding(
            code="straight-lines",
            level="note",
            words=f"{counted(lines, 'record')} of {records.height:,} of the {role_words(role)} "
            f"({lines / records.height:.1%}) {'has' if lines == 1 else 'have'} the same answer to every item. "
            f"{reading}",
        )
    ]
    if whole:
        found.append(_warning("straight-lining", f"the same answer to every item ({role_words(role)})", whole))
    return tuple(found)


def unchanging_ratings(rating: pl.Series, dyad: pl.Series, *, role: str) -> tuple[Finding, ...]:
    """Dyads in which one rater gave the identical rating in every one of at least three sessions.

    Parameters
    ----------
    rating
        One number per row, (n,); null where missing.
    dyad
        Dyad of each row, (n,).
    role
        Whose ratings.
    """
    rated = pl.DataFrame({"dyad": dyad, "rating": rating}).drop_nulls()
    by_dyad = rated.group_by("dyad", maintain_order=True).agg(pl.len(), pl.col("rating").n_unique())
    same = by_dyad.filter((pl.col("rating") == 1) & (pl.col("len") >= LEAST_RATINGS))["dyad"].to_list()
    return (_warning("straight-lining", f"one and the same {role_words(role)}", same),) if same else ()


def copied_forms(
    patient: pl.DataFrame | pl.Series, therapist: pl.DataFrame | pl.Series, dyad: pl.Series
) -> tuple[Finding, ...]:
    """Dyads in which patient and therapist answered identically in every session that both rated.

    Sessions count if both rated them; there must be at least two with item answers, three with single ratings. Dyads in
    which all of it is one and the same number are left to `straight_lining` and `unchanging_ratings`.

    Parameters
    ----------
    patient, therapist
        Item answers, a column per item as in `Scores.answers`, or single ratings, (n,). Items that only one of them
        has are not compared.
    dyad
        Dyad of each row, (n,).
    """
    pairs, columns, least = _paired(patient, therapist)
    if not columns:
        return ()
    both = [pl.col(f"p{c}").is_not_null() & pl.col(f"t{c}").is_not_null() for c in columns]
    unlike = [(pl.col(f"p{c}") != pl.col(f"t{c}")).fill_null(False) for c in columns]
    least_answers = min(len(columns), LEAST_ITEMS)
    records = pairs.select(
        dyad=dyad,
        compared=pl.sum_horizontal(both),
        like=~pl.any_horizontal(unlike),
        lowest=pl.min_horizontal(f"p{c}" for c in columns),
        highest=pl.max_horizontal(f"p{c}" for c in columns),
    ).filter(pl.col("compared") >= least_answers)
    by_dyad = records.group_by("dyad", maintain_order=True).agg(
        pl.len(), pl.col("like").all(), pl.col("lowest").min(), pl.col("highest").max()
    )
    varied = pl.col("lowest") < pl.col("highest")
    copied = by_dyad.filter(pl.col("like") & (pl.col("len") >= least) & varied)["dyad"].to_list()
    if not copied:
        return ()
    return (_warning("identical-raters", "identical answers of patient and therapist", copied),)


def _paired(
    patient: pl.DataFrame | pl.Series, therapist: pl.DataFrame | pl.Series
) -> tuple[pl.DataFrame, list[str], int]:
    """Both raters' columns side by side, p… and t…; the columns that both have; sessions needed."""
    if isinstance(patient, pl.Series) or isinstance(therapist, pl.Series):
        if not (isinstance(patient, pl.Series) and isinstance(therapist, pl.Series)):
            return pl.DataFrame(), [], LEAST_RATINGS
        return pl.DataFrame({"p": patient, "t": therapist}), [""], LEAST_RATINGS
    columns = [name for name in patient.columns if name in therapist.columns]
    sides = [patient[c].alias(f"p{c}") for c in columns] + [therapist[c].alias(f"t{c}") for c in columns]
    return pl.DataFrame(sides), columns, LEAST_SESSIONS


def _warning(code: str, what: str, dyads: Sequence[object]) -> Finding:
    named = listed([str(dyad) for dyad in dyads[:NAMED]], total=len(dyads))
    return Finding(
        code=code,
        level="warning",
        words=f"{counted(len(dyads), 'dyad')} with {what} in every session: {named}.",
        way_out="Look at the forms; leave these dyads out in a second analysis to see what they change.",
        dyad=str(dyads[0]) if len(dyads) == 1 else "",
    )
