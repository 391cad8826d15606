"""Outcome models with therapists above the dyads: no form for many studies, so one after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from dyadline.engine.moments import Array, Index
from dyadline.errors import DyadlineError
from dyadline.inference.coefficients import coefficients
from dyadline.model.fit import fit
from dyadline.plan.model import Term, term_label
from dyadline.plan.recipes import random_part
from dyadline.plan.tokens import quote_name
from dyadline.studies.power.models import StudyTests


def nested_tests(
    t: Array,
    outcome: Array,
    predictors: Mapping[str, Array],
    terms: Sequence[Term],
    tested: tuple[str, ...],
    therapist: Index,
    *,
    method: str = "REML",
    slopes: bool = False,
) -> StudyTests:
    """As `models.model_tests`, with ``(1 | therapist)`` or, with slopes, ``(time | therapist)``.

    Parameters
    ----------
    therapist
        Of each dyad, (R, J).
    """
    size, dyads, occasions = outcome.shape
    columns = {term_label(term): f"x{number}" for number, term in enumerate(terms)}
    back = {column: label for label, column in columns.items()}
    formula = f"outcome ~ time * ({' + '.join(map(quote_name, back))}) + {random_part(therapists=True, slopes=slopes)}"
    empty = np.full((size, len(tested)), np.nan)
    found = StudyTests(
        terms=tested,
        estimates=empty.copy(),
        std_errors=empty.copy(),
        df=empty.copy(),
        converged=np.zeros(size, dtype=bool),
        singular=np.zeros(size, dtype=bool),
    )
    for number in range(size):
        long = {
            "outcome": outcome[number].ravel(),
            "time": np.tile(t, dyads),
            "dyad": np.repeat(np.arange(dyads), occasions),
            "therapist": np.repeat(therapist[number], occasions),
            **{column: np.repeat(predictors[label][number], occasions) for label, column in columns.items()},
        }
        try:
            fitted = fit(formula, pl.DataFrame(long).fill_nan(None), method)
            table = {_named(row["term"], back): row for row in coefficients(fitted).to_dicts()}
        except DyadlineError:
            continue
        for place, term in enumerate(tested):
            row = table.get(term, {"estimate": np.nan, "std_error": np.nan, "df": np.nan})
            found.estimates[number, place], found.std_errors[number, place] = row["estimate"], row["std_error"]
            found.df[number, place] = row["df"]
        found.converged[number], found.singular[number] = fitted.converged, fitted.singular
    return found


def _named(term: str, back: Mapping[str, str]) -> str:
    return ":".join(back.get(part, part) for part in term.split(":"))
