"""Small, short, gappy and oddly named studies: a report all the same, without a word or number that makes no sense."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

import polars as pl
import pytest

from dyadline.plan.analysis import AnalysisPlan
from dyadline.report.compose import compose
from dyadline.report.writers.html import write_html
from dyadline.report.writers.latex import write_latex
from dyadline.report.writers.markdown import write_markdown
from dyadline.studies.twins import twin_data, twin_plan
from dyadline.workflow import run
from read_back import html_words, latex_words, markdown_words

NUMBER_OF_DYAD = pl.col("dyad").str.slice(1).cast(pl.Int64)
SENSELESS = re.compile(r"\b(nan|None(?! of)|inf|True|False|null|np\.\w+|Float64)\b|\{\}|\[\]|<NA>", re.ASCII)


def first(dyads: int) -> pl.DataFrame:
    return twin_data("study1").filter(dyads >= NUMBER_OF_DYAD)


def with_covariates() -> pl.DataFrame:
    age = (NUMBER_OF_DYAD * 7 % 40 + 20).cast(pl.Float64).alias("Alter & Übergang")
    return first(30).with_columns(age, (NUMBER_OF_DYAD % 2).alias("x*y <b> $1"))


def with_holes() -> pl.DataFrame:
    return first(30).with_columns(bdi_pre=pl.when(NUMBER_OF_DYAD % 7 > 0).then("bdi_pre"))


def by_date() -> pl.DataFrame:
    start = pl.lit(date(2020, 1, 6)) + pl.duration(days=NUMBER_OF_DYAD * 13 % 200)
    return first(20).with_columns(session=start + pl.duration(days=(pl.col("session") - 1) * 7))


def own_days() -> pl.DataFrame:
    """Hardly a time that two dyads share."""
    return first(20).with_columns(session=pl.col("session") * 7.0 + NUMBER_OF_DYAD / 100)


def without_random_slopes() -> pl.DataFrame:
    noise = (pl.col("session") * 7919 + NUMBER_OF_DYAD * 104729) % 11
    return first(30).with_columns(bdi=pl.col("bdi_pre") - pl.col("session") + noise - 5.0)


TWO = {"run": [1, 2]}
OBSERVED = {"growth": "observed", "early_level": "first_rating", "early_discrepancy": "none"}
ALL = ["standardised", "p_value", "std_error", "statistic", "df", "interval"]
STUDIES: dict[str, tuple[Any, dict[str, Any]]] = {
    "three dyads, time alone": (lambda: first(3), {"models": {"run": [1]}}),
    "five dyads": (lambda: first(5), {"models": TWO}),
    "ten dyads": (lambda: first(10), {"models": {"run": [3, 1]}}),
    "three occasions": (lambda: twin_data("study1").filter(pl.col("session") <= 3), {}),
    "names that are markup": (with_covariates, {"columns": {"covariates": ["Alter & Übergang", "x*y <b> $1"]}}),
    "dates": (by_date, {"time": {"dates": "weeks"}}),
    "days of its own": (own_days, {}),
    "imputed": (with_holes, {"models": {"missing_predictors": "impute", "imputations": 3}, "report": {"columns": ALL}}),
    "a variance of zero": (without_random_slopes, {"models": {"method": "ML", "df": "normal"}}),
    "no curves": (lambda: first(30), {"convergence": OBSERVED, "models": {"df": "kenward-roger"}}),
    "therapists of one dyad": (lambda: first(12), {"models": {"levels": "auto", "run": [1, 2]}}),
    "no therapists": (lambda: first(30).drop("therapist"), {"columns": {"therapist": None, "baseline": "first"}}),
    "no sensitivity": (lambda: first(30), {"sensitivity": {"run": []}, "report": {"columns": ["p_value"]}}),
}


@pytest.mark.parametrize("name", STUDIES)
def test_a_report_that_makes_sense(name):
    frame, sections = STUDIES[name]
    asked = twin_plan("study1").model_dump()
    for section, keys in sections.items():
        asked[section] = asked[section] | keys
    result = run(AnalysisPlan.model_validate(asked), frame())
    for individual in (False, True):
        document = compose(result, individual=individual)
        paths = {figure.key: f"{figure.key}.png" for figure in document.figures()}
        texts = (
            html_words(write_html(document)),
            markdown_words(write_markdown(document, figures=paths)),
            latex_words(write_latex(document, figures=paths)),
        )
        for text in texts:
            said = text[: text.index("How to cite and reproduce")]  # the plan and the scripts come below
            if not said.startswith("\\documentclass"):
                assert SENSELESS.findall(said) == []
            assert not re.search(r"\bD0\d\d\b", text)
        few = [
            [None if cell is None else cell.value for cell in row.cells[at + 1 : at + 4]]
            for table in document.tables()
            if table.key == "descriptives"
            for row in table.rows()
            for at in range(0, len(row.cells), 4)
            if row.cells[at] is not None and row.cells[at].value < 5
        ]
        assert all((values == [None] * 3) != individual for values in few)
