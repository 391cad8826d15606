"""The door for frames: any kind comes in, polars works inside, the same kind goes out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import narwhals as nw
import polars as pl

from dyadline.errors import PlanError

Kind = Literal["polars", "pandas", "pyarrow"]


def polars_frame(frame: object) -> pl.DataFrame:
    """A polars frame from a polars, pandas or pyarrow table (no copy where it can be).

    Raises
    ------
    PlanError
        If it is no such table.
    """
    if isinstance(frame, pl.DataFrame):
        return frame
    if isinstance(frame, pl.LazyFrame):
        return frame.collect()
    try:
        return nw.from_native(frame, eager_only=True).to_polars()  # type: ignore[call-overload,no-any-return]
    except TypeError:
        raise PlanError(
            f"A frame is needed, not {type(frame).__name__}",
            way_out="Hand in a polars, pandas or pyarrow table",
        ) from None


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
