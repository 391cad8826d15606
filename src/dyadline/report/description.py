"""The description as parts of a report, and as a page of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

from dyadline.data.roles import OCCASION
from dyadline.errors import Finding, full_stop
from dyadline.report.document import Block, Cell, Document, FindingList, Paragraph, Section, Table
from dyadline.report.figures.axes import axis_titles
from dyadline.report.figures.missing import missing_values
from dyadline.report.figures.ratings import two_raters
from dyadline.report.figures.retention import retention_curve
from dyadline.report.labels import heading, source
from dyadline.report.numbers import count
from dyadline.report.tables import attrition as attrition_tables
from dyadline.report.tables import description as description_tables
from dyadline.report.tables import reliability as reliability_tables
from dyadline.report.tables import study as study_tables

if TYPE_CHECKING:
    from dyadline.data.dataset import Dataset
    from dyadline.plan.analysis import AnalysisPlan
    from dyadline.plan.columns import ColumnsSection

Tables = Mapping[str, pl.DataFrame]

MOST_LINES = 80

LEVELS = {"error": 0, "warning": 1, "note": 2}


def finding_list(findings: Iterable[Finding]) -> FindingList:
    """Errors first, then warnings, then notes, in whole sentences."""
    whole = (replace(f, words=full_stop(f.words), way_out=full_stop(f.way_out)) for f in findings)
    return FindingList(findings=tuple(sorted(whole, key=lambda f: LEVELS[f.level])))


def unless_long(table: Table) -> Block:
    """A table by occasion; where each visit has its own day there may be hundreds of lines, which nobody reads."""
    lines = sum(1 for _ in table.rows())
    if lines <= MOST_LINES:
        return table
    said = f"{count(lines)} lines, which are left to the CSV files that are written with this page."
    return Paragraph(heading=f"{table.caption}.", parts=(said,))


def level_blocks(tables: Tables) -> Iterator[Block]:
    """Therapists, dyads, occasions, and what is known of the dyads."""
    if "sizes" in tables:
        yield description_tables.levels_table(tables["sizes"])
        yield description_tables.coverage_table(tables["coverage"])


def value_blocks(
    tables: Tables, columns: ColumnsSection, rows: pl.DataFrame, *, time: str, individual: bool = False
) -> Iterator[Block]:
    """Both ratings and the outcome by occasion; `rows` are those of the dataset."""
    if "descriptives" in tables:
        names = {role: source(columns, role) for role in OCCASION}
        described = tables["descriptives"]
        yield unless_long(study_tables.descriptives_table(described, time=time, names=names, individual=individual))
        figure = two_raters(rows, titles=axis_titles(columns))
        if figure is not None:
            yield figure


def attrition_blocks(
    tables: Tables,
    columns: ColumnsSection,
    rows: pl.DataFrame,
    *,
    time: str,
    pseudonyms: pl.DataFrame | None = None,
) -> Iterator[Block]:
    """Who was there until when and why, what is missing, and whether loss goes with earlier scores.

    With pseudonyms (``dyad, pseudonym``) what is missing is shown of each dyad.
    """
    if "attrition" not in tables:
        return
    yield unless_long(attrition_tables.attrition_table(tables["attrition"], time=time))
    if tables["attrition"].height > 1:
        yield retention_curve(tables["attrition"], time=time)
    if tables["endings"].height:
        yield attrition_tables.endings_table(tables["endings"], time=time)
        by_time = attrition_tables.endings_by_time_table(tables["endings_by_time"], tables["endings"], time=time)
        yield unless_long(by_time)
    missing = attrition_tables.missing_table(tables["descriptives"], time=time)
    if missing is not None:
        yield unless_long(missing)
    figure = missing_values(rows, titles=axis_titles(columns), pseudonyms=pseudonyms)
    if figure is not None:
        yield figure
    yield attrition_tables.row_patterns_table(tables["row_patterns"])
    if tables["dyad_patterns"].height:
        yield attrition_tables.dyad_patterns_table(tables["dyad_patterns"])
    loss, doubt = attrition_tables.dropout_table(tables["dropout"]), tables["dropout"]["doubt"][0]
    if loss is None:
        yield Paragraph(heading="Does loss go with earlier scores?", parts=(f"Not tested. {doubt}",))
        return
    yield loss
    if doubt:
        yield Paragraph(parts=(f"{doubt} Odds ratios are then imprecise, and often too far from 1.",))


def rater_blocks(tables: Tables, *, time: str, individual: bool = False) -> Iterator[Block]:
    """How far the two raters are apart, and how their ratings go together."""
    if "agreement" in tables and tables["agreement"].height:
        yield unless_long(study_tables.agreement_table(tables["agreement"], time=time, individual=individual))
    if "limits_of_agreement" not in tables or not tables["limits_of_agreement"]["pairs"].item():
        return
    yield description_tables.limits_table(tables["limits_of_agreement"])
    yield description_tables.correlations_table(tables["rater_correlations"])
    own = tables["correlations_by_dyad"].row(0, named=True)
    if own["dyads"]:
        yield Paragraph(
            heading="Dyad by dyad.",
            parts=(
                "Over the occasions of a single dyad the two ratings correlate by ",
                Cell(value=own["median"], kind="proportion"),
                " in the median of ",
                Cell(value=own["dyads"], kind="count"),
                " dyads that have at least three occasions with both and where both vary; half of them lie between ",
                Cell(value=own["q1"], kind="proportion"),
                " and ",
                Cell(value=own["q3"], kind="proportion"),
                ", and ",
                Cell(value=100.0 * own["negative"], decimals=0),
                "% are negative. With few occasions such correlations spread widely by chance.",
            ),
        )


def similarity_blocks(tables: Tables) -> Iterator[Block]:
    """Intraclass correlations."""
    if "intraclass_correlations" in tables:
        yield description_tables.similarity_table(tables["intraclass_correlations"])


def reliability_blocks(tables: Tables, *, time: str) -> Iterator[Block]:
    """How reliable the scales are that are made from items."""
    if "reliability" not in tables:
        return
    over_time = tables["generalisability"]
    totals = dict(zip(over_time["role"], over_time["scale"], strict=True))
    yield unless_long(reliability_tables.consistency_table(tables["reliability"], time=time, totals=totals))
    yield reliability_tables.subscales_table(tables["reliability"], tables.get("scale_correlations"))
    yield reliability_tables.generalisability_table(over_time)


def compose_description(dataset: Dataset, plan: AnalysisPlan, tables: Tables) -> Document:
    """Lay out the description of a study's data as a page of its own.

    Parameters
    ----------
    dataset
        What was observed.
    plan
        What is asked.
    tables
        As `dyadline.studies.description` makes them.

    Returns
    -------
    Document
        For `write_html`; no dyad's label is in it.
    """
    time = heading(plan.columns.time)
    columns, rows = plan.columns, dataset.rows
    findings: tuple[Block, ...] = (
        (finding_list(dataset.findings),)
        if dataset.findings
        else (Paragraph(parts=("Nothing was noticed in the data that asks for attention.",)),)
    )
    makers = (
        ("levels", "Therapists, dyads and occasions", level_blocks(tables)),
        ("values", "Ratings and outcome by occasion", value_blocks(tables, columns, rows, time=time)),
        ("attrition", "Attrition and missing values", attrition_blocks(tables, columns, rows, time=time)),
        ("raters", "The two raters", rater_blocks(tables, time=time)),
        ("similarity", "Similarity within dyads and therapists", similarity_blocks(tables)),
        ("reliability", "Reliability of the scales", reliability_blocks(tables, time=time)),
        ("findings", "Findings", findings),
    )
    sections = (Section(key=key, title=title, blocks=tuple(blocks)) for key, title, blocks in makers)
    return Document(
        title=f"{plan.title or 'Alliance and outcome'}: description of the data",
        subtitle=f"Data: {dataset.source}; {count(dataset.n_dyads)} dyads, {count(rows.height)} rows, "
        f"{count(rows['time'].n_unique())} occasions. Nothing is scored or modelled here.",
        sections=tuple(s for s in sections if s.blocks),
        banner="Synthetic data. No patients." if plan.data is not None and plan.data.synthetic else "",
    )
