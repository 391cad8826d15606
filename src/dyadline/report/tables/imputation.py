"""What became of dyads that lack predictors: left out, or completed by imputation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from dyadline.plan.model import ModelSpec
from dyadline.report.document import Cell, Column, Row, RowGroup, Spanner, Symbol, Table
from dyadline.report.labels import model_words, name, terms_in_print
from dyadline.report.numbers import decimals_for, decimals_of_spread


def way(tables: Mapping[str, pl.DataFrame]) -> str:
    """``"impute"``, ``"listwise"``, or empty where no dyad lacks a predictor."""
    if "imputation" in tables:
        return "impute"
    left_out = tables.get("left_out")
    return "" if left_out is None or left_out.is_empty() else "listwise"


def sizes(tables: Mapping[str, pl.DataFrame], number: int, title: str) -> dict[str, tuple[int | None, int | None]]:
    """Rows of the table of sizes: (outcome values, dyads) that a model leaves out, and has after imputation."""
    found: dict[str, tuple[int | None, int | None]] = {}
    if "left_out" in tables:
        for record in tables["left_out"].filter(pl.col("model") == number).iter_rows(named=True):
            words = "a predictor is missing" if record["predictor"] is None else f"no {_inside(record['predictor'])}"
            found[f"Not in {title}: {words}"] = (record["n_rows"], record["n_dyads"])
    if "imputation" in tables:
        for record in tables["imputation"].filter(pl.col("model") == number).head(1).iter_rows(named=True):
            found[f"In {title}, predictors imputed"] = (record["n_rows"], record["n_dyads"])
    return found


def imputed_predictors_table(frame: pl.DataFrame) -> Table:
    """Observed beside imputed values.

    Parameters
    ----------
    frame
        The table ``imputed_predictors``.
    """
    rows = []
    for r in frame.iter_rows(named=True):
        d = decimals_of_spread(r["sd_observed"])
        cells = [
            cell
            for half in ("observed", "imputed")
            for cell in (
                Cell(value=r[f"n_{half}"], kind="count"),
                Cell(value=r[f"mean_{half}"], decimals=d),
                Cell(value=r[f"sd_{half}"], decimals=d),
            )
        ]
        rows.append(Row(label=name(r["predictor"]), cells=tuple(cells)))
    columns = (Column(label="Dyads"), Column(label="M", symbol=True), Column(label="SD", symbol=True))
    return Table(
        key="imputed_predictors",
        caption="Imputed predictors",
        stub="Predictor",
        columns=columns * 2,
        spanners=(Spanner(label="Observed", columns=3), Spanner(label="Imputed", columns=3)),
        groups=(RowGroup(rows=tuple(rows)),),
        note=(
            "Imputed: over all imputations. They may differ from the observed where dyads with missing values differ "
            "in outcome or other predictors. They are drawn from a normal distribution and not rounded.",
        ),
    )


def imputation_table(frame: pl.DataFrame, specs: Sequence[ModelSpec]) -> Table:
    """Estimates of complete cases beside the pooled ones.

    Parameters
    ----------
    frame
        The table ``imputation``.
    specs
        The models, from which rows take their names and order.
    """
    words = terms_in_print(specs)
    groups = []
    for (number,), part in frame.group_by("model", maintain_order=True):
        found = {r["term"]: r for r in part.iter_rows(named=True)}
        title, about = model_words(number)
        first = part.row(0, named=True)
        sized = f"{first['n_dyads_complete']:,} dyads with all predictors, {first['n_dyads']:,} with imputed ones"
        rows = []
        for term in [*(t for t in words if t in found), *(t for t in found if t not in words)]:
            r = found[term]
            d = decimals_for([r["std_error_complete"], r["std_error"]])
            keys = ("estimate_complete", "std_error_complete", "estimate", "std_error")
            rows.append(
                Row(
                    label=words.get(term, term),
                    cells=(
                        *(Cell(value=r[key], decimals=d) for key in keys),
                        Cell(value=r["fraction_missing"], kind="proportion"),
                    ),
                )
            )
        groups.append(RowGroup(label=f"{title}{f': {about}' if about else ''} ({sized})", rows=tuple(rows)))
    pair = (Column(label="Est."), Column(label="SE", symbol=True))
    return Table(
        key="imputation",
        caption="Dyads with all predictors beside imputation",
        stub="Effect",
        columns=(*pair, *pair, Column(label="Missing information")),
        spanners=(Spanner(label="Observed", columns=2), Spanner(label="Imputed and pooled", columns=3)),
        groups=tuple(groups),
        note=(
            Symbol("SE"),
            " = standard error, pooled by Rubin's rules. Missing information: the fraction of an estimate's "
            "information that the missing values would have added.",
        ),
    )


def _inside(column: str) -> str:
    """A predictor's name within a line; the file's own names keep their capitals."""
    words = name(column)
    return words if words == column else words[:1].lower() + words[1:]
