"""Every trap of the method is sprung once, and stays quiet where it should."""

from __future__ import annotations

import polars as pl
import pytest

import dyadline as dl
from dyadline.studies.twins import twin_data, twin_plan


def codes(result) -> set[str]:
    return {finding.code for finding in result.findings}


def changed(study, **sections):
    plan = twin_plan(study)
    for section, values in sections.items():
        plan = plan.model_copy(update={section: getattr(plan, section).model_copy(update=values)})
    return plan


def test_study1():
    found = codes(dl.run(twin_plan("study1"), twin_data("study1")))
    assert {"same-sessions", "log-shift", "low-reliability", "noise-floor", "criteria-not-comparable"} <= found
    assert "therapist-level-left-out" in found
    assert not found & {"baseline-is-first-outcome", "time-not-linear", "not-certified", "boundary-fit"}


def test_early_curve_difference_repeats_the_early_levels_and_three_ways_out_are_named():
    plan = changed("study1", convergence={"early_discrepancy": "curve"})
    with pytest.raises(dl.FitError) as caught:
        dl.run(plan, twin_data("study1"))
    words = str(caught.value)
    assert "Model 3" in words
    assert "early_discrepancy = early_patient − early_therapist" in words
    for way_out in ('early_discrepancy = "absolute"', 'early_level = "curve"', 'early_discrepancy = "none"'):
        assert way_out in words


def test_slopes_that_follow_from_the_levels_name_the_way_out():
    """Each rater's slope is a multiple of the level, and the noise of each dyad is orthogonal to a line."""
    dyads = pl.DataFrame({"dyad": range(40), "u": [n % 7 / 5 for n in range(40)], "v": [n % 11 / 8 for n in range(40)]})
    times = pl.DataFrame({"session": range(4), "wave": [1.0, -1.0, -1.0, 1.0]})
    frame = dyads.join(times, how="cross").with_columns(
        therapist=pl.col("dyad") % 8,
        wai_p=4 + pl.col("u") * (1 + 0.1 * pl.col("session")) + pl.col("wave") * (pl.col("dyad") % 5 - 2) / 5,
        wai_t=5 + pl.col("v") * (1 - 0.1 * pl.col("session")) + pl.col("wave") * (pl.col("dyad") % 3 - 1) / 5,
        bdi=25 - pl.col("session") * (1 + pl.col("dyad") % 4 / 4) + (pl.col("dyad") * 7 + pl.col("session") * 5) % 6,
        bdi_pre=25.0 + pl.col("dyad") % 9,
    )
    with pytest.raises(dl.FitError, match=r'Model 3: .*development.*growth = "ols"'):
        dl.run(twin_plan("study1"), frame)


def test_first_ratings_repeat_the_raw_first_discrepancy():
    frame = twin_data("study1").filter(pl.col("session").is_in([1, 2, 3]) | pl.col("wai_p").is_not_null())
    with pytest.raises(dl.FitError, match="Three ways out"):
        dl.run(changed("study1", convergence={"early_level": "first_rating"}), frame)


def test_separate_windows_silence_the_same_sessions_note():
    plan = changed("study1", convergence={"rating_window": (1.0, 7.0), "outcome_window": (8.0, 14.0)})
    result = dl.run(plan, twin_data("study1"))
    assert "same-sessions" not in codes(result)
    assert result.scoring.window == (0.0, 6.0)
    assert result.tables["time_shape"]["n_rows"][0] == twin_data("study1").filter(pl.col("session") >= 8).height


def test_a_curved_course_is_noticed():
    frame = twin_data("study1").with_columns(bdi=pl.col("bdi") + 14 - 9 * pl.col("session").log())
    result = dl.run(twin_plan("study1"), frame)
    assert "time-not-linear" in codes(result)


def test_a_boundary_fit_is_named():
    # Nothing varies between dyads but the predictors' share.
    frame = twin_data("study1")
    frame = frame.with_columns(bdi=30 - pl.col("session") + (pl.col("bdi") * 997 % 7) + 0.01 * pl.col("bdi_pre"))
    result = dl.run(twin_plan("study1"), frame)
    words = [f.words for f in result.findings if f.code == "boundary-fit"]
    assert words
    assert "is zero" in words[0] or "correlation" in words[0]


def test_models_on_the_same_rows_by_maximum_likelihood_can_be_compared():
    frame = twin_data("study1")
    plan = changed("study1", models={"method": "ML"})
    assert "criteria-not-comparable" not in codes(dl.run(plan, frame))
    holes = frame.with_columns(bdi_pre=pl.when(pl.col("dyad") == "D001").then(None).otherwise(pl.col("bdi_pre")))
    result = dl.run(plan, holes)
    assert "criteria-not-comparable" in codes(result)
    assert result.tables["criteria_common"]["n_rows"].n_unique() == 1
    assert result.tables["criteria"]["n_rows"].n_unique() == 2


def test_near_collinearity_is_named():
    result = dl.run(twin_plan("study2"), twin_data("study2"))
    words = [f.words for f in result.findings if f.code == "near-collinearity"]
    assert words
    assert "early patient" in words[0]


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (lambda f: f.filter(pl.col("dyad") <= "D006"), "Model 3 has 7 predictors of the dyad, and only 6 dyads"),
        (lambda f: f.with_columns(bdi_pre=pl.lit(30.0)), "Baseline is the same for all 96 dyads"),
        (lambda f: f.with_columns(bdi_pre=pl.lit(None, pl.Float64)), "No dyad has an outcome and all predictors"),
    ],
)
def test_too_little_to_answer_with_is_said(frame, words):
    with pytest.raises(dl.DyadlineError, match=words):
        dl.run(twin_plan("study1"), frame(twin_data("study1")))
