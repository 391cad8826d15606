"""A study whose columns and dyads have names that try to be more than names."""

from __future__ import annotations

import polars as pl

import dyadline as dl
from dyadline.result import AnalysisResult
from dyadline.studies.twins import twin_file, twin_plan
from linked_figures import EVIL, EVIL_ATTRIBUTE, EVIL_CALL, LONG, RIGHT_TO_LEFT


def hostile_result() -> AnalysisResult:
    """Study 1's twin with other names, two covariates among them."""
    plan = twin_plan("study1")
    roles = {
        "patient_rating": EVIL,
        "therapist_rating": RIGHT_TO_LEFT,
        "outcome": LONG,
        "time": EVIL_ATTRIBUTE,
        "baseline": "$\\input{x}$ & 100 % #_{}^~",
        "dyad": "=cmd|' /C calc'!A0",
        "therapist": EVIL_CALL,
    }
    covariates = [f"{LONG}age", f"{EVIL}*"]
    dyad = pl.col(roles["dyad"])
    number = dyad.rank("dense")
    named = pl.read_csv(twin_file("study1", ".csv")).rename(
        {getattr(plan.columns, role): name for role, name in roles.items()}
    )
    rows = named.with_columns(
        (number * 7 % 23).cast(pl.Float64).alias(covariates[0]),
        (number * 5 % 17).cast(pl.Float64).alias(covariates[1]),
        dyad.cast(pl.String) + EVIL,
    )
    columns = plan.columns.model_copy(update={**roles, "covariates": covariates})
    return dl.run(plan.model_copy(update={"columns": columns, "title": f"{EVIL}{LONG}"}), rows)
