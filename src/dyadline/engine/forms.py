"""Cross-products of the rows under the forms of a residual structure: `[Z Z₃ X y]'F_s[Z Z₃ X y]`.

A form weighs rows, links a row to the next one, or couples all rows of a dyad. Where a serial correlation meets
nearly as many gaps as rows, forms would be as many as rows; then the rows are kept and weighed anew at each η.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dyadline.engine.residual import Weights

Array = NDArray[np.float64]
Index = NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """One symmetric F over rows sorted by dyad.

    Attributes
    ----------
    diagonal
        Weight of each row, (n,).
    link
        Weight of the product of each row with the next, (n,); zero at a dyad's last row.
    block
        Weight of the products of all rows of a dyad, (J,).
    """

    diagonal: Array | None = None
    link: Array | None = None
    block: Array | None = None

    def times(self, columns: Array, starts: Index) -> Array:
        """`F · columns`, (n, c)."""
        result = np.zeros_like(columns) if self.diagonal is None else columns * self.diagonal[:, None]
        if self.link is not None:
            weights = self.link[:-1, None]
            result[:-1] += weights * columns[1:]
            result[1:] += weights * columns[:-1]
        if self.block is not None:
            sizes = np.diff(np.append(starts, len(columns)))
            sums = np.add.reduceat(columns, starts, axis=0) * self.block[:, None]
            result += np.repeat(sums, sizes, axis=0)
        return result


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """The design's rows, sorted by dyad (by therapist, then dyad).

    Attributes
    ----------
    columns, random, above
        Fixed columns and response, (n, p+1); random effects of dyads, (n, q), and of therapists, (n, q₃).
    starts
        First row of each dyad, (J,).
    unit
        Therapist of each dyad, (J,), ascending.
    """

    columns: Array
    random: Array
    starts: Index
    above: Array | None = None
    unit: Index | None = None


Combined = tuple[Array, "Array | None", Array]
"""`Z'R⁻¹[Z Z₃ X y]`, (k, J, q, ·); `Z₃'R⁻¹[Z₃ X y]`, (k, H, q₃, ·); `[X y]'R⁻¹[X y]`, (k, p+1, p+1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forms:
    """Cross-products under each form.

    Attributes
    ----------
    inner
        `Z'F_s[Z Z₃ X y]` of each dyad, (S, J, q, q+q₃+p+1).
    upper
        `Z₃'F_s[Z₃ X y]` of each therapist, (S, H, q₃, q₃+p+1).
    total
        `[X y]'F_s[X y]`, (S, p+1, p+1).
    unit
        Therapist of each dyad, (J,).
    """

    inner: Array
    upper: Array | None
    total: Array
    unit: Index | None

    def combined(self, weights: Weights) -> Combined:
        """Under R⁻¹ (k = 0), its first derivatives and its second (lower triangle, row by row)."""
        omega = _stacked(weights)
        return (
            np.tensordot(omega, self.inner, axes=1),
            None if self.upper is None else np.tensordot(omega, self.upper, axes=1),
            np.tensordot(omega, self.total, axes=1),
        )

    @staticmethod
    def together(parts: Sequence[Forms | SerialRows]) -> Forms:
        """Of disjoint sets of dyads with the same forms."""
        known = [p for p in parts if isinstance(p, Forms)]
        if len(known) < len(parts):
            raise TypeError("rows that are weighed anew cannot be added")
        upper = [p.upper for p in known if p.upper is not None]
        units = [p.unit for p in known if p.unit is not None]
        shifts = np.cumsum([0, *(u.shape[1] for u in upper)])
        return Forms(
            inner=np.concatenate([p.inner for p in known], axis=1),
            upper=np.concatenate(upper, axis=1) if upper else None,
            total=np.sum([p.total for p in known], axis=0),
            unit=np.concatenate([u + s for u, s in zip(units, shifts, strict=False)]) if units else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SerialRows:
    """Rows that are weighed anew at each η: a serial correlation over gaps that hardly repeat.

    Attributes
    ----------
    rows
        Of the design.
    gap
        Number, among the residual's gaps, of the link from each row to the next, (n,); −1 for none.
    """

    rows: Rows
    gap: Index

    @property
    def unit(self) -> Index | None:
        return self.rows.unit

    def combined(self, weights: Weights) -> Combined:
        """As `Forms.combined`."""
        linked = self.gap >= 0
        forms = []
        for omega in _stacked(weights):
            ends, links = np.split(omega[1:], 2)
            link = np.where(linked, links[self.gap], 0.0)
            diagonal = np.full(len(self.gap), omega[0])
            at = np.where(linked, ends[self.gap], 0.0)
            diagonal += at
            diagonal[1:] += at[:-1]
            forms.append(Form(diagonal=diagonal, link=link))
        found = accumulate(self.rows, forms)
        return found.inner, found.upper, found.total


def accumulate(rows: Rows, forms: Sequence[Form]) -> Forms:
    """One pass over the rows for each form."""
    starts, unit = rows.starts, rows.unit
    inner, total, upper = [], [], []
    everything = rows.columns if rows.above is None else np.concatenate([rows.above, rows.columns], axis=1)
    q3 = everything.shape[1] - rows.columns.shape[1]
    everything = np.concatenate([rows.random, everything], axis=1)
    q = rows.random.shape[1]
    for form in forms:
        weighted = form.times(everything, starts)
        inner.append(
            np.stack([np.add.reduceat(weighted * rows.random[:, r, None], starts, axis=0) for r in range(q)], axis=1)
        )
        total.append(rows.columns.T @ weighted[:, q + q3 :])
        if rows.above is not None and unit is not None:
            heads = starts[np.flatnonzero(np.r_[True, unit[1:] != unit[:-1]])]
            sums = [np.add.reduceat(weighted[:, q:] * rows.above[:, r, None], heads, axis=0) for r in range(q3)]
            upper.append(np.stack(sums, axis=1))
    return Forms(inner=np.stack(inner), upper=np.stack(upper) if upper else None, total=np.stack(total), unit=unit)


def _stacked(weights: Weights) -> Array:
    """ω, its gradient and the lower triangle of its Hessian, (1 + m + m(m+1)/2, S)."""
    m = len(weights.first)
    r, s = np.tril_indices(m)
    return np.concatenate([weights.value[None], weights.first, weights.second[r, s]])
