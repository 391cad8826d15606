"""Straight lines and copied forms, in answers that were made to have them or not."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from dyadline.measures.answers import straight_lining
from dyadline.measures.registry import measure

WAI, SR = measure("wai-s"), measure("wai-sr")


def turned(*records: list[float | None], reverse: tuple[int, ...] = (4, 10), ends: float = 8) -> pl.DataFrame:
    """Ticked answers, with reverse-keyed ones turned as scoring leaves them."""
    names = [str(n) for n in range(1, len(records[0]) + 1)]
    frame = pl.DataFrame(list(records), schema=dict.fromkeys(names, pl.Float64), orient="row")
    return frame.with_columns((ends - pl.col(str(n))).alias(str(n)) for n in reverse)


VARIED: list[float | None] = [6, 5, 6, 2, 7, 6, 5, 6, 6, 2, 5, 6]


def test_the_same_answer_to_every_item_in_every_session_is_a_warning():
    answers = turned([7] * 12, [5] * 12, [7] * 12, VARIED, [4] * 12)
    note, warning = straight_lining(
        answers, pl.Series(["a", "a", "b", "b", "c"]), WAI, role="patient_rating"
    )  # fmt: skip
    # Dyad a in both sessions; b in one of two; c has only one session.
    assert (note.code, note.level) == ("straight-lines", "note")
    assert "4 records of 5 of the patient rating (80.0%)" in note.words
    assert "contradict themselves" in note.words
    assert (warning.code, warning.level, warning.dyad) == ("straight-lining", "warning", "a")
    assert warning.words.endswith("in every session.")


def test_turned_answers_that_are_all_alike_are_no_line():
    # All items favourable: 7, and 1 on the reverse-keyed ones. That is a sensible answer.
    favourable: list[float | None] = [1 if n in (4, 10) else 7 for n in range(1, 13)]
    answers = turned(favourable, favourable)
    assert answers.row(0) == (7,) * 12
    assert straight_lining(answers, pl.Series(["a", "a"]), WAI, role="patient_rating") == ()


def test_the_range_in_use_counts():
    answers = turned([5] * 12, [2] * 12, ends=6)
    dyad = pl.Series(["a", "a"])
    assert straight_lining(answers, dyad, WAI, role="patient_rating", range=(1, 5))[1].code == "straight-lining"
    assert straight_lining(answers, dyad, WAI, role="patient_rating") == ()


def test_missing_answers_do_not_break_a_line_but_too_few_make_none():
    some: list[float | None] = [3, None, 3, 3, *[None] * 8]
    few: list[float | None] = [3, None, 3, *[None] * 9]
    answers = turned(some, some, few, few)
    found = straight_lining(answers, pl.Series(["a", "a", "b", "b"]), WAI, role="therapist_rating")
    assert "2 records of 2" in found[0].words
    assert found[1].dyad == "a"


def test_without_reverse_keys_it_may_be_meant():
    answers = turned([5] * 12, [1, *[2] * 11], reverse=())
    (note,) = straight_lining(answers, pl.Series(["a", "b"]), SR, role="patient_rating")
    assert "this may be meant" in note.words


def test_ten_dyads_are_named():
    answers = turned(*[[7] * 12] * 24)
    dyads = pl.Series([f"d{n // 2}" for n in range(24)])
    warning = straight_lining(answers, dyads, WAI, role="patient_rating")[1]
    assert warning.words == "12 dyads with the same answer to every item (patient rating) in every session."
    assert warning.dyad == "d0, d1, d2, d3, d4, d5, d6, d7, d8, d9, …"


@pytest.mark.parametrize("seed", range(3))
def test_answers_of_honest_raters_give_no_warning(seed):
    random = np.random.default_rng(seed)
    dyads = pl.Series(np.repeat(np.arange(200), 8).astype(str))
    level = np.repeat(random.normal(5, 1, 200), 8)[:, None]
    answers = pl.DataFrame(
        np.clip(np.round(level + random.normal(0, 1, (1600, 12))), 1, 7), schema=[str(n) for n in range(1, 13)]
    )
    assert not [f for f in straight_lining(answers, dyads, WAI, role="patient_rating") if f.level == "warning"]
