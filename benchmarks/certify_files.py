"""Damaged files of all kinds: each ends in a table or a sentence.

    python benchmarks/certify_files.py --files 10000 --seed 1

Valid files are written (SPSS and Stata by pyreadstat, spreadsheets by xlsxwriter, text and parquet by polars) and
damaged: bits flipped, pieces cut off, moved, doubled or zeroed, numbers overwritten by huge ones, members of archives
replaced. For speed most are parsed by limited processes that take many files in a row and are replaced when they die;
a sample, and every file at which a process died, goes through `read_table` itself. Printed at the end: how many became
tables and sentences, at how many a process died or was stopped, and anything else, which would be a fault.
"""

from __future__ import annotations

import argparse
import io
import json
import random
import struct
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from threading import Timer

MEMORY, SECONDS = 2**30, 20.0
SAMPLED = 99
"""One in so many files goes through `read_table` in any case: an odd number, so that all kinds have their turn."""

KINDS = ("sav", "zsav", "dta", "xlsx", "ods", "csv", "txt", "parquet")
HUGE = (0, 1, 255, 2**15 - 1, 2**16 - 1, 2**31 - 1, 2**32 - 1, 2**63 - 1, 2**64 - 1)


def originals(folder: Path, seed: int) -> dict[str, bytes]:
    """A small valid file of each kind."""
    import polars as pl
    import pyreadstat
    import xlsxwriter

    generator = random.Random(seed)
    rows = 40
    frame = pl.DataFrame(
        {
            "dyad": [f"p{row // 4:03d}" for row in range(rows)],
            "session": [row % 4 + 1 for row in range(rows)],
            "wai_1": [generator.choice([1, 2, 3, 4, 5, 6, 7, 99]) for _ in range(rows)],
            "bdi": [round(generator.gauss(20, 8), 2) for _ in range(rows)],
            "note": [generator.choice(["good", "über", "", "a;b"]) for _ in range(rows)],
        }
    )
    labels = {"variable_value_labels": {"wai_1": {1: "never", 7: "always", 99: "refused"}}}
    missing = {"missing_ranges": {"wai_1": [99, {"lo": 90, "hi": 95}]}}
    pyreadstat.write_sav(frame, folder / "o.sav", **labels, **missing)
    pyreadstat.write_sav(frame, folder / "o.zsav", compress=True, **labels, **missing)
    pyreadstat.write_dta(frame, folder / "o.dta", **labels)
    book = xlsxwriter.Workbook(folder / "o.xlsx")
    sheet = book.add_worksheet("data")
    for at, name in enumerate(frame.columns):
        sheet.write_column(0, at, [name, *frame[name].to_list()])
    book.close()
    (folder / "o.ods").write_bytes(ods([frame.columns, *frame.rows()]))
    frame.write_csv(folder / "o.csv")
    frame.write_csv(folder / "o.txt", separator="\t", quote_style="non_numeric")
    frame.write_parquet(folder / "o.parquet")
    return {kind: (folder / f"o.{kind}").read_bytes() for kind in KINDS}


def ods(rows: list) -> bytes:
    """An OpenDocument spreadsheet with one sheet."""
    from xml.sax.saxutils import escape

    def cell(value: object) -> str:
        if isinstance(value, str):
            return f'<table:table-cell office:value-type="string"><text:p>{escape(value)}</text:p></table:table-cell>'
        return f'<table:table-cell office:value-type="float" office:value="{value}"/>'

    lines = "".join(f"<table:table-row>{''.join(cell(v) for v in row)}</table:table-row>" for row in rows)
    space = "urn:oasis:names:tc:opendocument:xmlns"
    content = (
        f'<?xml version="1.0" encoding="UTF-8"?><office:document-content xmlns:office="{space}:office:1.0" '
        f'xmlns:table="{space}:table:1.0" xmlns:text="{space}:text:1.0"><office:body><office:spreadsheet>'
        f'<table:table table:name="data">{lines}</table:table></office:spreadsheet></office:body>'
        "</office:document-content>"
    )
    kind = "application/vnd.oasis.opendocument.spreadsheet"
    manifest = (
        f'<manifest:manifest xmlns:manifest="{space}:manifest:1.0"><manifest:file-entry manifest:full-path="/" '
        f'manifest:media-type="{kind}"/></manifest:manifest>'
    )
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", kind, zipfile.ZIP_STORED)
        archive.writestr("content.xml", content)
        archive.writestr("META-INF/manifest.xml", manifest)
    return written.getvalue()


def damaged(content: bytes, other: bytes, generator: random.Random) -> bytes:
    """The content with one to three kinds of damage."""
    if content.startswith(b"PK") and generator.random() < 0.6:
        return _member_damaged(content, other, generator)
    for _ in range(generator.randint(1, 3)):
        content = bytes(generator.choice(DAMAGES)(bytearray(content), other, generator)) or b"\0"
    return content


def _member_damaged(content: bytes, other: bytes, generator: random.Random) -> bytes:
    """An archive that is whole, with a member that is not."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    chosen = generator.choice([name for name in members if members[name]])
    if generator.random() < 0.1:
        members.pop(chosen)
    else:
        members[chosen] = bytes(generator.choice(DAMAGES)(bytearray(members[chosen]), other, generator))
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, member in members.items():
            archive.writestr(name, member)
    return written.getvalue()


def _flip(content: bytearray, other: bytes, generator: random.Random) -> bytearray:
    for _ in range(generator.choice([1, 1, 2, 8, 64])):
        content[_place(content, generator)] ^= 1 << generator.randrange(8)
    return content


def _place(content: bytearray, generator: random.Random) -> int:
    """Anywhere; more often near the beginning or the end, where lengths and offsets stand."""
    if generator.random() < 0.4:
        near = generator.randrange(min(400, len(content)))
        return near if generator.random() < 0.6 else len(content) - 1 - near
    return generator.randrange(len(content))


def _cut(content: bytearray, other: bytes, generator: random.Random) -> bytearray:
    return content[: _place(content, generator) + 1]


def _splice(content: bytearray, other: bytes, generator: random.Random) -> bytearray:
    at, length = _place(content, generator), generator.randrange(1, 200)
    source = bytes(content) if generator.random() < 0.5 else other
    start = generator.randrange(len(source))
    piece = source[start : start + length]
    return content[:at] + piece + content[at + (length if generator.random() < 0.5 else 0) :]


def _remove(content: bytearray, other: bytes, generator: random.Random) -> bytearray:
    at = _place(content, generator)
    del content[at : at + generator.randrange(1, 100)]
    return content or bytearray(b"\0")


def _zero(content: bytearray, other: bytes, generator: random.Random) -> bytearray:
    at, length = _place(content, generator), generator.randrange(1, 64)
    content[at : at + length] = bytes(len(content[at : at + length]))
    return content


def _number(content: bytearray, other: bytes, generator: random.Random) -> bytearray:
    size, code = generator.choice([(2, "H"), (4, "I"), (8, "Q")])
    at = min(_place(content, generator), max(len(content) - size, 0))
    number = generator.choice(HUGE) & (256**size - 1)
    content[at : at + size] = struct.pack(generator.choice("<>") + code, number)
    return content


DAMAGES = (_flip, _flip, _cut, _splice, _remove, _zero, _number)


def reader() -> None:
    """A limited process that parses the files that are named to it, one after the other."""
    import os
    from importlib import import_module

    from dyadline.data import answer, child
    from dyadline.data.confined import Request
    from dyadline.errors import DyadlineError

    own = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    for module in set(child.READERS.values()):
        import_module(f"dyadline.data.{module}")
    child.limit(MEMORY, 10_000)
    for line in sys.stdin:
        sink = io.BytesIO()
        try:
            answer.send(child.parse(Request(**json.loads(line))), sink)
            told = "table"
        except DyadlineError:
            told = "sentence"
        print(told, file=own, flush=True)


class Reader:
    """A limited process in our hands."""

    def __init__(self) -> None:
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--reader"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def read(self, request: dict) -> str:
        """``table`` or ``sentence``; ``died`` or ``stopped`` where the process had to be replaced."""
        late: list[bool] = []
        timer = Timer(SECONDS, lambda: (late.append(True), self.process.kill()))
        timer.start()
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        told = self.process.stdout.readline().strip()
        timer.cancel()
        if not told:
            self.stop()
            self.start()
        return told or ("stopped" if late else "died")

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


def through_the_door(path: Path) -> str:
    """What `read_table` and `apply_missing` make of a file."""
    from dyadline.data.missing import apply_missing
    from dyadline.data.read import read_table
    from dyadline.errors import DataError
    from dyadline.plan.columns import MissingSection

    try:
        table = read_table(path)
    except DataError as error:
        text = str(error)
        assert "Traceback" not in text and len(text) < 1000, text
        return "read_table: sentence"
    apply_missing(table, MissingSection())
    return "read_table: table"


def certify(files: int, seed: int, sampled: int = SAMPLED) -> dict[str, Counter]:
    """Counts by kind of file."""
    import os

    from dyadline.data.confined import MEMORY_VARIABLE, SECONDS_VARIABLE, Request

    os.environ[MEMORY_VARIABLE], os.environ[SECONDS_VARIABLE] = str(MEMORY / 2**30), str(SECONDS)
    counts: dict[str, Counter] = {kind: Counter() for kind in KINDS}
    generator = random.Random(seed)
    quick = Reader()
    # The one place of the project that writes files on its way: all of them are made up.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        contents = originals(folder, seed)
        for number in range(files):
            kind = KINDS[number % len(KINDS)]
            other = contents[generator.choice(KINDS)]
            path = folder / f"damaged.{kind}"
            path.write_bytes(damaged(contents[kind], other, generator))
            told = quick.read(asdict(Request(path=str(path), memory=MEMORY, seconds=SECONDS)))
            counts[kind][told] += 1
            if told in ("died", "stopped") or number % sampled == 0:
                try:
                    counts[kind][through_the_door(path)] += 1
                except Exception as error:  # noqa: BLE001  (anything else is what is looked for)
                    counts[kind]["FAULT"] += 1
                    print(f"fault at file {number} ({kind}, seed {seed}): {type(error).__name__}: {error}")
    quick.stop()
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--reader", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.reader:
        reader()
        return
    start = time.perf_counter()
    counts = certify(arguments.files, arguments.seed)
    for kind, counted in counts.items():
        print(f"{kind:8} {dict(sorted(counted.items()))}")
    total = sum(counts.values(), Counter())
    print(f"{'all':8} {dict(sorted(total.items()))}, {time.perf_counter() - start:.0f} s")
    sys.exit(1 if total["FAULT"] else 0)


if __name__ == "__main__":
    main()
