"""Characters of foreign text before a format escapes them: white space, and what no one sees."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

_SPACES = re.compile(r"[\t\n\v\f\r\x1c-\x1f \x85\u1680\u2000-\u2006\u2008\u200a\u2028\u2029\u205f\u3000]+")
_UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn"}
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\u007e\u00a0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_TURNING = re.compile("[\u202a-\u202e\u2066-\u2069]")
_JOINERS = "\u00ad\u200c\u200d"
"""Unseen, but parts of words."""


def spaced(text: str) -> str:
    """Text on one line, its accents composed, with single spaces and none at its ends; those that do not break stay."""
    return _SPACES.sub(" ", unicodedata.normalize("NFC", text)).strip(" ")


def printable(text: str) -> str:
    """Text without controls, which XML forbids too, and without what turns the direction of what comes after."""
    return _TURNING.sub("", _FORBIDDEN.sub("", text))


def from_right(character: str) -> bool:
    """Whether it is a letter of a script that is written from the right."""
    return unicodedata.bidirectional(character) in ("R", "AL")


def unseen(character: str) -> bool:
    """Whether it has no picture of its own: controls, turns of the direction of writing, unassigned."""
    return unicodedata.category(character) in _UNSEEN and character not in _JOINERS


def code_point(character: str) -> str:
    """Its number, ``U+202E``, for where it cannot be printed."""
    return f"U+{ord(character):04X}"


def seen(text: str) -> str:
    """Text in which everything can be seen, and nothing turns or hides its neighbours."""
    return "".join(code_point(c) if unseen(c) else c for c in text)


def clusters(text: str) -> Iterator[str]:
    """Characters with the accents that stand on them."""
    held = ""
    for character in text:
        if held and not unicodedata.combining(character):
            yield held
            held = ""
        held += character
    if held:
        yield held
