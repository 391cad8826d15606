"""Roles guessed from names and values."""

import random

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dyadline.data.recognition.recognise import recognise as recognise_table
from dyadline.data.recognition.recognised import Recognised
from dyadline.data.table import Declared, Table
from dyadline.errors import Finding
from dyadline.plan.document import parse_plan, plan_text
from dyadline.workflow import first_plan
from simulated_study import INSTRUMENTS

N = 12
DRAW = random.Random(3)


def recognise(frame: pl.DataFrame) -> Recognised:
    return recognise_table(Table(frame=frame))


def values(low: float, high: float) -> list[float]:
    return [round(DRAW.uniform(low, high), 2) for _ in range(4 * N)]


def dyad_level(low: int, high: int) -> list[int]:
    return [value for _ in range(N) for value in [DRAW.randint(low, high)] * 4]


def study1() -> pl.DataFrame:
    """The columns of an every-session study."""
    return pl.DataFrame(
        {
            "dyad": [n // 4 + 1 for n in range(4 * N)],
            "therapist": [n // 12 + 1 for n in range(4 * N)],
            "arm": [["CBT", "IPT"][n // 24] for n in range(4 * N)],
            "session": [n % 4 + 1 for n in range(4 * N)],
            "wai_p": values(1, 7),
            "wai_t": values(1, 7),
            "bdi": values(0, 63),
            "bdi_pre": dyad_level(20, 50),
        }
    )


def study2() -> pl.DataFrame:
    """The columns of a study with fixed occasions, the last at the end of each treatment."""
    n_sessions = dyad_level(20, 90)
    return pl.DataFrame(
        {
            "dyad": [n // 4 + 1 for n in range(4 * N)],
            "therapist": [n // 12 + 1 for n in range(4 * N)],
            "occasion": [n % 4 for n in range(4 * N)],
            "session": [[1, 3, 12, n_sessions[n]][n % 4] for n in range(4 * N)],
            "wai_p": values(1, 7),
            "wai_t": values(1, 7),
            "gsi": values(0, 4),
            "gsi_pre": dyad_level(0, 4),
            "n_sessions": n_sessions,
        }
    )


def test_study1() -> None:
    found = recognise(study1())
    assert found.columns == {
        "dyad": "dyad",
        "therapist": "therapist",
        "time": "session",
        "patient_rating": "wai_p",
        "therapist_rating": "wai_t",
        "outcome": "bdi",
        "baseline": "bdi_pre",
    }
    assert found.covariates == ()
    assert found.missing == ()
    assert not any(guess.alternatives for guess in found.guesses)
    assert found["patient_rating"].reason == "'wai_t' is its counterpart"
    assert found["baseline"].reason == "one value per dyad, and named like 'bdi'"


def test_study2() -> None:
    found = recognise(study2())
    assert found.columns == {
        "dyad": "dyad",
        "therapist": "therapist",
        "time": "occasion",
        "patient_rating": "wai_p",
        "therapist_rating": "wai_t",
        "outcome": "gsi",
        "baseline": "gsi_pre",
    }
    assert found.covariates == ("n_sessions",)
    assert [(g.role, g.column, g.alternatives) for g in found.guesses if g.alternatives] == [
        ("time", "occasion", ("session",))
    ]


@pytest.mark.parametrize(
    ("patient", "therapist"),
    [
        ("patient_wai", "therapist_wai"),
        ("WAI_Client", "WAI_Therapist"),
        ("waiP", "waiT"),
        ("WAIP", "WAIT"),
        ("pwai", "twai"),
        ("p.wai", "t.wai"),
        ("alliance_patient", "alliance_therapist"),
        ("parent_score", "child_score"),
        ("husband_quality", "wife_quality"),
        ("patient", "therapist"),
    ],
)
def test_raters_under_many_names(patient: str, therapist: str) -> None:
    frame = study1().drop("therapist").rename({"wai_p": therapist, "wai_t": patient})
    found = recognise(frame)
    assert (found["patient_rating"].column, found["therapist_rating"].column) == (patient, therapist)


@pytest.mark.parametrize(
    ("role", "taken", "given"),
    [
        ("dyad", "dyad", "PatientID"),
        ("dyad", "dyad", "case_no"),
        ("dyad", "dyad", "Couple"),
        ("dyad", "dyad", "id"),
        ("therapist", "therapist", "TherapistID"),
        ("therapist", "therapist", "ther_id"),
        ("time", "session", "Week"),
        ("time", "session", "sessionNumber"),
        ("outcome", "bdi", "PHQ9"),
        ("outcome", "bdi", "oq45_total"),
        ("outcome", "bdi", "symptoms"),
        ("baseline", "bdi_pre", "bdi_t0"),
        ("baseline", "bdi_pre", "intake_bdi"),
        ("baseline", "bdi_pre", "baseline"),
    ],
)
def test_roles_under_many_names(role: str, taken: str, given: str) -> None:
    assert recognise(study1().rename({taken: given}))[role].column == given


def test_the_total_comes_before_its_parts() -> None:
    parts = {f"wai_{part}_{rater}": values(1, 7) for part in ("goal", "task") for rater in "pt"}
    found = recognise(pl.concat([pl.DataFrame(parts), study1()], how="horizontal"))
    assert found["patient_rating"].column == "wai_p"
    assert found["patient_rating"].alternatives == ("wai_goal_p", "wai_task_p")


def test_values_rule_names_out() -> None:
    frame = study1()
    # A changing column is no baseline, a changing label no therapist, unique values no dyad.
    assert recognise(frame.with_columns(bdi_pre=pl.Series(values(0, 63))))["baseline"].column is None
    assert recognise(frame.with_columns(therapist=pl.col("session")))["therapist"].column is None
    assert recognise(frame.with_columns(dyad=pl.int_range(pl.len())))["dyad"].column is None
    # Text is no time; a column that never changes within a dyad is none either.
    assert recognise(frame.with_columns(session=pl.lit("first")))["time"].column is None
    assert recognise(frame.with_columns(session=pl.col("dyad")))["time"].column is None


def test_numbers_that_arrived_as_text_still_count() -> None:
    padded = study1().with_columns(session=pl.col("session").cast(pl.String).str.zfill(2))
    assert recognise(padded)["time"].column == "session"


def test_what_is_not_found_is_said() -> None:
    found = recognise(pl.DataFrame({"x": [1.5, 2.5], "z": ["a", "b"]}))
    assert found.columns == {}
    assert found.missing == ("dyad", "time", "patient_rating", "therapist_rating", "outcome")
    assert all(guess.reason for guess in found.guesses)
    with pytest.raises(KeyError):
        found["arm"]


NAMES = st.sampled_from(
    ["dyad", "id", "patient", "therapist", "session", "wai_p", "wai_t", "bdi", "bdi_pre", "p", "", "x y"]
)


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(
        NAMES,
        st.one_of(
            st.lists(st.one_of(st.none(), st.integers(0, 2)), min_size=4, max_size=4),
            st.lists(st.one_of(st.none(), st.floats()), min_size=4, max_size=4),
            st.lists(st.one_of(st.none(), st.sampled_from(["a", "1", "NA"])), min_size=4, max_size=4),
            st.just([[1], [2], None, [1]]),
        ),
    )
)
def test_any_frame_is_looked_at(columns: dict[str, list[object]]) -> None:
    for frame in (pl.DataFrame(columns, strict=False), pl.DataFrame(columns, strict=False).clear()):
        found = recognise(frame)
        assert isinstance(found, Recognised)
        assert len(set(found.columns.values())) == len(found.columns)


NUMBERED = st.sampled_from(
    ["id", "wai_p_1", "wai_p_2", "wai_p_3", "wai_t_1", "wai_t_2", "wai_t_3", "wai_p_s1_i1", "wai_p_s2_i1", "bdi_pre",
     "bdi_post", "bdi_1", "bdi_2", "bdi_T2", "01", "date", "rater", "n_sessions", "t1", "t2", "x{time}", "first", "y"]
)  # fmt: skip
LABELS = st.dictionaries(
    NUMBERED, st.sampled_from(["Patient: WAI item 1", "WAI item 2, therapist", "Patient ID", "\n", "1"])
)


@settings(max_examples=120, deadline=None)
@given(
    st.dictionaries(
        NUMBERED,
        st.one_of(
            st.lists(st.one_of(st.none(), st.integers(-9, 9), st.just(99)), min_size=4, max_size=4),
            st.lists(st.one_of(st.none(), st.floats()), min_size=4, max_size=4),
            st.lists(
                st.sampled_from(["a", "1", "NA", "2", "k.A.", "p", "t", "2020-01-01", "pre"]), min_size=4, max_size=4
            ),
            st.lists(st.one_of(st.none(), st.dates()), min_size=4, max_size=4),
            st.just([1, 2, 3, 4]),
        ),
    ),
    LABELS,
    st.booleans(),
)
def test_any_file_gives_a_plan_that_reads_as_it_was_written(
    columns: dict[str, list[object]], labels: dict[str, str], second: bool
) -> None:
    table = Table(
        frame=pl.DataFrame(columns, strict=False),
        labels=labels,
        value_labels={name: {1.0: "patient", 2.0: "missing"} for name in labels},
        declared={name: Declared(codes=(9.0,), ranges=((-float("inf"), -5.0),)) for name in labels if name in columns},
    )
    found = recognise_table(table, instruments=INSTRUMENTS, dyads=table if second else None)
    plan = first_plan(found, "a.csv", "b.csv" if second else None)
    assert parse_plan(plan_text(plan, found.comments)) == plan


def test_names_with_a_number_at_their_end_name_the_dyad() -> None:
    frame = study1().rename({"dyad": "pasnr", "therapist": "behandlernr", "session": "sesjonnr"})
    found = recognise(frame).columns
    assert (found["dyad"], found["therapist"], found["time"]) == ("pasnr", "behandlernr", "sesjonnr")


def wide() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "Kode": [f"P {n}" for n in range(N)],
            **{f"wai_{who}_{t}": values(1, 7)[:N] for who in "pt" for t in (1, 2, 3)},
            **{f"bdi_{t}": values(0, 63)[:N] for t in (1, 2, 3)},
        }
    )


def test_a_wide_file_without_a_known_name_takes_its_first_column_for_the_dyad() -> None:
    found = recognise(wide())
    assert (found.layout, found.columns["dyad"], found.columns["outcome"]) == ("wide", "Kode", "bdi_{time}")
    assert recognise(wide().with_columns(Kode=pl.lit("P"))).layout == "long"


def test_reasons_say_why_a_named_column_is_not_taken() -> None:
    changing = study1().with_columns(therapist=pl.int_range(4 * N) % 3)
    alone = recognise(changing.select("dyad", "therapist", "session", "wai_p", "wai_t", "bdi"))
    assert alone["therapist"].reason == "'therapist' is named so, but differs within dyads"
    assert recognise(changing)["therapist"].reason == "'therapist' is named so, but differs within dyads"
    units = study1().with_columns(bdi=pl.format("{} pts", "bdi"))
    assert recognise(units)["outcome"].reason == "'bdi' is named like a symptom measure, but is not of numbers"
    other = Table(frame=study1().select("dyad", "session", "bdi"))
    sections = recognise_table(Table(frame=study1().drop("bdi")), dyads=other)
    (key,) = [guess for guess in sections.also if guess.role == "dyads.dyad"]
    assert key.reason == "'dyad' has the data file's dyads in several rows each: merge the files first"


def test_words_for_missing_values_are_written_into_the_plan() -> None:
    marks = ["n.a.", ".", "-", "?", *[None] * (4 * N - 4)]
    frame = study1().with_columns(bdi=pl.coalesce(pl.Series(marks), pl.col("bdi").cast(pl.String)))
    assert recognise(frame).sections["missing"]["by_column"] == {"bdi": ("n.a.", ".", "-", "?")}


def test_a_code_in_many_alike_columns_is_one_line() -> None:
    frame = wide().with_columns(
        pl.when(pl.int_range(N) == at).then(99.0).otherwise(pl.col(name)).alias(name)
        for at, name in enumerate(["wai_p_1", "wai_p_2", "wai_p_3", "wai_t_1"])
    )
    more = frame.with_columns(pl.col("wai_p_3").alias(f"wai_p_{t}") for t in (4, 5, 6))
    written = recognise(more.with_columns(wai_p_6=pl.col("wai_t_2"))).sections["missing"]["by_column"]
    assert written == {"wai_p_*": (99.0,), "wai_t_1": (99.0,)}


def test_the_format_of_years_with_two_digits_is_written() -> None:
    days = ["23/02/21", "02/03/21", "09/03/21", "16/03/21"] * N
    found = recognise(study1().drop("session").with_columns(date=pl.Series(days)))
    assert found.columns["time"] == "date"
    assert found.sections["time"]["date_format"] == "%d/%m/%y"


def test_another_sheet_than_the_first_is_a_doubt() -> None:
    words = Finding(code="sheet", level="note", words="'x.xlsx' has 2 sheets.", way_out="Name another one.")
    found = recognise_table(Table(frame=study1(), findings=(words,)))
    assert found.doubts == ("'x.xlsx' has 2 sheets. Name another one.",)
    plan_text(first_plan(found, "x.xlsx"), found.comments)
