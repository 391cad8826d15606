"""What it means that a fit ends on the boundary: which variance is zero, which correlation is ±1."""

from __future__ import annotations

import numpy as np

from dyadline.engine.boundary import still
from dyadline.model.fit import Fit, random_covariance


def boundary_words(fit: Fit) -> str:
    """The boundary in words: ``the variance of t over dyad is zero``; empty for an interior fit."""
    words = []
    several = len(fit.design.groupings) > 1
    for level, grouping in enumerate(fit.design.groupings):
        over = f" over {grouping.name}" if several else ""
        begin = 0
        for size in fit.design.structure.levels[level].blocks:
            block = slice(begin, begin + size)
            begin += size
            relative = np.asarray(fit.solution.relative[level][block, block])
            if not still(np.asarray(np.linalg.eigvalsh(relative), dtype=np.float64)).any():
                continue
            effects, variances = grouping.effects[block], relative.diagonal()
            zero = [
                e for e, gone in zip(effects, still(np.append(variances, variances.max()))[:-1], strict=True) if gone
            ]
            if zero:
                words.append("the variance of " + " and of ".join(zero) + over + " is zero")
            elif size == 2:
                sign = "−1" if random_covariance(fit)[level][block, block][0, 1] < 0 else "+1"
                words.append(f"the correlation of {effects[0]} and {effects[1]}{over} is {sign}")
            else:
                words.append(f"the random effects {', '.join(effects)}{over} are linearly dependent")
    return "; ".join(words)
