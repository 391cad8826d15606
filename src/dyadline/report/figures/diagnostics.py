"""Residuals of a model: against fitted values, against the normal distribution, and as a histogram."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from dyadline.report.document import Figure
from dyadline.report.figures.axes import COUNT, GREY, INK, TIME, VALUE, Spec, chart, short, tooltip
from dyadline.report.labels import model_words

WIDTH, HEIGHT = 190, 190

ROW: Spec = {"columns": 3, "spacing": {"column": 62, "row": 70}, "bounds": "flush"}
"""Panels whose frames lie on one line, whatever stands beside them."""


def residual_plots(tables: Mapping[str, pl.DataFrame], model: int) -> Figure | None:
    """Three panels; ``None`` where the study is too small for them.

    Parameters
    ----------
    tables
        ``residual_bins, residual_quantiles, residual_histogram`` of a result.
    model
        Number of the model.
    """
    names = ("residual_bins", "residual_quantiles", "residual_histogram")
    bins, quantiles, counts = (tables[name].filter(pl.col("model") == model) for name in names)
    if bins.height < 2 or quantiles.height < 2:
        return None
    panels = [
        _fitted_panel(bins),
        quantile_panel(quantiles, "Normal quantiles", "Residual, in SD"),
        histogram_panel(counts, "Histogram", "Residual, in SD", "Outcome values"),
    ]
    title = model_words(model)[0]
    return Figure(
        key="residuals",
        caption=f"Residuals of {title} (outcome minus fixed and random effects). Left: mean and one standard deviation "
        f"above and below it, by fitted value, in {bins.height} groups of about {_usual(bins)} outcome values. Middle: "
        f"means of {quantiles.height} groups of the ordered residuals, divided by the residual standard deviation, "
        "against those of the normal distribution; on the line where residuals are normal. Right: their "
        "distribution.",
        alt=f"Three panels on the residuals of {title}: by fitted value, normal quantile plot, histogram.",
        spec=chart({"concat": panels, **ROW}),
    )


def _usual(bins: pl.DataFrame) -> int:
    return round(float(bins["n"].mean()))  # type: ignore[arg-type]


def _fitted_panel(bins: pl.DataFrame) -> Spec:
    values = [
        {
            "x": short(r["fitted"]),
            "mean": short(r["mean"]),
            "low": short(r["mean"] - r["sd"]),
            "high": short(r["mean"] + r["sd"]),
            "sd": short(r["sd"]),
            "n": r["n"],
        }
        for r in bins.iter_rows(named=True)
    ]
    x: Spec = {
        "field": "x",
        "type": "quantitative",
        "title": "Fitted value",
        "scale": {"zero": False, "padding": 8},
        "axis": {"grid": False, "tickCount": 5, "labelFlush": False},
    }
    y: Spec = {"type": "quantitative", "title": "Residual"}
    said = tooltip(
        ("x", "Fitted value, mean", VALUE),
        ("mean", "Residual, mean", VALUE),
        ("sd", "Residual, SD", VALUE),
        ("n", "Outcome values", COUNT),
    )
    return {
        "title": "By fitted value",
        "width": WIDTH,
        "height": HEIGHT,
        "data": {"values": values},
        "layer": [
            _rule_at_zero("y"),
            {
                "mark": {"type": "rule", "color": GREY, "strokeWidth": 1.3},
                "encoding": {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}},
            },
            {
                "mark": {"type": "point", "filled": True, "size": 32, "opacity": 1, "color": INK},
                "encoding": {"x": x, "y": {**y, "field": "mean"}, "tooltip": said},
            },
        ],
    }


def _rule_at_zero(channel: str) -> Spec:
    return {
        "data": {"values": [{"zero": 0}]},
        "mark": {"type": "rule", "color": INK, "strokeWidth": 1},
        "encoding": {channel: {"field": "zero", "type": "quantitative"}},
    }


def quantile_panel(frame: pl.DataFrame, title: str, words: str) -> Spec:
    """Observed against expected normal quantiles with the line of equality; ``n, expected, observed``."""
    values = [{"x": short(r["expected"]), "y": short(r["observed"]), "n": r["n"]} for r in frame.iter_rows(named=True)]
    reach = 1.06 * max(abs(v[key]) for v in values for key in ("x", "y"))
    domain = {"domain": [-reach, reach], "nice": False, "zero": False}
    x: Spec = {
        "field": "x",
        "type": "quantitative",
        "title": "Normal distribution",
        "scale": domain,
        "axis": {"grid": False, "tickCount": 5, "labelFlush": False},
    }
    y: Spec = {"field": "y", "type": "quantitative", "title": words, "scale": domain, "axis": {"tickCount": 5}}
    return {
        "title": title,
        "width": WIDTH,
        "height": HEIGHT,
        "layer": [
            {
                "data": {"values": [{"x": -reach, "y": -reach}, {"x": reach, "y": reach}]},
                "mark": {"type": "line", "color": INK, "strokeWidth": 1},
                "encoding": {"x": x, "y": y},
            },
            {
                "data": {"values": values},
                "mark": {"type": "point", "size": 26, "opacity": 0.9, "color": INK, "strokeWidth": 1},
                "encoding": {
                    "x": x,
                    "y": y,
                    "tooltip": tooltip(
                        ("x", "Normal distribution", VALUE), ("y", words, VALUE), ("n", "Values", COUNT)
                    ),
                },
            },
        ],
    }


def histogram_panel(
    frame: pl.DataFrame, title: str, words: str, counted: str, *, at: float | None = None, of: str = ""
) -> Spec:
    """Bars from counts.

    Parameters
    ----------
    frame
        ``low, high, n``.
    title, words, counted
        Of the panel, of the values and of what is counted.
    at, of
        Where a vertical line stands, and what it is.
    """
    values = [{"low": r["low"], "high": r["high"], "n": r["n"]} for r in frame.iter_rows(named=True)]
    ends = [values[0]["low"], values[-1]["high"]]
    domain = [min(ends[0], at), max(ends[1], at)] if at is not None else ends
    x: Spec = {
        "field": "low",
        "type": "quantitative",
        "title": words,
        "scale": {"domain": domain, "nice": False, "zero": False},
        "axis": {"grid": False, "tickCount": 5, "labelFlush": False},
    }
    y: Spec = {
        "field": "n",
        "type": "quantitative",
        "title": counted,
        "axis": {"tickMinStep": 1, "tickCount": 5},
        "scale": {"domain": [0, max(v["n"] for v in values)], "nice": 5},
    }
    said = tooltip(("low", f"{words}, from", TIME), ("high", "to", TIME), ("n", counted, COUNT))
    layers: list[Spec] = [
        {
            "mark": {"type": "rect", "color": "#9fb4c3", "stroke": "white", "strokeWidth": 0.7},
            "encoding": {"x": x, "x2": {"field": "high"}, "y": y, "y2": {"datum": 0}, "tooltip": said},
        }
    ]
    if at is not None:
        layers.append(
            {
                "data": {"values": [{"at": short(at)}]},
                "mark": {"type": "rule", "color": INK, "strokeWidth": 2},
                "encoding": {
                    "x": {**x, "field": "at"},
                    "tooltip": tooltip(("at", of, ",.4~g")),
                },
            }
        )
    return {"title": title, "width": WIDTH, "height": HEIGHT, "data": {"values": values}, "layer": layers}
