"""Cells that stay empty where there is no number."""

from __future__ import annotations

from dyadline.report.document import Cell


def count_cell(value: int | None) -> Cell | None:
    """A whole number."""
    return None if value is None else Cell(value=value, kind="count")


def percent_cell(share: float | None) -> Cell | None:
    """A share in per cent."""
    return None if share is None else Cell(value=100.0 * share, kind="percent", decimals=1)


def number_cell(value: float | None, decimals: int = 2) -> Cell | None:
    """A number with these decimals."""
    return None if value is None else Cell(value=value, decimals=decimals)


def interval_cell(low: float | None, high: float | None, decimals: int = 2) -> Cell | None:
    """An interval, where both ends are known."""
    return None if low is None or high is None else Cell(value=(low, high), kind="interval", decimals=decimals)


def bounds_cell(low: float | None, high: float | None) -> Cell | None:
    """An interval of a correlation or share, which cannot pass 1 and has no zero before its point."""
    return None if low is None or high is None else Cell(value=(low, high), kind="bounds")
