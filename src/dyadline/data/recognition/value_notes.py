"""What a first plan says of values: codes for missing ones, possible scores, doubts about measures."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from fnmatch import fnmatchcase

import polars as pl

from dyadline.data.recognition.evidence import Evidence, Guess
from dyadline.data.recognition.instrument import Instrument, hinted
from dyadline.data.recognition.recognised import MANY, Notes, as_written
from dyadline.data.recognition.sources import Source
from dyadline.data.recognition.suspects import by_column
from dyadline.data.table import Declared
from dyadline.words import counted, listed


def note_measures(notes: Notes, taken: Mapping[str, Source]) -> None:
    """Doubts about measures, and how to describe one that is not known."""
    for role, source in taken.items():
        for line in source.match.doubts if source.match else ():
            notes.say("columns", role, line, doubt=True)
        if source.unknown:
            notes.say(
                "columns",
                role,
                f"{source.name} look like the items of a measure that is not known here: describe it in a file "
                "MEASURE.toml beside this plan and name it in place of <measure>, or name a column with the total.",
                doubt=True,
            )


def note_ranges(
    notes: Notes, taken: Mapping[str, Source], evidence: Evidence, instruments: Sequence[Instrument]
) -> None:
    """Lowest and highest possible scores, where measure and values leave one answer."""
    ranges = {role: _range(source, evidence, instruments) for role, source in taken.items()}
    patient, therapist = ranges.get("patient_rating"), ranges.get("therapist_rating")
    if patient is not None and patient == therapist:
        notes.write("checks", "rating_range", list(patient), "possible scores of the measure")
    if (own := ranges.get("outcome")) is not None:
        notes.write("checks", "outcome_range", list(own), "possible scores of the measure")


def _range(source: Source, evidence: Evidence, instruments: Sequence[Instrument]) -> tuple[float, float] | None:
    if source.unknown:
        return None
    if source.match:
        return source.match.score_range
    seen = evidence.spread(source.columns)
    ranges = set()
    for instrument in hinted(source.words, instruments):
        low, high = instrument.range
        for possible in (instrument.score_range(), (low, high), (low * instrument.items, high * instrument.items)):
            if seen and possible[0] <= seen[0] and seen[1] <= possible[1]:
                ranges.add(possible)
                break
    return ranges.pop() if len(ranges) == 1 else None


def note_missing(notes: Notes, evidence: Evidence, used: Collection[str], others: Collection[str]) -> None:
    """Codes for missing values: declared ones as a comment, suspected ones as a key.

    Parameters
    ----------
    notes
        Where it is written.
    evidence
        A file.
    used
        Columns that the plan names.
    others
        Columns that it only mentions.
    """
    columns = [name for name in evidence.frame.columns if name in {*used, *others}]
    _declared(notes, evidence, columns)
    active = by_column([name for name in columns if name in used], evidence.suspects, evidence.table)
    for pattern, codes in active.items():
        count: dict[tuple[float | str, str], int] = {}
        for name in columns:
            for suspect in evidence.suspects.get(name, ()) if name in used and _fits(pattern, name) else ():
                place = suspect.code, suspect.why
                count[place] = count.get(place, 0) + suspect.count
        said = listed([f"{_code(code)} stands {counted(n, 'time')} ({why})" for (code, why), n in count.items()])
        notes.say("missing", "by_column", f"In {pattern} {said}: taken as missing.", doubt=True)
        shown = f"{pattern} = {listed([_code(code) for code in codes])}"
        notes.also.append(Guess(role="missing", column=shown, reason="looks like a code for a missing value"))
    if active:
        notes.sections.setdefault("missing", {}).setdefault("by_column", {}).update(active)


def _fits(pattern: str, name: str) -> bool:
    return pattern == name or fnmatchcase(name, pattern)


def _declared(notes: Notes, evidence: Evidence, columns: Sequence[str]) -> None:
    table = evidence.table
    alike: dict[tuple[Declared, str], list[str]] = {}
    for name in columns:
        if name in table.declared:
            codes, meant = table.declared[name], table.value_labels.get(name, {})
            said = [f"{_code(code)} is {meant[code]!r}" for code in codes.codes if code in meant]
            alike.setdefault((codes, listed(said) if said else ""), []).append(name)
    if not alike:
        return
    notes.sections.setdefault("missing", {})["declared"] = True
    notes.say("missing", "declared", "The file itself declares missing:")
    for (codes, meaning), names in alike.items():
        parts = [_code(code) for code in codes.codes]
        parts += [f"{low:g} to {high:g}" for low, high in codes.ranges]
        shown = names[0] if len(names) == 1 else f"{names[0]} ... {names[-1]} ({counted(len(names), 'column')})"
        count = sum(_count(evidence, name) for name in names)
        labelled = f" ({meaning})" if meaning else ""
        notes.say("missing", "declared", f"  {shown}: {listed(parts)}{labelled}, {counted(count, 'value')}")
    columns_said = counted(sum(map(len, alike.values())), "column")
    notes.also.append(Guess(role="missing", column="declared", reason=f"the file declares codes for {columns_said}"))


def _count(evidence: Evidence, name: str) -> int:
    """How many values of a column its file declares missing."""
    codes, column = evidence.table.declared[name], evidence.frame[name]
    if column.dtype == pl.String:
        return int(column.str.strip_chars().is_in([str(code) for code in codes.codes]).sum())
    numbers = column.cast(pl.Float64, strict=False)
    out = numbers.is_in([float(code) for code in codes.codes if not isinstance(code, str)])
    for low, high in codes.ranges:
        out = out | numbers.is_between(low, high)
    return int(out.sum())


def _code(code: float | str) -> str:
    return repr(code) if isinstance(code, str) else as_written(code)


__all__ = ["MANY", "note_measures", "note_missing", "note_ranges"]
