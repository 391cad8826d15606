"""Occasions and dates become numbers, or a sentence says which value does not."""

from __future__ import annotations

import datetime as dt
from typing import Any

import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dyadline.data.shape import Long, reshape
from dyadline.data.table import Table
from dyadline.data.times import dates
from dyadline.errors import DataError, DyadlineError, PlanError
from dyadline.plan.document import make_plan

DAY = dt.date


def long_of(times: Any, *, dyads: Any = None, labels: Any = None, more: Any = None, **sections: Any) -> Long:
    n = len(times)
    frame = pl.DataFrame(
        {"id": dyads or ["a"] * n, "when": times, "p": [1.0] * n, "t": [1.0] * n, "y": [1.0] * n, **(more or {})}
    )
    columns = {"dyad": "id", "time": "when", "patient_rating": "p", "therapist_rating": "t", "outcome": "y"}
    plan = make_plan({"version": 1, "columns": columns, **sections})
    return reshape(Table(frame=frame, value_labels={"when": labels or {}}), plan)


def refused(times: Any, kind: type[DyadlineError] = DataError, **about: Any) -> str:
    with pytest.raises(kind) as caught:
        long_of(times, **about)
    return str(caught.value)


def counted(times: Any, how: str, **about: Any) -> list[Any]:
    long = long_of(times, time={"dates": how}, **about)
    return long.frame[long.names["time"]].to_list()


def parsed(texts: list[str | None], written: str | None = None) -> list[DAY | None]:
    row = pl.Series(range(1, len(texts) + 1))
    return dates(pl.Series(texts, dtype=pl.String), row, column="d", words="time", written=written).to_list()


def misread(texts: Any, written: str | None = None) -> str:
    with pytest.raises(DyadlineError) as caught:
        dates(pl.Series(texts), pl.Series(range(11, 11 + len(texts))), column="d", words="time", written=written)
    return str(caught.value)


# --- fixed occasions


def test_occasions_are_met_by_number_text_and_meaning() -> None:
    long = long_of(
        [" pre", "03", "3.0", "t2", "Ende", None, "", "NA", "3"],
        labels={"Ende": "Follow-up "},
        time={"occasions": ["pre", 3, "T2", "follow-up"]},
    )
    assert long.frame["when"].to_list() == [0, 1, 1, 2, 3, None, None, None, 1]
    assert long.findings == () and long.row.to_list() == list(range(1, 10))
    coded = long_of([1.0, 2.0, float("nan")], labels={1.0: "Pre", 2.0: "Post"}, time={"occasions": ["post", "pre"]})
    assert coded.frame["when"].to_list() == [1, 0, None]
    texts = long_of([1, 3], time={"occasions": ["1", "3"]})
    assert texts.frame["when"].to_list() == [0, 1]


def test_capitals_tell_occasions_apart_where_the_plan_has_both() -> None:
    long = long_of(["a", "A", "b"], time={"occasions": ["a", "A", "B"]})
    assert long.frame["when"].to_list() == [0, 1, 2]
    neither = long_of(["Ab", "AB"], time={"occasions": ["Ab", "aB"]})
    assert neither.frame["when"].to_list() == [0] and "'AB'" in neither.findings[0].words


def test_rows_at_other_times_are_left_out_with_a_warning() -> None:
    long = long_of([1, 2, 3, None, 2, 12], time={"occasions": [1, 3, 12]})
    assert long.frame["when"].to_list() == [0, 1, None, 2]
    assert long.row.to_list() == [1, 3, 4, 6]
    (finding,) = long.findings
    assert (finding.code, finding.level, finding.rows) == ("other-occasions", "warning", (2, 5))
    assert finding.words == "2 rows at no occasion of the plan were left out: 'when' is '2' there."
    assert refused([1, 2], time={"occasions": [7, "x"]}) == (
        "No row is at one of the occasions '7' and 'x' (column 'when'). "
        "The column has '1' and '2': write those under occasions in [time]."
    )


# --- what dates become


def test_sessions_days_weeks_and_months() -> None:
    when = [DAY(2020, 3, 30), DAY(2020, 3, 2), DAY(2021, 3, 1), DAY(2020, 3, 30), DAY(2020, 3, 9), None]
    who = ["a", "a", "b", "b", "a", "a"]
    # By hand: a on 2, 9 and 30 March; b on 30 March 2020 and 336 days later.
    assert counted(when, "sessions", dyads=who) == [3, 1, 2, 1, 2, None]
    assert counted(when, "days", dyads=who) == [28, 0, 336, 0, 7, None]
    assert counted(when, "weeks", dyads=who) == [4.0, 0.0, 48.0, 0.0, 1.0, None]
    assert counted(when, "months", dyads=who)[2] == pytest.approx(336 / 30.4375)
    assert counted([DAY(2020, 1, 1), DAY(2024, 1, 1)], "months")[1] == 48.0


def test_the_dates_stay_beside_the_numbers() -> None:
    long = long_of(["2.3.2020", "9.3.2020"], time={"dates": "weeks"}, checks={"date": "when"})
    assert long.names["time"] == "when (weeks)"
    assert long.frame["when"].to_list() == [DAY(2020, 3, 2), DAY(2020, 3, 9)]
    taken = long_of(["2.3.2020"], more={"when (weeks)": [1]}, time={"dates": "weeks"})
    assert taken.frame["when (weeks)"].to_list() == [1] and taken.frame[taken.names["time"]].to_list() == [0.0]


def test_two_sessions_on_one_day_have_one_number() -> None:
    assert counted([dt.datetime(2020, 1, 1, 9), dt.datetime(2020, 1, 1, 17), dt.datetime(2020, 1, 2)], "sessions") == [
        1, 1, 2,
    ]  # fmt: skip
    assert counted(["2020-01-01 09:00", "2020-01-01T17:30:00Z", "2020-1-2"], "sessions") == [1, 1, 2]


def test_the_day_is_that_of_the_clock_where_the_session_was() -> None:
    late = (
        pl.Series([dt.datetime(2020, 1, 2, 4, 30)]).dt.replace_time_zone("UTC").dt.convert_time_zone("America/New_York")
    )
    read = dates(late, pl.Series([1]), column="d", words="time")
    assert read.to_list() == [DAY(2020, 1, 1)]


def test_labels_with_blanks_are_one_dyad() -> None:
    assert counted([DAY(2020, 1, 1), DAY(2020, 1, 3)], "days", dyads=["a", "a "]) == [0, 2]


def test_dyads_numbered_anew_for_each_therapist_cannot_be_counted() -> None:
    columns = {"dyad": "id", "therapist": "th", "time": "when", "patient_rating": "p", "therapist_rating": "t"}
    frame = pl.DataFrame({"id": [1, 1, 2, 2], "th": [1, 2, 1, 2], "when": DAY(2020, 1, 1), "p": 1, "t": 1, "y": 1})
    plan = make_plan({"version": 1, "columns": columns | {"outcome": "y"}, "time": {"dates": "days"}})
    with pytest.raises(DataError, match="2 of 2 labels in 'id' occur under more than one therapist"):
        reshape(Table(frame=frame), plan)


def test_columns_of_checks_become_dates() -> None:
    end, date = ["31.1.2020", None], ["13/1/2020", "3/2/2020"]
    long = long_of([1, 2], more={"end": end, "d": date}, checks={"end": "end", "date": "d"})
    assert long.frame["end"].to_list() == [DAY(2020, 1, 31), None]
    assert long.frame["d"].to_list() == [DAY(2020, 1, 13), DAY(2020, 2, 3)]
    numbers = long_of([1, 2], more={"end": ["14", "NA"]}, checks={"end": "end"})
    assert numbers.frame["end"].to_list() == ["14", "NA"]
    unlike = long_of([1, 2], more={"end": [14, 3]}, checks={"end": "end"}, time={"date_format": "%d.%m.%Y"})
    assert unlike.frame["end"].to_list() == [14, 3]
    excel = long_of([1, 2], more={"end": [43831, None]}, checks={"end": "end"}, time={"date_format": "excel"})
    assert excel.frame["end"].to_list() == [DAY(2020, 1, 1), None]
    assert "'x' in row 2" in refused([1, 2], more={"d": ["13.1.2020", "x"]}, checks={"date": "d"})


# --- how dates are written

WAYS = ["%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y"]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.one_of(st.none(), st.dates(DAY(1950, 1, 1), DAY(2100, 12, 31))), min_size=1, max_size=8),
    st.sampled_from(WAYS),
    st.booleans(),
)
def test_dates_that_python_wrote_are_read_as_they_were(days: list[DAY | None], way: str, said: bool) -> None:
    texts = [day and day.strftime(way) for day in days]
    if not said and way[:2] in ("%d", "%m") and "." not in way:
        assume(any(day and day.day > 12 for day in days) or all(day is None or day.day == day.month for day in days))
    assert parsed(texts, way if said else None) == days


def test_forms_that_say_themselves_may_be_mixed() -> None:
    texts = ["2020-03-14", "14.3.2020", " 3/14/2020 ", "", "NA", None, "3/1/2020 10:15"]
    day = DAY(2020, 3, 14)
    assert parsed(texts) == [day, day, day, None, None, None, DAY(2020, 3, 1)]


def test_day_and_month_that_nothing_tells_apart_are_asked_for() -> None:
    assert misread(["03/03/2020", "1/2/2020", "5/6/2020"]) == (
        "The column 'd' (time) has dates that can be read in two ways: '1/2/2020' in row 12 and '5/6/2020' in row 13. "
        'Say which comes first: date_format = "%d/%m/%Y" or "%m/%d/%Y" under [time].'
    )
    assert misread(["1/2/2020", "13/2/2020", "14/2/2020", "2/14/2020"]) == (
        "The column 'd' (time) has dates with the day first and dates with the month first: '13/2/2020' in row 12 and "
        "'2/14/2020' in row 14. Write all in one way."
    )
    assert parsed(["12/13/2020", "1/2/2020"]) == [DAY(2020, 12, 13), DAY(2020, 1, 2)]
    assert parsed(["13/12/2020", "1/2/2020"]) == [DAY(2020, 12, 13), DAY(2020, 2, 1)]
    assert parsed(["1/2/2020"], "%m/%d/%Y") == [DAY(2020, 1, 2)]


def test_what_is_no_date_is_named_with_its_row() -> None:
    assert misread(["1.1.2020", "31.2.2020", "29.2.2021"]) == (
        "The column 'd' (time) has what is no date: '31.2.2020' in row 12 and '29.2.2021' in row 13. Correct it."
    )
    assert "no date: '13.13.2020' in row 11" in misread(["13.13.2020"])
    assert "before 1950 or after 2100: '1.1.1900' in row 11 and '2999-01-01' in row 12" in misread(
        ["1.1.1900", "2999-01-01", "2020-01-01"]
    )
    assert "before 1950 or after 2100: '1582-10-15' in row 11" in misread([DAY(1582, 10, 15)])
    assert misread(["1.1.20"]) == (
        "The column 'd' (time) has years of two digits: '1.1.20' in row 11. "
        'Say how they are written: date_format = "%d.%m.%y" under [time].'
    )
    assert misread(["1/3/20"]).endswith('date_format = "%d/%m/%y", or "%m/%d/%y", under [time].')
    assert misread(["2020-03-01", "1/3/20"]).endswith("Write all dates in one way.")
    assert "no date of a known form: '31 Jan 2020' in row 11" in misread(["31 Jan 2020"])
    assert parsed(["31 Jan 2020"], "%d %b %Y") == [DAY(2020, 1, 31)]
    assert parsed(["1.2.20"], "%d.%m.%y") == [DAY(2020, 2, 1)]
    assert misread(["2020-01-01", "1.1.2020"], "%d.%m.%Y") == (
        "The column 'd' (time) has what is no date: '2020-01-01' in row 11. "
        "Correct it, or date_format = '%d.%m.%Y' under [time]."
    )


def test_a_format_without_places_is_a_mistake_of_the_plan() -> None:
    assert "no places for day, month and year" in refused(
        ["1.1.2020"], PlanError, time={"dates": "days", "date_format": "dd.mm.yyyy"}
    )


def test_day_numbers_of_a_spreadsheet_only_where_the_plan_says_so() -> None:
    # Excel's own: 43831 is 1 January 2020, 36526 is 1 January 2000.
    numbers = pl.Series([43831.0, 36526.75, None])
    row = pl.Series([1, 2, 3])
    read = dates(numbers, row, column="d", words="time", written="excel")
    assert read.to_list() == [DAY(2020, 1, 1), DAY(2000, 1, 1), None]
    assert dates(pl.Series(["43831"]), row[:1], column="d", words="time", written="excel").to_list() == [
        DAY(2020, 1, 1)
    ]
    assert "needs dates and has '43831.0'" in misread([43831.0])
    assert "'12.0' in row 12" in misread([43831.0, 12.0], "excel")
    whole = dates(pl.Series([20200131]), row[:1], column="d", words="time", written="%Y%m%d")
    assert whole.to_list() == [DAY(2020, 1, 31)]


def test_dates_that_nobody_asked_to_count_are_refused_with_the_choices() -> None:
    from dyadline.data.values import numbers

    with pytest.raises(DataError, match=r'Write dates = "sessions" under \[time\]'):
        numbers(pl.Series([DAY(2020, 1, 1)]), column="when", role="time")
    assert long_of([DAY(2020, 1, 1)]).frame["when"].dtype == pl.Date
