"""The door for frames: any kind comes in, polars works inside, the same kind goes out."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Literal

import narwhals as nw
import polars as pl

from dyadline.errors import DataError, PlanError

Kind = Literal["polars", "pandas", "pyarrow"]


def opened(frame: object) -> nw.DataFrame[Any]:
    """Any of the three kinds behind one interface; nothing is converted yet.

    Raises
    ------
    PlanError
        If it is no such table.
    DataError
        If two of its columns have the same name.
    """
    if isinstance(frame, pl.LazyFrame):
        frame = frame.collect()
    try:
        table: nw.DataFrame[Any] = nw.from_native(frame, eager_only=True)
        table.columns  # noqa: B018  (pandas tells of doubled names only here)
    except nw.exceptions.DuplicateError:
        raise DataError("Columns of the frame have the same name", way_out="Give each column its own name") from None
    except TypeError:
        raise PlanError(
            f"A frame is needed, not {type(frame).__name__}",
            way_out="Hand in a polars, pandas or pyarrow table",
        ) from None
    return table


def polars_series(column: nw.Series[Any]) -> pl.Series:
    """A polars series; values of mixed kinds, which pandas allows, as text."""
    native = column.to_native()
    if isinstance(native, pl.Series) and native.dtype != pl.Object:
        return native
    try:
        if column.dtype.is_numeric() and not column.is_null().any():
            return pl.Series(column.to_numpy())
        series: pl.Series = column.to_polars()
        if series.dtype != pl.Object:
            return series
    except ImportError:  # pandas without pyarrow: value by value
        with suppress(TypeError, pl.exceptions.PolarsError):
            return pl.Series([None if gone else v for v, gone in zip(column, column.is_null(), strict=True)])
    except (TypeError, ValueError, OverflowError, NotImplementedError, pl.exceptions.PolarsError):
        pass
    text = [None if gone else str(value) for value, gone in zip(column, column.is_null(), strict=True)]
    return pl.Series(text, dtype=pl.String)


def polars_frame(frame: object) -> pl.DataFrame:
    """A polars frame from any of the three kinds (no copy where it can be); errors as in `opened`."""
    if isinstance(frame, pl.DataFrame):
        return frame
    table = opened(_flat(frame))
    return pl.DataFrame({str(name): polars_series(table.get_column(name)) for name in table.columns})


def _flat(frame: Any) -> Any:
    """A pandas frame with what its index names as columns.

    Raises
    ------
    DataError
        If its columns have several levels.
    """
    if frame_kind(frame) != "pandas" or not hasattr(frame, "columns"):
        return frame
    if frame.columns.nlevels > 1:
        raise DataError("The columns of the frame have several levels", way_out="Give each column one name")
    named = [name for name in frame.index.names if name is not None and name not in frame.columns]
    return frame.reset_index(named) if named else frame


def frame_kind(frame: object) -> Kind:
    """Which of the three kinds a frame is; what is none of them counts as polars."""
    root = type(frame).__module__.split(".")[0]
    return root if root in ("pandas", "pyarrow") else "polars"  # type: ignore[return-value]


def as_kind(table: pl.DataFrame, kind: Kind) -> Any:
    """A polars table as the asked-for kind; pandas needs no pyarrow for it."""
    if kind == "polars":
        return table
    if kind == "pyarrow":
        return table.to_arrow()
    columns = {
        name: series.to_list() if series.dtype == pl.String else series.to_numpy()
        for name, series in zip(table.columns, table.get_columns(), strict=True)
    }
    return nw.from_dict(columns, backend="pandas").to_native()
