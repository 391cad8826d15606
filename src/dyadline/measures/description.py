"""A measure in words, for lists and explanations."""

from __future__ import annotations

from dyadline.measures.measure import Measure
from dyadline.words import listed


def describe_measure(measure: Measure) -> dict[str, str]:
    """What there is to know of a measure: label to text, in reading order; what is not known is left out."""
    low, high = measure.range
    reverse = listed([str(number) for number in measure.reverse]) if measure.reverse else "none"
    said = {
        "Measure": measure.title or measure.name,
        "Name in plans": measure.name,
        "Forms": listed(list(measure.forms)) if measure.forms else "",
        "Items": f"{measure.items}, answered from {low:g} to {high:g}",
        "Reverse-keyed items": reverse,
        "Higher scores": f"are {measure.higher}",
    }
    for name in measure.scales:
        said[f"Scale {name}"] = _scale_words(measure, name)
    said |= {
        "Missing answers": f"a score needs {measure.answered:.0%} of its items; a missing one counts as the mean of "
        "the person's other answers on the scale",
        "Citation": measure.citation,
        "DOI": measure.doi,
        "Source of the key": measure.key_source,
        "Licence": measure.licence,
    }
    return {label: text for label, text in said.items() if text}


def _scale_words(measure: Measure, name: str) -> str:
    scale = measure.scales[name]
    items = measure.items_of(name)
    low, high = measure.limits(name)
    which = "all items" if len(items) == measure.items else f"items {listed([str(number) for number in items])}"
    times = "" if scale.factor == 1 else f" times {scale.factor:g}"
    words = [f"{scale.score} of {which}{times}, {low:g} to {high:g}, at least {measure.needed(name)} answered"]
    if scale.title:
        words.insert(0, scale.title)
    if scale.bands:
        words.append("bands " + ", ".join(f"{low:g}–{high:g} {label}" for label, (low, high) in scale.bands.items()))
    return "; ".join(words)
