"""Simulated responses have the covariance of the model: against the dense V of the referee."""

from __future__ import annotations

import numpy as np
import pytest

import dyadline as dl
import referee
from dyadline.model.fit import estimates, random_covariance
from dyadline.model.simulate import simulate_responses
from oracles import answers, nested

CASES = {
    "three levels": ("y ~ t + (t | dyad) + (1 | therapist)", "therapists", None),
    "unequal variances": ("y ~ t + (1 | dyad)", "serial", "by(phase)"),
    "ar1": ("y ~ t + (t | dyad)", "serial", "ar1(occasion)"),
    "car1": ("y ~ time + (1 | dyad)", "serial_uneven", "car1(time)"),
    "symmetry": ("y ~ t + (0 + t | dyad)", "symmetric", "cs"),
    "negative symmetry": ("y ~ t", "opposed", "cs(| dyad)"),
    "pairs": (
        "y ~ 0 + pat + the + pat_t + the_t + (0 + pat + the | dyad)",
        "raters_small",
        "pairs(rater, session)",
    ),
}


def dense(name: str, fit: dl.Fit) -> np.ndarray:
    """V of the rows of the oracle's data, from the tables' estimates and the definitions."""
    _, data, residual = CASES[name]
    answer = next(
        a
        for a in (*nested.fits("three_level"), *nested.fits("residual"))
        if a["data"] == data and (residual is None or name.split()[-1] in f"{a['structure']} variances")
    )
    frame = answers.frame(data)
    rows = dl.variance_components(fit).to_dicts()
    group = nested.group_codes(frame, ["dyad"])
    blocks = []
    for grouping in fit.design.groupings:
        Z = np.column_stack([answers.column(frame, term) for term in grouping.effects]) if grouping.effects else None
        if Z is not None:
            blocks.append((Z, nested.group_codes(frame, grouping.name.split(":"))))
    variances = [r["estimate"] for r in rows if r["group"] == "Residual"]
    correlation = [r["estimate"] for r in rows if r["group"] == "Residual correlation"]
    R0 = None
    if residual is not None:
        part, _ = nested.residual_structure(answer)
        R0 = part.R0(np.array([*(v / variances[0] for v in variances[1:]), *correlation]))
    G = [g for g in random_covariance(fit) if len(g)]
    if not blocks:
        same = group[:, None] == group[None, :]
        return np.where(same, variances[0] * R0, 0.0)
    return referee.covariance(blocks, G, variances[0], np.arange(frame.height), R0)


@pytest.mark.parametrize("name", CASES)
def test_mean_and_covariance_of_simulated_responses(name):
    formula, data, residual = CASES[name]
    frame = answers.frame(data)
    fit = dl.fit(formula, frame, residual=residual)
    replicates = 4000
    drawn = simulate_responses(fit, replicates, seed=5)
    in_file = np.empty_like(drawn)
    in_file[fit.design.source.row_numbers] = drawn
    V = dense(name, fit)
    X = np.column_stack([answers.column(frame, term) for term in fit.design.terms])
    mean = X @ estimates(fit)[0]
    sd = np.sqrt(np.diag(V))
    z = (in_file.mean(axis=1) - mean) / sd * np.sqrt(replicates)
    assert np.abs(z).max() < 5.0 and z.std() < 1.6
    centred = in_file - mean[:, None]
    found = centred @ centred.T / replicates
    # Standard error of a covariance: √((v_ii v_jj + v_ij²)/R).
    error = np.sqrt((np.outer(sd**2, sd**2) + V**2) / replicates)
    assert np.abs((found - V) / error).max() < 5.5


def test_the_same_seed_gives_the_same_digits():
    fit = dl.fit("y ~ t + (t | dyad)", answers.frame("therapists"))
    assert (simulate_responses(fit, 3, seed=9) == simulate_responses(fit, 3, seed=9)).all()
    assert (simulate_responses(fit, 3, seed=9) != simulate_responses(fit, 3, seed=10)).any()


@pytest.mark.parametrize(("replicates", "seed"), [(0, 1), (1, -1)])
def test_what_cannot_be_drawn(replicates, seed):
    fit = dl.fit("y ~ t + (1 | dyad)", answers.frame("therapists"))
    with pytest.raises(dl.PlanError):
        simulate_responses(fit, replicates, seed=seed)
