"""A file is looked at: which column plays which role, and what its plan says beside."""

from __future__ import annotations

from collections.abc import Sequence

from dyadline.data.recognition import roles
from dyadline.data.recognition.dyad_level import course, matching_column
from dyadline.data.recognition.evidence import Evidence, Guess
from dyadline.data.recognition.instrument import Instrument
from dyadline.data.recognition.naming import DATE, DYAD
from dyadline.data.recognition.occasions import RaterColumn, in_order, rater_column, text_occasions
from dyadline.data.recognition.recognised import MANY, Layout, Notes, Recognised
from dyadline.data.recognition.sources import Source, long_sources, unit_of, wide_sources
from dyadline.data.recognition.value_notes import note_measures, note_missing, note_ranges
from dyadline.data.table import Table
from dyadline.errors import sentence
from dyadline.plan.columns import TIME, ItemsSection, Label
from dyadline.words import listed


def recognise(table: Table, *, instruments: Sequence[Instrument] = (), dyads: Table | None = None) -> Recognised:
    """Guess the role of each column.

    A name, or else a label, makes a column a candidate; its values can rule it out or move it up: a dyad's label
    repeats, or each row is a dyad and columns repeat over occasions; time differs within dyads, a baseline does not.

    Parameters
    ----------
    table
        As it was read.
    instruments
        Measures whose items may be among the columns.
    dyads
        A second file with one row per dyad.
    """
    return _Look(table, instruments, dyads).recognised()


class _Look:
    """One look at a file; what is found is gathered on the way."""

    def __init__(self, table: Table, instruments: Sequence[Instrument], dyads: Table | None) -> None:
        self.table = table
        self.evidence = Evidence(table)
        self.instruments = instruments
        self.dyads = None if dyads is None else Evidence(dyads)
        self.notes = Notes()
        self.taken: dict[str, Source] = {}

    def recognised(self) -> Recognised:
        dyad = roles.repeated_dyad(self.evidence)
        if dyad.column is None:
            single = roles.single_dyad(self.evidence)
            single = single if single.column else roles.first_label(self.evidence)
            wide = wide_sources(self.evidence.without(single.column), self.instruments) if single.column else ()
            if any(source.family.timed for source in wide):
                return self._wide(single, wide)
            if single.column and single.column in self.evidence.named(DYAD):
                reason = f"{single.column!r} is named so, but no value repeats, nor do columns over occasions"
                dyad = Guess(role="dyad", column=None, reason=reason)
        return self._long(dyad)

    def _long(self, dyad: Guess) -> Recognised:
        left = self.evidence.without(dyad.column)
        within = left.constant_within(dyad.column)
        therapist = roles.therapist(left, within, repeated=dyad.column is not None)
        left = left.without(therapist.column)
        sources = long_sources(left, self.instruments)
        rater = self._rater(left, sources, within) if dyad.column else None
        column = rater.column if rater else None
        left = left.without(column)
        time = self._time(left, dyad.column, within, column)
        left = left.without(time.column)
        varying = _varying(sources, within, time.column, column)
        if rater is None:
            patient, other = roles.ratings(varying, left)
        else:
            patient = roles.shared_rating(varying, left)
            other = (
                Guess(role="therapist_rating", column=patient[0].column, reason="the same, in other rows"),
                patient[1],
            )
        self._take(patient)
        self._take(other)
        outcome = self._take(roles.outcome(self._free(varying), left))
        own = [source for source in sources if {*source.columns} <= {*within} - {therapist.column}]
        baseline = self._take(roles.baseline(own, left, outcome.column))
        level = [name for name in left.names if name in within]
        guesses = (dyad, therapist, time, patient[0], other[0], outcome, baseline)
        return self._finish(guesses, left, level, "raters" if rater else "long", _items(sources))

    def _wide(self, dyad: Guess, sources: Sequence[Source]) -> Recognised:
        left = self.evidence.without(dyad.column)
        timed = [source for source in sources if source.family.timed]
        level = [name for source in sources if not source.family.timed for name in source.columns]
        therapist = roles.therapist(left, level)
        left = left.without(therapist.column)
        level = [name for name in left.names if name in level]
        patient, other = roles.ratings(timed, left)
        self._take(patient)
        self._take(other)
        outcome = self._take(roles.outcome(self._free(timed), left))
        time = self._wide_time([source for source in timed if source in self.taken.values()] or timed)
        own = [source for source in sources if {*source.columns} <= {*level}]
        baseline = self._take(roles.baseline(own, left, outcome.column))
        dates = [source.name for source in timed if all(left.is_date(name) for name in source.columns)]
        if dates:
            self.notes.write("checks", "date", dates[0], "dates, over the occasions", dates[1:])
        guesses = (dyad, therapist, time, patient[0], other[0], outcome, baseline)
        return self._finish(guesses, left, level, "wide", _items(sources))

    def _take(self, picked: roles.Picked) -> Guess:
        guess, source = picked
        if source is not None:
            self.taken[guess.role] = source
        return guess

    def _free(self, sources: Sequence[Source]) -> list[Source]:
        used = {column for source in self.taken.values() for column in source.columns}
        return [source for source in sources if not used & {*source.columns}]

    def _rater(self, left: Evidence, sources: Sequence[Source], within: Sequence[str]) -> RaterColumn | None:
        """Who rated, where one column is rated by both; a column each needs no rater."""
        found = rater_column(left, within)
        if found is None:
            return None
        varying = _varying(sources, within, found.column)
        if all(source is not None for _, source in roles.ratings(varying, left)):
            return None
        if roles.shared_rating(varying, left)[1] is None and found.patient is None:
            return None
        self.notes.write("raters", "column", found.column, "its two values say who rated")
        if found.patient is None or found.therapist is None:
            line = f"The file does not say which value of {found.column!r} stands in whose rows: write them."
            self.notes.say("raters", "patient", line, doubt=True)
        for side, value in (("patient", found.patient), ("therapist", found.therapist)):
            self.notes.write(
                "raters",
                side,
                f"<value in the {side}'s rows>" if value is None else value,
                "not said by the file" if value is None else f"in the {side}'s rows",
            )
        return found

    def _time(self, left: Evidence, dyad: str | None, within: Sequence[str], rater: str | None) -> Guess:
        number = roles.time(left, dyad, within, rater)
        dates = [name for name in left.names if name not in within and left.is_date(name)]
        dates.sort(key=lambda name: not set(left.about(name)) & DATE)
        if number.column is None and dyad and dates:
            why = "dates, and no number of the session"
            self.notes.write("time", "dates", "sessions", why, ("days", "weeks", "months"))
            line = 'Each dyad\'s dates are numbered as its sessions; "weeks" counts the weeks from its first date.'
            self.notes.say("time", "dates", line)
            self._date_format(left, dates[0])
            reason = "dates that differ within dyads; no column of numbers is named so"
            return Guess(role="time", column=dates[0], reason=reason, alternatives=tuple(dates[1:]))
        if number.column is not None and dates:
            self.notes.write("checks", "date", dates[0], "dates that differ within dyads", dates[1:])
            self._date_format(left, dates[0])
        if number.column is None and dyad and (text := text_occasions(left, dyad, within)):
            self._occasions(list(text.labels), text.doubt)
            return Guess(role="time", column=text.column, reason="a text that names fixed occasions")
        return number

    def _wide_time(self, timed: Sequence[Source]) -> Guess:
        labels: list[Label] = sorted(
            {label for source in timed for label in source.family.at(TIME)},
            key=lambda label: (isinstance(label, str), label),
        )
        seen = listed([str(label) for label in labels[:MANY]], total=len(labels))
        if any(isinstance(label, str) for label in labels):
            self._occasions(*(in_order(labels) or (labels, "The names do not say their order: check it.")))
        self.notes.say("columns", "time", "One row per dyad: {time} stands where the names have the occasion.")
        free = (unit_of(timed) or "occasion", "occasion", "time", "number of the occasion")
        name = next(name for name in free if name not in self.table.frame.columns)
        return Guess(role="time", column=name, reason=f"columns repeat over {seen}; what to call it is free")

    def _occasions(self, ordered: Sequence[Label], doubt: str) -> None:
        self.notes.write("time", "occasions", list(ordered), "fixed occasions, in this order")
        if doubt:
            self.notes.say("time", "occasions", doubt, doubt=True)

    def _date_format(self, left: Evidence, column: str) -> None:
        written = left.date_format(column)
        if written and written.endswith("%y"):
            self.notes.write("time", "date_format", written, "years of two digits, and days above 12")
        if written == "":
            line = f"In {column!r} no date tells day from month: write "
            line += '"%d/%m/%Y" here for the day first, "%m/%d/%Y" for the month first.'
            self.notes.say("time", "date_format", line, doubt=True)

    def _second_file(self, guesses: tuple[Guess, ...]) -> tuple[tuple[Guess, ...], list[str]]:
        """What the dyads' own file adds: roles that the data file does not have, and covariates."""
        dyads, dyad = self.dyads, guesses[0].column
        if dyads is None or dyad is None:
            return guesses, []
        key = matching_column(dyads, self.table.frame[dyad])
        if key.column != dyad:
            self.notes.write("dyads", "dyad", key.column or "<dyad column>", key.reason, key.alternatives)
        if key.column is None:
            return guesses, []
        clashing = [name for name in dyads.names if name in self.table.frame.columns and name != key.column]
        if clashing:
            self.notes.say("dyads", "file", f"In both files, and taken from the data file: {listed(clashing)}.")
        left = dyads.without(key.column, *clashing)
        by_role = {guess.role: guess for guess in guesses}
        if by_role["therapist"].column is None:
            by_role["therapist"] = roles.therapist(left, left.names)
        left = left.without(by_role["therapist"].column)
        sources = long_sources(left, self.instruments)
        if by_role["baseline"].column is None:
            by_role["baseline"] = self._take(roles.baseline(sources, left, by_role["outcome"].column))
        self._course(left, left.names)
        return tuple(by_role.values()), [name for name in left.numeric if name not in _items(sources)]

    def _course(self, left: Evidence, level: Sequence[str]) -> None:
        for guess in course(left, level):
            key = guess.role.removeprefix("checks.")
            if key not in self.notes.sections.get("checks", {}):
                self.notes.write("checks", key, guess.column, guess.reason, guess.alternatives)

    def _finish(
        self, guesses: tuple[Guess, ...], left: Evidence, level: Sequence[str], layout: Layout, items: set[str]
    ) -> Recognised:
        notes = self.notes
        for finding in self.table.findings:
            if finding.code == "sheet":
                notes.say("data", "sheet", sentence(finding), doubt=True)
        self._course(left, level)
        numbers = [name for name in left.numeric if name in level and name not in items]
        guesses, from_dyads = self._second_file(guesses)
        used = {column for source in self.taken.values() for column in source.columns}
        covariates = tuple(name for name in (*numbers, *from_dyads) if name not in used)
        note_measures(notes, self.taken)
        note_ranges(notes, self.taken, left, self.instruments)
        for evidence in (self.evidence, self.dyads):
            if evidence is not None:
                note_missing(notes, evidence, used, covariates)
        for guess in guesses:
            if guess.alternatives:
                names = listed([repr(name) for name in guess.alternatives[:MANY]], total=len(guess.alternatives))
                notes.say("columns", guess.role, f"{names} would fit too.")
        if covariates:
            names = ", ".join(covariates[:MANY]) + (" ..." if len(covariates) > MANY else "")
            notes.say("columns", "covariates", f"Numbers with one value per dyad: {names}")
        entries = {role: source.entry for role, source in self.taken.items()}
        return Recognised(
            guesses=guesses,
            covariates=covariates,
            layout=layout,
            also=tuple(notes.also),
            scored={role: entry for role, entry in entries.items() if isinstance(entry, ItemsSection)},
            sections=notes.sections,
            comments={place: tuple(lines) for place, lines in notes.comments.items()},
            doubts=tuple(notes.doubts),
        )


def _varying(sources: Sequence[Source], within: Sequence[str], *others: str | None) -> list[Source]:
    return [s for s in sources if not {*s.columns} <= {*within} and not {*s.columns} & {*others}]


def _items(sources: Sequence[Source]) -> set[str]:
    return {column for source in sources if source.family.itemed for column in source.columns}
