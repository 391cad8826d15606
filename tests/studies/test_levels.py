"""How many levels: the test against lme4, the decision and its reasons, and what reaches tables and findings."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import dyadline as dl
from dyadline.plan.document import make_plan
from dyadline.studies.levels import choose_levels, level_table
from dyadline.studies.outcome import OutcomeModels
from dyadline.studies.traps import traps
from dyadline.studies.twins import twin_data, twin_plan
from oracles import answers

ORACLE = json.loads((Path(answers.HERE) / "therapist_level.json").read_text())
COLUMNS = {
    "dyad": "dyad", "therapist": "therapist", "time": "session", "patient_rating": "wai_p",
    "therapist_rating": "wai_t", "outcome": "bdi", "baseline": "bdi_pre",
}  # fmt: skip


def plan(**models):
    return make_plan({"columns": COLUMNS, "models": models})


def rows():
    return answers.frame("therapist_level")


def therapists_differ(sd=8.0, slope_sd=0.0):
    """Study 1's twin with therapists who differ in level and in change."""
    frame = twin_data("study1")
    names = frame["therapist"].unique().sort()
    rng = np.random.default_rng(3)
    effects = pl.DataFrame(
        {"therapist": names, "level": sd * rng.normal(size=len(names)), "slope": slope_sd * rng.normal(size=len(names))}
    )
    moved = pl.col("bdi") + pl.col("level") + pl.col("slope") * (pl.col("session") - 1)
    return frame.join(effects, on="therapist", how="left", maintain_order="left").with_columns(bdi=moved)


def finding(result, code):
    return next(f for f in result.findings if f.code == code)


@pytest.mark.parametrize("method", ["REML", "ML"])
def test_the_test_is_lme4s_difference_under_the_mixture(method):
    levels = choose_levels(rows(), plan(levels="auto", therapist_slopes=True, method=method))
    want = ORACLE[method]
    table = level_table(levels)
    assert table["criterion_without"].to_list() == pytest.approx(want["criteria"][:2], abs=1e-5)
    assert table["criterion_with"].to_list() == pytest.approx(want["criteria"][1:], abs=1e-5)
    assert table["p_value"].to_list() == pytest.approx(want["p"], abs=1e-5)
    assert table["variance"][0] == pytest.approx(want["variance"], rel=1e-4)
    assert table["icc"][0] == pytest.approx(want["icc"], rel=1e-4)
    assert table["distribution"].to_list() == ["0.5·χ²(0) + 0.5·χ²(1)", "0.5·χ²(1) + 0.5·χ²(2)"]
    # p = .020 (ML .028) and .589: intercepts stay, slopes do not.
    assert (levels.used, levels.slopes) == (3, False)
    assert levels.random == "(time | dyad) + (1 | therapist)"
    assert levels.reason == "Therapists' intercepts differ on the 5% level."


def test_no_difference_at_all_has_p_one():
    result = dl.run(changed("study1", levels="auto"), twin_data("study1"))
    (test,) = result.tables["level_test"].to_dicts()
    assert (test["statistic"], test["p_value"], test["variance"], test["levels_used"]) == (0.0, 1.0, 0.0, 2)
    assert (test["n_dyads"], test["n_therapists"]) == (96, 34)


def test_a_test_on_a_boundary_is_called_approximate():
    """Therapists' slopes are asked of a model whose therapists have no variance."""
    result = dl.run(changed("study1", levels="auto", therapist_slopes=True, run=[1]), twin_data("study1"))
    intercept, slope = result.tables["level_test"].to_dicts()
    assert (intercept["doubt"], slope["doubt"]) == ("", "approximate: the smaller model lies on a boundary itself")
    assert slope["distribution"] == "0.5·χ²(1) + 0.5·χ²(2)"
    assert f"χ²(2); {slope['doubt']})." in finding(result, "therapist-level-dropped").words


def changed(study, **models):
    content = twin_plan(study).model_dump(exclude_none=True)
    return make_plan({**content, "models": models})


def test_falling_back_gives_the_two_level_models_and_the_reason():
    two = dl.run(twin_plan("study1"), twin_data("study1"))
    auto = dl.run(changed("study1", levels="auto"), twin_data("study1"))
    assert [f.criterion for f in auto.fits] == [f.criterion for f in two.fits]
    said = finding(auto, "therapist-level-dropped")
    assert said.level == "warning"
    assert "all models have two (session, dyad). The estimated variance of therapists is zero." in said.words
    assert "p > .999, 0.5·χ²(0) + 0.5·χ²(1)" in said.words
    assert "therapist-level-left-out" not in {f.code for f in auto.findings}
    assert "level_test" not in two.tables


def test_large_differences_keep_three_levels_in_every_model():
    result = dl.run(changed("study1", levels="auto"), therapists_differ())
    assert all("(1 | therapist)" in f.spec.formula for f in result.fits)
    assert all(len(f.design.groupings) == 2 for f in result.fits)
    assert "All models have three levels" in finding(result, "therapist-level-kept").words
    codes = {f.code for f in result.findings}
    assert not codes & {"therapist-level-left-out", "therapist-level-dropped", "dyads-without-therapist"}
    random = result.tables["random_effects"].filter(pl.col("model") == 3)
    assert random["group"].to_list() == ["dyad"] * 3 + ["therapist", "Residual"]
    # 34 therapists with SD 8: the estimate's own SD is about 64·sqrt(2/34) plus what dyads add.
    assert 30 < random["estimate"][3] < 130
    assert result.tables["criteria"]["n_therapists"].to_list() == [34] * 3
    assert result.tables["criteria_common"]["n_rows"].to_list() == [1089] * 3
    assert result.tables["time_shape"]["n_rows"].to_list() == [1089] * 3


def test_slopes_of_therapists():
    frame = therapists_differ(slope_sd=1.5)
    kept = dl.run(changed("study1", levels="auto", therapist_slopes=True, run=[1]), frame)
    assert "(time | therapist)" in kept.fits[0].spec.formula
    assert kept.tables["level_test"]["effect"].to_list() == ["intercept", "slope"]
    assert "intercepts and slopes differ" in finding(kept, "therapist-level-kept").words
    asked = dl.run(changed("study1", levels=3, therapist_slopes=True, run=[1]), frame)
    assert asked.fits[0].criterion == kept.fits[0].criterion
    linear = kept.tables["time_shape"].row(0, named=True)
    assert linear["criterion"] == pytest.approx(dl.fit(kept.fits[0].spec, _rows(frame), "ML").criterion, abs=1e-7)


def _rows(frame):
    return frame.select("dyad", "therapist", outcome="bdi", time=pl.col("session") - 1.0)


def test_three_levels_as_asked_stay_on_the_boundary_and_say_so():
    result = dl.run(changed("study1", levels=3), twin_data("study1"))
    assert all(f.singular and f.converged for f in result.fits)
    said = finding(result, "boundary-fit")
    assert "the variance of (Intercept) over therapist is zero" in said.words
    assert 'levels = "auto" leaves therapists out' in said.way_out
    assert result.tables["level_test"]["reason"].to_list() == ["The plan asks for them."]


@pytest.mark.parametrize(("levels", "frame", "kept"), [(3, "differ", 94), ("auto", "differ", 94), ("auto", "same", 96)])
def test_dyads_without_therapist(levels, frame, kept):
    data = therapists_differ() if frame == "differ" else twin_data("study1")
    unknown = pl.col("dyad").is_in(["D004", "D009"])
    result = dl.run(changed("study1", levels=levels), data.with_columns(therapist=pl.when(~unknown).then("therapist")))
    assert [f.n_groups for f in result.fits] == [kept] * 3
    words = finding(result, "dyads-without-therapist").words
    assert words.startswith("2 of 96 dyads with an outcome have no therapist: the ")
    assert ("models leave them out" in words) == (kept == 94)
    assert result.tables["level_test"]["n_dyads"][0] == 94
    if kept == 94:  # predictors are centred over the dyads that the models can use
        used = result.scores.filter(~unknown)["baseline"]
        fitted = dl.fit(result.fits[1].spec, _centred(data, used.mean(), result).filter(~unknown))
        assert fitted.criterion == pytest.approx(result.fits[1].criterion, abs=1e-7)


def _centred(data, mean, result):
    known = ~pl.col("dyad").is_in(["D004", "D009"])
    convergence = pl.col("convergence") - result.scores.filter(known)["convergence"].mean()
    return (
        data.join(result.scores.select("dyad", "convergence"), on="dyad", maintain_order="left")
        .with_columns(baseline=pl.col("bdi_pre") - mean, convergence=convergence)
        .with_columns(outcome="bdi", time=pl.col("session") - 1.0)
    )


def test_a_therapist_for_every_dyad_cannot_be_told_from_it():
    alone = twin_data("study1").with_columns(therapist="T" + pl.col("dyad"))
    with pytest.raises(dl.FitError, match=r"Three levels: .*told apart.*models\.levels.*levels = \"auto\""):
        dl.run(changed("study1", levels=3), alone)
    result = dl.run(changed("study1", levels="auto"), alone)
    said = finding(result, "therapist-level-dropped").words
    assert "A model with therapists cannot be fitted: every therapist has a single dyad" in said
    (row,) = result.tables["level_test"].to_dicts()
    assert (row["levels_used"], row["p_value"], row["statistic"]) == (2, None, None)


def test_what_a_fit_decided_about_repeated_labels_is_a_finding():
    result = dl.run(changed("study1", levels=3, run=[1, 2]), therapists_differ())
    rows = _rows(therapists_differ())
    data = rows.with_columns(dyad=pl.col("dyad").str.slice(3))  # numbered anew, as it were
    fitted = dl.fit("outcome ~ time + (time | dyad) + (1 | therapist)", data)
    models = OutcomeModels(
        frame=data, levels=choose_levels(rows, plan(levels=3)), numbers=(1, 2), fits=(fitted, fitted), common=(fitted,)
    )
    found = traps(result.dataset, result.scoring, models, result.tables, changed("study1", levels=3, run=[1, 2]))
    assert [f.code for f in found].count("labels-repeat-across-groups") == 1
