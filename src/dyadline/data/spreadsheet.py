"""Spreadsheets become tables."""

from __future__ import annotations

import zipfile
from datetime import time
from pathlib import Path

import fastexcel
import polars as pl

from dyadline.data.confined import Request
from dyadline.data.delimited import column_names
from dyadline.data.number_text import typed, whole_where_whole
from dyadline.data.table import Table
from dyadline.errors import DataError, Finding
from dyadline.words import counted, listed, nearest

UNPACKED = 100 * 2**20
"""Bytes that any spreadsheet may unpack to."""

RATIO = 100
"""A larger one may unpack to so many times its size; real ones stay below 30."""


def read(request: Request) -> Table:
    """A table from a sheet of an xlsx or ods file.

    The first row with values has the columns' names. Cells with formulas give the values that were saved with them,
    cells with an error are missing. Numbers stored as text are recognised as in text files, dates without a time are
    dates, rows and columns without any value at the end are left out.

    Raises
    ------
    DataError
        If it is no spreadsheet, damaged, has no such sheet, no rows, doubled names, or unpacks to too much.
    """
    name = Path(request.path).name
    _check_unpacked(request.path, name, request.memory)
    try:
        book = fastexcel.read_excel(request.path)
        sheet, findings = _sheet(book, request.sheet, name)
        first = book.load_sheet(sheet, header_row=None, n_rows=1, dtypes="string")
        loaded = book.load_sheet(sheet, header_row=0, schema_sample_rows=None)
        header = [value or "" for value in pl.DataFrame(first).row(0)] if first.height else []
        frame = pl.DataFrame(loaded)
    except (fastexcel.FastExcelError, pl.exceptions.PolarsError):
        raise DataError(
            f"The file {name!r} is not a spreadsheet, or a damaged one",
            way_out="Open it in a spreadsheet program and save it again",
        ) from None
    frame = _with_values(frame, header)
    if not frame.width:
        raise DataError(f"The sheet {sheet!r} of {name!r} is empty", way_out="Name another sheet, or export it again")
    names = column_names(header[: frame.width], name)
    if not frame.height:
        raise DataError(
            f"The sheet {sheet!r} of {name!r} has a header and no rows",
            way_out="Name another sheet, or export it again",
        )
    frame.columns = names
    frame, _ = typed(pl.DataFrame([_as_other_files_have_it(column) for column in frame]), None)
    return Table(frame=frame, source=name, findings=findings)


def _check_unpacked(path: str, name: str, memory: int) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return  # the reader says what it is
    if unpacked > memory or unpacked > max(UNPACKED, RATIO * Path(path).stat().st_size):
        raise DataError(
            f"The file {name!r} would unpack to {unpacked / 2**20:,.0f} MiB, which no spreadsheet of its size has",
            way_out="Get it from where it was made, or save the sheet as .csv there",
        )


def _sheet(book: fastexcel.ExcelReader, wanted: str | None, name: str) -> tuple[str, tuple[Finding, ...]]:
    names = book.sheet_names
    if wanted is not None:
        if wanted not in names:
            raise DataError(f"The file {name!r} has no sheet {wanted!r}", way_out=nearest([wanted], names))
        return wanted, ()
    if len(names) == 1:
        return names[0], ()
    # An empty sheet costs nothing to load; the first other one is loaded again.
    sheet = next((n for n in names if book.load_sheet(n, header_row=None, n_rows=1).height), names[0])
    others = listed([repr(n) for n in names if n != sheet][:3], total=len(names) - 1)
    words = f"{name!r} has {counted(len(names), 'sheet')}; the first with data, {sheet!r}, was read, not {others}."
    way_out = 'Name another one: sheet = "..." under [data].'
    return sheet, (Finding(code="sheet", level="note", words=words, way_out=way_out),)


def _with_values(frame: pl.DataFrame, header: list[str]) -> pl.DataFrame:
    """Without the empty rows and the nameless empty columns at the end."""
    filled = [not isinstance(c.dtype, pl.Null) and c.count() > 0 for c in frame]
    width = max((at + 1 for at in range(frame.width) if filled[at] or header[at].strip()), default=0)
    frame = frame[:, :width]
    if not frame.width:
        return frame
    there = frame.select(pl.any_horizontal(pl.all().is_not_null())).to_series().arg_true()
    return frame.head(int(there[-1]) + 1 if len(there) else 0)


def _as_other_files_have_it(column: pl.Series) -> pl.Series:
    """Whole numbers as such, dates without a time as dates."""
    if column.dtype == pl.Datetime and (column.dt.time() == time(0)).all():
        return column.dt.date()
    return whole_where_whole(column)
