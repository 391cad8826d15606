"""Answers that look as if nobody had given them: straight lines through all items."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from dyadline.errors import Finding
from dyadline.measures.measure import Measure
from dyadline.words import counted, dyads_listed, role_words

LEAST_SESSIONS = 2
"""Sessions that a pattern in item answers must hold in."""

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
        # Several times quicker than to compare the lowest with the highest answer.
        line=pl.all_horizontal((pl.all() == pl.coalesce(pl.all())).fill_null(True)),
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


def _warning(code: str, what: str, dyads: Sequence[object]) -> Finding:
    return Finding(
        code=code,
        level="warning",
        words=f"{counted(len(dyads), 'dyad')} with {what} in every session.",
        way_out="Look at the forms; leave these dyads out in a second analysis to see what they change.",
        dyad=dyads_listed(dyads),
    )
