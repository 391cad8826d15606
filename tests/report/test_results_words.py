"""Results in words: against sentences written by hand from the paper's Table I, and against the tables' own numbers."""

import re
from types import SimpleNamespace

import polars as pl
import pytest

from dyadline.errors import Finding
from dyadline.report.compose import compose
from dyadline.report.document import Paragraph
from dyadline.report.prose.effects import beside_alpha
from dyadline.report.prose.limits import LIMITS, limit_sentences
from dyadline.report.prose.narrative import main_result
from dyadline.report.prose.results import results_blocks

BANNED = ("proves", "prove that", "causes", "caused", "no effect", "trend towards significance", "marginally")


def with_test(result, term, *, model, **changes):
    """The hand-made result with other numbers in one row of its coefficient table."""
    fixed = result.tables["fixed_effects"]
    here = (pl.col("term") == term) & (pl.col("model") == model)
    changed = fixed.with_columns(
        pl.when(here).then(pl.lit(value)).otherwise(pl.col(name)).alias(name) for name, value in changes.items()
    )
    copy = SimpleNamespace(**vars(result))
    copy.tables = result.tables | {"fixed_effects": changed}
    return copy


def test_a_null_result_with_its_interval_and_what_the_test_could_see(result, said):
    # Table I: -0.08 (0.39), p = .831; df 93.37; (1.985694 + 0.845511) * 0.39 = 1.104 (R).
    assert (
        "Convergence was not significantly related to the slope of the outcome, b = −0.08, SE = 0.39, t(93.4) = −0.21, "
        "p = .831, 95% CI [−0.86, 0.70]; MDE = ±1.10, not reached by the interval."
    ) in said(results_blocks(result, set()))


def test_an_interval_that_reaches_the_detectable_effect_says_so(result, said):
    # The interval reaches to -1.476, beyond 1.104.
    made = with_test(
        result, "time:convergence", model=2, estimate=-0.70, statistic=-0.70 / 0.39, p_value=0.076,
        conf_low=-1.476, conf_high=0.076,
    )  # fmt: skip
    assert (
        "b = −0.70, SE = 0.39, t(93.4) = −1.79, p = .076, 95% CI [−1.48, 0.08]; MDE = ±1.10, reached by the interval."
    ) in said(results_blocks(made, set()))


@pytest.mark.parametrize(
    ("estimate", "words"),
    [
        (-1.2, "a lower slope of the outcome (it fell more, or rose less)"),
        (1.2, "a higher slope of the outcome (it fell less, or rose more)"),
    ],
)
def test_a_significant_slope_says_which_way_and_not_whether_that_is_better(result, said, estimate, words):
    made = with_test(
        result, "time:convergence", model=2, estimate=estimate, statistic=estimate / 0.39, p_value=0.003,
        conf_low=estimate - 0.77, conf_high=estimate + 0.77,
    )  # fmt: skip
    text = said(results_blocks(made, set()))
    sign = "−" if estimate < 0 else ""
    assert f"Higher values of convergence went with {words}, b = {sign}1.20, SE = 0.39, t(93.4) = {sign}3.08" in text
    assert "Of the 6 tests of convergence 1 was significant; p values are not adjusted for their number" in text


def test_no_significant_test_is_not_evidence_of_nothing(result, said):
    text = said(results_blocks(result, set()))
    assert (
        "None of the 6 tests of convergence was significant. That is not evidence that convergence and outcome are "
        "unrelated: the intervals say which effects remain possible."
    ) in text


def test_covariates_of_the_largest_model(result, said):
    text = said(results_blocks(result, set()))
    start = text.index("In Model 3, higher values of initial symptoms went with a higher outcome at time 0, b = 0.77")
    rest = text[start:]
    assert "Higher values of the therapist's early alliance went with a lower outcome at time 0, b = −4.42" in rest
    assert "Higher values of alliance development went with a lower slope of the outcome (it fell more" in rest
    assert "The 7 other tests of predictors beside convergence were not significant (smallest p = .144)." in rest


def test_change_of_the_outcome(result, said):
    assert (
        "In Model 1, which has time alone, the outcome fell over time, per unit of time b = −0.79, SE = 0.13, t(92.4) "
        "= −6.08, p < .001, 95% CI [−1.05, −0.53]. Estimated variances over dyads were 49.84 (SE = 9.35) for the level "
        "at time 0 and 1.24 (SE = 0.26) for the slope."
    ) in said(results_blocks(result, set()))


@pytest.mark.parametrize(
    ("p", "decimals", "words"),
    [
        (0.0494, None, ""),
        (0.0496, None, " (below .05 before rounding)"),
        (0.04996, None, " (below .05 before rounding)"),
        (0.05004, None, " (above .05 before rounding)"),
        (0.046, 2, " (below .05 before rounding)"),
        (0.054, 2, " (above .05 before rounding)"),
        (0.046, None, ""),
        (None, None, ""),
    ],
)
def test_p_beside_alpha(p, decimals, words):
    assert "".join(map(str, beside_alpha(p, decimals))) == words


def test_significance_goes_by_the_exact_p(result, said):
    made = with_test(result, "time:convergence", model=2, p_value=0.04996)
    text = said(results_blocks(made, set()))
    assert "Higher values of convergence went with a lower slope" in text
    assert "p = .050, 95% CI [−0.86, 0.70] (below .05 before rounding)" in text


def test_criteria_only_on_common_rows(result, said):
    text = said(results_blocks(result, set()))
    assert "Model 3 had the lowest AIC, 6449.00 (6953.00 in Model 1 and 6500.00 in Model 2), and the lowest BIC" in text
    copy = SimpleNamespace(**vars(result))
    copy.tables = {name: table for name, table in result.tables.items() if name != "criteria_common"}
    assert "lowest AIC" not in said(results_blocks(copy, set()))


@pytest.mark.parametrize("study", ["study1", "study2"])
def test_no_word_claims_more_than_the_numbers(twin, said, study):
    result = twin(study)
    text = said([b for s in compose(result).sections if s.key in ("method", "results") for b in s.blocks]).lower()
    assert [word for word in BANNED if word in text] == []
    assert not re.search(r"\b(leads? to|due to|because of convergence|impact|improves?)\b", text)


def test_the_limits_of_what_was_found(result, said):
    findings = tuple(
        Finding(code=code, level=level, words="w")
        for code, level in (
            ("low-reliability", "warning"),
            ("noise-floor", "note"),
            ("boundary-fit", "warning"),
            ("boundary-fit", "warning"),
            ("gaps", "note"),
        )
    )
    made = SimpleNamespace(**vars(result))
    made.findings = findings
    text = said(
        [Paragraph(parts=s) for s in limit_sentences(made, {"section-findings"})], {"section-findings": "Section 9"}
    )
    lines = text.split("\n")
    assert len(lines) == 4  # associations, one per kind of finding that matters, and where they are
    assert lines[1].endswith("weak evidence of a small effect.")
    assert lines[2].endswith("mean nothing there.")
    assert lines[3] == "The findings behind these limits are in Section 9."
    assert all(not words.endswith(".") for words in LIMITS.values())


def test_the_summary_speaks_of_scores_not_of_people(result, said):
    made = with_test(result, "time:convergence", model=2, estimate=-1.2, p_value=0.003)
    text = said(main_result(made.tables["fixed_effects"]))
    assert "higher convergence scores went with a lower slope: the outcome fell more, or rose less" in text


def test_the_test_of_therapists(twin, said):
    text = said(results_blocks(twin("study1", (("models", "levels", "auto"),)), set()))
    assert (
        "The variance of the outcome's level over therapists was not significantly above zero, likelihood "
        "ratio = 0.00, p > .999; the models have two levels."
    ) in text


def test_occasions_of_few_dyads_are_not_described(result, said):
    table = result.tables["descriptives"]
    copy = SimpleNamespace(**vars(result))
    copy.tables = result.tables | {
        "descriptives": table.with_columns(n=pl.when(pl.col("time") == 14).then(pl.lit(1)).otherwise(pl.col("n")))
    }
    text = said(results_blocks(copy, set()))
    assert "at session 13." in text
    assert "at session 14" not in text


def test_standardised_where_there_are_any(result, said):
    row = {"model": 2, "term": "time:convergence", "estimate": -0.0213, "std_error": 0.1}
    copy = SimpleNamespace(**vars(result))
    copy.tables = result.tables | {"standardised": pl.DataFrame([row])}
    text = said(results_blocks(copy, set()))
    # (1.985694 + 0.845511) * 0.1 = 0.283 (R)
    assert "95% CI [−0.86, 0.70], β = −0.02; MDE = ±1.10 (β ±0.28), not reached by the interval" in text
