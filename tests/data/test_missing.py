"""Codes that stand for a missing value, declared and not."""

from datetime import date
from math import inf
from typing import Any

import polars as pl
import pytest

from dyadline.data.missing import apply_missing, missing_codes
from dyadline.data.suspects import says_missing
from dyadline.data.table import Declared, Table
from dyadline.errors import DataError, Finding, PlanError
from dyadline.plan.columns import MissingSection


def table(**extra: Any) -> Table:
    frame = pl.DataFrame(
        {
            "id": ["a", "99", "b", "c"],
            "wai_1": [1, 98, 99, 7],
            "wai_2": [99, 2, 99, None],
            "mean": [1.5, 95.0, 90.0, -1.0],
            "told": ["7", "99.0", "none", " 98 "],
            "day": [date(1999, 1, 1), None, date(2020, 1, 1), date(2020, 1, 2)],
        }
    )
    declared = {
        "wai_1": Declared(codes=(99,)),
        "mean": Declared(ranges=((90, inf),)),
        "told": Declared(codes=("none",)),
    }
    labels = {"wai_1": {99: "refused", 98: "left out"}, "wai_2": {99: "refused"}}
    return Table(**({"frame": frame, "declared": declared, "value_labels": labels} | extra))


def applied(plan: dict[str, Any], **extra: Any) -> tuple[dict[str, list[Any]], list[Finding]]:
    after = apply_missing(table(**extra), MissingSection.model_validate(plan))
    return after.frame.to_dict(as_series=False), [f for f in after.findings if f.code == "missing-codes"]


def test_the_file_s_own_codes() -> None:
    frame, (finding,) = applied({})
    assert frame["wai_1"] == [1, 98, None, 7] and frame["wai_2"] == [99, 2, 99, None]
    assert frame["mean"] == [1.5, None, None, -1.0] and frame["told"] == ["7", "99.0", None, " 98 "]
    assert finding.level == "note"
    assert finding.words == (
        "90 in 'mean', 1 value; 95 in 'mean', 1 value; 99 (refused) in 'wai_1', 1 value; 'none' in 'told', 1 value: "
        "taken as missing."
    )


def test_or_none_of_them() -> None:
    frame, findings = applied({"declared": False})
    assert frame == table().frame.to_dict(as_series=False) and findings == []


def test_further_codes_count_in_all_columns_and_in_numbers_that_are_text() -> None:
    frame, (finding,) = applied({"declared": False, "codes": [99, "c"]})
    assert frame["id"] == ["a", None, "b", None] and frame["told"] == ["7", None, "none", " 98 "]
    assert frame["wai_1"] == [1, 98, None, 7] and frame["wai_2"] == [None, 2, None, None]
    assert finding.words == (
        "99 (refused) in 2 columns, 3 values; '99' in 'id', 1 value; '99.0' in 'told', 1 value; 'c' in 'id', 1 value: "
        "taken as missing."
    )


def test_codes_of_a_column_replace_what_the_file_declares_there() -> None:
    frame, _ = applied({"by_column": {"wai_*": [98], "wai_2": ["lowest to 2"], "told": ["98 to 99"]}})
    assert frame["wai_1"] == [1, None, 99, 7] and frame["wai_2"] == [99, None, 99, None]
    assert frame["told"] == ["7", None, "none", None]
    assert frame["mean"] == [1.5, None, None, -1.0]


@pytest.mark.parametrize(
    ("code", "left"),
    [
        ("90 to 95", [1.5, None, None, -1.0]),
        ("lowest to 0", [1.5, 95.0, 90.0, None]),
        ("91 TO Highest", [1.5, None, 90.0, -1.0]),
        ("-1 to 1.5", [None, 95.0, 90.0, None]),
        ("lowest to highest", [None] * 4),
        (95, [1.5, None, 90.0, -1.0]),
        ("95", [1.5, None, 90.0, -1.0]),
    ],
)
def test_codes_and_ranges_in_a_plan(code: float | str, left: list[float | None]) -> None:
    assert applied({"by_column": {"mean": [code]}})[0]["mean"] == left


def test_what_fits_nothing_is_an_error() -> None:
    with pytest.raises(DataError) as caught:
        applied({"by_column": {"wai1": [9]}})
    assert str(caught.value) == "There is no column 'wai1' in the data (missing.by_column). Did you mean 'wai_1'?"
    with pytest.raises(DataError, match=r"There is no column 'bdi_\*'"):
        applied({"by_column": {"bdi_*": [9]}})
    with pytest.raises(PlanError, match="The range '99 to 90' ends before it begins"):
        applied({"codes": ["99 to 90"]})


def test_many_codes_are_counted_together() -> None:
    frame = pl.DataFrame({"x": [*range(-20, 0), 1, 1]})
    finding = apply_missing(Table(frame=frame), MissingSection(codes=("lowest to 0",))).findings[0]
    assert finding.words.endswith("; 8 other codes, 8 values: taken as missing.")
    assert finding.column == "x"


def test_a_table_of_what_is_declared() -> None:
    frame = missing_codes(table())
    assert frame.columns == ["column", "code", "label", "count"]
    assert frame.rows() == [
        ("wai_1", "99", "refused", 1),
        ("mean", "90 to highest", None, 2),
        ("told", "none", None, 1),
    ]
    assert missing_codes(Table(frame=pl.DataFrame({"a": [1]}))).height == 0


def warnings(columns: dict[str, list[Any]], labels: dict[str, Any] | None = None) -> list[tuple[str, str, str]]:
    of = Table(frame=pl.DataFrame(columns), value_labels=labels or {})
    return [(f.code, f.words, f.way_out) for f in apply_missing(of, MissingSection()).findings if f.level == "warning"]


def test_a_label_that_says_missing() -> None:
    labels = {name: {1: "never", 7: "always", 9: "k. A."} for name in ("a", "b", "c")}
    found = warnings({"a": [1, 9, 9], "b": [9, 7, 2], "c": [1, 2, 3], "sessions": [8, 9, 10]}, labels)
    assert found == [
        (
            "undeclared-missing-code",
            "9 in 'a' and 'b' (3 values) is labelled 'k. A.', and the file does not declare it missing.",
            'If it stands for a missing answer, write under [missing]: by_column = { "a" = [9], "b" = [9] }.',
        )
    ]


@pytest.mark.parametrize(
    ("values", "labels", "code"),
    [
        ([1, 2, 7, 99], None, 99),
        ([1, 2, 7, -9], None, -9),
        ([0, 1, 3, 9], None, 9),
        ([0.0, 12.5, 63.0, 999.0], None, 999),
        ([1, 2, 7, 9], {1: "never", 7: "always"}, 9),
        ([1, 2, 3, -1], {1: "never", 7: "always"}, -1),
        ([1, 2, 7, 9], None, None),  # might be an answer
        ([0, 30, 63, 99], None, 99),
        ([0, 30, 80, 99], None, None),  # a sum may be so high
        ([0, 30, 63, -9], None, -9),
        ([0, 5, 9, -1], None, -1),
        ([-3, -2, -1, 0, 1, 2, 3], None, None),
        ([-35, -20, 0, -9], None, None),
        ([1, 2, 3, 98, 99, 100, 97], None, None),  # others are near
        ([97, 98, 99, 96], None, None),
        ([1, 9, 12], {1: "never", 7: "always"}, None),  # the labels do not cover the answers
        (["1", "99"], None, None),
    ],
)
def test_a_number_far_from_the_others(values: list[Any], labels: Any, code: float | None) -> None:
    found = warnings({"x": values}, {"x": labels} if labels else None)
    if code is None:
        assert found == []
        return
    others = [value for value in values if value != code]
    assert found == [
        (
            "suspected-missing-code",
            f"{code} in 'x' (1 value) is far from the other values ({min(others):g} to {max(others):g}) "
            "and may stand for a missing answer.",
            f"If it does, write under [missing]: codes = [{code}].",
        )
    ]


def test_the_plan_s_line_that_a_warning_names_ends_the_warning() -> None:
    frame = pl.DataFrame({"a": [1, 2, 7, 99], "b": [1, 2, 7, 3]})
    after = apply_missing(Table(frame=frame), MissingSection(codes=(99,)))
    assert [f.code for f in after.findings] == ["missing-codes"] and after.frame["a"].to_list() == [1, 2, 7, None]


def test_items_that_hold_the_same_say_together_what_their_codes_are() -> None:
    frame = pl.DataFrame({"a": [1, 2, 3, 9], "b": [4, 5, 6, 9], "c": [7, 1, 1, 1], "sum": [10, 9, 30, 12]})
    together = apply_missing(Table(frame=frame), MissingSection(), measured=[["a", "b", "c"], ["sum"]])
    assert [f.words for f in together.findings] == [
        "9 in 'a' and 'b' (2 values) is far from the other values (1 to 7) and may stand for a missing answer."
    ]
    assert together.findings[0].rows == (4,)
    assert together.findings[0].way_out.endswith('by_column = { "a" = [9], "b" = [9] }.')
    nine_points = frame.with_columns(c=pl.Series([8, 1, 1, 1]))  # 8 and 9 may be answers
    assert apply_missing(Table(frame=nine_points), MissingSection(), measured=[["a", "b", "c"]]).findings == ()


@pytest.mark.parametrize(
    ("label", "says"),
    [
        ("Missing", True),
        ("refused to answer", True),
        ("Don't know", True),
        ("N/A", True),
        ("n.a.", True),
        ("keine Angabe", True),
        ("weiß nicht", True),
        ("Item nicht beantwortet", True),
        ("vet ikke", True),
        ("does not apply to me", False),
        ("trifft nicht zu", False),  # an answer in German
        ("never", False),
        ("na ja", False),
        ("I know no answer would help", True),  # warned of once too often rather than too seldom
        ("permissive", False),
    ],
)
def test_words_for_missing_answers(label: str, says: bool) -> None:
    assert says_missing(label) is says
