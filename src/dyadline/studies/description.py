"""The data described before anything is scored: every table of the description, by name."""

from __future__ import annotations

import polars as pl

from dyadline.data import agreement, attrition, describe
from dyadline.data.dataset import Dataset
from dyadline.plan.analysis import AnalysisPlan
from dyadline.studies.dropout import dropout
from dyadline.studies.instruments import reliability_tables
from dyadline.studies.similarity import intraclass_correlations


def description(dataset: Dataset, plan: AnalysisPlan) -> dict[str, pl.DataFrame]:
    """Levels, values by rater and occasion, attrition, missing values, and how alike raters and values are.

    Returns
    -------
    dict
        ``sizes, coverage, descriptives, flow, attrition, endings, endings_by_time, row_patterns, dyad_patterns,
        dropout, agreement, limits_of_agreement, rater_correlations, correlations_by_dyad, intraclass_correlations``;
        tables that have nothing to say have no rows. Those of `reliability_tables`, where items are scored.
    """
    pairs = agreement.pairs(dataset)
    return {
        "sizes": describe.sizes(dataset),
        "coverage": describe.coverage(dataset),
        "descriptives": describe.descriptives(dataset),
        "flow": describe.flow(dataset),
        "attrition": attrition.attrition(dataset),
        "endings": attrition.endings(dataset),
        "endings_by_time": attrition.endings_by_time(dataset),
        "row_patterns": attrition.row_patterns(dataset),
        "dyad_patterns": attrition.dyad_patterns(dataset),
        "dropout": dropout(dataset),
        "agreement": describe.agreement(dataset),
        "limits_of_agreement": agreement.limits_of_agreement(pairs),
        "rater_correlations": agreement.rater_correlations(pairs),
        "correlations_by_dyad": agreement.correlations_by_dyad(pairs),
        "intraclass_correlations": intraclass_correlations(dataset),
        **reliability_tables(dataset, plan),
    }
