"""Documents for the page: figures of single dyads that are linked, and names that try to be more than names."""

from __future__ import annotations

from typing import Any

from dyadline.report.document import (
    Cell,
    Column,
    Document,
    Equation,
    Figure,
    Heading,
    Paragraph,
    Row,
    RowGroup,
    Section,
    Source,
    Table,
)

PSEUDONYMS = ("D001", "D002", "D003")
EVIL = "</script><script>window.hit = 1</script>"
EVIL_ATTRIBUTE = "\"><img src=x onerror='window.hit = 1'>"
EVIL_CALL = "constructor.constructor('window.hit = 1')()"
RIGHT_TO_LEFT = "ברית טיפולית (מטופל)"
LONG = "session_by_session_" * 11


def dyad_figure(key: str, *, slope: float) -> Figure:
    """One line per dyad, with the parameter ``dyad`` that the page sets."""
    chosen = {"test": "datum.dyad === dyad", "value": 4}
    values = [
        {"dyad": dyad, "x": x, "y": 2.0 * place + slope * x}
        for place, dyad in enumerate(PSEUDONYMS)
        for x in range(1, 5)
    ]
    axis = {"type": "quantitative", "scale": {"zero": False}}
    x = {"field": "x", "title": "Session", **axis}
    y = {"field": "y", "title": f"Rating {key}", **axis}
    line = {
        "mark": {"type": "line", "color": "#0072B2"},
        "encoding": {"x": x, "y": y, "detail": {"field": "dyad"}, "strokeWidth": {"condition": chosen, "value": 1}},
    }
    point = {"mark": {"type": "point", "filled": True, "size": 30}, "encoding": {"x": x, "y": y}}
    return _figure(
        key,
        {"data": {"values": values}, "layer": [line, point], "params": [{"name": "dyad", "value": None}]},
        individual=True,
    )


def number_figure(rows: list[dict[str, float]], tooltip: list[dict[str, Any]]) -> Figure:
    """One point per row, with that tooltip."""
    x = {"field": "place", "type": "quantitative"}
    values = [{"place": place, **row} for place, row in enumerate(rows)]
    encoding = {"x": x, "tooltip": tooltip}
    return _figure("numbers", {"data": {"values": values}, "mark": "point", "encoding": encoding, "width": 900})


def linked_document(*figures: Figure) -> Document:
    """Two linked figures and whatever is added."""
    two = (dyad_figure("first", slope=0.5), dyad_figure("second", slope=-0.25))
    return Document(
        title="Linked figures",
        subtitle="Three dyads",
        sections=(Section(key="figures", title="Figures", blocks=(*two, *figures)),),
    )


def hostile_document() -> Document:
    """Every place that takes text has one that would run, or is as long or turned round as text may be."""
    names = (EVIL, EVIL_ATTRIBUTE, EVIL_CALL, RIGHT_TO_LEFT, LONG, "=cmd|' /C calc'!A0", "$\\input{x}$ & 100 % \u2028")
    values = [{"dyad": name, "x": x, "y": x + 1.5} for name in names for x in (1, 2)]
    x = {"field": "x", "type": "quantitative", "title": EVIL}
    y = {"field": "y", "type": "quantitative", "title": LONG}
    colour = {"field": "dyad", "type": "nominal", "legend": {"title": EVIL_ATTRIBUTE}}
    spec = {
        "data": {"values": values},
        "mark": {"type": "line", "tooltip": True},
        "encoding": {"x": x, "y": y, "color": colour},
        "params": [{"name": "dyad", "value": None}],
        "title": EVIL_CALL,
    }
    rows = tuple(Row(label=name, cells=(Cell(value=name, kind="text"), Cell(value=1.5))) for name in names)
    columns = (Column(label=RIGHT_TO_LEFT, align="text"), Column(label=LONG))
    blocks = (
        Heading(title=EVIL),
        Paragraph(heading=EVIL, parts=(EVIL_ATTRIBUTE, Cell(value=EVIL, kind="text"), f" {LONG}")),
        Table(key="names", caption=LONG, stub=EVIL, columns=columns, groups=(RowGroup(rows=rows, label=LONG),)),
        Equation(latex=rf"y = \text{{{LONG}}} + 1", words=EVIL_ATTRIBUTE),
        _figure("hostile", spec, individual=True, words=EVIL_ATTRIBUTE),
        Source(title=EVIL, text=f"{EVIL}\n{LONG}"),
    )
    return Document(title=LONG, subtitle=EVIL, sections=(Section(key="all", title=RIGHT_TO_LEFT, blocks=blocks),))


def _figure(key: str, spec: dict[str, Any], *, individual: bool = False, words: str = "A figure of a test") -> Figure:
    schema = "https://vega.github.io/schema/vega-lite/v5.json"
    return Figure(key=key, caption=words, alt=words, spec={"$schema": schema, **spec}, individual=individual)
