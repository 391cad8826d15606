"""What is noticed in data that can be used, each on a small clinic in which nothing else is to be noticed."""

import datetime as dt
import pickle
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from dyadline.data.dataset import make_dataset
from dyadline.data.findings import findings_table
from dyadline.errors import DataError, DataErrors, Finding
from dyadline.plan.analysis import AnalysisPlan

ENRICHD = Path(__file__).resolve().parents[3] / "shared" / "data" / "enrichd_bdi.csv"
TODAY = dt.date(2024, 6, 1)
COLUMNS = {"dyad": "id", "therapist": "th", "time": "session", "patient_rating": "p", "therapist_rating": "t",
           "outcome": "bdi", "baseline": "pre"}  # fmt: skip
CHECKS = {"date": "day", "sessions": "total", "end": "last", "reason": "why"}

PATIENT = [[3, 4, 5, 5, 6], [6, 5, 5, 4, 6], [2, 3, 3, 4, 5], [4, 4, 5, 6, 7], [5, 6, 6, 7, 7], [3, 3, 4, 4, 2]]
THERAPIST = [[4, 4, 4, 5, 5], [5, 4, 6, 5, 5], [3, 4, 3, 4, 4], [5, 5, 5, 6, 6], [5, 5, 6, 6, 7], [4, 3, 3, 4, 3]]
OUTCOME = [[30, 28, 25, 20, 15], [22, 21, 25, 20, 18], [40, 41, 38, 37, 30], [18, 12, 10, 8, 5], [25, 24, 20, 15, 9],
           [33, 30, 31, 35, 36]]  # fmt: skip


@pytest.fixture
def clinic() -> pl.DataFrame:
    """Six dyads of three therapists in five weekly sessions; row 5(k − 1) + s is dyad k, session s."""
    rows = [
        {
            "id": f"d{k + 1}", "th": f"t{k // 2}", "session": s + 1, "p": float(PATIENT[k][s]),
            "t": float(THERAPIST[k][s]), "bdi": float(OUTCOME[k][s]), "pre": float(OUTCOME[k][0] + k), "total": 5,
            "last": 5.0, "why": "planned", "day": dt.date(2024, 1, 1) + dt.timedelta(days=7 * s + k),
        }
        for k in range(6) for s in range(5)
    ]  # fmt: skip
    return pl.DataFrame(rows)


def plan(checks: dict[str, Any] | None = None, **columns: Any) -> AnalysisPlan:
    return AnalysisPlan.model_validate({"columns": COLUMNS | columns, "checks": CHECKS if checks is None else checks})


def put(column: str, value: object, *rows: int) -> pl.Expr:
    there = pl.int_range(1, pl.len() + 1).is_in(rows)
    return pl.when(there).then(pl.lit(value)).otherwise(pl.col(column)).alias(column)


def changed(frame: pl.DataFrame, *changes: pl.Expr) -> pl.DataFrame:
    for change in changes:
        frame = frame.with_columns(change)
    return frame


def noticed(frame: pl.DataFrame, asked: AnalysisPlan | None = None) -> dict[str, Finding]:
    found = make_dataset(frame, asked or plan(), today=TODAY).findings
    assert len({(f.code, f.column) for f in found}) == len(found)
    return {f.code: f for f in found}


def only(frame: pl.DataFrame, code: str, asked: AnalysisPlan | None = None) -> Finding:
    found = noticed(frame, asked)
    assert list(found) == [code]
    return found[code]


def errors(frame: pl.DataFrame, asked: AnalysisPlan) -> DataErrors:
    with pytest.raises(DataErrors) as caught:
        make_dataset(frame, asked, source="sessions.csv", today=TODAY)
    return caught.value


def test_a_clean_clinic_has_no_findings(clinic: pl.DataFrame) -> None:
    dataset = make_dataset(clinic, plan(), today=TODAY)
    assert dataset.findings == ()
    assert dataset.rows.columns == ["row", "dyad", "therapist", "time", "t", "patient_rating", "therapist_rating",
                                    "outcome", "date"]  # fmt: skip
    assert dataset.endings.columns == ["dyad", "sessions", "end", "reason"]
    assert dataset.endings.row(2) == ("d3", 5.0, 5.0, "planned")


def test_a_shuffled_file_gives_the_same_values(clinic: pl.DataFrame) -> None:
    expected = make_dataset(clinic, plan(), today=TODAY)
    shuffled = make_dataset(clinic.sample(fraction=1, shuffle=True, seed=3), plan(), today=TODAY)
    assert shuffled.rows.sort("dyad", "time").drop("row").equals(expected.rows.drop("row"))
    assert shuffled.dyads.sort("dyad").equals(expected.dyads)


def test_dates_that_go_back(clinic: pl.DataFrame) -> None:
    found = only(clinic.with_columns(put("day", dt.date(2024, 1, 2), 13)), "dates-go-back")
    assert (found.level, found.column, found.dyad, found.time, found.rows) == ("warning", "day", "d3", "3", (13,))
    assert found.words == "In 1 dyad the date goes back while time goes forward."


def test_a_missing_date_hides_no_step_back(clinic: pl.DataFrame) -> None:
    hidden = clinic.with_columns(put("day", dt.date(2024, 1, 2), 13)).with_columns(put("day", None, 12))
    assert only(hidden, "dates-go-back").rows == (13,)


def test_the_same_date_twice(clinic: pl.DataFrame) -> None:
    found = only(clinic.with_columns(put("day", dt.date(2024, 1, 1), 2)), "same-date")
    assert (found.level, found.rows) == ("note", (2,))


def test_dates_that_cannot_be(clinic: pl.DataFrame) -> None:
    found = only(clinic.with_columns(put("day", dt.date(2024, 6, 2), 5)), "impossible-dates")
    assert (found.level, found.rows) == ("warning", (5,))
    assert found.words == "1 row has a date before 1950 or after today (2024-06-01)."
    first = clinic.with_columns(put("day", dt.date(1924, 1, 1), 1), put("day", dt.date(2024, 6, 1), 5).alias("other"))
    assert only(first, "impossible-dates").rows == (1,)
    assert noticed(clinic.with_columns(put("day", TODAY, 5))) == {}


def test_a_row_without_time_may_have_a_date(clinic: pl.DataFrame) -> None:
    bare = pl.DataFrame({"id": ["d1"], "day": [dt.date(2124, 1, 1)]})
    found = noticed(pl.concat([clinic, bare], how="diagonal"))
    assert (found["impossible-dates"].rows, found["impossible-dates"].time) == ((31,), "")


def test_dates_as_text_are_read_or_named(clinic: pl.DataFrame) -> None:
    text = clinic.with_columns(pl.col("day").dt.to_string())
    assert noticed(text) == {}
    assert make_dataset(text, plan(), today=TODAY).rows["date"].dtype == pl.Date
    said = errors(text.with_columns(put("day", "1.2.2024", 4)), plan())
    assert str(said) == (
        "The column 'day' (date) needs dates and has text: '1.2.2024' in row 4. Write dates as in 2020-01-31."
    )


def test_values_after_the_end(clinic: pl.DataFrame) -> None:
    found = only(clinic.with_columns(put("last", 3.0, 6, 7, 8, 9, 10)), "after-end")
    assert (found.level, found.column, found.dyad, found.rows) == ("warning", "last", "d2", (9, 10))
    # said in one row of the dyad only
    once = clinic.with_columns(pl.when(pl.col("id") == "d2").then(None).otherwise("last").alias("last"))
    assert only(once.with_columns(put("last", 3.0, 6)), "after-end").rows == (9, 10)
    empty = [put(column, None, 9, 10) for column in ("p", "t", "bdi")]
    assert "after-end" not in noticed(clinic.with_columns(put("last", 3.0, 6, 7, 8, 9, 10), *empty))


def test_values_after_a_date_of_end(clinic: pl.DataFrame) -> None:
    dated = clinic.with_columns(last=pl.lit(dt.date(2024, 1, 30)))
    found = only(dated, "after-end")
    assert found.rows == (15, 20, 25, 30)  # 29 January and k days, k = 2 ... 5
    assert only(dated.with_columns(pl.col("last").dt.to_string()), "after-end").rows == found.rows
    undated = only(dated, "end-not-compared", plan({"end": "last"}))
    assert undated.level == "note"


def test_more_sessions_than_declared(clinic: pl.DataFrame) -> None:
    found = only(clinic.with_columns(put("total", 4, *range(1, 11))), "more-sessions-than-declared")
    assert (found.level, found.column, found.dyad) == ("warning", "total", "d1, d2")
    assert found.words == (
        "2 dyads have ratings of more sessions than the declared number; the first has 5 and declares 4."
    )


def test_what_belongs_to_the_dyad_and_changes(clinic: pl.DataFrame) -> None:
    found = make_dataset(clinic.with_columns(put("total", 6, 2), put("why", "moved", 8)), plan(), today=TODAY).findings
    assert [(f.code, f.level, f.column, f.dyad, f.rows) for f in found] == [
        ("changes-within-dyad", "warning", "total", "d1", (1, 2, 3, 4, 5)),
        ("changes-within-dyad", "warning", "why", "d2", (6, 7, 8, 9, 10)),
    ]


def test_a_covariate_may_have_the_name_of_a_check(clinic: pl.DataFrame) -> None:
    named = clinic.with_columns(end=pl.col("pre") * 2)
    dataset = make_dataset(named, plan(covariates=["end"]), today=TODAY)
    assert dataset.dyads["end"].to_list() == [2 * (OUTCOME[k][0] + k) for k in range(6)]
    assert dataset.endings["end"].to_list() == [5.0] * 6


@pytest.mark.parametrize("name", ["*", "^.*$"])
def test_a_covariate_that_polars_would_read_as_a_pattern_is_refused(clinic: pl.DataFrame, name: str) -> None:
    said = errors(clinic.rename({"total": name}), plan({}, covariates=[name]))
    assert str(said) == (
        f"The covariate '{name}' has a name that stands for many columns. Give it another name in the file."
    )
    assert noticed(clinic.rename({"p": name}), plan(patient_rating=name)) == {}


def test_therapists_with_one_patient(clinic: pl.DataFrame) -> None:
    single = changed(clinic, put("th", "t3", *range(1, 6)), put("th", "t4", *range(16, 21)))
    found = only(single, "one-patient-therapists")
    assert (found.level, found.column) == ("note", "th")
    assert found.words.startswith("4 of 5 therapists (80%) have one patient here")
    three = AnalysisPlan.model_validate({"columns": COLUMNS, "models": {"levels": 3}})
    assert noticed(single, three)["one-patient-therapists"].level == "warning"
    assert noticed(clinic.with_columns(put("th", "t3", *range(1, 6))), three)["one-patient-therapists"].level == "note"


def test_the_same_rating_throughout(clinic: pl.DataFrame) -> None:
    found = only(clinic.with_columns(put("t", 5.0, *range(6, 11))), "same-rating-throughout")
    assert (found.level, found.column, found.dyad) == ("note", "t", "d2")
    assert found.words == "1 of 6 therapists with at least 4 ratings (17%) gives the same rating every time."
    two = changed(clinic, put("t", 5.0, *range(6, 11)), put("t", 6.0, *range(16, 21)))
    assert only(two, "same-rating-throughout").level == "warning"
    three_ratings = clinic.with_columns(put("t", 5.0, *range(6, 11))).with_columns(put("t", None, 6, 7))
    assert "same-rating-throughout" not in noticed(three_ratings)


def test_copied_forms(clinic: pl.DataFrame) -> None:
    copied = clinic.with_columns(t=pl.when(pl.col("id") == "d3").then("p").otherwise("t"))
    found = only(copied, "copied-forms")
    assert (found.level, found.column, found.dyad) == ("warning", "p, t", "d3")
    assert only(copied.with_columns(put("t", None, 11, 12)), "copied-forms").dyad == "d3"
    assert noticed(copied.with_columns(put("t", None, 11, 12, 13))) == {}  # two joint sessions are too few
    assert noticed(copied.with_columns(put("t", 7.0, 11))) == {}


def test_duplicated_dyads(clinic: pl.DataFrame) -> None:
    again = clinic.filter(pl.col("id") == "d4").with_columns(id=pl.lit("x"), day=pl.col("day") + dt.timedelta(days=1))
    found = only(pl.concat([clinic, again]), "duplicated-dyads")
    assert (found.level, found.dyad) == ("warning", "d4 = x")
    # the same values, highest and lowest, in another order
    turned = again.with_columns(p=pl.Series([4.0, 4.0, 6.0, 5.0, 7.0]))
    assert noticed(pl.concat([clinic, turned])) == {}


def test_far_times(clinic: pl.DataFrame) -> None:
    found = noticed(clinic.with_columns(put("session", 111, 10)), plan({}))
    assert (found["far-times"].level, found["far-times"].time, found["far-times"].rows) == ("note", "111", (10,))
    assert found["far-times"].words == (
        "1 row lies far from all others in time: 111, where the others run from 1 to 5."
    )
    everyone = pl.when(pl.col("session") == 5).then(30).otherwise("session").alias("session")
    assert "far-times" not in noticed(clinic.with_columns(everyone), plan({}))  # a planned follow-up


def test_time_in_seconds(clinic: pl.DataFrame) -> None:
    finding = noticed(clinic.with_columns(session=pl.col("session") * 604_800))["small-units"]
    assert "zeros" in finding.words and finding.column == "session"
    assert "small-units" not in noticed(clinic.with_columns(session=pl.col("session") * 1000))


def test_single_occasions_and_gaps(clinic: pl.DataFrame) -> None:
    assert only(clinic[:26], "single-occasion").dyad == "d6"
    found = only(clinic.filter(~pl.int_range(1, 31).is_in([8, 17, 18])), "gaps")
    assert (found.level, found.dyad, found.rows) == ("note", "d2, d4", (8, 16))
    assert found.words.startswith("2 dyads have 2 gaps: more than the usual step of 1")


def test_values_out_of_range_stop_the_work(clinic: pl.DataFrame) -> None:
    asked = plan({"rating_range": [1, 7], "outcome_range": [0, 63]})
    assert noticed(clinic, asked) == {}
    said = errors(changed(clinic, put("p", 8.0, 3), put("p", 77.0, 9), put("bdi", -0.5, 1)), asked)
    assert [(f.code, f.column, f.dyad, f.rows) for f in said.errors] == [
        ("out-of-range", "p", "d1, d2", (3, 9)),
        ("out-of-range", "bdi", "d1", (1,)),
    ]
    assert said.errors[0].words == (
        "The column 'p' (patient rating) has 2 values outside 1 to 7: 8 in row 3 and 77 in row 9."
    )


def test_text_in_several_columns_is_found_at_once(clinic: pl.DataFrame) -> None:
    text = clinic.with_columns(pl.col("p", "bdi").cast(pl.String)).with_columns(put("p", "x", 2), put("bdi", "y", 3, 4))
    said = errors(text, plan())
    assert [(f.code, f.level, f.column, f.rows) for f in said.findings] == [
        ("not-numbers", "error", "p", (2,)),
        ("not-numbers", "error", "bdi", (3, 4)),
    ]
    assert str(said) == (
        "sessions.csv has 2 mistakes:\n"
        "  The column 'p' (patient rating) needs numbers and has text: 'x' in row 2. "
        'Correct them; or, if they stand for missing values, write under [missing]: codes = ["x"].\n'
        "  The column 'bdi' (outcome) needs numbers and has text: 'y' in row 3 and 'y' in row 4. "
        'Correct them; or, if they stand for missing values, write under [missing]: codes = ["y"].'
    )
    assert str(pickle.loads(pickle.dumps(said))) == str(said)


def test_a_long_list_of_errors_is_cut(clinic: pl.DataFrame) -> None:
    names = [f"x{n}" for n in range(25)]
    said = errors(clinic.with_columns(pl.lit("a").alias(name) for name in names), plan(covariates=names))
    assert len(said.errors) == 25
    lines = str(said).splitlines()
    assert (len(lines), lines[0], lines[-1]) == (22, "sessions.csv has 25 mistakes:", "  and 5 more")


def test_everything_that_does_not_fit_together_is_found_at_once(clinic: pl.DataFrame) -> None:
    broken = pl.concat([clinic, clinic[3:4]]).with_columns(
        put("id", None, 12), put("session", None, 20), put("th", "x", 7), put("pre", 99.0, 1), bdi=pl.lit(4.0)
    )
    said = errors(broken.with_columns(put("day", dt.date(2124, 1, 1), 30)), plan())
    assert [f.code for f in said.errors] == [
        "row-without-dyad", "row-without-time", "changes-within-dyad", "changes-within-dyad", "doubled-times",
        "constant-outcome",
    ]  # fmt: skip
    assert [f.code for f in said.findings if f.level != "error"] == [
        "one-patient-therapists", "gaps", "impossible-dates", "more-sessions-than-declared",
    ]  # fmt: skip
    assert isinstance(said, DataError) and said.exit_code == 3


def test_row_numbers_are_those_of_the_file(clinic: pl.DataFrame) -> None:
    row = pl.Series("row", [n * 10 for n in range(1, 31)], dtype=pl.Int64)
    names = dict(COLUMNS)
    text = clinic.with_columns(pl.col("p").cast(pl.String)).with_columns(put("p", "x", 2))
    with pytest.raises(DataErrors, match="'x' in row 20"):
        make_dataset(text, plan(), names=names, row=row)
    back = clinic.with_columns(put("day", dt.date(2024, 1, 2), 13))
    (found,) = make_dataset(back, plan(), names=names, row=row, today=TODAY).findings
    assert found.rows == (130,)


def test_the_table_of_findings(clinic: pl.DataFrame) -> None:
    frame = clinic.with_columns(put("day", dt.date(2124, 1, 1), 5, 10, 15, 20, 25))
    table = findings_table(make_dataset(frame[:29].filter(pl.col("session") != 3), plan(), today=TODAY).findings)
    assert table.columns == ["code", "level", "dyad", "time", "column", "rows", "words", "way_out"]
    assert set(table.dtypes) == {pl.String}
    assert table.select("level", "code", "rows").rows() == [
        ("warning", "impossible-dates", "4, 8, 12 and 2 more"),
    ]
    assert findings_table(()).columns == table.columns


def test_exact_copies_in_a_real_file() -> None:
    if not ENRICHD.exists():
        pytest.skip("the real data are not beside the repository")
    frame = pl.read_csv(ENRICHD)
    roles = {
        "dyad": "id",
        "time": "day",
        "patient_rating": "med",
        "therapist_rating": "med_start_day",
        "outcome": "bdi",
    }
    said = errors(frame, AnalysisPlan.model_validate({"columns": roles}))
    (doubled,) = said.errors
    assert doubled.code == "doubled-times"
    assert "122 rows are exact copies of another row: delete them; of the others" in doubled.way_out
