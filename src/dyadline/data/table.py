"""What a file holds before any plan: the values, and what the file says about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from dyadline.errors import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """Values of a column that its file declares missing (SPSS: user-missing).

    Attributes
    ----------
    codes
        Single values; texts in text columns.
    ranges
        Lowest and highest value, both included; infinite where the file says LOWEST or HIGHEST.
    """

    codes: tuple[float | str, ...] = ()
    ranges: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A data file as it was read; every value still stands there, missing codes too.

    Attributes
    ----------
    frame
        The values; numbers and texts as the file has them, dates as dates.
    source
        File name without folder, or ``"frame"``.
    labels
        What a column is about, in the file's own words, where it says so.
    value_labels
        What single values mean, by column.
    declared
        Which values a column's file declares missing, by column.
    findings
        What was recognised while reading: encoding, delimiter, decimal comma, sheet.
    """

    frame: pl.DataFrame
    source: str = "frame"
    labels: Mapping[str, str] = field(default_factory=dict)
    value_labels: Mapping[str, Mapping[float | str, str]] = field(default_factory=dict)
    declared: Mapping[str, Declared] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
