"""The score by noise alone beside the observed one."""

from __future__ import annotations

import polars as pl

from dyadline.plan.analysis import ConvergenceSection
from dyadline.report.document import Cell, Column, Row, RowGroup, Symbol, Table
from dyadline.report.null import is_relative, null_records, percents
from dyadline.report.numbers import decimals_of_spread

_SIMULATED = {
    "mean": "Mean",
    "sd": "Standard deviation",
    "q2_5": "2.5th percentile",
    "q25": "25th percentile",
    "q50": "Median",
    "q75": "75th percentile",
    "q97_5": "97.5th percentile",
}


def null_table(null: pl.DataFrame, how: ConvergenceSection) -> Table:
    """The study's mean score, and single dyads' scores, beside those of simulated studies without convergence.

    Parameters
    ----------
    null
        As `dyadline.scoring.null.null_tables` gives it.
    how
        The operationalisation: whether a high score is convergence.
    """
    mean, dyad = null_records(null)
    d, single = decimals_of_spread(mean["sd"]), decimals_of_spread(dyad["sd"])
    above, below = (Cell(value=percent, kind="percent", decimals=1) for percent in percents(dyad))
    more, less = ("Higher", "Lower") if is_relative(how) else ("More convergence", "Less convergence")
    observed = [
        Row(label="Mean", cells=(Cell(value=mean["observed"], decimals=d), None)),
        Row(label="Dyads with a score", cells=(None, Cell(value=dyad["n_dyads"], kind="count"))),
        Row(label="% above the 97.5th percentile by noise alone", cells=(None, above)),
        Row(label="% below the 2.5th percentile by noise alone", cells=(None, below)),
    ]
    simulated = [
        Row(label=label, cells=(Cell(value=mean[key], decimals=d), Cell(value=dyad[key], decimals=single)))
        for key, label in _SIMULATED.items()
    ]
    tests = [
        Row(label="z", cells=(Cell(value=mean["z"], kind="statistic"), None)),
        Row(label="p, two-sided", cells=(Cell(value=mean["p_value"], kind="p"), None)),
        *(
            Row(label=f"p, {words} than noise alone", cells=(Cell(value=mean[key], kind="p"), None))
            for key, words in (("p_more", more.lower()), ("p_less", less.lower()))
        ),
    ]
    errors = [Cell(value=mean[key], decimals=d + 1) for key in ("q2_5_error", "q97_5_error")]
    return Table(
        key="null-distribution",
        caption="What the score would be by noise alone",
        stub="Convergence score, before any transform",
        columns=(Column(label="Mean of the study"), Column(label="Single dyads")),
        groups=(
            RowGroup(label="Observed", rows=tuple(observed)),
            RowGroup(label="By noise alone", rows=tuple(simulated)),
            RowGroup(label="The observed mean against noise alone", rows=tuple(tests)),
        ),
        note=(
            "By noise alone: ", Cell(value=mean["n"], kind="count"), " simulated studies in which no dyad's true gap "
            "changed, with the errors of the study's growth models. Noise alone puts 2.5% of the dyads above and 2.5% "
            "below. ", Symbol("z"), ": distance from the simulated mean in simulated standard deviations. ",
            Symbol("p"), ": share of simulated means that are as far out, the observed one counted among them; "
            "two-sided: twice the smaller share. Monte-Carlo standard errors: ", errors[0], " and ", errors[1],
            " of the mean's percentiles, ", Cell(value=mean["p_error"], kind="proportion", decimals=3),
            " of the two-sided ", Symbol("p"), ". Variances are taken at their estimates: that these "
            "are uncertain is not in the range. The comparison is with gaps that do not change at all: where gaps "
            "drift in both directions the mean varies more",
            "." if how.discrepancy == "signed" else ", and discrepancies without a sign grow on average.",
        ),
    )  # fmt: skip
