"""Comparison of nested models by likelihood ratio, with the right null distribution on boundaries."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl

from dyadline.data.frames import as_kind
from dyadline.engine.criterion import evaluate
from dyadline.engine.moments import Array, Index, lower
from dyadline.errors import FitError, PlanError, did_you_mean
from dyadline.inference.constraint import Constraint, lowest, standardised
from dyadline.inference.mixture import FLAT, Null, null_distribution
from dyadline.inference.nestedness import Addition, Extra, blocks_of, extra, model_words, refuse_different_data
from dyadline.model.fit import Fit, random_covariance

WORSE = 1e-4
"""A larger model's criterion above the smaller one's by more than this was not minimised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Model:
    words: str
    n_parameters: int
    criterion: float
    n: int


def compare(first: Fit, second: Fit, *more: Fit) -> Any:
    """Likelihood-ratio tests of nested models, each against the next smaller one.

    Models that differ in fixed effects must be fitted by ML. Where the larger model has random effects that the
    smaller has not, the null puts variances at zero, on the edge of their range, and the statistic follows a mixture:
    one new random effect with q covariances gives `0.5·χ²(q) + 0.5·χ²(q+1)`; several new ones a mixture whose
    weights come from the projections of random directions on the cone of covariance matrices, in the metric of
    the information at the smaller model (fixed seed).

    Parameters
    ----------
    first, second, more
        Fits of the same outcome in the same rows, all by REML or all by ML; in any order.

    Returns
    -------
    A frame of the kind that was fitted, smallest model first: ``model, n_parameters, criterion, aic, bic,
    statistic, df, p_value, reference``. ``df`` counts the parameters added, ``reference`` says the null distribution.
    Parameters, AIC and BIC as in `information_criteria` with the convention ``spss``.

    Raises
    ------
    PlanError
        If the fits cannot be compared: other rows or outcomes, REML with other fixed effects, not nested.

    References
    ----------
    Stram, D. O., & Lee, J. W. (1994). Variance components testing in the longitudinal mixed effects model.
    Biometrics, 50, 1171–1177.
    """
    fits = sorted((first, second, *more), key=lambda fit: len(fit.design.terms) + len(fit.solution.theta))
    for one, other in pairwise(fits):
        if one.method != other.method:
            raise PlanError("One model was fitted by REML, the other by ML", way_out="Fit both with method='ML'")
        refuse_different_data(one, other)
    nulls = [_null(small, large) for small, large in pairwise(fits)]
    return _table([_model(fit) for fit in fits], nulls, first.kind)


def random_effect_test(fit: Fit, group: str) -> Any:
    """Whether a grouping's random effects are needed: the model without all of them, by likelihood ratio.

    Nothing is read again: the smaller model is the same criterion with these variances at zero.

    Parameters
    ----------
    fit
        A fit.
    group
        A grouping of the model, such as ``"therapist"``.

    Returns
    -------
    As `compare`, two rows: without and with the random effects.
    """
    names = [grouping.name for grouping in fit.design.groupings if grouping.effects]
    if group not in names:
        raise PlanError(
            f"The model has no random effects of {group!r}",
            way_out=did_you_mean(group, names) or f"It has those of {' and '.join(names) or 'no grouping'}",
        )
    level = names.index(group)
    structure = fit.design.structure
    criterion = fit.criterion - fit.solution.evaluation.criterion(fit.method) + _without(fit, level)
    whole = _model(fit)
    smaller = _Model(
        words=f"{whole.words}, without the random effects of {group}",
        n_parameters=whole.n_parameters - structure.levels[level].n_entries,
        criterion=criterion,
        n=whole.n,
    )
    ends = np.cumsum([0, *structure.levels[level].blocks]).tolist()
    additions = tuple(Addition(level=level, new=tuple(range(a, b)), old=()) for a, b in pairwise(ends))

    def information() -> Array:
        relative = list(fit.solution.relative)
        relative[level] = np.zeros_like(relative[level])
        return _cone_information(fit, relative, additions)

    null = null_distribution(0, structure.levels[level].blocks, information)
    return _table([smaller, whole], [null], fit.kind)


def _without(fit: Fit, level: int) -> float:
    """The criterion (of standardised columns) without the random effects of a level."""
    structure = fit.design.structure
    k = len(fit.solution.theta)
    kept = np.setdiff1d(np.arange(k), np.arange(k)[structure.parts[level]])
    constraint = Constraint(offset=np.zeros(k), embedding=np.eye(k)[:, kept])
    starts = [fit.solution.theta, structure.theta([np.eye(one.size) for one in structure.levels])]
    return min(
        lowest(fit.design.moments, standardised(fit), fit.method, constraint, start[kept])[0] for start in starts
    )


def _model(fit: Fit) -> _Model:
    restricted = fit.method == "REML"
    p = len(fit.design.terms)
    return _Model(
        words=model_words(fit),
        n_parameters=len(fit.solution.theta) + 1 + (0 if restricted else p),
        criterion=fit.criterion,
        n=fit.n_rows - p * restricted,
    )


def _null(small: Fit, large: Fit) -> Null:
    """The null distribution of the comparison of two fits."""
    added = extra(small, large)
    free = added.fixed + added.covariances + added.residual
    blocks = [len(a.new) for a in added.additions]
    free += sum(len(a.new) * len(a.old) for a in added.additions)
    if not (free or blocks or added.decay):
        raise PlanError(f"{model_words(small)} and {model_words(large)} are the same model")
    if added.decay and blocks:
        raise PlanError(
            "Random effects and a continuous-time correlation were added together, and both are tested on an edge of "
            "their range",
            way_out="Add one after the other",
        )
    if added.decay:
        blocks = [1]
    null = null_distribution(free, blocks, lambda: _information_at(small, large, added))
    doubts = []
    if blocks and small.singular:
        doubts.append("approximate: the smaller model lies on a boundary itself")
    doubts += [f"{model_words(f)} did not converge" for f in (small, large) if not f.converged]
    return replace(null, words="; ".join([null.words, *doubts]))


def _information_at(small: Fit, large: Fit, added: Extra) -> Array:
    """Information of the new covariance matrices at the smaller model's estimates."""
    covariances = random_covariance(small)
    relative = []
    for level, match in enumerate(added.matches):
        grouping = large.design.groupings[level]
        whole = np.zeros((len(grouping.effects),) * 2)
        if match is not None:
            mine, theirs = (
                [key for block in blocks_of(f, n) for key in block] for f, n in ((large, level), (small, match))
            )
            order = [mine.index(key) for key in theirs]
            whole[np.ix_(order, order)] = covariances[match] / small.sigma**2
        back = np.linalg.inv(grouping.to_random)
        relative.append(back @ whole @ back.T)
    return _cone_information(large, relative, added.additions)


def _cone_information(fit: Fit, relative: Sequence[Array], additions: Sequence[Addition]) -> Array:
    """Expected information of the entries of new covariance matrices of named effects, all else estimated.

    V is linear in the entries of D and σ², so `tr(V⁻¹V_iV⁻¹V_j)` is minus the second derivative of log|V| (with
    log|X'V⁻¹X| under REML), for pairs with a residual parameter, too. Among these the observed information stands in;
    if that is none, far from the null, they are taken as known.

    Raises
    ------
    FitError
        If the new effects cannot be told from the rest of the model.
    """
    made, structure = fit.design, fit.design.structure
    m = structure.residual.size
    theta = structure.theta(relative, fit.solution.theta[:m])
    found = evaluate(made.moments, structure, theta)
    nu, restricted = found.degrees(fit.method), fit.method == "REML"
    observed = found.unprofiled(fit.method)[1]
    full = np.empty_like(observed)
    full[:-1, :-1] = -(found.dd_log_v + restricted * found.dd_log_xx)
    full[:-1, -1] = full[-1, :-1] = found.d_log_v + restricted * found.d_log_xx
    full[-1, -1] = nu
    full[:m, :m] = observed[:m, :m]
    linear = np.eye(len(full))
    places: list[int] = []
    for number, (grouping, level, part) in enumerate(
        zip(made.groupings, structure.levels, structure.parts, strict=True)
    ):
        rows, columns = level.entries
        mine = [a for a in additions if a.level == number]
        # Where new named effects are made of new standardised ones alone, the latter serve and are better scaled.
        if any(grouping.to_random[np.ix_(a.new, a.old)].any() for a in mine):
            back = np.linalg.inv(grouping.to_random)
            linear[part, part] = (back @ level.basis() @ back.T)[:, rows, columns].T
        place = {pair: part.start + n for n, pair in enumerate(zip(rows.tolist(), columns.tolist(), strict=True))}
        for addition in mine:
            r, c = lower(len(addition.new))
            places += [place[addition.new[i], addition.new[j]] for i, j in zip(r, c, strict=True)]
    full = linear.T @ full @ linear
    for skipped in (0, m):  # residual parameters estimated, or known
        left = _given_the_rest(full[skipped:, skipped:], np.array(places) - skipped)
        size = np.sqrt(np.abs(np.diag(left)))
        values = np.linalg.eigvalsh(left / np.maximum(np.outer(size, size), 1e-300))
        if values[-1] > 0.0 and values[0] > -FLAT * values[-1]:
            return left
    raise FitError(
        "The new random effects cannot be told from the rest of the larger model, so their test has no distribution",
        way_out="A residual correlation of all rows (cs) and a random intercept are the same thing: keep one",
    )


def _given_the_rest(information: Array, wanted: Index) -> Array:
    """Information of some parameters, the rest estimated."""
    rest = np.setdiff1d(np.arange(len(information)), wanted)
    nuisance, cross = information[np.ix_(rest, rest)], information[np.ix_(rest, wanted)]
    scale = np.sqrt(np.maximum(np.abs(np.diag(nuisance)), 1e-300))
    inverse = np.linalg.pinv(nuisance / np.outer(scale, scale), rcond=1e-12, hermitian=True)
    scaled = cross / scale[:, None]
    return np.asarray(information[np.ix_(wanted, wanted)] - scaled.T @ inverse @ scaled)


def _table(models: Sequence[_Model], nulls: Sequence[Null], kind: Any) -> Any:
    statistics: list[float | None] = [None]
    for small, large in pairwise(models):
        statistic = small.criterion - large.criterion
        if statistic < -WORSE:
            raise FitError(
                f"{large.words} has a higher criterion than its special case {small.words}: it was not minimised",
                way_out="Look at fit.converged",
            )
        statistics.append(max(0.0, statistic))
    p_values = [null.p_value(t) for null, t in zip(nulls, statistics[1:], strict=True) if t is not None]
    table = pl.DataFrame(
        {
            "model": [one.words for one in models],
            "n_parameters": [one.n_parameters for one in models],
            "criterion": [one.criterion for one in models],
            "aic": [one.criterion + 2 * one.n_parameters for one in models],
            "bic": [one.criterion + one.n_parameters * math.log(one.n) for one in models],
            "statistic": statistics,
            "df": [None, *(null.df for null in nulls)],
            "p_value": [None, *p_values],
            "reference": [None, *(null.words for null in nulls)],
        }
    )
    return as_kind(table, kind)
