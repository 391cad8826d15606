"""The data file that the scripts read: numbers only, so that no program and no spreadsheet can misread a cell.

Groups are running numbers, levels of text columns are codes, and the columns of several fits of one frame stand side by
side, empty where a fit did not use the row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

from dyadline.engine.moments import Array, Index
from dyadline.model.fit import Fit
from dyadline.model.residual import level_codes
from dyadline.model.rows import coded
from dyadline.model.source import as_text
from dyadline.model.stacked import KIND, ROW, joint_residual
from dyadline.plan.model import ResidualSpec
from dyadline.report.syntax.names import Names

Part = Literal["group", "column", "residual"]
"""What a column of the file is for: identifying groups, the model's terms, or the residual structure."""

Key = tuple[Part, str]
"""Part and name in the fit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Columns of a data file.

    Attributes
    ----------
    names
        Column of the file for each part of the fits.
    levels
        Levels of each text column among the predictors; level k is the code k, from 0.
    residual_levels
        Levels of each column with residual variances; level k is the code k + 1.
    frame
        The file: whole numbers and floats.
    """

    names: Mapping[Key, str]
    levels: Mapping[str, tuple[str, ...]]
    residual_levels: Mapping[str, tuple[str, ...]]
    frame: pl.DataFrame

    def csv(self) -> bytes:
        """The file's content, every number at full precision."""
        return self.frame.write_csv().encode()


def residual_of(fit: Fit) -> ResidualSpec:
    """The residual structure as it was fitted: that of a joint model is its own."""
    return joint_residual(fit.spec) if fit.spec.responses else fit.spec.residual


def layout(fits: Sequence[Fit]) -> Layout:
    """One file for the fits of one frame.

    Parameters
    ----------
    fits
        At least one; their row numbers must be those of the same frame.
    """
    levels = _union_of_levels(fits)
    number_of: dict[str, dict[object, int]] = {}
    height = 1 + max(int(fit.design.source.row_numbers.max()) for fit in fits)
    found: dict[Key, Array] = {}
    for fit in fits:
        for key, values in _columns(fit, levels, number_of):
            column = found.setdefault(key, np.full(height, np.nan))
            column[fit.design.source.row_numbers] = values
    named = _names(fits, found)
    order = sorted(found, key=lambda key: ("group", "column", "residual").index(key[0]))
    frame = pl.DataFrame({named[key]: found[key] for key in order}).fill_nan(None)
    whole = [named[key] for key in order if _is_whole(key, found[key], levels)]
    frame = frame.with_columns(pl.col(whole).cast(pl.Int64))
    return Layout(
        names=named,
        levels=levels,
        residual_levels={residual_of(f).columns[0]: f.design.residual.labels for f in fits if f.design.residual.labels},
        frame=_in_order(frame, named, fits[0]),
    )


def _in_order(frame: pl.DataFrame, named: Mapping[Key, str], fit: Fit) -> pl.DataFrame:
    """Rows that are used, sorted by group and by what residuals need."""
    groups = [named["group", g.name] for g in reversed(fit.design.groupings)]
    within = [_residual_name(named, column) for column in reversed(residual_of(fit).columns)]
    used = frame.filter(pl.any_horizontal(pl.all().is_not_null()))
    return used.sort([*groups, *within], maintain_order=True)


def _residual_name(named: Mapping[Key, str], column: str) -> str:
    return named.get(("residual", column)) or named["column", column]


def _union_of_levels(fits: Sequence[Fit]) -> dict[str, tuple[str, ...]]:
    found: dict[str, set[str]] = {}
    for fit in fits:
        for column, levels in fit.design.levels.items():
            found.setdefault(column, set()).update(levels)
    return {column: tuple(sorted(levels)) for column, levels in found.items()}


def _columns(
    fit: Fit, levels: Mapping[str, tuple[str, ...]], number_of: dict[str, dict[object, int]]
) -> Iterator[tuple[Key, Array]]:
    source = fit.design.source
    rows = source.values.rows
    for grouping, codes in zip(fit.design.groupings, group_codes(fit), strict=True):
        numbers = number_of.setdefault(grouping.name, {})
        labels = [numbers.setdefault(label, len(numbers) + 1) for label in grouping.labels.to_list()]
        yield ("group", grouping.name), np.array(labels, dtype=float)[codes]
    blocks = (source.fixed, *source.random, *source.above)
    variables = [atom.variable.column for block in blocks for column in block.columns for atom in column]
    for name in dict.fromkeys((source.response[0].column, *variables)):
        if name in levels:
            code_of = {level: float(code) for code, level in enumerate(levels[name])}
            found = as_text(rows.series[name]).replace_strict(code_of, return_dtype=pl.Float64)
            yield ("column", name), found.to_numpy()
        else:
            yield ("column", name), rows.numbers[name]
    yield from _residual_columns(fit, set(variables))


def _residual_columns(fit: Fit, variables: set[str]) -> Iterator[tuple[Key, Array]]:
    residual, rows = residual_of(fit), fit.design.source.values.rows
    if residual.kind in ("by", "pairs"):
        yield ("residual", residual.columns[0]), np.asarray(level_codes(rows.series[residual.columns[0]])[0] + 1.0)
    if residual.kind == "pairs":
        yield ("residual", residual.columns[1]), np.asarray(coded([rows.series[residual.columns[1]]])[0] + 1.0)
    if residual.kind in ("ar1", "car1"):
        time = rows.numbers[residual.columns[0]]
        fractions = residual.kind == "ar1" and bool((time != np.round(time)).any())
        if fractions or residual.columns[0] not in variables:
            yield ("residual", residual.columns[0]), np.round(time - time.min()) if fractions else time


def group_codes(fit: Fit) -> list[Index]:
    """Number of each row's group within its labels, (n,), of each level, innermost first."""
    source = fit.design.source
    sizes = np.diff(np.append(source.starts, source.n))
    codes = [np.repeat(np.arange(len(sizes)), sizes)]
    if source.unit is not None:
        codes.append(np.repeat(source.unit, sizes))
    return codes


def _names(fits: Sequence[Fit], found: Mapping[Key, Array]) -> dict[Key, str]:
    """Groups first: their names stay as they are wherever they can."""
    joint = {fit.spec.response.column: "response" for fit in fits if fit.spec.responses} | {KIND: "kind", ROW: "row"}
    names = Names()
    parts: tuple[Part, ...] = ("group", "column", "residual")
    return {key: names.give(joint.get(key[1], key[1])) for part in parts for key in found if key[0] == part}


def _is_whole(key: Key, values: Array, levels: Mapping[str, tuple[str, ...]]) -> bool:
    """Whether a column is written without decimals: codes and running numbers."""
    there = values[~np.isnan(values)]
    codes = key[0] != "column" or key[1] in levels
    return codes and bool((there == np.round(there)).all())
