"""Many responses on the design of one fit: power, bootstrap and permutation rest on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from dyadline.data.frames import polars_frame
from dyadline.engine.batch import solve_many
from dyadline.engine.batch_information import satterthwaite_many
from dyadline.engine.criterion import Method
from dyadline.engine.forms import Forms, Rows, SerialRows
from dyadline.engine.moments import Array
from dyadline.engine.replicates import Accumulated
from dyadline.engine.solutions import Solutions
from dyadline.engine.solve import Problem
from dyadline.errors import DataError, PlanError, did_you_mean
from dyadline.model.design import Design
from dyadline.model.fit import Fit
from dyadline.model.rows import LARGEST

Order = Literal["frame", "design"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Many:
    """Fits of R responses on one design. A response without an answer has NaN everywhere and did not converge.

    Attributes
    ----------
    method
        ``"REML"`` or ``"ML"``.
    terms
        Names of the p fixed coefficients.
    estimates, std_errors
        (R, p), in the units of the responses.
    theta
        Free entries of the relative covariance factors, after the residual's parameters, (R, k).
    sigma
        Residual standard deviations, (R,).
    criterion
        −2 log-likelihood or REML criterion, (R,).
    converged, singular
        As for a single `Fit`, (R,).
    design, solutions
        What was solved, and how it ended: for whoever asks further questions.
    """

    method: Method
    terms: tuple[str, ...]
    estimates: Array
    std_errors: Array
    theta: Array
    sigma: Array
    criterion: Array
    converged: NDArray[np.bool_]
    singular: NDArray[np.bool_]
    design: Design
    solutions: Solutions

    def __repr__(self) -> str:
        return (
            f"<Many {len(self.sigma)} responses, {self.method}, {int(self.converged.sum())} converged, "
            f"{int(self.singular.sum())} singular>"
        )


def fit_many(problem: Fit, responses: object, method: str | None = None, *, order: Order = "frame") -> Many:
    """Fit many responses on the design of one fit; each result is that of a fit of its own.

    Parameters
    ----------
    problem
        A fit. Its formula, rows and predictors are used; its outcome is replaced.
    responses
        Frame or array, (rows, R): a column per response, in the units of the outcome after its transformation.
        Its rows are those of the fit's frame, or of its complete rows alone. (In a joint model: of the first
        outcome's rows, then of the second's.)
    method
        ``"REML"`` or ``"ML"``; the fit's own unless said.
    order
        ``"frame"``: rows in the order of the fit's frame. ``"design"``: in the order in which the fit's design
        sorted them, ``problem.design.source.row_numbers``.

    Raises
    ------
    PlanError
        Rows that are not those of the fit, or a method that is not known.
    DataError
        Responses that are not finite numbers.
    """
    how = _method(problem, method)
    made = problem.design
    values = _in_order(made, responses, order)
    shift, scale = _standards(values, shifted=bool(made.constant))
    from threadpoolctl import threadpool_limits

    # Several threads on thousands of tiny matrices wait for each other ten times longer than they work.
    with threadpool_limits(limits=1, user_api="blas"):
        found = solve_many(
            Problem(moments=made.moments, structure=made.structure, method=how),
            made.source.rows(),
            (values - shift) / scale,
            accumulated=_accumulated(made) if made.structure.residual.size else None,
        )
    degrees = made.moments.n_rows - (len(made.terms) if how == "REML" else 0)
    sigma = scale * np.sqrt(found.rss / degrees)
    estimates = scale[:, None] * (found.beta @ made.to_fixed.T)
    estimates[:, list(made.constant)] += shift[:, None]
    sizes = np.einsum("ac,rcd,ad->ra", made.to_fixed, found.inverse, made.to_fixed, optimize=True)
    criterion = found.criterion + 2.0 * degrees * np.log(scale)
    if how == "REML":
        criterion -= 2.0 * float(np.linalg.slogdet(made.to_fixed)[1])
    std_errors = sigma[:, None] * np.sqrt(sizes)
    for array in (sigma, estimates, std_errors, criterion):
        array.flags.writeable = False
    return Many(
        method=how,
        terms=made.terms,
        estimates=estimates,
        std_errors=std_errors,
        theta=found.theta,
        sigma=sigma,
        criterion=criterion,
        converged=found.converged,
        singular=found.singular,
        design=made,
        solutions=found,
    )


def many_satterthwaite(many: Many, contrasts: Array | None = None) -> Array:
    """Satterthwaite degrees of freedom of linear combinations of the named coefficients, for every response.

    Parameters
    ----------
    many
        Fits of R responses.
    contrasts
        Rows l, (m, p); each coefficient by itself unless said.

    Returns
    -------
    (R, m); as `inference.freedom.satterthwaite` has them, NaN for a response without an answer.
    """
    made = many.design
    p = len(many.terms)
    asked = np.eye(p) if contrasts is None else np.atleast_2d(np.asarray(contrasts))
    if asked.ndim != 2 or asked.shape[1] != p or not np.issubdtype(asked.dtype, np.number):
        raise PlanError(f"Contrasts are rows of {p} weights, one for each coefficient")
    problem = Problem(moments=made.moments, structure=made.structure, method=many.method)
    return satterthwaite_many(problem, many.solutions, asked @ made.to_fixed)


def _method(problem: Fit, method: str | None) -> Method:
    if method not in (None, "REML", "ML"):
        raise PlanError(
            f"The method {method!r} is not known",
            way_out=did_you_mean(str(method), ("REML", "ML")) or "Use 'REML' or 'ML'",
        )
    if method is None:
        return problem.method
    return "REML" if method == "REML" else "ML"


def _in_order(made: Design, responses: object, order: Order) -> Array:
    """Responses in the order of the design's rows, (n, R)."""
    table = _array(responses) if isinstance(responses, np.ndarray) else polars_frame(responses).to_numpy()
    if table.ndim != 2 or not np.issubdtype(table.dtype, np.number) or np.iscomplexobj(table):
        raise PlanError(
            "Responses must be numbers in rows and columns",
            way_out="Hand in a frame or a two-dimensional array with a column per response",
        )
    kept, n = made.source.row_numbers, made.moments.n_rows
    everyone = n + made.n_dropped
    if order not in ("frame", "design"):
        raise PlanError(f"The order {order!r} is not known", way_out="Use 'frame' or 'design'")
    if order == "frame" and len(table) == everyone:
        rows = kept
    elif order == "frame" and len(table) == n:
        rows = np.searchsorted(np.sort(kept), kept)
    elif order == "design" and len(table) == n:
        rows = np.arange(n)
    else:
        raise PlanError(
            f"The responses have {len(table)} rows, the fit used {n} of {everyone}",
            way_out="Hand in a row for each row of the fit's frame, or for each that it used",
        )
    values = table.astype(np.float64)
    if (rows[1:] < rows[:-1]).any() or len(values) > n:
        values = values[rows]
    bad = ~(np.abs(values) < LARGEST)
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise DataError(
            f"{int(bad.sum())} value{'s' * (int(bad.sum()) > 1)} of the responses cannot be computed with",
            where=f"first: row {int(rows[row]) + 1} of response {int(column) + 1}",
            way_out="Every response needs a finite number in each row that the fit used",
        )
    return values


def _array(responses: NDArray[Any]) -> NDArray[Any]:
    """A plain array: a mask counts as missing."""
    if isinstance(responses, np.ma.MaskedArray):
        return np.asarray(np.ma.filled(responses.astype(np.float64), np.nan))
    return np.asarray(responses)


def _standards(values: Array, *, shifted: bool) -> tuple[Array, Array]:
    """Shift and scale of each response, (R,) each, by the rule for a single one."""
    centre = values.mean(axis=0) if shifted else np.zeros(values.shape[1])
    spread = np.sqrt(np.mean((values - centre) ** 2, axis=0))
    there = (spread > 0.0) & np.isfinite(spread)
    scale = np.where(there, 2.0 ** np.round(np.log2(np.where(there, spread, 1.0))), 1.0)
    return np.where(there, np.round(centre / scale) * scale, 0.0), scale


def _accumulated(made: Design) -> Accumulated:
    """Cross-products under the forms of the design's residual structure, of all its rows."""

    def accumulated(rows: Rows) -> Forms | SerialRows:
        found = made.residual.accumulated(rows, slice(0, len(rows.columns)), slice(0, len(rows.starts)))
        assert found is not None
        return found

    return accumulated
