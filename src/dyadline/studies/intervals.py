"""Intervals of simulated shares.

Wilson, E. B. (1927). Probable inference, the law of succession, and statistical inference. Journal of the American
Statistical Association, 22(158), 209–212.
"""

from __future__ import annotations

import numpy as np

from dyadline.engine.moments import Array

NORMAL = 1.959963984540054
"""97.5 % of the standard normal distribution."""


def wilson(hits: Array, n: Array, level: float = 0.95) -> tuple[Array, Array]:
    """Wilson's score interval of a share: the p with ``|hits/n − p| ≤ z √(p(1 − p)/n)``.

    Parameters
    ----------
    hits, n
        Counts.
    level
        Of the interval.
    """
    from scipy.special import ndtri

    z2 = float(ndtri(0.5 + level / 2.0)) ** 2
    hits, n = np.asarray(hits, dtype=float), np.asarray(n, dtype=float)
    centre = (hits + z2 / 2.0) / (n + z2)
    reach = np.sqrt(z2 * (hits * (n - hits) / n + z2 / 4.0)) / (n + z2)
    return np.asarray(np.maximum(centre - reach, 0.0)), np.asarray(np.minimum(centre + reach, 1.0))
