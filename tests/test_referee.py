"""The referee itself, judged by closed forms, by plain dense algebra, by R's packages and by published numbers."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

import referee
import referee_inference as inference
import referee_residual as residual
from oracles import answers, nested

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


# -- several levels, residual structures and inference, against lme4, nlme, pbkrtest and lmerTest -------------------


def by_term(answer: dict, values: dict) -> np.ndarray:
    return np.array([values[term] for term in answer["terms"]])


def fitted(answer: dict) -> tuple[np.ndarray, np.ndarray, list[referee.Block], list[np.ndarray], float, np.ndarray]:
    """y, X, blocks, G, σ² and V of a fit by lme4."""
    y, X, blocks = nested.arrays(answer)
    s2 = answer["sigma"] ** 2
    G = [s2 * d for d in nested.relative(answer, answer["theta"])]
    return y, X, blocks, G, s2, inference.whole_covariance(blocks, G, s2, len(y))


def label(answer: dict) -> str:
    return answer["label"]


@pytest.mark.parametrize("answer", nested.fits("three_level"), ids=label)
def test_three_levels_at_a_fixed_theta_and_at_the_optimum(answer):
    y, X, blocks = nested.arrays(answer)
    error = by_term(answer, answer["std_error"])
    for at in answer["fixed_theta"]:
        D = nested.relative(answer, at["theta"])
        assert referee.criterion(y, X, blocks, D, answer["method"]) == pytest.approx(at["criterion"], rel=1e-13)
        assert referee.rss(y, X, blocks, D) == pytest.approx(at["rss"], rel=1e-12)
        want = by_term(answer, at["beta"])
        np.testing.assert_array_less(
            np.abs(referee.beta(y, X, blocks, D) - want), 1e-10 * np.maximum(np.abs(want), error)
        )
    D = nested.relative(answer, answer["theta"])
    assert referee.criterion(y, X, blocks, D, answer["method"]) == pytest.approx(answer["criterion"], rel=1e-13)
    se = referee.sigma(y, X, blocks, D, answer["method"]) * np.sqrt(np.diag(referee.solve(y, X, blocks, D).covariance))
    np.testing.assert_allclose(se, error, rtol=1e-11)


@pytest.mark.parametrize(
    "answer",
    [a for a in nested.fits("three_level") if a["df"] and a["data"] in ("therapist_tiny", "therapist_balanced")],
    ids=label,
)
def test_satterthwaite_df_of_three_levels(answer):
    y, X, blocks, G, s2, _ = fitted(answer)
    df = referee.satterthwaite_df(np.eye(X.shape[1]), y, X, blocks, G, s2, answer["method"])
    np.testing.assert_allclose(df, by_term(answer, answer["df"]), rtol=1e-6)


def test_residual_builders_written_out():
    rater, group = np.array(["t", "p", "p", "t"]), np.array([0, 0, 1, 1])
    np.testing.assert_array_equal(residual.by_level(rater, np.array([4.0])), np.diag([4.0, 1, 1, 4]))
    np.testing.assert_allclose(
        residual.serial(np.array([1.0, 4, 2, 3]), group, -0.5),
        [[1, -0.125, 0, 0], [-0.125, 1, 0, 0], [0, 0, 1, -0.5], [0, 0, -0.5, 1]],
    )
    np.testing.assert_allclose(residual.serial(np.array([0.0, 0.5, 7, 7]), group, 0.25)[:2, :2], [[1, 0.5], [0.5, 1]])
    np.testing.assert_allclose(residual.symmetry(np.array([0, 0, 0, 1]), -0.2)[1], [-0.2, 1, -0.2, 0])
    np.testing.assert_allclose(
        residual.pairs(rater, group, 4.0, 0.3), [[4, 0.6, 0, 0], [0.6, 1, 0, 0], [0, 0, 1, 0.6], [0, 0, 0.6, 4]]
    )


@pytest.mark.parametrize("answer", nested.fits("residual"), ids=label)
def test_nlme_at_its_own_parameters(answer):
    y, X, blocks = nested.arrays(answer)
    structure, psi = nested.residual_structure(answer)
    s2, R0 = nested.first_variance(answer), structure.R0(psi)
    G = [np.array(block["covariance"]) for block in answer["random"]]
    exact = pytest.approx(answer["criterion"], rel=1e-13)
    assert referee.unprofiled(y, X, blocks, G, s2, answer["method"], R0) == exact
    assert referee.criterion(y, X, blocks, [g / s2 for g in G], answer["method"], R0) == exact
    at = referee.solve(y, X, blocks, G, s2, R0)
    np.testing.assert_allclose(at.beta, by_term(answer, answer["beta"]), rtol=1e-12)
    np.testing.assert_allclose(np.sqrt(np.diag(at.covariance)), by_term(answer, answer["std_error"]), rtol=1e-12)


@pytest.mark.parametrize("name", ["opposed", "raters_small"])
def test_optimum_with_residual_parameters_is_that_of_nlme(name):
    answer = next(a for a in nested.fits("residual") if a["data"] == name and a["method"] == "REML")
    y, X, blocks = nested.arrays(answer)
    structure, psi = nested.residual_structure(answer)
    best = referee.optimum(y, X, blocks, "REML", starts=1, residual=structure)
    assert best.criterion == pytest.approx(answer["criterion"], abs=1e-8)
    np.testing.assert_allclose(best.psi, psi, rtol=2e-5)
    assert best.sigma**2 == pytest.approx(nested.first_variance(answer), rel=2e-5)


def test_compound_symmetry_and_a_random_intercept_are_one_model():
    answer = next(a for a in nested.fits("kenward_roger") if a["data"] == "balanced")
    y, X, blocks, G, s2, _ = fitted(answer)
    structure = residual.symmetry_residual(blocks[0][1])
    whole = s2 + G[0].item()
    rho = G[0].item() / whole
    value = referee.unprofiled(y, X, [], [], whole, "REML", structure.R0(np.array([rho])))
    assert value == pytest.approx(answer["criterion"], rel=1e-13)
    two = [
        referee.satterthwaite_df(np.eye(2), y, X, blocks, G, s2, "REML"),
        referee.satterthwaite_df(np.eye(2), y, X, [], [], whole, "REML", structure, [rho]),
    ]
    np.testing.assert_allclose(two[0], two[1], rtol=1e-6)
    assert two[1][1] == pytest.approx(99, rel=1e-6)


@pytest.mark.parametrize("answer", [a for a in nested.fits("kenward_roger") if a["n_rows"] < 600], ids=label)
def test_kenward_roger_is_that_of_pbkrtest(answer):
    y, X, blocks, G, s2, V = fitted(answer)
    kr = inference.kenward_roger(X, V, inference.linear_parts(blocks, len(y)))
    beta, want = referee.solve(y, X, blocks, G, s2).beta, answer["kenward_roger"]
    np.testing.assert_allclose(kr.adjusted, want["covariance"], rtol=1e-10, atol=1e-11 * np.abs(kr.adjusted).max())
    df = [inference.kenward_roger_test(row, beta, kr).df for row in np.eye(len(beta))]
    np.testing.assert_allclose(df, by_term(answer, want["df"]), rtol=1e-10)
    for contrast in answer["contrasts"]:
        row, one = by_term(answer, contrast["weights"]), contrast["kenward_roger"]
        assert inference.kenward_roger_test(row, beta, kr).df == pytest.approx(one["df"], rel=1e-10)
        assert np.sqrt(row @ kr.adjusted @ row) == pytest.approx(one["std_error"], rel=1e-10)
        assert row @ beta == pytest.approx(one["estimate"], rel=1e-10)
    for test in answer["f_tests"]:
        found, want = inference.kenward_roger_test(np.array(test["weights"]), beta, kr), test["kenward_roger"]
        assert (found.f, found.df, found.scaling) == pytest.approx(
            (want["f"], want["den_df"], want["scaling"]), rel=1e-10
        )


@pytest.mark.parametrize("name", ["uncorrelated", "therapist_single"])
def test_f_tests_with_satterthwaite_df_are_those_of_lmertest(name):
    answer = next(a for a in nested.fits("kenward_roger") if a["data"] == name)
    y, X, blocks, G, s2, _ = fitted(answer)
    at = referee.solve(y, X, blocks, G, s2)

    def df(rows: np.ndarray) -> np.ndarray:
        return referee.satterthwaite_df(rows, y, X, blocks, G, s2, "REML")

    for test in answer["f_tests"]:
        found = inference.satterthwaite_test(np.array(test["weights"]), at.beta, at.covariance, df)
        want = test["satterthwaite"]
        assert (found.f, found.rows) == (pytest.approx(want["f"], rel=1e-10), want["num_df"])
        assert found.df == pytest.approx(want["den_df"], rel=1e-6)


@pytest.mark.parametrize("answer", nested.fits("robust"), ids=lambda a: f"{a['label']}-{a['cluster']}")
def test_cluster_robust_covariance(answer):
    """R's matrices, and what theory says: CR2 is unbiased wherever the working model is right."""
    y, X, _, _, _, V = fitted(answer)
    cluster = nested.group_codes(answers.frame(answer["data"]), [answer["cluster"]])
    for kind in ("CR0", "CR2"):
        robust, want = inference.cluster_robust(y, X, V, cluster, kind), answer[kind]
        np.testing.assert_allclose(robust.covariance, want["covariance"], rtol=1e-8)
        df = inference.robust_df(np.eye(X.shape[1]), X, V, robust)
        np.testing.assert_allclose(df, by_term(answer, want["df"]), rtol=1e-8)
    M = np.linalg.inv(X.T @ np.linalg.solve(V, X))
    left = [V[np.ix_(r, r)] - X[r] @ M @ X[r].T for r in robust.rows]
    expected = sum(w @ one @ w.T for w, one in zip(robust.weights, left, strict=True))
    np.testing.assert_allclose(expected, M, rtol=1e-8, atol=1e-9 * np.abs(M).max())


def test_cluster_robust_of_single_rows_is_whites():
    rng = np.random.default_rng(9)
    X = np.column_stack([np.ones(30), rng.normal(size=30)])
    y = X @ [1.0, 2.0] + rng.normal(size=30) * (1 + X[:, 1] ** 2)
    H = X @ np.linalg.solve(X.T @ X, X.T)
    e, M = y - H @ y, np.linalg.inv(X.T @ X)
    for kind, square in (("CR0", e**2), ("CR2", e**2 / (1 - np.diag(H)))):
        found = inference.cluster_robust(y, X, np.eye(30), np.arange(30), kind).covariance
        np.testing.assert_allclose(found, M @ (X.T * square) @ X @ M, rtol=1e-11)


@pytest.mark.parametrize("answer", nested.fits("modes"), ids=label)
def test_conditional_modes_are_those_of_lme4(answer):
    y, X, blocks, G, s2, V = fitted(answer)
    beta = referee.solve(y, X, blocks, G, s2).beta
    for block, g, names in zip(blocks, G, answer["random"], strict=True):
        group = next(one for one in answer["groups"] if one["group"] == names["group"])
        # lme4's labels join the columns with a colon; the order of the codes is that of the columns, one by one
        parts = [dict(zip(group["group"].split(":"), text.split(":"), strict=True)) for text in group["labels"]]
        order = sorted(range(len(parts)), key=lambda i: [parts[i][column] for column in names["by"]])
        modes, spread = inference.conditional_modes(y, X, beta, V, block, g)
        for k, term in enumerate(names["terms"]):
            np.testing.assert_allclose(modes[:, k], np.array(group["mode"][term])[order], rtol=1e-8, atol=1e-9)
            np.testing.assert_allclose(np.sqrt(spread[:, k, k]), np.array(group["sd"][term])[order], rtol=1e-9)
        if group["covariance"] is not None:
            np.testing.assert_allclose(spread[:, 0, 1], np.array(group["covariance"])[order], rtol=1e-8, atol=1e-12)


def test_profile_bounds_of_lme4_leave_the_quantile_of_chi_square():
    """The deviance minimised over the other variance, at both bounds of both SDs."""
    answer = next(a for a in nested.fits("profile") if a["data"] == "balanced")
    data = answers.frame("balanced")
    y, X = data["y"].to_numpy(), np.column_stack([np.ones(data.height), data["t"].to_numpy()])
    blocks = [(np.ones((len(y), 1)), nested.group_codes(data, ["g"]))]
    between, within = answer["components"]
    for bound in ("lower", "upper"):
        for fixed, free in ((between, within), (within, between)):

            def deviance(log_sd, known=fixed[bound] ** 2, first=fixed is between):
                other = np.exp(2 * log_sd)
                tau, s2 = (known, other) if first else (other, known)
                return referee.unprofiled(y, X, blocks, [np.array([[tau]])], s2, "ML")

            middle = np.log(free["estimate"])
            lowest = minimize_scalar(
                deviance, bounds=(middle - 1, middle + 1), method="bounded", options={"xatol": 1e-7}
            )
            assert lowest.fun - answer["criterion"] == pytest.approx(3.841458820694124, abs=1e-4)
