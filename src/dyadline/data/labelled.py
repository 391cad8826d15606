"""SPSS and Stata files become tables, with their labels and what they declare missing."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pyreadstat

from dyadline.data.confined import Request, too_large
from dyadline.data.delimited import column_names
from dyadline.data.encodings import WINDOWS
from dyadline.data.missing import is_declared
from dyadline.data.number_text import whole_where_whole
from dyadline.data.table import Declared, Table
from dyadline.errors import DataError, Finding
from dyadline.words import counted, listed

VALUE_BYTES = 40
"""What a value takes while it is on its way into a column."""

_DAY = 86_400
_YEARS_1_TO_9999 = (-62_135_596_800, 253_402_300_800)
_SPSS_DATES = r"(A|E|J|S)?DATE\d|(MOYR|QYR|WKYR)\d"
_SPSS_TIMES = r"DATETIME|YMDHMS"
_SPSS_ORIGIN = -12_219_379_200  # seconds from 1970 to 14 October 1582
_STATA_ORIGIN = -3653 * _DAY  # to 1960


def read(request: Request) -> Table:
    """A table from a sav, zsav or dta file.

    Values that SPSS users declared missing stay as they are and are named in `Table.declared`; Stata's ``.a`` to
    ``.z`` cannot stand beside numbers and are missing, with a finding that counts them. Columns of dates are dates.
    Texts whose encoding is not the one that the file names are read as Windows-1252, with a finding.

    Raises
    ------
    DataError
        If it is no such file, damaged, empty, or in another encoding, or would not fit into the memory.
    """
    name = Path(request.path).name
    _, meta, _ = _content(request, name, metadataonly=True)
    if (meta.number_rows or 0) * meta.number_columns * VALUE_BYTES > request.memory:
        raise too_large(name, meta.number_rows, meta.number_columns, request.memory)
    content, meta, findings = _content(request, name)
    names = column_names(meta.column_names, name)
    if not names or not content or not len(content[names[0]]):
        raise DataError(f"The file {name!r} has no rows", way_out="Export it again with its data")
    declared = {column: _declared(ranges) for column, ranges in meta.missing_ranges.items()}
    labels = meta.variable_value_labels
    columns, letters = [], {}
    for column in names:
        values = content.pop(column)
        if column in meta.missing_user_values:
            letters[column] = Counter(value for value in values if isinstance(value, str))
            values = [None if isinstance(value, str) else value for value in values]
        columns.append(_column(column, values, text=meta.readstat_variable_types[column] == "string"))
    found = [_letters_counted(letters, labels)] if any(letters.values()) else []
    for at, series in enumerate(columns):
        seconds = _seconds(series, meta.original_variable_types[series.name])
        if seconds is not None:
            columns[at], finding = _dates(series, *seconds, declared.pop(series.name, None))
            found += [finding] if finding else []
            labels.pop(series.name, None)
    return Table(
        frame=pl.DataFrame(columns),
        source=name,
        labels={column: label for column, label in meta.column_names_to_labels.items() if label},
        value_labels={
            column: {value: label for value, label in of.items() if column not in letters or not isinstance(value, str)}
            for column, of in labels.items()
        },
        declared=declared,
        findings=(*findings, *found),
    )


def _content(request: Request, name: str, **options: Any) -> tuple[dict[str, Any], Any, tuple[Finding, ...]]:
    """Values, what the file says about them, and a finding if its encoding had to be guessed."""
    reader = pyreadstat.read_dta if request.path.lower().endswith(".dta") else pyreadstat.read_sav
    options = {"user_missing": True, "disable_datetime_conversion": True, "output_format": "dict", **options}
    problem = ""
    for encoding in [request.encoding] if request.encoding else [None, WINDOWS]:
        try:
            content, meta = reader(request.path, encoding=encoding, **options)
        except (pyreadstat.ReadstatError, pyreadstat.PyreadstatError, UnicodeError, ValueError, OverflowError) as error:
            problem = "encoding" if isinstance(error, UnicodeError) or re.search("ncod|onver", str(error)) else "damage"
            if problem == "encoding":
                continue
            break
        guessed = encoding is not None and request.encoding is None
        return content, meta, (_guessed(name),) if guessed else ()
    if problem == "encoding":
        raise DataError(
            f"Texts in the file {name!r} are not in the encoding {request.encoding or 'that it names'}",
            way_out='Name the right one: encoding = "..." under [data], such as "cp1250" or "shift_jis"',
        )
    raise DataError(
        f"The file {name!r} is not an SPSS or Stata file of a known version, or a damaged one",
        way_out="Save it again with the program that made it, or as .csv",
    )


def _guessed(name: str) -> Finding:
    return Finding(
        code="encoding",
        level="note",
        words=f"Texts in {name!r} are not in the encoding that the file names and were read as Windows-1252.",
        way_out='If letters look wrong, name the encoding: encoding = "..." under [data].',
    )


def _declared(ranges: list[dict[str, Any]]) -> Declared:
    single = [part["lo"] for part in ranges if part["lo"] == part["hi"]]
    return Declared(
        codes=tuple(single), ranges=tuple((part["lo"], part["hi"]) for part in ranges if part["lo"] != part["hi"])
    )


def _column(name: str, values: list[Any], *, text: bool) -> pl.Series:
    if not text:
        return whole_where_whole(pl.Series(name, values, dtype=pl.Float64, strict=False))
    column = pl.Series(name, values, dtype=pl.String)
    return column.set(column.str.strip_chars() == "", None)


def _letters_counted(letters: dict[str, Counter[str]], labels: dict[str, dict[Any, str]]) -> Finding:
    """Stata's missing values that have a letter, by letter."""
    parts = []
    for letter in sorted(set().union(*letters.values())):
        columns = [column for column, counts in letters.items() if counts[letter]]
        meanings = {labels.get(column, {}).get(letter, "") for column in columns} - {""}
        meaning = f" ({', '.join(sorted(meanings))})" if meanings else ""
        where = repr(columns[0]) if len(columns) == 1 else counted(len(columns), "column")
        total = sum(letters[column][letter] for column in columns)
        parts.append(f".{letter}{meaning} in {where}, {counted(total, 'value')}")
    return Finding(code="missing-codes", level="note", words=f"{listed(parts)}: taken as missing.")


def _seconds(column: pl.Series, kind: str) -> tuple[int, float, bool] | None:
    """Origin in seconds from 1970, seconds of a unit and whether time of day counts, if it is a column of dates."""
    if not column.dtype.is_numeric():
        return None
    if re.match(r"%-?t?d", kind):
        return _STATA_ORIGIN, _DAY, False
    if re.match(r"%-?t[cC]", kind):
        return _STATA_ORIGIN, 0.001, True
    if re.match(_SPSS_TIMES, kind):
        return _SPSS_ORIGIN, 1, True
    return (_SPSS_ORIGIN, 1, False) if re.match(_SPSS_DATES, kind) else None


def _dates(
    column: pl.Series, origin: int, unit: float, with_time: bool, declared: Declared | None
) -> tuple[pl.Series, Finding | None]:
    """Dates, or the numbers if some of them are none; declared codes, which are no dates, are missing."""
    finding = None
    if declared is not None:
        gone = is_declared(column, declared)
        if gone.any():
            words = f"Codes among the dates of {column.name!r}, {counted(int(gone.sum()), 'value')}: taken as missing."
            finding = Finding(code="missing-codes", level="note", words=words, column=column.name)
        column = column.set(gone, None)
    seconds = column.cast(pl.Float64) * unit + origin
    first, last = _YEARS_1_TO_9999
    if not ((seconds >= first) & (seconds < last)).all():
        return column, finding
    moments = (seconds * 1000).round().cast(pl.Int64).cast(pl.Datetime("ms"))
    return (moments if with_time else moments.dt.date()), finding
