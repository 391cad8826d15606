"""What a mixed model is, before any data: response, fixed terms, random terms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Variable:
    """A column as it enters a term.

    Attributes
    ----------
    column
        Name in the frame.
    transform
        One of the whitelisted functions (``log``, ``log1p``, ``sqrt``, ``exp``) or empty.
    """

    column: str
    transform: str = ""

    @property
    def label(self) -> str:
        """The variable as R prints it: ``t`` or ``log1p(t)``."""
        return f"{self.transform}({self.column})" if self.transform else self.column


Term = tuple[Variable, ...]
"""Variables multiplied with each other, in order of first appearance; ``()`` is the intercept."""


def term_label(term: Term) -> str:
    """``(Intercept)``, ``t`` or ``t:x``, as R prints it."""
    return ":".join(v.label for v in term) if term else "(Intercept)"


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomTerm:
    """Effects that vary over groups: ``(t | dyad)``.

    Attributes
    ----------
    terms
        Terms whose coefficients vary; ``()`` is the intercept.
    group
        Column names; more than one stands for their combination (``a:b`` in lme4's notation).
    correlated
        ``False`` for the double bar: variances only.
    """

    terms: tuple[Term, ...]
    group: tuple[str, ...]
    correlated: bool = True

    @property
    def group_label(self) -> str:
        """``dyad``, or ``therapist:dyad`` for a combination."""
        return ":".join(self.group)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResidualSpec:
    """How the residuals of one group's rows hang together.

    Attributes
    ----------
    kind
        ``independent``; ``by``: a variance per level of a column; ``pairs``: a variance per rater and the
        correlation of two raters at the same occasion; ``ar1``: φ^d for whole numbers d of occasions apart;
        ``car1``: the same for any distance in time, φ > 0; ``cs``: one correlation of all rows of a group.
    columns
        ``by``: the factor; ``pairs``: rater and occasion; ``ar1``, ``car1``: the time.
    """

    kind: Literal["independent", "by", "pairs", "ar1", "car1", "cs"] = "independent"
    columns: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """As it is written: ``pairs(rater, session)``."""
        return f"{self.kind}({', '.join(self.columns)})" if self.columns else self.kind


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """A linear mixed model as asked for.

    Attributes
    ----------
    response
        The outcome.
    fixed
        Fixed terms in R's order: by number of variables, then as written.
    random
        Random terms as written.
    formula
        The formula in lme4's notation, as written or generated.
    responses
        The outcomes of a joint model, `cbind(a, b) ~ ...`; in its terms their names stand for "this is an a".
    residual
        Correlations and unequal variances of the residuals.
    """

    response: Variable
    fixed: tuple[Term, ...]
    random: tuple[RandomTerm, ...]
    formula: str
    responses: tuple[str, ...] = ()
    residual: ResidualSpec = ResidualSpec()

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that the model reads, each once: response, fixed, random, groups, residual."""
        names: dict[str, None] = {self.response.column: None}
        for term in self.fixed:
            names.update(dict.fromkeys(v.column for v in term))
        for random in self.random:
            for term in random.terms:
                names.update(dict.fromkeys(v.column for v in term))
            names.update(dict.fromkeys(random.group))
        names.update(dict.fromkeys(self.residual.columns))
        if self.responses:
            names.pop(self.response.column)
            names = dict.fromkeys(self.responses) | names
        return tuple(names)
