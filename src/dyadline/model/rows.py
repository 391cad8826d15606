"""The complete rows of a model, in the order of its groups, and how these nest."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass

import numpy as np
import polars as pl

from dyadline.engine.moments import Array, Index
from dyadline.errors import DataError, Finding, FitError, PlanError
from dyadline.plan.model import ModelSpec

LARGEST = 1e75
"""Values from which variances of variances, their fourth powers, overflow."""


class CompleteRows:
    """The rows with a value in every column of the model: numbers as arrays, the rest as series."""

    def __init__(self, spec: ModelSpec, frame: pl.DataFrame) -> None:
        labels = {column for random in spec.random for column in random.group} | set(spec.residual.group)
        if spec.residual.kind in ("by", "pairs"):
            labels.update(spec.residual.columns)
        self.numbers: dict[str, Array] = {}
        self.series: dict[str, pl.Series] = {}
        keep = np.ones(frame.height, dtype=bool)
        used = {v.column for terms in (spec.fixed, *(r.terms for r in spec.random)) for t in terms for v in t}
        for name in spec.columns:
            series = frame[name]
            if series.dtype.is_nested() or series.dtype in (pl.Duration, pl.Binary, pl.Object):
                raise DataError(
                    f"Column {name!r} holds values of the type {series.dtype}, which a model cannot use",
                    way_out="Make a column of numbers or text from it",
                )
            if series.dtype.is_numeric() and (name not in labels or name in used):
                values = series.to_numpy().astype(np.float64, copy=False)  # a missing value becomes NaN
                self.numbers[name] = values
                keep &= ~np.isnan(values)
                if name not in labels:
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
        self.kept: Index = np.flatnonzero(keep)
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
            if float(np.abs(values).max()) >= LARGEST:
                raise DataError(
                    f"Column {name!r} has values beyond {LARGEST:g}, whose powers cannot be computed",
                    way_out="Express it in larger units",
                )

    def sorted(self, order: Index) -> CompleteRows:
        other = copy(self)
        other.numbers = {name: values[order] for name, values in self.numbers.items()}
        other.series = {name: series[order] for name, series in self.series.items()}
        other.kept = self.kept[order]
        return other


@dataclass(frozen=True, slots=True, kw_only=True)
class Nesting:
    """Groups of one or two levels.

    Attributes
    ----------
    groups
        Columns of each level's grouping as the formula has them, innermost first.
    names
        What to call them: ``dyad``, or ``therapist:dyad`` for a combination.
    codes
        Number of each row's group, (n,) each, by first appearance.
    labels
        Label of each group, in the order of the codes.
    notes
        What was decided about labels that repeat.
    """

    groups: tuple[tuple[str, ...], ...]
    names: tuple[str, ...]
    codes: tuple[Index, ...]
    labels: tuple[pl.Series, ...]
    notes: tuple[Finding, ...] = ()


def nesting(spec: ModelSpec, rows: CompleteRows) -> Nesting:
    """Find out which grouping is nested in which.

    Raises
    ------
    PlanError
        No grouping, or more than two.
    FitError
        Groups that cannot be told apart.
    """
    groups = list(dict.fromkeys(random.group for random in spec.random))
    if not groups and spec.residual.group:
        groups = [spec.residual.group]
    if not groups:
        raise PlanError(
            "The formula has no random effect",
            where=f"formula {spec.formula!r}",
            way_out="Add one, for example (1 | dyad), or name the group of the residuals: ar1(session | dyad)",
        )
    if len(groups) > 2:
        raise PlanError(
            f"Random effects of {len(groups)} groupings ({', '.join(':'.join(g) for g in groups)}) are too many",
            where=f"formula {spec.formula!r}",
            way_out="Sessions in dyads in therapists are three levels: keep two groupings",
        )
    found: list[Coded] = [(group, *coded([rows.series[c] for c in group])) for group in groups]
    if len(found) == 1:
        group, codes, labels = found[0]
        _refuse_other_group(spec, group)
        return Nesting(groups=(group,), names=(":".join(group),), codes=(codes,), labels=(labels,))
    (inner, codes, labels), (outer, above, above_labels) = _inner_first(spec, found)
    name, notes = ":".join(inner), tuple[Finding, ...]()
    if not _nested(codes, above):
        before, repeated = len(labels), _repeated(codes, above)
        columns = tuple(dict.fromkeys((*outer, *inner)))
        codes, labels = coded([rows.series[c] for c in columns])
        name = ":".join(columns)
        notes = (_repeating(":".join(inner), ":".join(outer), repeated, before, len(labels)),)
    if len(labels) == len(above_labels):
        raise FitError(
            f"Every {':'.join(outer)} has a single {':'.join(inner)}, so their variances cannot be told apart",
            way_out=f"Keep the random effects of {':'.join(inner)} alone",
        )
    _refuse_other_group(spec, inner)
    return Nesting(
        groups=(inner, outer),
        names=(name, ":".join(outer)),
        codes=(codes, above),
        labels=(labels, above_labels),
        notes=notes,
    )


def _refuse_other_group(spec: ModelSpec, inner: tuple[str, ...]) -> None:
    if spec.residual.group not in ((), inner):
        raise PlanError(
            f"Residuals of one {':'.join(spec.residual.group)} cannot hang together where the innermost random effects "
            f"are those of {':'.join(inner)}",
            way_out=f"Leave the group out of {spec.residual.label!r}: it is {':'.join(inner)}",
        )


Coded = tuple[tuple[str, ...], Index, pl.Series]


def _inner_first(spec: ModelSpec, found: list[Coded]) -> list[Coded]:
    """Two groupings, the inner one first.

    Where neither is nested in the other, labels repeat: the inner one is that of which few groups occur under
    several of the other (patients who changed the therapist), or else (numbers that start anew) the one with more
    random effects, or the one written first.
    """
    one, other = found
    if _nested(one[1], other[1]):
        return [one, other]
    if _nested(other[1], one[1]):
        return [other, one]
    shares = [_repeated(a[1], b[1]) / len(a[2]) for a, b in ((one, other), (other, one))]
    if min(shares) < 0.5 <= max(shares):
        return [one, other] if shares[0] < shares[1] else [other, one]
    effects = [sum(len(r.terms) for r in spec.random if r.group == group) for group, *_ in found]
    return [one, other] if effects[0] >= effects[1] else [other, one]


def _nested(codes: Index, above: Index) -> bool:
    parent = np.empty(int(codes.max()) + 1, dtype=np.intp)
    parent[codes] = above
    return bool((parent[codes] == above).all())


def _repeated(codes: Index, above: Index) -> int:
    """Labels of the inner grouping that occur under more than one outer group."""
    pairs = np.unique(np.stack([codes, above]), axis=1)
    return int((np.bincount(pairs[0]) > 1).sum())


def _repeating(inner: str, outer: str, repeated: int, before: int, after: int) -> Finding:
    return Finding(
        code="labels-repeat-across-groups",
        level="warning",
        words=(
            f"{repeated} of {before} labels of {inner} occur under more than one {outer}; they are read as different "
            f"groups within each {outer}, which makes {after} of them"
        ),
        way_out=(
            f"Right if {inner} is numbered anew for each {outer}, or if a patient changed the therapist; otherwise "
            f"correct {outer}. Crossed random effects are not fitted"
        ),
        column=inner,
    )


def coded(keys: Sequence[pl.Series]) -> tuple[Index, pl.Series]:
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
