"""A whole power study: the same tables on any executor, continued or not, and numbers that closed forms give."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import pytest

import dyadline as dl
from dyadline.parallel.jobs import Progress
from dyadline.plan.analysis import ConvergenceSection
from dyadline.plan.truth import Truth
from dyadline.studies.power import study
from dyadline.studies.power.design import MOST_DESIGNS, grid
from dyadline.studies.power.result import NEEDED, SCORES, TESTS

SMALL = {"dyads": [48, 60], "effect": [0.0, 0.5], "replicates": 130, "scores": ["plan", "ols/signed/none"]}


@cache
def small():
    return dl.power_design("study1", **SMALL)


def same(one, other) -> bool:
    return all(getattr(one, name).equals(getattr(other, name)) for name in ("tests", "scores", "needed"))


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_processes_give_the_same_tables_bit_for_bit(workers):
    assert same(dl.power_design("study1", executor="processes", workers=workers, **SMALL), small())


def test_so_do_threads():
    with ThreadPoolExecutor(2) as pool:
        assert same(dl.power_design("study1", executor=pool, workers=2, **SMALL), small())


def test_so_does_dask():
    pytest.importorskip("distributed")
    assert same(dl.power_design("study1", executor="dask", workers=2, **SMALL), small())


def test_a_study_is_the_same_in_other_company():
    alone = dl.power_design("study1", **SMALL | {"dyads": 60, "effect": 0.5, "scores": ["ols/signed/none"]}, models=[3])
    shared = small().tests.filter(
        (small().tests["dyads"] == 60)
        & (small().tests["effect"] == 0.5)
        & (small().tests["score"] == alone.tests["score"][0])
        & (small().tests["model"] == 3)
    )
    assert alone.tests.drop("design").equals(shared.drop("design"))


def test_what_is_found_has_its_columns_and_can_be_sent():
    found = small()
    assert dict(found.tests.schema) == TESTS and dict(found.scores.schema) == SCORES
    assert dict(found.needed.schema) == NEEDED and not found.interrupted
    assert found.tests.height == 4 * 2 * (2 + 4) and found.scores.height == 4 * 2
    again = pickle.loads(pickle.dumps(found))
    assert same(found, again) and again.truth == found.truth
    # A design without effect is its own null.
    still = found.tests.filter(found.tests["effect"] == 0.0)
    assert still["power"].equals(still["type_i"].rename("power"))
    # Both effects of a design share one.
    assert still["type_i"].equals(found.tests.filter(found.tests["effect"] == 0.5)["type_i"])


def test_progress_reaches_its_total_and_designs_take_turns():
    seen: list[Progress] = []
    dl.power_design("study1", dyads=[40, 60], replicates=70, null=False, models=2, progress=seen.append)
    assert (seen[0].done, seen[-1].done, seen[-1].total) == (0, 140, 140)
    assert [one.done for one in seen] == [0, 64, 128, 134, 140]  # not 70 of the first design before the second
    assert seen[-1].seconds_left == 0.0


def test_a_search_says_where_it_is():
    seen: list[Progress] = []
    options = {"effect": [0.0, 0.6], "dyads": 40, "replicates": 8, "models": 2, "null": False, "error_free": False}
    found = dl.power_design(
        "study1", **options, scores="ols", goal=0.8, search=(20, 200), precision=0.5, progress=seen.append
    )
    told = [one for one in seen if one.what]
    assert seen[0].what == "" and {one.what.partition(",")[0] for one in told} == {"search 1 of 1"}
    assert all(one.seconds_left is None for one in told)
    (row,) = found.needed.to_dicts()
    assert row["status"] == "found" and row["effect"] == 0.6 and row["n_low"] <= row["n"] <= row["n_high"]
    # At the number that was found, other random numbers give that power.
    check = dl.power_design(
        "study1", **options | {"dyads": row["n"], "replicates": 300, "effect": 0.6}, scores="ols", seed=7
    )
    power = check.tests.filter(check.tests["term"] == "time:convergence")["power"].item()
    assert power == pytest.approx(0.8, abs=0.12)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"goal": 1.2}, "lies between the level of the test"),
        ({"goal": 0.8, "precision": 0.0}, "precision is a share"),
        ({"goal": 0.8, "search": (5, 100)}, "cannot go to 5 dyads: A design needs at least 10"),
        ({"goal": 0.8, "effect": 0.0}, "Without effect"),
        ({"replicates": 10**8}, "200,000,000 studies"),
        ({"effect": 1.0}, "between −1 and 1, not 1"),
        ({"dyads": 10**7}, "more than a study of power can draw"),
        ({"levels": 4}, "2 or 3 levels"),
        ({"models": [1]}, "Models 2 and 3"),
        ({"effect": "0.3"}, "An effect is a number"),
        ({"dyads": 60.5}, "whole number"),
        ({"alpha": "x"}, "Alpha is a number"),
        ({"search": 5}, "between two numbers"),
        ({"scores": []}, "at least one design, one score"),
        ({"scores": [3]}, "a section or words, not 3"),
        ({"executor": 3}, "3 is no executor"),
    ],
)
def test_what_cannot_be_is_told_before_anything_is_drawn(wrong, said, monkeypatch, tmp_path):
    monkeypatch.setattr(study, "PowerWork", lambda **_: pytest.fail("work was made"))
    with pytest.raises(dl.PlanError, match=said):
        dl.power_design("study1", folder=tmp_path / "parts", **wrong)
    assert not (tmp_path / "parts").exists()


def test_a_grid_has_an_end():
    with pytest.raises(dl.PlanError, match=f"10,100 designs, and one study compares {MOST_DESIGNS:,}"):
        grid(effects=[0.3], dyads=range(10, 111), sessions=range(2, 102))


def test_a_covariance_that_the_effect_contradicts_is_a_sentence():
    given = simple(50, 0.0).model_dump()
    given["outcome"]["effect"] = None
    matrix = np.diag([1.0, 0.01, 1.0, 0.01, 40.0, 1.2])
    matrix[0, 5] = matrix[5, 0] = 0.1
    with pytest.raises(dl.PlanError, match="unrelated to the ratings' effects"):
        dl.power_design(Truth.model_validate(given | {"covariance": matrix.tolist()}), replicates=4)
    # Without a slope that varies there is nothing to be correlated with.
    with pytest.raises(dl.PlanError, match="slopes of the outcome that vary"):
        dl.power_design(Truth.model_validate(given | {"covariance": matrix[:5, :5].tolist()}), replicates=4)
    # Four dimensions leave the outcome to its own section.
    found = dl.power_design(Truth.model_validate(given | {"covariance": matrix[:4, :4].tolist()}), replicates=4)
    assert found.tests["failed"].sum() == 0


SIGNED = ConvergenceSection.model_validate({"growth": "ols", "discrepancy": "signed", "transform": "none"})
OCCASIONS, SLOPES, BETWEEN, NOISE = np.arange(1.0, 7.0), 0.1, 0.3, 0.4


def simple(dyads: int, effect: float) -> Truth:
    rater = {"intercept": 5.0, "slope": 0.05, "sd": [1.0, SLOPES], "residual": NOISE}
    return Truth.model_validate(
        {
            "dyads": dyads,
            "occasions": OCCASIONS.tolist(),
            "alliance": {"patient": rater, "therapist": rater, "between": BETWEEN},
            "baseline": {"mean": 30.0, "sd": 9.0},
            "outcome": {
                "effect": effect,
                "convergence": {"discrepancy": "signed"},
                "fixed": {"intercept": 30.0},
                "slope": {"intercept": -1.0},
                "random": {"intercept": 40.0, "slope": 1.2},
                "residual": 9.0,
            },
        }
    )


def test_estimates_are_those_of_the_truth_and_shrink_by_the_reliability():
    # Window of 5 units of time: score = change of the signed difference over it.
    true = 2.0 * SLOPES**2 * (1.0 - BETWEEN)
    error = 2.0 * NOISE**2 / np.sum((OCCASIONS - OCCASIONS.mean()) ** 2)
    reliability = true / (true + error)
    effect = 0.4 * np.sqrt(1.2) / (5.0 * np.sqrt(true))
    found = dl.power_design(
        simple(400, 0.0), effect=0.4, replicates=100, scores=[SIGNED], models=2, seed=11, null=False
    )
    (row,) = found.tests.filter(found.tests["term"] == "time:convergence").to_dicts()
    # Spread of the error-free estimate: what the slope has beside the score, and the outcome's residuals.
    beside = 1.2 * (1.0 - 0.4**2) + 9.0 / 17.5
    mc = np.sqrt(beside / 400 / (25.0 * true) / 100)
    assert row["true_effect"] == pytest.approx(effect, abs=3.5 * mc)
    assert row["estimate"] == pytest.approx(effect * reliability, abs=3.5 * row["sd_estimates"] / 10.0)
    width = (row["attenuation_high"] - row["attenuation_low"]) / 2.0 / 1.96
    assert row["attenuation"] == pytest.approx(reliability, abs=3.5 * width) and width < 0.02
    assert row["bias"] == pytest.approx(effect * (reliability - 1.0), abs=3.5 * (row["bias_error"] + mc))
    assert row["sd_estimates"] == pytest.approx(row["std_error"], rel=3.5 / np.sqrt(2 * 100))
    (score,) = found.scores.to_dicts()
    # 40,000 pairs, so that a correlation has an error of at most .005.
    assert score["reliability"] == pytest.approx(reliability, abs=0.02)
    assert score["validity"] == pytest.approx(np.sqrt(reliability), abs=0.02)


@pytest.mark.parametrize("twin", ["study1", "study2"])
def test_the_level_of_the_test_is_kept_in_both_twins(twin):
    count = 400
    found = dl.power_design(twin, effect=0.0, replicates=count, error_free=False, seed=3)
    rows = found.tests.filter(found.tests["term"] == "time:convergence").to_dicts()
    assert [row["model"] for row in rows] == [2, 3]
    for row in rows:
        assert row["power"] == pytest.approx(0.05, abs=3.5 * np.sqrt(0.05 * 0.95 / count))
        assert row["failed"] == 0 and row["type_i"] == row["power"]
