"""The same study in every kind of file and in every shape: one and the same analysis."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pyreadstat
import pytest
from polars.testing import assert_frame_equal

from dyadline.errors import DataErrors
from dyadline.result import AnalysisResult
from dyadline.workflow import load, run
from questionnaire_study import (
    MISSING,
    german,
    plan,
    rater_rows,
    scores_by_hand,
    study,
    wide,
    wide_name,
    write_sav,
    write_with_pspp,
)

GIVEN, CODED = study()
LONG = CODED.drop("date")
WIDE_COLUMNS = {
    "patient_rating": {"measure": "wai-sr", "items": wide_name("wai_p_{item}"), "range": [1, 7]},
    "therapist_rating": {"measure": "wai-s", "items": wide_name("wai_t_{item}")},
    "outcome": {"measure": "bdi-ii", "items": wide_name("bdi_{item}")},
}
RATER_COLUMNS = {
    "patient_rating": {"measure": "wai-sr", "items": "wai_{item}", "range": [1, 7]},
    "therapist_rating": {"measure": "wai-s", "items": "wai_{item}"},
}
OF_THE_FILE = ("missing-codes", "wide-file", "rows-per-rater", "delimiter", "decimal-comma", "encoding", "dyads-file")
CODES = {"missing": {"by_column": MISSING}}


@pytest.fixture(scope="module")
def expected() -> AnalysisResult:
    """From a frame in memory with nothing but answers in it."""
    return run(plan("none.csv"), GIVEN)


def wide_sav(folder: Path) -> tuple[str, dict[str, Any]]:
    write_sav(wide(LONG), folder / "study.sav")
    return "study.sav", {"columns": WIDE_COLUMNS}


def wide_sav_by_pspp(folder: Path) -> tuple[str, dict[str, Any]]:
    if shutil.which("pspp") is None:
        pytest.skip("pspp is not installed here")
    write_with_pspp(wide(LONG), folder / "study.sav")
    return "study.sav", {"columns": WIDE_COLUMNS}


def long_csv(folder: Path) -> tuple[str, dict[str, Any]]:
    LONG.write_csv(folder / "study.csv")
    return "study.csv", CODES


def german_csv(folder: Path) -> tuple[str, dict[str, Any]]:
    (folder / "study.csv").write_bytes(german(LONG))
    return "study.csv", CODES


def long_xlsx(folder: Path) -> tuple[str, dict[str, Any]]:
    LONG.write_excel(folder / "study.xlsx")
    return "study.xlsx", CODES


def long_parquet(folder: Path) -> tuple[str, dict[str, Any]]:
    LONG.write_parquet(folder / "study.parquet")
    return "study.parquet", CODES


def long_dta(folder: Path) -> tuple[str, dict[str, Any]]:
    pyreadstat.write_dta(LONG, str(folder / "study.dta"))
    return "study.dta", CODES


def a_row_per_rater(folder: Path) -> tuple[str, dict[str, Any]]:
    rater_rows(LONG).write_csv(folder / "study.csv")
    raters = {"column": "rater", "patient": "patient", "therapist": "therapist"}
    return "study.csv", {"columns": RATER_COLUMNS, "raters": raters, **CODES}


def dates(folder: Path) -> tuple[str, dict[str, Any]]:
    text = pl.col("date").dt.strftime("%d.%m.%Y")
    CODED.with_columns(text).drop("week").write_csv(folder / "study.csv")
    return "study.csv", {"columns": {"time": "date"}, "time": {"dates": "weeks"}, **CODES}


def dyads_in_a_second_file(folder: Path) -> tuple[str, dict[str, Any]]:
    LONG.drop("therapist", "bdi_pre").write_parquet(folder / "sessions.parquet")
    own = LONG.select(pl.col("dyad").alias("code"), "therapist", "bdi_pre").unique().sort("code", descending=True)
    own.write_csv(folder / "patients.csv", separator=";")
    return "sessions.parquet", {"dyads": {"file": "patients.csv", "dyad": "code"}, **CODES}


FORMS = [
    wide_sav,
    wide_sav_by_pspp,
    long_csv,
    german_csv,
    long_xlsx,
    long_parquet,
    long_dta,
    a_row_per_rater,
    dates,
    dyads_in_a_second_file,
]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_every_form_gives_the_same_analysis_to_the_last_bit(form, expected, tmp_path):
    file, sections = form(tmp_path)
    result = run(plan(file, **sections).in_folder(tmp_path))
    assert_frame_equal(result.scores, expected.scores, check_exact=True)
    assert set(result.tables) == set(expected.tables)
    for name in ("reliability", "generalisability", "scale_correlations", "fixed_effects", "random_effects"):
        assert result.tables[name].height
    for name in set(expected.tables) - {"findings"}:
        assert_frame_equal(result.tables[name], expected.tables[name], check_exact=True)
    for fit, other in zip(result.fits, expected.fits, strict=True):
        assert fit.criterion == other.criterion
        assert (fit.solution.theta == other.solution.theta).all()
    # What is said about answers is the same; what is said about the file is its own matter.
    said, before = (sorted(finding.code for finding in of.findings) for of in (result, expected))
    assert [code for code in said if code not in OF_THE_FILE] == before


def test_scores_are_those_of_the_published_keys(expected):
    plain = {"patient_rating": "wai_p", "therapist_rating": "wai_t", "outcome": "bdi"}
    by_hand = scores_by_hand(GIVEN)
    result = run(plan("none.csv", columns=plain), by_hand)
    rows = expected.dataset.rows
    for role, column in plain.items():
        assert by_hand[column].null_count() > 0
        assert_frame_equal(
            rows.select("dyad", "time", pl.col(role).alias(column)),
            by_hand.select("dyad", pl.col("week").cast(pl.Float64).alias("time"), column),
            check_exact=False, rel_tol=1e-14, abs_tol=0.0,
        )  # fmt: skip
    assert_frame_equal(result.scores, expected.scores, check_exact=False, rel_tol=1e-12, abs_tol=1e-12)
    assert_frame_equal(
        result.tables["fixed_effects"], expected.tables["fixed_effects"], check_exact=False, rel_tol=1e-9, abs_tol=1e-9
    )


def test_sessions_are_numbered_by_date(tmp_path):
    sessions = CODED.with_columns(session=pl.col("date").rank("ordinal").over("dyad").cast(pl.Int64)).drop("week")
    sessions.sample(fraction=1.0, shuffle=True, seed=3).drop("session").write_parquet(tmp_path / "study.parquet")
    dated = load(
        plan("study.parquet", columns={"time": "date"}, time={"dates": "sessions"}, **CODES).in_folder(tmp_path)
    )
    numbered = load(plan("none.csv", columns={"time": "session"}, **CODES), sessions)
    assert_frame_equal(
        dated.rows.drop("row").sort("dyad", "time"), numbered.rows.drop("row").sort("dyad", "time"), check_exact=True
    )
    assert_frame_equal(dated.dyads.sort("dyad"), numbered.dyads.sort("dyad"), check_exact=True)


def test_each_declaration_is_needed(expected):
    """Without the key the scores are others; without the range or the codes nothing is scored at all."""
    other_key = {"measure": "wai-sr", "items": "wai_t_{item}", "range": [1, 7]}
    turned = run(plan("none.csv", columns={"therapist_rating": other_key}), GIVEN)
    assert not turned.scores.equals(expected.scores)
    original = {"measure": "wai-sr", "items": "wai_p_{item}"}
    for asked, frame in ((plan("none.csv", columns={"patient_rating": original}), GIVEN), (plan("none.csv"), LONG)):
        with pytest.raises(DataErrors) as refused:
            run(asked, frame)
        assert {error.code for error in refused.value.errors} == {"item-out-of-range"}
