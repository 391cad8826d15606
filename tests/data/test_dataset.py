"""The data in the plan's terms, checked by hand on a study of seven rows."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from dyadline.data.dataset import make_dataset
from dyadline.data.describe import agreement, descriptives, flow
from dyadline.errors import DataError, DyadlineError, PlanError
from dyadline.plan.analysis import AnalysisPlan

PlanOf = Callable[..., AnalysisPlan]
FULL = {"therapist": "therapist", "baseline": "bdi_pre", "covariates": ["n"]}


def test_rows_and_dyads(study: pl.DataFrame, plan_of: PlanOf) -> None:
    dataset = make_dataset(study, plan_of(**FULL), source="sessions.csv")
    expected = {
        "row": [3, 6, 1, 2, 4, 5, 7],
        "dyad": ["b", "b", "b", "a", "a", "a", "c"],
        "therapist": ["7", "7", "7", "8", "8", "8", "7"],
        "time": [1.0, 2.0, 3.0, 1.0, 2.0, 3.0, 1.0],
        "t": [0.0, 1.0, 2.0, 0.0, 1.0, 2.0, 0.0],
        "patient_rating": [3.0, 4.0, 5.0, 4.0, 4.5, None, 6.0],
        "therapist_rating": [4.0, None, 5.5, 5.0, 5.5, 6.0, 5.0],
        "outcome": [None, 14.0, 10.0, 30.0, 28.0, 20.0, 22.0],
    }
    assert_frame_equal(dataset.rows, pl.DataFrame(expected))
    expected_dyads = {
        "dyad": ["b", "a", "c"],
        "therapist": ["7", "8", "7"],
        "baseline": [18.0, 31.0, None],
        "n": [20.0, 40.0, 3.0],
    }
    assert_frame_equal(dataset.dyads, pl.DataFrame(expected_dyads))
    assert dataset.names == {
        "dyad": "id",
        "therapist": "therapist",
        "time": "session",
        "patient_rating": "wai_p",
        "therapist_rating": "wai_t",
        "outcome": "bdi",
        "baseline": "bdi_pre",
        "n": "n",
    }
    assert (dataset.origin, dataset.n_rows_read, dataset.n_dyads) == (1.0, 7, 3)
    assert dataset.source == "sessions.csv"


def test_without_therapist_the_column_is_not_there(study: pl.DataFrame, plan_of: PlanOf) -> None:
    dataset = make_dataset(study, plan_of())
    assert "therapist" not in dataset.rows.columns
    assert dataset.dyads.columns == ["dyad", "baseline"]
    assert "baseline" not in dataset.names
    assert dataset.source == "frame"


def test_first_outcome_as_baseline_within_the_outcome_window(study: pl.DataFrame, plan_of: PlanOf) -> None:
    assert make_dataset(study, plan_of()).dyads["baseline"].to_list() == [14.0, 30.0, 22.0]
    windowed = make_dataset(study, plan_of(outcome_window=[2.5, 3]))
    assert windowed.dyads["baseline"].to_list() == [10.0, 20.0, None]
    assert windowed.rows.height == 7


def test_time_is_counted_from_the_origin_in_units_of_the_scale(study: pl.DataFrame, plan_of: PlanOf) -> None:
    dataset = make_dataset(study, plan_of(time={"origin": 0, "scale": 2.0}))
    assert dataset.origin == 0.0
    assert dataset.rows["t"].to_list() == [0.5, 1.0, 1.5, 0.5, 1.0, 1.5, 0.5]


def test_an_occasion_without_any_value_is_not_the_first(study: pl.DataFrame, plan_of: PlanOf) -> None:
    planned = pl.DataFrame({"id": ["a", "b"], "session": [0, -1]})
    dataset = make_dataset(pl.concat([study, planned], how="diagonal"), plan_of())
    assert dataset.origin == 1.0
    assert dataset.rows.height == 9


@pytest.mark.parametrize("kind", ["pandas", "pyarrow", "lazy"])
def test_other_kinds_of_frame(study: pl.DataFrame, plan_of: PlanOf, kind: str) -> None:
    frame = {"pandas": study.to_pandas, "pyarrow": study.to_arrow, "lazy": study.lazy}[kind]()
    expected = make_dataset(study, plan_of(**FULL))
    dataset = make_dataset(frame, plan_of(**FULL))
    # pandas has the therapists as 7.0 and 8.0, because one is missing
    assert_frame_equal(dataset.rows, expected.rows)
    assert_frame_equal(dataset.dyads, expected.dyads)


@pytest.mark.parametrize("kind", [pl.Int8, pl.UInt64, pl.Float32, pl.Decimal(20, 2), pl.String, pl.Boolean])
def test_numbers_of_any_type_become_float(study: pl.DataFrame, plan_of: PlanOf, kind: Any) -> None:
    half = pl.col("bdi") > 20
    bdi = half if kind == pl.Boolean else pl.col("bdi").cast(pl.Int64).cast(kind)
    dataset = make_dataset(study.with_columns(bdi=bdi), plan_of())
    expected = (
        [None, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0] if kind == pl.Boolean else [None, 14.0, 10.0, 30.0, 28.0, 20.0, 22.0]
    )
    assert dataset.rows["outcome"].dtype == pl.Float64
    assert dataset.rows["outcome"].to_list() == expected


def test_nan_empty_text_and_na_are_missing(study: pl.DataFrame, plan_of: PlanOf) -> None:
    dressed = study.with_columns(
        wai_p=pl.Series([5.0, 4.0, 3.0, 4.5, float("nan"), 4.0, 6.0]),
        bdi=pl.Series(["10", "30", " ", "28 ", "20", "14", "NA"]),
        id=pl.col("id") + " ",
    )
    rows = make_dataset(dressed, plan_of()).rows
    assert rows["patient_rating"].to_list() == [3.0, 4.0, 5.0, 4.0, 4.5, None, 6.0]
    assert rows["outcome"].to_list() == [None, 14.0, 10.0, 30.0, 28.0, 20.0, None]
    assert rows["dyad"].to_list() == ["b", "b", "b", "a", "a", "a", "c"]


def test_categories_and_whole_floats_as_labels(study: pl.DataFrame, plan_of: PlanOf) -> None:
    coded = study.with_columns(id=pl.Series([2.0, 1.0, 2.0, 1.0, 1.0, 2.0, 3.0]))
    assert make_dataset(coded, plan_of()).dyads["dyad"].to_list() == ["2", "1", "3"]
    coded = study.with_columns(pl.col("id").cast(pl.Categorical))
    assert make_dataset(coded, plan_of()).dyads["dyad"].to_list() == ["b", "a", "c"]


def test_rows_without_dyad_or_time_are_left_out_where_nothing_is_lost(study: pl.DataFrame, plan_of: PlanOf) -> None:
    # Row 8 has nothing but a time; row 9 has no time, but the baseline of dyad c.
    more = pl.DataFrame(
        {"id": [None, "c"], "session": [4, None], "bdi_pre": [None, 25]}, schema_overrides={"id": pl.String}
    )
    dataset = make_dataset(pl.concat([study, more], how="diagonal"), plan_of(**FULL))
    assert dataset.rows["row"].to_list() == [3, 6, 1, 2, 4, 5, 7]
    assert dataset.dyads["baseline"].to_list() == [18.0, 31.0, 25.0]
    assert dataset.n_rows_read == 9
    finding = dataset.findings[0]
    assert (finding.code, finding.level, finding.rows) == ("rows-left-out", "note", (8, 9))
    assert finding.words == "2 rows without dyad or time and without values were left out."


def test_descriptives_by_hand(study: pl.DataFrame, plan_of: PlanOf) -> None:
    table = descriptives(make_dataset(study, plan_of()))
    assert table.columns == ["variable", "time", "n", "mean", "sd", "min", "max", "expected", "missing"]
    patient = table.filter(pl.col("variable") == "patient_rating").drop("variable").rows()
    # 3, 4, 6: mean 13/3, sum of squares 42/9; 4.5 and 4.0; 5.0 alone
    assert patient[0] == pytest.approx((1.0, 3, 13 / 3, (7 / 3) ** 0.5, 3.0, 6.0, 3, 0), abs=1e-14)
    assert patient[1] == pytest.approx((2.0, 2, 4.25, 0.125**0.5, 4.0, 4.5, 2, 0), abs=1e-14)
    assert patient[2] == (3.0, 1, 5.0, None, 5.0, 5.0, 2, 1)
    assert table["variable"].unique(maintain_order=True).to_list() == ["patient_rating", "therapist_rating", "outcome"]
    assert table.filter(pl.col("variable") == "outcome")["n"].to_list() == [2, 2, 2]


def test_flow_by_hand(study: pl.DataFrame, plan_of: PlanOf) -> None:
    planned = pl.DataFrame({"id": ["c"], "session": [4]})
    table = flow(make_dataset(pl.concat([study, planned], how="diagonal"), plan_of()))
    assert table.columns == ["time", "dyads", "patient_rating", "therapist_rating", "outcome", "last_seen"]
    assert table.rows() == [(1.0, 3, 3, 3, 2, 1), (2.0, 2, 2, 1, 2, 0), (3.0, 2, 1, 2, 2, 2), (4.0, 1, 0, 0, 0, 0)]


def test_agreement_by_hand(study: pl.DataFrame, plan_of: PlanOf) -> None:
    table = agreement(make_dataset(study, plan_of()))
    first = table.row(0)
    # differences −1, −1, 1; r of (3, 4, 6) and (4, 5, 5) is 12 / √(42 · 6)
    assert first == pytest.approx((1.0, 3, -1 / 3, (4 / 3) ** 0.5, 1.0, 12 / 252**0.5), abs=1e-14)
    assert table.rows()[1:] == [(2.0, 1, -1.0, None, 1.0, None), (3.0, 1, -0.5, None, 0.5, None)]


def test_a_constant_rater_has_no_correlation(study: pl.DataFrame, plan_of: PlanOf) -> None:
    table = agreement(make_dataset(study.with_columns(wai_t=pl.lit(5.0)), plan_of()))
    assert table["correlation"].null_count() == table.height
    assert table["sd_difference"][0] == pytest.approx((7 / 3) ** 0.5)


def test_no_frame_is_the_caller_s_mistake(plan_of: PlanOf) -> None:
    with pytest.raises(PlanError) as caught:
        make_dataset([1, 2], plan_of())
    assert str(caught.value) == "A frame is needed, not list. Hand in a polars, pandas or pyarrow table."


def test_doubled_columns_of_pandas(study: pl.DataFrame, plan_of: PlanOf) -> None:
    pandas = study.to_pandas()
    with pytest.raises(DataError) as caught:
        make_dataset(pd.concat([pandas, pandas[["bdi"]]], axis=1), plan_of())
    assert str(caught.value) == "Columns of the frame have the same name. Give each column its own name."


def test_mixed_values_of_pandas_are_named(study: pl.DataFrame, plan_of: PlanOf) -> None:
    pandas = study.to_pandas()
    pandas["bdi"] = [10, "thirty", None, 28.0, 20, 14, 22]
    with pytest.raises(DataError) as caught:
        make_dataset(pandas, plan_of())
    assert "has text: 'thirty' in row 2." in str(caught.value)


LABEL = st.one_of(st.none(), st.sampled_from(["a", "b", "", 1, 2, 2.5, "1"]))
VALUE = st.one_of(
    st.none(), st.integers(0, 3), st.floats(), st.booleans(), st.sampled_from(["1", "x", "", "NA", "2020-01-01", "1,5"])
)


def column(values: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(values, min_size=6, max_size=6)


@settings(max_examples=300, deadline=None)
@given(
    dyad=st.one_of(column(st.sampled_from("ab")), column(LABEL)),
    time=st.one_of(column(st.integers(0, 9)), column(VALUE)),
    measures=st.tuples(*[st.one_of(column(st.floats(0, 9)), column(st.none()), column(VALUE)) for _ in range(4)]),
    dates=st.sampled_from([None, "session", "wai_p", "id"]),
    first=st.booleans(),
)
def test_any_small_frame_is_taken_or_refused_in_words(
    plan_of: PlanOf, dyad: Any, time: Any, measures: Any, dates: Any, first: bool
) -> None:
    columns = dict(zip(["id", "session", "wai_p", "wai_t", "bdi", "pre"], [dyad, time, *measures], strict=True))
    if dates:
        columns[dates] = [dt.date(2020, 1, day) for day in range(1, 7)]
    frame = pl.DataFrame({name: pl.Series(values, strict=False) for name, values in columns.items()})
    said = "something"
    try:
        dataset = make_dataset(frame, plan_of(baseline="first" if first else "pre"))
        said = descriptives(dataset).columns[0] + flow(dataset).columns[0] + agreement(dataset).columns[0]
    except DyadlineError as error:
        said = error.way_out
    assert said


def test_dyads_numbered_anew_for_each_therapist_are_told_apart_and_told(study: pl.DataFrame, plan_of: PlanOf) -> None:
    numbered = pl.concat(
        [
            study.filter(pl.col("id") != "c").with_columns(therapist=pl.lit(therapist, dtype=pl.Int64))
            for therapist in (7, 8)
        ]
    ).with_columns(bdi_pre=pl.lit(30), n=pl.lit(20))
    found = make_dataset(numbered, plan_of(therapist="therapist"))
    assert found.dyads["dyad"].to_list() == ["7:b", "7:a", "8:b", "8:a"]
    (note,) = [f for f in found.findings if f.code == "labels-repeat-across-therapists"]
    assert note.words.startswith("2 of 2 labels in 'id'") and "which makes 4 dyads" in note.words


def test_a_single_patient_with_two_therapists_is_asked_about(study: pl.DataFrame, plan_of: PlanOf) -> None:
    changed = study.with_columns(therapist=pl.Series([7, 8, 9, 8, 8, 7, 7]))
    with pytest.raises(DataError, match="changed therapist"):
        make_dataset(changed, plan_of(therapist="therapist"))
