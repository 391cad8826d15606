"""Tables of how reliable the scales are: by occasion, over occasions, and among subscales."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from dyadline.report.document import Cell, Column, Row, RowGroup, Spanner, Symbol, Table
from dyadline.report.labels import heading, name
from dyadline.report.numbers import occasion

OMEGA, ALPHA = "ω", "α"


def consistency_table(reliability: pl.DataFrame, *, time: str, totals: Mapping[str, str]) -> Table:
    """α and ω of the total scores by rater and occasion.

    Parameters
    ----------
    reliability
        ``role, measure, scale, time, n, alpha, alpha_low, alpha_high, omega`` and more.
    time
        What an occasion is called in the data.
    totals
        Role -> its scale.
    """
    found = {
        (r["role"], r["time"]): r for r in reliability.iter_rows(named=True) if r["scale"] == totals.get(r["role"])
    }
    measures = dict(reliability.select("role", "measure").unique().iter_rows())
    roles = [role for role in totals if any(key[0] == role and r["n"] for key, r in found.items())]
    rows = []
    for moment in reliability["time"].unique().sort():
        cells: list[Cell | None] = []
        for role in roles:
            r = found.get((role, moment))
            if r is None or not r["n"]:
                cells += [None] * 4
                continue
            interval = None if r["alpha"] is None else (r["alpha_low"], r["alpha_high"])
            cells += [
                Cell(value=r["n"], kind="count"),
                Cell(value=r["alpha"], kind="proportion"),
                Cell(value=interval, kind="bounds") if interval else None,
                Cell(value=r["omega"], kind="proportion"),
            ]
        rows.append(Row(label=occasion(moment), cells=tuple(cells)))
    columns = (
        Column(label="n", symbol=True),
        Column(label=ALPHA, symbol=True),
        Column(label="95% CI", rank=1),
        Column(label=OMEGA, symbol=True),
    )
    return Table(
        key="reliability",
        caption="Internal consistency of the scales by occasion",
        stub=time,
        columns=columns * len(roles),
        spanners=tuple(
            Spanner(label=name(role), words=f"{measures[role]}, {totals[role]}", columns=4) for role in roles
        ),
        groups=(RowGroup(rows=tuple(rows)),),
        note=(
            Symbol("n"),
            ": records with all items answered. ",
            Symbol(ALPHA),
            ": Cronbach's, with Feldt's interval; ",
            Symbol(OMEGA),
            ": McDonald's total, from a one-factor model by maximum likelihood; empty where it could not be fitted.",
        ),
    )


def subscales_table(reliability: pl.DataFrame, correlations: pl.DataFrame | None) -> Table:
    """Each scale's range of α and ω over the occasions, and the subscales' correlations."""
    groups = []
    for role in reliability["role"].unique(maintain_order=True):
        own = reliability.filter(pl.col("role") == role)
        rows = []
        for scale in own["scale"].unique(maintain_order=True):
            there = own.filter(pl.col("scale") == scale)
            items = Cell(value=there["n_items"].max(), kind="count")  # type: ignore[arg-type]
            rows.append(Row(label=heading(scale), cells=(items, _range(there["alpha"]), _range(there["omega"]), None)))
        if correlations is not None:
            for r in correlations.filter(pl.col("role") == role).iter_rows(named=True):
                both = f"{heading(r['scale1'])} with {r['scale2']}"
                rows.append(Row(label=both, cells=(None, None, None, Cell(value=r["r"], kind="proportion"))))
        groups.append(RowGroup(label=name(role), rows=tuple(rows)))
    return Table(
        key="subscales",
        caption="Scales and subscales: consistency over the occasions, and correlations",
        stub="Scale",
        columns=(
            Column(label="Items"),
            Column(label=ALPHA, symbol=True),
            Column(label=OMEGA, symbol=True),
            Column(label="r", symbol=True),
        ),
        groups=tuple(groups),
        note=(
            Symbol(ALPHA),
            ", ",
            Symbol(OMEGA),
            ": lowest and highest of the occasions. ",
            Symbol("r"),
            ": correlation of two scales over all records, occasions' means taken out.",
        ),
    )


def _range(values: pl.Series) -> Cell | None:
    there = values.drop_nulls()
    return Cell(value=(there.min(), there.max()), kind="spread") if len(there) else None  # type: ignore[arg-type]


def generalisability_table(found: pl.DataFrame) -> Table:
    """What over the occasions is reliable: differences between persons, and change within them."""
    keys = ("r_1f", "r_kf", "r_c")
    rows = tuple(
        Row(
            label=name(r["role"]),
            cells=(
                Cell(value=r["n_persons"], kind="count"),
                Cell(value=r["n_occasions"], decimals=1),
                Cell(value=r["n_items"], kind="count"),
                *(Cell(value=r[key], kind="proportion") for key in keys),
            ),
        )
        for r in found.iter_rows(named=True)
    )
    return Table(
        key="generalisability",
        caption="Reliability over the occasions",
        stub="Rating",
        columns=(
            Column(label="Dyads"),
            Column(label="Occasions"),
            Column(label="Items"),
            Column(label="One occasion"),
            Column(label="Their mean"),
            Column(label="Change"),
        ),
        groups=(RowGroup(rows=rows),),
        note=(
            "Differences among dyads in one session's score, and in the mean over the sessions; change: "
            "differences of a dyad's sessions from its own mean. Generalisability coefficients after Cranford et al. "
            "(2006) and Shrout and Lane (2012), time fixed.",
        ),
    )
