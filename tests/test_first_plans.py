"""A file nobody has said a word about: `dyadline new` writes a plan that is accepted as it stands, and is right."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from typer.testing import CliRunner

from dyadline.cli.app import app
from dyadline.data.suspects import suspicions
from dyadline.data.table import Table
from dyadline.plan.document import read_plan
from dyadline.workflow import load
from laboratory_files import FILES, GIVEN, SCORES, items_wide_sav, undeclared_codes
from questionnaire_study import scores_by_hand

BY_HAND = scores_by_hand(GIVEN)
WEEKS = {0: 0, 3: 1, 7: 2}
"""Weeks of the three fixed occasions, and what these count as."""


def observed(form: Callable[[Path], list[str]]) -> pl.DataFrame:
    """What the file says, computed by hand: dyad, time from 0, both ratings and the outcome."""
    items = form.__name__.startswith(("items", "dates", "undeclared_codes", "a_")) and "totals" not in form.__name__
    frame = (BY_HAND if items else SCORES).rename({"wai_p": "patient_rating", "wai_t": "therapist_rating"})
    if form.__name__.startswith("pre_mid_post"):
        frame = frame.filter(pl.col("week").is_in(list(WEEKS))).with_columns(pl.col("week").replace(WEEKS))
    if form.__name__ == "dates":  # sessions are numbered
        frame = frame.with_columns(week=pl.col("week").rank("ordinal").over("dyad") - 1)
    if form.__name__ == "a_row_per_rater":  # one column for both raters: one form, and none of its items is turned
        turned = GIVEN.select(pl.col("wai_t_4", "wai_t_10").cast(pl.Float64))
        plain = GIVEN.with_columns(8 - turned["wai_t_4"], 8 - turned["wai_t_10"])
        frame = frame.with_columns(therapist_rating=scores_by_hand(plain)["wai_t"])
    return frame.select(
        "dyad", pl.col("week").cast(pl.Float64).alias("t"), "patient_rating", "therapist_rating", outcome="bdi"
    )


@pytest.mark.parametrize("form", FILES, ids=lambda form: form.__name__)
def test_the_first_plan_is_accepted_and_reads_the_file_rightly(form, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["new", *form(tmp_path)])
    assert done.exit_code == 0, done.output
    assert "Fill in" not in done.output
    (written,) = tmp_path.glob("*.toml")
    dataset = load(read_plan(written))
    values = ("patient_rating", "therapist_rating", "outcome")
    assert_frame_equal(
        dataset.rows.select("dyad", "t", *values).filter(pl.any_horizontal(pl.col(values).is_not_null())),
        observed(form).filter(pl.any_horizontal(pl.col(values).is_not_null())),
        check_exact=False, rel_tol=1e-12, abs_tol=0.0,
    )  # fmt: skip


def test_new_check_run_as_processes(tmp_path):
    commands = [["new", *items_wide_sav(tmp_path)]]
    for command in ("check", "run"):
        commands.append([command, Path(commands[0][1]).with_suffix(".toml").name])
    for words in commands:
        done = subprocess.run(
            [sys.executable, "-m", "dyadline.cli.app", *words],
            cwd=tmp_path, env={**os.environ, "COLUMNS": "120", "NO_COLOR": "1", "TERM": "dumb"},
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
    (results,) = tmp_path.glob("*-results")
    assert pl.read_csv(results / "tables" / "fixed_effects.csv").height == 24
    assert pl.read_csv(results / "tables" / "reliability.csv").height > 0


def test_codes_in_many_items_are_said_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["new", *undeclared_codes(tmp_path)])
    plan = (tmp_path / "coded.toml").read_text(encoding="utf-8")
    assert '\nby_column = { "wai_*" = [8, 9], "bdi_*" = [-9, 99] }' in plan
    assert "[checks]\nrating_range = [1, 7]" in plan
    said = " ".join(done.output.split())
    assert "99 in 'bdi_*' (59 values) is far from the other values (0 to 3): taken as missing." in said
    assert "8 in 'wai_*' (77 values) is rare and right above the other values (1 to 7): taken as missing." in said


def test_eights_and_nines_that_are_answers_stay():
    """A scale from 0 or 1 to 9 has them often, or has its highest answers all seldom."""
    rng = np.random.default_rng(3)
    for share in ([1 / 9] * 9, [0.4, 0.2, 0.15, 0.1, 0.06, 0.04, 0.025, 0.015, 0.01]):
        answers = {f"haq_p_{item}": rng.choice(np.arange(1, 10), size=300, p=share) for item in range(1, 8)}
        assert {8, 9} <= set(np.concatenate(list(answers.values())))
        assert suspicions(Table(frame=pl.DataFrame(answers), source="frame"), [list(answers)]) == ()
