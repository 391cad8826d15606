"""The rows behind a design: standardised columns, built part by part, as often as they are needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from dyadline.engine.forms import Rows
from dyadline.engine.moments import Array, Index
from dyadline.errors import DataError
from dyadline.model.columns import Atom, Column, Standard, matrix, shiftable, standard, transformation
from dyadline.model.rows import CompleteRows
from dyadline.plan.model import Variable

TRANSFORMS = {"log": np.log, "log1p": np.log1p, "sqrt": np.sqrt, "exp": np.exp}


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Columns that are standardised together.

    Attributes
    ----------
    columns
        (p,).
    standards
        Shift and scale of each numeric variable in them.
    back
        (p, p): named coefficients = back · standardised coefficients.
    """

    columns: tuple[Column, ...]
    standards: dict[Variable, Standard]
    back: Array


class Values:
    """Columns of the design from the complete rows, each variable standardised by itself."""

    def __init__(self, rows: CompleteRows, levels: dict[str, tuple[str, ...]]) -> None:
        self.rows = rows
        self.levels = levels
        self._standards: dict[tuple[Variable, bool], Standard] = {}

    def numeric(self, variable: Variable, part: slice = slice(None)) -> Array:
        """Values of a variable in some rows, transformed.

        Raises
        ------
        DataError
            Values outside the transform's domain.
        """
        values = self.rows.numbers[variable.column][part]
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

    def block(self, columns: tuple[Column, ...]) -> Block:
        """How columns are standardised, and the way back."""
        movable = shiftable(columns)
        standards = {
            atom.variable: self.standard(atom.variable, shifted=atom.variable in movable)
            for atom in dict.fromkeys(a for column in columns for a in column)
            if atom.level is None
        }
        return Block(columns=columns, standards=standards, back=transformation(columns, standards))

    def standard(self, variable: Variable, *, shifted: bool) -> Standard:
        """Shift and scale of a variable."""
        key = variable, shifted
        if key not in self._standards:
            self._standards[key] = standard(self.numeric(variable), shifted=shifted)
        return self._standards[key]

    def matrix(self, block: Block, part: slice = slice(None)) -> Array:
        """Standardised columns of some rows, (n, p)."""
        values: dict[Atom, Array] = {}
        n = len(range(*part.indices(self.rows.n)))
        for atom in dict.fromkeys(a for column in block.columns for a in column):
            if atom.level is None:
                how = block.standards[atom.variable]
                values[atom] = (self.numeric(atom.variable, part) - how.shift) / how.scale
            else:
                text = as_text(self.rows.series[atom.variable.column][part])
                values[atom] = (text == atom.level).cast(pl.Float64).to_numpy()
        return matrix(block.columns, values, n)

    def response(self, variable: Variable, *, centred: bool) -> tuple[Variable, Standard]:
        """The response and how it is standardised.

        Raises
        ------
        DataError
            Text as outcome.
        """
        if variable.column not in self.rows.numbers:
            raise DataError(
                f"The outcome {variable.column!r} holds {kind_of(self.rows.series[variable.column])}, not numbers",
                way_out="Use a numeric column as outcome",
            )
        return variable, standard(self.numeric(variable), shifted=centred)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The design's rows, sorted by group, from which standardised columns are built.

    Attributes
    ----------
    values
        Columns by name.
    response
        The outcome and how it is standardised.
    fixed
        Fixed columns.
    random, above
        Blocks of random effects of the inner groups, and of the outer ones.
    starts
        First row of each inner group, (J,).
    unit
        Outer group of each inner group, (J,), ascending.
    turn
        (p, p), by which the fixed columns are multiplied where they nearly depend on each other: orthogonal
        columns lose no digits in their cross-products.
    """

    values: Values
    response: tuple[Variable, Standard]
    fixed: Block
    random: tuple[Block, ...]
    above: tuple[Block, ...]
    starts: Index
    unit: Index | None
    turn: Array | None = None

    @property
    def n(self) -> int:
        """Rows."""
        return self.values.rows.n

    @property
    def row_numbers(self) -> Index:
        """Number in the frame, from 0, of each row, (n,)."""
        return self.values.rows.kept

    def parts(self, at_once: int) -> Iterator[tuple[Rows, slice, slice]]:
        """Rows of whole groups (of the outermost level), about so many at once, with their place.

        Yields
        ------
        Standardised rows, which rows of the design they are, and which of its inner groups.
        """
        heads = self.starts
        first = np.arange(len(heads))
        if self.unit is not None:
            first = np.flatnonzero(np.r_[True, self.unit[1:] != self.unit[:-1]])
        ends = np.append(heads[first][1:], self.n)
        begin = 0
        while begin < len(first):
            limit = heads[first[begin]] + at_once
            end = max(begin + 1, int(np.searchsorted(ends, limit, side="right")))
            groups = slice(int(first[begin]), int(first[end]) if end < len(first) else len(heads))
            rows = slice(int(heads[groups.start]), int(ends[end - 1]))
            yield self.rows(rows, groups), rows, groups
            begin = end

    def rows(self, rows: slice = slice(None), groups: slice = slice(None)) -> Rows:
        """Standardised columns of some whole groups."""
        variable, how = self.response
        y = (self.values.numeric(variable, rows) - how.shift) / how.scale
        x = self.values.matrix(self.fixed, rows)
        starts = self.starts[groups]
        unit = None if self.unit is None else self.unit[groups]
        return Rows(
            columns=np.concatenate([x if self.turn is None else x @ self.turn, y[:, None]], axis=1),
            random=self._side_by_side(self.random, rows),
            starts=starts - starts[0],
            above=self._side_by_side(self.above, rows) if self.above else None,
            unit=None if unit is None else unit - unit[0],
        )

    def fixed_columns(self) -> Array:
        """All rows of the standardised fixed columns, (n, p)."""
        return self.values.matrix(self.fixed)

    def turned(self) -> Source:
        """The same rows with fixed columns made orthogonal, each of mean square one."""
        upper = np.linalg.qr(self.fixed_columns(), mode="r")
        return replace(self, turn=np.linalg.inv(upper) * np.sqrt(self.n))

    def _side_by_side(self, blocks: Sequence[Block], rows: slice) -> Array:
        parts = [self.values.matrix(block, rows) for block in blocks]
        if not parts:
            return np.empty((len(range(*rows.indices(self.n))), 0))
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)


def kind_of(series: pl.Series) -> str:
    """What a column holds, in words."""
    if series.dtype == pl.Boolean:
        return "true and false"
    return "dates or times" if series.dtype.is_temporal() else "text"


def as_text(series: pl.Series) -> pl.Series:
    """Levels as text; truth values in R's spelling."""
    text = series.cast(pl.String)
    return text.str.to_uppercase() if series.dtype == pl.Boolean else text
