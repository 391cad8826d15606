"""The data that scripts for other programs read, and names and texts that must stay harmless in them."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import polars as pl
import pytest

import dyadline as dl
from dyadline.report.syntax.names import LONGEST, RESERVED, Names, inert
from dyadline.report.syntax.scripts import PROGRAMS, result_scripts
from dyadline.studies.twins import twin_file, twin_plan
from syntax_models import HOSTILE, fitted, study

# ---------------------------------------------------------------------------------------------------------- data


@pytest.mark.parametrize("name", ["growth", "three", "by", "car1", "both", "arms", "hostile"])
def test_the_file_holds_what_was_fitted_in_numbers_alone(name: str, tmp_path: Path) -> None:
    fit = fitted(name)
    data = dl.syntax_data(fit)
    data.write_csv(tmp_path / "d.csv")
    back = pl.read_csv(tmp_path / "d.csv")
    assert back.height == fit.n_rows
    assert all(kind.is_numeric() for kind in back.dtypes)
    assert back.equals(data)
    assert not any(back.to_series(k).null_count() for k in range(back.width))


def test_the_file_refitted_gives_the_same_optimum(tmp_path: Path) -> None:
    dl.syntax_data(fitted("three")).write_csv(tmp_path / "d.csv")
    again = dl.fit("bdi ~ t + (t | dyad) + (1 | therapist)", pl.read_csv(tmp_path / "d.csv"))
    assert again.criterion == fitted("three").criterion


def test_dyads_are_running_numbers() -> None:
    labelled = study().with_columns(dyad=pl.format("SECRET-{}", "dyad"), therapist=pl.format("DR-{}", "therapist"))
    fit = dl.fit("bdi ~ t + (t | dyad) + (1 | therapist)", labelled)
    data = dl.syntax_data(fit)
    assert data["dyad"].unique().sort().to_list() == list(range(1, fit.n_groups + 1))
    for program in PROGRAMS:
        script = dl.syntax(fit, program)
        assert "SECRET" not in script
        assert "DR-" not in script


def test_models_of_one_study_share_a_file_and_each_finds_its_rows() -> None:
    """A dyad without a predictor is in the file for Model 1, and empty where Models 2 and 3 look for complete rows."""
    full = pl.read_csv(twin_file("study1", ".csv"))
    first = full["dyad"].unique().sort()[:2].to_list()
    lacking = full.with_columns(bdi_pre=pl.when(pl.col("dyad").is_in(first)).then(None).otherwise("bdi_pre"))
    result = dl.run(twin_plan("study1"), lacking)
    one, two, three = result.fits
    assert two.n_rows == three.n_rows < one.n_rows
    data = pl.read_csv(result_scripts(result)["syntax/model_data.csv"])
    assert data.height == one.n_rows
    predictors = [c for c in data.columns if c not in ("dyad", "time", "outcome")]
    assert data.drop_nulls(predictors).height == two.n_rows
    assert data.drop_nulls()["outcome"].sum() == pytest.approx(two.design.source.values.rows.numbers["outcome"].sum())


def pspp_counts(folder: Path, script: str) -> list[int]:
    """Number of values of each variable after the part of a script that reads the data."""
    start = script[: script.index("\nMIXED ")]
    (folder / "read.sps").write_text(f"{start}\nDESCRIPTIVES ALL.\n", encoding="utf-8")
    run = subprocess.run(
        ["pspp", "-O", "format=csv", "read.sps"], cwd=folder, capture_output=True, text=True, timeout=60, check=True
    )
    assert "error" not in run.stdout + run.stderr
    return [int(m[1]) for m in re.finditer(r"^[A-Za-z]\w*,(\d+),", run.stdout, re.MULTILINE)]


@pytest.mark.skipif(shutil.which("pspp") is None, reason="PSPP is not installed")
@pytest.mark.parametrize("name", ["uncorrelated", "three", "by", "car1", "opposed", "both", "hostile"])
def test_pspp_reads_every_case(tmp_path: Path, name: str) -> None:
    fit = fitted(name)
    dl.syntax_data(fit).write_csv(tmp_path / "model_data.csv")
    counts = pspp_counts(tmp_path, dl.syntax(fit, "spss"))
    assert len(counts) >= len(dl.syntax_data(fit).columns)
    assert set(counts) == {fit.n_rows}


# -------------------------------------------------------------------------------------------------------- safety


@pytest.mark.parametrize("program", PROGRAMS)
def test_hostile_names_stay_inside_their_comments(program: str) -> None:
    script = dl.syntax(fitted("hostile"), program)
    mark = "#" if program == "r" else "*"
    comments = [line for line in script.split("\n") if line.startswith(mark)]
    rest = [line for line in script.split("\n") if not line.startswith(mark)]
    assert "cmd" in "".join(comments)
    assert "\n".join(rest).isascii()
    assert not re.search(r"[=!]shell|ERASE FILE|cmd\||\$x", "\n".join(rest))
    for line in comments:
        assert not re.search(r"""/\*|\*/|//|[`\\$"]|\r|\u2028|\u202e""", line)
        if program == "spss":
            assert line.endswith(".")
            assert len(line.encode()) <= 256


def test_names_are_plain_words_that_every_program_takes() -> None:
    wanted = ["by", "BY", "t", "T", "x y", "x-y", "1st", "", "…", "größe", "\u05d0", "_x_", "str7", "if", "NA",
              "a" * 99,
              "a" * 98 + "b", "intercept", HOSTILE]  # fmt: skip
    names = Names()
    given = [names.give(one) for one in wanted]
    assert given[2] == "t"
    assert len({name.casefold() for name in given}) == len(wanted)
    for name in given:
        assert re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*[A-Za-z0-9]|[A-Za-z]", name)
        assert len(name) <= LONGEST
        assert name.casefold() not in RESERVED


def test_a_text_becomes_one_harmless_line() -> None:
    said = inert(HOSTILE)
    assert not re.search(r"""['"`$\\/*#\n\r\u2028\u202e]""", said)
    assert inert("a\x00b\tc\n d") == "ab c d"
    assert inert("Überblick, שלום") == "Überblick, שלום"
    assert len(inert("x" * 999)) == 300


@pytest.mark.parametrize("data", ["a'b.csv", 'a".csv', "a\nb.csv", "a`b", "$HOME/a.csv", ""])
def test_a_file_name_that_could_end_its_string_is_refused(data: str) -> None:
    with pytest.raises(dl.PlanError, match="A script cannot read a file"):
        dl.syntax(fitted("arms"), "r", data=data)


def test_a_folder_of_windows_is_written_with_slashes() -> None:
    assert 'read.csv("C:/study 1/data.csv")' in dl.syntax(fitted("arms"), "r", data="C:\\study 1\\data.csv")


def test_unknown_words_are_refused_with_a_way_out() -> None:
    with pytest.raises(dl.PlanError, match="no syntax for 'sas'"):
        dl.syntax(fitted("arms"), "sas")
    with pytest.raises(dl.PlanError, match="Degrees of freedom 'kr'"):
        dl.syntax(fitted("arms"), "r", df="kr")
