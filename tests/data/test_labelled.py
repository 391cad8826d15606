"""SPSS and Stata files written by other programs."""

import shutil
import struct
import subprocess
from datetime import date, datetime
from math import inf
from pathlib import Path

import pytest

from dyadline.data.child import parse
from dyadline.data.confined import Request
from dyadline.data.missing import apply_missing, missing_codes
from dyadline.data.read import read_frame, read_table
from dyadline.data.table import Declared, Table
from dyadline.errors import DataError
from dyadline.plan.columns import MissingSection

FILES = Path(__file__).parent / "files"
LONG_NAME = "the_twelfth_item_of_the_working_alliance"


def read_here(path: Path, **options: str) -> Table:
    """What the reading process does, without the process: half a second less each time."""
    return parse(Request(path=str(path), memory=2**30, seconds=60, **options))


def written(tmp_path: Path, program: str, script: str) -> Path:
    """A fresh copy of a script's files, made by the program itself."""
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed here")
    shutil.copy(FILES / script, tmp_path)
    done = subprocess.run([program, script], cwd=tmp_path, capture_output=True, text=True)
    if "there is no package called" in done.stderr:
        pytest.skip("R has no haven here")
    assert done.returncode == 0, done.stdout + done.stderr
    return tmp_path


@pytest.fixture(params=["as committed", "written now"])
def spss(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return FILES if request.param == "as committed" else written(tmp_path, "pspp", "alliance.sps")


@pytest.mark.parametrize("name", ["alliance.sav", "alliance.zsav"])
def test_an_spss_file_comes_back_as_it_was_written(spss: Path, name: str) -> None:
    table = read_table(spss / name)
    assert table.frame.to_dict(as_series=False) == {
        "id": ["p01", "p01", "p02", "p02", "p03", "p03"],
        "session": [1, 2, 1, 2, 1, 2],
        "wai_1": [3, 98, 8, 7, 99, None],
        LONG_NAME: [99, 4, 97, 1, 2, 95],
        "bdi": [20.5, 21.25, None, 0.0, 63.0, 12.75],
        "weight": [-5, 70, 999, 1000, 0, 81],
        "sex": ["f", "f", "unknown", "m", "unknown", "m"],
        "day": [date(2020, 1, 31), date(2020, 2, 15), date(1899, 12, 31), None, date(2024, 2, 29), date(1582, 10, 15)],
        "begun": [
            datetime(2020, 1, 31, 10, 11, 12),
            datetime(2020, 2, 15),
            None,
            datetime(2021, 2, 28, 23, 59, 59),
            datetime(2021, 3, 1, 0, 0, 1),
            datetime(2021, 3, 1, 12),
        ],
    }
    assert table.labels == {"bdi": "Depression: Gesamtwert größer als 13"}
    answers = {1: "never", 7: "always", 8: "keine Angabe", 98: "not applicable", 99: "refused"}
    sexes = {"f": "female", "m": "male", "unknown": "not recorded"}
    assert table.value_labels == {"wai_1": answers, LONG_NAME: answers, "sex": sexes}
    assert table.declared == {
        "wai_1": Declared(codes=(98, 99)),
        LONG_NAME: Declared(codes=(1,), ranges=((95, inf),)),
        "weight": Declared(codes=(999,), ranges=((-inf, 0),)),
        "sex": Declared(codes=("unknown",)),
    }
    assert table.source == name and table.findings == ()


def test_what_the_file_declares_missing_is_counted_and_taken_out() -> None:
    path = FILES / "alliance.sav"
    assert missing_codes(read_here(path)).rows() == [
        ("wai_1", "98", "not applicable", 1),
        ("wai_1", "99", "refused", 1),
        (LONG_NAME, "1", "never", 1),
        (LONG_NAME, "95 to highest", None, 3),
        ("weight", "999", None, 1),
        ("weight", "lowest to 0", None, 2),
        ("sex", "unknown", "not recorded", 2),
    ]
    frame = read_frame(path)
    assert frame["wai_1"].to_list() == [3, None, 8, 7, None, None]
    assert frame[LONG_NAME].to_list() == [None, 4, None, None, 2, None]
    assert frame["weight"].to_list() == [None, 70, None, 1000, None, 81]
    assert frame["sex"].to_list() == ["f", "f", None, "m", None, "m"]


def test_a_label_that_says_missing_is_warned_of() -> None:
    table = apply_missing(read_here(FILES / "alliance.sav"), MissingSection())
    assert [(f.code, f.level) for f in table.findings] == [
        ("missing-codes", "note"),
        ("undeclared-missing-code", "warning"),
    ]
    assert table.findings[1].words == (
        "8 in 'wai_1' (1 value) is labelled 'keine Angabe', and the file does not declare it missing."
    )
    assert table.findings[1].way_out == "If it stands for a missing answer, write under [missing]: codes = [8]."


@pytest.fixture(params=["as committed", "written now"])
def stata(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return FILES if request.param == "as committed" else written(tmp_path, "Rscript", "alliance.R")


def test_a_stata_file_comes_back_as_it_was_written(stata: Path) -> None:
    table = read_table(stata / "alliance.dta")
    assert table.frame.to_dict(as_series=False) == {
        "id": ["p01", "p02", "p03", None],
        "wai_1": [1, None, None, None],
        "bdi": [20.5, None, 12.0, 0.0],
        "day": [date(2020, 1, 31), None, date(1950, 5, 5), date(2024, 2, 29)],
        "begun": [
            datetime(2020, 1, 31, 10, 11, 12),
            None,
            datetime(1999, 12, 31, 23, 59, 59),
            datetime(2024, 2, 29),
        ],
        "note": ["größer", None, "b", "c"],
    }
    assert table.value_labels == {"wai_1": {1: "never"}}
    assert table.labels == {"bdi": "Depression"}
    assert [finding.words for finding in table.findings] == [
        ".a (refused) in 2 columns, 2 values and .z (don't know) in 'wai_1', 1 value: taken as missing."
    ]


def with_encoding(tmp_path: Path, record: bytes | None) -> Path:
    """The committed file with a label in Windows-1252 and another record of its encoding, or none."""
    content = (FILES / "alliance.sav").read_bytes()
    content = content.replace("größer".encode(), "größer  ".encode("cp1252"))
    start = content.index(struct.pack("<iii", 7, 20, 1))
    stop = start + 16 + struct.unpack("<i", content[start + 12 : start + 16])[0]
    new = b"" if record is None else struct.pack("<iiii", 7, 20, 1, len(record)) + record
    path = tmp_path / "old.sav"
    path.write_bytes(content[:start] + new + content[stop:])
    return path


@pytest.mark.parametrize(("record", "said"), [(b"windows-1252", False), (b"UTF-8", True), (b"US-ASCII", True)])
def test_a_wrong_record_of_the_encoding_is_noticed(tmp_path: Path, record: bytes, said: bool) -> None:
    table = read_here(with_encoding(tmp_path, record))
    assert table.labels == {"bdi": "Depression: Gesamtwert größer   als 13"}
    assert [finding.code for finding in table.findings] == ["encoding"] * said


def test_the_encoding_can_be_named(tmp_path: Path) -> None:
    path = with_encoding(tmp_path, b"UTF-8")
    assert read_here(path, encoding="iso8859-2").labels == {"bdi": "Depression: Gesamtwert größer   als 13"}
    with pytest.raises(DataError, match="are not in the encoding utf-8"):
        read_here(path, encoding="utf-8")


@pytest.mark.parametrize("name", ["x.sav", "x.zsav", "x.dta"])
def test_no_such_file_in_a_sentence(tmp_path: Path, name: str) -> None:
    for content in (b"", b"id,wai\n1,2\n", (FILES / "alliance.sav").read_bytes()[:700]):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=f"The file '{name}' is not an SPSS or Stata file"):
            read_here(tmp_path / name)
