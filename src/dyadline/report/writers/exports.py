"""Tables as CSV at full precision, figures as files with the data behind them.

Numbers are written so that reading them gives the same number again. Text that a spreadsheet would take for a formula
gets an apostrophe before it. What a person opens begins with a byte order mark: without it Excel takes UTF-8 for the
machine's old code page and shows ``Early alliance Ã— Time``. The tables of the analysis have none, because they are
for programs and not all of these skip it.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dyadline.report.document import Cell, Figure, Row, Table
from dyadline.report.writers import pictures

if TYPE_CHECKING:
    import polars as pl

_BOM = "\ufeff".encode()

_BEGINS = r'^[ "]*[=+\-@＝＋－＠\t\r]'
"""A cell that is computed."""

_WITHIN = r'([;\t\r\n][ "]*)([=+\-@＝＋－＠])'
"""What a spreadsheet that splits at semicolons, tabs or lines takes for the beginning of a cell."""

_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?%?")

_CHARTS = ("concat", "hconcat", "vconcat")

Records = Sequence[Mapping[str, Any]]


def inert(text: str) -> str:
    """Text that no spreadsheet computes: an apostrophe stands before what would begin a formula.

    Parameters
    ----------
    text
        A cell; numbers, negative ones too, stay as they are.
    """
    if _NUMBER.fullmatch(text.strip()):
        return text
    text = re.sub(_WITHIN, r"\1'\2", text)
    return f"'{text}" if re.match(_BEGINS, text) else text


def frame_csv(frame: pl.DataFrame) -> bytes:
    """A frame as CSV: columns of numbers as they are, text that would be a formula inert.

    Parameters
    ----------
    frame
        Columns of numbers, text, truth values and dates.
    """
    import polars as pl

    changed = []
    for column in frame.iter_columns():
        if isinstance(column.dtype, pl.Categorical | pl.Enum):
            column = column.cast(pl.String)
        if column.dtype == pl.String and column.str.contains(f"{_BEGINS}|{_WITHIN}").any():
            column = pl.Series(column.name, [None if v is None else inert(v) for v in column], dtype=pl.String)
        changed.append(column.alias(inert(column.name)))
    return pl.DataFrame(changed).write_csv().encode()


def table_csv(table: Table) -> bytes:
    """A report's table as CSV at full precision.

    Parameters
    ----------
    table
        Its row labels come first, after a column ``group`` where rows have one; a column under a spanner is called
        ``SPANNER: COLUMN``; an interval or range fills two columns, ``COLUMN, low`` and ``COLUMN, high``.
    """
    grouped = any(group.label for group in table.groups)
    heads = [["Group"] if grouped else [], [table.stub or "Row"]]
    parts = [_columns(name, [row.cells[k] for row in table.rows()]) for k, name in enumerate(_names(table))]
    names = _distinct([*heads[0], *heads[1], *(name for columns in parts for name, _ in columns)])
    values = [column for columns in parts for _, column in columns]
    lines = [
        [*([group.label] if grouped else []), row.label, *(column[at] for column in values)]
        for at, (group, row) in enumerate(_rows(table))
    ]
    return _csv(names, lines)


def _rows(table: Table) -> Iterator[tuple[Any, Row]]:
    for group in table.groups:
        for row in group.rows:
            yield group, row


def _names(table: Table) -> Iterator[str]:
    spanners = [spanner.label for spanner in table.spanners for _ in range(spanner.columns)]
    for k, column in enumerate(table.columns):
        over = spanners[k] if spanners else ""
        yield f"{over}: {column.label}" if over else column.label


def _columns(name: str, cells: list[Cell | None]) -> list[tuple[str, list[Any]]]:
    """One column of a table as one of numbers and words, two of bounds, or all three."""
    values = [None if cell is None else cell.value for cell in cells]
    pairs = [value if isinstance(value, tuple) else (None, None) for value in values]
    single = [None if isinstance(value, tuple) else value for value in values]
    made: list[tuple[str, list[Any]]] = []
    bounds = any(isinstance(value, tuple) for value in values)
    if not bounds or any(value is not None for value in single):
        made.append((name, single))
    if bounds:
        made += [(f"{name}, low", [low for low, _ in pairs]), (f"{name}, high", [high for _, high in pairs])]
    return made


def _distinct(names: Iterable[str]) -> list[str]:
    made: list[str] = []
    for name in names:
        n, new = 1, name
        while new in made:
            n, new = n + 1, f"{name} ({n + 1})"
        made.append(new)
    return made


def _csv(names: Sequence[str], lines: Iterable[Sequence[Any]]) -> bytes:
    said = io.StringIO(newline="")
    writer = csv.writer(said, lineterminator="\r\n")  # with either letter in a cell, the cell is quoted
    writer.writerow([inert(name) for name in names])
    writer.writerows([_said(value) for value in line] for line in lines)
    return _BOM + said.getvalue().encode("utf-8", "replace")


def _said(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, str):
        return inert(value)
    if isinstance(value, bool):
        return str(value).lower()
    return repr(float(value)) if isinstance(value, float) else inert(str(value))


def figure_files(figure: Figure) -> dict[str, bytes]:
    """A figure as ``KEY.svg``, ``KEY.pdf``, ``KEY.png`` (300 dpi) and the data behind it.

    Returns
    -------
    File name -> content. The data are ``KEY.csv``, or ``KEY-PANEL.csv`` for each panel with data of its own; where
    several layers have their own, a column ``layer`` counts them from the back.
    """
    pictured = {
        f"{figure.key}.svg": pictures.svg(figure).encode(),
        f"{figure.key}.pdf": pictures.pdf(figure),
        f"{figure.key}.png": pictures.png(figure),
    }
    return pictured | {name: _records_csv(sets) for name, sets in _data_files(figure).items()}


def _data_files(figure: Figure) -> dict[str, list[Records]]:
    spec = figure.spec
    shared = spec.get("datasets", {})
    top = [_values(spec["data"], shared)] if "data" in spec else []
    panels = [panel for kind in _CHARTS for panel in spec.get(kind, ())]
    if not panels:
        return {f"{figure.key}.csv": [*top, *_below(spec, shared)]}
    files = {f"{figure.key}.csv": top} if top else {}
    names = [_panel_name(panel) for panel in panels]
    for n, (panel, name) in enumerate(zip(panels, names, strict=True), start=1):
        own = [_values(panel["data"], shared)] if "data" in panel else []
        sets = [*own, *_below(panel, shared)]
        if sets:
            files[f"{figure.key}-{name if name and names.count(name) == 1 else n}.csv"] = sets
    return files


def _below(spec: Mapping[str, Any], shared: Mapping[str, Records]) -> list[Records]:
    """Data of layers and of panels inside a panel, in the order in which they are drawn."""
    inner = [*spec.get("layer", ()), *(s for kind in _CHARTS for s in spec.get(kind, ()))]
    inner += [spec["spec"]] if isinstance(spec.get("spec"), Mapping) else []
    found: list[Records] = []
    for one in inner:
        found += [_values(one["data"], shared)] if one.get("data") else []
        found += _below(one, shared)
    return found


def _values(data: Mapping[str, Any], shared: Mapping[str, Records]) -> Records:
    return data["values"] if "values" in data else shared.get(data.get("name", ""), ())


def _panel_name(panel: Mapping[str, Any]) -> str:
    title = panel.get("title", "")
    text = title.get("text", "") if isinstance(title, Mapping) else title
    said = " ".join(map(str, text)) if isinstance(text, list | tuple) else str(text)
    return re.sub(r"[^a-z0-9]+", "-", said.lower()).strip("-")[:40].strip("-")


def _records_csv(sets: list[Records]) -> bytes:
    sets = [records for records in sets if records]
    names = list(dict.fromkeys(name for records in sets for record in records for name in record))
    layered = len(sets) > 1
    lines = (
        [*([n] if layered else []), *(record.get(name) for name in names)]
        for n, records in enumerate(sets, start=1)
        for record in records
    )
    return _csv(_distinct(["layer", *names] if layered else names), lines)
