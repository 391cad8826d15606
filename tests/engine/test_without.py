"""Moments without some groups are those of the frame without them; one matrix product refits as single refits do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import dyadline as dl
from dyadline.engine.counts import uncounted
from dyadline.engine.criterion import evaluate
from dyadline.engine.moments import Moments, together
from dyadline.engine.one_step import dyad_shares, staged
from dyadline.engine.optima import derivatives
from dyadline.engine.without import inestimable, without
from dyadline.inference.omission import Reduced, parts, refitted, refitted_together, stepped

TWO = "y ~ t * x + (t | dyad)"
THREE = "y ~ t * x + (t | dyad) + (1 | therapist)"
RESIDUALS = [None, "ar1(s)", "car1(t)", "cs", "by(odd)"]


@pytest.fixture(scope="module")
def frame() -> pl.DataFrame:
    rng = np.random.default_rng(5)
    dyads, sessions = 24, 7
    dyad = np.repeat(np.arange(dyads), sessions)
    s = np.tile(np.arange(sessions), dyads)
    x = rng.normal(size=dyads)[dyad]
    effects = rng.normal(size=(dyads, 2))[dyad] @ np.array([[1.0, 0.2], [0.0, 0.4]])
    therapist = dyad // 4
    y = 5 + 0.4 * s + 0.5 * x + effects[:, 0] + effects[:, 1] * s / 3 + rng.normal(size=6)[therapist]
    y = y + rng.normal(size=len(s))
    whole = pl.DataFrame({"y": y, "s": s, "t": s / 3, "odd": s % 2, "x": x, "dyad": dyad, "therapist": therapist})
    return whole.filter(pl.Series(rng.random(len(s)) > 0.15))


def fitted(frame: pl.DataFrame, formula: str, residual: str | None) -> dl.Fit:
    return dl.fit(formula, frame, residual=residual)


@pytest.mark.parametrize("residual", RESIDUALS)
@pytest.mark.parametrize(("formula", "level"), [(TWO, 0), (THREE, 1)])
def test_the_criterion_without_a_group_is_that_of_the_other_rows(frame, formula, level, residual):
    """At any θ: value, gradient and Hessian from subtracted moments and from moments of the rows that stay."""
    fit = fitted(frame, formula, residual)
    made = fit.design
    rng = np.random.default_rng(1)
    group = made.groupings[level]
    for number, part in enumerate(parts(fit, level)):
        if number not in (0, 3, len(group.labels) - 1):
            continue
        # Standardised as all rows are: the other groups' parts, added up.
        others = [one for k, one in enumerate(parts(fit, level)) if k != number]
        rest = without(made.moments, part.moments, part.groups)
        structure = replace(made.structure, residual=uncounted(made.structure.residual, part.residual))
        theta = fit.solution.theta + 0.1 * rng.normal(size=len(fit.solution.theta))
        direct = together([one.moments for one in others])
        got, want = (evaluate(m, structure, theta).profiled("REML") for m in (rest, direct))
        assert got[0] == pytest.approx(want[0], rel=1e-12)
        np.testing.assert_allclose(got[1], want[1], rtol=1e-8, atol=1e-8)
        np.testing.assert_allclose(got[2], want[2], rtol=1e-8, atol=1e-7)


def difference(a: Moments, b: Moments) -> float:
    pairs = [(a.total, b.total), (a.within, b.within), (a.lines, b.lines)]
    return max(float(np.abs(x - y).max() / np.abs(y).max()) for x, y in pairs)


@pytest.mark.parametrize("formula", [TWO, THREE])
def test_what_is_added_can_be_subtracted(frame, formula):
    fit = fitted(frame, formula, None)
    outermost = len(fit.design.groupings) - 1
    found = list(parts(fit, outermost))
    whole, rest = together([one.moments for one in found]), together([one.moments for one in found[1:]])
    left = without(whole, found[0].moments, found[0].groups)
    assert left.n_rows == rest.n_rows
    assert difference(left, rest) < 1e-12
    assert left.packed is not None
    assert rest.packed is not None
    mine = left.packed.reshape(len(left.gram), -1)[left.counts > 0]
    theirs = rest.packed.reshape(len(rest.gram), -1)
    assert np.abs(mine.sum(axis=0) - theirs.sum(axis=0)).max() < 1e-11 * np.abs(theirs).sum()
    if left.upper is not None and rest.upper is not None:
        np.testing.assert_allclose(left.upper.rest, rest.upper.rest, atol=1e-12)
        np.testing.assert_array_equal(left.upper.unit, rest.upper.unit)
        assert left.upper.pair_counts.sum() == rest.upper.pair_counts.sum()


def test_columns_that_only_the_removed_rows_had():
    """The third column is zero elsewhere, the fourth repeats the second elsewhere."""
    rng = np.random.default_rng(0)
    X = np.column_stack([np.ones(40), rng.normal(size=40), np.zeros(40), np.zeros(40), rng.normal(size=40)])
    X[:5, 2] = 1.0
    X[:, 3] = X[:, 1]
    X[:5, 3] += rng.normal(size=5)
    gone = X[:5]
    np.testing.assert_array_equal(inestimable(X.T @ X, X.T @ X - gone.T @ gone), [2, 3])
    assert len(inestimable(X.T @ X, X.T @ X - X[5:9].T @ X[5:9])) == 0


@pytest.mark.parametrize("method", ["REML", "ML"])
@pytest.mark.parametrize("formula", [TWO, "y ~ t * x + (t || dyad)", "y ~ t + (1 | dyad)"])
def test_all_refits_at_once_are_the_single_refits(frame, formula, method):
    """From one Newton step; only a step too long, or the boundary, needs a refit of its own."""
    fit = dl.fit(formula, frame, method=method)
    near, doubtful = stepped(fit, 0)
    assert doubtful.sum() == 1
    for one, start, part, free in zip(refitted_together(fit, near), near, parts(fit, 0), doubtful, strict=True):
        assert isinstance(start, Reduced)
        single = refitted(fit, part, fit.solution.theta)
        assert isinstance(single, Reduced)
        if one is None:
            assert free or single.singular
            continue
        assert one.criterion == pytest.approx(single.criterion, abs=1e-9)
        assert one.displacement == pytest.approx(single.displacement, rel=1e-6, abs=1e-7)
        np.testing.assert_allclose(one.beta, single.beta, atol=1e-7)
        np.testing.assert_allclose(one.theta, single.theta, atol=1e-6)
        np.testing.assert_allclose(one.inverse, single.inverse, rtol=1e-6, atol=1e-10)
        assert one.variance == pytest.approx(single.variance, rel=1e-7)


def test_gradient_and_hessian_from_shares_are_those_of_the_other_rows(frame):
    """What one step starts from, for every dyad at once."""
    fit = dl.fit(TWO, frame)
    made, theta = fit.design, fit.solution.theta
    gone = dyad_shares(made.moments, made.source.rows(), slice(0, fit.n_groups), made.structure, theta)
    stage = staged(made.moments, made.structure, theta)
    nu = fit.n_rows - gone.n_rows - len(made.terms)
    gradient, hessian = derivatives(stage.products - gone.products, len(theta), nu, True)
    gradient, hessian = gradient + stage.d_log_v - gone.d_log_v, hessian + stage.dd_log_v - gone.dd_log_v
    for number, part in enumerate(parts(fit, 0)):
        rest = without(made.moments, part.moments, part.groups)
        _, want, curvature = evaluate(rest, made.structure, theta).profiled("REML")
        np.testing.assert_allclose(gradient[number], want, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(hessian[number], curvature, rtol=1e-9, atol=1e-8)
