"""Markdown: every number is there, and no text becomes markup, whether HTML is allowed or not."""

from __future__ import annotations

import re
from collections import Counter
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from dyadline.report.compose import compose
from dyadline.report.document import Cell, Document, Paragraph, Section
from dyadline.report.formats import render
from dyadline.report.numbers import words
from dyadline.report.writers.characters import seen, spaced
from dyadline.report.writers.markdown import write_markdown
from dyadline.report.writers.markdown_text import markdown, markdown_code, markdown_heading, markdown_source
from report_blocks import HOSTILE, cells, hostile, one_of_each

GOLDEN = Path(__file__).parents[1] / "golden" / "report.md"
NUMBER = re.compile(r"[−-]?\d*[.,]?\d+")
RENDERERS = [MarkdownIt("commonmark", {"html": html}).enable(["table", "strikethrough"]) for html in (True, False)]

MARKS = st.text(st.sampled_from("\\`*_{}[]()#+-.!|~<>&$:;='\"/ 1aw\n\t"), max_size=30)


def written(document: Document) -> str:
    return write_markdown(document, figures={f.key: f"x/{f.key}.png" for f in document.figures()})


def shown(html: str) -> str:
    """What a reader sees."""
    return unescape(re.sub(r"<[^>]*>", "", html))


def test_marks_are_escaped_where_they_mean_something() -> None:
    assert markdown("a_b *c* `d` [e](f) x|y") == r"a\_b \*c\* \`d\` \[e\](f) x\|y"
    assert markdown("<b> p < .05, R&D &amp; &c") == r"\<b> p < .05, R\&D \&amp; \&c"
    assert markdown("1. one", start=True) == r"1\. one"
    assert markdown("- one", start=True) == r"\- one"
    assert markdown("1. one - two") == "1. one - two"
    assert markdown("http://a.b www.c.d") == r"http\://a.b www\.c.d"
    assert markdown_heading("C #") == r"C \#"
    assert markdown_code("a`b") == "``a`b``"
    assert markdown_source("```\nx") == "````text\n```\nx\n````"
    assert markdown("a\u202eb") == "aU+202Eb"


@pytest.mark.parametrize("renderer", RENDERERS)
@given(text=st.one_of(MARKS, st.text(max_size=30)))
@example(text="<script>alert(1)</script>")
@example(text="![x](http://example.invalid/x.png)")
def test_any_text_is_shown_as_it_stands(renderer: MarkdownIt, text: str) -> None:
    wanted = seen(spaced(text)).strip()
    for line, tag in ((markdown(text, start=True), "p"), (f"# {markdown_heading(text)}", "h1")):
        html = renderer.render(f"{line}\n")
        if wanted:
            assert html.startswith(f"<{tag}>")
            assert "<" not in html[len(tag) + 2 : -len(tag) - 4]
            assert shown(html).strip() == wanted


@given(text=MARKS)
def test_code_is_shown_as_it_stands(text: str) -> None:
    wanted = seen(spaced(text))
    if wanted:
        assert RENDERERS[0].render(f"x {markdown_code(text)}").startswith("<p>x <code>")
        assert shown(RENDERERS[0].render(f"x {markdown_code(text)}")).strip() == f"x {wanted}"


@given(parts=st.lists(MARKS, min_size=1, max_size=4))
def test_parts_do_not_join_to_markup(parts: list[str]) -> None:
    paragraph = Paragraph(heading="A.", parts=(*parts, Cell(value=(-1.0, 2.0), kind="interval"), *parts))
    document = Document(title="T", subtitle="S", sections=(Section(key="s", title="S", blocks=(paragraph,)),))
    for renderer in RENDERERS:
        html = renderer.render(written(document))
        tags = set(re.findall(r"</?([a-z0-9]+)", html))
        assert tags == {"h1", "h2", "p", "strong"}


def test_a_document_with_one_of_each_block_is_the_golden_one() -> None:
    assert write_markdown(one_of_each(), figures={"curve": "report-figures/curve.png"}) == GOLDEN.read_text("utf-8")


def test_tables_have_their_rows_and_columns() -> None:
    html = RENDERERS[1].render(written(one_of_each()))
    head, body = re.search(r"<thead>(.*?)</thead>\s*<tbody>(.*?)</tbody>", html, re.DOTALL).groups()  # type: ignore[union-attr]
    assert [shown(h) for h in re.findall(r"<th[^>]*>.*?</th>", head)][:4] == [
        "Effect",
        "Model 1: Est.",
        "Model 1: p",
        "Model 1: 95% CI",
    ]
    rows = [[shown(c) for c in re.findall(r"<td[^>]*>.*?</td>", row)] for row in body.split("</tr>")[:-1]]
    assert rows[1] == ["Intercept", "32.14", "< .001", "[30.08, 34.20]", "−0.500", ".626", "[−1.24, 0.24]"]
    assert "<strong>32.14</strong>" in body
    assert "<em>Fixed effects</em>" in body


def test_every_number_of_a_report_is_there(result: Any) -> None:
    document = compose(result)
    text = shown(RENDERERS[1].render(written(document)))
    said, wanted = Counter(NUMBER.findall(text)), Counter()
    for cell in cells(document):
        wanted.update(NUMBER.findall(words(cell)))
    assert len(wanted) > 200
    assert not wanted - said


@pytest.mark.parametrize("renderer", RENDERERS)
def test_hostile_text_is_shown_and_does_nothing(renderer: MarkdownIt) -> None:
    html = renderer.render(written(hostile()))
    tags = set(re.findall(r"</?([a-z0-9]+)", html))
    assert tags <= {
        *("h1", "h2", "h3", "p", "em", "strong", "code", "pre", "blockquote", "ul", "li"),
        *("table", "thead", "tbody", "tr", "th", "td", "img"),
    }
    assert html.count("<img") == 1
    assert 'src="x/f.png"' in html
    assert html.count("<table>") == len(HOSTILE) + 1
    text = " ".join(shown(html).split())
    for said in filter(None, map(spaced, HOSTILE)):
        assert text.count(seen(said)) > 10, said


def test_pictures_lie_where_the_text_looks_for_them() -> None:
    first, picture = render(one_of_each(), "md", stem="a (b)").items()
    assert first[0] == "a (b).md"
    assert picture[0] == "a (b)-figures/curve.png"
    assert picture[1].startswith(b"\x89PNG")
    assert 'src="a%20(b)-figures/curve.png"' in RENDERERS[0].render(first[1].decode()).replace("%28", "(").replace(
        "%29", ")"
    )
