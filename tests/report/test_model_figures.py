"""Figures and tables of the models: what they are drawn from, what they say, what they give away."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files

import polars as pl
import pytest

import dyadline as dl
from dyadline.report.compose import compose
from dyadline.report.document import Figure, Paragraph, Table
from dyadline.report.numbers import words
from dyadline.report.tables.models import model_table
from dyadline.report.writers import pictures
from dyadline.studies.twins import twin_plan

AGGREGATED = {"coefficients", "expected-courses", "residuals", "random-effects", "influence"}
INDIVIDUAL = {"random-effects-of-dyads", "influence-of-dyads"}


def data(study: str = "study1") -> pl.DataFrame:
    return pl.read_csv((files("dyadline.studies") / "twins" / f"{study}.csv").read_bytes())


def planned(study: str = "study1", **sections: dict) -> dl.AnalysisPlan:
    given = twin_plan(study).model_dump(mode="json", exclude_none=True)
    for name, section in sections.items():
        given[name] = {**given.get(name, {}), **section}
    return dl.plan.document.make_plan(given)


@cache
def analysed() -> dl.AnalysisResult:
    return dl.run(planned(), data())


def blocks(document, *keys: str) -> list:
    return [block for section in document.sections if section.key in keys for block in section.blocks]


def drawn(document) -> dict[str, Figure]:
    return {b.key: b for b in blocks(document, "models", "diagnostics") if isinstance(b, Figure)}


def marks(spec) -> list[dict]:
    """All values that a specification holds, whatever panel or layer they are in."""
    found = list(spec.get("data", {}).get("values", []))
    for inner in ("concat", "layer"):
        for part in spec.get(inner, []):
            found += marks(part)
    return found


def cells(table: Table, label: str) -> list[str]:
    (row,) = [row for row in table.rows() if row.label == label]
    return ["" if cell is None else words(cell) for cell in row.cells]


# -- figures ----------------------------------------------------------------------------------------------------------


def test_only_aggregates_unless_single_dyads_are_asked_for():
    found = drawn(compose(analysed()))
    assert set(found) == AGGREGATED
    dyads = set(analysed().scores["dyad"])
    for figure in found.values():
        assert not figure.individual
        assert all("dyad" not in mark for mark in marks(figure.spec))
        text = json.dumps(figure.spec)
        assert not any(f'"{dyad}"' in text for dyad in dyads)


def test_single_dyads_have_pseudonyms_and_can_stand_out():
    found = drawn(compose(analysed(), individual=True))
    assert set(found) == AGGREGATED | INDIVIDUAL
    for key in INDIVIDUAL:
        figure = found[key]
        assert figure.individual
        names = [mark["dyad"] for mark in marks(figure.spec) if "dyad" in mark]
        assert len(set(names)) == len(names) == 96
        assert not set(names) & set(analysed().scores["dyad"])
        assert {"name": "dyad", "value": None} in figure.spec["params"]
        assert "datum.dyad === dyad" in json.dumps(figure.spec)


def test_points_of_dyads_are_those_of_the_fit():
    from dyadline.report.figures.pseudonyms import pseudonyms

    result = analysed()
    real = dict(pseudonyms(result.dataset.rows).select("pseudonym", "dyad").iter_rows())
    points = marks(drawn(compose(result, individual=True))["influence-of-dyads"].spec)
    terms = dl.influence(result.fits[-1], exact=True).terms.filter(term="time:convergence")
    refitted = dict(terms.select("group", "estimate").iter_rows())
    se = result.tables["fixed_effects"].filter(model=3, term="time:convergence")["std_error"].item()
    for point in points:
        if "dyad" in point:
            assert abs(point["x"] - refitted[real[point["dyad"]]]) < 0.01 * se


@pytest.mark.parametrize("key", sorted(AGGREGATED | INDIVIDUAL))
def test_every_figure_can_be_drawn_and_is_told_apart_in_grey(key):
    figure = drawn(compose(analysed(), individual=True))[key]
    svg = pictures.svg(figure)
    assert svg.startswith("<svg")
    assert "NaN" not in svg
    assert figure.caption.endswith(".")
    assert len(figure.alt) > 40
    text = json.dumps(figure.spec)
    assert '"format": ' in text
    if key == "coefficients":
        assert '"shape"' in text
    if key == "expected-courses":
        assert '"strokeDash"' in text


def test_courses_are_those_of_the_table():
    figure = drawn(compose(analysed()))["expected-courses"]
    table = analysed().tables["trajectories"]
    assert [panel["title"] for panel in figure.spec["concat"]] == ["Convergence", "Alliance development"]
    held = [mark["y"] for mark in marks(figure.spec)]
    assert held == pytest.approx(table["estimate"].to_list(), rel=1e-6)
    assert "Satterthwaite" in figure.caption


def test_coefficients_without_intercept():
    figure = drawn(compose(analysed()))["coefficients"]
    held = [mark for mark in marks(figure.spec) if "effect" in mark]
    assert len(held) == 1 + 5 + 15
    assert "Intercept" not in {mark["effect"] for mark in held}
    assert {mark["model"] for mark in held} == {"Model 1", "Model 2", "Model 3"}


def test_names_of_covariates_are_text_only():
    hostile = ["<script>alert(1)</script>" + "x" * 180, "<script>alert(1)</script>" + "x" * 179 + "y"]
    dyads = data().select(pl.col("dyad").unique(maintain_order=True)).with_row_index()
    values = [(pl.col("index").cast(pl.Float64) ** power).alias(n) for power, n in enumerate(hostile, start=1)]
    frame = data().join(dyads.select("dyad", *values), on="dyad")
    result = dl.run(planned(columns={"covariates": hostile}, models={"run": [1, 2]}), frame)
    figure = drawn(compose(result))["coefficients"]
    svg = pictures.svg(figure)
    assert "<script" not in svg
    effects = {mark["effect"] for mark in marks(figure.spec) if "effect" in mark}
    assert max(map(len, effects)) <= 50
    assert len(effects) == 1 + 4 + 4
    assert sum(effect.startswith("<script>alert(1)</script>x") for effect in effects) == 4


# -- tables -----------------------------------------------------------------------------------------------------------


def test_columns_of_the_models_table_are_chosen_in_the_plan():
    columns = ("standardised", "statistic", "std_error")
    tables = analysed().tables
    table = model_table(tables, [fit.spec for fit in analysed().fits], columns=columns)
    assert [c.label for c in table.columns] == ["Est.", "β", "t or z", "SE"] * 3
    assert [s.columns for s in table.spanners] == [4, 4, 4]
    fixed = tables["fixed_effects"].filter(model=3, term="time:development").row(0, named=True)
    beta = tables["standardised"].filter(model=3, term="time:development")["estimate"].item()
    shown = table_cells = [cell for row in table.rows() if row.label == "Alliance dev. × Time" for cell in row.cells]
    assert shown[:8] == [None] * 8
    assert [cell.value for cell in table_cells[8:]] == [
        fixed["estimate"],
        beta,
        fixed["estimate"] / fixed["std_error"],
        fixed["std_error"],
    ]
    intercept = next(row for row in table.rows() if row.label == "Intercept")
    assert intercept.cells[1] is None
    variance = next(row for row in table.rows() if row.label == "Residual")
    assert variance.cells[1] is None
    assert variance.cells[2].value == tables["random_effects"].filter(model=1, group="Residual")["statistic"].item()
    size = next(row for row in table.rows() if row.label == "Dyads")
    assert [cell and cell.value for cell in size.cells] == [96, None, None, None] * 3


def test_the_paper_s_layout_of_the_models_table(result):
    specs = [fit.spec for fit in result.fits]
    table = model_table(result.tables, specs, columns=("std_error", "p_value"))
    # Table I of the paper: Est., S.E., p.
    assert cells(table, "Alliance dev. × Time")[-3:] == ["−0.87", "0.29", ".004"]
    assert cells(table, "Covariance") == ["−1.85", "1.11", ".096", "−1.81", "1.10", ".096", "−1.94", "1.13", ".096"]
    document = compose(dl_result_with(result, columns=("std_error", "p_value")))
    assert [c.label for c in document.table("models").columns] == ["Est.", "SE", "p"] * 3


def dl_result_with(result, **report):
    plan = result.plan.model_copy(update={"report": result.plan.report.model_copy(update=report)})
    return type(result)(**{**vars(result), "plan": plan})


def test_effect_sizes():
    table = compose(analysed()).table("effect_sizes")
    icc, explained = analysed().tables["icc"], analysed().tables["r_squared"]
    row = next(row for row in table.rows() if row.label == "Dyads")
    assert [cell.value for cell in row.cells[::2]] == icc["icc"].to_list()
    assert cells(table, "Dyads")[0].startswith(".")
    assert cells(table, "Dyads")[1].startswith("[.")
    row = next(row for row in table.rows() if row.label == "Conditional R²")
    assert [cell.value for cell in row.cells[::2]] == explained["r2_conditional"].to_list()
    assert cells(table, "Variance: Intercept")[:2] == ["", ""]


def test_effect_sizes_of_three_levels():
    result = dl.run(planned("study2", models={"levels": 3}), data("study2"))
    labels = [row.label for row in compose(result).table("effect_sizes").rows()]
    assert labels[:3] == ["Dyads", "Therapists", "Dyads and therapists together"]
    assert "Variance: Intercept, therapists" in labels


def test_sensitivity_with_every_variant():
    frame = data("study2").filter(pl.int_range(pl.len()) % 97 != 0)
    plan = planned("study2", checks={"sessions": "n_sessions"})
    document = compose(dl.run(plan, frame))
    table = document.table("sensitivity")
    assert [row.label for row in table.groups[0].rows] == [
        "As reported",
        "Complete cases",
        "With the number of sessions",
        "At most 40 sessions",
    ]
    assert [group.label for group in table.groups[:2]] == ["Model 2: Convergence", "Model 2: Convergence × Time"]
    assert len(table.groups) == 6
    assert not [b for b in blocks(document, "sensitivity") if isinstance(b, Paragraph)]


def test_sensitivity_says_what_was_not_fitted():
    (said,) = [b for b in blocks(compose(analysed()), "sensitivity") if isinstance(b, Paragraph)]
    assert said.parts[0] == (
        "Complete cases, Model 2 and Model 3: only 12 dyads, and 20 are needed; "
        "At most 40 sessions, Model 2 and Model 3: no dyad has more than 40 sessions."
    )


def test_influence_table():
    table = compose(analysed()).table("influence")
    found = analysed().tables["influence"].filter(term="time:convergence").row(0, named=True)
    row = next(row for row in table.rows() if row.label == "Convergence × Time")
    wanted = [found[key] for key in ("estimate", "lowest", "highest", "largest_dfbetas", "n_beyond")]
    assert [cell.value for cell in row.cells] == wanted


# -- plans in which parts make no sense -------------------------------------------------------------------------------


def few(n: int) -> pl.DataFrame:
    return data().filter(pl.col("dyad").is_in(data()["dyad"].unique(maintain_order=True)[:n].to_list()))


@pytest.mark.parametrize(
    ("models", "frame", "absent"),
    [
        ({"run": [1]}, data(), {"coefficients", "expected-courses", "influence-of-dyads"}),
        ({"run": [2]}, data(), set()),
        ({"run": [1, 2], "method": "ML", "df": "normal"}, data(), set()),
        ({"run": [1, 2]}, few(4), {"residuals", "random-effects", "influence", "influence-of-dyads"}),
        ({"run": [1, 2], "levels": "auto"}, few(12), set()),
    ],
)
def test_parts_that_make_no_sense_are_absent(models, frame, absent):
    document = compose(dl.run(planned(models=models), frame), individual=True)
    found = drawn(document)
    assert set(found) == (AGGREGATED | INDIVIDUAL) - absent
    for figure in found.values():
        assert "NaN" not in pictures.svg(figure)
    sections = {section.key for section in document.sections}
    assert ("sensitivity" in sections) == (models["run"] != [1])


def test_observed_ratings():
    plan = planned(
        convergence={"growth": "observed", "early_level": "first_rating", "early_discrepancy": "absolute"},
        sensitivity={"run": []},
    )
    document = compose(dl.run(plan, data()))
    assert set(drawn(document)) == AGGREGATED
    assert "sensitivity" not in {section.key for section in document.sections}


def test_pooled_models_say_what_is_not_pooled():
    gone = pl.col("dyad").is_in(["D003", "D050"])
    frame = data().with_columns(bdi_pre=pl.when(gone).then(None).otherwise(pl.col("bdi_pre")))
    plan = planned(models={"run": [1, 2], "missing_predictors": "impute", "imputations": 3})
    document = compose(dl.run(plan, frame))
    found = drawn(document)
    for key in ("expected-courses", "residuals", "random-effects", "influence"):
        assert found[key].caption.endswith("Of the dyads that have all predictors, without imputation.")
    assert "imputation" not in found["coefficients"].caption
    rows = [row.label for row in document.table("sensitivity").groups[0].rows]
    assert rows[:2] == ["As reported", "Dyads that have all predictors"]
