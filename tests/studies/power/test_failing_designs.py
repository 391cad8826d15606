"""A whole power study: what its tables count, and what is refused before anything is drawn."""

from __future__ import annotations

import polars as pl
import pytest

import dyadline as dl
from dyadline.errors import FitError, PlanError
from dyadline.plan.truth import Truth
from dyadline.studies.power import work
from dyadline.studies.power.design import Design, only_convergence
from dyadline.studies.power.study import Question, power_study
from dyadline.studies.simulation.frame import truth_plan
from dyadline.studies.twins import parameters


def truth(**outcome: object) -> Truth:
    given = parameters("study1")
    given["outcome"] = given["outcome"] | {"given": "latent"} | outcome
    return Truth.model_validate(given)


def test_type_i_error_is_counted_where_convergence_has_no_effect_of_any_kind():
    """Confounded: what a parameter file adds to the intercept, and with development, would be found every time."""
    fixed = parameters("study1")["outcome"]["fixed"] | {"convergence": -40.0}
    slope = parameters("study1")["outcome"]["slope"] | {"convergence": 0.0, "product": 10.0}
    found = dl.power_design(
        truth(fixed=fixed, slope=slope), dyads=150, models=[3], replicates=150, confounded=True, error_free=False
    ).tests
    there = dict(zip(found["term"], found["type_i"], strict=True))
    power = dict(zip(found["term"], found["power"], strict=True))
    for term in ("convergence", "time:development:convergence"):
        assert power[term] > 0.5 and there[term] < 0.13, term  # .05 + 4.5 Monte-Carlo errors


def nothing(*_: object, **__: object) -> object:
    raise FitError("Nothing can be drawn")


def test_a_design_that_always_fails_is_a_row_with_its_failures(monkeypatch):
    monkeypatch.setattr(work, "draw", nothing)
    found = dl.power_design("study1", effect=[0.2, 0.3], models=[2], replicates=5)
    assert found.tests["replicates"].to_list() == found.tests["failed"].to_list() == [5] * 4
    # A replicate without an answer is not significant; what is estimated from answers is not there.
    assert found.tests["power"].to_list() == found.tests["type_i"].to_list() == [0.0] * 4
    assert found.tests["estimate"].null_count() == found.tests["coverage"].null_count() == 4
    assert found.scores.height == 0
    assert len(found.failures) == 15 and found.failures[0].words == "Nothing can be drawn."


def test_an_effect_that_a_model_cannot_have_has_no_power():
    """Without error an early difference says nothing that the two early levels do not, and is left out."""
    found = dl.power_design("study1", models=[3], replicates=4, null=False, every=True).tests
    missing = found.filter(pl.col("term").str.contains("early_discrepancy"))
    assert missing.height == 2 and missing["power"].null_count() == 0
    assert missing["power_error_free"].null_count() == 2 and missing["true_effect"].null_count() == 2
    assert found.filter(pl.col("term") == "time:convergence")["power_error_free"].null_count() == 0


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"goal": 0.8, "search": (4, 100)}, "at least 10 dyads, not 4"),
        ({"goal": 0.8, "search": (100, 100)}, "largest number of dyads"),
        ({"goal": 0.8, "search": (20, 60), "designs": [Design(effect=0.9, per_therapist=20.0)]}, "with 20 dyads"),
        ({"goal": 0.04}, "not at 0.04"),
        ({"goal": 1.5}, "not at 1.5"),
        ({"goal": 0.8, "precision": 0.0}, "precision"),
    ],
)
def test_a_search_that_cannot_be_is_refused_before_anything_is_drawn(asked, words):
    given = only_convergence(truth(slope={"intercept": -0.94}))
    question = Question(**{"designs": [Design(effect=0.3)], **asked})
    with pytest.raises(PlanError, match=words):
        power_study(given, truth_plan(given, "simulated"), question, nothing)
