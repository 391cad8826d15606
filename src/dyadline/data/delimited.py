"""Delimited text becomes a table: encoding, delimiter, decimal comma, and what cannot be read.

The whole structure (quotes, records, fields) is counted on the bytes before a value is parsed, because a
reader that repairs ragged lines on its own would move values into other columns unseen. UTF-8 makes this
safe: no byte of a longer character looks like a delimiter, a quotation mark or a line end.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl

from dyadline.data.confined import Request
from dyadline.data.encodings import utf8_text
from dyadline.data.number_text import Decimal, number_column, typed
from dyadline.data.table import Table
from dyadline.errors import DataError, Finding
from dyadline.words import SHOWN, counted, listed, rows_listed

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar"}

SAMPLED = 1000
"""Rows that tell which columns are worth an attempt to parse them as numbers at once."""


def read(request: Request) -> Table:
    """A table from a csv, tsv or txt file; see `read_delimited`."""
    path = Path(request.path)
    return read_delimited(
        path.read_bytes(),
        path.name,
        preferred="," if path.suffix.lower() == ".csv" else "\t",
        encoding=request.encoding,
        delimiter=request.delimiter,
        decimal=request.decimal,
    )


def read_delimited(
    data: bytes,
    name: str,
    *,
    preferred: str = ",",
    encoding: str | None = None,
    delimiter: str | None = None,
    decimal: Decimal | None = None,
    as_text: bool = False,
) -> Table:
    """A table from the bytes of a csv or tsv file.

    The delimiter is the one of comma, semicolon, tab and vertical bar that splits the header into most columns. A
    column is Int64 or Float64 if all its values are numbers, else String. An empty field and ``NA`` are missing.
    Where the delimiter is not the comma and no column has a decimal point, a comma in numbers is a decimal
    comma. Numbers that a numeric type would change (leading zeros, more than 15 digits) stay text. Columns
    without a name are called ``column_3`` after their place. What was recognised is in the findings.

    Parameters
    ----------
    data
        Content of the file.
    name
        Name of the file, for sentences.
    preferred
        Delimiter where several would do as well.
    encoding, delimiter, decimal
        What the user says instead of letting it be recognised.
    as_text
        Whether every column stays text, with each field as it is written.

    Raises
    ------
    DataError
        If it is no text, is empty, has no rows below the header, doubled names, open quotes, or rows whose
        number of fields is not the header's.
    """
    data, findings = utf8_text(data, name, encoding)
    content = np.frombuffer(data, dtype=np.uint8)
    quoted = _quoted(content)
    ends = _unquoted(content, "\n", quoted)
    header = data[: ends[0]].decode() if len(ends) else data.decode()
    mark, names = _header(header, name, preferred, delimiter)
    _check_quotes(content, ends, mark, name)
    if not len(ends) or not data[ends[0] :].strip():
        raise DataError(f"The file {name!r} has a header and no rows", way_out="Export it again with its data")
    _check_fields(content, quoted, ends, mark, len(names), name)
    frame = _text_fields(data, mark, name) if as_text else _parsed(data, content, mark, name)
    frame.columns = names
    if as_text:
        return Table(frame=frame, source=name, findings=findings)
    frame, with_comma = typed(frame, "." if mark == "," and decimal is None else decimal)
    said = _recognised(name, mark if delimiter is None and mark != preferred else "", with_comma, decimal)
    return Table(frame=frame, source=name, findings=findings + said)


def _recognised(name: str, mark: str, with_comma: tuple[str, ...], decimal: str | None) -> tuple[Finding, ...]:
    found = []
    if mark:
        words = f"The columns of {name!r} are separated by the {DELIMITERS[mark]}."
        found.append(Finding(code="delimiter", level="note", words=words))
    if with_comma and decimal is None:
        columns = listed([repr(column) for column in with_comma[:SHOWN]], total=len(with_comma))
        words = f"The comma was read as decimal mark in {counted(len(with_comma), 'column')}: {columns}."
        found.append(Finding(code="decimal-comma", level="note", words=words))
    return tuple(found)


def _quoted(content: np.ndarray) -> np.ndarray | None:
    """Which bytes stand behind an odd number of quotation marks (a doubled mark inside a value counts twice)."""
    marks = content == ord('"')
    # Sums wrap around at 256, which leaves odd and even as they are.
    return (np.cumsum(marks, dtype=np.uint8) & 1).astype(bool) if marks.any() else None


def _unquoted(content: np.ndarray, character: str, quoted: np.ndarray | None) -> np.ndarray:
    """Positions of a character outside quotation marks."""
    there = content == ord(character)
    return np.flatnonzero(there if quoted is None else there & ~quoted)


def _header(header: str, name: str, preferred: str, delimiter: str | None) -> tuple[str, list[str]]:
    """The delimiter and the column names."""
    header = header.replace("\r", " ")  # to the csv module a lone one ends the row, to the parser it does not
    order = [delimiter] if delimiter else sorted(DELIMITERS, key=lambda d: d != preferred)
    split = {d: next(csv.reader(io.StringIO(header, newline=""), delimiter=d), []) for d in order}
    delimiter = max(order, key=lambda d: len(split[d]))
    return delimiter, column_names(split[delimiter], name)


def column_names(header: list[str], name: str) -> list[str]:
    """Names without blanks around them; those that are empty after their place.

    Raises
    ------
    DataError
        If two columns have the same name, or only one of several has any, as a title has it.
    """
    if len(header) > 2 and sum(bool(field.strip()) for field in header) == 1:
        raise _no_header(name)
    names = [field.strip() or f"column_{place}" for place, field in enumerate(header, start=1)]
    doubled = [column for column, times in Counter(names).items() if times > 1]
    if doubled:
        raise DataError(
            f"The file {name!r} has more than one column called {listed([repr(d) for d in doubled])}",
            way_out="Give each column its own name",
        )
    return names


def _no_header(name: str) -> DataError:
    return DataError(
        f"The first line of {name!r} is a title or a remark, not the names of the columns",
        way_out="Delete what stands above the line with the names",
    )


def _check_quotes(content: np.ndarray, ends: np.ndarray, delimiter: str, name: str) -> None:
    """Each value either is in quotation marks as a whole or has none."""
    quotes = np.flatnonzero(content == ord('"'))
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
    content: np.ndarray, quoted: np.ndarray | None, ends: np.ndarray, delimiter: str, n_columns: int, name: str
) -> None:
    """Every row has as many fields as the header; empty lines are rows without values."""
    marks = content == ord(delimiter)
    if quoted is not None:
        marks &= ~quoted
    stops = ends if ends[-1] == len(content) - 1 else np.append(ends, len(content))
    # The narrowest sums are the quickest by far; a row with 65,536 fields too many is refused by the parser.
    narrow = np.uint16 if n_columns < 2**15 else np.int64
    each = np.add.reduceat(marks.view(np.uint8), stops[:-1], dtype=narrow) if len(stops) > 1 else np.zeros(0)
    fields = each.astype(np.int64) + 1
    ragged = np.flatnonzero((fields != n_columns) & (np.diff(stops) > 1))
    if not len(ragged):
        return
    if n_columns == 1 and 2 * len(ragged) > len(fields):
        raise _no_header(name)
    first = [f"row {row + 1} has {fields[row]}" for row in ragged[:SHOWN]]
    raise DataError(
        f"The file {name!r} has {counted(n_columns, 'column')}, and {counted(len(ragged), 'row')} of the data "
        f"{'has' if len(ragged) == 1 else 'have'} another number of fields: {listed(first, total=len(ragged))}",
        way_out=f"Put values that contain a {DELIMITERS.get(delimiter, repr(delimiter))} in quotation marks, "
        "and let each row have a field for every column",
    )


def _parsed(data: bytes, content: np.ndarray, delimiter: str, name: str) -> pl.DataFrame:
    """All fields as text; or as numbers at once, where a sample promises it and the whole file keeps it."""
    if not _leading_zero(content, delimiter):
        sample = _text_fields(data, delimiter, name, rows=SAMPLED)
        kinds = {column.name: kind for column in sample if (kind := _promised(column)) is not None}
        try:
            return pl.read_csv(
                data, separator=delimiter, infer_schema=False, schema_overrides=kinds, null_values=["NA"]
            )
        except pl.exceptions.PolarsError:
            pass  # Something further down is no number: every field as text, then.
    return _text_fields(data, delimiter, name)


def _promised(column: pl.Series) -> type[pl.DataType] | None:
    """Int64 if the sampled fields are short whole numbers, which cannot be anything else."""
    number = number_column(column.set(column == "NA", None))
    return pl.Int64 if number.dtype == pl.Int64 and number.count() else None


def _leading_zero(content: np.ndarray, delimiter: str) -> bool:
    """Whether any field may begin with a zero and a digit, which a numeric type would drop."""
    zero = np.flatnonzero(content[:-1] == ord("0"))
    zero = zero[(content[zero + 1] >= ord("0")) & (content[zero + 1] <= ord("9"))]
    starts = [ord(c) for c in f'{delimiter}\n" ']
    before = content[np.maximum(zero - 1, 0)]
    signed = np.isin(before, [ord("+"), ord("-")]) & np.isin(content[np.maximum(zero - 2, 0)], starts)
    return bool((np.isin(before, starts) | signed).any())


def _text_fields(data: bytes, delimiter: str, name: str, rows: int | None = None) -> pl.DataFrame:
    try:
        return pl.read_csv(data, separator=delimiter, infer_schema=False, n_rows=rows)
    except pl.exceptions.PolarsError:
        raise DataError(
            f"The file {name!r} cannot be read as delimited text",
            way_out="Open it in a spreadsheet program and save it again as 'CSV UTF-8'",
        ) from None
