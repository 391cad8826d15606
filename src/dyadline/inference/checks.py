"""The doctor: what a fit's user should know before the numbers are believed, in plain words and with a way out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from dyadline.engine.moments import Array
from dyadline.errors import Finding
from dyadline.inference.boundary import boundary_words
from dyadline.inference.freedom import satterthwaite
from dyadline.inference.normality import SHOWN, distribution_findings
from dyadline.inference.omission import Reduced, stepped
from dyadline.inference.variance import CORRELATION, RESIDUAL, unidentified, variance_components
from dyadline.model.fit import Fit, random_covariance

CONDITION = 30.0
"""Condition index from which columns are near-collinear (Belsley, Kuh & Welsch 1980)."""

SHARE = 0.5
"""Of a coefficient's variance that such a direction takes."""

SCALES = 1e4
"""Ratio of standard deviations at which numbers are hard to read, and other programs fail."""

FEW_GROUPS = 10

FEW_DF = 5.0

GROUPS_PER_TERM = 2

MANY_LOST = 0.05
"""Share of rows left out from which that is more than a note."""

MOST_GROUPS = 3000
"""Groups of which each is left out by one step; of more, a single one hardly matters."""


def checks(fit: Fit) -> tuple[Finding, ...]:
    """Findings about a fit, the gravest kinds first; empty if there is nothing to say.

    The optimum (gradient, curvature, boundary, parameters that are not identified), the predictors (near-collinearity,
    scales), the groups (too few, too few per predictor, influential ones), degrees of freedom, rows left out, notes on
    how the data were read, residuals and random effects (outlying, not normal, unequal spread, serial correlation). A
    singular fit has converged: its optimum lies where a variance is zero or a correlation ±1.

    References
    ----------
    Belsley, D. A., Kuh, E., & Welsch, R. E. (1980). Regression diagnostics. Wiley.
    """
    return (
        *_optimum(fit),
        *_boundary(fit),
        *not_identified(fit),
        *_near_collinear(fit),
        *_scales(fit),
        *_groups(fit),
        *_freedom(fit),
        *_lost(fit),
        *fit.design.notes,
        *_influential(fit),
        *distribution_findings(fit),
    )


def _optimum(fit: Fit) -> Iterator[Finding]:
    if fit.converged:
        return
    found = fit.solution.minimum
    reasons = []
    if found.decrement > 1e-8:
        reasons.append(f"the criterion can still fall (gradient {found.gradient_norm:.1e})")
    if found.eigenvalues.min(initial=0.0) < 0.0:
        reasons.append(f"its curvature has the wrong sign (smallest eigenvalue {found.eigenvalues.min():.1e})")
    if fit.solution.descent < -1e-4:
        reasons.append("a variance at zero would rather grow")
    yield Finding(
        code="not-converged",
        level="error",
        words=(
            f"The fit has not converged: {'; '.join(reasons) or 'its optimum is not certified'}. "
            f"{_tried(fit)}. The estimates are not those of the model"
        ),
        way_out="Use fewer random effects, or look for rows or predictors that do not belong to the data",
    )


def _tried(fit: Fit) -> str:
    starts = fit.solution.starts
    return "One starting point was tried" if starts == 1 else f"{starts} starting points were tried"


def _boundary(fit: Fit) -> Iterator[Finding]:
    if not fit.singular:
        return
    yield Finding(
        code="singular",
        level="warning",
        words=(
            f"The fit is singular: {boundary_words(fit) or 'a random effect does not vary'}. That is the best fit, not "
            f"a failure to find it ({_tried(fit).lower()}): the data show no such variation beyond chance"
        ),
        way_out=(
            "Report it as it is, or leave that random effect out, which usually changes the fixed effects little. It "
            "has no standard error and no interval"
        ),
    )


def not_identified(fit: Fit) -> Iterator[Finding]:
    """Covariance parameters that other values of would fit exactly as well."""
    free = unidentified(fit)
    if not free.any():
        return
    rows = variance_components(replace(fit, kind="polars")).filter(pl.Series(free)).to_dicts()
    yield Finding(
        code="not-identified",
        level="error",
        words=(
            f"The data do not determine {', '.join(_parameter(row) for row in rows)}: other values fit exactly as "
            "well, and those shown are one choice among many, without a standard error"
        ),
        way_out=(
            "Leave out the random effects of what does not vary within the groups, or all random effects that a "
            "residual structure already says"
        ),
    )


def _parameter(row: dict[str, Any]) -> str:
    """A row of `variance_components` in words."""
    group, one, other = row["group"], row["term1"], row["term2"]
    if group == CORRELATION:
        return f"the residual correlation {one}"
    if group == RESIDUAL:
        return "the residual variance" + (f" of {one}" if one != RESIDUAL else "")
    return (f"the covariance of {one} and {other}" if other else f"the variance of {one}") + f" over {group}"


def _near_collinear(fit: Fit) -> Iterator[Finding]:
    """Condition indices and variance-decomposition proportions of the standardised columns, of unit length."""
    gram = fit.design.column_gram
    size = np.sqrt(np.diag(gram))
    values, vectors = np.linalg.eigh(gram / np.outer(size, size))
    values = np.maximum(values, 1e-300)
    shares = vectors**2 / values
    inflation = shares.sum(axis=1)
    shares /= inflation[:, None]
    for number in np.flatnonzero(np.sqrt(values[-1] / values) > CONDITION):
        terms = [fit.design.terms[k] for k in np.flatnonzero(shares[:, number] > SHARE)]
        if len(terms) > 1:
            yield Finding(
                code="near-collinear",
                level="warning",
                words=(
                    f"The predictors {' and '.join(terms)} say nearly the same (condition index "
                    f"{np.sqrt(values[-1] / values[number]):.0f}, variance inflation up to "
                    f"{inflation[shares[:, number] > SHARE].max():.0f}), so their effects can hardly be told apart"
                ),
                way_out="Leave one of them out or combine them; test them together rather than one by one",
            )


def _scales(fit: Fit) -> Iterator[Finding]:
    scales: dict[str, float] = {}
    for block in (fit.design.source.fixed, *fit.design.source.random, *fit.design.source.above):
        scales |= {variable.label: how.scale for variable, how in block.standards.items()}
    if scales:
        largest, smallest = max(scales, key=scales.__getitem__), min(scales, key=scales.__getitem__)
        if scales[largest] > SCALES * scales[smallest]:
            yield _rescale(
                f"The predictors {largest} and {smallest} have very different scales (standard deviations about "
                f"{scales[largest]:.2g} and {scales[smallest]:.2g})",
                f"Express {largest} in larger units or {smallest} in smaller ones",
            )
            return
    for grouping, G in zip(fit.design.groupings, random_covariance(fit), strict=True):
        sds = np.sqrt(np.maximum(np.diag(G), 0.0))
        there = sds > 1e-6 * sds.max(initial=0.0) * (1.0 if not fit.singular else 1e3)
        if there.sum() < 2:
            continue
        k, m = int(np.argmax(sds)), int(np.argmin(np.where(there, sds, np.inf)))
        if sds[k] > SCALES * sds[m]:
            yield _rescale(
                f"The random effects {grouping.effects[k]} and {grouping.effects[m]} over {grouping.name} have "
                f"standard deviations of {sds[k]:.2g} and {sds[m]:.2g}",
                f"Express {grouping.effects[m]} in larger units",
            )


def _rescale(words: str, way_out: str) -> Finding:
    return Finding(
        code="scales-differ",
        level="note",
        words=f"{words}. The fit here does not suffer, but the numbers are hard to read and other programs may fail",
        way_out=way_out,
    )


def _groups(fit: Fit) -> Iterator[Finding]:
    made = fit.design
    for level, grouping in enumerate(made.groupings):
        count = len(grouping.labels)
        if count < FEW_GROUPS:
            yield Finding(
                code="few-groups",
                level="warning",
                words=(
                    f"There are only {count} groups of {grouping.name}: their variance is known very roughly, and "
                    "standard errors of what differs between them are too small"
                ),
                way_out=(
                    "Use Kenward–Roger or CR2 tests and say how few they are; with fewer than about five, treat "
                    f"{grouping.name} as a predictor instead"
                ),
                column=grouping.name,
            )
        unit = made.source.unit
        if level == 1 and unit is not None:
            members = np.bincount(unit)
            if (members == 1).mean() > 0.5:
                yield Finding(
                    code="few-members",
                    level="warning",
                    words=(
                        f"{int((members == 1).sum())} of {count} groups of {grouping.name} have a single "
                        f"{made.groupings[0].name}, so the two variances can hardly be told apart"
                    ),
                    way_out=f"Read the variance of {grouping.name} with care; compare with a fit without it",
                    column=grouping.name,
                )
    p, count = len(made.terms), len(made.groupings[0].labels)
    if count >= FEW_GROUPS and count < GROUPS_PER_TERM * p:
        yield Finding(
            code="many-terms",
            level="warning",
            words=f"{p} fixed effects are many for {count} groups of {made.groupings[0].name}: they fit them closely",
            way_out="Leave predictors out, or take the estimates as exploratory",
        )


def _freedom(fit: Fit) -> Iterator[Finding]:
    p = len(fit.design.terms)
    if len(fit.design.groupings[-1].labels) < FEW_GROUPS:
        return
    df = satterthwaite(fit, np.eye(p))
    few = [(t, d) for t, d in zip(fit.design.terms, df, strict=True) if d < FEW_DF]
    if few:
        yield Finding(
            code="few-df",
            level="warning",
            words="Tests rest on very few degrees of freedom: " + ", ".join(f"{t} {d:.1f}" for t, d in few[:SHOWN]),
            way_out="Use Kenward–Roger tests; what so few groups tell cannot be made more certain by any test",
        )


def _lost(fit: Fit) -> Iterator[Finding]:
    made = fit.design
    if made.n_dropped:
        share = made.n_dropped / (made.n_dropped + fit.n_rows)
        yield Finding(
            code="rows-dropped",
            level="warning" if share > MANY_LOST else "note",
            words=f"{made.n_dropped} of {made.n_dropped + fit.n_rows} rows ({share:.1%}) lack a value and are left out",
            way_out=(
                "Right if values are missing at random given what the model knows; otherwise find out why they are "
                "missing. Fits with other predictors use other rows"
            ),
        )
    if made.lost:
        name = made.groupings[0].name
        yield Finding(
            code="groups-dropped",
            level="warning",
            words=f"{len(made.lost)} groups of {name} lost all their rows: {_names(made.lost)}",
            way_out="Look at which of their values are missing",
            column=name,
        )


def _names(labels: tuple[str, ...]) -> str:
    return ", ".join(labels[:SHOWN]) + (f" and {len(labels) - SHOWN} more" if len(labels) > SHOWN else "")


def _influential(fit: Fit) -> Iterator[Finding]:
    """Groups without which a coefficient moves by more than its standard error, by one Newton step."""
    made = fit.design
    std_error = np.sqrt(fit.solution.evaluation.variance(fit.method) * _diagonal(fit, fit.solution.evaluation.inverse))
    for level, grouping in enumerate(made.groupings):
        if not FEW_GROUPS <= len(grouping.labels) <= MOST_GROUPS:
            continue
        found, _ = stepped(fit, level)
        moves = [
            made.to_fixed @ (fit.solution.evaluation.beta - one.beta) / std_error
            if isinstance(one, Reduced)
            else np.zeros(len(std_error))
            for one in found
        ]
        strongest = np.abs(moves).max(axis=1)
        for number in np.argsort(-strongest)[:SHOWN]:
            if strongest[number] > 1.0:
                label, term = str(grouping.labels[int(number)]), int(np.argmax(np.abs(moves[number])))
                yield Finding(
                    code="influential-group",
                    level="warning",
                    words=(
                        f"Without {grouping.name} {label!r} alone the effect of {made.terms[term]} would change by "
                        f"{strongest[number]:.1f} of its standard errors"
                    ),
                    way_out="Check its data, and report the fit with and without it (see influence)",
                    dyad=label,
                )


def _diagonal(fit: Fit, inverse: Array) -> Array:
    """Of the covariance matrix of the named coefficients, but for the response's scale, (p,)."""
    return np.asarray(np.einsum("tc,cd,td->t", fit.design.to_fixed, inverse, fit.design.to_fixed))
