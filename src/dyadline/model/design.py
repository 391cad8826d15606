"""Where names meet arrays: a model and a frame become moments and the names of what they mean."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from dyadline.engine.covariance import Level, Structure
from dyadline.engine.moments import Array, Index, Moments, moments, together
from dyadline.errors import DataError, Finding, FitError, PlanError, did_you_mean
from dyadline.model.collinearity import refuse_collinear
from dyadline.model.columns import column_label, expand
from dyadline.model.residual import ResidualDesign, occasion_order, residual_design
from dyadline.model.rows import CompleteRows, Nesting, coded, nesting
from dyadline.model.source import Block, Source, Values, as_text, kind_of
from dyadline.model.stacked import stacked
from dyadline.plan.model import ModelSpec

ROWS_AT_ONCE = 400_000
"""Rows whose columns are in memory together while moments are accumulated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouping:
    """The random effects of one level.

    Attributes
    ----------
    name
        ``dyad``, or ``therapist:dyad`` for a combination.
    effects
        Names of the random effects, (q,).
    labels
        Label of each group, (J,), in the order of the moments.
    to_random
        (q, q): named random effects = to_random · standardised ones · response_scale.
    """

    name: str
    effects: tuple[str, ...]
    labels: pl.Series
    to_random: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """Moments of standardised columns, and the way back to the named ones.

    Attributes
    ----------
    terms
        Names of the fixed coefficients, (p,), as R prints them.
    groupings
        Random effects of each level, innermost first.
    residual
        The residual's structure over the rows.
    structure
        Which random effects correlate, and the residual's structure.
    moments
        Of the standardised columns.
    to_fixed
        (p, p): named coefficients = to_fixed · standardised coefficients · response_scale + the shift's share.
    column_gram
        X'X of the standardised columns, (p, p), as they are before nearly dependent ones are made orthogonal.
    constant
        Numbers of the terms that sum to one: their coefficients carry the response's shift.
    response_shift, response_scale
        The response is ``shift + scale · standardised``; the shift is zero without a constant.
    levels
        Levels of each categorical column, the reference first.
    source
        The rows, from which columns can be built again.
    n_dropped
        Rows left out because of a missing value.
    lost
        Labels of the innermost groups that lost all their rows.
    notes
        What was decided about the data.
    """

    terms: tuple[str, ...]
    groupings: tuple[Grouping, ...]
    residual: ResidualDesign
    structure: Structure
    moments: Moments
    to_fixed: Array
    column_gram: Array
    constant: tuple[int, ...]
    response_shift: float
    response_scale: float
    levels: dict[str, tuple[str, ...]]
    source: Source
    n_dropped: int
    lost: tuple[str, ...]
    notes: tuple[Finding, ...] = ()


def design(spec: ModelSpec, frame: pl.DataFrame) -> Design:
    """Build the moments of a model from the complete rows of a frame.

    Raises
    ------
    PlanError
        Missing columns, or a model that this engine does not fit.
    DataError
        Infinite values, values outside a transform's domain, text as outcome, too few groups.
    FitError
        Fixed columns that are linearly dependent, with the combination in words; groups that cannot be told apart.
    """
    _refuse_missing_columns(spec, frame)
    indicators = spec.responses
    if indicators:
        spec, frame = stacked(spec, frame)
    rows = CompleteRows(spec, frame)
    nested = nesting(spec, rows)
    _refuse_few_groups(nested)
    nested, rows = _in_order(spec, nested, rows)
    starts = _starts(nested.codes[0])
    residual = residual_design(spec.residual, rows, starts)
    if indicators:
        residual = replace(residual, labels=indicators)

    levels = _levels(spec, rows)
    values = Values(rows, levels)
    fixed = expand(spec.fixed, levels)
    if not fixed:
        raise PlanError("The model has no fixed effect", way_out="Keep at least the intercept")
    constant = _constant([column_label(c) for c in fixed], indicators)
    random = [_blocks(spec, group, values, levels) for group in nested.groups]
    unit = _starts_of(nested.codes[1], starts) if len(nested.codes) > 1 else None
    response = values.response(spec.response, centred=bool(constant))
    source = Source(
        values=values,
        response=response,
        fixed=values.block(fixed),
        random=tuple(random[0]),
        above=tuple(random[1]) if len(random) > 1 else (),
        starts=starts,
        unit=unit,
    )
    found = _accumulated(source, residual)
    terms = tuple(column_label(c) for c in fixed)
    gram = found.total[:-1, :-1]
    near = refuse_collinear(gram, source.fixed_columns, terms, source.fixed.back)
    if near and source.n > len(terms):  # fewer rows than predictors are refused when it comes to solving
        source = source.turned()
        found = _accumulated(source, residual)
    return Design(
        terms=terms,
        groupings=tuple(
            Grouping(
                name=name,
                effects=tuple(column_label(c) for block in blocks for c in block.columns),
                labels=labels,
                to_random=_block_diagonal([block.back for block in blocks]),
            )
            for name, labels, blocks in zip(nested.names, nested.labels, random, strict=True)
        ),
        residual=residual,
        structure=Structure(
            tuple(Level(tuple(len(block.columns) for block in blocks)) for blocks in random), residual.structure
        ),
        moments=found,
        to_fixed=source.fixed.back if source.turn is None else source.fixed.back @ source.turn,
        column_gram=gram,
        constant=constant,
        response_shift=response[1].shift,
        response_scale=response[1].scale,
        levels=levels,
        source=source,
        n_dropped=frame.height - rows.n,
        lost=_lost([frame[c] for c in nested.groups[0]], nested.labels[0]) if rows.n < frame.height else (),
        notes=nested.notes,
    )


def _accumulated(source: Source, residual: ResidualDesign) -> Moments:
    parts = []
    for part, numbers, groups in source.parts(ROWS_AT_ONCE if residual.gap is None else source.n):
        found = moments(part.columns, part.random, part.starts, part.above, part.unit)
        parts.append(replace(found, forms=residual.accumulated(part, numbers, groups)))
    return together(parts)


def _refuse_missing_columns(spec: ModelSpec, frame: pl.DataFrame) -> None:
    missing = [c for c in spec.columns if c not in frame.columns]
    if missing:
        raise PlanError(
            f"The data have no column {', '.join(repr(c) for c in missing)}",
            where=f"formula {spec.formula!r}",
            way_out=did_you_mean(missing[0], frame.columns) or f"Columns: {', '.join(frame.columns[:20]) or 'none'}",
        )


def _refuse_few_groups(nested: Nesting) -> None:
    for name, labels in zip(nested.names, nested.labels, strict=True):
        if len(labels) < 2:
            raise DataError(
                f"All rows belong to one group of {name!r}, so nothing can vary between groups",
                way_out="A random effect needs at least two",
            )


def _in_order(spec: ModelSpec, nested: Nesting, rows: CompleteRows) -> tuple[Nesting, CompleteRows]:
    """Rows sorted by therapist, dyad and what residuals need; dyads numbered in that order."""
    keys = [*reversed(occasion_order(spec.residual, rows)), *nested.codes]
    alone = len(keys) == 1
    if alone and not (nested.codes[0][1:] < nested.codes[0][:-1]).any():
        return nested, rows
    order = np.argsort(keys[0], kind="stable") if alone else np.lexsort(keys)
    codes = nested.codes
    if (order[1:] < order[:-1]).any():
        rows, codes = rows.sorted(order), tuple(c[order] for c in codes)
    seen = codes[0][_starts(codes[0])]
    rank = np.empty_like(seen)
    rank[seen] = np.arange(len(seen))
    return replace(
        nested, codes=(rank[codes[0]], *codes[1:]), labels=(nested.labels[0][seen], *nested.labels[1:])
    ), rows


def _starts(codes: Index) -> Index:
    return np.flatnonzero(np.r_[True, codes[1:] != codes[:-1]])


def _starts_of(above: Index, starts: Index) -> Index:
    """Therapist of each dyad."""
    return np.asarray(above[starts])


def _blocks(spec: ModelSpec, group: tuple[str, ...], values: Values, levels: dict[str, tuple[str, ...]]) -> list[Block]:
    """The uncorrelated blocks of a grouping's random effects."""
    found = []
    for random in spec.random:
        if random.group == group:
            for terms in [random.terms] if random.correlated else [(t,) for t in random.terms]:
                found.append(values.block(expand(terms, levels)))
    return found


def _constant(terms: list[str], indicators: tuple[str, ...]) -> tuple[int, ...]:
    """Terms that sum to one in every row: the intercept, or the outcomes of a joint model."""
    if "(Intercept)" in terms:
        return (terms.index("(Intercept)"),)
    if indicators and all(name in terms for name in indicators):
        return tuple(terms.index(name) for name in indicators)
    return ()


def _block_diagonal(parts: list[Array]) -> Array:
    result = np.zeros((sum(len(p) for p in parts),) * 2)
    begin = 0
    for part in parts:
        result[begin : begin + len(part), begin : begin + len(part)] = part
        begin += len(part)
    return result


def _lost(keys: list[pl.Series], kept: pl.Series) -> tuple[str, ...]:
    """Labels of the groups of which no row was complete."""
    _, everyone = coded(keys)
    have = set(kept.to_list())
    return tuple(str(label) for label in everyone.to_list() if label is not None and label not in have)


def _levels(spec: ModelSpec, rows: CompleteRows) -> dict[str, tuple[str, ...]]:
    """Sorted levels of the categorical columns among the predictors."""
    terms = (*spec.fixed, *(term for random in spec.random for term in random.terms))
    levels: dict[str, tuple[str, ...]] = {}
    for variable in dict.fromkeys(v for term in terms for v in term):
        name = variable.column
        if name in rows.numbers or name in levels:
            continue
        if variable.transform:
            raise DataError(f"{variable.label} needs numbers, but column {name!r} holds {kind_of(rows.series[name])}")
        if rows.series[name].dtype.is_temporal():
            raise DataError(
                f"Column {name!r} holds dates or times, which are neither numbers nor levels",
                way_out="Make a column of days, weeks or months since the start from it",
            )
        found = as_text(rows.series[name]).unique().sort().to_list()
        if len(found) < 2:
            raise FitError(
                f"Column {name!r} has the single value {found[0]!r} in the complete rows, so it explains nothing",
                way_out="Leave it out of the formula",
            )
        levels[name] = tuple(found)
    return levels
