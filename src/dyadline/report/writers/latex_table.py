"""Tables in LaTeX: three rules, headings over columns, decimals under each other, wide ones on a turned page."""

from __future__ import annotations

from collections.abc import Iterator

from dyadline.report.document import Cell, Table
from dyadline.report.numbers import words
from dyadline.report.writers.alignment import padding
from dyadline.report.writers.latex_text import latex, latex_running
from dyadline.report.writers.latex_widths import APART, WORDS, Layout, layout, lines, longest_whole, width

_HEIGHTS = {False: 480.0, True: 315.0}
"""Height in points that rows may take on a page, upright and turned; a table of more rows is broken over pages."""
_NOTE = {False: 110, True: 170}
"""Letters of a note on a line."""


def latex_table(table: Table, *, anchor: str, note: str, above: str) -> str:
    """A table with caption and note.

    Parameters
    ----------
    table
        Any table of a report.
    anchor
        Label by which the text refers to it.
    note
        Its note as LaTeX; may be empty.
    above
        LaTeX that stands before it on the same page, such as a heading.

    Returns
    -------
    A ``table`` that stays where it is, or a ``longtable``; inside ``landscape`` if it is too wide for the page.
    """
    plan = layout(table)
    head, body = _head(table, plan), list(_body(table, plan))
    caption = rf"\caption{{{latex(table.caption)}}}\label{{{anchor}}}"
    below = rf"\dynote{{{note}}}" if note else ""
    size = rf"\fontsize{{{plan.points}}}{{{1.2 * plan.points:.3g}}}\selectfont\setlength{{\tabcolsep}}{{{plan.gap}em}}"
    if not _whole(table, plan, note):
        again = (
            rf"\multicolumn{{{len(table.columns) + 1}}}{{@{{}}l@{{}}}}{{\textbf{{\tablename~\thetable}} (continued)}}"
        )
        made = [
            rf"\begingroup{size}\setlength{{\LTcapwidth}}{{\linewidth}}",
            rf"\begin{{longtable}}{{{_preamble(table, plan)}}}",
            rf"{caption}\\",
            *head,
            r"\endfirsthead",
            rf"{again}\\[3pt]",
            *head,
            r"\endhead",
            r"\bottomrule",
            r"\endfoot",
            *body,
            r"\end{longtable}",
            r"\endgroup",
            below,
        ]
    else:
        made = [
            r"\begin{table}[H]",
            caption,
            rf"{size}\raggedright",
            rf"\dyfit{{\begin{{tabular}}{{{_preamble(table, plan)}}}",
            *head,
            *body,
            r"\bottomrule",
            r"\end{tabular}}",
            below,
            r"\end{table}",
        ]
    made = [r"\begin{landscape}", above, *made, r"\end{landscape}"] if plan.sideways else [above, *made]
    return "\n".join(line for line in made if line)


def _whole(table: Table, plan: Layout, note: str) -> bool:
    """Whether it stays on one page."""
    height = 1.2 * plan.points * (sum(plan.rows) + 1.5 * len(table.groups)) + 11.0 * len(note) / _NOTE[plan.sideways]
    return height <= _HEIGHTS[plan.sideways]


def _preamble(table: Table, plan: Layout) -> str:
    starts, at = set(), 1
    for spanner in table.spanners:
        starts.add(at)
        at += spanner.columns
    columns = [
        (rf"@{{\hspace{{{2 * plan.gap + APART}em}}}}" if k in starts else "") + _column(room, breaks=breaks)
        for k, (room, breaks) in enumerate(zip(plan.widths, plan.breaks, strict=True))
    ]
    return f"@{{}}{''.join(columns)}@{{}}"


def _column(room: float, *, breaks: bool) -> str:
    return rf">{{\raggedright\arraybackslash\hangindent=1em\hspace{{0pt}}}}p{{{room:.2f}em}}" if breaks else "r"


def _head(table: Table, plan: Layout) -> list[str]:
    made = [r"\toprule"]
    if table.spanners:
        cells, rules, at = [""], [], 1
        for spanner in table.spanners:
            to = at + spanner.columns
            room = sum(plan.widths[at:to]) + 2 * plan.gap * (spanner.columns - 1)
            said = [line for text in (spanner.label, spanner.words) if text for line in lines(text, room)]
            cells.append(rf"\multicolumn{{{spanner.columns}}}{{c}}{{{_stacked([latex(line) for line in said], 'c')}}}")
            rules += [rf"\cmidrule(lr){{{at + 1}-{to}}}"] if said else []
            at = to
        made += [" & ".join(cells) + r" \\", "".join(rules)]
    heads = [_fitted(table.stub, plan.widths[0])]
    for column, said, room, breaks in zip(table.columns, plan.heads[1:], plan.widths[1:], plan.breaks[1:], strict=True):
        written = [_fitted(line, room) for line in said]
        written = [rf"\textit{{{line}}}" if column.symbol else line for line in written]
        heads.append(written[0] if breaks else _stacked(written, "r"))
    return [*made, " & ".join(heads) + r" \\", r"\midrule"]


def _body(table: Table, plan: Layout) -> Iterator[str]:
    pads = iter(padding(table))
    for number, group in enumerate(table.groups):
        if number:
            yield r"\addlinespace"
        if group.label:
            cell = f"p{{{plan.width:.2f}em}}" if width(group.label) > 0.8 * plan.width else "l"
            spanned = rf"\multicolumn{{{len(table.columns) + 1}}}{{@{{}}{cell}@{{}}}}"
            yield rf"{spanned}{{{_breakable(cell)}\textit{{{latex(group.label)}}}}} \\*"
        for row in group.rows:
            indent = 1.0 if group.label else 0.0
            label = (r"\hspace*{1em}" if indent else "") + _fitted(row.label, plan.widths[0] - indent)
            cells = [
                "" if cell is None else _cell(cell, pad, room if breaks else None)
                for cell, pad, room, breaks in zip(row.cells, next(pads), plan.widths[1:], plan.breaks[1:], strict=True)
            ]
            yield " & ".join([label, *cells]) + r" \\"


def _breakable(cell: str) -> str:
    return "" if cell == "l" else r"\raggedright\hspace{0pt}"


def _cell(cell: Cell, pad: str, room: float | None) -> str:
    said = words(cell)
    if room is not None:
        written = _fitted(said, room)
        return rf"\textbf{{{written}}}" if cell.strong else written
    if width(said) > WORDS and isinstance(cell.value, str):
        parts = [latex(part) for part in lines(said, WORDS)]
        return _stacked([rf"\textbf{{{part}}}" if cell.strong else part for part in parts], "r", at="t")
    if cell.strong:
        whole, point, decimals = said.partition(".")
        written = (
            rf"\dybold{{{latex_running(whole)}}}{{{point}{decimals}}}"
            if decimals.isdigit()
            else rf"\textbf{{{latex(said)}}}"
        )
    else:
        written = latex(said)
    return written + (rf"\phantom{{{pad}}}" if pad else "")


def _fitted(text: str, room: float) -> str:
    return latex(text, longest=longest_whole(text, room))


def _stacked(written: list[str], align: str, *, at: str = "b") -> str:
    """Lines on top of each other."""
    if len(written) < 2:
        return "".join(written)
    return rf"\begin{{tabular}}[{at}]{{@{{}}{align}@{{}}}}" + r"\\".join(written) + r"\end{tabular}"
