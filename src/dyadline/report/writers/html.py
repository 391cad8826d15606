"""A document as one HTML file: nothing is loaded, nothing of the data runs, everything is escaped."""

from __future__ import annotations

from functools import cache
from html import escape

from jinja2 import Environment, FunctionLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from dyadline.report import document
from dyadline.report.document import Cell, Document, Part, Reference, Symbol, Table
from dyadline.report.labels import places
from dyadline.report.numbers import words
from dyadline.report.writers import live
from dyadline.report.writers.alignment import padding
from dyadline.report.writers.mathml import mathml
from dyadline.report.writers.plotted import data_tables


def write_html(report: Document) -> str:
    """The page: style, figures (SVG), equations (MathML) and the script that makes figures answer, all inside.

    Parameters
    ----------
    report
        What `compose` made.

    Returns
    -------
    HTML text; write it in UTF-8. It is whole without its script, and printable.
    """
    style, scripts = live.source("page.css"), live.scripts(report)
    return (
        _environment()
        .get_template("page.html.jinja")
        .render(
            report=report,
            labels=report.labels(),
            style=Markup(style),
            scripts=[Markup(script) for script in scripts],
            policy=live.policy(style, scripts),
            dyads=live.pseudonyms(report),
        )
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        autoescape=True,
        loader=FunctionLoader(live.source),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        words=words,
        parts=_parts,
        mathml=_mathml,
        svg=live.svg,
        plot=live.plot,
        data=data_tables,
        padding=padding,
        kind=_kind,
        number=_number,
        places=places,
        ends=_ends,
        sideways=_sideways,
    )
    return environment


def _kind(block: object) -> str:
    return type(block).__name__


@pass_context
def _parts(context: Context, parts: tuple[Part, ...]) -> Markup:
    """Running text: symbols in italics, formulas and file names as code, references as links."""
    said = []
    for part in parts:
        if isinstance(part, Symbol):
            said.append(f"<i>{escape(part.letters)}</i>")
        elif isinstance(part, Cell):
            tag = "code" if part.kind == "text" else "span"
            said.append(f'<{tag} class="n">{escape(words(part))}</{tag}>')
        elif isinstance(part, Reference):
            said.append(f'<a href="#{escape(part.anchor)}">{escape(context["labels"][part.anchor])}</a>')
        else:
            said.append(escape(part))
    return Markup("".join(said))


def _number(table: Table) -> bool:
    return any(column.align == "number" for column in table.columns)


def _sideways(section: document.Section) -> bool:
    """Whether a printed section needs pages turned sideways: one that opens with a wide table."""
    first = section.blocks[0]
    return isinstance(first, Table) and first.wide


def _ends(table: Table) -> set[int]:
    """Positions, from 1, of the last column under each spanner."""
    ends, total = set(), 0
    for spanner in table.spanners:
        total += spanner.columns
        ends.add(total)
    return ends


def _mathml(equation: document.Equation) -> Markup:
    return Markup(mathml(equation).replace(' style="true"', ""))  # the converter's slip, which the policy would refuse
