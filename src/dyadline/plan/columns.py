"""What a plan says about the data: files, columns, missing codes, raters, time and what is checked."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError


def whole(value: object) -> object:
    """Python takes True and 1.0 for 1; a plan does not."""
    if type(value) is not int:
        raise PydanticCustomError("whole_number", "Input should be a whole number")
    return value


Name = Annotated[str, Field(min_length=1)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Label = Number | Name
"""A value as it stands in the file: a number or a text."""

TIME, ITEM = "{time}", "{item}"
"""Places in a column's name: one column per occasion (a wide file), one per item of a measure."""

MODEL_COLUMNS = (
    "outcome",
    "time",
    "t",
    "row",
    "dyad",
    "therapist",
    "patient_rating",
    "therapist_rating",
    "baseline",
    "convergence",
    "early_patient",
    "early_therapist",
    "early_discrepancy",
    "development",
)
"""Names that the analysis gives to its own columns, so that no covariate can have them."""


def open_column(role: str) -> str:
    """What a new plan has where no column was found for a role: a name to be replaced."""
    return f"<{role} column>"


def is_open(column: str) -> bool:
    """Whether this is a name that a new plan left to be replaced."""
    return column.startswith("<") and column.endswith(" column>")


class Section(BaseModel):
    """A part of a plan: frozen, and without keys that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class DataSection(Section):
    """Where the data are."""

    file: Name
    """Data file, relative to the plan's folder: sav, dta, xlsx, csv, tsv or parquet."""
    sheet: Name | None = None
    """Sheet of a spreadsheet; the first one with data by default."""
    encoding: Name | None = None
    """Encoding of a text or SPSS file, such as "cp1252"; recognised by default."""
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    """What separates the columns of a text file, such as ";"; recognised by default."""
    decimal: Literal[".", ","] | None = None
    """Decimal mark of a text file; recognised by default."""
    synthetic: bool = False
    """Whether the data are made up by a simulator: every report then says so."""


class DyadsSection(Section):
    """A second file with one row per dyad."""

    file: Name
    """File with one row per dyad, in the plan's folder; joined by the dyad."""
    dyad: Name | None = None
    """Column that names the dyad there, if it is another name than in the data file."""
    sheet: Name | None = None
    """Sheet of a spreadsheet; the first one with data by default."""


class MissingSection(Section):
    """Which values stand for missing ones."""

    declared: Annotated[bool, Field(strict=True)] = True
    """Whether values that the file itself declares missing are missing."""
    codes: tuple[Label, ...] = ()
    """Further codes, in all columns: numbers, texts, or "90 to 99"."""
    by_column: dict[Name, tuple[Label, ...]] = {}
    """Instead of declared codes: { wai_1 = [8, 9], "bdi_*" = ["90 to 99"] }."""


class ItemsSection(Section):
    """A score that is made from the answers to a measure's items."""

    measure: Name
    """Measure of the registry, or of a file MEASURE.toml in the plan's folder."""
    items: Name | Annotated[tuple[Name, ...], Field(min_length=1)]
    """Columns of the items: a pattern such as "wai_p_{item}", or all names in the measure's order."""
    scale: Name | None = None
    """Scale or subscale of the measure; its total by default."""
    range: tuple[Number, Number] | None = None
    """Lowest and highest answer, if they are not the measure's original ones."""

    @field_validator("items")
    @classmethod
    def _has_a_place_for_the_item(cls, value: str | tuple[str, ...]) -> str | tuple[str, ...]:
        if isinstance(value, str) and value.count(ITEM) != 1:
            raise ValueError(f'the items\' pattern {value!r} needs {ITEM} once, as in "wai_p_{ITEM}"')
        if not isinstance(value, str) and len(set(value)) < len(value):
            raise ValueError("an item is named twice")
        return value

    @field_validator("range")
    @classmethod
    def _upwards(cls, value: tuple[float, float] | None) -> tuple[float, float] | None:
        if value is not None and not value[0] < value[1]:
            raise ValueError(f"the range [lowest, highest] must go upwards, and [{value[0]:g}, {value[1]:g}] does not")
        return value

    @property
    def name(self) -> str:
        """What the score's column is called: the pattern, or the first and the last item."""
        return self.items if isinstance(self.items, str) else f"{self.items[0]} … {self.items[-1]}"


Scored = Name | ItemsSection


def column_name(column: str | ItemsSection) -> str:
    """What a column of the plan is called in the long frame and in sentences."""
    return column if isinstance(column, str) else column.name


class ColumnsSection(Section):
    """Which column of the file plays which role.

    In a wide file, with one row per dyad, the names of repeated columns have {time} where the occasion stands.
    """

    dyad: Name
    """Column that names the dyad (the patient)."""
    therapist: Name | None = None
    """Optional: column that names the therapist."""
    time: Name
    """Column with session, week, occasion or date; in a wide file, what to call it."""
    patient_rating: Scored
    """Alliance as the patient rates it; or { measure = "wai-s", items = "wai_p_{item}" }."""
    therapist_rating: Scored
    """Column with the alliance as the therapist rates it; or its measure and items."""
    outcome: Scored
    """Column with the outcome, such as symptoms; or its measure and items."""
    baseline: Scored = "first"
    """Column with one value per dyad, a measure's items, or "first" for the first outcome."""
    covariates: tuple[Name, ...] = ()
    """Further columns with one value per dyad, grand-mean centred."""

    # Fields are validated in order, so each one looks back: every doubled role is found, whatever else is wrong.
    @field_validator("*")
    @classmethod
    def _one_role_per_column(cls, value: Any, info: ValidationInfo) -> Any:
        if value is None or (info.field_name == "baseline" and value == "first"):
            return value
        single = {role: column for role, column in info.data.items() if isinstance(column, str | ItemsSection)}
        roles = {column_name(column): role for role, column in single.items()}
        if info.data.get("baseline") == "first":
            roles = {column: role for column, role in roles.items() if role != "baseline"}
        names = value if isinstance(value, tuple) else (column_name(value),)
        for number, name in enumerate(names):
            # Where each rater has rows of their own, one column holds both ratings: see [raters].
            both = info.field_name == "therapist_rating" and (info.context or {}).get("row_per_rater")
            if name in roles and not (both and roles[name] == "patient_rating"):
                raise ValueError(f"the column {name!r} already is {roles[name]!r}; each role needs its own")
            if name in names[:number]:
                raise ValueError(f"the column {name!r} is named twice")
        return value

    @field_validator("dyad", "therapist", "time", "covariates")
    @classmethod
    def _no_occasions(cls, value: Any) -> Any:
        for name in value if isinstance(value, tuple) else (value or "",):
            if TIME in name:
                raise ValueError(f"{name!r} belongs to the dyad or names the occasions, and cannot repeat over {TIME}")
        return value

    @field_validator("covariates")
    @classmethod
    def _not_a_name_of_ours(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if name in MODEL_COLUMNS:
                raise ValueError(
                    f"the analysis itself has a column {name!r}; give the covariate another name in the file"
                )
        return value

    @property
    def wide(self) -> bool:
        """Whether the file has one row per dyad and a column per occasion."""
        repeated = (self.patient_rating, self.therapist_rating, self.outcome)
        return any(TIME in column_name(column) for column in repeated)

    def name(self, role: str) -> str:
        """What the column of a role is called in the long frame and in sentences."""
        return column_name(getattr(self, role))

    @property
    def measures(self) -> dict[str, ItemsSection]:
        """The roles that are scored from items."""
        scored = {role: getattr(self, role) for role in ("patient_rating", "therapist_rating", "outcome", "baseline")}
        return {role: column for role, column in scored.items() if isinstance(column, ItemsSection)}


class RatersSection(Section):
    """For files with a row per rater: which rows are whose."""

    column: Name
    """Column that says who rated."""
    patient: Label
    """Its value in the patient's rows."""
    therapist: Label
    """Its value in the therapist's rows."""

    @field_validator("therapist")
    @classmethod
    def _two_raters(cls, value: float | str, info: ValidationInfo) -> float | str:
        if info.data.get("patient") == value:
            raise ValueError("patient and therapist need different values")
        return value


class TimeSection(Section):
    """How time is counted."""

    origin: Literal["first"] | Number = "first"
    """"first" (the study's first occasion is 0) or the time that counts as 0."""
    scale: Annotated[Number, Field(gt=0)] = 1.0
    """Time is divided by this."""
    dates: Literal["sessions", "days", "weeks", "months"] | None = None
    """Where time is a date: number the dyad's sessions, or count from its first date."""
    date_format: Name | None = None
    """How dates are written as text, such as "%d.%m.%Y"; recognised by default."""
    occasions: Annotated[tuple[Label, ...], Field(min_length=2)] | None = None
    """Fixed occasions in order, such as [1, 3, 12, 20, "T2"]; they count as 0, 1, 2 ..."""

    @field_validator("occasions")
    @classmethod
    def _each_once(cls, value: tuple[Label, ...] | None) -> tuple[Label, ...] | None:
        if value is not None and len(set(value)) < len(value):
            raise ValueError("an occasion is named twice")
        return value

    @field_validator("occasions")
    @classmethod
    def _not_dates(cls, value: tuple[Label, ...] | None, info: ValidationInfo) -> tuple[Label, ...] | None:
        if value is not None and info.data.get("dates") is not None:
            raise ValueError("time is counted from dates or by fixed occasions, not both")
        return value


class ChecksSection(Section):
    """What the data are checked against, where the file has it."""

    rating_range: tuple[Number, Number] | None = None
    """Lowest and highest possible rating."""
    outcome_range: tuple[Number, Number] | None = None
    """Lowest and highest possible outcome."""
    date: Name | None = None
    """Column with the session's date, beside the column for time."""
    sessions: Name | None = None
    """Column with the dyad's number of sessions."""
    end: Name | None = None
    """Column with the time, or date, of the dyad's last session."""
    reason: Name | None = None
    """Column that says why the dyad ended."""
