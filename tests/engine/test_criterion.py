"""The criterion's derivatives against differences of the referee's dense likelihood, and its two ways to sum."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import referee
from dyadline.engine.covariance import Level, Structure
from dyadline.engine.criterion import evaluate
from dyadline.engine.moments import moments
from dyadline.engine.optimize import Minimum, minimise
from dyadline.engine.solve import Problem, _better, solve

METHODS = ("REML", "ML")


def problem(blocks=(2,), seed=1, groups=9):
    """Unbalanced rows (X, y, Z, starts) with q random effects, some groups with a single row."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 8, groups)
    codes = np.repeat(np.arange(groups), sizes)
    n, q = len(codes), sum(blocks)
    Z = np.column_stack([np.ones(n), *(rng.normal(size=n) for _ in range(q - 1))])
    X = np.column_stack([Z, rng.normal(size=n)])
    y = X.sum(axis=1) + (rng.normal(size=(groups, q))[codes] * Z).sum(axis=1) + rng.normal(size=n)
    return X, y, Z, codes


def accumulated(X, y, Z, codes):
    return moments(np.column_stack([X, y]), Z, np.flatnonzero(np.r_[True, codes[1:] != codes[:-1]]))


def as_blocks(Z, codes, D, blocks):
    begin, parts, covariances = 0, [], []
    for size in blocks:
        part = slice(begin, begin + size)
        parts.append((Z[:, part], codes))
        covariances.append(D[part, part])
        begin += size
    return parts, covariances


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("blocks", [(1,), (2,), (1, 1), (3,), (2, 1), (6,)])
def test_value_gradient_and_hessian_are_those_of_the_dense_likelihood(blocks, method):
    X, y, Z, codes = problem(blocks, groups=12 + 6 * len(blocks))
    structure = Structure((Level(blocks),))
    m = accumulated(X, y, Z, codes)
    theta = np.random.default_rng(7).uniform(0.3, 1.0, structure.levels[0].n_entries)

    def dense(point):
        parts, covariances = as_blocks(Z, codes, structure.relative(point)[0], blocks)
        return referee.criterion(y, X, parts, covariances, method)

    found = evaluate(m, structure, theta)
    value, in_entries, in_entries_twice = found.profiled(method)
    gradient, hessian = structure.pull_back(theta, in_entries, in_entries_twice)
    assert value == pytest.approx(dense(theta), rel=1e-11)
    steps = np.full(len(theta), 0.02)
    np.testing.assert_allclose(gradient, referee.gradient(dense, theta, steps), rtol=1e-6, atol=1e-6)
    if len(theta) <= 6:
        np.testing.assert_allclose(hessian, referee.hessian(dense, theta, steps), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_unprofiled_derivatives_are_those_of_the_dense_likelihood(method):
    X, y, Z, codes = problem()
    structure = Structure((Level((2,)),))
    D = np.array([[0.8, 0.2], [0.2, 0.5]])
    found = evaluate(accumulated(X, y, Z, codes), structure, structure.theta([D]))
    s = found.variance(method)

    def dense(point):
        G = point[3] * np.array([[point[0], point[1]], [point[1], point[2]]])
        return referee.unprofiled(y, X, [(Z, codes)], [G], point[3], method)

    at = np.array([D[0, 0], D[1, 0], D[1, 1], s])
    gradient, hessian = found.unprofiled(method)
    np.testing.assert_allclose(gradient, referee.gradient(dense, at, 0.02 * at), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(hessian, referee.hessian(dense, at, 0.02 * at), rtol=1e-5, atol=1e-4)


def test_groups_one_by_one_and_cells_give_the_same():
    X, y, Z, codes = problem(groups=40)
    X[:, 1] = Z[:, 1] = np.round(Z[:, 1])  # few different designs
    structure = Structure((Level((2,)),))
    m = accumulated(X, y, Z, codes)
    assert m.packed is not None and len(m.counts) < m.n_groups
    one_by_one = dataclasses.replace(m, packed=None)
    D = np.array([[0.8, 0.2], [0.2, 0.5]])
    a, b = evaluate(m, structure, structure.theta([D])), evaluate(one_by_one, structure, structure.theta([D]))
    np.testing.assert_allclose(a.products, b.products, rtol=1e-12)
    np.testing.assert_allclose(a.dd_rss, b.dd_rss, rtol=1e-10)


@pytest.mark.parametrize("repeated", [True, False])
@pytest.mark.parametrize("cut", [1, 17, 39])
def test_moments_of_two_parts_add_up_to_the_whole(cut, repeated):
    X, y, Z, codes = problem(groups=40)
    if repeated:
        X[:, 1] = Z[:, 1] = np.round(Z[:, 1])
    whole = accumulated(X, y, Z, codes)
    here = codes < cut
    parts = [accumulated(X[rows], y[rows], Z[rows], codes[rows]) for rows in (here, ~here)]
    joined = parts[0] + parts[1]
    structure, D = Structure((Level((2,)),)), np.array([[0.8, 0.2], [0.2, 0.5]])
    a, b = evaluate(whole, structure, structure.theta([D])), evaluate(joined, structure, structure.theta([D]))
    assert (joined.n_rows, joined.n_groups) == (whole.n_rows, whole.n_groups)
    assert len(joined.counts) == len(whole.counts)
    for method in METHODS:
        assert b.criterion(method) == pytest.approx(a.criterion(method), rel=1e-12)
    np.testing.assert_allclose(b.products, a.products, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(b.dd_rss, a.dd_rss, rtol=1e-10)
    np.testing.assert_allclose(b.d_log_v, a.d_log_v, rtol=1e-12)


def test_large_designs_that_never_repeat_are_kept_one_by_one():
    X, y, Z, codes = problem(blocks=(6,), groups=30)
    assert accumulated(X, y, Z, codes).packed is None


def test_theta_and_relative_covariance_are_inverse():
    structure = Structure((Level((2, 1)),))
    D = np.array([[4.0, 1.0, 0.0], [1.0, 3.0, 0.0], [0.0, 0.0, 2.0]])
    np.testing.assert_allclose(structure.relative(structure.theta([D]))[0], D, rtol=1e-14)
    singular = np.array([[4.0, 2.0, 0.0], [2.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    np.testing.assert_allclose(structure.relative(structure.theta([singular]))[0], singular, atol=1e-14)


def test_minimise_leaves_a_saddle_point():
    # f = (x² − 1)² + y²: a saddle at the origin, minima at x = ±1.
    def function(point):
        x, y = point
        return (
            (x**2 - 1) ** 2 + y**2,
            np.array([4 * x * (x**2 - 1), 2 * y]),
            np.array([[12 * x**2 - 4, 0.0], [0.0, 2.0]]),
        )

    ended = minimise(function, np.zeros(2))
    assert ended.certified
    np.testing.assert_allclose(np.abs(ended.point), [1.0, 0.0], atol=1e-9)


def test_minimise_says_when_it_had_to_stop_early():
    def function(point):  # Rosenbrock
        x, y = point
        value = (1 - x) ** 2 + 100 * (y - x**2) ** 2
        gradient = np.array([-2 * (1 - x) - 400 * x * (y - x**2), 200 * (y - x**2)])
        return value, gradient, np.array([[2 - 400 * y + 1200 * x**2, -400 * x], [-400 * x, 200.0]])

    assert not minimise(function, np.array([-1.2, 1.0]), limit=4).certified
    ended = minimise(function, np.array([-1.2, 1.0]))
    assert ended.certified
    np.testing.assert_allclose(ended.point, 1.0, rtol=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_a_variance_of_zero_is_found_named_and_certified(method):
    X, y, Z, codes = problem(groups=14)
    rng = np.random.default_rng(2)
    y = X.sum(axis=1) + rng.normal(size=len(y))
    # Take the group means out: nothing is left that could vary between groups.
    residual = y - X @ np.linalg.lstsq(X, y, rcond=None)[0]
    means = np.bincount(codes, residual) / np.bincount(codes)
    y = y - means[codes]
    structure = Structure((Level((1,)),))
    solution = solve(Problem(moments=accumulated(X, y, Z[:, :1], codes), structure=structure, method=method))
    assert solution.singular and solution.converged and solution.relative[0][0, 0] == 0.0
    assert solution.descent >= 0
    best = referee.optimum(y, X, [(Z[:, :1], codes)], method)
    assert solution.evaluation.criterion(method) <= best.criterion + 1e-7


@pytest.mark.parametrize(
    ("certified", "values", "expected"),
    [
        ((True, False), (5.0, 4.0), False),  # a certificate does not buy a worse value
        ((True, False), (4.0, 4.0), True),
        ((False, True), (4.0, 4.0), False),
        ((False, True), (3.0, 4.0), True),
        ((True, True), (4.0, 4.0), False),
    ],
)
def test_the_lower_end_wins_and_the_certificate_breaks_ties(certified, values, expected):
    one, other = (
        Minimum(
            point=np.zeros(1),
            value=value,
            gradient_norm=0.0,
            decrement=0.0 if sure else 1.0,
            eigenvalues=np.ones(1),
            evaluations=1,
        )
        for sure, value in zip(certified, values, strict=True)
    )
    assert _better(one, other) is expected
