"""Tables of effect sizes and of what single dyads do to the estimates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from dyadline.plan.model import ModelSpec
from dyadline.report.cells import bounds_cell
from dyadline.report.document import Cell, Column, Part, Row, RowGroup, Spanner, Symbol, Table
from dyadline.report.labels import model_words, terms_in_print
from dyadline.report.numbers import decimals_for
from dyadline.report.tables.models import LEVELS, random_words


def effect_sizes_table(tables: Mapping[str, pl.DataFrame]) -> Table:
    """Intraclass correlations, R² and reductions of variances, models side by side.

    Parameters
    ----------
    tables
        ``icc, r_squared, pseudo_r_squared`` of a result, and ``imputation`` where estimates are pooled.
    """
    shares, explained, reduced = tables["icc"], tables["r_squared"], tables["pseudo_r_squared"]
    models = explained["model"].to_list()
    groups = [
        RowGroup(label="Intraclass correlation, where time is 0", rows=tuple(_icc_rows(shares, models))),
        RowGroup(label="Explained variance", rows=tuple(_explained_rows(explained, models))),
    ]
    if reduced.height:
        label = f"Smaller than in {model_words(1)[0]}, as a share"
        groups.append(RowGroup(label=label, rows=tuple(_reduced_rows(reduced, models))))
    return Table(
        key="effect_sizes",
        caption="Intraclass correlations and explained variance",
        stub="Quantity",
        columns=(Column(label="Est."), Column(label="95% CI", rank=1)) * len(models),
        spanners=tuple(Spanner(label=a, words=b, columns=2) for a, b in map(model_words, models)),
        groups=tuple(groups),
        note=_note(tables),
    )


def _note(tables: Mapping[str, pl.DataFrame]) -> tuple[Part, ...]:
    said: list[Part] = [
        "Intraclass correlation: share of the variance that the fixed effects leave. Marginal ",
        Symbol("R"),
        "²: by the fixed effects, conditional: by fixed and random effects together (Nakagawa & Schielzeth, 2013; "
        "Johnson, 2014). ",
    ]
    if tables["pseudo_r_squared"].height:
        said.append("Shares by which variances are smaller: on the same rows; they can be negative. ")
    if "imputation" in tables:
        said.append("Of the dyads that have all predictors. ")
    return tuple(said)


def _icc_rows(frame: pl.DataFrame, models: Sequence[Any]) -> list[Row]:
    found = {(r["model"], r["group"]): r for r in frame.iter_rows(named=True)}
    rows = []
    for group in frame["group"].unique(maintain_order=True):
        words = LEVELS.get(group, "dyads and therapists together" if " + " in group else group)
        cells: list[Cell | None] = []
        for model in models:
            record = found.get((model, group))
            low, high = (None, None) if record is None else (record["conf_low"], record["conf_high"])
            cells += [_share(record, "icc"), bounds_cell(low, high)]
        rows.append(Row(label=f"{words[:1].upper()}{words[1:]}", cells=tuple(cells)))
    return rows


def _explained_rows(frame: pl.DataFrame, models: Sequence[Any]) -> list[Row]:
    found = {r["model"]: r for r in frame.iter_rows(named=True)}
    return [
        Row(label=words, cells=tuple(c for m in models for c in (_share(found[m], key), None)))
        for key, words in (("r2_marginal", "Marginal R²"), ("r2_conditional", "Conditional R²"))
    ]


def _reduced_rows(frame: pl.DataFrame, models: Sequence[Any]) -> list[Row]:
    found = {(r["model"], r["group"], r["term"]): r for r in frame.iter_rows(named=True)}
    several = frame.filter(pl.col("group") != "Residual")["group"].n_unique() > 1
    rows = []
    for group, term in frame.select("group", "term").unique(maintain_order=True).iter_rows():
        own = "Residual" if group == "Residual" else random_words((term,))
        words = f"{own}, {LEVELS.get(group, group)}" if several and group != "Residual" else own
        cells = tuple(c for m in models for c in (_share(found.get((m, group, term)), "reduction"), None))
        rows.append(Row(label=f"Variance: {words}", cells=cells))
    return rows


def _share(record: Mapping[str, Any] | None, key: str) -> Cell | None:
    return None if record is None or record[key] is None else Cell(value=record[key], kind="proportion")


def influence_table(frame: pl.DataFrame, specs: Sequence[ModelSpec]) -> Table:
    """How far the estimates move when any one dyad is left out.

    Parameters
    ----------
    frame
        The table ``influence`` of a result.
    specs
        The models, from which rows take their names and order.
    """
    found = {r["term"]: r for r in frame.iter_rows(named=True)}
    model, dyads = model_words(frame["model"][0])[0], max(r["n_dyads"] for r in found.values())
    rows = []
    for term, label in terms_in_print(specs).items():
        if term not in found:
            continue
        record = found[term]
        ends = [record[key] for key in ("estimate", "lowest", "highest")]
        # The change is what is looked at, so it decides on the decimals.
        d = min(5, decimals_for([record["highest"] - record["lowest"]]))
        cells = [Cell(value=value, kind="estimate", decimals=d) for value in ends]
        cells += [Cell(value=record["largest_dfbetas"]), Cell(value=record["n_beyond"], kind="count")]
        rows.append(Row(label=label, cells=tuple(cells)))
    return Table(
        key="influence",
        caption=f"Estimates of {model} without any one dyad",
        stub="Effect",
        columns=(
            Column(label="All dyads"),
            Column(label="Lowest"),
            Column(label="Highest"),
            Column(label="Largest change, in SE", rank=1),
            Column(label="Dyads beyond", rank=1),
        ),
        spanners=(Spanner(label="Estimate", columns=3), Spanner(label="Single dyads", columns=2)),
        groups=(RowGroup(rows=tuple(rows)),),
        note=(
            "Each of the ",
            Cell(value=dyads, kind="count"),
            " dyads was left out once; estimates without it by one Newton step. Change: in standard errors of the "
            "estimate without the dyad (dfbetas), without its sign; dyads beyond: more than 2/√",
            Symbol("J"),
            " of them, ",
            Symbol("J"),
            " the number of dyads (Belsley, Kuh, & Welsch, 1980).",
        ),
    )
