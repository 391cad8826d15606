"""Answers to single items, drawn so that scoring them gives the scale."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
import polars as pl

from dyadline.engine.moments import Array, Index
from dyadline.errors import PlanError
from dyadline.measures.registry import measure
from dyadline.plan.columns import ITEM, ItemsSection

ITEM_SD, ANSWER_SD = 0.4, 0.7
"""Spread of the items' difficulties, and of single answers around person and item, in answer units."""


def draw_answers(
    sums: Array, *, items: int, lowest: int, highest: int, reverse: Collection[int], rng: np.random.Generator
) -> Index:
    """Whole-number answers to the items of a scale whose sum is given.

    Parameters
    ----------
    sums
        Sum over the items, reverse-keyed ones turned, (n,): whole numbers from ``items · lowest`` to
        ``items · highest``.
    items, lowest, highest
        Number of items, and the lowest and highest answer.
    reverse
        Numbers, from 1, of the items that are answered the other way round.
    rng
        Of the answers.

    Returns
    -------
    Answers as they stand in a questionnaire, (n, items).
    """
    wanted = np.asarray(sums, dtype=np.intp)
    around = wanted[:, None] / items + ITEM_SD * rng.standard_normal(items)
    answers = np.rint(around + ANSWER_SD * rng.standard_normal((len(wanted), items))).clip(lowest, highest)
    answers = answers.astype(np.intp)
    # Answer by answer until the sum is right: an item that still has room, at random.
    while len(off := np.flatnonzero(gap := wanted - answers.sum(axis=1))):
        step = np.sign(gap[off])
        room = np.where(step[:, None] > 0, answers[off] < highest, answers[off] > lowest)
        item = np.argmax(rng.random(room.shape) * room, axis=1)
        answers[off, item] += step
    for number in reverse:
        answers[:, number - 1] = lowest + highest - answers[:, number - 1]
    return answers


def with_answers(
    frame: pl.DataFrame, given: Mapping[str, ItemsSection], rng: np.random.Generator, folder: Path | None = None
) -> pl.DataFrame:
    """Answers in place of scores; a missing score is a form that was not filled in.

    Parameters
    ----------
    frame
        Scores by column.
    given
        Measure and names of the items by the column that they replace.
    rng
        Of the answers.
    folder
        Where the user's own measures are looked for.

    Raises
    ------
    PlanError
        An unknown measure, or a measure whose total is not made of all its items.
    """
    for column, section in given.items():
        used = measure(section.measure, folder)
        total = used.scales[used.total]
        names = section.items
        if isinstance(names, str):
            names = tuple(names.replace(ITEM, str(number + 1)) for number in range(used.items))
        if total.items is not None or len(names) != used.items:
            raise PlanError(
                f"Answers to {used.name} cannot be drawn: "
                + ("its total is not made of all items" if total.items is not None else f"it has {used.items} items"),
                where=f"items.{column}",
            )
        low, high = (int(end) for end in section.range or used.range)
        score = frame[column].to_numpy()
        there = np.isfinite(score)
        times = used.items if total.score == "mean" else 1
        sums = np.rint(score[there] / total.factor * times).clip(low * used.items, high * used.items)
        drawn = draw_answers(sums, items=used.items, lowest=low, highest=high, reverse=used.reverse, rng=rng)
        answers = np.full((len(score), used.items), np.nan)
        answers[there] = drawn
        made = pl.DataFrame(answers, schema=list(names)).fill_nan(None).cast(pl.Int64)
        place = frame.columns.index(column)
        frame = pl.concat([frame[:, :place], made, frame[:, place + 1 :]], how="horizontal")
    return frame
