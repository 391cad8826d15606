"""Linear combinations of coefficients as people write them, turned into rows of weights.

A contrast in words is read by a small grammar and never evaluated::

    sum         = ["+" | "-"] product {("+" | "-") product}
    product     = factor {("*" | "/") factor}
    factor      = number | "(" sum ")" | coefficient
    coefficient = "(Intercept)" | part {":" part}
    part        = name | name "(" name ")"

Names that are not plain words stand in back-quotes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dyadline.engine.moments import Array
from dyadline.errors import PlanError, did_you_mean
from dyadline.plan.tokens import Token, tokens

MAX_DEPTH = 50

Asked = str | Sequence[str] | Mapping[str, str | Mapping[str, float]] | Array
"""Contrasts in words, ``{label: words or {term: weight}}``, or rows of weights (m, p)."""


def weights_of(terms: Sequence[str], asked: Asked) -> tuple[list[str], Array]:
    """Labels and weights, (m, p), of contrasts of these coefficients, asked for in any of the ways.

    Raises
    ------
    PlanError
        Unknown coefficients, text that is no contrast, weights that are none or all zero.
    """
    if isinstance(asked, str):
        asked = [asked]
    if isinstance(asked, Mapping):
        found = [(str(label), _weights(terms, what, str(label))) for label, what in asked.items()]
    elif isinstance(asked, Sequence) and asked and all(isinstance(one, str) for one in asked):
        found = [(str(text), _weights(terms, text, str(text))) for text in asked]
    else:
        rows = _matrix(asked, len(terms))
        found = [(_in_words(terms, row), row) for row in rows]
    if not found:
        raise PlanError("No contrast was asked for", way_out="Name coefficients, such as 'a - b'")
    for label, weights in found:
        if not np.isfinite(weights).all() or not weights.any():
            what = "has no weight other than zero" if np.isfinite(weights).all() else "has a weight that is no number"
            raise PlanError(f"The contrast {label!r} {what}", way_out=f"Coefficients: {', '.join(terms)}")
    return [label for label, _ in found], np.array([weights for _, weights in found])


def _matrix(asked: object, p: int) -> Array:
    try:
        rows = np.atleast_2d(np.asarray(asked, dtype=float))
    except (TypeError, ValueError):
        rows = np.empty((0, 0))
    if rows.ndim != 2 or rows.shape[1] != p:
        raise PlanError(
            f"Contrasts as numbers are rows of {p} weights, one for each coefficient",
            way_out="Or write them as texts such as 'a - b'",
        )
    return rows


def _weights(terms: Sequence[str], asked: object, label: str) -> Array:
    """Weights of one contrast, (p,), from its words or from ``{term: weight}``."""
    if isinstance(asked, str):
        return _unit(terms, asked) if asked in terms else _Parser(asked, tokens(asked), tuple(terms)).contrast()
    if not isinstance(asked, Mapping):
        raise PlanError(
            f"The contrast {label!r} is neither a text nor a mapping of terms to weights",
            way_out="Write 'a - b' or {'a': 1, 'b': -1}",
        )
    result = np.zeros(len(terms))
    for term, weight in asked.items():
        if not isinstance(weight, int | float | np.number):
            raise PlanError(f"The weight of {term!r} is not a number", where=f"contrast {label!r}")
        result += float(weight) * _unit(terms, str(term), where=f"contrast {label!r}")
    return result


def _unit(terms: Sequence[str], name: str, where: str = "") -> Array:
    """1 for the coefficient of this name, whatever the order within its interaction."""
    key = sorted(name.split(":"))
    same = [name] if name in terms else [term for term in terms if sorted(term.split(":")) == key]
    if not same:
        raise PlanError(
            f"The model has no coefficient {name!r}",
            where=where,
            way_out=did_you_mean(name, terms) or f"Coefficients: {', '.join(terms)}",
        )
    return np.array([float(term == same[0]) for term in terms])


def _in_words(terms: Sequence[str], row: Array) -> str:
    """``a - 2*b``."""
    parts: list[str] = []
    for term, weight in zip(terms, row.tolist(), strict=True):
        if weight == 0.0:
            continue
        sign = ("- " if weight < 0 else "+ ") if parts else ("-" if weight < 0 else "")
        parts.append(sign + ("" if abs(weight) == 1.0 else f"{abs(weight):.6g}*") + term)
    return " ".join(parts)


@dataclass(slots=True)
class _Parser:
    """Reads one contrast; values are weights of the coefficients and, last, a constant, (p+1,)."""

    text: str
    tokens: tuple[Token, ...]
    terms: tuple[str, ...]
    position: int = 0
    depth: int = 0

    @property
    def next(self) -> Token:
        return self.tokens[self.position]

    def take(self) -> Token:
        token = self.next
        self.position += token.kind != "end"
        return token

    def where(self, token: Token) -> str:
        return f"contrast {self.text!r}, character {token.start + 1}"

    def refuse(self, what: str, token: Token, way_out: str = "") -> PlanError:
        return PlanError(what, where=self.where(token), way_out=way_out)

    def contrast(self) -> Array:
        result = self.sum()
        if self.next.kind != "end":
            way_out = "Name the combination that is zero: 'a - b'" if self.next.text == "=" else ""
            raise self.refuse(f"{self.next} does not belong here", self.next, way_out)
        if result[-1] != 0.0:
            raise self.refuse("A number stands alone in the contrast", self.tokens[0], "Write 2*a, not 2 + a")
        return result[:-1]

    def sum(self) -> Array:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.refuse(f"The brackets are nested more than {MAX_DEPTH} deep", self.next)
        sign = -1.0 if self.next.kind in ("+", "-") and self.take().kind == "-" else 1.0
        result = sign * self.product()
        while self.next.kind in ("+", "-"):
            sign = -1.0 if self.take().kind == "-" else 1.0
            result = result + sign * self.product()
        self.depth -= 1
        return result

    def product(self) -> Array:
        left = self.factor()
        while self.next.kind in ("*", "/"):
            token = self.take()
            right = self.factor()
            if token.kind == "/":
                if right[:-1].any() or right[-1] == 0.0:
                    raise self.refuse("Only numbers other than zero can divide", token)
                left = left / right[-1]
            elif left[:-1].any() and right[:-1].any():
                raise self.refuse("Two coefficients cannot be multiplied", token, "An interaction is written a:b")
            else:
                left = left * right[-1] if left[:-1].any() else left[-1] * right
        return left

    def factor(self) -> Array:
        token = self.next
        if token.kind == "number":
            number = float(self.take().text)
            if np.isinf(number):
                raise self.refuse(f"The number {token} is too large", token)
            return np.append(np.zeros(len(self.terms)), number)
        if token.kind == "(" and not self.intercept_ahead():
            self.take()
            inner = self.sum()
            if self.next.kind != ")":
                raise self.refuse(f"Expected ')', found {self.next}", self.next)
            self.take()
            return inner
        parts = [self.part()]
        while self.next.kind == ":":
            self.take()
            parts.append(self.part())
        return np.append(_unit(self.terms, ":".join(parts), where=self.where(token)), 0.0)

    def intercept_ahead(self) -> bool:
        after = self.tokens[self.position + 1 : self.position + 3]
        return [token.text for token in after] == ["Intercept", ")"]

    def part(self) -> str:
        token = self.take()
        if token.kind == "(" and [self.next.text, self.tokens[self.position + 1].text] == ["Intercept", ")"]:
            self.position += 2
            return "(Intercept)"
        if token.kind != "name":
            way_out = "Put names that are not plain words in back-quotes" if token.kind == "other" else ""
            raise self.refuse(f"Expected a coefficient, found {token}", token, way_out)
        if self.next.kind != "(" or token.quoted:
            return token.text
        self.take()
        column, closing = self.take(), self.take()
        if column.kind != "name" or closing.kind != ")":
            raise self.refuse(f"{token.text}() takes the name of one column", column)
        return f"{token.text}({column.text})"
