"""The description of the data: by hand on a study of seven rows, and against R (tests/oracles/description.R)."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import polars as pl
import pytest

from dyadline.data.agreement import correlations_by_dyad, limits_of_agreement, pairs, rater_correlations
from dyadline.data.attrition import attrition, dyad_patterns, endings, endings_by_time, row_patterns
from dyadline.data.dataset import Dataset, make_dataset
from dyadline.data.describe import coverage, descriptives, sizes
from dyadline.plan.analysis import AnalysisPlan
from oracles import answers
from truth import agree

PlanOf = Callable[..., AnalysisPlan]
ORACLE = "R: base, psych, mice"


@cache
def answer() -> dict[str, Any]:
    return json.loads((answers.HERE / "description.json").read_text())


@pytest.fixture(scope="module")
def sessions(plan_of: PlanOf) -> Dataset:
    plan = plan_of(dyad="dyad", therapist="therapist")
    checked = plan.model_copy(update={"checks": plan.checks.model_copy(update={"reason": "reason"})})
    return make_dataset(pl.read_csv(answers.HERE / "data" / "description.csv"), checked)


def test_values_of_dyads_still_there_are_expected(study: pl.DataFrame, plan_of: PlanOf) -> None:
    # b and a are seen until 3, c only at 1.
    table = descriptives(make_dataset(study, plan_of()))
    by_variable = {v: table.filter(variable=v).select("expected", "missing").rows() for v in table["variable"].unique()}
    assert by_variable["patient_rating"] == [(3, 0), (2, 0), (2, 1)]
    assert by_variable["therapist_rating"] == [(3, 0), (2, 1), (2, 0)]
    assert by_variable["outcome"] == [(3, 1), (2, 0), (2, 0)]


def test_a_known_end_of_treatment_says_who_was_still_there(study: pl.DataFrame, plan_of: PlanOf) -> None:
    plan = plan_of()
    plan = plan.model_copy(update={"checks": plan.checks.model_copy(update={"end": "end"})})
    ends = {"a": 3, "b": 3, "c": 2}
    table = descriptives(make_dataset(study.with_columns(end=pl.col("id").replace_strict(ends)), plan))
    outcome = table.filter(variable="outcome").select("time", "expected", "missing").rows()
    assert outcome == [(1.0, 3, 1), (2.0, 3, 1), (3.0, 2, 0)]


def test_at_exact_days_nobody_is_expected(plan_of: PlanOf) -> None:
    days = {"id": ["a"] * 4 + ["b"] * 4 + ["c"] * 4, "session": [0, 8, 13, 22, 0, 6, 15, 20, 0, 7, 16, 24]}
    frame = pl.DataFrame({**days, **dict.fromkeys(("wai_p", "wai_t", "bdi"), [1.0, 2.0, 3.0, 4.0] * 3)})
    dataset = make_dataset(frame, plan_of())
    assert descriptives(dataset).select("expected", "missing").null_count().row(0) == (30, 30)
    table = attrition(dataset)
    assert table["clock"].unique().to_list() == ["order"]
    assert table.select("time", "at_risk", "observed").rows() == [(float(k), 3, 3) for k in (1, 2, 3, 4)]
    assert not dyad_patterns(dataset).height


def test_attrition_by_hand(study: pl.DataFrame, plan_of: PlanOf) -> None:
    # Without row 2 of the file dyad a is seen at 2 and 3 only: a gap at 1.
    table = attrition(make_dataset(study[[0, 2, 3, 4, 5, 6]], plan_of()))
    names = ["clock", "time", "at_risk", "observed", "intermittent", "last_seen", "hazard", "retention", "lost"]
    assert table.columns == names
    assert table.rows() == [
        ("time", 1.0, 3, 2, 1, 1, 1 / 3, 1.0, 0.0),
        ("time", 2.0, 2, 2, 0, 0, 0.0, 2 / 3, 1 - 2 / 3),
        ("time", 3.0, 2, 2, 0, 2, None, 2 / 3, 1 - 2 / 3),
    ]


def test_attrition_against_the_product_limit(sessions: Dataset) -> None:
    table, want = attrition(sessions), answer()["retention"]
    assert table["at_risk"].to_list() == want["at_risk"]
    assert table["observed"].to_list() == want["observed"]
    # Nobody is censored before the last occasion, so that the share retained is Kaplan and Meier's estimate.
    agree(ORACLE, "retention", np.abs(table["retention"].to_numpy() - want["product_limit"]).max(), 1e-14)


def test_reasons_are_counted_and_none_is_a_reason_too(sessions: Dataset) -> None:
    table = endings(sessions)
    frame = pl.read_csv(answers.HERE / "data" / "description.csv")
    last = frame.group_by("dyad").agg(pl.col("session").max(), pl.col("reason").first().fill_null(""))
    for reason, dyads, share, mean in table.select("reason", "dyads", "share", "time_mean").iter_rows():
        times = last.filter(reason=reason)["session"]
        assert (dyads, share) == (len(times), len(times) / 62)
        assert mean == pytest.approx(np.mean(times.to_list()))
    assert set(table["reason"]) == {"as planned", "moved", "no show", ""}
    assert table["dyads"].sum() == endings_by_time(sessions)["dyads"].sum() == 62
    assert table["dyads"].is_sorted(descending=True)


def test_without_a_column_of_reasons_there_is_none(study: pl.DataFrame, plan_of: PlanOf) -> None:
    dataset = make_dataset(study, plan_of())
    assert not endings(dataset).height and not endings_by_time(dataset).height


def test_row_patterns_as_mice_counts_them(sessions: Dataset) -> None:
    want = answer()["patterns"]
    table = row_patterns(sessions).select("patient_rating", "therapist_rating", "outcome", "rows").rows()
    expected = zip(*(map(bool, want[c]) for c in ("wai_p", "wai_t", "bdi")), want["rows"], strict=True)
    assert sorted(table) == sorted(expected)


def test_dyad_patterns_by_hand(study: pl.DataFrame, plan_of: PlanOf) -> None:
    more = pl.DataFrame(
        {"id": ["d", "d", "e", "f"], "session": [1, 3, 2, 1], "wai_p": [3.0, 4.0, 5.0, None]},
    )
    table = dyad_patterns(make_dataset(pl.concat([study, more], how="diagonal"), plan_of()))

    def of(variable: str) -> dict[str, int]:
        return {p: n for p, n in table.filter(variable=variable).select("pattern", "dyads").iter_rows() if n}

    # b complete; a without 3; c only 1; d without 2; e only 2, nothing before and after; f nothing at all
    assert of("patient_rating") == {"complete": 1, "ended early": 2, "gaps": 1, "gaps and ended early": 1, "none": 1}
    assert of("therapist_rating") == {"complete": 1, "gaps": 1, "ended early": 1, "none": 3}
    assert of("any") == {"complete": 2, "ended early": 1, "gaps": 1, "gaps and ended early": 1, "none": 1}
    assert table.group_by("variable").agg(pl.col("share").sum())["share"].to_list() == pytest.approx([1.0] * 4)


def test_sizes_by_hand(study: pl.DataFrame, plan_of: PlanOf) -> None:
    table = sizes(make_dataset(study, plan_of(therapist="therapist")))
    rows = {(of, per): tuple(rest) for of, per, *rest in table.iter_rows()}
    assert rows["sessions", "dyad"] == (7, 3, 1.0, 2.0, 3.0, 3.0, 3.0)
    assert rows["therapist_rating", "dyad"] == (6, 3, 1.0, 1.5, 2.0, 2.5, 3.0)
    assert rows["dyads", "therapist"] == (3, 2, 1.0, 1.25, 1.5, 1.75, 2.0)
    assert "dyads" not in sizes(make_dataset(study, plan_of()))["of"].to_list()


def test_coverage_by_hand(study: pl.DataFrame, plan_of: PlanOf) -> None:
    ratings = {"wai_p": [3.0, None, 4.0, None], "wai_t": [None, 4.0, None, None]}
    more = pl.DataFrame({"id": ["d", "d", "e", "f"], "session": [1, 2, 1, 1], **ratings})
    dataset = make_dataset(pl.concat([study, more], how="diagonal"), plan_of())
    assert dict(coverage(dataset).select("what", "dyads").iter_rows()) == {
        "outcome": 3,
        "patient_rating": 5,
        "therapist_rating": 4,
        "both_at_once": 3,
        "patient_only": 1,
        "therapist_only": 0,
        "no_rating": 1,
        "nothing": 1,
    }
    assert sizes(dataset)["min"].to_list() == [0.0] * 4


@pytest.mark.parametrize("level", ["within", "between", "between_weighted"])
def test_correlations_of_the_raters(sessions: Dataset, level: str) -> None:
    found, want = rater_correlations(pairs(sessions)).row(by_predicate=pl.col("level") == level, named=True), answer()
    for name, value in want["correlations"][level].items():
        agree(ORACLE, f"correlation of the raters {level}: {name}", abs(found[name] - value), 1e-12)


def test_psych_says_the_same_and_the_total_has_no_test(sessions: Dataset) -> None:
    table, want = rater_correlations(pairs(sessions)), answer()["correlations"]
    found = dict(table.select("level", "correlation").iter_rows())
    assert found["within"] == pytest.approx(want["stats_by"]["rwg"], abs=1e-12)
    assert found["between_weighted"] == pytest.approx(want["stats_by"]["rbg"], abs=1e-12)
    assert found["total"] == pytest.approx(want["total"], abs=1e-14)
    assert table.filter(level="total").select("df", "p_value", "conf_low").row(0) == (None, None, None)


def test_correlations_by_dyad_against_r(sessions: Dataset) -> None:
    found, want = correlations_by_dyad(pairs(sessions)).row(0, named=True), answer()["by_dyad"]
    assert found["dyads"] == want["dyads"]
    for name, value in zip(("min", "q1", "median", "q3", "max"), want["quantiles"], strict=True):
        assert found[name] == pytest.approx(value, abs=1e-13)
    assert found["mean"] == pytest.approx(want["mean"], abs=1e-14)
    assert found["negative"] == pytest.approx(want["negative"], abs=1e-15)


def test_limits_of_agreement_against_r(sessions: Dataset) -> None:
    found, want = limits_of_agreement(pairs(sessions)).row(0, named=True), answer()["agreement"]
    want = {**want, "limit_low": want["limits"][0], "limit_high": want["limits"][1]}
    for name in ("mean_difference", "std_error", "sd_between", "sd_within", "sd_difference", "limit_low", "limit_high"):
        agree(ORACLE, "limits of agreement", abs(found[name] - want[name]), 1e-13)
    assert found["mean_absolute_difference"] == pytest.approx(want["mean_absolute_difference"], abs=1e-14)
    assert (found["pairs"], found["dyads"], found["df"]) == (368, 62, 61)


def test_raters_who_never_meet_or_never_vary(study: pl.DataFrame, plan_of: PlanOf) -> None:
    apart = study.with_columns(
        wai_p=pl.when(pl.col("session") < 2).then("wai_p"), wai_t=pl.when(pl.col("session") > 1).then("wai_t")
    )
    never = pairs(make_dataset(apart, plan_of()))
    assert not rater_correlations(never).height
    assert limits_of_agreement(never).select("pairs", "dyads", "mean_difference").row(0) == (0, 0, None)
    constant = pairs(make_dataset(study.with_columns(wai_t=pl.lit(5.1)), plan_of()))
    assert rater_correlations(constant)["correlation"].null_count() == 4
    assert correlations_by_dyad(constant).row(0) == (0, *[None] * 7)
    first = study.with_columns(wai_p=pl.when(pl.col("session") == 1).then("wai_p"))
    once = pairs(make_dataset(first, plan_of()))
    assert limits_of_agreement(once)["sd_difference"].to_list() == [None]
    assert dict(rater_correlations(once).select("level", "correlation").iter_rows())["within"] is None


def test_dyads_that_shift_together_by_far_more_than_they_vary_keep_their_correlation(plan_of: PlanOf) -> None:
    # Levels a million times the variation within: sums of squares taken from raw values would lose it.
    wave = np.array([0.0, 1.0, 2.0, 1.0, 0.0])
    rows = {
        "id": [d for d in "abc" for _ in wave],
        "session": [*range(5)] * 3,
        "wai_p": np.concatenate([wave * 1e-3 + level for level in (1e3, 2e3, 4e3)]),
        "wai_t": np.concatenate([wave**2 * 1e-3 + level for level in (1e3, 3e3, 2e3)]),
        "bdi": [*map(float, range(15))],
    }
    table = rater_correlations(pairs(make_dataset(pl.DataFrame(rows), plan_of())))
    exact = np.corrcoef(wave, wave**2)[0, 1]
    assert table.filter(level="within")["correlation"].item() == pytest.approx(exact, abs=1e-6)
