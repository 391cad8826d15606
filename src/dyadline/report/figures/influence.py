"""What single dyads do to a model's estimates."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from dyadline.report.document import Figure
from dyadline.report.figures.axes import INK, Spec, chart, faded, individual_chart, short, tooltip
from dyadline.report.figures.diagnostics import histogram_panel
from dyadline.report.labels import model_words

CONVERGENCE_TIME = "time:convergence"
WITHOUT = "Convergence × Time, without the dyad"
NUMBER = ",.4~g"


def influence_plots(tables: Mapping[str, pl.DataFrame]) -> Figure | None:
    """Histograms of Cook’s distances and of the effect of convergence on the slope; ``None`` where there are none.

    Parameters
    ----------
    tables
        ``influence, influence_histogram`` of a result.
    """
    counts, ranges = tables["influence_histogram"], tables["influence"]
    if counts.is_empty():
        return None
    panels = []
    for (measure,), part in counts.group_by(["measure"], maintain_order=True):
        if measure == CONVERGENCE_TIME:
            at = ranges.filter(pl.col("term") == CONVERGENCE_TIME)["estimate"].item()
            panels.append(histogram_panel(part, "Convergence × Time", WITHOUT, "Dyads", at=at, of="With all dyads"))
        else:
            panels.append(histogram_panel(part, "All effects", "Cook’s distance", "Dyads"))
    title = model_words(counts["model"][0])[0]
    line = " Line: estimate with all dyads." if len(panels) > 1 else ""
    return Figure(
        key="influence",
        caption=f"What single dyads do to {title}: Cook’s distance of each dyad, and the effect of convergence on the "
        f"slope without it.{line}"
        if line
        else f"What single dyads do to {title}: Cook’s distance of each dyad.",
        alt=f"Histograms over the dyads of {title}, each left out once.",
        spec=chart(
            {"concat": [{**panel, "width": 330} for panel in panels], "columns": 2, "spacing": 75, "bounds": "flush"}
        ),
    )


def influence_of_dyads(
    groups: pl.DataFrame, terms: pl.DataFrame, pseudonyms: pl.DataFrame, model: int
) -> Figure | None:
    """Cook’s distance of each dyad, and the effect of convergence on the slope without it, under its pseudonym.

    Parameters
    ----------
    groups, terms
        ``group, cooks_distance`` and ``group, term, estimate, dfbeta``: see `dyadline.inference.influence`.
    pseudonyms
        ``dyad, pseudonym``.
    model
        Number of the model.

    Returns
    -------
    ``None`` where the model does not have the effect.
    """
    own = terms.filter(pl.col("term") == CONVERGENCE_TIME).drop_nulls("estimate")
    if own.is_empty():
        return None
    joined = (
        own.join(groups.select("group", "cooks_distance"), on="group")
        .with_columns(pl.col("group").cast(pl.String))
        .join(pseudonyms, left_on="group", right_on="dyad")
    )
    values = [
        {"dyad": who, "x": short(x), "y": short(y)}
        for who, x, y in joined.select("pseudonym", "estimate", "cooks_distance").iter_rows()
    ]
    at = short(float(own["estimate"][0] + own["dfbeta"][0]))
    x: Spec = {"type": "quantitative", "title": WITHOUT, "axis": {"grid": False}, "scale": {"zero": False}}
    said = tooltip(("dyad", "Dyad"), ("x", WITHOUT, NUMBER), ("y", "Cook’s distance", NUMBER))
    title = model_words(model)[0]
    return Figure(
        key="influence-of-dyads",
        caption=f"What each dyad does to {title}: Cook’s distance, and the effect of convergence on the slope without "
        "it. Line: estimate with all dyads.",
        alt=f"Scatter plot, one point per dyad, of Cook’s distance against the effect of convergence in {title}.",
        spec=individual_chart(
            {
                "width": 420,
                "height": 300,
                "layer": [
                    {
                        "data": {"values": [{"x": at}]},
                        "mark": {"type": "rule", "color": INK, "strokeWidth": 1},
                        "encoding": {"x": {**x, "field": "x"}},
                    },
                    {
                        "data": {"values": values},
                        "mark": {"type": "point", "filled": True, "size": 60, "color": INK},
                        "encoding": {
                            "x": {**x, "field": "x"},
                            "y": {"field": "y", "type": "quantitative", "title": "Cook’s distance"},
                            "opacity": faded(0.75),
                            "tooltip": said,
                        },
                    },
                ],
            }
        ),
        individual=True,
    )
