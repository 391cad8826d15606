"""Office Math against elements written by hand, and against what the equations show in MathML."""

from collections import Counter
from itertools import product
from typing import get_args
from xml.etree import ElementTree

import pytest

from dyadline.plan import analysis
from dyadline.plan.analysis import ConvergenceSection
from dyadline.plan.formula import parse_formula
from dyadline.plan.recipes import outcome_model
from dyadline.plan.scores import describe_operationalisation
from dyadline.report.document import Equation
from dyadline.report.prose.equations import escape_latex, model_equations, rating_equations
from dyadline.report.writers.mathml import mathml
from dyadline.report.writers.omml import office_math

M = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
NOTHING = "\u200b"


def sketch(node: ElementTree.Element) -> str:
    """The tree without properties: ``sSub(b|j)``; text stands as it is, upright text in quotes."""
    tag = node.tag.removeprefix(M)
    if tag == "r":
        text = node.findtext(f"{M}t") or ""
        return f"'{text}'" if node.find(f"{M}rPr/{M}nor") is not None else text
    parts = [part for part in node if part.tag.startswith(M) and not part.tag.endswith("Pr")]
    if tag in ("e", "sub", "sup", "num", "den", "lim", "deg", "oMath"):
        return "".join(sketch(part) for part in parts)
    signs = [part.get(f"{M}val", "") for name in ("begChr", "endChr", "chr") for part in node.findall(f"*/{M}{name}")]
    inside = "|".join(sketch(part) for part in parts)
    return f"{tag}{''.join(signs)}({inside})"


def drawn(latex: str) -> str:
    tree = ElementTree.fromstring(office_math(mathml(Equation(latex=latex, words="x"))))
    (math,) = tree.findall(f"{M}oMath")
    return sketch(math)


@pytest.mark.parametrize(
    ("latex", "expected"),
    [
        ("b_{0j} = 1", "sSub(b|0j)=1"),
        (r"\sigma^{2}", "sSup(σ|2)"),
        (r"\hat u^P_{0j}", "sSubSup(acc\u0302(u)|0j|P)"),
        (r"\bar D_j", "sSub(acc\u0305(D)|j)"),
        (r"\frac{a}{b + c}", "f(a|b+c)"),
        (r"\sqrt{x}", "rad(|x)"),
        (r"\left|D_{j1}\right|", "d||(sSub(D|j1))"),
        (r"(t - u)^2", "sSup(d()(t−u)|2)"),
        (r"\sum_t (t - u)", "nary∑(t||d()(t−u))"),
        (r"\ln\left(s + 1\right)", "'ln'd()(s+1)"),
        (r"\ln\frac{a}{b}", "'ln''\u2009'f(a|b)"),
        (r"t_{\max}", "sSub(t|'max')"),
        (r"\text{Time}_{ij} \times x", "sSub('Time'|ij)×x"),
        (r"r_{ij} \sim N(0, \sigma^{2})", "sSub(r|ij)∼Nd()(0,sSup(σ|2))"),
        (r"\begin{pmatrix} 0 & 1 \\ 2 & 3 \end{pmatrix}", "d()(m(mr(0|1)|mr(2|3)))"),
        (
            r"\begin{split} a &= b \\ &\quad + c \end{split}",
            f"m(mr(a|'{NOTHING}'=b)|mr('{NOTHING}'|'{NOTHING}''\u2003'+c))",
        ),
    ],
)
def test_what_stands_in_what(latex, expected):
    assert drawn(latex) == expected


def test_an_element_letter_by_letter():
    font = '<w:rPr><w:rFonts w:ascii="Cambria Math" w:hAnsi="Cambria Math"/></w:rPr>'
    made = office_math("<math><msub><mi>b</mi><mn>0</mn></msub></math>")
    assert made == (
        '<m:oMathPara xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math" '
        'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">'
        '<m:oMathParaPr><m:jc m:val="left"/></m:oMathParaPr><m:oMath><m:sSub>'
        f'<m:e><m:r>{font}<m:t xml:space="preserve">b</m:t></m:r></m:e>'
        f'<m:sub><m:r><m:rPr><m:sty m:val="p"/></m:rPr>{font}<m:t xml:space="preserve">0</m:t></m:r></m:sub>'
        "</m:sSub></m:oMath></m:oMathPara>"
    )


@pytest.mark.parametrize("unknown", ["<mfenced><mi>x</mi></mfenced>", "<mrow><menclose/></mrow>", "<mstyle/>"])
def test_what_is_not_known_is_said(unknown):
    with pytest.raises(ValueError, match="no Office Math for <m"):
        office_math(f"<math>{unknown}</math>")


def formulas() -> set[str]:
    """Of every operationalisation."""
    kinds = (analysis.Growth, analysis.Discrepancy, analysis.Slope, analysis.Unit, analysis.Transform)
    names = ("growth", "discrepancy", "slope", "unit", "transform")
    return {
        describe_operationalisation(
            ConvergenceSection.model_validate({**dict(zip(names, choice, strict=True)), "early_level": "first_rating"})
        ).formula
        for choice in product(*map(get_args, kinds))
    }


def equations_of_models(make_plan) -> set[str]:
    plan = make_plan(covariates=["age & sex_%"], therapist="therapist")
    with_therapists = plan.model_copy(update={"models": plan.models.model_copy(update={"levels": 3})})
    specs = [outcome_model(number, given) for number in (1, 2, 3) for given in (plan, with_therapists)]
    specs += [
        parse_formula(text)
        for text in (
            "outcome ~ time * baseline + (1 | dyad)",
            "outcome ~ 1 + (time || dyad)",
            "log(outcome) ~ log1p(time) * sqrt(baseline) + (log1p(time) | dyad)",
            "outcome ~ time + (time | dyad) + (time | therapist)",
        )
    ]
    return {equation.latex for spec in specs for equation in model_equations(spec)}


def equations_of_ratings(twin) -> set[str]:
    changes = ((), (("convergence", "growth", "dyadic"),))
    return {e.latex for change in changes for e in rating_equations(twin("study2", change).scoring.growth)}


CHILDREN = {
    "sSub": ["e", "sub"],
    "sSup": ["e", "sup"],
    "sSubSup": ["e", "sub", "sup"],
    "f": ["num", "den"],
    "acc": ["e"],
    "d": ["e"],
    "limLow": ["e", "lim"],
    "nary": ["sub", "sup", "e"],
    "m": None,
    "mr": None,
}


def shown_in_mathml(latex: str) -> Counter[str]:
    marks = {"^": "\u0302", "¯": "\u0305"}
    tree = ElementTree.fromstring(mathml(Equation(latex=latex, words="x")))
    accents = {id(node[1]) for node in tree.iter() if node.tag.endswith("mover")}
    said: Counter[str] = Counter()
    for node in tree.iter():
        text = "".join((node.text or "").split())
        said.update(marks[text] if id(node) in accents else text)
    return said


def shown_in_word(tree: ElementTree.Element) -> Counter[str]:
    texts = [node.text or "" for node in tree.iter(f"{M}t")]
    texts += [node.get(f"{M}val", "") for name in ("begChr", "endChr", "chr") for node in tree.iter(f"{M}{name}")]
    return Counter("".join("".join(texts).replace(NOTHING, "").split()))


def test_every_equation_that_a_report_can_hold_keeps_every_letter(plan_maker, twin):
    every = formulas() | equations_of_models(plan_maker) | equations_of_ratings(twin)
    assert len(every) > 448
    for latex in every:
        tree = ElementTree.fromstring(office_math(mathml(Equation(latex=latex, words="x"))))
        assert shown_in_word(tree) == shown_in_mathml(latex), latex
        for node in tree.iter():
            tag = node.tag.removeprefix(M)
            children = [child.tag.removeprefix(M) for child in node if not child.tag.endswith("Pr")]
            if CHILDREN.get(tag):
                assert children == CHILDREN[tag], latex
            if tag in ("e", "num", "den", "lim"):
                assert children, (latex, "an empty box")


def test_rows_of_a_matrix_are_of_one_length(plan_maker, twin):
    for latex in equations_of_models(plan_maker) | equations_of_ratings(twin):
        tree = ElementTree.fromstring(office_math(mathml(Equation(latex=latex, words="x"))))
        for matrix in tree.iter(f"{M}m"):
            lengths = {len(row) for row in matrix.findall(f"{M}mr")}
            assert lengths == {len(matrix.findall(f"{M}mPr/{M}mcs/{M}mc"))}


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", r"a_b \x {y} & 50%", "שלום עולם", "=cmd|'/C calc'!A0"])
def test_names_stay_as_they_are(name):
    assert drawn(rf"\text{{{escape_latex(name)}}}_{{j}}") == f"sSub('{name}'|j)"


def test_a_name_longer_than_a_line_is_stacked():
    name = "x" * 200
    tree = ElementTree.fromstring(office_math(mathml(Equation(latex=rf"\text{{{name}}}_{{j}}", words="x"))))
    lines = [node.text or "" for node in tree.findall(f".//{M}eqArr/{M}e/{M}r/{M}t")]
    assert "".join(lines) == name
    assert max(map(len, lines)) <= 32
