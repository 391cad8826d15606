"""What is computed beside the models' table, against lmer and its refits (tests/oracles/effects.R).

Effect sizes, expected courses, residuals, random effects, influence and sensitivity of Model 3 of the two-rater study.
"""

from __future__ import annotations

import json
from functools import cache

import numpy as np
import polars as pl
import pytest

import dyadline as dl
from oracles import answers

PLAN = """
[columns]
dyad = "dyad"
time = "session"
patient_rating = "wai_p"
therapist_rating = "wai_t"
outcome = "bdi"
baseline = "bdi_pre"
"""


@cache
def oracle():
    return json.loads((answers.HERE / "effects.json").read_text())


def study() -> pl.DataFrame:
    return answers.frame("study").with_columns(pl.col("session").cast(pl.Int64))


@cache
def analysed(more: str = "") -> dl.AnalysisResult:
    return dl.run(dl.parse_plan(PLAN + more), study())


def of_model_3(name: str) -> pl.DataFrame:
    return analysed().tables[name].filter(pl.col("model") == 3)


def renamed(terms: list[str]) -> list[str]:
    """R's terms as ours: the number of sessions has another name, and R has its terms in another order."""
    return [term.replace("sessions", "number of sessions") for term in terms]


def agree(table: pl.DataFrame, want: dict, columns=("estimate", "std_error", "df"), close=1e-5) -> None:
    found = {row["term"]: row for row in table.iter_rows(named=True)}
    compared = [(found[t], k) for k, t in enumerate(renamed(want["terms"])) if t in found]
    assert len(compared) == table.height
    for row, k in compared:
        for column in columns:
            scale = want["std_error"][k] if column == "estimate" else abs(want[column][k])
            assert abs(row[column] - want[column][k]) < close * scale, (row["term"], column)


# -- effect sizes -----------------------------------------------------------------------------------------------------


def test_standardised_effects_are_those_of_scaled_variables():
    want = oracle()["standardised"]
    agree(of_model_3("standardised"), want)
    plain, scaled = of_model_3("fixed_effects"), of_model_3("standardised")
    assert scaled["p_value"].to_list() == plain["p_value"].to_list()


def test_reductions_are_against_model_1_on_the_same_rows():
    found = of_model_3("pseudo_r_squared")
    null, full = (np.array(oracle()[k]) for k in ("null_variances", "variances"))
    assert found["term"].to_list() == ["(Intercept)", "time", "Residual"]
    np.testing.assert_allclose(found["null"], null, rtol=1e-4)
    np.testing.assert_allclose(found["with_predictors"], full, rtol=1e-4)
    np.testing.assert_allclose(found["reduction"], 1.0 - full / null, atol=1e-4)


def test_shares_are_those_of_the_variances():
    intercept, _, residual = oracle()["variances"]
    assert of_model_3("icc")["icc"].item() == pytest.approx(intercept / (intercept + residual), rel=1e-5)
    total = of_model_3("r_squared").row(0, named=True)
    assert total["variance_residual"] == pytest.approx(residual, rel=1e-5)
    assert total["r2_marginal"] == pytest.approx(total["variance_fixed"] / sum(list(total.values())[-3:]), rel=1e-12)


# -- expected courses -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(6))
def test_expected_courses(number):
    want = oracle()["courses"][number]
    of_level = (pl.col("predictor") == want["predictor"]) & (pl.col("sds") == want["sds"])
    found = analysed().tables["trajectories"].filter(of_level).sort("t")
    assert found["model"].unique().to_list() == [3]
    assert found["value"].unique().item() == pytest.approx(want["value"], rel=1e-6)
    times = [float(t) for t in want["time"]]
    at = found.filter(pl.col("t").is_in(times))
    assert at["t"].to_list() == times
    assert (at["time"] == at["t"] + 1.0).all()
    spread = np.array(want["std_error"])
    np.testing.assert_allclose((at["estimate"] - pl.Series(want["estimate"])) / spread, 0.0, atol=1e-5)
    for column in ("std_error", "df"):
        np.testing.assert_allclose(at[column], want[column], rtol=1e-5)
    for column in ("conf_low", "conf_high"):
        np.testing.assert_allclose((at[column] - pl.Series(want[column])) / spread, 0.0, atol=1e-5)


def test_courses_are_smooth_between_few_occasions_and_thinned_where_there_are_many():
    from dyadline.studies.trajectories import POINTS, occasions

    few = occasions(pl.Series([0.0, 3.0, 12.0, 3.0]))
    assert len(few) == POINTS
    assert {0.0, 3.0, 12.0} <= set(few.tolist())
    assert (np.diff(few) > 0).all()
    many = occasions(pl.Series(np.arange(200.0)))
    assert (len(many), many[0], many[-1]) == (POINTS, 0.0, 199.0)
    assert occasions(pl.Series([2.0, 2.0])).tolist() == [2.0]


# -- residuals and random effects -------------------------------------------------------------------------------------


def dyads_in(values: np.ndarray, dyads: np.ndarray, sizes: list[int]) -> list[int]:
    """How many dyads are in each group of the sorted values."""
    ordered = dyads[np.argsort(values, kind="stable")]
    return [len(set(part)) for part in np.split(ordered, np.cumsum(sizes)[:-1])]


def test_residuals_by_fitted_value():
    fitted, left, dyad = (np.array(oracle()[k]) for k in ("fitted", "residual", "dyad"))
    found = of_model_3("residual_bins")
    sizes = found["n"].to_list()
    assert sum(sizes) == len(left)
    assert 15 <= len(sizes) <= 20
    assert min(dyads_in(fitted, dyad, sizes)) >= 5
    order = np.argsort(fitted, kind="stable")
    parts = np.split(order, np.cumsum(sizes)[:-1])
    np.testing.assert_allclose(found["fitted"], [fitted[p].mean() for p in parts], rtol=1e-5)
    np.testing.assert_allclose(found["mean"], [left[p].mean() for p in parts], atol=1e-4)
    np.testing.assert_allclose(found["sd"], [left[p].std(ddof=1) for p in parts], rtol=1e-4)


def test_quantiles_of_residuals_stand_for_five_dyads_each():
    from scipy.stats import norm

    scaled, dyad = np.sort(np.array(oracle()["residual"]) / oracle()["sigma"]), np.array(oracle()["dyad"])
    found = of_model_3("residual_quantiles")
    sizes = found["n"].to_list()
    assert sum(sizes) == len(scaled)
    assert len(sizes) > 30
    assert min(dyads_in(np.array(oracle()["residual"]), dyad, sizes)) >= 5
    ends = np.cumsum(sizes)[:-1]
    np.testing.assert_allclose(found["observed"], [p.mean() for p in np.split(scaled, ends)], atol=1e-5)
    n = len(scaled)
    scores = norm.ppf((np.arange(1, n + 1) - 3 / 8) / (n + 1 / 4))
    np.testing.assert_allclose(found["expected"], [p.mean() for p in np.split(scores, ends)], atol=1e-12)


@pytest.mark.parametrize(("table", "values"), [("residual_histogram", "residual"), ("intercepts", "intercepts")])
def test_histograms_count_between_round_edges(table, values):
    if values == "residual":
        found, want = of_model_3(table), np.array(oracle()[values]) / oracle()["sigma"]
    else:
        found = of_model_3("random_effect_histogram").filter(pl.col("effect") == "(Intercept)")
        want = np.array(oracle()[values])
    inside = [int(((want >= a) & (want < b)).sum()) for a, b in found.select("low", "high").iter_rows()]
    assert found["n"].to_list() == inside
    assert sum(inside) == len(want)
    width = found["high"][0] - found["low"][0]
    first = width / 10.0 ** np.floor(np.log10(width) + 1e-9)
    assert min(abs(first - m) for m in (1, 2, 5, 10)) < 1e-6
    assert found["low"][0] / width == pytest.approx(round(found["low"][0] / width), abs=1e-9)


def test_two_random_effects_together():
    intercepts, slopes = (np.array(oracle()[k]) for k in ("intercepts", "slopes"))
    found = of_model_3("random_effect_correlations").row(0, named=True)
    assert (found["effect"], found["with_effect"], found["n"]) == ("(Intercept)", "time", 38)
    assert found["correlation"] == pytest.approx(np.corrcoef(intercepts, slopes)[0, 1], abs=1e-4)
    cells = of_model_3("random_effect_pairs")
    assert cells["n"].sum() == 38
    for row in cells.iter_rows(named=True):
        here = (intercepts >= row["low"]) & (intercepts < row["high"])
        here &= (slopes >= row["with_low"]) & (slopes < row["with_high"])
        assert here.sum() == row["n"]


def test_slices_have_five_dyads_even_where_one_dyad_has_all_the_tail():
    from dyadline.studies.diagnostics import FEWEST, slices

    dyads = np.array([0] * 30 + list(range(1, 31)) + [31] * 30)
    parts = slices(dyads, 15)
    assert [part.start for part in parts] == [0, *(part.stop for part in parts[:-1])]
    assert parts[-1].stop == len(dyads)
    assert min(len(set(dyads[part])) for part in parts) >= FEWEST
    assert len(parts) > 2
    assert slices(np.array([1, 2, 3, 4] * 9), 6) == []


# -- influence --------------------------------------------------------------------------------------------------------


def test_influence_is_near_that_of_refits():
    without = np.array(oracle()["without"])
    found = {row["term"]: row for row in of_model_3("influence").iter_rows(named=True)}
    assert len(found) == len(oracle()["terms"])
    errors = dict(of_model_3("fixed_effects").select("term", "std_error").iter_rows())
    for k, term in enumerate(oracle()["terms"]):
        lowest, highest = without[:, k].min(), without[:, k].max()
        assert abs(found[term]["lowest"] - lowest) < 0.01 * errors[term]
        assert abs(found[term]["highest"] - highest) < 0.01 * errors[term]
        assert found[term]["n_dyads"] == 38
    counts = of_model_3("influence_histogram").filter(pl.col("measure") == "cooks_distance")
    cook = np.array(oracle()["cook"])
    inside = [int(((cook >= a) & (cook < b)).sum()) for a, b in counts.select("low", "high").iter_rows()]
    # One step is no refit: a dyad or two lie just across an edge.
    assert np.abs(np.cumsum(inside) - np.cumsum(counts["n"])).max() <= 2
    assert counts["n"].sum() == 38


def test_studies_that_are_too_large_for_it_have_no_influence(monkeypatch):
    from dyadline.studies import influence

    monkeypatch.setattr(influence, "MOST_DYADS", 37)
    tables = dl.run(dl.parse_plan(PLAN), study()).tables
    assert tables["influence"].is_empty()
    assert tables["influence_histogram"].is_empty()


# -- sensitivity ------------------------------------------------------------------------------------------------------


def variant(name: str, more: str = "", model: int = 3) -> pl.DataFrame:
    table = analysed(more).tables["sensitivity"]
    return table.filter((pl.col("variant") == name) & (pl.col("model") == model))


def test_the_first_variant_is_what_is_reported():
    found, reported = variant("reported"), of_model_3("fixed_effects")
    assert found.height == 4
    for row in found.iter_rows(named=True):
        want = reported.row(by_predicate=pl.col("term") == row["term"], named=True)
        assert all(row[c] == want[c] for c in ("estimate", "std_error", "df", "p_value", "conf_low", "conf_high"))
        assert (row["n_rows"], row["n_dyads"], row["note"]) == (337, 38, "")


def test_with_the_number_of_sessions():
    found = variant("sessions")
    assert {"number of sessions", "time:number of sessions"} < set(found["term"])
    agree(found, oracle()["sessions"])


def test_dyads_with_few_sessions_by_a_column():
    frame = study().with_columns(sessions=pl.col("dyad").rank("dense").cast(pl.Int64))
    plan = dl.parse_plan(PLAN + '[checks]\nsessions = "sessions"\n[sensitivity]\nmost_sessions = 30\n')
    found = dl.run(plan, frame).tables["sensitivity"].filter(model=3, variant="fewer_sessions")
    want = oracle()["fewer_sessions"]
    assert (found["n_dyads"][0], found["n_rows"][0]) == (want["n_dyads"], want["n_rows"])
    assert 20 <= want["n_dyads"] < 38
    agree(found, want, close=1e-4)


def test_complete_cases_against_a_fit_by_hand():
    frame = dl.simulate("study1", dyads=60, seed=4)
    some = pl.col("dyad").is_in(frame["dyad"].unique(maintain_order=True)[:35].to_list())
    # Full records for some dyads: sessions 1 to 3 are rarely missed, so these count as the study.
    frame = frame.filter(pl.col("session") <= 3, some | (pl.col("session") != 2))
    plan = dl.parse_plan(PLAN + "[models]\nrun = [2]\n")
    result = dl.run(plan, frame)
    found = result.tables["sensitivity"].filter(variant="complete_cases")
    values = frame.drop_nulls(["wai_p", "wai_t", "bdi"]).group_by("dyad").agg(n=pl.col("session").n_unique())
    whole = values.filter(pl.col("n") == 3)["dyad"]
    assert 20 <= len(whole) < 60
    scores = result.scores.select("dyad", "convergence", "baseline").drop_nulls()
    used = scores.filter(pl.col("dyad").is_in(frame.drop_nulls("bdi")["dyad"].unique().to_list()))
    centred = used.with_columns(pl.col("convergence", "baseline") - pl.col("convergence", "baseline").mean())
    rows = frame.drop_nulls("bdi").filter(pl.col("dyad").is_in(whole.to_list())).join(centred, on="dyad")
    by_hand = dl.fit("bdi ~ t * (baseline + convergence) + (t | dyad)", rows.with_columns(t=pl.col("session") - 1))
    want = dl.coefficients(by_hand).filter(pl.col("term").str.contains("convergence"))
    np.testing.assert_allclose(found["estimate"], want["estimate"], rtol=1e-6)
    np.testing.assert_allclose(found["std_error"], want["std_error"], rtol=1e-6)
    assert found["n_dyads"].unique().to_list() == [len(whole)]


def test_what_cannot_be_fitted_says_why():
    assert variant("complete_cases")["note"].to_list() == ["No dyad has all values on every occasion"]
    few = variant("fewer_sessions", "[sensitivity]\nmost_sessions = 10\n")
    assert few["note"].to_list() == ["Only 11 dyads, and 20 are needed"]
    assert variant("fewer_sessions")["note"].to_list() == ["No dyad has more than 40 sessions"]
    none = variant("fewer_sessions", "[sensitivity]\nmost_sessions = 1\n")
    assert none["note"].to_list() == ["All dyads have more than 1 session"]
    assert none["estimate"].to_list() == [None]
    assert analysed("[sensitivity]\nrun = []\n").tables["sensitivity"].is_empty()


# -- plans in which parts make no sense -------------------------------------------------------------------------------


def test_without_convergence_there_are_no_courses_and_no_sensitivity():
    tables = analysed("[models]\nrun = [1]\n").tables
    for name in ("trajectories", "sensitivity", "pseudo_r_squared"):
        assert tables[name].is_empty(), name
    assert tables["residual_bins"]["model"].unique().to_list() == [1]
    assert tables["influence"]["term"].to_list() == ["(Intercept)", "time"]
    assert tables["influence_histogram"]["measure"].unique().to_list() == ["cooks_distance"]


def test_pooled_models_have_pooled_effects_beside_those_of_complete_cases():
    gone = pl.col("dyad").is_in(["d03", "d11"])
    frame = study().with_columns(bdi_pre=pl.when(gone).then(None).otherwise(pl.col("bdi_pre")))
    plan = dl.parse_plan(PLAN + '[models]\nrun = [2]\nmissing_predictors = "impute"\nimputations = 3\n')
    tables = dl.run(plan, frame).tables
    pooled, scaled = tables["fixed_effects"], tables["standardised"]
    ratio = (scaled["estimate"] / pooled["estimate"]).to_numpy()
    np.testing.assert_allclose(scaled["std_error"] / pooled["std_error"], ratio, rtol=1e-9)
    found = tables["sensitivity"]
    assert found["variant"].unique(maintain_order=True).to_list()[:2] == ["reported", "listwise"]
    reported = found.filter(variant="reported", term="convergence")["estimate"].item()
    assert reported == pooled.filter(term="convergence")["estimate"].item()
    listwise = found.filter(variant="listwise", term="convergence")
    assert listwise["estimate"].item() != reported
    assert listwise["n_dyads"].item() == 36
