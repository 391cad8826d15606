"""What docs/power.md shows of simulated power is run: few studies instead of many, and the same tables come out."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

import dyadline as dl
from dyadline.cli.app import app
from dyadline.plan.truth_document import read_truth

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGE = (DOCS / "power.md").read_text(encoding="utf-8")
SHOWN = re.findall(r"```console\n\$ dyadline (power design [^\n]*)\n(.*?)```", PAGE, flags=re.DOTALL)
NAMED = re.findall(r"```sh\ndyadline (power design [^\n]*)\n```", PAGE)
QUICK = "--reps 5 --executor serial --out made --force"
ENVIRONMENT = {"COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with what the page's commands are about."""
    monkeypatch.chdir(tmp_path)
    (text,) = re.findall(r"```toml\n(title = .*?)```", PAGE, flags=re.DOTALL)
    (tmp_path / "my_study.toml").write_text(text, encoding="utf-8")
    return tmp_path


def call(words: str):
    return CliRunner().invoke(app, shlex.split(words), env=ENVIRONMENT)


def skeleton(text: str) -> list[str]:
    """What a table is about without its numbers: every line, letters only."""
    lines = text.split("Report:")[0].splitlines()
    bare = (re.sub(r"[^A-Za-zβα×%]+", " ", line).strip() for line in lines)
    return [line.replace("imprecise", "found") for line in bare if line]


def test_the_page_has_its_examples():
    assert len(SHOWN) == 3 and len(NAMED) == 5


@pytest.mark.parametrize(("command", "shown"), SHOWN, ids=[command for command, _ in SHOWN])
def test_commands_print_what_the_page_shows(command, shown, folder):
    if "sessions.toml" in command:
        (made,) = re.findall(r"`dyadline (simulate study1 --out sessions.csv --plan sessions.toml)`", PAGE)
        assert call(made).exit_code == 0
    quick = f"{QUICK} --precision .5 --search 50,600" if "--find" in command else QUICK
    done = call(f"{command} {quick}")
    assert done.exit_code == 0, done.exception
    assert skeleton(done.stdout) == skeleton(shown)
    assert (folder / "made" / "report.html").is_file()


@pytest.mark.parametrize("command", NAMED)
def test_commands_of_the_questions_run(command, folder):
    searched = command.replace("--find .8", "")
    done = call(f"{searched} --models 3 --no-error-free {QUICK}")
    assert done.exit_code == 0, done.exception


def test_the_parameter_file_of_the_page_is_whole(folder):
    truth = read_truth("my_study.toml")
    assert (truth.dyads, len(truth.rated_occasions), truth.therapists) == (120, 6, {"all": 24})


def test_the_pictures_of_the_page_are_there_and_come_from_the_command():
    shown = set(re.findall(r"\]\((power_\w+\.png)\)", PAGE))
    assert shown == {path.name for path in DOCS.glob("power_*.png")}
    script = (DOCS.parent / "benchmarks" / "power_figures.py").read_text(encoding="utf-8")
    keys = re.findall(r'^    "([a-z-]+)": \($', script, flags=re.MULTILINE)
    keys += re.findall(r'^    "([a-z-]+)": \("study1"', script, flags=re.MULTILINE)
    assert shown == {f"power_{key.removeprefix('power-').replace('-', '_')}.png" for key in keys}


def test_the_python_of_the_page_runs(folder):
    (code,) = [block for block in re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL) if "power_design" in block]
    names: dict[str, object] = {}
    exec(compile(code.replace("replicates=100", "replicates=5"), "docs/power.md", "exec"), names)
    assert isinstance(names["result"], dl.PowerResult) and (folder / "power.html").is_file()
