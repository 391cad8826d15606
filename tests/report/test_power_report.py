"""The report of a power study: what it says of hand-made results, in every format, and which figure answers what."""

from __future__ import annotations

import io
import re
import shutil
from collections import Counter
from dataclasses import replace
from functools import cache

import polars as pl
import pytest

import dyadline as dl
from dyadline.parallel.jobs import Failure
from dyadline.plan.truth_document import read_truth
from dyadline.publication import write_power
from dyadline.report.document import Reference
from dyadline.report.numbers import words
from dyadline.report.power import sentences
from dyadline.report.power.compose import power_document
from dyadline.report.power.grid import make_grid, thinned
from dyadline.report.power.names import label_of_test, short_names
from dyadline.report.power.tables import by_design, shown
from dyadline.report.power.terminal import power_table
from dyadline.report.writers import pictures
from dyadline.report.writers.html import write_html
from dyadline.report.writers.markdown import write_markdown
from every_number import cells, numbers, of_table, paragraphs, plain, quickly_drawn, read, spaced_anyhow
from linked_figures import EVIL, LONG, RIGHT_TO_LEFT
from power_studies import NAMES, SHORT, make_truth, power_result, rich_result
from power_words import flat, printed, said

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

GRIDS = {
    "one point": {},
    "five scores": {"scores": 5},
    "dyads": {"dyads": (60, 120, 200, 300)},
    "dyads and effects": {"dyads": (60, 120, 200, 300), "effect": (0.2, 0.3)},
    "dyads and sessions": {"dyads": (60, 120, 200), "sessions": (3, 8, 14)},
    "sessions": {"sessions": (3, 8, 14)},
    "drop-out": {"drop_out": (0.0, 0.15, 0.3)},
    "therapists": {"per_therapist": (None, 2.0, 5.0, 10.0)},
    "effects": {"effect": (0.1, 0.2, 0.3)},
}
FIGURES = {
    "one point": ["attenuation"],
    "five scores": ["scores", "attenuation"],
    "dyads": ["power-by-dyads", "attenuation"],
    "dyads and effects": ["power-by-dyads", "attenuation"],
    "dyads and sessions": ["power-by-dyads", "dyads-sessions", "attenuation"],
    "sessions": ["power-by-sessions", "attenuation"],
    "drop-out": ["power-by-drop-out", "attenuation"],
    "therapists": ["therapists", "attenuation"],
    "effects": ["power-by-effect", "attenuation"],
}
ODD = {
    "no search": {"searched": ""},
    "all failed": {"failed": 1000},
    "one replicate": {"replicates": 1},
    "no effect": {"effect": (0.0,)},
    "effect of the file": {"effect": (None,)},
    "interrupted": {"interrupted": True, "dyads": (60, 96)},
    "type I not asked for": {"nulls": False, "per_therapist": (None, 4.0)},
    "search without end": {"searched": "above"},
    "no main test": {"models": ((2, "convergence"),)},
}


def main_test(result) -> pl.DataFrame:
    return result.tests.filter((pl.col("model") == 3) & (pl.col("term") == "time:convergence"))


@cache
def texts(name: str):
    document = quickly_drawn(power_document(rich_result() if name == "rich" else power_result(failed=7)))
    return document, read(document)


@pytest.mark.parametrize("form", ["html", "docx", "pdf", "tex", "md"])
@pytest.mark.parametrize("name", ["one", "rich"])
def test_every_number_stands_in_every_format(name, form):
    document, made = texts(name)
    text, start, starts = made[form], 0, []
    tables = list(document.tables())
    for table in tables:
        found = spaced_anyhow(plain(table.caption)).search(text, start)
        assert found, table.caption
        start = found.end()
        starts.append(start)
    for table, begin, end in zip(tables, starts, [*starts[1:], len(text)], strict=True):
        missing = of_table(table) - numbers(text[begin:end])
        assert not missing, (table.key, missing)
    in_words = sum((numbers(plain(words(c))) for p in paragraphs(document) for c in cells(p.parts)), Counter())
    assert in_words.total() > 25
    assert not in_words - numbers(text)


@pytest.mark.parametrize("name", GRIDS)
def test_each_question_has_one_table_and_one_figure_where_the_grid_allows_it(name):
    document = power_document(power_result(**GRIDS[name]))
    assert [f.key for f in document.figures()] == FIGURES[name]
    for figure in document.figures():
        assert figure.alt and figure.caption and not figure.individual
        assert pictures.svg(figure).startswith("<svg")
    questions = [s for s in document.sections if s.key == "questions"]
    asked = [f for f in FIGURES[name] if f != "attenuation"]
    assert bool(questions) == bool(asked)
    kinds = [type(b).__name__ for s in questions for b in s.blocks]
    assert kinds.count("Table") == kinds.count("Figure") == kinds.count("Heading") == len(asked)


def test_the_main_result_in_a_sentence():
    result = power_result()
    (row,) = main_test(result).to_dicts()
    document = power_document(result)
    text = flat(document.summary)
    power, low, high = (f"{100 * row[k]:.0f}" for k in ("power", "power_low", "power_high"))
    assert text.startswith(
        f"With 96 dyads rated at 14 sessions, a true effect of β = .30 would be found in {power}% [{low}, {high}] of "
        "studies by the test of Convergence × Time in Model 3; for 80% it takes 300 [288, 314] dyads."
    )
    assert f"on average {100 * row['attenuation']:.0f}% [" in text
    assert f"without that error power would be {100 * row['power_error_free']:.0f}%" in text
    assert (
        "no effect, the test is significant in 5.2% [4.0, 6.8] of studies: within Monte-Carlo error of the nominal 5%"
        in text
    )
    assert "Read before use" not in text


def test_words_and_tables_have_the_same_numbers():
    document = power_document(power_result(dyads=(60, 120, 300)))
    table = printed(document.table("by-dyads"))
    text = said(document, "questions")
    for label, place in (("60", "60 dyads"), ("300", "300 dyads")):
        shares = [str(int(two)) for cell in table["", label] for two in re.findall(r"[.](..)", cell)]
        assert "{}% [{}, {}] ({})".format(*shares, place) in text
    assert "the first that reaches 80% is 300 dyads" in text
    test = "Model 3: Convergence × Time"
    main = [cells for (group, _), cells in printed(document.table("power")).items() if group == test]
    assert [row[0] for row in main] == [table["", n][0] for n in ("60", "120", "300")]
    strong = [r.cells[0].strong for r in document.table("by-dyads").rows()]
    assert strong == [False, False, True]


def test_the_matrix_of_dyads_and_sessions_is_that_of_the_frame():
    result = power_result(dyads=(60, 120, 200), sessions=(3, 8, 14))
    document = power_document(result)
    table = document.table("dyads-by-sessions")
    main = main_test(result)
    known = {(r["dyads"], r["sessions"]): r["power"] for r in main.iter_rows(named=True)}
    shown_values = {
        (int(row.label), s): c.value for row in table.rows() for s, c in zip((3, 8, 14), row.cells, strict=True)
    }
    assert shown_values == known
    (figure,) = [f for f in document.figures() if f.key == "dyads-sessions"]
    drawn = {(v["dyads"], v["sessions"]): v for v in figure.spec["data"]["values"]}
    assert set(drawn) == set(known)
    assert all(v["y"] == pytest.approx(known[k], rel=1e-6) for k, v in drawn.items())
    assert all(re.fullmatch(r"\.\d\d", v["said"]) for v in drawn.values())


def test_type_i_error_beyond_chance_is_said():
    result = power_result(per_therapist=(None, 2.0, 10.0, 20.0))
    document = power_document(result)
    text = said(document, "questions")
    assert "Type I error is highest with 20 patients per therapist: 12.8% [10.9, 15.0], more than the level" in text
    errors = said(document, "errors")
    # 4 designs × 4 tests; the two larger groups of patients are above
    assert "In 8 of 16 combinations of design and test the Monte-Carlo interval holds the nominal 5%" in errors
    assert "8 lie above it; the farthest is" in errors and "finds effects that are none" in errors
    table = printed(document.table("by-per-therapist"))
    assert table["", "none"][2] == ".052" and table["", "20"][2:] == [".128", "[.109, .150]"]


@pytest.mark.parametrize("ends", [(0.0, float("inf")), (150.0, float("inf")), (0.0, 400.0)])
def test_a_search_that_bounds_nothing_names_no_number(ends):
    result = power_result(searched="imprecise")
    open_ended = replace(result, needed=result.needed.with_columns(n_low=pl.lit(ends[0]), n_high=pl.lit(ends[1])))
    found = flat(sentences.summary(make_grid(open_ended)))
    assert "the search for the dyads that 80% takes was stopped before it could bound their number." in found
    assert "it takes" not in found
    assert "for 80% it takes about 300 [288, 314] dyads (the search was" in flat(sentences.summary(make_grid(result)))


def test_estimation_and_levels_are_those_of_the_study():
    grouped = power_result(per_therapist=(2.0, 20.0))
    plain_words = " ".join(said(power_document(grouped), key) for key in ("assumptions", "questions", "reading"))
    assert plain_words.count("by REML") == 2 and "three levels" not in plain_words
    assert "the model leaves them out" in plain_words
    document = power_document(replace(grouped, method="ML", levels=3))
    other = " ".join(said(document, key) for key in ("assumptions", "questions", "reading"))
    assert "REML" not in other and other.count("three levels (sessions, dyads, therapists) by ML") == 2
    assert "leaves them out" not in other and "finds effects that are none" in other


@pytest.mark.parametrize(
    ("low", "high", "side"), [(0.04, 0.06, 0), (0.051, 0.07, 1), (0.02, 0.049, -1), (None, None, 0)]
)
def test_an_interval_is_held_against_what_should_be(low, high, side):
    assert sentences.beyond({"type_i_low": low, "type_i_high": high}, "type_i", 0.05) == side


def test_scores_are_compared_best_first_with_reliability_and_validity():
    result = power_result(scores=5)
    document = power_document(result)
    labels = [row.label for row in document.table("by-score").rows()]
    powers = [row.cells[0].value for row in document.table("by-score").rows()]
    assert powers == sorted(powers, reverse=True)
    assert sorted(labels) == sorted(SHORT)
    seen = {r["score"]: r for r in result.scores.iter_rows(named=True)}
    short = dict(zip(NAMES, SHORT, strict=True))
    for row in document.table("by-score").rows():
        (name,) = [n for n in NAMES if short[n] == row.label]
        assert [row.cells[k].value for k in (3, 4)] == [seen[name]["reliability"], seen[name]["validity"]]
    full = [words(row.cells[0]) for row in document.table("operationalisations").rows()]
    assert full == list(NAMES)
    assert "highest with the score untransformed" in said(document, "questions")


def test_failures_are_counted_also_where_there_are_none():
    none = said(power_document(power_result()), "failures")
    assert none.startswith("Of 2,000 fits of a model to a replicate, 0 gave no answer; 0 replicates ended")
    lost = (Failure(task=0, number=3, words="killed"), Failure(task=0, number=8, words="killed"))
    document = power_document(power_result(failed=5, failures=lost))
    assert "10 gave no answer; 2 replicates ended" in said(document, "failures")
    assert "Killed (2 replicates)." in said(document, "failures")
    assert printed(document.table("failures")) == {
        ("", "Model 2"): ["1,000", "5", "2", "3.0"],
        ("", "Model 3"): ["1,000", "5", "2", "4.5"],
    }
    assert Reference("table-failures") in document.summary[-1].parts
    many = power_document(power_result(dyads=tuple(range(20, 220, 2)), failed=1, failures=lost))
    rows = printed(many.table("failures"))
    assert len(rows) == 20 and rows["", "20 dyads"][:3] == ["2,000", "2", "2"]


@pytest.mark.parametrize("name", ODD)
def test_odd_results_make_whole_reports(name):
    result = power_result(**ODD[name])
    document = power_document(result)
    page, text = write_html(document), write_markdown(document, figures={f.key: "x.png" for f in document.figures()})
    assert "nan" not in re.findall(r"[a-z]+", text.lower()) and "None" not in text and "<section" in page
    terminal = power_table(result, width=80).plain
    assert max(map(len, terminal.splitlines())) <= 80
    if name == "interrupted":
        assert document.banner.startswith("Interrupted") and "Interrupted" in terminal
    if name == "all failed":
        assert "has no answer: all replicates failed" in text and "—" in terminal
        assert not list(document.figures())
    if name == "no search":
        assert "No number of dyads was searched for." in text and "Dyads needed" not in terminal
    if name == "search without end":
        assert "it takes more than 300 dyads" in flat(document.summary) and ">\u00a0300" in terminal
    if name == "type I not asked for":
        assert "Type I" not in terminal and "It was not asked for" in text


def test_nothing_finished_is_said():
    empty = power_result(failures=(Failure(task=0, number=1, words="killed"),), interrupted=True)
    empty = replace(empty, tests=empty.tests.clear(), scores=empty.scores.clear(), needed=empty.needed.clear())
    document = power_document(empty)
    assert "Nothing was finished" in said(document, "failures") and document.banner
    assert power_table(empty).plain == "Nothing was finished; 1 replicate failed.\n"


@pytest.mark.parametrize("title", [f"{EVIL}{LONG}", RIGHT_TO_LEFT, "$\\input{x}$ & 100 % #_{}^~"])
def test_hostile_titles_are_only_text(title, tmp_path):
    names = {NAMES[0]: f"{EVIL}/a", NAMES[1]: f"{EVIL}/b"}
    result = power_result(title=title, scores=2)
    result = replace(
        result,
        tests=result.tests.with_columns(pl.col("score").replace(names)),
        scores=result.scores.with_columns(pl.col("score").replace(names)),
        needed=result.needed.with_columns(pl.col("score").replace(names)),
        operationalisations=[(names[n], EVIL) for n, _ in result.operationalisations],
        failures=(Failure(task=0, number=1, words=EVIL),),
    )
    page = write_html(power_document(result))
    assert EVIL not in page and "<script>window.hit" not in page
    files = write_power(result, tmp_path, ("pdf", "docx", "tex"))
    assert {p.name for p in files} >= {"report.pdf", "report.docx", "report.tex", "tests.csv"}


def test_files_have_the_frames_at_full_precision(tmp_path):
    result = power_result(dyads=(60, 120), failures=(Failure(task=1, number=4, words="killed"),))
    files = {p.relative_to(tmp_path).as_posix(): p for p in write_power(result, tmp_path, ("html", "md"), figures=True)}
    assert {
        "report.html",
        "report.md",
        "tables/tests.csv",
        "report-tables/power.csv",
        "figures/attenuation.svg",
    } <= set(files)
    for name in ("tests", "scores", "needed"):
        frame = getattr(result, name)
        read_again = pl.read_csv(files[f"tables/{name}.csv"], schema=frame.schema)
        assert read_again.equals(frame)
    assert read_truth(files["parameters.toml"]) == result.truth
    lost = pl.read_csv(files["tables/failures.csv"])
    assert lost.rows() == [(1, 4, "killed")]
    table = pl.read_csv(io.BytesIO(files["report-tables/by-dyads.csv"].read_bytes()))
    main = main_test(result)
    assert table["Power"].to_list() == main["power"].to_list()


def test_nothing_is_written_where_a_format_fails(tmp_path, monkeypatch):
    def fails(document):
        raise ValueError("no")

    monkeypatch.setattr("dyadline.report.writers.typst.write_pdf", fails)
    with pytest.raises(ValueError, match="no"):
        write_power(power_result(), tmp_path, ("html", "pdf"))
    assert not list(tmp_path.iterdir())


def test_write_report_takes_a_power_study(tmp_path):
    path = dl.write_report(power_result(), tmp_path / "power.html")
    assert "Study 1 (synthetic twin): power" in path.read_text(encoding="utf-8")
    with pytest.raises(dl.PlanError, match="A result is needed, not dict"):
        dl.write_report({}, tmp_path / "power.html")


@pytest.mark.parametrize("name", [*GRIDS, "rich"])
def test_the_terminal_has_80_columns(name):
    result = rich_result() if name == "rich" else power_result(**GRIDS[name])
    text = power_table(result, width=80).plain
    assert max(map(len, text.splitlines())) <= 80
    row = main_test(result).row(0, named=True)
    assert f"{row['power']:.2f}"[1:] in text and "Model 3: Convergence × Time" in text and "Dyads needed" in text


def test_scores_are_called_by_what_differs_from_the_first():
    assert short_names(NAMES) == dict(zip(NAMES, SHORT, strict=True))
    assert short_names(NAMES[2:4])[NAMES[2]] == "first"
    assert short_names(["own", "other/score"]) == {"own": "first", "other/score": "other/score"}
    twice = ["a/b; rating_window=[1, 3]", "a/b; rating_window=[1, 4]", "a/b; rating_window=[1, 4]"]
    assert short_names(twice[:2])[twice[1]].startswith("rating_window=[1, 4]")
    assert short_names([]) == {}


def test_tests_are_called_as_in_the_other_tables():
    assert label_of_test(3, "time:convergence") == "Model 3: Convergence × Time"
    assert label_of_test(3, "time:development:convergence") == "Model 3: Alliance dev. × Convergence × Time"
    assert label_of_test(1, "(Intercept)") == "Model 1: Intercept"


def test_what_follows_from_something_else_is_no_question():
    result = power_result(dyads=(60, 120, 300))
    tests = result.tests.with_columns(per_therapist=pl.col("dyads") / 30)
    grid = make_grid(replace(result, tests=tests))
    assert grid.varying == ("dyads",) and grid.following == ("per_therapist",)
    assert grid.held(grid.main(), "dyads").height == 3
    table = by_design(grid, grid.main(), key="k", caption="c", columns=(), cells=lambda r: (), note=())
    assert [c.label for c in table.columns] == ["Per therapist"]


def test_the_rest_is_held_where_power_is_nearest_to_what_is_wanted():
    result = rich_result()
    grid = make_grid(result)
    main = grid.main().filter(pl.col("score") == NAMES[0])
    nearest = min(main.iter_rows(named=True), key=lambda r: abs(r["power"] - 0.8))
    assert (grid.reference["dyads"], grid.reference["sessions"]) == (nearest["dyads"], nearest["sessions"])
    assert shown(grid, result.tests).frame.height == 20
    effects = make_grid(power_result(effect=(0.2, 0.3, 0.6)))
    assert effects.reference["effect"] == 0.2


def test_a_few_of_many_values():
    assert thinned(list(range(18)), 5) == [0, 4, 8, 13, 17]
    assert thinned([1, 2], 5) == [1, 2]


def test_assumptions_are_those_of_the_truth():
    document = power_document(power_result())
    curves = printed(document.table("curves"))
    assert curves["Over dyads", "Patient's rating, intercept"] == ["4.90", "1.15"]
    assert curves["Over dyads", "Outcome, slope"] == ["−0.94", "1.10"]  # √1.22
    assert curves["Around the curve, over occasions", "Outcome"] == ["", "4.24"]  # √18
    # −1.94 / √(49.10 · 1.22)
    assert printed(document.table("correlations"))["", "Outcome's intercept and slope"] == ["−.25"]
    coefficients = printed(document.table("coefficients"))
    assert coefficients["", "Convergence"] == ["−0.05", "β"] and coefficients["", "Initial symptoms"] == ["0.77", "0"]
    meaning = "An effect of β = .30 means: where true convergence is one standard deviation higher, the true slope of "
    assert f"{meaning}the outcome (bdi) is .30 of its standard deviation" in said(document, "assumptions")
    several = power_document(power_result(effect=(0.2, 0.3)))
    assert "An effect of β = β means" not in said(several, "assumptions")


def test_a_covariance_takes_the_place_of_standard_deviations():
    rows = ((4.0, 0.6, 1.0, 0.0), (0.6, 0.25, 0.0, 0.0), (1.0, 0.0, 1.0, 0.0), (0.0, 0.0, 0.0, 0.04))
    truth = make_truth().model_copy(update={"covariance": rows})
    document = power_document(power_result(truth=truth))
    curves = printed(document.table("curves"))
    assert curves["Over dyads", "Patient's rating, intercept"][1] == "2.00"
    assert curves["Over dyads", "Therapist's rating, slope"][1] == "0.20"
    told = printed(document.table("correlations"))
    assert told["", "Patient's rating, intercept; patient's rating, slope"] == [".60"]
    assert told["", "Patient's rating, intercept; therapist's rating, intercept"] == [".50"]


def test_works_that_are_cited_are_listed():
    document = power_document(power_result())
    listed = said(document, "references")
    for work in ("Carroll", "Dupont", "Morris", "Nissen-Lie", "Satterthwaite", "Spearman", "Wilson"):
        assert f"\n{work}" in f"\n{listed}"


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this system")
def test_the_page_is_accessible(tmp_path):
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed").Axe()
    path = tmp_path / "power.html"
    path.write_text(write_html(power_document(power_result(scores=5, dyads=(96, 200)))), encoding="utf-8")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 390, "height": 900}, color_scheme="dark")
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(path.as_uri())
        found = axe.run(page).response["violations"]
        assert [v["id"] for v in found] == []
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        figures = page.evaluate("document.querySelectorAll('figure').length")
        page.evaluate("document.querySelectorAll('.drawing').forEach(d => d.dispatchEvent(new Event('pointerenter')))")
        page.wait_for_function("document.querySelectorAll('figure:not(.live)').length === 0")
        assert figures == 3 and complaints == []
        browser.close()
