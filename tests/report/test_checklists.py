"""Checklists: status from the result, places from the document, never a yes by heart."""

from __future__ import annotations

import pytest

from dyadline.report.compose import compose
from dyadline.report.numbers import words
from dyadline.report.prose.checklists import CHECKLISTS, Item, checklist, checklist_blocks, facts, status

LABELS = {"section-method": "Section 1", "table-a": "Table 1", "table-b": "Table 2"}
KNOWN = {"yes": True, "no": False}


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (Item(item="i", places=("table-b", "table-a")), ("Answered", "Table 1 and Table 2")),
        (Item(item="i", places=("table-a", "table-zzz"), needs=("yes",)), ("Answered", "Table 1")),
        (Item(item="i", places=("table-a",), open="Add x."), ("In part", "Table 1. Add x.")),
        (Item(item="i", places=("table-a",), open="Add x.", unless="yes"), ("Answered", "Table 1")),
        (Item(item="i", places=("table-a",), open="Add x.", unless="table-b"), ("Answered", "Table 1")),
        (Item(item="i", places=("table-a",), open="Add x.", unless="table-zzz"), ("In part", "Table 1. Add x.")),
        (Item(item="i", places=("table-a",), needs=("no",), open="Add x."), ("Open", "Add x.")),
        (Item(item="i", places=("table-zzz",)), ("Open", "Not in this report; for the author.")),
        (Item(item="i", open="Write it."), ("Open", "Write it.")),
        (Item(item="i", places=("table-a",), applies="no"), ("Does not apply", "—")),
    ],
)
def test_status(item, expected):
    assert status(item, KNOWN, LABELS) == expected


def test_an_unknown_fact_is_a_mistake_of_the_file():
    with pytest.raises(KeyError):
        status(Item(item="i", needs=("what",)), KNOWN, LABELS)


def rows(result, key):
    table = compose(result).table(f"checklist-{key}")
    return {row.label: tuple(words(cell) for cell in row.cells) for row in table.rows()}


def test_scores_or_items(twin):
    scored, asked = (rows(twin("study1", items=items), "jars-quant") for items in (False, True))
    assert scored["Measures: each named and described"][0] == "Open"
    assert asked["Measures: each named and described"] == ("Answered", "Section 1")
    assert scored["Reliability of the measures in this sample"][0] == "Open"
    state, where = asked["Reliability of the measures in this sample"]
    labels = compose(twin("study1", items=True)).labels()
    assert state == "Answered"
    assert where.startswith(labels["section-reliability"]) and labels["table-reliability"] in where


def test_a_therapist_level_or_none(twin):
    two, three = (rows(twin("study1", c), "jars-longitudinal") for c in ((), (("models", "levels", 3),)))
    item = "Therapists with several dyads: how many, and how they were allowed for"
    assert two[item][0] == "In part" and "no therapist level" in two[item][1]
    assert three[item][0] == "Answered"
    tested = rows(twin("study1", (("models", "levels", 3),)), "level")
    assert tested["4b. Why the analysis has these levels"][0] == "Answered"


def test_baseline_and_single_models(twin):
    own, first = (rows(twin(study), "jars-quant") for study in ("study1", "study2"))
    assert own["Participants: demographic and clinical characteristics"][0] == "In part"
    assert first["Participants: demographic and clinical characteristics"][0] == "Open"
    one = rows(twin("study1", (("models", "run", (1,)),)), "level")
    assert one["Model without predictors beside those with predictors"][0] == "Open"


def test_places_are_where_the_document_has_them(twin):
    document = compose(twin("study1"))
    labels = document.labels()
    assert [section.key for section in document.sections[-3:]] == ["references", "checklists", "syntax"]
    assert rows(twin("study1"), "level")["6a. Equation of the model with its random effects"] == (
        "Answered", labels["section-equations"],
    )  # fmt: skip
    said = rows(twin("study1"), "jars-quant")["Flow of participants"][1]
    assert said.startswith(f"{labels['table-flow']}, {labels['table-attrition']}, and {labels['figure-retention']}.")


def test_nothing_is_answered_where_nothing_is_there(result):
    blocks = list(checklist_blocks(result, {}))
    states = {words(row.cells[0]) for table in blocks[1:] for row in table.rows()}
    assert states <= {"Open", "Does not apply"}


def test_the_files_are_whole(result):
    known = facts(result)
    for name in CHECKLISTS:
        held = checklist(name)
        items = [item for group in held["groups"] for item in group["items"]]
        assert len({item["item"] for item in items}) == len(items)
        for item in items:
            assert set(item) <= {"item", "places", "needs", "open", "unless", "applies"}
            assert set(item.get("needs", ())) <= set(known)
            assert item.get("applies", "models") in known
            assert item.get("unless", "models") in known or item["unless"].startswith(("table-", "figure-", "section-"))
            assert item.get("open", "x.").endswith(".")
            assert item.get("places") or item.get("open")


def test_the_count_is_that_of_the_tables(twin):
    document = compose(twin("study1"))
    section = next(section for section in document.sections if section.key == "checklists")
    states = [words(row.cells[0]) for table in section.blocks[1:] for row in table.rows()]
    text = "".join(part if isinstance(part, str) else words(part) for part in section.blocks[0].parts)
    expected = f"Of all items {states.count('Answered')} are answered by this report, {states.count('In part')} in part"
    assert text.startswith(expected)
    assert f"and {states.count('Open')} are open" in text
