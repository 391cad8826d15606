"""Parquet files become tables."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from dyadline.data.confined import Request, too_large
from dyadline.data.projection import matching
from dyadline.data.table import Table
from dyadline.errors import DataError

VALUE_BYTES = 8
"""What a value of most columns takes."""


def read(request: Request) -> Table:
    """A table from a parquet file; only the wanted columns are read.

    Raises
    ------
    DataError
        If it is no parquet file, is damaged or empty, lacks a wanted column, or would not fit into the memory.
    """
    path = Path(request.path)
    name = path.name
    if not path.stat().st_size:
        raise DataError(f"The file {name!r} is empty", way_out="Export it again with its data")
    try:
        # A name with an asterisk or a bracket is a name here, not a pattern.
        scan = pl.scan_parquet(path, glob=False, hive_partitioning=False)
        names = scan.collect_schema().names()
        columns = names if request.columns is None else matching(names, request.columns)
        rows = scan.select(pl.len()).collect().item()
        if rows * len(columns) * VALUE_BYTES > request.memory:
            raise too_large(name, rows, len(columns), request.memory)
        frame = scan.select(columns).collect()
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError):
        raise DataError(
            f"The file {name!r} is not a parquet file, or a damaged one", way_out="Export it again"
        ) from None
    if not frame.height:
        raise DataError(f"The file {name!r} has columns and no rows", way_out="Export it again with its data")
    return Table(frame=frame, source=name)
