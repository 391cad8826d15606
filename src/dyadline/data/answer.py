"""How a table, or the sentence instead of it, travels from the reading process to ours.

A length of eight bytes, a head in JSON (labels, declared codes, findings, or an error's parts) and the frame as Arrow
IPC stream. Whole numbers travel in the narrowest type that holds them: a pipe is slower than a cast.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import IO, Any

import polars as pl

from dyadline.data.table import Declared, Table
from dyadline.errors import DataError, DyadlineError, Finding

LENGTH = 8
"""Bytes that say how long the head is."""

LONGEST = 2**28
"""Bytes of a head that are believed."""


def send(table: Table, stream: IO[bytes]) -> None:
    """Write a table."""
    whole = [column.name for column in table.frame if column.dtype == pl.Int64]
    head = {
        "source": table.source,
        "rows": table.frame.height,
        "whole": whole,
        "labels": dict(table.labels),
        "value_labels": {column: list(labels.items()) for column, labels in table.value_labels.items()},
        "declared": {column: asdict(declared) for column, declared in table.declared.items()},
        "findings": [asdict(finding) for finding in table.findings],
    }
    _send_head(head, stream)
    table.frame.with_columns(table.frame[name].shrink_dtype() for name in whole).write_ipc_stream(stream)


def send_error(error: DyadlineError, stream: IO[bytes]) -> None:
    """Write an error's three parts."""
    _send_head({"error": {"what": error.what, "where": error.where, "way_out": error.way_out}}, stream)


def _send_head(head: dict[str, Any], stream: IO[bytes]) -> None:
    content = json.dumps(head).encode()
    stream.write(len(content).to_bytes(LENGTH, "little"))
    stream.write(content)
    stream.flush()


def received(stream: IO[bytes]) -> Table:
    """The table that was sent.

    Raises
    ------
    DataError
        The error that was sent.
    ValueError
        If it is no whole answer; every part is looked at, because the sender has met a file from anywhere.
    """
    length = int.from_bytes(stream.read(LENGTH), "little")
    content = stream.read(length) if 0 < length <= LONGEST else b""
    try:
        head = json.loads(content)
        if "error" in head:
            parts = {part: _text(words) for part, words in head["error"].items()}
            raise DataError(parts["what"], where=parts["where"], way_out=parts["way_out"])
        frame = pl.read_ipc_stream(stream.read())
        if frame.height != head["rows"]:  # a stream that was cut off may look like a shorter one
            raise ValueError("rows are missing")
        return Table(
            frame=frame.cast(dict.fromkeys(head["whole"], pl.Int64)),
            source=_text(head["source"]),
            labels={column: _text(label) for column, label in head["labels"].items()},
            value_labels={
                column: {_value(value): _text(label) for value, label in labels}
                for column, labels in head["value_labels"].items()
            },
            declared={column: _declared(declared) for column, declared in head["declared"].items()},
            findings=tuple(Finding(**{**parts, "rows": tuple(parts["rows"])}) for parts in head["findings"]),
        )
    except (AttributeError, KeyError, TypeError, RecursionError, OSError, pl.exceptions.PolarsError) as error:
        raise ValueError("no answer") from error


def _declared(parts: dict[str, Any]) -> Declared:
    return Declared(
        codes=tuple(_value(code) for code in parts["codes"]),
        ranges=tuple((float(low), float(high)) for low, high in parts["ranges"]),
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value


def _value(value: object) -> float | str:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TypeError("neither a number nor a text")
    return value
