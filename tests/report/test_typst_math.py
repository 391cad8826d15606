"""Equations in the PDF: every one that a report can have, and the tree behind it."""

from __future__ import annotations

import io
import itertools

import pypdf
import pytest

from dyadline.plan.analysis import ConvergenceSection
from dyadline.plan.formula import parse_formula
from dyadline.plan.scores import DISCREPANCY, GROWTH, SLOPE, TRANSFORM, UNIT, describe_operationalisation
from dyadline.report.document import Document, Equation, Section
from dyadline.report.prose.equations import model_equations, rating_equations
from dyadline.report.writers.typst import write_pdf
from dyadline.report.writers.typst_math import math_tree


def pdf_of(*equations: Equation) -> pypdf.PdfReader:
    section = Section(key="s", title="Equations", blocks=equations)
    return pypdf.PdfReader(io.BytesIO(write_pdf(Document(title="T", subtitle="", sections=(section,)))))


def spoken(read: pypdf.PdfReader) -> list[str]:
    """What a screen reader says of each formula, in order."""
    found, open_ones = [], [read.trailer["/Root"]["/StructTreeRoot"]]
    while open_ones:
        one = open_ones.pop().get_object()
        if isinstance(one, list):
            open_ones.extend(reversed(one))
        elif isinstance(one, dict):
            found += [str(one["/Alt"])] if one.get("/S") == "/Formula" else []
            open_ones += [one["/K"]] if "/K" in one else []
    return found


def all_operationalisations() -> list[str]:
    found = []
    for growth, gap, slope, unit, transform in itertools.product(GROWTH, DISCREPANCY, SLOPE, UNIT, TRANSFORM):
        choices = {"growth": growth, "discrepancy": gap, "slope": slope, "unit": unit, "transform": transform}
        if growth == "observed":
            choices["early_level"] = "first_rating"
        try:
            how = ConvergenceSection.model_validate(choices)
        except ValueError:
            continue  # not every choice goes with every other
        found.append(describe_operationalisation(how).formula)
    return list(dict.fromkeys(found))


GROWTH_MODELS = [(), (("convergence", "growth", "dyadic"),)]

FORMULAS = [
    "outcome ~ time + (1 | dyad)",
    "outcome ~ 1 + (time || dyad)",
    "log(outcome) ~ time * `age & sex_%` + (time | dyad)",
    "outcome ~ time * (baseline + convergence * development) + (time | dyad)",
    "outcome ~ time * baseline + (time | dyad) + (time | therapist)",
    "outcome ~ time * baseline + (1 | dyad) + (1 | therapist)",
]


def test_every_equation_that_a_report_can_have_is_set(twin):
    scores = [Equation(latex=latex, words=f"score {n}") for n, latex in enumerate(all_operationalisations())]
    assert len(scores) > 350
    models = [e for f in FORMULAS for e in model_equations(parse_formula(f))]
    models += [e for growth in GROWTH_MODELS for e in rating_equations(twin("study2", growth).scoring.growth)]
    assert len(models) > 25
    assert spoken(pdf_of(*scores, *models)) == [e.words for e in (*scores, *models)]


def test_names_and_operators_stand_in_the_equations():
    models = [e for f in FORMULAS for e in model_equations(parse_formula(f))]
    few = [Equation(latex=latex, words="score") for latex in all_operationalisations()[:12]]
    text = "\n".join(page.extract_text() for page in pdf_of(*few, *models).pages)
    assert "age & sex_%" in text
    assert "ln Outcome" in text
    for name in ("arsinh", "rank", "sign"):
        assert text.count(name) == sum(e.latex.count(rf"{{{name}}}") for e in few) > 0


def test_a_formula_as_a_tree():
    u, time = ["letter", "u"], ["text", "Time"]
    latex = r"\hat u_{0} = \frac{1}{2}\left(\text{Time}^2 + \min_k s\right) \sim N"
    assert math_tree(Equation(latex=latex, words="")) == [
        "row",
        [
            ["attach", ["accent", u, "\u0302"], ["number", "0"], None],
            ["sign", "="],
            ["fraction", ["number", "1"], ["number", "2"]],
            [
                "fence",
                [
                    ["sign", "("],
                    ["attach", time, None, ["number", "2"]],
                    ["sign", "+"],
                    ["attach", ["name", "min", True], ["letter", "k"], None],
                    ["letter", "s"],
                    ["sign", ")"],
                ],
            ],
            ["sign", "∼"],
            ["letter", "N"],
        ],
    ]


def test_a_matrix_has_its_brackets_with_it():
    latex = r"N\left(\begin{pmatrix} 0 \\ 0 \end{pmatrix}, 1\right)"
    tree = math_tree(Equation(latex=latex, words=""))
    zero = ["matrix", [[["number", "0"]], [["number", "0"]]]]
    small = ["fence", [["sign", "("], zero, ["sign", ")"]]]
    assert tree == [
        "row",
        [["letter", "N"], ["fence", [["sign", "("], small, ["sign", ","], ["number", "1"], ["sign", ")"]]]],
    ]


def test_an_equation_of_another_kind_is_refused_in_words():
    with pytest.raises(NotImplementedError, match="msqrt"):
        math_tree(Equation(latex=r"\sqrt{x}", words=""))
