"""Where names meet arrays: a model and a frame become moments and the names of what they mean."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass

import numpy as np
import polars as pl

from dyadline.engine.covariance import Structure
from dyadline.engine.moments import Array, Index, Moments, moments
from dyadline.errors import DataError, FitError, PlanError, did_you_mean
from dyadline.model.collinearity import refuse_collinear
from dyadline.model.columns import (
    Atom,
    Column,
    Standard,
    column_label,
    expand,
    matrix,
    shiftable,
    standard,
    transformation,
)
from dyadline.plan.model import ModelSpec, Variable

TRANSFORMS = {"log": np.log, "log1p": np.log1p, "sqrt": np.sqrt, "exp": np.exp}


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """Moments of standardised columns, and the way back to the named ones.

    Attributes
    ----------
    terms
        Names of the fixed coefficients, (p,), as R prints them.
    effects
        Names of the random effects, (q,).
    structure
        Which random effects correlate.
    moments
        Of the standardised columns.
    to_fixed
        (p, p): named coefficients = to_fixed · standardised coefficients · response_scale + the shift's share.
    to_random
        (q, q): the same for the random effects.
    response_shift, response_scale
        The response is ``shift + scale · standardised``; the shift is zero without an intercept.
    group
        Name of the grouping.
    labels
        Label of each group, (J,), in the order of the moments.
    levels
        Levels of each categorical column, the reference first.
    n_dropped
        Rows left out because of a missing value.
    lost
        Labels of the groups that lost all their rows.
    """

    terms: tuple[str, ...]
    effects: tuple[str, ...]
    structure: Structure
    moments: Moments
    to_fixed: Array
    to_random: Array
    response_shift: float
    response_scale: float
    group: str
    labels: pl.Series
    levels: dict[str, tuple[str, ...]]
    n_dropped: int
    lost: tuple[str, ...]


def design(spec: ModelSpec, frame: pl.DataFrame) -> Design:
    """Build the moments of a model from the complete rows of a frame.

    Raises
    ------
    PlanError
        Missing columns, or a model that this engine does not fit.
    DataError
        Infinite values, values outside a transform's domain, text as outcome, too few groups.
    FitError
        Fixed columns that are linearly dependent, with the combination in words.
    """
    _refuse_missing_columns(spec, frame)
    group_columns = _one_group(spec)
    rows = _CompleteRows(spec, frame)
    codes, labels = _groups([rows.series[c] for c in group_columns])
    if len(labels) < 2:
        raise DataError(
            f"All rows belong to one group of {':'.join(group_columns)!r}, so nothing can vary between groups",
            way_out="A mixed model needs at least two",
        )
    if (codes[1:] < codes[:-1]).any():
        order = np.argsort(codes, kind="stable")
        codes, rows = codes[order], rows.sorted(order)
    starts: Index = np.flatnonzero(np.r_[True, codes[1:] != codes[:-1]])

    levels = _levels(spec, rows)
    values = _Values(rows)
    fixed = expand(spec.fixed, levels)
    if not fixed:
        raise PlanError("The model has no fixed effect", way_out="Keep at least the intercept")
    x, to_fixed = values.standardised(fixed)
    blocks = [
        expand(terms, levels)
        for random in spec.random
        for terms in ([random.terms] if random.correlated else [(t,) for t in random.terms])
    ]
    parts = [values.standardised(block) for block in blocks]
    z = np.concatenate([part for part, _ in parts], axis=1)
    q = z.shape[1]
    to_random, begin = np.zeros((q, q)), 0
    for _, back in parts:
        to_random[begin : begin + len(back), begin : begin + len(back)] = back
        begin += len(back)

    y, response = values.response(spec.response, centred=() in fixed)
    terms = tuple(column_label(c) for c in fixed)
    xy = np.concatenate([x, y[:, None]], axis=1)
    found = moments(xy, z, starts)
    refuse_collinear(found.total[:-1, :-1], x, terms, to_fixed)
    return Design(
        terms=terms,
        effects=tuple(column_label(c) for block in blocks for c in block),
        structure=Structure(tuple(len(block) for block in blocks)),
        moments=found,
        to_fixed=to_fixed,
        to_random=to_random,
        response_shift=response.shift,
        response_scale=response.scale,
        group=spec.random[0].group_label,
        labels=labels,
        levels=levels,
        n_dropped=frame.height - rows.n,
        lost=_lost([frame[c] for c in group_columns], labels) if rows.n < frame.height else (),
    )


class _CompleteRows:
    """The rows with a value in every column of the model: numbers as arrays, the rest as series."""

    def __init__(self, spec: ModelSpec, frame: pl.DataFrame) -> None:
        groups = {column for random in spec.random for column in random.group}
        self.numbers: dict[str, Array] = {}
        self.series: dict[str, pl.Series] = {}
        keep = np.ones(frame.height, dtype=bool)
        for name in spec.columns:
            series = frame[name]
            if series.dtype.is_numeric() and name not in groups:
                values = series.to_numpy().astype(np.float64, copy=False)  # a missing value becomes NaN
                self.numbers[name] = values
                keep &= ~np.isnan(values)
                continue
            self.series[name] = series
            if series.null_count():
                keep &= series.is_not_null().to_numpy()
            if series.dtype.is_float():
                keep &= ~np.isnan(series.to_numpy())
        self.n = int(keep.sum())
        if self.n == 0:
            raise DataError(
                "No row has a value in every column of the model",
                where=", ".join(spec.columns),
                way_out="Look at the missing values per column",
            )
        if self.n < frame.height:
            self.numbers = {name: values[keep] for name, values in self.numbers.items()}
            self.series = {name: series.filter(keep) for name, series in self.series.items()}
        for name, values in self.numbers.items():
            bad = int(np.isinf(values).sum())
            if bad:
                raise DataError(
                    f"Column {name!r} has {bad} infinite value{'s' * (bad > 1)}",
                    way_out="Correct them or leave them empty",
                )

    def sorted(self, order: Index) -> _CompleteRows:
        other = copy(self)
        other.numbers = {name: values[order] for name, values in self.numbers.items()}
        other.series = {name: series[order] for name, series in self.series.items()}
        return other


class _Values:
    """Columns of the design from the complete rows, each variable standardised by itself."""

    def __init__(self, rows: _CompleteRows) -> None:
        self.rows = rows

    def numeric(self, variable: Variable) -> Array:
        values = self.rows.numbers[variable.column]
        if not variable.transform:
            return values
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            values = TRANSFORMS[variable.transform](values)
        bad = int((~np.isfinite(values)).sum())
        if bad:
            raise DataError(
                f"{variable.label} is not a finite number in {bad} row{'s' * (bad > 1)}",
                way_out=f"Check the values of {variable.column!r}: {variable.transform} cannot take them",
            )
        return np.asarray(values)

    def standardised(self, columns: tuple[Column, ...]) -> tuple[Array, Array]:
        """Standardised columns, (n, p), and the transformation back to the named coefficients, (p, p)."""
        movable = shiftable(columns)
        standards: dict[Variable, Standard] = {}
        values: dict[Atom, Array] = {}
        for atom in dict.fromkeys(a for column in columns for a in column):
            if atom.level is None:
                raw = self.numeric(atom.variable)
                how = standard(raw, shifted=atom.variable in movable)
                standards[atom.variable] = how
                values[atom] = (raw - how.shift) / how.scale
            else:
                text = _text(self.rows.series[atom.variable.column])
                values[atom] = (text == atom.level).cast(pl.Float64).to_numpy()
        return matrix(columns, values, self.rows.n), transformation(columns, standards)

    def response(self, variable: Variable, *, centred: bool) -> tuple[Array, Standard]:
        if variable.column not in self.rows.numbers:
            raise DataError(
                f"The outcome {variable.column!r} holds text, not numbers",
                way_out="Use a numeric column as outcome",
            )
        raw = self.numeric(variable)
        how = standard(raw, shifted=centred)
        return (raw - how.shift) / how.scale, how


def _refuse_missing_columns(spec: ModelSpec, frame: pl.DataFrame) -> None:
    missing = [c for c in spec.columns if c not in frame.columns]
    if missing:
        raise PlanError(
            f"The data have no column {', '.join(repr(c) for c in missing)}",
            where=f"formula {spec.formula!r}",
            way_out=did_you_mean(missing[0], frame.columns) or f"Columns: {', '.join(frame.columns[:20])}",
        )


def _one_group(spec: ModelSpec) -> tuple[str, ...]:
    groups = {random.group for random in spec.random}
    if not groups:
        raise PlanError(
            "The formula has no random effect",
            where=f"formula {spec.formula!r}",
            way_out="Add one, for example (1 | dyad)",
        )
    if len(groups) > 1:
        raise PlanError(
            "Random effects at more than one level are not fitted yet: "
            + ", ".join(sorted(":".join(g) for g in groups)),
            where=f"formula {spec.formula!r}",
            way_out="Keep the random effects of one grouping",
        )
    return next(iter(groups))


def _groups(keys: list[pl.Series]) -> tuple[Index, pl.Series]:
    """Code of each row's group, (n,), and the labels in the order of the codes: that of first appearance."""
    if len(keys) == 1:
        key = keys[0]
    else:
        parts = [pl.col(str(number)).cast(pl.String) for number in range(len(keys))]
        named = pl.DataFrame({str(number): series for number, series in enumerate(keys)})
        key = named.select(pl.concat_str(parts, separator=":")).to_series()
    if key.dtype.is_numeric():
        numbers = key.to_numpy()
    else:
        numbers = key.cast(pl.String).cast(pl.Categorical).to_physical().to_numpy()
    _, first, codes = np.unique(numbers, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return rank[codes.ravel()], key[first[order]]


def _lost(keys: list[pl.Series], kept: pl.Series) -> tuple[str, ...]:
    """Labels of the groups of which no row was complete."""
    _, everyone = _groups(keys)
    have = set(kept.to_list())
    return tuple(str(label) for label in everyone.to_list() if label is not None and label not in have)


def _text(series: pl.Series) -> pl.Series:
    """Levels as text; truth values in R's spelling."""
    text = series.cast(pl.String)
    return text.str.to_uppercase() if series.dtype == pl.Boolean else text


def _levels(spec: ModelSpec, rows: _CompleteRows) -> dict[str, tuple[str, ...]]:
    """Sorted levels of the categorical columns among the predictors."""
    terms = (*spec.fixed, *(term for random in spec.random for term in random.terms))
    levels: dict[str, tuple[str, ...]] = {}
    for variable in dict.fromkeys(v for term in terms for v in term):
        name = variable.column
        if name in rows.numbers or name in levels:
            continue
        if variable.transform:
            raise DataError(f"{variable.label} needs numbers, but column {name!r} holds text")
        found = _text(rows.series[name]).unique().sort().to_list()
        if len(found) < 2:
            raise FitError(
                f"Column {name!r} has the single value {found[0]!r} in the complete rows, so it explains nothing",
                way_out="Leave it out of the formula",
            )
        levels[name] = tuple(found)
    return levels
