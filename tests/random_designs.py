"""Random designs of two and three levels, most of them awkward: tiny, unbalanced, nearly collinear, without variance.

`design(number)` is reproducible. Sizes, formulas, times, predictors and true variances are drawn, so that about half
of the fits end on the boundary and some questions have no answer at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

FIXED = ("1", "t", "t + x", "t * x", "t * (x + z)", "t * x + w", "0 + t", "arm * t")
INNER = ("(1 | d)", "(t | d)", "(t || d)", "(0 + t | d)", "(t + s | d)", "(1 | d) + (0 + t | d)")
OUTER = ("(1 | h)", "(t | h)", "(t || h)", "(0 + t | h)", "(1 | h)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """One data set, the model to fit to it, and what is special about it."""

    number: int
    levels: int
    kind: str
    formula: str
    method: Literal["REML", "ML"]
    frame: pl.DataFrame


def design(number: int) -> Drawn:
    """Design `number`."""
    rng = np.random.default_rng([77, number])
    levels = 2 + number % 2
    kind = ("tiny", "small", "unbalanced", "collinear", "no variance", "large ICC", "scales")[number % 7]
    therapists = int(rng.integers(2, 5) if kind == "tiny" else rng.integers(3, 16))
    dyads = therapists * int(rng.integers(1, 4)) + int(rng.integers(1, 4))
    longest = int(rng.integers(2, 5) if kind == "tiny" else rng.integers(3, 13))
    sizes = rng.integers(1, longest + 1, dyads) if kind in ("tiny", "unbalanced") else np.full(dyads, longest)
    h = np.sort(np.r_[np.arange(therapists), rng.integers(0, therapists, dyads - therapists)])
    d = np.repeat(np.arange(dyads), sizes)
    t = np.concatenate([np.sort(rng.choice(longest + 2, size, replace=False)) for size in sizes]).astype(float)
    if rng.random() < 0.3:
        t = np.round(t + rng.uniform(-0.4, 0.4, t.size), 2)
    x, w = rng.normal(size=dyads)[d], rng.normal(size=t.size)
    z = x + 1e-3 * rng.normal(size=dyads)[d] if kind == "collinear" else rng.normal(size=dyads)[d]
    sd = rng.choice([0.0, 0.0, 0.3, 1.0, 3.0], size=(2, 2))
    sigma = 1.0
    if kind == "no variance":
        sd[:] = 0.0
    elif kind == "large ICC":
        sd, sigma = sd + 2.0, 0.02
    mixing = np.array([[1.0, 0.0], [rng.uniform(-1, 1), 1.0]])
    b, u = ((rng.normal(size=(n, 2)) @ mixing.T) * s for n, s in ((dyads, sd[0]), (therapists, sd[1])))
    y = 3 - 0.5 * t + x + b[d, 0] + u[h[d], 0] + (b[d, 1] + u[h[d], 1]) * t / longest + sigma * rng.normal(size=t.size)
    if kind == "scales":
        y, t = 1e6 + 1e4 * y, t + 2000.0
    frame = pl.DataFrame(
        {
            "h": h[d],
            "d": d,
            "t": t,
            "s": (t - t.mean()) ** 2,
            "x": x,
            "z": z,
            "w": w,
            "arm": np.where(h[d] % 2 == 0, "CBT", "IPT"),
            "y": np.round(y, 4),
        }
    ).sample(fraction=1.0, shuffle=True, seed=number)
    outer = f" + {rng.choice(OUTER)}" if levels == 3 else ""
    return Drawn(
        number=number,
        levels=levels,
        kind=kind,
        formula=f"y ~ {rng.choice(FIXED)} + {rng.choice(INNER)}{outer}",
        method="ML" if rng.random() < 0.3 else "REML",
        frame=frame,
    )
