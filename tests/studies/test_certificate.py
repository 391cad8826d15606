"""The recovery certificate: its formulas, its work, its verdicts and its page."""

from __future__ import annotations

import json
import math
import os
import re
import statistics
import subprocess
import sys

import numpy as np
import polars as pl
import pytest
from scipy import stats
from typer.testing import CliRunner

import dyadline as dl
from dyadline.certification import certify
from dyadline.cli.app import app
from dyadline.data.dataset import make_dataset
from dyadline.errors import FitError, PlanError
from dyadline.parallel.jobs import Done, Failure, Part
from dyadline.report.recovery import compose_certificate
from dyadline.report.writers.markdown import write_markdown
from dyadline.scoring.score import score
from dyadline.studies.certificate.certificate import certificate, kinds
from dyadline.studies.certificate.known import FITS, TAKEN_OUT, VARIANCES, known_plan, true_values, without_effects
from dyadline.studies.certificate.performance import beyond_two, binomial_p, chance_of, holm, performance
from dyadline.studies.certificate.replicates import Replicates, Task
from dyadline.studies.intervals import wilson
from dyadline.studies.outcome import outcome_frame
from dyadline.studies.twins import parameters, simulate
from dyadline.workflow import load

DRAWN3, NULL2, NULL3 = FITS


# --- formulas


@pytest.fixture
def made_up():
    rng = np.random.default_rng(5)
    estimate = rng.normal([1.0, -2.0], [0.5, 0.1], (40, 2))
    std_error = rng.uniform(0.8, 1.2, (40, 2)) * [0.5, 0.1]
    return estimate, std_error, estimate - 2.0 * std_error, estimate + 2.0 * std_error, np.array([1.1, -2.0])


def test_performance_is_that_of_morris_white_and_crowther(made_up):
    estimate, std_error, low, high, truth = made_up
    found = performance(*made_up)
    n = 40
    for k in range(2):
        values, squares = estimate[:, k].tolist(), [s * s for s in std_error[:, k].tolist()]
        mean, sd = statistics.fmean(values), statistics.stdev(values)
        model = math.sqrt(statistics.fmean(squares))
        spread = statistics.variance(squares)
        inside = sum(a <= truth[k] <= b for a, b in zip(low[:, k], high[:, k], strict=True))
        expected = {
            "mean": mean,
            "bias": mean - truth[k],
            "bias_error": math.sqrt(sum((v - mean) ** 2 for v in values) / (n * (n - 1))),
            "empirical_se": sd,
            "empirical_se_error": sd / math.sqrt(2 * (n - 1)),
            "model_se": model,
            "model_se_error": math.sqrt(spread / (4 * n * model**2)),
            "relative_error": 100 * (model / sd - 1),
            "relative_error_error": 100 * model / sd * math.sqrt(spread / (4 * n * model**4) + 1 / (2 * (n - 1))),
            "covered": inside,
            "coverage": inside / n,
            "coverage_error": math.sqrt(inside / n * (1 - inside / n) / n),
            "without_interval": 0,
        }
        assert {name: found[name][k] for name in expected} == pytest.approx(expected, rel=1e-12)


def test_the_monte_carlo_error_of_the_bias_is_its_spread_over_repetitions():
    """400 simulation studies of 100 estimates each: their biases spread as far as each says."""
    rng = np.random.default_rng(6)
    estimate = rng.normal(3.0, 2.0, (100, 400))
    std_error = 2.0 * np.sqrt(rng.chisquare(20, (100, 400)) / 20)
    found = performance(estimate, std_error, estimate - 4.0, estimate + 4.0, np.full(400, 3.0))
    for name in ("bias", "empirical_se", "model_se", "relative_error"):
        ratio = found[name].std(ddof=1) / np.sqrt(np.mean(found[f"{name}_error"] ** 2))
        assert ratio == pytest.approx(1.0, abs=4 / math.sqrt(2 * 399)), name


def test_what_has_no_interval_is_counted_and_left_out(made_up):
    estimate, std_error, low, high, truth = made_up
    gone = [0, 7, 8]
    for array in (std_error, low, high):
        array[gone, 1] = np.nan
    found, there = performance(*made_up), np.delete(np.arange(40), gone)
    alone = performance(estimate[there], std_error[there], low[there], high[there], truth)
    assert found["without_interval"].tolist() == [0, 3]
    for name in ("model_se", "covered", "coverage", "coverage_low", "coverage_high"):
        assert found[name][1] == pytest.approx(alone[name][1], rel=1e-12)
    assert found["mean"][1] == pytest.approx(estimate[:, 1].mean(), rel=1e-12)


@pytest.mark.parametrize(("hits", "n"), [(0, 20), (3, 20), (20, 20), (57, 1000), (950, 1000)])
def test_shares_against_scipy(hits, n):
    low, high = wilson(np.array(hits), np.array(n))
    oracle = stats.binomtest(hits, n).proportion_ci(method="wilson")
    assert (low, high) == (pytest.approx(oracle.low, abs=1e-12), pytest.approx(oracle.high, abs=1e-12))
    for share in (0.05, 0.95):
        tails = stats.binom.cdf(hits, n, share), stats.binom.sf(hits - 1, n, share)
        assert binomial_p(np.array(hits), np.array(n), share) == pytest.approx(min(1, 2 * min(tails)), rel=1e-9)


def test_holm_and_the_number_of_numbers_that_are_far_off():
    # R: p.adjust(c(.01, .04, .03, .005), "holm")
    assert holm(np.array([0.01, 0.04, np.nan, 0.03, 0.005])) == pytest.approx(
        [0.03, 0.06, np.nan, 0.06, 0.02], nan_ok=True
    )
    assert holm(np.array([0.6, 0.7])) == pytest.approx([1.0, 1.0])
    assert beyond_two(48) == pytest.approx(48 * 2 * stats.norm.sf(2))
    assert chance_of(3, 48) == pytest.approx(stats.binom.sf(2, 48, 2 * stats.norm.sf(2)))
    assert chance_of(0, 48) == 1.0


# --- the work


def test_a_replicate_has_the_numbers_of_the_public_path():
    found = Replicates((Task("study1", 96), Task("study2", 139)), load)
    for task, study in enumerate(("study1", "study2")):
        arrays = found(Part(task, (4,)))
        result = dl.run(known_plan(study), dl.simulate(study, seed=4))
        fixed = result.tables["fixed_effects"].filter(pl.col("model") == 3)
        rows = {row["term"]: row for row in fixed.to_dicts()}
        variances = result.tables["random_effects"].filter(pl.col("model") == 3)
        terms = [name for name in true_values(study, DRAWN3) if name not in VARIANCES]
        assert sorted(terms) == sorted(rows)
        for name in ("estimate", "std_error", "conf_low", "conf_high"):
            expected = [rows[term][name] for term in terms] + [
                np.nan if value is None else value for value in variances[name]
            ]
            np.testing.assert_array_equal(arrays[f"drawn3.{name}"][0], expected)
        for name in ("df", "p_value"):
            np.testing.assert_array_equal(arrays[f"drawn3.{name}"][0], [rows[term][name] for term in terms])
        fitted = result.fits[result.plan.models.run.index(3)]
        assert arrays["drawn3.converged"].tolist() == [fitted.converged]
        assert arrays["drawn3.singular"].tolist() == [fitted.singular]
        assert arrays["drawn3.n_rows"].tolist() == [fitted.n_rows]
        adjusted = {row["term"]: row for row in dl.coefficients(fitted, df="kenward-roger").to_dicts()}
        for name in ("std_error", "df", "p_value"):
            np.testing.assert_array_equal(arrays[f"drawn3.kr_{name}"][0], [adjusted[term][name] for term in terms])


def test_variances_stand_in_the_order_of_their_names():
    """Of a study in which they are far apart: 49.1, -1.94, 1.22 and 18."""
    arrays = Replicates((Task("study1", 1500),), load)(Part(0, (1,)))
    truth = np.array([true_values("study1", DRAWN3)[name] for name in VARIANCES])
    estimate, error = (arrays[f"drawn3.{name}"][0, -4:] for name in ("estimate", "std_error"))
    assert (np.abs(estimate - truth) < 4 * error).all()
    assert (np.abs(estimate[:, None] - truth)[~np.eye(4, dtype=bool)] > 1).all()


def test_order_and_cutting_of_parts_do_not_matter():
    work = Replicates((Task("study1", 30), Task("study2", 30)), load)
    for task in (0, 1):
        whole = work(Part(task, (1, 2, 3)))
        single = {number: work(Part(task, (number,))) for number in (3, 1, 2)}
        for name, values in whole.items():
            np.testing.assert_array_equal(values, np.concatenate([single[k][name] for k in (1, 2, 3)]))
        assert not np.array_equal(whole["drawn3.estimate"][0], whole["drawn3.estimate"][1])


def test_taking_an_effect_out_of_model_3_shifts_its_estimate_and_nothing_else():
    arrays = Replicates((Task("study1", 96),), load)(Part(0, (1, 2)))
    drawn, null = (np.array(list(true_values("study1", fit).values())) for fit in (DRAWN3, NULL3))
    fixed = slice(0, len(drawn) - len(VARIANCES))
    error = arrays["drawn3.std_error"][:, fixed]
    moved = arrays["drawn3.estimate"] - arrays["null3.estimate"]
    assert (np.abs(moved - (drawn - null))[:, fixed] < 1e-6 * error).all()
    np.testing.assert_allclose(arrays["null3.std_error"], arrays["drawn3.std_error"], rtol=1e-5)


@pytest.mark.parametrize("study", ["study1", "study2"])
def test_the_null_version_is_null(study):
    """Regression on 8,000 dyads with errors that are robust to dyads: what was taken out is gone, the rest is there."""
    plan, names = known_plan(study), [name for name in TAKEN_OUT[2] if name != "product"]
    dataset = make_dataset(simulate(study, dyads=8000, seed=8), plan)
    scoring = score(dataset, plan, simulations=False)
    frame = outcome_frame(dataset, scoring, plan, [*names, "baseline"])
    frame = frame.with_columns(product=pl.col("development") * pl.col("convergence"))
    time, terms = frame["time"].to_numpy(), [*TAKEN_OUT[2], "baseline"]
    dyads = frame["dyad"].cast(pl.Categorical).to_physical().to_numpy()

    def distances(outcome, truth):
        columns = np.column_stack([np.ones(len(time)), *(frame[name].to_numpy() for name in terms)])
        x = np.column_stack([columns, columns * time[:, None]])
        bread = np.linalg.inv(x.T @ x)
        beta = bread @ x.T @ outcome
        scores = np.zeros((dyads.max() + 1, x.shape[1]))
        np.add.at(scores, dyads, x * (outcome - x @ beta)[:, None])
        errors = np.sqrt(np.diag(bread @ scores.T @ scores @ bread))
        return (beta - truth) / errors

    given = parameters(study)["outcome"]
    for model, gone in TAKEN_OUT.items():
        left = [0.0 if name in gone else given["fixed"][name] for name in terms]
        slopes = [0.0 if name in gone else given["slope"][name] for name in terms]
        truth = [given["fixed"]["intercept"], *left, given["slope"]["intercept"], *slopes]
        assert (np.abs(distances(without_effects(frame, study, model)["outcome"].to_numpy(), truth)) < 4).all()
        # What was drawn is not: the same distances see that the effects are there.
        assert (np.abs(distances(frame["outcome"].to_numpy(), truth)) > 4).any()


def test_the_outcome_parameters_come_back():
    """Small version of the certificate: 25 draws, every parameter within four Monte-Carlo standard errors."""
    arrays = Replicates((Task("study1", 96),), load)(Part(0, tuple(range(1001, 1026))))
    for asked in FITS:
        found = arrays[f"{asked.key}.estimate"]
        truth = np.array(list(true_values("study1", asked).values()))
        error = found.std(axis=0, ddof=1) / np.sqrt(len(found))
        assert (np.abs(found.mean(axis=0) - truth) < 4 * error).all(), asked


def test_a_null_effect_is_zero_and_an_effect_as_drawn_is_in_the_parameter_file():
    drawn, null = true_values("study1", DRAWN3), true_values("study1", NULL2)
    assert drawn["time:convergence"] == -0.333
    assert drawn["time:development:convergence"] == 0.11
    assert drawn["(Intercept)"] == 32.43 and drawn["time"] == -0.94
    assert [null[name] for name in ("convergence", "time:convergence")] == [0.0, 0.0]
    assert null["baseline"] == 0.77
    assert list(null)[-4:] == list(VARIANCES)
    assert len(drawn) == 20 and len(null) == 10


# --- verdicts, from made-up replicates


def pretended(tasks, n, *, shift=None, spread=None, failures=()):
    """What a run would give if estimates were normal around the truth, as their standard errors say."""
    arrays = {}
    for k, task in enumerate(tasks):
        rng, made = np.random.default_rng(k), {}
        for asked in FITS:
            values = true_values(task.study, asked)
            truth = np.array(list(values.values()))
            error = np.where(truth == 0.0, 1.0, np.abs(truth) / 10.0)
            off = np.array([(shift or {}).get(name, 0.0) for name in values])
            wide = np.array([(spread or {}).get(name, 1.0) for name in values])
            estimate = truth + error * (off + wide * rng.standard_normal((n, len(truth))))
            p = 2 * stats.norm.sf(np.abs(estimate / error))[:, : -len(VARIANCES)]
            full = np.broadcast_to(error, estimate.shape)
            made |= {
                f"{asked.key}.estimate": estimate,
                f"{asked.key}.std_error": full,
                f"{asked.key}.conf_low": estimate - 1.96 * full,
                f"{asked.key}.conf_high": estimate + 1.96 * full,
                f"{asked.key}.p_value": p,
                f"{asked.key}.kr_p_value": p,
                f"{asked.key}.converged": np.ones(n, dtype=bool),
                f"{asked.key}.singular": np.arange(n) % 4 == 0,
                f"{asked.key}.n_rows": np.full(n, 700),
            }
        arrays[k] = made
    numbers = {k: tuple(range(1, n + 1)) for k in arrays}
    return lambda work, parts, **_: Done(numbers=numbers, arrays=arrays, failures=tuple(failures))


def judged(n=400, studies=("study1",), **how):
    tasks = kinds(studies)
    return certificate(pretended(tasks, n, **how), load, tasks, n)


def test_nothing_is_beyond_chance_where_all_is_as_it_should_be():
    found = judged()
    assert found.passed and found.unexplained == 0
    assert set(found.recovery["beyond"]) == {""}
    assert found.fits["singular"].to_list() == [100, 100, 100]
    assert found.type_i.height == 12
    assert set(found.type_i["term"]) == {
        *("convergence", "time:convergence", "development:convergence", "time:development:convergence")
    }


def test_a_biased_effect_is_beyond_chance_without_a_reason():
    found = judged(shift={"early_patient": 0.5})
    rows = found.recovery.filter(pl.col("beyond") != "").to_dicts()
    assert [(row["model"], row["version"], row["term"]) for row in rows] == [(3, "drawn", "early_patient")]
    assert "bias" in rows[0]["beyond"] and rows[0]["reason"] == "unexplained"
    assert rows[0]["bias_z"] == pytest.approx(0.5 * math.sqrt(400), abs=4)
    assert not found.passed
    page = write_markdown(compose_certificate(found), figures={})
    assert "Model 3, Early alliance, patient: bias" in page


def test_intervals_of_a_variance_that_are_too_short_have_a_reason():
    found = judged(spread={"variance of slopes": 1.6})
    rows = found.recovery.filter(pl.col("beyond") != "")
    assert set(rows["term"]) == {"variance of slopes"} and set(rows["reason"]) == {"large_sample"}
    assert found.passed
    assert "Intervals of variances." in write_markdown(compose_certificate(found), figures={})


def test_a_biased_variance_far_from_zero_has_no_reason():
    found = judged(shift={"variance of slopes": 0.5})
    assert set(found.recovery.filter(pl.col("beyond") != "")["reason"]) == {"unexplained"}


def test_a_biased_variance_next_to_zero_has_one():
    found = judged(studies=("study2",), shift={"variance of intercepts": 4.0}, spread={"variance of intercepts": 12.0})
    rows = found.recovery.filter(pl.col("beyond") != "")
    assert set(rows["term"]) == {"variance of intercepts"} and set(rows["reason"]) == {"boundary"}
    page = write_markdown(compose_certificate(found), figures={})
    assert "the correlation of intercepts and slopes is .85" in page  # .004 / √(.002 · .011)


def test_a_test_that_rejects_too_often_is_named():
    found = judged(spread={"time:convergence": 1.6})
    beyond = found.type_i.filter("beyond")
    assert set(beyond["term"]) == {"time:convergence"}
    expected = 2 * stats.norm.sf(stats.norm.isf(0.025) / 1.6)
    for row in beyond.to_dicts():
        assert row["type_i"] == pytest.approx(expected, abs=4 * math.sqrt(expected * (1 - expected) / 400))
        assert row["z"] == pytest.approx((row["type_i"] - 0.05) / math.sqrt(0.05 * 0.95 / 400))
    assert not found.passed
    page = write_markdown(compose_certificate(found), figures={})
    assert "these depart from .05: study1 with 96 dyads, Model 2, Convergence × Time (Satterthwaite)" in page


def test_failures_are_counted_and_shown():
    found = judged(failures=[Failure(task=0, number=17, words="The convergence score is the same for all dyads.")])
    assert not found.passed
    assert found.fits["failed"].to_list() == [1, 1, 1]
    page = write_markdown(compose_certificate(found), figures={})
    assert "1 draw without an answer" in page
    assert "seed 17.** The convergence score is the same for all dyads." in page


def test_without_two_answers_there_is_no_certificate():
    tasks = kinds(("study1",))
    failures = tuple(Failure(task=0, number=k, words="No answer.") for k in (1, 2, 3))
    empty = Done(numbers={0: ()}, arrays={0: {}}, failures=failures)
    with pytest.raises(FitError, match=r"Fewer than two draws of study1 with 96 dyads .*No answer"):
        certificate(lambda work, parts, **_: empty, load, tasks, 3)


@pytest.mark.parametrize("n", [0, 1, 5])
def test_what_was_stopped_has_the_draws_that_are_there_and_no_page(n, monkeypatch, tmp_path):
    tasks = kinds(("study1", "study2"))
    whole = pretended(tasks, 5)(None, ())
    arrays = {0: {name: values[:n] for name, values in whole.arrays[0].items()} if n else {}, 1: {}, 2: {}}
    stopped = Done(numbers={0: tuple(range(1, n + 1)), 1: (), 2: ()}, arrays=arrays, failures=(), interrupted=True)
    found = certificate(lambda work, parts, **_: stopped, load, tasks, 5)
    assert found.interrupted and not found.passed
    assert found.fits["replicates"].to_list() == ([5] * 3 if n == 5 else [])
    monkeypatch.setattr("dyadline.certification.certify", lambda *_, **__: found)
    said = CliRunner().invoke(app, ["certify", "--out", str(tmp_path / "page.md")])
    assert said.exit_code == 130
    assert "continue with --resume" in said.stderr
    assert not (tmp_path / "page.md").exists()


# --- the page and the command


@pytest.fixture(scope="module")
def small():
    return certify(4, dyads=30)


def tables(page):
    """Rows of each table, as cells."""
    found = [[]]
    for line in page.splitlines():
        if line.startswith("|"):
            found[-1].append(re.split(r"(?<!\\)\|", line)[1:-1])
        elif found[-1]:
            found.append([])
    return [table for table in found if table]


def test_the_page_says_what_the_frames_say(small):
    found = tables(small.page)
    assert len(found) == 1 + 2 * len(small.tasks)
    for table in found:
        assert len({len(row) for row in table}) == 1
    assert [len(table) for table in found[1:]] == [2 + 2 + 20, 2 + 2 + 10] * len(small.tasks)
    shown = [row for row in found[0][2:] if row[1].strip()]
    assert len(shown) == small.type_i.height / 2
    own = small.type_i.filter(pl.col("df") == "satterthwaite")
    for row, expected in zip(shown, own.to_dicts(), strict=True):
        share = row[2].strip().strip("*")
        assert float(row[1]) == expected["rejected"]
        assert float(share) == pytest.approx(expected["type_i"], abs=5.1e-5)
    first = small.recovery.filter((pl.col("study") == "study1") & (pl.col("term") == "(Intercept)")).row(0, named=True)
    cells = [cell.strip().strip("*").replace("−", "-") for cell in found[1][3]]
    assert cells[0] == "Intercept"
    for place, name in enumerate(("true_value", "mean", "bias", "bias_error", "bias_z"), start=1):
        assert float(cells[place]) == pytest.approx(first[name], abs=0.0051)
    assert [(task.study, task.dyads) for task in small.tasks] == [("study1", 30), ("study2", 30), ("study2", 300)]
    assert "dyadline certify --seeds 4 --dyads 30" in small.page
    assert small.fits["replicates"].to_list() == [4] * 9


def call(*words, cwd):
    environment = {**os.environ, "COLUMNS": "120", "NO_COLOR": "1", "TERM": "dumb"}
    command = [sys.executable, "-m", "dyadline.cli.app", "certify", *map(str, words)]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=120, check=False)


def test_the_command_writes_the_same_page_and_does_not_write_over_it(tmp_path, small):
    asked = ("--seeds", 4, "--dyads", 30, "--workers", 2)
    done = call(*asked, "--json", cwd=tmp_path)
    assert done.returncode == (0 if small.passed else 1), done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["recovery.md"]
    assert (tmp_path / "recovery.md").read_text(encoding="utf-8") == small.page
    answer = json.loads(done.stdout)
    assert answer["passed"] is small.passed
    assert answer["type_i"] == json.loads(json.dumps(small.type_i.to_dicts()))
    again = call(*asked, cwd=tmp_path)
    assert again.returncode == 2
    assert "'recovery.md' is already there; nothing was written" in again.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["recovery.md"]


def test_finished_draws_are_not_drawn_again(tmp_path, monkeypatch):
    before = certify(3, studies=["study1"], dyads=20, store=tmp_path / "parts")
    seen = []
    monkeypatch.setattr(Replicates, "__call__", lambda self, part: seen.append(part) or {})
    after = certify(3, studies=["study1"], dyads=20, store=tmp_path / "parts", resume=True)
    assert after.page == before.page and not seen
    with pytest.raises(PlanError, match="another question"):
        certify(3, studies=["study1"], dyads=21, store=tmp_path / "parts", resume=True)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ({"seeds": 1}, "at least 2"),
        ({"seeds": "many"}, "whole number"),
        ({"seeds": 2, "studies": ["study3"]}, "Did you mean"),
        ({"seeds": 2, "studies": []}, "No study is named"),
        ({"seeds": 2, "dyads": 5}, "at least 10"),
        ({"seeds": 2, "executor": "serially"}, "no executor"),
    ],
)
def test_impossible_calls_are_refused(call, words):
    with pytest.raises(PlanError, match=words):
        certify(**call)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--out", "recovery.pdf"), "written as .md"),
        (("--out", "nowhere/recovery.md"), "'nowhere' does not exist"),
        (("--executor", "serial", "--workers", 3), "has one worker"),
    ],
)
def test_a_page_that_cannot_be_written_is_refused_at_once(tmp_path, words, said):
    done = call(*words, cwd=tmp_path)
    assert done.returncode == 2 and said in done.stderr
    assert not list(tmp_path.iterdir())
