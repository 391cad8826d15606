"""What a file was recognised as, and what a first plan says of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from dyadline.data.recognition.evidence import Guess
from dyadline.data.recognition.sources import UNKNOWN
from dyadline.plan.columns import ItemsSection
from dyadline.words import listed

Layout = Literal["long", "wide", "raters"]
MANY = 8
"""Names or values that a comment lists before it counts the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognised:
    """A guess for each role; ``recognised["dyad"].column`` is a name in the file or None.

    Attributes
    ----------
    guesses
        For ``dyad, therapist, time, patient_rating, therapist_rating, outcome, baseline``, in this order.
    covariates
        Further columns of numbers with one value per dyad, in the order of the file.
    layout
        One row per dyad and occasion ("long"), per dyad ("wide"), or per dyad, occasion and rater.
    also
        What was found for other sections: raters, occasions, checks, codes for missing values.
    scored
        Measure and items, for roles that are scored from items.
    sections
        What the plan says beside ``[columns]``, by section and key.
    comments
        Lines to stand above keys of the plan, by section and key.
    doubts
        Those of the comments that ask for a look.
    """

    guesses: tuple[Guess, ...]
    covariates: tuple[str, ...]
    layout: Layout = "long"
    also: tuple[Guess, ...] = ()
    scored: Mapping[str, ItemsSection] = field(default_factory=dict)
    sections: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    comments: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    doubts: tuple[str, ...] = ()

    def __getitem__(self, role: str) -> Guess:
        for guess in (*self.guesses, *self.also):
            if guess.role == role:
                return guess
        raise KeyError(role)

    @property
    def columns(self) -> dict[str, str]:
        """Column by role, for the roles that were found."""
        return {guess.role: guess.column for guess in self.guesses if guess.column is not None}

    @property
    def missing(self) -> tuple[str, ...]:
        """Keys that an analysis needs and that were not found, or not found out."""
        optional = ("therapist", "baseline")
        roles = [g.role for g in self.guesses if g.column is None and g.role not in optional]
        unknown = [f"measure of {role}" for role, items in self.scored.items() if items.measure == UNKNOWN]
        open_keys = [
            f"{section}.{key}"
            for section, keys in self.sections.items()
            for key, value in keys.items()
            if isinstance(value, str) and value.startswith("<")
        ]
        return (*roles, *unknown, *open_keys)


class Notes:
    """What is gathered for a plan while a file is looked at."""

    def __init__(self) -> None:
        self.also: list[Guess] = []
        self.sections: dict[str, dict[str, Any]] = {}
        self.comments: dict[tuple[str, str], list[str]] = {}
        self.doubts: list[str] = []

    def write(self, section: str, key: str, value: Any, why: str, others: Sequence[str] = ()) -> None:
        """A key of the plan."""
        self.sections.setdefault(section, {})[key] = value
        shown = listed([as_written(v) for v in value]) if isinstance(value, list | tuple) else as_written(value)
        self.also.append(Guess(role=f"{section}.{key}", column=shown, reason=why, alternatives=tuple(others)))

    def say(self, section: str, key: str, line: str, *, doubt: bool = False) -> None:
        """A comment above a key; with doubt, it is on the screen, too. A doubt is said once."""
        if line in self.doubts:
            return
        self.comments.setdefault((section, key), []).append(line)
        if doubt:
            self.doubts.append(line)


def as_written(value: object) -> str:
    """A number without needless decimals; a text as it is."""
    return f"{value:g}" if isinstance(value, int | float) else str(value)
