"""Answers to single items, drawn so that scoring them gives the scale."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from dyadline.engine.moments import Array, Index

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
