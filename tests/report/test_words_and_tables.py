"""Words beside tables: each number of a paragraph stands in a table that it names, each place and each work exists."""

from __future__ import annotations

import re
from importlib.resources import files

import polars as pl
import pytest
from scipy.stats import t as student

from dyadline.report.compose import compose
from dyadline.report.document import Cell, Paragraph, Reference, Table
from dyadline.report.numbers import words
from dyadline.report.prose.checklists import CHECKLISTS
from dyadline.report.prose.results import results_blocks
from dyadline.report.prose.robustness import other_choices, single_dyads

THREE = (("models", "levels", 3),)
SIGNED = (
    ("convergence", "growth", "observed"),
    ("convergence", "discrepancy", "signed"),
    ("convergence", "early_level", "first_rating"),
    ("convergence", "early_discrepancy", "none"),
)
CASES = {
    "study1": ("study1", (), False),
    "study2": ("study2", (), False),
    "three levels": ("study1", THREE, False),
    "items": ("study1", (), True),
    "signed": ("study1", SIGNED, False),
    "noise": ("study1", (("convergence", "null", 200),), False),
    "Models 1 and 2": ("study1", (("models", "run", (1, 2)),), False),
}


@pytest.fixture(params=CASES.values(), ids=CASES)
def case(request, twin):
    study, changes, items = request.param
    return twin(study, changes, items=items)


def key(value):
    return float(f"{value:.9g}")


def values(cells):
    """Numbers of cells, and how each is written."""
    found = {}
    for cell in cells:
        if cell.kind == "occasion":
            continue  # a time, as 1 in "session 1"
        for value in cell.value if isinstance(cell.value, tuple) else (cell.value,):
            if value is not None and not isinstance(value, str):
                found.setdefault(key(value), set()).add(words(cell))
    return found


def in_no_table(result):
    """Numbers that the words compute, computed here from the tables of the result."""
    fixed = result.tables["fixed_effects"]
    made = set(fixed["statistic"])  # a column of the models' table only where the plan asks for it
    if "growth_fixed_effects" in result.tables:
        made |= set(result.tables["growth_fixed_effects"]["statistic"])
    standardised = result.tables["standardised"]
    made |= set(standardised["estimate"])
    for table in (fixed, standardised):
        made |= {
            (student.ppf(0.975, r["df"]) + student.ppf(0.8, r["df"])) * r["std_error"] for r in table.rows(named=True)
        }
    raw = result.scores["convergence_raw"]
    positive = sum(x > 0 for x in raw)
    made |= {positive, 100 * positive / raw.len()}
    if result.scoring.simulated is not None:
        made |= {result.scoring.simulated.null_low, result.scoring.simulated.null_high}
    attrition = result.tables["attrition"]
    if attrition.height:
        made.add(100 * attrition["at_risk"][-1] / attrition["at_risk"][0])
    about = fixed.filter(pl.col("term").str.contains("convergence"))
    made |= {about.height, (about["p_value"] < 0.05).sum()}
    last = fixed.filter(pl.col("model") == fixed["model"].max(), ~pl.col("term").str.contains("convergence"))
    made.add((last.filter(~pl.col("term").is_in(["(Intercept)", "time"]))["p_value"] >= 0.05).sum())
    return {key(float(value)) for value in made}


def test_every_number_stands_in_a_table_that_its_paragraph_names(case):
    document = compose(case)
    tables = {f"table-{t.key}": t for t in document.tables()}
    own, count = in_no_table(case), 0
    for block in next(s for s in document.sections if s.key == "results").blocks:
        if not isinstance(block, Paragraph):
            continue
        named = [tables[p.anchor] for p in block.parts if isinstance(p, Reference) and p.anchor in tables]
        # Tests of convergence, their number, and covariates follow the paragraph that names the models' table.
        named.append(tables["table-models"])
        cells = [c for t in named for row in t.rows() for c in row.cells if c is not None]
        cells += [p for t in named for p in t.note if isinstance(p, Cell)]
        noted = " ".join(p for t in named for p in t.note if isinstance(p, str))
        shown = values(cells)
        said = values(part for part in block.parts if isinstance(part, Cell))
        count += len(said)
        assert [f"{v}: {said[v]}" for v in said if not (v in shown or v in own or said[v] <= set(noted.split()))] == []
    assert count > 50


def test_an_estimate_is_written_as_in_the_table_of_the_models(case):
    document = compose(case)
    table = document.table("models")
    shown = {
        key(c.value): words(c)
        for row in table.rows()
        for c in row.cells
        if c is not None and c.kind == "estimate" and c.value is not None
    }
    said = [
        part
        for block in results_blocks(case, document.labels())
        if isinstance(block, Paragraph)
        for part in block.parts
        if isinstance(part, Cell) and part.kind == "estimate" and key(part.value) in shown
    ]
    assert len(said) > 6
    assert [(words(c), shown[key(c.value)]) for c in said if words(c) != shown[key(c.value)]] == []


def test_every_place_that_a_paragraph_names_is_there(case):
    document = compose(case)
    labels = document.labels()
    named = [
        part.anchor
        for section in document.sections
        for block in section.blocks
        for part in (block.parts if isinstance(block, Paragraph) else block.note if isinstance(block, Table) else ())
        if isinstance(part, Reference)
    ]
    assert len(named) > 20
    assert [anchor for anchor in named if anchor not in labels] == []


def imputed():
    from dyadline.studies.twins import twin_data, twin_plan
    from dyadline.workflow import run

    plan = twin_plan("study1")
    models = plan.models.model_copy(update={"missing_predictors": "impute", "imputations": 5, "seed": 8})
    data = twin_data("study1").with_columns(
        bdi_pre=pl.when(pl.col("dyad").str.ends_with("3")).then(None).otherwise(pl.col("bdi_pre")),
        reason=pl.when(pl.col("dyad").str.ends_with("1")).then(pl.lit("moved away")),
    )
    checks = plan.checks.model_copy(update={"reason": "reason"})
    return run(plan.model_copy(update={"models": models, "checks": checks}), data)


def test_every_place_of_a_checklist_is_in_some_report(twin):
    results = [twin("study1"), twin("study1", THREE), twin("study1", items=True), imputed()]
    there = {anchor for result in results for anchor in compose(result).labels()}
    for name in CHECKLISTS:
        text = (files("dyadline.report.prose") / f"{name}.toml").read_text(encoding="utf-8")
        named = set(re.findall(r'"((?:table|figure|section)-[^"]+)"', text))
        assert len(named) > 5
        assert named <= there, name


CITED = re.compile(
    r"([A-Z][\w-]+)(?:(?:, [A-Z]\w+)*,? (?:&|and) [A-Z]\w+| et al\.)?(?:['’]s)?,? \(?((?:19|20)\d\d[ab]?)\b"
)


def test_every_work_that_the_report_cites_is_listed(case):
    document = compose(case)
    listed = [str(b.parts[0]) for s in document.sections if s.key == "references" for b in s.blocks]
    said = []
    for section in document.sections:
        for block in section.blocks if section.key not in ("references", "syntax") else ():
            parts = block.parts if isinstance(block, Paragraph) else block.note if isinstance(block, Table) else ()
            said.append("".join(part if isinstance(part, str) else " " for part in parts))
    cited = {(match[1], match[2]) for match in CITED.finditer("\n".join(said))}
    assert {("Nakagawa", "2013"), ("Johnson", "2014"), ("Bland", "1995a"), ("Belsley", "1980")} <= cited
    for author, year in cited:
        assert any(author in entry and f"({year})" in entry for entry in listed), (author, year)


SENSITIVITY = {
    "variant": ["reported", "reported", "sessions", "sessions", "fewer_sessions", "fewer_sessions"],
    "model": [2] * 6,
    "term": ["convergence", "time:convergence"] * 3,
    "p_value": [0.20, 0.04, 0.30, 0.21, 0.06, 0.03],
}


def text_of(phrases):
    return " ".join("".join(words(p) if isinstance(p, Cell) else getattr(p, "letters", p) for p in f) for f in phrases)


def test_other_choices_say_which_test_came_out_differently(result_maker):
    result = result_maker()
    result.tables |= {"sensitivity": pl.DataFrame(SENSITIVITY)}
    assert text_of(other_choices(result, set())).replace("\u00a0", " ") == (
        "With the number of sessions as a further predictor, 1 of 2 tests of convergence came out differently: in "
        "Model 2 that of convergence on the slope was not significant, p = .210. Without dyads of more than 40 "
        "sessions, both tests of convergence came out as reported (smallest p = .030)."
    )


def test_single_dyads_by_the_largest_change(result_maker):
    result = result_maker()
    terms = {"model": [3, 3], "term": ["convergence", "time:convergence"], "largest_dfbetas": [0.314, 0.551]}
    result.tables |= {"influence": pl.DataFrame(terms)}
    assert text_of(single_dyads(result, set())) == (
        "Leaving out any one dyad moved the effects of convergence in Model 3 by at most 0.55 standard errors."
    )
