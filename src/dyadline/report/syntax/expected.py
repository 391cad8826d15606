"""The numbers that another program must find, as each of them prints and names them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from dyadline.data.frames import polars_frame
from dyadline.inference.coefficients import coefficients
from dyadline.inference.criteria import information_criteria
from dyadline.inference.variance import variance_components
from dyadline.model.fit import Fit
from dyadline.report.syntax.twin import Effect, Twin

CLOSE = 1e-3
"""By how many standard errors another program's estimates may be away, and how far −2 log-likelihood may be."""

Named = Callable[[Effect], str]
"""How a program calls an effect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Coefficient:
    """A fixed effect: names as a program has them are made of `effect`."""

    effect: Effect
    estimate: float
    std_error: float
    df: float
    statistic: float
    p_value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """A variance, covariance or residual correlation.

    Attributes
    ----------
    kind
        ``variance`` and ``covariance`` of random effects, ``residual`` variance, ``correlation`` of residuals.
    group
        Variable of the random effects' groups; of a residual variance its level's code, from 1.
    one, two
        The effects; the same for a variance.
    label
        Level of a residual variance in words.
    estimate, std_error
        ``None`` where there is no standard error.
    """

    kind: str
    group: str = ""
    one: Effect = ()
    two: Effect = ()
    label: str = ""
    estimate: float
    std_error: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What the other program must find.

    Attributes
    ----------
    criterion
        −2 (restricted) log-likelihood.
    aic, bic
        By convention: ``spss``, ``lme4``, ``nlme``.
    coefficients, components
        Fixed effects; variances and covariances.
    singular
        Whether a variance is zero or a correlation ±1: programs then differ in what they print.
    """

    criterion: float
    aic: Mapping[str, float]
    bic: Mapping[str, float]
    coefficients: tuple[Coefficient, ...]
    components: tuple[Component, ...]
    singular: bool


def expected(fit: Fit, twin: Twin) -> Expected:
    """The numbers of a fit, with the effects of its twin."""
    table = polars_frame(coefficients(fit, df=twin.df)).drop("term", "conf_low", "conf_high")
    criteria = {c: polars_frame(information_criteria(fit, c)) for c in ("spss", "lme4", "nlme")}
    return Expected(
        criterion=fit.criterion,
        aic={c: float(found["aic"][0]) for c, found in criteria.items()},
        bic={c: float(found["bic"][0]) for c, found in criteria.items()},
        coefficients=tuple(
            Coefficient(effect=effect, **numbers)
            for effect, numbers in zip(twin.fixed, table.iter_rows(named=True), strict=True)
        ),
        components=tuple(_components(fit, twin)),
        singular=fit.singular,
    )


def _components(fit: Fit, twin: Twin) -> Iterator[Component]:
    table = polars_frame(variance_components(fit))
    numbers = iter(zip(table["estimate"].to_list(), table["std_error"].to_list(), strict=True))
    for grouped, structure in zip(twin.grouped, fit.design.structure.levels, strict=True):
        effects = [effect for block in grouped.blocks for effect in block]
        for row, column in zip(*structure.entries, strict=True):
            estimate, std_error = next(numbers)
            kind = "variance" if row == column else "covariance"
            yield Component(
                kind=kind, group=grouped.group, one=effects[column], two=effects[row], estimate=estimate,
                std_error=std_error,
            )  # fmt: skip
    for number, label in enumerate(fit.design.residual.labels or ("",), start=1):
        estimate, std_error = next(numbers)
        yield Component(kind="residual", group=str(number), label=label, estimate=estimate, std_error=std_error)
    for estimate, std_error in numbers:
        yield Component(kind="correlation", estimate=estimate, std_error=std_error)


def criterion_close(found: Expected) -> float:
    """How far −2 log-likelihood may be away; where a variance is zero, optimisers stop a little above the minimum."""
    return CLOSE * (10.0 if found.singular else 1.0)


def number(value: float | None, digits: int = 8) -> str:
    """A number for a script: so many significant digits, a dot; empty if there is none."""
    return "" if value is None or not np.isfinite(value) else f"{value:.{digits}g}"


def coefficient_lines(found: Expected, named: Named) -> list[str]:
    """The fixed effects as a table in plain text."""
    heads = ("fixed effect", "estimate", "std. error", "df", "t", "p")
    rows = [
        (
            named(c.effect), number(c.estimate), number(c.std_error), number(c.df, 7) or "z", number(c.statistic, 6),
            number(c.p_value, 4),
        )
        for c in found.coefficients
    ]  # fmt: skip
    return in_columns([heads, *rows])


def component_lines(rows: list[tuple[str, float, float | None]]) -> list[str]:
    """Variance components under a program's own names as a table in plain text."""
    heads = ("variance component", "estimate", "std. error")
    return in_columns([heads, *((name, number(e), number(se)) for name, e, se in rows)])


def in_columns(rows: list[tuple[str, ...]]) -> list[str]:
    """Cells under each other, the first column to the left, numbers to the right."""
    first, *others = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    return [
        "  ".join([row[0].ljust(first), *(c.rjust(w) for c, w in zip(row[1:], others, strict=True))]).rstrip()
        for row in rows
    ]
