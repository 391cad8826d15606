"""Spreadsheets as people leave them."""

import zipfile
from datetime import date, datetime
from pathlib import Path

import polars as pl
import pytest
import xlsxwriter
from benchmarks.certify_files import ods

from dyadline.data.child import parse
from dyadline.data.confined import Request
from dyadline.data.read import read_table
from dyadline.data.table import Table
from dyadline.errors import DataError


def read_here(path: Path, **options: str) -> Table:
    """What the reading process does, without the process: half a second less each time."""
    return parse(Request(path=str(path), memory=2**30, seconds=60, **options))


def book(path: Path, **sheets: list[list[object]]) -> Path:
    """A spreadsheet; the cells of a sheet begin in B3 and end with formatted empty ones."""
    workbook = xlsxwriter.Workbook(path)
    day, moment = (workbook.add_format({"num_format": f}) for f in ("dd.mm.yyyy", "yyyy-mm-dd hh:mm"))
    for name, rows in sheets.items():
        sheet = workbook.add_worksheet(name)
        for at, row in enumerate(rows, start=2):
            for place, value in enumerate(row, start=1):
                if isinstance(value, date):
                    sheet.write_datetime(at, place, value, moment if isinstance(value, datetime) else day)
                elif isinstance(value, str) and value.startswith("="):
                    sheet.write_formula(at, place, value, None, "#DIV/0!" if value == "=1/0" else 2.5)
                elif isinstance(value, str):
                    sheet.write_string(at, place, value)
                elif value is not None:
                    sheet.write(at, place, value)
        sheet.write_blank(len(rows) + 20, 20, None, day)
    workbook.close()
    return path


ROWS: list[list[object]] = [
    [" id ", "session", "told", "mixed", "day", "begun", "mean", "failed", "", "comma", "empty"],
    ["001", 1, "7", 1, date(2020, 1, 31), datetime(2020, 1, 31, 9, 30), "=A1/2", "=1/0", None, "1,5", None],
    ["002", 2.0, "NA", "A3", date(2020, 2, 1), None, "=A1/2", 3, None, "2", None],
    [None] * 11,
    ["003", 3, " 2 ", 2.5, None, datetime(2020, 2, 3), "=A1/2", 4, 1, None, None],
]


def test_cells_become_columns_as_in_a_text_file(tmp_path: Path) -> None:
    table = read_table(book(tmp_path / "x.xlsx", data=ROWS))
    assert table.frame.to_dict(as_series=False) == {
        "id": ["001", "002", None, "003"],
        "session": [1, 2, None, 3],
        "told": [7, None, None, 2],
        "mixed": ["1", "A3", None, "2.5"],
        "day": [date(2020, 1, 31), date(2020, 2, 1), None, None],
        "begun": [datetime(2020, 1, 31, 9, 30), None, None, datetime(2020, 2, 3)],
        "mean": [2.5, 2.5, None, 2.5],
        "failed": [None, 3, None, 4],
        "column_9": [None, None, None, 1],
        "comma": [1.5, 2.0, None, None],
        "empty": [None] * 4,
    }
    assert table.frame.schema["session"] == table.frame.schema["told"] == pl.Int64
    assert table.findings == ()


def test_the_first_sheet_with_data_or_the_one_that_is_named(tmp_path: Path) -> None:
    path = book(tmp_path / "x.xlsx", Codebook=[], Sessions=[["a"], [1]], Dyads=[["b"], [2]])
    table = read_here(path)
    assert table.frame.to_dict(as_series=False) == {"a": [1]}
    assert [finding.words for finding in table.findings] == [
        "'x.xlsx' has 3 sheets; the first with data, 'Sessions', was read, not 'Codebook' and 'Dyads'."
    ]
    named = read_here(path, sheet="Dyads")
    assert named.frame.to_dict(as_series=False) == {"b": [2]} and named.findings == ()
    with pytest.raises(DataError, match=r"has no sheet 'dyads'\. Did you mean 'Dyads'\?"):
        read_here(path, sheet="dyads")


def test_open_document_spreadsheets_too(tmp_path: Path) -> None:
    (tmp_path / "x.ods").write_bytes(ods([["id", "wai"], ["p1", 4.5], ["p2", 5]]))
    assert read_here(tmp_path / "x.ods").frame.to_dict(as_series=False) == {"id": ["p1", "p2"], "wai": [4.5, 5.0]}


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([], "The sheet 'data' of 'x.xlsx' is empty. Name another sheet, or export it again."),
        ([["a", "b"]], "The sheet 'data' of 'x.xlsx' has a header and no rows."),
        ([["a", "b", "a"], [1, 2, 3]], "The file 'x.xlsx' has more than one column called 'a'."),
    ],
)
def test_what_is_no_table_gets_a_sentence(tmp_path: Path, rows: list[list[object]], words: str) -> None:
    with pytest.raises(DataError) as caught:
        read_here(book(tmp_path / "x.xlsx", data=rows))
    assert str(caught.value).startswith(words)


def test_a_text_file_under_a_spreadsheet_s_name(tmp_path: Path) -> None:
    (tmp_path / "x.xlsx").write_bytes(b"id,wai\n1,2\n")
    with pytest.raises(DataError, match="is not a spreadsheet, or a damaged one"):
        read_here(tmp_path / "x.xlsx")


def swollen(path: Path, million_cells: int) -> Path:
    """A spreadsheet whose sheet is one cell, many times over."""
    original = book(path.with_name("original.xlsx"), data=[["a"], [1]])
    with zipfile.ZipFile(original) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            content = old.read(name)
            if name.endswith("sheet1.xml"):
                before, after = content.split(b"</sheetData>")
                with new.open(name, "w") as member:
                    member.write(before)
                    for _ in range(million_cells):
                        member.write(b"<row><c><v>1</v></c></row>" * 1_000_000)
                    member.write(b"</sheetData>" + after)
            else:
                new.writestr(name, content)
    return path


def test_a_decompression_bomb_is_refused_by_what_it_says(tmp_path: Path) -> None:
    path = swollen(tmp_path / "bomb.xlsx", 12)
    assert path.stat().st_size < 2**20
    with pytest.raises(DataError, match=r"'bomb\.xlsx' would unpack to 298 MiB, which no spreadsheet of its size has"):
        read_here(path)


def test_a_bomb_that_lies_about_its_size_is_stopped_by_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = swollen(tmp_path / "bomb.xlsx", 12)
    with zipfile.ZipFile(path) as archive:
        size = archive.getinfo("xl/worksheets/sheet1.xml").file_size
    path.write_bytes(path.read_bytes().replace(size.to_bytes(4, "little"), (1000).to_bytes(4, "little")))
    monkeypatch.setenv("DYADLINE_READ_MEMORY", "0.3")
    with pytest.raises(DataError, match=r"'bomb\.xlsx'"):
        read_table(path)
