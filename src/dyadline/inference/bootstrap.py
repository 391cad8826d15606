"""The bootstrap: standard errors and intervals from models fitted to data that might as well have been observed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dyadline.data.frames import as_kind
from dyadline.engine.moments import Array, Index
from dyadline.engine.resample import Clusters, resamples, shares
from dyadline.engine.solve import Problem, Solution, solve
from dyadline.errors import FitError, PlanError, did_you_mean, whole_number
from dyadline.inference.clusters import clusters
from dyadline.inference.coefficients import check_level
from dyadline.inference.variance import components_at, variance_components
from dyadline.model.fit import Fit, estimates
from dyadline.model.many import fit_many
from dyadline.model.simulate import simulate_responses

Kind = Literal["parametric", "case"]
Interval = Literal["percentile", "basic", "normal"]
KINDS, INTERVALS = ("parametric", "case"), ("percentile", "basic", "normal")

DRAWN_AT_ONCE = 128
"""Simulated responses that are drawn and fitted together; fewer where rows are many."""

VALUES_AT_ONCE = 2**22
"""Numbers of one array of simulated responses, multiplicities or shares at most."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Bootstrap:
    """Replicates of a fit and what they say of its estimates.

    Attributes
    ----------
    kind
        ``"parametric"`` or ``"case"``.
    group
        What was drawn as a whole, in words; ``None`` for a parametric bootstrap.
    interval, level
        How the table's intervals were made.
    table
        Frame of the kind that was fitted, fixed effects first: ``part`` (``"fixed"`` or ``"random"``), ``group``,
        ``term``, ``term2``, ``estimate``, ``bias``, ``std_error``, ``conf_low``, ``conf_high``. Random rows are
        named as by `variance_components`; ``estimate`` is the fit's own.
    estimates
        Fixed coefficients of each replicate, (R, p).
    components
        Variances, covariances and residual correlations of each replicate, (R, k), as the table's random rows.
    converged
        (R,). The table rests on these replicates. The others are in `estimates` as they ended, NaN where there
        was no answer at all.
    singular
        Replicates on the boundary, (R,). They count in the table: without them variances would be too large.
    """

    kind: Kind
    group: str | None
    interval: Interval
    level: float
    table: Any
    estimates: Array
    components: Array
    converged: NDArray[np.bool_]
    singular: NDArray[np.bool_]

    @property
    def failed(self) -> int:
        """Replicates without an answer or a certified optimum, which the table leaves out."""
        return int((~self.converged).sum())

    def __repr__(self) -> str:
        what = f"{self.kind} of {self.group}" if self.group else self.kind
        lost = f"{self.failed} failed and are not in the table" if self.failed else "none failed"
        return f"<Bootstrap {what}, {len(self.converged)} replicates, {lost}, {int(self.singular.sum())} singular>"


def bootstrap(
    fit: Fit,
    kind: Kind = "parametric",
    *,
    group: object = None,
    replicates: int = 500,
    seed: int = 1,
    level: float = 0.95,
    interval: Interval = "percentile",
) -> Bootstrap:
    """Bootstrap the fixed effects and the variance components of a fit.

    Parameters
    ----------
    fit
        A fit.
    kind
        ``"parametric"``: responses are simulated from the fit, which is right if the model is. ``"case"``: whole
        groups are drawn with replacement, rows and predictors together, every copy a group of its own; this needs
        independent groups, many of them, and no distribution.
    group
        For ``"case"``: name of the fit's outermost grouping, which is also what is drawn if nothing is said
        (therapists with all their dyads in a fit of three levels); or a label for every row of the fitted frame
        (a series, an array or a list), such as the column of therapists for a fit that knows dyads only.
    replicates
        R, at least 2; for percentiles so many that they do not lie beyond the extremes (39 at level .95). Each
        takes its random numbers from its own place: more replicates continue fewer.
    seed
        From 0: the same seed gives the same digits.
    level
        Of the intervals, between 0 and 1.
    interval
        ``"percentile"``: quantiles at (R+1)α; ``"basic"``: these mirrored at the estimate; ``"normal"``:
        `θ̂ − bias ± z·SE`.

    Raises
    ------
    PlanError
        Unknown words, a negative seed, too few replicates.
    DataError
        Labels that are not one per row, that are missing, or that cut a group in two.
    FitError
        A single group, or fewer than two replicates with an answer.

    References
    ----------
    Davison, A. C., & Hinkley, D. V. (1997). Bootstrap methods and their application, sections 2.4 and 5.2. Van der
    Leeden, R., Meijer, E., & Busing, F. (2008). Resampling multilevel models. In Handbook of multilevel analysis.
    """
    check_level(level)
    _check(kind, interval, replicates, seed, level)
    if kind == "case":
        name, cluster = clusters(fit, group)
        found = _case(fit, cluster, replicates, seed)
    elif group is None:
        name, found = None, _parametric(fit, replicates, seed)
    else:
        raise PlanError("A parametric bootstrap draws no groups", way_out="Leave out group, or use kind='case'")
    for array in (found.beta, found.components, found.converged, found.singular):
        array.flags.writeable = False
    return Bootstrap(
        kind=kind,
        group=name,
        interval=interval,
        level=level,
        table=as_kind(_table(fit, found, interval, level), fit.kind),
        estimates=found.beta,
        components=found.components,
        converged=found.converged,
        singular=found.singular,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Replicates:
    """Named coefficients, (R, p), components, (R, k), and how the replicates ended, (R,)."""

    beta: Array
    components: Array
    converged: NDArray[np.bool_]
    singular: NDArray[np.bool_]


def _parametric(fit: Fit, replicates: int, seed: int) -> _Replicates:
    # The size of a block depends on the design alone, so that digits depend on nothing but the seed.
    size = max(1, min(DRAWN_AT_ONCE, VALUES_AT_ONCE // fit.n_rows))
    parts = []
    for number, begin in enumerate(range(0, replicates, size)):
        own = int(np.random.SeedSequence([seed, number]).generate_state(1, np.uint64)[0])
        drawn = simulate_responses(fit, size, seed=own)[:, : replicates - begin]
        parts.append(fit_many(fit, drawn, order="design"))
    theta, sigma = (np.concatenate([getattr(part, name) for part in parts]) for name in ("theta", "sigma"))
    return _Replicates(
        beta=np.concatenate([part.estimates for part in parts]),
        components=components_at(fit, theta, sigma),
        converged=np.concatenate([part.converged for part in parts]),
        singular=np.concatenate([part.singular for part in parts]),
    )


def _case(fit: Fit, cluster: Index, replicates: int, seed: int) -> _Replicates:
    made, together = fit.design, Clusters.of(cluster)
    problem = Problem(moments=made.moments, structure=made.structure, method=fit.method)
    number, dyads = len(together.heads) - 1, len(cluster)
    theta = np.full((replicates, len(fit.solution.theta)), np.nan)
    sigma, beta = np.full(replicates, np.nan), np.full((replicates, len(made.terms)), np.nan)
    converged, singular = np.zeros(replicates, dtype=bool), np.zeros(replicates, dtype=bool)
    # On the boundary the gradient vanishes and says nothing.
    start = None if fit.singular else fit.solution.theta
    seeds = np.random.SeedSequence(seed).spawn(replicates)
    at_once = max(1, VALUES_AT_ONCE // dyads)
    for begin in range(0, replicates, at_once):
        here = seeds[begin : begin + at_once]
        draws = [together.drawn(np.random.default_rng(one).integers(number, size=number)) for one in here]
        multiplicities = np.stack([np.bincount(draw.dyads, minlength=dyads) for draw in draws]).astype(np.float64)
        sums = _sums(fit, multiplicities)
        for r, one in enumerate(resamples(problem, sums, draws, multiplicities), begin):
            solution = None if one is None else _solved(one, start)
            if solution is None:
                continue
            theta[r], converged[r], singular[r] = solution.theta, solution.converged, solution.singular
            sigma[r] = made.response_scale * np.sqrt(solution.evaluation.variance(fit.method))
            beta[r] = made.response_scale * (made.to_fixed @ solution.evaluation.beta)
    beta[:, list(made.constant)] += made.response_shift
    components = components_at(fit, theta, sigma)
    return _Replicates(beta=beta, components=components, converged=converged, singular=singular)


def _sums(fit: Fit, multiplicities: Array) -> Array:
    """Sums over the rows of each resample, (R, ·), in one pass over the rows of the fit."""
    made = fit.design
    width = len(made.moments.total)
    none = made.structure.residual.size == 0 or made.residual.gap is not None
    count = 0 if none else len(made.structure.residual.weights(made.structure.residual.start).value)
    at_once = max(1, 2 * VALUES_AT_ONCE // ((2 + count) * width * (width + 1)))
    found = np.zeros((len(multiplicities), 1))
    for part, numbers, groups in made.source.parts(at_once):
        forms = () if none else made.residual.forms(numbers, groups)
        found = found + multiplicities[:, groups] @ shares(part, made.moments.lines[groups], forms)
    return found


def _solved(problem: Problem, start: Array | None) -> Solution | None:
    try:
        return solve(problem, start)
    except FitError:
        return None


def _table(fit: Fit, found: _Replicates, interval: Interval, level: float) -> pl.DataFrame:
    used = int(found.converged.sum())
    if used < 2:
        raise FitError(
            f"{used} of {len(found.converged)} replicates could be fitted, so nothing can be said of their spread",
            way_out="Use fewer predictors or random effects",
        )
    named = variance_components(replace(fit, kind="polars"))
    p, k = found.beta.shape[1], len(named)
    estimate = np.concatenate([estimates(fit)[0], named["estimate"].to_numpy()])
    values = np.concatenate([found.beta, found.components], axis=1)[found.converged]
    bias, std_error = values.mean(axis=0) - estimate, values.std(axis=0, ddof=1)
    low, high = _limits(values, estimate, interval, level)
    return pl.DataFrame(
        {
            "part": ["fixed"] * p + ["random"] * k,
            "group": [None] * p + named["group"].to_list(),
            "term": [*fit.design.terms, *named["term1"]],
            "term2": [None] * p + named["term2"].to_list(),
            "estimate": estimate,
            "bias": bias,
            "std_error": std_error,
            "conf_low": low,
            "conf_high": high,
        },
        schema_overrides={"group": pl.String, "term2": pl.String},
    )


def _limits(values: Array, estimate: Array, interval: Interval, level: float) -> tuple[Array, Array]:
    """Lower and upper limits from replicates, (R, m)."""
    from scipy.special import ndtri

    tail = (1.0 - level) / 2.0
    if interval == "normal":
        middle = 2.0 * estimate - values.mean(axis=0)
        reach = float(ndtri(1.0 - tail)) * values.std(axis=0, ddof=1)
        return middle - reach, middle + reach
    # "weibull" is numpy's name for the quantile at the (R+1)α-th ordered value.
    low, high = np.quantile(values, [tail, 1.0 - tail], axis=0, method="weibull")
    return (low, high) if interval == "percentile" else (2.0 * estimate - high, 2.0 * estimate - low)


def _check(kind: str, interval: str, replicates: int, seed: int, level: float) -> None:
    for what, word, known in (("bootstrap", kind, KINDS), ("interval", interval, INTERVALS)):
        if word not in known:
            raise PlanError(
                f"The {what} {word!r} is not known",
                way_out=did_you_mean(str(word), known) or f"Use {' or '.join(known)}",
            )
    whole_number(seed, "The seed", 0)
    whole_number(replicates, "The number of replicates", 1)
    # (R+1)α counts ordered values: before the first there is none.
    least = 2 if interval == "normal" else max(2, int(np.ceil(2.0 / (1.0 - level) - 1.0 - 1e-9)))
    if replicates < least:
        raise PlanError(
            f"{replicates} replicates are too few for {interval} intervals at level {level:g}",
            way_out=f"Ask for at least {least}, better 500 or more",
        )
