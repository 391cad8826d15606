"""``dyadline check`` and ``--strict``: everything that was found, errors first, and what a warning then does."""

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
    return subprocess.run(
        [sys.executable, "-m", "dyadline.cli.app", *words],
        cwd=cwd,
        env={**os.environ, "COLUMNS": "300", "NO_COLOR": "1", "TERM": "dumb"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def at(dyad, session):
    return (pl.col("dyad") == dyad) & (pl.col("session") == session)


@pytest.fixture
def study(tmp_path):
    (tmp_path / "study1.toml").write_text(plan_text(twin_plan("study1")), encoding="utf-8")
    return tmp_path


def write(study, frame):
    frame.write_csv(study / "study1.csv")
    return study


def test_check_does_not_stop_at_the_first_error(study):
    frame = twin_data("study1")
    broken = frame.with_columns(
        therapist=pl.when(at("D001", 2)).then(pl.lit("X")).otherwise("therapist"),
        bdi=pl.when(at("D002", 1)).then(999.0).otherwise("bdi"),
    )
    write(study, pl.concat([broken, broken.filter(at("D003", 1))]))
    done = call("check", "study1.toml", cwd=study)
    assert done.returncode == 3
    lines = [" ".join(part.split()) for part in done.stdout.split("\n\n")]
    assert "the data cannot be used; 2 errors, 1 warning, 2 notes." in lines[0]
    assert [line.split("]")[0] for line in lines[1:6]] == ["[error", "[error", "[warning", "[note", "[note"]
    assert "changes within 1 dyad" in lines[1] and "1 row is an exact copy" in lines[2] and "999" in lines[3]
    assert lines[3].endswith("(row 13)")
    assert done.stderr == "dyadline: The data cannot be used as the plan says. The errors above say why.\n"

    in_json = call("check", "study1.toml", "--json", cwd=study)
    assert in_json.returncode == 3
    found = json.loads(in_json.stdout)["findings"]
    assert {f["code"] for f in found if f["level"] == "error"} == {"changes-within-dyad", "doubled-times"}
    assert all(set(f) == {"code", "level", "words", "way_out", "column", "dyad", "time", "rows"} for f in found)


def test_a_file_that_is_not_there_is_a_finding_too(study):
    done = call("check", "study1.toml", "--json", cwd=study)
    assert done.returncode == 3
    (found,) = json.loads(done.stdout)["findings"]
    assert found["level"] == "error" and "There is no file" in found["words"]


def test_strict_refuses_warnings_and_writes_nothing(study):
    frame = twin_data("study1")
    write(study, frame.with_columns(bdi=pl.when(at("D002", 1)).then(999.0).otherwise("bdi")))
    loose = call("check", "study1.toml", cwd=study)
    assert loose.returncode == 0
    assert "plan and data can be used; 1 warning, 2 notes." in loose.stdout
    strict = call("check", "study1.toml", "--strict", cwd=study)
    assert strict.returncode == 3
    assert strict.stdout == loose.stdout
    said = "dyadline: 1 warning, and --strict was asked for. Mend the data, or run without it.\n"
    assert strict.stderr == said
    run = call("run", "study1.toml", "--strict", cwd=study)
    assert (run.returncode, run.stderr) == (3, said)
    assert "[warning] 999 in 'bdi' (1 value) is far from the other values" in run.stdout
    assert not (study / "study1-results").exists()


def test_strict_lets_notes_pass_and_run_writes_all_findings(study):
    write(study, twin_data("study1"))
    assert call("check", "study1.toml", "--strict", cwd=study).returncode == 0
    run = call("run", "study1.toml", "--strict", "--json", cwd=study)
    assert run.returncode == 0, run.stderr
    written = pl.read_csv(study / "study1-results" / "tables" / "findings.csv")
    told = json.loads(run.stdout)["findings"]
    assert sorted(written["code"]) == sorted(f["code"] for f in told)
    levels = written["level"].to_list()
    assert levels == sorted(levels, key=["error", "warning", "note"].index)
    assert written.filter(code="gaps")["rows"].item() == "9, 11, 16 and 98 more"
