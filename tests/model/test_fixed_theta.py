"""Is the formula right? Criterion, fixed effects and sum of squares at a fixed θ, where no optimiser can hide anything.

Against lme4's own deviance function and against the dense referee: pure arithmetic, so to 1e-11.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.linalg import block_diag

import dyadline as dl
import referee
from dyadline.engine.criterion import evaluate
from dyadline.model.fit import Fit, _in_units, estimates
from oracles import answers

FITS = answers.fits()


def at_fixed(fit: Fit, D: list[np.ndarray]) -> tuple[float, np.ndarray, float]:
    """Criterion, fixed effects and r'V⁻¹r of the named columns at relative covariances D."""
    made = fit.design
    to_standard = np.linalg.inv(made.groupings[0].to_random)
    standardised = to_standard @ block_diag(*D) @ to_standard.T
    there = evaluate(made.moments, made.structure, made.structure.theta([standardised]))
    solution = replace(fit.solution, evaluation=there)
    beta, _ = estimates(replace(fit, solution=solution))
    return _in_units(made, solution, fit.method), beta, made.response_scale**2 * there.rss


EXACT = 1e-11


@pytest.mark.parametrize("answer", FITS, ids=lambda a: a["label"])
def test_lme4(answer):
    fit = dl.fit(answer["formula"], answers.frame(answer["data"]), method=answer["method"])
    for at in answer["fixed_theta"]:
        D = answers.relative(answer, at["theta"])
        criterion, _, rss = at_fixed(fit, D)
        assert criterion == pytest.approx(at["criterion"], rel=EXACT)
        assert rss == pytest.approx(at["rss"], rel=EXACT)


@pytest.mark.parametrize("answer", FITS, ids=lambda a: a["label"])
def test_referee(answer):
    fit = dl.fit(answer["formula"], answers.frame(answer["data"]), method=answer["method"])
    y, X, blocks = answers.arrays(answer)
    rng = np.random.default_rng(len(answer["label"]))
    random = []
    for _ in range(3):
        roots = [rng.normal(size=(Z.shape[1],) * 2) / np.sqrt((Z**2).mean(axis=0))[:, None] for Z, _ in blocks]
        random.append([root @ root.T for root in roots])
    for D in [answers.relative(answer, at["theta"]) for at in answer["fixed_theta"]] + random:
        criterion, beta, rss = at_fixed(fit, D)
        assert criterion == pytest.approx(referee.criterion(y, X, blocks, D, answer["method"]), rel=EXACT)
        assert rss == pytest.approx(referee.rss(y, X, blocks, D), rel=EXACT)
        there = referee.solve(y, X, blocks, D)
        std_error = np.sqrt(np.diag(there.covariance) * there.rss / len(y))
        assert (np.abs(beta - there.beta) <= EXACT * np.maximum(np.abs(there.beta), std_error)).all()
