"""How far the two raters are apart, by occasion."""

from __future__ import annotations

import polars as pl

from dyadline.report.document import Figure
from dyadline.report.figures.aggregates import by_occasion, least_of, left_out, means, quantiles, sentences
from dyadline.report.figures.axes import (
    COUNT,
    GREY,
    INK,
    TIME,
    VALUE,
    AxisTitles,
    Spec,
    chart,
    faded,
    individual_chart,
    time_axis,
    tooltip,
    value_axis,
    widened,
)
from dyadline.report.figures.spaghetti import points, some_dyads
from dyadline.report.numbers import number


def discrepancy_title(kind: str) -> str:
    """``absolute discrepancy between …`` as the title of an axis: ``Absolute discrepancy``."""
    return f"{kind[:1].upper()}{kind[1:]}".split(" between")[0]


def mean_discrepancy(
    discrepancies: pl.DataFrame, *, titles: AxisTitles, kind: str, pseudonyms: pl.DataFrame | None = None
) -> Figure | None:
    """Mean discrepancy by occasion with its 95 % confidence interval.

    Parameters
    ----------
    discrepancies
        ``dyad, time, discrepancy``.
    titles
        Of the axes.
    kind
        Which discrepancy, in words.
    pseudonyms
        ``dyad, pseudonym``: draw a line per dyad under these; ``None`` draws quantiles over dyads.

    Returns
    -------
    ``None`` if no occasion has enough dyads.
    """
    values, grouped = by_occasion(discrepancies, "discrepancy")
    least = least_of(values["dyad"].n_unique())
    mean, bands, lines, chosen = means(values, "discrepancy", least=least), quantiles(values, "discrepancy"), [], ""
    if not mean:
        return None
    if pseudonyms is not None:
        shown, chosen = some_dyads(discrepancies, pseudonyms)
        lines, bands = points(shown, "discrepancy"), []
    everything: list[Spec] = [*mean, *bands, *lines]
    fields = ("mean", "low", "high", "q5", "q95", "q25", "q75", "y")
    x = time_axis(pl.Series([v["x"] for v in everything]), titles.time, each=not grouped)
    y = value_axis([*everything, {"y": 0.0}], discrepancy_title(kind), fields=fields)
    layers = [*_bands(bands, x, y), *_lines(lines, x, y)]
    if any(v.get(f, 0.0) < 0.0 for v in everything for f in fields):
        layers.append({"mark": {"type": "rule", "color": GREY, "strokeWidth": 1}, "encoding": {"y": {"datum": 0}}})
    layers += mean_layers(mean, x, y, said=titles.time)
    ends = f"From {number(mean[0]['mean'])} at the first to {number(mean[-1]['mean'])} at the last occasion."
    tail = ", light band: 5th to 95th percentile" if any("q5" in v for v in bands) else ""
    around = f" Dark band: middle half of the dyads{tail}." if bands else ""
    around = " Thin lines: dyads." if lines else around
    body: Spec = {"width": 680, "height": 260, "layer": layers}
    return Figure(
        key="mean-discrepancy",
        caption=sentences(
            f"Mean {kind} by occasion (line), with its 95% confidence interval (bars).{around}",
            chosen,
            grouped,
            left_out(values, ["discrepancy"], least=least),
        ),
        alt=f"Line chart of the mean {kind} over {titles.time}. {ends}",
        spec=individual_chart(body) if lines else chart(body),
        individual=bool(lines),
    )


def _bands(bands: list[Spec], x: Spec, y: Spec) -> list[Spec]:
    alone = len(bands) == 1
    mark: Spec = {"type": "bar", "width": 40} if alone else {"type": "area"}
    return [
        {
            "data": {"values": bands},
            "transform": [{"filter": f"isValid(datum.{low})"}],
            "mark": {**mark, "color": GREY, "opacity": opacity},
            "encoding": {"x": x, "y": {**y, "field": low}, "y2": {"field": high}},
        }
        for low, high, opacity in (("q5", "q95", 0.16), ("q25", "q75", 0.32))
        if bands
    ]


def _lines(lines: list[Spec], x: Spec, y: Spec) -> list[Spec]:
    if not lines:
        return []
    encoding = {
        "x": x,
        "y": {**y, "field": "y"},
        "detail": {"field": "dyad"},
        "opacity": faded(0.4),
        "strokeWidth": widened(0.8),
        "tooltip": tooltip(("dyad", "Dyad")),
    }
    return [{"data": {"values": lines}, "mark": {"type": "line", "color": GREY}, "encoding": encoding}]


def mean_layers(mean: list[Spec], x: Spec, y: Spec, *, said: str) -> list[Spec]:
    """Line, points and bars of means and their intervals (``x, n, mean, low, high``)."""
    hint = tooltip(
        ("x", said, TIME),
        ("mean", "Mean", VALUE),
        ("low", "95% CI from", VALUE),
        ("high", "to", VALUE),
        ("n", "Dyads", COUNT),
    )
    data: Spec = {"values": mean}
    return [
        {
            "data": data,
            "mark": {"type": "rule", "color": INK, "strokeWidth": 1.5},
            "encoding": {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}},
        },
        {
            "data": data,
            "mark": {"type": "line", "color": INK, "strokeWidth": 2},
            "encoding": {"x": x, "y": {**y, "field": "mean"}},
        },
        {
            "data": data,
            "mark": {"type": "point", "color": INK, "filled": True, "size": 45, "opacity": 1},
            "encoding": {"x": x, "y": {**y, "field": "mean"}, "tooltip": hint},
        },
    ]
