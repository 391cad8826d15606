"""What stands over a figure and what under it."""

from __future__ import annotations

import re

_FIRST_SENTENCE = re.compile(r"(.+?[.?!])\s+(?=[A-Z0-9×])(.+)", re.DOTALL)


def title_and_note(caption: str) -> tuple[str, str]:
    """A caption's first sentence, without its full stop, and the others: title and note in APA style.

    Parameters
    ----------
    caption
        Of a figure.

    Returns
    -------
    The note is empty if there is one sentence.
    """
    sentences = _FIRST_SENTENCE.fullmatch(caption)
    title, note = (sentences[1], sentences[2]) if sentences else (caption, "")
    return title.removesuffix("."), note
