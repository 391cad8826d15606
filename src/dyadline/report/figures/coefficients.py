"""Standardised effects of all models beside each other."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from dyadline.plan.model import ModelSpec
from dyadline.report.document import Figure
from dyadline.report.figures.axes import INK, VALUE, Spec, chart, short, tooltip
from dyadline.report.labels import model_words, terms_in_print

COLOURS = ("#767676", "#11698E", "#B2560D")
SHAPES = ("circle", "square", "diamond")
LONGEST = 32
"""Characters of a predictor's name."""


def coefficient_plot(frame: pl.DataFrame, specs: Sequence[ModelSpec]) -> Figure | None:
    """Standardised estimates with 95 % confidence intervals, the models told apart by shape and colour.

    Parameters
    ----------
    frame
        The table ``standardised`` of a result. Intercepts are left out: they are no effects.
    specs
        The models, from which effects take their names and order.

    Returns
    -------
    ``None`` where there is no effect but time's.
    """
    words = _told_apart({term: label for term, label in terms_in_print(specs).items() if term != "(Intercept)"})
    rows = frame.filter(pl.col("term").is_in(list(words)))
    if rows["term"].n_unique() < 2:
        return None
    models = [model_words(m)[0] for m in frame["model"].unique(maintain_order=True)]
    values = [
        {
            "effect": words[r["term"]],
            "model": model_words(r["model"])[0],
            "x": short(r["estimate"]),
            "low": short(r["conf_low"]),
            "high": short(r["conf_high"]),
        }
        for r in rows.iter_rows(named=True)
    ]
    order = [label for term, label in words.items() if term in set(rows["term"])]
    y: Spec = {
        "field": "effect",
        "type": "nominal",
        "sort": order,
        "title": None,
        "axis": {"labelLimit": 330, "grid": True, "ticks": False, "domain": False, "labelPadding": 8},
        "scale": {"paddingInner": 0.25},
    }
    x: Spec = {
        "field": "x",
        "type": "quantitative",
        "title": "Standardised estimate and 95% confidence interval",
        "axis": {"tickCount": 7, "labelFlush": False},
    }
    field: Spec = {"field": "model", "type": "nominal"}
    offset: Spec = {**field, "sort": models, "scale": {"domain": models}}
    colour = {**field, "scale": {"domain": models, "range": list(COLOURS[: len(models)])}}
    shape = {**field, "scale": {"domain": models, "range": list(SHAPES[: len(models)])}}
    said = tooltip(
        ("effect", "Effect"),
        ("model", "Model"),
        ("x", "Standardised estimate", VALUE),
        ("low", "95% confidence, from", VALUE),
        ("high", "to", VALUE),
    )
    return Figure(
        key="coefficients",
        caption="Standardised fixed effects of the models with 95% confidence intervals: standard deviations of the "
        "outcome per standard deviation, of predictors over dyads, of time and outcome over rows. × Time: effects on "
        "the slope.",
        alt=f"Points with intervals, one row per effect, for {', '.join(models)}; the numbers are those of the models' "
        "table in standard deviations.",
        spec=chart(
            {
                "data": {"values": values},
                "width": 430,
                "height": {"step": 9},
                "layer": [
                    {
                        "mark": {"type": "rule", "color": INK, "strokeWidth": 1},
                        "data": {"values": [{"zero": 0}]},
                        "encoding": {"x": {"field": "zero", "type": "quantitative"}},
                    },
                    {
                        "mark": {"type": "rule", "strokeWidth": 1.6},
                        "encoding": {
                            "x": {**x, "field": "low"},
                            "x2": {"field": "high"},
                            "y": y,
                            "yOffset": offset,
                            "color": colour,
                        },
                    },
                    {
                        "mark": {"type": "point", "filled": True, "size": 55, "opacity": 1},
                        "encoding": {
                            "x": x,
                            "y": y,
                            "yOffset": offset,
                            "color": colour,
                            "shape": shape,
                            "tooltip": said,
                        },
                    },
                ],
            }
        ),
    )


def _told_apart(words: dict[str, str]) -> dict[str, str]:
    """Effects with long names cut, and numbered where that makes two of them the same."""
    short_ones: dict[str, str] = {}
    for term, label in words.items():
        cut = " × ".join(part if len(part) <= LONGEST else f"{part[: LONGEST - 1]}…" for part in label.split(" × "))
        same = sum(one == cut or one.startswith(f"{cut} (") for one in short_ones.values())
        short_ones[term] = f"{cut} ({same + 1})" if same else cut
    return short_ones
