"""Curves from the joint growth model of both raters, against nlme (tests/oracles/dyadic_growth.R)."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import dyadline as dl
from dyadline.plan.analysis import ConvergenceSection
from dyadline.scoring.growth import BOTH, curves, growth_models, growth_tables, population
from dyadline.scoring.ratings import RATERS, Ratings
from dyadline.scoring.reliability import simulate_scores
from dyadline.scoring.score import score
from dyadline.workflow import load
from oracles import answers

SHARED = Path(__file__).resolve().parents[2].parent / "shared"
WANT = json.loads((answers.HERE / "dyadic_growth.json").read_text())
COLUMNS = """
version = 1
[columns]
dyad = "dyad"
time = "session"
patient_rating = "patient"
therapist_rating = "therapist"
outcome = "outcome"
[convergence]
growth = "dyadic"
transform = "none"
unit = "per_unit"
"""


def study() -> pl.DataFrame:
    return answers.frame("dyadic_growth").with_columns(outcome=pl.int_range(pl.len()) % 7)


def scored(extra: str = ""):
    plan = dl.parse_plan(COLUMNS + extra)
    return score(load(plan, study()), plan, simulations=False)


def lines(scoring) -> np.ndarray:
    """Intercept and slope of patient and therapist, (J, 4)."""
    parts = [scoring.curves.filter(rater=rater).select("intercept", "slope").to_numpy() for rater in RATERS]
    return np.concatenate(parts, axis=1)


def test_curves_are_nlmes_where_a_rater_ever_rated():
    scoring = scored()
    assert scoring.scores["dyad"].to_list() == WANT["dyads"]
    want = np.array(WANT["lines"]).reshape(-1, 4)
    ours = lines(scoring)
    # nlme guesses the curve of a rater who never rated from the other one's; a score of such a guess is none.
    silent = {("d01", 0), ("d01", 1), ("d03", 2), ("d03", 3)}
    assert {(WANT["dyads"][j], int(k)) for j, k in np.argwhere(np.isnan(ours))} == silent
    there = np.isfinite(ours)
    assert ours[there] == pytest.approx(want[there], abs=3e-5)


@pytest.mark.parametrize("kind", ["absolute", "signed"])
def test_convergence_follows_from_these_curves(kind):
    scores = scored(f'discrepancy = "{kind}"').scores
    got = scores["convergence"].to_list()
    missing = [j for j, value in enumerate(got) if value is None]
    assert [WANT["dyads"][j] for j in missing] == ["d01", "d03"]
    assert [scores["reasons"][j] for j in missing] == [
        "no patient rating; no occasion with both ratings",
        "no therapist rating; no occasion with both ratings",
    ]
    pairs = [(a, b) for a, b in zip(got, WANT[f"minus_slope_{kind}"], strict=True) if a is not None]
    assert [a for a, _ in pairs] == pytest.approx([b for _, b in pairs], abs=2e-5)


def test_signed_score_is_minus_the_difference_of_slopes():
    scoring = scored('discrepancy = "signed"')
    of = lines(scoring)
    difference = of[:, 3] - of[:, 1]
    assert scoring.scores["convergence"].to_numpy() == pytest.approx(difference, abs=1e-12, nan_ok=True)


def test_population_is_nlmes():
    found = population(scored().growth)
    assert found.fixed == pytest.approx(WANT["fixed"], abs=1e-6)
    assert found.covariance.ravel() == pytest.approx(WANT["covariance"], abs=2e-5)
    noise = found.noise @ found.noise.T
    sd = np.sqrt(np.diag(noise))
    assert sd == pytest.approx(WANT["residual_sd"], rel=1e-5)
    assert noise[0, 1] / np.prod(sd) == pytest.approx(WANT["residual_correlation"], abs=1e-5)
    assert scored().growth.fits[BOTH].criterion <= WANT["minus_two_log_likelihood"] + 1e-7


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the reference data beside the checkout (../shared)")
def test_kashys_couples():
    frame = pl.read_csv(SHARED / "data" / "kashy_diary.csv", infer_schema_length=None).filter(pl.col("man") == 1)
    plan = dl.parse_plan(
        'version = 1\n[columns]\ndyad = "dyadid"\ntime = "time"\npatient_rating = "satisf_A"\n'
        'therapist_rating = "satisf_P"\noutcome = "conflict_A"\n[time]\norigin = 0.0\n'
        '[convergence]\ngrowth = "dyadic"\ndiscrepancy = "signed"\ntransform = "none"\nunit = "per_unit"\n'
    )
    scoring = score(load(plan, frame), plan, simulations=False)
    fixed, components = growth_tables(scoring.growth).values()
    with open(SHARED / "data" / "reference_fits.csv", newline="") as handle:
        rows = [r for r in csv.DictReader(handle) if (r["dataset"], r["model"]) == ("kashy_diary", "dyadic_growth")]
    names = {"man": "patient", "slope_m": "patient:t", "woman": "therapist", "slope_w": "therapist:t"}
    estimate = {r["term"]: r for r in fixed.to_dicts()}
    variance = {r["term1"]: r["estimate"] for r in components.to_dicts() if not r["term2"] and r["group"] == "dyad"}
    for row in rows:
        value = float(row["value"])
        if row["kind"] == "fixed":
            assert estimate[names[row["parameter"]]]["estimate"] == pytest.approx(value, abs=1e-6)
            assert estimate[names[row["parameter"]]]["std_error"] == pytest.approx(float(row["se"]), rel=1e-4)
        elif row["kind"] == "variance":
            assert variance[names[row["parameter"]]] == pytest.approx(value, rel=1e-3)
    assert len(rows) == 18
    # The mean of the conditional modes is zero up to what missing days tilt, so curves average to the fixed effects.
    slopes = lines(scoring)[:, [1, 3]]
    average = [estimate["patient:t"]["estimate"], estimate["therapist:t"]["estimate"]]
    assert slopes.mean(axis=0) == pytest.approx(average, abs=1e-4)
    assert scoring.scores["convergence"].to_numpy() == pytest.approx(slopes[:, 1] - slopes[:, 0], abs=1e-12)


def balanced(*, dyads=400, times=6, common=0.5, together=0.0, residual=0.5, seed=2) -> Ratings:
    """Two raters; slopes SD .2, intercepts SD 1, correlated over dyads; residuals correlate within occasions."""
    rng = np.random.default_rng(seed)
    sd = np.array([1.0, 0.2, 1.0, 0.2])
    correlation = np.eye(4)
    correlation[[0, 1, 2, 3], [2, 3, 0, 1]] = common
    effects = rng.normal(size=(dyads, 4)) @ np.linalg.cholesky(correlation * np.outer(sd, sd)).T
    index, t = np.repeat(np.arange(dyads), times), np.tile(np.arange(float(times)), dyads)
    noise = np.linalg.cholesky([[1.0, together], [together, 1.0]]) @ rng.normal(size=(2, len(t))) * residual
    value = {
        rater: 5 + effects[index, 2 * k] + (0.1 + effects[index, 2 * k + 1]) * t + noise[k]
        for k, rater in enumerate(RATERS)
    }
    labels = pl.Series([f"d{j}" for j in range(dyads)])
    return Ratings(dyads=labels, index=index, time=t, t=t, value=value, first=0.0, last=times - 1.0)


def test_raters_who_have_nothing_in_common_keep_their_own_curves():
    def apart(common: float) -> float:
        observed = balanced(common=common, residual=1.0, dyads=3000)
        joint, own = (curves(kind, growth_models(observed, kind))(observed) for kind in ("dyadic", "multilevel"))
        return float(np.std(joint["patient"].slope - own["patient"].slope) / np.std(own["patient"].slope))

    assert apart(0.0) < 0.05
    assert apart(0.8) > 0.3  # and borrow from each other where they have


def test_reliability_knows_the_correlation_of_the_residuals():
    observed = balanced(together=0.5)
    how = ConvergenceSection(growth="ols", discrepancy="signed", transform="none", unit="per_unit")
    found = simulate_scores(growth_models(observed, "dyadic"), curves("ols", None), how)
    reliability = dict(found.reliability.iter_rows())
    # Var(b_P − b_T) = 2·.04·(1 − .5) = .04; error 2·.25·(1 − .5)/Σ(t − t̄)² = .25/17.5.
    assert reliability["convergence"] == pytest.approx(0.04 / (0.04 + 0.25 / 17.5), abs=0.05)
    # Mean of the slopes: Var = .04·(1 + .5)/2 = .03; error .25·(1 + .5)/2/17.5.
    assert reliability["development"] == pytest.approx(0.03 / (0.03 + 0.1875 / 17.5), abs=0.05)


def test_joint_curves_are_at_least_as_reliable_as_separate_ones():
    observed = balanced(dyads=200, residual=1.2)
    how = ConvergenceSection(growth="dyadic", discrepancy="signed", transform="none", unit="per_unit")
    models = growth_models(observed, "dyadic")
    joint = simulate_scores(models, curves("dyadic", models), how)
    own = simulate_scores(models, curves("multilevel", growth_models(observed)), how)
    assert joint.null_low < 0 < joint.null_high
    (name, got), (_, separate) = joint.reliability.row(0), own.reliability.row(0)
    assert name == "convergence"
    assert got > separate - 0.01


def test_raters_who_never_meet_have_no_joint_model():
    frame = study().with_columns(
        patient=pl.when(pl.col("session") % 2 == 0).then("patient"),
        therapist=pl.when(pl.col("session") % 2 == 1).then("therapist"),
    )
    with pytest.raises(dl.FitError, match=r"both raters' ratings.*convergence\.growth.*growth = \"multilevel\""):
        dl.convergence(frame, dl.parse_plan(COLUMNS))


def test_a_joint_model_on_the_boundary_is_named():
    # Therapists whose lines are all parallel: no variance of their slopes.
    mean = pl.col("therapist").mean().over("session") + pl.col("therapist").mean().over("dyad")
    odd = pl.when(pl.col("session") % 2 == 0).then(0.5).otherwise(-0.5)
    frame = study().with_columns(therapist=mean + odd)
    plan = dl.parse_plan(COLUMNS)
    scoring = score(load(plan, frame), plan, simulations=False)
    (said,) = [f for f in scoring.findings if f.code == "dyadic-growth-on-boundary"]
    assert "joint growth model of both raters' ratings ends on the boundary: " in said.words
