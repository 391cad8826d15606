"""Files of any shape give the rows that were written into them."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from dyadline.data.delimited import read_delimited
from dyadline.data.dyads import join_dyads
from dyadline.data.shape import Long, reshape
from dyadline.data.table import Table
from dyadline.errors import DataError, DyadlineError, PlanError
from dyadline.plan.analysis import AnalysisPlan
from dyadline.plan.document import make_plan, parse_plan

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "data.md").read_text(encoding="utf-8")
COLUMNS = {"dyad": "id", "time": "session", "patient_rating": "p", "therapist_rating": "t", "outcome": "y"}
WIDE = {"patient_rating": "p_{time}", "therapist_rating": "t_{time}", "outcome": "y_{time}"}
RATERS = {"column": "who", "patient": "p", "therapist": "t"}
BOTH = {"patient_rating": "w", "therapist_rating": "w"}


def plan_of(sections: dict[str, Any] | None = None, **columns: Any) -> AnalysisPlan:
    return make_plan({"version": 1, "columns": COLUMNS | columns, **(sections or {})})


def shaped(frame: pl.DataFrame, plan: AnalysisPlan, **about: Any) -> Long:
    return reshape(Table(frame=frame, source="study.sav", **about), plan)


def refused(frame: pl.DataFrame, plan: AnalysisPlan, kind: type[DyadlineError] = DataError, **about: Any) -> str:
    with pytest.raises(kind) as caught:
        shaped(frame, plan, **about)
    return str(caught.value)


def found(long: Long) -> dict[str, str]:
    return {finding.code: finding.words for finding in long.findings}


# --- the page


def sections() -> list[str]:
    return [part for part in re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:] if "```toml" in part]


def block(part: str, kind: str) -> str | None:
    match = re.search(rf"```{kind}\n(.*?)```", part, flags=re.DOTALL)
    return match and match[1]


@pytest.mark.parametrize("part", sections(), ids=lambda part: part.split("\n")[0])
def test_the_examples_of_the_data_page_give_the_rows_that_it_shows(part: str) -> None:
    files = {kind: block(part, f"csv {kind}") for kind in ("data", "dyads", "long")}
    tables = {kind: read_delimited(text.encode(), f"{kind}.csv", preferred=",") for kind, text in files.items() if text}
    plan = parse_plan(block(part, "toml") or "")
    table = tables["data"] if plan.dyads is None else join_dyads(tables["data"], tables["dyads"], plan)
    long, expected = reshape(table, plan), tables["long"].frame
    assert set(long.names.values()) <= {*expected.columns, *(c.name for c in plan.columns.measures.values())}
    given = long.frame.select(
        pl.col(name).cast(pl.String if expected[name].dtype == pl.String else pl.Float64) for name in expected.columns
    )
    assert_frame_equal(given, expected.with_columns(pl.selectors.numeric().cast(pl.Float64)))


def test_the_page_has_an_example_for_each_shape() -> None:
    assert len(sections()) == 7


# --- long


def test_long_rows_pass_untouched() -> None:
    frame = pl.DataFrame({"id": [2, 1], "session": [1, 1], "p": [1.0, 2.0], "t": ["3", "x"], "y": [1, 2], "z": [0, 0]})
    long = shaped(frame, plan_of(baseline="z"))
    assert long.frame is frame
    assert long.row.to_list() == [1, 2] and long.row.dtype == pl.Int64
    names = {"dyad": "id", "time": "session", "patient_rating": "p", "therapist_rating": "t", "outcome": "y"}
    assert long.names == {**names, "baseline": "z"} and long.items == {} and long.findings == ()


def test_items_are_found_by_pattern_or_list_whatever_else_the_file_has() -> None:
    names = ["w01", "w10", "w2", "w2_old", "xw3", "b", "a"]
    frame = pl.DataFrame({"id": [1], "session": [1], "t": [1], **{key: [1] for key in names}})
    scored = {"measure": "wai-s", "items": "w{item}"}
    long = shaped(frame, plan_of(patient_rating=scored, outcome={"measure": "bdi", "items": ["b", "a"]}))
    assert long.items == {"patient_rating": {1: "w01", 2: "w2", 10: "w10"}, "outcome": {1: "b", 2: "a"}}
    assert list(long.items["patient_rating"]) == [1, 2, 10]
    assert long.names["patient_rating"] == "w{item}" and long.names["outcome"] == "b … a"


def test_what_is_missing_is_named_with_the_nearest() -> None:
    frame = pl.DataFrame({"id": [1], "session": [1], "p": [1], "t": [1], "Y": [1], "wai1": [1]})
    assert refused(frame, plan_of()) == "There is no column 'y' (outcome) in 'study.sav'. Did you mean 'Y'?"
    scored = {"measure": "wai-s", "items": "wai_{item}"}
    assert refused(frame.rename({"Y": "y"}), plan_of(patient_rating=scored)) == (
        "There is no column that fits 'wai_{item}' (patient rating) in 'study.sav'. Did you mean 'wai1'?"
    )
    listed = {"measure": "wai-s", "items": ["wai1", "wai2"]}
    assert "no column 'wai2' (patient rating)" in refused(frame.rename({"Y": "y"}), plan_of(patient_rating=listed))
    asked = plan_of({"checks": {"reason": "why"}})
    assert "no column 'why' (reason of the end)" in refused(frame.rename({"Y": "y"}), asked)


def test_doubled_items_and_columns_of_two_roles_are_refused() -> None:
    frame = pl.DataFrame({"id": [1], "session": [1], "t": [1], "w1": [1], "w01": [1], "y": [1]})
    scored = {"measure": "wai-s", "items": "w{item}"}
    assert refused(frame, plan_of(patient_rating=scored)) == (
        "The columns 'w1' and 'w01' have the same place in 'w{item}' (patient rating). Rename or drop one of them."
    )
    frame = frame.drop("w01")
    both = plan_of(patient_rating=scored, therapist_rating={"measure": "wai-s", "items": "{item}"})
    assert "no column that fits '{item}'" in refused(frame, both)
    both = plan_of(patient_rating=scored, outcome={"measure": "bdi", "items": ["w1"]})
    assert "no column that fits 'w{item}' (patient rating)" in refused(frame, both)
    frame = frame.with_columns(ww1=1)
    wide = plan_of(patient_rating="{time}w", therapist_rating="w{time}", outcome="w{time}{time}")
    assert "more than once" in refused(frame, wide, PlanError)


# --- wide


def test_wide_rows_numbers_and_findings() -> None:
    frame = pl.DataFrame(
        {
            "id": ["a", "b", "c", "d"],
            "p_3": [1.0, None, 3.0, None],
            "p_12": [4, None, None, None],
            "t_03": ["1", "", "3,5", "NA"],
            "t_20": [None, 2.0, None, float("nan")],
            "y_3.5": [1, 2, None, None],
            "y_3.5_old": [9, 9, 9, 9],
        }
    )
    long = shaped(frame, plan_of(**WIDE))
    expected = pl.DataFrame(
        {
            "id": ["a", "a", "a", "b", "b", "c"],
            "session": [3.0, 3.5, 12.0, 3.5, 20.0, 3.0],
            "p_{time}": [1.0, None, 4.0, None, None, 3.0],
            "t_{time}": ["1", None, None, None, "2.0", "3,5"],
            "y_{time}": [None, 1, None, 2, None, None],
        }
    )
    assert_frame_equal(long.frame, expected)
    assert long.row.to_list() == [1, 1, 1, 2, 2, 3]
    assert found(long)["wide-file"] == (
        "4 rows with a column per occasion: 4 occasions, '3', '3.5', '12' and '20'. "
        "10 occasions of single dyads without any value are no row."
    )
    notes = [f.words for f in long.findings if f.code == "occasions-of-one-rater"]
    assert notes == [
        "Only patients have columns at 1 occasion: '12'.",
        "Only therapists have columns at 1 occasion: '20'.",
    ]


def test_a_dyad_with_only_its_own_values_keeps_a_row() -> None:
    frame = pl.DataFrame(
        {"id": [1, 2, 3], "age": [30, 40, None], **{c: [1.0, None, None] for c in ("p_1", "t_1", "y_2")}}
    )
    long = shaped(frame, plan_of(**WIDE, covariates=["age"]))
    assert long.frame.select("id", "session", "age").rows() == [(1, 1, 30), (1, 2, 30), (2, 1, 40)]
    assert long.names["age"] == "age"
    assert shaped(frame, plan_of(**WIDE)).frame["id"].to_list() == [1, 1]


def test_items_and_dates_of_a_wide_file() -> None:
    frame = pl.DataFrame(
        {
            "id": [1],
            "s1_i01": [5],
            "s1_i2": [6],
            "s2_i1": [7],
            "t_1": [1.0],
            "y1": [1],
            "x1": [2],
            "y2": [3],
            "x2": [4],
            "d_1": ["13.1.2020"],
            "d_2": ["20.1.2020"],
            "b7": [0],
        }
    )
    plan = plan_of(
        {"checks": {"date": "d_{time}"}},
        patient_rating={"measure": "wai-s", "items": "s{time}_i{item}"},
        therapist_rating="t_{time}",
        outcome={"measure": "bdi", "items": ["y{time}", "x{time}"]},
        baseline={"measure": "bdi", "items": "b{item}"},
    )
    long = shaped(frame, plan)
    assert long.items == {
        "patient_rating": {1: "s{time}_i1", 2: "s{time}_i2"},
        "outcome": {1: "y{time}", 2: "x{time}"},
        "baseline": {7: "b7"},
    }
    assert long.frame.select(*long.items["patient_rating"].values()).rows() == [(5, 6), (7, None)]
    assert long.frame.select(*long.items["outcome"].values(), "b7").rows() == [(1, 2, 0), (3, 4, 0)]
    assert long.frame["d_{time}"].to_list() == [dt.date(2020, 1, 13), dt.date(2020, 1, 20)]
    assert found(long)["items-of-some-occasions"].endswith("item 2 at '2'.")


def test_a_name_that_can_be_read_in_two_ways_is_refused() -> None:
    frame = pl.DataFrame({"id": [1], "w11": [1], "w112": [1], "t_1": [1], "y_1": [1]})
    plan = plan_of(**WIDE | {"patient_rating": {"measure": "wai-s", "items": "w{time}{item}"}})
    assert refused(frame, plan) == (
        "The column 'w112' fits 'w{time}{item}' in two ways: time 1 and item 12, or time 11 and item 2. "
        "Rename the columns so that something stands between the numbers."
    )
    assert shaped(frame.drop("w112"), plan).items["patient_rating"] == {1: "w{time}1"}


def test_wide_files_that_cannot_be() -> None:
    frame = pl.DataFrame({"id": ["a", "b ", "a", "b"], "p_1": [1] * 4, "t_1": [1] * 4, "y_1": [1] * 4})
    assert refused(frame, plan_of(**WIDE)).startswith(
        "2 dyads have more than one row in a wide file (column 'id', rows 1 and 3; 2 and 4)."
    )
    frame = frame.head(2)
    assert "another name for time" in refused(frame.with_columns(session=1), plan_of(**WIDE))
    assert "needs {time}" in refused(frame.with_columns(y=1), plan_of(**WIDE | {"outcome": "y"}), PlanError)
    assert "cannot repeat" in refused(frame, plan_of(**WIDE, baseline="b_{time}"), PlanError)
    assert "the occasions stand in the names" in refused(frame, plan_of({"time": {"dates": "days"}}, **WIDE), PlanError)
    assert "Did you mean 'p_1'?" in refused(frame, plan_of(**WIDE | {"patient_rating": "p{time}"}))
    mixed = frame.with_columns(p_2=pl.lit(dt.date(2020, 1, 1)), p_3=None)
    assert refused(mixed, plan_of(**WIDE)) == (
        "The columns that fit 'p_{time}' have values of different kinds: dates and numbers ('p_1' and 'p_2'). "
        "Give them one kind at all occasions."
    )
    lists = frame.with_columns(p_1=pl.lit([1]))
    assert "'p_1' (patient rating) has neither numbers nor text nor dates" in refused(lists, plan_of(**WIDE))


def test_fixed_occasions_of_a_wide_file() -> None:
    names = ["p_PRE", "p_03", "p_T2", "t_pre", "t_3.0", "t_T2", "y_pre", "y_3", "y_t2", "y_9"]
    frame = pl.DataFrame({"id": [1], **{name: [number] for number, name in enumerate(names)}})
    long = shaped(frame, plan_of({"time": {"occasions": ["pre", 3, "T2"]}}, **WIDE))
    assert long.frame.rows() == [(1, 0, 0, 3, 6), (1, 1, 1, 4, 7), (1, 2, 2, 5, 8)]
    assert found(long)["other-occasions"] == "1 column at other times than the occasions is not used: 'y_9'."
    two = pl.DataFrame({"id": [1], **{key: [1] for key in ["p_a", "p_A", "t_a", "t_A", "y_a"]}})
    assert shaped(two, plan_of({"time": {"occasions": ["a", "A"]}}, **WIDE)).frame["session"].to_list() == [0, 1]
    assert "same place" in refused(two, plan_of({"time": {"occasions": ["a", "b"]}}, **WIDE))


# --- rater rows


def rater_rows() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "id": [1, 1, 1, 2, 2, 2, None, 1],
            "who": ["T", "p ", "P", "x", "t", "p", "p", "t"],
            "session": [1, 1, 2, 1, 2, 1, 1, None],
            "w": [10.0, 11.0, 12.0, 13.0, 14.0, 15.0, 16.0, 17.0],
            "y": [None, 1, 2, 3, 4, 5, 6, None],
            "age": [30, None, 30, 0, None, 40, 1, 30],
        }
    )


def test_rater_rows_meet() -> None:
    long = shaped(rater_rows(), plan_of({"raters": RATERS}, **BOTH, covariates=["age"]))
    expected = {
        "id": [1, 1, 2, 2, None, 1],
        "session": [1, 2, 2, 1, 1, None],
        "w (patient)": [11.0, 12.0, None, 15.0, 16.0, None],
        "w (therapist)": [10.0, None, 14.0, None, None, 17.0],
        "y": [1, 2, 4, 5, 6, None],
        "age": [30, 30, None, 40, 1, 30],
    }
    assert_frame_equal(long.frame, pl.DataFrame(expected))
    assert long.row.to_list() == [2, 3, 5, 6, 7, 8]
    assert long.names["patient_rating"] == "w (patient)" and long.names["therapist_rating"] == "w (therapist)"
    assert found(long) == {
        "rows-per-rater": "4 rows of patients and 3 rows of therapists are 6 occasions, 1 of them with both.",
        "other-rater": "1 row of neither patient nor therapist was left out. 'who' is 'x' there.",
    }
    assert next(f.rows for f in long.findings if f.code == "other-rater") == (4,)


def test_ratings_in_columns_of_their_own_keep_their_names() -> None:
    frame = rater_rows().with_columns(v=pl.col("w") + 100)
    long = shaped(frame, plan_of({"raters": RATERS}, patient_rating="w", therapist_rating="v"))
    assert long.frame.select("w", "v").row(0) == (11.0, 110.0)


def test_covariates_may_be_called_like_ratings_or_raters() -> None:
    frame = rater_rows().with_columns(rater=pl.col("age"), pre_rating=pl.col("age"), date=pl.col("age"))
    names = ["rater", "pre_rating", "date"]
    long = shaped(frame, plan_of({"raters": RATERS}, **BOTH, covariates=names))
    assert long.frame.select(names).row(0) == (30, 30, 30)
    assert {name: long.names[name] for name in names} == dict(zip(names, names, strict=True))


def test_items_of_both_raters_in_the_same_columns() -> None:
    frame = rater_rows().rename({"w": "w01"}).with_columns(w2=pl.col("w01") + 100)
    scored = {"measure": "wai-s", "items": "w{item}"}
    long = shaped(frame, plan_of({"raters": RATERS}, patient_rating=scored, therapist_rating=scored))
    assert long.items == {
        role: {1: f"w01 ({who})", 2: f"w2 ({who})"}
        for role, who in (("patient_rating", "patient"), ("therapist_rating", "therapist"))
    }
    assert long.names["patient_rating"] == "w{item} (patient)"
    assert long.frame.select(*long.items["therapist_rating"].values()).row(0) == (10.0, 110.0)


def test_outcomes_and_own_values_that_differ() -> None:
    frame = pl.DataFrame(
        {
            "id": ["a", "a", "b", "b"],
            "who": [1, 2, 1, 2],
            "session": ["1", "1.0", " 1", "1"],
            "w": [1, 2, 3, 4],
            "y1": [5, 6, None, 8],
            "y2": [None, 9, None, 7],
            "ther": ["x", "z", "y", "y "],
        }
    )
    raters = {"column": "who", "patient": 1, "therapist": "Therapeut"}
    plan = plan_of({"raters": raters}, **BOTH, outcome={"measure": "m", "items": "y{item}"}, therapist="ther")
    long = shaped(frame, plan, value_labels={"who": {1.0: "Patient", 2.0: "therapeut "}})
    # The patient's questionnaire is taken as a whole; the differing therapist is left to the check of the dyads.
    assert long.frame.select("y1", "y2").rows() == [(5, None), (None, None), (8, 7)]
    assert long.frame.select("id", "session", "ther").rows() == [("a", "1", "x"), ("a", None, "z"), ("b", "1", "y")]
    assert long.row.to_list() == [1, 2, 3]
    note = next(f for f in long.findings if f.code == "outcome-of-two-raters")
    assert note.rows == (1,) and "at 1 occasion (rows 1 and 2); the patient's is taken" in note.words


def test_rater_rows_that_cannot_be() -> None:
    frame = rater_rows()
    assert refused(pl.concat([frame, frame[:2]]), plan_of({"raters": RATERS}, **BOTH)) == (
        "The patient has more than one row at 1 occasion (rows 2 and 10). Keep one row per dyad, time and rater."
    )
    nobody = plan_of({"raters": RATERS | {"patient": "client"}}, **BOTH)
    assert refused(frame, nobody).startswith("No row of the column 'who' is 'client' (patient). Its values are 'T'")
    anew = pl.DataFrame({"id": [1, 1, 2, 2], "who": ["p", "t"] * 2, "session": 1, "w": 1, "y": 1, "th": [1, 2, 1, 2]})
    assert refused(anew, plan_of({"raters": RATERS}, **BOTH, therapist="th")).startswith(
        "2 of 2 labels in 'id' occur under more than one therapist"
    )
    lists = frame.with_columns(who=pl.lit([1]))
    assert "neither numbers nor text" in refused(lists, plan_of({"raters": RATERS}, **BOTH))


# --- round trips

VALUES = st.one_of(st.none(), st.floats(-1e6, 1e6, allow_nan=False), st.integers(-9, 9).map(float))
LABELS = st.one_of(
    st.lists(st.integers(1, 999), min_size=1, max_size=6, unique=True),
    st.lists(
        st.text("abcXYZäö 1-", min_size=1, max_size=4).filter(str.strip), min_size=1, max_size=6, unique_by=str.strip
    ),
)
ROLES = ("p", "t", "y")


@st.composite
def studies(draw: st.DrawFn) -> pl.DataFrame:
    """Sessions of a random study: uneven occasions, missing cells, at least one value in every row and rater."""
    labels = draw(LABELS)
    times = draw(st.lists(st.integers(0, 30), min_size=1, max_size=5, unique=True))
    rows = []
    for label in labels:
        age = draw(st.sampled_from([None, 20, 30]))
        for time in draw(st.lists(st.sampled_from(times), min_size=1, unique=True)):
            values = draw(st.tuples(VALUES, VALUES, VALUES).filter(any_value))
            rows.append((label, time, *values, age))
    kind = pl.Int64 if isinstance(labels[0], int) else pl.String
    schema = {"id": kind, "session": pl.Int64, **dict.fromkeys(ROLES, pl.Float64), "age": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def any_value(values: tuple[float | None, ...]) -> bool:
    return any(value is not None for value in values)


def as_wide(study: pl.DataFrame) -> pl.DataFrame:
    """Written by polars' own pivot; occasions that only other roles have are there as empty columns."""
    wide = study.pivot("session", index=["id", "age"], values=list(ROLES), maintain_order=True)
    if study["session"].n_unique() == 1:
        time = study["session"][0]
        wide = wide.rename({role: f"{role}_{time}" for role in ROLES if role in wide.columns})
    return wide


def as_rater_rows(study: pl.DataFrame, *, outcome_with: str) -> pl.DataFrame:
    sides = {
        who: study.select(
            "id", "session", "age", w=pl.col(who), y="y" if who == outcome_with else pl.lit(None), who=pl.lit(who)
        )
        for who in ("p", "t")
    }
    return pl.concat(sides.values(), how="vertical_relaxed").sample(fraction=1, shuffle=True, seed=1)


def rows_of(long: Long) -> pl.DataFrame:
    roles = ("dyad", "time", "patient_rating", "therapist_rating", "outcome")
    names = {role: pl.col(long.names[role]) for role in roles}
    rows = long.frame.select(**names, age="age").with_columns(pl.col("dyad").cast(pl.String).str.strip_chars())
    return rows.with_columns(pl.col("time", "age").cast(pl.Float64)).sort("dyad", "time")


@settings(max_examples=40, deadline=None)
@given(studies(), st.sampled_from(["p", "t"]))
def test_a_study_is_the_same_in_every_shape(study: pl.DataFrame, outcome_with: str) -> None:
    plan = {"covariates": ["age"]}
    expected = rows_of(shaped(study, plan_of(**plan)))
    assert expected.height == study.height
    wide = shaped(as_wide(study), plan_of(**WIDE, **plan))
    assert_frame_equal(rows_of(wide), expected)
    if any(study[role].null_count() < study.height for role in ("p", "t")):
        rows = as_rater_rows(study, outcome_with=outcome_with)
        assert_frame_equal(rows_of(shaped(rows, plan_of({"raters": RATERS}, **BOTH, **plan))), expected)


@settings(max_examples=40, deadline=None)
@given(studies(), st.integers(0, 9000), st.sampled_from(["%Y-%m-%d", "%d.%m.%Y", None]))
def test_days_count_from_the_dyads_first_date(study: pl.DataFrame, first: int, written: str | None) -> None:
    start = dt.date(1990, 1, 1) + dt.timedelta(days=first)
    dates = pl.lit(start) + pl.duration(days=pl.col("session"))
    dated = study.with_columns(session=dates if written is None else dates.dt.strftime(written))
    plan = plan_of({"time": {"dates": "days"}}, covariates=["age"])
    since = study.with_columns(pl.col("session") - pl.col("session").min().over(pl.col("id").cast(pl.String)))
    assert_frame_equal(rows_of(shaped(dated, plan)), rows_of(shaped(since, plan_of(covariates=["age"]))))


# --- anything

CELLS = st.sampled_from(
    [
        [1, 2, 2, None],
        [1.0, 1.0, 2.5, float("nan")],
        ["p", "t", " P", ""],
        ["1.2.2020", "13.2.2020", "1.2.2020", "NA"],
        ["1/2/2020", "3/2/2020", "2020-01-01", None],
        [dt.date(2020, 1, 1), None, dt.date(1582, 1, 1), dt.date(2020, 1, 2)],
        [dt.datetime(2020, 1, 1, 12)] * 4,
        [dt.time(1)] * 4,
        [dt.timedelta(1)] * 4,
        [True, False, True, None],
        [None] * 4,
        [[1]] * 4,
        [b"x"] * 4,
    ]
)
TIMES = st.sampled_from(
    [
        {},
        {"dates": "sessions"},
        {"dates": "weeks", "date_format": "%d.%m.%Y"},
        {"dates": "days", "date_format": "excel"},
        {"occasions": [1, 2]},
        {"occasions": ["p", "T", 1]},
    ]
)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(["long", "wide", "raters"]), TIMES, st.booleans(), st.lists(CELLS, min_size=10, max_size=10))
def test_any_small_frame_is_shaped_or_refused_in_words(
    shape: str, time: dict[str, Any], checked: bool, cells: list[list[Any]]
) -> None:
    wide = ["id", "p_1", "t_1", "y_1", "p_2", "t_2", "y_p", "p_T", "age", "when"]
    names = wide if shape == "wide" else ["id", "session", "w", "y", "t", "who", "p", "age", "ther", "when"]
    frame = pl.DataFrame(dict(zip(names, cells, strict=True)))
    columns = {"long": {}, "wide": WIDE, "raters": BOTH}[shape] | {"covariates": ["age"]}
    more: dict[str, Any] = {"time": time} | ({"checks": {"date": "when", "end": "age"}} if checked else {})
    plan = plan_of(more | ({"raters": RATERS} if shape == "raters" else {}), **columns)
    try:
        long = shaped(frame, plan)
    except DyadlineError:
        return
    assert len(long.row) == long.frame.height and set(long.names.values()) <= set(long.frame.columns)


# --- real files

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


def real(name: str) -> pl.DataFrame:
    if not (SHARED / name).exists():
        pytest.skip(f"the file {name} is not beside the repository")
    return read_delimited((SHARED / name).read_bytes(), name, preferred=",").frame


def test_a_diary_with_a_row_per_person_gives_what_each_row_says_of_the_partner() -> None:
    """Each row of the couples' diary also has the partner's answer: the file checks the join itself."""
    diary = real("kashy_diary.csv")
    columns = {"dyad": "dyadid", "time": "Day", "patient_rating": "satisf_A", "therapist_rating": "satisf_A"}
    plan = make_plan(
        {
            "version": 1,
            "columns": columns | {"outcome": "conflict_A"},
            "raters": {"column": "person", "patient": 1, "therapist": 2},
        }
    )
    long = shaped(diary, plan)
    assert long.frame.height == 103 * 14
    men = diary.filter(pl.col("person") == 1).sort("dyadid", "Day")
    rows = long.frame.sort("dyadid", "Day")
    assert rows["satisf_A (patient)"].equals(men["satisf_A"], null_equal=True)
    assert rows["satisf_A (therapist)"].equals(men["satisf_P"], null_equal=True)
    assert rows["conflict_A"].to_list() == [
        mine if mine is not None else partner for mine, partner in men.select("conflict_A", "conflict_P").iter_rows()
    ]
    differing = men.filter(pl.col("conflict_A") != pl.col("conflict_P"))
    assert found(long)["outcome-of-two-raters"].startswith(
        f"The outcome differs between patient and therapist at {differing.height:,} occasions"
    )


def test_children_written_wide_by_pandas_come_back() -> None:
    children = real("fireworks_parent_child.csv")
    known = {"patient_rating": "parent_ptsd", "therapist_rating": "child_ptsd", "outcome": "child_birleson"}
    names = {"dyad": "child", "time": "occasion"}
    frame = children.select("child", "occasion", "age", *known.values()).to_pandas()
    wide = frame.pivot(index=["child", "age"], columns="occasion", values=list(known.values()))
    wide.columns = [f"{name}_{time}" for name, time in wide.columns]
    patterns = {role: f"{name}_{{time}}" for role, name in known.items()}
    plan = make_plan({"version": 1, "columns": names | patterns | {"covariates": ["age"]}})
    long = shaped(pl.from_pandas(wide.reset_index(), nan_to_null=True), plan)
    back = long.frame.rename({f"{name}_{{time}}": name for name in known.values()})
    some = children.filter(pl.any_horizontal(pl.col(list(known.values())).is_not_null()) | (pl.col("occasion") == 1))
    expected = some.select(back.columns).sort("child", "occasion")
    assert_frame_equal(back.sort("child", "occasion"), expected, check_dtypes=False)
