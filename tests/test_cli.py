"""The command line as a user meets it: real processes, exit statuses, one sentence for each mistake."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import polars as pl
import pytest

from dyadline.plan.document import plan_text
from dyadline.studies.twins import twin_data, twin_plan


def call(*words, cwd):
    environment = {**os.environ, "COLUMNS": "120", "NO_COLOR": "1", "TERM": "dumb"}
    return subprocess.run(
        [sys.executable, "-m", "dyadline.cli.app", *map(str, words)],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def study(tmp_path):
    twin_data("study1").write_csv(tmp_path / "study1.csv")
    (tmp_path / "study1.toml").write_text(plan_text(twin_plan("study1")), encoding="utf-8")
    return tmp_path


def test_demo_writes_a_folder_and_prints_the_main_table(tmp_path):
    done = call("demo", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""  # no progress where nobody watches
    assert "Convergence × Time" in done.stdout
    assert "synthetic" in done.stdout
    folder = tmp_path / "dyadline-demo"
    written = {"study1.csv", "study1.toml", "report.html", "report-tables", "syntax", "tables"}
    assert {p.name for p in folder.iterdir()} == written
    written = pl.read_csv(folder / "tables" / "fixed_effects.csv")
    assert written.height == 24
    again = call("demo", cwd=tmp_path)
    assert again.returncode == 2
    assert "is not empty; nothing was written" in again.stderr


def test_new_check_run(study):
    (study / "study1.toml").unlink()
    new = call("new", "study1.csv", cwd=study)
    assert new.returncode == 0, new.stderr
    assert "wai_p" in new.stdout
    check = call("check", "study1.toml", cwd=study)
    assert check.returncode == 0, check.stderr
    assert "plan and data can be used" in check.stdout
    assert "outcome ~ time * (baseline + convergence) + (time | dyad)" in check.stdout
    run = call("run", "study1.toml", "--out", "results", "--json", cwd=study)
    assert run.returncode == 0, run.stderr
    answer = json.loads(run.stdout)
    row = next(r for r in answer["fixed_effects"] if r["model"] == 2 and r["term"] == "time:convergence")
    assert set(row) == {
        "model", "term", "estimate", "std_error", "df", "statistic", "p_value", "conf_low", "conf_high"
    }  # fmt: skip
    stored = pl.read_csv(study / "results" / "tables" / "fixed_effects.csv")
    assert stored.filter(model=2, term="time:convergence")["estimate"].item() == row["estimate"]
    assert (study / "results" / "report.html").stat().st_size > 100_000


def test_new_with_a_second_file(tmp_path):
    sessions = twin_data("study1").drop("therapist", "bdi_pre")
    dyads = twin_data("study1").group_by("dyad", maintain_order=True).agg(pl.col("therapist", "bdi_pre").first())
    sessions.write_csv(tmp_path / "sessions.csv")
    dyads.rename({"dyad": "patient_code"}).write_csv(tmp_path / "patients.csv")
    new = call("new", "sessions.csv", "--dyads", "patients.csv", cwd=tmp_path)
    assert new.returncode == 0, new.stderr
    assert "One row per dyad and occasion." in new.stdout
    assert "100% of the data file's dyads are there" in new.stdout
    plan = (tmp_path / "sessions.toml").read_text(encoding="utf-8")
    assert '[dyads]\nfile = "patients.csv" ' in plan
    assert '\ndyad = "patient_code" ' in plan
    assert '\ntherapist = "therapist" ' in plan
    assert '\nbaseline = "bdi_pre" ' in plan


def test_new_says_what_it_could_not_see(tmp_path):
    frame = (
        twin_data("study1")
        .drop("wai_t")
        .with_columns(bdi=pl.when(pl.int_range(pl.len()) % 9 > 0).then("bdi").otherwise(999))
    )
    frame.write_csv(tmp_path / "study.csv")
    new = call("new", "study.csv", cwd=tmp_path)
    assert new.returncode == 0, new.stderr
    assert "Fill in therapist_rating in it" in new.stdout
    assert "To be checked:\n999 in 'bdi' (121 values) is far from the other values" in new.stdout
    plan = (tmp_path / "study.toml").read_text(encoding="utf-8")
    assert 'therapist_rating = "<therapist_rating column>"' in plan
    assert "\nby_column = { bdi = [999] }" in plan


def test_what_is_there_is_not_overwritten(study):
    before = (study / "study1.toml").read_bytes()
    done = call("new", "study1.csv", cwd=study)
    assert done.returncode == 2
    assert "already there; nothing was written" in done.stderr
    assert (study / "study1.toml").read_bytes() == before
    (study / "study1-results").mkdir()
    (study / "study1-results" / "mine.txt").write_text("keep", encoding="utf-8")
    done = call("run", "study1.toml", cwd=study)
    assert done.returncode == 2
    assert (study / "study1-results" / "mine.txt").read_text(encoding="utf-8") == "keep"
    assert call("simulate", "study1", "--out", "study1.csv", cwd=study).returncode == 2


def test_fit_in_json(study):
    done = call("fit", "bdi ~ session + (session | dyad)", "study1.csv", "--method", "ML", "--json", cwd=study)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["method"] == "ML"
    assert [r["term"] for r in answer["coefficients"]] == ["(Intercept)", "session"]
    assert answer["variance_components"][-1]["group"] == "Residual"
    assert answer["information_criteria"][0]["convention"] == "spss"
    normal = call("fit", "bdi ~ 1 + (1 | dyad)", "study1.csv", "--df", "normal", "--json", cwd=study)
    assert json.loads(normal.stdout)["coefficients"][0]["df"] is None  # JSON has no infinity


def test_fit_for_people(study):
    done = call("fit", "bdi ~ session + arm + (1 | dyad)", "study1.csv", cwd=study)
    assert done.returncode == 0, done.stderr
    assert "armIPT" in done.stdout
    assert "CBT" in done.stdout  # the reference level is printed


def test_fit_of_three_levels_with_a_residual_structure(study):
    formula = "bdi ~ session + (session | dyad) + (1 | therapist)"
    done = call("fit", formula, "study1.csv", "--residual", "ar1(session)", cwd=study)
    assert done.returncode == 0, done.stderr
    for words in ("Random effects of dyad", "Random effects of therapist", "Residual correlation, ar1(session)"):
        assert words in done.stdout
    assert "96 dyad, 34 therapist" in done.stdout
    answer = json.loads(call("fit", formula, "study1.csv", "--residual", "ar1(session)", "--json", cwd=study).stdout)
    assert answer["groups"] == {"dyad": 96, "therapist": 34}
    assert answer["residual"] == "ar1(session)"
    assert [r["group"] for r in answer["variance_components"]] == [
        "dyad", "dyad", "dyad", "therapist", "Residual", "Residual correlation"
    ]  # fmt: skip
    wrong = call("fit", formula, "study1.csv", "--residual", "ar2(session)", cwd=study)
    assert wrong.returncode == 2
    assert "Did you mean 'ar1'?" in wrong.stderr


def test_what_a_fit_decided_is_printed(study):
    frame = twin_data("study1").with_columns(dyad=pl.col("dyad").str.slice(3))  # numbered anew, as it were
    frame.write_csv(study / "study1.csv")
    formula = "bdi ~ session + (1 | dyad) + (1 | therapist)"
    assert "[warning]" in call("fit", formula, "study1.csv", cwd=study).stdout
    answer = json.loads(call("fit", formula, "study1.csv", "--json", cwd=study).stdout)
    codes = [f["code"] for f in answer["findings"]]
    assert "labels-repeat-across-groups" in codes
    assert "serial-correlation" in codes  # slopes of dyads are left out of this model


def test_what_the_data_leave_free_is_said(study):
    done = call("fit", "bdi ~ arm * session + (arm | therapist)", "study1.csv", cwd=study)
    assert done.returncode == 0, done.stderr
    assert "[error] The data do not determine the covariance of (Intercept) and armIPT" in done.stdout


def test_levels_from_the_plan_to_the_tables(study):
    text = (study / "study1.toml").read_text(encoding="utf-8")
    assert "levels = 2" in text
    (study / "study1.toml").write_text(text.replace("levels = 2", 'levels = "auto"'), encoding="utf-8")
    check = call("check", "study1.toml", cwd=study)
    assert "+ (time | dyad) + (1 | therapist)" in check.stdout
    assert "Therapists leave the models again" in check.stdout
    run = call("run", "study1.toml", "--out", "results", cwd=study)
    assert run.returncode == 0, run.stderr
    said = " ".join(run.stdout.split())
    assert "[warning] Three levels were tried, and all models have two (session, dyad)." in said
    row = pl.read_csv(study / "results" / "tables" / "level_test.csv").row(0, named=True)
    assert (row["levels_asked"], row["levels_used"], row["p_value"]) == ("auto", 2, 1.0)
    assert "Do therapists differ?" in (study / "results" / "report.html").read_text(encoding="utf-8")
    assert 'levels = "auto"' in (study / "results" / "plan.toml").read_text(encoding="utf-8")


def test_dyads_without_a_complete_row_are_named(study):
    frame = twin_data("study1").with_columns(bdi=pl.when(pl.col("dyad") != "D007").then("bdi"))
    frame.write_csv(study / "study1.csv")
    done = call("fit", "bdi ~ session + (1 | dyad)", "study1.csv", "--json", cwd=study)
    assert json.loads(done.stdout)["groups_lost"] == ["D007"]
    words = call("fit", "bdi ~ session + (1 | dyad)", "study1.csv", cwd=study).stdout
    assert "no complete row: D007" in words
    assert "REML criterion" in words


def test_simulate_to_standard_output_and_file(tmp_path):
    done = call("simulate", "study2", "--dyads", 12, "--seed", 3, cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.splitlines()[0].startswith("dyad,therapist,occasion,session,wai_p,wai_t,gsi")
    assert len(done.stdout.splitlines()) == 61
    done = call("simulate", "study2", "--dyads", 12, "--seed", 3, "--out", "s.parquet", cwd=tmp_path)
    assert done.returncode == 0
    assert pl.read_parquet(tmp_path / "s.parquet").height == 60


def test_schema_is_json_schema(tmp_path):
    schema = json.loads(call("schema", cwd=tmp_path).stdout)
    assert schema["$schema"].startswith("https://json-schema.org/draft/2020-12")
    assert {"data", "columns", "time", "convergence", "models"} <= set(schema["properties"])


def broken(frame, name):
    """The twin with one thing wrong."""
    session, dyad = pl.col("session"), pl.col("dyad")
    first = dyad == "D001"
    return {
        "empty": frame.clear(),
        "one dyad": frame.filter(first),
        "text": frame.with_columns(wai_p=pl.when(first & (session == 2)).then(pl.lit("high")).otherwise("wai_p")),
        "duplicate": pl.concat([frame, frame.filter(first & (session == 3))]),
        "no column": frame.rename({"wai_t": "wai_ther"}),
        "no therapist ratings": frame.with_columns(wai_t=pl.lit(None, pl.Float64)),
        "one occasion": frame.filter(session == 1),
        "infinite": frame.with_columns(bdi=pl.when(first).then(float("inf")).otherwise("bdi")),
        "therapist changes": frame.with_columns(
            therapist=pl.when(first & (session == 2)).then(pl.lit("X")).otherwise("therapist")
        ),
        "constant score": frame.with_columns(wai_p=pl.col("wai_t")),
    }[name]


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("empty", "no rows"),
        ("one dyad", "one dyad"),
        ("text", "'high'"),
        ("duplicate", "rows 3 and 1090"),
        ("no column", "'wai_t'"),
        ("no therapist ratings", "wai_t"),
        ("one occasion", "two"),
        ("infinite", "infinite"),
        ("therapist changes", "therapist"),
        ("constant score", "the same for all dyads"),
    ],
)
def test_wrong_data_get_one_sentence_and_status_3(study, what, words):
    broken(twin_data("study1"), what).write_csv(study / "study1.csv")
    done = call("run", "study1.toml", cwd=study)
    assert done.returncode == 3, (done.stdout, done.stderr)
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (study / "study1-results").exists()


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("run", "stduy1.toml"), 2, "study1.toml"),
        (("fit", "bdi ~ sesion + (1 | dyad)", "study1.csv"), 2, "Did you mean 'session'?"),
        (("fit", "bdi ~ __import__('os') + (1 | dyad)", "study1.csv"), 2, "evaluate"),
        (("fit", "bdi ~ session + (1 | dyad)", "study.csv"), 3, "study1.csv"),
        (("fit", "session ~ session + (1 | dyad)", "study1.csv"), 2, "session"),
        (("demo", "study3"), 2, "Did you mean 'study2'?"),
        (("simulate", "study1", "--dyads", "2"), 2, "at least 10"),
        (("fitt", "x"), 2, "fit"),
        (("run",), 2, "PLAN"),
        (("simulate", "study1", "--out", "nowhere/s.csv"), 2, "'s.csv' cannot be written"),
        (("run", "study1.toml", "--out", "study1.csv/results"), 2, "'study1.csv' is a file, not a folder"),
        (("run", "study1.toml", "--format", "doc"), 2, "Did you mean 'docx'?"),
        (("run", "study1.toml", "--format", ""), 2, "Name one or more of html,docx,pdf,tex,md, or all"),
        (("describe", "study1.toml", "--format", "word"), 2, "Name one or more of html,docx,pdf,tex,md, or all"),
        (("run", "."), 2, "'.' cannot be read as a plan"),
        (("run", "study1.toml", "--out", "study1.csv"), 2, "is a file, not a folder"),
    ],
)
def test_wrong_calls_get_status_and_words(study, words, status, said):
    done = call(*words, cwd=study)
    assert done.returncode == status, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not (study / "study1-results").exists()


def test_what_another_run_left_and_the_key_to_pseudonyms_are_named(study):
    first = call("run", "study1.toml", "--format", "md,html", "--individual", cwd=study)
    assert first.returncode == 0, first.stderr
    assert "study1-results/report.html, study1-results/report.md" in first.stdout
    assert "key to the pseudonyms is study1-results/tables/pseudonyms.csv" in first.stderr
    again = call("run", "study1.toml", "--format", "html,html", "--force", cwd=study)
    assert again.returncode == 0, again.stderr
    left = "report-figures, report.md and tables/pseudonyms.csv"
    assert again.stderr == f"Left from another run, not of this one: {left}.\n"


def test_the_encoding_of_an_old_file_is_recognised_and_said(study):
    text = twin_data("study1").write_csv().replace("D001", "Jürgen")
    (study / "study1.csv").write_bytes(text.encode("latin-1"))
    done = call("check", "study1.toml", cwd=study)
    assert done.returncode == 0
    assert "Windows-1252" in done.stdout


def test_collinear_choices_end_in_status_1(study):
    text = (study / "study1.toml").read_text(encoding="utf-8")
    changed = text.replace('early_discrepancy = "signed"', 'early_discrepancy = "curve"')
    (study / "study1.toml").write_text(changed, encoding="utf-8")
    done = call("run", "study1.toml", cwd=study)
    assert done.returncode == 1
    assert "Three ways out" in done.stderr
    assert not (study / "study1-results").exists()


def test_all_mistakes_of_a_plan_at_once(study):
    text = (study / "study1.toml").read_text(encoding="utf-8")
    text = text.replace('growth = "multilevel"', 'growth = "multilevl"').replace("[models]", "[models]\nmethd = 1")
    (study / "study1.toml").write_text(text, encoding="utf-8")
    done = call("check", "study1.toml", cwd=study)
    assert done.returncode == 2
    assert "convergence.growth" in done.stderr
    assert "Did you mean 'multilevel'?" in done.stderr
    assert "models.methd" in done.stderr
