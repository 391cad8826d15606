"""The effects of convergence under other choices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from dyadline.plan.model import ModelSpec
from dyadline.report.document import Block, Cell, Column, Paragraph, Row, RowGroup, Symbol, Table
from dyadline.report.labels import model_words, terms_in_print
from dyadline.report.numbers import decimals_for
from dyadline.report.tables.models import COLUMNS, ESTIMATES, estimates_row
from dyadline.words import counted

_COLUMNS = (
    ESTIMATES[0],
    *(COLUMNS[name] for name in ("std_error", "df", "p_value", "interval")),
    Column(label="Outcome values", rank=2),
    Column(label="Dyads", rank=1),
)


def variant_words(variant: str, *, most_sessions: int) -> str:
    """A variant as a row of the table."""
    return {
        "reported": "As reported",
        "listwise": "Dyads that have all predictors",
        "complete_cases": "Complete cases",
        "sessions": "With the number of sessions",
        "fewer_sessions": f"At most {counted(most_sessions, 'session')}",
    }[variant]


def sensitivity_blocks(frame: pl.DataFrame, specs: Sequence[ModelSpec], *, most_sessions: int) -> Iterator[Block]:
    """The table, and what could not be fitted; nothing where nothing was asked.

    Parameters
    ----------
    frame
        The table ``sensitivity`` of a result.
    specs
        The models, from which effects take their names and order.
    most_sessions
        Of the variant ``fewer_sessions``.
    """
    fitted = frame.drop_nulls("term")
    if fitted["variant"].n_unique() > 1:
        yield sensitivity_table(fitted, specs, most_sessions=most_sessions)
    reasons = _reasons(frame, most_sessions)
    if reasons:
        yield Paragraph(heading="Not fitted.", parts=(f"{'; '.join(reasons)}.",))


def sensitivity_table(frame: pl.DataFrame, specs: Sequence[ModelSpec], *, most_sessions: int) -> Table:
    """Each effect of convergence in its model, as reported and under each choice; parameters as above."""
    words, variants = terms_in_print(specs), frame["variant"].unique(maintain_order=True).to_list()
    found = {(r["model"], r["term"], r["variant"]): r for r in frame.iter_rows(named=True)}
    groups = []
    for model in frame["model"].unique(maintain_order=True):
        for term, label in words.items():
            own = {v: found[model, term, v] for v in variants if (model, term, v) in found}
            if own:
                rows = [_row(variant_words(v, most_sessions=most_sessions), r, own) for v, r in own.items()]
                groups.append(RowGroup(label=f"{model_words(model)[0]}: {label}", rows=tuple(rows)))
    return Table(
        key="sensitivity",
        caption="Effects of convergence under other choices",
        stub="Choice",
        columns=_COLUMNS,
        groups=tuple(groups),
        note=tuple(_note(variants)),
    )


def _row(label: str, record: Mapping[str, Any], beside: Mapping[str, Mapping[str, Any]]) -> Row:
    """One choice, with the decimals that the smallest standard error of the effect asks for."""
    decimals = decimals_for(r["std_error"] for r in beside.values())
    sizes = [None if record[key] is None else Cell(value=record[key], kind="count") for key in ("n_rows", "n_dyads")]
    return Row(label=label, cells=(*estimates_row("", [record], decimals=decimals).cells, *sizes))


def _note(variants: Sequence[str]) -> Iterator[Any]:
    yield "Scores and their zero points are those of the reported models. "
    if "complete_cases" in variants:
        yield "Complete cases: dyads with the outcome and both ratings on every occasion on which any dyad has them. "
    if "sessions" in variants:
        yield "Number of sessions: predicts intercept and slope, grand-mean centred. "
    if "listwise" in variants:
        yield "As reported: predictors imputed; all other choices without imputation. "
    yield from ("Bold: ", Symbol("p"), " < .05.")


def _reasons(frame: pl.DataFrame, most_sessions: int) -> list[str]:
    """``Complete cases: no dyad lacks a value (Models 2 and 3)``, each reason once."""
    unfitted = frame.filter(pl.col("term").is_null())
    said = []
    for (variant, reason), rows in unfitted.group_by(["variant", "note"], maintain_order=True):
        words = variant_words(str(variant), most_sessions=most_sessions)
        models = " and ".join(model_words(m)[0] for m in rows["model"].unique(maintain_order=True))
        text = str(reason)
        said.append(f"{words}, {models}: {text[:1].lower()}{text[1:]}")
    return said
