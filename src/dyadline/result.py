"""What an analysis found: the one value that the workflow makes and the reports read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from dyadline.data.dataset import Dataset
from dyadline.errors import Finding
from dyadline.model.fit import Fit
from dyadline.plan.analysis import AnalysisPlan
from dyadline.scoring.score import Scoring


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisResult:
    """Everything that `run` computed.

    Attributes
    ----------
    plan
        What was asked.
    dataset
        What was observed.
    scoring
        How the scores came about: curves, shift, diagnostics, reliabilities.
    scores
        One row per dyad: ``dyad, convergence, early_patient, early_therapist, early_discrepancy,
        development, baseline, reasons`` and what led to them.
    fits
        One fit per entry of ``models.run``, in that order, of the dyads that have all its predictors; where
        predictors are imputed, only ``tables`` hold the pooled estimates.
    tables
        Full-precision frames by name; each is also written as ``NAME.csv``.
    findings
        What was noticed, data first, then scores, then models.
    """

    plan: AnalysisPlan
    dataset: Dataset
    scoring: Scoring
    scores: pl.DataFrame
    fits: tuple[Fit, ...]
    tables: Mapping[str, pl.DataFrame]
    findings: tuple[Finding, ...]
