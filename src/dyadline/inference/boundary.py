"""What it means that a fit ends on the boundary: which variance is zero, which correlation is ±1."""

from __future__ import annotations

import numpy as np

from dyadline.model.fit import Fit, random_covariance

ZERO = 1e-9
"""Relative variances below this share of the largest are zero."""


def boundary_words(fit: Fit) -> str:
    """The boundary in words: ``the variance of t over dyad is zero``; empty for an interior fit."""
    words = []
    several = len(fit.design.groupings) > 1
    for level, grouping in enumerate(fit.design.groupings):
        relative = fit.solution.relative[level]
        over = f" over {grouping.name}" if several else ""
        variances = relative.diagonal()
        zero = [e for e, v in zip(grouping.effects, variances, strict=True) if v < ZERO * max(1.0, variances.max())]
        begin = 0
        if zero:
            words.append("the variance of " + " and of ".join(zero) + over + " is zero")
            continue
        for size in fit.design.structure.levels[level].blocks:
            block = slice(begin, begin + size)
            begin += size
            if not _singular(relative[block, block]):
                continue
            effects = grouping.effects[block]
            if size == 2:
                sign = "−1" if random_covariance(fit)[level][block, block][0, 1] < 0 else "+1"
                words.append(f"the correlation of {effects[0]} and {effects[1]}{over} is {sign}")
            else:
                words.append(f"the random effects {', '.join(effects)}{over} are linearly dependent")
    return "; ".join(words)


def _singular(relative: np.ndarray) -> bool:
    values = np.linalg.eigvalsh(relative)
    return bool(values[0] < 1e-10 * max(1.0, float(values[-1])))
