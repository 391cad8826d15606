"""What a model says must not depend on where zero lies, on units, on labels or on the order of rows."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import dyadline as dl

FORMULA = "y ~ t * x + (t | g)"


def study(seed=4, groups=30):
    rng = np.random.default_rng(seed)
    g = np.repeat(np.arange(groups), 6)
    t = np.tile(np.arange(6.0), groups)
    x = rng.normal(size=groups)
    b = rng.normal(size=(groups, 2)) @ np.array([[2.0, 0.0], [-0.2, 0.6]]).T
    y = 10 - t + 0.5 * x[g] + 0.2 * x[g] * t + b[g, 0] + b[g, 1] * t + rng.normal(size=len(g))
    frame = pl.DataFrame({"g": [f"d{k}" for k in g], "t": t, "x": x[g], "y": y})
    return frame.filter(pl.Series(rng.random(len(g)) > 0.15))


def table(frame, formula=FORMULA, method="REML"):
    fitted = dl.fit(formula, frame, method)
    rows = {row["term"]: row for row in dl.coefficients(fitted).to_dicts()}
    components = [row["estimate"] for row in dl.variance_components(fitted).to_dicts()]
    return fitted, rows, np.array(components)


def same_slopes(a, b, *, factor=1.0):
    for term in ("t", "t:x"):
        for column in ("estimate", "std_error"):
            assert b[term][column] == pytest.approx(factor * a[term][column], rel=1e-8)
        assert b[term]["df"] == pytest.approx(a[term]["df"], rel=1e-6)


def test_adding_a_million_to_the_outcome_moves_the_intercept_alone():
    a, rows, components = table(study())
    b, moved, other = table(study().with_columns(pl.col("y") + 1e6))
    same_slopes(rows, moved)
    assert moved["(Intercept)"]["estimate"] - 1e6 == pytest.approx(rows["(Intercept)"]["estimate"], rel=1e-8)
    np.testing.assert_allclose(other, components, rtol=1e-7)
    assert b.criterion == pytest.approx(a.criterion, rel=1e-8)


def test_adding_a_million_to_time_changes_intercepts_alone():
    a, rows, components = table(study())
    b, moved, other = table(study().with_columns(pl.col("t") + 1e6))
    same_slopes(rows, moved)
    assert b.criterion == pytest.approx(a.criterion, rel=1e-8)
    assert other[2] == pytest.approx(components[2], rel=1e-7)  # variance of the slopes
    assert other[3] == pytest.approx(components[3], rel=1e-7)  # residual
    # The line at the old origin: intercept + 1e6 · slope of the moved model.
    back = moved["(Intercept)"]["estimate"] + 1e6 * moved["t"]["estimate"]
    assert back == pytest.approx(rows["(Intercept)"]["estimate"], abs=1e-7)


@pytest.mark.parametrize("factor", [1e6, 1e-6])
def test_units_of_the_outcome(factor):
    a, rows, components = table(study())
    b, scaled, other = table(study().with_columns(pl.col("y") * factor))
    same_slopes(rows, scaled, factor=factor)
    np.testing.assert_allclose(other, components * factor**2, rtol=1e-7)
    # REML: the density of n − p contrasts changes by the factor each.
    assert b.criterion - a.criterion == pytest.approx(2 * (a.n_rows - 4) * np.log(factor), rel=1e-8)


@pytest.mark.parametrize("factor", [1e6, 1e-6])
def test_units_of_time(factor):
    a, rows, components = table(study())
    b, scaled, other = table(study().with_columns(pl.col("t") * factor))
    same_slopes(rows, scaled, factor=1 / factor)
    assert other[2] == pytest.approx(components[2] / factor**2, rel=1e-7)
    assert b.converged and a.converged


def test_order_of_rows_and_labels_do_not_matter():
    frame = study()
    a, rows, components = table(frame)
    shuffled = frame.sample(fraction=1.0, shuffle=True, seed=3).with_columns(g="other " + pl.col("g").str.reverse())
    b, other_rows, other = table(shuffled)
    same_slopes(rows, other_rows)
    np.testing.assert_allclose(other, components, rtol=1e-8)
    assert b.criterion == pytest.approx(a.criterion, rel=1e-10)


def test_uncorrelated_effects_are_not_moved_by_a_shift_that_would_change_the_model():
    # Without the correlation the model depends on where time is zero: the engine must not choose another zero.
    frame = study().with_columns(pl.col("t") + 3)
    together = dl.fit("y ~ t + (1 | g) + (0 + t | g)", frame)
    bars = dl.fit("y ~ t + (t || g)", frame)
    moved = dl.fit("y ~ t + (t || g)", study())
    assert bars.criterion == pytest.approx(together.criterion, rel=1e-12)
    assert abs(bars.criterion - moved.criterion) > 0.1


def test_a_product_without_its_parts_is_the_model_as_written():
    # y ~ t:x has no main effects; shifting t or x would smuggle them in.
    frame = study().with_columns(pl.col("t") + 5, pl.col("x") + 7, tx=(pl.col("t") + 5) * (pl.col("x") + 7))
    as_product = dl.fit("y ~ t:x + (1 | g)", frame)
    as_column = dl.fit("y ~ tx + (1 | g)", frame)
    assert as_product.criterion == pytest.approx(as_column.criterion, rel=1e-12)
    assert as_product.design.terms == ("(Intercept)", "t:x")


def test_kinds_of_frames_come_back_as_they_came():
    frame = study()
    for other, kind in ((frame.to_pandas(), "DataFrame"), (frame.to_arrow(), "Table")):
        fitted = dl.fit(FORMULA, other)
        assert fitted.criterion == dl.fit(FORMULA, frame).criterion
        for answer in (dl.coefficients(fitted), dl.variance_components(fitted), dl.information_criteria(fitted)):
            assert type(answer).__name__ == kind
            assert type(answer).__module__.split(".")[0] in ("pandas", "pyarrow")
