"""Moments without some groups, and the optimum without them: what a leave-one-out question costs.

Moments add, so they can be subtracted: without a dyad or a therapist they are those of all rows minus those of the
rows that go. A refit from the optimum of all rows then takes two or three evaluations, none of which sees a row.
"""

from __future__ import annotations

import numpy as np

from dyadline.engine.boundary import on_boundary
from dyadline.engine.forms import Forms, Rows, SerialRows
from dyadline.engine.moments import Array, Index, Moments, Upper, outer_products
from dyadline.engine.optimize import minimise
from dyadline.engine.solve import Goal, Problem, Solution, solve

INESTIMABLE = 1e-9
"""Share of a column, not explained by the columns before it, below which a group's removal leaves it undetermined."""


def without(whole: Moments, part: Moments, groups: slice) -> Moments:
    """Moments without some dyads.

    Parameters
    ----------
    whole
        Moments of all dyads.
    part
        Moments of the dyads that go.
    groups
        Which of the dyads of `whole` they are.
    """
    cell = whole.cell[groups]
    packed = whole.packed
    if packed is not None:
        packed = packed.copy()
        np.subtract.at(packed.reshape(len(whole.gram), -1), cell, outer_products(whole.lines[groups]))
    upper, gone = (None, None) if whole.upper is None else _upper_without(whole, part, groups)
    return Moments(
        n_rows=whole.n_rows - part.n_rows,
        total=whole.total - part.total,
        within=whole.within - part.within,
        gram=whole.gram,
        counts=whole.counts - np.bincount(cell, minlength=len(whole.gram)),
        cell=np.delete(whole.cell, groups),
        lines=np.delete(whole.lines, groups, axis=0),
        packed=packed,
        upper=upper,
        forms=None if whole.forms is None else _forms_without(whole.forms, part.forms, groups, gone),
    )


def _upper_without(whole: Moments, part: Moments, groups: slice) -> tuple[Upper, Index]:
    """What is left of the therapists, and which of them lost all dyads."""
    upper, removed = whole.upper, part.upper
    assert upper is not None
    assert removed is not None
    units, cell = upper.unit[groups], whole.cell[groups]
    keys = upper.pair_unit * len(whole.gram) + upper.pair_cell
    order = np.argsort(keys)
    position = order[np.searchsorted(keys[order], units * len(whole.gram) + cell)]
    counts, sums = upper.pair_counts.copy(), upper.pair_sums.copy()
    np.subtract.at(counts, position, 1.0)
    np.subtract.at(sums, position, whole.lines[groups])
    there = counts > 0.5
    touched = np.unique(units)
    rest = upper.rest.copy()
    left = rest[touched] - removed.rest
    left[np.abs(left) < 1e-13 * np.abs(rest[touched])] = 0.0
    rest[touched] = left
    gone = np.setdiff1d(touched, upper.pair_unit[there])
    number = np.arange(upper.n_units) - np.searchsorted(gone, np.arange(upper.n_units))
    return Upper(
        cross=upper.cross,
        rest=np.delete(rest, gone, axis=0),
        unit=number[np.delete(upper.unit, groups)],
        pair_cell=upper.pair_cell[there],
        pair_unit=number[upper.pair_unit[there]],
        pair_counts=counts[there],
        pair_sums=sums[there],
    ), gone


def _forms_without(
    whole: Forms | SerialRows, part: Forms | SerialRows | None, groups: slice, gone: Index | None
) -> Forms | SerialRows:
    number = None
    if whole.unit is not None and gone is not None:
        kept = np.delete(whole.unit, groups)
        number = kept - np.searchsorted(gone, kept)
    if isinstance(whole, SerialRows):
        rows, ends = whole.rows, np.append(whole.rows.starts, len(whole.gap))
        out = slice(int(ends[groups.start]), int(ends[groups.stop]))
        starts = np.concatenate([rows.starts[: groups.start], rows.starts[groups.stop :] - (out.stop - out.start)])
        left = Rows(
            columns=np.delete(rows.columns, out, axis=0),
            random=np.delete(rows.random, out, axis=0),
            starts=starts,
            above=None if rows.above is None else np.delete(rows.above, out, axis=0),
            unit=number,
        )
        return SerialRows(rows=left, gap=np.delete(whole.gap, out))
    assert isinstance(part, Forms)
    upper = whole.upper
    if upper is not None and part.upper is not None and whole.unit is not None:
        upper = upper.copy()
        upper[:, np.unique(whole.unit[groups])] -= part.upper
        upper = np.delete(upper, gone, axis=1) if gone is not None else upper
    return Forms(inner=np.delete(whole.inner, groups, axis=1), upper=upper, total=whole.total - part.total, unit=number)


def inestimable(whole: Array, rest: Array) -> Index:
    """Numbers of the fixed columns that the rows left do not determine, from `[X y]'[X y]` of all and of those left."""
    p = len(whole) - 1
    size = np.diag(whole)[:p]
    gram = rest[:p, :p] / np.sqrt(np.outer(size, size))
    try:
        if float(np.diag(np.linalg.cholesky(gram)).min()) ** 2 > INESTIMABLE:
            return np.empty(0, dtype=np.intp)
    except np.linalg.LinAlgError:
        pass
    bad: list[int] = []
    for column in range(p):  # elimination by pivots, so that a failing one has a number
        pivot = gram[column, column]
        if pivot <= INESTIMABLE:
            bad.append(column)
            gram[column:, column] = 0.0
            continue
        gram[column:, column:] -= np.outer(gram[column:, column], gram[column, column:]) / pivot
    return np.array(bad, dtype=np.intp)


def refit(problem: Problem, start: Array) -> Solution:
    """The optimum from a start that is near it; from all starts if the way there does not end plainly."""
    goal = Goal(problem)
    ended = minimise(goal.function, start, limit=40)
    if not np.isfinite(ended.value) or not ended.certified:
        return solve(problem)
    found = goal.solution(ended, starts=1)
    # Near a boundary on which the start was not, the other starts have their say.
    if found.singular and (found.descent < -1e-4 or not on_boundary(problem.structure, start)):
        return solve(problem)
    return found
