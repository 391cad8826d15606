"""A fit without one of its dyads or therapists: refitted, or by one Newton step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from dyadline.engine.counts import counted, form_weights, gap_weights, uncounted
from dyadline.engine.criterion import evaluate
from dyadline.engine.forms import Rows
from dyadline.engine.levels import Stage
from dyadline.engine.moments import Array, Moments, moments
from dyadline.engine.one_step import Shares, dyad_shares, one_step, shares, staged, within_dyads
from dyadline.engine.optima import Optima, Whole, deviance
from dyadline.engine.refits import by_design, refits
from dyadline.engine.residual import Residual
from dyadline.engine.solve import Problem
from dyadline.engine.without import inestimable, refit, without
from dyadline.errors import FitError
from dyadline.inference.coefficients import tested
from dyadline.model.fit import Fit

ROWS_AT_ONCE = 20_000

GROUPS_AT_ONCE = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A group that goes: its dyads in the design, its moments alone, and its residual structure."""

    groups: slice
    moments: Moments
    residual: Residual


@dataclass(frozen=True, slots=True, kw_only=True)
class Reduced:
    """The optimum without one group, in the design's standardised units.

    Attributes
    ----------
    n_rows
        Rows of the group that went.
    theta, beta, inverse, variance, criterion
        θ, fixed effects, (X'V⁻¹X)⁻¹, σ² and criterion.
    displacement
        By how much the criterion of all rows is larger at these parameters than at its optimum.
    singular, converged, p_value
        Of a refit.
    """

    n_rows: int
    theta: Array
    beta: Array
    inverse: Array
    variance: float
    criterion: float
    displacement: float
    singular: bool | None = None
    converged: bool | None = None
    p_value: Array | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Impossible:
    """Why there is no fit without a group."""

    n_rows: int
    words: str


def parts(fit: Fit, level: int, wanted: Array | None = None) -> Iterator[Part]:
    """The groups of a level one by one, all or some."""
    made, number = fit.design, -1
    for found, rows, groups in made.source.parts(ROWS_AT_ONCE):
        ends = np.append(found.starts, rows.stop - rows.start)
        heads = np.arange(len(found.starts))
        if level == 1 and found.unit is not None:
            heads = np.flatnonzero(np.r_[True, found.unit[1:] != found.unit[:-1]])
        for begin, end in zip(heads.tolist(), [*heads[1:].tolist(), len(found.starts)], strict=True):
            number += 1
            if wanted is None or wanted[number]:
                here = slice(int(ends[begin]), int(ends[end]))
                cut = _cut(found, here, slice(begin, end))
                numbers = slice(rows.start + here.start, rows.start + here.stop)
                yield _part(fit, cut, numbers, slice(groups.start + begin, groups.start + end))


def _cut(rows: Rows, here: slice, groups: slice) -> Rows:
    unit = None if rows.unit is None else rows.unit[groups]
    return Rows(
        columns=rows.columns[here],
        random=rows.random[here],
        starts=rows.starts[groups] - here.start,
        above=None if rows.above is None else rows.above[here],
        unit=None if unit is None else unit - unit[0],
    )


def _part(fit: Fit, cut: Rows, rows: slice, groups: slice) -> Part:
    residual, structure = fit.design.residual, fit.design.structure.residual
    known = moments(cut.columns, cut.random, cut.starts, cut.above, cut.unit)
    if structure.size:
        known = replace(known, forms=residual.accumulated(cut, rows, groups))
        if residual.gap is None:
            weights = form_weights(residual.forms(rows, groups), cut.starts).sum(axis=0)
        else:
            weights = gap_weights(structure, residual.gap[rows])
        structure = counted(structure, weights)
    return Part(groups=groups, moments=known, residual=structure)


def refitted(fit: Fit, part: Part, start: Array, *, p_values: bool = False) -> Reduced | Impossible:
    """The optimum without a group, sought from a θ that is near it."""
    made, full = fit.design, fit.solution
    rest = without(made.moments, part.moments, part.groups)
    structure = replace(made.structure, residual=uncounted(made.structure.residual, part.residual))
    try:
        solution = refit(Problem(moments=rest, structure=structure, method=fit.method), start)
    except FitError as error:
        return Impossible(n_rows=part.moments.n_rows, words=error.what)
    found = solution.evaluation
    variance = found.variance(fit.method)
    everywhere = evaluate(made.moments, made.structure, solution.theta)
    sigma = made.response_scale * float(np.sqrt(variance))
    left = replace(fit, design=replace(made, moments=rest, structure=structure), solution=solution, sigma=sigma)
    return Reduced(
        n_rows=part.moments.n_rows,
        theta=solution.theta,
        beta=found.beta,
        inverse=found.inverse,
        variance=variance,
        criterion=found.criterion(fit.method),
        displacement=deviance(everywhere, found.beta, variance, fit.method) - full.evaluation.criterion(fit.method),
        singular=solution.singular,
        converged=solution.converged,
        p_value=p_values_of(left) if p_values else None,
    )


def p_values_of(fit: Fit) -> Array:
    """Two-sided p of each fixed effect with Satterthwaite's df, (p,)."""
    return tested(fit, np.eye(len(fit.design.terms)), "satterthwaite", 0.95)["p_value"]


def _impossible(fit: Fit, level: int, n_rows: float, total: Array) -> str:
    """Why the rows that are left cannot be fitted; empty if they can. From the rows that go."""
    made = fit.design
    bad = inestimable(made.moments.total, made.moments.total - total)
    if len(bad):
        return f"{', '.join(made.terms[k] for k in bad)} cannot be estimated without it"
    if len(made.groupings[level].labels) < 3 or fit.n_rows - n_rows <= len(made.terms):
        return "too little is left without it"
    return ""


def stepped(fit: Fit, level: int) -> tuple[list[Reduced | Impossible], Array]:
    """All groups by one Newton step, and for which of them it is not to be trusted, (G,)."""
    made, theta, whole = fit.design, fit.solution.theta, _whole(fit)
    stage = staged(made.moments, made.structure, theta)
    found: list[Reduced | Impossible] = []
    doubtful: list[bool] = []
    for gone in _shares(fit, level, theta):
        words = [_impossible(fit, level, n, total) for n, total in zip(gone.n_rows, gone.total, strict=True)]
        fine = np.array([not one for one in words])
        step = one_step(whole, stage, gone.some(fine), made.structure, theta) if fine.any() else None
        place = np.cumsum(fine) - 1
        for number, (n, reason) in enumerate(zip(gone.n_rows.astype(int).tolist(), words, strict=True)):
            if step is None or reason:
                found.append(Impossible(n_rows=n, words=reason))
                doubtful.append(False)
            else:
                found.append(_reduced(step, int(place[number]), n))
                doubtful.append(bool(step.doubtful[place[number]]))
    return found, np.array(doubtful)


def refitted_together(fit: Fit, near: list[Reduced | Impossible]) -> list[Reduced | None]:
    """Refits without each dyad at once, from θ near them; ``None`` where one must be made by itself."""
    made, whole = fit.design, _whole(fit)
    found: list[Reduced | None] = [None] * len(near)
    if made.moments.forms is not None or len(made.structure.levels) > 1:
        return found
    summed = by_design(made.moments)
    if summed is None:
        return found
    for rows, _, groups in made.source.parts(ROWS_AT_ONCE):
        within, n_rows = within_dyads(made.moments, rows, groups)
        known = {j: one for j, one in enumerate(near[groups], groups.start) if isinstance(one, Reduced)}
        if not known:
            continue
        dyads = np.array(list(known))
        here, starts = dyads - groups.start, np.stack([one.theta for one in known.values()])
        done = refits(whole, summed, within[here], n_rows[here], dyads, made.structure, starts)
        for number, (j, one) in enumerate(known.items()):
            if not done.doubtful[number]:
                found[j] = _reduced(done, number, one.n_rows, singular=False, converged=True)
    return found


def _whole(fit: Fit) -> Whole:
    return Whole(n=fit.n_rows, method=fit.method, criterion=fit.solution.evaluation.criterion(fit.method))


def _reduced(
    step: Optima, number: int, n_rows: int, *, singular: bool | None = None, converged: bool | None = None
) -> Reduced:
    return Reduced(
        n_rows=n_rows,
        theta=step.theta[number],
        beta=step.beta[number],
        inverse=step.inverse[number],
        variance=float(step.variance[number]),
        criterion=float(step.criterion[number]),
        displacement=float(step.displacement[number]),
        singular=singular,
        converged=converged,
    )


def _shares(fit: Fit, level: int, theta: Array) -> Iterator[Shares]:
    """What the groups contribute to the criterion's pieces at θ, some at a time."""
    made = fit.design
    if made.moments.forms is None and len(made.structure.levels) == 1:
        for rows, _, groups in made.source.parts(ROWS_AT_ONCE):
            yield dyad_shares(made.moments, rows, groups, made.structure, theta)
        return
    single = _single_shares(fit, level, theta)
    while chunk := list(islice(single, GROUPS_AT_ONCE)):
        yield shares([part.moments for part, _ in chunk], [stage for _, stage in chunk])


def _single_shares(fit: Fit, level: int, theta: Array) -> Iterator[tuple[Part, Stage]]:
    structure = fit.design.structure
    if level == len(structure.levels) - 1:
        for part in parts(fit, level):
            yield part, staged(part.moments, replace(structure, residual=part.residual), theta)
        return
    members = parts(fit, level)
    for unit in parts(fit, level + 1):
        together = staged(unit.moments, replace(structure, residual=unit.residual), theta)
        for part in islice(members, unit.groups.stop - unit.groups.start):
            yield part, _beside(fit, part, unit, together, theta)


def _beside(fit: Fit, part: Part, unit: Part, together: Stage, theta: Array) -> Stage:
    """What a dyad contributes beside the other dyads of its therapist."""
    if unit.groups == part.groups:
        return together
    begin = unit.groups.start
    rest = without(unit.moments, part.moments, slice(part.groups.start - begin, part.groups.stop - begin))
    structure = replace(fit.design.structure, residual=uncounted(unit.residual, part.residual))
    others = staged(rest, structure, theta)
    return Stage(
        products=together.products - others.products,
        log_v=together.log_v - others.log_v,
        d_log_v=together.d_log_v - others.d_log_v,
        dd_log_v=together.dd_log_v - others.dd_log_v,
    )
