"""Every number of a report against the string that the Publication Manual asks for."""

import math

import pytest

from dyadline.report.document import Cell
from dyadline.report.numbers import (
    count,
    decimals_for,
    decimals_of_spread,
    freedom,
    interval,
    number,
    occasion,
    p_value,
    proportion,
    span,
    words,
)


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        (1.0, 2, "1.00"),
        (-1.2, 2, "−1.20"),
        (0.005, 1, "0.0"),
        (-0.001, 2, "0.00"),  # never a negative zero
        (-0.0, 2, "0.00"),
        (-0.0451, 3, "−0.045"),
        (6883.5, 1, "6883.5"),
        (12345678.9, 2, "1.23 × 10⁷"),
        (None, 2, "—"),
        (math.nan, 2, "—"),
        (math.inf, 2, "∞"),
        (-math.inf, 2, "−∞"),
        (7, 0, "7"),
    ],
)
def test_number(value, decimals, text):
    assert number(value, decimals) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.032, ".032"),
        (0.0009999, "< .001"),
        (0.001, ".001"),
        (0.0, "< .001"),
        (0.05, ".050"),
        (0.9994, ".999"),
        (0.9996, "> .999"),
        (1.0, "> .999"),
        (None, "—"),
        (math.nan, "—"),
    ],
)
def test_p(value, text):
    assert p_value(value) == text


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        (0.76, 2, ".76"),
        (-0.25, 2, "−.25"),
        (1.0, 2, "1.00"),
        (-1.0, 2, "−1.00"),
        (0.953, 3, ".953"),
        (-0.001, 2, ".00"),
    ],
)
def test_proportion(value, decimals, text):
    assert proportion(value, decimals) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (91.37, "91.4"),
        (92.0, "92"),
        (92.0000000001, "92"),
        (100.4, "100"),
        (99.97, "100"),
        (1083.2, "1083"),
        (math.inf, "∞"),
        (None, "—"),
        (2.96, "3.0"),
    ],
)
def test_freedom(value, text):
    assert freedom(value) == text


def test_intervals_and_ranges():
    assert interval(-1.2, 0.344) == "[−1.20, 0.34]"
    assert interval(0.0101, 0.0449, 3) == "[0.010, 0.045]"
    assert interval(None, None) == "—"
    assert span(2.1, 6.9) == "2.10–6.90"
    assert span(-0.4, 1.2) == "−0.40 to 1.20"  # a minus beside an en dash could not be read
    assert span(0.4, 1.2, dash=False) == "0.40 to 1.20"
    assert span(None, 1.0) == "—"


def test_counts_and_occasions():
    assert [count(n) for n in (0, 96, 1089, 12345678, None)] == ["0", "96", "1,089", "12,345,678", "—"]
    assert [occasion(t) for t in (1.0, 2.5, -1.0, 20240131.0, None)] == ["1", "2.5", "−1", "20240131", "—"]


@pytest.mark.parametrize(
    ("errors", "decimals"),
    [
        ([1.16, 0.13], 2),
        ([0.05], 2),
        ([0.049], 3),
        ([0.0051], 3),
        ([0.0049], 4),
        ([0.46, 0.02], 3),
        ([], 2),
        ([None], 2),
        ([0.0, math.nan, 1.0], 2),
        ([1e-12], 5),
    ],
)
def test_decimals_follow_the_smallest_standard_error(errors, decimals):
    assert decimals_for(errors) == decimals


def test_decimals_of_means():
    assert decimals_of_spread(0.6, 0.1) == 2
    assert decimals_of_spread(0.09) == 3
    assert decimals_of_spread(None) == 2


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (Cell(value=0.5, kind="p"), ".500"),
        (Cell(value=0.5, kind="proportion"), ".50"),
        (Cell(value=(1.0, 2.0), kind="interval"), "[1.00, 2.00]"),
        (Cell(value=(1.0, 2.0), kind="range", decimals=1), "1.0–2.0"),
        (Cell(value=(1.0, 2.0), kind="extent", decimals=1), "1.0 to 2.0"),
        (Cell(value=(0.08, 0.2), kind="bounds"), "[.08, .20]"),
        (Cell(value=(0.84, 0.914), kind="spread"), ".84–.91"),
        (Cell(value=(-0.1, 0.2), kind="spread"), "−.10 to .20"),
        (Cell(value=None, kind="interval"), "—"),
        (Cell(value=1089, kind="count"), "1,089"),
        (Cell(value=88.06, kind="df"), "88.1"),
        (Cell(value="log_shift", kind="text"), "log_shift"),
    ],
)
def test_cells(cell, text):
    assert words(cell) == text


def test_a_pair_is_not_one_number():
    with pytest.raises(TypeError, match="not one number"):
        words(Cell(value=(1.0, 2.0), kind="p"))
