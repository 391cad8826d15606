"""Which measures there are, users' own files, and every mistake in them."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dyadline.errors import PlanError
from dyadline.measures.description import describe_measure
from dyadline.measures.files import parse_measure
from dyadline.measures.registry import find, measure, measures
from dyadline.measures.scoring import bands, score_measures
from dyadline.plan.columns import ItemsSection
from dyadline.plan.mistakes import PlanMistakes

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "measures.md").read_text(encoding="utf-8")
OWN = next(block for block in re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL) if "[scales.total]" in block)
SMALL = 'items = 3\nrange = [1, 5]\nhigher = "better"\n\n[scales.total]\nscore = "mean"\n'


def mistakes(text: str, file: str = "mine.toml") -> list[tuple[str, int | None]]:
    with pytest.raises(PlanMistakes) as caught:
        parse_measure(text, file=file)
    assert str(caught.value).startswith(file)
    return [(m.path, m.line) for m in caught.value.mistakes]


@pytest.mark.parametrize("name", ["wai-s", "WAI_S", "Wai-S", "wai s"])
def test_names_are_compared_without_case_and_hyphens(name):
    assert measure(name).name == "wai-s"


def test_an_unknown_measure_says_the_nearest_and_all():
    with pytest.raises(PlanError, match=r"no measure 'wai-short'.*Did you mean 'wai-s.*There are bdi-ii, .*who-5"):
        measure("wai-short")
    with pytest.raises(PlanError, match=r"(?s)no measure 'oq-45'.*oq-45\.toml beside the plan"):
        measure("oq-45")


@pytest.mark.parametrize("folder", [".", "measures"])
def test_a_users_own_measure_is_found_beside_the_plan(tmp_path, folder):
    (tmp_path / folder).mkdir(exist_ok=True)
    (tmp_path / folder / "Custom_Sum.toml").write_text(OWN, encoding="utf-8")
    own, finding = find("custom-sum", tmp_path)
    assert finding is None
    assert (own.items, own.reverse, own.total) == (8, (2, 7), "total")
    assert own.name in [m.name for m in measures(tmp_path)]
    assert len(measures(tmp_path)) == len(measures()) + 1
    with pytest.raises(PlanError, match="Did you mean 'Custom_Sum'"):
        measure("custom-sun", tmp_path)


def test_the_example_of_the_page_scores_as_it_says(tmp_path):
    (tmp_path / "custom-sum.toml").write_text(OWN, encoding="utf-8")
    # Items 2 and 7 count 4 − x. First record: 1+3+2+3+4+0+1+2 = 16; functioning (3+0+1+2)/4·10 = 15.
    # Second: item 1 is missing, the others 4+0+0+0+0+4+0 = 8, times 8/7.
    # Third: item 8 is missing, so that functioning has no score, and neither has the total with six of eight.
    frame = pl.DataFrame(
        [[1, 1, 2, 3, 4, 0, 3, 2], [None, 0, 0, 0, 0, 0, 0, 0], [2, 2, 2, 2, 2, 2, None, None]],
        schema=[f"oq_{n}" for n in range(1, 9)], orient="row",
    )  # fmt: skip
    for scale, expected in (
        ("total", [16, 64 / 7, None]), ("symptoms", [10, None, 8]), ("functioning", [15, 20, None]),
    ):  # fmt: skip
        section = ItemsSection(measure="custom-sum", items="oq_{item}", scale=scale)
        items = {"outcome": {n: f"oq_{n}" for n in range(1, 9)}}
        made = score_measures(frame, pl.Series([1, 2, 3]), items, {"outcome": section}, tmp_path)
        assert made.frame["oq_{item}"].to_list() == pytest.approx(expected)
    total = bands(measure("custom-sum", tmp_path), pl.Series([16.0, 64 / 7, None]))
    assert total.select("band", "n", "percent").rows() == [("below cut-off", 1, 50), ("clinical", 1, 50)]


def test_a_users_file_takes_the_place_of_the_packages_own_and_that_is_said(tmp_path):
    (tmp_path / "phq_9.toml").write_text(SMALL, encoding="utf-8")
    own, finding = find("phq-9", tmp_path)
    assert own.items == 3
    assert finding is not None and finding.code == "own-measure"
    assert "phq_9.toml" in finding.words
    assert {m.items for m in measures(tmp_path) if m.name in ("phq_9", "phq-9")} == {3}
    frame = pl.DataFrame({"a1": [1], "a2": [2], "a3": [3]})
    made = score_measures(
        frame, pl.Series([1]), {"outcome": {1: "a1", 2: "a2", 3: "a3"}},
        {"outcome": ItemsSection(measure="PHQ-9", items="a{item}")}, tmp_path,
    )  # fmt: skip
    assert [f.code for f in made.findings] == ["own-measure"]


def test_two_files_for_one_name_are_refused(tmp_path):
    (tmp_path / "measures").mkdir()
    for place in ("mine.toml", "measures/MINE.toml"):
        (tmp_path / place).write_text(SMALL, encoding="utf-8")
    with pytest.raises(PlanError, match=r"2 files for the measure 'mine'.*mine\.toml and measures/MINE\.toml"):
        measure("mine", tmp_path)


def test_a_plan_may_have_a_measures_name(tmp_path):
    (tmp_path / "phq-9.toml").write_text('[columns]\ndyad = "d"\n', encoding="utf-8")
    assert measure("phq-9", tmp_path).items == 9
    (tmp_path / "broken.toml").write_text("= =", encoding="utf-8")
    assert len(measures(tmp_path)) == len(measures())
    with pytest.raises(PlanError, match=r"not valid TOML.*broken\.toml, line 1"):
        measure("broken", tmp_path)


def test_a_file_that_is_no_text_is_refused_in_a_sentence(tmp_path):
    (tmp_path / "mine.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PlanError, match=r"mine\.toml is not a text in UTF-8"):
        measure("mine", tmp_path)


def test_a_listing_says_what_is_wrong_with_a_users_measure(tmp_path):
    (tmp_path / "mine.toml").write_text(SMALL.replace('"mean"', '"median"'), encoding="utf-8")
    with pytest.raises(PlanMistakes, match=r'line 6, scales\.total\.score: found "median"; allowed is "mean" or "sum"'):
        measures(tmp_path)


def test_a_small_file_is_enough():
    made = parse_measure(SMALL, file="mine.toml")
    assert (made.name, made.answered, made.needed("total")) == ("mine", 0.8, 3)
    assert parse_measure('name = "MINE"\n' + SMALL, file="mine.toml").items == 3


def test_all_mistakes_are_said_at_once_in_the_order_of_the_lines():
    text = "\n".join([
        'name = "yours"',  # 1
        "items = 12.0",  # 2
        "range = [7, 1]",  # 3
        "revers = [1]",  # 4
        'higher = "beter"',  # 5
        "answered = 1.5",  # 6
        "score = 'sum'",  # 7
        "[scales.total]",  # 8
        'score = "men"',  # 9
        "item = [1, 2]",  # 10
        "[scales.sub]",  # 11
        'items = [1, "two"]',  # 12
        "higher = 1",  # 13
    ])  # fmt: skip
    with pytest.raises(PlanMistakes) as caught:
        parse_measure(text, file="mine.toml")
    assert [(m.path, m.line) for m in caught.value.mistakes] == [
        ("name", 1), ("items", 2), ("range", 3), ("revers", 4), ("higher", 5), ("answered", 6), ("score", 7),
        ("scales.total.score", 9), ("scales.total.item", 10), ("scales.sub.score", 11), ("scales.sub.items", 12),
        ("scales.sub.higher", 13),
    ]  # fmt: skip
    said = str(caught.value)
    assert "mine.toml has 12 mistakes" in said
    for words in (
        "found \"yours\" in a file that is called 'mine.toml'",
        "found 12.0; allowed is a whole number",
        "the range [lowest, highest] must go upwards, and [7, 1] does not",
        "there is no key 'revers' here. Did you mean 'reverse'?",
        'found "beter"; allowed is "better" or "worse". Did you mean \'better\'?',
        "found 1.5; it should be less than or equal to 1",
        "'score' belongs in a scale, as in [scales.total].",
        'found "men"; allowed is "mean" or "sum". Did you mean \'mean\'?',
        "Did you mean 'items'?",
        "missing (mean or sum of the answers)",
        'found [1, "two"]; allowed is a list in brackets, each a whole number',
        "'higher' belongs before the first scale.",
    ):
        assert words in said


@pytest.mark.parametrize(
    ("change", "path", "line", "words"),
    [
        (("items = 3", "items = 0"), "items", 1, "found 0; it should be greater than or equal to 1"),
        (("items = 3", "items = 3\nreverse = [4]"), "reverse", 2, "there is no item 4; the items are 1 to 3"),
        (("items = 3", "items = 3\nreverse = [2, 2]"), "reverse", 2, "an item is named twice"),
        (('score = "mean"', 'score = "mean"\nitems = [1, 5]'), "scales", 5, "in the scale 'total' there is no item 5"),
        (('score = "mean"', 'score = "mean"\nitems = []'), "scales.total.items", 7, "it is empty"),
        (
            ('score = "mean"', 'score = "mean"\nbands = { low = [1, 3], high = [2, 5] }'),
            "scales.total.bands", 7, "the bands must go upwards, each [from, to], and not overlap",
        ),
        (
            ('score = "mean"', 'score = "mean"\nbands = { low = [1, 3], high = [4, 15] }'),
            "scales", 5, "scores of the scale 'total' go from 1 to 5, and its bands beyond",
        ),
        (('score = "mean"', 'score = "mean"\nfactor = 0'), "scales.total.factor", 7, "found 0; it should be greater"),
        (('[scales.total]\nscore = "mean"', "scales = {}"), "scales", 5, "a measure needs at least one scale"),
        (("[scales.total]", '[scales."a b"]\nscore = "sum"\n[scales.total]'), "scales.a b", 5, "letters, digits"),
        (("[scales.total]", '[scales.Total]\nscore = "sum"\n[scales.total]'), "scales", 5, "the same name"),
        (('[scales.total]\nscore = "mean"', "scales.total = 3"), "scales.total", 5, "a scale is a section with"),
        (("range = [1, 5]\n", ""), "range", 1, "missing (lowest and highest answer of the original)"),
    ],
)  # fmt: skip
def test_each_mistake_is_said_where_it_is(change, path, line, words):
    text = SMALL.replace(*change)
    assert mistakes(text) == [(path, line)]
    with pytest.raises(PlanMistakes, match=re.escape(words)):
        parse_measure(text, file="mine.toml")


def test_a_measure_has_no_place_for_item_texts():
    assert mistakes(SMALL.replace("items = 3", 'items = 3\ntexts = ["a", "b", "c"]')) == [("texts", 2)]


def test_a_mistake_in_another_measure_does_not_hide_an_unknown_name(tmp_path):
    (tmp_path / "mine.toml").write_text(SMALL.replace("items", "item"), encoding="utf-8")
    with pytest.raises(PlanError, match=r"no measure 'mime'. Did you mean 'mine'\?"):
        measure("mime", tmp_path)


def test_a_number_of_items_that_no_questionnaire_has_is_refused():
    assert mistakes(SMALL.replace("items = 3", "items = 1000000000")) == [("items", 1)]


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(OWN)), st.integers(0, 40), st.text("=[]{}\"'#,.abn12\n -\x00é", max_size=8))
def test_any_file_is_read_or_refused_in_words(start, length, other):
    text = OWN[:start] + other + OWN[start + length :]
    try:
        made = parse_measure(text, file="mine.toml")
    except PlanError:
        return
    assert all(1 <= made.needed(scale) <= made.items for scale in made.scales)


def test_an_unknown_scale_says_the_nearest():
    with pytest.raises(PlanError, match=r"'scl-90-r' has no scale 'anxeity'.*Did you mean 'anxiety'"):
        measure("scl-90-r").scale_name("anxeity")
    assert measure("scl-90-r").scale_name("Phobic_Anxiety") == "phobic-anxiety"
    assert measure("scl-90-r").scale_name(None) == "gsi"


@pytest.mark.parametrize("key", measures(), ids=lambda key: key.name)
def test_the_page_and_the_description_have_every_instrument(key):
    row = next(line for line in PAGE.splitlines() if line.startswith(f"| `{key.name}` |"))
    assert f"{key.items}, {key.range[0]:g}–{key.range[1]:g}" in row
    assert (", ".join(map(str, key.reverse)) or "none") == row.split("|")[4].strip()
    assert all(scale in row for scale in key.scales if scale != "total" and len(key.scales) <= 6)
    assert ("all" if key.answered == 1 else f"{key.answered * 100:g} %") == row.split("|")[6].strip()
    said = describe_measure(key)
    assert said["Name in plans"] == key.name
    assert {f"Scale {scale}" for scale in key.scales} <= set(said)
    assert all(label in said for label in ("Citation", "Source of the key", "Licence", "Reverse-keyed items"))


def test_a_description_in_full():
    said = describe_measure(measure("wai-s"))
    assert said["Items"] == "12, answered from 1 to 7"
    assert said["Reverse-keyed items"] == "4 and 10"
    assert said["Forms"] == "patient and therapist"
    assert said["Scale goal"] == "Agreement on goals; mean of items 4, 6, 10 and 11, 1 to 7, at least 4 answered"
    assert describe_measure(measure("who-5"))["Scale total"] == (
        "Well-being, percentage score; sum of all items times 4, 0 to 100, at least 4 answered"
    )


def test_every_finding_is_on_the_page():
    source = Path(__file__).resolve().parents[2] / "src" / "dyadline" / "measures"
    text = "".join((source / f"{name}.py").read_text() for name in ("scoring", "typed", "answers", "registry"))
    codes = set(re.findall(r'code="([a-z-]+)"', text)) | set(re.findall(r'_warning\("([a-z-]+)"', text))
    assert len(codes) == 10
    assert all(f"| `{code}` |" in PAGE for code in codes)


def test_names_and_folders_of_other_kinds_are_refused(tmp_path):
    for name in (3, None, b"wai-s"):
        with pytest.raises(PlanError, match="The name of a measure is needed"):
            measure(name)
    with pytest.raises(PlanError, match="The plan's folder is needed, not int"):
        measures(3)
    assert measures(str(tmp_path)) == measures(tmp_path)
