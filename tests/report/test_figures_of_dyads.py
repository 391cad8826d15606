"""Figures of ratings and dyads: their numbers by other ways."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import polars as pl
import pytest

import dyadline as dl
from dyadline.report.figures.aggregates import LEAST, by_occasion, quantile, round_edges
from dyadline.report.figures.missing import missing_values
from dyadline.report.figures.outcome import outcome_curves
from dyadline.report.figures.panels import convergence_groups, dyad_panels
from dyadline.report.figures.pseudonyms import pseudonyms
from dyadline.report.figures.ratings import two_raters
from dyadline.report.figures.scores import score_histograms
from dyadline.report.figures.spaghetti import rating_curves
from dyadline.studies.twins import twin_file, twin_plan
from figured_studies import NORMALITY, TITLES, curves_of, data_of, gaps_of, scores_of, study


@pytest.fixture(scope="module")
def study1() -> Any:
    with twin_file("study1", ".csv").open("rb") as file:
        return dl.run(twin_plan("study1"), pl.read_csv(file))


def test_means_and_intervals_are_those_of_a_t_test(study1):
    from scipy.stats import t as student

    figure = two_raters(study1.dataset.rows, titles=TITLES)
    found = {(v["rater"], v["time"]): v for v in data_of(figure.spec)}
    assert len(found) == 28
    for (rater, time), v in found.items():
        x = study1.dataset.rows.filter(pl.col("time") == time)[f"{rater.lower()}_rating"].drop_nulls().to_numpy()
        low, high = student.interval(0.95, len(x) - 1, np.mean(x), np.std(x, ddof=1) / math.sqrt(len(x)))
        assert v["n"] == len(x)
        expected = [np.mean(x), low, high, np.mean(x) - np.std(x, ddof=1), np.mean(x) + np.std(x, ddof=1)]
        assert [v[k] for k in ("mean", "low", "high", "below", "above")] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("n", [5, 6, 20, 97])
@pytest.mark.parametrize("share", [0.05, 0.25, 0.5, 0.95])
def test_quantiles_are_scipys_of_harrell_and_davis(n, share):
    from scipy.stats.mstats import hdquantiles

    x = np.sort(np.random.default_rng(n).gamma(2.0, size=n))
    assert quantile(x, share) == pytest.approx(float(hdquantiles(x, prob=[share])[0]), rel=1e-10)
    assert np.min(np.abs(x - quantile(x, share))) > 1e-6  # never a dyad's own value


def test_bands_are_quantiles_of_ratings_and_of_curves(study1):
    from scipy.stats.mstats import hdquantiles

    rows, curves = study1.dataset.rows, study1.scoring.curves
    figure = rating_curves(rows, curves, titles=TITLES)
    panels = {panel["title"]: {v["x"]: v for v in panel["data"]["values"]} for panel in figure.spec["concat"]}
    assert list(panels) == [f"{r}: {k}" for r in ("Patient", "Therapist") for k in ("ratings", "estimated curves")]
    at = rows.filter(pl.col("time") == 5.0)
    raw = at["therapist_rating"].drop_nulls().to_numpy()
    rated = at.filter(pl.col("patient_rating").is_not_null() | pl.col("therapist_rating").is_not_null())
    lines = {r["dyad"]: r for r in curves.filter(pl.col("rater") == "patient").to_dicts()}
    heights = np.array([lines[d]["intercept"] + 4.0 * lines[d]["slope"] for d in rated["dyad"]])
    for title, x in (("Therapist: ratings", raw), ("Patient: estimated curves", heights)):
        found = panels[title][5.0]
        assert found["n"] == len(x)
        expected = hdquantiles(x, prob=[0.05, 0.25, 0.5, 0.75, 0.95])
        assert [found[f"q{q}"] for q in (5, 25, 50, 75, 95)] == pytest.approx(list(expected), rel=1e-6)
        # And near those that numpy interpolates.
        assert [found["q25"], found["q75"]] == pytest.approx(list(np.percentile(x, [25, 75])), abs=0.15)


def test_least_squares_lines_are_numpys():
    rows = study(8, 6).with_columns(outcome=pl.when(pl.col("time") != 3.0).then("outcome"))
    names = pseudonyms(rows)
    figure = outcome_curves(rows, titles=TITLES, pseudonyms=names)
    key = dict(names.select("pseudonym", "dyad").rows())
    line = figure.spec["concat"][1]["data"]["values"]
    assert len(line) == 8 * 5
    for v in line:
        of = rows.filter(pl.col("dyad") == key[v["dyad"]]).drop_nulls("outcome")
        slope, level = np.polyfit(of["time"].to_numpy(), of["outcome"].to_numpy(), 1)
        assert v["y"] == pytest.approx(level + slope * v["x"], rel=1e-6)


def test_groups_are_thirds_of_convergence_with_the_mean_of_their_lines():
    rows = study(31, 4)
    scores, curves = scores_of(rows), curves_of(rows)
    figure = convergence_groups(rows, curves, scores, gaps_of(rows), titles=TITLES, kind="absolute discrepancy")
    above, below = (part["data"]["values"] for part in figure.spec["vconcat"])
    ranked = scores.sort("convergence")["dyad"].to_list()
    groups = figure.spec["vconcat"][0]["facet"]["sort"]
    assert [g.split(" (")[0] for g in groups] == ["Lowest third", "Middle third", "Highest third"]
    sizes = [11, 10, 10]
    for g, (name, size) in enumerate(zip(groups, sizes, strict=True)):
        dyads = ranked[sum(sizes[:g]) : sum(sizes[:g]) + size]
        assert f"n = {size}" in name
        lines = curves.filter((pl.col("rater") == "patient") & pl.col("dyad").is_in(dyads))
        last = next(v for v in above if v["group"] == name and v["rater"] == "Patient" and v["x"] == 4.0)
        assert last["mean"] == pytest.approx((lines["intercept"] + 3.0 * lines["slope"]).mean(), rel=1e-6)
        # The therapists' lines lie half a point above.
        assert last["other"] == pytest.approx(last["mean"] + 0.5, rel=1e-6)
        gaps = gaps_of(rows).filter(pl.col("dyad").is_in(dyads) & (pl.col("time") == 2.0))["discrepancy"]
        shown = [v for v in below if v["group"] == name and v["x"] == 2.0]
        assert [v["mean"] for v in shown] == pytest.approx([gaps.mean()] if len(gaps) >= LEAST else [], rel=1e-6)


@pytest.mark.parametrize(("dyads", "groups"), [(4, 0), (5, 1), (9, 1), (10, 2), (14, 2), (15, 3)])
def test_no_group_is_smaller_than_five(dyads, groups):
    rows = study(dyads, 4)
    figure = convergence_groups(rows, curves_of(rows), scores_of(rows), gaps_of(rows), titles=TITLES, kind="x")
    assert (0 if figure is None else len(figure.spec["vconcat"][0]["facet"]["sort"])) == groups


def test_panels_are_sorted_by_convergence_and_spread_over_it():
    rows = study(60, 3)
    names = pseudonyms(rows)
    figure = dyad_panels(rows, curves_of(rows), scores_of(rows), names, titles=TITLES)
    order = figure.spec["facet"]["sort"]
    assert len(order) == 24
    score = dict(scores_of(rows).join(names, on="dyad").select("pseudonym", "convergence").rows())
    shown = [label.split(": ") for label in order]
    assert [f"{score[p]:.2f}" for p, _ in shown] == [s for _, s in shown]
    ranks = np.argsort(np.argsort([score[p] for p, _ in shown]))
    assert list(ranks) == list(range(24))
    assert {min(score.values()), max(score.values())} == {score[shown[0][0]], score[shown[-1][0]]}
    key = dict(names.select("pseudonym", "dyad").rows())
    lines = {(r["dyad"], r["rater"]): r for r in curves_of(rows).to_dicts()}
    for v in data_of(figure.spec):
        line = lines[key[v["dyad"]], v["rater"].lower()]
        assert v["line"] == pytest.approx(line["intercept"] + (v["x"] - 1) * line["slope"], rel=1e-6)
        there = rows.filter((pl.col("dyad") == key[v["dyad"]]) & (pl.col("time") == v["x"]))
        rating = there[f"{v['rater'].lower()}_rating"].item()
        assert v.get("rating") == (None if rating is None else pytest.approx(rating, rel=1e-6))


def test_a_histogram_counts_every_dyad_and_its_curve_has_the_same_area():
    rows = study(200, 2)
    panels = score_histograms(scores_of(rows), NORMALITY, transformed=True).spec["concat"]
    for panel, column in zip(panels, ("convergence_raw", "convergence"), strict=True):
        x = scores_of(rows)[column].to_numpy()
        bars = panel["layer"][0]["data"]["values"]
        for bar in bars:
            assert bar["dyads"] == np.sum((x >= bar["from"]) & (x < bar["to"]))
        assert sum(bar["dyads"] for bar in bars) == 200
        width = bars[0]["to"] - bars[0]["from"]
        peak = max(panel["layer"][1]["data"]["values"], key=lambda v: v["y"])
        assert peak["y"] == pytest.approx(200 * width / (np.std(x, ddof=1) * math.sqrt(2 * math.pi)), rel=0.02)
        assert peak["x"] == pytest.approx(np.mean(x), abs=width)


@pytest.mark.parametrize(
    ("low", "high"), [(0.0, 1.0), (-1.7, 2.3), (3.0, 3.0), (0.0, 0.0), (1e-9, 3e-9), (1e8, 1e8 + 7)]
)
def test_classes_have_round_edges_that_hold_everything(low, high):
    edges = round_edges(low, high, most=14)
    assert edges[0] <= low and edges[-1] > high and len(edges) <= 25
    width = (edges[-1] - edges[0]) / (len(edges) - 1)
    assert np.diff(edges) == pytest.approx(np.full(len(edges) - 1, width), rel=1e-6)
    assert float(f"{width:.0e}") == pytest.approx(width, rel=1e-6)  # one digit


def test_shares_of_what_was_observed():
    rows = study(12, 3)
    figure = missing_values(rows, titles=TITLES)
    for v in data_of(figure.spec):
        column = {"Patient's rating": "patient_rating", "Therapist's rating": "therapist_rating"}.get(
            v["what"], "outcome"
        )
        there = rows.filter(pl.col("time") == v["x"])[column].drop_nulls().len()
        assert (v["observed"], v["n"]) == (there, 12)
        assert v["share"] == pytest.approx(100 * there / 12, rel=1e-6)


def test_the_map_of_dyads_tells_missing_from_gone():
    rows = pl.DataFrame(
        {
            "dyad": ["a", "a", "a", "b", "b", "c"],
            "time": [1.0, 2.0, 3.0, 1.0, 3.0, 1.0],
            "patient_rating": [5.0, None, 5.0, 4.0, 4.0, 3.0],
            "therapist_rating": [5.0, 5.0, None, 4.0, 4.0, 3.0],
            "outcome": [9.0, 9.0, 9.0, 8.0, 8.0, 7.0],
        }
    )
    names = pseudonyms(rows)
    p = dict(names.rows())
    figure = missing_values(rows, titles=TITLES, pseudonyms=names)
    panel = figure.spec["hconcat"][0]
    bars = {(v["dyad"], v["from"], v["to"]): v["state"] for v in panel["data"]["values"]}
    assert bars == {
        (p["a"], 1.0, 1.0): "Observed",
        (p["a"], 2.0, 2.0): "Missing",
        (p["a"], 3.0, 3.0): "Observed",
        (p["b"], 1.0, 1.0): "Observed",
        (p["b"], 2.0, 2.0): "Missing",
        (p["b"], 3.0, 3.0): "Observed",
        (p["c"], 1.0, 1.0): "Observed",
        (p["c"], 2.0, 3.0): "After the last occasion",
    }
    assert panel["encoding"]["y"]["sort"] == [*sorted((p["a"], p["b"])), p["c"]]


def test_days_of_their_own_become_periods_of_the_dyads_means():
    # 30 dyads, each with its own eleven days: no two share one.
    rows = study(30, 11).with_columns(time=pl.int_range(330) * 7 % 330 + 0.5)
    values, said = by_occasion(rows, "patient_rating", "therapist_rating")
    assert "periods of 20" in said
    day = rows.drop_nulls("patient_rating").filter((pl.col("time") >= 40) & (pl.col("time") < 60))
    expected = {d: np.mean(x["patient_rating"].to_numpy()) for (d,), x in day.group_by("dyad")}
    found = dict(values.filter(pl.col("time") == 50.0).select("dyad", "patient_rating").drop_nulls().rows())
    assert found == pytest.approx(expected, rel=1e-12)
    figure = two_raters(rows, titles=TITLES)
    assert said in figure.caption and len(list(data_of(figure.spec))) > 20
