r"""A document as LaTeX: one ``.tex`` for pdfLaTeX, LuaLaTeX or XeLaTeX, with its figures beside it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files

from dyadline.errors import Finding
from dyadline.report.document import (
    Cell,
    Document,
    Equation,
    Figure,
    FindingList,
    Heading,
    Paragraph,
    Part,
    Reference,
    Section,
    Source,
    Symbol,
    Table,
)
from dyadline.report.labels import places
from dyadline.report.numbers import words
from dyadline.report.writers import pictures
from dyadline.report.writers.captions import title_and_note
from dyadline.report.writers.equation_text import with_words
from dyadline.report.writers.latex_table import latex_table
from dyadline.report.writers.latex_text import latex, latex_code, latex_heading, latex_path, latex_running
from dyadline.report.writers.latex_widths import width

_LONG_NAME = 20.0
"""Width in em from which on a name in an equation is broken."""


def write_latex(document: Document, *, figures: Mapping[str, str]) -> str:
    """The text of a ``.tex`` file.

    Parameters
    ----------
    document
        What `compose` made.
    figures
        Key of each figure -> path of its picture (PDF) from where the file will lie.

    Returns
    -------
    LaTeX that needs the packages of texlive-latex-recommended, and Latin Modern; write it in UTF-8.

    Raises
    ------
    KeyError
        If a figure has no picture.
    """
    writer = _Writer(document.labels(), figures)
    preamble = files("dyadline.report.writers").joinpath("preamble.tex").read_text(encoding="utf-8")
    parts = [
        preamble,
        rf"\hypersetup{{pdftitle={{{latex_heading(document.title)}}}, pdflang={{{latex(document.language)}}}}}",
        r"\begin{document}",
        rf"{{\LARGE\bfseries {latex(document.title)}\par}}",
        latex(document.subtitle),
    ]
    if document.banner:
        parts.append(rf"\dybanner{{{latex(document.banner)}}}")
    parts += [writer.paragraph(paragraph) for paragraph in document.summary]
    parts += [writer.section(section) for section in document.sections]
    return "\n\n".join(part for part in (*parts, r"\end{document}") if part) + "\n"


class _Writer:
    """Blocks of one document; anchors are referred to by the names that `Document.labels` has."""

    def __init__(self, labels: Mapping[str, str], figures: Mapping[str, str]) -> None:
        self._labels, self._figures = labels, figures

    def section(self, section: Section) -> str:
        made, above = [], rf"\section{{{latex_heading(section.title)}}}\label{{{_anchor('section', section.key)}}}"
        for block in section.blocks:
            if isinstance(block, Heading):
                above = f"{above}\n{_heading(block)}".strip()
            else:
                made.append(self.block(block, above=above))
                above = ""
        return "\n\n".join([*made, above])

    def block(self, block: Paragraph | Table | Figure | Equation | FindingList | Source, *, above: str) -> str:
        """A block under its heading, which goes with a table to the page that is turned for it."""
        if isinstance(block, Table):
            note, anchor = self.parts(block.note), _anchor("table", block.key)
            return latex_table(block, anchor=anchor, note=note, above=above)
        return f"{above}\n\n{self._block(block)}".strip()

    def _block(self, block: Paragraph | Figure | Equation | FindingList | Source) -> str:
        if isinstance(block, Paragraph):
            return self.paragraph(block)
        if isinstance(block, Figure):
            return self.figure(block)
        if isinstance(block, Equation):
            return rf"\dyequation{{{latex(block.words)}}}{{{_formula(block.latex)}}}"
        if isinstance(block, FindingList):
            items = "\n".join(_finding(finding) for finding in block.findings)
            return f"\\begin{{itemize}}\n{items}\n\\end{{itemize}}" if items else ""
        return _source(block)

    def paragraph(self, paragraph: Paragraph) -> str:
        heading = rf"\textbf{{{latex(paragraph.heading)}}} " if paragraph.heading else ""
        return (r"\hangindent=2em " if paragraph.hanging else "") + heading + self.parts(paragraph.parts)

    def parts(self, parts: tuple[Part, ...]) -> str:
        return "".join(self._part(part) for part in parts)

    def _part(self, part: Part) -> str:
        if isinstance(part, Symbol):
            return rf"\textit{{{latex(part.letters)}}}"
        if isinstance(part, Cell):
            return latex_code(words(part)) if part.kind == "text" else latex(words(part))
        if isinstance(part, Reference):
            kind, _, key = part.anchor.partition("-")
            anchor, called = _anchor(kind, key), self._labels[part.anchor].rpartition(" ")[0]
            return rf"\hyperref[{anchor}]{{{called}~\ref*{{{anchor}}}}}"
        return latex_running(part)

    def figure(self, figure: Figure) -> str:
        title, note = title_and_note(figure.caption)
        lines = [
            r"\begin{figure}[H]",
            rf"\caption{{{latex(title)}}}\label{{{_anchor('figure', figure.key)}}}",
            rf"\dyfigure{{{latex(figure.alt)}}}{{{pictures.TALLEST:g}pt}}{{{latex_path(self._figures[figure.key])}}}",
            rf"\dynote{{{latex(note)}}}" if note else "",
            r"\end{figure}",
        ]
        return "\n".join(line for line in lines if line)


def _heading(heading: Heading) -> str:
    return rf"\subsection*{{{latex_heading(heading.title)}}}"


def _anchor(kind: str, key: str) -> str:
    """A label of letters, digits and hyphens, another one for every key."""
    return f"{kind}-" + re.sub(r"[^A-Za-z0-9-]", lambda match: f".{ord(match[0]):x}.", key)


def _formula(formula: str) -> str:
    for display in ("align*", "split"):  # which are not allowed inside a box
        formula = formula.replace(f"{{{display}}}", "{aligned}")
    return with_words(formula, _name)


def _name(text: str) -> str:
    said = latex(text)
    return rf"\text{{\dylong{{{said}}}}}" if width(text) > _LONG_NAME else rf"\text{{{said}}}"


def _finding(finding: Finding) -> str:
    where = places(finding)
    said = [rf"\textbf{{{finding.level.capitalize()}.}}", latex(finding.words), latex(finding.way_out)]
    said += [latex(f"({where})") if where else "", latex_code(finding.code)]
    return rf"\item {' '.join(part for part in said if part)}"


def _source(source: Source) -> str:
    lines = "\n".join(rf"\dyline{{{latex_code(line)}}}" for line in source.text.splitlines())
    return f"\\textbf{{{latex(source.title)}}}\n\\begin{{dysource}}\n{lines}\n\\end{{dysource}}"
