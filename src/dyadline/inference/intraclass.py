"""Intraclass correlations: how alike the rows of a dyad, and of a therapist, are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from dyadline.data.frames import as_kind
from dyadline.engine.moments import Array
from dyadline.errors import PlanError, did_you_mean
from dyadline.inference.coefficients import check_level
from dyadline.inference.variance import natural_covariance, variance_components
from dyadline.model.columns import Column
from dyadline.model.fit import Fit, random_covariance
from dyadline.model.source import TRANSFORMS

At = Mapping[str, float | str]

Part = tuple[str, float, Array]
"""A variance with its name and its gradient in the rows of `variance_components`."""


def icc(fit: Fit, at: At | None = None, *, level: float = 0.95) -> Any:
    """Intraclass correlations: the share of each level in the variance that the fixed effects leave.

    With random slopes the shares depend on where one looks: variances are those at the values `at` of the variables
    that have slopes. Of three levels there is a row for each and one for their sum, the correlation of two
    sessions of the same dyad. A joint model has these rows for each outcome; a model with residual variances by a
    factor for each of its levels. Residuals that correlate (``ar1``, ``cs``, ...) make rows of a dyad more alike than
    these shares say.

    Parameters
    ----------
    fit
        A fit.
    at
        Value of each variable with a random slope; zero (the first level of a text column) where not given.
    level
        Of the confidence interval: delta method on the logit. Missing where a share is 0 or 1.

    Returns
    -------
    A frame of the kind that was fitted: ``group, residual, at, icc, std_error, conf_low, conf_high``; ``residual``
    says whose residual variance was used where there are several, ``at`` where variances were taken.

    Raises
    ------
    PlanError
        If `at` names a variable without a random slope, or the model has no random effects.
    """
    from scipy.special import ndtri

    check_level(level)
    if not any(grouping.effects for grouping in fit.design.groupings):
        raise PlanError("The model has no random effects, so there is no intraclass correlation of levels")
    values, spread = _values(fit, at), natural_covariance(fit)
    place = ", ".join(
        f"{name} = {value:g}" if isinstance(value, float) else f"{name} = {value}" for name, value in values.items()
    )
    reach = float(ndtri(0.5 + level / 2.0))
    rows: list[dict[str, Any]] = []
    for number, label in enumerate(fit.spec.responses or fit.design.residual.labels or [None]):
        here = {**values, **{name: float(name == label) for name in fit.spec.responses}}
        *levels, error = _parts(fit, here, number)
        total = sum(part[1] for part in levels) + error[1]
        whole = sum(part[2] for part in levels) + error[2]
        if len(levels) > 1:
            levels.append((" + ".join(part[0] for part in levels), total - error[1], whole - error[2]))
        for name, variance, gradient in levels:
            share = variance / total
            slope = (gradient - share * whole) / total
            rows.append({"group": name, "residual": label, "at": place, **_interval(share, slope, spread, reach)})
    schema: dict[str, Any] = {
        **dict.fromkeys(("group", "residual", "at"), pl.String),
        **dict.fromkeys(("icc", "std_error", "conf_low", "conf_high"), pl.Float64),
    }
    return as_kind(pl.DataFrame(rows, schema=schema), fit.kind)


def _parts(fit: Fit, values: Mapping[str, float | str], number: int) -> Iterator[Part]:
    """Variance of each level where variables have their values, then the residual variance with this number."""
    components: pl.DataFrame = variance_components(replace(fit, kind="polars"))
    begin = 0
    for grouping, structure, covariance, columns in zip(
        fit.design.groupings, fit.design.structure.levels, random_covariance(fit), _random_columns(fit), strict=True
    ):
        z = np.array([_value(column, values) for column in columns])
        r, c = structure.entries
        gradient = np.zeros(components.height)
        gradient[begin : begin + len(r)] = np.where(r == c, 1.0, 2.0) * z[r] * z[c]
        begin += len(r)
        yield grouping.name, float(z @ covariance @ z), gradient
    gradient = np.zeros(components.height)
    gradient[begin + number] = 1.0
    yield "Residual", float(components["estimate"][begin + number]), gradient


def _interval(share: float, slope: Array, spread: Array, reach: float) -> dict[str, float | None]:
    """A share with its delta-method error and interval; missing on the boundary."""
    used = slope != 0.0  # what is not identified has no variance, but need not matter here
    std_error = float(np.sqrt(max(float(slope[used] @ spread[np.ix_(used, used)] @ slope[used]), 0.0)))
    if not (1e-9 < share < 1.0 - 1e-9 and std_error > 0.0):
        return {"icc": share, "std_error": None, "conf_low": None, "conf_high": None}
    from scipy.special import expit, logit

    centre, span = float(logit(share)), reach * std_error / (share * (1.0 - share))
    low, high = float(expit(centre - span)), float(expit(centre + span))
    return {"icc": share, "std_error": std_error, "conf_low": low, "conf_high": high}


def _random_columns(fit: Fit) -> list[tuple[Column, ...]]:
    """Columns of each level's random effects, in the order of their names."""
    source = fit.design.source
    levels = (source.random, source.above)[: len(fit.design.groupings)]
    return [tuple(column for block in blocks for column in block.columns) for blocks in levels]


def _values(fit: Fit, at: At | None) -> dict[str, float | str]:
    """Value of each variable with a random slope: as asked, else zero or the first level."""
    atoms = [atom for columns in _random_columns(fit) for column in columns for atom in column]
    needed = dict.fromkeys(atom.variable.column for atom in atoms if atom.variable.column not in fit.spec.responses)
    if not isinstance(at, Mapping | None):
        raise PlanError(f"Values are given by name, as in at={{'session': 5}}, not as {type(at).__name__}")
    given = dict(at or {})
    for name in given:
        if name not in needed:
            raise PlanError(
                f"{name!r} has no random slope, so variances do not depend on it",
                way_out=did_you_mean(name, needed) or f"Random slopes: {', '.join(needed) or 'none'}",
            )
    return {name: _asked(name, given.get(name), fit.design.levels.get(name)) for name in needed}


def _asked(name: str, value: float | str | None, levels: tuple[str, ...] | None) -> float | str:
    """A number, or one of the levels of a text column."""
    if levels is None:
        try:
            return float(value or 0.0)
        except (TypeError, ValueError):
            raise PlanError(f"{name!r} needs a number, not {value!r}") from None
    found = levels[0] if value is None else str(value)
    if found not in levels:
        raise PlanError(
            f"{name!r} has no level {found!r}",
            way_out=did_you_mean(found, levels) or f"Its levels are {', '.join(levels)}",
        )
    return found


def _value(column: Column, values: Mapping[str, float | str]) -> float:
    """A column's value where its variables have theirs."""
    product = 1.0
    for atom in column:
        value = values[atom.variable.column]
        if atom.level is not None:
            product *= float(value == atom.level)
        elif atom.variable.transform:
            with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                product *= float(TRANSFORMS[atom.variable.transform](float(value)))
        else:
            product *= float(value)
    if not np.isfinite(product):
        raise PlanError(
            f"A random slope has no finite value at {', '.join(f'{k} = {v}' for k, v in values.items())}",
            way_out="Give another value in at={...}",
        )
    return product
