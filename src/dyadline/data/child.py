"""The process that parses one file: it limits itself, reads what is asked for, and answers on its standard output."""

from __future__ import annotations

import json
import os
import sys
from importlib import import_module
from pathlib import Path

from dyadline.data import answer
from dyadline.data.confined import Request
from dyadline.data.projection import projected
from dyadline.data.table import Table
from dyadline.errors import DyadlineError

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

READERS = {
    ".csv": "delimited",
    ".tsv": "delimited",
    ".txt": "delimited",
    ".parquet": "parquet",
    ".sav": "labelled",
    ".zsav": "labelled",
    ".dta": "labelled",
    ".xlsx": "spreadsheet",
    ".xlsm": "spreadsheet",
    ".ods": "spreadsheet",
}
"""Which module reads a kind of file; no other is imported."""


def limit(memory: int, seconds: float) -> None:
    """From now on: so much memory, so much computing time, no file written and no core dumped."""
    if resource is None:
        return
    busy = int(seconds + 1) * (os.cpu_count() or 1)
    for kind, most in (("DATA", memory), ("CPU", busy), ("FSIZE", 0), ("CORE", 0)):
        number = getattr(resource, f"RLIMIT_{kind}")
        hard = resource.getrlimit(number)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(number, (most, most))


def parse(request: Request) -> Table:
    """The file as a table, with the columns that are asked for.

    Raises
    ------
    DyadlineError
        If it cannot be read, or lacks a column.
    """
    reader = import_module(f"dyadline.data.{READERS[Path(request.path).suffix.lower()]}")
    table: Table = reader.read(request)
    return projected(table, request.columns)


def main() -> None:
    request = Request(**json.loads(sys.stdin.buffer.read()))
    # What a library prints must not mix with the answer.
    own = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    reader = READERS[Path(request.path).suffix.lower()]
    import_module(f"dyadline.data.{reader}")
    limit(request.memory, request.seconds)
    with os.fdopen(own, "wb") as stream:
        try:
            table = parse(request)
        except DyadlineError as error:
            answer.send_error(error, stream)
        else:
            answer.send(table, stream)


if __name__ == "__main__":
    main()
