"""Rows that say the same thing twice, where one is needed."""

from __future__ import annotations

import polars as pl

from dyadline.words import SHOWN, listed


def doubled(keys: pl.DataFrame, row: pl.Series) -> tuple[int, str]:
    """How many keys have more than one row, and the rows of the first ones: ``rows 1 and 3; 2 and 4``.

    Parameters
    ----------
    keys
        What has to differ between rows; where part of it is missing, it does not count, (n, k).
    row
        Row numbers in the file, (n,).
    """
    rows = keys.with_columns(row.alias("\x00row")).drop_nulls()
    twice = rows.group_by(keys.columns, maintain_order=True).agg("\x00row").filter(pl.col("\x00row").list.len() > 1)
    first = [listed([str(number) for number in numbers]) for numbers in twice["\x00row"].head(SHOWN).to_list()]
    return twice.height, f"rows {'; '.join(first)}{' ...' if twice.height > SHOWN else ''}"
