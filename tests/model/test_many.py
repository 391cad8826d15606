"""Many small data sets, a good share of them on the boundary: never an exception, never a lower optimum missed.

The full run, 1,000 data sets against random restarts and lme4, is ``make certify``.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

import dyadline as dl
import referee
import seed_shaped
from oracles.answers import column

NUMBERS = range(30)


def arrays(one: seed_shaped.Simulated, terms: list[str]):
    """y, X and blocks for the referee, built from the names of the terms."""
    X = np.column_stack([column(one.frame, term) for term in terms])
    codes, ones, t = one.frame["g"].to_numpy(), np.ones(one.frame.height), one.frame["t"].to_numpy()
    if "(t || g)" in one.formula:
        blocks = [(ones[:, None], codes), (t[:, None], codes)]
    else:
        blocks = [(np.column_stack([ones, t]) if "(t | g)" in one.formula else ones[:, None], codes)]
    return one.frame["y"].to_numpy(), X, blocks


@cache
def fitted(number: int) -> tuple[seed_shaped.Simulated, dl.Fit]:
    one = seed_shaped.data_set(number, dyads=9, sessions=5)
    return one, dl.fit(one.formula, one.frame, method=one.method)


@pytest.mark.parametrize("number", NUMBERS)
def test_criterion_is_not_above_the_referees_optimum(number):
    one, fit = fitted(number)
    assert fit.converged
    y, X, blocks = arrays(one, list(dl.coefficients(fit)["term"]))
    best = referee.optimum(y, X, blocks, one.method, starts=2, seed=number)
    assert fit.criterion <= best.criterion + 1e-7
    assert fit.criterion == pytest.approx(best.criterion, abs=1e-6)
    variances = dl.variance_components(fit)
    assert variances["estimate"].is_finite().all()


def test_a_good_share_is_on_the_boundary():
    singular = sum(fitted(number)[1].singular for number in NUMBERS)
    assert 8 <= singular <= 22
