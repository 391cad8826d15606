"""The PDF: every number as text, tags and words for who cannot see it, nothing cut off, no name active."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pypdf
import pytest
from pypdf.generic import ArrayObject, DictionaryObject

from dyadline.errors import Finding
from dyadline.report.compose import compose
from dyadline.report.document import (
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
from dyadline.report.formats import render
from dyadline.report.numbers import words
from dyadline.report.prose.equations import escape_latex
from dyadline.report.writers.captions import title_and_note
from dyadline.report.writers.typst import write_pdf

HOSTILE = [
    "<script>alert(1)</script>",
    '#import "x": *; $x$ *b* _i_ \\ @ref <label> // /* ```',
    "=cmd|' /C calc'!A0",
    r"\end{document}\input{/etc/passwd} %&_#{}~^",
    "``` \n#panic() ```",
    "שלום עולם",
]


def made_of(*blocks, title="T", key="s") -> Document:
    return Document(title=title, subtitle="S", sections=(Section(key=key, title="One", blocks=blocks),))


def reader(content: bytes) -> pypdf.PdfReader:
    return pypdf.PdfReader(io.BytesIO(content))


def lines_of(content: bytes) -> list[str]:
    """Text line by line; zero-width marks left out."""
    text = "\n".join(page.extract_text() for page in reader(content).pages)
    return [" ".join(re.sub("[\u200b\u2066\u2069]", "", line).split()) for line in text.splitlines()]


def text_of(content: bytes) -> str:
    return " ".join(lines_of(content))


def tags(content: bytes) -> list[DictionaryObject]:
    """All elements of the structure tree."""
    found: list[DictionaryObject] = []
    open_ones = [reader(content).trailer["/Root"]["/StructTreeRoot"]]
    while open_ones:
        one = open_ones.pop().get_object()
        if isinstance(one, ArrayObject):
            open_ones.extend(reversed(one))
        elif isinstance(one, DictionaryObject):
            found += [one] if "/S" in one else []
            open_ones += [one["/K"]] if "/K" in one else []
    return found


def kinds(content: bytes) -> Counter[str]:
    return Counter(str(tag["/S"]) for tag in tags(content))


@pytest.fixture(scope="module")
def document(result) -> Document:
    return compose(result)


@pytest.fixture(scope="module")
def pdf(document) -> bytes:
    return render(document, "pdf")["report.pdf"]


def test_every_row_of_every_table_is_a_line_of_text(document, pdf):
    lines = Counter(lines_of(pdf))
    numeric = [t for t in document.tables() if any(c.align == "number" for c in t.columns)]
    assert len(numeric) >= 7
    for table in numeric:
        for row in table.rows():
            said = [row.label, *(words(cell) for cell in row.cells if cell is not None)]
            assert lines[" ".join(" ".join(said).split())] >= 1, (table.key, said)


def test_every_word_of_tables_and_paragraphs_is_there(document, pdf):
    # A paragraph may go on after the foot of a page and the running head of the next one.
    whole = re.sub(rf" \d+ / \d+ {re.escape(document.title)} ", " ", text_of(pdf))
    text = re.sub(r"[\s\u00ad-]+", "", whole)  # a word may be broken at the end of a line
    labels = document.labels()
    blocks = [*document.summary, *(b for s in document.sections for b in s.blocks)]
    said: list[str] = [document.title, document.subtitle, *(s.title for s in document.sections)]
    for block in blocks:
        if isinstance(block, Paragraph):
            parts = [labels[p.anchor] if isinstance(p, Reference) else getattr(p, "letters", p) for p in block.parts]
            said += ["".join(words(p) if isinstance(p, Cell) else p for p in parts), block.heading]
        if isinstance(block, Table):
            said += [block.caption, labels[f"table-{block.key}"], *(g.label for g in block.groups)]
            said += [words(c) for row in block.rows() for c in row.cells if c is not None]
        if isinstance(block, Figure):
            said += [*title_and_note(block.caption), labels[f"figure-{block.key}"]]
        if isinstance(block, FindingList):
            said += [f.words for f in block.findings]
        if isinstance(block, Source):
            said += [line.strip() for line in block.text.splitlines()]
    for one in said:
        assert re.sub(r"[\s\u00ad-]+", "", one) in text, one


def test_it_is_pdf_ua_with_title_and_language(document, pdf):
    read = reader(pdf)
    root = read.trailer["/Root"]
    assert root["/Lang"] == "en"
    assert root["/MarkInfo"]["/Marked"].value is True
    assert root["/ViewerPreferences"]["/DisplayDocTitle"].value is True
    assert read.metadata.title == document.title
    assert b"<pdfuaid:part>1</pdfuaid:part>" in root["/Metadata"].get_object().get_data()
    assert not {"/OpenAction", "/AA", "/AcroForm"} & set(root)


def test_tags_say_what_everything_is(document, pdf):
    found = tags(pdf)
    count = Counter(str(tag["/S"]) for tag in found)
    tables, figures = list(document.tables()), list(document.figures())
    equations = [b for s in document.sections for b in s.blocks if isinstance(b, Equation)]
    assert count["/Table"] == len(tables)
    assert count["/H1"] >= len(document.sections)
    headers = sum(1 + len(t.columns) + len(t.spanners) + sum(bool(g.label) for g in t.groups) for t in tables)
    assert headers <= count["/TH"] <= headers + len(tables)  # the empty corner beside spanners is a header, too
    assert {str(tag["/Alt"]) for tag in found if tag["/S"] == "/Figure" and "/Alt" in tag} == {f.alt for f in figures}
    assert [str(tag["/Alt"]) for tag in found if tag["/S"] == "/Formula"] == [e.words for e in equations]


def test_references_lead_to_what_they_name():
    table = Table(
        key="a b",
        caption="C",
        stub="x",
        columns=(Column(label="n"),),
        groups=(RowGroup(rows=(Row(label="r", cells=(Cell(value=1),)),)),),
    )
    made = write_pdf(made_of(Paragraph(parts=("See ", Reference("table-a b"), " and ", Reference("section-s"))), table))
    assert "See Table 1 and Section 1" in text_of(made)
    links = [a.get_object() for page in reader(made).pages for a in page.get("/Annots", ())]
    assert {link["/Subtype"] for link in links} == {"/Link"}
    assert all("/URI" not in link.get("/A", {}) for link in links)
    assert len(links) >= 3  # two in the text, one in the contents


def test_the_same_document_gives_the_same_bytes(tmp_path):
    script = (
        "import sys, hashlib\n"
        "from dyadline.report.document import *\n"
        "from dyadline.report.writers.typst import write_pdf\n"
        "eq = Equation(latex=r'\\hat u_{0j} = 1', words='w')\n"
        "d = Document(title='T', subtitle='', sections=(Section(key='s', title='One', blocks=(eq,)),))\n"
        "print(hashlib.sha256(write_pdf(d)).hexdigest())"
    )
    runs = [subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True) for _ in "ab"]
    assert runs[0].stdout == runs[1].stdout
    assert len(runs[0].stdout) == 65


def hostile(evil: str) -> Document:
    said = evil
    spec = {
        "title": said,
        "data": {"values": [{"x": 1, "y": 2}]},
        "mark": "point",
        "encoding": {"x": {"field": "x", "type": "quantitative", "title": said}},
    }
    cells = (Cell(value=1.5), Cell(value=(1.0, 2.0), kind="interval"), Cell(value=said, kind="text"), None)
    table = Table(
        key="t",
        caption=said,
        stub=said,
        columns=tuple(Column(label=f"{said} {k}", align="text" if k == 2 else "number") for k in range(4)),
        groups=(RowGroup(label=said, rows=(Row(label=said, cells=cells),)),),
        spanners=(Spanner(label=said, words=said, columns=2), Spanner(label=said, columns=2)),
        note=(said, Symbol(said), Cell(value=said, kind="text")),
    )
    finding = Finding(code="c", level="warning", words=said, way_out=said, column=said, dyad="SECRET", rows=(1, 2))
    latex = rf"\text{{{escape_latex(' '.join(said.split()))}}}_{{j}} = \text{{a}}"
    blocks = (
        Paragraph(heading=said, parts=(said, Cell(value=said, kind="text"), Reference("table-t"))),
        table,
        Figure(key="f", caption=said, alt=said, spec=spec),
        Equation(latex=latex, words=said),
        Heading(title=said),
        FindingList(findings=(finding,)),
        Source(title=said, text=said),
    )
    return Document(title=said, subtitle=said, banner=said, sections=(Section(key="s", title=said, blocks=blocks),))


@pytest.mark.parametrize("evil", HOSTILE)
def test_names_are_inert_and_come_out_as_they_are(evil):
    made = write_pdf(hostile(evil))
    text = re.sub(r"\s+", "", text_of(made))
    shown = re.sub(r"\s+", "", evil)
    # Title, contents, section, paragraph twice, table and its parts, figure, heading, finding, source: all as text,
    # in the order of writing or, right to left, in that of the page.
    assert text.count(shown) + (0 if evil.isascii() else text.count(shown[::-1])) >= 15
    assert "SECRET" not in text
    root = reader(made).trailer["/Root"]
    assert not {"/OpenAction", "/AA", "/AcroForm"} & set(root)
    assert kinds(made)["/Table"] == 1
    assert b"<pdfuaid:part>1</pdfuaid:part>" in root["/Metadata"].get_object().get_data()


@pytest.mark.parametrize(
    "evil", ["x" * 200, "a_" * 100, "tab\there\nnewline", "\x00\x01\x1b[31m\ud800", "\u202egnp.exe"]
)
def test_names_that_are_hardly_text_do_no_harm(evil):
    made = write_pdf(hostile(evil))
    assert kinds(made)["/Figure"] >= 1
    assert "1.50 [1.00, 2.00]" in text_of(made)
    if evil.startswith("\u202e"):
        assert "gnp.exe" in text_of(made)


def test_letters_that_no_font_has_cost_the_claim_but_not_the_report():
    nowhere = "\U000f1234"
    made = write_pdf(made_of(Paragraph(parts=(f"A name {nowhere} here", Cell(value=12.5)))))
    assert "12.50" in text_of(made)
    assert b"pdfuaid" not in reader(made).trailer["/Root"]["/Metadata"].get_object().get_data()
    assert kinds(made)["/P"]


def wide(columns: int, rows: int) -> Table:
    return Table(
        key="w",
        caption="Wide",
        stub="Row",
        columns=tuple(Column(label=f"C{k}") for k in range(columns)),
        groups=(
            RowGroup(
                rows=tuple(
                    Row(label=f"r{n}", cells=tuple(Cell(value=1000.0 * n + k) for k in range(columns)))
                    for n in range(rows)
                )
            ),
        ),
    )


@pytest.mark.parametrize("columns", [3, 14, 40])
def test_wide_tables_are_whole_and_long_ones_repeat_their_head(columns, tmp_path):
    table = wide(columns, 60)
    made = write_pdf(made_of(table))
    lines = Counter(lines_of(made))
    for row in table.rows():
        assert lines[" ".join([row.label, *(words(c) for c in row.cells if c is not None)])] == 1
    pages = [page.extract_text() for page in reader(made).pages]
    with_rows = [page for page in pages if re.search(r"^r\d+ ", page, re.MULTILINE)]
    assert len(with_rows) > 1 or columns == 40  # in tiny type all rows go on one page
    assert all(re.search(r"^Row C0 C1 ", page, re.MULTILINE) for page in with_rows)
    sideways = {float(page.mediabox.width) > float(page.mediabox.height) for page in reader(made).pages}
    assert (True in sideways) == (columns > 3)
    if shutil.which("pdftotext"):
        assert_on_the_page(made, tmp_path)


def assert_on_the_page(made: bytes, folder: Path) -> None:
    (folder / "w.pdf").write_bytes(made)
    boxes = subprocess.run(["pdftotext", "-bbox", "w.pdf", "-"], cwd=folder, capture_output=True, text=True, check=True)
    pages = boxes.stdout.split("<page ")[1:]
    assert pages
    for page in pages:
        width, height = (float(x) for x in re.findall(r'(?:width|height)="([\d.]+)"', page)[:2])
        for box in re.findall(r'xMin="([-\d.]+)" yMin="([-\d.]+)" xMax="([-\d.]+)" yMax="([-\d.]+)"', page):
            left, top, right, bottom = map(float, box)
            assert left > 40 and right < width - 40 and top > 20 and bottom < height - 20


@pytest.mark.skipif(not shutil.which("pdftotext"), reason="pdftotext is not installed")
def test_nothing_of_the_report_stands_in_the_margin(pdf, tmp_path):
    assert_on_the_page(pdf, tmp_path)


@pytest.mark.skipif(not shutil.which("pdftotext"), reason="pdftotext is not installed")
@pytest.mark.parametrize(("width", "height"), [(3000, 100), (200, 4000), (300, 200)])
def test_large_figures_are_made_to_fit(width, height, tmp_path):
    spec = {"data": {"values": [{"x": "Left", "y": "Low"}, {"x": "Right", "y": "High"}]}, "mark": "point"}
    encoding = {c: {"field": c, "type": "nominal", "sort": None, "title": None} for c in "xy"}
    figure = Figure(
        key="f", caption="C", alt="A", spec={**spec, "width": width, "height": height, "encoding": encoding}
    )
    made = write_pdf(made_of(Paragraph(parts=("Before.",)), figure))
    assert {"Left", "Right", "Low", "High"} <= set(text_of(made).split())
    assert_on_the_page(made, tmp_path)
