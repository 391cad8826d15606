"""A fitted mixed model: a finished value, from which every table is made."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from dyadline.data.frames import Kind, frame_kind, polars_frame
from dyadline.engine.criterion import Method
from dyadline.engine.moments import Array
from dyadline.engine.solve import Problem, Solution, solve
from dyadline.errors import PlanError, did_you_mean
from dyadline.model.design import Design, design
from dyadline.plan.formula import parse_formula
from dyadline.plan.model import ModelSpec, ResidualSpec
from dyadline.plan.residual import parse_residual


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Fit:
    """A linear mixed model at its optimum.

    Attributes
    ----------
    spec
        The model.
    method
        ``"REML"`` or ``"ML"``.
    criterion
        −2 log-likelihood (ML) or REML criterion, in the units of the data, as lme4 defines them.
    converged
        Whether the optimum is certified: no gradient, no way down, on the boundary neither.
    singular
        Whether a variance is zero or a correlation ±1. Not an error, and not the same as not converged.
    sigma
        Residual standard deviation; of the reference level where residual variances differ.
    n_rows, n_groups
        Rows and innermost groups (dyads) that the fit used. In a joint model every rating is a row.
    kind
        Kind of frame that came in, and that tables of this fit come out as.
    design, solution
        What was solved, and how it ended: for whoever asks further questions.
    """

    spec: ModelSpec
    method: Method
    criterion: float
    converged: bool
    singular: bool
    sigma: float
    n_rows: int
    n_groups: int
    kind: Kind
    design: Design
    solution: Solution

    def __repr__(self) -> str:
        ending = "" if self.converged else ", not converged"
        ending += ", singular" if self.singular else ""
        return (
            f"<Fit {self.spec.formula!r} {self.method} {self.criterion:.4f}, "
            f"{self.n_rows} rows, {self.n_groups} groups{ending}>"
        )


def fit(
    formula: str | ModelSpec, frame: object, method: str = "REML", *, residual: str | ResidualSpec | None = None
) -> Fit:
    """Fit a linear mixed model by REML or maximum likelihood.

    Parameters
    ----------
    formula
        lme4's notation, for example ``"y ~ t * x + (t | dyad)"``; parsed, never evaluated. Text columns are
        treatment-coded, the first level in sorted order is the reference. Two groupings, one nested in the
        other, make three levels: ``(t | dyad) + (1 | therapist)`` or ``(t | therapist/dyad)``. Two outcomes of
        the same row are modelled together by ``cbind(patient, therapist) ~ t + (t | dyad)``.
    frame
        polars, pandas or pyarrow table. Rows with a missing value in a column of the formula are left out
        and counted in ``fit.design.n_dropped``.
    method
        ``"REML"`` or ``"ML"``.
    residual
        Correlations and unequal variances of the residuals of a dyad (of the innermost groups):
        ``"by(rater)"``, ``"pairs(rater, session)"``, ``"ar1(session)"``, ``"car1(week)"`` or ``"cs"``;
        independent unless said.

    Raises
    ------
    PlanError
        Formula, method or column names are wrong.
    DataError
        The columns cannot be used.
    FitError
        The question has no answer: linearly dependent predictors, no variation.

    References
    ----------
    Bates, D., Mächler, M., Bolker, B., & Walker, S. (2015). Fitting linear mixed-effects models using lme4.
    Journal of Statistical Software, 67(1).
    """
    if method not in ("REML", "ML"):
        raise PlanError(
            f"The method {method!r} is not known",
            way_out=did_you_mean(str(method), ("REML", "ML")) or "Use 'REML' or 'ML'",
        )
    spec = formula if isinstance(formula, ModelSpec) else parse_formula(formula)
    if residual is not None:
        spec = replace(spec, residual=parse_residual(residual))
    made = design(spec, polars_frame(frame))
    how: Method = "REML" if method == "REML" else "ML"
    solution = solve(Problem(moments=made.moments, structure=made.structure, method=how))
    return Fit(
        spec=spec,
        method=how,
        criterion=_in_units(made, solution, how),
        converged=solution.converged,
        singular=solution.singular,
        sigma=made.response_scale * float(np.sqrt(solution.evaluation.variance(how))),
        n_rows=made.moments.n_rows,
        n_groups=made.moments.n_groups,
        kind=frame_kind(frame),
        design=made,
        solution=solution,
    )


def estimates(fit: Fit) -> tuple[Array, Array]:
    """Named coefficients, (p,), and their covariance matrix, (p, p)."""
    made, found = fit.design, fit.solution.evaluation
    beta = made.response_scale * (made.to_fixed @ found.beta)
    beta[list(made.constant)] += made.response_shift
    covariance = fit.sigma**2 * made.to_fixed @ found.inverse @ made.to_fixed.T
    return beta, covariance


def random_covariance(fit: Fit) -> tuple[Array, ...]:
    """G = σ²D of the named random effects, (q, q), of each level, innermost first."""
    return tuple(
        fit.sigma**2 * grouping.to_random @ relative @ grouping.to_random.T
        for grouping, relative in zip(fit.design.groupings, fit.solution.relative, strict=True)
    )


def _in_units(made: Design, solution: Solution, method: Method) -> float:
    """The criterion of the named columns: standardising adds a constant that is known."""
    value = solution.evaluation.criterion(method)
    value += 2.0 * solution.evaluation.degrees(method) * float(np.log(made.response_scale))
    if method == "REML":
        value -= 2.0 * float(np.linalg.slogdet(made.to_fixed)[1])
    return value
