"""Random designs of two and three levels: an optimum, a named boundary or a sentence, never a crash.

The full run, 10,000 designs against restarts and L-BFGS-B, is ``make certify``.
"""

from __future__ import annotations

import numpy as np
import pytest

import dyadline as dl
import random_designs
import referee
from dyadline.inference.boundary import boundary_words


def arrays(fit: dl.Fit):
    """Standardised y, X and blocks of a fit, for the referee."""
    rows, levels = fit.design.source.rows(), fit.design.structure.levels
    dyads = np.repeat(np.arange(len(rows.starts)), np.diff(np.append(rows.starts, len(rows.columns))))
    places = [(rows.random, dyads)] + ([] if rows.above is None else [(rows.above, rows.unit[dyads])])
    blocks = []
    for (columns, codes), level in zip(places, levels, strict=True):
        begin = 0
        for size in level.blocks:
            blocks.append((columns[:, begin : begin + size], codes))
            begin += size
    return rows.columns[:, -1], rows.columns[:, :-1], blocks


@pytest.mark.parametrize("number", range(42))
def test_an_optimum_or_a_sentence(number):
    one = random_designs.design(number)
    try:
        fit = dl.fit(one.formula, one.frame, method=one.method)
    except dl.FitError:  # in words; anything else fails the test
        return
    assert bool(boundary_words(fit)) == fit.singular
    dl.coefficients(fit)
    dl.variance_components(fit)
    if number % 6 < 2 and fit.n_rows < 60:
        y, X, blocks = arrays(fit)
        best = referee.optimum(y, X, blocks, fit.method, starts=2, seed=number)
        assert fit.solution.evaluation.criterion(fit.method) <= best.criterion + 1e-7


def test_as_many_effects_as_rows_are_refused_in_words():
    one = random_designs.design(70)  # two or fewer rows per dyad, three random effects
    with pytest.raises(dl.FitError, match=r"as many as the rows leave room for.*Use fewer random effects"):
        dl.fit(one.formula, one.frame, method=one.method)


def test_fewer_rows_than_predictors_are_refused_in_words():
    one = random_designs.design(3486)
    with pytest.raises(dl.FitError, match=r"fixed effects but only \d+ complete rows"):
        dl.fit(one.formula, one.frame, method=one.method)
