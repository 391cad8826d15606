"""Which column may play which role, guessed from names and from what the columns hold."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import polars as pl

from dyadline.data.number_text import MISSING
from dyadline.words import listed

DYAD = "dyad dyadid couple coupleid pair patient patientid pat client clientid case caseid subject subj participant "
DYAD += "person personid child childid student pid id"
THERAPIST = "therapist therapistid ther thera clinician counsellor counselor psychologist provider tid"
TIME = "occasion occas occ session sess wave week weeks time visit interview assessment measurement month day t"
OUTCOME = (
    "outcome symptom symptoms distress bdi gsi scl phq oq core hamd hrsd hdrs madrs bai gad bsi dass cesd ces qids "
)
OUTCOME += "iip sofa anxiety depression y"
ALLIANCE = "wai waisr alliance allianz haq calpas srs vtas wais"
PATIENT = "p pat patient patients c cl client clients"
THERAPIST_SIDE = "t th ther therapist therapists clinician counsellor counselor"
PARTNERS = (("parent", "child"), ("husband", "wife"), ("man", "woman"), ("m", "f"), ("male", "female"), ("a", "p"))
BASELINE = "pre baseline base bl intake pretest pretreatment initial screening t0"
SUBSCALE = "goal goals task tasks bond item"
_SCALE = "(wai|waisr|wais|alliance)"
NUMBERING = frozenset({"id", "no", "nr", "num", "number", "code", "index"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """The column that a role may have.

    Attributes
    ----------
    role
        A key of the plan's ``[columns]``.
    column
        Name in the file, or None where nothing fits.
    reason
        Why, in a few words.
    alternatives
        Further columns that would fit, best first.
    """

    role: str
    column: str | None
    reason: str
    alternatives: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognised:
    """A guess for each role; ``recognised["dyad"].column`` is a name in the file or None.

    Attributes
    ----------
    guesses
        For ``dyad, therapist, time, patient_rating, therapist_rating, outcome, baseline``, in this order.
    covariates
        Further columns of numbers with one value per dyad, in the order of the file.
    """

    guesses: tuple[Guess, ...]
    covariates: tuple[str, ...]

    def __getitem__(self, role: str) -> Guess:
        for guess in self.guesses:
            if guess.role == role:
                return guess
        raise KeyError(role)

    @property
    def columns(self) -> dict[str, str]:
        """Column by role, for the roles that were found."""
        return {guess.role: guess.column for guess in self.guesses if guess.column is not None}

    @property
    def missing(self) -> tuple[str, ...]:
        """Roles that an analysis needs and that were not found."""
        optional = ("therapist", "baseline")
        return tuple(g.role for g in self.guesses if g.column is None and g.role not in optional)


def recognise(frame: pl.DataFrame) -> Recognised:
    """Guess the role of each column.

    A name makes a column a candidate; its values can rule it out or move it up: a dyad's label repeats, time
    is a number that differs within dyads, a baseline does not.

    Parameters
    ----------
    frame
        As `read_frame` gives it.
    """
    columns = _Columns(frame)
    dyad = _dyad(columns)
    columns = columns.without(dyad.column)
    within = columns.constant_within(dyad.column)
    therapist = _therapist(columns, within)
    columns = columns.without(therapist.column)
    time = _time(columns, dyad.column, within)
    columns = columns.without(time.column)
    varying = columns.without(*within) if dyad.column else columns
    patient_rating, therapist_rating = _ratings(varying)
    varying = varying.without(patient_rating.column, therapist_rating.column)
    outcome = _outcome(varying)
    baseline = _baseline(columns, within, outcome.column)
    covariates = tuple(c for c in columns.numeric if c in within and c != baseline.column)
    return Recognised(
        guesses=(dyad, therapist, time, patient_rating, therapist_rating, outcome, baseline), covariates=covariates
    )


class _Columns:
    """Names, their words, and evidence in the values."""

    def __init__(self, frame: pl.DataFrame, names: Sequence[str] | None = None) -> None:
        self.frame = frame
        self.names = list(frame.columns if names is None else names)
        self.words = {name: _words(name) for name in self.names}

    def without(self, *names: str | None) -> _Columns:
        return _Columns(self.frame, [name for name in self.names if name not in names])

    @property
    def numeric(self) -> list[str]:
        return [name for name in self.names if self.is_numeric(name)]

    def is_numeric(self, name: str) -> bool:
        """Numbers, also where some type or a leading zero made them text; at least one value."""
        column = self.frame[name]
        if column.dtype.is_numeric() or column.dtype == pl.Boolean:
            return column.count() > 0
        if column.dtype != pl.String:
            return False
        text = column.str.strip_chars()
        there = text.filter(text.is_not_null() & ~text.is_in(MISSING))
        return len(there) > 0 and not there.cast(pl.Float64, strict=False).null_count()

    def named(self, known: str, *, extra: Iterable[str] = ()) -> list[str]:
        """Columns whose name is made of known words, those named first in `known` first."""
        order = known.split()
        rank: dict[str, int] = {}
        for name, words in self.words.items():
            matching = [order.index(word) for word in words if word in order]
            if matching and all(word in order or word in NUMBERING or word in extra for word in words):
                rank[name] = min(matching)
        return sorted(rank, key=lambda name: rank[name])

    def constant_within(self, dyad: str | None) -> tuple[str, ...]:
        """Columns with one value in all rows of each dyad; none where no dyad has two rows."""
        if dyad is None or self.frame[dyad].drop_nulls().is_unique().all():
            return ()
        simple = [name for name in self.names if not self.frame[name].dtype.is_nested()]
        groups = self.frame.filter(pl.col(dyad).is_not_null()).group_by(pl.col(dyad))
        most = groups.agg(pl.col(simple).drop_nulls().n_unique()).select(pl.col(simple).max())
        return tuple(name for name in simple if most[name].item() == 1)


def _words(name: str) -> list[str]:
    """The words of a name: ``waiPatient_1`` has wai, patient, 1; ``WAIP`` and ``waip`` have wai, p."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).casefold()
    words = re.findall(r"[^\W\d_]+\d?$|[^\W\d_]+|\d+", spaced)
    split: list[str] = []
    for word in words:
        joined = re.fullmatch(rf"{_SCALE}(p|c|t)|(p|c|t){_SCALE}|([^\W\d]{{2,}})(\d)", word)
        split.extend([part for part in joined.groups() if part] if joined else [word])
    return split


def _first(role: str, candidates: Sequence[str], reason: str, otherwise: str) -> Guess:
    if not candidates:
        return Guess(role=role, column=None, reason=otherwise)
    return Guess(role=role, column=candidates[0], reason=reason, alternatives=tuple(candidates[1:]))


def _dyad(columns: _Columns) -> Guess:
    def repeats(name: str) -> bool:
        values = columns.frame[name].drop_nulls()
        if values.dtype.is_nested() or (values.dtype.is_float() and not (values == values.round()).all()):
            return False
        return 1 < values.n_unique() < len(values)

    candidates = [name for name in columns.named(DYAD) if repeats(name)]
    # More than one may be named so, as in a file with dyads and persons: the order of names decides.
    return _first("dyad", candidates, "named so, and its values repeat", "no column with repeated values is named so")


def _therapist(columns: _Columns, within: Sequence[str]) -> Guess:
    candidates = [name for name in columns.named(THERAPIST) if name in within]
    return _first("therapist", candidates, "named so, and the same in all rows of a dyad", "no such column")


def _time(columns: _Columns, dyad: str | None, within: Sequence[str]) -> Guess:
    candidates = [name for name in columns.named(TIME) if columns.is_numeric(name) and name not in within]
    frame = columns.frame

    def doubtful(name: str) -> tuple[bool, bool, int]:
        complete = not frame[name].null_count()
        once = dyad is None or not frame.select(dyad, name).is_duplicated().any()
        # Of two that would do, fixed occasions have fewer different values than sessions or days.
        return not complete, not once, frame[name].n_unique()

    candidates.sort(key=doubtful)
    reason = "named so, a number, and different within dyads"
    return _first("time", candidates, reason, "no column of numbers is named so")


def _ratings(columns: _Columns) -> tuple[Guess, Guess]:
    """Two columns whose names differ only in who rates."""
    sides = [(frozenset(PATIENT.split()), frozenset(THERAPIST_SIDE.split()))]
    sides += [(frozenset({one}), frozenset({other})) for one, other in PARTNERS]
    # Two values are a group or an indicator, not a rating.
    numeric = [name for name in columns.numeric if columns.frame[name].n_unique() > 2]
    pairs: list[tuple[tuple[bool, int, int], str, str]] = []
    for number, (one_side, other_side) in enumerate(sides):
        for one in numeric:
            for other in numeric:
                if one != other and _counterparts(columns.words[one], columns.words[other], one_side, other_side):
                    words = columns.words[one]
                    alliance = any(word in ALLIANCE.split() for word in words)
                    part = sum(word in SUBSCALE.split() or word.isdigit() for word in words)
                    pairs.append(((not alliance, number, part), one, other))
    pairs.sort(key=lambda pair: pair[0])
    if not pairs:
        return _alone(columns, "patient_rating", PATIENT), _alone(columns, "therapist_rating", THERAPIST_SIDE)
    patients = list(dict.fromkeys(one for _, one, _ in pairs))
    therapists = list(dict.fromkeys(other for _, _, other in pairs))
    return (
        _first("patient_rating", patients, f"{therapists[0]!r} is its counterpart", ""),
        _first("therapist_rating", therapists, f"{patients[0]!r} is its counterpart", ""),
    )


def _counterparts(one: Sequence[str], other: Sequence[str], side: frozenset[str], far: frozenset[str]) -> bool:
    if len(one) != len(other):
        return False
    differing = [(a, b) for a, b in zip(one, other, strict=True) if a != b]
    # A lone letter is no name for a rating: `p` and `t` may be anything.
    told = len(one) > 1 or len(one[0]) > 2
    return told and len(differing) == 1 and differing[0][0] in side and differing[0][1] in far


def _alone(columns: _Columns, role: str, side: str) -> Guess:
    named = [name for name in columns.numeric if set(columns.words[name]) & set(ALLIANCE.split())]
    candidates = [name for name in named if set(columns.words[name]) & set(side.split())]
    reason = "named so; no counterpart of the other rater"
    return _first(role, candidates, reason, "no two columns are named alike but for the rater")


def _outcome(columns: _Columns) -> Guess:
    before = BASELINE.split()
    order = OUTCOME.split()
    rank = {
        name: (len(columns.words[name]), min(order.index(w) for w in columns.words[name] if w in order))
        for name in columns.numeric
        if set(columns.words[name]) & set(order) and not set(columns.words[name]) & set(before)
    }
    # The plainest name is the total score; more words are subscales or derived columns.
    candidates = sorted(rank, key=lambda name: rank[name])
    return _first("outcome", candidates, "named like a symptom measure", "no column is named like a symptom measure")


def _baseline(columns: _Columns, within: Sequence[str], outcome: str | None) -> Guess:
    before = BASELINE.split()
    stem = [word for word in _words(outcome) if word not in before] if outcome else []
    candidates = [name for name in columns.numeric if name in within and set(columns.words[name]) & set(before)]
    candidates.sort(key=lambda name: [word for word in columns.words[name] if word not in before] != stem)
    if not candidates:
        return Guess(role="baseline", column=None, reason="no column with one value per dyad is named so")
    like = f", and named like {outcome!r}" if outcome and set(stem) & set(columns.words[candidates[0]]) else ""
    reason = f"one value per dyad{like}"
    return Guess(role="baseline", column=candidates[0], reason=reason, alternatives=tuple(candidates[1:]))


def ambiguities(recognised: Recognised) -> tuple[str, ...]:
    """A sentence for each role that more than one column would fit."""
    return tuple(
        f"{guess.role}: {guess.column!r} is taken; {listed([repr(name) for name in guess.alternatives])} would fit too."
        for guess in recognised.guesses
        if guess.alternatives
    )
