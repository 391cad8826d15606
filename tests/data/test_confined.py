"""Whatever happens to the process that reads, a sentence comes out of it."""

import os
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest
from benchmarks.certify_files import KINDS, certify

import dyadline
from dyadline.data import confined
from dyadline.data.read import read_table
from dyadline.errors import DataError, PlanError

SOURCE = str(Path(dyadline.__file__).parents[1])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "x.csv"
    path.write_bytes(b"id,wai_1,wai_2,bdi\na,1,2,3\nb,4,5,6.5\n")
    return path


DEATHS = {
    "killed": "import os; os.kill(os.getpid(), 9)",
    "segmentation fault": "import os; os.kill(os.getpid(), 11)",
    "exception": "raise KeyError('secret')",
    "out of memory": "raise MemoryError",
    "exit": "raise SystemExit(3)",
    "says nothing": "pass",
    "garbage": "print('x' * 1000)",
    "a head too long to be one": "import sys; sys.stdout.buffer.write(b'\\xff' * 8)",
    "a head that is none": "import sys; sys.stdout.buffer.write(bytes([2] + [0] * 7) + b'[]')",
    "no frame": "import os; h = b'{\"rows\": 1, \"whole\": []}'; os.write(1, len(h).to_bytes(8, 'little') + h)",
    "a whole answer and then death": (
        "import os, sys, polars as pl\n"
        "from dyadline.data import answer, table\n"
        "answer.send(table.Table(frame=pl.DataFrame({'a': [1]})), sys.stdout.buffer)\n"
        "sys.stdout.flush(); os.abort()"
    ),
}


@pytest.mark.parametrize("code", DEATHS.values(), ids=DEATHS)
def test_every_way_of_dying_is_the_same_sentence(
    file: Path, code: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(confined, "CHILD", ("-c", code))
    with pytest.raises(DataError) as caught:
        read_table(file)
    assert str(caught.value) == (
        "The file 'x.csv' cannot be read: it is damaged or no such file, or it needs more than 4 GiB of memory. "
        "Save it again with the program that made it, or as .csv; DYADLINE_READ_MEMORY in the environment sets "
        "another limit, in GiB."
    )
    assert capfd.readouterr() == ("", "")


def test_a_process_that_does_not_end_is_stopped(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confined, "CHILD", ("-c", "import time; time.sleep(60)"))
    monkeypatch.setenv("DYADLINE_READ_SECONDS", "0.2")
    start = time.perf_counter()
    with pytest.raises(DataError, match=r"'x.csv' took longer than 0.2 seconds and was stopped"):
        read_table(file)
    assert time.perf_counter() - start < 10


def test_a_python_that_cannot_be_started(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with pytest.raises(DataError, match=r"No process could be started to read 'x.csv': .* or hand in a frame"):
        read_table(file)


@pytest.mark.skipif(sys.platform != "linux", reason="Memory is limited on Linux")
def test_memory_is_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "wide.csv"
    path.write_bytes(b"a,b\n" + b"some text,0.5\n" * 800_000)
    monkeypatch.setenv("DYADLINE_READ_MEMORY", "1")
    assert read_table(path).frame.height == 800_000
    monkeypatch.setenv("DYADLINE_READ_MEMORY", "0.1")
    with pytest.raises(DataError, match=r"needs more than 0\.1 GiB of memory"):
        read_table(path)


def test_a_parquet_file_that_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "bomb.parquet"
    pl.select(a=pl.repeat(1, 30_000_000)).lazy().sink_parquet(path)
    assert path.stat().st_size < 2**18
    monkeypatch.setenv("DYADLINE_READ_MEMORY", "0.2")
    with pytest.raises(DataError, match="says that it has 30,000,000 rows and 1 column, which do not fit into"):
        read_table(path)


@pytest.mark.parametrize("value", ["much", "-1", "0", "nan", "inf"])
def test_limits_are_positive_numbers(file: Path, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYADLINE_READ_MEMORY", value)
    with pytest.raises(PlanError, match="DYADLINE_READ_MEMORY is a positive number, not"):
        read_table(file)


def test_a_larger_file_may_take_more() -> None:
    assert confined.limits(1000) == (confined.MEMORY, confined.SECONDS)
    memory, seconds = confined.limits(10**9)
    assert confined.MEMORY <= memory <= confined.MEMORY_PER_BYTE * 10**9
    assert seconds == 500


def test_a_script_without_a_guard_and_beside_modules_of_our_names(file: Path) -> None:
    for name in ("polars.py", "json.py", "dyadline.py"):
        (file.parent / name).write_text("raise SystemExit('the wrong module')\n")
    (file.parent / "folder").mkdir()
    script = file.parent / "folder" / "script.py"
    script.write_text("from dyadline.data.read import read_table\nprint(read_table('x.csv').frame['bdi'].sum())\n")
    done = subprocess.run(
        [sys.executable, "folder/script.py"],
        cwd=file.parent,
        env={**os.environ, "PYTHONPATH": SOURCE},
        capture_output=True,
        text=True,
    )
    assert (done.stdout, done.stderr) == ("9.5\n", "")


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_only_the_columns_that_are_needed(file: Path, suffix: str) -> None:
    whole = read_table(file).frame
    path = file.with_suffix(f".{suffix}")
    if suffix == "parquet":
        whole.write_parquet(path)
    assert read_table(path, columns=["bdi", "wai_*"]).frame.equals(whole.select("wai_1", "wai_2", "bdi"))
    with pytest.raises(DataError, match=r"There is no column 'bdo' in the data\. Did you mean 'bdi'\?"):
        read_table(path, columns=["id", "bdo"])


def test_columns_of_all_types_come_back(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            "int": [1, None, 2**62],
            "small": pl.Series([1, 2, None], dtype=pl.UInt8),
            "float": [0.1, float("nan"), None],
            "text": ["ä", None, ""],
            "truth": [True, None, False],
            "kind": pl.Series(["a", "b", None], dtype=pl.Categorical),
            "when": pl.Series([0, None, 10**15], dtype=pl.Datetime("us", "Europe/Berlin")),
            "day": pl.Series([0, None, 20000], dtype=pl.Date),
            "list": [[1], None, []],
            "money": pl.Series(["1.5", None, "2.5"]).str.to_decimal(scale=2),
        }
    )
    path = tmp_path / "with [brackets] and *.parquet"
    frame.write_parquet(path)
    back = read_table(path).frame
    assert back.schema == frame.schema and back.equals(frame, null_equal=True)


def test_damaged_files_of_every_kind_end_in_a_table_or_a_sentence() -> None:
    counts = certify(64, seed=4, sampled=21)
    assert list(counts) == list(KINDS)
    for counted in counts.values():
        assert not counted["FAULT"] and not counted["stopped"]
        assert counted["table"] + counted["sentence"] + counted["died"] == 8
