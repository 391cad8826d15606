"""Therapists in the report: rows of the main table, the test, the words, the equations, the terminal."""

from __future__ import annotations

import polars as pl
import pytest

from dyadline.plan.formula import parse_formula
from dyadline.plan.recipes import outcome_model
from dyadline.report.compose import compose
from dyadline.report.document import Paragraph
from dyadline.report.numbers import words
from dyadline.report.prose.equations import model_equations
from dyadline.report.prose.narrative import levels_words
from dyadline.report.tables.models import level_table, model_table
from dyadline.report.writers.html import write_html
from dyadline.report.writers.mathml import mathml
from dyadline.report.writers.text import fit_tables, render_text
from dyadline.studies.levels import SCHEMA

TEST = {
    "model": 1, "effect": "intercept", "method": "REML", "n_rows": 1071, "n_dyads": 94, "n_therapists": 33,
    "criterion_without": 6850.72, "criterion_with": 6840.17, "statistic": 10.55,
    "distribution": "0.5·χ²(0) + 0.5·χ²(1)", "p_value": 0.00058, "doubt": "", "variance": 56.2, "icc": 0.304,
    "levels_asked": "auto", "levels_used": 3, "reason": "Therapists' intercepts and slopes differ on the 5% level.",
}  # fmt: skip
SLOPE = {
    "effect": "slope", "statistic": 13.18, "p_value": 0.00082, "variance": 0.0791,
    "distribution": "0.5·χ²(1) + 0.5·χ²(2)",
}  # fmt: skip


def level_rows(*rows):
    return pl.DataFrame([{**TEST, **row} for row in rows], schema=SCHEMA)


@pytest.fixture
def tables(result):
    """The hand-made models with a row of therapists each."""
    random = result.tables["random_effects"]
    above = random.filter((pl.col("term1") == "(Intercept)") & pl.col("term2").is_null())
    above = above.with_columns(group=pl.lit("therapist"), estimate=12.5, std_error=6.0)
    levels = [random.filter(pl.col("group") == "dyad"), above, random.filter(pl.col("group") == "Residual")]
    criteria = result.tables["criteria"].with_columns(n_therapists=34)
    return {
        **result.tables,
        "random_effects": pl.concat(levels).sort("model", maintain_order=True),
        "criteria": criteria,
    }


def said(parts):
    return "".join(p if isinstance(p, str) else getattr(p, "letters", None) or words(p) for p in parts)


def test_each_level_has_its_rows(result, tables):
    table = model_table(tables, [fit.spec for fit in result.fits])
    assert [(g.label, [row.label for row in g.rows]) for g in table.groups[1:]] == [
        ("Random effects of dyads", ["Intercept", "Covariance", "Slope (time)"]),
        ("Random effects of therapists", ["Intercept"]),
        ("Residuals", ["Residual"]),
        ("Fit", ["REML criterion", "AIC (SPSS convention)", "Outcome values", "Dyads", "Therapists"]),
    ]
    (therapists,) = table.groups[2].rows
    assert [words(therapists.cells[5 * m]) for m in range(3)] == ["12.50"] * 3
    assert words(table.groups[1].rows[0].cells[0]) == "49.84"
    text = render_text(table, width=100).plain
    assert "Random effects of therapists" in text
    assert max(len(line) for line in text.splitlines()) <= 100


def test_the_test_is_a_table():
    table = level_table(level_rows({}, SLOPE))
    assert [row.label for row in table.rows()] == ["Intercepts vary over therapists", "Slopes vary over therapists too"]
    first, second = table.rows()
    assert [words(c) for c in first.cells] == [
        "6850.72", "6840.17", "10.55", "0.5·χ²(0) + 0.5·χ²(1)", "< .001", "56.20", ".30"
    ]  # fmt: skip
    assert words(second.cells[5]) == "0.0791"
    assert "1,071 outcome values of 94 dyads" in said(table.note)


def test_words_say_what_was_decided_and_why():
    kept = said(levels_words(level_rows({}, SLOPE)).parts)
    assert kept.startswith("All models have three levels: sessions in dyads in therapists. Therapists' intercepts and")
    assert "33 therapists treat 94 dyads; in Model 1" in kept
    assert "share of the outcome's variance where time is 0 is .30. That therapists' slopes vary too lowers it" in kept
    zero = {"levels_used": 2, "statistic": 0.0, "p_value": 1.0, "icc": 0.0, "reason": "The variance is zero."}
    fallen = said(levels_words(level_rows(zero)).parts)
    assert fallen.startswith(
        "All models have two levels: sessions in dyads. The variance is zero. Three levels were tried"
    )
    assert "p\u00a0>\u00a0.999" in fallen
    doubtful = said(levels_words(level_rows({"doubt": "approximate: a"}, {**SLOPE, "doubt": "approximate: b"})).parts)
    assert "(test correct on the boundary; approximate: a)" in doubtful
    assert doubtful.endswith("p\u00a0<\u00a0.001 (approximate: b).")
    none = dict.fromkeys(("statistic", "p_value", "icc", "n_dyads", "n_therapists"))
    assert said(levels_words(level_rows({**none, "levels_used": 2, "reason": "Not so."})).parts).endswith(
        "dyads. Not so."
    )


def test_the_report_shows_them(result_maker, plan_maker, tables):
    base = plan_maker(therapist="th")
    plan = base.model_copy(update={"models": base.models.model_copy(update={"levels": "auto"})})
    result = result_maker(plan=plan)
    result.tables = {**tables, "level_test": level_rows({}, SLOPE)}
    document = compose(result)
    section = next(s for s in document.sections if s.key == "models")
    assert isinstance(section.blocks[0], Paragraph)
    assert section.blocks[0].heading == "Levels."
    assert [t.key for t in section.blocks[1:]] == ["level_test", "models", "criteria"]
    choices = {row.label: [words(c) for c in row.cells] for row in document.table("choices").rows()}
    assert choices["Levels"][0] == "auto"
    assert "Level 3 (therapists)" in write_html(document)
    result.tables["level_test"] = level_rows(dict.fromkeys(("statistic", "p_value", "icc")))
    assert "level_test" not in {t.key for t in compose(result).tables()}


def test_equations_of_three_levels(plan_maker):
    base = plan_maker(therapist="th")
    plan = base.model_copy(update={"models": base.models.model_copy(update={"levels": 3})})
    one, two, three, random = model_equations(outcome_model(2, plan))
    assert one.latex == r"\text{Outcome}_{ijk} = b_{0jk} + b_{1jk}\,\text{Time}_{ijk} + r_{ijk}"
    assert two.latex == (
        r"\begin{split} b_{0jk} &= \beta_{00k} + \gamma_{01}\,\text{Initial symptoms}_{jk} "
        r"+ \gamma_{02}\,\text{Convergence}_{jk} + u_{0jk} \\ "
        r"b_{1jk} &= \beta_{10k} + \gamma_{11}\,\text{Initial symptoms}_{jk} "
        r"+ \gamma_{12}\,\text{Convergence}_{jk} + u_{1jk} \end{split}"
    )
    assert three.words == "Level 3 (therapists)"
    assert (
        three.latex == r"\begin{split} \beta_{00k} &= \gamma_{00} + v_{00k} \\ \beta_{10k} &= \gamma_{10} \end{split}"
    )
    assert random.latex == (
        r"\begin{pmatrix} u_{0jk} \\ u_{1jk} \end{pmatrix} \sim N\left(\begin{pmatrix} 0 \\ 0 \end{pmatrix}, "
        r"\begin{pmatrix} \tau_{00} & \tau_{01} \\ \tau_{01} & \tau_{11} \end{pmatrix}\right), "
        r"\quad v_{00k} \sim N(0, \varphi_{00}), \quad r_{ijk} \sim N(0, \sigma^{2})"
    )
    assert all("<math" in str(mathml(e)) for e in (one, two, three, random))


def test_slopes_of_therapists_in_the_equations():
    spec = parse_formula("outcome ~ time + (time | dyad) + (time | therapist)")
    _, _, three, random = model_equations(spec)
    assert r"\beta_{10k} &= \gamma_{10} + v_{10k}" in three.latex
    assert r"\begin{pmatrix} v_{00k} \\ v_{10k} \end{pmatrix}" in random.latex
    assert r"\varphi_{00} & \varphi_{01} \\ \varphi_{01} & \varphi_{11}" in random.latex


def test_other_groupings_have_no_equation():
    for formula in ("outcome ~ time + (1 | dyad) + (1 | clinic)", "outcome ~ time + (1 | therapist)"):
        assert model_equations(parse_formula(formula)) == ()


def test_one_fit_of_several_levels_in_the_terminal():
    import dyadline as dl
    from dyadline.studies.twins import twin_data

    fitted = dl.fit("bdi ~ session + (1 | dyad) + (1 | therapist)", twin_data("study1"), residual="ar1(session)")
    facts = {
        "formula": fitted.spec.formula, "method": "REML", "residual": fitted.spec.residual.label,
        "n_rows": fitted.n_rows, "groups": {"dyad": 96, "therapist": 34}, "n_dropped": 0, "groups_lost": [],
        "boundary": "the variance of x is zero", "reference_levels": {},
    }  # fmt: skip
    made = {
        "coefficients": dl.coefficients(fitted),
        "variance_components": dl.variance_components(fitted),
        "information_criteria": dl.information_criteria(fitted),
    }
    text = fit_tables(facts, made, width=80).plain
    lines = text.splitlines()
    start = lines.index("Random effects of dyad")
    assert lines[start + 2] == "Random effects of therapist"
    assert lines[start + 4] == "Residuals"
    assert lines[start + 6].startswith("Residual correlation, ar1(session)")
    assert "1089 rows, 96 dyad, 34 therapist; residuals: ar1(session); on the boundary: the variance of x" in " ".join(
        text.split()
    )
