r"""Text as GitHub-flavoured Markdown: whatever it says, it is read as text, whether HTML is allowed or not."""

from __future__ import annotations

import re

from dyadline.report.writers.characters import seen, spaced

_ALWAYS = re.compile(r"[\\`*_\[\]|~$]")
_TAG = re.compile(r"<(?=[A-Za-z/!?]|$)|&(?=[A-Za-z#]|$)|(?<=\bwww)\.", re.IGNORECASE)
_SCHEME = re.compile(r"\b(https?|ftp|mailto|xmpp):", re.IGNORECASE)
_START = re.compile(r"^(\d{1,9})([.)])(?=\s|$)|^([#+\->=])")
_RUNS = re.compile("`+")


def markdown(text: str, *, start: bool = False) -> str:
    """Text that Markdown prints as it stands.

    Parameters
    ----------
    text
        Anything; runs of white space become one space, characters that no one sees are written ``U+202E``.
    start
        Whether it begins a block, where a number, a hyphen or a hash would mean something.
    """
    said = _TAG.sub(r"\\\g<0>", _ALWAYS.sub(r"\\\g<0>", seen(spaced(text))))
    said = _SCHEME.sub(r"\1\\:", said)
    return block_start(said) if start else said


def block_start(line: str) -> str:
    """A line of Markdown that is text at the start of a block, not a list, a heading or a rule."""
    return _START.sub(lambda m: rf"\{m[3]}" if m[3] else rf"{m[1]}\{m[2]}", line)


def markdown_heading(text: str) -> str:
    """The same for a heading, whose last hashes would be taken for its end."""
    return re.sub("#+$", r"\\\g<0>", markdown(text))


def markdown_running(text: str) -> str:
    """The same for text between other text: a space at its ends stays."""
    if not spaced(text):
        return " " if text else ""
    before, after = ("" if spaced(end) else " " for end in (text[0], text[-1]))
    return f"{before}{markdown(text)}{after}"


def markdown_code(text: str, *, cell: bool = False) -> str:
    """Text as code inside a line; in a table's cell bars are escaped there too."""
    said = seen(spaced(text))
    if not said:
        return ""
    fence = "`" * (_longest(said) + 1)
    gap = " " if said.startswith("`") or said.endswith("`") else ""
    return f"{fence}{gap}{said.replace('|', chr(92) + '|') if cell else said}{gap}{fence}"


def markdown_source(text: str) -> str:
    """A text file in a fence that nothing in it can end."""
    lines = "\n".join(seen(line.expandtabs(4)) for line in text.splitlines())
    fence = "`" * max(3, _longest(lines) + 1)
    return f"{fence}text\n{lines}\n{fence}"


def _longest(text: str) -> int:
    return max((len(run) for run in _RUNS.findall(text)), default=0)
