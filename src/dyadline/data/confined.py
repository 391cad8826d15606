"""A file is parsed in a process of its own, with limited memory and time.

Readers of binary formats crash on damaged files, and a small file can unpack to many gigabytes. Where the system
cannot limit a process's memory (Windows), the time limit alone applies.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Event, Timer
from typing import IO

from dyadline.data import answer
from dyadline.data.number_text import Decimal
from dyadline.data.table import Table
from dyadline.errors import DataError, PlanError
from dyadline.words import counted

MEMORY, MEMORY_VARIABLE = 4 * 2**30, "DYADLINE_READ_MEMORY"
"""Bytes that parsing may take at least; the variable sets another limit, in GiB."""

MEMORY_PER_BYTE = 24
"""A larger file may take so many times its size, up to the machine's memory."""

SECONDS, SECONDS_VARIABLE = 120.0, "DYADLINE_READ_SECONDS"
"""Time that parsing may take at least; the variable sets another limit."""

BYTES_PER_SECOND = 2e6
"""A larger file may take as long as this rate needs."""

CHILD = ("-P", "-m", "dyadline.data.child")
"""Without -P a file polars.py in the working folder would be imported instead of the library."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is to be parsed.

    Attributes
    ----------
    path
        The file.
    memory
        Bytes that it may take.
    seconds
        Seconds that it may take.
    sheet, encoding, delimiter, decimal, columns
        As in `read_table`.
    """

    path: str
    memory: int
    seconds: float
    sheet: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    decimal: Decimal | None = None
    columns: tuple[str, ...] | None = None


def limits(size: int) -> tuple[int, float]:
    """Bytes and seconds that a file of so many bytes may take.

    Raises
    ------
    PlanError
        If a variable of the environment is no positive number.
    """
    memory = max(MEMORY, min(MEMORY_PER_BYTE * size, _machine_memory()))
    seconds = max(SECONDS, size / BYTES_PER_SECOND)
    gigabytes = _set_by_user(MEMORY_VARIABLE)
    return (
        memory if gigabytes is None else int(gigabytes * 2**30),
        seconds if (wanted := _set_by_user(SECONDS_VARIABLE)) is None else wanted,
    )


def _set_by_user(variable: str) -> float | None:
    text = os.environ.get(variable, "").strip()
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < 1e6:
        raise PlanError(f"{variable} is a positive number, not {text!r}", way_out="Set it to another, or unset it")
    return number


def _machine_memory() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # Windows
        return MEMORY


def parsed(request: Request) -> Table:
    """The file as a table, parsed in a process of its own.

    Raises
    ------
    DataError
        If it cannot be read, or takes too much memory or time.
    """
    late = Event()
    try:
        process = subprocess.Popen(
            [sys.executable or "python", *CHILD],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # a traceback could show data
            env=_environment(),
        )
    except (OSError, ValueError) as error:
        raise DataError(
            f"No process could be started to read {Path(request.path).name!r}: {error}",
            way_out=f"Check that {sys.executable or 'Python'} can be run, or hand in a frame",
        ) from None

    def stop() -> None:
        late.set()
        process.kill()

    assert process.stdin is not None and process.stdout is not None
    timer = Timer(request.seconds, stop)
    timer.daemon = True
    try:
        timer.start()
        # A process that has died already takes no request; that no answer comes says so.
        with suppress(OSError), process.stdin as stdin:
            stdin.write(json.dumps(asdict(request)).encode())
        table = _answer(process.stdout)
        if table is not None and process.wait() == 0:
            return table
    finally:
        timer.cancel()
        process.kill()
        process.stdout.close()
        process.wait()
    raise _too_long(request) if late.is_set() else _broken(request)


def _environment() -> dict[str, str]:
    """Ours, with the places where this process finds its modules and one thread for linear algebra."""
    places = [place for place in sys.path if place] + [str(Path(__file__).parents[2])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(places), "OPENBLAS_NUM_THREADS": "1"}


def _answer(stream: IO[bytes]) -> Table | None:
    """What came back, or None if that is no whole answer; errors as `parsed` has them."""
    try:
        return answer.received(stream)
    except ValueError:
        return None


def _too_long(request: Request) -> DataError:
    return DataError(
        f"Reading the file {Path(request.path).name!r} took longer than {request.seconds:g} seconds and was stopped",
        way_out=f"It may be damaged: save it again, or as .csv; {SECONDS_VARIABLE} in the environment sets another "
        "limit, in seconds",
    )


def _broken(request: Request) -> DataError:
    return DataError(
        f"The file {Path(request.path).name!r} cannot be read: it is damaged or no such file, or it needs more than "
        f"{request.memory / 2**30:.3g} GiB of memory",
        way_out=f"Save it again with the program that made it, or as .csv; {MEMORY_VARIABLE} in the environment sets "
        "another limit, in GiB",
    )


def too_large(name: str, rows: int, columns: int, memory: int) -> DataError:
    """The refusal of a file that says itself that it does not fit."""
    return DataError(
        f"The file {name!r} says that it has {counted(rows, 'row')} and {counted(columns, 'column')}, which do not "
        f"fit into {memory / 2**30:.3g} GiB of memory",
        way_out=f"Keep the columns that are needed; {MEMORY_VARIABLE} in the environment sets another limit, in GiB",
    )
