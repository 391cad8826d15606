"""LaTeX: every number is there, nothing in a text is a command, and three engines set it without complaint."""

from __future__ import annotations

import re
import shutil
import subprocess
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dyadline.report.compose import compose
from dyadline.report.document import Document
from dyadline.report.formats import render
from dyadline.report.numbers import words
from dyadline.report.writers.characters import spaced
from dyadline.report.writers.latex import write_latex
from dyadline.report.writers.latex_text import latex, latex_code, latex_path
from read_back import latex_words, unescaped
from report_blocks import HOSTILE, cells, hostile, one_of_each

GOLDEN = Path(__file__).parents[1] / "golden" / "report.tex"
ENGINES = ("pdflatex", "lualatex", "xelatex")
NUMBER = re.compile(r"[−-]?\d*[.,]?\d+")


def test_what_keyboards_write_is_written_by_hand_so() -> None:
    assert latex(r"\input{a}") == r"\textbackslash{}input\{a\}"
    assert latex("50% & #1 _x_ $y$") == r"50\% \& \#1 \_x\_ \$y\$"
    assert latex("a--b ~ ^ <x> |") == (
        r"a-\kern0pt-b \textasciitilde{} \textasciicircum{} \textless{}x\textgreater{} \textbar{}"
    )
    assert (
        latex("χ̄² ≤ ∞, −.25–.30")
        == r"\ensuremath{\bar{\chi}}\textsuperscript{2} \ensuremath{\leq} \ensuremath{\infty}, −.25–.30"
    )
    assert latex("≠ ±") == r"\ensuremath{\neq} ±"
    assert latex("Ж") == r"\dychar{Ж}{U+0416}"
    assert latex("של א") == r"\dyright{של א}{U+05E9 U+05DC \quad U+05D0}"
    assert latex("a\u202eb\x07") == r"a\dychar{}{U+202E}b\dychar{}{U+0007}"
    assert latex_code("a  b'") == r"\texttt{a\ \ b\textquotesingle{}}"
    assert latex_path("my report_1%-figures/a.pdf") == r"my report\detokenize{_}1\dypercent -figures/a.pdf"


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60))
def test_text_comes_back_from_latex(text: str) -> None:
    written = latex(text)
    assert unescaped(written) == spaced(text).replace("'", "’")
    assert not re.search(r"(?<!\\)[$&#%^_~]", written.replace(r"\\", ""))


@given(st.text(max_size=30))
def test_any_text_leaves_braces_balanced_and_commands_known(text: str) -> None:
    written = latex(text)
    assert written.encode("utf-8").decode("utf-8") == written
    stripped = re.sub(r"\\[{}]", "", written)
    assert stripped.count("{") == stripped.count("}")
    known = "text|ensuremath|dychar|dyright|kern|allowbreak|mbox|quad|math|[A-Z]?[a-z]+|[`'^~=\"]|[{}$&#_%,-]"
    assert all(re.match(known, after) for after in re.findall(r"\\(.{1,12})", written))


def test_long_names_can_be_broken() -> None:
    assert latex("a" * 24).count(r"\allowbreak{}") == 2
    assert latex("baseline_depression_severity").startswith("baseline\\allowbreak{}\\_")
    assert r"\allowbreak" not in latex("Satterthwaite")


def test_a_document_with_one_of_each_block_is_the_golden_one(request: pytest.FixtureRequest) -> None:
    written = write_latex(one_of_each(), figures={"curve": "report-figures/curve.pdf"})
    assert written == GOLDEN.read_text(encoding="utf-8")


def test_a_figure_without_picture_is_an_error() -> None:
    with pytest.raises(KeyError):
        write_latex(one_of_each(), figures={})


def test_every_number_of_a_report_is_in_the_source(result: Any) -> None:
    document = compose(result)
    source = write_latex(document, figures={f.key: "x.pdf" for f in document.figures()})
    plain = latex_words(source)
    said, wanted = Counter(NUMBER.findall(plain)), Counter()
    for cell in cells(document):
        wanted.update(NUMBER.findall(words(cell).replace("\u00a0", " ")))
    assert len(wanted) > 200
    assert not wanted - said


def test_pictures_lie_where_the_source_looks_for_them() -> None:
    first, picture = render(one_of_each(), "tex", stem="a b").items()
    assert first[0] == "a b.tex"
    assert picture[0] == "a b-figures/curve.pdf"
    assert picture[1].startswith(b"%PDF")


def compiled(document: Document, engine: str, folder: Path, *, stem: str = "report", runs: int = 2) -> tuple[str, str]:
    """Log and text of the pages."""
    for tool in (engine, "pdftotext"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    source, *pictures = render(document, "tex", stem=stem).items()
    for name, content in (("out.tex", source[1]), *pictures):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
    for _ in range(runs):
        call = [engine, "-interaction=nonstopmode", "-halt-on-error", "out.tex"]
        done = subprocess.run(call, cwd=folder, capture_output=True, timeout=300, check=False)
        assert done.returncode == 0, done.stdout.decode(errors="replace")[-2000:]
    text = subprocess.run(["pdftotext", "out.pdf", "-"], cwd=folder, capture_output=True, timeout=60, check=True)
    return (folder / "out.log").read_text(errors="replace"), unicodedata.normalize("NFKC", text.stdout.decode())


def assert_clean(log: str) -> None:
    assert not re.findall(r"^!.*", log, re.MULTILINE)
    assert not re.findall(r"Missing character.*|undefined references|multiply.defined", log)
    assert [w for w in re.findall(r"Overfull \\hbox \((\d+\.\d+)pt", log) if float(w) > 5] == []


@pytest.mark.parametrize("engine", ENGINES)
def test_the_small_document_is_set(engine: str, tmp_path: Path) -> None:
    log, text = compiled(one_of_each(), engine, tmp_path, stem="my report_1 #2 100%")
    assert_clean(log)
    flat = " ".join(text.split())
    assert "As Table 1 in Section 1 says." in flat
    assert "see Figure 1." in flat
    for said in ("32.14", "< .001", "[30.08, 34.20]", "−0.500", ".626", "[−1.24, 0.24]", "1234.5", "= −0.89."):
        assert said in flat, said
    assert 'file = "a_b.csv"' in flat
    assert "(column x; rows 3, 5)" in flat


@pytest.mark.parametrize("engine", ENGINES)
def test_hostile_text_is_set_and_does_nothing(engine: str, tmp_path: Path) -> None:
    log, text = compiled(hostile(), engine, tmp_path)
    assert_clean(log)
    assert not (tmp_path / "PWNED").exists()
    assert "root:" not in text
    flat = "".join(text.split())
    for said in HOSTILE[:4]:
        assert "".join(said.split()).replace("'", "’") in flat, said
    foreign = "U+041FU+0440" if engine == "pdflatex" else "Привет"
    assert foreign in flat or "U+041FU+0440" in flat


def test_pages_of_a_report_have_every_number(result: Any, tmp_path: Path) -> None:
    document = compose(result)
    log, text = compiled(document, "pdflatex", tmp_path)
    assert_clean(log)
    said, wanted = Counter(NUMBER.findall(text)), Counter()
    for cell in cells(document):
        wanted.update(NUMBER.findall(unicodedata.normalize("NFKC", words(cell))))
    assert not wanted - said
    flat = " ".join(text.split())
    captions = {f"table-{t.key}": t.caption for t in document.tables()}
    for anchor, label in document.labels().items():
        if anchor in captions:
            assert f"{label} {captions[anchor]}".replace("'", "’") in flat
