"""A line through shares: glm's estimates (tests/oracles/power.R, 17 digits), and Fieller's interval as defined."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from dyadline.studies.power.probit import fieller, probit_line

ORACLE = json.loads((Path(__file__).parents[2] / "oracles" / "power.json").read_text(encoding="utf-8"))["probit"]


def arrays(case):
    return [np.array(case[name], dtype=float) for name in ("x", "successes", "trials")]


@pytest.mark.parametrize("case", ORACLE, ids=lambda c: str(c["x"]))
def test_against_glm(case):
    line, covariance = probit_line(*arrays(case), origin=-1.96)
    assert line == pytest.approx(case["line"], rel=1e-9)
    assert covariance.ravel() == pytest.approx(case["covariance"], rel=1e-6)


def test_a_prior_holds_what_the_shares_do_not():
    one_point = [np.array(values) for values in ([10.0], [80.0], [100.0])]
    line, covariance = probit_line(*one_point, origin=-2.0, origin_sd=1.0)
    assert line[0] == pytest.approx(-2.0, abs=1e-9)
    assert line[0] + 10 * line[1] == pytest.approx(0.8416212335729143, abs=1e-9)  # Φ⁻¹(.8)
    assert covariance[0, 0] == pytest.approx(1.0, abs=1e-9)
    parted = [np.array(values) for values in ([5.0, 10.0], [0.0, 100.0], [100.0, 100.0])]
    line, _ = probit_line(*parted, origin=-2.0, origin_sd=1.0)
    assert np.isfinite(line).all() and line[0] + 5 * line[1] < -1.5 and line[0] + 10 * line[1] > 1.5


@pytest.mark.parametrize("case", ORACLE, ids=lambda c: str(c["x"]))
def test_the_ends_of_the_interval_are_where_the_test_is_just_significant(case):
    line, covariance = probit_line(*arrays(case), origin=-1.96)
    low, high = fieller(line[0] - 0.3, line[1], covariance)
    assert 0 < low < (0.3 - line[0]) / line[1] < high < math.inf
    for end in (low, high):
        z = (line[0] - 0.3 + line[1] * end) / math.sqrt(np.array([1, end]) @ covariance @ np.array([1, end]))
        assert abs(z) == pytest.approx(1.959963984540054, rel=1e-9)


def test_a_slope_that_is_not_significant_bounds_nothing():
    assert fieller(-1.0, 0.1, np.diag([0.01, 0.01])) == (0.0, math.inf)
    assert fieller(-1.0, -0.5, np.diag([0.01, 0.01])) == (0.0, math.inf)
