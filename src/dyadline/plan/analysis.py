"""What is asked: the analysis plan and its sections.

The first value of each choice is its default; the choices are those of the method's description.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, PrivateAttr, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from dyadline.plan.columns import (
    TIME,
    ChecksSection,
    ColumnsSection,
    DataSection,
    DyadsSection,
    MissingSection,
    Number,
    RatersSection,
    Section,
    TimeSection,
    whole,
)
from dyadline.plan.report import ReportSection
from dyadline.plan.sensitivity import SensitivitySection

Growth = Literal["multilevel", "ols", "dyadic", "observed"]
Discrepancy = Literal["absolute", "signed", "squared"]
Slope = Literal["rate", "toward_zero", "endpoints", "log_ratio"]
Unit = Literal["window", "per_unit"]
Transform = Literal["log_shift", "none", "signed_log", "asinh", "yeo_johnson", "rank_normal"]
EarlyLevel = Literal["curve", "first_rating"]
EarlyDiscrepancy = Literal["signed", "absolute", "curve", "none"]
Method = Literal["REML", "ML"]
FreedomMethod = Literal["satterthwaite", "kenward-roger", "normal"]
Criteria = Literal["spss", "lme4", "nlme", "sas"]
Levels = Literal[2, 3, "auto"]
Window = Literal["all"] | tuple[Number, Number]

FEWEST_STUDIES = 100
"""Simulated studies that a distribution is made of, at least."""


def _whole_or_word(value: object) -> object:
    return value if isinstance(value, str) else whole(value)


class ConvergenceSection(Section):
    """How the convergence score and what goes with it are made."""

    growth: Growth = "multilevel"
    """How each rater's curve is estimated."""
    discrepancy: Discrepancy = "absolute"
    """How far apart patient and therapist are on an occasion."""
    slope: Slope = "rate"
    """How the change of the discrepancy becomes one number."""
    unit: Unit = "window"
    """Change over the whole observed window, or per unit of time."""
    transform: Transform = "log_shift"
    """Transform of the score towards a normal distribution."""
    early_level: Annotated[EarlyLevel, Field(validate_default=True)] = "curve"
    """Early alliance of each rater: from the curve at the first occasion, or the first rating."""
    early_discrepancy: EarlyDiscrepancy = "signed"
    """Early patient minus therapist rating as a predictor in Model 3."""
    rating_window: Window = "all"
    """Alliance occasions that count: "all" or [from, to] in time's own values."""
    outcome_window: Window = "all"
    """Outcome occasions that count: "all" or [from, to] in time's own values."""
    null: Annotated[int, BeforeValidator(whole), Field(ge=0)] = 0
    """Studies without convergence to simulate: the score by noise alone; 0 for none."""

    @field_validator("early_level", "early_discrepancy")
    @classmethod
    def _needs_a_curve(cls, value: str, info: ValidationInfo) -> str:
        if value == "curve" and info.data.get("growth") == "observed":
            other = '"first_rating"' if info.field_name == "early_level" else '"signed", "absolute" or "none"'
            raise ValueError(f'"curve" needs a curve, and growth = "observed" has none; write {other}')
        return value

    @field_validator("null")
    @classmethod
    def _has_tails(cls, value: int) -> int:
        if 0 < value < FEWEST_STUDIES:
            raise ValueError(f"{value} simulated studies show no tails; write {FEWEST_STUDIES} or more, or 0 for none")
        return value

    @field_validator("rating_window", "outcome_window")
    @classmethod
    def _forwards(cls, value: Window) -> Window:
        if not isinstance(value, str) and not value[0] < value[1]:
            raise ValueError(f"[from, to] must have from < to, and {value[0]:g} < {value[1]:g} is not so")
        return value


class ModelsSection(Section):
    """Which outcome models are fitted, and how."""

    run: Annotated[tuple[Annotated[Literal[1, 2, 3], BeforeValidator(whole)], ...], Field(min_length=1)] = (
        1,
        2,
        3,
    )
    """Models 1 (time only), 2 (convergence), 3 (convergence and covariates)."""
    levels: Annotated[Levels, BeforeValidator(_whole_or_word)] = 2
    """2 (session, dyad), 3 (and therapist) or "auto" (3 if therapists differ, else 2)."""
    therapist_slopes: Annotated[bool, Field(strict=True, validate_default=True)] = False
    """Whether the change over time varies over therapists too, with three levels."""
    method: Method = "REML"
    """Restricted or full maximum likelihood."""
    df: FreedomMethod = "satterthwaite"
    """Degrees of freedom of the tests of fixed effects."""
    criteria: Criteria = "spss"
    """Whose convention the information criteria follow."""
    missing_predictors: Literal["listwise", "impute"] = "listwise"
    """Dyads that lack a predictor: left out of the models, or the predictor is imputed several times."""
    imputations: Annotated[int, BeforeValidator(whole), Field(ge=2)] = 20
    """How many times, where predictors are imputed."""
    seed: Annotated[int, BeforeValidator(whole), Field(ge=0)] = 1
    """Of the imputations' random numbers."""

    @field_validator("run")
    @classmethod
    def _each_once(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(value)) < len(value):
            raise ValueError("each model can be run once")
        return value

    @field_validator("df")
    @classmethod
    def _for_reml(cls, value: str, info: ValidationInfo) -> str:
        if value == "kenward-roger" and info.data.get("method") == "ML":
            raise ValueError('Kenward–Roger needs method = "REML"')
        return value

    @field_validator("therapist_slopes")
    @classmethod
    def _of_the_third_level(cls, value: bool, info: ValidationInfo) -> bool:
        if value and info.data.get("levels") == 2:
            raise ValueError('slopes of therapists need levels = 3 or "auto"')
        return value


class AnalysisPlan(Section):
    """One analysis, from ratings to tables: what is asked, before any data."""

    version: Annotated[Literal[1], BeforeValidator(whole)] = 1
    """Version of the plan's format."""
    title: str = ""
    """Heading of the report."""
    data: DataSection | None = None
    """Where the data are; left out where a frame is handed in."""
    dyads: DyadsSection | None = None
    """A second file with one row per dyad."""
    columns: ColumnsSection
    """Which column of the file plays which role."""
    raters: RatersSection | None = None
    """For files with a row per rater: which rows are whose."""
    missing: MissingSection = MissingSection()
    """Which values stand for missing ones."""
    time: TimeSection = TimeSection()
    """How time is counted."""
    convergence: ConvergenceSection = ConvergenceSection()
    """How the convergence score and what goes with it are made."""
    models: ModelsSection = ModelsSection()
    """Which outcome models are fitted, and how."""
    sensitivity: SensitivitySection = SensitivitySection()
    """Under which other choices the effects of convergence are estimated again."""
    checks: ChecksSection = ChecksSection()
    """What the data are checked against, where the file has it."""
    report: ReportSection = ReportSection()
    """What the report looks like."""

    @field_validator("raters")
    @classmethod
    def _rows_are_told_apart(cls, value: RatersSection | None, info: ValidationInfo) -> RatersSection | None:
        columns = info.data.get("columns")
        if value is not None and columns is not None and columns.wide:
            raise ValueError(f"a file with a row per rater cannot have a column per occasion ({TIME}) as well")
        return value

    @field_validator("models")
    @classmethod
    def _therapists_are_known(cls, value: ModelsSection, info: ValidationInfo) -> ModelsSection:
        columns = info.data.get("columns")
        if value.levels != 2 and columns is not None and columns.therapist is None:
            raise PydanticCustomError(
                "other_section", "three levels need the therapists: name their column as therapist in [columns]",
                {"path": ("models", "levels")},
            )  # fmt: skip
        return value

    _folder: Path = PrivateAttr(default_factory=Path)

    @property
    def folder(self) -> Path:
        """Where the plan's file lies; the working folder for a plan that was never a file."""
        return self._folder

    @property
    def data_path(self) -> Path | None:
        """The data file, or None where a frame is to be handed in."""
        return None if self.data is None else self.folder / self.data.file

    def in_folder(self, folder: Path) -> Self:
        """The same plan, with its data file looked for in another folder."""
        moved = self.model_copy()
        moved._folder = folder
        return moved
