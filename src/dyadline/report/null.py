"""The table of the null distribution as table, figure and sentences read it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from dyadline.plan.analysis import ConvergenceSection

Record = Mapping[str, Any]


def null_records(null: pl.DataFrame) -> tuple[Record, Record]:
    """Rows of the study's mean score and of single dyads' scores."""
    rows = {r["score"]: r for r in null.iter_rows(named=True)}
    return rows["mean"], rows["dyad"]


def side(mean: Record) -> int:
    """1 if the observed mean lies above the 95 % range of the simulated ones, −1 below it, 0 within."""
    return int(mean["observed"] > mean["q97_5"]) - int(mean["observed"] < mean["q2_5"])


def percents(dyad: Record) -> tuple[float, float]:
    """Observed dyads above and below the middle 95 % of the simulated ones, in percent."""
    above, below = (100.0 * dyad[key] / dyad["n_dyads"] for key in ("n_above", "n_below"))
    return above, below


def is_relative(how: ConvergenceSection) -> bool:
    """Whether the score is the patient's move against the therapist's: neither sign of it is convergence."""
    return how.discrepancy == "signed" and how.slope == "rate"
