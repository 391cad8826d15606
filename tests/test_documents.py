"""What the documents show is run: the blocks of docs/models.md, one after the other, as a reader would."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import polars as pl
import pytest

import dyadline as dl

ROOT = Path(__file__).resolve().parents[1]
MODELS = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", MODELS, flags=re.DOTALL)


def test_the_blocks_of_the_models_page_run():
    names = {"pl": pl}
    for number, code in enumerate(blocks("python")):
        exec(compile(code, f"docs/models.md, block {number + 1}", "exec"), names)
    assert len(blocks("python")) >= 6
    assert names["three"].design.groupings[1].name == "therapist"
    assert names["many"].estimates.shape[0] == 200
    assert names["boot"].table.height == 8


def test_the_plan_of_the_models_page_is_one():
    (text,) = blocks("toml")
    asked = tomllib.loads(text)
    roles = ("dyad", "time", "patient_rating", "therapist_rating", "outcome", "therapist")
    columns = "\n".join(f'{role} = "{role[:2]}{number}"' for number, role in enumerate(roles))
    plan = dl.parse_plan(f"version = 1\n[columns]\n{columns}\n{text}")
    assert plan.models.levels == asked["models"]["levels"] and plan.convergence.growth == "dyadic"


@pytest.mark.parametrize("name", sorted(set(dl.__all__) - {"__version__"}))
def test_every_public_name_says_what_it_is(name):
    assert (getattr(dl, name).__doc__ or "").strip(), name


def test_every_public_name_stands_in_the_plan_of_the_house():
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8").split("## Public names")[1]
    named = [name.strip() for listed in re.findall(r"`([^`]*)`", text) for name in listed.split(",")]
    known = [name for name in named if name != "import dyadline"]
    assert sorted(known) == sorted(set(dl.__all__) - {"__version__"})
