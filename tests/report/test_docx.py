"""The file of Word, read back: every number in its cell, links that lead somewhere, pages that hold their tables."""

import io
import re
import shutil
import subprocess
import unicodedata
import zipfile
from dataclasses import replace

import docx
import pytest
from docx.oxml.ns import qn
from docx.text.paragraph import Paragraph as WordParagraph

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
from dyadline.report.writers.docx import write_docx
from dyadline.report.writers.docx_widths import LANDSCAPE, PORTRAIT

HOSTILE = (
    "<script>alert(1)</script>",
    r"\textbf{50% & more}_x^2 #1 ~ $y$",
    "=cmd|'/C calc'!A0",
    "התאמה בין מטפל למטופל",
    "a\x00b\x0bc\ufffe",
    "\u202eturned",
    "x" * 200,
)
TWIPS = 20


def small_table(key="small", **changes) -> Table:
    given = Table(
        key=key,
        caption="A table. With a second sentence.",
        stub="Effect",
        columns=(Column(label="b"), Column(label="p", symbol=True), Column(label="Words", align="text")),
        spanners=(Spanner(label="Model", columns=2, words="small"), Spanner(label="", columns=1)),
        groups=(
            RowGroup(
                label="Fixed",
                rows=(
                    Row(label="One", cells=(Cell(value=-1.5, strong=True), Cell(value=0.0004, kind="p"), None)),
                    Row(label="Two", cells=(Cell(value=12, kind="count"), None, Cell(value="said", kind="text"))),
                ),
            ),
        ),
        note=("See ", Reference("figure-dots"), ", ", Symbol("p"), " and ", Cell(value=0.25, kind="proportion"), "."),
    )
    return replace(given, **changes)


def small_document(**changes) -> Document:
    spec = {"data": {"values": [{"x": 1}, {"x": 2}]}, "mark": "point", "encoding": {"x": {"field": "x"}}}
    blocks = (
        Paragraph(heading="Seen.", parts=("In ", Reference("table-small"), " of ", Reference("section-end"), ".")),
        Heading(title="A part"),
        small_table(),
        Figure(key="dots", caption="Two dots. Left: one.", alt="Two dots on a line", spec=spec),
        Equation(latex="b_{0j} = 1", words="Level 1"),
    )
    end = (
        FindingList(
            findings=(
                Finding(
                    code="odd", level="warning", words="Odd.", way_out="Look.", column="bdi", dyad="SECRET", rows=(3, 4)
                ),
            )
        ),
        Source(title="The plan", text="version = 1\n\n  indented = true"),
    )
    given = Document(
        title="A study",
        subtitle="Of something",
        banner="Synthetic data.",
        summary=(Paragraph(parts=("Found ", Symbol("p"), " ", Cell(value=0.032, kind="p_relation"))),),
        sections=(
            Section(key="first", title="First", blocks=blocks),
            Section(key="end", title="End", blocks=end),
        ),
    )
    return replace(given, **changes)


def opened(document: Document):
    return docx.Document(io.BytesIO(write_docx(document)))


@pytest.fixture(scope="module")
def small():
    return opened(small_document())


@pytest.fixture(scope="module")
def composed(result):
    return compose(result)


@pytest.fixture(scope="module")
def written(composed):
    return render(composed, "docx")["report.docx"]


@pytest.fixture(scope="module")
def read(written):
    return docx.Document(io.BytesIO(written))


def text_of(paragraph: WordParagraph) -> str:
    return "".join(node.text or "" for node in paragraph._p.iter(qn("w:t")))


def all_texts(word) -> list[str]:
    return [text_of(WordParagraph(p, word._body)) for p in word.element.body.iter(qn("w:p"))]


def said_by(paragraph: Paragraph, labels: dict[str, str]) -> str:
    parts = [
        words(part)
        if isinstance(part, Cell)
        else labels[part.anchor]
        if isinstance(part, Reference)
        else part.letters
        if isinstance(part, Symbol)
        else part
        for part in paragraph.parts
    ]
    return (f"{paragraph.heading} " if paragraph.heading else "") + "".join(parts)


def rows_of(table: Table) -> list[list[str]]:
    """As they are to stand in the body: a heading of a group fills its row."""
    made = []
    for group in table.groups:
        if group.label:
            made.append([group.label] * (len(table.columns) + 1))
        made += [[row.label, *("" if c is None else words(c) for c in row.cells)] for row in group.rows]
    return made


def test_every_number_of_every_table_is_in_its_cell(composed, read):
    given = list(composed.tables())
    assert len(given) == len(read.tables) > 5
    for table, made in zip(given, read.tables, strict=True):
        heads = 2 if table.spanners else 1
        texts = [[cell.text for cell in row.cells] for row in made.rows]
        assert texts[heads - 1] == [table.stub, *(column.label for column in table.columns)]
        assert texts[heads:] == rows_of(table), table.key


def test_every_paragraph_is_there_word_for_word(composed, read):
    labels, texts = composed.labels(), all_texts(read)
    given = [*composed.summary, *(b for s in composed.sections for b in s.blocks if isinstance(b, Paragraph))]
    assert given
    for paragraph in given:
        assert said_by(paragraph, labels) in texts
    for table in composed.tables():
        if table.note:
            assert said_by(Paragraph(heading="Note.", parts=table.note), labels) in texts


def test_head_rows_repeat_and_no_row_is_split(read):
    for made in read.tables:
        flags = [row._tr.find(f"{qn('w:trPr')}/{qn('w:tblHeader')}") is not None for row in made.rows]
        heads = flags.count(True)
        assert heads in (1, 2)
        assert flags == [True] * heads + [False] * (len(flags) - heads)
        assert all(row._tr.find(f"{qn('w:trPr')}/{qn('w:cantSplit')}") is not None for row in made.rows)


def test_rules_are_those_of_apa_style(small):
    (style,) = (s for s in small.styles if s.name == "Report Table")
    borders = style.element.find(f".//{qn('w:tblBorders')}")
    assert [b.tag for b in borders] == [qn("w:top"), qn("w:bottom")]
    (made,) = small.tables
    ruled = [[bool(c._tc.findall(f".//{qn('w:tcBorders')}")) for c in row.cells] for row in made.rows]
    assert ruled == [[False] * 4, [True] * 4, *([[False] * 4] * 3)]
    spanners = {c.text: bool(c._tc.findall(f".//{qn('w:pBdr')}")) for c in made.rows[0].cells}
    assert spanners == {"": False, "Model\nsmall": True}


def test_bold_italics_and_decimals(small):
    (made,) = small.tables
    bold = {run.text for row in made.rows for c in row.cells for p in c.paragraphs for run in p.runs if run.bold}
    assert bold == {"−1.50"}
    italic = {r.text for row in made.rows for c in row.cells for r in c.paragraphs[0].runs if r.style.name == "Symbol"}
    assert italic == {"p", "Fixed"}
    one, two = (made.cell(row, 1).paragraphs[0].paragraph_format.right_indent.pt for row in (3, 4))
    assert two - one == pytest.approx(12.5, abs=0.11)  # a point and two digits of Times at 10 pt: 0.25 + 2 × 0.5 em


def test_captions_are_numbered_by_fields_and_links_lead_to_them(composed, written):
    with zipfile.ZipFile(io.BytesIO(written)) as archive:
        page = archive.read("word/document.xml").decode()
    names = re.findall(r'<w:bookmarkStart [^>]*w:name="([^"]+)"', page)
    assert len(names) == len(set(names)) == len(composed.labels())
    assert all(re.fullmatch(r"[A-Za-z]\w{0,39}", name) for name in names)
    started, ended = (re.findall(rf'<w:bookmark{end} [^>]*w:id="(\d+)"', page) for end in ("Start", "End"))
    assert started == ended
    assert page.count("SEQ Table") == len(list(composed.tables()))
    assert page.count("SEQ Figure") == len(list(composed.figures()))


def test_captions_and_references_in_full(small):
    captions = [p for p in small.paragraphs if p.style.name == "Caption"]
    assert [text_of(p) for p in captions] == ["Table 1A table. With a second sentence.", "Figure 1Two dots"]
    styles = [(r.text, r.style.name) for r in captions[0].runs if r.text.strip()]
    assert ("A table. With a second sentence.", "Caption Title") in styles
    at = next(k for k, p in enumerate(small.paragraphs) if p._p is captions[1]._p)
    above, picture, below = small.paragraphs[at : at + 3]
    assert picture._p.find(f".//{qn('w:drawing')}") is not None
    assert all(p.style.paragraph_format.keep_with_next for p in (above, picture))
    assert (below.style.name, text_of(below)) == ("Note", "Note. Left: one.")
    links = list(small.element.body.iter(qn("w:hyperlink")))
    said = {link.get(qn("w:anchor")): "".join(t.text for t in link.iter(qn("w:t"))) for link in links}
    assert said == {"table_small": "Table 1", "section_end": "Section 2", "figure_dots": "Figure 1"}
    names = {b.get(qn("w:name")) for b in small.element.body.iter(qn("w:bookmarkStart"))}
    assert set(said) <= names
    fields = [f.get(qn("w:instr")).split()[:2] for f in small.element.body.iter(qn("w:fldSimple"))]
    assert ["REF", "table_small"] in fields and ["REF", "figure_dots"] in fields


def test_keys_that_word_cannot_tell_apart_have_bookmarks_of_their_own():
    keys = ("a b", "a-b", "A_B", "k" * 60, "k" * 61)
    tables = tuple(small_table(key, note=()) for key in keys)
    read = opened(small_document(sections=(Section(key="s", title="S", blocks=tables),)))
    names = [b.get(qn("w:name")) for b in read.element.body.iter(qn("w:bookmarkStart"))]
    assert len({name.casefold() for name in names}) == len(names) == 6
    assert max(map(len, names)) <= 40


def test_headings_findings_source_and_banner(small):
    outline = [(p.style.name, p.text) for p in small.paragraphs if p.style.name.startswith(("Title", "Heading"))]
    assert outline == [
        ("Title", "A study"),
        ("Heading 1", "First"),
        ("Heading 2", "A part"),
        ("Heading 1", "End"),
        ("Heading 2", "The plan"),
    ]
    by_style = {p.style.name: p for p in small.paragraphs}
    assert by_style["Banner"].text == "Synthetic data."
    finding = by_style["Finding"]
    assert finding.text == "Warning. Odd. Look. (column bdi; rows 3, 4) odd"
    assert (finding.runs[0].text, finding.runs[0].style.name) == ("Warning.", "Label")
    source = [p.text for p in small.paragraphs if p.style.name == "Source"]
    assert source == ["version = 1", "", "  indented = true"]


def test_pictures_are_described_and_fit_the_text(composed, read):
    shapes = list(read.inline_shapes)
    figures = list(composed.figures())
    assert len(shapes) == len(figures) > 3
    for shape, figure in zip(shapes, figures, strict=True):
        assert shape._inline.docPr.get("descr") == figure.alt
        assert shape.width.pt <= PORTRAIT + 0.1
        assert shape.height.pt <= 560.1
    assert len({shape._inline.docPr.get("id") for shape in shapes}) == len(shapes)
    pixels = [read.part.related_parts[s._inline.graphic.graphicData.pic.blipFill.blip.embed].image for s in shapes]
    for shape, image in zip(shapes, pixels, strict=True):
        assert image.px_width / shape.width.inches >= 299


def test_tables_fit_their_pages_which_turn_for_the_wide(composed, read):
    body = list(read.element.body)
    rooms, ends = [], [s._sectPr for s in read.sections]
    for child in body:
        if child.tag == qn("w:tbl"):
            widths = [int(c.get(qn("w:w"))) for c in child.iter(qn("w:gridCol"))]
            rooms.append((sum(widths) / TWIPS, len(ends)))
            for row in child.iter(qn("w:tr")):
                spans = [int(s.get(qn("w:val"))) for s in row.iter(qn("w:gridSpan"))]
                cells = row.findall(qn("w:tc"))
                assert len(cells) - len(spans) + sum(spans) == len(widths)
        if child.find(f"{qn('w:pPr')}/{qn('w:sectPr')}") is not None:
            ends = ends[1:]
    total = len(read.sections)
    for (width, left), table in zip(rooms, composed.tables(), strict=True):
        section = read.sections[total - left]
        landscape = section.page_width > section.page_height
        assert landscape or not table.wide
        text = section.page_width.pt - section.left_margin.pt - section.right_margin.pt
        assert text == pytest.approx(LANDSCAPE if landscape else PORTRAIT, abs=0.5)
        assert width <= text + 0.5
    sizes = {(round(s.page_width.mm), round(s.page_height.mm)) for s in read.sections}
    assert sizes == {(210, 297), (297, 210)}


@pytest.mark.parametrize(("columns", "digits"), [(2, 4), (14, 7), (20, 8), (30, 10)])
def test_a_table_of_any_width_is_not_clipped(columns, digits):
    cells = tuple(Cell(value=10.0**digits / 7) for _ in range(columns))
    table = small_table(
        columns=tuple(Column(label="Estimate") for _ in cells),
        spanners=(),
        groups=(RowGroup(rows=(Row(label="x" * 200, cells=cells),)),),
        note=(),
    )
    read = opened(small_document(sections=(Section(key="s", title="S", blocks=(table,)),)))
    section, grid = read.sections[-1], read.tables[0]._tbl.iter(qn("w:gridCol"))
    text = section.page_width.pt - section.left_margin.pt - section.right_margin.pt
    assert sum(int(c.get(qn("w:w"))) for c in grid) / TWIPS <= text + 0.5


ORDER = (
    "pStyle keepNext keepLines pageBreakBefore widowControl numPr pBdr shd tabs bidi spacing ind contextualSpacing jc"
)


def test_properties_stand_in_the_order_of_the_schema(read):
    known = [qn(f"w:{tag}") for tag in [*ORDER.split(), "outlineLvl", "rPr", "sectPr"]]
    properties = [*read.element.body.iter(qn("w:pPr")), *read.styles.element.iter(qn("w:pPr"))]
    assert len(properties) > 500
    for found in properties:
        places = [known.index(child.tag) for child in found]
        assert places == sorted(places)


def test_every_style_that_is_used_is_defined_and_all_type_comes_from_styles(read):
    defined = {s.style_id for s in read.styles}
    used = {s.get(qn("w:val")) for tag in ("pStyle", "rStyle", "tblStyle") for s in read.element.iter(qn(f"w:{tag}"))}
    assert used <= defined
    assert {
        "Title",
        "Subtitle",
        "Heading1",
        "BodyText",
        "Caption",
        "TableText",
        "Note",
        "Bibliography",
        "Source",
    } <= defined
    for run in read.element.body.iter(qn("w:rPr")):
        assert not {child.tag for child in run} & {qn("w:sz"), qn("w:color")}


def test_properties_of_the_file(composed, read, written):
    properties = read.core_properties
    assert (properties.title, properties.language) == (composed.title, "en")
    assert (properties.author, properties.last_modified_by, properties.comments) == ("", "", "")
    assert read.styles.element.find(f".//{qn('w:lang')}").get(qn("w:val")) == "en-US"
    assert read.sections[-1].footer._element.find(f".//{qn('w:fldSimple')}").get(qn("w:instr")) == " PAGE "
    with zipfile.ZipFile(io.BytesIO(written)) as archive:
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert not [name for name in archive.namelist() if "vba" in name.casefold()]
        relations = [archive.read(n).decode() for n in archive.namelist() if n.endswith(".rels")]
    assert not any('TargetMode="External"' in text for text in relations)


def test_the_same_document_gives_the_same_bytes():
    assert write_docx(small_document()) == write_docx(small_document())


def test_no_dyad_is_named(written, small):
    with zipfile.ZipFile(io.BytesIO(written)) as archive:
        assert not [n for n in archive.namelist() if n.endswith(".xml") and b"SECRET" in archive.read(n)]
    assert not [text for text in all_texts(small) if "SECRET" in text]


def cleaned(text: str) -> str:
    return "".join(c for c in text if unicodedata.category(c) not in ("Cc", "Cf", "Cn", "Cs"))


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_is_whole_and_inert_wherever_it_stands(text):
    table = small_table(
        caption=text,
        stub=text,
        columns=(Column(label=text), Column(label=text, symbol=True), Column(label=text, align="text")),
        spanners=(Spanner(label=text, columns=3, words=text),),
        groups=(
            RowGroup(label=text, rows=(Row(label=text, cells=(None, None, Cell(value=text, kind="text"))),)),
        ),
        note=(text,),
    )  # fmt: skip
    blocks = (
        Paragraph(heading=text, parts=(text, Cell(value=text, kind="text"))),
        Heading(title=text),
        table,
        Equation(latex=rf"\text{{{escape_latex(text)}}}_{{j}}", words=text),
        FindingList(findings=(Finding(code="x", level="note", words=text, way_out=text, column=text),)),
        Source(title=text, text=text),
    )
    given = small_document(
        title=text, subtitle=text, banner=text, summary=(), sections=(Section(key="s", title=text, blocks=blocks),)
    )
    read = opened(given)
    want = cleaned(text)
    texts = all_texts(read)
    assert sum(text.count(want) for text in texts) >= 21
    (made,) = read.tables
    assert made.rows[-1].cells[3].text == want
    assert not list(read.element.body.iter(qn("w:instrText")))
    assert {f.get(qn("w:instr")).split()[0] for f in read.element.body.iter(qn("w:fldSimple"))} == {"SEQ"}
    turned = [p for p in read.paragraphs if p._p.find(f"{qn('w:pPr')}/{qn('w:bidi')}") is not None]
    assert bool(turned) == (text == HOSTILE[3])


def test_a_document_as_it_is_laid_out(composed, written, tmp_path):
    """LibreOffice opens it and prints every caption; nothing in an equation is a mistake to it."""
    if not (shutil.which("soffice") and shutil.which("pdftotext")):
        pytest.skip("needs LibreOffice and pdftotext")
    (tmp_path / "report.docx").write_bytes(written)
    profile = f"-env:UserInstallation=file://{tmp_path / 'profile'}"
    office = ["soffice", profile, "--headless", "--convert-to", "pdf", "--outdir", str(tmp_path)]
    subprocess.run([*office, str(tmp_path / "report.docx")], check=True, capture_output=True, timeout=240)
    said = subprocess.run(
        ["pdftotext", "-layout", str(tmp_path / "report.pdf"), "-"], check=True, capture_output=True, text=True
    ).stdout
    text = "".join(said.split())
    labels = composed.labels()
    for kind, ones in (("table", composed.tables()), ("figure", composed.figures())):
        for one in ones:
            title, note = title_and_note(one.caption) if kind == "figure" else (one.caption, "")
            assert "".join(f"{labels[f'{kind}-{one.key}']}{title}".split()) in text
            assert "".join(note.split()) in text
    assert "¿" not in text
    assert "Error" not in said
