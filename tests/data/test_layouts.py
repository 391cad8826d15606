"""Files as laboratories lay them out: the plan that is proposed for each."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

import layouts_long  # noqa: F401  (fills LAYOUTS)
import layouts_odd  # noqa: F401
import layouts_wide  # noqa: F401
from dyadline.data.missing import apply_missing
from dyadline.data.recognition.recognise import recognise
from dyadline.data.table import Table
from dyadline.plan.analysis import AnalysisPlan
from dyadline.plan.columns import ItemsSection, MissingSection
from dyadline.plan.document import parse_plan, plan_text
from dyadline.workflow import first_plan
from layouts import LAYOUTS, Layout
from simulated_study import INSTRUMENTS


def plan_of(build: Callable[[], Layout]) -> tuple[AnalysisPlan, str, Layout, Any]:
    table, dyads, expected = build()
    found = recognise(table, instruments=INSTRUMENTS, dyads=dyads)
    plan = first_plan(found, "study.csv", None if dyads is None else "dyads.csv")
    return plan, plan_text(plan, found.comments), (table, dyads, expected), found


def as_measure(value: object) -> object:
    return (value.measure, value.items, value.range) if isinstance(value, ItemsSection) else value


@pytest.mark.parametrize("name", LAYOUTS)
def test_layout(name: str) -> None:
    plan, text, (table, dyads, expected), found = plan_of(LAYOUTS[name])
    assert parse_plan(text) == plan
    assert all(len(line) <= 120 for line in text.split("\n") if line.startswith("#"))
    assert found.layout == expected.layout
    assert {role: as_measure(getattr(plan.columns, role)) for role in expected.columns} == expected.columns
    assert plan.raters == (None if expected.raters is None else type(plan.raters)(**expected.raters))
    assert plan.time.model_dump(exclude_defaults=True) == expected.time
    assert {key: getattr(plan.checks, key) for key in expected.checks} == expected.checks
    assert plan.missing.model_dump(exclude_defaults=True) == expected.missing
    assert (plan.dyads.model_dump(exclude_none=True) if plan.dyads else None) == expected.dyads
    assert set(expected.open) <= set(found.missing)
    assert bool(found.missing) == bool(expected.open) or expected.open
    comments = " ".join(line.strip("# ") for line in text.split("\n") if line.startswith("#"))
    for words in expected.said:
        assert words in comments
    names = [*table.frame.columns, *(dyads.frame.columns if dyads else ())]
    for role in ("patient_rating", "therapist_rating", "outcome", "baseline"):
        held = getattr(plan.columns, role)
        if not (isinstance(held, str) and (held == "first" or held.startswith("<"))):
            check_columns_exist(held, names, plan)


def check_columns_exist(held: str | ItemsSection, names: list[str], plan: AnalysisPlan) -> None:
    """Each pattern fits columns, each occasion has the same items, and all of a measure's are there."""
    asked = held.items if isinstance(held, ItemsSection) else held
    time = "|".join(re.escape(f"{o:g}" if isinstance(o, float) else o) for o in plan.time.occasions or ()) or r"\d+"
    fitting: list[tuple[str, str]] = []
    for pattern in (asked,) if isinstance(asked, str) else asked:
        expression = re.escape(pattern).replace(r"\{time\}", f"(?P<time>{time})").replace(r"\{item\}", r"(?P<item>\d+)")
        here = [m.groupdict() for name in names if (m := re.fullmatch(expression, name))]
        assert here, pattern
        fitting += [(m.get("time", ""), m.get("item", pattern)) for m in here]
    by_time: dict[str, set[str]] = {}
    for occasion, item in fitting:
        by_time.setdefault(occasion, set()).add(item)
    assert len({frozenset(each) for each in by_time.values()}) == 1
    if "{time}" in str(asked):
        assert len(by_time) >= 3
    known = {i.name: i.items for i in INSTRUMENTS}
    if isinstance(held, ItemsSection) and held.measure in known:
        assert all(len(each) == known[held.measure] for each in by_time.values())


def test_codes_that_the_plan_takes_as_missing_are_those_that_a_check_would_warn_of():
    table, _, _ = LAYOUTS["undeclared_codes"]()
    named = recognise(table, instruments=INSTRUMENTS).sections["missing"]["by_column"]
    measured = [[f"wai_{rater}_{item}" for item in range(1, 13)] for rater in "pt"] + [["bdi"], ["bdi_pre"]]
    warned = apply_missing(table, MissingSection(), measured=measured).findings
    assert {finding.words.split()[0] for finding in warned} == {"9", "99", "-9"}
    assert named == {"wai_*": (9,), "bdi": (99,), "bdi_pre": (-9,)}
    assert not apply_missing(table, MissingSection(by_column=named), measured=measured).findings[1:]


def test_a_rare_code_is_one_of_all_columns_that_hold_the_same():
    table, _, _ = LAYOUTS["undeclared_codes"]()
    rare = [pl.col(f"wai_{rater}_{item}") for rater in "pt" for item in range(1, 13) if rater == "t" or item > 4]
    frame = table.frame.with_columns(pl.when(column != 9).then(column).name.keep() for column in rare)
    found = recognise(Table(frame=frame), instruments=INSTRUMENTS)
    assert found.sections["missing"]["by_column"] == {"wai_p_*": (9,), "bdi": (99,), "bdi_pre": (-9,)}
    assert sum("9 in 'wai_p_*'" in doubt for doubt in found.doubts) == 1
