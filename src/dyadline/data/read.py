"""Files become tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from dyadline.data.child import READERS
from dyadline.data.confined import Request, limits, parsed
from dyadline.data.missing import apply_missing
from dyadline.data.number_text import Decimal
from dyadline.data.table import Table
from dyadline.errors import DataError, PlanError
from dyadline.words import nearest

SUFFIXES = tuple(READERS)


def read_table(
    path: str | Path,
    *,
    sheet: str | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
    decimal: Decimal | None = None,
    columns: Sequence[str] | None = None,
) -> Table:
    """Read a data file: SPSS, Stata, spreadsheet, delimited text or parquet.

    The file is parsed in a process of its own with limited memory and time (see `confined`): a damaged or hostile
    file ends in a sentence. What was recognised (encoding, delimiter, decimal comma, sheet) is in the findings; values
    that the file declares missing still stand in the table (see `apply_missing`).

    Parameters
    ----------
    path
        The file; its suffix, in small or capital letters, says what it is.
    sheet
        Sheet of a spreadsheet; the first one with data by default.
    encoding
        Of a text, SPSS or Stata file; recognised by default.
    delimiter, decimal
        Of a text file; recognised by default.
    columns
        Names, or patterns such as ``"wai_*"``, of the columns that are needed; all by default. Of a parquet file the
        others are not even read.

    Raises
    ------
    DataError
        If there is no such file, it is no such file, it cannot be read, or lacks a wanted column.
    PlanError
        If an argument is none that makes sense.
    """
    path = Path(path).absolute()
    size = _checked_size(path)
    if encoding is not None:
        _check_encoding(encoding)
    if delimiter is not None and (len(delimiter) != 1 or not delimiter.isascii() or delimiter.isalnum()
                                  or delimiter in '"\n\r '):  # fmt: skip
        raise PlanError(
            f"{delimiter!r} cannot separate columns",
            where="data.delimiter",
            way_out='Name one character, such as ";", or leave it out: it is recognised',
        )
    if decimal not in (None, ".", ","):
        raise PlanError(f'The decimal mark is "." or ",", not {decimal!r}', where="data.decimal")
    memory, seconds = limits(size)
    return parsed(
        Request(
            path=str(path),
            memory=memory,
            seconds=seconds,
            sheet=sheet,
            encoding=encoding,
            delimiter=delimiter,
            decimal=decimal,
            columns=None if columns is None else tuple(columns),
        )
    )


def read_frame(path: str | Path) -> pl.DataFrame:
    """The values of a data file, without those that it declares missing; errors as in `read_table`."""
    from dyadline.plan.columns import MissingSection

    return apply_missing(read_table(path), MissingSection()).frame


def _checked_size(path: Path) -> int:
    """How many bytes the file has, once it is clear that it may be read."""
    try:
        if not path.exists():
            raise _absent(path)
        if path.is_dir():
            raise DataError(f"{str(path)!r} is a folder, not a file", way_out="Name the data file in it")
        if not path.is_file():
            raise DataError(f"{str(path)!r} is no ordinary file", way_out="Name a data file")
        if path.suffix.lower() not in SUFFIXES:
            raise DataError(
                f"The file {path.name!r} is of a kind that is not read here",
                way_out="Save it as .sav, .dta, .xlsx, .csv, .tsv or .parquet",
            )
        with path.open("rb"):
            return path.stat().st_size
    except OSError as error:
        raise DataError(
            f"The file {str(path)!r} cannot be opened: {error.strerror or error}",
            way_out="Check its name and whether you may read it",
        ) from None


def _absent(path: Path) -> DataError:
    folder = path.parent
    if not folder.is_dir():
        return DataError(f"There is no file {str(path)!r}, and no folder {str(folder)!r}", way_out="Check the path")
    there = sorted(entry.name for entry in folder.iterdir() if entry.suffix.lower() in SUFFIXES)
    advice = nearest([path.name], there) or "The folder has no data file of a kind that is read here"
    return DataError(f"There is no file {str(path)!r}", way_out=advice)


def _check_encoding(encoding: str) -> None:
    try:
        b"a".decode(encoding)
    except UnicodeError:  # half a character: there is such an encoding
        pass
    except (LookupError, ValueError):
        raise PlanError(
            f"There is no encoding {encoding!r}",
            where="data.encoding",
            way_out='Name one such as "utf-8", "cp1252" or "latin-1", or leave it out: it is recognised',
        ) from None
