"""Turns of phrase that keep their numbers: counts, lists, ranges, places in the report."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from dyadline.plan.analysis import AnalysisPlan
from dyadline.report.document import Cell, Paragraph, Part, Reference
from dyadline.report.labels import NAMES

Phrase = tuple[Part, ...]

PREDICTORS = {
    "baseline": "initial symptoms",
    "convergence": "convergence",
    "early_patient": "the patient's early alliance",
    "early_therapist": "the therapist's early alliance",
    "early_discrepancy": "early discrepancy",
    "development": "alliance development",
}
"""Predictors in the middle of a sentence."""


def predictor(column: str) -> str:
    """A predictor in the middle of a sentence; a column of the file by its own name, in quotation marks."""
    return PREDICTORS.get(column, NAMES.get(column, quoted(column)))


def quoted(name: str) -> str:
    """A name of the file: “wai_p”."""
    return f"“{name}”"


def moment(plan: AnalysisPlan) -> str:
    """What comes before the number of an occasion: ``session`` 14, ``week`` 3; odd names in quotation marks."""
    if plan.time.occasions is not None:
        return "occasion"
    if plan.time.dates is not None:
        return plan.time.dates.removesuffix("s")
    name = plan.columns.time
    plain = name.replace("_", " ").strip()
    return plain.lower() if plain.replace(" ", "").isascii() and plain.replace(" ", "").isalpha() else quoted(name)


def several(number: int, one: str, many: str = "") -> Phrase:
    """``1 dyad``, ``1,089 dyads``; a line never ends after the number."""
    return (Cell(value=number, kind="count"), f"\u00a0{one if number == 1 else many or one + 's'}")


def joined(items: Sequence[Phrase], word: str = "and") -> Phrase:
    """``a``, ``a and b``, ``a, b, and c``."""
    parts: list[Part] = []
    for number, item in enumerate(items):
        if number:
            last = number == len(items) - 1
            parts.append(f"{',' if len(items) > 2 else ''} {word} " if last else ", ")
        parts += item
    return tuple(parts)


def listed_words(items: Sequence[str], word: str = "and") -> str:
    """The same for words alone."""
    return "".join(str(part) for part in joined([(item,) for item in items], word))


def share(part: int, whole: int, what: str) -> Phrase:
    """``47 of 96 dyads (49.0%)``."""
    percent = Cell(value=100.0 * part / whole, kind="percent", decimals=1)
    return (Cell(value=part, kind="count"), " of ", Cell(value=whole, kind="count"), f" {what} (", percent, "%)")


def places(anchors: Collection[str], *wanted: str) -> Phrase:
    """`` (Table 3 and Figure 2)``: those of the wanted anchors that the document has; empty if it has none."""
    there: list[Phrase] = [(Reference(anchor),) for anchor in wanted if anchor in anchors]
    return (" (", *joined(there), ")") if there else ()


def paragraph(*phrases: Iterable[Part] | str, heading: str = "") -> Paragraph:
    """A paragraph of phrases; those that are sentences are set apart by a blank."""
    parts: list[Part] = []
    for phrase in phrases:
        said = (phrase,) if isinstance(phrase, str) else tuple(phrase)
        if said:
            parts += [" ", *said] if parts else said
    return Paragraph(heading=heading, parts=merged(parts))


def merged(parts: Iterable[Part]) -> Phrase:
    """Neighbouring words in one part."""
    done: list[Part] = []
    for part in parts:
        last = done[-1] if done else None
        if isinstance(part, str) and isinstance(last, str):
            done[-1] = last + part
        else:
            done.append(part)
    return tuple(done)
