"""What the report of a power study says: the paragraph for a manuscript, the design, and when to be alarmed."""

from __future__ import annotations

import re
from dataclasses import replace

import polars as pl
import pytest

from dyadline.report.power import sentences
from dyadline.report.power.compose import power_document
from power_studies import NAMES, make_truth, power_result
from power_words import flat, printed, said


def test_words_round_as_tables_do():
    """.435 is .43 in a table, since the number that stands for it is a little smaller; 44% would contradict it."""
    result = power_result()
    of_main = (pl.col("model") == 3) & (pl.col("term") == "time:convergence")
    tests = result.tests.with_columns(power=pl.when(of_main).then(0.435).otherwise(pl.col("power")))
    document = power_document(replace(result, tests=tests))
    assert printed(document.table("power"))["", "Model 3: Convergence × Time"][0] == ".43"
    assert "would be found in 43% [" in flat(document.summary)


def test_the_paragraph_for_a_manuscript_has_the_numbers_of_the_tables():
    document = power_document(power_result(scores=2))
    text = said(document, "manuscript")
    test = "Model 3: Convergence × Time"
    power = printed(document.table("power"))[test, "default"]
    rate = printed(document.table("errors"))[test, "default"]
    score = printed(document.table("attenuation"))["", "default"]
    dyads = printed(document.table("needed"))[test, "default"]

    def per_cent(said: str, digits: int = 0) -> str:
        return re.sub(r"\.(\d\d)(\d?)", lambda m: f"{int(m[1])}" + f".{m[2]}" * bool(digits), said)

    assert f"found with a power of {per_cent(power[0])}% {per_cent(power[1])} (Convergence × Time in Model 3" in text
    assert "β = .30 of true alliance convergence" in text and "1,000 simulated studies" in text and "α = .05" in text
    assert "We assumed 96 dyads with up to 14 rated sessions, 20% of dyads lost by the last occasion, 14% of" in text
    assert f"has a reliability of {score[0]}, and the slope that is found is on average" in text
    assert f"on average {per_cent(score[-2])}% {per_cent(score[-1])} of the slope" in text
    assert f"(power with such a score: {per_cent(power[2])}%)" in text
    assert f"was significant in {per_cent(rate[0], 1)}% {per_cent(rate[1], 1)} of studies" in text
    assert f"A power of {per_cent(dyads[0])}% takes {dyads[1]} dyads {dyads[2]}." in text


@pytest.mark.parametrize(("odd", "absent"), [({"searched": ""}, "dyads ["), ({"nulls": False}, "Without an effect")])
def test_the_paragraph_says_only_what_is_known(odd, absent):
    assert absent not in said(power_document(power_result(**odd)), "manuscript")


@pytest.mark.parametrize("odd", [{"failed": 1000}, {"effect": (0.0,)}], ids=["all failed", "no effect"])
def test_there_is_no_paragraph_where_no_power_is_known(odd):
    assert "manuscript" not in [section.key for section in power_document(power_result(**odd)).sections]


def test_tests_that_have_nothing_to_find_are_named():
    still = make_truth(fixed={"intercept": 30.0}, slope={"intercept": -1.0})
    text = said(power_document(power_result(truth=still)), "power")
    assert text.startswith("Of these tests only Convergence × Time has an effect to find")
    assert "only Convergence and Convergence × Time have an effect" not in text
    # the twin's own parameters have convergence change the level, too
    assert said(power_document(power_result()), "power") == ""


@pytest.mark.parametrize(("outside", "of"), [(0, 7), (1, 6), (2, 6), (4, 126), (12, 126), (16, 16)])
def test_how_many_intervals_miss_by_chance(outside, of):
    binom = pytest.importorskip("scipy.stats").binom
    assert sentences.chance_of_as_many(outside, of) == pytest.approx(binom.sf(outside - 1, of, 0.05), abs=1e-12)


def test_what_chance_gives_is_no_alarm():
    result = power_result(dyads=tuple(range(60, 400, 20)))
    few = pl.int_range(pl.len()) < 3
    low = pl.when(few).then(0.051).otherwise(0.03)
    result = replace(result, tests=result.tests.with_columns(type_i=0.055, type_i_low=low, type_i_high=0.08))
    text = said(power_document(result), "errors").split("Bias.")[0]
    assert "3 lie above it" in text and "about 3 would lie outside; this is no more than chance gives." in text
    assert "p values" not in text


def test_the_design_names_what_was_given_and_in_what_designs_differ():
    given = make_truth()
    one = power_document(replace(power_result(per_therapist=(96 / 34,)), given=given)).table("design")
    # the hand-made designs lose 20%, the twin 18%: 1 − .982¹¹ over its eleven occasions that can be missed
    assert printed(one)["", "Drop-out"] == [
        "18.1% of dyads: a chance of 1.8% before each occasion after the first three",
        "20% of dyads",
    ]
    assert printed(one)["", "Therapists"] == ["34 (25 CBT, 9 IPT), one for 2.8 patients", ""]
    result = power_result(dyads=(60, 300), sessions=(3, 14), per_therapist=(1.0, 12.0))
    several = printed(power_document(replace(result, given=given)).table("design"))
    assert several["", "Dyads"] == ["96", "60, 300"] and several["", "Sessions with ratings"][1] == "3, 14"
    assert several["", "Therapists"][1] == "one for 1, 12 patients"
    assert several["", "Scale of the ratings"] == ["1 to 7", ""]


def test_other_scores_are_described_by_what_differs():
    result = replace(
        power_result(scores=2),
        operationalisations=[
            (NAMES[0], "A line. Minus its slope; logged. All count."),
            (NAMES[1], "A line. Minus its slope. All count."),
        ],
    )
    text = said(power_document(result), "assumptions")
    assert "Default.A line. Minus its slope; logged. All count." in text
    assert "Untransformed.As the first, but: Minus its slope.\n" in text
