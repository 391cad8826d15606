"""The residual structure of some of the rows: the same parameters, log|R| of these rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from dyadline.engine.forms import Form
from dyadline.engine.moments import Array, Index
from dyadline.engine.residual import Autoregressive, CompoundSymmetry, Independent, Pairs, Residual, UnequalVariances


def form_weights(forms: Sequence[Form], starts: Index) -> Array:
    """Sum of each form's weights in each dyad, (J, S): of its rows, of its links, or its own."""
    result = np.zeros((len(starts), len(forms)))
    for number, form in enumerate(forms):
        if form.block is not None:
            result[:, number] += form.block
        for one in (form.diagonal, form.link):
            if one is not None:
                result[:, number] += np.add.reduceat(one, starts)
    return result


def gap_weights(residual: Residual, gap: Index) -> Array:
    """Number of links over each gap of a serial correlation, from the number of each row's gap, −1 for none."""
    assert isinstance(residual, Autoregressive)
    return np.bincount(gap[gap >= 0], minlength=len(residual.gaps)).astype(np.float64)


def counted(residual: Residual, weights: Array) -> Residual:
    """The residual structure of some rows, from the weights of each form over them, (S,), or of each gap alone."""
    counts = tuple(np.rint(weights).astype(int).tolist())
    if isinstance(residual, Independent):
        return residual
    if isinstance(residual, Pairs):
        return replace(residual, n_pairs=counts[0], n_second=counts[4])
    if isinstance(residual, UnequalVariances):
        return replace(residual, counts=counts)
    if isinstance(residual, Autoregressive):
        return replace(residual, counts=counts[-len(residual.gaps) :])
    if isinstance(residual, CompoundSymmetry):
        return replace(residual, counts=counts[1:])
    raise TypeError(f"the rows of residuals of kind {type(residual).__name__} cannot be counted")


def uncounted(residual: Residual, part: Residual) -> Residual:
    """The residual structure without some rows; its parameters keep their meaning."""
    if isinstance(residual, Pairs) and isinstance(part, Pairs):
        return Pairs(residual.n_pairs - part.n_pairs, residual.n_second - part.n_second)
    if isinstance(residual, UnequalVariances | Autoregressive | CompoundSymmetry):
        assert isinstance(part, type(residual))
        left = tuple(a - b for a, b in zip(residual.counts, part.counts, strict=True))
        return replace(residual, counts=left)
    return residual


def estimable(residual: Residual) -> bool:
    """Whether these rows say something of every parameter."""
    if isinstance(residual, Pairs):
        return residual.n_pairs > 0
    if isinstance(residual, UnequalVariances):
        return all(residual.counts)
    if isinstance(residual, Autoregressive | CompoundSymmetry):
        return any(residual.counts)
    return True
