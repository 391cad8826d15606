"""Fixed occasions in the field's order, and who rated where each rater has rows of their own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from dyadline.data.number_text import MISSING
from dyadline.data.recognition.evidence import Evidence
from dyadline.data.recognition.naming import (
    BASELINE,
    FOLLOW_UP,
    LATE,
    MIDDLE,
    PATIENT_VALUES,
    RATER_COLUMN,
    THERAPIST_VALUES,
    TIME,
    time_unit,
    words,
)
from dyadline.plan.columns import Label

MOST = 12
"""Fixed occasions are no more than these."""
_BEFORE, _NUMBER, _MIDDLE, _AFTER, _LATER = range(5)


def in_order(labels: Sequence[Label]) -> tuple[list[Label], str] | None:
    """Occasions from first to last, with what is not sure about it; None where a label says nothing.

    Before treatment, then by number, the end, follow-ups. Where sessions have numbers, T2 or T3 stand behind them.
    """
    places: dict[Label, tuple[int, float]] = {}
    numbered = any(isinstance(label, int | float) or label.isdecimal() for label in labels)
    for label in labels:
        place = _place(label, numbered=numbered)
        if place is None:
            return None
        places[label] = place
    ordered = sorted(labels, key=lambda label: places[label])
    phases = {phase for phase, _ in places.values()}
    middle = [label for label in ordered if places[label][0] == _MIDDLE]
    doubt = ""
    if middle and _NUMBER in phases:
        doubt = f"The file does not say between which numbers {middle[0]!r} stands: move it to its place."
    elif len(set(places.values())) < len(places):
        doubt = "Two of these look like the same occasion: check the order."
    elif numbered and any(isinstance(label, str) and re.fullmatch(r"(?i)t\W?\d+", label) for label in labels):
        doubt = "Occasions T... are taken to stand behind the numbered sessions: check the order."
    return ordered, doubt


def _place(label: Label, *, numbered: bool) -> tuple[int, float] | None:
    if not isinstance(label, str):
        return _NUMBER, float(label)
    spoken = words(label)
    number = float(next((word for word in spoken if word.isdecimal()), 0))
    stems = [re.sub(r"\d+$", "", word) for word in spoken if not word.isdecimal()]
    if not stems:
        return (_NUMBER, number) if spoken else None
    if "follow" in stems or set(stems) & set(FOLLOW_UP):
        return _LATER, number
    for phase, known in ((_BEFORE, BASELINE), (_MIDDLE, MIDDLE), (_AFTER, LATE)):
        if set(stems) & set(known):
            return phase, number
    digits = re.search(r"\d+", label)
    if digits and all(time_unit(stem) or stem in TIME for stem in stems):
        behind = numbered and stems == ["t"]
        return _AFTER if behind else _NUMBER, float(digits[0])
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class TextOccasions:
    """A text column that says the occasion.

    Attributes
    ----------
    column
        Its name.
    labels
        Its values in order.
    doubt
        What is not sure about the order; empty where it is.
    """

    column: str
    labels: tuple[Label, ...]
    doubt: str


def text_occasions(evidence: Evidence, dyad: str, within: Sequence[str]) -> TextOccasions | None:
    """The text column that tells a dyad's occasions apart, best first by its name."""
    named = [name for name in evidence.named(TIME) if name not in within]
    others = [name for name in evidence.names if name not in named and name not in within]
    for name in [*named, *others]:
        column = evidence.frame[name]
        if name in evidence.numbers or column.dtype not in (pl.String, pl.Categorical) or evidence.is_date(name):
            continue
        text = column.cast(pl.String).str.strip_chars()
        kinds = text.filter(~text.is_in(MISSING)).unique(maintain_order=True).to_list()
        if not 2 <= len(kinds) <= MOST:
            continue
        known = in_order(kinds)
        if known is not None:
            labels = tuple(float(label) if str(label).isdecimal() else label for label in known[0])
            return TextOccasions(column=name, labels=labels, doubt=known[1])
        if name in named:
            seen = _as_they_appear(evidence.frame[dyad], text)
            if seen is not None:
                doubt = "The names do not say their order; this is the order of the rows of each dyad: check it."
                return TextOccasions(column=name, labels=tuple(seen), doubt=doubt)
    return None


def _as_they_appear(dyad: pl.Series, text: pl.Series) -> list[str] | None:
    """Labels in the order in which they appear within dyads, if all dyads agree."""
    frame = pl.DataFrame({"dyad": dyad, "label": text, "row": range(len(text))}).filter(~pl.col("label").is_in(MISSING))
    if frame.select("dyad", "label").is_duplicated().any():
        return None
    order = frame.with_columns(place=pl.col("row").rank().over("dyad")).group_by("label").agg(pl.col("place").mean())
    labels = order.sort("place")["label"].to_list()
    places = frame["label"].replace_strict(labels, list(range(len(labels))), return_dtype=pl.Int64)
    steps = frame.with_columns(step=places).select(pl.col("step").diff().over("dyad"))["step"].drop_nulls()
    return labels if (steps > 0).all() else None


@dataclass(frozen=True, slots=True, kw_only=True)
class RaterColumn:
    """A column that says who rated.

    Attributes
    ----------
    column
        Its name.
    patient, therapist
        Their values, or None where the file does not say which is whose.
    """

    column: str
    patient: Label | None
    therapist: Label | None


def rater_column(evidence: Evidence, within: Sequence[str]) -> RaterColumn | None:
    """The column with one value in patients' rows and another in therapists'."""
    doubtful = None
    for name in evidence.names:
        column = evidence.frame[name]
        if name in within or (column.dtype.is_float() and name not in evidence.numbers):
            continue
        if column.dtype == pl.String:
            column = column.str.strip_chars()
            column = column.filter(~column.is_in(MISSING))
        kinds = column.drop_nulls().unique(maintain_order=True).to_list()
        if len(kinds) != 2 or column.dtype == pl.Boolean:
            continue
        meant = evidence.table.value_labels.get(name, {})
        sides = [_side(kind, meant) for kind in kinds]
        if sorted(map(str, sides)) == ["patient", "therapist"]:
            by_side = dict(zip(sides, kinds, strict=True))
            patient, therapist = (_plain(by_side[side]) for side in ("patient", "therapist"))
            return RaterColumn(column=name, patient=patient, therapist=therapist)
        if set(evidence.about(name)) & RATER_COLUMN and doubtful is None:
            doubtful = RaterColumn(column=name, patient=None, therapist=None)
    return doubtful


def _side(value: object, meant: object) -> str | None:
    said = meant.get(value) if hasattr(meant, "get") else None
    for text in filter(None, (said, value if isinstance(value, str) else None)):
        spoken = {*words(str(text)), str(text).strip().casefold()}
        patient, therapist = spoken & PATIENT_VALUES, spoken & THERAPIST_VALUES
        if bool(patient) != bool(therapist):
            return "patient" if patient else "therapist"
    return None


def _plain(value: object) -> Label:
    return value if isinstance(value, str) else float(value)  # type: ignore[arg-type]
