"""Delimited text becomes a frame: encoding, delimiter, decimal comma, and what cannot be read.

The whole structure (quotes, records, fields) is counted on the bytes before a value is parsed, because a
reader that repairs ragged lines on its own would move values into other columns unseen. UTF-8 makes this
safe: no byte of a longer character looks like a delimiter, a quotation mark or a line end.
"""

from __future__ import annotations

import csv
import io
from collections import Counter

import numpy as np
import polars as pl

from dyadline.errors import DataError
from dyadline.words import SHOWN, counted, listed, rows_listed

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab"}

MISSING = ("", "NA")
"""Fields that stand for a missing value."""

EXACT = 2.0**53
"""From here on a float no longer tells neighbouring whole numbers apart."""


def read_delimited(data: bytes, name: str, *, preferred: str = ",") -> pl.DataFrame:
    """A frame from the bytes of a csv or tsv file.

    The delimiter is the one of comma, semicolon and tab that splits the header into most columns. A column
    is Int64 or Float64 if all its values are numbers, else String. An empty field and ``NA`` are missing.
    Where the delimiter is not the comma and no column has a decimal point, a comma in numbers is a decimal
    comma. Numbers that a numeric type would change (leading zeros, more than 15 digits) stay text. Columns
    without a name are called ``column_3`` after their place.

    Parameters
    ----------
    data
        Content of the file.
    name
        Name of the file, for sentences.
    preferred
        Delimiter where several would do as well.

    Raises
    ------
    DataError
        If it is not UTF-8 text, is empty, has no rows below the header, doubled names, open quotes, or rows
        whose number of fields is not the header's.
    """
    data = _text(data, name)
    content = np.frombuffer(data, dtype=np.uint8)
    quotes = np.flatnonzero(content == ord('"'))
    ends = _outside(np.flatnonzero(content == ord("\n")), quotes)
    header = data[: ends[0]].decode() if len(ends) else data.decode()
    delimiter, names = _header(header, name, preferred)
    _check_quotes(content, quotes, ends, delimiter, name)
    if not len(ends) or not data[ends[0] :].strip():
        raise DataError(f"The file {name!r} has a header and no rows", way_out="Export it again with its data")
    _check_fields(content, quotes, ends, delimiter, len(names), name)
    try:
        frame = pl.read_csv(data, separator=delimiter, infer_schema=False)
    except pl.exceptions.PolarsError:
        raise DataError(
            f"The file {name!r} cannot be read as delimited text",
            way_out="Open it in a spreadsheet program and save it again as 'CSV UTF-8'",
        ) from None
    frame.columns = names
    return _typed(frame, decimal_comma=delimiter != ",")


def _text(data: bytes, name: str) -> bytes:
    """UTF-8 without byte-order mark and with plain line ends."""
    if data.startswith(b"PK\x03\x04"):
        raise DataError(
            f"The file {name!r} is a spreadsheet or an archive under another name, not text",
            way_out="Open it in a spreadsheet program and save it as 'CSV UTF-8'",
        )
    data = data.removeprefix(b"\xef\xbb\xbf")
    problem = data.find(b"\0")
    if problem < 0:
        try:
            data.decode("utf-8")
        except UnicodeDecodeError as error:
            problem = error.start
    if problem >= 0:
        line = data.count(b"\n", 0, problem) + 1
        raise DataError(
            f"The file {name!r} is not UTF-8 text",
            where=f"first seen in line {line}",
            way_out="Save it as UTF-8 (in Excel: 'CSV UTF-8'; in SPSS: /ENCODING='UTF8')",
        )
    data = data.replace(b"\r\n", b"\n")
    if b"\n" not in data:
        data = data.replace(b"\r", b"\n")
    data = data.lstrip(b"\n")
    if not data.strip():
        raise DataError(f"The file {name!r} is empty", way_out="Export it again with its data")
    return data


def _outside(positions: np.ndarray, quotes: np.ndarray) -> np.ndarray:
    """Positions that are not between quotation marks (a doubled mark inside a value counts twice)."""
    return positions[np.searchsorted(quotes, positions) % 2 == 0] if len(quotes) else positions


def _header(header: str, name: str, preferred: str) -> tuple[str, list[str]]:
    """The delimiter and the column names."""
    order = sorted(DELIMITERS, key=lambda delimiter: delimiter != preferred)
    split = {d: next(csv.reader(io.StringIO(header, newline=""), delimiter=d), []) for d in order}
    delimiter = max(order, key=lambda d: len(split[d]))
    names = [field.strip() or f"column_{place}" for place, field in enumerate(split[delimiter], start=1)]
    doubled = [column for column, times in Counter(names).items() if times > 1]
    if doubled:
        raise DataError(
            f"The file {name!r} has more than one column called {listed([repr(d) for d in doubled])}",
            way_out="Give each column its own name",
        )
    return delimiter, names


def _check_quotes(
    content: np.ndarray,
    quotes: np.ndarray,
    ends: np.ndarray,
    delimiter: str,
    name: str,
) -> None:
    """Each value either is in quotation marks as a whole or has none."""
    opening = quotes[::2]
    before = content[np.maximum(opening - 1, 0)]
    # A mark right after a closing one is a doubled mark inside a value.
    follows = np.zeros(len(opening), dtype=bool)
    follows[1:] = opening[1:] == quotes[1::2][: len(opening) - 1] + 1
    stray = opening[(opening > 0) & (before != ord(delimiter)) & (before != ord("\n")) & ~follows]
    if not len(stray) and len(quotes) % 2:
        stray = quotes[-1:]
    if len(stray):
        row = int(np.searchsorted(ends, stray[0]))
        raise DataError(
            f"The file {name!r} has a quotation mark inside a value, or one that is never closed",
            where=rows_listed([row]) if row else "the header",
            way_out="Remove the mark, or put the whole value in quotation marks and double the mark inside it",
        )


def _check_fields(
    content: np.ndarray,
    quotes: np.ndarray,
    ends: np.ndarray,
    delimiter: str,
    n_columns: int,
    name: str,
) -> None:
    """Every row has as many fields as the header; empty lines are rows without values."""
    marks = _outside(np.flatnonzero(content == ord(delimiter)), quotes)
    stops = ends if ends[-1] == len(content) - 1 else np.append(ends, len(content))
    fields = np.diff(np.searchsorted(marks, stops)) + 1
    ragged = np.flatnonzero((fields != n_columns) & (np.diff(stops) > 1))
    if not len(ragged):
        return
    first = [f"row {row + 1} has {fields[row]}" for row in ragged[:SHOWN]]
    raise DataError(
        f"The file {name!r} has {counted(n_columns, 'column')}, and {counted(len(ragged), 'row')} of the data "
        f"{'has' if len(ragged) == 1 else 'have'} another number of fields: {listed(first, total=len(ragged))}",
        way_out=f"Put values that contain a {DELIMITERS[delimiter]} in quotation marks, "
        "and let each row have a field for every column",
    )


def _typed(frame: pl.DataFrame, *, decimal_comma: bool) -> pl.DataFrame:
    """Text columns become numbers where every value is one."""
    text = pl.all().str.strip_chars()
    frame = frame.select(pl.when(text.is_in(MISSING).not_()).then(text).name.keep())
    columns = [_number_column(column) for column in frame]
    if decimal_comma and not any(column.dtype == pl.Float64 and column.count() for column in columns):
        columns = [_with_decimal_comma(column) for column in columns]
    return pl.DataFrame(columns)


def _number_column(column: pl.Series) -> pl.Series:
    """The column as Int64 or Float64 if nothing is lost by it, else as it is."""
    for kind in (pl.Int64, pl.Float64):
        numbers = column.cast(kind, strict=False)
        if numbers.null_count() > column.null_count():
            continue
        if kind == pl.Float64 and (numbers.is_finite() & (numbers.abs() >= EXACT)).any():
            return column
        if column.str.contains(r"^[+-]?0\d").any():
            return column
        # A column without any value could be either; Float64 is what a column of measurements is.
        return numbers.cast(pl.Float64).fill_nan(None) if kind == pl.Float64 or not numbers.count() else numbers
    return column


def _with_decimal_comma(column: pl.Series) -> pl.Series:
    """A text column of numbers with decimal commas as Float64; any other as it is."""
    if column.dtype != pl.String or not column.str.contains(r"^[+-]?\d*(,\d+)?$").all():
        return column
    return _number_column(column.str.replace(",", ".", literal=True))
