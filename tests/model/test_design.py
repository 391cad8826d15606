"""From names to columns: categories, missing values, collinear columns, and what is refused in words."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import dyadline as dl


def study(groups=24, times=4):
    rng = np.random.default_rng(8)
    g = np.repeat(np.arange(groups), times)
    t = np.tile(np.arange(float(times)), groups)
    x = rng.normal(size=groups)
    y = 3 + t * 0.5 + x[g] + rng.normal(size=groups)[g] + rng.normal(size=len(g))
    arm = np.array(["CBT", "IPT", "TAU"])[np.arange(groups) % 3]
    return pl.DataFrame({"g": g, "t": t, "x": x[g], "y": y, "arm": arm[g], "late": t > 1})


def test_text_is_treatment_coded_with_the_first_level_as_reference():
    fitted = dl.fit("y ~ t * arm + (1 | g)", study())
    assert fitted.design.terms == ("(Intercept)", "t", "armIPT", "armTAU", "t:armIPT", "t:armTAU")
    assert fitted.design.levels == {"arm": ("CBT", "IPT", "TAU")}


def test_without_an_intercept_every_level_has_a_column():
    fitted = dl.fit("y ~ 0 + arm + t + (1 | g)", study())
    assert fitted.design.terms == ("armCBT", "armIPT", "armTAU", "t")
    means = study().group_by("arm").agg(pl.col("y").mean() - 1.5 * pl.col("t").mean() / 1.5).sort("arm")
    with_reference = dl.coefficients(dl.fit("y ~ arm + t + (1 | g)", study()))["estimate"]
    each = dl.coefficients(fitted)["estimate"]
    assert each[1] - each[0] == pytest.approx(with_reference[1], rel=1e-9)
    assert len(means) == 3


def test_truth_values_are_named_as_r_names_them():
    assert dl.fit("y ~ late + (1 | g)", study()).design.terms == ("(Intercept)", "lateTRUE")


def test_transforms_are_taken_of_the_column():
    frame = study()
    by_hand = dl.fit("y ~ lt + (1 | g)", frame.with_columns(lt=pl.col("t").log1p()))
    fitted = dl.fit("y ~ log1p(t) + (1 | g)", frame)
    assert fitted.criterion == pytest.approx(by_hand.criterion, rel=1e-12)
    assert fitted.design.terms[1] == "log1p(t)"


def test_missing_rows_are_counted_and_lost_groups_named():
    frame = study().with_columns(
        y=pl.when(pl.col("g") == 3).then(None).otherwise(pl.col("y")),
        x=pl.when((pl.col("g") == 5) & (pl.col("t") == 0)).then(float("nan")).otherwise(pl.col("x")),
    )
    fitted = dl.fit("y ~ t + x + (1 | g)", frame)
    assert (fitted.n_rows, fitted.n_groups, fitted.design.n_dropped) == (91, 23, 5)
    assert fitted.design.lost == ("3",)


def test_a_linear_combination_is_named():
    frame = study().with_columns(z=2 * pl.col("x") - pl.col("t") + 3)
    with pytest.raises(dl.FitError) as caught:
        dl.fit("y ~ t + x + z + (1 | g)", frame)
    assert "z = 3·(Intercept) − t + 2·x" in str(caught.value)


def test_every_superfluous_term_is_named():
    frame = study().with_columns(a=pl.col("x") * 1.0, b=pl.lit(4.0))
    with pytest.raises(dl.FitError) as caught:
        dl.fit("y ~ x + a + b + (1 | g)", frame)
    assert "a = x" in str(caught.value) and "b = 4·(Intercept)" in str(caught.value)


def test_products_of_a_superfluous_term_are_not_told_again():
    frame = study().with_columns(z=2 * pl.col("x"))
    with pytest.raises(dl.FitError) as caught:
        dl.fit("y ~ t * (x + z) + (1 | g)", frame)
    assert str(caught.value) == "The fixed effects repeat each other: z = 2·x. Leave one of the named terms out."


def test_nearly_collinear_columns_are_fitted():
    rng = np.random.default_rng(1)
    frame = study().with_columns(z=pl.col("x") + 1e-4 * pl.Series(rng.normal(size=96)))
    near = dl.fit("y ~ x + z + (1 | g)", frame)
    apart = dl.fit("y ~ x + d + (1 | g)", frame.with_columns(d=(pl.col("z") - pl.col("x")) * 1e4))
    assert near.converged
    row = dl.coefficients(near).to_dicts()[2]
    other = dl.coefficients(apart).to_dicts()[2]
    assert row["statistic"] == pytest.approx(other["statistic"], rel=1e-5)


@pytest.mark.parametrize(
    ("formula", "change", "error", "words"),
    [
        ("y ~ tt + (1 | g)", {}, dl.PlanError, "no column 'tt'"),
        ("y ~ t", {}, dl.PlanError, "no random effect"),
        ("y ~ t + (1 | g) + (1 | arm) + (1 | t)", {}, dl.PlanError, "too many"),
        ("arm ~ t + (1 | g)", {}, dl.DataError, "holds text, not numbers"),
        ("ill ~ t + (1 | g)", {"ill": pl.col("t") > 1}, dl.DataError, "holds true and false, not numbers"),
        ("cbind(y, ill) ~ t + (1 | g)", {"ill": pl.col("t") > 1}, dl.DataError, "holds true and false"),
        ("y ~ day + (1 | g)", {"day": pl.date(2024, 1, 1)}, dl.DataError, "dates or times, which are neither"),
        ("y ~ log(day) + (1 | g)", {"day": pl.date(2024, 1, 1)}, dl.DataError, "needs numbers, but column 'day' holds"),
        ("y ~ lag + (1 | g)", {"lag": pl.duration(days=1)}, dl.DataError, "type Duration"),
        ("y ~ t + (1 | many)", {"many": pl.lit([1, 2])}, dl.DataError, "type List(Int64)"),
        ("y ~ log(t) + (1 | g)", {}, dl.DataError, "log(t) is not a finite number in 24 rows"),
        ("y ~ t + (1 | one)", {"one": pl.lit("a")}, dl.DataError, "one group"),
        ("y ~ one + (1 | g)", {"one": pl.lit("a")}, dl.FitError, "single value 'a'"),
        ("gone ~ t + (1 | g)", {"gone": pl.lit(None, pl.Float64)}, dl.DataError, "No row has a value"),
        ("inf ~ t + (1 | g)", {"inf": pl.col("y") / 0.0}, dl.DataError, "96 infinite values"),
        ("vast ~ t + (1 | g)", {"vast": pl.col("y") * 1e150}, dl.DataError, "'vast' has values beyond 1e+75"),
        ("flat ~ t + (1 | g)", {"flat": pl.lit(2.0)}, dl.FitError, "without any remainder"),
        ("copy ~ t + (1 | g)", {"copy": 2 * pl.col("t") + 1}, dl.FitError, "without any remainder"),
        ("steps ~ t + (1 | g)", {"steps": pl.col("g") * 1.5}, dl.FitError, "without any remainder"),
    ],
)
def test_what_cannot_be_fitted_is_said_in_a_sentence(formula, change, error, words):
    with pytest.raises(error) as caught:
        dl.fit(formula, study().with_columns(**change))
    assert words in str(caught.value)


def test_a_frame_is_needed():
    with pytest.raises(dl.PlanError, match="A frame is needed, not dict"):
        dl.fit("y ~ t + (1 | g)", {"y": [1.0]})


def test_the_method_is_reml_or_ml():
    with pytest.raises(dl.PlanError, match="Did you mean 'REML'"):
        dl.fit("y ~ t + (1 | g)", study(), method="RML")


def test_two_columns_together_make_the_groups():
    frame = study().with_columns(clinic=pl.col("g") % 2, case=pl.col("g") // 2)
    nested = dl.fit("y ~ t + (1 | clinic:case)", frame)
    assert nested.n_groups == 24
    assert nested.criterion == pytest.approx(dl.fit("y ~ t + (1 | g)", frame).criterion, rel=1e-10)
