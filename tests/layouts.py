"""Layouts of files, by name: the table and what its plan is to say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from dyadline.data.table import Table


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What is to stand in the plan; a measure as (name, items, range)."""

    layout: str = "long"
    columns: dict[str, Any] = field(default_factory=dict)
    time: dict[str, Any] = field(default_factory=dict)
    raters: dict[str, Any] | None = None
    checks: dict[str, Any] = field(default_factory=dict)
    missing: dict[str, Any] = field(default_factory=dict)
    dyads: dict[str, Any] | None = None
    open: tuple[str, ...] = ()
    said: tuple[str, ...] = ()


Layout = tuple[Table, Table | None, Expected]
LAYOUTS: dict[str, Callable[[], Layout]] = {}


def layout(build: Callable[[], Layout]) -> Callable[[], Layout]:
    LAYOUTS[build.__name__] = build
    return build
