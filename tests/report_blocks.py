"""Documents made by hand: one of each block, and one in which every text is hostile."""

from __future__ import annotations

from collections.abc import Iterator

from dyadline.errors import Finding
from dyadline.report.document import (
    Block,
    Cell,
    Column,
    Document,
    Equation,
    Figure,
    FindingList,
    Heading,
    Paragraph,
    Reference,
    Row,
    RowGroup,
    Section,
    Source,
    Spanner,
    Symbol,
    Table,
)
from dyadline.report.prose.equations import escape_latex

SPEC = {
    "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
    "data": {"values": [{"a": 1, "b": 2}, {"a": 2, "b": 3}]},
    "mark": "line",
    "encoding": {"x": {"field": "a", "type": "quantitative"}, "y": {"field": "b", "type": "quantitative"}},
}


def one_of_each() -> Document:
    estimates = Table(
        key="models",
        caption="Two models",
        stub="Effect",
        columns=(Column(label="Est."), Column(label="p", symbol=True), Column(label="95% CI")) * 2,
        spanners=(Spanner(label="Model 1", columns=3, words="Null model"), Spanner(label="Model 2", columns=3)),
        groups=(
            RowGroup(
                label="Fixed effects",
                rows=(
                    Row(
                        label="Intercept",
                        cells=(
                            Cell(value=32.14, kind="estimate", strong=True),
                            Cell(value=0.0001, kind="p", strong=True),
                            Cell(value=(30.08, 34.2), kind="interval"),
                            Cell(value=-0.5, kind="estimate", decimals=3),
                            Cell(value=0.626, kind="p"),
                            Cell(value=(-1.24, 0.24), kind="interval"),
                        ),
                    ),
                ),
            ),
            RowGroup(
                label="Fit",
                rows=(Row(label="AIC", cells=(Cell(value=1234.5, kind="criterion", decimals=1), *(None,) * 5)),),
                aligned=False,
            ),
        ),
        note=(Symbol("p"), " < .05 in bold; see ", Reference("figure-curve"), "."),
    )
    words = Table(
        key="choices",
        caption="Choices",
        stub="Choice",
        columns=(Column(label="Value", align="text"), Column(label="Meaning", align="text")),
        groups=(
            RowGroup(rows=(Row(label="Slope", cells=(Cell(value="rate"), Cell(value="change per unit of time"))),)),
        ),
    )
    blocks: tuple[Block, ...] = (
        Paragraph(heading="Main result.", parts=("It fell, ", Symbol("b"), " = ", Cell(value=-0.89), ".")),
        estimates,
        Heading(title="In detail"),
        words,
        Figure(key="curve", caption="A curve. Line: what is expected.", alt="A rising line.", spec=SPEC),
        Equation(latex=r"\text{bdi\_pre}_{ij} = b_{0j} + r_{ij}", words="Level 1"),
        FindingList(
            findings=(
                Finding(code="gaps", level="warning", words="Three gaps.", way_out="Look.", column="x", rows=(3, 5)),
            )
        ),
        Source(title="The plan", text='# a plan\nfile = "a_b.csv"\n```\n\n  [end]'),
    )
    return Document(
        title="A study",
        subtitle="96 dyads.",
        banner="Synthetic data.",
        summary=(Paragraph(parts=("As ", Reference("table-models"), " in ", Reference("section-all"), " says.")),),
        sections=(Section(key="all", title="All", blocks=blocks),),
    )


LONG = "x_very%long" * 18

HOSTILE = (
    r"\input{/etc/passwd}",
    r"\write18{touch PWNED}",
    "<script>alert(1)</script>",
    "=cmd|' /C calc'!A0",
    "שלום עולם",
    "مرحبا بالعالم",
    "Привет 漢字 🙂",
    "\u202egnp.exe",
    r"\ { } $ $$ & # ^^41 _ ~ % < > | \" '' `` -- --- ,, [a](b) \\[5cm] *b* # ]",
    "\x00\x07\x1b \ufeff \uffff \ud800",
    "\\end{document}",
    "é e\u0301 x\u0304 χ\u0304² α ∞ ≤ − – → ∼ ⁻⁷ ₁ Ά ½ ⅓ ħ",
    "http://example.invalid/a_b?c=%20",
    "a" * 200,
    LONG,
    "",
)


def hostile() -> Document:
    number = Cell(value=-1.25)

    def blocks() -> Iterator[Block]:
        for k, text in enumerate(HOSTILE):
            word = Cell(value=text, kind="text")
            yield Heading(title=text)
            yield Paragraph(heading=text, parts=(text, Symbol(text), word, Reference("table-wide"), number))
            yield Equation(latex=rf"\text{{{escape_latex(text)}}}_{{ij}} = b_{{0j}}", words=text)
            yield Table(
                key=f"t{k}",
                caption=text,
                stub=text,
                columns=(Column(label=text), Column(label=text, align="text"), Column(label=text, symbol=True)),
                spanners=(Spanner(label=text, words=text, columns=3),),
                groups=(RowGroup(label=text, rows=(Row(label=text, cells=(number, word, word)),)),),
                note=(text,),
            )
        yield Table(
            key="wide",
            caption=LONG,
            stub=LONG,
            columns=tuple(Column(label=HOSTILE[k % len(HOSTILE)]) for k in range(20)),
            groups=(RowGroup(rows=tuple(Row(label=text, cells=(number,) * 20) for text in HOSTILE * 3)),),
            wide=True,
        )
        findings = [Finding(code=t, level="note", words=t, way_out=t, column=t, rows=(1,)) for t in HOSTILE]
        yield FindingList(findings=tuple(findings))
        yield Source(title=HOSTILE[0], text="\n".join(HOSTILE) + "\n```\n~~~\n\\end{dysource}\n\t x  y")
        yield Figure(key="f", caption=" ".join(HOSTILE), alt=" ".join(HOSTILE), spec=SPEC)

    sections = [Section(key=f"s{k}", title=text, blocks=()) for k, text in enumerate(HOSTILE)]
    return Document(
        title=" ".join(HOSTILE[:13]),
        subtitle=LONG,
        banner=" ".join(HOSTILE),
        sections=(*sections, Section(key="all", title="All", blocks=tuple(blocks()))),
    )


def cells(document: Document) -> Iterator[Cell]:
    """Every number of a document."""
    for section in document.sections:
        for block in section.blocks:
            if isinstance(block, Table):
                yield from (c for row in block.rows() for c in row.cells if c is not None and not _word(c))
                yield from (part for part in block.note if isinstance(part, Cell) and not _word(part))
            elif isinstance(block, Paragraph):
                yield from (part for part in block.parts if isinstance(part, Cell) and not _word(part))
    for paragraph in document.summary:
        yield from (part for part in paragraph.parts if isinstance(part, Cell) and not _word(part))


def _word(cell: Cell) -> bool:
    return isinstance(cell.value, str)
