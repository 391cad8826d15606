"""Every sentence about data that cannot be used, and what is noticed in data that can."""

import datetime as dt
from collections.abc import Callable

import polars as pl
import pytest

from dyadline.data.dataset import make_dataset
from dyadline.errors import DataError, Finding
from dyadline.plan.analysis import AnalysisPlan, ModelsSection

PlanOf = Callable[..., AnalysisPlan]
FULL = {"therapist": "therapist", "baseline": "bdi_pre", "covariates": ["n"]}


def sentence(frame: pl.DataFrame, plan: AnalysisPlan) -> str:
    with pytest.raises(DataError) as caught:
        make_dataset(frame, plan, source="sessions.csv")
    assert caught.value.way_out
    assert ". " not in caught.value.what
    return str(caught.value)


def put(column: str, value: object, *numbers: int) -> pl.Expr:
    """The column with another value in some rows."""
    there = pl.int_range(1, pl.len() + 1).is_in(numbers)
    return pl.when(there).then(pl.lit(value)).otherwise(pl.col(column)).alias(column)


def test_all_missing_columns_at_once(study: pl.DataFrame, plan_of: PlanOf) -> None:
    assert sentence(study, plan_of(patient_rating="wai_pat", outcome="BDI2", covariates=["N"])) == (
        "There is no column 'wai_pat' (patient rating), no column 'BDI2' (outcome) and no column 'N' (covariate) in "
        "'sessions.csv'. Did you mean 'wai_p'? Did you mean 'bdi'? Did you mean 'n'?"
    )
    assert sentence(study, plan_of(outcome="xyzzy")) == (
        "There is no column 'xyzzy' (outcome) in 'sessions.csv'. There are 'id', 'therapist', 'session', 'wai_p', "
        "'wai_t', 'bdi', 'bdi_pre' and 'n'."
    )


def test_no_rows(study: pl.DataFrame, plan_of: PlanOf) -> None:
    assert sentence(study.clear(), plan_of()) == ("There are no rows in 'sessions.csv'. Export it again with its data.")
    empty = study.with_columns(pl.lit(None).alias(name) for name in study.columns)
    assert sentence(empty, plan_of()) == (
        "No row of 'sessions.csv' has a dyad and a time. Check the columns that the plan names."
    )


def test_text_in_a_number_column_names_rows_and_values(study: pl.DataFrame, plan_of: PlanOf) -> None:
    text = study.with_columns(wai_p=pl.Series(["5", "four", "3", "x" * 40, None, "?", "missing"]))
    assert sentence(text, plan_of()) == (
        f"The column 'wai_p' (patient rating) needs numbers and has text: 'four' in row 2, '{'x' * 23}…' in row 4, "
        "'?' in row 6 and 1 more. Correct the values, and leave the field empty where one is missing."
    )


def test_a_few_words_among_the_numbers_may_be_declared_missing(study: pl.DataFrame, plan_of: PlanOf) -> None:
    words = study.with_columns(wai_p=pl.Series(["5", "n.a.", "3", '"-"', None, "n.a.", "4"]))
    said = sentence(words, plan_of())
    assert said.endswith(
        'Correct them; or, if they stand for missing values, write under [missing]: codes = ["n.a.", "\\"-\\""].'
    )
    units = study.with_columns(wai_p=pl.Series(["5", "4 pts", "3", "-", None, "3 pts", "4"]))
    assert sentence(units, plan_of()).endswith("Correct the values, and leave the field empty where one is missing.")


def test_text_among_decimal_commas_is_what_is_named(study: pl.DataFrame, plan_of: PlanOf) -> None:
    commas = study.with_columns(bdi=pl.Series(["1,5", "2,5", "3", "4", "5", "6", "7"]))
    assert sentence(commas, plan_of()) == (
        "The column 'bdi' (outcome) needs numbers and has text: '1,5' in row 1 and '2,5' in row 2. "
        'Where the comma is the decimal mark, write a point, or decimal = "," under [data] for a text file; '
        "where it groups thousands, take it out."
    )
    assert "has text: 'x' in row 3." in sentence(commas.with_columns(put("bdi", "x", 3)), plan_of())


def test_text_covariates_are_to_be_coded(study: pl.DataFrame, plan_of: PlanOf) -> None:
    arms = study.with_columns(n=pl.Series(["CBT", "IPT", "CBT", "IPT", "IPT", "CBT", "CBT"]))
    assert sentence(arms, plan_of(covariates=["n"])) == (
        "The column 'n' (covariate) needs numbers and has text: 'CBT' in row 1, 'IPT' in row 2, 'CBT' in row 3 and "
        "4 more. Code it as numbers first, such as 0 and 1."
    )


def test_dates_are_no_times(study: pl.DataFrame, plan_of: PlanOf) -> None:
    way_out = (
        ' Write dates = "sessions" under [time] to number each dyad\'s sessions by date, or "days", "weeks" or "months"'
        " to count from its first date."
    )
    text = study.with_columns(session=pl.Series(["2020-01-01", "1.2.2020", None, None, None, None, None]))
    assert sentence(text, plan_of()) == (
        "The column 'session' (time) needs numbers and has text: '2020-01-01' in row 1 and '1.2.2020' in row 2."
        + way_out
    )
    dates = study.with_columns(session=pl.Series([dt.date(2020, 1, day) for day in range(1, 8)]))
    assert sentence(dates, plan_of()) == "The column 'session' (time) needs numbers and has dates or times." + way_out
    assert sentence(dates.rename({"bdi": "session", "session": "bdi"}), plan_of()) == (
        "The column 'bdi' (outcome) needs numbers and has dates or times. "
        "Turn them into numbers, or name another column."
    )


def test_lists_are_neither_numbers_nor_labels(study: pl.DataFrame, plan_of: PlanOf) -> None:
    lists = pl.Series([[1]] * 7)
    assert sentence(study.with_columns(bdi=lists), plan_of()) == (
        "The column 'bdi' (outcome) needs numbers and has values of another kind. "
        "Turn them into numbers, or name another column."
    )
    assert sentence(study.with_columns(id=lists), plan_of()) == (
        "The column 'id' (dyad) needs text or whole numbers and has values of another kind. "
        "Turn them into text or whole numbers, or name another column."
    )


def test_infinite_values(study: pl.DataFrame, plan_of: PlanOf) -> None:
    infinite = study.with_columns(put("bdi", float("inf"), 2), put("wai_t", float("-inf"), 1, 4, 6, 7))
    assert sentence(infinite, plan_of(therapist_rating="bdi", outcome="wai_t")) == (
        "sessions.csv has 2 mistakes:\n"
        "  The column 'bdi' (therapist rating) has infinite values (row 2 of the data). "
        "Leave the field empty where a value is missing.\n"
        "  The column 'wai_t' (outcome) has infinite values (rows 1, 4, 6 and 1 more of the data). "
        "Leave the field empty where a value is missing."
    )
    assert "(rows 1, 4, 6 and 1 more of the data)" in sentence(infinite.with_columns(put("bdi", 1.0, 2)), plan_of())


def test_rows_with_values_need_dyad_and_time(study: pl.DataFrame, plan_of: PlanOf) -> None:
    assert sentence(study.with_columns(put("id", None, 2)), plan_of()) == (
        "1 row with values has no dyad in the column 'id' (row 2 of the data). Fill it in, or delete the rows; "
        "cells of a spreadsheet that were merged have their value in the first row only."
    )
    assert sentence(study.with_columns(put("session", None, 3, 7)), plan_of()) == (
        "2 rows with values have no time in the column 'session' (rows 3 and 7 of the data). "
        "Fill it in, or delete the rows."
    )


def test_doubled_times(study: pl.DataFrame, plan_of: PlanOf) -> None:
    assert sentence(pl.concat([study, study[6:]]), plan_of()) == (
        "1 dyad has more than one row at the same time (rows 7 and 8). "
        "1 row is an exact copy of another row: delete it."
    )
    assert sentence(pl.concat([study, study]), plan_of()) == (
        "3 dyads have more than one row at the same time (rows 3 and 10; 6 and 13; 1 and 8; 4 more pairs). "
        "7 rows are exact copies of another row: delete them."
    )
    other = study[6:].with_columns(bdi=pl.lit(1.0))
    assert sentence(pl.concat([study, other]), plan_of()) == (
        "1 dyad has more than one row at the same time (rows 7 and 8). Keep one row per dyad and time; "
        "give a patient's second therapy a dyad of its own."
    )
    assert sentence(pl.concat([study, other, study[6:]]), plan_of()) == (
        "1 dyad has more than one row at the same time (rows 7 and 8; 8 and 9). "
        "1 row is an exact copy of another row: delete it; of the others keep one row per dyad and time."
    )


@pytest.mark.parametrize(
    ("role", "column", "words"),
    [
        ("patient_rating", "wai_p", "patient rating"),
        ("therapist_rating", "wai_t", "therapist rating"),
        ("outcome", "bdi", "outcome"),
    ],
)
def test_a_measure_that_is_never_there(
    study: pl.DataFrame, plan_of: PlanOf, role: str, column: str, words: str
) -> None:
    assert sentence(study.with_columns(pl.lit(None).alias(column)), plan_of()) == (
        f"The column {column!r} ({words}) has no value in any row. Name the column that holds it, or check the export."
    )


def test_one_dyad(study: pl.DataFrame, plan_of: PlanOf) -> None:
    assert sentence(study.filter(pl.col("id") == "b"), plan_of()) == (
        "There is only one dyad (column 'id'). Name the column that tells the dyads apart; the models compare dyads."
    )


def test_no_dyad_with_two_outcomes(study: pl.DataFrame, plan_of: PlanOf) -> None:
    once = study.with_columns(pl.when(pl.col("session") < 3).then(None).otherwise("bdi").alias("bdi"))
    assert sentence(once, plan_of()) == (
        "No dyad has the outcome (column 'bdi') on two occasions. "
        "Change over time needs at least two; name the repeated measure as outcome."
    )


def test_constant_outcome(study: pl.DataFrame, plan_of: PlanOf) -> None:
    assert sentence(study.with_columns(bdi=pl.lit(3)), plan_of()) == (
        "The outcome (column 'bdi') has the same value in every row. Name a column that varies."
    )


def test_a_therapist_that_changes(study: pl.DataFrame, plan_of: PlanOf) -> None:
    changed = study.with_columns(put("therapist", 9, 5, 6))
    assert sentence(changed, plan_of(**FULL)) == (
        "The column 'therapist' (therapist) changes within 2 dyads: the first one has '7' in row 1 and '9' in row 6 "
        "(rows 1 and 6 of the data). Keep each dyad with one therapist, or give a patient who changed therapist a dyad "
        "per therapist."
    )


def test_dyad_level_columns_that_vary(study: pl.DataFrame, plan_of: PlanOf) -> None:
    assert sentence(study.with_columns(put("bdi_pre", 19, 6)), plan_of(**FULL)) == (
        "The column 'bdi_pre' (baseline) changes within 1 dyad: the first one has 18 in row 1 and 19 in row 6 "
        '(rows 1, 3 and 6 of the data). Give each dyad one value, or write baseline = "first" for the first outcome.'
    )
    assert sentence(study.with_columns(put("n", 41, 5)), plan_of(**FULL)) == (
        "The column 'n' (covariate) changes within 1 dyad: the first one has 40 in row 2 and 41 in row 5 "
        "(rows 2, 4 and 5 of the data). Give each dyad one value, or leave the covariate out."
    )


def found(frame: pl.DataFrame, plan: AnalysisPlan) -> dict[str, Finding]:
    findings = make_dataset(frame, plan).findings
    return {finding.code: finding for finding in findings}


def test_what_is_missing_is_counted(study: pl.DataFrame, plan_of: PlanOf) -> None:
    lacking = study.with_columns(
        put("wai_p", None, 1, 3, 6), put("bdi", None, 7), put("therapist", None, 7), put("n", None, 7)
    )
    notes = found(lacking, plan_of(**FULL))
    assert {code: (f.level, f.column, f.dyad) for code, f in notes.items() if code != "rater-scales"} == {
        "one-patient-therapists": ("note", "therapist", ""),
        "single-occasion": ("note", "session", "c"),
        "one-rater": ("note", "wai_p", "b"),
        "no-outcome": ("note", "bdi", "c"),
        "no-baseline": ("note", "bdi_pre", "c"),
        "no-therapist": ("note", "therapist", "c"),
        "no-covariate": ("note", "n", "c"),
    }
    assert notes["one-rater"].words == (
        "1 dyad has ratings of the therapist only: no convergence score, so in Model 1 only."
    )
    assert notes["no-covariate"].words == "1 dyad has no value of 'n': models with it leave them out."
    assert notes["no-baseline"].words == "1 dyad has no baseline: models with it leave them out."
    impute = ModelsSection(missing_predictors="impute")
    imputing = found(lacking, plan_of(**FULL).model_copy(update={"models": impute}))
    assert imputing["no-covariate"].words == "1 dyad has no value of 'n': imputed in models with it."


def test_dyads_without_ratings(study: pl.DataFrame, plan_of: PlanOf) -> None:
    lacking = study.with_columns(put("wai_p", None, 1, 3, 6, 7), put("wai_t", None, 1, 3, 6, 7))
    note = found(lacking, plan_of())["no-ratings"]
    assert (note.words, note.dyad) == (
        "2 dyads have no ratings: no convergence score, so in Model 1 only.",
        "b, c",
    )


def test_many_labels_are_cut_short(plan_of: PlanOf) -> None:
    many = pl.DataFrame(
        {
            "id": [n // 2 for n in range(24)],
            "session": [n % 2 for n in range(24)],
            "wai_p": [5.0, 6.0, *[None] * 22],
            "wai_t": [5.0, 6.0, *[4.0] * 22],
            "bdi": list(range(24)),
        }
    )
    assert found(many, plan_of())["one-rater"].dyad == "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, …"


def test_a_constant_rater(study: pl.DataFrame, plan_of: PlanOf) -> None:
    warning = found(study.with_columns(wai_t=pl.lit(5)), plan_of())["constant-rating"]
    assert (warning.level, warning.column) == ("warning", "wai_t")
    assert warning.words == "All therapists' ratings have the same value, so their curves are flat."


def test_unequal_scales(study: pl.DataFrame, plan_of: PlanOf) -> None:
    # 3 to 6 against 4 to 6
    note = found(study, plan_of())["rater-scales"]
    assert (note.level, note.column) == ("note", "wai_t")
    assert note.words == (
        "Patients' ratings run from 3 to 6 and therapists' from 4 to 6: "
        "a discrepancy means something only on one scale."
    )
    assert found(study.with_columns(pl.col("wai_t") * 12), plan_of())["rater-scales"].level == "warning"
    assert "rater-scales" not in found(study.with_columns(put("wai_t", 3.5, 3)), plan_of())
