"""What was measured with what, as far as plan and registry know."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

import polars as pl

from dyadline.measures.measure import Measure, Scale
from dyadline.measures.registry import measure
from dyadline.plan.columns import ItemsSection
from dyadline.report.document import Block, Cell
from dyadline.report.labels import source
from dyadline.report.prose.phrases import Phrase, joined, listed_words, paragraph, places, quoted
from dyadline.report.prose.references import Work

if TYPE_CHECKING:
    from dyadline.result import AnalysisResult

ROLES = {
    "patient_rating": ("Alliance, patient.", "The patient's rating of the alliance"),
    "therapist_rating": ("Alliance, therapist.", "The therapist's rating of the alliance"),
    "outcome": ("Outcome.", "The outcome"),
    "baseline": ("Initial symptoms.", "Initial symptoms"),
}
"""Role -> heading, and subject of a sentence."""

_MEANS = {"patient_rating": "alliance", "therapist_rating": "alliance", "outcome": "outcome", "baseline": "state"}


def instrument_paragraphs(result: AnalysisResult, anchors: Collection[str]) -> Iterator[Block]:
    """A paragraph for each rating, the outcome, and the baseline."""
    columns = result.plan.columns
    for role, (title, subject) in ROLES.items():
        column = getattr(columns, role)
        if isinstance(column, ItemsSection):
            yield paragraph(*_scored(result, role, column, anchors), heading=title)
        elif role == "baseline" and column == "first":
            yield paragraph("Initial symptoms were the dyad's first outcome value.", heading=title)
        else:
            verb = "were" if role == "baseline" else "was"
            yield paragraph(
                f"{subject} {verb} taken as scored in the data ({quoted(source(columns, role))}). [Add the "
                "questionnaire, its range, and its reliability in this sample.]",
                heading=title,
            )


def _scored(result: AnalysisResult, role: str, section: ItemsSection, anchors: Collection[str]) -> Iterator[Phrase]:
    used = measure(section.measure, result.plan.folder)
    name = used.scale_name(section.scale)
    scale, items = used.scales[name], len(used.items_of(name))
    subject, verb = ROLES[role][1], "were" if role == "baseline" else "was"
    low, high = section.range or used.range
    original = "" if (low, high) == used.range else " (the original has {:g} to {:g})".format(*used.range)
    yield (
        f"{subject} {verb} the {_score(scale)} of the {items} items of {_scale(used, name)}, answered "
        f"from {low:g} to {high:g}{original}{_reversed(used, name)}.",
    )
    yield (
        f"A score was computed where at least {used.needed(name)} of the {items} items had been answered; a missing "
        "answer counted as the mean of the person's other answers to the scale.",
    )
    yield (f"Higher scores stand for a {used.higher} {_MEANS[role]}.",)
    yield from _reliability(result, role, name, anchors)


def _score(scale: Scale) -> str:
    return scale.score if scale.factor == 1 else f"{scale.score}, times {scale.factor:g},"


def _scale(used: Measure, name: str) -> str:
    """The measure's full name with its citation in the same brackets as its abbreviation."""
    title = f"the {used.title}" if used.title else f"the measure {quoted(used.name)}"
    cited = Work(entry=used.citation, doi=used.doi).cited
    if cited:
        title = f"{title[:-1]}; {cited})" if title.endswith(")") else f"{title} ({cited})"
    return title if name == used.total else f"the scale {quoted(used.scales[name].title or name)} of {title}"


def _reversed(used: Measure, name: str) -> str:
    turned = [str(item) for item in used.reverse if item in used.items_of(name)]
    if not turned:
        return ""
    items = "item" if len(turned) == 1 else "items"
    return f"; {items} {listed_words(turned)} {'was' if len(turned) == 1 else 'were'} reverse-scored"


def _reliability(result: AnalysisResult, role: str, scale: str, anchors: Collection[str]) -> Iterator[Phrase]:
    """Internal consistency over the occasions, and reliability of differences between and within persons."""
    found = result.tables.get("reliability")
    own = None if found is None else found.filter((pl.col("role") == role) & (pl.col("scale") == scale))
    if own is not None and own["alpha"].count():
        coefficients = [("Cronbach's α", own["alpha"]), ("McDonald's ω", own["omega"])]
        said: list[Phrase] = [(f"{what} ", *_range(values)) for what, values in coefficients if values.count()]
        occasions = "over the occasions" if own["alpha"].count() > 1 else "at the one occasion where it could be told"
        yield (
            "Internal consistency: ", *joined(said), f" {occasions}",
            *places(anchors, "table-reliability"), ".",
        )  # fmt: skip
    over_time = result.tables.get("generalisability")
    kept = None if over_time is None else over_time.filter((pl.col("role") == role) & (pl.col("scale") == scale))
    if kept is not None and kept.height:
        yield from _over_time(kept, anchors)


def _range(values: pl.Series) -> Phrase:
    low, high = values.min(), values.max()
    ends = (Cell(value=low, kind="proportion"), Cell(value=high, kind="proportion"))  # type: ignore[arg-type]
    if values.count() == 1:
        return ("=\u00a0", ends[0])
    return ("from ", ends[0], " to ", ends[1])


def _over_time(found: pl.DataFrame, anchors: Collection[str]) -> Iterator[Phrase]:
    r = found.row(0, named=True)
    kinds = (("differences between persons at one occasion", "r_1f"), ("changes within persons", "r_c"))
    said: list[Phrase] = [
        (Cell(value=r[key], kind="proportion"), f" for {words}") for words, key in kinds if r[key] is not None
    ]
    if said:
        yield (
            "Over the occasions, reliability (generalisability coefficients; Cranford et al., 2006) was ",
            *joined(said), *places(anchors, "table-generalisability"), ".",
        )  # fmt: skip
