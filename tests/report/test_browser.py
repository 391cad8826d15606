"""The page in a browser: nothing is loaded, nothing of the data runs, everyone can read it, figures answer."""

from __future__ import annotations

import io
import math
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import dyadline as dl
from dyadline.report.compose import compose
from dyadline.report.document import Cell
from dyadline.report.figures.axes import INK, PATIENT, THERAPIST
from dyadline.report.numbers import words
from dyadline.report.writers.html import write_html
from dyadline.studies.twins import twin_file, twin_plan
from hostile_study import hostile_result
from linked_figures import EVIL_ATTRIBUTE, LONG, hostile_document, linked_document, number_figure

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this system")

Opened = Callable[..., Any]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory) -> dict[str, Path]:
    plan = twin_plan("study1")
    study = compose(dl.run(plan, pl.read_csv(twin_file("study1", ".csv"))))
    names = compose(hostile_result(), individual=True)
    documents = {"study1": study, "linked": linked_document(), "hostile": hostile_document(), "names": names}
    folder = tmp_path_factory.mktemp("pages")
    for name, document in documents.items():
        (folder / f"{name}.html").write_text(write_html(document), encoding="utf-8")
    return {name: folder / f"{name}.html" for name in documents}


@pytest.fixture
def opened(browser) -> Opened:
    """Opens a file and fails at the end if anything was asked of the network, complained of or refused."""

    @contextmanager
    def at(path: Path, *, width: int = 1280, **options: Any) -> Iterator[Any]:
        context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        context.set_default_timeout(10_000)
        page, said = context.new_page(), []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: request.url.startswith("file:") or said.append(request.url))
        page.goto(path.as_uri())
        yield page
        assert said == []
        context.close()

    return at


def enliven(page: Any) -> None:
    """Brings every figure to life."""
    page.evaluate("document.querySelectorAll('.drawing').forEach(d => d.dispatchEvent(new Event('pointerenter')))")
    page.wait_for_function("document.querySelectorAll('figure:not(.live)').length === 0")


def sideways(page: Any) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth > innerWidth"))


@pytest.mark.parametrize(
    ("width", "scheme", "rules"),
    [
        (1280, "light", None),
        (1280, "dark", ["color-contrast", "link-in-text-block"]),  # what the colours can change
        (390, "light", ["scrollable-region-focusable", "target-size", "meta-viewport"]),
    ],
)
def test_everyone_can_read_the_report(opened, pages, width, scheme, rules):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed").Axe()
    with opened(pages["study1"], width=width, color_scheme=scheme) as page:
        enliven(page)
        page.evaluate("document.querySelectorAll('details').forEach(d => (d.open = true))")
        assert not sideways(page)
        # Drawings are hidden from assistive technology, and much is made alike: hundreds of each only take time.
        alike = (
            "figure svg > *, tbody tr:nth-child(n+4), tbody ~ tbody ~ tbody, .equation ~ .equation, li ~ li ~ li ~ li"
        )
        page.evaluate("alike => document.querySelectorAll(alike).forEach(e => e.remove())", alike)
        page.evaluate("document.querySelectorAll('pre').forEach(p => (p.textContent = p.textContent.slice(0, 99)))")
        options = {"runOnly": rules} if rules else None
        found = axe.run(page, options=options).response["violations"]
        assert [(v["id"], [n["html"][:200] for n in v["nodes"]]) for v in found] == []


@pytest.mark.parametrize(
    ("name", "width"), [("hostile", 390), ("hostile", 1280), ("hostile", 1600), ("names", 390), ("names", 1280)]
)
def test_long_names_do_not_widen_the_page(opened, pages, name, width):
    with opened(pages[name], width=width) as page:
        enliven(page)
        assert page.evaluate("window.hit") is None
        assert not sideways(page)
        lost = page.evaluate(
            "[...document.querySelectorAll('main *')].filter(e => !e.closest('.scroll, .unseen') && "
            "e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 80))"
        )
        assert lost == []


def test_names_do_not_run(opened, pages):
    with opened(pages["hostile"]) as page:
        enliven(page)
        page.locator(".drawing").focus()
        page.wait_for_timeout(300)  # scrolling to it ends, which would hide what is told
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Enter")
        assert page.locator("#dyad").input_value() != ""
        assert page.evaluate("window.hit") is None
        assert page.locator(".tip:visible").count() == 1
        assert page.title() == LONG
        assert page.locator("main p > b").first.text_content().startswith("</script>")
        assert page.locator("figcaption").text_content() == f"Figure 1. {EVIL_ATTRIBUTE}"


def test_the_policy_refuses_every_other_script(browser, pages, tmp_path):
    page_text = pages["linked"].read_text(encoding="utf-8")
    bad = page_text.replace("</main>", "<script>window.hit = 1</script><img src=x onerror='window.hit = 1'></main>")
    (tmp_path / "bad.html").write_text(bad, encoding="utf-8")
    page = browser.new_page()
    page.goto((tmp_path / "bad.html").as_uri())
    assert page.evaluate("window.hit") is None
    assert page.evaluate("document.getElementById('controls').hidden") is False
    page.close()


def test_the_page_is_whole_without_its_script(opened, pages):
    with opened(pages["study1"], java_script_enabled=False) as page:
        drawings = page.locator("figure svg")
        assert drawings.count() == page.locator("figure").count() > 4
        assert all(box["width"] > 300 and box["height"] > 100 for box in (d.bounding_box() for d in drawings.all()))
        assert not page.locator("#controls").is_visible()


def test_a_point_tells_its_numbers(opened, pages):
    with opened(pages["linked"]) as page:
        enliven(page)
        # The third row of the first dyad of the first figure: x = 3, y = 0.5 * 3.
        symbol = page.locator("figure").first.locator(".mark-symbol path").nth(2)
        box = symbol.bounding_box()
        page.mouse.move(box["x"] + box["width"] / 2 + 2, box["y"] + box["height"] / 2 - 2)
        page.wait_for_selector(".tip:visible")
        assert page.locator(".tip > div").all_text_contents() == ["Dyad D001", "Session 3", "Rating first 1.50"]
        ring = page.locator("figure").first.locator(".ring").bounding_box()
        for side, size in (("x", "width"), ("y", "height")):
            assert ring[side] + ring[size] / 2 == pytest.approx(box[side] + box[size] / 2, abs=1)
        page.mouse.move(2, 2)
        page.wait_for_selector(".tip", state="hidden")


def test_tooltips_write_numbers_as_the_report_does(opened, tmp_path):
    # Halves, ends of every rule, and what rounding turns into zero or one.
    numbers = [0.0, -0.001, 0.0004, 0.0005, 0.032, 0.125, 0.375, 0.5, 0.9996, 0.99949, 1.0, 1.005, 2.5, -2.125, 3.25]
    numbers += [99.95, 100.5, 1234.5, -1089.0, 9999999.0, 12345678.9, -4e11, math.pi]
    formats = {"whole": ".0f", "one": ",.1f", "two": ".2f", "count": ",d"}
    kinds = {
        "whole": {"decimals": 0}, "one": {"decimals": 1}, "two": {"decimals": 2}, "count": {"kind": "count"},
        "p": {"kind": "p"}, "occasion": {"kind": "occasion"},
    }  # fmt: skip
    tooltip = [
        {"field": name, "title": f"as {name}", "type": "quantitative", "format": formats.get(name, "~g")}
        for name in kinds
    ]
    tooltip.append({"field": "place", "title": "row", "type": "quantitative"})
    rows = [{**dict.fromkeys(kinds, value), "occasion": round(value)} for value in numbers]
    path = tmp_path / "numbers.html"
    path.write_text(write_html(linked_document(number_figure(rows, tooltip))), encoding="utf-8")
    with opened(path) as page:
        enliven(page)
        page.locator(".drawing").last.focus()
        before = ""
        for place, row in enumerate(rows):
            page.keyboard.press("ArrowRight")
            page.wait_for_function("before => document.getElementById('status').textContent !== before", arg=before)
            expected = [f"as {name} {words(Cell(value=row[name], **about))}" for name, about in kinds.items()]
            expected.append(f"row {place}")
            assert page.locator(".tip > div").all_text_contents() == expected
            before = page.locator("#status").text_content()


def heavy_lines(page: Any) -> list[list[int]]:
    """Which lines of each figure are highlighted."""
    return page.evaluate(
        "[...document.querySelectorAll('figure')].map(f => [...f.querySelectorAll('.mark-line path')]"
        ".flatMap((p, i) => p.getAttribute('stroke-width') === '4' ? [i] : []))"
    )


def test_a_dyad_is_highlighted_in_all_figures(opened, pages):
    with opened(pages["linked"]) as page:
        enliven(page)
        assert heavy_lines(page) == [[], []]
        page.get_by_label("Highlight dyad").select_option("D002")
        page.wait_for_function("document.querySelectorAll(\".mark-line path[stroke-width='4']\").length === 2")
        assert heavy_lines(page) == [[1], [1]]
        assert page.locator("#status").text_content() == "D002 is highlighted."
        page.keyboard.press("Escape")
        page.wait_for_function("document.querySelectorAll(\".mark-line path[stroke-width='4']\").length === 0")
        assert page.locator("#dyad").input_value() == ""


def test_a_click_on_a_line_chooses_its_dyad_until_escape(opened, pages):
    with opened(pages["linked"]) as page:
        enliven(page)
        box = page.locator("figure").first.locator(".mark-symbol path").nth(9).bounding_box()
        page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.mouse.move(2, 2)
        page.wait_for_function("document.getElementById('dyad').value === 'D003'")
        page.wait_for_function("document.querySelectorAll(\".mark-line path[stroke-width='4']\").length === 2")
        assert heavy_lines(page) == [[2], [2]]


def test_light_and_dark(opened, pages):
    with opened(pages["linked"], color_scheme="dark") as page:
        button = page.get_by_role("button", name="Dark")
        assert button.get_attribute("aria-pressed") == "true"
        background = "getComputedStyle(document.documentElement).backgroundColor"
        assert page.evaluate(background) == "rgb(20, 20, 20)"
        button.click()
        assert button.get_attribute("aria-pressed") == "false"
        assert page.evaluate(background) == "rgb(255, 255, 255)"
        button.click()
        page.emulate_media(media="print", color_scheme="dark")
        assert page.evaluate(background) == "rgb(255, 255, 255)"
        assert not page.locator("#controls").is_visible()
        assert page.evaluate("getComputedStyle(document.querySelector('figure svg')).filter") == "none"


def test_colours_can_be_told_from_the_page_in_the_dark(opened, pages):
    with opened(pages["linked"], color_scheme="dark") as page:
        turned = page.evaluate("getComputedStyle(document.querySelector('figure svg')).filter")
    assert turned == "invert(0.92) hue-rotate(180deg)"
    # Filter Effects Module Level 1, 8.6: hueRotate of 180 degrees.
    r, g, b = np.array([0.213, 0.715, 0.072])
    turn = 2 * np.array([[r, g, b]] * 3) - np.eye(3)

    def luminance(colour: np.ndarray) -> float:
        linear = np.where(colour <= 0.04045, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    for name in (PATIENT, THERAPIST, INK):
        colour = np.array([int(name[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        dark = np.clip(turn @ (0.92 * (1 - colour) + 0.08 * colour), 0, 1)
        assert 1.05 / (luminance(colour) + 0.05) >= 3, name
        assert (luminance(dark) + 0.05) / (luminance(np.full(3, 20 / 255)) + 0.05) >= 3, name


def test_print_has_what_is_folded_away(opened, pages):
    pypdf = pytest.importorskip("pypdf", reason="pypdf is not installed")
    with opened(pages["study1"]) as page:
        made = page.pdf(prefer_css_page_size=True)
    sheets = pypdf.PdfReader(io.BytesIO(made)).pages
    text = re.sub(r"\s+", " ", " ".join(sheet.extract_text() for sheet in sheets))
    assert "[columns]" in text
    assert "Highlight dyad" not in text
    assert "syntax/model_3.R" in text
    assert "lmerTest" not in text  # stands in that file, and fills ten pages
    assert sum(sheet.mediabox.width > sheet.mediabox.height for sheet in sheets) == 1  # the table of the models
