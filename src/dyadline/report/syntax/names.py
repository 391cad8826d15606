"""Names and texts that SPSS, Stata and R all take, whatever a column or a level is called."""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections.abc import Iterable

LONGEST = 32
"""Characters of a name: Stata's limit. SPSS takes 64 bytes, R any number."""

_SPSS = "all and by eq ge gt le lt ne not or to with within intercept residual"
_STATA = "byte double float if in int long using strl alias"
_R = "else repeat while function for next break true false null inf nan na"
RESERVED = frozenset(f"{_SPSS} {_STATA} {_R}".split())
"""Words with a meaning in one of the three programs, in lower case."""

_LOOKALIKES = str.maketrans({"'": "’", '"': "”", "`": "’", "\\": "∖", "$": "＄", "*": "∗", "/": "∕", "#": "＃"})


class Names:
    """Names that are given once: plain words of up to 32 ASCII characters, different in more than their case."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = {name.casefold() for name in taken}

    def give(self, wanted: str) -> str:
        """A name as like the wanted one as it can be; it is taken from then on."""
        name = _plain_word(wanted)
        number = 1
        while name.casefold() in self._taken:
            number += 1
            ending = f"_{number}"
            name = _plain_word(wanted)[: LONGEST - len(ending)].rstrip("_") + ending
        self._taken.add(name.casefold())
        return name


def _plain_word(wanted: str) -> str:
    ascii_only = unicodedata.normalize("NFKD", wanted).encode("ascii", "ignore").decode()
    word = re.sub(r"[^A-Za-z0-9]+", "_", ascii_only).strip("_")
    if not word or not word[0].isalpha() or word.casefold() in RESERVED or re.fullmatch(r"str\d+", word.casefold()):
        word = f"v_{word}".rstrip("_")
    return word[:LONGEST].rstrip("_")


def inert(text: str, longest: int = 300) -> str:
    """A text for a comment of any of the programs: one line, without a character that could end the comment.

    Quotes, back-quotes, backslashes, slashes, stars and dollar signs become characters that look alike; control
    characters and those that turn the direction of writing are left out.
    """
    shown = "".join(" " if c.isspace() else c for c in text)
    kept = "".join(c for c in shown if unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Cn"))
    line = " ".join(kept.translate(_LOOKALIKES).split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def wrapped(text: str, width: int = 96, indent: str = "") -> list[str]:
    """Lines of at most so many characters, broken at blanks only; those after the first are indented."""
    return textwrap.wrap(
        text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )  # fmt: skip
