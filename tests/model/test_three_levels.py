"""Sessions in dyads in therapists: against lme4 and lmerTest (17 digits) and the dense referee at fixed θ."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import polars as pl
import pytest

import dyadline as dl
import referee
from dyadline.engine.criterion import evaluate
from dyadline.model.fit import Fit, _in_units, estimates, random_covariance
from dyadline.model.predict import conditional_effects
from oracles import answers, nested
from truth import agree

FITS = nested.fits("three_level")
every = pytest.mark.parametrize("answer", FITS, ids=lambda a: a["label"])
interior = pytest.mark.parametrize("answer", [a for a in FITS if not a["singular"]], ids=lambda a: a["label"])
EXACT = 1e-11
LME4, DENSE = "lme4 and lmerTest: three levels", "the dense referee: three levels"


def off(got: float, want: float) -> float:
    """Relative deviation."""
    return abs(got - want) / abs(want)


@cache
def _fit(formula: str, data: str, method: str) -> Fit:
    return dl.fit(formula, answers.frame(data), method=method)


def fitted(answer: answers.Answer) -> Fit:
    return _fit(answer["formula"], answer["data"], answer["method"])


def parts(group: str) -> frozenset[str]:
    """lme4 calls ``(t | therapist/dyad)`` dyad:therapist, we therapist:dyad."""
    return frozenset(group.replace(".", ":").split(":"))  # with two bars VarCorr writes therapist.dyad


def at_fixed(fit: Fit, answer: answers.Answer, D: list[np.ndarray]) -> tuple[float, np.ndarray, float]:
    """Criterion, fixed effects and r'V⁻¹r at relative covariances D, blocks in the oracle's order."""
    made = fit.design
    standardised = []
    for grouping in made.groupings:
        mine = [d for d, b in zip(D, answer["random"], strict=True) if parts(b["group"]) == parts(grouping.name)]
        full, begin = np.zeros((len(grouping.effects),) * 2), 0
        for block in mine:
            full[begin : begin + len(block), begin : begin + len(block)] = block
            begin += len(block)
        back = np.linalg.inv(grouping.to_random)
        standardised.append(back @ full @ back.T)
    there = evaluate(made.moments, made.structure, made.structure.theta(standardised))
    solution = replace(fit.solution, evaluation=there)
    beta, _ = estimates(replace(fit, solution=solution))
    return _in_units(made, solution, fit.method), beta, made.response_scale**2 * there.rss


@every
def test_at_fixed_theta_lme4_and_the_referee_agree(answer):
    fit = fitted(answer)
    y, X, blocks = nested.arrays(answer)
    rng = np.random.default_rng(len(answer["label"]))
    random = []
    for _ in range(2):
        roots = [rng.normal(size=(Z.shape[1],) * 2) / np.sqrt((Z**2).mean(axis=0))[:, None] for Z, _ in blocks]
        random.append([root @ root.T for root in roots])
    for at in answer["fixed_theta"]:
        criterion, _, rss = at_fixed(fit, answer, nested.relative(answer, at["theta"]))
        agree(LME4, "criterion at fixed θ, relative", off(criterion, at["criterion"]), EXACT)
        agree(LME4, "r'V⁻¹r at fixed θ, relative", off(rss, at["rss"]), EXACT)
    for D in random:
        criterion, beta, rss = at_fixed(fit, answer, D)
        wanted = referee.criterion(y, X, blocks, D, answer["method"])
        agree(DENSE, "criterion at fixed θ, relative", off(criterion, wanted), EXACT)
        agree(DENSE, "r'V⁻¹r at fixed θ, relative", off(rss, referee.rss(y, X, blocks, D)), EXACT)
        there = referee.solve(y, X, blocks, D)
        std_error = np.sqrt(np.diag(there.covariance) * there.rss / len(y))
        deviation = np.abs(beta - there.beta) / np.maximum(np.abs(there.beta), std_error)
        agree(DENSE, "fixed effects at fixed θ, relative", deviation.max(), EXACT)


@every
def test_counts_and_ending(answer):
    fit = fitted(answer)
    assert fit.n_rows == answer["n_rows"]
    sizes = {parts(g.name): len(g.labels) for g in fit.design.groupings}
    assert sizes == {parts(name): n for name, n in answer["n_groups"].items()}
    assert fit.converged
    assert fit.singular == answer["singular"]


@every
def test_the_optimum_is_lme4s(answer):
    fit = fitted(answer)
    assert fit.criterion <= answer["criterion"] + 1e-7
    agree(LME4, "criterion at the optimum", abs(fit.criterion - answer["criterion"]), 1e-7)
    table = {row["term"]: row for row in dl.coefficients(fit).to_dicts()}
    for term in answer["terms"]:
        se = answer["std_error"][term]
        want = answer["beta"][term]
        agree(LME4, "fixed effects, relative", abs(table[term]["estimate"] - want) / max(abs(want), se), 1e-6)
        agree(LME4, "standard errors, relative", off(table[term]["std_error"], se), 1e-5)
    agree(LME4, "σ, relative", off(fit.sigma, answer["sigma"]), 1e-6)


@every
def test_variances_at_both_levels(answer):
    rows = dl.variance_components(fitted(answer)).to_dicts()
    floor = 1e-6 * answer["sigma"] ** 2
    variance = {(c["group"], c["term1"]): c["value"] for c in answer["components"] if c["term2"] is None}
    for c in answer["components"]:
        if c["group"] == "Residual":
            got = next(r["estimate"] for r in rows if r["group"] == "Residual")
        else:
            terms = {c["term1"], c["term2"]}
            got = next(
                r["estimate"]
                for r in rows
                if parts(r["group"]) == parts(c["group"]) and {r["term1"], r["term2"]} == terms
            )
        scale = variance[c["group"], c["term1"]]
        if c["term2"] is not None:
            scale = np.sqrt(scale * variance[c["group"], c["term2"]])
        agree(LME4, "(co)variances / SDs", abs(got - c["value"]) / max(scale, floor), 1e-4)


@interior
def test_satterthwaite_freedom_is_lmer_tests(answer):
    got = {row["term"]: row["df"] for row in dl.coefficients(fitted(answer)).to_dicts()}
    for term, df in answer["df"].items():
        agree(LME4, "Satterthwaite df, relative", off(got[term], df), 1e-4)


def test_dyad_numbers_that_start_anew_with_each_therapist_are_resolved_and_told():
    frame = answers.frame("therapist_slopes")  # dyads numbered within therapists
    assert frame["dyad"].n_unique() < frame.select("therapist", "dyad").n_unique()
    resolved = dl.fit("y ~ t + (t | dyad) + (1 | therapist)", frame)
    written = dl.fit("y ~ t + (t | therapist:dyad) + (1 | therapist)", frame)
    assert resolved.criterion == pytest.approx(written.criterion, rel=1e-12)
    (note,) = resolved.design.notes
    assert note.code == "labels-repeat-across-groups" and "which makes 84 of them" in note.words
    assert not written.design.notes


def test_the_order_in_which_the_groupings_are_written_does_not_matter():
    frame = answers.frame("therapists")
    one = dl.fit("y ~ t + (t | dyad) + (1 | therapist)", frame)
    other = dl.fit("y ~ t + (1 | therapist) + (t | dyad)", frame.sample(fraction=1.0, shuffle=True, seed=2))
    assert other.criterion == pytest.approx(one.criterion, rel=1e-12)
    assert [g.name for g in other.design.groupings] == ["dyad", "therapist"]


def test_one_dyad_per_therapist_is_refused_in_words():
    frame = answers.frame("therapists").with_columns(therapist="th " + pl.col("dyad"))
    with pytest.raises(dl.FitError, match="Every therapist has a single dyad"):
        dl.fit("y ~ t + (t | dyad) + (1 | therapist)", frame)


def test_three_level_reference_fits(capsys):
    from test_reference_fits import contract

    status = contract().main("three")
    printed = capsys.readouterr().out
    with capsys.disabled():
        print(f"\n{printed.strip().splitlines()[-1]}")
    assert status == 0, printed


def test_conditional_modes_solve_the_mixed_model_equations():
    """Henderson's equations at the estimates, written out densely."""
    answer = next(a for a in FITS if a["formula"] == "y ~ t * x + (t | dyad) + (1 | therapist)")
    fit = fitted(answer)
    y, X, blocks = nested.arrays(answer)
    # In the order of the oracle's blocks and of the group labels in sorted order.
    columns, inverse = [], []
    levels = conditional_effects(fit)
    truth = {}
    for (Z, codes), block in zip(blocks, answer["random"], strict=True):
        level = next(k for k, g in enumerate(fit.design.groupings) if g.name == block["group"])
        G = random_covariance(fit)[level]
        for j in range(codes.max() + 1):
            columns.append(np.where((codes == j)[:, None], Z, 0.0))
            inverse.append(np.linalg.inv(G))
            truth[level, j] = len(columns) - 1
    W = np.column_stack(columns)
    sizes = np.cumsum([0, *(len(i) for i in inverse)])
    penalty = np.zeros((W.shape[1],) * 2)
    for i, begin in zip(inverse, sizes, strict=False):
        penalty[begin : begin + len(i), begin : begin + len(i)] = i
    beta, _ = estimates(fit)
    C = W.T @ W / fit.sigma**2 + penalty
    u = np.linalg.solve(C, W.T @ (y - X @ beta) / fit.sigma**2)
    spread = np.linalg.inv(C)
    for level, (modes, covariance) in enumerate(levels):
        order = np.argsort(fit.design.groupings[level].labels.to_numpy())
        for j, position in enumerate(order):
            part = slice(sizes[truth[level, j]], sizes[truth[level, j] + 1])
            henderson = "Henderson's mixed-model equations: three levels"
            agree(henderson, "conditional modes", np.abs(modes[position] - u[part]).max(), 1e-9)
            agree(henderson, "their covariances", np.abs(covariance[position] - spread[part, part]).max(), 1e-9)
