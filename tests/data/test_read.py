"""Files in every state in which they arrive."""

import csv
import io
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dyadline.data import delimited
from dyadline.data.delimited import read_delimited
from dyadline.data.read import read_frame, read_table
from dyadline.errors import DataError, DyadlineError, PlanError

PLAIN = b"id,session,wai,note\nA,1,4.5,good\nB,2,,NA\nC,3,6,\n"
EXPECTED = {"id": ["A", "B", "C"], "session": [1, 2, 3], "wai": [4.5, None, 6.0], "note": ["good", None, None]}


def text(data: bytes, **options: Any) -> dict[str, list[object]]:
    return read_delimited(data, "x.csv", **options).frame.to_dict(as_series=False)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(PLAIN, id="plain"),
        pytest.param(b"\xef\xbb\xbf" + PLAIN, id="byte-order mark"),
        pytest.param(PLAIN.replace(b"\n", b"\r\n"), id="windows line ends"),
        pytest.param(PLAIN.replace(b"\n", b"\r"), id="old mac line ends"),
        pytest.param(PLAIN.rstrip(), id="no last line end"),
        pytest.param(b"\n\n" + PLAIN, id="empty lines before the header"),
        pytest.param(PLAIN.replace(b",", b";"), id="semicolons"),
        pytest.param(PLAIN.replace(b",", b";").replace(b"4.5", b"4,5"), id="decimal comma"),
        pytest.param(PLAIN.replace(b",", b"\t").replace(b"4.5", b'"4,5"'), id="tabs and decimal comma"),
        pytest.param(PLAIN.replace(b",", b"|"), id="vertical bars"),
        pytest.param(PLAIN.decode().encode("utf-16"), id="utf-16"),
        pytest.param(PLAIN.replace(b",", b" , "), id="blanks around values"),
        pytest.param(b'"id","session","wai","note"\n"A","1","4.5","good"\n"B",2,"","NA"\nC,3,6,\n', id="quotes"),
    ],
)
def test_the_same_table_in_every_dress(data: bytes) -> None:
    assert text(data) == EXPECTED


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"Our study;;;\n" + PLAIN.replace(b",", b";"), id="a title, as spreadsheets save it"),
        pytest.param(b"# exported in May\n# version 3\n" + PLAIN, id="remarks"),
    ],
)
def test_lines_above_the_names_are_recognised(data: bytes) -> None:
    with pytest.raises(DataError, match=r"first line of 'x.csv' is a title or a remark.*Delete what stands above"):
        text(data)


def findings(data: bytes, **options: Any) -> dict[str, str]:
    return {finding.code: finding.words for finding in read_delimited(data, "x.csv", **options).findings}


def test_what_was_recognised_is_said() -> None:
    assert findings(PLAIN) == {}
    data = "id;wai;bdi\n1;4,5;12,25\n2;;3\n3;6,5;Größe\n".encode("cp1252")
    assert findings(data) == {
        "encoding": "'x.csv' is not UTF-8 and was read as Windows-1252; its first character that is not a plain one is "
        "in line 4.",
        "delimiter": "The columns of 'x.csv' are separated by the semicolon.",
        "decimal-comma": "The comma was read as decimal mark in 1 column: 'wai'.",
    }
    assert read_delimited(data, "x.csv").frame["bdi"].to_list() == ["12,25", "3", "Größe"]
    assert findings(data, encoding="latin-1", delimiter=";", decimal=",") == {}


def test_the_user_s_word_counts_more_than_what_is_recognised() -> None:
    assert text(b"a,b;c\n1,2;3\n", delimiter=";") == {"a,b": [1.2], "c": [3]}
    russian = "имя,a\nда,1\n".encode("cp1251")
    assert read_delimited(russian, "x.csv", encoding="cp1251").frame.rows() == [("да", 1)]
    assert read_delimited(b"a;b\n1,5;1.234\n", "x.csv", decimal=",").frame.rows() == [(1.5, "1.234")]
    assert read_delimited(b"a;b\n1,5;2\n", "x.csv", decimal=".").frame.rows() == [("1,5", 2)]
    assert read_delimited(b'a,b\n"1,5",2\n', "x.csv", decimal=",").frame.rows() == [(1.5, 2)]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"delimiter": ""}, "'' cannot separate columns"),
        ({"delimiter": "ab"}, "'ab' cannot separate columns"),
        ({"delimiter": '"'}, "cannot separate columns"),
        ({"encoding": "klingon"}, "There is no encoding 'klingon'"),
        ({"encoding": "zip"}, "There is no encoding 'zip'"),
        ({"decimal": "'"}, "The decimal mark is"),
    ],
)
def test_options_that_make_no_sense(tmp_path: Path, options: dict[str, Any], words: str) -> None:
    (tmp_path / "x.csv").write_bytes(PLAIN)
    with pytest.raises(PlanError, match=words):
        read_table(tmp_path / "x.csv", **options)


def test_types_are_inferred_over_the_whole_file() -> None:
    late = b"a,b\n" + b"1,1\n" * 5000 + b"2.5,x\n"
    frame = read_delimited(late, "x.csv").frame
    assert frame.schema == {"a": pl.Float64, "b": pl.String}
    assert frame["b"][0] == "1"


def test_labels_that_a_number_would_change_stay_text() -> None:
    assert text(b"id,code\n001,12345678901234567890\n002,2\n") == {
        "id": ["001", "002"],
        "code": ["12345678901234567890", "2"],
    }


def test_quoted_values_hold_delimiters_line_ends_and_marks() -> None:
    assert text(b'a,b\n"x, y","line\nline"\n"he said ""no""",""""\n') == {
        "a": ["x, y", 'he said "no"'],
        "b": ["line\nline", '"'],
    }


def test_a_comma_is_no_decimal_comma_beside_decimal_points() -> None:
    assert text(b"a;b\n1.5;1,234\n2.5;5,678\n") == {"a": [1.5, 2.5], "b": ["1,234", "5,678"]}


def test_empty_lines_are_rows_without_values_and_keep_the_numbering() -> None:
    assert text(b"a,b\n1,2\n\n3,4\n") == {"a": [1, None, 3], "b": [2, None, 4]}


def test_columns_without_a_name_are_called_after_their_place() -> None:
    assert list(text(b'"",x\n1,2\n')) == ["column_1", "x"]


def test_all_missing_column_is_a_number_column() -> None:
    assert read_delimited(b"a,b\n1,\n2,NA\n", "x.csv").frame["b"].dtype == pl.Float64


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "The file 'x.csv' is empty. Export it again with its data."),
        (b"\xef\xbb\xbf \n", "The file 'x.csv' is empty. Export it again with its data."),
        (b"a,b\n", "The file 'x.csv' has a header and no rows. Export it again with its data."),
        (b"a,b", "The file 'x.csv' has a header and no rows. Export it again with its data."),
        (
            b"a,b\n1,2\n\x00\xff,2\n",
            "The file 'x.csv' is not text (first seen in line 3). "
            "Save it as UTF-8 (in Excel: 'CSV UTF-8'; in SPSS: /ENCODING='UTF8').",
        ),
        (
            b"a,b\n1,\x81\n",  # neither UTF-8 nor Windows-1252
            "The file 'x.csv' is not text in UTF-8 or Windows-1252 (first seen in line 2). "
            'Name its encoding: encoding = "..." under [data]; or save it as UTF-8 '
            "(in Excel: 'CSV UTF-8'; in SPSS: /ENCODING='UTF8').",
        ),
        (
            b"PK\x03\x04rest",
            "The file 'x.csv' is a spreadsheet or an archive under another name, not text. "
            "Open it in a spreadsheet program and save it as 'CSV UTF-8'.",
        ),
        (
            b"a,b,a,c,c\n1,2,3,4,5\n",
            "The file 'x.csv' has more than one column called 'a' and 'c'. Give each column its own name.",
        ),
        (
            b"a,b\n1,2\n3\n4,5,6\n7,8\n",
            "The file 'x.csv' has 2 columns, and 2 rows of the data have another number of fields: row 2 has 1 and "
            "row 3 has 3. Put values that contain a comma in quotation marks, and let each row have a field for "
            "every column.",
        ),
        (
            b'a;b\n1;2\n3;5" long\n',
            "The file 'x.csv' has a quotation mark inside a value, or one that is never closed (row 2 of the data). "
            "Remove the mark, or put the whole value in quotation marks and double the mark inside it.",
        ),
        (
            b'a,b\n1,"2\n3,4\n',
            "The file 'x.csv' has a quotation mark inside a value, or one that is never closed (row 1 of the data). "
            "Remove the mark, or put the whole value in quotation marks and double the mark inside it.",
        ),
    ],
)
def test_what_cannot_be_read_gets_one_sentence(data: bytes, sentence: str) -> None:
    with pytest.raises(DataError) as caught:
        read_delimited(data, "x.csv")
    assert str(caught.value) == sentence


def test_files_by_their_suffix(tmp_path: Path) -> None:
    expected = pl.DataFrame(EXPECTED)
    (tmp_path / "a.CSV").write_bytes(PLAIN)
    (tmp_path / "a.tsv").write_bytes(PLAIN.replace(b",", b"\t"))
    expected.write_parquet(tmp_path / "a.parquet")
    for name in ("a.CSV", "a.tsv", "a.parquet"):
        assert read_frame(tmp_path / name).equals(expected)
    assert read_frame(str(tmp_path / "a.tsv")).equals(expected)


def test_files_that_are_not_there(tmp_path: Path) -> None:
    (tmp_path / "sessions.csv").write_bytes(PLAIN)
    (tmp_path / "book.doc").write_bytes(b"PK")
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "bad.parquet").write_bytes(b"PAR1" + b"\xff" * 50 + b"PAR1")
    (tmp_path / "none.parquet").write_bytes(b"")
    pl.DataFrame({"a": []}).write_parquet(tmp_path / "header.parquet")
    for name, words in {
        "session.csv": "session.csv'. Did you mean 'sessions.csv'?",
        "nowhere/x.csv": "and no folder ",
        "book.doc": "The file 'book.doc' is of a kind that is not read here. "
        "Save it as .sav, .dta, .xlsx, .csv, .tsv or .parquet.",
        "folder.csv": "folder.csv' is a folder, not a file. Name the data file in it.",
        "bad.parquet": "The file 'bad.parquet' is not a parquet file, or a damaged one. Export it again.",
        "none.parquet": "The file 'none.parquet' is empty. Export it again with its data.",
        "header.parquet": "The file 'header.parquet' has columns and no rows. Export it again with its data.",
    }.items():
        with pytest.raises(DataError) as caught:
            read_frame(tmp_path / name)
        assert words in str(caught.value)


def read_or_refuse(data: bytes) -> pl.DataFrame | str:
    try:
        return read_delimited(data, "x.csv").frame
    except DyadlineError as error:
        return error.way_out


FIELDS = ["1", "+1", "-2", "12345678901234567", "99999999999999999999", "007", "-0", "0", "00", " 3", "4 ", "5.0", ".5",
          "1e3", "inf", "nan", "NA", " NA", "", "x", "true", "2020-01-02", "1,5", "0x1", "1_0", "−3", "é"]  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from(FIELDS), min_size=2, max_size=2), min_size=1, max_size=5),
    st.integers(1, 3),
    st.booleans(),
)
def test_numbers_parsed_at_once_are_those_parsed_from_text(rows: list[list[str]], sampled: int, quotes: bool) -> None:
    written = io.StringIO()
    quoting = csv.QUOTE_ALL if quotes else csv.QUOTE_MINIMAL
    csv.writer(written, quoting=quoting, delimiter=";", lineterminator="\n").writerows([["x", "y"], *rows])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delimited, "SAMPLED", sampled)
        at_once = read_delimited(written.getvalue().encode(), "x.csv").frame
        patch.setattr(delimited, "_leading_zero", lambda *_: True)
        from_text = read_delimited(written.getvalue().encode(), "x.csv").frame
    assert at_once.equals(from_text, null_equal=True)
    assert at_once.schema == from_text.schema


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from([*'a1,;\t"\n\r .-é', "NA", "0", "\x00", "1e400"]), max_size=40))
@example(["a", "\r", ",", "\n", "1", ",", "1"])
def test_any_text_is_read_or_refused_in_words(parts: list[str]) -> None:
    assert len(read_or_refuse("".join(parts).encode()))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused_in_words(data: bytes) -> None:
    assert len(read_or_refuse(data))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(st.text('a1 ,;"\n.é', max_size=4), min_size=2, max_size=2), min_size=1, max_size=6))
def test_what_a_writer_wrote_comes_back(rows: list[list[str]]) -> None:
    written = io.StringIO()
    csv.writer(written, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows([["x", "y"], *rows])
    frame = read_delimited(written.getvalue().encode(), "x.csv").frame
    assert frame.height == len(rows)
    for name, values in zip("xy", zip(*rows, strict=True), strict=True):
        if frame[name].dtype == pl.String:
            assert frame[name].to_list() == [value.strip() or None for value in values]
        else:
            assert frame[name].to_list() == [float(value) if value.strip() else None for value in values]
