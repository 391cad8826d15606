r"""The words in equations: what stands in ``\text{...}``, such as a column's name, is foreign to the formula."""

from __future__ import annotations

import re
from collections.abc import Callable

_TEXT = re.compile(r"\\text\{((?:[^{}\\]|\\[^a-zA-Z]|\\text[a-z]+\{\})*)\}")
_WRITTEN = re.compile(r"\\textbackslash\{\}|\\textasciitilde\{\}|\\textasciicircum\{\}|\\([^a-zA-Z])")
_LETTERS = {r"\textbackslash{}": "\\", r"\textasciitilde{}": "~", r"\textasciicircum{}": "^"}


def with_words(latex: str, write: Callable[[str], str]) -> str:
    r"""An equation whose words are written anew.

    Parameters
    ----------
    latex
        As in `Equation`.
    write
        From plain text to what takes the place of ``\text{...}``.
    """
    return _TEXT.sub(lambda match: write(_plain(match[1])), latex)


def _plain(latex: str) -> str:
    return _WRITTEN.sub(lambda match: _LETTERS.get(match[0]) or match[1], latex)
