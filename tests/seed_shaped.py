"""Simulated data sets in the shape of a therapy study, many of them at the edge of what can be estimated.

Dyads with sessions, drop-out and skipped forms, two predictors of the dyad; the truth is inside, has no slope
variance, a perfect correlation, or no variance between dyads at all. `data_set(number)` is reproducible.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

Kind = Literal["inside", "no slope variance", "correlation ±1", "no variance", "large ICC", "few rows", "uneven"]
KINDS: tuple[Kind, ...] = (
    "inside",
    "no slope variance",
    "correlation ±1",
    "no variance",
    "large ICC",
    "few rows",
    "uneven",
)
FIXED = ("t", "t * (init + conv)", "t * (init + dev * conv)")
RANDOM = ("(t | g)", "(t | g)", "(t || g)", "(t | g)", "(1 | g)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulated:
    """One data set and the model to fit to it."""

    number: int
    kind: Kind
    formula: str
    method: Literal["REML", "ML"]
    frame: pl.DataFrame  # g, t, init, dev, conv, y


def data_set(number: int, *, dyads: int = 96, sessions: int = 14) -> Simulated:
    """Data set `number`; kinds, formulas and methods take turns. ``few rows`` has 5 to 9 dyads whatever is asked."""
    rng = np.random.default_rng([20240, number])
    kind = KINDS[number % len(KINDS)]
    if kind == "few rows":
        dyads, sessions = int(rng.integers(5, 10)), int(rng.integers(4, 7))
    sd0, sd1, correlation, sigma = 5.0, 7.0 / sessions, rng.uniform(-0.6, 0.6), 4.2
    if kind == "no slope variance":
        sd1 = 0.0
    elif kind == "correlation ±1":
        correlation, sd1 = rng.choice([-1.0, 1.0]), 3.0 / sessions
    elif kind == "no variance":
        sd0 = sd1 = 0.0
    elif kind == "large ICC":
        sd0, sd1, sigma = 20.0, 1.0, 0.3
    predictors = rng.normal(size=(dyads, 3))
    z0 = rng.normal(size=dyads)
    z1 = correlation * z0 + np.sqrt(1.0 - correlation**2) * rng.normal(size=dyads)
    last = np.where(rng.random(dyads) < 0.3, rng.integers(1, sessions + 1, dyads), sessions)
    g, t = (axis.ravel() for axis in np.meshgrid(np.arange(dyads), np.arange(sessions), indexing="ij"))
    keep = (t < last[g]) & (rng.random(g.size) > 0.08)
    g, t = g[keep], t[keep].astype(float)
    if kind == "uneven":
        t = np.round(t + rng.uniform(-0.4, 0.4, t.size), 2)
    init, dev, conv = predictors.T
    fixed = FIXED[0] if kind == "few rows" else FIXED[number // 2 % len(FIXED)]
    known = float(fixed != FIXED[0])  # what the model leaves out would be variance between dyads
    slope = -0.7 - known * 0.2 * conv + sd1 * z1
    y = 25.0 + known * (5.0 * init[g] - conv[g]) + sd0 * z0[g] + slope[g] * t + sigma * rng.normal(size=t.size)
    frame = pl.DataFrame({"g": g, "t": t, "init": init[g], "dev": dev[g], "conv": conv[g], "y": y})
    return Simulated(
        number=number,
        kind=kind,
        formula=f"y ~ {fixed} + {RANDOM[number // 3 % len(RANDOM)]}",
        method="REML" if number // 4 % 3 else "ML",
        frame=frame.with_columns(pl.exclude("g").round(4)),
    )
