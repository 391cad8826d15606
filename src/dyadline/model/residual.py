"""From a residual structure's columns to the engine's forms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dyadline.engine.forms import Form, Forms, Rows, SerialRows, accumulate
from dyadline.engine.moments import Array, Index
from dyadline.engine.residual import (
    INDEPENDENT,
    Autoregressive,
    CompoundSymmetry,
    Pairs,
    Residual,
    UnequalVariances,
)
from dyadline.errors import DataError, FitError
from dyadline.model.rows import CompleteRows, coded
from dyadline.plan.model import ResidualSpec

Mask = NDArray[np.bool_]

LARGEST_FORMS = 24
"""Different gaps beyond which rows are weighed anew at each correlation instead."""

FormsOf = Callable[[slice, slice], list[Form]]
"""The forms over some of the design's rows (first slice) that are all rows of some groups (second slice)."""


Draw = Callable[[Array, Array], Array]
"""From independent standard normal numbers, (n, R), and η to residuals with covariance R, in units of σ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResidualDesign:
    """The residual part of a design.

    Attributes
    ----------
    structure
        As the engine knows it.
    labels
        Levels with a variance each, the reference first; empty where there is one variance.
    forms
        Of some rows; `R⁻¹ = Σ ω_s F_s`.
    draw
        Simulated residuals.
    gap
        Number of the gap between each row and the next, (n,), −1 for none, where gaps are too many for forms.
    """

    structure: Residual
    labels: tuple[str, ...]
    forms: FormsOf
    draw: Draw
    gap: Index | None = None

    def accumulated(self, part: Rows, numbers: slice, groups: slice) -> Forms | SerialRows | None:
        """Cross-products of some rows under the forms; ``None`` where residuals are independent."""
        if self.structure.size == 0:
            return None
        if self.gap is not None:
            return SerialRows(rows=part, gap=self.gap[numbers])
        return accumulate(part, self.forms(numbers, groups))

    def times_inverse(self, columns: Array, starts: Index, eta: Array) -> Array:
        """`R⁻¹ · columns`, (n, c), for all rows of the design."""
        everything = slice(0, len(columns)), slice(0, len(starts))
        weights = self.structure.weights(eta).value
        result = np.zeros_like(columns)
        for weight, form in zip(weights, self.forms(*everything), strict=True):
            result += weight * form.times(columns, starts)
        return result


def _rows_alone(numbers: slice, groups: slice) -> list[Form]:
    return [Form(diagonal=np.ones(numbers.stop - numbers.start))]


NONE = ResidualDesign(structure=INDEPENDENT, labels=(), forms=_rows_alone, draw=lambda normal, eta: normal)


def occasion_order(spec: ResidualSpec, rows: CompleteRows) -> list[Array]:
    """Keys by which rows of a group are sorted, so that rows that hang together are neighbours."""
    if spec.kind in ("ar1", "car1"):
        return [_times(spec, rows)]
    if spec.kind == "pairs":
        rater, occasion = (coded([rows.series[c]])[0].astype(float) for c in spec.columns)
        return [occasion, rater]
    return []


def residual_design(spec: ResidualSpec, rows: CompleteRows, starts: Index) -> ResidualDesign:
    """The engine's structure and forms, for rows sorted by group and `occasion_order`.

    Raises
    ------
    DataError
        Occasions that repeat within a group, or are no whole numbers where they must be.
    FitError
        A structure that these data cannot tell.
    """
    n = rows.n
    last = np.zeros(n, dtype=bool)
    last[np.append(starts[1:] - 1, n - 1)] = True
    if spec.kind == "by":
        return _by(spec, rows)
    if spec.kind == "pairs":
        return _pairs(spec, rows, last)
    if spec.kind in ("ar1", "car1"):
        return _serial(spec, rows, last)
    if spec.kind == "cs":
        return _symmetric(starts, n)
    return NONE


def level_codes(series: pl.Series) -> tuple[Index, tuple[str, ...]]:
    """Code of each row's level and the levels in sorted order, numbers as numbers."""
    ordered = series.unique().sort()
    position = {value: number for number, value in enumerate(ordered.to_list())}
    codes = np.array([position[value] for value in series.to_list()], dtype=np.intp)
    return codes, tuple(str(v).strip() for v in ordered.to_list())


def _by(spec: ResidualSpec, rows: CompleteRows) -> ResidualDesign:
    codes, labels = level_codes(rows.series[spec.columns[0]])
    _refuse_one_level(spec, labels)
    counts = np.bincount(codes)

    def forms(numbers: slice, groups: slice) -> list[Form]:
        here = codes[numbers]
        return [Form(diagonal=(here == k).astype(float)) for k in range(len(labels))]

    def draw(normal: Array, eta: Array) -> Array:
        return np.asarray(normal * np.exp(np.append(0.0, eta) / 2.0)[codes, None])

    structure = UnequalVariances(tuple(counts.tolist()))
    return ResidualDesign(structure=structure, labels=labels, forms=forms, draw=draw)


def _refuse_one_level(spec: ResidualSpec, labels: tuple[str, ...]) -> None:
    if len(labels) < 2:
        raise FitError(
            f"Column {spec.columns[0]!r} has one value in the complete rows, so there is one residual variance",
            way_out="Leave out the residual structure",
        )


def _pairs(spec: ResidualSpec, rows: CompleteRows, last: Mask) -> ResidualDesign:
    rater, labels = level_codes(rows.series[spec.columns[0]])
    _refuse_one_level(spec, labels)
    if len(labels) > 2:
        raise DataError(
            f"Column {spec.columns[0].strip()!r} has {len(labels)} values; pairs are of two raters",
            way_out=f"For a variance each write by({spec.columns[0].strip()})",
        )
    occasion, _ = coded([rows.series[spec.columns[1]]])
    linked = np.zeros(len(rater), dtype=bool)
    linked[:-1] = ~last[:-1] & (occasion[1:] == occasion[:-1])
    twice = np.flatnonzero(linked[:-1] & (rater[1:] == rater[:-1]))
    if len(twice):
        raise DataError(
            f"A group has two rows of the same {spec.columns[0].strip()} at one {spec.columns[1].strip()}",
            where=f"rows {rows.kept[twice[0]] + 1} and {rows.kept[twice[0] + 1] + 1}",
            way_out="Keep one of them",
        )
    paired = linked.copy()
    paired[1:] |= linked[:-1]
    if not linked.any():
        raise FitError(
            "No occasion has both ratings, so their correlation cannot be estimated",
            way_out=f"For a variance each write by({spec.columns[0].strip()})",
        )

    def forms(numbers: slice, groups: slice) -> list[Form]:
        both, second, link = paired[numbers], rater[numbers] == 1, linked[numbers]
        masks = (both & ~second, both & second, ~both & ~second, ~both & second)
        own = [Form(diagonal=mask * 1.0) for mask in masks]
        return [*own[:2], Form(link=link * 1.0), *own[2:]]

    single = int((~paired & (rater == 1)).sum())

    def draw(normal: Array, eta: Array) -> Array:
        rho, found = float(np.tanh(eta[1])), normal.copy()
        first = np.flatnonzero(linked)
        found[first + 1] = rho * normal[first] + np.sqrt(1.0 - rho**2) * normal[first + 1]
        return np.asarray(found * np.where(rater == 1, np.exp(eta[0] / 2.0), 1.0)[:, None])

    structure = Pairs(int(linked.sum()), single)
    return ResidualDesign(structure=structure, labels=labels, forms=forms, draw=draw)


def _times(spec: ResidualSpec, rows: CompleteRows) -> Array:
    name = spec.columns[0]
    if name not in rows.numbers:
        raise DataError(f"The time of {spec.label} needs numbers, but column {name!r} holds text")
    return rows.numbers[name]


def _serial(spec: ResidualSpec, rows: CompleteRows, last: Mask) -> ResidualDesign:
    time = _times(spec, rows)
    linked = ~last
    if not linked.any():
        raise FitError(f"No group has two rows, so {spec.label} says nothing", way_out="Leave it out")
    gap = np.zeros(len(time))
    gap[:-1] = np.diff(time)
    same = np.flatnonzero(linked & (gap <= 0.0))
    if len(same):
        raise DataError(
            f"A group has two rows at the same {spec.columns[0]} ({time[same[0]]:g})",
            where=f"rows {rows.kept[same[0]] + 1} and {rows.kept[same[0] + 1] + 1}",
            way_out="A serial correlation needs one row per occasion: keep one of them, or leave it out",
        )
    continuous = spec.kind == "car1"
    if not continuous and (gap[linked] != np.round(gap[linked])).any():
        raise DataError(
            f"{spec.label} counts whole occasions, but {spec.columns[0]!r} has fractions",
            way_out=f"For any distance in time write car1({spec.columns[0]})",
        )
    # Differences of decimal times such as .3 − .2 must not look like different gaps.
    gaps, position = np.unique(np.round(gap[linked], 9), return_inverse=True)
    index = np.full(len(time), -1, dtype=np.intp)
    index[linked] = position.ravel()
    counts = np.bincount(position.ravel(), minlength=len(gaps))
    structure = Autoregressive(tuple(gaps.tolist()), tuple(counts.tolist()), continuous)
    many = len(gaps) > LARGEST_FORMS

    def forms(numbers: slice, groups: slice) -> list[Form]:
        here = index[numbers]
        links = [(here == k) * 1.0 for k in range(len(gaps))]
        ends = [Form(diagonal=link + np.append(0.0, link[:-1])) for link in links]
        return [Form(diagonal=np.ones(len(here))), *ends, *(Form(link=link) for link in links)]

    def draw(normal: Array, eta: Array) -> Array:
        phi = structure.correlation(float(eta[0]))
        psi = np.where(linked, np.float64(phi) ** np.where(linked, gaps[index], 1.0), 0.0)
        found = normal.copy()
        place = np.arange(len(last)) - np.maximum.accumulate(
            np.where(np.append(True, last[:-1]), np.arange(len(last)), 0)
        )
        for position in range(1, int(place.max(initial=0)) + 1):
            here = np.flatnonzero(place == position)
            share = psi[here - 1, None]
            found[here] = share * found[here - 1] + np.sqrt(1.0 - share**2) * normal[here]
        return found

    return ResidualDesign(structure=structure, labels=(), forms=forms, draw=draw, gap=index if many else None)


def _symmetric(starts: Index, n: int) -> ResidualDesign:
    sizes = np.diff(np.append(starts, n))
    different, counts = np.unique(sizes[sizes > 1], return_counts=True)
    if not len(different):
        raise FitError("No group has two rows, so cs says nothing", way_out="Leave it out")

    def forms(numbers: slice, groups: slice) -> list[Form]:
        here = sizes[groups]
        rows = Form(diagonal=np.ones(numbers.stop - numbers.start))
        return [rows, *(Form(block=(here == size) * 1.0) for size in different)]

    structure = CompoundSymmetry(tuple(different.tolist()), tuple(counts.tolist()))

    def draw(normal: Array, eta: Array) -> Array:
        rho = structure.correlation(float(eta[0]))
        mean = np.repeat(np.add.reduceat(normal, starts, axis=0) / sizes[:, None], sizes, axis=0)
        whole = np.sqrt(1.0 + (np.repeat(sizes, sizes) - 1.0) * rho)[:, None]
        return np.asarray(np.sqrt(1.0 - rho) * (normal - mean) + whole * mean)

    return ResidualDesign(structure=structure, labels=(), forms=forms, draw=draw)
