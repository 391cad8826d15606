"""The door for frames: any kind comes in, polars works inside, the same kind goes out."""

from __future__ import annotations

from collections.abc import Mapping
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
    try:
        series: pl.Series = column.to_polars()
        if series.dtype != pl.Object:
            return series
    except (TypeError, ValueError, NotImplementedError, pl.exceptions.PolarsError):
        pass
    text = [None if gone else str(value) for value, gone in zip(column, column.is_null(), strict=True)]
    return pl.Series(text, dtype=pl.String)


def polars_frame(frame: object) -> pl.DataFrame:
    """A polars frame from any of the three kinds (no copy where it can be); errors as in `opened`."""
    if isinstance(frame, pl.DataFrame):
        return frame
    table = opened(frame)
    return pl.DataFrame({str(name): polars_series(table.get_column(name)) for name in table.columns})


def frame_kind(frame: object) -> Kind:
    """Which of the three kinds a frame is; what is none of them counts as polars."""
    root = type(frame).__module__.split(".")[0]
    return root if root in ("pandas", "pyarrow") else "polars"  # type: ignore[return-value]


def as_kind(columns: Mapping[str, Any], kind: Kind, schema: Mapping[str, Any] | None = None) -> Any:
    """A table of the asked-for kind from columns; `schema` gives polars types where columns may be all missing."""
    table = pl.DataFrame(columns, schema_overrides=dict(schema) if schema else None)
    if kind == "polars":
        return table
    return table.to_pandas() if kind == "pandas" else table.to_arrow()
