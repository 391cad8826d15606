"""What the models leave: residuals and random effects, as counts and means that show no single dyad.

Every number belongs to several rows of several dyads: values are sorted and cut into slices, each of at least
`FEWEST` dyads, of which only means are kept; histograms have counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import polars as pl

from dyadline.engine.moments import Array, Index
from dyadline.inference.residuals import residuals
from dyadline.model.fit import Fit
from dyadline.model.predict import conditional_modes
from dyadline.studies.outcome import OutcomeModels

FEWEST = 5
"""Dyads (or therapists) that a number stands for, at least."""

QUANTILES = 99
"""Points of a quantile plot, at most."""

BINS = 20
"""Of fitted values, at most, and of a histogram."""

CELLS = 10
"""Of each side of a histogram over two random effects, at most."""

_MODEL = {"model": pl.Int32}
_EFFECT = {**_MODEL, "group": pl.String, "effect": pl.String}
_COUNTS = {"low": pl.Float64, "high": pl.Float64, "n": pl.Int64}
_QUANTILES = {"n": pl.Int64, "expected": pl.Float64, "observed": pl.Float64}

SCHEMAS: dict[str, dict[str, Any]] = {
    "residual_bins": {
        **_MODEL,
        "n": pl.Int64,
        **dict.fromkeys(("fitted", "mean", "sd"), pl.Float64),
    },
    "residual_quantiles": {**_MODEL, **_QUANTILES},
    "residual_histogram": {**_MODEL, **_COUNTS},
    "random_effect_quantiles": {**_EFFECT, **_QUANTILES},
    "random_effect_histogram": {**_EFFECT, **_COUNTS},
    "random_effect_pairs": {
        **_EFFECT,
        **dict.fromkeys(("low", "high"), pl.Float64),
        "with_effect": pl.String,
        **dict.fromkeys(("with_low", "with_high"), pl.Float64),
        "n": pl.Int64,
    },
    "random_effect_correlations": {**_EFFECT, "with_effect": pl.String, "n": pl.Int64, "correlation": pl.Float64},
}


def diagnostics(models: OutcomeModels) -> dict[str, pl.DataFrame]:
    """Residuals and random effects of each model.

    Returns
    -------
    ``residual_bins``: ``model, n, fitted`` (mean), ``mean, sd`` of the conditional residuals in slices of the fitted
    values. ``residual_quantiles``: ``model, n, expected, observed``: means over slices of
    Blom's (1958) normal scores and of the residuals divided by the residual SD. ``residual_histogram``: ``model, low,
    high, n`` of the latter. ``random_effect_quantiles, random_effect_histogram``: the same of the conditional modes by
    ``group`` and ``effect``, in the quantiles in SDs of the modes. ``random_effect_pairs``: counts over two effects
    of a group; ``random_effect_correlations``: of their modes. Groups of rows or dyads that are too small, and effects
    without variance, are absent.
    """
    parts: dict[str, list[pl.DataFrame]] = {name: [pl.DataFrame(schema=schema)] for name, schema in SCHEMAS.items()}
    for number, fitted in zip(models.numbers, models.fits, strict=True):
        for name, labels, table in (*_of_residuals(fitted), *_of_modes(fitted)):
            whole = table.with_columns(pl.lit(v).alias(k) for k, v in {"model": number, **labels}.items())
            parts[name].append(whole.select(pl.col(k).cast(kind) for k, kind in SCHEMAS[name].items()))
    return {name: pl.concat(tables) for name, tables in parts.items()}


_Part = tuple[str, dict[str, str], pl.DataFrame]


def _of_residuals(fitted: Fit) -> Iterator[_Part]:
    left = residuals(fitted)
    if fitted.n_groups < FEWEST:
        return
    dyad = left["group"].rank("dense").to_numpy()
    height, rest = left["fitted"].to_numpy(), left["residual"].to_numpy()
    yield "residual_bins", {}, _binned(height, rest, dyad)
    yield "residual_quantiles", {}, quantile_pairs(rest / fitted.sigma, dyad)
    yield "residual_histogram", {}, histogram(rest / fitted.sigma)


def _of_modes(fitted: Fit) -> Iterator[_Part]:
    for grouping, modes in zip(fitted.design.groupings, conditional_modes(fitted), strict=True):
        if len(modes) < FEWEST:
            continue
        spread = modes.std(axis=0, ddof=1)
        # An effect without variance has modes of zero, but for rounding.
        varying = np.flatnonzero(spread > 1e-6 * fitted.sigma)
        for k in varying:
            labels = {"group": grouping.name, "effect": grouping.effects[k]}
            scaled = (modes[:, k] - modes[:, k].mean()) / spread[k]
            yield "random_effect_quantiles", labels, quantile_pairs(scaled, np.arange(len(modes)))
            yield "random_effect_histogram", labels, histogram(modes[:, k])
        for one, other in combinations(varying, 2):
            pair = {"group": grouping.name, "effect": grouping.effects[one], "with_effect": grouping.effects[other]}
            both = modes[:, [one, other]]
            correlation = float(np.asarray(np.corrcoef(both, rowvar=False))[0, 1])
            yield "random_effect_pairs", pair, _cells(both)
            yield "random_effect_correlations", pair, pl.DataFrame({"n": [len(both)], "correlation": [correlation]})


def slices(dyads: Index, most: int) -> list[slice]:
    """Sorted rows cut into at most so many equal parts, joined upwards until each has `FEWEST` dyads.

    Parameters
    ----------
    dyads
        Number of each row's dyad, (n,), in the order of the values that are cut.
    most
        How many parts at most.
    """
    edges = np.unique(np.linspace(0, len(dyads), most + 1).round().astype(int))
    cuts = [0]
    for edge in edges[1:].tolist():
        if len(np.unique(dyads[cuts[-1] : edge])) >= FEWEST:
            cuts.append(edge)
    if len(cuts) == 1:
        return []
    cuts[-1] = len(dyads)
    return [slice(a, b) for a, b in pairwise(cuts)]


def _binned(fitted: Array, left: Array, dyads: Index) -> pl.DataFrame:
    order = np.argsort(fitted, kind="stable")
    x, e = fitted[order], left[order]
    rows = [
        {
            "n": part.stop - part.start,
            "fitted": x[part].mean(),
            "mean": e[part].mean(),
            "sd": e[part].std(ddof=1),
        }
        for part in slices(dyads[order], BINS)
    ]
    schema = {k: v for k, v in SCHEMAS["residual_bins"].items() if k != "model"}
    return pl.DataFrame(rows, schema=schema)


def quantile_pairs(values: Array, dyads: Index) -> pl.DataFrame:
    """``n, expected, observed``: means over slices of the normal scores and of the sorted values."""
    from scipy.special import ndtri

    order = np.argsort(values, kind="stable")
    scores = ndtri((np.arange(1, len(values) + 1) - 0.375) / (len(values) + 0.25))
    rows = [
        {"n": part.stop - part.start, "expected": scores[part].mean(), "observed": values[order][part].mean()}
        for part in slices(dyads[order], QUANTILES)
    ]
    return pl.DataFrame(rows, schema=_QUANTILES)


def histogram(values: Array) -> pl.DataFrame:
    """``low, high, n`` in about Freedman and Diaconis' number of bins, between 5 and `BINS`."""
    wanted = len(np.histogram_bin_edges(values, "fd")) - 1 if np.ptp(values) else 1
    counts, edges = np.histogram(values, round_edges(values, int(np.clip(wanted, 5, BINS))))
    return pl.DataFrame({"low": edges[:-1], "high": edges[1:], "n": counts})


def round_edges(values: Array, most: int) -> Array:
    """Edges of about so many bins at round numbers: lowest and highest value are those of one dyad."""
    low, high = float(values.min()), float(values.max())
    least = (high - low) / most or max(abs(high), 1.0)
    power = 10.0 ** np.floor(np.log10(least))
    step = next(m * power for m in (1.0, 2.0, 5.0, 10.0) if m * power >= least * (1.0 - 1e-9))
    return np.asarray(step * np.arange(np.floor(low / step), np.floor(high / step) + 2.0))


def _cells(pairs: Array) -> pl.DataFrame:
    edges = [round_edges(side, CELLS) for side in pairs.T]
    counts, first, second = np.histogram2d(pairs[:, 0], pairs[:, 1], edges)
    i, j = np.nonzero(counts)
    return pl.DataFrame(
        {
            "low": first[i],
            "high": first[i + 1],
            "with_low": second[j],
            "with_high": second[j + 1],
            "n": counts[i, j].astype(int),
        }
    )
