"""Small sets of studies with awkward shapes: what models of dyads' lines are tested on."""

from __future__ import annotations

import numpy as np
import polars as pl


def studies(number: int, *, size: int, dyads: int, occasions: int, slope_variance: float, missing: float, count: int):
    """Times (K,), responses (R, J, K) with holes, and predictors by name, (R, J) each."""
    rng = np.random.default_rng(number)
    t = np.sort(rng.choice(30, occasions, replace=False)).astype(float)
    x = rng.standard_normal((size, dyads, count)) * np.logspace(-1, 2, count)
    lines = rng.standard_normal((size, dyads, 2)) * [7.0, np.sqrt(slope_variance)]
    lines[..., 1] += 0.3 * x[..., 0]
    mean = 30.0 + lines[..., 0, None] + (lines[..., 1, None] - 0.9) * t / 3.0
    y = mean + 4.0 * rng.standard_normal((size, dyads, occasions))
    y[rng.random(y.shape) < missing] = np.nan
    y[:, 0, 1:] = np.nan  # a dyad with one occasion at most
    y[:, 1] = np.nan  # one without any
    x[:, 2, -1] = np.nan  # one that lacks a predictor
    return t, y, {f"x{k}": x[..., k] for k in range(count)}


def frame(t: np.ndarray, y: np.ndarray, x: dict[str, np.ndarray]) -> pl.DataFrame:
    """One study as a long table."""
    dyads, occasions = y.shape
    columns = {name: np.repeat(values, occasions) for name, values in x.items()}
    long = {"dyad": np.repeat(np.arange(dyads), occasions), "t": np.tile(t, dyads), "y": y.ravel(), **columns}
    return pl.DataFrame(long).fill_nan(None).drop_nulls("y")
