"""Model equations against LaTeX written by hand from the paper's Method section."""

import pytest

from dyadline.plan.formula import parse_formula
from dyadline.plan.recipes import outcome_model
from dyadline.report.document import Equation
from dyadline.report.prose.equations import escape_latex, model_equations
from dyadline.report.writers.mathml import mathml

LEVEL_1 = r"\text{Outcome}_{ij} = b_{0j} + b_{1j}\,\text{Time}_{ij} + r_{ij}"
RANDOM = (
    r"\begin{pmatrix} u_{0j} \\ u_{1j} \end{pmatrix} \sim N\left(\begin{pmatrix} 0 \\ 0 \end{pmatrix}, "
    r"\begin{pmatrix} \tau_{00} & \tau_{01} \\ \tau_{01} & \tau_{11} \end{pmatrix}\right), "
    r"\quad r_{ij} \sim N(0, \sigma^{2})"
)
MODEL_1 = r"\begin{split} b_{0j} &= \gamma_{00} + u_{0j} \\ b_{1j} &= \gamma_{10} + u_{1j} \end{split}"
MODEL_2 = (
    r"\begin{split} b_{0j} &= \gamma_{00} + \gamma_{01}\,\text{Initial symptoms}_{j} "
    r"+ \gamma_{02}\,\text{Convergence}_{j} + u_{0j} \\ "
    r"b_{1j} &= \gamma_{10} + \gamma_{11}\,\text{Initial symptoms}_{j} "
    r"+ \gamma_{12}\,\text{Convergence}_{j} + u_{1j} \end{split}"
)


def model_3_line(k: int) -> str:
    predictors = [
        r"\text{Initial symptoms}_{j}",
        r"\text{Early alliance, patient}_{j}",
        r"\text{Early alliance, therapist}_{j}",
        r"\text{Early discrepancy}_{j}",
        r"\text{Alliance development}_{j}",
        r"\text{Convergence}_{j}",
        r"(\text{Alliance development}_{j} \times \text{Convergence}_{j})",
    ]
    g = [rf"\gamma_{{{k}{n}}}\,{words}" for n, words in enumerate(predictors, start=1)]
    return (
        rf"b_{{{k}j}} &= \gamma_{{{k}0}} + {g[0]} + {g[1]} \\ &\quad + {g[2]} + {g[3]} \\ "
        rf"&\quad + {g[4]} + {g[5]} \\ &\quad + {g[6]} + u_{{{k}j}}"
    )


MODEL_3 = rf"\begin{{split}} {model_3_line(0)} \\ {model_3_line(1)} \end{{split}}"


@pytest.mark.parametrize(("number", "level_2"), [(1, MODEL_1), (2, MODEL_2), (3, MODEL_3)])
def test_the_papers_models(plan_maker, number, level_2):
    found = [e.latex for e in model_equations(outcome_model(number, plan_maker()))]
    assert found == [LEVEL_1, level_2, RANDOM]


def test_slopes_that_do_not_vary_have_no_random_effect():
    level_2, random = [e.latex for e in model_equations(parse_formula("outcome ~ time * baseline + (1 | dyad)"))][1:]
    assert "u_{0j}" in level_2
    assert "u_{1j}" not in level_2
    assert random == r"u_{0j} \sim N(0, \tau_{00}), \quad r_{ij} \sim N(0, \sigma^{2})"


def test_uncorrelated_effects_and_a_slope_without_mean():
    equations = model_equations(parse_formula("outcome ~ 1 + (time || dyad)"))
    assert r"b_{1j} &= u_{1j}" in equations[1].latex
    assert r"\tau_{00} & 0 \\ 0 & \tau_{11}" in equations[2].latex


def test_transforms_and_names_of_the_file():
    latex = model_equations(parse_formula("outcome ~ time * `age & sex_%` + (time | dyad)"))[1].latex
    assert r"\text{age \& sex\_\%}_{j}" in latex


def test_text_in_latex_is_escaped():
    assert escape_latex(r"a_b{c}\d~^") == r"a\_b\{c\}\textbackslash{}d\textasciitilde{}\textasciicircum{}"


@pytest.mark.parametrize(
    "name", ["a_b", "50% & more", "<script>alert(1)</script>", r"back\slash {x}", "~^#$", "@0@ @7@"]
)
def test_names_survive_mathml_and_stay_inert(name):
    from html import unescape
    from xml.etree import ElementTree

    made = str(mathml(Equation(latex=rf"\text{{{escape_latex(name)}}}_{{j}} + \text{{other}}_{{j}}", words='"<w>"')))
    tree = ElementTree.fromstring(made)
    assert "<script" not in made
    said = [unescape(e.text or "") for e in tree.iter() if e.tag.endswith("mtext")]
    assert said == [name, "other"]


def test_growth_models_of_the_ratings_come_from_their_fits(twin):
    from dyadline.report.prose.equations import rating_equations

    made = rating_equations(twin("study2").scoring.growth)
    assert [e.latex for e in made[:2]] == [
        r"\text{Patient's rating}_{ij} = b_{0j} + b_{1j}\,\text{Time}_{ij} + r_{ij}",
        MODEL_1,
    ]
    assert made[2].latex == RANDOM
    assert made[3].latex.startswith(r"\text{Therapist's rating}_{ij} = ")
    assert made[3].words == "Level 1 (occasions), therapist's rating"


def test_the_joint_growth_model(twin):
    from dyadline.report.prose.equations import rating_equations

    one, two, effects, residuals = rating_equations(
        twin("study2", (("convergence", "growth", "dyadic"),)).scoring.growth
    )
    assert one.latex == (
        r"\begin{split} \text{Patient's rating}_{ij} &= b^{P}_{0j} + b^{P}_{1j}\,\text{Time}_{ij} + r^{P}_{ij} \\ "
        r"\text{Therapist's rating}_{ij} &= b^{T}_{0j} + b^{T}_{1j}\,\text{Time}_{ij} + r^{T}_{ij} \end{split}"
    )
    assert two.latex.count(r"\gamma") == two.latex.count("u^") == 4
    assert effects.latex.startswith(
        r"\begin{pmatrix} u^{P}_{0j} \\ u^{T}_{0j} \\ u^{P}_{1j} \\ u^{T}_{1j} \end{pmatrix} \sim N"
    )
    assert effects.latex.count(r"\tau_{") == 16
    assert residuals.latex.endswith(
        r"\begin{pmatrix} \sigma_{11} & \sigma_{12} \\ \sigma_{12} & \sigma_{22} \end{pmatrix}\right)"
    )
    for equation in (one, two, effects, residuals):
        assert "<math" in str(mathml(equation))


def test_a_model_in_words(plan_maker):
    from dyadline.report.prose.equations import reading

    start = (
        "At each occasion the outcome is the dyad's level at time 0, plus the dyad's slope times time, plus a residual."
    )
    assert reading(outcome_model(2, plan_maker())) == (
        f"{start} Level and slope are each an average, plus a coefficient times each predictor (Initial symptoms; "
        "Convergence), plus the dyad's own deviation."
    )
    assert reading(parse_formula("outcome ~ time * x + (1 | dyad)")) == (
        f"{start} The level is an average, plus a coefficient times each predictor (x), plus the dyad's own deviation. "
        "The slope is an average, plus a coefficient times each predictor (x)."
    )
    assert "plus the dyad's own deviation, plus the therapist's own deviation. The slope" in reading(
        parse_formula("outcome ~ time + (time | dyad) + (1 | therapist)")
    )
