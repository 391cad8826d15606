"""Random effects of a model: how their conditional modes are distributed, and how two of them go together."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from dyadline.report.document import Figure
from dyadline.report.figures.axes import COUNT, INK, TIME, VALUE, Spec, chart, faded, individual_chart, short, tooltip
from dyadline.report.figures.diagnostics import HEIGHT, ROW, WIDTH, histogram_panel
from dyadline.report.labels import model_words
from dyadline.report.numbers import proportion
from dyadline.report.tables.models import LEVELS, random_words


def random_effect_plots(tables: Mapping[str, pl.DataFrame], model: int) -> Figure | None:
    """A histogram per effect, and counts over two effects; ``None`` where no effect varies.

    Parameters
    ----------
    tables
        ``random_effect_histogram, random_effect_pairs, random_effect_correlations`` of a result.
    model
        Number of the model.
    """
    of_model = pl.col("model") == model
    counts = tables["random_effect_histogram"].filter(of_model)
    if counts.is_empty():
        return None
    panels = []
    for (group, effect), part in counts.group_by(["group", "effect"], maintain_order=True):
        words = random_words((str(effect),))
        title = f"{words}, {LEVELS.get(str(group), str(group))}"
        panels.append(histogram_panel(part, title, words, _units(str(group))))
    for (group, one, other), part in (
        tables["random_effect_pairs"].filter(of_model).group_by(["group", "effect", "with_effect"], maintain_order=True)
    ):
        found = tables["random_effect_correlations"].filter(
            of_model, pl.col("group") == group, pl.col("effect") == one, pl.col("with_effect") == other
        )
        panels.append(_pair_panel(part, str(group), str(one), str(other), found["correlation"].item()))
    title = model_words(model)[0]
    return Figure(
        key="random-effects",
        caption=f"Random effects of {title}: conditional modes of the intercepts and slopes, that is, how far each "
        "group lies from what its predictors let expect. Squares: how many have both values.",
        alt=f"Histograms of the random effects of {title}, and a table of squares of two effects together.",
        spec=chart({"concat": panels, **ROW}),
    )


def _units(group: str) -> str:
    words = LEVELS.get(group, group).split(" (")[0]
    return f"{words[:1].upper()}{words[1:]}"


def _pair_panel(frame: pl.DataFrame, group: str, one: str, other: str, correlation: float) -> Spec:
    first, second = random_words((one,)), random_words((other,))
    keys = ("low", "high", "with_low", "with_high", "n")
    values = [dict(zip(keys, row, strict=True)) for row in frame.select(keys).iter_rows()]
    most = max(v["n"] for v in values)
    for v in values:
        v |= {"x": (v["low"] + v["high"]) / 2, "y": (v["with_low"] + v["with_high"]) / 2}
    domains = [[min(v[a] for v in values), max(v[b] for v in values)] for a, b in (keys[:2], keys[2:4])]
    x: Spec = {
        "type": "quantitative",
        "title": first,
        "axis": {"grid": False, "tickCount": 5, "labelFlush": False},
        "scale": {"domain": domains[0], "nice": False, "zero": False},
    }
    y: Spec = {
        "type": "quantitative",
        "title": second,
        "axis": {"grid": False, "tickCount": 5, "labelFlush": False},
        "scale": {"domain": domains[1], "nice": False, "zero": False},
    }
    said = tooltip(
        ("low", f"{first}, from", TIME),
        ("high", "to", TIME),
        ("with_low", f"{second}, from", TIME),
        ("with_high", "to ", TIME),
        ("n", _units(group), COUNT),
    )
    shade: Spec = {
        "field": "n",
        "type": "quantitative",
        "legend": None,
        "scale": {"domain": [0, most], "range": ["#f2f5f7", "#3c5a6e"], "interpolate": "rgb"},
    }
    return {
        "title": {"text": f"Both, {LEVELS.get(group, group)}", "subtitle": f"r = {proportion(correlation)}"},
        "width": WIDTH,
        "height": HEIGHT,
        "data": {"values": values},
        "layer": [
            {
                "mark": {"type": "rect", "stroke": "white", "strokeWidth": 0.7},
                "encoding": {
                    "x": {**x, "field": "low"},
                    "x2": {"field": "high"},
                    "y": {**y, "field": "with_low"},
                    "y2": {"field": "with_high"},
                    "color": shade,
                    "tooltip": said,
                },
            },
            {
                "mark": {"type": "text", "fontSize": 10},
                "encoding": {
                    "x": {**x, "field": "x"},
                    "y": {**y, "field": "y"},
                    "text": {"field": "n", "type": "quantitative"},
                    "color": {"condition": {"test": f"datum.n > {most / 2}", "value": "white"}, "value": INK},
                },
            },
        ],
    }


def random_effects_of_dyads(modes: pl.DataFrame, pseudonyms: pl.DataFrame, model: int) -> Figure | None:
    """Intercept and slope of each dyad under its pseudonym; ``None`` where they do not both vary.

    Parameters
    ----------
    modes
        ``level, effect, mode, std_error`` of the dyads: see `dyadline.inference.modes`.
    pseudonyms
        ``dyad, pseudonym``.
    model
        Number of the model.
    """
    effects = modes["effect"].unique(maintain_order=True).to_list()
    if len(effects) != 2:
        return None
    wide = modes.pivot(on="effect", index="level", values="mode").join(pseudonyms, left_on="level", right_on="dyad")
    first, second = (random_words((effect,)) for effect in effects)
    values = [
        {"dyad": who, "x": short(a), "y": short(b)} for who, a, b in wide.select("pseudonym", *effects).iter_rows()
    ]
    axis = {"type": "quantitative", "axis": {"grid": False}, "scale": {"zero": False}}
    title = model_words(model)[0]
    return Figure(
        key="random-effects-of-dyads",
        caption=f"Random intercept and slope of each dyad in {title} (conditional modes).",
        alt=f"Scatter plot of the random slopes against the random intercepts of {title}, one point per dyad.",
        spec=individual_chart(
            {
                "data": {"values": values},
                "width": 420,
                "height": 300,
                "mark": {"type": "point", "filled": True, "size": 60, "color": INK},
                "encoding": {
                    "x": {**axis, "field": "x", "title": first},
                    "y": {**axis, "field": "y", "title": second},
                    "opacity": faded(0.75),
                    "tooltip": tooltip(("dyad", "Dyad"), ("x", first, VALUE), ("y", second, VALUE)),
                },
            }
        ),
        individual=True,
    )
