"""Rubin's rules against mice, and where they have an answer in closed form."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from dyadline.studies.pooling import pool
from truth import agree

ORACLE = json.loads((Path(__file__).parents[1] / "oracles" / "pooling.json").read_text())
WITH = "mice, Rubin's rules"


def compared(found, answer):
    for name, theirs in (
        ("estimate", "estimate"),
        ("std_error", "std_error"),
        ("df", "freedom"),
        ("increase", "increase"),
        ("fraction_missing", "fraction"),
    ):
        expected = np.asarray(answer[theirs], dtype=float)
        agree(WITH, f"{name}, relative", np.max(np.abs(getattr(found, name) / expected - 1.0)), 1e-12)


@pytest.mark.parametrize("answer", ORACLE["cases"], ids=lambda a: f"{a['df']}-{len(a['estimates'])}")
def test_single_estimates(answer):
    estimates = np.array(answer["estimates"])[:, None]
    df = np.inf if answer["df"] is None else answer["df"]
    compared(pool(estimates, np.array(answer["variances"])[:, None], np.full(estimates.shape, df)), answer)


def test_a_linear_model():
    answer = ORACLE["linear"]
    estimates = np.array(answer["estimates"])
    compared(pool(estimates, np.array(answer["variances"]), np.full(estimates.shape, answer["df"])), answer)


def test_complete_data_df_are_the_mean_of_the_fits():
    estimates, variances = np.array([[1.0], [2.0], [4.0]]), np.array([[1.0], [2.0], [3.0]])
    different = pool(estimates, variances, np.array([[10.0], [20.0], [60.0]]))
    assert different.df == pool(estimates, variances, np.full((3, 1), 30.0)).df


def test_nothing_between_leaves_the_single_answer():
    same = pool(np.full((4, 2), 1.5), np.full((4, 2), 0.25), np.array([[np.inf, 40.0]] * 4))
    assert same.estimate.tolist() == [1.5, 1.5]
    assert same.std_error.tolist() == [0.5, 0.5]
    assert same.df[0] == np.inf
    assert same.df[1] == pytest.approx(40 * 41 / 43)  # Barnard and Rubin's df of the observed data
    assert same.increase.tolist() == [0.0, 0.0]
    assert same.fraction_missing[0] == 0.0


def test_by_hand():
    # Two imputations: within 2, between 2 (so 3 with the factor 1.5), total 5, share .6, old df 1/.36.
    found = pool(np.array([[1.0], [3.0]]), np.array([[1.0], [3.0]]), np.full((2, 1), np.inf))
    assert found.std_error**2 == pytest.approx(5.0)
    assert found.increase == pytest.approx(1.5)
    assert found.df == pytest.approx(1 / 0.36)
    assert found.fraction_missing == pytest.approx((1.5 + 2 / (1 / 0.36 + 3)) / 2.5)
