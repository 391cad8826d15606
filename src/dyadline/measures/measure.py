"""What a measure is: items, range, keys, scales and where they come from, never the items' texts."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from dyadline.errors import PlanError
from dyadline.plan.columns import Name, Number, Section, whole
from dyadline.words import nearest

ItemNumber = Annotated[int, BeforeValidator(whole)]
Share = Annotated[Number, Field(gt=0, le=1)]
ScaleName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")]


def folded(name: str) -> str:
    """The name as names are compared: case, hyphen, underscore and space make no difference."""
    return name.strip().casefold().replace("_", "-").replace(" ", "-")


class Scale(Section):
    """A score that is made from some or all items."""

    title: str = ""
    """What the scale is called in full."""
    items: Annotated[tuple[ItemNumber, ...], Field(min_length=1)] | None = None
    """Numbers of its items; all items if left out."""
    score: Literal["mean", "sum"]
    """Mean or sum of the answers."""
    factor: Annotated[Number, Field(gt=0)] = 1.0
    """What mean or sum are multiplied by, such as 4 for a percentage."""
    answered: Share | None = None
    """Share of its items that must be answered, if it is not the measure's."""
    bands: dict[Name, tuple[Number, Number]] = Field(default_factory=dict)
    """Ranges of the score in the original response range: { minimal = [0, 13], mild = [14, 19] }."""

    @field_validator("bands")
    @classmethod
    def _upwards(cls, value: dict[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
        ends = [end for band in value.values() for end in band]
        if any(low > high for low, high in value.values()) or ends != sorted(ends):
            raise ValueError("the bands must go upwards, each [from, to], and not overlap")
        return value


class Measure(Section):
    """A questionnaire's key."""

    name: Name
    """What plans call it: the name of its file."""
    title: str = ""
    """The measure's full name."""
    forms: tuple[Name, ...] = ("patient",)
    """Who fills it in: "patient", "therapist"."""
    items: Annotated[ItemNumber, Field(ge=1, le=1000)]
    """Number of items."""
    range: tuple[Number, Number]
    """Lowest and highest answer of the original."""
    reverse: tuple[ItemNumber, ...] = ()
    """Numbers of the items that are reverse-keyed."""
    higher: Literal["better", "worse"]
    """Whether a higher score is better or worse for the patient."""
    answered: Share = 0.8
    """Share of a scale's items that must be answered; missing ones count as the mean of the others."""
    scales: Annotated[dict[ScaleName, Scale], Field(min_length=1)]
    """Scores by name; the first is what a plan gets that names none."""
    citation: str = ""
    """Publication, in APA style."""
    doi: str = ""
    """Its DOI, or of the publication that the key is from."""
    key_source: str = ""
    """What public documentation the key was checked against."""
    licence: str = ""
    """Who owns the questionnaire, and who may use it."""

    @field_validator("range")
    @classmethod
    def _range_goes_upwards(cls, value: tuple[float, float]) -> tuple[float, float]:
        if not value[0] < value[1]:
            raise ValueError(f"the range [lowest, highest] must go upwards, and [{value[0]:g}, {value[1]:g}] does not")
        return value

    @field_validator("reverse")
    @classmethod
    def _reverse_items_exist(cls, value: tuple[int, ...], info: ValidationInfo) -> tuple[int, ...]:
        _check_items(value, info.data.get("items"))
        return value

    @field_validator("scales")
    @classmethod
    def _scales_fit(cls, value: dict[str, Scale], info: ValidationInfo) -> dict[str, Scale]:
        items, answers = info.data.get("items"), info.data.get("range")
        names = [folded(name) for name in value]
        if len(set(names)) < len(names):
            raise ValueError("two scales have the same name")
        for name, scale in value.items():
            try:
                _check_items(scale.items or (), items)
            except ValueError as error:
                raise ValueError(f"in the scale {name!r} {error}") from None
            ends = [end for band in scale.bands.values() for end in band]
            if items is None or answers is None or not ends:
                continue
            times = scale.factor * (len(scale.items or range(items)) if scale.score == "sum" else 1)
            low, high = answers[0] * times, answers[1] * times
            if ends[0] < low or ends[-1] > high:
                raise ValueError(f"scores of the scale {name!r} go from {low:g} to {high:g}, and its bands beyond")
        return value

    @property
    def total(self) -> str:
        """Name of the scale that a plan gets that names none."""
        return next(iter(self.scales))

    def scale_name(self, name: str | None) -> str:
        """The scale's name as the measure writes it; None is the total.

        Raises
        ------
        PlanError
            If there is no such scale.
        """
        if name is None:
            return self.total
        found = next((known for known in self.scales if folded(known) == folded(name)), None)
        if found is None:
            raise PlanError(
                f"The measure {self.name!r} has no scale {name!r}", way_out=nearest([name], list(self.scales))
            )
        return found

    def items_of(self, scale: str) -> tuple[int, ...]:
        """Numbers of a scale's items, by the name that `scale_name` gives."""
        return self.scales[scale].items or tuple(range(1, self.items + 1))

    def needed(self, scale: str) -> int:
        """How many of a scale's items must be answered for a score."""
        share = self.scales[scale].answered or self.answered
        # 0.8 of 5 items is 4, not 5 because of binary fractions.
        return max(1, math.ceil(share * len(self.items_of(scale)) - 1e-9))

    def limits(self, scale: str, answers: tuple[float, float] | None = None) -> tuple[float, float]:
        """Lowest and highest possible score of a scale, from the original or another range of answers."""
        held = self.scales[scale]
        times = held.factor * (len(self.items_of(scale)) if held.score == "sum" else 1)
        low, high = answers or self.range
        return low * times, high * times


def _check_items(numbers: tuple[int, ...], items: int | None) -> None:
    if len(set(numbers)) < len(numbers):
        raise ValueError("an item is named twice")
    wrong = [number for number in numbers if items is not None and not 1 <= number <= items]
    if wrong:
        raise ValueError(f"there is no item {wrong[0]}; the items are 1 to {items}")
