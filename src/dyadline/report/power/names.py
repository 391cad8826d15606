"""What designs, tests and scores of a power study are called in print."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dyadline.plan.analysis import ConvergenceSection
from dyadline.plan.model import Variable
from dyadline.plan.scores import describe_operationalisation
from dyadline.report.document import Cell
from dyadline.report.labels import model_words, term_words
from dyadline.report.numbers import count, number, occasion, proportion

SCORE = "score"

WITHOUT = "none"
"""Patients per therapist where there are no therapists."""

AS_IN_FILE = "as in the file"
"""Effect where the parameter file gives a coefficient in place of one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dimension:
    """Something in which designs can differ.

    Attributes
    ----------
    label, axis
        Heading of a column, title of an axis.
    what
        In a sentence.
    """

    label: str
    axis: str
    what: str


DIMENSIONS = {
    "dyads": Dimension(label="Dyads", axis="Dyads", what="numbers of dyads"),
    "sessions": Dimension(label="Sessions", axis="Sessions with ratings", what="numbers of sessions"),
    "drop_out": Dimension(label="Drop-out, %", axis="Drop-out by the last occasion, %", what="shares of drop-out"),
    "per_therapist": Dimension(
        label="Per therapist", axis="Patients per therapist", what="numbers of patients per therapist"
    ),
    "effect": Dimension(label="Effect β", axis="Effect β of true convergence on the slope", what="effects"),
    SCORE: Dimension(label="Score", axis="Score", what="scores"),
}
"""In the order of the tables."""

DESIGNED = tuple(key for key in DIMENSIONS if key != SCORE)


def value_cell(key: str, value: Any) -> Cell:
    """A design's value as a table has it."""
    if value is None:
        return Cell(value=WITHOUT if key == "per_therapist" else AS_IN_FILE, kind="text")
    if key == "drop_out":
        return Cell(value=100.0 * value, kind="percent", decimals=_decimals(100.0 * value))
    if key == "effect":
        return Cell(value=value, kind="proportion", decimals=max(2, _decimals(100.0 * value) + 2))
    if key == "per_therapist":
        return Cell(value=round(value, 1), kind="occasion")
    return Cell(value=value, kind="count")


def value_text(key: str, value: Any) -> str:
    """The same as text, without its unit."""
    if value is None:
        return WITHOUT if key == "per_therapist" else AS_IN_FILE
    if key == "drop_out":
        return number(100.0 * value, _decimals(100.0 * value))
    if key == "effect":
        return proportion(value, max(2, _decimals(100.0 * value) + 2))
    return occasion(round(value, 1)) if key == "per_therapist" else count(value)


def value_words(key: str, value: Any) -> str:
    """The same with its unit: ``96 dyads``, ``30% drop-out``, ``β = .30``."""
    text = value_text(key, value)
    if key == "dyads":
        return f"{text} dyads"
    if key == "sessions":
        return f"{text} session{'s' * (value != 1)}"
    if key == "drop_out":
        return f"{text}% drop-out" if value else "no drop-out"
    if key == "per_therapist":
        return "no therapists" if value is None else f"{text} patient{'s' * (value != 1)} per therapist"
    return "the effect of the file" if value is None else f"β = {text}"


def _decimals(percent: float) -> int:
    return 0 if abs(percent - round(percent)) < 1e-6 else 1


def term_name(term: str) -> str:
    """``time:convergence`` -> ``Convergence × Time``."""
    variables = () if term == "(Intercept)" else tuple(Variable(column) for column in term.split(":"))
    return term_words(variables)


def label_of_test(model: object, term: str) -> str:
    """``Model 3: Convergence × Time``."""
    return f"{model_words(model)[0]}: {term_name(term)}"


def short_names(names: Sequence[str]) -> dict[str, str]:
    """Operationalisations by what each has that the first has not; the first is ``default`` or ``first``.

    Parameters
    ----------
    names
        As ``growth/discrepancy/slope/unit/transform; key=value``, the first one first.

    Returns
    -------
    Name -> short name; the names themselves where they are no such names or would not be told apart.
    """
    if not names:
        return {}
    first = names[0]
    is_default = first == describe_operationalisation(ConvergenceSection()).name
    short = {first: "default" if is_default else "first"}
    known = _parts(first)
    for name in names[1:]:
        own = _parts(name)
        comparable = len(own[0]) == len(known[0])
        new = [_choice(b) for a, b in zip(known[0], own[0], strict=False) if a != b]
        new += [_brief(part) for part in own[1] if part not in known[1]]
        new += [f"no {part}" for part in known[1] if part not in own[1]]
        short[name] = ", ".join(new) if comparable and new else name
    told_apart = len(set(short.values())) == len(short)
    return short if told_apart else {name: name for name in names}


def _choice(value: str) -> str:
    return "untransformed" if value == "none" else value


def _brief(choice: str) -> str:
    """``early_level=first_rating`` -> ``first_rating``; windows keep their key."""
    return choice.split("=", 1)[1] if choice.startswith("early_") else choice


def _parts(name: str) -> tuple[list[str], list[str]]:
    choices, *others = name.split("; ")
    return choices.split("/"), others
