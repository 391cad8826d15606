"""Parameter files: TOML in and out, every mistake at once with its line."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import numpy as np
import pytest
from pydantic import BaseModel

from dyadline.errors import PlanError
from dyadline.plan.document import PlanMistakes
from dyadline.plan.mistakes import section_of
from dyadline.plan.truth import EFFECTS, Truth
from dyadline.plan.truth_checks import effects_covariance
from dyadline.plan.truth_document import make_truth, parse_truth, read_truth, truth_text
from dyadline.studies.twins import twin_file
from true_studies import COVARIANCE, FULL, truth

PLAIN = truth_text(truth())


def mistakes(text: str) -> dict[str, tuple[int | None, str]]:
    with pytest.raises(PlanMistakes) as caught:
        parse_truth(text)
    return {m.path: (m.line, f"{m.message} {m.hint}") for m in caught.value.mistakes}


def said(changes: dict[str, object]) -> dict[str, str]:
    """Mistakes of a plain truth with other values at dotted paths."""
    content = truth().model_dump()
    for path, value in changes.items():
        *sections, key = path.split(".")
        place = content
        for section in sections:
            place = place.setdefault(section, {})
        place[key] = value
    with pytest.raises(PlanMistakes) as caught:
        make_truth(content)
    return {m.path: f"{m.message} {m.hint}" for m in caught.value.mistakes}


@pytest.mark.parametrize(
    "given",
    [
        truth(),
        truth(FULL),
        truth({"covariance": COVARIANCE, "names.outcome": 'bdi ü "x"', "title": "Line\nbreak"}),
        truth({"covariance": [row[:5] for row in COVARIANCE[:5]], "missing.drop_out": 0.1 + 0.2}),
        truth(
            {"therapists": {"arm one": 3, "ärm.2": 4}, "items": {"outcome": {"measure": "bdi-ii", "items": "b{item}"}}}
        ),
        truth(
            {"sessions": [1, 3, 5, 9, 12], "length": {"median": 1 / 3, "log_sd": 0.1, "least": 1}, "names.time": "t"}
        ),
    ],
)
def test_what_is_written_is_read_back_exactly(given: Truth) -> None:
    assert parse_truth(truth_text(given)) == given


@pytest.mark.parametrize("study", ["study1", "study2"])
def test_the_twins_files_are_truths(study: str, tmp_path: Path) -> None:
    text = twin_file(study, ".toml").read_text(encoding="utf-8")
    given = parse_truth(text)
    (tmp_path / "t.toml").write_text(truth_text(given), encoding="utf-8")
    assert read_truth(tmp_path / "t.toml") == given


def test_every_key_is_explained() -> None:
    text = truth_text(truth())
    for number, line in enumerate(text.split("\n")):
        assert len(line) <= 120
        if line and not line.startswith("#") and " # " not in line:
            assert text.split("\n")[number - 1].startswith("#"), line


def test_files_that_are_not_there(tmp_path: Path) -> None:
    (tmp_path / "truth.toml").write_text(PLAIN)
    with pytest.raises(PlanError, match=r"no parameter file 'trut.toml'.*Did you mean 'truth.toml'"):
        read_truth(tmp_path / "trut.toml")
    with pytest.raises(PlanError, match="parameter file is not valid TOML"):
        parse_truth("dyads = ")
    with pytest.raises(PlanError, match="A truth is needed"):
        truth_text("study1")  # type: ignore[arg-type]


def test_all_mistakes_at_once_with_lines_and_hints() -> None:
    found = mistakes(
        """\
dyads = 1
ocasions = [1, 2]
rated = [1]
seed = -1
[alliance]
between = 1.5
scale = [1]
[alliance.patient]
intercept = "five"
slope = 0.1
sd = [1.0, -0.1]
residul = 0.4
[alliance.therapist]
intercept = 5
slope = 0.1
sd = [1.0, 0.1]
residual = 0.4
[baseline]
mean = 3
sd = 1
decimals = 1.5
[missing.drop_out]
rate = 2.0
tme = 0.1
[items]
wai_p = { mesure = "wai-s", items = "wai_p_{item}" }
[outcome]
given = "latent_scores"
residual = inf
fixed = { intercept = 1, convergance = 2 }
slope = { }
random = 3
"""
    )
    expected = {
        "dyads": (1, "at least 2"),
        "ocasions": (2, "Did you mean 'occasions'"),
        "occasions": (1, "missing (when something is measured, ascending)"),
        "seed": (4, "at least 0"),
        "alliance.between": (6, "less than 1"),
        "alliance.scale": (7, "[from, to] with two numbers"),
        "alliance.patient.intercept": (9, "allowed is a number"),
        "alliance.patient.sd": (11, "allowed is [first, second], each a number"),
        "alliance.patient.residul": (12, "Did you mean 'residual'"),
        "alliance.patient.residual": (8, "missing"),
        "baseline.decimals": (21, "whole number"),
        "missing.drop_out.rate": (23, "less than 1"),
        "missing.drop_out.tme": (24, "Did you mean 'time'"),
        "items.wai_p.mesure": (26, "Did you mean 'measure'"),
        "items.wai_p.measure": (26, "missing"),
        "outcome.given": (28, "Did you mean 'latent'"),
        "outcome.residual": (29, "found inf"),
        "outcome.fixed.convergance": (30, "Did you mean 'convergence'"),
        "outcome.random": (32, "this is a section with the keys intercept, covariance, slope"),
    }
    assert set(found) == set(expected)
    for path, (line, words) in expected.items():
        assert found[path][0] == line, path
        assert words in found[path][1], (path, found[path][1])


def test_a_key_in_the_wrong_section_is_told_where_it_belongs() -> None:
    found = mistakes(PLAIN.replace("\n[names]", "\nresidual = 2.0\ndrop_out = 0.1\n\n[names]"))
    assert "belongs in [alliance.patient], [alliance.therapist] or [outcome]" in found["residual"][1]
    assert "belongs in [missing]" in found["drop_out"][1]
    assert (
        "stands before the first section"
        in mistakes(PLAIN.replace("[names]", "[names]\nrated = [1, 2]"))["names.rated"][1]
    )


def test_drop_out_is_a_chance_or_a_section() -> None:
    assert (
        "allowed is a number or a section with the keys rate" in said({"missing.drop_out": "often"})["missing.drop_out"]
    )
    assert parse_truth(PLAIN.replace("drop_out = 0.0", "drop_out = 0")).missing.drop_out == 0.0


@pytest.mark.parametrize(
    ("changes", "path", "words"),
    [
        ({"occasions": [1, 3, 2]}, "occasions", "ascend"),
        ({"occasions": [1]}, "occasions", "found [1]; it needs at least 2"),
        ({"rated": [1, 5]}, "rated", "5 is not one of the occasions"),
        ({"rated": [1]}, "rated", "at least two"),
        ({"rated": [3, 1]}, "rated", "ascending"),
        ({"sessions": [1, 2, 3, 4, 5], "names.time": "t"}, "sessions", "[length]"),
        (
            {"sessions": [1, 2], "length": {"median": 3, "log_sd": 1, "least": 1}, "names.time": "t"},
            "sessions",
            "so 5 sessions are needed",
        ),
        ({"alliance.ar1": -0.3, "occasions": [1, 1.5, 2]}, "alliance.ar1", "not a whole number"),
        ({"names.patient": "dyad"}, "names.patient", "has a column 'dyad'"),
        ({"names.patient": "wai_t"}, "names.therapist", "stands twice"),
        ({"items": {"wai": {"measure": "wai-s", "items": "w{item}"}}}, "items.wai", "Did you mean 'wai_t'"),
        ({"therapist_effects.patient": 0.3}, "therapist_effects", "[therapists]"),
        ({"therapists": {str(k): 1 for k in range(61)}}, "therapists", "61 arms for 60 dyads"),
        ({"alliance.scale": [7, 1]}, "alliance.scale", "upwards"),
        ({"baseline.range": [7, 7]}, "baseline.range", "upwards"),
        ({"covariance": np.eye(3).tolist()}, "covariance", "four to six rows is needed, not 3 rows of 3, 3, 3"),
        ({"covariance": [[1.0] * 4] * 3 + [[1.0]]}, "covariance", "not 4 rows of 4, 4, 4, 1"),
        (
            {"covariance": (np.eye(4) + np.diag([0.1, 0, 0], 1)).tolist()},
            "covariance",
            "row 1, column 2 is 0.1, the other way 0",
        ),
        ({"covariance": (2 * np.ones((5, 5)) - np.eye(5)).tolist()}, "covariance", "not positive semi-definite"),
        (
            {"alliance.patient.r": -0.9, "alliance.therapist.r": 0.9, "alliance.between": 0.9},
            "alliance.between",
            "semi",
        ),
        ({"outcome.random.covariance": 9.0}, "outcome.random", "not positive semi-definite"),
        ({"outcome.effect": 0.3, "outcome.given": "scored"}, "outcome.effect", 'given = "latent"'),
        ({"outcome.effect": 0.3, "outcome.slope.convergence": 0.1}, "outcome.effect", "only one of them"),
        ({"outcome.effect": 0.3, "covariance": COVARIANCE}, "outcome.effect", "unrelated to the ratings' effects"),
        ({"outcome.effect": 0.3, "outcome.random": {"intercept": 1.0, "slope": 0.0}}, "outcome.effect", "slopes"),
        (
            {"outcome.effect": 0.3, "covariance": np.eye(5).tolist()},
            "outcome.effect",
            "slopes of the outcome that vary",
        ),
        (
            {"outcome.given": "scored", "missing.drop_out": {"rate": 0.1, "outcome": 1.0}},
            "missing.drop_out",
            "cannot depend on it",
        ),
    ],
)
def test_what_cannot_be_together_is_refused(changes: dict[str, object], path: str, words: str) -> None:
    found = said(changes)
    assert set(found) == {path}
    assert words in found[path]


def test_contradictions_come_all_at_once_with_lines() -> None:
    text = PLAIN.replace("occasions = [1, 2", "occasions = [2, 1").replace(
        "between = 0.45", "scale = [5, 1]\nbetween = 0.45"
    )
    found = mistakes(text.replace("# scale", "# no scale"))
    assert set(found) == {"occasions", "alliance.scale"}
    assert text.split("\n")[(found["occasions"][0] or 0) - 1].startswith("occasions")


def test_a_truth_made_in_python_says_the_same() -> None:
    with pytest.raises(ValueError, match="occasions: occasions must ascend"):
        truth(occasions=[2, 1])


def test_covariances_may_be_singular() -> None:
    assert truth(covariance=np.ones((6, 6)).tolist()).covariance is not None
    assert truth({"alliance.patient.sd": [0, 0]}).alliance.patient.sd == (0.0, 0.0)


def test_the_covariance_takes_the_place_of_what_it_covers() -> None:
    assert len(EFFECTS) == 6
    four = effects_covariance(truth(covariance=[row[:4] for row in COVARIANCE[:4]]))
    np.testing.assert_array_equal(four[4:, 4:], [[49.0, -1.9], [-1.9, 1.2]])
    assert not four[:4, 4:].any()
    five = effects_covariance(truth(covariance=[row[:5] for row in COVARIANCE[:5]]))
    assert not five[5].any()
    np.testing.assert_array_equal(effects_covariance(truth(covariance=COVARIANCE)), COVARIANCE)


def test_other_sizes_keep_the_therapists_load() -> None:
    given = truth(therapists={"A": 5, "B": 1})
    assert given.with_dyads(120).therapists == {"A": 10, "B": 2}
    assert given.with_dyads(6).therapists == {"A": 1, "B": 1}
    assert given.with_dyads(60) == given


PAGE = (Path(__file__).resolve().parents[2] / "docs" / "simulation.md").read_text(encoding="utf-8")


def keys_of(kind: type[BaseModel], path: str = "") -> set[str]:
    found = set()
    for name, field in kind.model_fields.items():
        section = section_of(field.annotation)
        found |= keys_of(section, f"{path}{name}.") if section else {path + name}
    return found


def keys_in(content: dict[str, object], path: str = "") -> set[str]:
    found = set()
    for name, held in content.items():
        inside = isinstance(held, dict) and path + name not in ("items", "therapists")
        found |= keys_in(held, f"{path}{name}.") if inside else {path + name}
    return found


def test_the_page_shows_every_key_and_its_file_is_a_truth() -> None:
    whole, *further = re.findall(r"```toml\n(.*?)```", PAGE, flags=re.DOTALL)
    shown = keys_in(tomllib.loads(whole))
    parse_truth(whole)
    for text in further:
        parse_truth(text + whole)
        shown |= keys_in(tomllib.loads(text))
    assert shown == keys_of(Truth)
