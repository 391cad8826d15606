"""Columns of the dyad's course: number of sessions, the end, its reason; and how a second file names the dyads."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from dyadline.data.recognition.evidence import Evidence, Guess, first
from dyadline.data.recognition.naming import COUNT, DATE, DYAD, END, REASON, SESSIONS, word_list, words
from dyadline.data.values import labels
from dyadline.errors import DataError

_OF = frozenset(word_list("of the therapy treatment therapie attended completed held der von av i"))
MATCHING = 0.5
"""At least this share of the data file's dyads is in the second file's column."""


def course(evidence: Evidence, within: Sequence[str]) -> tuple[Guess, ...]:
    """Columns with one value per dyad for ``[checks]``: sessions, end, reason; those that were found."""
    sessions, ends, reasons = [], [], []
    for name in within:
        spoken = set(evidence.about(name))
        dated = evidence.is_date(name)
        if spoken & REASON and not dated:
            reasons.append(name)
        elif spoken & END and (dated or name in evidence.numbers) and spoken & (SESSIONS | DATE | {"time", "week"}):
            ends.append(name)
        elif name in evidence.numbers and (
            _counts(evidence.words[name]) or _counts(words(evidence.labels.get(name, "")))
        ):
            sessions.append(name)
    found = (
        first("checks.sessions", sessions, "named so, and one value per dyad", ""),
        first("checks.end", ends, "named so, and one value per dyad", ""),
        first("checks.reason", reasons, "named so, and one value per dyad", ""),
    )
    return tuple(guess for guess in found if guess.column)


def _counts(spoken: Sequence[str]) -> bool:
    """Whether the words say a number of sessions, and nothing else: those of the parents are others."""
    return bool({*spoken} & SESSIONS and {*spoken} & COUNT and {*spoken} <= SESSIONS | COUNT | _OF)


def matching_column(dyads: Evidence, values: pl.Series) -> Guess:
    """The column of the second file that names most of the data file's dyads, each in one row."""
    wanted = set(_texts(values))
    share: dict[str, tuple[float, bool]] = {}
    otherwise = "no column has the data file's dyads, each in one row"
    for name in dyads.names:
        texts = _texts(dyads.frame[name])
        if len(set(texts)) < len(texts) and set(dyads.words[name]) & {*DYAD} and wanted & {*texts}:
            otherwise = f"{name!r} has the data file's dyads in several rows each: merge the files first"
        if texts and len(set(texts)) == len(texts) and wanted:
            there = len(wanted & set(texts)) / len(wanted)
            if there >= MATCHING:
                share[name] = (there, set(dyads.words[name]) <= {*DYAD, "no", "nr", "number"})
    candidates = sorted(share, key=lambda name: share[name], reverse=True)
    reason = f"{share[candidates[0]][0]:.0%} of the data file's dyads are there" if candidates else ""
    return first("dyads.dyad", candidates, reason, otherwise)


def _texts(series: pl.Series) -> list[str]:
    try:
        return labels(series, column=series.name, role="dyad").drop_nulls().to_list()
    except DataError:
        return []
