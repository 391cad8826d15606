"""Contrasts, simple slopes and joint tests: against models fitted in other words, and what must be refused in words."""

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
    rng = np.random.default_rng(3)
    groups = arms["g"].unique().sort()
    x = pl.DataFrame({"g": groups, "x": rng.normal(1.0, 2.0, len(groups)), "late arm": rng.integers(0, 2, len(groups))})
    return arms.join(x, on="g", maintain_order="left").with_columns(t=pl.col("t") + 1.0)


@pytest.fixture(scope="module")
def fit(frame):
    return dl.fit("y ~ t * x * arm + (t | g)", frame)


@pytest.fixture(scope="module")
def quoted(frame):
    return dl.fit("y ~ log(t) * `late arm` + (t | g)", frame)


def numbers(table, row=0):
    return [table[column][row] for column in COLUMNS]


@pytest.mark.parametrize("df", ["satterthwaite", "kenward-roger", "normal"])
def test_a_coefficient_by_name_is_its_row_of_the_table(fit, df):
    table = dl.coefficients(fit, df=df)
    found = dl.contrasts(fit, list(table["term"]), df=df)
    assert list(found["contrast"]) == list(table["term"])
    np.testing.assert_allclose(found.select(COLUMNS).to_numpy(), table.select(COLUMNS).to_numpy(), rtol=1e-12)


@pytest.mark.parametrize(
    ("text", "weights"),
    [
        ("armIPT - armwaiting", {"armIPT": 1, "armwaiting": -1}),
        ("x:t", {"t:x": 1}),
        ("t + 2*t:x", {"t": 1, "t:x": 2}),
        ("-t + x:t*0.5", {"t": -1, "t:x": 0.5}),
        ("(Intercept) + 3 * t", {"(Intercept)": 1, "t": 3}),
        ("((Intercept) + t)/2 - (x - t:x)", {"(Intercept)": 0.5, "t": 0.5, "x": -1, "t:x": 1}),
        ("2*(armwaiting + armIPT)/4", {"armwaiting": 0.5, "armIPT": 0.5}),
        ("t:x:armIPT - armIPT:t", {"t:x:armIPT": 1, "t:armIPT": -1}),
        ("1e1*t/5", {"t": 2}),
    ],
)
def test_the_grammar_means_what_it_says(fit, text, weights):
    terms = fit.design.terms
    row = [[weights.get(term, 0) for term in terms]]
    by_text = dl.contrasts(fit, text)
    assert by_text["contrast"].item() == text
    assert numbers(by_text) == numbers(dl.contrasts(fit, np.array(row, dtype=float)))
    assert numbers(by_text) == numbers(dl.contrasts(fit, {"label": weights}))
    assert dl.contrasts(fit, {"label": text})["contrast"].item() == "label"


def test_names_that_are_no_plain_words(quoted):
    assert quoted.design.terms == ("(Intercept)", "log(t)", "late arm", "log(t):late arm")
    table = dl.coefficients(quoted)
    by_name = dl.contrasts(quoted, ["late arm", "`late arm`", "log(t):`late arm`", "`late arm`:log(t)"])
    assert list(by_name["estimate"]) == [table["estimate"][k] for k in (2, 2, 3, 3)]
    assert dl.contrasts(quoted, "log(t) - 2*`late arm`")["estimate"].item() == pytest.approx(
        table["estimate"][1] - 2 * table["estimate"][2], rel=1e-12
    )


def test_a_row_of_numbers_is_put_in_words(fit):
    row = np.zeros(len(fit.design.terms))
    row[[1, 2]] = 1.0, -2.5
    assert dl.contrasts(fit, row)["contrast"].item() == "t - 2.5*x"


def test_tables_come_back_as_the_frame_that_went_in(frame):
    fit = dl.fit("y ~ t * x + (t | g)", frame.to_pandas())
    tables = [dl.contrasts(fit, "t"), dl.f_test(fit, "t"), dl.simple_slopes(fit, "t"), dl.standardised(fit)]
    assert {type(table).__module__.split(".")[0] for table in tables} == {"pandas"}


# -- simple slopes: the coefficient of a model whose zero points are there ---------------------------------------------


@pytest.mark.parametrize("df", ["satterthwaite", "kenward-roger"])
@pytest.mark.parametrize("arm", ["CBT", "IPT", "waiting"])
def test_a_simple_slope_is_the_coefficient_of_the_model_shifted_there(frame, fit, df, arm):
    slopes = dl.simple_slopes(fit, "t", at={"x": [-1.5, 3], "arm": arm}, df=df)
    assert list(slopes["contrast"]) == [f"t at x = -1.5, arm = {arm}", f"t at x = 3, arm = {arm}"]
    reference = pl.when(pl.col("arm") == arm).then(pl.lit("0")).otherwise(pl.col("arm"))
    for row, value in enumerate((-1.5, 3.0)):
        moved = frame.with_columns(x=pl.col("x") - value, arm=reference)
        table = dl.coefficients(dl.fit("y ~ t * x * arm + (t | g)", moved), df=df)
        assert numbers(slopes, row) == pytest.approx(numbers(table.filter(pl.col("term") == "t")), rel=1e-6)


def test_moderators_that_are_not_named_stay_at_zero(fit):
    assert numbers(dl.simple_slopes(fit, "t")) == pytest.approx(numbers(dl.contrasts(fit, "t")), rel=1e-12)
    assert numbers(dl.simple_slopes(fit, "t", at={"arm": ["IPT"]})) == numbers(dl.contrasts(fit, "t + t:armIPT"))


def test_truth_values_are_levels_too(frame):
    fit = dl.fit("y ~ t * late + (t | g)", frame.with_columns(late=pl.col("late arm") == 1))
    slopes = dl.simple_slopes(fit, "t", at={"late": [False, True]})
    assert numbers(slopes, 0) == pytest.approx(numbers(dl.contrasts(fit, "t")), rel=1e-12)
    assert numbers(slopes, 1) == pytest.approx(numbers(dl.contrasts(fit, "t + t:lateTRUE")), rel=1e-12)


def test_slopes_at_all_combinations(fit):
    table = dl.simple_slopes(fit, "x", at={"t": np.array([0.0, 2.0]), "arm": ("CBT", "IPT", "waiting")})
    assert table.height == 6
    want = dl.contrasts(fit, "x + 2*t:x + x:armIPT + 2*t:x:armIPT")["estimate"].item()
    assert table.filter(pl.col("contrast") == "x at t = 2, arm = IPT")["estimate"].item() == pytest.approx(want)


# -- joint tests -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("df", ["satterthwaite", "kenward-roger"])
def test_a_term_of_the_formula_means_all_its_coefficients(fit, df):
    whole = dl.f_test(fit, "t:arm", df=df).to_dicts()[0]
    assert whole == dl.f_test(fit, ["t:armIPT", "t:armwaiting"], df=df).to_dicts()[0]
    assert whole["df1"] == 2


@pytest.mark.parametrize("df", ["satterthwaite", "kenward-roger"])
def test_what_follows_from_the_rest_counts_once(fit, df):
    three = dl.f_test(fit, ["t:armIPT", "t:armwaiting", "t:armIPT - t:armwaiting"], df=df).to_dicts()[0]
    two = dl.f_test(fit, "t:arm", df=df).to_dicts()[0]
    assert three["df1"] == 2
    assert three["f"] == pytest.approx(two["f"], rel=1e-9)
    if df == "kenward-roger":  # Satterthwaite's df depend on the rows that span the hypothesis, as lmerTest's do
        assert three["df2"] == pytest.approx(two["df2"], rel=1e-9)


def test_df_of_a_sum_of_squared_t_statistics():
    """`2E/(E − q)` with `E = Σ ν/(ν − 2)`; infinite df add 1 to E, df of 2 and below have no mean."""
    from dyadline.inference.freedom import freedom_of_sum

    assert math.isinf(freedom_of_sum(np.array([np.inf, np.inf])))
    assert freedom_of_sum(np.array([7.0, 7.0])) == 7.0
    assert freedom_of_sum(np.array([1.5, 40.0])) == 2.0
    E = 10 / 8 + 1.0
    assert freedom_of_sum(np.array([10.0, np.inf])) == pytest.approx(2 * E / (E - 2))


# -- refusals ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ("tt", "no coefficient 'tt'"),
        ("t + armwaitin", "no coefficient 'armwaitin' (contrast 't + armwaitin', character 5)"),
        ("t = x", "'=' does not belong here"),
        ("t +", "Expected a coefficient, found the end"),
        ("", "Expected a coefficient"),
        ("t + 2", "A number stands alone"),
        ("t * x", "cannot be multiplied"),
        ("t / x", "Only numbers other than zero can divide"),
        ("t / (x + 1)", "Only numbers other than zero can divide"),
        ("t / 0", "Only numbers other than zero can divide"),
        ("t - t", "no weight other than zero"),
        ("1e999*t", "too large"),
        ("(t", "Expected ')'"),
        ("log(2)", "takes the name of one column"),
        ("__import__('os').system('true')", "takes the name of one column"),
        ("(" * 100 + "t" + ")" * 100, "nested more than 50 deep"),
        ("t:`x", "back-quote is not closed"),
        ({}, "No contrast was asked for"),
        ({"a": {"t": math.nan}}, "a weight that is no number"),
        ({"a": {"t": "1"}}, "The weight of 't' is not a number (contrast 'a')"),
        ({"a": {"u": 1}}, "no coefficient 'u' (contrast 'a')"),
        ({"a": 3}, "neither a text nor a mapping"),
        ([[1.0, 2.0]], "rows of 12 weights"),
        (5, "rows of 12 weights"),
        ([], "rows of 12 weights"),
    ],
)
def test_what_is_no_contrast_is_refused_in_words(fit, asked, words):
    for question in (dl.contrasts, dl.f_test):
        with pytest.raises(dl.PlanError) as caught:
            question(fit, asked)
        assert words in str(caught.value)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda f: dl.simple_slopes(f, "arm"), "holds text and has no slope"),
        (lambda f: dl.simple_slopes(f, "tt"), "'tt' is not a predictor"),
        (lambda f: dl.simple_slopes(f, "t", at={"g": 1}), "does not interact with 'g'"),
        (lambda f: dl.simple_slopes(f, "t", at={"x": "+1sd"}), "Compute it first"),
        (lambda f: dl.simple_slopes(f, "t", at={"x": [math.nan]}), "is not a number"),
        (lambda f: dl.simple_slopes(f, "t", at={"x": []}), "No value of 'x'"),
        (lambda f: dl.simple_slopes(f, "t", at={"arm": "CTB"}), "Did you mean 'CBT'?"),
        (lambda f: dl.contrasts(f, "t", df="kenward"), "Did you mean 'kenward-roger'?"),
        (lambda f: dl.f_test(f, "t", df="normal"), "not known"),
        (lambda f: dl.contrasts(f, "t", level=95), "between 0 and 1"),
    ],
)
def test_wrong_questions_are_refused_in_words(fit, call, words):
    with pytest.raises(dl.PlanError) as caught:
        call(fit)
    assert words in str(caught.value)
