"""`dyadline describe` as a user meets it: printed, as JSON, as a page with tables."""

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
    command = [sys.executable, "-m", "dyadline.cli.app", *map(str, words)]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def study(tmp_path):
    twin_data("study1").write_csv(tmp_path / "study1.csv")
    (tmp_path / "study1.toml").write_text(plan_text(twin_plan("study1")), encoding="utf-8")
    return tmp_path


def test_tables_are_printed_and_nothing_is_written(study):
    done = call("describe", "study1.toml", cwd=study)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "Attrition by occasion" in done.stdout and "Intraclass correlations" in done.stdout
    assert {p.name for p in study.iterdir()} == {"study1.csv", "study1.toml"}


def test_the_page_and_the_tables_are_written(study):
    done = call("describe", "study1.toml", "--out", "described", cwd=study)
    assert done.returncode == 0, done.stderr
    page = (study / "described" / "description.html").read_text(encoding="utf-8")
    assert page.lower().startswith("<!doctype html>")
    assert "Synthetic data" in page and "D001" not in page
    written = pl.read_csv(study / "described" / "tables" / "attrition.csv")
    assert written["at_risk"][0] == 96
    again = call("describe", "study1.toml", "--out", "described", cwd=study)
    assert again.returncode == 2
    assert "is not empty; nothing was written" in again.stderr


def test_json_has_every_table_and_the_findings(study):
    done = call("describe", "study1.toml", "--json", cwd=study)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["attrition"][0]["at_risk"] == 96
    assert answer["dropout"][0]["term"] == "(Intercept)"
    assert "findings" in answer
