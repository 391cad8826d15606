"""The referee itself, judged by closed forms, by plain dense algebra, by lme4 and by published numbers."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

import referee
from oracles import answers

SHARED = Path(__file__).resolve().parents[1] / "../shared"
LOG_2PI = np.log(2 * np.pi)


def balanced(groups: int = 12, size: int = 5, seed: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    codes = np.repeat(np.arange(groups), size)
    y = 10 + np.repeat(rng.normal(0, 2, groups), size) + rng.normal(0, 1.5, groups * size)
    return y, np.ones((groups * size, 1)), codes


def one_way(y: np.ndarray, codes: np.ndarray) -> tuple[float, float, int, int]:
    """Sums of squares between and within groups of a balanced layout, number and size of groups."""
    J = codes.max() + 1
    table = y.reshape(J, -1)
    means = table.mean(axis=1)
    within = float(((table - means[:, None]) ** 2).sum())
    return table.shape[1] * float(((means - y.mean()) ** 2).sum()), within, J, table.shape[1]


def unbalanced(seed: int = 5) -> tuple[np.ndarray, np.ndarray, list[referee.Block], list[np.ndarray]]:
    """Dyads (intercept and slope) within therapists (intercept), crossed with a third factor."""
    rng = np.random.default_rng(seed)
    dyad = np.repeat(np.arange(15), rng.integers(1, 7, 15))
    n = len(dyad)
    t, x = rng.uniform(0, 4, n), rng.normal(size=15)[dyad]
    X = np.column_stack([np.ones(n), t, x, t * x])
    Z = np.column_stack([np.ones(n), t])
    blocks = [(Z, dyad), (np.ones((n, 1)), dyad // 4), (t[:, None], rng.integers(0, 3, n))]
    D = [np.array([[0.8, -0.1], [-0.1, 0.3]]), np.array([[0.4]]), np.array([[0.2]])]
    return X @ [1, 2, 3, 4] + rng.normal(size=n), X, blocks, D


def dense(blocks: list[referee.Block], G: list[np.ndarray], s2: float) -> np.ndarray:
    """V with the random effects' incidence written out, column by column."""
    n = len(blocks[0][1])
    V = s2 * np.eye(n)
    for (Z, codes), g in zip(blocks, G, strict=True):
        for code in np.unique(codes):
            wide = np.where((codes == code)[:, None], Z, 0.0)
            V += wide @ g @ wide.T
    return V


def test_compound_symmetry_has_its_closed_form_determinant_and_inverse():
    y, X, codes = balanced()
    between, within, J, n = one_way(y, codes)
    tau = 0.7
    at = referee.solve(y, X, [(np.ones((J * n, 1)), codes)], [np.array([[tau]])])
    assert at.log_det == pytest.approx(J * np.log(1 + n * tau), rel=1e-13)
    assert at.beta[0] == pytest.approx(y.mean(), rel=1e-14)
    assert at.rss == pytest.approx(within + between / (1 + n * tau), rel=1e-13)
    assert np.exp(at.log_det_fixed) == pytest.approx(J * n / (1 + n * tau), rel=1e-13)


def test_reml_of_a_balanced_one_way_layout_is_the_analysis_of_variance():
    y, X, codes = balanced()
    between, within, J, n = one_way(y, codes)
    mse, msb = within / (J * (n - 1)), between / (J - 1)
    assert msb > mse
    best = referee.optimum(y, X, [(np.ones((J * n, 1)), codes)], "REML", starts=3)
    assert best.sigma**2 == pytest.approx(mse, rel=1e-7)
    assert best.G[0][0, 0] == pytest.approx((msb - mse) / n, rel=1e-7)
    closed = (J * n - 1) * (1 + LOG_2PI) + J * (n - 1) * np.log(mse) + (J - 1) * np.log(msb) + np.log(J * n)
    assert best.criterion == pytest.approx(closed, abs=1e-10)


def test_information_and_freedom_of_a_balanced_one_way_layout():
    y, X, codes = balanced()
    between, within, J, n = one_way(y, codes)
    mse, msb = within / (J * (n - 1)), between / (J - 1)
    blocks, G = [(np.ones((J * n, 1)), codes)], [np.array([[(msb - mse) / n]])]
    var_e, var_b = 2 * mse**2 / (J * (n - 1)), 2 * msb**2 / (J - 1)
    expected = np.array([[(var_b + var_e) / n**2, -var_e / n], [-var_e / n, var_e]])
    np.testing.assert_allclose(referee.observed_covariance(y, X, blocks, G, mse, "REML"), expected, rtol=1e-7)
    assert referee.satterthwaite_df(np.eye(1), y, X, blocks, G, mse, "REML")[0] == pytest.approx(J - 1, rel=1e-7)


@pytest.mark.parametrize("method", ["ML", "REML"])
def test_everything_agrees_with_one_dense_matrix(method):
    y, X, blocks, D = unbalanced()
    V, (n, p) = dense(blocks, D, 1.0), X.shape
    W = np.linalg.inv(V)
    XWX = X.T @ W @ X
    b = np.linalg.solve(XWX, X.T @ W @ y)
    r = y - X @ b
    m = n - p if method == "REML" else n
    expected = np.linalg.slogdet(V)[1] + m * (1 + LOG_2PI + np.log(r @ W @ r / m))
    expected += np.linalg.slogdet(XWX)[1] if method == "REML" else 0.0
    assert referee.criterion(y, X, blocks, D, method) == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(referee.beta(y, X, blocks, D), b, rtol=1e-10)
    s2 = referee.sigma(y, X, blocks, D, method) ** 2
    assert s2 == pytest.approx(r @ W @ r / m, rel=1e-12)
    G = [s2 * d for d in D]
    assert referee.unprofiled(y, X, blocks, G, s2, method) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("method", ["ML", "REML"])
def test_numeric_hessian_is_the_textbook_observed_information(method):
    """``d²(−2ℓ)/dθi dθj = −tr(A Vi A Vj) + 2 y'P Vi P Vj P y``, A = P under REML and V⁻¹ under ML."""
    y, X, blocks, D = unbalanced()
    s2, sizes = 1.3, [len(d) for d in D]
    G = [s2 * d for d in D]
    W = np.linalg.inv(dense(blocks, G, s2))
    P = W - W @ X @ np.linalg.solve(X.T @ W @ X, X.T @ W)
    A = P if method == "REML" else W
    here = referee.pack(G, s2)
    parts = []
    for unit in np.eye(len(here)):
        g, s = referee.unpack(unit, sizes)
        parts.append(dense(blocks, g, s))
    H = np.array([[-np.trace(A @ a @ A @ b) + 2 * y @ P @ a @ P @ b @ P @ y for b in parts] for a in parts])
    numeric = referee.hessian(
        lambda v: referee.unprofiled(y, X, blocks, *referee.unpack(v, sizes), method),
        here,
        referee.step_sizes(G, s2),
    )
    np.testing.assert_allclose(numeric, H, rtol=1e-6, atol=1e-7 * np.abs(H).max())


def test_pack_and_unpack_are_inverse():
    G = [np.array([[1.0, 2, 3], [2, 4, 5], [3, 5, 6]]), np.array([[7.0]])]
    vector = referee.pack(G, 8.0)
    assert vector.tolist() == [1, 2, 3, 4, 5, 6, 7, 8]
    again, s2 = referee.unpack(vector, [3, 1])
    assert s2 == 8.0
    for a, b in zip(again, G, strict=True):
        np.testing.assert_array_equal(a, b)


def test_sleepstudy_as_published():
    """lme4's own tests; balanced data, so Satterthwaite's df are 17 exactly (18 subjects − 1)."""
    path = SHARED / "data/sleepstudy.csv"
    if not path.exists():
        pytest.skip("the shared data sets are not beside this checkout")
    with open(path, newline="") as handle:
        rows = list(csv.DictReader(handle))
    y, days = (np.array([float(r[c]) for r in rows]) for c in ("Reaction", "Days"))
    codes = np.unique([r["Subject"] for r in rows], return_inverse=True)[1]
    X = np.column_stack([np.ones_like(days), days])
    blocks = [(X, codes)]
    reml = referee.optimum(y, X, blocks, "REML", starts=2)
    assert reml.criterion == pytest.approx(1743.6282722, abs=5e-7)
    np.testing.assert_allclose(reml.beta, [251.405104848485, 10.467285959595], rtol=1e-12)
    np.testing.assert_allclose(np.sqrt(np.diag(reml.G[0])), [24.7405, 5.9221], rtol=2e-5)
    assert reml.sigma == pytest.approx(25.5918, rel=2e-6)
    df = referee.satterthwaite_df(np.eye(2), y, X, blocks, reml.G, reml.sigma**2, "REML")
    np.testing.assert_allclose(df, [17, 17], rtol=1e-6)
    ml = referee.optimum(y, X, blocks, "ML", starts=2)
    assert ml.criterion == pytest.approx(1751.9393, abs=6e-5)


@pytest.mark.parametrize("answer", answers.fits(), ids=lambda a: a["label"])
def test_lme4_at_a_fixed_theta(answer):
    """Pure arithmetic, so to 1e-11: criterion, fixed effects and residual sum of squares at lme4's own theta.

    lme4's fixed effects come from normal equations: with a quadratic term or a residual variance a millionth of the
    total they carry up to 2e-10 of rounding (judged by the same formulas in extended precision), the referee 1e-13.
    """
    y, X, blocks = answers.arrays(answer)
    exact = 1e-9 if answer["data"] in ("quadratic", "extreme_icc") else 1e-11
    scale = np.array([answer["std_error"][term] for term in answer["terms"]])
    for at in answer["fixed_theta"]:
        D = answers.relative(answer, at["theta"])
        assert referee.criterion(y, X, blocks, D, answer["method"]) == pytest.approx(at["criterion"], rel=1e-11)
        assert referee.rss(y, X, blocks, D) == pytest.approx(at["rss"], rel=1e-11)
        want = np.array([at["beta"][term] for term in answer["terms"]])
        error = np.abs(referee.beta(y, X, blocks, D) - want)
        assert (error <= exact * np.maximum(np.abs(want), scale)).all()
