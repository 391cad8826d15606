"""The synthetic twins: as described, reproducible, labelled, and true to the model that made them."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import dyadline as dl
from dyadline.studies.twins import simulate, twin_data, twin_plan


def test_study1_has_the_shape_that_the_paper_describes():
    frame = twin_data("study1")
    assert frame["dyad"].n_unique() == 96
    assert frame["therapist"].n_unique() == 34
    assert frame.unique("therapist")["arm"].value_counts().sort("arm")["count"].to_list() == [25, 9]
    assert frame["session"].unique().sort().to_list() == list(range(1, 15))
    assert frame.height == pytest.approx(1090, abs=40)
    assert frame["wai_p"].drop_nulls().is_between(1, 7).all()
    first, last = frame.filter(pl.col("session") == 1), frame.filter(pl.col("session") >= 12)
    assert first["wai_t"].mean() > first["wai_p"].mean()
    assert last["wai_p"].mean() > last["wai_t"].mean()
    assert frame["wai_p"].std() > frame["wai_t"].std()
    pre = frame.unique("dyad")["bdi_pre"]
    assert (pre.mean(), pre.std()) == (pytest.approx(35.8, abs=2.5), pytest.approx(9.5, abs=2))


def test_study2_has_the_shape_that_the_paper_describes():
    frame = twin_data("study2")
    assert frame["dyad"].n_unique() == 139
    assert frame["therapist"].n_unique() == 52
    assert frame.height == 139 * 5
    assert frame["gsi"].null_count() == 0
    rated = frame.drop_nulls("wai_p")
    assert rated["session"].unique().sort().to_list() == [3, 12, 20]
    assert rated.height == 139 * 3
    assert frame["n_sessions"].min() >= 20
    gap = rated.group_by("occasion").agg((pl.col("wai_p") - pl.col("wai_t")).mean().alias("gap")).sort("occasion")
    assert gap["gap"][0] > gap["gap"][2] > 0


@pytest.mark.parametrize("study", ["study1", "study2"])
def test_the_bundled_file_is_the_simulators_draw(study):
    drawn, bundled = simulate(study), twin_data(study)
    assert drawn.columns == bundled.columns
    for name in drawn.columns:
        if drawn[name].dtype.is_float():
            # Rounded values may fall to either side where processors differ in the last bit.
            np.testing.assert_allclose(drawn[name].to_numpy(), bundled[name].to_numpy(), atol=0.0101)
        else:
            assert drawn[name].to_list() == bundled[name].to_list()


def test_seeds_and_sizes():
    assert simulate("study1", seed=1).equals(simulate("study1", seed=1))
    assert not simulate("study1", seed=1).equals(simulate("study1", seed=2))
    large = simulate("study2", dyads=400, seed=3)
    assert large["dyad"].n_unique() == 400
    assert large["therapist"].n_unique() == 150


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ({"study": "study3"}, "Did you mean"),
        ({"study": "study1", "dyads": 3}, "at least 10"),
        ({"study": "study1", "seed": -1}, "at least 0"),
        ({"study": "study1", "seed": 1.5}, "whole number"),
        ({"study": "study1", "dyads": "many"}, "whole number"),
        ({"study": "study1", "items": "yes"}, "items is True or False, not 'yes'"),
        ({"study": None}, "no bundled study None"),
    ],
)
def test_impossible_draws_are_refused(call, words):
    with pytest.raises(dl.PlanError, match=words):
        simulate(**call)


def test_study2_shows_the_collapse_of_the_intercepts_variance():
    result = dl.run(twin_plan("study2"), twin_data("study2"))
    components = (
        result.tables["random_effects"].filter(term1="(Intercept)", group="dyad").filter(pl.col("term2").is_null())
    )
    model1, _, model3 = components["estimate"].to_list()
    assert model1 > 0.2  # the paper: .34
    assert model3 < 0.05  # the paper: .002
    assert "baseline-is-first-outcome" in {f.code for f in result.findings}


@pytest.mark.parametrize("study", ["study1", "study2"])
def test_twins_are_labelled(study):
    result = dl.run(twin_plan(study), twin_data(study))
    assert "synthetic" in result.plan.title
    assert "synthetic-data" in {f.code for f in result.findings}
