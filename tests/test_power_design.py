"""`dyadline power design` from end to end: files, Ctrl-C and --resume, every kind of study, and a hurried user."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from functools import cache
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

import dyadline as dl
from dyadline.cli.app import app
from dyadline.plan.analysis import AnalysisPlan
from dyadline.studies.power.result import NEEDED, SCORES, TESTS

SERIAL = ["--executor", "serial"]


def call(*words: object, expect: int = 0):
    done = CliRunner().invoke(app, ["power", "design", *map(str, words)], env={"COLUMNS": "100", "NO_COLOR": "1"})
    if expect == 0:
        assert done.exit_code == 0, (done.output, done.exception)
    return done


def csv(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.csv"))}


def test_everything_at_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    asked = "study1 --dyads 40,60 --effect .6 --per-therapist 3 --models 2 --reps 12"
    searched = "--find .8 --search 44,200 --precision .5 --scores plan,ols,signed/none,observed"
    done = call(*asked.split(), *searched.split(), *SERIAL, "--format", "all", "--figures", "--json")
    answer = json.loads(done.stdout)
    assert set(answer) == {"title", "alpha", "replicates", "tests", "scores", "needed"}
    for name, columns in (("tests", TESTS), ("scores", SCORES), ("needed", NEEDED)):
        assert set(answer[name][0]) == set(columns)
    assert len(answer["tests"]) == 2 * 4 * 2 and len(answer["scores"]) == 2 * 4 and len(answer["needed"]) == 4
    names = [row["score"] for row in answer["needed"]]
    assert len(set(names)) == 4 and names[1].startswith("ols/") and names[3].startswith("observed/")
    folder = tmp_path / "study1-power"
    made = {path.name for path in folder.iterdir()}
    assert {f"report.{form}" for form in ("html", "docx", "pdf", "tex", "md")} <= made
    assert {"tables", "report-tables", "figures"} <= made and "parts" not in made
    assert pl.read_csv(folder / "tables" / "tests.csv").height == 16
    assert not [path for path in folder.rglob("*") if path.name.startswith(".")]
    # A report is not written over, neither by the same command nor by one that would continue.
    before = csv(folder)
    for more in ((), ("--resume",)):
        again = call("study1", "--reps", "4", *SERIAL, *more, expect=2)
        assert isinstance(again.exception, dl.PlanError) and "is not empty" in str(again.exception)
    assert csv(folder) == before
    (folder / "parts").mkdir()
    (folder / "parts" / "mine.txt").write_text("not of this program")
    call("study1", "--reps", "4", *SERIAL, "--force")
    assert csv(folder) != before and (folder / "parts" / "mine.txt").exists()


def test_the_other_switches(tmp_path):
    words = ("study2", "--reps", "6", "--dyads", "50", *SERIAL, "--all-terms", "--confounded", "--no-null")
    done = call(*words, "--no-error-free", "--json", "--out", tmp_path / "x")
    rows = json.loads(done.stdout)["tests"]
    terms = [row["term"] for row in rows if row["model"] == 3]
    assert "time:development" in terms and "time:baseline" in terms and "time:convergence" in terms
    assert all(row["type_i"] is None and row["true_effect"] is None and row["coverage"] is None for row in rows)
    text = call("study1", "--reps", "4", "--dyads", "40", *SERIAL, "--out", tmp_path / "y").stdout
    assert "Convergence × Time" in text and f"Report: {tmp_path / 'y' / 'report.html'}" in text


def test_three_levels(tmp_path):
    words = ("study1", "--reps", "3", "--dyads", "40", "--levels", "3", "--models", "2", "--no-null", "--json")
    rows = json.loads(call(*words, *SERIAL, "--out", tmp_path / "x").stdout)["tests"]
    assert [row["term"] for row in rows] == ["convergence", "time:convergence"]
    assert rows[1]["replicates"] == 3 and rows[1]["failed"] == 0


def test_a_parameter_file_is_the_study_that_it_was_written_from(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    CliRunner().invoke(app, ["simulate", "study1", "--parameters", "f.toml"])
    for study in ("study1", "f.toml"):
        call(study, "--reps", "8", "--dyads", "40", *SERIAL)
    mine, own = csv(tmp_path / "f-power"), csv(tmp_path / "study1-power")
    assert mine == own and "tables/tests.csv" in own


# Ctrl-C.

ASKED = ("study1", "--dyads", "96", "--reps", "320", "--scores", "plan,ols")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("undisturbed") / "x"
    call(*ASKED, *SERIAL, "--out", folder)
    return csv(folder)


def interrupted(folder: Path, *more: str, group: bool) -> subprocess.Popen[str]:
    """Started as a process, and Ctrl-C as soon as a part is finished: to it alone, or as a terminal sends it."""
    command = [sys.executable, "-m", "dyadline.cli.app", "power", "design", *ASKED, "--out", str(folder), *more]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    # The first design's: only then there is something to be reported.
    while process.poll() is None and not list(folder.glob("parts/grid/000000-*.npz")):
        time.sleep(0.002)
    (os.killpg if group else os.kill)(process.pid, signal.SIGINT)
    return process


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize(
    ("group", "running"),
    [(False, SERIAL), (True, ["--executor", "processes", "--workers", "2"])],
    ids=["process", "terminal"],
)
def test_ctrl_c_keeps_what_is_done_and_resume_ends_where_nothing_happened(tmp_path, undisturbed, group, running):
    folder = tmp_path / "x"
    process = interrupted(folder, *running, group=group)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Traceback" not in err and "with --resume goes on" in err and "Interrupted: not all" in out
    kept = list(folder.glob("parts/grid/*.npz"))
    partial = pl.read_csv(folder / "tables" / "tests.csv")
    assert kept and partial["replicates"].max() < 320
    assert "Interrupted" in (folder / "report.html").read_text(encoding="utf-8")

    other = call(*ASKED, *SERIAL, "--seed", "5", "--out", folder, "--resume", expect=2)
    assert isinstance(other.exception, dl.PlanError)
    assert str(other.exception).startswith("The folder 'grid' holds finished parts of another question")
    refused = call(*ASKED, *SERIAL, "--out", folder, expect=2)
    assert isinstance(refused.exception, dl.PlanError)
    assert sorted(kept) == sorted(folder.glob("parts/grid/*.npz"))

    call(*ASKED, *SERIAL, "--out", folder, "--resume")
    assert csv(folder) == undisturbed
    assert not (folder / "parts").exists()
    assert "Interrupted" not in (folder / "report.html").read_text(encoding="utf-8")


def test_stopped_before_anything_is_finished_nothing_is_left(tmp_path, monkeypatch):
    from dyadline.studies.power.work import PowerWork

    def stop(self, part):
        raise KeyboardInterrupt

    monkeypatch.setattr(PowerWork, "__call__", stop)
    done = call("study1", *SERIAL, "--out", tmp_path / "x", expect=130)
    assert done.exit_code == 130 and "before anything was finished" in done.stderr
    assert not (tmp_path / "x").exists()


# Whatever can be planned from.


@cache
def session_data() -> pl.DataFrame:
    made = dl.simulate("study1", dyads=40, seed=3)
    number = pl.col("dyad").str.slice(1).cast(pl.Int64)
    return made.with_columns(
        age=number % 7 + 20.0,
        known=pl.when(number % 5 > 0).then(number % 7 + 20.0),
        date=pl.date(2020, 1, 1) + pl.duration(days=7 * pl.col("session")),
    )


def planned(folder: Path, data: pl.DataFrame, **sections) -> AnalysisPlan:
    data.write_csv(folder / "data.csv")
    columns = {"dyad": "dyad", "therapist": "therapist", "time": "session", "patient_rating": "wai_p"}
    columns |= {"therapist_rating": "wai_t", "outcome": "bdi", "baseline": "bdi_pre"}
    given = {"data": {"file": str(folder / "data.csv")}, **sections}
    return AnalysisPlan.model_validate(given | {"columns": columns | sections.get("columns", {})})


QUICK = {"replicates": 6, "models": 3, "effect": 0.5}


def slopes(plan: AnalysisPlan, **more) -> dict[str, object]:
    found = dl.power_design(plan, **QUICK | more)
    (row,) = found.tests.filter(found.tests["term"] == "time:convergence").to_dicts()
    assert row["failed"] == 0
    return row | {"validity": found.scores["validity"].item(), "truth": found.truth}


SAME = ("power", "type_i", "attenuation", "coverage", "validity", "drop_out", "sessions")
"""What no unit or origin of time changes."""


@pytest.mark.parametrize(
    ("sections", "unit"),
    [
        ({"time": {"origin": 5.0, "scale": 2.0}}, 2.0),
        ({"columns": {"time": "date"}, "time": {"dates": "weeks"}}, 1.0),
        ({"columns": {"time": "date"}, "time": {"dates": "days", "scale": 7.0}}, 1.0),
        ({"columns": {"covariates": ["age"]}}, 1.0),
        ({"columns": {"covariates": ["known"]}, "models": {"missing_predictors": "impute"}}, 1.0),
        ({"models": {"levels": "auto"}}, 1.0),
    ],
    ids=["origin and scale", "weeks", "days", "covariate", "imputed", "levels by themselves"],
)
def test_a_plan_that_says_the_same_otherwise_has_the_same_power(tmp_path, sections, unit):
    plain = slopes(planned(tmp_path, session_data()))
    other = slopes(planned(tmp_path, session_data(), **sections))
    assert [other[name] for name in SAME] == [pytest.approx(plain[name], rel=1e-5) for name in SAME]
    for name in ("estimate", "true_effect", "std_error"):
        assert other[name] == pytest.approx(unit * plain[name], rel=1e-5)


@pytest.mark.parametrize(
    "sections",
    [
        {"models": {"levels": 3, "therapist_slopes": True}},
        {"models": {"method": "ML", "df": "normal", "run": [1]}},
        {"columns": {"time": "date"}, "time": {"dates": "sessions"}},
        {"columns": {"baseline": "first"}},
        {"convergence": {"growth": "dyadic"}},
        {"convergence": {"growth": "observed", "early_level": "first_rating", "early_discrepancy": "absolute"}},
    ],
    ids=["three levels", "ML", "dates as sessions", "first outcome", "dyadic", "observed"],
)
def test_other_plans_work_too(tmp_path, sections):
    assert slopes(planned(tmp_path, session_data(), **sections))["sessions"] == 14


def test_windows_are_where_ratings_and_outcome_are(tmp_path):
    windows = {"rating_window": [1, 7], "outcome_window": [7, 14]}
    row = slopes(planned(tmp_path, session_data(), convergence=windows))
    truth = row["truth"]
    assert (truth.rated_occasions, truth.measured_occasions) == (tuple(range(1, 8)), tuple(range(7, 15)))
    assert row["sessions"] == 7


def test_an_outcome_that_goes_beyond_the_ratings(tmp_path):
    data = dl.simulate("study2", seed=4)
    plan = planned(tmp_path, data, columns={"time": "occasion", "outcome": "gsi", "baseline": "gsi_pre"})
    row = slopes(plan, dyads=100)
    truth = row["truth"]
    assert truth.occasions == (0, 1, 2, 3, 4) and truth.rated == (1, 2, 3)
    assert row["sessions"] == 3
    # Two occasions hold no random slope beside the residual: what was rated is taken as it is.
    more = slopes(plan, dyads=100, sessions=2, scores="observed")
    assert more["truth"].rated == (1, 3) and more["truth"].occasions == (0, 1, 3, 4)


def test_answers_to_items(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = CliRunner().invoke(
        app, ["simulate", "study1", "--dyads", "40", "--items", "--out", "i.csv", "--plan", "i.toml"]
    )
    assert made.exit_code == 0, made.output
    rows = json.loads(call("i.toml", "--reps", "4", *SERIAL, "--json").stdout)["tests"]
    assert rows[0]["dyads"] == 40 and rows[0]["failed"] == 0
    assert (tmp_path / "i-power" / "report.html").exists()


# A hurried user.

SENTENCES = [
    ("study3", "Did you mean 'study2'"),
    ("nowhere.toml", "There is no parameter file 'nowhere.toml'"),
    ("data.csv", "a data file is not a parameter file"),
    ("full", "neither a bundled study nor a file"),
    (".", "neither a bundled study nor a file"),
    ("broken.toml", "is not valid TOML"),
    ("gone.toml", "There is no file"),
    ("open.toml", "patient_rating"),
    ("three.toml", "a square matrix with four to six rows"),
    ("five.toml", "needs slopes of the outcome that vary"),
    ("six.toml", "unrelated to the ratings' effects"),
    ("scorred.toml", "Did you mean 'scored'"),
    ("study1 --dyads 60:400", "A range is first:last:step"),
    ("study1 --dyads 400:60:20", "is empty"),
    ("study1 --dyads sixty", "is no number that --dyads can take"),
    ("study1 --dyads 5", "at least 10 dyads, not 5"),
    ("study1 --dyads 60.5", "takes whole numbers"),
    ("study1 --dyads -60", "whole number of at least 1, not -60"),
    ("study1 --dyads 100000000", "100,000,000 dyads at 14 occasions"),
    ("study1 --sessions 1", "at least 2 occasions with ratings, not 1"),
    ("study1 --sessions 2,8", "Curves by growth = 'multilevel' need at least three occasions with ratings, not 2"),
    ("study1 --sessions 100000000", "at most 1,000 occasions"),
    ("study1 --effect 1.2", "between −1 and 1, not 1.2"),
    ("study1 --effect=-1", "between −1 and 1, not -1"),
    ("study1 --effect ,3", "is no number that --effect can take"),
    ("study1 --scores olz", "Did you mean 'ols'"),
    ("study1 --scores ,", "No score is named"),
    ("study1 --scores plan,plan", "stands twice"),
    ("study1 --scores ols/observed", "says growth twice"),
    ("study1 --models 1", "Models 2 and 3"),
    ("study1 --levels 4", "2 or 3 levels, not 4"),
    ("study1 --reps 0", "at least 1, not 0"),
    ("study1 --reps 1000000000", "2,000,000,000 studies"),
    ("study1 --seed -1", "at least 0, not -1"),
    ("study1 --alpha 5", "between 0 and 1, not 5"),
    ("study1 --drop-out 1", "from 0 to less than 1, not 1"),
    ("study1 --drop-out nan", "'nan' is no number"),
    ("study1 --dyads 20 --per-therapist 15", "15 patients per therapist are not possible with 20 dyads"),
    ("study1 --search 10", "--search takes two numbers"),
    ("study1 --search 100,20", "--search takes two numbers"),
    ("study1 --find .8 --search 5,20", "The search cannot go to 5 dyads"),
    ("study1 --find 1.2", "lies between the level of the test"),
    ("study1 --find .01", "lies between the level of the test"),
    ("study1 --find .8 --precision 2", "precision is a share"),
    ("study1 --find .8 --effect 0", "Without effect"),
    ("study1 --effect .1:.9:.001 --dyads 60:1000:1 --sessions 2:14:1", "9,798,633 designs"),
    ("study1 --executor process", "Did you mean 'processes'"),
    ("study1 --executor serial --workers 3", "has one worker, not 3"),
    ("study1 --workers 0", "at least 1, not 0"),
    ("study1 --executor processes --scheduler tcp://127.0.0.1:1", "for the executor 'dask'"),
    ("study1 --out broken.toml", "is a file, not a folder"),
    ("study1 --out broken.toml/x", "is a file, not a folder"),
    ("study1 --out full", "is not empty; nothing was written"),
    ("study1 --out full --resume", "is not empty; nothing was written"),
    ("study1 --out /proc/x", "cannot be"),
    ("study1 --format doc", "Did you mean 'docx'"),
]


@pytest.fixture(scope="module")
def desk(tmp_path_factory) -> Path:
    """A folder with what a hurried user has lying about."""
    folder = tmp_path_factory.mktemp("desk")
    (folder / "full").mkdir()
    (folder / "full" / "thesis.txt").write_text("all of it")
    (folder / "data.csv").write_text("dyad,session,wai_p\nD1,1,5\n")
    (folder / "broken.toml").write_text("not = [toml")
    columns = {"dyad": "dyad", "time": "session", "patient_rating": "wai_p", "therapist_rating": "wai_t"}
    columns |= {"outcome": "bdi", "baseline": "bdi_pre"}
    lines = "\n".join(f'{key} = "{value}"' for key, value in columns.items())
    (folder / "gone.toml").write_text(f'[data]\nfile = "gone.csv"\n[columns]\n{lines}\n')
    kept = "\n".join(line for line in lines.splitlines() if "patient_rating" not in line)
    (folder / "open.toml").write_text(f'[data]\nfile = "data.csv"\n[columns]\n{kept}\n')
    CliRunner().invoke(app, ["simulate", "study1", "--parameters", str(folder / "given.toml")])
    given = (folder / "given.toml").read_text(encoding="utf-8")
    (folder / "scorred.toml").write_text(given.replace('given = "scored"', 'given = "scorred"'), encoding="utf-8")
    matrix = [[0.5 * (i == j) for j in range(6)] for i in range(6)]
    matrix[0][5] = matrix[5][0] = 0.1
    for name, size in (("three", 3), ("five", 5), ("six", 6)):
        chosen = [row[:size] for row in matrix[:size]]
        (folder / f"{name}.toml").write_text(f"covariance = {chosen}\n{given}", encoding="utf-8")
    return folder


@pytest.mark.parametrize(("words", "said"), SENTENCES, ids=[words for words, _ in SENTENCES])
def test_a_mistake_is_one_sentence_and_leaves_nothing_behind(desk, monkeypatch, words, said):
    monkeypatch.chdir(desk)
    before = sorted(desk.rglob("*"))
    done = call(*words.split(), *([] if "--reps" in words else ["--reps", "4"]), expect=2)
    assert isinstance(done.exception, dl.PlanError | dl.DataError), (done.exception, done.output)
    assert done.exception.exit_code in (2, 3)
    assert said in str(done.exception) and "\n" not in str(done.exception) and done.stdout == ""
    assert sorted(desk.rglob("*")) == before


def test_a_number_that_is_none_is_told_by_the_option():
    done = call("study1", "--reps", "1.5", expect=2)
    assert done.exit_code == 2 and "'--reps'" in done.output


def test_a_script_without_its_guard_ends_with_a_sentence(tmp_path):
    (tmp_path / "script.py").write_text(
        "import dyadline as dl\ndl.power_design('study1', replicates=4, executor='processes', workers=1)\n"
    )
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert "Worker processes die before they have begun" in last and "if __name__ == '__main__':" in last
