"""The words of a formula, and the error that points at one of them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dyadline.errors import PlanError

MAX_LENGTH = 20_000
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?|\.[0-9]+")
_QUOTED = re.compile(r"`((?:[^`\\]|\\.)*)`", re.DOTALL)
_SYMBOLS = ("||", "~", "+", "-", "*", ":", "^", "(", ")", "|", "/")


class FormulaError(PlanError):
    """A formula that the grammar does not have; printed with a caret under the place.

    Attributes
    ----------
    formula
        As written.
    position
        Number of the character, from 0.
    """

    def __init__(self, what: str, *, formula: str, position: int, way_out: str = "") -> None:
        self.formula, self.position = formula, position
        super().__init__(what, where=f"formula, character {position + 1}", way_out=way_out)

    def __str__(self) -> str:
        before, after = self.formula[: self.position][-60:], self.formula[self.position :][:40]
        shown = "".join(c if c.isprintable() else " " for c in before + after)
        return f"{super().__str__()}\n  {shown}\n  {' ' * len(before)}^"


@dataclass(frozen=True, slots=True)
class Token:
    """A word: ``kind`` is ``name``, ``number``, ``end``, the symbol itself, or ``other`` (in no formula)."""

    kind: str
    text: str
    start: int
    quoted: bool = False

    def __str__(self) -> str:
        return "the end of the formula" if self.kind == "end" else repr(self.text)


def tokens(formula: str) -> tuple[Token, ...]:
    """Split a formula into its words, ``end`` last.

    Raises
    ------
    PlanError
        For a back-quote that is not closed, and for a formula that is too long to be one.
    """
    if len(formula) > MAX_LENGTH:
        raise PlanError(f"The formula has {len(formula)} characters; more than {MAX_LENGTH} are not read")
    found: list[Token] = []
    position = 0
    while position < len(formula):
        if formula[position].isspace():
            position += 1
            continue
        token, position = _token(formula, position)
        found.append(token)
    return (*found, Token("end", "", len(formula)))


def _token(formula: str, start: int) -> tuple[Token, int]:
    """The word that starts here, and where it ends."""
    if formula.startswith("**", start):
        return Token("other", "**", start), start + 2
    for symbol in _SYMBOLS:
        if formula.startswith(symbol, start):
            return Token(symbol, symbol, start), start + len(symbol)
    if number := _NUMBER.match(formula, start):
        return Token("number", number[0], start), number.end()
    if formula[start] == "`":
        return _quoted(formula, start)
    end = start
    # As in R a name may hold dots; whether it holds a character at all is Unicode's word on identifiers.
    while end < len(formula) and (formula[end] == "." or ("x" + formula[end]).isidentifier()):
        end += 1
    name = formula[start:end]
    if name == ".":
        raise FormulaError(
            "'.' for all other columns is not read", formula=formula, position=start,
            way_out="Name the columns",
        )  # fmt: skip
    if not name or not (name[0] == "." or name[0].isidentifier()):
        return Token("other", formula[start], start), start + 1
    return Token("name", name, start), end


def _quoted(formula: str, start: int) -> tuple[Token, int]:
    match = _QUOTED.match(formula, start)
    if match is None:
        raise FormulaError("A back-quote is not closed", formula=formula, position=start)
    name = re.sub(r"\\([`\\])", r"\1", match[1])
    if not name:
        raise FormulaError("The name between the back-quotes is empty", formula=formula, position=start)
    return Token("name", name, start, quoted=True), match.end()


def quote_name(name: str) -> str:
    """A column's name as a formula takes it: back-quoted unless it is a plain word."""
    plain = name.replace(".", "_").isidentifier() and not re.match(r"\.([0-9]|$)", name)
    if plain:
        return name
    escaped = re.sub(r"([`\\])", r"\\\1", name)
    return f"`{escaped}`"
