"""What recognition needs to know of a measure, and which measure the answers in a family of columns are of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import polars as pl

from dyadline.data.recognition.families import Family
from dyadline.data.recognition.naming import ALLIANCE, words
from dyadline.data.recognition.numbers import Cleaned
from dyadline.words import listed


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """A measure as far as recognition needs it.

    Attributes
    ----------
    name
        What plans call it.
    hints
        Words in column names that hint at it, such as ``("wai", "wais")``.
    items
        Number of items.
    range
        Lowest and highest answer of the original.
    rates
        Whether it is the alliance that is rated, or an outcome.
    score
        Whether its total is a mean or a sum.
    factor
        What mean or sum are multiplied by.
    reverse
        Numbers of the reverse-keyed items.
    """

    name: str
    hints: tuple[str, ...]
    items: int
    range: tuple[float, float]
    rates: Literal["alliance", "outcome"] = "outcome"
    score: Literal["mean", "sum"] = "sum"
    factor: float = 1.0
    reverse: tuple[int, ...] = ()

    def score_range(self, answers: tuple[float, float] | None = None) -> tuple[float, float]:
        """Lowest and highest total, for answers in another than the original range."""
        low, high = answers or self.range
        times = self.factor * (self.items if self.score == "sum" else 1)
        return low * times, high * times


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """The measure that a family's answers are of.

    Attributes
    ----------
    instrument
        The measure.
    range
        Range of the answers, where it is not the original one.
    doubts
        Sentences on what could also be.
    """

    instrument: Instrument
    range: tuple[float, float] | None = None
    doubts: tuple[str, ...] = ()

    @property
    def score_range(self) -> tuple[float, float]:
        return self.instrument.score_range(self.range)


def hinted(family_words: Sequence[str], instruments: Sequence[Instrument]) -> tuple[Instrument, ...]:
    """Measures that the words hint at; the most telling hint counts, wai-s before wai."""
    spoken = f" {' '.join(family_words)} "

    def strength(instrument: Instrument) -> int:
        name = words(instrument.name)
        if f" {' '.join(name)} " in spoken or "".join(name) in family_words:
            return len("".join(name)) + 1
        said = [hint for hint in instrument.hints if hint in family_words]
        return max((len(hint) for hint in said), default=0)

    strengths = {instrument: strength(instrument) for instrument in instruments}
    most = max(strengths.values(), default=0)
    return tuple(i for i, how in strengths.items() if how == most and most > 0)


def match(
    family: Family,
    numbers: Sequence[Cleaned],
    item_numbers: Sequence[int],
    instruments: Sequence[Instrument],
    answers: tuple[float, float] | None,
) -> Match | None:
    """The measure whose items these columns hold, or None where none fits.

    Parameters
    ----------
    family
        The columns, by item.
    numbers
        Their answers, in step with `family.columns`.
    item_numbers
        Number of the item of each column.
    instruments
        Measures known here.
    answers
        Lowest and highest answer that value labels name, where they do.
    """
    there = set(item_numbers)
    fitting = [i for i in hinted(family.words, instruments) if set(range(1, i.items + 1)) <= there and min(there) >= 1]
    # One item more is a question beside the scale, as in the PHQ-9; many more are another form of it.
    fitting = [i for i in fitting if len(there) <= i.items + 1]
    if not fitting or not all(n.whole for n in numbers):
        return None
    exact = [i for i in fitting if len(there) == i.items]
    fitting = exact or fitting
    seen = min(n.low for n in numbers), max(n.high for n in numbers)
    span = max(i.range[1] - i.range[0] for i in fitting)
    if seen[1] - seen[0] > max(span, 10):
        return None
    turned = {i: _turned(i, numbers, item_numbers) for i in fitting}
    doubts: list[str] = []
    if len(fitting) > 1:
        # The key decides, not the range: the same form is printed with several ranges.
        by_key = [i for i in fitting if i.reverse and turned[i]]
        chosen = by_key[0] if by_key else next((i for i in fitting if not i.reverse), fitting[0])
        others = [i.name for i in fitting if i is not chosen]
        why = (
            f"items {_and(chosen.reverse)} run against the others, as its reverse-keyed items do"
            if by_key
            else "no item runs against the others, so none is turned"
            if False in turned.values()
            else "the answers do not tell whether items are reverse-keyed, so none is turned"
        )
        doubts.append(f"{chosen.name} is taken because {why}; it could be {_and(others)} as well: check the form.")
    else:
        chosen = fitting[0]
        if chosen.reverse and turned[chosen] is False:
            doubts.append(
                f"Items {_and(chosen.reverse)} are reverse-keyed in {chosen.name}, and here run with the others: "
                "if they were turned already, the score would turn them back."
            )
    if not exact:
        doubts.append(f"There are {len(there)} columns; {chosen.name} has {chosen.items} items, the first are taken.")
    found = _range(chosen, seen, answers)
    if found is not None and answers is None:
        doubts.append(
            f"Answers from {seen[0]:g} to {seen[1]:g} were seen, and the original has {chosen.range[0]:g} to "
            f"{chosen.range[1]:g}: check the lowest and highest answer of the form."
        )
    return Match(instrument=chosen, range=found, doubts=tuple(doubts))


def _range(
    instrument: Instrument, seen: tuple[float, float], answers: tuple[float, float] | None
) -> tuple[float, float] | None:
    low, high = instrument.range
    if answers is not None and answers[0] <= seen[0] and seen[1] <= answers[1]:
        return None if answers == instrument.range else answers
    if low <= seen[0] and seen[1] <= high:
        return None
    if seen[1] - seen[0] == high - low:
        return seen
    return min(low, seen[0]), max(high, seen[1])


def _turned(instrument: Instrument, numbers: Sequence[Cleaned], item_numbers: Sequence[int]) -> bool | None:
    """Whether the reverse-keyed items run against the others; None where the answers do not tell."""
    if not instrument.reverse:
        return None
    given: dict[int, list[pl.Series]] = {}
    for cleaned, item in zip(numbers, item_numbers, strict=True):
        given.setdefault(item, []).append(cleaned.values)
    most = max(map(len, given.values()))
    frame = pl.DataFrame({str(item): pl.concat(each) for item, each in given.items() if len(each) == most})
    against = [name for name in frame.columns if int(name) in instrument.reverse]
    others = [name for name in frame.columns if name not in against and int(name) <= instrument.items]
    if not against or not others:
        return None
    means = frame.select(a=pl.mean_horizontal(against), o=pl.mean_horizontal(others)).drop_nulls()
    if means.height < 10:
        return None
    r = means.select(pl.corr("a", "o")).item()
    if r is None or not abs(r) > 0.15:
        return None
    return bool(r < 0)


def is_alliance(instrument: Instrument | None, family_words: Sequence[str]) -> bool:
    """Whether a column is about the alliance, by its measure or else by its name."""
    return instrument.rates == "alliance" if instrument else bool(set(family_words) & set(ALLIANCE))


def _and(parts: Sequence[object]) -> str:
    return listed([str(part) for part in parts])
