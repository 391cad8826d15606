"""Tables of the recovery certificate: performance by parameter, and type I error."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from dyadline.plan.recipes import outcome_model
from dyadline.report.cells import count_cell, number_cell
from dyadline.report.document import Cell, Column, Part, Row, RowGroup, Spanner, Symbol, Table
from dyadline.report.labels import terms_in_print
from dyadline.studies.certificate.known import known_plan
from dyadline.studies.certificate.summary import FREEDOM, JUDGED

WORDS = {"bias": "bias", "relative_error": "model SE", "coverage": "coverage"}

FAR = 2.0
"""Monte-Carlo standard errors from which on a number is printed in bold."""

_COLUMNS = (
    Column(label="True value"),
    Column(label="Mean"),
    Column(label="Bias"),
    Column(label="MC SE"),
    Column(label="Bias / MC SE"),
    Column(label="SD of estimates"),
    Column(label="Model SE"),
    Column(label="Error of model SE, %"),
    Column(label="MC SE"),
    Column(label="Coverage"),
    Column(label="95% CI"),
)
_WITHOUT = Column(label="Without interval")
_BEYOND = Column(label="Beyond chance", align="text")

_SHARE = (Column(label="Type I error"), Column(label="95% CI"))
_TYPE_I = (Column(label="Rejected"), *_SHARE, Column(label="Distance"))


def term_names(study: str) -> dict[str, str]:
    """Words for every parameter of Models 2 and 3, in the order of the tables: name in the frames -> words."""
    words = terms_in_print([outcome_model(3, known_plan(study))])
    return words | {
        "variance of intercepts": "Variance of intercepts",
        "covariance": "Covariance of intercept and slope",
        "variance of slopes": "Variance of slopes",
        "residual variance": "Residual variance",
    }


def recovery_table(rows: pl.DataFrame, *, key: str, caption: str) -> Table:
    """Performance, one row per parameter.

    Parameters
    ----------
    rows
        Of the frame ``recovery``: one kind of study, one model.
    key, caption
        Of the table.
    """
    found = {row["term"]: row for row in rows.iter_rows(named=True)}
    names = term_names(rows["study"][0])
    without = bool((rows["without_interval"] > 0).any())
    parts = {part: [t for t in names if t in found and found[t]["part"] == part] for part in ("fixed", "variance")}
    titles = {"fixed": "Fixed effects", "variance": "Variances"}
    groups = [
        RowGroup(
            label=titles[part], rows=tuple(Row(label=names[t], cells=_cells(found[t], without=without)) for t in terms)
        )
        for part, terms in parts.items()
        if terms
    ]
    return Table(
        key=key,
        caption=caption,
        stub="Parameter",
        columns=(*_COLUMNS, *([_WITHOUT] if without else []), _BEYOND),
        groups=tuple(groups),
        note=tuple(_note(without=without)),
        wide=True,
    )


def _note(*, without: bool) -> Iterator[Part]:
    yield "MC SE: Monte-Carlo standard error of what stands left of it. Bold: more than two of them from what a "
    yield "perfect method has. Beyond chance: what still is when all numbers of this kind of study are held together "
    yield "(Holm). Coverage: of 95% intervals, with Wilson's interval for the share."
    if without:
        yield " Without interval: a variance on the boundary has none; coverage is of the others."


def _cells(row: Mapping[str, Any], *, without: bool) -> tuple[Cell | None, ...]:
    decimals = two_digits(row["bias_error"])
    far = {name: row[f"{name}_z"] is not None and abs(row[f"{name}_z"]) > FAR for name in JUDGED}
    ends = (row["coverage_low"], row["coverage_high"])
    return (
        number_cell(row["true_value"], decimals),
        number_cell(row["mean"], decimals),
        _number(row["bias"], decimals, strong=far["bias"]),
        number_cell(row["bias_error"], decimals),
        number_cell(row["bias_z"], 2),
        number_cell(row["empirical_se"], decimals),
        number_cell(row["model_se"], decimals),
        _number(row["relative_error"], 1, strong=far["relative_error"]),
        number_cell(row["relative_error_error"], 1),
        Cell(value=row["coverage"], kind="proportion", decimals=3, strong=far["coverage"]),
        None if None in ends else Cell(value=ends, kind="bounds", decimals=3),
        *([count_cell(row["without_interval"])] if without else []),
        Cell(value=", ".join(WORDS[name] for name in row["beyond"].split(", ")) if row["beyond"] else "", kind="text"),
    )


def _number(value: float | None, decimals: int, *, strong: bool) -> Cell | None:
    return None if value is None else Cell(value=value, decimals=decimals, strong=strong)


def two_digits(error: float | None) -> int:
    """Decimals that show a Monte-Carlo standard error with two digits; at least 2 and at most 7."""
    return 4 if not error else min(7, max(2, 1 - math.floor(math.log10(error))))


def type_i_table(frame: pl.DataFrame, titles: Mapping[tuple[str, int], str]) -> Table:
    """Type I error by kind of study, model and effect.

    Parameters
    ----------
    frame
        The frame ``type_i``.
    titles
        Heading of each kind of study, by study and number of dyads, in the order of the table.
    """
    found = {(r["study"], r["dyads"], r["model"], r["term"], r["df"]): r for r in frame.iter_rows(named=True)}
    groups = []
    for (study, dyads), title in titles.items():
        rows = []
        for model in (2, 3):
            for term, words in term_names(study).items():
                own, adjusted = (found.get((study, dyads, model, term, df)) for df in FREEDOM)
                if own is not None and adjusted is not None:
                    cells = (count_cell(own["rejected"]), *_share(own), number_cell(own["z"], 2), *_share(adjusted))
                    rows.append(Row(label=f"Model {model}: {words}", cells=cells))
        groups.append(RowGroup(label=title, rows=tuple(rows)))
    return Table(
        key="type-i",
        caption="Type I error of the tests of convergence at .05",
        stub="Effect that is truly zero",
        columns=(*_TYPE_I, *_SHARE),
        spanners=(Spanner(label="Satterthwaite", columns=4), Spanner(label="Kenward–Roger", columns=2)),
        groups=tuple(groups),
        note=(
            "Rejected: studies with ",
            Symbol("p"),
            " < .05. 95% CI: Wilson's. Distance: from .05, in Monte-Carlo standard errors √(.05 × .95 / replicates). "
            "Bold: more than two of them.",
        ),
    )


def _share(row: Mapping[str, Any]) -> tuple[Cell, Cell]:
    return (
        Cell(value=row["type_i"], kind="proportion", decimals=4, strong=abs(row["z"]) > FAR),
        Cell(value=(row["type_i_low"], row["type_i_high"]), kind="bounds", decimals=3),
    )
