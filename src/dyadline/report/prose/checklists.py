"""Reporting checklists: where each item is answered in this report, and what is open for the author."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from tomllib import loads
from typing import TYPE_CHECKING, Any

from dyadline.report.document import Block, Cell, Column, Paragraph, Row, RowGroup, Table
from dyadline.report.prose.method import is_synthetic
from dyadline.report.prose.phrases import listed_words
from dyadline.report.tables import imputation as imputation_tables

if TYPE_CHECKING:
    from dyadline.result import AnalysisResult

ANSWERED, IN_PART, OPEN, NONE = "Answered", "In part", "Open", "Does not apply"

PLACES = ("section-", "table-", "figure-")

CHECKLISTS = ("jars_quant", "jars_longitudinal", "level")


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """An item of a checklist, in our own words.

    Attributes
    ----------
    item
        What is to be reported.
    places
        Anchors of where it is answered: those that the report has are named.
    needs
        Facts without which these places do not answer it: see `facts`.
    open
        What only the author can add; empty where nothing is left.
    unless
        Fact, or place, with which nothing is left for the author.
    applies
        Fact without which the item does not apply.
    """

    item: str
    places: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    open: str = ""
    unless: str = ""
    applies: str = ""


def facts(result: AnalysisResult) -> dict[str, bool]:
    """What the checklists ask of a result."""
    plan, tables = result.plan, result.tables
    lost = tables.get("attrition")
    endings = tables.get("endings")
    return {
        "real data": not is_synthetic(result),
        "measures": {"patient_rating", "therapist_rating", "outcome"} <= set(plan.columns.measures),
        "own baseline": plan.columns.baseline != "first",
        "scale reliability": "reliability" in tables,
        "score reliability": len(result.scoring.reliability) > 0,
        "therapists": plan.columns.therapist is not None,
        "three levels": any(len(fit.spec.random) > 1 for fit in result.fits),
        "therapists tested": "level_test" in tables and tables["level_test"]["statistic"].count() > 0,
        "standardised": "standardised" in tables,
        "loss": lost is not None and lost.height > 0,
        "reasons of ending": endings is not None and endings.height > 0,
        "predictors missing": imputation_tables.way(tables) != "",
        "models": bool(result.fits),
        "several models": len(result.fits) > 1,
        "covariates": bool(plan.columns.covariates),
    }


@cache
def checklist(name: str) -> Mapping[str, Any]:
    """A checklist's file: caption, note, and groups of items."""
    return loads((files("dyadline.report.prose") / f"{name}.toml").read_text(encoding="utf-8"))


def checklist_blocks(result: AnalysisResult, labels: Mapping[str, str]) -> Iterator[Block]:
    """The checklists as tables.

    Parameters
    ----------
    result
        What `run` computed: the status of each item comes from it.
    labels
        `Document.labels` of everything that stands before: only what is there can answer an item.
    """
    known = facts(result)
    tables = [_table(name, known, labels) for name in CHECKLISTS]
    count = Counter(str(row.cells[0].value) for table in tables for row in table.rows() if row.cells[0])
    yield Paragraph(
        parts=(
            "Of all items ",
            Cell(value=count[ANSWERED], kind="count"),
            " are answered by this report, ",
            Cell(value=count[IN_PART], kind="count"),
            " in part, and ",
            Cell(value=count[OPEN], kind="count"),
            " are open: only the author can answer them.",
        )
    )
    yield from tables


def _table(name: str, known: Mapping[str, bool], labels: Mapping[str, str]) -> Table:
    held = checklist(name)
    groups = tuple(
        RowGroup(
            label=group["label"],
            rows=tuple(_row(Item(**_frozen(item)), known, labels) for item in group["items"]),
        )
        for group in held["groups"]
    )
    return Table(
        key=f"checklist-{name.replace('_', '-')}",
        caption=held["caption"],
        stub="Item",
        columns=(Column(label="Status", align="text"), Column(label="Where, and what is open", align="text")),
        groups=groups,
        note=(held["note"],),
    )


def _frozen(item: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in item.items()}


def _row(item: Item, known: Mapping[str, bool], labels: Mapping[str, str]) -> Row:
    state, words = status(item, known, labels)
    return Row(label=item.item, cells=(Cell(value=state, kind="text"), Cell(value=words, kind="text")))


def status(item: Item, known: Mapping[str, bool], labels: Mapping[str, str]) -> tuple[str, str]:
    """Whether an item is answered, and where or what is left.

    Raises
    ------
    KeyError
        If an item asks for a fact that `facts` does not know.
    """
    if item.applies and not known[item.applies]:
        return NONE, "—"
    enough = all(known[fact] for fact in item.needs)
    there = [label for anchor, label in labels.items() if enough and anchor in item.places]
    left = "" if item.unless and _holds(item.unless, known, labels) else item.open
    where = listed_words(there)
    if not there:
        return OPEN, left or "Not in this report; for the author."
    return (IN_PART, f"{where}. {left}") if left else (ANSWERED, where)


def _holds(wanted: str, known: Mapping[str, bool], labels: Mapping[str, str]) -> bool:
    """Whether there is such a place (``table-influence``), or such a fact."""
    return wanted in labels if wanted.startswith(PLACES) else known[wanted]
