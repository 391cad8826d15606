"""What the score is by noise alone, in sentences: for the method and for the results."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import polars as pl

from dyadline.plan.analysis import ConvergenceSection
from dyadline.report.document import Cell, Symbol
from dyadline.report.null import is_relative, null_records, percents, side
from dyadline.report.numbers import decimals_of_spread
from dyadline.report.prose.narrative import EQUALS, p_parts
from dyadline.report.prose.phrases import Phrase, places, several

Anchors = Collection[str]


def null_method(null: pl.DataFrame, anchors: Anchors) -> Iterator[Phrase]:
    """How the distribution was simulated, and what was held fixed."""
    mean, _ = null_records(null)
    yield (
        "What the convergence score is by noise alone was simulated in ",
        *several(mean["n"], "study", "studies"),
        " without convergence: true curves were drawn from the study's own growth models and made parallel within each "
        "dyad (the gap stayed as it was at the first occasion, and both curves had the mean of their slopes); ratings "
        "with the models' errors were drawn at the occasions that each dyad had, and scored as the study was",
        *places(anchors, "table-null-distribution"),
        ".",
    )
    yield (
        "One-sided ", Symbol("p"), " values are (1 + the number of simulated means at least as high, or as low, as the "
        "observed one) / (1 + the number of simulated studies), and the two-sided one is twice the smaller of them "
        "(Davison & Hinkley, 1997).",
    )  # fmt: skip
    yield ("Variances were taken at their estimates and not fitted again in each simulated study.",)


def null_sentences(null: pl.DataFrame, how: ConvergenceSection, anchors: Anchors) -> Iterator[Phrase]:
    """Where the observed mean lies among those of studies without convergence, and where single dyads' scores lie."""
    mean, dyad = null_records(null)
    d, single = decimals_of_spread(mean["sd"]), decimals_of_spread(dyad["sd"])
    yield (
        "In ", *several(mean["n"], "simulated study", "simulated studies"), " in which no dyad's true gap changed, the "
        "mean score was ", Cell(value=mean["mean"], decimals=d), " on average (", Symbol("SD"), EQUALS,
        Cell(value=mean["sd"], decimals=d), "), and in 95% of them it lay between ",
        Cell(value=mean["q2_5"], decimals=d), " and ", Cell(value=mean["q97_5"], decimals=d),
        *places(anchors, "table-null-distribution", "figure-null-distribution"), ".",
    )  # fmt: skip
    where = side(mean)
    test = (Symbol("M"), EQUALS, Cell(value=mean["observed"], decimals=d), ", two-sided ", *p_parts(mean["p_value"]))
    if where:
        what = ("a higher mean", "a lower mean") if is_relative(how) else ("more convergence", "more divergence")
        place, than = ("above", what[0]) if where > 0 else ("below", what[1])
        yield (f"The observed mean lay {place} this range, ", *test, f": {than} than noise alone gives.")
    else:
        yield ("The observed mean lay within this range, ", *test, ": noise alone gives such means.")
    above, below = (Cell(value=percent, kind="percent", decimals=1) for percent in percents(dyad))
    yield (
        "By noise alone, 95% of single dyads' scores lie between ", Cell(value=dyad["q2_5"], decimals=single), " and ",
        Cell(value=dyad["q97_5"], decimals=single), "; of the ", *several(dyad["n_dyads"], "observed score"), ", ",
        above, "% lay above and ", below, "% below this range, where noise alone puts 2.5% each.",
    )  # fmt: skip
