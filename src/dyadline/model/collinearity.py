"""Fixed columns that repeat each other: which, in words, before anything is fitted."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dyadline.engine.moments import Array
from dyadline.errors import FitError

SUSPECT = 1e-8
"""Share of a column's sum of squares not explained by the columns before it that calls for a closer look."""

DEPENDENT = 1e-9
"""Share of a column's length (by orthogonalisation of the rows) below which it is a combination of others."""


NEAR = 1e-4
"""Share of a column's sum of squares below which cross-products lose digits that the rows still have."""

SHOWN = 3
"""Combinations in a message at most."""


def refuse_collinear(gram: Array, x: Callable[[], Array], terms: tuple[str, ...], to_fixed: Array) -> bool:
    """Raise if a column is an exact combination of earlier ones; say whether one is nearly so.

    Parameters
    ----------
    gram
        X'X of the standardised columns, (p, p).
    x
        Gives the columns themselves, (n, p); asked only if the cross-products are suspicious.
    terms
        Names, (p,).
    to_fixed
        From standardised to named coefficients, (p, p).

    Raises
    ------
    FitError
        Naming the combination.
    """
    size = np.sqrt(np.maximum(np.diag(gram), 1e-300))
    scaled = gram / np.outer(size, size)
    try:
        root = np.linalg.cholesky(scaled)
        smallest = float(np.diag(root).min()) ** 2
        if smallest > SUSPECT:
            return smallest < NEAR
    except np.linalg.LinAlgError:
        pass
    columns = x()
    columns = columns / np.sqrt(np.maximum((columns**2).sum(axis=0), 1e-300))
    upper = np.linalg.qr(columns, mode="r")
    remainder = np.abs(np.diag(upper))
    dependent = np.flatnonzero(remainder < DEPENDENT)
    if not len(dependent):
        return True
    found = {int(number): _combination(columns, int(number), to_fixed, size) for number in dependent}
    # Products of a superfluous column are superfluous too; its own combination says it all.
    told = [n for n, weights in found.items() if not any(weights[m] for m in found if m != n)] or list(found)
    words = [_equation(n, found[n], terms) for n in told[:SHOWN]]
    more = f"; and {len(told) - SHOWN} more" if len(told) > SHOWN else ""
    raise FitError(
        f"The fixed effects repeat each other: {'; '.join(words)}{more}", way_out="Leave one of the named terms out"
    )


def _combination(columns: Array, number: int, to_fixed: Array, size: Array) -> Array:
    """Weights of the named columns, (p,), whose sum is the column with this number; its own weight is zero."""
    weights = np.linalg.lstsq(columns[:, :number], columns[:, number], rcond=1e-10)[0]
    null = np.zeros(len(size))
    null[:number], null[number] = -weights, 1.0
    # Xt·(null/size) = 0 for the standardised columns, hence X·(to_fixed · null/size) = 0 for the named ones.
    named = to_fixed @ (null / size)
    named = -named / named[number]
    named[number] = 0.0
    named[np.abs(named) < 1e-7] = 0.0
    return np.asarray(named)


def _equation(number: int, weights: Array, terms: tuple[str, ...]) -> str:
    """``c = a − 2·b``."""
    parts: list[str] = []
    for term, weight in zip(terms, weights, strict=True):
        if weight == 0.0:
            continue
        value = abs(float(weight))
        times = "" if abs(value - 1.0) < 1e-6 else f"{value:.4g}·"
        sign = ("− " if weight < 0 else "+ ") if parts else ("−" if weight < 0 else "")
        parts.append(f"{sign}{times}{term}")
    return f"{terms[number]} = {' '.join(parts)}" if parts else f"{terms[number]} is zero in every row"
