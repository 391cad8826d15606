"""Exports: exact numbers back from the CSV, formulas that stay text, pictures of one drawing."""

from __future__ import annotations

import csv
import io
import math
import re
import struct

import polars as pl
import pypdf
import pytest

from dyadline.cli.console import write_tables
from dyadline.report.compose import compose
from dyadline.report.document import Cell, Column, Document, Figure, Row, RowGroup, Section, Spanner, Table
from dyadline.report.formats import render_figures, render_tables
from dyadline.report.writers import pictures
from dyadline.report.writers.exports import figure_files, frame_csv, inert, table_csv

POINTS = [{"x": 0.1, "y": 1 / 3}, {"x": 2.0, "y": None}]


def table_of(*cells, label="row", column="n", kind="number", stub="Stub") -> Table:
    columns = tuple(Column(label=f"{column}{k or ''}") for k in range(len(cells)))
    row = Row(label=label, cells=tuple(c if c is None else Cell(value=c, kind=kind) for c in cells))
    return Table(key="t", caption="T", stub=stub, columns=columns, groups=(RowGroup(rows=(row,)),))


def lines_of(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))


@pytest.fixture(scope="module")
def document(result) -> Document:
    return compose(result)


def test_every_number_of_every_table_comes_back_exactly(document):
    files = render_tables(document)
    assert list(files) == [f"{table.key}.csv" for table in document.tables()]
    seen = 0
    for table in document.tables():
        first, *lines = lines_of(files[f"{table.key}.csv"])
        assert len(set(first)) == len(first)
        for row, line in zip(table.rows(), lines, strict=True):
            values = [c.value for c in row.cells if c is not None]
            flat = [v for value in values for v in (value if isinstance(value, tuple) else (value,))]
            wanted = [v for v in flat if v is not None and not (isinstance(v, float) and math.isnan(v))]
            given = line[line.index(row.label) + 1 :]
            assert [cell for cell in given if cell] == [v if isinstance(v, str) else repr(v) for v in wanted]
            seen += sum(isinstance(v, float) for v in wanted)
    assert seen > 300


def test_the_table_of_the_models_read_by_polars(document, result):
    read = pl.read_csv(io.BytesIO(render_tables(document)["models.csv"]))
    assert read.columns[:4] == ["Group", "Effect", "Model 1: Est.", "Model 1: SE"]
    fixed = result.tables["fixed_effects"].filter(pl.col("model") == 3)
    rows = read.filter(pl.col("Group") == "Fixed effects")
    ends = ["Model 3: 95% CI, low", "Model 3: 95% CI, high"]
    written = set(rows.select("Model 3: Est.", "Model 3: SE", "Model 3: df", "Model 3: p", *ends).rows())
    asked = set(fixed.select("estimate", "std_error", "df", "p_value", "conf_low", "conf_high").rows())
    assert written == asked


@pytest.mark.parametrize("value", [0.1, 1 / 3, 5e-324, 1.7976931348623157e308, -2.5e-9, 96, 10**17 + 1, math.inf])
def test_numbers_are_exact(value):
    read = pl.read_csv(io.BytesIO(table_csv(table_of(value, value))))
    assert read["n"][0] == value
    assert type(value)(lines_of(table_csv(table_of(value)))[1][1]) == value


def test_what_is_not_known_is_empty():
    assert lines_of(table_csv(table_of(None, math.nan, 1.5)))[1] == ["row", "", "", "1.5"]


def test_columns_of_bounds_and_of_both():
    columns = (Column(label="CI"), Column(label="Mixed"), Column(label="CI"))
    rows = (
        Row(label="a", cells=(Cell(value=(1.0, 2.5), kind="interval"), Cell(value=3.0), None)),
        Row(label="b", cells=(None, Cell(value=(4.0, None), kind="range"), Cell(value=(6.0, 7.0), kind="range"))),
    )
    spanners = (Spanner(label="M1", columns=2), Spanner(label="M2", columns=1))
    table = Table(
        key="t", caption="T", stub="", columns=columns, groups=(RowGroup(rows=rows, label="G"),), spanners=spanners
    )
    names = ["M1: CI, low", "M1: CI, high", "M1: Mixed", "M1: Mixed, low", "M1: Mixed, high", "M2: CI, low"]
    assert lines_of(table_csv(table)) == [
        ["Group", "Row", *names, "M2: CI, high"],
        ["G", "a", "1.0", "2.5", "3.0", "", "", "", ""],
        ["G", "b", "", "", "", "4.0", "", "6.0", "7.0"],
    ]


def test_columns_of_one_name_are_told_apart():
    columns = tuple(Column(label="n") for _ in range(3))
    rows = (Row(label="r", cells=(None, None, None)),)
    table = Table(key="t", caption="T", stub="n", columns=columns, groups=(RowGroup(rows=rows),))
    assert lines_of(table_csv(table))[0] == ["n", "n (2)", "n (3)", "n (4)"]


def test_excel_reads_it_as_utf_8():
    content = table_csv(table_of(1.0, label="Müller × −"))
    assert content.startswith(b"\xef\xbb\xbf")
    assert "Müller × −".encode() in content


FORMULAS = ["=cmd|' /C calc'!A0", "+1+cmd|x", "-2+3", "@SUM(1)", "\t=1", "\r=1", " =1", '"=1"', "＝1+1", "=1\n=2"]
HARMLESS = ["-3", "+49", "-3.5e2", "-1,5", "a-b", "−3", "a@b.c", "x = 1", "", "Early alliance (P)", "3–4"]


def assert_safe(text: str) -> None:
    """What a spreadsheet sees, whether it splits at commas, semicolons, tabs or lines."""
    for part in re.split(r"[;\t\r\n]", text):
        assert part.lstrip(' "')[:1] not in (*"=+-@＝＋－＠",) or re.fullmatch(r"[-+][\d.,e]+", part), text


@pytest.mark.parametrize("evil", [*FORMULAS, *(f'a;"{f}' for f in FORMULAS), "a\n=1", "a;=1"])
def test_formulas_are_text_wherever_they_stand(evil):
    assert_safe(inert(evil))
    assert inert(evil).replace("'", "") == evil.replace("'", "")
    for line in lines_of(table_csv(table_of(evil, label=evil, column=evil, kind="text", stub=evil))):
        for cell in line:
            assert_safe(cell)
    for cell in lines_of(frame_csv(pl.DataFrame({evil: [evil, None], "n": [1.5, -2.0]})))[1]:
        assert_safe(cell)


@pytest.mark.parametrize("text", HARMLESS)
def test_other_text_and_numbers_stay_as_they_are(text):
    assert inert(text) == text


def test_negative_numbers_stay_numbers():
    assert lines_of(table_csv(table_of(-0.25, -3)))[1] == ["row", "-0.25", "-3"]


def test_frames_without_formulas_are_written_as_before(result):
    for table in result.tables.values():
        assert frame_csv(table) == table.write_csv().encode()


def test_tables_of_an_analysis_are_safe_and_exact(tmp_path):
    frame = pl.DataFrame(
        {"dyad": ["=cmd|' /C calc'!A0", "17", "-3", None], "x": [0.1, -1 / 3, math.inf, None], "n": [1, -2, 3, None]}
    )
    write_tables({"scores": frame}, tmp_path)
    read = pl.read_csv(tmp_path / "tables" / "scores.csv")
    assert read["dyad"].to_list() == ["'=cmd|' /C calc'!A0", "17", "-3", None]
    assert read["x"].to_list() == frame["x"].to_list()
    assert read["n"].to_list() == frame["n"].to_list()


def figure(key="f", **spec) -> Figure:
    return Figure(key=key, caption="C", alt="A", spec=spec)


POINT = {"mark": "point", "encoding": {"x": {"field": "x", "type": "quantitative", "title": "Xylophone"}}}


def png_size(content: bytes) -> tuple[int, int, int]:
    """Width and height in pixels, and pixels per metre."""
    assert content.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", content[16:24])
    at = content.index(b"pHYs")
    return width, height, struct.unpack(">I", content[at + 4 : at + 8])[0]


def test_a_figure_in_four_files():
    made = figure_files(figure(data={"values": POINTS}, width=144, height=72, padding=0, **POINT))
    assert list(made) == ["f.svg", "f.pdf", "f.png", "f.csv"]
    svg = made["f.svg"].decode()
    assert "Xylophone" in svg and 'font-family="Liberation Sans, ' in svg and "http://www.w3.org" in svg
    width, height, per_metre = png_size(made["f.png"])
    assert per_metre == pytest.approx(300 / 0.0254, abs=1)
    drawn = [float(x) for x in re.findall(r'<svg [^>]*width="([\d.]+)" height="([\d.]+)"', svg)[0]]
    assert (width, height) == tuple(pytest.approx(300 / 72 * side, abs=2) for side in drawn)
    page = pypdf.PdfReader(io.BytesIO(made["f.pdf"])).pages[0]
    assert "Xylophone" in page.extract_text()
    fonts = {f.get_object()["/BaseFont"] for f in _fonts(page["/Resources"])}
    assert fonts and all("LiberationSans" in font for font in fonts)
    assert made["f.csv"].decode("utf-8-sig").splitlines() == ["x,y", "0.1,0.3333333333333333", "2.0,"]


def _fonts(resources):
    found = list(resources.get("/Font", {}).values())
    for inner in resources.get("/XObject", {}).values():
        found += _fonts(inner.get_object().get("/Resources", {}))
    return found


def test_data_of_layers_and_panels():
    layers = [{"data": {"values": POINTS}, **POINT}, {"data": {"values": [{"x": 5.0, "z": True}]}, **POINT}]
    panels = [
        {"title": "Patient: ratings", "layer": layers},
        {"title": {"text": ["=cmd|x", "../../etc"]}, "data": {"name": "shared"}, **POINT},
        {"title": "Same", "data": {"values": POINTS}, **POINT},
        {"title": "Same", "data": {"values": POINTS}, **POINT},
    ]
    made = figure_files(figure(datasets={"shared": [{"x": 9.0}]}, concat=panels))
    assert list(made)[3:] == ["f-patient-ratings.csv", "f-cmd-x-etc.csv", "f-3.csv", "f-4.csv"]
    lines = made["f-patient-ratings.csv"].decode("utf-8-sig").splitlines()
    assert lines == ["layer,x,y,z", "1,0.1,0.3333333333333333,", "1,2.0,,", "2,5.0,,true"]
    assert made["f-cmd-x-etc.csv"].decode("utf-8-sig").splitlines() == ["x", "9.0"]


def test_every_figure_of_a_report_has_its_files_and_no_name(document):
    made = render_figures(document)
    for one in document.figures():
        kinds = {name.rpartition(".")[2] for name in made if name.startswith(one.key)}
        assert kinds == {"svg", "pdf", "png", "csv"}
    assert not any(b"SECRET" in content for content in made.values())


def test_opacity_goes_from_the_group_to_the_paint():
    drawn = '<path d="M0" stroke="#000" opacity="0.4"/><path fill="#fff" opacity="0.2"/>'
    both = '<path fill="#fff" stroke="#000" opacity="0.3"/>'
    flat = pictures._PATH.sub(pictures._flat, drawn + both)
    assert flat == ('<path d="M0" stroke="#000" stroke-opacity="0.4"/><path fill="#fff" fill-opacity="0.2"/>' + both)


@pytest.mark.parametrize("evil", ["a\nb", "\x00\x1b[31m", "\ud800", "<script>&\"'", "\u2028"])
def test_titles_that_are_hardly_text_are_drawn(evil):
    encoding = {"x": {"field": "x", "type": "quantitative", "title": evil}}
    one = figure(data={"values": [{"x": 1.0, "n": evil}]}, mark="point", encoding=encoding, title=evil)
    assert "<script" not in pictures.svg(one)
    assert pictures.png(one).startswith(b"\x89PNG")


def test_a_document_without_figures_has_no_files():
    document = Document(title="T", subtitle="", sections=(Section(key="s", title="S", blocks=()),))
    assert render_figures(document) == {}
    assert render_tables(document) == {}
