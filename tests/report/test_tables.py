"""Tables of the report: rows and their names, what is bold, what is left empty."""

import polars as pl
import pytest

from dyadline.report.document import Cell, Column, Row, RowGroup, Spanner, Table
from dyadline.report.numbers import words
from dyadline.report.tables.models import collinearity_table, criteria_table, model_table, time_shape_table
from dyadline.report.tables.study import agreement_table, descriptives_table, flow_table, scores_table
from dyadline.report.writers.text import fit_tables, main_table, render_text


@pytest.fixture(scope="module")
def models(result):
    return model_table(result.tables, [fit.spec for fit in result.fits])


def row_of(table: Table, label: str) -> Row:
    return next(row for row in table.rows() if row.label == label)


def texts(row: Row) -> list[str]:
    return ["" if cell is None else words(cell) for cell in row.cells]


def test_rows_stand_as_in_table_1(models):
    labels = [row.label for row in models.groups[0].rows]
    assert labels == [
        "Intercept",
        "Slope (time)",
        "Initial symptoms",
        "Convergence",
        "Early alliance, patient",
        "Early alliance, therapist",
        "Early discrepancy",
        "Alliance development",
        "Alliance dev. × Convergence",
        "Initial symptoms × Time",
        "Convergence × Time",
        "Early alliance (P) × Time",
        "Early alliance (T) × Time",
        "Early discrepancy × Time",
        "Alliance dev. × Time",
        "Alliance dev. × Convergence × Time",
    ]
    assert [row.label for row in models.groups[1].rows] == ["Intercept", "Covariance", "Slope (time)", "Residual"]
    assert [s.label for s in models.spanners] == ["Model 1", "Model 2", "Model 3"]


def test_published_numbers_as_published(models):
    assert texts(row_of(models, "Early alliance, therapist"))[10:] == [
        "−4.42",
        "2.03",
        "94.4",
        ".032",
        "[−8.46, −0.38]",
    ]
    assert texts(row_of(models, "Convergence × Time"))[:5] == [""] * 5
    assert texts(row_of(models, "Convergence × Time"))[5:8] == ["−0.08", "0.39", "93.4"]
    assert texts(row_of(models, "Covariance"))[:4] == ["−1.85", "1.11", "", ".096"]
    assert texts(row_of(models, "AIC (SPSS convention)"))[::5] == ["6953.0", "6500.0", "6449.0"]


def test_one_row_one_number_of_decimals(models):
    row = row_of(models, "Initial symptoms × Time")  # standard errors .021 and .031
    assert texts(row)[5:7] == ["0.012", "0.021"]
    assert texts(row)[10:12] == ["0.046", "0.031"]


def test_bold_is_p_below_05(models, result):
    bold = {
        (row.label, k)
        for row in models.groups[0].rows
        for k in range(3)
        if row.cells[5 * k] is not None and row.cells[5 * k].strong
    }
    p = {(r["model"], r["term"]): r["p_value"] for r in result.tables["fixed_effects"].to_dicts()}
    assert len(bold) == sum(value < 0.05 for value in p.values())
    assert ("Early alliance, therapist", 2) in bold
    assert ("Convergence × Time", 2) not in bold


def test_a_boundary_leaves_dashes_where_nothing_is_known(result):
    import polars as pl

    random = result.tables["random_effects"].with_columns(
        pl.when(pl.col("term1") == "time").then(None).otherwise(pl.col(c)).alias(c)
        for c in ("std_error", "statistic", "p_value", "conf_low", "conf_high")
    )
    table = model_table({**result.tables, "random_effects": random}, [fit.spec for fit in result.fits])
    row = next(r for r in table.groups[1].rows if r.label == "Slope (time)")
    assert texts(row)[:5] == ["1.24", "—", "", "—", "—"]
    assert not row.cells[0].strong


def test_criteria_say_convention_and_method(result):
    table = criteria_table(result.tables)
    assert "SPSS" in table.caption
    assert [group.label for group in table.groups] == [
        "As fitted (REML)",
        "Maximum likelihood, on the 1,089 outcome values of all models",
    ]
    assert texts(row_of(table, "Model 3: Convergence and covariates"))[:2] == ["6441.00", "6449.00"]


def test_smaller_tables(result):
    specs = [fit.spec for fit in result.fits]
    shape = time_shape_table(result.tables["time_shape"])
    assert texts(row_of(shape, "Log-linear, ln(1 + time)")) == ["6963.80", "6975.80", "22.60", "1,195"]
    vif = collinearity_table(result.tables["collinearity"], result.tables["condition"], specs)
    assert texts(row_of(vif, "Convergence")) == ["1.29"]
    assert texts(row_of(vif, "Condition number")) == ["1.62"]
    flow = flow_table(result.tables["flow"], time="Session")
    assert [row.label for row in flow.rows()] == [str(t) for t in range(1, 15)]


def test_descriptives_put_both_raters_side_by_side(result):
    table = descriptives_table(result.tables["descriptives"], time="Session", names=result.dataset.names)
    assert [(s.label, s.words) for s in table.spanners] == [
        ("Patient's rating", "wai_p"),
        ("Therapist's rating", "wai_t"),
        ("Outcome", "bdi"),
    ]
    first = result.tables["descriptives"].row(0, named=True)
    assert texts(row_of(table, "1"))[:3] == [str(first["n"]), f"{first['mean']:.2f}", f"{first['sd']:.2f}"]


def test_an_occasion_without_outcome_stays_empty(result):
    import polars as pl

    some = result.tables["descriptives"].filter((pl.col("variable") != "outcome") | (pl.col("time") != 3.0))
    table = descriptives_table(some, time="Session", names={})
    assert texts(row_of(table, "3"))[8:] == [""] * 4


def test_scores_show_reliability_and_correlations(result):
    table = scores_table(result.scores, result.scoring.reliability)
    assert texts(row_of(table, "1. Convergence"))[4] == ".61"
    assert texts(row_of(table, "2. Early alliance, patient"))[4] == ".95"
    row = row_of(table, "4. Early discrepancy")
    import numpy as np

    x, y = result.scores["early_discrepancy"].to_numpy(), result.scores["early_patient"].to_numpy()
    assert texts(row)[6] == f"{np.corrcoef(x, y)[0, 1]:.2f}".replace("0.", ".")


def test_a_table_is_whole_or_not_there():
    columns = (Column(label="a"), Column(label="b"))
    row = Row(label="x", cells=(Cell(value=1),))
    with pytest.raises(ValueError, match="1 cells for 2 columns"):
        Table(key="t", caption="t", stub="", columns=columns, groups=(RowGroup(rows=(row,)),))
    with pytest.raises(ValueError, match="do not cover"):
        Table(key="t", caption="t", stub="", columns=columns, groups=(), spanners=(Spanner(label="s", columns=1),))


@pytest.mark.parametrize("width", [80, 100, 120, 200])
def test_the_main_table_fits_the_terminal(result, width):
    text = main_table(result, width=width).plain
    assert max(len(line) for line in text.splitlines()) <= width
    assert "Alliance dev. × Convergence × Time" in text
    assert ".032" in text
    assert ("2.03" in text) == (width >= 100)  # standard errors where there is room
    assert ("[−8.46, −0.38]" in text) == (width == 200)


def test_bold_in_the_terminal(result):
    text = main_table(result, width=120)
    bold = {text.plain[s.start : s.end].strip() for s in text.spans if s.style == "bold"}
    assert {"−4.42", ".032"} <= bold
    assert ".484" not in bold


def test_decimals_line_up_in_the_terminal(models):
    lines = [
        line for line in render_text(models, width=200).plain.splitlines() if line.startswith(("Intercept", "Slope"))
    ]
    assert len({line.index(".") for line in lines}) == 1


def test_one_fit_in_the_terminal(result):
    import polars as pl

    fixed = result.tables["fixed_effects"].filter(pl.col("model") == 3).drop("model")
    random = result.tables["random_effects"].filter(pl.col("model") == 3).drop("model")
    facts = {
        "formula": "y ~ x + (x | g)",
        "method": "REML",
        "n_rows": 1089,
        "residual": "independent",
        "groups": {"dyad": 96},
        "n_dropped": 4,
        "groups_lost": ["D007"],
        "boundary": "",
        "reference_levels": {"sex": "female"},
    }
    tables = {
        "coefficients": fixed,
        "variance_components": random,
        "information_criteria": result.tables["criteria"].head(1),
    }
    text = fit_tables(facts, tables, width=80).plain
    for expected in (
        "y ~ x",
        "time:development:convergence",
        "−4.42",
        "(Intercept), time",
        "4 rows with missing",
        "female",
    ):
        assert expected in text
    assert max(len(line) for line in text.splitlines()) <= 80


def by_occasion(**columns) -> pl.DataFrame:
    return pl.DataFrame({"time": [1.0, 2.0, 3.0], "n": [5, 4, 1], **columns})


def said(table) -> list[list[str]]:
    return [["" if c is None else words(c) for c in row.cells] for row in table.rows()]


def test_values_of_fewer_than_five_dyads_are_not_shown_unless_asked_for():
    few = by_occasion(
        variable=["outcome"] * 3,
        mean=[9.0, 7.5, 6.25],
        sd=[1.5, 2.5, None],
        min=[7.0, 5.0, 6.25],
        max=[11.0, 10.0, 6.25],
    )
    table = descriptives_table(few, time="Session", names={})
    assert said(table) == [["5", "9.00", "1.50", "7.00–11.00"], ["4", "—", "—", "—"], ["1", "—", "—", "—"]]
    assert "fewer than 5 dyads only their number is shown" in table.note[0]
    asked = descriptives_table(few, time="Session", names={}, individual=True)
    assert said(asked)[1:] == [["4", "7.50", "2.50", "5.00–10.00"], ["1", "6.25", "—", "6.25–6.25"]]
    assert not asked.note
    assert not descriptives_table(few.head(1), time="Session", names={}).note


def test_pairs_of_fewer_than_five_dyads_are_not_shown_unless_asked_for():
    few = by_occasion(
        mean_difference=[0.5, 0.25, 0.75],
        sd_difference=[1.0, 2.0, None],
        mean_absolute_difference=[0.8, 0.9, 0.75],
        correlation=[0.31, 0.99, None],
    )
    table = agreement_table(few, time="Session")
    assert said(table) == [["5", "0.50", "1.00", "0.80", ".31"], ["4", *["—"] * 4], ["1", *["—"] * 4]]
    assert "fewer than 5 dyads" in "".join(part for part in table.note if isinstance(part, str))
    asked = agreement_table(few, time="Session", individual=True)
    assert said(asked)[1:] == [["4", "0.25", "2.00", "0.90", ".99"], ["1", "0.75", "—", "0.75", "—"]]
