"""The description's models, intraclass correlations and drop-out, against R (tests/oracles/description.R)."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dyadline as dl
from dyadline.data.dataset import Dataset, make_dataset
from dyadline.report.description import compose_description
from dyadline.report.writers.text import render_tables
from dyadline.studies.description import description
from dyadline.studies.dropout import dropout, logistic
from dyadline.studies.similarity import intraclass_correlations
from dyadline.studies.twins import twin_data, twin_plan
from oracles import answers
from truth import agree

PLAN = """
version = 1
[columns]
dyad = "dyad"
therapist = "therapist"
time = "session"
patient_rating = "wai_p"
therapist_rating = "wai_t"
outcome = "bdi"
"""
VARIABLES = ("patient_rating", "therapist_rating", "outcome")


@cache
def answer() -> dict[str, Any]:
    return json.loads((answers.HERE / "description.json").read_text())


def frame() -> pl.DataFrame:
    return pl.read_csv(answers.HERE / "data" / "description.csv")


def dataset(*, therapists: bool = True, data: pl.DataFrame | None = None) -> Dataset:
    plan = dl.parse_plan(PLAN if therapists else PLAN.replace('therapist = "therapist"\n', ""))
    return make_dataset(frame() if data is None else data, plan)


@pytest.mark.parametrize("levels", ["two", "three"])
@pytest.mark.parametrize("variable", VARIABLES)
def test_intraclass_correlations_by_reml(levels: str, variable: str) -> None:
    found = intraclass_correlations(dataset(therapists=levels == "three")).filter(variable=variable)
    want = answer()["iccs"][levels][variable]
    shares, groups = np.atleast_1d(want["reml_icc"]), ["dyad", "therapist", "dyad + therapist"]
    agree("lme4, random intercepts", "intraclass correlation", np.abs(found["icc"].to_numpy() - shares).max(), 2e-7)
    assert found["group"].to_list() == groups[: len(shares)]
    assert found["n_values"].unique().to_list() == [want["n"]]
    variances = np.r_[found["residual_variance"][0], found["variance"]][: len(want["reml"])]
    assert variances == pytest.approx(want["reml"], rel=2e-6)
    assert set(found["method"]) == {"REML"}
    assert (found["conf_low"] < found["icc"]).all() and (found["icc"] < found["conf_high"]).all()


@pytest.mark.parametrize("levels", ["two", "three"])
@pytest.mark.parametrize("variable", VARIABLES)
def test_intraclass_correlations_in_closed_form(levels: str, variable: str) -> None:
    found = intraclass_correlations(dataset(therapists=levels == "three"), most_values=0).filter(variable=variable)
    want = answer()["iccs"][levels][variable]
    oracle = "R: quadratic forms"
    shares = np.atleast_1d(want["anova"]["icc"])
    agree(oracle, "intraclass correlation", np.abs(found["icc"].to_numpy() - shares).max(), 1e-12)
    deviation = np.abs(found["std_error"].to_numpy() - want["jackknife"]).max()
    agree(oracle, "its standard error, groups left out one at a time", deviation, 1e-12)
    components = np.r_[found["residual_variance"][0], found["variance"]][: len(want["anova"]["variances"])]
    assert components == pytest.approx(want["anova"]["variances"], rel=1e-12)
    assert set(found["method"]) == {"analysis of variance"}


def test_therapists_with_one_patient_each_are_no_level() -> None:
    single = frame().with_columns(therapist="t" + pl.col("dyad"))
    found = intraclass_correlations(dataset(data=single))
    assert found["group"].to_list() == ["dyad"] * 3
    assert found["doubt"].unique().to_list() == ["Therapists cannot be told from their dyads: each has one."]
    two = intraclass_correlations(dataset(therapists=False))
    assert found["icc"].to_list() == two["icc"].to_list()
    assert two["doubt"].unique().to_list() == [""]
    alone = intraclass_correlations(dataset(data=frame().with_columns(therapist=pl.lit("t"))))
    assert alone["doubt"].unique().to_list() == ["Therapists cannot be compared: there is one at most."]


def test_a_variable_without_an_answer_says_why() -> None:
    constant = frame().with_columns(wai_t=pl.when(pl.col("wai_t").is_not_null()).then(5.0))
    row = intraclass_correlations(dataset(data=constant)).filter(variable="therapist_rating").row(0, named=True)
    assert row["icc"] is None
    assert row["doubt"]


def test_drop_out_against_glm() -> None:
    found, want = dropout(dataset()), answer()["dropout"]
    table = want["table"]
    pairs = [
        ("estimate", table["Estimate"]),
        ("std_error", table["Std. Error"]),
        ("statistic", table["z value"]),
        ("p_value", table["Pr(>|z|)"]),
        ("conf_low", want["conf_low"]),
        ("conf_high", want["conf_high"]),
    ]
    for name, values in pairs:
        deviation = np.abs(found[name].to_numpy() / np.array(values) - 1.0).max()
        agree("R: glm, binomial", f"drop-out: {name}, relative", deviation, 1e-8)
    assert found["unit"].to_list()[2:] == pytest.approx(want["unit"], rel=1e-13)
    assert found["n_rows"][0] == want["n_rows"] and found["n_events"][0] == want["n_events"]
    assert found["term"].to_list() == ["(Intercept)", "time", *VARIABLES]
    # 18 drop-outs for 4 effects
    assert found["doubt"].unique().to_list() == ["Only 18 dyads with all three values were lost."]


def test_separated_data_have_no_odds_ratio_but_a_reason() -> None:
    # Whoever is lost had an outcome above everyone else's at that occasion.
    last = pl.col("session").max().over("dyad")
    lost = (pl.col("session") == last) & (last < 8)
    found = dropout(dataset(data=frame().with_columns(bdi=pl.when(lost).then(99.0).otherwise("bdi"))))
    assert found["estimate"].null_count() == found.height == 5
    assert found["doubt"][0].startswith("The data are separated")
    assert found["n_events"][0] == 18


def test_copied_ratings_are_not_taken_for_separation() -> None:
    found = dropout(dataset(data=frame().with_columns(wai_t="wai_p")))
    assert found["estimate"].to_list() == [None]
    assert found["doubt"].item().startswith("Time, ratings and outcome are linearly dependent")


def test_separation_in_one_column_is_found_and_near_separation_is_not() -> None:
    x = np.linspace(-1.0, 1.0, 40)
    X = np.column_stack([np.ones(40), x])
    assert logistic(X, (x > 0).astype(float)) is None
    y = (x > 0).astype(float)
    y[0] = 1.0
    beta, covariance = logistic(X, y)
    # At the maximum the score vanishes, and the covariance is the inverse of the information.
    mu = 1.0 / (1.0 + np.exp(-X @ beta))
    assert np.abs(X.T @ (y - mu)).max() < 1e-10
    assert covariance @ (X.T @ ((mu * (1 - mu))[:, None] * X)) == pytest.approx(np.eye(2), abs=1e-10)


def test_fewer_drop_outs_than_coefficients_have_no_odds_ratios() -> None:
    data = frame()
    last = pl.col("session").max().over("dyad")
    early = data.filter((last < 8) & (pl.col("session") == last))["dyad"].unique(maintain_order=True)
    found = dropout(dataset(data=data.filter(~pl.col("dyad").is_in(early[4:].to_list()))))
    assert found["n_events"][0] == 4 and found["estimate"].null_count() == found.height == 5
    assert found["doubt"][0].endswith(
        f"4 of {found['n_dyads'][0]} were lost, which says too little for 5 coefficients."
    )


def test_drop_out_without_drop_outs() -> None:
    found = dropout(make_dataset(twin_data("study2"), twin_plan("study2")))
    assert found["doubt"].to_list() == ["No dyad was lost before the last occasion."]
    assert found["estimate"].to_list() == [None]


def test_drop_out_finds_what_the_simulation_put_in() -> None:
    # The log odds of being lost rise by 0.8 per SD of the outcome and do not depend on the ratings.
    rng = np.random.default_rng(3)
    n, occasions = 3000, 6
    level = rng.normal(size=n)
    outcome = level[:, None] + 0.5 * rng.normal(size=(n, occasions))
    lost = rng.random((n, occasions)) < 1.0 / (1.0 + np.exp(2.5 - 0.8 * outcome / outcome.std()))
    there = np.cumsum(lost, axis=1) - lost == 0
    dyad, time = (a[there] for a in np.indices((n, occasions)))
    data = pl.DataFrame({"dyad": dyad, "session": time, "bdi": outcome[there]})
    data = data.with_columns(
        wai_p=pl.Series(rng.normal(size=data.height)), wai_t=pl.Series(rng.normal(size=data.height))
    )
    found = dropout(dataset(therapists=False, data=data))
    row = {r["term"]: r for r in found.iter_rows(named=True)}
    per_sd = 0.8 / outcome.std() * row["outcome"]["unit"]
    assert abs(row["outcome"]["estimate"] - per_sd) < 3 * row["outcome"]["std_error"]
    assert row["outcome"]["p_value"] < 1e-10
    assert row["patient_rating"]["p_value"] > 0.001 and row["therapist_rating"]["p_value"] > 0.001


def test_the_description_has_every_table_and_is_the_public_one() -> None:
    tables = description(make_dataset(twin_data("study1"), twin_plan("study1")), twin_plan("study1"))
    assert list(tables) == [
        "sizes", "coverage", "descriptives", "flow", "attrition", "endings", "endings_by_time", "row_patterns",
        "dyad_patterns", "dropout", "agreement", "limits_of_agreement", "rater_correlations", "correlations_by_dyad",
        "intraclass_correlations",
    ]  # fmt: skip
    public = dl.describe(twin_plan("study1"), twin_data("study1"))
    assert list(public) == list(tables)
    assert all(public[name].equals(table) for name, table in tables.items())
    with pytest.raises(dl.PlanError, match="A plan is needed, not str"):
        dl.describe("study.toml")


VALUE = st.one_of(st.none(), st.sampled_from([1.0, 2.0, 3.0, 2.5]), st.floats(-1e9, 1e9), st.floats(allow_nan=False))


@settings(max_examples=12, deadline=None)
@given(
    ids=st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 4)), min_size=3, max_size=14, unique=True),
    values=st.lists(st.tuples(VALUE, VALUE, VALUE), min_size=14, max_size=14),
    therapists=st.one_of(st.none(), st.lists(st.sampled_from(["s", "t", None]), min_size=4, max_size=4)),
)
def test_any_small_study_is_described_or_refused_in_words(ids: Any, values: Any, therapists: Any) -> None:
    data = pl.DataFrame(
        [(*key, *value) for key, value in zip(ids, values, strict=False)],
        schema={"dyad": pl.String, "session": pl.Int64, **dict.fromkeys(("wai_p", "wai_t", "bdi"), pl.Float64)},
        orient="row",
    )
    if therapists is not None:
        data = data.with_columns(therapist=pl.col("dyad").replace_strict(dict(zip("abcd", therapists, strict=True))))
    try:
        found = dataset(data=data, therapists=therapists is not None)
    except dl.DyadlineError:
        return
    plan = dl.parse_plan(PLAN)
    tables = description(found, plan)
    assert "Attrition by occasion" in render_tables(compose_description(found, plan, tables)).plain
    shares = tables["intraclass_correlations"]["icc"].drop_nulls()
    assert ((shares >= 0) & (shares <= 1 + 1e-12)).all()
