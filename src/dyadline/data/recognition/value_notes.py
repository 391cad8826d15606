"""What a first plan says of values: codes for missing ones, possible scores, doubts about measures."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from fnmatch import fnmatchcase

import polars as pl

from dyadline.data.missing import code_text, missing_codes
from dyadline.data.recognition.evidence import Evidence, Guess
from dyadline.data.recognition.instrument import Instrument, hinted
from dyadline.data.recognition.numbers import by_column
from dyadline.data.recognition.recognised import Notes
from dyadline.data.recognition.sources import Source
from dyadline.plan.columns import Label
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
        count: dict[tuple[Label, str], int] = {}
        for name in columns:
            for suspect in evidence.suspects.get(name, ()) if name in used and _fits(pattern, name) else ():
                place = suspect.code, suspect.why
                count[place] = count.get(place, 0) + suspect.columns.get(name, 0)
        for (code, why), n in ((place, n) for place, n in count.items() if n):
            line = f"{code_text(code)} in {pattern!r} ({counted(n, 'value')}) {why}: taken as missing."
            notes.say("missing", "by_column", line, doubt=True)
        shown = f"{pattern} = {listed([code_text(code) for code in codes])}"
        notes.also.append(Guess(role="missing", column=shown, reason="looks like a code for a missing value"))
    if active:
        notes.sections.setdefault("missing", {}).setdefault("by_column", {}).update(active)


def _fits(pattern: str, name: str) -> bool:
    return pattern == name or fnmatchcase(name, pattern)


def _declared(notes: Notes, evidence: Evidence, columns: Sequence[str]) -> None:
    codes = missing_codes(evidence.table).filter(pl.col("column").is_in(columns))
    if not codes.height:
        return
    notes.sections.setdefault("missing", {})["declared"] = True
    notes.say("missing", "declared", "The file itself declares missing:")
    alike = codes.group_by("code", "label", maintain_order=True).agg("column", pl.sum("count"))
    for code, label, names, count in alike.iter_rows():
        meaning = f" ({label})" if label else ""
        place = repr(names[0]) if len(names) == 1 else counted(len(names), "column")
        notes.say("missing", "declared", f"  {code}{meaning} in {place}, {counted(count, 'value')}")
    columns_said = counted(codes["column"].n_unique(), "column")
    notes.also.append(Guess(role="missing", column="declared", reason=f"the file declares codes for {columns_said}"))
