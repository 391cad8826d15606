"""Simulated studies as tables and files: from twins, parameter files, truths and results."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import polars as pl
import pytest

import dyadline as dl
from dyadline.plan.truth_document import truth_text
from dyadline.scoring.score import score
from dyadline.studies.simulation import blocks as blocks_module
from dyadline.studies.simulation.blocks import Drawing, blocks, write_study
from dyadline.studies.simulation.draw import draw
from dyadline.studies.simulation.estimated import truth_of_result
from dyadline.studies.simulation.frame import study_frame, truth_plan
from dyadline.studies.twins import simulate as simulate_twin
from dyadline.studies.twins import twin_data, twin_plan
from dyadline.workflow import load
from true_studies import COVARIANCE, FULL, seeds, truth


def test_a_table_has_what_was_observed_and_nothing_else():
    drawn = draw(truth(FULL), seeds(2))
    frame = study_frame(drawn, 1)
    assert frame.columns == [
        "dyad",
        "therapist",
        "arm",
        "session",
        "wai_p",
        "wai_t",
        "outcome",
        "baseline",
        "n_sessions",
    ]
    there = np.isfinite(np.stack([drawn.patient[1], drawn.therapist[1], drawn.outcome[1]])).any(axis=0)
    assert frame.height == there.sum()
    row = frame.filter(pl.col("dyad") == "D007", pl.col("session") == 3).row(0, named=True)
    k = drawn.time.tolist().index(3)
    for name, value in (("wai_p", drawn.patient), ("wai_t", drawn.therapist), ("outcome", drawn.outcome)):
        wanted = value[1, 6, k]
        assert row[name] == (None if np.isnan(wanted) else wanted)
    assert row["baseline"] == drawn.baseline[1, 6]
    assert row["n_sessions"] == drawn.n_sessions[1, 6]
    assert row["arm"] == ("CBT", "IPT")[drawn.arm[1, 6]]
    by_therapist = frame.group_by("therapist").agg(pl.col("arm").unique())
    assert by_therapist.height == 13
    assert all(therapist.startswith(arms[0]) for therapist, arms in by_therapist.rows())


def test_the_last_of_the_sessions_is_the_dyads_own():
    changes = {
        "sessions": [1, 3, 5, 12, 20],
        "length": {"median": 34, "log_sd": 0.5, "least": 20},
        "names.time": "week",
    }
    frame = dl.simulate(truth(changes, occasions=[0, 1, 1.5, 2, 3, 4]))
    assert frame["week"].dtype == pl.Float64
    last = frame.filter(pl.col("week") == 4)
    assert (last["session"] == last["n_sessions"]).all()
    assert frame.filter(pl.col("week") == 1.5)["session"].unique().to_list() == [5]
    assert "therapist" not in frame.columns


@pytest.mark.parametrize("study", ["study1", "study2"])
def test_the_twins_stay_as_they_are(study):
    assert dl.simulate(study, seed=5).equals(simulate_twin(study, seed=5))
    assert dl.simulate(study, dyads=20, seed=5, items=True).equals(simulate_twin(study, dyads=20, seed=5, items=True))


def test_a_file_and_its_truth_are_the_same_study(tmp_path):
    asked = truth(FULL, seed=9)
    path = tmp_path / "truth.toml"
    path.write_text(truth_text(asked), encoding="utf-8")
    frame = dl.simulate(path)
    assert frame.equals(dl.simulate(str(path)))
    assert frame.equals(dl.simulate(dl.read_truth(path)))
    assert frame.equals(dl.simulate(asked, seed=9))
    assert not frame.equals(dl.simulate(asked, seed=10))
    assert dl.simulate(asked, dyads=120)["therapist"].n_unique() == 26


@pytest.mark.parametrize(
    ("study", "more", "words"),
    [
        ("study3", {}, "Did you mean"),
        (None, {}, "no bundled study None"),
        ("nowhere.toml", {}, "no parameter file 'nowhere.toml'"),
        ("study1", {"exact": 1}, "exact is True or False, not 1"),
        ("study1", {"dyads": 3}, "at least 10"),
        (truth(), {"dyads": 1}, "at least 2"),
        (truth(), {"seed": -1}, "at least 0"),
        (truth(), {"items": True}, "Add a section"),
        (truth(), {"exact": True, "dyads": 20_000}, "up to 10000 dyads"),
        (truth(therapists={"A": 2}).model_copy(update={"dyads": 50_000}), {}, "cannot be shared out"),
        (truth().model_copy(update={"rated": (1.0, 99.0)}), {}, "99 is not one of the occasions"),
        (truth(therapists={"A": 1, "B": 1, "C": 1}), {"dyads": 2}, "3 arms for 2 dyads"),
        (
            truth({"items": {"wai_p": {"measure": "wai-q", "items": "p{item}"}}}),
            {"items": True},
            "There is no measure 'wai-q'",
        ),
        (
            truth({"items": {"wai_p": {"measure": "wai-s", "items": ["a", "b"]}}}),
            {"items": True},
            "it has 12 items",
        ),
    ],
)
def test_impossible_draws_are_refused(study, more, words):
    with pytest.raises(dl.PlanError, match=words):
        dl.simulate(study, **more)


def test_ratings_that_cannot_be_scored_are_said_to_be_so():
    flat = {"alliance.patient.sd": [0, 0], "alliance.therapist.sd": [0, 0], "outcome.given": "scored"}
    flat |= {"alliance.patient.residual": 0.0, "alliance.therapist.residual": 0.0}
    with pytest.raises(dl.PlanError, match="cannot be scored"):
        dl.simulate(truth(flat))


def test_answers_make_the_scores():
    items = {
        "wai_p": {"measure": "wai-s", "items": "p{item}"},
        "wai_t": {"measure": "wai-sr", "items": [f"t_{k}" for k in "abcdefghijkl"], "range": [1, 7]},
        "outcome": {"measure": "bdi-ii", "items": "bdi_{item}"},
    }
    asked = truth({"items": items, "alliance.scale": [1, 7], "missing.form": 0.1})
    scores, answers = dl.simulate(asked), dl.simulate(asked, items=True)
    assert answers.columns[2:4] == ["p1", "p2"]
    assert answers.columns[14] == "t_a"
    plan = truth_plan(asked, "none.csv", items=True)
    rows = load(plan, answers).rows
    for name, role, step in (
        ("wai_p", "patient_rating", 12),
        ("wai_t", "therapist_rating", 12),
        ("outcome", "outcome", 1),
    ):
        wanted, low, high = scores[name], *((1, 7) if step == 12 else (0, 63))
        np.testing.assert_allclose(
            rows[role].to_numpy(), (np.rint(wanted.to_numpy() * step) / step).clip(low, high), atol=1e-9
        )
    assert dl.simulate(asked, items=True).equals(answers)


def test_the_plan_of_a_simulated_study_runs():
    asked = truth(
        {"alliance.scale": [1, 7], "length": {"median": 6, "log_sd": 0.3, "least": 3}, "therapists": {"T": 12}}
    )
    frame = dl.simulate(asked, seed=3)
    result = dl.run(truth_plan(asked, "study.csv"), frame)
    assert "synthetic-data" in {finding.code for finding in result.findings}
    assert result.dataset.names["outcome"] == "outcome"
    assert not [finding for finding in result.findings if finding.level == "error"]


def test_three_levels_are_planned_where_therapists_differ():
    two, three = truth(therapists={"T": 9}), truth({"therapists": {"T": 9}, "therapist_effects": {"outcome": [2, 0.1]}})
    assert truth_plan(two, "x.csv").models.levels == 2
    assert (truth_plan(three, "x.csv").models.levels, truth_plan(three, "x.csv").models.therapist_slopes) == (3, True)


def test_given_scores_model_3_is_true_as_written():
    """Without random effects and residuals the analysis finds the coefficients to the last digits."""
    fixed = {"intercept": 32.4, "baseline": 0.77, "convergence": -0.05, "early_patient": -0.7, "early_therapist": -4.4}
    slope = {"intercept": -0.9, "convergence": -0.33, "development": -0.87, "product": 0.11, "early_discrepancy": 0.4}
    asked = truth(
        {
            "outcome.given": "scored",
            "outcome.fixed": {**fixed, "development": 0.7, "early_discrepancy": 1.0, "product": -0.2},
            "outcome.slope": {**slope, "baseline": 0.02, "early_patient": -0.1, "early_therapist": -0.2},
            "outcome.random": {"intercept": 1e-4, "slope": 1e-5},
            "outcome.residual": 1e-6,
            "missing": {"drop_out": 0.05, "skipped": 0.1, "form": 0.03},
        }
    )
    plan = truth_plan(asked, "study.csv").model_copy(update={"models": twin_plan("study1").models})
    dataset = load(plan, dl.simulate(asked, exact=True))
    from dyadline.studies.outcome import fit_models

    model = fit_models(dataset, score(dataset, plan, simulations=False), plan).fits[-1]
    table = dl.coefficients(model)
    found = dict(table.select("term", "estimate").rows())
    errors = dict(table.select("term", "std_error").rows())
    for part, prefix in ((asked.outcome.fixed, ""), (asked.outcome.slope, "time:")):
        for name, term in (
            ("intercept", "(Intercept)" if not prefix else "time"),
            *((n, prefix + n) for n in ("baseline", "convergence", "early_patient", "early_therapist", "development")),
            ("early_discrepancy", f"{prefix}early_discrepancy"),
            ("product", f"{prefix}development:convergence"),
        ):
            assert abs(found[term] - getattr(part, name)) < 4 * errors[term], term
            assert errors[term] < 0.02


# Blocks


def test_large_studies_are_drawn_in_blocks_of_their_own(monkeypatch, tmp_path):
    monkeypatch.setattr(blocks_module, "BLOCK", 50)
    asked = truth({**FULL, "therapists": {"A": 9, "B": 7}, "dyads": 160})
    parts = list(blocks(Drawing(truth=asked, seed=4)))
    assert [part["dyad"].n_unique() for part in parts] == [40] * 4
    whole = pl.concat(parts)
    assert whole["dyad"].unique().sort().to_list() == [f"D{j:03d}" for j in range(1, 161)]
    assert whole.group_by("arm").agg(pl.col("therapist").n_unique()).sort("arm").rows() == [("A", 9), ("B", 7)]
    assert whole.group_by("therapist").agg(pl.col("arm").n_unique())["arm"].max() == 1
    first = draw(
        asked.model_copy(update={"dyads": 40, "therapists": {"A": 2, "B": 1}}), np.random.SeedSequence(4).spawn(4)[:1]
    )
    np.testing.assert_array_equal(parts[0]["baseline"].unique().sort(), np.unique(first.baseline[0]))
    for name in ("s.csv", "s.parquet"):
        seen: list[int] = []
        assert write_study(Drawing(truth=asked, seed=4), tmp_path / name, drawn=seen.append) == whole.height
        assert seen == [40, 80, 120, 160]
    assert pl.read_parquet(tmp_path / "s.parquet").equals(whole)
    assert pl.read_csv(tmp_path / "s.csv", infer_schema_length=None).equals(whole)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["s.csv", "s.parquet"]


def test_a_study_of_one_block_is_one_draw(tmp_path):
    asked = truth(FULL)
    frame = dl.simulate(asked, seed=2)
    assert frame.equals(study_frame(draw(asked, np.random.SeedSequence(2).spawn(1))))
    write_study(Drawing(truth=asked, seed=2), tmp_path / "s.parquet")
    assert pl.read_parquet(tmp_path / "s.parquet").equals(frame)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize("stop", [KeyboardInterrupt, dl.PlanError])
def test_whoever_is_interrupted_finds_what_was_there_before(suffix, stop, monkeypatch, tmp_path):
    monkeypatch.setattr(blocks_module, "BLOCK", 20)
    path = tmp_path / f"s.{suffix}"
    path.write_bytes(b"as before")

    def interrupt(dyads: int) -> None:
        if dyads > 20:
            raise stop("in the middle")

    with pytest.raises(stop):
        write_study(Drawing(truth=truth(), seed=1), path, drawn=interrupt)
    assert path.read_bytes() == b"as before"
    assert list(tmp_path.iterdir()) == [path]


def test_files_that_cannot_be_written(tmp_path):
    with pytest.raises(dl.PlanError, match=r"written as .csv or .parquet, not as '.sav'"):
        write_study(Drawing(truth=truth(), seed=1), tmp_path / "s.sav")
    with pytest.raises(dl.PlanError, match=r"'s.csv' cannot be written"):
        write_study(Drawing(truth=truth(), seed=1), tmp_path / "none" / "s.csv")


# From a result


@dataclass(frozen=True)
class Analysis:
    """As much of a result as a truth is made of, without the tables."""

    plan: object
    dataset: object
    scoring: object
    fits: tuple = ()


def analysis(plan, frame) -> Analysis:
    dataset = load(plan, frame)
    return Analysis(plan=plan, dataset=dataset, scoring=score(dataset, plan, simulations=False))


def test_the_truth_of_a_large_study_is_what_it_was_drawn_from():
    asked = truth(
        {
            "covariance": [row[:4] for row in COVARIANCE[:4]],
            "rated": [2, 3, 6, 8],
            "measured": [1, 3, 4, 6, 8],
            "outcome.fixed.baseline": 0.4,
            "alliance.residual_correlation": 0.3,
            "missing": {"drop_out": 0.06, "skipped": 0.1, "form": 0.05, "outcome_form": 0.04, "always": 2},
            "therapists": {"T": 400},
        },
        dyads=4_000,
    )
    plan = truth_plan(asked, "x.csv")
    growth = plan.convergence.model_copy(update={"growth": "dyadic"})
    found = truth_of_result(analysis(plan.model_copy(update={"convergence": growth}), dl.simulate(asked)))
    assert (found.dyads, found.occasions, found.rated, found.measured) == (
        4_000,
        asked.occasions,
        asked.rated,
        asked.measured,
    )
    assert found.therapists == {"T": 400}
    assert found.names == asked.names
    assert found.alliance.scale is None
    wanted = np.array(asked.covariance)
    error = np.sqrt((np.outer(np.diag(wanted), np.diag(wanted)) + wanted**2) / 4_000)
    assert (np.abs(np.array(found.covariance) - wanted) < 5 * error + 0.01).all()
    for rater in ("patient", "therapist"):
        ours, theirs = getattr(found.alliance, rater), getattr(asked.alliance, rater)
        assert ours.intercept == pytest.approx(theirs.intercept, abs=0.08)
        assert ours.slope == pytest.approx(theirs.slope, abs=0.02)
        assert ours.residual == pytest.approx(theirs.residual, rel=0.02)
    assert found.alliance.residual_correlation == pytest.approx(0.3, abs=0.04)
    missing = found.missing
    assert missing.drop_out == pytest.approx(0.06, abs=0.008)
    assert missing.skipped == pytest.approx(0.1, abs=0.012)
    assert (missing.form, missing.outcome_form) == (pytest.approx(0.05, abs=0.01), pytest.approx(0.04, abs=0.01))
    assert missing.always == 2
    assert (found.baseline.mean, found.baseline.sd) == (pytest.approx(35.8, abs=0.6), pytest.approx(9.5, rel=0.05))
    outcome = found.outcome
    assert outcome.effect is None
    assert outcome.fixed.intercept == pytest.approx(32.0, abs=0.6)
    assert outcome.fixed.baseline == pytest.approx(0.4, abs=0.06)
    assert outcome.slope.intercept == pytest.approx(-0.9, abs=0.1)
    assert outcome.random.intercept == pytest.approx(49.0, rel=0.12)
    assert outcome.random.slope == pytest.approx(1.2, rel=0.12)
    assert outcome.random.covariance == pytest.approx(-1.9, abs=0.7)
    assert outcome.residual == pytest.approx(18.0, rel=0.06)


def test_the_truth_is_on_the_files_own_time():
    """Another unit and origin of time in the plan change nothing in the truth."""
    plan, frame = twin_plan("study1"), twin_data("study1")
    time = plan.time.model_copy(update={"origin": 7.0, "scale": 3.0})
    one = truth_of_result(analysis(plan, frame))
    other = truth_of_result(analysis(plan.model_copy(update={"time": time}), frame))
    assert one.occasions == other.occasions
    np.testing.assert_allclose(one.covariance, other.covariance, rtol=1e-4, atol=1e-6)
    for part in ("alliance", "outcome"):
        for rater in ("patient", "therapist") if part == "alliance" else ("fixed", "slope", "random"):
            ours, theirs = (getattr(getattr(t, part), rater).model_dump() for t in (one, other))
            for key, value in ours.items():
                np.testing.assert_allclose(value, theirs[key], rtol=1e-4, atol=1e-6, err_msg=f"{part}.{rater}.{key}")


def test_a_first_outcome_as_baseline_is_a_further_measurement():
    """Variances and covariances of outcome and baseline add up to those of Model 1."""
    plan, frame = twin_plan("study2"), twin_data("study2")
    found = truth_of_result(analysis(plan, frame))
    rows = frame.select("dyad", outcome="gsi", time=pl.col("occasion").cast(pl.Float64))
    components = dl.variance_components(dl.fit("outcome ~ time + (time | dyad)", rows))
    level, _, change = components.filter(group="dyad")["estimate"].sort(descending=True).to_list()
    variance = frame.group_by("dyad").agg(pl.col("gsi").first())["gsi"].var()
    outcome = found.outcome
    assert outcome.fixed.baseline**2 * variance + outcome.random.intercept == pytest.approx(level, rel=1e-3)
    assert outcome.slope.baseline**2 * variance + outcome.random.slope == pytest.approx(change, rel=0.5)
    assert outcome.fixed.baseline == pytest.approx(level / variance, rel=1e-3)


def test_three_levels_give_therapist_effects():
    asked = truth({"therapists": {"T": 60}, "therapist_effects": {"outcome": [4.0, 0.0]}}, dyads=600)
    plan = truth_plan(asked, "x.csv")
    frame = dl.simulate(asked)
    made = analysis(plan, frame)
    from dyadline.studies.outcome import fit_models

    model_1 = plan.model_copy(update={"models": plan.models.model_copy(update={"run": (1,)})})
    fits = fit_models(made.dataset, made.scoring, model_1).fits
    found = truth_of_result(Analysis(plan=plan, dataset=made.dataset, scoring=made.scoring, fits=fits))
    assert found.therapist_effects.outcome[0] == pytest.approx(4.0, rel=0.3)
    assert found.therapists == {"T": 60}


def test_times_of_each_dyads_own_become_occasions():
    frame = twin_data("study1")
    shift = (pl.col("dyad").str.slice(1).cast(pl.Float64) * 0.618) % 0.9
    found = truth_of_result(analysis(twin_plan("study1"), frame.with_columns(pl.col("session") + shift)))
    assert 12 <= len(found.occasions) <= 14
    steps = np.diff(found.occasions)
    assert (steps > 0).all()
    assert dl.simulate(found, seed=1)["dyad"].n_unique() == 96


def test_a_result_can_be_simulated_and_run_again():
    result = dl.run(twin_plan("study1"), twin_data("study1"))
    like_it = truth_of_result(result)
    frame = dl.simulate(result, seed=3)
    assert frame.equals(dl.simulate(like_it, seed=3))
    assert dl.run(truth_plan(like_it, "x.csv"), frame).fits[0].converged


# The command line


def call(*words, cwd):
    line = [sys.executable, "-m", "dyadline.cli.app", *map(str, words)]
    return subprocess.run(line, cwd=cwd, capture_output=True, text=True)


def test_from_parameters_to_a_report_in_two_commands(tmp_path):
    done = call("simulate", "study1", "--dyads", 40, "--seed", 7, "--parameters", "p.toml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Wrote p.toml: the parameters of Study 1" in done.stderr
    assert not done.stdout
    assert (dl.read_truth(tmp_path / "p.toml").dyads, dl.read_truth(tmp_path / "p.toml").seed) == (40, 7)
    (tmp_path / "data").mkdir()
    line = ("simulate", "p.toml", "--out", "data/s.csv", "--plan", "s.toml")
    done = call(*line, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "of 40 dyads, synthetic (Study 1 (synthetic twin); seed 7)" in done.stderr
    assert dl.read_plan(tmp_path / "s.toml").data_path == tmp_path / "data" / "s.csv"
    assert pl.read_csv(tmp_path / "data" / "s.csv").equals(dl.simulate(tmp_path / "p.toml"))
    again = call(*line, cwd=tmp_path)
    assert again.returncode == 2
    assert "'s.csv' is already there" in again.stderr
    done = call("simulate", "s.toml", "--exact", "--dyads", 30, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Simulated like Study 1 (synthetic twin); exact moments, seed 1" in done.stderr
    assert done.stdout.startswith("dyad,therapist,session,wai_p,wai_t,bdi,bdi_pre\nD001,")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("study.csv",), "neither a parameter file nor a plan"),
        (("bad.toml",), "line 1, dyads: found 1; it must be at least 2"),
        (("study1", "--plan", "p.toml"), "A plan needs the name of the data file"),
        (("study1", "--out", "s.xlsx"), "written as .csv or .parquet"),
    ],
)
def test_wrong_calls(words, said, tmp_path):
    (tmp_path / "bad.toml").write_text(truth_text(truth()).replace("dyads = 60", "dyads = 1").split("\n", 2)[2])
    done = call("simulate", *words, cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
