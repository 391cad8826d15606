"""The works that a text cites, found in the text itself, so that the list has those and no others."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from tomllib import loads

from dyadline.measures.registry import measure
from dyadline.plan.analysis import AnalysisPlan
from dyadline.report.document import Block, Equation, FindingList, Heading, Paragraph, Part, Section, Table

_BETWEEN = 60
"""Characters at most between the first author's name and the year of a work that is cited."""

_AUTHOR = re.compile(r"(?:^|, & |, |& )([^,&]+), (?:[^\W\d_]\.[ -]?)+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Something that can be cited.

    Attributes
    ----------
    entry
        As APA style lists it, without its DOI.
    doi
        Empty where there is none or it is not certain.
    """

    entry: str
    doi: str = ""

    @property
    def authors(self) -> tuple[str, ...]:
        """Family names."""
        return tuple(name.strip() for name in _AUTHOR.findall(self.entry.split(" (", 1)[0]))

    @property
    def year(self) -> str:
        """Of publication."""
        found = re.search(r"\((\d{4}[a-z]?)\)", self.entry)
        return found[1] if found else "n.d."

    @property
    def cited(self) -> str:
        """As in parentheses: ``Tracey & Kokotovic, 1989``; empty where the entry has no authors that can be told."""
        names = self.authors
        if not names:
            return ""
        who = f"{names[0]} et al." if len(names) > 2 else " & ".join(names)
        return f"{who}, {self.year}"

    def is_in(self, text: str) -> bool:
        """Whether the text cites it."""
        names = self.authors
        if not names:
            return False
        return re.search(rf"\b{re.escape(names[0])}\b.{{0,{_BETWEEN}}}\b{self.year}\b", text) is not None


@cache
def known_works() -> tuple[Work, ...]:
    """The works that dyadline's own sentences cite."""
    text = (files("dyadline.report.prose") / "works.toml").read_text(encoding="utf-8")
    return tuple(Work(**entry) for entry in loads(text)["works"])


def measures_cited(plan: AnalysisPlan) -> tuple[Work, ...]:
    """The publications of the measures that are scored from items."""
    used = [measure(section.measure, plan.folder) for section in plan.columns.measures.values()]
    return tuple(dict.fromkeys(Work(entry=found.citation, doi=found.doi) for found in used if found.citation))


def reference_blocks(sections: Iterable[Section], plan: AnalysisPlan) -> Iterator[Block]:
    """The works that these sections cite, those of the plan's measures among them, in alphabetical order."""
    yield from cited_blocks(sections, measures_cited(plan))


def cited_blocks(sections: Iterable[Section], more: Iterable[Work] = ()) -> Iterator[Block]:
    """The known works, and more, that these sections cite, in alphabetical order."""
    text = "\n".join(said for section in sections for block in section.blocks for said in _texts(block))
    works = dict.fromkeys((*known_works(), *more))
    for work in sorted((w for w in works if w.is_in(text)), key=lambda w: w.entry.casefold()):
        yield Paragraph(parts=(f"{work.entry}{f' doi:{work.doi}' if work.doi else ''}",), hanging=True)


def _texts(block: Block) -> Iterator[str]:
    if isinstance(block, Paragraph):
        yield _plain(block.parts)
    elif isinstance(block, Table):
        yield _plain(block.note)
        yield from (c.value for row in block.rows() for c in row.cells if c and isinstance(c.value, str))
    elif isinstance(block, Heading):
        yield block.title
    elif isinstance(block, Equation):
        yield block.words
    elif isinstance(block, FindingList):
        yield from (f"{finding.words} {finding.way_out}" for finding in block.findings)


def _plain(parts: Iterable[Part]) -> str:
    return "".join(part if isinstance(part, str) else " " for part in parts)
