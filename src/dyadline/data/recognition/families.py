"""Columns that belong together: their names or labels differ in numbers or occasions only."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from dyadline.data.recognition.naming import BASELINE, FOLLOW_UP, LATE, MIDDLE, NUMBERED, words
from dyadline.plan.columns import ITEM, TIME

_WORDS = "|".join(
    sorted({*BASELINE, *LATE, *MIDDLE, *FOLLOW_UP} - {"start", "last", "end", "t0"}, key=len, reverse=True)
)
_SCALE = r"(?:wai|bdi|phq9?|gad7?|scl|gsi|oq45|oq|core)"
_OCCASION = (
    re.compile(rf"(?i)(?<![^\W_])((?:{_WORDS})\d*|t\d+)(?![^\W_])"),
    re.compile(r"(?<=[a-zäöüæøå0-9])((?:Pre|Mid|Post|Baseline|Intake|Followup)\d*|F[Uu]\d*|T\d+)(?![a-zäöüæøå])"),
    re.compile(rf"(?i)^{_SCALE}[pctk]?((?:pre|mid|post|fu)\d*|t\d+)$"),
    re.compile(rf"(?i)^((?:pre|mid|post|fu)\d*){_SCALE}[pctk]?$"),
)
_BEHIND_A_LETTER = re.compile(r"(?i)t\d+")
_BEFORE = re.compile(rf"(?i)(?:{'|'.join(BASELINE)})\d*")

Key = tuple[int | str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One column, or several that hold the same at other occasions or other items of a measure.

    Attributes
    ----------
    parts
        The text around the places, one more than there are places.
    members
        Column by what stands in its places; ``()`` for a single column.
    kinds
        What each place is: ``"{time}"``, ``"{item}"``, or ``""`` where that is not known.
    words
        Words of the name, ``#`` for each place; of the labels, where only they say something.
    label
        The label of the first member, where all labels are alike but for numbers.
    listed
        Whether only the labels tell the columns apart, so that no pattern fits them.
    """

    parts: tuple[str, ...]
    members: Mapping[Key, str]
    kinds: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    label: str = ""
    listed: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the members, in the order of their places."""
        return tuple(self.members[key] for key in sorted(self.members, key=lambda key: tuple(map(_order, key))))

    @property
    def timed(self) -> bool:
        return TIME in self.kinds

    @property
    def itemed(self) -> bool:
        return ITEM in self.kinds

    def at(self, kind: str) -> list[int | str]:
        """The different numbers or occasions at the place of a kind."""
        place = self.kinds.index(kind)
        return sorted({key[place] for key in self.members}, key=_order)

    @property
    def pattern(self) -> str:
        """Name of the column, or the pattern that fits all members."""
        if self.listed:
            return f"{self.columns[0]} … {self.columns[-1]}"
        filled = [kind or "…" for kind in self.kinds]
        return "".join(text + place for text, place in zip(self.parts, [*filled, ""], strict=True))

    def items(self, number: int) -> str | tuple[str, ...]:
        """What a plan writes for the items 1 to `number`: the pattern, or names where there are further columns."""
        if self.listed:
            return self.columns[:number]
        place = self.kinds.index(ITEM)
        if all(int(key[place]) <= number for key in self.members):
            return self.pattern
        written = {int(key[place]): self._between(name)[place] for key, name in self.members.items()}
        return tuple(self.pattern.replace(ITEM, written[n]) for n in range(1, number + 1))

    def with_kinds(self, *kinds: str) -> Family:
        return replace(self, kinds=kinds)

    def _between(self, name: str) -> list[str]:
        """What stands in the places of a name, with its leading zeros."""
        match = re.fullmatch("(.+?)".join(map(re.escape, self.parts)), name)
        return list(match.groups()) if match else []


def families(names: Sequence[str], labels: Mapping[str, str], *, by_word: bool) -> tuple[Family, ...]:
    """All columns, each in one family, in the order of the file.

    Parameters
    ----------
    names
        Columns of the file.
    labels
        What columns are about, where the file says so.
    by_word
        Whether words such as pre and post may tell occasions apart, as in a file with one row per dyad.
    """
    found = list(_by_label(names, labels))
    taken = {column for family in found for column in family.columns}
    found += _by_name([name for name in names if name not in taken], labels, by_word=by_word)
    order = {name: place for place, name in enumerate(names)}
    return tuple(sorted(found, key=lambda family: min(order[column] for column in family.columns)))


def _order(value: int | str) -> tuple[bool, int | str]:
    return isinstance(value, str), value


def _split(name: str, word: tuple[int, int] | None = None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Texts of a name, and what stands between them: numbers, and the word for an occasion.

    The number of a measure's name, as in PHQ9, is text.
    """
    fixed = [match.span() for match in NUMBERED.finditer(name)] + ([word] if word else [])
    spans = [m.span() for m in re.finditer(r"[0-9]{1,5}(?![0-9])", name)]
    spans = [(a, b) for a, b in spans if not any(start <= a < end for start, end in fixed)]
    spans = sorted([*spans, word] if word else spans)
    edges = [0, *(edge for span in spans for edge in span), len(name)]
    return (
        tuple(name[a:b] for a, b in zip(edges[::2], edges[1::2], strict=True)),
        tuple(name[a:b] for a, b in spans),
    )


def _occasion(name: str) -> tuple[int, int] | None:
    """Where the word for an occasion stands in a name that has others, too."""
    for expression in _OCCASION:
        match = expression.search(name)
        if match and match[1] != name:
            return match.span(1)
    return None


def _by_name(names: Iterable[str], labels: Mapping[str, str], *, by_word: bool) -> list[Family]:
    alike: dict[tuple[str, ...], dict[str, tuple[str, ...]]] = defaultdict(dict)
    for name in names:
        texts, values = _split(name, _occasion(name) if by_word else None)
        alike[texts][name] = values
    again: list[str] = []
    found: list[Family] = []
    for texts, members in alike.items():
        worded = {name: word for name, values in members.items() if (word := _word(values))}
        numbered = len(worded) < len(members)
        # T0, T1, T2 alone are numbers behind a letter; a "pre" beside numbers is a column of its own.
        alone = worded and not numbered and all(_BEHIND_A_LETTER.fullmatch(word) for word in worded.values())
        single = len(set(worded.values())) == 1 and not numbered
        aside = [n for n, w in worded.items() if alone or single or (numbered and _BEFORE.fullmatch(w))]
        again += aside
        kept = {name: values for name, values in members.items() if name not in aside}
        if kept:
            found += _family(texts, kept, labels)
    return found + (_by_name(again, labels, by_word=False) if again else [])


def _word(values: Sequence[str]) -> str | None:
    return next((value for value in values if not value.isdecimal()), None)


def _family(texts: tuple[str, ...], members: Mapping[str, tuple[str, ...]], labels: Mapping[str, str]) -> list[Family]:
    """The family, or each column by itself where more than two numbers differ or two names say the same."""
    first = next(iter(members.values()))
    varying = [n for n in range(len(texts) - 1) if len({values[n] for values in members.values()}) > 1]
    keys = [tuple(_number(values[n]) for n in varying) for values in members.values()]
    if not 1 <= len(varying) <= 2 or len(set(keys)) < len(keys):
        return [
            Family(parts=(name,), members={(): name}, words=tuple(words(name)), label=labels.get(name, ""))
            for name in members
        ]
    parts = [texts[0]]
    for n, text in enumerate(texts[1:]):
        if n in varying:
            parts.append(text)
        else:
            parts[-1] += first[n] + text
    occasions = [any(isinstance(key[place], str) for key in keys) for place in range(len(varying))]
    given = [labels.get(name, "") for name in members]
    alike = all(given) and len({re.sub(r"\d+", "", label) for label in given}) == 1
    spoken = [word for part in parts for word in (*words(part), "#")][:-1]
    return [
        Family(
            parts=tuple(parts),
            members=dict(zip(keys, members, strict=True)),
            kinds=tuple(TIME if worded else "" for worded in occasions),
            words=tuple(spoken),
            label=given[0] if alike else "",
        )
    ]


def _number(value: str) -> int | str:
    return int(value) if value.isdecimal() else value


def _by_label(names: Sequence[str], labels: Mapping[str, str]) -> Iterable[Family]:
    """Items whose names say nothing, such as V17: their labels are alike but for the number of the item."""
    alike: dict[tuple[str, ...], dict[str, tuple[str, ...]]] = defaultdict(dict)
    for name in names:
        if label := labels.get(name, "").strip():
            texts, values = _split(label)
            alike[tuple(text.casefold() for text in texts)][name] = values
    by_name = {frozenset(family.columns) for family in _by_name(names, {}, by_word=False)}
    for members in alike.values():
        places = range(len(next(iter(members.values()))))
        varying = [n for n in places if len({values[n] for values in members.values()}) > 1]
        keys = [(int(values[varying[0]]),) for values in members.values()] if len(varying) == 1 else []
        # Where the names, too, are alike but for one number, they make a pattern, which says more.
        if len(members) < 3 or len(set(keys)) < len(members) or frozenset(members) in by_name:
            continue
        label = labels[next(iter(members))]
        yield Family(
            parts=("", ""),
            members=dict(zip(keys, members, strict=True)),
            kinds=(ITEM,),
            words=(*words(re.sub(r"\d+", " ", label)), "#"),
            label=label,
            listed=True,
        )
