"""Tables for a terminal: aligned text of 80 columns and more."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import fill
from typing import TYPE_CHECKING, Any

from dyadline.report.document import Cell, Column, Document, Paragraph, Part, Reference, Row, RowGroup, Symbol, Table
from dyadline.report.labels import CONVENTIONS
from dyadline.report.numbers import words
from dyadline.report.tables.models import estimates_row, model_table, random_groups

if TYPE_CHECKING:
    import polars as pl
    from rich.text import Text

    from dyadline.result import AnalysisResult

_GAP, _WIDE_GAP = 1, 3


def render_text(table: Table, *, width: int = 100) -> Text:
    """A table as text, significant effects in bold.

    Parameters
    ----------
    table
        Any table of a report. Notes are left to the report.
    width
        Columns of the terminal. Where the table is wider, columns of the highest rank are left out first; row
        labels are shortened last.

    Returns
    -------
    rich.text.Text
    """
    from rich.text import Text

    ranks = sorted({column.rank for column in table.columns}, reverse=True)
    for most in ranks:
        grid = _Grid(table, [c for c, column in enumerate(table.columns) if column.rank <= most])
        if grid.fits(width):
            break
    grid.shorten(width)
    text = Text(no_wrap=True, overflow="ignore")
    text.append(f"{fill(table.caption, width)}\n", style="bold")
    rule = "─" * grid.width + "\n"
    text.append(rule)
    if table.spanners:
        text.append(grid.spanners(table) + "\n")
    text.append(grid.head(table) + "\n")
    text.append(rule)
    number = 0
    for group in table.groups:
        if group.label:
            label = group.label if len(group.label) <= width else f"{group.label[: width - 1]}…"
            text.append(f"{label}\n", style="italic")
        for row in group.rows:
            grid.append(text, row, number)
            number += 1
    return text.append(rule)


class _Grid:
    """Widths of the columns that are shown, and their texts with decimals under each other."""

    def __init__(self, table: Table, shown: list[int]) -> None:
        self.shown = shown
        rows = list(table.rows())
        self.texts = [
            ["" if row.cells[c] is None else words(row.cells[c] or _EMPTY) for c in self.shown] for row in rows
        ]
        aligned = [line for line, group in zip(self.texts, _group_of_rows(table), strict=True) if group.aligned]
        for place, c in enumerate(self.shown):
            if table.columns[c].align == "number":
                _line_up(aligned, place)
        self.widths = [
            max(len(table.columns[c].label), *(len(line[place]) for line in self.texts), 1)
            for place, c in enumerate(self.shown)
        ]
        self.align = [table.columns[c].align for c in self.shown]
        self.label = max(len(table.stub), *(len(row.label) for row in rows), 1)
        starts, total = {0}, 0
        for spanner in table.spanners:
            total += spanner.columns
            starts.add(total)
        self.gaps = [_WIDE_GAP if c in starts else _GAP + 1 for c in self.shown]

    @property
    def width(self) -> int:
        return self.label + sum(self.widths) + sum(self.gaps)

    def fits(self, width: int) -> bool:
        """Whether the table has room, if need be with less between its columns."""
        if self.width > width:
            self.gaps = [max(1, gap - 1) for gap in self.gaps]
        return self.width <= width

    def shorten(self, width: int) -> None:
        """Cut the labels of a table that is too wide all the same."""
        self.label -= max(0, min(self.width - width, self.label - 18))

    def spanners(self, table: Table) -> str:
        line = " " * self.label
        start = 0
        for spanner in table.spanners:
            inside = [p for p, c in enumerate(self.shown) if start <= c < start + spanner.columns]
            start += spanner.columns
            if not inside:
                continue
            room = sum(self.widths[p] + self.gaps[p] for p in inside) - self.gaps[inside[0]]
            label = f"{spanner.label}: {spanner.words}" if spanner.words else spanner.label
            label = label if len(label) <= room else spanner.label
            line += " " * self.gaps[inside[0]] + label[:room].center(room)
        return line.rstrip()

    def head(self, table: Table) -> str:
        labels = [table.columns[c].label for c in self.shown]
        return table.stub.ljust(self.label) + self._cells(labels)

    def append(self, text: Text, row: Row, number: int) -> None:
        label = row.label if len(row.label) <= self.label else row.label[: self.label - 1] + "…"
        text.append(label.ljust(self.label))
        for place, c in enumerate(self.shown):
            cell = row.cells[c]
            text.append(" " * self.gaps[place])
            text.append(self._cell(self.texts[number][place], place), style="bold" if cell and cell.strong else "")
        text.rstrip()
        text.append("\n")

    def _cells(self, texts: list[str]) -> str:
        return "".join(" " * self.gaps[p] + self._cell(text, p) for p, text in enumerate(texts))

    def _cell(self, text: str, place: int) -> str:
        return text.ljust(self.widths[place]) if self.align[place] == "text" else text.rjust(self.widths[place])


_EMPTY = Cell(value=None)


def _group_of_rows(table: Table) -> list[RowGroup]:
    return [group for group in table.groups for _ in group.rows]


def _line_up(texts: list[list[str]], place: int) -> None:
    """Blanks behind numbers with fewer decimals than others of their column."""
    plain = [line for line in texts if line[place][-1:].isdigit()]
    longest = max((len(line[place]) - len(line[place].partition(".")[0]) for line in plain), default=0)
    for line in plain:
        line[place] += " " * (longest - (len(line[place]) - len(line[place].partition(".")[0])))


def render_tables(document: Document, *, width: int = 100) -> Text:
    """All tables of a document, as `render_text` prints them, and the paragraphs between them."""
    from rich.text import Text

    text, labels = Text(no_wrap=True, overflow="ignore"), document.labels()
    for section in document.sections:
        for block in section.blocks:
            if isinstance(block, Table):
                text.append_text(render_text(block, width=width)).append("\n")
            elif isinstance(block, Paragraph):
                said = " ".join(filter(None, (block.heading, "".join(_plain(part, labels) for part in block.parts))))
                text.append(f"{fill(said, width)}\n\n")
    return text


def _plain(part: Part, labels: Mapping[str, str]) -> str:
    if isinstance(part, Cell):
        return words(part)
    if isinstance(part, Reference):
        return labels[part.anchor]
    return part.letters if isinstance(part, Symbol) else part


def main_table(result: AnalysisResult, *, width: int = 100) -> Text:
    """The models side by side, as `render_text` prints them."""
    specs, columns = [fit.spec for fit in result.fits], result.plan.report.columns
    return render_text(model_table(result.tables, specs, columns=columns), width=width)


def fit_tables(facts: Mapping[str, Any], tables: Mapping[str, pl.DataFrame], *, width: int = 100) -> Text:
    """One fit as text: fixed effects, random effects, criteria.

    Parameters
    ----------
    facts
        ``formula, method, residual, n_rows, groups`` (name -> number), ``n_dropped, groups_lost, boundary`` (in words),
        ``reference_levels``.
    tables
        ``coefficients, variance_components, information_criteria``.
    width
        Columns of the terminal.
    """
    from rich.text import Text

    fixed = [estimates_row(r["term"], [r]) for r in tables["coefficients"].iter_rows(named=True)]
    random = random_groups(tables["variance_components"].with_columns(model=1), [1], plain=True)
    criteria = tables["information_criteria"].row(0, named=True)
    convention = CONVENTIONS.get(criteria["convention"], criteria["convention"])
    kept = [(key, key.upper()) for key in ("aic", "aicc", "caic", "bic")]
    minus_two = "REML criterion" if facts["method"] == "REML" else "−2 log-likelihood"
    fit_rows = [
        Row(label=label, cells=(Cell(value=criteria[key]), None, None, None, None))
        for key, label in [("criterion", minus_two), *kept]
    ]
    columns = ("Est.", "SE", "df", "p", "95% CI")
    table = Table(
        key="fit",
        caption=str(facts["formula"]),
        stub="Effect",
        columns=tuple(Column(label=label) for label in columns),
        groups=(
            RowGroup(label="Fixed effects", rows=tuple(fixed)),
            *random,
            RowGroup(
                label=f"Criteria ({facts['method']}, {convention} convention)", rows=tuple(fit_rows), aligned=False
            ),
        ),
    )
    groups = ", ".join(f"{n} {'groups' if len(facts['groups']) == 1 else name}" for name, n in facts["groups"].items())
    said = [f"{facts['n_rows']} rows, {groups}"]
    if facts["residual"] != "independent":
        said.append(f"residuals: {facts['residual']}")
    if facts["n_dropped"]:
        said.append(f"{facts['n_dropped']} rows with missing values left out")
    if facts["groups_lost"]:
        said.append(f"no complete row: {', '.join(facts['groups_lost'])}")
    said += [f"{name}: reference {level}" for name, level in facts["reference_levels"].items()]
    if facts["boundary"]:
        said.append(f"on the boundary: {facts['boundary']}")
    return Text.assemble(render_text(table, width=width), fill("; ".join(said) + ".", width))
