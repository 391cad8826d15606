"""A file of dyads beside the data."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from dyadline.data.dyads import join_dyads
from dyadline.data.shape import reshape
from dyadline.data.table import Declared, Table
from dyadline.errors import DataError
from dyadline.plan.document import make_plan

SESSIONS = pl.DataFrame({"id": [2, 1, 2, None], "session": [1, 1, 2, 1], "p": 1.0, "t": 2.0, "y": [3, 4, 5, 6]})


def joined(
    data: pl.DataFrame, dyads: pl.DataFrame, *, dyad: str | None = None, about: Any = None, **columns: Any
) -> Table:
    known = {"dyad": "id", "time": "session", "patient_rating": "p", "therapist_rating": "t", "outcome": "y"}
    second = {"file": "dyads.csv"} | ({"dyad": dyad} if dyad else {})
    plan = make_plan({"version": 1, "columns": known | columns, "dyads": second})
    table = Table(frame=data, source="data.sav", labels={"p": "patient"})
    both = join_dyads(table, Table(frame=dyads, source="dyads.csv", **(about or {})), plan)
    reshape(both, plan)
    return both


def refused(*args: Any, **about: Any) -> str:
    with pytest.raises(DataError) as caught:
        joined(*args, **about)
    return str(caught.value)


def test_columns_stand_beside_and_rows_stay() -> None:
    dyads = pl.DataFrame({"code": [1.0, 2.0], "age": [30, 40], "sex": ["f", "m"], "p": [0, 0]})
    about = {"labels": {"age": "years", "p": "x"}, "value_labels": {"sex": {"f": "female"}}}
    both = joined(
        SESSIONS,
        dyads.drop("p"),
        dyad="code",
        about=about | {"declared": {"age": Declared(codes=(99,))}},
        covariates=["age"],
    )
    assert both.frame.columns == [*SESSIONS.columns, "age", "sex"]
    assert both.frame.select(SESSIONS.columns).equals(SESSIONS)
    assert both.frame["age"].to_list() == [40, 30, 40, None]
    assert both.labels == {"p": "patient", "age": "years"}
    assert both.value_labels == {"sex": {"f": "female"}} and both.declared == {"age": Declared(codes=(99,))}
    assert both.source == "data.sav" and both.findings == ()


@pytest.mark.parametrize(
    ("data", "dyads", "meet"),
    [
        ([7, 8], [7.0, 8.0], True),
        ([7, 8], ["7", " 8"], True),
        ([7, 8], ["007", "8.0"], True),
        (["007", "8"], [7, 8], True),
        ([7.5, 8.0], ["7.5", "8"], True),
        (["a1", "b"], [" a1", "b "], True),
        (["7", "8"], ["7.0", "08"], False),
        (["a", "b"], ["A", "B"], False),
    ],
)
def test_labels_meet_as_the_same_text_or_an_equal_number(data: list[Any], dyads: list[Any], meet: bool) -> None:
    frame = SESSIONS.head(2).with_columns(id=pl.Series(data))
    second = pl.DataFrame({"id": dyads, "age": [1, 2]})
    if meet:
        assert joined(frame, second, covariates=["age"]).frame["age"].to_list() == [1, 2]
    else:
        assert refused(frame, second, covariates=["age"]).startswith("No dyad of 'data.sav' is in 'dyads.csv'")


def test_texts_that_are_one_number_stay_two_labels() -> None:
    frame = SESSIONS.head(2).with_columns(id=pl.Series(["7", "07"]))
    assert joined(frame, pl.DataFrame({"id": [7], "age": [1]})).frame["age"].to_list() == [1, None]


def test_texts_that_are_no_numbers_are_labels_too() -> None:
    frame = SESSIONS.head(2).with_columns(id=pl.Series([7, 8]))
    both = joined(frame, pl.DataFrame({"id": ["7", "8 x"], "age": [1, 2]}))
    assert both.frame["age"].to_list() == [1, None]
    assert [(f.code, f.dyad) for f in both.findings] == [("not-in-dyad-file", "8"), ("only-in-dyad-file", "8 x")]


def test_dyads_of_one_file_only_are_noted() -> None:
    dyads = pl.DataFrame({"id": [2, *range(10, 22), None], "age": 1})
    one, other, unnamed = joined(SESSIONS, dyads).findings
    assert (one.code, one.dyad) == ("not-in-dyad-file", "1")
    assert one.words == "1 dyad not in 'dyads.csv': their values from there are missing."
    assert (other.code, other.dyad) == ("only-in-dyad-file", "10, 11, 12, 13, 14, 15, 16, 17, 18, 19, …")
    assert other.words == "12 dyads not in 'data.sav': they are not used."
    assert unnamed.code == "dyad-file-without-label"


def test_what_cannot_be_joined() -> None:
    twice = pl.DataFrame({"id": ["1", "2", "01"], "age": 1})
    assert refused(SESSIONS, twice.with_columns(id=pl.Series([1, 2, 1]))) == (
        "1 dyad has more than one row in 'dyads.csv' (column 'id', rows 1 and 3). Keep one row per dyad there."
    )
    assert (
        refused(SESSIONS, twice.rename({"id": "ids"}))
        == "There is no column 'id' (dyad) in 'dyads.csv'. Did you mean 'ids'?"
    )
    assert refused(SESSIONS, pl.DataFrame({"id": [1, 2], "y": 1})) == (
        "The column 'y' is in 'data.sav' and in 'dyads.csv'. Rename it in one of the files, or drop it there."
    )
    wide = {"patient_rating": "p_{time}", "therapist_rating": "t_{time}", "outcome": "y_{time}"}
    frame = SESSIONS.head(2).select("id", p_1=1, t_1=1, y_1=1)
    assert "'y_1' is in" in refused(frame, pl.DataFrame({"id": [1, 2], "y_1": 1}), **wide)


def test_a_column_that_nobody_asks_for_stays_the_datas() -> None:
    both = joined(SESSIONS.with_columns(note=1), pl.DataFrame({"id": [1, 2], "note": 2}))
    assert both.frame["note"].to_list() == [1, 1, 1, 1]
