"""The joint growth model in the report."""

from __future__ import annotations

import polars as pl
import pytest

from dyadline.report.compose import compose
from dyadline.report.numbers import words
from dyadline.report.tables.growth import growth_fixed_table, growth_random_table
from dyadline.report.writers.html import write_html

NAMES = ("patient", "therapist", "patient:t", "therapist:t")
SD = (1.2, 0.8, 0.1, 0.05)
R = {(0, 1): 0.45, (0, 2): -0.25, (1, 2): 0.0, (0, 3): 0.1, (1, 3): -0.2, (2, 3): 0.5}


@pytest.fixture
def fixed():
    values = [(4.9, 0.12), (5.1, 0.1), (0.065, 0.009), (0.035, 0.006)]
    return pl.DataFrame(
        [
            {"term": n, "estimate": b, "std_error": s, "df": 94.6, "statistic": b / s, "p_value": 0.0001,
             "conf_low": b - 2 * s, "conf_high": b + 2 * s}
            for n, (b, s) in zip(NAMES, values, strict=True)
        ]
    )  # fmt: skip


@pytest.fixture
def components():
    rows = []
    for k in range(4):
        rows += [("dyad", NAMES[j], NAMES[k], R[j, k] * SD[j] * SD[k]) for j in range(k)]
        rows.append(("dyad", NAMES[k], None, SD[k] ** 2))
    rows += [
        ("Residual", "a", None, 0.45**2),
        ("Residual", "b", None, 0.42**2),
        ("Residual correlation", "a", "b", 0.33),
    ]
    return pl.DataFrame(rows, schema=["group", "term1", "term2", "estimate"], orient="row")


def shown(table):
    return {row.label: ["" if c is None else words(c) for c in row.cells] for row in table.rows()}


def test_average_curves(fixed):
    rows = shown(growth_fixed_table(fixed))
    assert list(rows) == [
        "Patient: intercept",
        "Patient: slope (time)",
        "Therapist: intercept",
        "Therapist: slope (time)",
    ]
    assert rows["Patient: slope (time)"] == ["0.065", "0.009", "94.6", "< .001", "[0.047, 0.083]"]


def test_standard_deviations_and_correlations(components):
    rows = shown(growth_random_table(components))
    assert rows == {
        "1. Patient: intercept": ["1.20", "", "", ""],
        "2. Patient: slope (time)": ["0.10", "−.25", "", ""],
        "3. Therapist: intercept": ["0.80", ".45", ".00", ""],
        "4. Therapist: slope (time)": ["0.050", ".10", ".50", "−.20"],
        "1. Patient": ["0.45", "", "", ""],
        "2. Therapist": ["0.42", ".33", "", ""],
    }


def test_a_variance_of_zero_has_no_correlation(components):
    slope = (pl.col("term1") == "therapist:t") | (pl.col("term2") == "therapist:t")
    flat = components.with_columns(estimate=pl.when(slope.fill_null(False)).then(0.0).otherwise("estimate"))
    assert shown(growth_random_table(flat))["4. Therapist: slope (time)"] == ["0.00", "—", "—", "—"]


def test_they_stand_before_the_scores(result_maker, fixed, components):
    result = result_maker()
    assert "growth_fixed" not in {t.key for t in compose(result).tables()}
    result.tables |= {"growth_fixed_effects": fixed, "growth_random_effects": components}
    document = compose(result)
    section = next(s for s in document.sections if s.key == "scores")
    assert [b.key for b in section.blocks[:3]] == ["growth_fixed", "growth_random", "scores"]
    assert "differences between dyads, and residuals" in write_html(document)
