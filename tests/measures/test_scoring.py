"""From columns of answers to score columns, and what is said on the way."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dyadline.errors import DataError, PlanError
from dyadline.measures.registry import measure
from dyadline.measures.scoring import Scores, bands, scale_scores, score_measures
from dyadline.plan.columns import ItemsSection

WAI = {n: f"w{n}" for n in range(1, 13)}


def scored(frame: pl.DataFrame, *, role: str = "patient_rating", columns=WAI, row=None, **section) -> Scores:
    section = ItemsSection(**{"measure": "wai-s", "items": "w{item}", **section})
    rows = pl.Series(range(1, frame.height + 1)) if row is None else row
    return score_measures(frame, rows, {role: columns}, {role: section}, None)


def wai(*records: list[float | str | None]) -> pl.DataFrame:
    return pl.DataFrame(list(records), schema=list(WAI.values()), orient="row", strict=False)


def test_the_score_stands_under_the_patterns_name_and_answers_are_turned():
    made = scored(wai([1, 2, 3, 5, 6, 7, 1, 2, 3, 5, 6, 7], [7] * 12))
    # By hand: 44 of 12 items; second record 10 sevens and two turned to 1.
    assert made.frame["w{item}"].to_list() == pytest.approx([44 / 12, 72 / 12])
    assert made.frame.columns == [*WAI.values(), "w{item}"]
    answers = made.answers["patient_rating"]
    assert answers.columns == [str(n) for n in WAI]
    assert answers.dtypes == [pl.Float64] * 12
    assert answers.row(1) == (7, 7, 7, 1, 7, 7, 7, 7, 7, 1, 7, 7)
    assert made.findings == ()
    how = made.scored["patient_rating"]
    assert how.original and how.limits == (1, 7)
    assert scale_scores(answers, how.measure).row(0) == pytest.approx((44 / 12, 3, 3.25, 4.75))


def test_a_subscale_needs_its_own_items_only():
    frame = wai([1, 2, 3, 5, 6, 7, 1, 2, 3, 5, 6, 7]).select("w3", "w5", "w7", "w9")
    columns = {n: f"w{n}" for n in (3, 5, 7, 9)}
    made = scored(frame, columns=columns, scale="Bond")
    assert made.frame["w{item}"].to_list() == [3.25]
    assert scale_scores(made.answers["patient_rating"], measure("wai-s")).columns == ["bond"]


def test_sums_of_whole_numbers_are_whole():
    columns = {n: f"b{n}" for n in range(1, 22)}
    frame = pl.DataFrame({name: [(n * k) % 4 for k in range(50)] for n, name in columns.items()})
    made = scored(frame, role="outcome", columns=columns, measure="bdi-ii", items="b{item}")
    assert made.frame["b{item}"].to_list() == frame.select(pl.sum_horizontal(pl.all())).to_series().to_list()


def test_several_roles_at_once():
    frame = wai([6] * 12).with_columns(wai([5] * 12).rename(lambda c: "t" + c))
    frame = frame.with_columns(pl.lit("1").alias("g1"), pl.lit("3").alias("g2"))
    frame = frame.with_columns(pl.lit(2).alias(f"g{n}") for n in range(3, 8))
    made = score_measures(
        frame, pl.Series([4]),
        {
            "patient_rating": WAI,
            "therapist_rating": {n: f"tw{n}" for n in WAI},
            "outcome": {n: f"g{n}" for n in range(1, 8)},
        },
        {
            "patient_rating": ItemsSection(measure="wai-s", items="w{item}"),
            "therapist_rating": ItemsSection(measure="WAI_S", items="tw{item}"),
            "outcome": ItemsSection(measure="gad-7", items="g{item}"),
        },
        None,
    )  # fmt: skip
    # Ten sixes and two twos; ten fives and two threes; 1 + 3 + 5·2.
    assert made.frame.select("w{item}", "tw{item}", "g{item}").row(0) == pytest.approx((64 / 12, 56 / 12, 14))
    assert made.findings == ()


def test_missing_items_name_themselves_and_what_was_found():
    columns = {n: f"w{n}" for n in WAI if n not in (4, 10)}
    with pytest.raises(
        DataError, match=r"no column for items 4 and 10 of 'wai-s' by 'w\{item\}' \(patient rating\)"
    ) as e:
        scored(wai([1] * 12), columns=columns)
    assert "Found for it: 'w1', 'w2'" in str(e.value) and "4 more" in str(e.value)
    with pytest.raises(DataError, match=r"for items 1, 2, .*There are 'w1', 'w2'"):
        scored(wai([1] * 12), columns={}, items="v{item}")


def test_a_list_of_columns_has_all_items():
    with pytest.raises(DataError, match=r"'wai-s' has 12 items, and the plan names 2 columns.*columns\.patient_rating"):
        scored(wai([1] * 12), columns={1: "w1", 2: "w2"}, items=("w1", "w2"))
    made = scored(wai([1] * 12), items=tuple(WAI.values()))
    assert made.frame["w1 … w12"].to_list() == pytest.approx([(10 + 14) / 12])


def test_a_tenth_question_of_the_phq_is_left_out_and_that_is_said():
    columns = {n: f"q{n}" for n in range(1, 11)}
    frame = pl.DataFrame({name: [1] for name in columns.values()})
    made = scored(frame, role="outcome", columns=columns, measure="phq-9", items="q{item}")
    assert made.frame["q{item}"].to_list() == [9]
    assert [(f.code, f.level, f.column) for f in made.findings] == [("items-left-out", "note", "q10")]


def test_text_among_the_answers_is_refused_with_column_rows_and_values():
    frame = wai(*[["1"] * 12] * 4).with_columns(w2=pl.Series(["1", " often", "NA", "never"]))
    with pytest.raises(DataError) as caught:
        scored(frame, row=pl.Series([3, 5, 7, 9]))
    said = str(caught.value)
    assert "'w2' (item of the patient rating) needs numbers and has text: 'often' in row 5 and 'never' in row 9" in said
    made = scored(wai(["1"] * 12, [" 7 "] * 12, [""] * 12))
    assert made.frame["w{item}"].to_list() == [pytest.approx(2), pytest.approx(6), None]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (pl.Series([float("inf")]), "needs finite numbers and has others: inf in row 1"),
        (pl.Series(["1e999"]), "has text: '1e999' in row 1"),
        (pl.Series([None], dtype=pl.Date), "values of another kind"),
        (pl.Series([[1]]), "values of another kind"),
    ],
)
def test_other_kinds_are_refused(values, words):
    with pytest.raises(DataError, match=words):
        scored(wai([1] * 12).with_columns(w3=values))


def test_kinds_that_are_numbers():
    frame = wai([1] * 12).with_columns(
        w3=pl.lit(None), w5=pl.lit(True), w6=pl.lit(float("nan")), w7=pl.Series(["1"], dtype=pl.Categorical)
    )
    answers = scored(frame).answers["patient_rating"]
    assert answers.select("3", "5", "6", "7").row(0) == (None, 1, None, 1)


def test_answers_outside_the_range_are_errors_by_column():
    records = [[n % 7 + 1] * 12 for n in range(40)]
    records[4][1], records[9][1], records[9][2] = 9, 99, -1
    made = scored(wai(*records))
    assert [(f.code, f.level, f.column, f.rows) for f in made.findings] == [
        ("item-out-of-range", "error", "w2", (5, 10)), ("item-out-of-range", "error", "w3", (10,)),
    ]  # fmt: skip
    assert "outside the range 1 to 7 of 'wai-s': 9 in row 5 and 99 in row 10." in made.findings[0].words
    assert made.answers["patient_rating"]["2"][4] is None


def test_a_code_in_many_items_is_one_error():
    records = [[n % 7 + 1] * 12 for n in range(40)]
    for item in (0, 3, 5, 8, 11):
        records[item][item] = 99
    (found,) = scored(wai(*records)).findings
    assert (found.code, found.rows) == ("item-out-of-range", (1, 4, 6, 9, 12))
    assert found.words == (
        "5 answers to 'wai-s' (patient rating) in 5 columns, 'w1', 'w4', 'w6' and 2 more, are outside the range "
        "1 to 7: 99 (5 times)."
    )
    assert found.way_out == "Correct them, or write codes = [99] under [missing] where they stand for missing answers."


@pytest.mark.parametrize(
    ("name", "low", "high", "declared"),
    [("wai-sr", 1, 7, None), ("wai-sr", 0, 4, None), ("bdi-ii", 1, 4, None), ("wai-s", 1, 7, (0, 4))],
)
def test_another_range_is_recognised(name, low, high, declared):
    columns = {n: f"w{n}" for n in range(1, measure(name).items + 1)}
    frame = pl.DataFrame({c: [low + (n + k) % (high - low + 1) for k in range(60)] for n, c in columns.items()})
    frame = frame.with_columns(pl.when(pl.Series(range(60)) == 3).then(99).otherwise(pl.col("w1")).alias("w1"))
    made = scored(frame, columns=columns, measure=name, range=declared)
    (finding,) = [f for f in made.findings if f.level == "error"]
    assert f"declare range = [{low}, {high}] in the plan" in finding.way_out


def test_one_typing_error_is_no_other_range():
    records = [[n % 7 + 1] * 12 for n in range(40)]
    records[0][0] = 10
    (finding,) = scored(wai(*records)).findings
    assert "declare range" not in finding.way_out
    assert finding.rows == (1,)


def test_a_declared_range_is_used_and_said():
    columns = {n: f"w{n}" for n in WAI}
    made = scored(wai([1, 2, 4, 5, 1, 2, 4, 7, 1, 2, 4, 5]), columns=columns, measure="wai-sr", range=(1, 7))
    assert made.frame["w{item}"].to_list() == pytest.approx([38 / 12])
    assert [(f.code, f.level) for f in made.findings] == [("other-range", "note")]
    assert not made.scored["patient_rating"].original
    assert made.scored["patient_rating"].limits == (1, 7)


def test_answers_between_whole_numbers_are_a_warning():
    made = scored(wai([1] * 12, [1, 3.5, *[1] * 10]))
    (finding,) = made.findings
    assert (finding.code, finding.level, finding.column, finding.rows) == ("item-not-whole", "warning", "w2", (2,))
    assert "3.5 in row 2" in finding.words


def test_a_row_of_a_wide_file_is_named_once():
    made = scored(wai([9, *[1] * 11], [9, *[1] * 11]), row=pl.Series([5, 5]))
    assert made.findings[0].rows == (5,)


def test_the_missing_rule_is_said():
    nothing: list[float | str | None] = [None] * 12
    made = scored(wai([None, None, *[1] * 10], [None, None, None, *[1] * 9], nothing, [1] * 12))
    # Ten answers, two of them turned to 7.
    assert made.frame["w{item}"].to_list() == pytest.approx([(8 + 14) / 10, None, None, (10 + 14) / 12])
    assert [(f.code, f.level, f.rows) for f in made.findings] == [
        ("items-missing", "note", ()), ("too-few-items", "warning", (2,)),
    ]  # fmt: skip
    assert "1 record of the patient rating has answers to fewer than 10 of 12 items" in made.findings[1].words


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"measure": "wai-sr"}, "'wai-sr' (total) from 1 to 5"),
        ({"scale": "bond"}, "'wai-s' (bond) from 1 to 7"),
        ({"range": (1, 5)}, "'wai-s' (total) from 1 to 5"),
    ],
)
def test_unequal_scales_of_the_two_raters(other, words):
    frame = wai([1] * 12)
    sections = {
        "patient_rating": ItemsSection(measure="wai-s", items="w{item}"),
        "therapist_rating": ItemsSection(**{"measure": "wai-s", "items": "t{item}", **other}),
    }
    frame = frame.with_columns(pl.col(f"w{n}").alias(f"t{n}") for n in WAI)
    items = {"patient_rating": WAI, "therapist_rating": {n: f"t{n}" for n in WAI}}
    found = [f for f in score_measures(frame, pl.Series([1]), items, sections, None).findings if f.level == "warning"]
    assert [f.code for f in found] == ["unequal-scales"]
    assert words in found[0].words


def test_unknown_measure_and_scale():
    with pytest.raises(PlanError, match="no measure 'wai-x'"):
        scored(wai([1] * 12), measure="wai-x")
    with pytest.raises(PlanError, match=r"'wai-s' has no scale 'bonds'.*Did you mean 'bond'"):
        scored(wai([1] * 12), scale="bonds")


def test_bands_count_what_lies_in_them():
    table = bands(measure("bdi-ii"), pl.Series([0.0, 13, 13.4, 14, 20, 28.9, 29, 63, None]))
    assert table.rows() == [
        ("minimal", 0, 13, 3, 37.5), ("mild", 14, 19, 1, 12.5), ("moderate", 20, 28, 2, 25), ("severe", 29, 63, 2, 25),
    ]  # fmt: skip
    assert bands(measure("bdi-ii"), pl.Series([], dtype=pl.Float64))["n"].to_list() == [0, 0, 0, 0]
    assert bands(measure("wai-s"), pl.Series([3.0])).height == 0


NAMES = st.sampled_from(["wai-s", "wai-sr", "core-om", "dass-21", "who-5", "phq-9"])


@st.composite
def answered(draw) -> tuple[str, str, pl.DataFrame, dict[int, str]]:
    name = draw(NAMES)
    key = measure(name)
    scale = draw(st.sampled_from(list(key.scales)))
    answer = st.one_of(st.none(), st.integers(int(key.range[0]), int(key.range[1])))
    record = st.lists(answer, min_size=key.items, max_size=key.items)
    records = draw(st.lists(record, min_size=1, max_size=6))
    columns = {n: f"w{n}" for n in range(1, key.items + 1)}
    frame = pl.DataFrame(records, schema=dict.fromkeys(columns.values(), pl.Int64), orient="row")
    return name, scale, frame, columns


@settings(max_examples=150, deadline=None)
@given(answered(), st.randoms())
def test_scores_are_in_range_and_do_not_depend_on_the_order_of_rows(case, random):
    name, scale, frame, columns = case
    made = scored(frame, columns=columns, measure=name, scale=scale)
    score = made.frame["w{item}"]
    low, high = made.scored["patient_rating"].limits
    assert score.drop_nulls().is_between(low - 1e-9, high + 1e-9).all()
    order = list(range(frame.height))
    random.shuffle(order)
    again = scored(frame[order], columns=columns, measure=name, scale=scale)
    assert again.frame["w{item}"].to_list() == score[order].to_list()
    key = measure(name)
    answers = frame.select(columns[n] for n in key.items_of(scale))
    counted = [sum(a is not None for a in record) for record in answers.rows()]
    assert score.is_not_null().to_list() == [n >= key.needed(scale) for n in counted]
    none = frame.with_columns(pl.all().replace_strict({}, default=None, return_dtype=pl.Int64))
    assert scored(none, columns=columns, measure=name, scale=scale).frame["w{item}"].null_count() == frame.height


@settings(max_examples=100, deadline=None)
@given(answered())
def test_a_higher_answer_raises_the_score_unless_the_item_is_reversed(case):
    name, scale, frame, columns = case
    key = measure(name)
    complete = frame.fill_null(int(key.range[0]))
    item = key.items_of(scale)[-1]
    raised = complete.with_columns(pl.lit(int(key.range[1])).alias(columns[item]))
    before = scored(complete, columns=columns, measure=name, scale=scale).frame["w{item}"]
    after = scored(raised, columns=columns, measure=name, scale=scale).frame["w{item}"]
    change = (after - before) * (-1 if item in key.reverse else 1)
    assert (change >= -1e-9).all()
