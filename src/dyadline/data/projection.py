"""Which columns of a file are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from dyadline.data.table import Table
from dyadline.errors import DataError
from dyadline.words import nearest


def matching(names: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """The names that are wanted, in the order in which they stand.

    Parameters
    ----------
    names
        All columns.
    wanted
        Names, or patterns such as ``wai_*``.

    Raises
    ------
    DataError
        If a name or pattern fits no column.
    """
    found = {pattern: {pattern} if pattern in names else {n for n in names if fnmatchcase(n, pattern)}
             for pattern in wanted}  # fmt: skip
    absent = [pattern for pattern, columns in found.items() if not columns]
    if absent:
        raise DataError(f"There is no column {absent[0]!r} in the data", way_out=nearest(absent[:1], names))
    taken = set().union(*found.values())
    return [name for name in names if name in taken]


def projected(table: Table, wanted: Sequence[str] | None) -> Table:
    """The table with the wanted columns only, or as it is; errors as in `matching`."""
    if wanted is None:
        return table
    names = matching(table.frame.columns, wanted)
    return replace(
        table,
        frame=table.frame.select(names),
        labels={name: label for name, label in table.labels.items() if name in names},
        value_labels={name: labels for name, labels in table.value_labels.items() if name in names},
        declared={name: declared for name, declared in table.declared.items() if name in names},
    )
