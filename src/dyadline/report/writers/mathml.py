"""Equations as MathML: what browsers show, and the tree from which other formats are made."""

from __future__ import annotations

import re
from html import escape

from dyadline.report.document import Equation

_TEXT = re.compile(r"\\text\{((?:[^{}\\]|\\[^a-zA-Z]|\\text[a-z]+\{\})*)\}")
_UNESCAPES = {r"\textbackslash{}": "\\", r"\textasciitilde{}": "~", r"\textasciicircum{}": "^"}


def mathml(equation: Equation) -> str:
    """LaTeX as MathML that browsers show by themselves.

    The converter lets text such as a column's name through as it stands, so that is taken out before and put
    back, escaped, after.
    """
    from latex2mathml.converter import convert

    texts: list[str] = []

    def take(match: re.Match[str]) -> str:
        texts.append(match[1])
        return rf"\text{{@{len(texts) - 1}@}}"

    def give(match: re.Match[str]) -> str:
        return escape(_plain(texts[int(match[1])]))

    made = convert(_TEXT.sub(take, equation.latex), display="block")
    made = re.sub(r"@(\d+)@", give, made).replace("<mi>&#x0007E;</mi>", "<mo>∼</mo>")
    return made.replace("<math ", f'<math alttext="{escape(equation.words)}" ', 1)


def _plain(latex: str) -> str:
    for written, letter in _UNESCAPES.items():
        latex = latex.replace(written, f"\0{ord(letter)}\0")
    latex = re.sub(r"\\([^a-zA-Z])", r"\1", latex)
    return re.sub("\0(\\d+)\0", lambda m: chr(int(m[1])), latex)
