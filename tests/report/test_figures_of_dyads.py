"""Figures of ratings and dyads: their numbers by other ways, and that a shared report gives no dyad away."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl
import pytest

import dyadline as dl
from dyadline.report.compose import compose
from dyadline.report.document import Document, Figure
from dyadline.report.figures.aggregates import LEAST, by_occasion, quantile, round_edges
from dyadline.report.figures.axes import AxisTitles, axis_titles
from dyadline.report.figures.discrepancy import mean_discrepancy
from dyadline.report.figures.missing import missing_values
from dyadline.report.figures.outcome import outcome_curves
from dyadline.report.figures.panels import convergence_groups, dyad_panels
from dyadline.report.figures.pseudonyms import pseudonyms
from dyadline.report.figures.ratings import two_raters
from dyadline.report.figures.scores import score_histograms
from dyadline.report.figures.spaghetti import rating_curves
from dyadline.studies.twins import twin_file, twin_plan

TITLES = AxisTitles(
    time="Session",
    patient="Alliance rating (p)",
    therapist="Alliance rating (t)",
    ratings="Alliance rating (p, t)",
    outcome="Outcome (bdi)",
)


@pytest.fixture(scope="module")
def study1() -> Any:
    with twin_file("study1", ".csv").open("rb") as file:
        return dl.run(twin_plan("study1"), pl.read_csv(file))


def study(dyads: int, occasions: int, *, seed: int = 1, **changes: Any) -> pl.DataFrame:
    """Rows as a dataset has them, with a third of the ratings missing at random."""
    rng = np.random.default_rng(seed)
    n = dyads * occasions
    frame = pl.DataFrame(
        {
            "dyad": np.repeat([f"SECRET-{j}" for j in range(dyads)], occasions),
            "time": np.tile(np.arange(1.0, occasions + 1), dyads),
            "patient_rating": rng.normal(5, 1, n),
            "therapist_rating": rng.normal(5.2, 0.8, n),
            "outcome": rng.normal(20, 8, n),
        }
    ).with_columns(t=pl.col("time") - 1)
    for column in ("patient_rating", "therapist_rating"):
        absent = pl.Series(rng.random(n) < 1 / 3)
        frame = frame.with_columns(pl.when(~absent).then(pl.col(column)).alias(column))
    return frame.with_columns(**changes)


def curves_of(rows: pl.DataFrame) -> pl.DataFrame:
    dyads = rows["dyad"].unique(maintain_order=True).to_list()
    return pl.DataFrame(
        [
            {"dyad": d, "rater": rater, "intercept": 4.0 + 0.1 * k + shift, "slope": 0.02 * k * (-1) ** k}
            for rater, shift in (("patient", 0.0), ("therapist", 0.5))
            for k, d in enumerate(dyads)
        ]
    )


def scores_of(rows: pl.DataFrame) -> pl.DataFrame:
    dyads = rows["dyad"].unique(maintain_order=True)
    raw = np.sin(2.1 * np.arange(len(dyads)))
    return pl.DataFrame({"dyad": dyads, "convergence": np.log(raw - raw.min() + 1), "convergence_raw": raw})


def gaps_of(rows: pl.DataFrame) -> pl.DataFrame:
    gap = (pl.col("patient_rating") - pl.col("therapist_rating")).abs()
    return rows.select("dyad", "time", "t", discrepancy=gap).drop_nulls()


NORMALITY = pl.DataFrame(
    {"stage": ["before", "after"], "skewness": [0.1, 0.2], "shapiro_w": [0.9, 0.9], "shapiro_p": [0.3, 0.2]}
)


def every_figure(
    rows: pl.DataFrame, *, individual: bool, curved: bool = True, titles: AxisTitles = TITLES
) -> list[Figure]:
    names = pseudonyms(rows) if individual else None
    curves, scores, gaps = curves_of(rows) if curved else None, scores_of(rows), gaps_of(rows)
    kind = "absolute discrepancy between the patient's and the therapist's curves"
    made = [
        two_raters(rows, titles=titles),
        rating_curves(rows, curves, titles=titles, pseudonyms=names),
        mean_discrepancy(gaps, titles=titles, kind=kind, pseudonyms=names),
        convergence_groups(rows, curves, scores, gaps, titles=titles, kind=kind),
        outcome_curves(rows, titles=titles, pseudonyms=names),
        score_histograms(scores, NORMALITY, transformed=True),
        missing_values(rows, titles=titles, pseudonyms=names),
    ]
    if names is not None:
        made.append(dyad_panels(rows, curves, scores, names, titles=titles))
    return [figure for figure in made if figure is not None]


def data_of(spec: Any) -> Iterator[dict[str, Any]]:
    """All data rows of a specification, however deep."""
    if isinstance(spec, dict):
        for key, value in spec.items():
            if key == "data":
                assert set(value) == {"values"}  # no address, no name of other data
                yield from value["values"]
            else:
                yield from data_of(value)
    elif isinstance(spec, list):
        for part in spec:
            yield from data_of(part)


def numbers_of(spec: Any) -> Iterator[float]:
    if isinstance(spec, dict):
        for value in spec.values():
            yield from numbers_of(value)
    elif isinstance(spec, list):
        for value in spec:
            yield from numbers_of(value)
    elif isinstance(spec, float):
        yield spec


# Numbers


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


# Privacy


def assert_aggregated(document: Document) -> None:
    seen = 0
    for figure in document.figures():
        assert not figure.individual
        assert "'dyad'" not in repr(figure.spec)
        for row in data_of(figure.spec):
            if "dyads" in row:  # a bar of a histogram: round edges and a count
                assert set(row) == {"from", "to", "dyads"}
                continue
            if set(row) >= {"model"} or figure.key.startswith(("model", "coefficient")):
                continue  # of a fit, not of dyads
            assert row["n"] >= LEAST, (figure.key, row)
            assert "q5" not in row or row["n"] >= 20
            seen += 1
    assert seen


def test_no_row_of_a_shared_report_stems_from_fewer_than_five_dyads(study1, result):
    assert_aggregated(compose(study1))
    assert_aggregated(compose(result))


@pytest.mark.parametrize("dyads", [6, 19, 40])
def test_no_number_of_a_shared_figure_is_that_of_a_dyad(dyads):
    rows = study(dyads, 7)
    scores = scores_of(rows)
    known = [*(rows[c] for c in ("patient_rating", "therapist_rating", "outcome")), gaps_of(rows)["discrepancy"]]
    known += [scores["convergence"], scores["convergence_raw"]]
    own = {f"{v:.7g}" for values in known for v in values.drop_nulls() if v}
    for figure in every_figure(rows, individual=False):
        found = {f"{v:.7g}" for v in numbers_of(figure.spec)}
        assert found & own == set(), figure.key
        assert "SECRET" not in repr(figure)


def test_an_occasion_of_four_dyads_is_left_out_and_the_caption_says_so():
    rows = study(12, 3).filter((pl.col("time") < 3) | pl.col("dyad").is_in([f"SECRET-{j}" for j in range(4)]))
    figures = {f.key: f for f in every_figure(rows, individual=False)}
    for key in ("two-raters", "rating-curves", "mean-discrepancy", "outcome-curves"):
        assert "fewer than 5 dyads are left out" in figures[key].caption
        assert max(v["x"] for v in data_of(figures[key].spec)) < 2.5
    assert all("left out" not in f.caption for f in every_figure(study(40, 3), individual=False))


def test_a_tiny_study_has_means_with_a_warning_and_no_quantiles():
    figures = {f.key: f for f in every_figure(study(3, 5, seed=3), individual=False)}
    assert set(figures) == {"two-raters", "mean-discrepancy", "missing-values"}
    assert "3 dyads only" in figures["two-raters"].caption
    assert all(v["n"] >= 2 for v in data_of(figures["two-raters"].spec))


def test_pseudonyms_are_the_same_always_and_in_another_order_than_the_file(study1):
    rows = study1.dataset.rows
    names = pseudonyms(rows)
    again = pseudonyms(rows.sample(fraction=1.0, shuffle=True, seed=3))
    assert names.equals(again)
    assert names["dyad"].n_unique() == names["pseudonym"].n_unique() == 96
    # The study's own names are D001 ... D096; no pseudonym may be mistaken for one of them.
    assert set(names["dyad"]) == {f"D{j:03d}" for j in range(1, 97)}
    assert set(names["pseudonym"]) == {f"P{j:03d}" for j in range(1, 97)}
    assert names["dyad"].to_list() != sorted(names["dyad"])
    # Another study of the same dyads has another order: the way back is not in this code.
    other = pseudonyms(rows.with_columns(outcome=pl.col("outcome") + 1))
    assert other["dyad"].to_list() != names["dyad"].to_list()
    assert set(pseudonyms(study(3, 2))["pseudonym"]) == {"D001", "D002", "D003"}


def test_single_dyads_have_pseudonyms_only(study1, result):
    expected = {"rating-curves", "outcome-curves", "dyad-panels", "mean-discrepancy"}
    for made, also in ((study1, {"missing-values"}), (result, set())):
        names = set(pseudonyms(made.dataset.rows)["pseudonym"])
        figures = [f for f in compose(made, individual=True).figures() if f.individual]
        assert {f.key for f in figures} >= expected | also
        for figure in figures:
            assert {row["dyad"] for row in data_of(figure.spec) if "dyad" in row} <= names
            assert figure.spec["params"] == [{"name": "dyad", "value": None}]
            assert "datum.dyad === dyad" in repr(figure.spec)
            assert "SECRET" not in repr(figure)


def test_lines_follow_in_the_order_of_pseudonyms_not_of_the_file():
    rows = study(30, 3)
    for figure in every_figure(rows, individual=True):
        if not figure.individual or figure.key == "missing-values":  # the map is sorted by the last occasion
            continue
        panels = figure.spec.get("concat") or figure.spec.get("layer") or [figure.spec]
        for panel in panels:
            order = list(dict.fromkeys(row["dyad"] for row in panel["data"]["values"] if "dyad" in row))
            assert order == sorted(order)


# Odd studies: every figure compiles, and none is a large file.


def odd(name: str) -> pl.DataFrame:
    if name == "days":
        return study(40, 5).with_columns(time=pl.Series(np.random.default_rng(2).integers(1, 101, 200) * 1.0))
    return {
        "three dyads": lambda: study(3, 5),
        "one occasion": lambda: study(30, 1),
        "constant": lambda: study(20, 4, patient_rating=pl.lit(5.0), therapist_rating=pl.lit(5.0), outcome=pl.lit(9.0)),
        "many dyads": lambda: study(5000, 14),
        "many occasions": lambda: study(40, 100),
        "missing rater": lambda: study(20, 4, therapist_rating=pl.lit(None, dtype=pl.Float64)),
        "tiny numbers": lambda: study(20, 4, patient_rating=pl.col("patient_rating") * 1e-9),
    }[name]()


@pytest.mark.parametrize(
    "name",
    [
        "three dyads",
        "one occasion",
        "constant",
        "many dyads",
        "many occasions",
        "missing rater",
        "tiny numbers",
        "days",
    ],
)
@pytest.mark.parametrize("individual", [False, True])
@pytest.mark.parametrize("curved", [True, False])
def test_figures_of_odd_studies_compile(name, individual, curved):
    vl_convert = pytest.importorskip("vl_convert")
    figures = every_figure(odd(name), individual=individual, curved=curved)
    assert "missing-values" in {f.key for f in figures}
    for figure in figures:
        text = json.dumps(dict(figure.spec), allow_nan=False)
        assert len(text) < (1_000_000 if figure.individual else 300_000), figure.key
        svg = vl_convert.vegalite_to_svg(text, allowed_base_urls=[])
        assert "NaN" not in svg and "undefined" not in svg


def test_names_of_any_kind_are_titles_and_nothing_else(plan_maker):
    vl_convert = pytest.importorskip("vl_convert")
    for hostile in (
        "<script>alert(1)</script>",
        "datum['x'] + \\textbf{$x$}",
        "\u05d3\u05d9\u05e8\u05d5\u05d2 {name}",
        "x" * 200,
    ):
        plan = plan_maker(outcome=hostile, time="t" + hostile, patient_rating="p" + hostile)
        titles = axis_titles(plan.columns)
        assert titles.outcome == f"Outcome ({hostile})"
        for figure in every_figure(study(12, 3), individual=True, titles=titles):
            svg = vl_convert.vegalite_to_svg(dict(figure.spec), allowed_base_urls=[])
            assert "<script" not in svg
            width = float(svg.split('width="', 1)[1].split('"', 1)[0])
            assert width < 900, (figure.key, hostile)  # a long title is cut, it does not stretch the figure


def test_an_occasion_is_labelled_as_it_is():
    vl_convert = pytest.importorskip("vl_convert")
    rows = study(60, 3).with_columns(time=pl.col("time").replace_strict({1.0: 1.0, 2.0: 20.5, 3.0: 40.0}))
    for figure in every_figure(rows, individual=False):
        if figure.key != "score-histograms":
            svg = vl_convert.vegalite_to_svg(dict(figure.spec), allowed_base_urls=[])
            assert ">20.5</text>" in svg and ">40</text>" in svg, figure.key
