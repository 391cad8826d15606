"""Bytes become UTF-8 text: which encoding a file has, and what says so."""

from __future__ import annotations

from dyadline.errors import DataError, Finding

WINDOWS = "cp1252"
"""What Excel and older SPSS write in Western Europe: taken where text is not UTF-8."""

_MARKS = {b"\xef\xbb\xbf": "utf-8", b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}


def utf8_text(data: bytes, name: str, encoding: str | None = None) -> tuple[bytes, tuple[Finding, ...]]:
    """The same text in UTF-8, without byte-order mark, with plain line ends and no empty lines before the header.

    UTF-8, UTF-8 and UTF-16 with a byte-order mark are recognised; other text is taken for Windows-1252, with a
    finding that says so.

    Parameters
    ----------
    data
        Content of the file.
    name
        Name of the file, for sentences.
    encoding
        Encoding that the user named.

    Raises
    ------
    DataError
        If it is empty or no text in this encoding.
    """
    if data.startswith(b"PK\x03\x04"):
        raise DataError(
            f"The file {name!r} is a spreadsheet or an archive under another name, not text",
            way_out="Open it in a spreadsheet program and save it as 'CSV UTF-8'",
        )
    mark, marked = next(((m, e) for m, e in _MARKS.items() if data.startswith(m)), (b"", ""))
    data = data.removeprefix(mark)
    findings: tuple[Finding, ...] = ()
    if encoding or marked.startswith("utf-16"):
        data = _recoded(data, name, marked or encoding or "")
    elif not data.isascii() and not _is_utf8(data):
        place = next(at for at, byte in enumerate(data) if byte > 127)
        data = _recoded(data, name, WINDOWS)
        line = data.count(b"\n", 0, place) + 1
        findings = (
            Finding(
                code="encoding",
                level="note",
                words=f"{name!r} is not UTF-8 and was read as Windows-1252; its first character that is not a plain "
                f"one is in line {line}.",
                way_out='If letters look wrong, name the encoding: encoding = "..." under [data].',
            ),
        )
    _refuse_binary(data, name)
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n")
        if b"\n" not in data:
            data = data.replace(b"\r", b"\n")
    data = data.lstrip(b"\n")
    if not data.strip():
        raise DataError(f"The file {name!r} is empty", way_out="Export it again with its data")
    return data, findings


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _recoded(data: bytes, name: str, encoding: str) -> bytes:
    try:
        return data.decode(encoding).removeprefix("\ufeff").encode("utf-8")
    except UnicodeError as error:
        # Codecs of several bytes say where they stopped, most others do, too.
        start = error.start if isinstance(error, UnicodeDecodeError) else 0
        line = data.count(b"\n", 0, start) + 1
    called = "UTF-8 or Windows-1252" if encoding == WINDOWS else encoding
    raise DataError(
        f"The file {name!r} is not text in {called}",
        where=f"first seen in line {line}",
        way_out='Name its encoding: encoding = "..." under [data]; or save it as UTF-8 '
        "(in Excel: 'CSV UTF-8'; in SPSS: /ENCODING='UTF8')",
    )


def _refuse_binary(data: bytes, name: str) -> None:
    problem = data.find(b"\0")
    if problem >= 0:
        raise DataError(
            f"The file {name!r} is not text",
            where=f"first seen in line {data.count(bytes([10]), 0, problem) + 1}",
            way_out="Save it as UTF-8 (in Excel: 'CSV UTF-8'; in SPSS: /ENCODING='UTF8')",
        )
