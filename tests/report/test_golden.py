"""A document with one of each block in HTML, Word and PDF is as it was last looked at.

LaTeX and Markdown have tests of their own.
PYTHONPATH=tests python tests/report/test_golden.py writes the files anew: look at what changed before it is committed.
"""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path

import pytest

from dyadline.report.formats import render
from read_back import pdf_words
from report_blocks import one_of_each

GOLDEN = Path(__file__).parents[1] / "golden"


def html() -> str:
    """The body of the page without drawings and scripts, which belong to other programs."""
    page = render(one_of_each(), "html")["report.html"].decode()
    body = page[page.index("<body") : page.index("</body>")]
    body = re.sub(r"<svg .*?</svg>", "<svg/>", body, flags=re.DOTALL)
    return re.sub(r"<script.*?</script>", "<script/>", body, flags=re.DOTALL)


def docx() -> str:
    """The body of the Word file, a line per paragraph."""
    with zipfile.ZipFile(io.BytesIO(render(one_of_each(), "docx")["report.docx"])) as file:
        return file.read("word/document.xml").decode().replace("</w:p>", "</w:p>\n")


def pdf() -> str:
    """The words of the PDF in the order of reading."""
    return pdf_words(render(one_of_each(), "pdf")["report.pdf"])


FORMATS = {"html": html, "docx.xml": docx, "pdf.txt": pdf}


@pytest.mark.parametrize("name", FORMATS)
def test_a_document_with_one_of_each_block_is_the_golden_one(name: str) -> None:
    written = FORMATS[name]()
    assert written.splitlines() == (GOLDEN / f"report.{name}").read_text(encoding="utf-8").splitlines()


if __name__ == "__main__":
    for name, make in FORMATS.items():
        (GOLDEN / f"report.{name}").write_text(make(), encoding="utf-8")
