"""What the score would be by noise alone, in a report: beside the observed mean, only where the plan asks for it."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

from dyadline.plan.analysis import ConvergenceSection
from dyadline.plan.scores import describe_operationalisation
from dyadline.report.compose import compose
from dyadline.report.figures.null import null_histogram
from dyadline.report.numbers import words
from dyadline.report.prose.null import null_method, null_sentences
from dyadline.report.tables.null import null_table
from figured_studies import data_of

ASKED = (("convergence", "null", 200),)
ABSOLUTE = ConvergenceSection()
SIGNED = ConvergenceSection(discrepancy="signed")


def null(*, observed: float = 0.31, p: float = 0.002) -> pl.DataFrame:
    mean = {
        "score": "mean", "n": 1000, "observed": observed, "mean": 0.021, "sd": 0.04, "q2_5": -0.0579, "q25": -0.01,
        "q50": 0.02, "q75": 0.05, "q97_5": 0.1021, "q2_5_error": 0.003, "q97_5_error": 0.004,
        "z": (observed - 0.021) / 0.04, "p_value": p, "p_error": 0.002, "p_more": p / 2, "p_less": 1 - p / 2,
    }  # fmt: skip
    dyad = {
        "score": "dyad", "n": 96000, "mean": 0.021, "sd": 0.4, "q2_5": -0.75, "q25": -0.25, "q50": 0.02, "q75": 0.3,
        "q97_5": 0.85, "n_dyads": 96, "n_above": 12, "n_below": 3,
    }  # fmt: skip
    return pl.DataFrame([mean, dyad])


def sentences(said, how=ABSOLUTE, **changes) -> str:
    from dyadline.report.prose.phrases import paragraph

    return said([paragraph(*null_sentences(null(**changes), how, set()))])


def test_the_observed_mean_beside_the_range_in_words(said):
    assert sentences(said) == (
        "In 1,000 simulated studies in which no dyad's true gap changed, the mean score was 0.021 on average "
        "(SD = 0.040), and in 95% of them it lay between −0.058 and 0.102. The observed mean lay above this range, "
        "M = 0.310, two-sided p = .002: more convergence than noise alone gives. By noise alone, 95% of single dyads' "
        "scores lie between −0.75 and 0.85; of the 96 observed scores, 12.5% lay above and 3.1% below this range, "
        "where noise alone puts 2.5% each."
    )


@pytest.mark.parametrize(
    ("how", "observed", "words"),
    [
        (ABSOLUTE, 0.1021, "lay within this range, M = 0.102, two-sided p = .002: noise alone gives such means."),
        (ABSOLUTE, -0.2, "lay below this range, M = −0.200, two-sided p = .002: more divergence than noise alone"),
        (SIGNED, 0.2, "lay above this range, M = 0.200, two-sided p = .002: a higher mean than noise alone gives."),
        (SIGNED, -0.2, "lay below this range, M = −0.200, two-sided p = .002: a lower mean than noise alone gives."),
        (
            ConvergenceSection(discrepancy="signed", slope="toward_zero"),
            0.2,
            "more convergence than noise alone gives.",
        ),
    ],
)
def test_where_the_observed_mean_lies(said, how, observed, words):
    assert words in sentences(said, how, observed=observed)


def test_the_method_says_how_p_is_made_and_what_is_held_fixed(said):
    from dyadline.report.prose.phrases import paragraph

    text = said([paragraph(*null_method(null(), set()))])
    assert text.startswith("What the convergence score is by noise alone was simulated in 1,000 studies without")
    assert "twice the smaller of them (Davison & Hinkley, 1997)." in text
    assert text.endswith("Variances were taken at their estimates and not fitted again in each simulated study.")


def test_the_table_names_the_side_as_the_score_has_one():
    labels = [row.label for row in null_table(null(), ABSOLUTE).rows()]
    assert "p, more convergence than noise alone" in labels
    labels = [row.label for row in null_table(null(), SIGNED).rows()]
    assert "p, higher than noise alone" in labels
    assert not any("convergence" in label for label in labels)


def test_a_study_without_spread_has_a_dash_for_z():
    flat = null().with_columns(z=pl.lit(None, dtype=pl.Float64))
    row = next(row for row in null_table(flat, ABSOLUTE).rows() if row.label == "z")
    assert row.cells[0] is not None
    assert words(row.cells[0]) == "—"


@pytest.mark.parametrize(("observed", "align", "where"), [(0.31, "right", "above"), (-0.4, "left", "below")])
def test_the_figure_marks_the_observed_mean(observed, align, where):
    means = pl.DataFrame({"mean": np.random.default_rng(1).normal(0.02, 0.04, 1000)})
    figure = null_histogram(null(observed=observed), means)
    assert figure is not None
    assert figure.alt.endswith(f"lies {where} the middle 95% of them.")
    json.dumps(dict(figure.spec), allow_nan=False)
    rows = list(data_of(figure.spec))
    assert sum(row["studies"] for row in rows if "studies" in row) == 1000
    assert {row["observed"] for row in rows if "observed" in row} == {observed}
    assert [row["limit"] for row in rows if "limit" in row] == [-0.0579, 0.1021]
    domain = figure.spec["layer"][0]["encoding"]["x"]["scale"]["domain"]
    assert domain[0] < observed < domain[1]
    assert figure.spec["layer"][-1]["mark"]["align"] == align


def test_no_figure_of_fewer_than_five_dyads():
    few = null().with_columns(n_dyads=pl.lit(4))
    assert null_histogram(few, pl.DataFrame({"mean": [0.1, 0.2]})) is None


def test_a_report_has_it_where_the_plan_asks_and_nothing_else_changes(twin, said):
    plain, asked = twin("study1"), twin("study1", ASKED)
    assert set(asked.tables) - set(plain.tables) == {"null_distribution", "null_means"}
    for name, table in plain.tables.items():
        if name != "findings":
            assert table.equals(asked.tables[name]), name
    # As they were before there was a null distribution.
    assert plain.scoring.simulated.null_mean == pytest.approx(0.004471735448713532, rel=1e-6)
    assert plain.scoring.simulated.null_high == pytest.approx(0.0969089640486116, rel=1e-6)
    before, after = compose(plain), compose(asked)
    assert {t.key for t in after.tables()} - {t.key for t in before.tables()} == {"null-distribution"}
    assert {f.key for f in after.figures()} - {f.key for f in before.figures()} == {"null-distribution"}
    observed = next(iter(after.table("null-distribution").rows())).cells[0]
    assert observed is not None
    assert observed.value == pytest.approx(asked.scores["convergence_raw"].mean(), rel=1e-12)
    assert (
        describe_operationalisation(asked.plan.convergence).name
        == describe_operationalisation(plain.plan.convergence).name
    )


def test_the_finding_has_the_better_numbers(twin):
    plain, asked = (
        next(f for f in r.findings if f.code == "noise-floor") for r in (twin("study1"), twin("study1", ASKED))
    )
    mean = twin("study1", ASKED).tables["null_distribution"].row(0, named=True)
    assert f"95% of them between {mean['q2_5']:.3f} and {mean['q97_5']:.3f};".replace("-", "−") in asked.words
    assert "(200 simulated studies, two-sided p = " in asked.words
    assert "simulated studies" not in plain.words
