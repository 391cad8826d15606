"""A shared report gives no dyad away; odd studies and names make figures too."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest

import dyadline as dl
from dyadline.report.compose import compose
from dyadline.report.description import compose_description
from dyadline.report.document import Document
from dyadline.report.figures.aggregates import LEAST
from dyadline.report.figures.axes import axis_titles
from dyadline.report.figures.pseudonyms import pseudonyms
from dyadline.studies.twins import twin_file, twin_plan
from figured_studies import data_of, every_figure, gaps_of, numbers_of, odd, scores_of, study


@pytest.fixture(scope="module")
def study1() -> Any:
    with twin_file("study1", ".csv").open("rb") as file:
        return dl.run(twin_plan("study1"), pl.read_csv(file))


OVER_DYADS = {
    "retention",
    "missing-values",
    "two-raters",
    "rating-curves",
    "mean-discrepancy",
    "convergence-groups",
    "score-histograms",
    "outcome-curves",
}


def assert_aggregated(document: Document) -> set[str]:
    for figure in document.figures():
        assert not figure.individual
        assert "'dyad'" not in repr(figure.spec)
        for row in data_of(figure.spec) if figure.key in OVER_DYADS else ():
            if "dyads" in row:  # a bar of a histogram: round edges and a count
                assert set(row) == {"from", "to", "dyads"}
                continue
            assert row["n"] >= LEAST, (figure.key, row)
            assert "q5" not in row or row["n"] >= 20
    return {figure.key for figure in document.figures()}


def test_no_row_of_a_shared_report_stems_from_fewer_than_five_dyads(study1, result):
    assert assert_aggregated(compose(study1)) >= OVER_DYADS
    assert_aggregated(compose(result))
    page = compose_description(study1.dataset, study1.plan, study1.tables)
    assert assert_aggregated(page) == {"two-raters", "retention", "missing-values"}


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
