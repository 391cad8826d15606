"""Linear combinations of fixed effects: contrasts, simple slopes, and joint tests of several."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import product as combinations_of
from typing import Any

import numpy as np
import polars as pl

from dyadline.data.frames import as_kind
from dyadline.errors import PlanError, did_you_mean
from dyadline.inference.coefficients import check_df, combined, tested
from dyadline.inference.combinations import Asked, weights_of
from dyadline.inference.freedom import satterthwaite_f
from dyadline.inference.kenward_roger import kenward_roger_f
from dyadline.model.columns import Atom, Column, expand
from dyadline.model.fit import Fit
from dyadline.plan.model import term_label

F_DF = ("satterthwaite", "kenward-roger")

PART = re.compile(r"`[^`]+`|[^:`]+")
"""A factor of an interaction."""


def contrasts(fit: Fit, asked: Asked, df: str = "satterthwaite", *, level: float = 0.95) -> Any:
    """Estimates and tests of linear combinations of the coefficients.

    >>> dl.contrasts(fit, "patient:t - therapist:t")                             # doctest: +SKIP
    >>> dl.contrasts(fit, {"late": "t + 2*t:conv", "mean": {"a": 0.5, "b": 0.5}})  # doctest: +SKIP

    Parameters
    ----------
    fit
        A fit.
    asked
        A text or several, such as ``"(a + b)/2 - c"`` or the name of a coefficient; a mapping from labels to texts
        or to ``{term: weight}``; or an array of weights, (m, p), coefficients in the order of the fit. The order
        within an interaction does not matter; names that are not plain words stand in back-quotes.
    df, level
        As in `coefficients`.

    Returns
    -------
    A frame of the kind that was fitted, one row per contrast:
    ``contrast, estimate, std_error, df, statistic, p_value, conf_low, conf_high``.

    Raises
    ------
    PlanError
        Unknown coefficients, a contrast that is not one, unknown df.
    """
    labels, rows = weights_of(fit.design.terms, asked)
    return as_kind(pl.DataFrame({"contrast": labels, **tested(fit, rows, df, level)}), fit.kind)


def f_test(fit: Fit, asked: Asked, df: str = "satterthwaite") -> Any:
    """Joint test that several coefficients or contrasts are zero.

    Parameters
    ----------
    fit
        A fit; for Kenward–Roger by REML.
    asked
        As in `contrasts`. A term of the formula that stands for several coefficients (a text column and its
        interactions, a predictor of several outcomes) may be named as in the formula and means all of them.
        Contrasts that follow from the others (a − c besides a − b and b − c) count once, in ``df1``.
    df
        ``"satterthwaite"`` as lmerTest's contestMD, ``"kenward-roger"`` as pbkrtest's KRmodcomp.

    Returns
    -------
    A frame of the kind that was fitted, one row: ``hypothesis, f, df1, df2, p_value``.

    Raises
    ------
    PlanError
        As `contrasts`; Kenward–Roger for an ML fit.
    FitError
        So few groups that Kenward–Roger's F has no denominator df.
    """
    from scipy.special import chdtrc, fdtrc

    check_df(df, F_DF)
    labels, rows = weights_of(fit.design.terms, _terms_as_coefficients(fit, asked))
    joint = kenward_roger_f if df == "kenward-roger" else satterthwaite_f
    found = joint(fit, rows, combined(fit, rows))
    infinite = np.isinf(found.df2)
    p_value = chdtrc(found.df1, found.df1 * found.f) if infinite else fdtrc(found.df1, found.df2, found.f)
    table = pl.DataFrame(
        {
            "hypothesis": [", ".join(labels) + " = 0"],
            "f": [found.f],
            "df1": [found.df1],
            "df2": [found.df2],
            "p_value": [float(p_value)],
        }
    )
    return as_kind(table, fit.kind)


def simple_slopes(
    fit: Fit,
    variable: str,
    at: Mapping[str, object] | None = None,
    df: str = "satterthwaite",
    *,
    level: float = 0.95,
) -> Any:
    """Slope of a variable at values of the variables that it interacts with.

    >>> dl.simple_slopes(fit, "time", at={"convergence": [-0.35, 0, 0.35]})  # doctest: +SKIP

    Parameters
    ----------
    fit
        A fit.
    variable
        A number in the model, as the coefficients name it: ``time`` or ``log(time)``.
    at
        Moderators and their values: numbers, in the units of the column that was fitted (an SD must be given as
        a number, for it is another over dyads than over rows); levels of a text column. One row for each
        combination. A moderator that is not named stays at zero, a text column at its reference level, as in the
        coefficient itself.
    df, level
        As in `coefficients`.

    Returns
    -------
    As `contrasts`; ``contrast`` reads ``time at convergence = -0.35``. Of a joint model the slope of each outcome, as
    ``patient:time at convergence = -0.35``.

    References
    ----------
    Aiken, L. S., & West, S. G. (1991). Multiple regression: Testing and interpreting interactions. Sage.
    """
    if not isinstance(at, Mapping | None):
        raise PlanError(f"Values are given by name, as in at={{'conv': [-1, 0, 1]}}, not as {type(at).__name__}")
    columns = expand(fit.spec.fixed, fit.design.levels)
    with_variable = [_others(column, variable) for column in columns]
    if all(others is None for others in with_variable):
        _refuse_variable(variable, columns, fit)
    moderators = _moderators(fit, variable, with_variable, at or {})
    labels, rows = [], []
    outcomes = _outcomes(fit, with_variable, at or {})
    for outcome, values in combinations_of(outcomes, list(combinations_of(*moderators.values()))):
        here = dict(zip(moderators, values, strict=True))
        where = ", ".join(f"{name} = {_shown(value)}" for name, value in here.items())
        label = f"{outcome}:{variable}" if outcome else variable
        labels.append(f"{label} at {where}" if where else label)
        if outcome:
            here[outcome] = 1.0
        rows.append([0.0 if others is None else _weight(others, here) for others in with_variable])
        if not any(rows[-1]):
            raise PlanError(
                f"The model has {labels[-1]} at zero, whatever the data",
                way_out="Give values of the variables that it interacts with",
            )
    table = pl.DataFrame({"contrast": labels, **tested(fit, np.array(rows), df, level)})
    return as_kind(table, fit.kind)


def _terms_as_coefficients(fit: Fit, asked: Asked) -> Asked:
    """Terms of the formula in place of which their several coefficients stand; all else as it is."""
    if not isinstance(asked, str) and not (isinstance(asked, Sequence) and all(isinstance(one, str) for one in asked)):
        return asked
    variables = [{atom.variable.label for atom in column} for column in expand(fit.spec.fixed, fit.design.levels)]
    named = {term_label(term): {variable.label for variable in term} for term in fit.spec.fixed}
    result: list[str] = []
    for text in [asked] if isinstance(asked, str) else asked:
        parts = named.get(text) or _parts(text)
        # A term that names no outcome stands for that of each outcome.
        own = [n for n, here in enumerate(variables) if here == parts] or [
            n for n, here in enumerate(variables) if here - set(fit.spec.responses) == parts
        ]
        result.extend([fit.design.terms[n] for n in own] if own and parts and text not in fit.design.terms else [text])
    return result


def _parts(text: str) -> set[str]:
    """Variables of a term in words; empty if it is something else."""
    found = PART.findall(text)
    return {part.strip("` ") for part in found} if ":".join(found) == text else set()


def _outcomes(fit: Fit, with_variable: Sequence[Column | None], at: Mapping[str, object]) -> Sequence[str]:
    """Outcomes that have a slope; a single empty one where there is one outcome, or `at` says which."""
    beside = {atom.variable.label for others in with_variable if others is not None for atom in others}
    found = [name for name in fit.spec.responses if name in beside]
    return [""] if not found or any(name in at for name in found) else found


def _others(column: Column, variable: str) -> Column | None:
    """The column's other factors if the numeric variable is one of them."""
    if not any(atom.variable.label == variable and atom.level is None for atom in column):
        return None
    return tuple(atom for atom in column if atom.variable.label != variable)


def _moderators(
    fit: Fit, variable: str, with_variable: Sequence[Column | None], at: Mapping[str, object]
) -> dict[str, list[float | str]]:
    """Values of each named moderator, checked."""
    known = {atom.variable.label: atom for others in with_variable if others is not None for atom in others}
    result: dict[str, list[float | str]] = {}
    for name, given in at.items():
        if name not in known:
            raise PlanError(
                f"{variable!r} does not interact with {name!r} in this model",
                way_out=did_you_mean(name, known) or f"It interacts with: {', '.join(known) or 'nothing'}",
            )
        listed = isinstance(given, Sequence | np.ndarray | pl.Series) and not isinstance(given, str)
        values = list(given) if listed else [given]  # type: ignore[call-overload]
        if not values:
            raise PlanError(f"No value of {name!r} is given")
        result[name] = [_checked(fit, known[name], value) for value in values]
    return result


def _checked(fit: Fit, moderator: Atom, value: object) -> float | str:
    name = moderator.variable.label
    if moderator.level is not None:
        levels = fit.design.levels[moderator.variable.column]
        text = str(value).upper() if isinstance(value, bool | np.bool_) else str(value)
        if text not in levels:
            raise PlanError(
                f"{name!r} has no level {text!r}",
                way_out=did_you_mean(text, levels) or f"Levels: {', '.join(levels)}",
            )
        return text
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not np.isfinite(float(value)):
        raise PlanError(
            f"The value {value!r} of {name!r} is not a number",
            way_out="Compute it first, for example the mean plus one SD over the dyads",
        )
    return float(value)


def _weight(others: Column, here: Mapping[str, float | str]) -> float:
    """What the slope gains from a coefficient: the product of its other factors."""
    weight = 1.0
    for atom in others:
        value = here.get(atom.variable.label, 0.0)
        weight *= float(value == atom.level) if atom.level is not None else float(value)
    return weight


def _shown(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.6g}"


def _refuse_variable(variable: str, columns: Sequence[Column], fit: Fit) -> None:
    numeric = list(dict.fromkeys(a.variable.label for column in columns for a in column if a.level is None))
    if isinstance(variable, str) and variable in fit.design.levels:
        raise PlanError(f"{variable!r} holds text and has no slope", way_out="Compare its levels with contrasts()")
    raise PlanError(
        f"{variable!r} is not a predictor of this model",
        way_out=did_you_mean(variable, numeric) or f"Predictors: {', '.join(numeric)}",
    )
