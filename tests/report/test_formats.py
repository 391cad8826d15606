"""The same report in five formats: every number, every label, and the plan's decimals in all of them."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from dyadline.report.compose import compose
from dyadline.report.document import Document, Figure, Table
from dyadline.report.numbers import words
from every_number import NUMBER, cells, numbers, of_table, paragraphs, plain, quickly_drawn, read, spaced_anyhow

FORMATS = ("html", "docx", "pdf", "tex", "md")
DECIMALS = {"p": 5, "estimate": 4, "df": 0, "statistic": 3, "proportion": 4, "percent": 3, "criterion": 0, "number": 1}
PLANS = {
    "two levels": ("study1", ()),
    "three levels": ("study2", (("models", "levels", 3), ("columns", "baseline", "gsi_pre"))),
    "noise": ("study1", (("convergence", "null", 200),)),
    "decimals": ("study1", (("report", "decimals", tuple(DECIMALS.items())), ("report", "columns", ("p_value", "df")))),
}


@pytest.fixture(scope="module", params=PLANS)
def report(request: pytest.FixtureRequest, twin: Any) -> tuple[Document, dict[str, str]]:
    study, changes = PLANS[request.param]
    changed = tuple((s, k, dict(v) if k == "decimals" else v) for s, k, v in changes)
    if request.param == "decimals":
        result = twin(study)  # decimals change the report alone
        section = result.plan.report.model_validate({k: v for _, k, v in changed})
        result = replace(result, plan=result.plan.model_copy(update={"report": section}))
    else:
        result = twin(study, changed)
    document = quickly_drawn(compose(result))
    return document, read(document)


@pytest.mark.parametrize("form", FORMATS)
def test_every_number_of_every_table_stands_below_its_caption(report, form):
    document, texts = report
    tables, text, starts, start = list(document.tables()), texts[form], [], 0
    for table in tables:
        found = spaced_anyhow(plain(table.caption)).search(text, start)
        assert found, table.caption
        start = found.end()
        starts.append(start)
    wanted = [of_table(table) for table in tables]
    assert sum(wanted, Counter()).total() > 700
    for table, want, begin, end in zip(tables, wanted, starts, [*starts[1:], len(text)], strict=True):
        missing = want - numbers(text[begin:end])
        assert not missing, (table.key, missing)


@pytest.mark.parametrize("form", FORMATS)
def test_every_number_of_every_sentence_is_there(report, form):
    document, texts = report
    wanted = [c for paragraph in paragraphs(document) for c in cells(paragraph.parts)]
    assert len(wanted) > 100
    # Each as often as tables and sentences together have it.
    all_wanted = sum((numbers(plain(words(c))) for c in wanted), sum(map(of_table, document.tables()), Counter()))
    assert not all_wanted - numbers(texts[form])


@pytest.mark.parametrize("form", ["html", "docx", "pdf", "md"])
def test_tables_and_figures_have_the_same_names_everywhere(report, form):
    document, texts = report
    labels, text = document.labels(), texts[form]
    for section in document.sections:
        for block in section.blocks:
            if isinstance(block, Table | Figure):
                label = labels[f"{'table' if isinstance(block, Table) else 'figure'}-{block.key}"]
                found = spaced_anyhow(plain(f"{label}{block.caption.split('. ')[0].rstrip('.')}")).search(
                    text.replace(f"{label}.", label)
                )
                assert found, (label, block.caption)


def test_latex_counts_as_the_document_does(report):
    document, texts = report
    for kind, blocks in (("table", document.tables()), ("figure", document.figures())):
        found = re.findall(rf"\\label\{{{kind}-([^}}]*)\}}", texts["tex"].replace(".5f.", "_"))
        assert found == [block.key for block in blocks]


@pytest.mark.parametrize("report", ["decimals"], indirect=True)
def test_the_plans_decimals_are_in_every_format(report):
    document, texts = report
    shapes = {"estimate": r"−?\d+\.\d{4}", "p": r"[<>]? ?\.\d{5}", "df": r"\d+", "criterion": r"−?\d+"}
    shapes |= {"proportion": r"−?[01]?\.\d{4}", "percent": r"\d+\.\d{3}"}
    said = {kind: set() for kind in shapes}
    for table in document.tables():
        for cell in (c for row in table.rows() for c in row.cells if c is not None and c.value is not None):
            if cell.kind in shapes:
                assert re.fullmatch(shapes[cell.kind], words(cell)), (table.key, cell)
                said[cell.kind] |= set(NUMBER.findall(words(cell)))
    assert all(said.values())
    for text in texts.values():
        assert set.union(*said.values()) <= set(numbers(text))
