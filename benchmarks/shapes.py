"""The studies that are timed: Model 3's shape, with therapists above the dyads and a second rater beside the first."""

from __future__ import annotations

import numpy as np
import polars as pl

MODEL3 = "y ~ t * (init + pat + the + dev * conv) + (t | g)"
FIXED = "y ~ t * (init + pat + the + dev * conv)"
THREE_LEVELS = "y ~ t * (init + pat + the + dev * conv) + (t | g) + (1 | h)"
BOTH_RATERS = "cbind(y, z) ~ t + (t | g)"


def study(dyads: int, sessions: int = 14, seed: int = 2) -> pl.DataFrame:
    """About 10 % of forms missing, about four dyads per therapist, a second rater z who half agrees with y.

    The seed is one with which statsmodels converges: with about half of them it tries further optimisers and
    gives up after 2 s.
    """
    rng = np.random.default_rng(seed)
    predictors = rng.normal(size=(dyads, 5)) * [1.0, 1.0, 0.7, 0.9, 0.35]
    g, t = (axis.ravel() for axis in np.meshgrid(np.arange(dyads), np.arange(sessions), indexing="ij"))
    keep = rng.random(g.size) > 0.10
    g, t = g[keep], t[keep].astype(float)
    init, pat, the, dev, conv = predictors.T
    b0, b1 = 5.0 * rng.normal(size=dyads), 0.55 * rng.normal(size=dyads)
    slope = -0.75 - 0.3 * dev - 0.25 * conv + 0.2 * dev * conv + b1
    level = 27.0 + 5.7 * init - 0.5 * pat - 0.4 * the + b0
    y = level[g] + slope[g] * t + 4.2 * rng.normal(size=t.size)
    therapists = max(3, dyads // 4)
    h = np.sort(np.r_[np.arange(therapists), rng.integers(0, therapists, dyads - therapists)])
    with_therapist = y + (2.0 * rng.normal(size=therapists))[h][g]
    z = 10.0 + 0.5 * (y - 20.0) + 2.0 * rng.normal(size=dyads)[g] + 0.3 * rng.normal(size=dyads)[g] * t
    dyad_level = {"init": init[g], "pat": pat[g], "the": the[g], "dev": dev[g], "conv": conv[g]}
    frame = pl.DataFrame({"h": h[g], "g": g, "t": t, **dyad_level, "y": y, "y3": with_therapist})
    return frame.with_columns(z=z + 3.0 * rng.normal(size=t.size))
