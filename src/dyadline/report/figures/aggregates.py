"""Statistics over dyads that give no single dyad away.

Nothing is shown of fewer than five dyads, tails only of twenty or more, and quantiles are weighted means of all
ordered values (Harrell & Davis, 1982), so that none is the value of a dyad.

References
----------
Harrell, F. E., & Davis, C. E. (1982). A new distribution-free quantile estimator. Biometrika, 69, 635–640.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import polars as pl

from dyadline.report.figures.axes import COUNT, INK, TIME, VALUE, Spec, short, tooltip

LEAST = 5
"""Dyads behind anything that is shown."""

LEAST_TAILS = 20
"""Dyads behind a 5th or 95th percentile; of fewer it would be little else than the lowest or highest dyad."""

MOST_OCCASIONS, MOST_PERIODS = 40, 14
"""Occasions that an eye can tell apart, and about how many periods take their place where there are more."""

LEFT_OUT = f"Occasions with fewer than {LEAST} dyads are left out."

BANDS = "Line: median over dyads; dark band: middle half of the dyads; light band: 5th to 95th percentile"


def shares(rows: pl.DataFrame) -> bool:
    """Whether most values (``dyad, time``, a row each) are at occasions that at least five dyads share."""
    sizes = pl.col("dyad").n_unique().over("time")
    return bool(rows["dyad"].n_unique() < LEAST or 2 * rows.filter(sizes >= LEAST).height >= rows.height)


def by_occasion(rows: pl.DataFrame, *columns: str, groups: int = 1) -> tuple[pl.DataFrame, str]:
    """Values of dyads by occasion, or by period where each dyad has its own days or there are too many occasions.

    Parameters
    ----------
    rows
        ``dyad, time`` and the columns.
    columns
        Values.
    groups
        Into how many groups dyads will be divided: periods are longer then.

    Returns
    -------
    values : polars.DataFrame
        ``dyad, time`` and the columns, one row per dyad and occasion; for periods their middle and the dyad's means.
    sentence : str
        What a caption must say of periods; empty for occasions.
    """
    there = rows.filter(pl.any_horizontal(pl.col(*columns).is_not_null()))
    shared = shares(there)
    if shared and there["time"].n_unique() <= MOST_OCCASIONS:
        return there.select("dyad", "time", *columns), ""
    low, high = float(there["time"].min()), float(there["time"].max())  # type: ignore[arg-type]
    edges = round_edges(low, high, most=min(MOST_PERIODS, max(3, there.height // (4 * LEAST * groups))))
    length = float(edges[1] - edges[0])
    middle = (((pl.col("time") - float(edges[0])) / length).floor() + 0.5) * length + float(edges[0])
    periods = there.select("dyad", *columns, time=middle)
    means = periods.group_by("dyad", "time").agg(pl.col(*columns).mean()).sort("dyad", "time")
    why = "there are many occasions" if shared else "dyads have their own occasions"
    said = f"As {why}, values are averaged by dyad over periods of {length:g}."
    return means.select("dyad", "time", *columns), said


def round_edges(low: float, high: float, *, most: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Edges of at most about `most` classes, at multiples of 1, 2 or 5 × 10ᵏ; the last lies above `high`."""
    width = (high - low) / most
    if width <= abs(low) * 1e-12:
        width = (abs(low) or 1.0) / most
    power = 10.0 ** math.floor(math.log10(width))
    step = next(step for step in (power, 2 * power, 5 * power, 10 * power) if step >= 0.7 * width)
    places = np.arange(math.floor(low / step + 1e-9), math.floor(high / step) + 2)
    return np.array([float(f"{place * step:.12g}") for place in places])


def quantile(ordered: np.ndarray[Any, np.dtype[np.float64]], share: float) -> float:
    """Harrell and Davis' quantile of ascending values."""
    return float(_weights(len(ordered), share) @ ordered)


@cache
def _weights(n: int, share: float) -> np.ndarray[Any, np.dtype[np.float64]]:
    from scipy.special import betainc

    return np.diff(betainc((n + 1) * share, (n + 1) * (1 - share), np.arange(n + 1) / n))


def quantiles(values: pl.DataFrame, column: str) -> list[Spec]:
    """Quantiles over dyads by occasion: ``x, n, q25, q50, q75`` and, of enough dyads, ``q5, q95``."""
    found = []
    for (time,), part in values.select("time", column).drop_nulls().sort("time").group_by("time", maintain_order=True):
        ordered = np.sort(part[column].to_numpy())
        if len(ordered) < LEAST:
            continue
        asked = (5, 25, 50, 75, 95) if len(ordered) >= LEAST_TAILS else (25, 50, 75)
        at = {f"q{q}": short(quantile(ordered, q / 100)) for q in asked}
        found.append({"x": time, "n": len(ordered), **at})
    return found


def least_of(dyads: int) -> int:
    """Dyads that a mean needs: five, or two in a study that has fewer than five."""
    return LEAST if dyads >= LEAST else 2


def means(values: pl.DataFrame, column: str, *, least: int = LEAST) -> list[Spec]:
    """Means over dyads by occasion, with their 95 % confidence interval: ``x, n, mean, sd, low, high``."""
    from scipy.special import stdtrit

    value = pl.col(column)
    by_time = values.group_by("time").agg(n=value.count(), mean=value.mean(), sd=value.std()).sort("time")
    found = []
    for time, n, mean, sd in by_time.filter(pl.col("n") >= least).iter_rows():
        reach = float(stdtrit(n - 1, 0.975)) * sd / math.sqrt(n)
        ends = {"low": short(mean - reach), "high": short(mean + reach)}
        found.append({"x": time, "n": n, "mean": short(mean), "sd": short(sd), **ends})
    return found


def left_out(values: pl.DataFrame, columns: Sequence[str], *, least: int = LEAST) -> str:
    """What a caption must say where occasions are not shown or the whole study is tiny; empty otherwise."""
    dyads = values["dyad"].n_unique()
    if least < LEAST:
        return f"The study has {dyads} dyads only: means of so few may give a dyad away."
    counted = values.group_by("time").agg(pl.col(*columns).count()).select(columns)
    few = any(((counted[c] > 0) & (counted[c] < LEAST)).any() for c in columns)
    return LEFT_OUT if few else ""


def sentences(*said: str) -> str:
    """Sentences of a caption, without the empty ones."""
    return " ".join(s for s in said if s)


def bands_panel(values: list[Spec], title: str, colour: str, x: Spec, y: Spec, *, said: str) -> Spec:
    """Median and quantile bands by occasion.

    Parameters
    ----------
    values
        As `quantiles` gives them.
    title, colour
        Of the panel and its bands.
    x, y
        Axes.
    said
        What an occasion is called in the tooltip.
    """
    hint = tooltip(
        ("x", said, TIME),
        ("n", "Dyads", COUNT),
        ("q5", "5th percentile", VALUE),
        ("q25", "25th percentile", VALUE),
        ("q50", "Median", VALUE),
        ("q75", "75th percentile", VALUE),
        ("q95", "95th percentile", VALUE),
    )
    # A band over a single occasion has no area: it is drawn as a bar.
    alone = len({v["x"] for v in values}) < 2
    band: Spec = {"type": "bar", "width": 26} if alone else {"type": "area", "line": False}
    layers: list[Spec] = [
        {
            "transform": [{"filter": f"isValid(datum.{low})"}],
            "mark": {**band, "color": colour, "opacity": opacity},
            "encoding": {"x": x, "y": {**y, "field": low}, "y2": {"field": high}},
        }
        for low, high, opacity in (("q5", "q95", 0.2), ("q25", "q75", 0.4))
    ]
    layers += [
        {
            "mark": {"type": "line", "color": INK, "strokeWidth": 2},
            "encoding": {"x": x, "y": {**y, "field": "q50"}},
        },
        {
            "mark": {"type": "point", "filled": True, "color": INK, "size": 26, "opacity": 1},
            "encoding": {"x": x, "y": {**y, "field": "q50"}, "tooltip": hint},
        },
    ]
    return {"title": title, "width": 330, "height": 210, "data": {"values": values}, "layer": layers}
