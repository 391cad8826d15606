"""The description as tables, as a page and on the terminal."""

from __future__ import annotations

import re

import polars as pl
import pytest

import dyadline as dl
from dyadline.data.dataset import make_dataset
from dyadline.report.compose import compose
from dyadline.report.description import compose_description
from dyadline.report.document import Figure, Paragraph
from dyadline.report.figures.retention import retention_curve
from dyadline.report.labels import source
from dyadline.report.numbers import words
from dyadline.report.tables import attrition as attrition_tables
from dyadline.report.tables import description as description_tables
from dyadline.report.writers.html import write_html
from dyadline.report.writers.text import render_tables
from dyadline.studies.description import description
from dyadline.studies.twins import twin_data, twin_plan
from oracles import answers

PLAN = """
version = 1
title = "Clinic"
[columns]
dyad = "dyad"
therapist = "therapist"
time = "session"
patient_rating = "wai_p"
therapist_rating = "wai_t"
outcome = "bdi"
[checks]
reason = "reason"
"""


@pytest.fixture(scope="module")
def dataset():
    return make_dataset(pl.read_csv(answers.HERE / "data" / "description.csv"), dl.parse_plan(PLAN))


@pytest.fixture(scope="module")
def tables(dataset):
    return description(dataset, dl.parse_plan(PLAN))


@pytest.fixture(scope="module")
def document(dataset, tables):
    return compose_description(dataset, dl.parse_plan(PLAN), tables)


def printed(table):
    return {row.label: ["" if cell is None else words(cell) for cell in row.cells] for row in table.rows()}


def test_the_page_has_every_section_and_no_dyads_label(document, dataset):
    page = write_html(document)
    assert [s.key for s in document.sections] == ["levels", "values", "attrition", "raters", "similarity", "findings"]
    assert not any(f">{label}<" in page or f" {label} " in page for label in dataset.dyads["dyad"])
    assert page.count("<svg") == 3
    assert "Clinic: description of the data" in page


def test_attrition_in_print(document):
    table = document.table("attrition")
    assert [c.label for c in table.columns] == [
        "Still there", "Observed", "Back later", "Last seen", "Last seen, %", "Lost so far, %"
    ]  # fmt: skip
    # 62 dyads, 57 seen at session 2 and 5 again later, 6 of 62 for the last time
    assert printed(table)["2"] == ["62", "57", "5", "6", "9.7", "0.0"]
    assert printed(table)["8"] == ["44", "44", "0", "44", "", "29.0"]


def test_missing_values_in_print(document):
    cells = printed(document.table("missing"))
    assert cells["8"] == ["44", "4", "9.1", "2", "4.5", "3", "6.8"]
    # 412 rows with any value, 427 expected; 390 patient's ratings
    assert cells["All"] == ["", "37", "8.7", "37", "8.7", "36", "8.4"]


def test_an_occasion_at_which_nothing_was_asked_has_no_missing_values():
    dataset = make_dataset(twin_data("study2"), twin_plan("study2"))
    document = compose_description(dataset, twin_plan("study2"), description(dataset, twin_plan("study2")))
    assert printed(document.table("missing"))["0"] == ["139", "", "", "", "", "0", "0.0"]
    assert document.banner == "Synthetic data. No patients."
    said = next(b for s in document.sections for b in s.blocks if isinstance(b, Paragraph) and "loss" in b.heading)
    assert said.parts == ("Not tested. No dyad was lost before the last occasion.",)


def test_the_test_of_loss_in_print(document, tables):
    cells = printed(document.table("dropout"))
    assert list(cells) == [
        "Time, per unit", "Patient's rating, per 1.19 (1 SD)", "Therapist's rating, per 0.83 (1 SD)",
        "Outcome, per 7.89 (1 SD)",
    ]  # fmt: skip
    assert cells["Outcome, per 7.89 (1 SD)"] == ["1.59", "[0.92, 2.75]", "1.67", ".094"]
    strong = tables["dropout"].with_columns(p_value=pl.lit(0.01))
    assert all(row.cells[0].strong for row in attrition_tables.dropout_table(strong).rows())


def test_agreement_and_correlations_in_print(document):
    assert printed(document.table("limits"))["Mean difference"] == ["−0.38", "[−0.69, −0.08]", ".015"]
    cells = printed(document.table("rater-correlations"))
    assert cells["Within dyads, from occasion to occasion"] == [".13", "[.02, .24]", "305", ".022"]
    assert cells["All pairs together"] == [".19", "", "", ""]


def test_an_interval_that_says_nothing_is_not_shown(tables):
    shares = tables["intraclass_correlations"]
    known = [row.cells[1] for row in description_tables.similarity_table(shares).rows()]
    assert all(known)
    vague = shares.with_columns(conf_low=pl.lit(1e-9), conf_high=pl.lit(0.9999))
    assert not any(row.cells[1] for row in description_tables.similarity_table(vague).rows())


def test_rare_reasons_are_counted_together():
    reasons = [f"r{k:02d}" for k in range(20)]
    endings = pl.DataFrame(
        {"reason": reasons, "dyads": [*range(40, 20, -1)], "share": [0.05] * 20, "time_mean": [3.0] * 20}
    ).with_columns(time_sd=pl.lit(None, pl.Float64), time_min=pl.lit(1.0), time_max=pl.lit(5.0))
    cells = printed(attrition_tables.endings_table(endings, time="Session"))
    assert len(cells) == 13
    assert cells["8 other reasons"][0] == str(sum(range(21, 29)))
    by_time = pl.DataFrame({"time": [2.0] * 20, "reason": reasons, "dyads": [1] * 20})
    table = attrition_tables.endings_by_time_table(by_time, endings, time="Session")
    assert [c.label for c in table.columns] == [*reasons[:4], "Others"]
    assert printed(table)["2"] == ["1"] * 4 + ["16"]


def test_hundreds_of_lines_are_left_to_the_files():
    days = pl.DataFrame({"dyad": ["a", "b"] * 150, "session": range(300)})
    values = {name: [float(k % 7) for k in range(300)] for name in ("wai_p", "bdi")}
    frame = days.with_columns(**{n: pl.Series(v) for n, v in values.items()}, wai_t=pl.Series(values["bdi"]) + 1)
    plan = dl.parse_plan(re.sub(r'therapist = .*\n|\[checks\]\nreason = "reason"\n', "", PLAN))
    dataset = make_dataset(frame, plan)
    document = compose_description(dataset, plan, description(dataset, plan))
    keys = [table.key for table in document.tables()]
    assert "descriptives" not in keys and "levels" in keys
    said = [b for s in document.sections for b in s.blocks if isinstance(b, Paragraph)]
    assert any("300 lines" in str(b.parts[0]) for b in said)


def test_the_curve_starts_with_everyone(tables):
    figure = retention_curve(tables["attrition"], time="Session")
    values = figure.spec["data"]["values"]
    assert values[0] == {"x": 1.0, "y": 100.0, "what": "Still there", "n": 62}
    assert values[-2]["y"] == pytest.approx(100 * 44 / 62)
    assert "71 %" in figure.alt


def test_the_terminal_shows_tables_and_paragraphs(document):
    text = render_tables(document, width=110).plain
    assert "Attrition by occasion" in text and "Dyad by dyad. Over the occasions" in text
    assert "Only 18 dyads with all three values were lost." in text
    assert max(map(len, text.splitlines())) <= 110


def test_the_main_report_has_the_description():
    result = dl.run(twin_plan("study1"), twin_data("study1"))
    document = compose(result)
    keys = [table.key for table in document.tables()]
    assert {"sizes", "levels", "coverage", "attrition", "missing", "dropout", "limits", "similarity"} <= set(keys)
    assert len(keys) == len(set(keys))
    figures = [b.key for s in document.sections for b in s.blocks if isinstance(b, Figure)]
    assert "retention" in figures and len(figures) == len(set(figures))


def test_where_values_come_from_is_said_without_the_plans_patterns():
    columns = twin_plan("study1", items=True).columns
    assert [source(columns, role) for role in ("patient_rating", "outcome", "baseline")] == [
        columns.measures["patient_rating"].measure,
        columns.measures["outcome"].measure,
        "bdi_pre",
    ]
    wide = columns.model_copy(update={"outcome": "bdi_s{time}"})
    assert source(wide, "outcome") == "bdi_s…"
