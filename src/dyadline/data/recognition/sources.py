"""What may play a role: single columns, columns over occasions, the items of a measure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from dyadline.data.recognition.evidence import Evidence
from dyadline.data.recognition.families import Family
from dyadline.data.recognition.instrument import Instrument, Match, hinted, is_alliance, match
from dyadline.data.recognition.naming import ITEM_MARK, OUTCOME, PATIENT, THERAPIST_SIDE, time_unit, words
from dyadline.plan.columns import ITEM, TIME, ItemsSection

SPAN = 10
"""Answers to an item run over no more than this; scores usually do."""
UNKNOWN = "<measure>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A column or family of columns that holds one rating or outcome.

    Attributes
    ----------
    family
        The columns.
    match
        The measure, where they are its items.
    """

    family: Family
    match: Match | None = None

    @property
    def name(self) -> str:
        return self.family.pattern

    @property
    def words(self) -> tuple[str, ...]:
        return self.family.words

    @property
    def columns(self) -> tuple[str, ...]:
        return self.family.columns

    @property
    def unknown(self) -> bool:
        """Whether these are the items of a measure that is not known here."""
        return self.family.itemed and self.match is None

    @property
    def alliance(self) -> bool:
        return is_alliance(self.match.instrument if self.match else None, self.words)

    @property
    def entry(self) -> str | ItemsSection:
        """What a plan writes for it."""
        if not self.family.itemed:
            return self.name
        if self.match is None:
            highest = max(int(number) for number in self.family.at(ITEM))
            return ItemsSection(measure=UNKNOWN, items=self.family.items(highest))
        known = self.match.instrument
        return ItemsSection(measure=known.name, items=self.family.items(known.items), range=self.match.range)


def long_sources(evidence: Evidence, instruments: Sequence[Instrument]) -> tuple[Source, ...]:
    """Single columns and families of items of a file in which occasions have rows of their own."""
    found: list[Source] = []
    for family in evidence.families(by_word=False):
        if len(family.kinds) == 1 and _hold_answers(family, evidence, instruments):
            found.append(_source(family.with_kinds(ITEM), evidence, instruments))
        else:
            found += _singly(family, evidence)
    return tuple(found)


def wide_sources(evidence: Evidence, instruments: Sequence[Instrument]) -> tuple[Source, ...]:
    """Single columns and families over occasions and items of a file with one row per dyad."""
    all_families = evidence.families(by_word=True)
    marked = [_marked(family, all_families, evidence) for family in all_families]
    sure = [f for f in marked if len(f.kinds) == 2 and "" not in f.kinds]
    # A number that stands alone counts occasions if totals stand there, or the same numbers count them elsewhere.
    sure += [f for f in marked if f.kinds == ("",) and _hold_totals(f, evidence)]
    sure += [f for f in marked if f.kinds == (TIME,)]
    occasions = {frozenset(f.at(TIME) if f.timed else [key[0] for key in f.members]) for f in sure}
    found: list[Source] = []
    for family in marked:
        if len(family.kinds) == 2 and "" in family.kinds:
            family = _by_items(family, instruments)
        elif family.kinds == ("",):
            numbers = frozenset(key[0] for key in family.members)
            answers = _hold_answers(family, evidence, instruments) and len(numbers) > 2
            complete = any(set(range(1, i.items + 1)) <= numbers for i in hinted(family.words, instruments))
            timed = _hold_totals(family, evidence) or (numbers in occasions and not (answers and complete))
            dates = all(evidence.is_date(name) for name in family.columns)
            timed = timed or dates
            family = family.with_kinds(TIME if timed else ITEM if answers else "")
        if "" in family.kinds or (family.itemed and not family.timed and len(family.members) < 3):
            found += _singly(family, evidence)
        else:
            found.append(_source(family, evidence, instruments))
    return tuple(found)


def _singly(family: Family, evidence: Evidence) -> list[Source]:
    found = []
    for name in family.columns:
        spoken = tuple(evidence.words[name])
        found.append(Source(family=Family(parts=(name,), members={(): name}, words=spoken)))
    return found


def _source(family: Family, evidence: Evidence, instruments: Sequence[Instrument]) -> Source:
    family = _with_label_words(family)
    numbers = [evidence.numbers[name] for name in family.columns if name in evidence.numbers]
    if not family.itemed or len(numbers) < len(family.columns):
        return Source(family=family)
    place = family.kinds.index(ITEM)
    by_name = {name: int(key[place]) for key, name in family.members.items()}
    items = [by_name[name] for name in family.columns]
    found = match(family, numbers, items, instruments, evidence.answers(family.columns))
    return Source(family=family, match=found)


def _with_label_words(family: Family) -> Family:
    """With the words of the labels where the names do not say what it is, or who rates."""
    spoken = words(re.sub(r"\d+", " ", family.label))
    known = {*PATIENT, *THERAPIST_SIDE}
    if not spoken or family.listed or {w for w in family.words if len(w) > 1} & known:
        return family
    said = [word for word in spoken if word not in family.words and (len(word) > 1 or word in known)]
    return replace(family, words=(*(w for w in family.words if w != "#"), *said, "#"))


def _hold_answers(family: Family, evidence: Evidence, instruments: Sequence[Instrument]) -> bool:
    """Whether columns look like items: several, numbered from 1 or 0, whole numbers of a small range."""
    if family.listed:
        return True
    numbers = sorted(int(key[0]) for key in family.members)
    there = [evidence.numbers.get(name) for name in family.columns]
    spread = evidence.spread(family.columns)
    if any(n is None or not n.whole for n in there) or spread is None or spread[1] - spread[0] > SPAN:
        return False
    if hinted(family.words, instruments) and any(i.items <= len(numbers) for i in hinted(family.words, instruments)):
        return True
    told = bool({*family.words} & ITEM_MARK) or is_alliance(None, family.words) or bool({*family.words} & {*OUTCOME})
    told = told or family.label != ""
    return told and len(numbers) >= 3 and numbers[0] <= 1 and numbers[-1] - numbers[0] == len(numbers) - 1


def _hold_totals(family: Family, evidence: Evidence) -> bool:
    """Whether values are too many, or too fine, to be answers to items."""
    there = [evidence.numbers.get(name) for name in family.columns]
    spread = evidence.spread(family.columns)
    if spread is None or any(n is None for n in there):
        return False
    return spread[1] - spread[0] > SPAN or not all(n.whole for n in there if n)


def _marked(family: Family, others: Sequence[Family], evidence: Evidence) -> Family:
    """With the kinds of its places where a word before them, in names or labels, says it."""
    if not family.kinds or family.listed:
        return family
    kinds = []
    for place, kind in enumerate(family.kinds):
        before = _before(family, place, others)
        said = before or _before_in_label(family, place, evidence)
        kinds.append(kind or said)
    if len(kinds) == 2 and sorted(map(bool, kinds)) == [False, True]:
        missing = ITEM if TIME in kinds else TIME
        kinds = [kind or missing for kind in kinds]
    if kinds in ([TIME, TIME], [ITEM, ITEM]):
        kinds = ["", ""]
    return family.with_kinds(*kinds)


def _before(family: Family, place: int, others: Sequence[Family]) -> str:
    spoken = words(family.parts[place])
    if not spoken:
        return ""
    if spoken[-1] in ITEM_MARK:
        return ITEM
    if time_unit(spoken[-1]) is None:
        return ""
    if spoken[-1] == "t" and "t" not in spoken[:-1]:
        # `wai_t_1` beside `wai_p_1` is the therapist's, not a time.
        far = re.sub(r"[tT](?=[^a-zA-Z]*$)", "", family.parts[place])
        for other in others:
            near = re.sub(r"[pPcCkK](?=[^a-zA-Z]*$)", "", other.parts[min(place, len(other.parts) - 1)])
            if other is not family and near == far and near != other.parts[min(place, len(other.parts) - 1)]:
                return ""
    return TIME


def _before_in_label(family: Family, place: int, evidence: Evidence) -> str:
    given = {key: evidence.labels.get(name, "") for key, name in family.members.items()}
    split = {key: re.findall(r"([^\W\d]*)[^\w]*?(\d+)", label) for key, label in given.items()}
    width = min((len(found) for found in split.values()), default=0)
    for at in range(width):
        if all(int(found[at][1]) == key[place] for key, found in split.items()):
            word = next(iter(split.values()))[at][0].casefold()
            return ITEM if word in ITEM_MARK else TIME if time_unit(word) else ""
    return ""


def _by_items(family: Family, instruments: Sequence[Instrument]) -> Family:
    """Kinds of two places that no word tells: the one that counts a known measure's items is the item."""
    counts = [{key[place] for key in family.members} for place in (0, 1)]
    sizes = {i.items for i in hinted(family.words, instruments)}
    fits = [any(numbers == set(range(1, size + 1)) for size in sizes) for numbers in counts]
    if fits == [True, False]:
        return family.with_kinds(ITEM, TIME)
    if fits == [False, True]:
        return family.with_kinds(TIME, ITEM)
    return family.with_kinds("", "")


def unit_of(sources: Sequence[Source]) -> str | None:
    """What the numbers of occasions count, by the words before them."""
    for source in sources:
        family = source.family
        if family.timed:
            spoken = words(family.parts[family.kinds.index(TIME)])
            if spoken and (unit := time_unit(spoken[-1])):
                return unit
    return None
