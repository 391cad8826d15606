"""What the likelihood needs to know of many responses on the rows of one design.

The cross-products of the design with itself are those of its `Moments`; only what involves a response is
accumulated here, for all responses at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from dyadline.engine.covariance import Level
from dyadline.engine.forms import Forms, Rows, SerialRows
from dyadline.engine.moments import Array, Index, Moments, fitted_rows, lower, pseudo_inverse

Accumulated = Callable[[Rows], "Forms | SerialRows"]
"""Cross-products of rows under a residual structure's forms, for any columns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replicates:
    """Cross-products of R responses with a design of p fixed columns.

    Attributes
    ----------
    lines
        Each dyad's own least-squares fit of each response, (J, q, R).
    within
        `R` of fixed columns (p rows) with each response and, last, of the response with itself, (p+1, R).
    total
        The same without taking the dyads' fits out, (p+1, R).
    rest
        What the dyads' fits leave of `Z₃'y`, (H, q₃, R), where there are therapists.
    """

    lines: Array
    within: Array
    total: Array
    rest: Array | None

    @property
    def size(self) -> int:
        """R."""
        return int(self.lines.shape[2])

    def __getitem__(self, chosen: Index) -> Replicates:
        return Replicates(
            lines=self.lines[:, :, chosen],
            within=self.within[:, chosen],
            total=self.total[:, chosen],
            rest=None if self.rest is None else self.rest[:, :, chosen],
        )

    @staticmethod
    def together(parts: Sequence[Replicates]) -> Replicates:
        """Responses on the same design, one after the other."""
        rest = [part.rest for part in parts if part.rest is not None]
        return Replicates(
            lines=np.concatenate([part.lines for part in parts], axis=2),
            within=np.concatenate([part.within for part in parts], axis=1),
            total=np.concatenate([part.total for part in parts], axis=1),
            rest=np.concatenate(rest, axis=2) if rest else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Residuals:
    """Rows of a design, and what each dyad's least-squares fit leaves of its columns.

    Attributes
    ----------
    rows
        The last of their columns is a response, which is not used.
    inverse
        C⁺ of each dyad, (J, q, q).
    left
        Residuals of [Z₃ X], (n, q₃+p).
    """

    rows: Rows
    inverse: Array
    left: Array


def residuals(moments: Moments, rows: Rows) -> Residuals:
    """What accumulating responses needs of a design's rows; `moments` are theirs."""
    p = moments.n_fixed
    columns, fitted = rows.columns[:, :p], moments.lines[:, :, :p]
    if rows.above is not None and moments.upper is not None:
        columns = np.concatenate([rows.above, columns], axis=1)
        fitted = np.concatenate([moments.upper.cross[moments.cell], fitted], axis=2)
    return Residuals(
        rows=rows,
        inverse=pseudo_inverse(moments.gram)[moments.cell],
        left=columns - fitted_rows(rows.random, fitted, rows.starts),
    )


def replicates(design: Residuals, responses: Array) -> Replicates:
    """Accumulate what involves the responses.

    Parameters
    ----------
    design
        Of the rows.
    responses
        (n, R), standardised, in the order of the rows.
    """
    rows, starts = design.rows, design.rows.starts
    p = rows.columns.shape[1] - 1
    q3 = design.left.shape[1] - p
    products = np.empty((len(starts), rows.random.shape[1], responses.shape[1]))
    for r, z in enumerate(rows.random.T):
        products[:, r] = np.add.reduceat(responses * z[:, None], starts, axis=0)
    lines = design.inverse @ products
    left = responses - fitted_rows(rows.random, lines, starts)
    rest = None
    if rows.unit is not None:
        heads = starts[np.flatnonzero(np.r_[True, rows.unit[1:] != rows.unit[:-1]])]
        sums = [np.add.reduceat(left * z[:, None], heads, axis=0) for z in design.left.T[:q3]]
        rest = np.stack(sums, axis=1)
    return Replicates(
        lines=lines,
        within=_with_squares(design.left[:, q3:], left),
        total=_with_squares(rows.columns[:, :p], responses),
        rest=rest,
    )


def _with_squares(columns: Array, responses: Array) -> Array:
    squares = np.einsum("nr,nr->r", responses, responses)
    return np.concatenate([columns.T @ responses, squares[None]])


def with_response(moments: Moments, known: Replicates, number: int) -> Moments:
    """Moments of the design with one of the responses; no pass over the rows."""
    p = moments.n_fixed
    lines = moments.lines.copy()
    lines[:, :, p] = known.lines[:, :, number]
    upper = moments.upper
    if upper is not None and known.rest is not None:
        rest = upper.rest.copy()
        rest[:, :, -1] = known.rest[:, :, number]
        largest = int(moments.cell.max(initial=0)) + 1
        key = upper.unit * largest + moments.cell
        pairs = upper.pair_unit * largest + upper.pair_cell
        order = np.argsort(pairs)
        pair = order[np.searchsorted(pairs, key, sorter=order)]
        sums = upper.pair_sums.copy()
        sums[:, :, p] = 0.0
        np.add.at(sums[:, :, p], pair, lines[:, :, p])
        upper = replace(upper, rest=rest, pair_sums=sums)
    return replace(
        moments,
        total=_bordered(moments.total, known.total[:, number]),
        within=_bordered(moments.within, known.within[:, number]),
        lines=lines,
        packed=None if moments.packed is None else _repacked(moments, moments.packed, lines),
        upper=upper,
    )


def moment_estimates(moments: Moments, level: Level, known: Replicates) -> Array:
    """D of the dyads from the spread of each response's lines, (R, q, q); as `solve` has it for one response."""
    q, p = moments.n_random, moments.n_fixed
    values = np.linalg.eigvalsh(moments.gram)
    full = values[:, 0] > 1e-10 * np.maximum(values[:, -1], 1e-300)
    groups = float(moments.counts[full].sum())
    freedom = moments.n_rows - q * groups - p
    if groups < q + 2 or freedom < 1:
        return np.repeat(np.eye(q)[None], known.size, axis=0)
    beta = np.linalg.solve(moments.total[:p, :p], known.total[:p])
    within = known.within[p] - (beta * (2.0 * known.within[:p] - moments.within[:p, :p] @ beta)).sum(axis=0)
    there = full[moments.cell]
    own = known.lines[there] - moments.lines[there, :, :p] @ beta
    errors = np.tensordot(moments.counts[full], np.linalg.inv(moments.gram[full]), axes=1) / groups
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.einsum("jar,jbr->rab", own, own) * (freedom / groups / within)[:, None, None] - errors
    rows, columns = level.entries
    masked = np.zeros_like(found)
    masked[:, rows, columns] = found[:, rows, columns]
    masked[:, columns, rows] = found[:, rows, columns]
    masked[~((within > 0.0) & np.isfinite(masked).all(axis=(1, 2)))] = np.eye(q)
    return inside(masked)


def inside(relative: Array) -> Array:
    """D, (R, q, q), brought away from the edge of the cone, where the gradient in Λ vanishes."""
    values, vectors = np.linalg.eigh(relative)
    floor = np.maximum(1e-2, 1e-2 * values[:, -1:])
    return np.asarray((vectors * np.maximum(values, floor)[:, None, :]) @ vectors.swapaxes(-1, -2))


def _bordered(products: Array, border: Array) -> Array:
    result = products.copy()
    result[-1] = result[:, -1] = border
    return result


def _repacked(moments: Moments, packed: Array, lines: Array) -> Array:
    """The outer products with the response's column made anew: the last p+1 pairs of columns."""
    r, s = lower(moments.n_random)
    response = lines[:, :, -1:]
    outer = lines[:, r] * response[:, s]
    off = r != s
    outer[:, off] += lines[:, s[off]] * response[:, r[off]]
    width = lines.shape[2]
    summed = np.zeros((len(moments.counts), len(r), width))
    np.add.at(summed, moments.cell, outer)
    result = packed.copy()
    result[:, -width:] = summed.reshape(-1, width)
    return result


def one_by_one(
    moments: Moments, design: Residuals, responses: Array, accumulated: Accumulated | None = None
) -> Iterator[Moments]:
    """Moments of the design with each of the responses, (n, R), in turn.

    `accumulated` is needed where the design has a residual structure; the responses then pass through it together.
    """
    known = replicates(design, responses)
    forms: Forms | SerialRows | None = None
    p = moments.n_fixed
    if accumulated is not None:
        rows = design.rows
        forms = accumulated(replace(rows, columns=np.concatenate([rows.columns[:, :p], responses], axis=1)))
    for number in range(known.size):
        found = with_response(moments, known, number)
        if forms is not None:
            found = replace(found, forms=_of_one(forms, p, number, responses))
        yield found


def _of_one(forms: Forms | SerialRows, p: int, number: int, responses: Array) -> Forms | SerialRows:
    """Of cross-products (or rows) with several responses, those with one."""
    if isinstance(forms, SerialRows):
        columns = np.concatenate([forms.rows.columns[:, :p], responses[:, number, None]], axis=1)
        return replace(forms, rows=replace(forms.rows, columns=columns))

    def chosen(products: Array) -> Array:
        last = products.shape[-1] - responses.shape[1]
        return np.concatenate([products[..., :last], products[..., last + number, None]], axis=-1)

    total = chosen(forms.total)
    return replace(
        forms,
        inner=chosen(forms.inner),
        upper=None if forms.upper is None else chosen(forms.upper),
        total=np.concatenate([total[:, :p], total[:, p + number, None]], axis=1),
    )
