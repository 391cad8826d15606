"""lme4's formula notation, read by a small grammar and never evaluated.

::

    formula     = (variable | "cbind(" name {"," name} ")") "~" part {("+" | "-") part}
    part        = "(" sum ("|" | "||") groups ")" | product
    sum         = ["+" | "-"] product {("+" | "-") product}
    product     = interaction {"*" interaction}
    interaction = power {":" power}
    power       = atom ["^" whole number]
    atom        = "0" | "1" | variable | "(" sum ")"
    variable    = name | transform "(" name ")"
    groups      = name {":" name} {"/" name {":" name}}

With `cbind(a, b)` (or brms' `mvbind`) several outcomes of the same row are modelled together: see `plan/joint.py`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import lru_cache

from dyadline.errors import PlanError, did_you_mean
from dyadline.plan.joint import JOINT, for_each_response
from dyadline.plan.model import ModelSpec, RandomTerm, Term, Variable, term_label
from dyadline.plan.tokens import FormulaError, Token, quote_name, tokens

TRANSFORMS = ("log", "log1p", "sqrt", "exp")
MAX_DEPTH = 50
MAX_TERMS = 1000
MAX_POWER = 9
WAY_OUTS = {
    "|": "Put the random part in brackets: + (t | dyad)",
    "||": "Put the random part in brackets: + (t || dyad)",
    "/": "Nesting is for groups only; between predictors write a + a:b",
    "^": "A power of a power is not read",
    "~": "A formula has one '~'",
    "**": "Write '^'",
    "%": "Between predictors write a + a:b",
    "=": "The outcome and the predictors are separated by '~'",
    ",": "A formula has no lists: add the terms with '+'",
    "'": "Put names that are not plain words in back-quotes: `x y`",
    '"': "Put names that are not plain words in back-quotes: `x y`",
}
"""For what is often tried and not read."""


def parse_formula(text: str) -> ModelSpec:
    """Read a model from its formula.

    Parameters
    ----------
    text
        Such as ``"y ~ t * (init + conv) + (t | dyad)"``.

    Returns
    -------
    ModelSpec
        Fixed terms in R's order: by number of variables, then as they appear in the expansion. ``random``
        is empty where the formula has no random part.

    Raises
    ------
    PlanError
        With the position in the formula, for everything that the grammar does not have.
    """
    if not isinstance(text, str):
        raise PlanError(f"A formula is a text such as 'y ~ t + (t | dyad)', not {type(text).__name__}")
    return _parse(text)


@lru_cache(maxsize=256)
def _parse(text: str) -> ModelSpec:
    return _Parser(text=text, tokens=tokens(text)).formula()


_Key = frozenset[Variable]


@dataclass(slots=True)
class _Sum:
    """Terms in order of appearance, and what was said about the intercept (None: nothing)."""

    terms: dict[_Key, None] = field(default_factory=dict)
    intercept: bool | None = None

    def plus(self, other: _Sum) -> _Sum:
        intercept = self.intercept if other.intercept is None else other.intercept
        return _Sum(self.terms | other.terms, intercept)

    def minus(self, other: _Sum) -> _Sum:
        kept = {term: None for term in self.terms if term not in other.terms}
        return _Sum(kept, self.intercept if other.intercept is None else not other.intercept)


@dataclass(slots=True)
class _Parser:
    text: str
    tokens: tuple[Token, ...]
    position: int = 0
    depth: int = 0
    # Variables in order of first appearance: the order within a term, as in R's terms().
    seen: dict[Variable, None] = field(default_factory=dict)

    @property
    def next(self) -> Token:
        return self.tokens[self.position]

    def take(self) -> Token:
        token = self.next
        self.position += token.kind != "end"
        return token

    def refuse(self, what: str, token: Token, way_out: str = "") -> FormulaError:
        return FormulaError(what, formula=self.text, position=token.start, way_out=way_out)

    def expect(self, kind: str, after: str) -> Token:
        if self.next.kind == "other":
            raise self.unexpected()
        if self.next.kind != kind:
            raise self.refuse(f"Expected {kind!r} {after}, found {self.next}", self.next)
        return self.take()

    def formula(self) -> ModelSpec:
        if all(token.kind != "~" for token in self.tokens):
            raise FormulaError(
                "The formula has no '~'", formula=self.text, position=0,
                way_out="Write the outcome, '~' and the predictors: outcome ~ time + (time | dyad)",
            )  # fmt: skip
        if self.next.kind == "~":
            raise self.refuse("No outcome stands before '~'", self.next)
        responses = self.responses() if self.joint_ahead() else ()
        response = Variable(f"cbind({', '.join(responses)})") if responses else self.variable("the outcome")
        tilde = self.expect("~", "after the outcome")
        self.seen.clear()
        total, random = _Sum(), list[RandomTerm]()
        sign = self.sign()
        while True:
            start = self.next
            if self.random_ahead():
                if sign == "-":
                    raise self.refuse("A random part cannot be taken away", start, "Leave it out")
                random.extend(self.random_part())
            else:
                total = self.signed(sign, start, total, self.product())
            if self.next.kind not in ("+", "-"):
                break
            sign = self.take().kind
        if self.next.kind != "end":
            raise self.unexpected()
        fixed = _in_order(total, self.seen)
        if not fixed:
            raise self.refuse("The formula has no fixed term", tilde, "Write at least the intercept: ~ 1")
        if responses:
            fixed = for_each_response(responses, fixed)
            random = [replace(r, terms=for_each_response(responses, r.terms)) for r in random]
        self.check(response, fixed, random, tilde)
        return ModelSpec(
            response=response, fixed=fixed, random=tuple(random), formula=self.text.strip(), responses=responses
        )

    def joint_ahead(self) -> bool:
        return self.next.text in JOINT and not self.next.quoted and self.tokens[self.position + 1].kind == "("

    def responses(self) -> tuple[str, ...]:
        """The outcomes of `cbind(a, b)`."""
        start = self.take()
        self.take()
        names = [self.expect("name", f"after '{start.text}('").text]
        while self.next.text == "," and self.next.kind == "other":
            self.take()
            names.append(self.expect("name", "after ','").text)
        if self.next.kind != ")":
            raise self.refuse(f"Expected ',' or ')' in the list of outcomes, found {self.next}", self.next)
        self.take()
        if len(names) < 2 or len(set(names)) < len(names):
            raise self.refuse(f"{start.text}() takes two or more different columns", start)
        return tuple(names)

    def sign(self) -> str:
        """The sign before the first summand."""
        sign = self.take().kind if self.next.kind in ("+", "-") else "+"
        if sign == "-" and self.next.kind != "number":
            raise self.refuse("There is nothing before this '-' to take away from", self.next)
        return sign

    def signed(self, sign: str, start: Token, total: _Sum, part: _Sum) -> _Sum:
        result = total.plus(part) if sign == "+" else total.minus(part)
        self.limit(len(result.terms), start)
        return result

    def sum(self) -> _Sum:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.refuse(f"The brackets are nested more than {MAX_DEPTH} deep", self.next)
        start = self.next
        total = self.signed(self.sign(), start, _Sum(), self.product())
        while self.next.kind in ("+", "-"):
            start = self.take()
            total = self.signed(start.kind, start, total, self.product())
        self.depth -= 1
        return total

    def product(self) -> _Sum:
        left = self.interaction()
        while self.next.kind == "*":
            token = self.take()
            right = self.interaction()
            left = left.plus(right).plus(self.times(left, right, token))
        return left

    def interaction(self) -> _Sum:
        left = self.power()
        while self.next.kind == ":":
            token = self.take()
            left = self.times(left, self.power(), token)
        return left

    def times(self, left: _Sum, right: _Sum, token: Token) -> _Sum:
        if left.intercept is not None or right.intercept is not None:
            raise self.refuse("0 and 1 stand for the intercept and cannot be multiplied", token)
        # Many products may be few terms; what is refused before it is made is only what would take long.
        self.limit(len(left.terms) * len(right.terms), token, at_most=100 * MAX_TERMS)
        result = _Sum({a | b: None for a in left.terms for b in right.terms})
        self.limit(len(result.terms), token)
        return result

    def limit(self, n_terms: int, token: Token, at_most: int = MAX_TERMS) -> None:
        if n_terms > at_most:
            raise self.refuse(f"The formula expands to more than {MAX_TERMS} terms", token)

    def power(self) -> _Sum:
        base = self.atom()
        if self.next.kind != "^":
            return base
        token = self.take()
        exponent = self.expect("number", "after '^'")
        if exponent.text not in {str(n) for n in range(2, MAX_POWER + 1)}:
            raise self.refuse(f"The power must be a whole number from 2 to {MAX_POWER}", exponent)
        result = base
        for _ in range(int(exponent.text) - 1):
            result = result.plus(self.times(result, base, token))
        return result

    def atom(self) -> _Sum:
        token = self.next
        if token.kind == "number":
            self.take()
            if token.text not in ("0", "1"):
                way_out = "Make the column first, and put a name that starts with a digit in back-quotes"
                raise self.refuse("The only numbers in a formula are 0 and 1", token, way_out)
            return _Sum(intercept=token.text == "1")
        if token.kind == "(":
            self.take()
            inner = self.sum()
            if self.next.kind in ("|", "||"):
                way_out = "Write it as a summand of its own: ... + (t | dyad)"
                raise self.refuse("A random part can only be added to the model", token, way_out)
            self.expect(")", "to close the bracket")
            return inner
        variable = self.variable("a term")
        self.seen.setdefault(variable)
        return _Sum({frozenset((variable,)): None})

    def variable(self, wanted: str) -> Variable:
        if self.next.kind != "name":
            raise self.unexpected(wanted)
        token = self.take()
        if self.next.kind != "(":
            return Variable(token.text)
        if token.quoted or token.text not in TRANSFORMS:
            allowed = f"make the column first, or use one of {', '.join(TRANSFORMS)} of a column"
            near = did_you_mean(token.text, TRANSFORMS) if len(token.text) > 2 else ""
            way_out = f"{near} dyadline reads formulas, it does not evaluate them: {allowed}".lstrip()
            raise self.refuse(f"{token} is not a function that formulas know", token, way_out)
        self.take()
        if self.next.kind != "name" or self.tokens[self.position + 1].kind != ")":
            way_out = "dyadline reads formulas, it does not evaluate them: make the column first"
            raise self.refuse(f"{token.text}() takes the name of one column", self.next, way_out)
        column = self.take()
        self.take()
        return Variable(column.text, token.text)

    def unexpected(self, wanted: str = "") -> FormulaError:
        token = self.next
        if token.kind == "other":
            what, otherwise = f"{token} has no meaning in a formula", "Make the column first and name it here"
        elif wanted:
            what, otherwise = f"Expected {wanted}, found {token}", ""
        else:
            what, otherwise = f"{token} does not belong here", "Between two terms stands +, -, * or :"
        return self.refuse(what[:1].upper() + what[1:], token, WAY_OUTS.get(token.text, otherwise))

    def random_ahead(self) -> bool:
        """Whether the bracket that opens here has a bar of its own."""
        depth = 0
        for token in self.tokens[self.position :]:
            depth += (token.kind == "(") - (token.kind == ")")
            if depth <= 0 or (depth == 1 and token.kind in ("|", "||")):
                return depth == 1
        return False

    def random_part(self) -> Iterable[RandomTerm]:
        start = self.take()
        outer, self.seen = self.seen, {}
        terms = _in_order(self.sum(), self.seen)
        self.seen = outer
        if not terms:
            raise self.refuse("Nothing varies in this random part", start, "Write (1 | group) at least")
        correlated = self.take().kind == "|"
        group = list(self.groups())
        nested = [tuple(group)]
        while self.next.kind == "/":
            self.take()
            group += self.groups()
            nested.append(tuple(group))
        self.expect(")", "after the group of the random part")
        if len(set(group)) < len(group):
            raise self.refuse("A column stands twice in the group of a random part", start)
        return [RandomTerm(terms=terms, group=g, correlated=correlated) for g in nested]

    def groups(self) -> list[str]:
        names = [self.expect("name", "for the group").text]
        while self.next.kind == ":":
            self.take()
            names.append(self.expect("name", "for the group").text)
        if self.next.kind == "(":
            raise self.refuse("A group is a column, not a calculation", self.next, "Make the column first")
        return names

    def check(self, response: Variable, fixed: tuple[Term, ...], random: list[RandomTerm], token: Token) -> None:
        varying: set[tuple[frozenset[str], Term]] = set()
        for part in random:
            for term in part.terms:
                effect = (frozenset(part.group), term)
                if effect in varying:
                    what = f"{term_label(term)} varies over {part.group_label} in two random parts"
                    raise self.refuse(what, token, "Each effect can vary once over each group")
                varying.add(effect)
        used = {v.column for terms in (fixed, *(r.terms for r in random)) for term in terms for v in term}
        if response.column in used.union(*(part.group for part in random)):
            raise self.refuse(f"The outcome {response.column!r} also stands on the right of '~'", token)


def _in_order(total: _Sum, seen: Iterable[Variable]) -> tuple[Term, ...]:
    place = {variable: number for number, variable in enumerate(seen)}
    terms: list[Term] = [tuple(sorted(key, key=place.__getitem__)) for key in total.terms]
    return (*(((),) if total.intercept is not False else ()), *sorted(terms, key=len))


__all__ = ["TRANSFORMS", "FormulaError", "parse_formula", "quote_name"]
