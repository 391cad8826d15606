"""Whether two fits are of the same data, and whether one model is a special case of the other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dyadline.engine.moments import Array, Index
from dyadline.errors import PlanError
from dyadline.model.columns import Atom, Column
from dyadline.model.fit import Fit

Key = frozenset[Atom]
"""A column, whatever the order of its factors."""

SPANNED = 1e-8
"""Share of a column's length that may be left by rounding when others span it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Addition:
    """New random effects that correlate with each other, in one block of one level of the larger model.

    Attributes
    ----------
    level
        Of the larger model, 0 the innermost.
    new, old
        Numbers of the level's effects that are new, and that the smaller model has, too.
    """

    level: int
    new: tuple[int, ...]
    old: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Extra:
    """What a larger model has that the smaller one has not.

    Attributes
    ----------
    fixed
        Number of fixed effects.
    covariances
        Number of covariances among random effects that both have.
    additions
        New random effects.
    residual
        Number of residual parameters whose null value lies inside their range.
    decay
        A continuous-time correlation, which is positive: its null value is the edge.
    matches
        Level of the smaller model with the same groups, of each level of the larger.
    """

    fixed: int
    covariances: int
    additions: tuple[Addition, ...]
    residual: int
    decay: bool
    matches: tuple[int | None, ...]


def refuse_different_data(one: Fit, other: Fit) -> None:
    """Raise unless both fits are of the same outcome in the same rows.

    Raises
    ------
    PlanError
        Naming what differs.
    """
    way_out = "Fit both to the same frame, without the rows that lack a value in a column of either model"
    outcomes = [_outcome(fit) for fit in (one, other)]
    if outcomes[0] != outcomes[1]:
        raise PlanError(
            f"The models have different outcomes, {outcomes[0]} and {outcomes[1]}, so their criteria cannot be compared"
        )
    if one.n_rows != other.n_rows:
        raise PlanError(
            f"The models were fitted to {one.n_rows} and {other.n_rows} rows, so their criteria cannot be compared",
            way_out=way_out,
        )
    rows = [np.sort(fit.design.source.row_numbers) for fit in (one, other)]
    if not np.array_equal(rows[0], rows[1]):
        differing = int((~np.isin(rows[0], rows[1])).sum())
        raise PlanError(
            f"The models were fitted to different rows ({differing} of {one.n_rows} differ), so their criteria cannot "
            "be compared",
            way_out=way_out,
        )
    values = [_response(fit) for fit in (one, other)]
    if not np.array_equal(values[0], values[1]):
        differing = int((values[0] != values[1]).sum())
        raise PlanError(
            f"The outcome differs between the models in {differing} of {one.n_rows} rows: these are different frames",
            way_out="Fit both to the same frame, its rows in the same order",
        )


def extra(small: Fit, large: Fit) -> Extra:
    """What the larger model adds.

    Raises
    ------
    PlanError
        If the smaller model is no special case of the larger.
    """
    new = _fixed_added(small, large)
    matches = _matched(small, large)
    additions: list[Addition] = []
    covariances = 0
    for level, match in enumerate(matches):
        old_blocks = [] if match is None else blocks_of(small, match)
        inside = 0
        begin = 0
        for block in blocks_of(large, level):
            mine = [one for one in old_blocks if set(one) <= set(block)]
            inside += len(mine)
            known = {key for one in mine for key in one}
            covariances += (len(known) ** 2 - sum(len(one) ** 2 for one in mine)) // 2
            numbers = range(begin, begin + len(block))
            fresh = tuple(n for n, key in zip(numbers, block, strict=True) if key not in known)
            if fresh:
                old = tuple(n for n in numbers if n not in fresh)
                additions.append(Addition(level=level, new=fresh, old=old))
            begin += len(block)
        if inside < len(old_blocks):
            _refuse_not_nested(small, large, f"the random effects of {large.design.groupings[level].name}")
    residual, decay = _residual_added(small, large)
    return Extra(
        fixed=new, covariances=covariances, additions=tuple(additions), residual=residual, decay=decay, matches=matches
    )


def _outcome(fit: Fit) -> str:
    return " and ".join(sorted(fit.spec.responses)) if fit.spec.responses else fit.spec.response.label


def _response(fit: Fit) -> Array:
    """The outcome in the order of the frame."""
    source = fit.design.source
    return source.values.numeric(source.response[0])[np.argsort(source.row_numbers)]


def _key(column: Column) -> Key:
    return frozenset(column)


def _fixed_added(small: Fit, large: Fit) -> int:
    """Fixed effects that the larger model adds."""
    fewer, more = ({_key(c) for c in fit.design.source.fixed.columns} for fit in (small, large))
    if fewer == more:
        return 0
    if small.method == "REML":
        raise PlanError(
            "REML criteria of models with different fixed effects cannot be compared",
            way_out="Fit both with method='ML'",
        )
    if not fewer <= more and not _spanned(small, large):
        _refuse_not_nested(small, large, "the fixed effects")
    return len(large.design.terms) - len(small.design.terms)


def _spanned(small: Fit, large: Fit) -> bool:
    """Whether other codings of the same predictors give the larger model all columns of the smaller."""
    x, wide = (_in_frame_order(fit) for fit in (small, large))
    q, _ = np.linalg.qr(wide)
    left = x - q @ (q.T @ x)
    left -= q @ (q.T @ left)
    return bool((np.linalg.norm(left, axis=0) <= SPANNED * np.linalg.norm(x, axis=0)).all())


def _in_frame_order(fit: Fit) -> Array:
    source = fit.design.source
    return source.fixed_columns()[np.argsort(source.row_numbers)]


def _matched(small: Fit, large: Fit) -> tuple[int | None, ...]:
    """For each level of the larger model that of the smaller with the same groups, whatever they are called."""
    fewer, more = ([groups_of_rows(fit, level) for level in range(len(fit.design.groupings))] for fit in (small, large))
    found = tuple(
        next((number for number, one in enumerate(fewer) if np.array_equal(one, codes)), None) for codes in more
    )
    for number, grouping in enumerate(small.design.groupings):
        if grouping.effects and number not in found:
            _refuse_not_nested(small, large, f"the grouping {grouping.name}")
    return found


def groups_of_rows(fit: Fit, level: int) -> Index:
    """Group of each row in the order of the frame, (n,), numbered by first appearance."""
    source = fit.design.source
    sizes = np.diff(np.append(source.starts, source.n))
    groups = np.arange(len(sizes)) if level == 0 or source.unit is None else source.unit
    codes = np.repeat(groups, sizes)[np.argsort(source.row_numbers)]
    _, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
    rank = np.empty_like(first)
    rank[np.argsort(first)] = np.arange(len(first))
    return np.asarray(rank[inverse.ravel()])


def blocks_of(fit: Fit, level: int) -> list[list[Key]]:
    """Columns of a level's random effects, block by block, in the order of their names."""
    source = fit.design.source
    return [[_key(c) for c in block.columns] for block in (source.random, source.above)[level]]


def _residual_added(small: Fit, large: Fit) -> tuple[int, bool]:
    """Residual parameters that the larger model adds, and whether one of them is a correlation above zero."""
    one, other = small.spec.residual, large.spec.residual
    count = large.design.structure.residual.size - small.design.structure.residual.size
    # What hangs together are the rows of the innermost groups, whether the structure names them or not.
    apart = one.kind in ("independent", "by") or np.array_equal(groups_of_rows(small, 0), groups_of_rows(large, 0))
    if (one.kind, one.columns) == (other.kind, other.columns) and apart:
        return 0, False
    if one.kind == "independent":
        return (0, True) if other.kind == "car1" else (count, False)
    if one.kind == "by" and other.kind == "pairs" and one.columns[0] == other.columns[0]:
        return count, False
    _refuse_not_nested(small, large, "the residual structure")
    return 0, False


def _refuse_not_nested(small: Fit, large: Fit, what: str) -> None:
    raise PlanError(
        f"{model_words(small)} is no special case of {model_words(large)}: {what} of the first cannot be had from the "
        "second by setting parameters to zero",
        way_out="A likelihood-ratio test needs nested models; others have information criteria only",
    )


def model_words(fit: Fit) -> str:
    """The formula, with the residual structure if there is one."""
    kind = fit.spec.residual
    return fit.spec.formula if kind.kind == "independent" else f"{fit.spec.formula}, residual {kind.label}"
