"""α and ω: against psych and lavaan on real and simulated answers, closed forms, and what cannot be computed."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from dyadline.errors import DataError, PlanError
from dyadline.measures.consistency import alpha, omega, omegas
from dyadline.measures.factor import one_factor
from dyadline.measures.records import covariance
from dyadline.measures.reliability import reliability_by_occasion
from numeric_derivatives import hessian
from oracles import answers as oracle
from truth import agree

ORACLE = json.loads((oracle.HERE / "reliability.json").read_text())
REAL = Path(__file__).resolve().parents[2] / "../shared/data/gad_alliance_sessions.csv"
WAI = [f"wai_{part}{number}" for part in ("task", "goal", "bond") for number in (1, 2, 3)]
SCALES = {
    "gad_alliance_sessions": {
        "total": range(1, 10),
        "task": (1, 2, 3),
        "goal": (4, 5, 6),
        "bond": (7, 8, 9),
        "pair": (1, 4),
    },
    "reliability": {"total": range(1, 7), "half": (1, 2, 3), "pair": (2, 5)},
}
DATA = tuple(SCALES)


def study(name: str) -> tuple[pl.DataFrame, pl.Series]:
    """Answers with columns "1" to "k", and times."""
    if name == "reliability":
        frame = oracle.frame(name)
        return frame.select(pl.col(f"i{j}").alias(str(j)) for j in range(1, 7)), frame["time"]
    if not REAL.exists():
        pytest.skip("the alliance ratings (../shared/data) are not beside this checkout")
    frame = pl.read_csv(REAL, null_values=["NA", ""], infer_schema_length=None)
    return frame.select(pl.col(c).cast(pl.Float64).alias(str(j + 1)) for j, c in enumerate(WAI)), frame["session"]


def wanted(name: str) -> list[dict]:
    return [one for one in ORACLE["consistency"] if one["data"] == name]


def complete(name: str, one: dict) -> pl.DataFrame:
    found, time = study(name)
    items = [str(item) for item in SCALES[name][one["scale"]]]
    return found.select(items).filter(time == one["time"]).drop_nulls()


def away(found: float, want: float) -> float:
    return abs(found - want) / max(abs(want), 1e-3)


# -- against R --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DATA)
def test_alpha_is_that_of_psych(name):
    answers, time = study(name)
    table = reliability_by_occasion(answers, time, {s: tuple(items) for s, items in SCALES[name].items()})
    rows = {(row["scale"], row["time"]): row for row in table.to_dicts()}
    assert len(rows) == len(wanted(name)) == table.height
    for one in wanted(name):
        row = rows[one["scale"], one["time"]]
        assert (row["n"], row["n_items"]) == (one["n"], one["n_items"])
        agree("psych, items of a scale", "α, relative", away(row["alpha"], one["alpha"]), 1e-12)
        for ours, theirs in (("alpha_low", "feldt_low"), ("alpha_high", "feldt_high")):
            agree("psych, items of a scale", "Feldt's limits of α, relative", away(row[ours], one[theirs]), 1e-11)
        deviation = away(row["mean_inter_item"], one["mean_inter_item"])
        agree("psych, items of a scale", "mean correlation of items, relative", deviation, 1e-12)


@pytest.mark.parametrize("name", DATA)
def test_the_standard_error_of_alpha_is_those_of_psych(name):
    for one in wanted(name):
        x = complete(name, one)
        found = alpha(covariance(x.to_numpy()), x.height, interval="normal")
        agree(
            "psych, items of a scale", "standard error of α, relative", away(found.std_error, one["alpha_error"]), 1e-11
        )
        half = 1.959963984540054 * one["alpha_error"]
        assert (found.low, found.high) == pytest.approx((one["alpha"] - half, one["alpha"] + half), abs=1e-12)


@pytest.mark.parametrize("name", DATA)
def test_omega_is_that_of_lavaan(name):
    """lavaan's optimiser stops near 1e-7 in the loadings; its discrepancy is never below ours."""
    seen = 0
    for one in wanted(name):
        if "omega" not in one:
            continue
        x = complete(name, one)
        S, n = covariance(x.to_numpy()), x.height
        fit, found = one_factor(S), omega(S, n)
        agree("lavaan, one factor", "ω", abs(found.estimate - one["omega"]), 1e-6)
        agree("lavaan, one factor", "discrepancy, less", fit.discrepancy - one["discrepancy"], 1e-12)
        assert one["discrepancy"] - fit.discrepancy < 1e-9
        # lavaan divides covariances by n
        scale = np.sqrt(np.diag(S) * (n - 1) / n)
        ours = np.concatenate([fit.loadings / np.sqrt(np.diag(S)), fit.uniquenesses / np.diag(S)])
        sign = np.sign(sum(one["loadings"]))
        theirs = np.concatenate([sign * np.array(one["loadings"]) / scale, np.array(one["uniquenesses"]) / scale**2])
        agree("lavaan, one factor", "loadings and uniquenesses, standardised", np.abs(ours - theirs).max(), 1e-5)
        assert (fit.heywood is not None) == one["heywood"]
        if one["heywood"]:
            seen += 1
            assert f"Heywood case, no variance of item {int(np.argmin(one['uniquenesses'])) + 1}" in found.note
            assert math.isnan(found.low) and math.isnan(found.high)
            continue
        assert found.note == ""
        agree("lavaan, one factor", "standard error of ω, relative", away(found.std_error, one["omega_error"]), 1e-4)
        middle = math.log(one["omega"] / (1.0 - one["omega"]))
        for limit, z in ((found.low, -1.959963984540054), (found.high, 1.959963984540054)):
            deviation = abs(math.log(limit / (1.0 - limit)) - middle - z * one["logit_error"])
            agree("lavaan, one factor", "limits of logit ω", deviation, 1e-4)
    assert seen == {"reliability": 0, "gad_alliance_sessions": 8}[name]


@pytest.mark.parametrize("name", DATA)
def test_loadings_are_those_of_psych(name):
    """psych keeps uniquenesses above .005 and stops early."""
    for one in wanted(name):
        if one.get("heywood") is not False or min(one["uniquenesses"]) < 0.05:
            continue
        S = covariance(complete(name, one).to_numpy())
        ours = one_factor(S).loadings / np.sqrt(np.diag(S))
        theirs = np.array(one["psych_loadings"])
        agree("psych, fa", "standardised loadings", np.abs(ours - np.sign(theirs.sum()) * theirs).max(), 1e-3)


# -- closed forms -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [3, 4, 12])
@pytest.mark.parametrize("rho", [0.05, 0.4, 0.9])
def test_parallel_items(k, rho):
    """α = ω = kρ/(1 + (k − 1)ρ)."""
    S = 2.5 * (rho + (1.0 - rho) * np.eye(k))
    want = k * rho / (1.0 + (k - 1) * rho)
    assert alpha(S, 100).estimate == pytest.approx(want, abs=1e-14)
    found = omega(S, 100)
    assert found.estimate == pytest.approx(want, abs=1e-9)
    # (1 − α)² 2k / ((k − 1) n): Feldt's variance for large n
    assert alpha(S, 100).std_error == pytest.approx((1.0 - want) * math.sqrt(2 * k / ((k - 1) * 100)), rel=1e-10)


def test_tau_equivalent_items():
    """Equal loadings, unequal uniquenesses: α is ω."""
    unique = np.array([0.5, 1.0, 2.0, 4.0])
    S = 1.44 + np.diag(unique)
    want = 16 * 1.44 / (16 * 1.44 + unique.sum())
    assert alpha(S, 50).estimate == pytest.approx(want, abs=1e-14)
    assert omega(S, 50).estimate == pytest.approx(want, abs=1e-10)


def test_congeneric_items_are_recovered_and_alpha_is_lower():
    loadings, unique = np.array([0.9, 0.5, 1.4, 0.2, 0.7]), np.array([0.3, 1.0, 0.6, 2.0, 0.1])
    S = np.outer(loadings, loadings) + np.diag(unique)
    fit = one_factor(S)
    assert fit.loadings == pytest.approx(loadings, abs=1e-8) and fit.uniquenesses == pytest.approx(unique, abs=1e-8)
    assert fit.discrepancy < 1e-14
    want = loadings.sum() ** 2 / (loadings.sum() ** 2 + unique.sum())
    assert omega(S, 50).estimate == pytest.approx(want, abs=1e-10) and alpha(S, 50).estimate < want


def test_three_items_have_a_closed_form():
    S = np.array([[2.0, 0.6, 0.8], [0.6, 1.0, 0.5], [0.8, 0.5, 3.0]])
    squares = np.array([0.6 * 0.8 / 0.5, 0.6 * 0.5 / 0.8, 0.8 * 0.5 / 0.6])
    fit = one_factor(S)
    assert fit.loadings == pytest.approx(np.sqrt(squares), abs=1e-9)
    assert fit.uniquenesses == pytest.approx(np.diag(S) - squares, abs=1e-9)


def test_two_items_of_equal_variance_are_spearman_and_brown():
    S = np.array([[4.0, 1.2], [1.2, 4.0]])
    found = alpha(S, 30)
    assert found.estimate == pytest.approx(2 * 0.3 / 1.3, abs=1e-15)
    assert "three items" in omega(S, 30).note


def test_the_information_is_the_curvature_of_the_likelihood():
    """Where S is the model's own, observed and expected information are one; differentiated numerically."""
    loadings, unique, n = np.array([0.9, 0.5, 1.4, 0.6]), np.array([0.3, 1.0, 0.6, 2.0]), 80
    S = np.outer(loadings, loadings) + np.diag(unique)

    def minus_log_likelihood(x):
        sigma = np.outer(x[:4], x[:4]) + np.diag(x[4:])
        return n / 2 * (np.linalg.slogdet(sigma)[1] + np.trace(np.linalg.solve(sigma, S)))

    x = np.concatenate([loadings, unique])
    total, rest = loadings.sum() ** 2, unique.sum()
    gradient = np.concatenate([np.full(4, 2 * loadings.sum() * rest), np.full(4, -total)]) / (total + rest) ** 2
    want = math.sqrt(gradient @ np.linalg.solve(hessian(minus_log_likelihood, x, 0.02 * x), gradient))
    assert omega(S, n).std_error == pytest.approx(want, rel=1e-5)


def test_feldts_interval_is_exact_for_parallel_items():
    """2,000 samples of 20 records: the share of intervals that hold α is .95 within its Monte-Carlo error."""
    rng, k, rho = np.random.default_rng(7), 4, 0.4
    want = k * rho / (1 + (k - 1) * rho)
    x = math.sqrt(rho) * rng.normal(size=(2000, 20, 1)) + math.sqrt(1 - rho) * rng.normal(size=(2000, 20, k))
    found = [alpha(covariance(one), 20) for one in x]
    held = np.mean([one.low <= want <= one.high for one in found])
    assert abs(held - 0.95) < 4 * math.sqrt(0.95 * 0.05 / 2000)


def test_the_interval_of_omega_holds_it():
    rng = np.random.default_rng(8)
    loadings, unique = np.array([0.9, 0.6, 0.8, 0.7, 0.5]), np.array([0.4, 0.5, 0.6, 0.5, 0.7])
    want = loadings.sum() ** 2 / (loadings.sum() ** 2 + unique.sum())
    x = rng.normal(size=(500, 150, 1)) * loadings + rng.normal(size=(500, 150, 5)) * np.sqrt(unique)
    found = [omega(covariance(one), 150) for one in x]
    held = np.mean([one.low <= want <= one.high for one in found])
    assert abs(held - 0.95) < 4 * math.sqrt(0.95 * 0.05 / 500)


# -- the fit ----------------------------------------------------------------------------------------------------------


def discrepancy(S, loadings, unique):
    sigma = np.outer(loadings, loadings) + np.diag(unique)
    return np.linalg.slogdet(sigma)[1] - np.linalg.slogdet(S)[1] + np.trace(np.linalg.solve(sigma, S)) - len(S)


@pytest.mark.parametrize("seed", range(30))
def test_no_optimiser_from_anywhere_finds_a_better_factor(seed):
    """Bounded quasi-Newton from eight random starts, on small samples without and with a factor."""
    from scipy.optimize import minimize

    rng = np.random.default_rng(seed)
    k = int(rng.integers(3, 8))
    x = rng.normal(size=(k + 6, k)) + rng.choice([0.0, 0.7, 2.0]) * rng.normal(size=(k + 6, 1))
    S = covariance(x)
    fit = one_factor(S)
    if fit.heywood is None:
        assert fit.discrepancy == pytest.approx(discrepancy(S, fit.loadings, fit.uniquenesses), abs=1e-10)
    for _ in range(8):
        start = np.concatenate([rng.normal(size=k), rng.uniform(0.2, 1.0, k) * np.diag(S)])
        bounds = [(None, None)] * k + [(1e-7, None)] * k
        other = minimize(lambda z: discrepancy(S, z[:k], z[k:]), start, method="L-BFGS-B", bounds=bounds)
        assert other.fun > fit.discrepancy - 1e-7


@pytest.mark.parametrize(("k", "n"), [(4, 9), (9, 30), (40, 90)])
def test_many_matrices_at_once_are_each_fitted_as_if_alone(k, n):
    """Heywood cases, a constant item and copies of an item among ordinary samples."""
    rng = np.random.default_rng(k)
    x = 0.6 * rng.normal(size=(12, n, 1)) + rng.normal(size=(12, n, k))
    x[3, :, 1], x[5, :, 2] = 0.0, x[5, :, 0]
    S = np.stack([covariance(one) for one in x])
    numbers = np.full(12, n)
    numbers[7] = k
    together = omegas(S, numbers)
    for alone, one in zip((omega(S[i], int(numbers[i])) for i in range(12)), together, strict=True):
        assert one.note == alone.note
        for part in ("estimate", "std_error", "low", "high"):
            assert getattr(one, part) == pytest.approx(getattr(alone, part), abs=1e-7, nan_ok=True)
    assert [one.note for one in together][3:8:2] == [
        "ω: an item has no variance",
        "ω: the items' covariances are singular: too few records, or an item that follows from others",
        f"ω: {k} complete records are too few for {k} items",
    ]


def test_a_heywood_case_is_named_and_fitted_at_the_boundary():
    """.9 × .8 / .5 > 1: the first item would need a negative uniqueness, so the factor is that item."""
    S = np.array([[1.0, 0.9, 0.8], [0.9, 1.0, 0.5], [0.8, 0.5, 1.0]])
    fit, found = one_factor(S), omega(S, 200)
    assert fit.heywood == 0
    assert fit.loadings == pytest.approx([1.0, 0.9, 0.8]) and fit.uniquenesses == pytest.approx([0.0, 0.19, 0.36])
    assert found.estimate == pytest.approx(2.7**2 / (2.7**2 + 0.55))
    assert found.note == "ω: Heywood case, no variance of item 1 of the scale is unique; no interval"


def test_coefficients_do_not_depend_on_units():
    rng = np.random.default_rng(3)
    S = covariance(rng.normal(size=(60, 5)) + rng.normal(size=(60, 1)))
    for factor in (1e-6, 1e6):
        for of in (alpha, omega):
            plain, scaled = of(S, 60), of(factor**2 * S, 60)
            assert scaled.estimate == pytest.approx(plain.estimate, rel=1e-10)
            assert (scaled.low, scaled.high) == pytest.approx((plain.low, plain.high), rel=1e-8)


def test_large_offsets_leave_alpha_alone():
    rng = np.random.default_rng(4)
    x = rng.normal(size=(500, 4)) + rng.normal(size=(500, 1))
    plain, shifted = (alpha(covariance(values), 500).estimate for values in (x, x + 1e7))
    assert shifted == pytest.approx(plain, abs=1e-8)


# -- what cannot be computed ------------------------------------------------------------------------------------------


def table_of(columns, time=None, scales=None):
    answers = pl.DataFrame({str(j + 1): values for j, values in enumerate(columns)}).cast(pl.Float64)
    time = pl.Series("time", time if time is not None else [1.0] * answers.height)
    return reliability_by_occasion(answers, time, scales or {"all": tuple(range(1, answers.width + 1))})


def test_incomplete_records_do_not_count_in_their_scales_only():
    rng = np.random.default_rng(5)
    x = rng.normal(size=(40, 4)) + rng.normal(size=(40, 1))
    holes = [[None if j == 3 and i < 10 else float(x[i, j]) for i in range(40)] for j in range(4)]
    table = table_of(holes, scales={"first": (1, 2, 3), "all": (1, 2, 3, 4)})
    assert table["n"].to_list() == [40, 30]
    assert table["alpha"][0] == pytest.approx(alpha(np.cov(x[:, :3].T), 40).estimate, abs=1e-12)
    assert table["alpha"][1] == pytest.approx(alpha(np.cov(x[10:].T), 30).estimate, abs=1e-12)
    holes[3] = [math.nan if v is None else v for v in holes[3]]
    assert table_of(holes, scales={"first": (1, 2, 3), "all": (1, 2, 3, 4)}).equals(table)


def test_occasions_come_in_order_and_those_without_answers_are_there():
    x = [[1.0, 2.0, 4.0, None, 3.0], [2.0, 2.0, 5.0, None, 1.0]]
    table = table_of(x, time=[3.0, 1.0, 1.0, 2.0, None])
    assert table["time"].to_list() == [1.0, 2.0, 3.0] and table["n"].to_list() == [2, 0, 1]
    assert table["alpha"].is_null().to_list() == [False, True, True]
    assert table["note"][1].startswith("α: fewer than two complete records")


def test_items_of_one_value():
    constant = table_of([[3.0] * 6, [1.0, 2.0, 4.0, 3.0, 5.0, 2.0], [1.0, 3.0, 4.0, 3.0, 4.0, 1.0]])
    assert constant["alpha"][0] is not None and constant["mean_inter_item"][0] is None and constant["omega"][0] is None
    assert constant["note"][0] == "ω: an item has no variance"
    everything = table_of([[3.1] * 6] * 3)
    assert everything["note"][0].startswith("α: the sum of the items does not vary")
    assert everything.select("alpha", "alpha_low", "omega").row(0) == (None, None, None)


def test_copies_and_small_samples_have_no_omega():
    rng = np.random.default_rng(6)
    x = rng.normal(size=(30, 3))
    copied = table_of([*x.T, x[:, 0]])
    assert "singular" in copied["note"][0] and copied["omega"][0] is None and copied["alpha"][0] is not None
    small = table_of(rng.normal(size=(5, 6)).T)
    assert small["note"][0] == "ω: 5 complete records are too few for 6 items"
    x = rng.normal(size=(12, 6)) + 2.0 * rng.normal(size=(12, 1))
    few, enough = table_of(x[:11].T), table_of(x.T)
    assert few["omega"][0] is not None and enough["note"][0] == ""
    assert few["note"][0] == "ω: 11 complete records for 12 parameters, not to be relied upon"


def test_one_item_and_two():
    rng = np.random.default_rng(9)
    x = rng.normal(size=(30, 2))
    table = table_of(x.T, scales={"one": (2,), "two": (1, 2)})
    assert table["note"].to_list() == [
        "α: a single item; ω: fewer than three items do not identify a factor",
        "ω: fewer than three items do not identify a factor",
    ]


def test_an_item_that_was_not_turned_is_named():
    rng = np.random.default_rng(10)
    x = rng.normal(size=(200, 4)) + 1.5 * rng.normal(size=(200, 1))
    x[:, 2] *= -1
    assert table_of(x.T)["note"][0] == "ω: negative loading of item 3 of the scale"


def test_items_without_a_factor_have_no_omega():
    """Uncorrelated items: any one of them may be called the factor."""
    found = omega(np.eye(4), 100)
    assert math.isnan(found.estimate) and found.note == "ω: the loadings are not identified"


def test_what_is_asked_wrongly_is_refused():
    answers = pl.DataFrame({"1": [1.0, 2.0], "2": [1.0, 2.0]})
    with pytest.raises(PlanError, match="has the item 3, for which there are no answers"):
        reliability_by_occasion(answers, pl.Series([1.0, 1.0]), {"x": (1, 3)})
    with pytest.raises(DataError, match="2 records but 3 values of time"):
        reliability_by_occasion(answers, pl.Series([1.0, 1.0, 1.0]), {"x": (1, 2)})
    with pytest.raises(PlanError, match="'feldt' or 'normal'"):
        alpha(np.eye(2), 10, interval="wald")
