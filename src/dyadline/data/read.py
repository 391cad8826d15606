"""Files become frames."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from dyadline.data.delimited import read_delimited
from dyadline.errors import DataError
from dyadline.words import nearest

SUFFIXES = (".csv", ".tsv", ".parquet")


def read_frame(path: str | Path) -> pl.DataFrame:
    """Read a csv, tsv or parquet file.

    Text files are UTF-8, with or without byte-order mark; comma, semicolon or tab as delimiter and a decimal
    comma are recognised; an empty field and ``NA`` are missing (see `read_delimited`).

    Parameters
    ----------
    path
        The file; its suffix, in small or capital letters, says what it is.

    Raises
    ------
    DataError
        If there is no such file, it is no such file, or it cannot be read.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    try:
        if not path.exists():
            raise _missing(path)
        if path.is_dir():
            raise DataError(f"{str(path)!r} is a folder, not a file", way_out="Name the data file in it")
        if suffix not in SUFFIXES:
            raise DataError(
                f"The file {path.name!r} is of a kind that is not read here",
                way_out="Save it as .csv, .tsv or .parquet",
            )
        data = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"The file {str(path)!r} cannot be opened: {error.strerror or error}",
            way_out="Check its name and whether you may read it",
        ) from None
    if suffix == ".parquet":
        return _parquet(data, path.name)
    return read_delimited(data, path.name, preferred="\t" if suffix == ".tsv" else ",")


def _missing(path: Path) -> DataError:
    folder = path.parent
    if not folder.is_dir():
        return DataError(f"There is no file {str(path)!r}, and no folder {str(folder)!r}", way_out="Check the path")
    there = sorted(entry.name for entry in folder.iterdir() if entry.suffix.lower() in SUFFIXES)
    advice = nearest([path.name], there) or "The folder has no csv, tsv or parquet file"
    return DataError(f"There is no file {str(path)!r}", way_out=advice)


def _parquet(data: bytes, name: str) -> pl.DataFrame:
    if not data:
        raise DataError(f"The file {name!r} is empty", way_out="Export it again with its data")
    try:
        frame = pl.read_parquet(data)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError):
        raise DataError(
            f"The file {name!r} is not a parquet file, or a damaged one", way_out="Export it again"
        ) from None
    if not frame.height:
        raise DataError(f"The file {name!r} has columns and no rows", way_out="Export it again with its data")
    return frame
