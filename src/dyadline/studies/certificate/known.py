"""What is known of the twins' outcome: plan, models and true values under the names of the tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

from dyadline.plan.analysis import AnalysisPlan
from dyadline.studies.twins import parameters, twin_plan

Version = Literal["drawn", "null"]

MODELS = (2, 3)

TERMS = {
    "(Intercept)": "intercept",
    **{name: name for name in ("baseline", "early_patient", "early_therapist", "early_discrepancy")},
    **{name: name for name in ("development", "convergence")},
    "development:convergence": "product",
}
"""Key of the parameter file by term of Model 3; terms with ``time`` stand in another section of it."""

VARIANCES = ("variance of intercepts", "covariance", "variance of slopes", "residual variance")

TAKEN_OUT = {
    2: ("convergence", "early_patient", "early_therapist", "development", "early_discrepancy", "product"),
    3: ("convergence", "product"),
}
"""What has no effect in the null version: whatever makes a test of convergence a test of a false null hypothesis, or
the model a wrong one."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """One of the fits of a replicate.

    Attributes
    ----------
    version
        ``drawn``: the outcome as the simulator drew it. ``null``: without the effects `TAKEN_OUT`.
    model
        2 or 3.
    """

    version: Version
    model: int

    @property
    def key(self) -> str:
        """Short name, ``drawn3``."""
        return f"{self.version}{self.model}"


FITS = (Fitted("drawn", 3), Fitted("null", 2), Fitted("null", 3))
"""Fits of models that are true. Model 2 is not true of the outcome as drawn, which depends on what it leaves out."""


def known_plan(study: str) -> AnalysisPlan:
    """The twin's plan, with Models 2 and 3 on its separate baseline column; errors as in `twin_plan`."""
    plan = twin_plan(study)
    baseline = parameters(study)["names"]["baseline"]
    return plan.model_copy(
        update={
            "columns": plan.columns.model_copy(update={"baseline": baseline}),
            "models": plan.models.model_copy(update={"run": MODELS}),
        }
    )


def true_values(study: str, fitted: Fitted) -> dict[str, float]:
    """Fixed effects and variances that made the outcome, by name, in the order of the tables."""
    given, gone = parameters(study)["outcome"], TAKEN_OUT[fitted.model]
    kept = {t: k for t, k in TERMS.items() if fitted.model == 3 or k in ("intercept", "baseline", "convergence")}
    without = gone if fitted.version == "null" else ()
    values = {term: 0.0 if key in without else float(given["fixed"][key]) for term, key in kept.items()}
    for term, key in kept.items():
        values["time" if key == "intercept" else f"time:{term}"] = 0.0 if key in without else float(given["slope"][key])
    random = given["random"]
    variances = (random["intercept"], random["covariance"], random["slope"], given["residual"])
    return values | {name: float(value) for name, value in zip(VARIANCES, variances, strict=True)}


def of_convergence(term: str) -> bool:
    """Whether a term of the tables is an effect of convergence."""
    return "convergence" in term.split(":")


def without_effects(frame: pl.DataFrame, study: str, model: int) -> pl.DataFrame:
    """The frame of the outcome models with the effects `TAKEN_OUT` subtracted from its outcome.

    The simulator adds effect × (score − mean over dyads), and the frame's predictors are those very differences where
    no dyad lacks one, as in the twins.
    """
    given = parameters(study)["outcome"]
    time = frame["time"].to_numpy()
    gone = np.zeros(frame.height)
    for name in TAKEN_OUT[model]:
        made = frame["development"] * frame["convergence"] if name == "product" else frame[name]
        gone += (given["fixed"][name] + given["slope"][name] * time) * made.to_numpy()
    return frame.with_columns(outcome=pl.col("outcome") - pl.Series(gone))
