"""Row numbers and roles in words, as every sentence about the data says them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from dyadline.errors import did_you_mean

ROLE_WORDS = {
    "dyad": "dyad",
    "therapist": "therapist",
    "time": "time",
    "patient_rating": "patient rating",
    "therapist_rating": "therapist rating",
    "outcome": "outcome",
    "baseline": "baseline",
    "[checks] date": "date",
    "[checks] sessions": "number of sessions",
    "[checks] end": "end",
    "[checks] reason": "reason",
}
"""What a role is called in a sentence; any other role is a covariate."""

SHOWN = 3
"""Rows that a sentence names before it counts the others."""

LONGEST = 60
"""Characters of a name that a sentence shows."""


def listed(parts: Sequence[str], *, total: int | None = None) -> str:
    """`a`, `a and b`, `a, b and c`, or `a, b, c and 4 more` where the total is larger than the list."""
    more = (len(parts) if total is None else total) - len(parts)
    if more > 0:
        return f"{', '.join(parts)} and {counted(more, 'more', 'more')}"
    return f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else parts[0]


def rows_listed(rows: Sequence[int]) -> str:
    """`row 3 of the data`, `rows 3, 7, 9 and 12 more of the data`; row 1 is the first below the header."""
    named = listed([str(row) for row in rows[:SHOWN]], total=len(rows))
    return f"{'row' if len(rows) == 1 else 'rows'} {named} of the data"


def dyads_listed(labels: Iterable[object], limit: int = 10) -> str:
    """The first labels, each cut to a readable length."""
    names = [str(label) for label in labels]
    cut = [name if len(name) <= 24 else f"{name[:23]}…" for name in names[:limit]]
    return ", ".join([*cut, *(["…"] if len(names) > limit else [])])


def counted(number: int, one: str, many: str = "") -> str:
    """`1 dyad`, `1,234 dyads`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def role_words(role: str) -> str:
    """The role in words; a covariate's role is its own name."""
    return ROLE_WORDS.get(role, "covariate")


def shown(value: object) -> str:
    """An offending value, quoted and cut to a length that fits a sentence."""
    text = str(value)
    return repr(text if len(text) <= 24 else text[:23] + "…")


def quoted(name: str) -> str:
    """A column's or file's name in quotes, cut to a length that fits a sentence."""
    return repr(name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…")


def nearest(names: Iterable[str], known: Sequence[str], *, taken: Collection[str] = ()) -> str:
    """Advice on names that are not there: the nearest known ones that are not taken, else what there is."""
    free = [name for name in known if name not in taken and len(name) <= LONGEST]
    advice = " ".join(filter(None, (did_you_mean(name, free) for name in names)))
    if advice or not known:
        return advice
    return (
        f"There {'is' if len(known) == 1 else 'are'} {listed([quoted(name) for name in known[:12]], total=len(known))}"
    )
