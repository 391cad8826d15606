"""`dyadline power`, lists and ranges in options, and what docs/power.md shows of the closed form."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

import dyadline as dl
from dyadline.cli.app import app
from dyadline.cli.ranges import numbers, whole_numbers

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "power.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```console\n\$ dyadline (power slope [^\n]*)\n(.*?)```", PAGE, flags=re.DOTALL)


def call(*words):
    return CliRunner().invoke(app, ["power", *words], env={"COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"})


def printed(done):
    assert done.exit_code == 0, done.exception
    return done.stdout


def test_the_paper_in_json():
    answer = json.loads(printed(call("slope", "--beta", ".3", "--power", ".8", "--alpha", ".05", "--json")))
    assert (answer["n"], answer["beta"], answer["alpha"]) == (82, 0.3, 0.05)
    assert answer["power"] == pytest.approx(0.8033045, abs=1e-7)  # R: tests/oracles/power.R
    several = json.loads(printed(call("slope", "--beta", ".4,.3,.2", "--power", ".8", "--json")))
    assert [one["n"] for one in several] == [44, 82, 191]
    several = json.loads(printed(call("slope", "--n", "96,139", "--power", ".8", "--json")))
    assert [round(one["beta"], 4) for one in several] == [0.2775, 0.2327]
    power = json.loads(printed(call("slope", "--n", "96", "--beta", "-.3", "--json")))
    assert power["beta"] == -0.3 and power["goal"] is None


def test_every_option_arrives():
    words = "--beta .3 --n 60 --alpha .01 --covariates 2 --r2-outcome .2 --r2-predictor .1 --reliability .7 --json"
    answer = json.loads(printed(call("slope", *words.split())))
    given = {"alpha": 0.01, "covariates": 2, "r2_outcome": 0.2, "r2_predictor": 0.1, "reliability": 0.7}
    assert answer == dl.power_slope(beta=0.3, n=60, **given).to_dict()


def test_the_table_says_what_it_rests_on():
    text = printed(call("slope", "--n", "60:100:20", "--beta", ".3", "--reliability", ".6", "--covariates", "1"))
    assert re.findall(r"^\.30 +(\d+)", text, flags=re.MULTILINE) == ["60", "80", "100"]
    assert "β observed" in text and "a reliability of .60" in text and "1 covariate in the model" in text
    assert "reliability" not in printed(call("slope", "--n", "60", "--beta", ".3"))


def test_power_alone_says_what_there_is():
    done = call()
    assert "slope" in done.output and "Usage" in done.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--beta .3", "exactly one is left out"),
        ("--beta x --n 40", "'x' is no number that --beta can take"),
        ("--beta .3 --n 40.5", "--n takes whole numbers, not 40.5"),
        ("--beta .3 --n 1:5:2", "n is a whole number of at least 3, not 1"),
        ("--beta 1,2 --power .8", "lies between −1 and 1, not 1"),
    ],
)
def test_a_mistake_is_one_sentence(words, said):
    done = call("slope", *words.split())
    assert isinstance(done.exception, dl.PlanError) and said in str(done.exception)
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("96", (96,)),
        ("3,8,14", (3, 8, 14)),
        ("60:400:20", tuple(range(60, 401, 20))),
        ("60:100:30", (60, 90)),
        (" 3 , 8:10:1 , 9 ", (3, 8, 9, 10)),
        ("1e3", (1000,)),
        ("14,3", (14, 3)),
        ("5:5:1", (5,)),
    ],
)
def test_whole_numbers(text, expected):
    assert whole_numbers(text, "--dyads") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0,.3", (0.0, 0.3)),
        ("-.3", (-0.3,)),
        ("0:.6:.2", (0.0, 0.2, 0.4, 0.6)),
        ("0:1:.1", (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)),
        ("-.2:.2:.2", (-0.2, 0.0, 0.2)),
    ],
)
def test_numbers(text, expected):
    assert numbers(text, "--effect") == expected  # decimals, not sums of steps: .1 + .2 is .3 here


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "'' is no number that --dyads can take"),
        ("60,", "'' is no number"),
        ("sixty", "'sixty' is no number"),
        ("nan", "'nan' is no number"),
        ("inf", "'inf' is no number"),
        ("1e999999", "is no number"),
        ("60:400", "'60:400' is no range of --dyads.*such as 60:400:20"),
        ("1:2:3:4", "is no range"),
        ("60::20", "'' is no number"),
        ("400:60:20", "The range 400:60:20 of --dyads is empty"),
        ("60:400:0", "is empty"),
        ("60:400:-20", "is empty"),
        ("1:1000000000000:1", "--dyads stands for more than 1,000 numbers"),
        ("60:61:.5", "--dyads takes whole numbers, not 60.5"),
        ("0x10", "is no number"),
    ],
)
def test_what_is_no_list_of_numbers_is_one_sentence(text, words):
    with pytest.raises(dl.PlanError, match=words):
        whole_numbers(text, "--dyads")


@pytest.mark.parametrize(("command", "shown"), EXAMPLES, ids=[command for command, _ in EXAMPLES])
def test_the_page_shows_what_the_command_prints(command, shown):
    lines = [line.rstrip() for line in printed(call(*shlex.split(command)[1:])).strip().splitlines()]
    assert [line.rstrip() for line in shown.strip().splitlines()] == lines


def test_the_page_has_examples_and_its_figures():
    assert len(EXAMPLES) >= 6
    table = {row[0]: row[1] for row in re.findall(r"^\| (dyads|power of \d+)[^|]*\|(.*)\|$", PAGE, flags=re.MULTILINE)}
    shown = {name: [float(cell) for cell in row.split("|")] for name, row in table.items()}
    given = [1.0, 0.8, 0.6, 0.4]
    assert shown["dyads"] == [dl.power_slope(beta=0.3, power=0.8, reliability=r).n for r in given]
    for n in (96, 139):
        assert shown[f"power of {n}"] == [round(dl.power_slope(beta=0.3, n=n, reliability=r).power, 3) for r in given]


def test_the_python_of_the_page():
    lines = re.findall(r"^(dl\.power_slope\(.*\)\.\w+) +# ([\d.]+)$", PAGE, flags=re.MULTILINE)
    assert len(lines) == 4
    for code, said in lines:
        found = eval(code, {"dl": dl})
        assert f"{found:.{len(said.partition('.')[2])}f}".removeprefix("0") == said
