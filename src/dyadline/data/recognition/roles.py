"""Which column may play which role, by names and by what the columns hold."""

from __future__ import annotations

from collections.abc import Sequence

from dyadline.data.recognition.evidence import Evidence, Guess, first
from dyadline.data.recognition.naming import (
    ALLIANCE,
    BASELINE,
    DYAD,
    OUTCOME,
    PARTNERS,
    PATIENT,
    SUBSCALE,
    THERAPIST,
    THERAPIST_SIDE,
    TIME,
    TOTAL,
    words,
)
from dyadline.data.recognition.sources import Source
from dyadline.words import listed

Picked = tuple[Guess, Source | None]


def repeated_dyad(evidence: Evidence) -> Guess:
    """The dyad's column where dyads have several rows."""
    candidates = [name for name in evidence.named(DYAD) if 1 < _kinds(evidence, name) < _count(evidence, name)]
    # More than one may be named so, as in a file with dyads and persons: the order of names decides.
    return first("dyad", candidates, "named so, and its values repeat", "no column with repeated values is named so")


def single_dyad(evidence: Evidence) -> Guess:
    """The dyad's column where each dyad has one row."""
    candidates = [name for name in evidence.named(DYAD) if 1 < _kinds(evidence, name) == _count(evidence, name)]
    return first("dyad", candidates, "named so, and each value stands in one row", "no column is named so")


def first_label(evidence: Evidence) -> Guess:
    """The first column, where each value of it is a label of one row."""
    names = [name for name in evidence.names[:1] if _kinds(evidence, name) == evidence.frame.height > 1]
    return first("dyad", names, "the first column, and each value stands in one row", "no column is named so")


def _kinds(evidence: Evidence, name: str) -> int:
    values = evidence.frame[name].drop_nulls()
    fractions = values.dtype.is_float() and not (values == values.round()).all()
    return 0 if fractions else values.n_unique()


def _count(evidence: Evidence, name: str) -> int:
    return evidence.frame[name].count()


def therapist(evidence: Evidence, within: Sequence[str], *, repeated: bool = False) -> Guess:
    """The therapist's column: a label that is the same in all rows of a dyad."""
    there = evidence.named(THERAPIST)
    candidates = [name for name in there if name in within]
    otherwise = f"{there[0]!r} is named so, but differs within dyads" if there and repeated else "no such column"
    return first("therapist", candidates, "named so, and the same in all rows of a dyad", otherwise)


def time(evidence: Evidence, dyad: str | None, within: Sequence[str], rater: str | None = None) -> Guess:
    """A number that is named like a time and differs within dyads."""
    named = [name for name in evidence.named(TIME) if name in evidence.numbers and name not in within]
    frame = evidence.frame

    def doubtful(name: str) -> tuple[bool, bool, int]:
        complete = not frame[name].null_count()
        place = [column for column in (dyad, rater, name) if column is not None]
        once = dyad is None or not frame.select(place).is_duplicated().any()
        # Of two that would do, fixed occasions have fewer different values than sessions or days.
        return not complete, not once, frame[name].n_unique()

    candidates = sorted(named, key=doubtful)
    reason = "named so, a number, and different within dyads"
    return first("time", candidates, reason, "no column of numbers is named so")


def ratings(sources: Sequence[Source], evidence: Evidence) -> tuple[Picked, Picked]:
    """Two sources whose names, or else labels, differ only in who rates."""
    for spoken in (lambda s: s.words, lambda s: _label_words(s, evidence)):
        pairs = _pairs([(source, tuple(spoken(source))) for source in sources if _varies(source, evidence)])
        if pairs:
            break
    else:
        return _alone(sources, evidence, "patient_rating"), _alone(sources, evidence, "therapist_rating")
    patients = list(dict.fromkeys(one.name for one, _ in pairs))
    therapists = list(dict.fromkeys(other.name for _, other in pairs))
    one, other = pairs[0]
    return (
        (first("patient_rating", patients, f"{other.name!r} is its counterpart", ""), one),
        (first("therapist_rating", therapists, f"{one.name!r} is its counterpart", ""), other),
    )


def _varies(source: Source, evidence: Evidence) -> bool:
    """Whether all columns are numbers; two values are a group or an indicator, not a rating."""
    if not all(name in evidence.numbers for name in source.columns):
        return False
    return len(source.columns) > 1 or evidence.numbers[source.columns[0]].values.n_unique() > 2


def _pairs(named: Sequence[tuple[Source, tuple[str, ...]]]) -> list[tuple[Source, Source]]:
    """Sources whose words differ in one place, where one side stands in the one and the other side in the other."""
    sides = [(frozenset(PATIENT), frozenset(THERAPIST_SIDE))]
    sides += [(frozenset({one}), frozenset({other})) for one, other in PARTNERS]
    pairs: list[tuple[tuple[bool, bool, int, bool, int], Source, Source]] = []
    for number, (side, far) in enumerate(sides):
        partners: dict[tuple[tuple[str, ...], tuple[str, ...]], list[Source]] = {}
        for other, spoken in named:
            for at in range(len(spoken)):
                if spoken[at] in far:
                    partners.setdefault((spoken[:at], spoken[at + 1 :]), []).append(other)
        for one, spoken in named:
            # A lone letter is no name for a rating: `p` and `t` may be anything.
            if not spoken or (len(spoken) == 1 and len(spoken[0]) <= 2):
                continue
            found = [
                other
                for at in range(len(spoken))
                if spoken[at] in side
                for other in partners.get((spoken[:at], spoken[at + 1 :]), [])
                if other is not one and _alike(one, other)
            ]
            part = sum(word in SUBSCALE or word.isdigit() for word in spoken)
            alliance = one.alliance or bool(set(spoken) & set(ALLIANCE))
            rank = not alliance, one.unknown, number, one.match is None, part
            pairs += [(rank, one, other) for other in found]
    pairs.sort(key=lambda pair: pair[0])
    return [(one, other) for _, one, other in pairs]


def _alike(one: Source, other: Source) -> bool:
    return one.family.kinds == other.family.kinds and one.unknown == other.unknown


def _label_words(source: Source, evidence: Evidence) -> list[str]:
    if len(source.columns) > 1:
        return [*words(source.family.label), "#"] if source.family.label else []
    return words(evidence.labels.get(source.name, ""))


def _spoken(source: Source, evidence: Evidence) -> set[str]:
    return {*source.words, *_label_words(source, evidence)}


def _side(source: Source, evidence: Evidence) -> str | None:
    """Whose rating it is, by its name, or else by its label; None where neither or both are named."""
    for spoken in ({*source.words}, {*_label_words(source, evidence)}):
        patient, therapist = spoken & {*PATIENT}, spoken & {*THERAPIST_SIDE}
        if patient or therapist:
            return None if patient and therapist else "patient_rating" if patient else "therapist_rating"
    return None


def _alone(sources: Sequence[Source], evidence: Evidence, role: str) -> Picked:
    named = [s for s in sources if _varies(s, evidence) and (s.alliance or _spoken(s, evidence) & {*ALLIANCE})]
    fitting = [source for source in named if _side(source, evidence) == role]
    if fitting:
        names = [source.name for source in fitting]
        return first(role, names, "named so; no counterpart of the other rater", ""), fitting[0]
    open_names = [source.name for source in named if _side(source, evidence) is None]
    if not open_names:
        return Guess(role=role, column=None, reason="no two columns are named alike but for the rater"), None
    shown = listed([repr(name) for name in open_names[:3]], total=len(open_names))
    return Guess(role=role, column=None, reason=f"named like the alliance, but not by whom: {shown}"), None


def shared_rating(sources: Sequence[Source], evidence: Evidence) -> Picked:
    """The rating of both, where each rater has rows of their own."""
    fitting = [s for s in sources if _varies(s, evidence) and (s.alliance or _spoken(s, evidence) & {*ALLIANCE})]
    fitting.sort(key=lambda s: (s.unknown, s.match is None, len(s.words)))
    names = [source.name for source in fitting]
    return (
        first("patient_rating", names, "named like the alliance; each rater has rows", "no column is named so"),
        fitting[0] if fitting else None,
    )


def _numbers(source: Source, evidence: Evidence) -> bool:
    return all(name in evidence.numbers for name in source.columns)


def outcome(sources: Sequence[Source], evidence: Evidence) -> Picked:
    """A source that is named, or else labelled, like a symptom measure."""
    rank: dict[str, tuple[bool, bool, int, bool, int]] = {}
    by_name = {source.name: source for source in sources}
    for source in sources:
        if not _numbers(source, evidence):
            continue
        for labelled, spoken in enumerate((list(source.words), _label_words(source, evidence))):
            said = [OUTCOME.index(word) for word in spoken if word in OUTCOME]
            if source.match is not None and not source.alliance:
                said.append(0)
            if said and not set(spoken) & set(BASELINE):
                plain = [word for word in spoken if word != "#" and word not in TOTAL]
                place = (source.unknown, bool(labelled), len(plain), source.match is None, min(said))
                rank.setdefault(source.name, place)
                break
    # The plainest name is the total score; more words are subscales or derived columns.
    candidates = sorted(rank, key=lambda name: rank[name])
    otherwise = "no column is named like a symptom measure"
    for source in sources:
        if not _numbers(source, evidence) and {*source.words} & {*OUTCOME}:
            otherwise = f"{source.name!r} is named like a symptom measure, but is not of numbers"
            break
    guess = first("outcome", candidates, "named like a symptom measure", otherwise)
    return guess, by_name.get(guess.column or "")


def baseline(sources: Sequence[Source], evidence: Evidence, outcome: str | None) -> Picked:
    """A source with one value per dyad that is named like a first measurement."""
    stem = [word for word in words(outcome or "") if word not in (*BASELINE, "time", "item", "t", "s")]
    fitting = [s for s in sources if _numbers(s, evidence) and _spoken(s, evidence) & {*BASELINE} and not s.unknown]
    fitting.sort(key=lambda s: [word for word in s.words if word not in BASELINE and word != "#"] != stem)
    if not fitting:
        return Guess(role="baseline", column=None, reason="no column with one value per dyad is named so"), None
    chosen = fitting[0]
    like = f", and named like {outcome!r}" if outcome and set(stem) & set(chosen.words) else ""
    names = [source.name for source in fitting]
    return first("baseline", names, f"one value per dyad{like}", ""), chosen
