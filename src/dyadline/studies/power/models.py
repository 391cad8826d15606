"""The outcome models of many drawn studies at once, and the tests of their coefficients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dyadline.engine.moments import Array
from dyadline.model.lines import fit_lines, satterthwaite_lines
from dyadline.plan.analysis import AnalysisPlan
from dyadline.plan.model import Term, term_label
from dyadline.plan.recipes import outcome_model

CONVERGENCE = "convergence"


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyTests:
    """Estimates and tests of T coefficients in R studies; NaN where there is no answer.

    Attributes
    ----------
    terms
        Names as in tables of fixed effects, (T,).
    estimates, std_errors, df
        (R, T).
    converged, singular
        (R,).
    """

    terms: tuple[str, ...]
    estimates: Array
    std_errors: Array
    df: Array
    converged: NDArray[np.bool_]
    singular: NDArray[np.bool_]


def dyad_terms(number: int, plan: AnalysisPlan) -> tuple[Term, ...]:
    """Terms of a model without time: predictors of the dyad and their products."""
    spec = outcome_model(number, plan, random="(time | dyad)")
    return tuple(t for t in spec.fixed if t and all(v.column != "time" for v in t))


def terms_in_question(number: int, plan: AnalysisPlan, *, every: bool = False) -> tuple[str, ...]:
    """Coefficients of a model whose tests are counted: those with convergence, or all but constant and time."""
    labels = [term_label(t) for t in dyad_terms(number, plan)]
    if not every:
        labels = [label for label in labels if CONVERGENCE in label.split(":")]
    return tuple(labels + [f"time:{label}" for label in labels])


def centred_predictors(
    scores: Mapping[str, Array], outcome: Array, terms: Sequence[Sequence[Term]]
) -> dict[str, Array]:
    """Predictors of the models and their products, (R, J) each, centred over the dyads with an outcome and them all."""
    every = dict.fromkeys(t for model in terms for t in model)
    names = list(dict.fromkeys(v.column for t in every for v in t))
    known = np.isfinite(outcome).any(axis=2)
    for name in names:
        known &= np.isfinite(scores[name])
    counts = np.maximum(known.sum(axis=1, keepdims=True), 1)
    centred = {
        name: scores[name] - np.where(known, scores[name], 0.0).sum(axis=1, keepdims=True) / counts for name in names
    }
    products = {}
    for t in every:
        value = centred[t[0].column]
        for variable in t[1:]:
            value = value * centred[variable.column]
        products[term_label(t)] = value
    return products


def model_tests(
    t: Array,
    outcome: Array,
    predictors: Mapping[str, Array],
    terms: Sequence[Term],
    tested: tuple[str, ...],
    *,
    method: str = "REML",
) -> StudyTests:
    """Fit one model to every study and give the tests of some coefficients.

    Parameters
    ----------
    t
        Model time of the outcome's occasions, (K,).
    outcome
        (R, J, K).
    predictors
        Of all models, by name.
    terms, tested
        Predictors of this model, and the coefficients to be tested; one that it does not have has no answer.
    method
        ``"REML"`` or ``"ML"``.
    """
    labels = [term_label(term) for term in terms]
    fits = fit_lines(t, outcome, {x: predictors[x] for x in labels}, "REML" if method == "REML" else "ML", time="time")
    known = [place for place, term in enumerate(tested) if term in fits.terms]
    asked = tuple(tested[place] for place in known)
    columns = [fits.terms.index(term) for term in asked]
    found = StudyTests(
        terms=tested,
        **{name: np.full((len(outcome), len(tested)), np.nan) for name in ("estimates", "std_errors", "df")},
        converged=fits.converged,
        singular=fits.singular,
    )
    found.estimates[:, known], found.std_errors[:, known] = fits.estimates[:, columns], fits.std_errors[:, columns]
    found.df[:, known] = satterthwaite_lines(fits, asked)
    return found
