"""What a mixed model is, before any data: response, fixed terms, random terms."""

from __future__ import annotations

from dataclasses import dataclass


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
    """

    response: Variable
    fixed: tuple[Term, ...]
    random: tuple[RandomTerm, ...]
    formula: str

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that the model reads, each once: response, fixed, random, groups."""
        names: dict[str, None] = {self.response.column: None}
        for term in self.fixed:
            names.update(dict.fromkeys(v.column for v in term))
        for random in self.random:
            for term in random.terms:
                names.update(dict.fromkeys(v.column for v in term))
            names.update(dict.fromkeys(random.group))
        return tuple(names)
