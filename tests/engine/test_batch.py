"""Many responses at once: closed forms, the dense referee, and fits one by one."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import referee
from dyadline.engine import batch_information
from dyadline.engine.batch import solve_many
from dyadline.engine.batch_information import satterthwaite_many
from dyadline.engine.covariance import Level, Structure
from dyadline.engine.criterion import evaluate
from dyadline.engine.forms import Form, Rows, accumulate
from dyadline.engine.moments import moments
from dyadline.engine.replicates import replicates, residuals, with_response
from dyadline.engine.residual import UnequalVariances
from dyadline.engine.solutions import Solutions
from dyadline.engine.solve import Problem, solve

METHODS = ("REML", "ML")


def rows(seed=1, groups=24, q=2, p=5, repeated=False, above=None):
    """Unbalanced rows; with `repeated` few different designs of dyads; `above` therapists' random effects."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 10, groups)
    codes = np.repeat(np.arange(groups), sizes)
    n = len(codes)
    time = np.concatenate([np.arange(size) for size in sizes]) / 4.0 - 1.0
    other = time**2 if repeated else rng.normal(size=n)
    if not repeated:
        time = time + rng.normal(size=n) / 3.0
    Z = np.column_stack([np.ones(n), time, other])[:, :q]
    X = np.column_stack([np.ones(n), time, *(rng.normal(size=groups)[codes] for _ in range(p))])[:, :p]
    starts = np.flatnonzero(np.r_[True, codes[1:] != codes[:-1]])
    unit = None if above is None else np.sort(rng.integers(0, 6, groups))
    if unit is not None:
        unit = np.unique(unit, return_inverse=True)[1]
    return Rows(
        columns=np.column_stack([X, rng.normal(size=n)]),
        random=Z,
        starts=starts,
        above=None if above is None else Z[:, :above],
        unit=unit,
    ), codes


def responses(design, codes, size=8, seed=2, spread=(-2.0, 1.0)):
    """Responses whose random effects have anything from no to overwhelming variance, of SD 1."""
    rng = np.random.default_rng(seed)
    sd = 10.0 ** rng.uniform(*spread, (design.random.shape[1], size))
    b = rng.normal(size=(codes.max() + 1, *sd.shape)) * sd
    y = np.einsum("nqr,nq->nr", b[codes], design.random) + rng.normal(size=(len(codes), size))
    y += design.columns[:, :-1] @ rng.normal(size=(design.columns.shape[1] - 1, size))
    return (y - y.mean(axis=0)) / y.std(axis=0)


def accumulated(design):
    return moments(design.columns, design.random, design.starts, design.above, design.unit)


def with_column(design, y):
    return dataclasses.replace(design, columns=np.column_stack([design.columns[:, :-1], y]))


def assert_same(found, number, alone, structure, method):
    """Criterion, flags, D, coefficients and their precision are those of a fit of its own."""
    assert found.criterion[number] == pytest.approx(alone.evaluation.criterion(method), abs=1e-8, rel=1e-12)
    assert found.singular[number] == alone.singular
    assert found.converged[number] == alone.converged
    exact = 2e-6 if alone.singular else 2e-7  # on the boundary `solve` stops at gains below 1e-12
    for mine, other in zip(structure.relative(found.theta[number]), alone.relative, strict=True):
        np.testing.assert_allclose(mine, other, rtol=exact, atol=exact * max(1e-2, np.abs(other).max()))
    np.testing.assert_allclose(found.beta[number], alone.evaluation.beta, rtol=1e-6, atol=1e-8)
    scale = alone.evaluation.inverse
    np.testing.assert_allclose(found.inverse[number], scale, rtol=1e-6, atol=1e-7 * np.abs(scale).max())
    assert found.rss[number] == pytest.approx(alone.evaluation.rss, rel=1e-6)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("blocks", "p", "repeated"),
    [((1,), 1, False), ((1,), 14, True), ((2,), 2, True), ((2,), 14, False), ((1, 1), 4, True), ((3,), 6, False)],
)
def test_each_replicate_is_a_fit_of_its_own(blocks, p, repeated, method):
    q = sum(blocks)
    design, codes = rows(groups=12 * q + p + 4, q=q, p=p, repeated=repeated)
    y = responses(design, codes, size=8) if q < 3 else responses(design, codes, size=4, spread=(-0.7, 0.5))
    structure = Structure((Level(blocks),))
    found = solve_many(Problem(moments=accumulated(design), structure=structure, method=method), design, y)
    singular = 0
    for number in range(y.shape[1]):
        own = Problem(moments=accumulated(with_column(design, y[:, number])), structure=structure, method=method)
        alone = solve(own)
        singular += alone.singular
        assert_same(found, number, alone, structure, method)
    assert singular < y.shape[1]


@pytest.mark.parametrize("method", METHODS)
def test_balanced_one_way_layouts_follow_the_analysis_of_variance(method):
    J, T, R = 12, 5, 400
    rng = np.random.default_rng(5)
    codes = np.repeat(np.arange(J), T)
    y = 0.35 * rng.normal(size=(J, R))[codes] + rng.normal(size=(J * T, R))
    ones = np.ones((J * T, 1))
    design = Rows(columns=np.column_stack([ones, y[:, 0]]), random=ones, starts=np.arange(0, J * T, T))
    problem = Problem(moments=accumulated(design), structure=Structure((Level((1,)),)), method=method)
    found = solve_many(problem, design, y)

    means = y.reshape(J, T, R).mean(axis=1)
    between = T * means.var(axis=0) * J / (J - 1 if method == "REML" else J)  # expected: σ² + T σ_b²
    within = ((y.reshape(J, T, R) - means[:, None]) ** 2).sum(axis=(0, 1)) / (J * (T - 1))
    edge = between <= within
    assert 20 < edge.sum() < R - 20
    np.testing.assert_array_equal(found.singular, edge)
    assert found.converged.all()
    np.testing.assert_allclose(found.beta[:, 0], y.mean(axis=0), rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(found.theta[edge], 0.0, atol=0.0)
    ratio = (between - within)[~edge] / T / within[~edge]
    np.testing.assert_allclose(found.theta[~edge, 0] ** 2, ratio, rtol=1e-6, atol=1e-9)

    df = satterthwaite_many(problem, found, np.eye(1))[:, 0]
    if method == "REML":
        np.testing.assert_allclose(df[~edge], J - 1, rtol=1e-5)
        np.testing.assert_allclose(df[edge], J * T - 1, rtol=1e-9)
    else:
        np.testing.assert_allclose(df[~edge], J, rtol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_criteria_are_those_of_the_dense_referee(method):
    design, codes = rows(groups=15, q=1, p=3)
    y = responses(design, codes, size=3, spread=(-0.3, 0.3))
    structure = Structure((Level((1,)),))
    found = solve_many(Problem(moments=accumulated(design), structure=structure, method=method), design, y)
    X, blocks = design.columns[:, :-1], [(design.random, codes)]
    for number in range(3):
        D = structure.relative(found.theta[number])
        dense = referee.criterion(y[:, number], X, blocks, D, method)
        assert found.criterion[number] == pytest.approx(dense, rel=1e-11)
        assert found.rss[number] == pytest.approx(referee.rss(y[:, number], X, blocks, D), rel=1e-11)
        best = referee.optimum(y[:, number], X, blocks, method)
        assert found.criterion[number] <= best.criterion + 1e-7


def test_the_number_of_replicates_at_once_changes_nothing():
    design, codes = rows(groups=60, q=2, p=4)
    y = responses(design, codes, size=20)
    problem = Problem(moments=accumulated(design), structure=Structure((Level((2,)),)), method="REML")
    one, other = (solve_many(problem, design, y, at_once=size) for size in (7, 128))
    np.testing.assert_array_equal(one.singular, other.singular)
    np.testing.assert_allclose(one.criterion, other.criterion, rtol=1e-12, atol=1e-9)
    np.testing.assert_allclose(one.beta, other.beta, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(one.theta, other.theta, rtol=1e-6, atol=1e-7)
    dfs = [satterthwaite_many(problem, one, np.eye(4), at_once=size) for size in (7, 128)]
    np.testing.assert_allclose(dfs[0], dfs[1], rtol=1e-9)


def test_replicates_that_differ_by_orders_of_magnitude_stay_exact():
    design, codes = rows(groups=60, q=1, p=3)
    rng = np.random.default_rng(3)
    sd = np.array([0.0, 0.3, 1.0, 1.0, 1.0, 30.0, 1e3, 1e4])
    y = rng.normal(size=(60, len(sd)))[codes] * sd + rng.normal(size=(len(codes), len(sd)))
    y /= y.std(axis=0)
    structure = Structure((Level((1,)),))
    found = solve_many(Problem(moments=accumulated(design), structure=structure, method="REML"), design, y)
    for number in range(len(sd)):
        own = Problem(moments=accumulated(with_column(design, y[:, number])), structure=structure, method="REML")
        assert_same(found, number, solve(own), structure, "REML")


def test_most_replicates_are_solved_together(monkeypatch):
    design, codes = rows(groups=80, q=2, p=6)
    y = responses(design, codes, size=50, spread=(-1.5, 0.5))
    alone = []
    monkeypatch.setattr(Solutions, "write_alone", lambda self, number, problem, moments: alone.append(number))
    problem = Problem(moments=accumulated(design), structure=Structure((Level((2,)),)), method="REML")
    found = solve_many(problem, design, y)
    assert len(alone) <= 2
    assert found.singular.sum() > 2


def test_a_response_without_variation_has_no_answer_and_harms_no_other():
    design, codes = rows(groups=40, q=1, p=2)
    y = responses(design, codes, size=4, spread=(-0.3, 0.3))
    disturbed = y.copy()
    disturbed[:, 1] = 1.0
    disturbed[:, 2] = design.columns[:, :2] @ [1.0, 2.0]
    problem = Problem(moments=accumulated(design), structure=Structure((Level((1,)),)), method="REML")
    whole, found = solve_many(problem, design, y), solve_many(problem, design, disturbed)
    assert np.isnan(found.criterion[[1, 2]]).all() and not found.converged[[1, 2]].any()
    np.testing.assert_allclose(found.criterion[[0, 3]], whole.criterion[[0, 3]], rtol=1e-12)
    assert np.isnan(satterthwaite_many(problem, found, np.eye(2))[1]).all()


@pytest.mark.parametrize("above", [None, 1])
@pytest.mark.parametrize("repeated", [True, False])
def test_moments_with_another_response_are_those_of_its_rows(repeated, above):
    design, codes = rows(groups=60, q=2, p=3, repeated=repeated, above=above)
    y = responses(design, codes, size=2)
    structure = Structure((Level((2,)), Level((1,)))[: 2 if above else 1])
    theta = np.array([0.8, 0.2, 0.5, 0.6])[: 4 if above else 3]
    shared = accumulated(design)
    known = replicates(residuals(shared, design), y)
    for number in range(2):
        mine = evaluate(with_response(shared, known, number), structure, theta)
        own = evaluate(accumulated(with_column(design, y[:, number])), structure, theta)
        assert mine.criterion("REML") == pytest.approx(own.criterion("REML"), rel=1e-12)
        np.testing.assert_allclose(mine.dd_rss, own.dd_rss, rtol=1e-9, atol=1e-9)


def test_three_levels_are_fits_of_their_own():
    design, codes = rows(groups=40, q=1, p=2, above=1)
    y = responses(design, codes, size=3, spread=(-0.3, 0.3))
    structure = Structure((Level((1,)), Level((1,))))
    problem = Problem(moments=accumulated(design), structure=structure, method="REML")
    found = solve_many(problem, design, y)
    for number in range(3):
        own = Problem(moments=accumulated(with_column(design, y[:, number])), structure=structure, method="REML")
        assert_same(found, number, solve(own), structure, "REML")


def test_residual_structures_are_fits_of_their_own():
    design, codes = rows(groups=40, q=1, p=2)
    kind = np.arange(len(codes)) % 2
    forms = [Form(diagonal=(kind == k) * 1.0) for k in (0, 1)]
    structure = Structure((Level((1,)),), UnequalVariances(tuple(np.bincount(kind).tolist())))
    y = responses(design, codes, size=3, spread=(-0.3, 0.3)) * np.where(kind, 2.0, 1.0)[:, None]

    def weighed(rows):
        return dataclasses.replace(accumulated(rows), forms=accumulate(rows, forms))

    problem = Problem(moments=weighed(design), structure=structure, method="ML")
    found = solve_many(problem, design, y, accumulated=lambda rows: accumulate(rows, forms))
    for number in range(3):
        own = Problem(moments=weighed(with_column(design, y[:, number])), structure=structure, method="ML")
        assert_same(found, number, solve(own), structure, "ML")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("blocks", [(1,), (2,), (1, 1)])
def test_degrees_of_freedom_together_are_those_one_by_one(blocks, method, monkeypatch):
    design, codes = rows(groups=50, q=sum(blocks), p=4)
    y = responses(design, codes, size=12)
    problem = Problem(moments=accumulated(design), structure=Structure((Level(blocks),)), method=method)
    found = solve_many(problem, design, y)
    contrasts = np.array([[1.0, 0, 0, 0], [0, 1, 0, -1], [0.5, 2, 1, 1]])
    together = satterthwaite_many(problem, found, contrasts)
    monkeypatch.setattr(batch_information, "simultaneous", lambda problem: False)
    np.testing.assert_allclose(together, satterthwaite_many(problem, found, contrasts), rtol=1e-8)
