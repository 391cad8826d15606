"""One resample from moments is the fit of the frame in which the drawn groups stand under new names."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import polars as pl
import pytest

import dyadline as dl
from dyadline.engine import resample
from dyadline.engine.resample import Clusters, resamples, shares
from dyadline.engine.solve import Problem, solve
from dyadline.model import residual as residual_rows
from dyadline.model.fit import Fit, _in_units, estimates
from oracles import answers
from truth import agree

ORACLE = "fits of frames with renamed copies of groups: resamples"


@dataclass(frozen=True)
class Case:
    formula: str
    data: str
    group: str
    residual: str | None = None
    method: str = "REML"


CASES = (
    Case("y ~ t * (init + dev * conv) + (t | g)", "model3", "g"),
    Case("y ~ t + (t || g)", "uncorrelated", "g", method="ML"),
    Case("y ~ t * x + (t | dyad) + (1 | therapist)", "therapists", "therapist"),
    Case("y ~ t + (1 | dyad) + (t | therapist)", "therapist_uneven", "therapist", method="ML"),
    Case("cbind(patient, therapist) ~ t + (t | dyad)", "raters", "dyad"),
    Case("cbind(patient, therapist) ~ t + (1 | dyad) + (1 | th)", "raters", "th"),
    Case("y ~ 0 + rater + (1 | dyad)", "raters", "dyad", "by(rater)"),
    Case("y ~ t + (1 | dyad)", "serial", "dyad", "ar1(occasion)"),
    Case("y ~ t", "serial", "dyad", "ar1(occasion | dyad)"),
    Case("y ~ t + (1 | dyad) + (1 | therapist)", "serial_nested", "therapist", "ar1(occasion)"),
    Case("y ~ time + (1 | dyad)", "serial_uneven", "dyad", "car1(time)"),
    Case("y ~ t + (0 + t | dyad)", "symmetric", "dyad", "cs"),
)
every = pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c.data}-{c.formula.replace(' ', '')}-{c.residual}")


def frame_of(case: Case) -> pl.DataFrame:
    frame = answers.frame(case.data)
    if "cbind" in case.formula:
        frame = frame.pivot("rater", index=["dyad", "session", "t"], values="y")
        return frame.with_columns(th=pl.col("dyad").str.slice(1).cast(pl.Int64) // 3)
    return frame


def rebuilt(frame: pl.DataFrame, group: str, labels: list, chosen: np.ndarray) -> pl.DataFrame:
    """The rows of the chosen groups; every copy, and all dyads in it, under a name of its own."""
    inner = [c for c in ("dyad", "g") if c in frame.columns]
    return pl.concat(
        frame.filter(pl.col(group) == labels[number]).with_columns(
            pl.format("{}/{}", pl.lit(copy), pl.col(c)).alias(c) for c in {group, *inner}
        )
        for copy, number in enumerate(chosen)
    )


def resampled(fit: Fit, chosen: list[np.ndarray]) -> list[Problem | None]:
    made, source = fit.design, fit.design.source
    cluster = np.arange(fit.n_groups) if source.unit is None else source.unit
    clusters = Clusters.of(cluster)
    draws = [clusters.drawn(one) for one in chosen]
    counts = np.stack([np.bincount(draw.dyads, minlength=fit.n_groups) for draw in draws]).astype(float)
    sums = np.zeros((len(chosen), 1))
    for part, numbers, groups in source.parts(100 if made.residual.gap is None else source.n):
        forms = () if made.residual.gap is not None else made.residual.forms(numbers, groups)
        forms = forms if made.structure.residual.size else ()
        sums = sums + counts[:, groups] @ shares(part, made.moments.lines[groups], forms)
    problem = Problem(moments=made.moments, structure=made.structure, method=fit.method)
    return list(resamples(problem, sums, draws, counts))


def draws_of(fit: Fit, count: int) -> list[np.ndarray]:
    number = len(fit.design.groupings[-1].labels)
    rng = np.random.default_rng(number)
    return [rng.integers(number, size=number) for _ in range(count)]


def same_fit(fit: Fit, problem: Problem | None, other: Fit) -> None:
    assert problem is not None
    assert problem.moments.n_rows == other.n_rows
    assert problem.moments.n_groups == other.n_groups
    found = solve(problem)
    assert found.converged and other.converged
    made = replace(fit.design, moments=problem.moments, structure=problem.structure)
    criterion = _in_units(made, found, fit.method)
    agree(ORACLE, "criterion at the optimum, relative", abs(criterion / other.criterion - 1.0), 1e-11)
    sigma = made.response_scale * np.sqrt(found.evaluation.variance(fit.method))
    mine, _ = estimates(replace(fit, design=made, solution=found, sigma=float(sigma)))
    beta, covariance = estimates(other)
    agree(ORACLE, "fixed effects / SE", np.abs((mine - beta) / np.sqrt(np.diag(covariance))).max(), 1e-6)


@every
def test_a_resample_is_the_fit_of_the_rebuilt_frame(case):
    frame = frame_of(case)
    fit = dl.fit(case.formula, frame, case.method, residual=case.residual)
    labels = fit.design.groupings[-1].labels.to_list()
    # With four random effects so few dyads ask for all starts of a fit.
    chosen = draws_of(fit, 3 if len(fit.solution.theta) < 10 else 1)
    for one, problem in zip(chosen, resampled(fit, chosen), strict=True):
        other = dl.fit(case.formula, rebuilt(frame, case.group, labels, one), case.method, residual=case.residual)
        same_fit(fit, problem, other)


def test_rows_that_are_weighed_anew_are_drawn_too(monkeypatch):
    frame = answers.frame("serial_nested")
    formula, how = "y ~ t + (1 | dyad) + (1 | therapist)", "ar1(occasion)"
    usual = dl.fit(formula, frame, residual=how)
    chosen = draws_of(usual, 2)
    wanted = resampled(usual, chosen)
    monkeypatch.setattr(residual_rows, "LARGEST_FORMS", 0)
    anew = dl.fit(formula, frame, residual=how)
    assert anew.design.residual.gap is not None
    for one, other in zip(resampled(anew, chosen), wanted, strict=True):
        assert one is not None and other is not None
        assert one.structure.residual == other.structure.residual
        mine, theirs = solve(one), solve(other)
        np.testing.assert_allclose(mine.theta, theirs.theta, atol=1e-7)
        assert mine.minimum.value == pytest.approx(theirs.minimum.value, rel=1e-12)


@every
def test_every_group_once_is_the_design_itself(case):
    fit = dl.fit(case.formula, frame_of(case), case.method, residual=case.residual)
    (problem,) = resampled(fit, [np.arange(len(fit.design.groupings[-1].labels))])
    assert problem is not None
    mine, whole = problem.moments, fit.design.moments
    assert problem.structure == fit.design.structure
    for name in ("total", "within", "counts", "cell", "lines"):
        np.testing.assert_allclose(getattr(mine, name), getattr(whole, name), rtol=1e-11, atol=1e-11)
    if whole.packed is not None and whole.forms is None:
        size = np.abs(whole.packed).max()
        np.testing.assert_allclose(mine.packed, whole.packed, rtol=1e-11, atol=1e-13 * size)


def test_how_many_are_made_together_changes_nothing(monkeypatch):
    case = CASES[0]
    fit = dl.fit(case.formula, frame_of(case))
    chosen = draws_of(fit, 7)
    wanted = resampled(fit, chosen)
    monkeypatch.setattr(resample, "PACKED_AT_ONCE", 1)
    monkeypatch.setattr(resample, "DYADS_AT_ONCE", 5)
    for one, other in zip(resampled(fit, chosen), wanted, strict=True):
        assert one is not None and other is not None
        size = np.abs(other.moments.packed).max()
        np.testing.assert_allclose(one.moments.packed, other.moments.packed, atol=1e-13 * size)


def test_what_a_resample_cannot_tell_is_no_problem_to_solve():
    # Two dyads alone tell what z does, and how residuals vary where z is 1.
    frame = answers.frame("serial").with_columns(z=pl.col("dyad").is_in(["d01", "d02"]).cast(pl.Float64))
    fit = dl.fit("y ~ t + z + (1 | dyad)", frame)
    labels = fit.design.groupings[0].labels.to_list()
    marked = [labels.index(name) for name in ("d01", "d02")]
    plain = [number for number in range(len(labels)) if number not in marked]
    without, with_one = (np.resize(numbers, len(labels)) for numbers in (plain, [marked[0], *plain]))
    absent, present = resampled(fit, [without, with_one])
    assert absent is None and present is not None
    by = dl.fit("y ~ t + (1 | dyad)", frame.with_columns(kind=pl.col("z").cast(pl.String)), residual="by(kind)")
    absent, present = resampled(by, [without, with_one])
    assert absent is None and present is not None
