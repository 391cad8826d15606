"""What a reader of each format sees, as text: cells, lines and paragraphs apart, inline markup gone."""

from __future__ import annotations

import io
import re
from html import unescape
from html.parser import HTMLParser

_COMMANDS = {
    r"\textbackslash{}": "\\",
    r"\textasciitilde{}": "~",
    r"\textasciicircum{}": "^",
    r"\textless{}": "<",
    r"\textgreater{}": ">",
    r"\textbar{}": "|",
    r"\textquotedbl{}": '"',
    r"\textasciigrave{}": "`",
    r"\textquotesingle{}": "'",
    r"\kern0pt": "",
    r"\allowbreak{}": "",
    "{[}": "[",
    "{]}": "]",
    "~": "\u00a0",
    **{f"\\{c}": c for c in "{}$&#_%"},
}
_ANY = re.compile("|".join(re.escape(command) for command in sorted(_COMMANDS, key=len, reverse=True)))


def unescaped(written: str) -> str:
    """Text as LaTeX prints it, for the characters that keyboards have."""
    return _ANY.sub(lambda match: _COMMANDS[match[0]], written)


def latex_words(source: str) -> str:
    """A whole source without what only aligns or sets bold."""
    plain = re.sub(r"\\dybold\{([^}]*)\}\{([^}]*)\}", r"\1\2", re.sub(r"\\phantom\{[^}]*\}", "", source))
    return unescaped(plain).replace("\u00a0", " ")


class _Page(HTMLParser):
    INLINE = frozenset(("a", "abbr", "b", "code", "em", "i", "span", "strong", "sub", "sup"))

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.silent = 0

    def handle_starttag(self, tag, attrs):
        self.silent += tag in ("script", "style")
        self.parts.append("" if tag in self.INLINE else "\n")

    def handle_endtag(self, tag):
        self.silent -= tag in ("script", "style")
        self.parts.append("" if tag in self.INLINE else "\n")

    def handle_data(self, data):
        self.parts += [] if self.silent else [data]


def html_words(page: str) -> str:
    """Text of a page."""
    read = _Page()
    read.feed(page)
    return "".join(read.parts)


def docx_words(content: bytes) -> str:
    """Text of the body, tables included, a paragraph a line."""
    import docx
    from docx.oxml.ns import qn

    body = docx.Document(io.BytesIO(content)).element.body
    paragraphs = body.iter(qn("w:p"))
    return "\n".join("".join(node.text or "" for node in p.iter(qn("w:t"))) for p in paragraphs)


def pdf_words(content: bytes) -> str:
    """Text of all pages; marks without width left out."""
    import pypdf

    pages = pypdf.PdfReader(io.BytesIO(content)).pages
    return re.sub("[\u200b\u2066\u2069]", "", "\n".join(page.extract_text() for page in pages))


def markdown_words(text: str) -> str:
    """Text as GitHub shows it."""
    from markdown_it import MarkdownIt

    return unescape(re.sub(r"<[^>]*>", "", MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(text)))
