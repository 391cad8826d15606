"""What a figure plots: the rows inside its specification, what their fields are called and how they are written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from dyadline.report.document import Cell, Column, Figure, Kind, Row, RowGroup, Table
from dyadline.report.numbers import decimals_of_spread, words

MOST_ROWS = 60
"""Of a figure whose data are written out below it."""

_SILENT = ("detail", "order", "key", "description", "opacity", "strokeWidth")
_JOINED = ("layer", "concat", "hconcat", "vconcat")

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A field of the data.

    Attributes
    ----------
    name, label
        In the data, and for readers.
    kind, decimals
        How its values are written, as in `Cell`.
    """

    name: str
    label: str
    kind: Kind = "number"
    decimals: int | None = None

    def cell(self, row: Mapping[str, Any]) -> Cell | None:
        """Its value in that row; ``None`` where the row has no such field."""
        if self.name not in row:
            return None
        value = row[self.name]
        return Cell(value=str(value) if self.kind == "text" else value, kind=self.kind, decimals=self.decimals)


def fields(spec: Mapping[str, Any]) -> tuple[Field, ...]:
    """What readers are told of the data: the tooltips' fields, or, if there are no tooltips, those of the axes.

    A tooltip's format becomes the report's own way of writing: ``.2f`` a number of two decimals, ``d`` a count,
    ``~f`` as many decimals as there are.
    """
    rows = [row for _, rows in datasets(spec) for row in rows]
    told = [about for part in _parts(spec, "") for about in _hints(part[1])]
    found = {(about["field"], _title(about)): about.get("format", "") for about in told}
    if found:
        return tuple(_field(name, label, rows, form) for (name, label), form in found.items())
    return _of_axes(spec, rows)


def _of_axes(spec: Mapping[str, Any], rows: Rows) -> tuple[Field, ...]:
    titles: dict[str, str] = {}
    for about in sorted(_encodings(spec), key=lambda about: about.get("type") != "nominal"):
        titles[about["field"]] = titles.get(about["field"]) or _title(about)
    if any("dyad" in row for row in rows):
        titles = {"dyad": "Dyad", **titles}
    all_titles = list(titles.values())
    return tuple(
        _field(name, title if title and all_titles.count(title) == 1 else _spoken(name), rows, "")
        for name, title in titles.items()
        if any(name in row for row in rows)
    )


def datasets(spec: Mapping[str, Any]) -> list[tuple[str, Rows]]:
    """Rows with the title of the panel that they belong to, in the order in which they are drawn."""
    named = spec.get("datasets", {})
    found: list[tuple[str, Rows]] = []
    for title, part in _parts(spec, ""):
        data = part.get("data") or {}
        rows = data.get("values", named.get(data.get("name"), ()))
        if rows and all(rows is not known for _, known in found):
            found.append((title, cast(Rows, rows)))
    return found


def data_tables(figure: Figure) -> tuple[Table, ...]:
    """The figure's data as tables, one per panel; none if they have more than `MOST_ROWS` rows."""
    plotted = datasets(figure.spec)
    if sum(len(rows) for _, rows in plotted) > MOST_ROWS:
        return ()
    known = {field.name: field for field in reversed(fields(figure.spec))}
    ordered = list(reversed(known.values()))
    return tuple(
        _table(f"{figure.key}-data-{n}", title, present, rows)
        for n, (title, rows) in enumerate(plotted, start=1)
        if len(present := [field for field in ordered if any(field.name in row for row in rows)]) > 1
    )


def _table(key: str, title: str, present: Sequence[Field], rows: Rows) -> Table:
    first, others = present[0], present[1:]
    columns = tuple(Column(label=f.label, align="text" if f.kind == "text" else "number") for f in others)
    made = tuple(Row(label=_label(first, row), cells=tuple(f.cell(row) for f in others)) for row in rows)
    return Table(key=key, caption=title, stub=first.label, columns=columns, groups=(RowGroup(rows=made),))


def _label(field: Field, row: Mapping[str, Any]) -> str:
    cell = field.cell(row)
    return "" if cell is None else words(cell)


def _parts(spec: Mapping[str, Any], above: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    title = spec.get("title") or above
    title = title.get("text", "") if isinstance(title, Mapping) else title
    title = " ".join(title) if isinstance(title, list | tuple) else str(title)
    yield title, spec
    for key in _JOINED:
        for inner in spec.get(key, ()):
            yield from _parts(inner, title)
    if isinstance(spec.get("spec"), Mapping):
        yield from _parts(spec["spec"], title)


def _encodings(spec: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for _, part in _parts(spec, ""):
        for channel, about in part.get("encoding", {}).items():
            if channel not in _SILENT and isinstance(about, Mapping) and isinstance(about.get("field"), str):
                yield about


def _hints(part: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    hint = part.get("encoding", {}).get("tooltip") or []
    every = [hint] if isinstance(hint, Mapping) else hint
    return [about for about in every if isinstance(about.get("field"), str)]


def _title(about: Mapping[str, Any]) -> str:
    for holder in (about, about.get("axis"), about.get("legend"), about.get("header")):
        if isinstance(holder, Mapping) and isinstance(holder.get("title"), str):
            return str(holder["title"])
    return ""


def _spoken(name: str) -> str:
    words = name.replace("_", " ")
    return words[:1].upper() + words[1:]


def _field(name: str, label: str, rows: Rows, form: str) -> Field:
    values = [row[name] for row in rows if row.get(name) is not None]
    if not values or not all(isinstance(v, int | float) for v in values):
        return Field(name=name, label=label, kind="text")
    if name in ("p", "p_value"):
        return Field(name=name, label=label, kind="p")
    if fixed := re.search(r"\.(\d)f$", form):
        return Field(name=name, label=label, decimals=int(fixed[1]))
    if form.endswith("d"):
        return Field(name=name, label=label, kind="count")
    if form == "~f" or all(float(v).is_integer() for v in values):
        return Field(name=name, label=label, kind="occasion")
    return Field(name=name, label=label, decimals=decimals_of_spread(_spread(values) or abs(values[0])))


def _spread(values: Sequence[float]) -> float:
    mean = sum(values) / len(values)
    return float((sum((v - mean) ** 2 for v in values) / len(values)) ** 0.5)
