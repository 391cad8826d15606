"""Terms become numeric columns, and the shifts and scales that make their cross-products safe.

Cross-products square a condition number. Each numeric variable is therefore centred and scaled before
products are formed; because a product of shifted variables is a known combination of lower products, the
named coefficients come back exactly. Shifts and scales are short binary fractions, so that they add no
rounding to values such as session numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

import numpy as np

from dyadline.engine.moments import Array
from dyadline.plan.model import Term, Variable


@dataclass(frozen=True, slots=True)
class Atom:
    """A numeric variable, or the indicator of one level of a categorical one."""

    variable: Variable
    level: str | None = None

    @property
    def label(self) -> str:
        return self.variable.label + (self.level or "")


Column = tuple[Atom, ...]
"""Atoms multiplied with each other; ``()`` is the constant."""


def column_label(column: Column) -> str:
    """The column as R names its coefficient: ``(Intercept)``, ``SexMale:t``."""
    return ":".join(atom.label for atom in column) if column else "(Intercept)"


def expand(terms: Sequence[Term], levels: Mapping[str, tuple[str, ...]]) -> tuple[Column, ...]:
    """The columns of terms, with R's treatment contrasts.

    A categorical variable loses its first level where the term without it is in the model, and keeps all
    levels where it is not.

    Parameters
    ----------
    terms
        In order.
    levels
        Sorted levels of each categorical column; other columns are numeric.
    """
    present = {frozenset(term) for term in terms}
    columns: list[Column] = []
    for term in terms:
        grown: list[Column] = [()]
        for variable in term:
            if variable.column not in levels:
                grown = [(*column, Atom(variable)) for column in grown]
                continue
            marginal = frozenset(term) - {variable} in present
            kept = levels[variable.column][1 if marginal else 0 :]
            # As in R, the levels of the first variable run fastest.
            grown = [(*column, Atom(variable, level)) for level in kept for column in grown]
        columns.extend(grown)
    return tuple(columns)


@dataclass(frozen=True, slots=True)
class Standard:
    """Shift and scale of a numeric variable: ``(x − shift) / scale``."""

    shift: float = 0.0
    scale: float = 1.0


def standard(values: Array, *, shifted: bool) -> Standard:
    """Shift and scale with few binary digits: a power of two near the SD, a shift near the mean."""
    centre = float(values.mean()) if shifted else 0.0
    from_centre = values - centre
    spread = float(np.sqrt(from_centre @ from_centre / max(1, len(values))))
    if not spread > 0.0 or not np.isfinite(spread):
        return Standard()
    scale = float(2.0 ** np.round(np.log2(spread)))
    return Standard(shift=float(np.round(centre / scale)) * scale if shifted else 0.0, scale=scale)


@lru_cache(maxsize=256)
def shiftable(columns: tuple[Column, ...]) -> frozenset[Variable]:
    """Numeric variables whose shift leaves the span of the columns as it is.

    That is so when for every column with the variable the same column without it is there too.
    """
    keys = [frozenset((a.variable, a.level) for a in column) for column in columns]
    present = set(keys)
    numeric = {a.variable for column in columns for a in column if a.level is None}
    return frozenset(
        variable
        for variable in numeric
        if all(
            sum(a.variable == variable for a in column) == 1 and key - {(variable, None)} in present
            for column, key in zip(columns, keys, strict=True)
            if (variable, None) in key
        )
    )


def transformation(columns: Sequence[Column], standards: Mapping[Variable, Standard]) -> Array:
    """A, (p, p), with ``standardised columns = named columns · A``, exactly.

    Coefficients of the named columns are A times those of the standardised ones.
    """
    shifted = frozenset(v for v, how in standards.items() if how.shift != 0.0)
    result = np.zeros((len(columns), len(columns)))
    for row, column, moved, scaled in _expansion(tuple(columns), shifted):
        value = 1.0
        for variable in moved:
            value *= -standards[variable].shift
        for variable in scaled:
            value /= standards[variable].scale
        result[row, column] = value
    return result


Entry = tuple[int, int, tuple[Variable, ...], tuple[Variable, ...]]
"""Row and column of the transformation, variables whose shifts multiply, variables whose scales divide."""


@lru_cache(maxsize=256)
def _expansion(columns: tuple[Column, ...], shifted: frozenset[Variable]) -> tuple[Entry, ...]:
    """Products of shifted variables written out: the same for every data set of a formula."""
    keys = [frozenset((a.variable, a.level) for a in column) for column in columns]
    position = {key: number for number, key in enumerate(keys)}
    found: list[Entry] = []
    for number, column in enumerate(columns):
        moving = [a for a in column if a.variable in shifted and a.level is None]
        scaled = tuple(a.variable for a in column if a.level is None)
        for size in range(len(moving) + 1):
            for dropped in combinations(moving, size):
                key = keys[number] - {(a.variable, None) for a in dropped}
                found.append((position[key], number, tuple(a.variable for a in dropped), scaled))
    return tuple(found)


def matrix(columns: Sequence[Column], values: Mapping[Atom, Array], n: int) -> Array:
    """The columns side by side, (n, p); products of the values of their atoms."""
    result = np.ones((n, len(columns)))
    made: dict[Column, int] = {}
    for number, column in enumerate(columns):
        if len(column) > 1 and column[:-1] in made:
            np.multiply(result[:, made[column[:-1]]], values[column[-1]], out=result[:, number])
        else:
            for atom in column:
                result[:, number] *= values[atom]
        made[column] = number
    return result
