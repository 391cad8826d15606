r"""Text as LaTeX: nothing in it is a command, and pdfLaTeX, LuaLaTeX and XeLaTeX print it without complaint.

What Latin Modern has is written as it stands or, symbols and Greek, as mathematics. Everything else goes through
``\dychar{...}{U+0416}`` of ``preamble.tex``, which prints the first where a font has it and the second elsewhere.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cache

from dyadline.report.writers.characters import clusters, code_point, from_right, spaced, unseen

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "`": r"\textasciigrave{}",
    "'": "’",
    **{c: f"\\{c}" for c in "{}$&#_%"},
    "[": "{[}",  # not the option of a command before it
    "]": "{]}",
    "\u00a0": "~",
    "\u2007": r"\,",
    "\u2009": r"\,",
    "\u202f": r"\,",
    "\u00ad": r"\-",
    "\u200b": r"\allowbreak{}",
    "\u2010": "-",
    "\u2011": r"\mbox{-}",
}
_OWN = frozenset(
    "¡¢£¤¥¦§¨©ª«¬®¯°±´µ¶·¸º»¼½¾¿×÷–—‘’‚“”„†‡•…‹›€−"
    + "".join(map(chr, range(0xC0, 0x180))).translate(dict.fromkeys(map(ord, "×÷ĦħĲĳĸĿŀŉŦŧſ")))
)
_MATHS_LETTERS = "αβγδεζηθικλμνξοπρςστυφχψωΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩϕϑϵ∞≤≥≠≈≡∼∝→←↔⇒↑↓∑∏√∂∇∈∉∩∪∅⋅∗∘∓′⊥∥⟨⟩"
_MATHS_COMMANDS = (
    r"\alpha \beta \gamma \delta \epsilon \zeta \eta \theta \iota \kappa \lambda \mu \nu \xi o \pi \rho \varsigma "
    r"\sigma \tau \upsilon \phi \chi \psi \omega \mathrm{A} \mathrm{B} \Gamma \Delta \mathrm{E} \mathrm{Z} "
    r"\mathrm{H} \Theta \mathrm{I} \mathrm{K} \Lambda \mathrm{M} \mathrm{N} \Xi \mathrm{O} \Pi \mathrm{P} \Sigma "
    r"\mathrm{T} \Upsilon \Phi \mathrm{X} \Psi \Omega \varphi \vartheta \epsilon \infty \leq \geq \neq \approx "
    r"\equiv \sim \propto \rightarrow \leftarrow \leftrightarrow \Rightarrow \uparrow \downarrow \sum \prod \surd "
    r"\partial \nabla \in \notin \cap \cup \emptyset \cdot \ast \circ \mp {}^\prime \perp \parallel \langle \rangle "
)
_MATHS = dict(zip(_MATHS_LETTERS, _MATHS_COMMANDS.split(), strict=True))
_ACCENTS = {"\u0300": "grave", "\u0301": "acute", "\u0302": "hat", "\u0303": "tilde", "\u0304": "bar", "\u0308": "ddot"}
_OVER_LATIN = {"\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0304": "=", "\u0308": '"'}
_RAISED = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ", "0123456789+−n", strict=True))
_LOWERED = dict(zip("₀₁₂₃₄₅₆₇₈₉", "0123456789", strict=True))
_JOINED = frozenset("-–—,’‘")
"""Two of these in a row would become another character."""

_JOIN_RIGHT = frozenset(" -.,:;/!?\u200c\u200d")
"""What goes with the letters from right to left that it stands between."""

LONG_WORD, CHUNK = 20, 8
"""A word longer than this may be broken after punctuation, and wherever so many letters have gone by."""


def latex(text: str, *, longest: int = LONG_WORD) -> str:
    """Text that LaTeX prints as it stands; long words can be broken.

    Parameters
    ----------
    text
        Anything; runs of white space become one space.
    longest
        Letters of the longest word that is not to be broken.

    Returns
    -------
    LaTeX for running text, captions and cells.
    """
    return "".join(
        _from_right(run) if right else " ".join(_word(word, longest=longest) for word in run.split(" "))
        for run, right in _runs(spaced(text))
    )


def latex_running(text: str) -> str:
    """The same for text between other text: a space at its ends stays."""
    if not spaced(text):
        return " " if text else ""
    before, after = ("" if spaced(end) else " " for end in (text[0], text[-1]))
    return f"{before}{latex(text)}{after}"


def latex_code(text: str) -> str:
    """The same in typewriter letters, with straight quotes and every space kept."""
    runs = _runs(unicodedata.normalize("NFC", text.expandtabs(4)))
    said = (
        _from_right(run) if right else r"\ ".join(_word(word, code=True) for word in run.split(" "))
        for run, right in runs
    )
    return rf"\texttt{{{''.join(said)}}}"


def latex_heading(text: str) -> str:
    """The same for a heading, which PDF viewers also list: there only plain letters."""
    printed = latex(text)
    listed = "".join(_listed(c) for c in spaced(text))
    return printed if printed == listed else rf"\texorpdfstring{{{printed}}}{{{listed}}}"


def latex_path(path: str) -> str:
    """The name of a file as an argument; spaces, per cent and braces are letters of it."""
    odd = {"%": r"\dypercent ", "#": r"\dyhash ", "{": r"\dyopen ", "}": r"\dyclose ", "\\": r"\dybackslash "}
    return "".join(odd.get(c) or (rf"\detokenize{{{c}}}" if c in "~^_$&" else c) for c in path)


def pieces(word: str, *, longest: int = LONG_WORD) -> list[str]:
    """A word of more letters than the longest, cut where it may be broken; not between letters from right to left."""
    if len(word) <= longest:
        return [word]
    cut, held = [], ""
    for cluster in clusters(word):
        full = len(held) >= min(CHUNK, longest) or not held[-1:].isalnum()
        if held and full and not (from_right(held[-1]) and from_right(cluster[0])):
            cut.append(held)
            held = ""
        held += cluster
    return [*cut, held]


def is_foreign(cluster: str) -> bool:
    """Whether Latin Modern lacks a character."""
    return _known(cluster) is None


def _runs(text: str) -> Iterator[tuple[str, bool]]:
    """Text in stretches, and whether they are written from right to left: what joins their words goes with them."""
    parts = list(clusters(text))
    shape = "".join("r" if from_right(part[0]) else "j" if part in _JOIN_RIGHT else "-" for part in parts)
    at = 0
    for match in re.finditer("r(?:[rj]*r)?", shape):
        yield "".join(parts[at : match.start()]), False
        yield "".join(parts[match.start() : match.end()]), True
        at = match.end()
    yield "".join(parts[at:]), False


def _from_right(run: str) -> str:
    printable = "" if any(unseen(c) for c in run) else run
    numbers = r" \quad ".join(" ".join(map(code_point, word)) for word in run.split(" "))
    return rf"\dyright{{{printable}}}{{{numbers}}}"


def _word(word: str, *, longest: int = LONG_WORD, code: bool = False) -> str:
    return r"\allowbreak{}".join(_piece(piece, code=code) for piece in pieces(word, longest=longest))


def _piece(text: str, *, code: bool) -> str:
    said, foreign, before = [], "", ""
    for cluster in clusters(text):
        written = _known(cluster, code=code)
        if written is None:
            foreign += cluster
            continue
        said.append(_foreign(foreign))
        foreign = ""
        character = written if len(written) == 1 else cluster
        if character in _JOINED and before in _JOINED:
            written = rf"\kern0pt{written}"
        said.append(written)
        before = character
    return "".join([*said, _foreign(foreign)])


@cache
def _known(cluster: str, *, code: bool = False) -> str | None:
    """LaTeX for one character and its accents; nothing if Latin Modern does not have it."""
    if code and cluster == "'":
        return r"\textquotesingle{}"
    if cluster in _SPECIAL:
        return _SPECIAL[cluster]
    if cluster in _OWN or (len(cluster) == 1 and " " <= cluster <= "~"):
        return cluster
    if cluster in _RAISED:
        return rf"\textsuperscript{{{_RAISED[cluster]}}}"
    if cluster in _LOWERED:
        return rf"\textsubscript{{{_LOWERED[cluster]}}}"
    base, *accents = (cluster,) if cluster in _MATHS else tuple(unicodedata.normalize("NFD", cluster))
    if base in _MATHS and all(a in _ACCENTS for a in accents):
        symbol = _MATHS[base]
        for accent in accents:
            symbol = rf"\{_ACCENTS[accent]}{{{symbol}}}"
        return rf"\ensuremath{{{symbol}}}"
    if len(accents) == 1 and accents[0] in _OVER_LATIN and base.isascii() and base.isalpha():
        return rf"\{_OVER_LATIN[accents[0]]}{{{base}}}"
    return None


def _foreign(text: str) -> str:
    """Characters of other alphabets."""
    if not text:
        return ""
    printable = "" if any(unseen(c) for c in text) else text
    return rf"\dychar{{{printable}}}{{{' '.join(map(code_point, text))}}}"


def _listed(character: str) -> str:
    if character in "\\{}$&#_%~^":
        return rf"\{character}" if character in "{}$&#_%" else _SPECIAL[character]
    if character in _OWN or " " <= character <= "~":
        return character
    return _foreign(character)
