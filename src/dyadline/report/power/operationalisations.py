"""The scores that were analysed: what each is called, and what it means."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from dyadline.report.document import Block, Cell, Column, Paragraph, Row, RowGroup, Table
from dyadline.studies.power.result import PowerResult


def score_blocks(result: PowerResult, short: Mapping[str, str]) -> Iterator[Block]:
    """One score as a paragraph; several as a table of their names, and in what each differs from the first.

    Parameters
    ----------
    result
        What a power study found.
    short
        Operationalisation -> what it is called in tables and figures.
    """
    known = list(result.operationalisations)
    if len(known) == 1:
        name, sentence = known[0]
        yield Paragraph(heading="The score.", parts=(f"{sentence} In a plan: ", Cell(value=name, kind="text"), "."))
    if len(known) < 2:
        return
    yield Table(
        key="operationalisations",
        caption="Scores that were analysed",
        stub="Called here",
        columns=(Column(label="In a plan", align="text"),),
        groups=(
            RowGroup(
                rows=tuple(
                    Row(label=short.get(name, name), cells=(Cell(value=name, kind="text"),)) for name, _ in known
                )
            ),
        ),
        note=("The short name says in what a score differs from the first one.",),
    )
    first = known[0][1]
    for number, (name, sentence) in enumerate(known):
        heading = short.get(name, name)
        said = sentence if not number else f"As the first, but: {what_differs(sentence, first)}"
        yield Paragraph(heading=f"{heading[0].upper()}{heading[1:]}.", parts=(said,), hanging=True)


def what_differs(sentence: str, first: str) -> str:
    """The sentences of one description that the other has not."""
    known = set(_sentences(first))
    return " ".join(one for one in _sentences(sentence) if one not in known) or "described in the same words."


def _sentences(text: str) -> list[str]:
    return re.split(r"(?<=\.) (?=[A-Z])", text)
