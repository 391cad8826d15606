"""The smallest detectable effect against R: (qt(.975, df) + qt(.8, df)) * se."""

import math

import pytest

from dyadline.inference.detectable import detectable_effect


@pytest.mark.parametrize(
    ("std_error", "df", "expected"),
    [
        (0.46, 94.37, 1.30219957359392),
        (2.44, 93.37, 6.90809370198328),
        (1.0, 10.0, 3.10719668053686),
        (2.5, 4.0, 9.29352420608244),
        (1.0, math.inf, 2.80158521811297),
        (1.0, None, 2.80158521811297),
    ],
)
def test_against_r(std_error, df, expected):
    assert detectable_effect(std_error, df) == pytest.approx(expected, rel=1e-12)


def test_a_study_simulated_at_that_effect_finds_it_in_four_of_five():
    import numpy as np
    from scipy.special import stdtrit

    rng = np.random.default_rng(5)
    n = 40
    data = rng.normal(detectable_effect(1.0, n - 1), math.sqrt(n), size=(20_000, n))
    t = data.mean(axis=1) / (data.std(axis=1, ddof=1) / math.sqrt(n))
    found = np.mean(np.abs(t) > stdtrit(n - 1, 0.975))
    assert found == pytest.approx(0.80, abs=0.012)  # four standard errors of a share of 20,000
