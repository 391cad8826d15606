"""Standardised coefficients are those of a model whose variables were divided by their SDs."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest

import dyadline as dl
from oracles import answers

COLUMNS = ["estimate", "std_error", "df", "statistic", "p_value", "conf_low", "conf_high"]


@pytest.fixture(scope="module")
def frame():
    arms = answers.frame("arms")
    groups = arms["g"].unique().sort()
    x = np.random.default_rng(3).normal(50.0, 2.0, len(groups))
    return arms.join(pl.DataFrame({"g": groups, "x": x}), on="g", maintain_order="left").with_columns(
        t=pl.col("t") + 2000.0, y=pl.col("y") * 1000.0 + 1e5
    )


@pytest.mark.parametrize("df", ["satterthwaite", "kenward-roger"])
def test_as_if_each_variable_had_been_divided_by_its_sd(frame, df):
    formula = "y ~ t * x * arm + (t | g)"
    divided = frame.with_columns(pl.col(c) / pl.col(c).std() for c in ("t", "x", "y"))
    want = dl.coefficients(dl.fit(formula, divided), df=df)
    got = dl.standardised(dl.fit(formula, frame), df=df)
    assert list(got["term"]) == list(want["term"])
    np.testing.assert_allclose(got.select(COLUMNS).to_numpy(), want.select(COLUMNS).to_numpy(), rtol=2e-6)


def test_products_of_z_scores_have_the_same_highest_interaction(frame):
    z = frame.with_columns((pl.col(c) - pl.col(c).mean()) / pl.col(c).std() for c in ("t", "x", "y"))
    want = dl.coefficients(dl.fit("y ~ t * x + (t | g)", z)).row(3)
    got = dl.standardised(dl.fit("y ~ t * x + (t | g)", frame)).row(3)
    assert got[0] == want[0] == "t:x"
    assert got[1:] == pytest.approx(want[1:], rel=1e-6)


def test_rows_with_missing_values_do_not_count(frame):
    holes = frame.with_columns(x=pl.when(pl.col("g") == "g003").then(None).otherwise(pl.col("x")))
    whole = holes.drop_nulls()
    one, other = (dl.standardised(dl.fit("y ~ log(t) + x + (1 | g)", f)) for f in (holes, whole))
    assert list(one["estimate"]) == list(other["estimate"])
    x = whole["x"].std() / whole["y"].std()
    assert one["estimate"][2] == pytest.approx(
        dl.coefficients(dl.fit("y ~ log(t) + x + (1 | g)", whole))["estimate"][2] * x, rel=1e-9
    )


def test_a_given_sd_takes_the_place_of_that_over_rows(frame):
    fit = dl.fit("y ~ t * x + (t | g)", frame)
    over_dyads = frame.unique("g")["x"].std()
    plain, other = dl.standardised(fit), dl.standardised(fit, sd={"x": over_dyads})
    ratio = over_dyads / frame["x"].std()
    assert abs(ratio - 1) > 1e-3
    for term, factor in zip(other.to_dicts(), (1.0, 1.0, ratio, ratio), strict=True):
        one = plain.filter(pl.col("term") == term["term"]).to_dicts()[0]
        assert (term["estimate"], term["std_error"]) == pytest.approx(
            (one["estimate"] * factor, one["std_error"] * factor), rel=1e-12
        )
        assert term["p_value"] == one["p_value"]


def test_variables_in_products_only_and_models_without_intercept(frame):
    only_in_products = dl.fit("y ~ t + t:x + (1 | g)", frame)
    sizes = {c: frame[c].std() for c in ("t", "x", "y")}
    raw = dl.coefficients(only_in_products)["estimate"][2]
    want = raw * sizes["t"] * sizes["x"] / sizes["y"]
    assert dl.standardised(only_in_products)["estimate"][2] == pytest.approx(want, rel=1e-9)
    given = dl.standardised(only_in_products, sd={"x": 2 * sizes["x"]})["estimate"][2]
    assert given == pytest.approx(2 * want, rel=1e-9)

    without = dl.fit("y ~ 0 + arm + t + (1 | g)", frame)
    assert dl.standardised(without, sd={"t": 1.0, "y": 1.0})["estimate"][0] == dl.coefficients(without)["estimate"][0]


def test_joint_models_are_refused():
    long = answers.frame("raters").pivot("rater", index=["dyad", "session", "t"], values="y")
    fit = dl.fit("cbind(patient, therapist) ~ t + (t | dyad)", long)
    with pytest.raises(dl.PlanError, match="outcomes of a joint model"):
        dl.standardised(fit)


@pytest.mark.parametrize(
    ("sd", "words"),
    [
        ({"arm": 1.0}, "neither the outcome nor a numeric variable"),
        ({"t": 0.0}, "not a positive number"),
        ({"t": math.nan}, "not a positive number"),
        ({"t": "1"}, "not a positive number"),
    ],
)
def test_an_sd_that_is_none_is_refused(frame, sd, words):
    with pytest.raises(dl.PlanError, match=words):
        dl.standardised(dl.fit("y ~ t * arm + (t | g)", frame), sd=sd)
