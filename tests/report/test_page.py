"""The page: whole, self-contained, inert, and with every number of the tables."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import polars as pl
import pytest

from dyadline.errors import Finding
from dyadline.report.compose import compose
from dyadline.report.document import Document, Figure
from dyadline.report.numbers import count, decimals_for, freedom, interval, number, occasion, p_value
from dyadline.report.writers.html import write_html
from dyadline.report.writers.plotted import datasets

VOID = {"meta", "br", "hr", "img", "link", "input"}


class Page(HTMLParser):
    """Text of the page, its tags and attributes; unbalanced tags are errors."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.parts: list[str] = []
        self.raw: list[tuple[str, str]] = []
        self.feed(page)
        self.close()
        assert self.open == []

    @property
    def text(self) -> str:
        return "\n".join(self.parts)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("style", "script"):
            self.raw.append((self.open[-1], data))
        elif self.open:
            self.parts.append(data)


@pytest.fixture(scope="module")
def read(page) -> Page:
    return Page(page)


def test_order_of_the_sections(result):
    assert [s.key for s in compose(result).sections] == [
        "method",
        "results",
        "models",
        "findings",
        "ratings",
        "scores",
        "time",
        "data",
        "asked",
        "equations",
        "collinearity",
        "reproduce",
        "references",
        "checklists",
    ]


def test_every_number_of_the_models_is_on_the_page(result, read):
    words = set(read.parts)
    errors = result.tables["fixed_effects"].group_by("term").agg(pl.col("std_error"))
    decimals = {term: decimals_for(se) for term, se in errors.iter_rows()}
    for r in result.tables["fixed_effects"].to_dicts():
        d = decimals[r["term"]]
        expected = [number(r["estimate"], d), number(r["std_error"], d), freedom(r["df"]), p_value(r["p_value"])]
        assert {*expected, interval(r["conf_low"], r["conf_high"], d)} <= words, r["term"]
    for r in result.tables["random_effects"].to_dicts():
        assert {number(r["estimate"]), number(r["std_error"]), p_value(r["p_value"])} <= words
    for name in ("criteria", "criteria_common"):
        for r in result.tables[name].to_dicts():
            assert {number(r[k]) for k in ("criterion", "aic", "aicc", "caic", "bic")} <= words
            assert {count(r[k]) for k in ("n_parameters", "n", "n_rows", "n_dyads")} <= words


def test_every_number_of_the_study_is_on_the_page(result, read):
    words = set(read.parts)
    for r in result.tables["descriptives"].to_dicts():
        assert {occasion(r["time"]), count(r["n"]), number(r["mean"]), number(r["sd"])} <= words
    for r in result.tables["flow"].to_dicts():
        assert {count(r[k]) for k in ("dyads", "patient_rating", "therapist_rating", "outcome", "last_seen")} <= words
    for r in result.tables["time_shape"].to_dicts():
        assert {number(r["criterion"]), number(r["aic"])} <= words
    assert {"1.04", "1.29", "1.62", "1.6987", ".61", ".953", ".137", "< .001"} <= words


def test_the_main_result_in_words(read):
    text = re.sub(r"\s+", " ", "".join(read.parts))
    assert "b = −0.33, SE = 0.46, t(94.4) = −0.72, p = .484, 95% CI [−1.25, 0.58]" in text
    assert "was not significantly related to convergence" in text


def hashed(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def test_nothing_is_loaded_and_only_the_pages_own_scripts_run(page, read):
    tags = {tag for tag, _ in read.tags}
    assert not tags & {"link", "iframe", "object", "embed", "img", "base", "form"}
    for _, attributes in read.tags:
        assert "style" not in attributes
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("src", "href", "xlink:href"):
            assert (attributes.get(name) or "#").startswith("#")
    style = [text for tag, text in read.raw if tag == "style"]
    assert len(style) == 1
    assert "@import" not in style[0]
    assert not re.search(r"url\((?!#)", style[0])
    kinds = [a.get("type") for t, a in read.tags if t == "script"]
    written = [text for tag, text in read.raw if tag == "script"]
    run = [text for kind, text in zip(kinds, written, strict=True) if kind != "application/json"]
    assert len(run) == 3
    policy = next(a["content"] for t, a in read.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy == (
        f"default-src 'none'; style-src {hashed(style[0])}; script-src {' '.join(map(hashed, run))}; "
        "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'"
    )


def test_figures_come_with_what_draws_them_and_nothing_that_ends_its_element(result, read):
    kinds = [a.get("type") for t, a in read.tags if t == "script"]
    written = [text for tag, text in read.raw if tag == "script"]
    data = [text for kind, text in zip(kinds, written, strict=True) if kind == "application/json"]
    figures = list(compose(result).figures())
    assert len(data) == len(figures) > 4
    for text, figure in zip(data, figures, strict=True):
        assert not set(text) & set("<>&\u2028\u2029")
        spec = json.loads(text)["spec"]
        assert spec["$schema"].endswith("vega/v6.json")
        drawn = [rows_of(d["values"]) for d in spec["data"] if "values" in d]
        plotted = [[dict(row) for row in rows] for _, rows in datasets(figure.spec)]
        assert len(drawn) == len(plotted)
        assert all(rows in drawn for rows in plotted)


def rows_of(values):
    """Rows whose fields are all the same are written by column."""
    if isinstance(values, list):
        return values
    return [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]


def test_a_document_without_figures_has_no_vega():
    page = write_html(Document(title="Words", subtitle="", sections=()))
    assert len(page.encode()) < 40_000


def test_headings_anchors_and_descriptions(read):
    ids = [a["id"] for _, a in read.tags if a.get("id")]
    assert len(ids) == len(set(ids))
    anchors = [a["href"] for t, a in read.tags if t == "a" and a.get("href")]
    assert {a.removeprefix("#") for a in anchors} <= set(ids)
    assert [t for t, _ in read.tags].count("h1") == 1
    assert next(a for t, a in read.tags if t == "html")["lang"] == "en"
    svgs = [a for t, a in read.tags if t == "svg"]
    drawings = [a for _, a in read.tags if "drawing" in (a.get("class") or "")]
    assert len(svgs) == len(drawings) > 4
    assert all(a["aria-hidden"] == "true" for a in svgs)
    assert all(a["role"] == "img" and len(a["aria-label"]) > 20 for a in drawings)
    labelled = {a["aria-labelledby"] for t, a in read.tags if t in ("figure", "section")}
    assert labelled <= set(ids)
    assert all(a.get("scope") for t, a in read.tags if t == "th")


def test_no_dyad_is_named_anywhere(page):
    assert "SECRET" not in page


def test_names_from_data_and_plan_are_inert(result_maker, plan_maker):
    evil = "<script>alert(1)</script>"
    attribute = '"><img src=x onerror=alert(1)>'
    plan = plan_maker(time=evil, outcome=attribute, covariates=[f"{evil}{{}}_%"]).model_copy(update={"title": evil})
    finding = Finding(code="x", level="warning", words=evil, way_out=attribute, column=evil, dyad="SECRET", rows=(1, 2))
    made = result_maker(plan=plan, findings=(finding,))
    made.dataset.source = attribute
    made.dataset.names = {"outcome": evil, "patient_rating": attribute}
    page = write_html(compose(made))
    read = Page(page)
    assert "img" not in {tag for tag, _ in read.tags}
    assert all("alert(" not in text or "\\u003cscript" in text for tag, text in read.raw if tag == "script")
    assert not [n for _, attributes in read.tags for n in attributes if n.startswith("on")]
    assert evil in read.text


def test_synthetic_data_are_labelled_before_anything_else(result_maker):
    finding = Finding(code="synthetic-data", level="note", words="Drawn by a simulator.")
    page = write_html(compose(result_maker(findings=(finding,))))
    assert 0 < page.index('class="banner"') < page.index("<nav")
    assert "Synthetic data. Drawn by a simulator." in page


def test_data_that_are_not_synthetic_have_no_label(page):
    assert 'class="banner"' not in page


def test_warnings_come_before_notes(result_maker):
    findings = tuple(Finding(code=c, level=level, words=f"{c} words") for c, level in (("n", "note"), ("w", "warning")))
    page = write_html(compose(result_maker(findings=findings)))
    assert page.index("w words") < page.index("n words")
    assert "1 warning: see Findings" in page


def test_many_dyads_keep_the_page_small(result_maker):
    made = result_maker(dyads=600)
    assert len(write_html(compose(made)).encode()) < 1_000_000
    page = write_html(compose(made, individual=True))
    assert len(page.encode()) < 2_000_000
    assert "200 of the 600 dyads" in page


@pytest.mark.parametrize("growth", ["observed", "signed", "two occasions", "no transform", "models 1", "covariates"])
def test_other_plans(result_maker, plan_maker, growth):
    changes = {
        "observed": {"growth": "observed", "early_level": "first_rating"},
        "signed": {"discrepancy": "signed", "early_discrepancy": "none"},
        "no transform": {"transform": "none"},
    }.get(growth, {})
    plan = plan_maker(covariates=["age in years"] if growth == "covariates" else [])
    plan = plan.model_copy(update={"convergence": plan.convergence.model_copy(update=changes)})
    made = result_maker(plan=plan, occasions=2 if growth == "two occasions" else 14)
    if growth == "observed":
        made.scoring.curves = None
    if growth == "no transform":
        made.scoring.shift = None
        made.scores = made.scores.with_columns(convergence=pl.col("convergence_raw"))
    if growth == "models 1":
        made.fits = made.fits[:1]
        made.plan = plan.model_copy(update={"models": plan.models.model_copy(update={"run": (1,)})})
        made.tables = {
            name: t.filter(pl.col("model") == 1) if "model" in t.columns else t for name, t in made.tables.items()
        }
    Page(write_html(compose(made)))


def test_figures_hold_no_address_and_no_name(result):
    for section in compose(result).sections:
        for block in section.blocks:
            if isinstance(block, Figure):
                text = repr(block.spec)
                assert "SECRET" not in text
                assert "'url'" not in text


def test_the_same_result_gives_the_same_page(result, page):
    assert write_html(compose(result)) == page
