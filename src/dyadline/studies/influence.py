"""How much the models owe to single dyads: ranges and counts over all dyads left out once."""

from __future__ import annotations

import numpy as np
import polars as pl

from dyadline.inference.influence import influence
from dyadline.model.fit import Fit
from dyadline.studies.diagnostics import FEWEST, histogram
from dyadline.studies.outcome import OutcomeModels, main_model

MOST_DYADS = 5000
"""More are not left out one by one: no single one of so many matters."""

CONVERGENCE_TIME = "time:convergence"

RANGES = {
    "model": pl.Int32,
    "term": pl.String,
    **dict.fromkeys(("estimate", "lowest", "highest", "largest_dfbetas"), pl.Float64),
    **dict.fromkeys(("n_beyond", "n_dyads"), pl.Int64),
}
COUNTS = {"model": pl.Int32, "measure": pl.String, "low": pl.Float64, "high": pl.Float64, "n": pl.Int64}


def influences(models: OutcomeModels) -> dict[str, pl.DataFrame]:
    """What the main model (`main_model`) would say without any one of its dyads, by one Newton step for each.

    Returns
    -------
    ``influence``: ``model, term, estimate, lowest, highest`` (of the estimates without one dyad), ``largest_dfbetas``
    (in absolute value), ``n_beyond`` (dyads with |dfbetas| above 2/√J; Belsley, Kuh & Welsch 1980), ``n_dyads`` (J,
    those that can be left out). ``influence_histogram``: ``model, measure, low, high, n``, of ``cooks_distance`` and
    of the estimates of convergence × time. Both empty for fewer than `FEWEST` or more than `MOST_DYADS` dyads.
    """
    number, fitted = main_model(models)
    ranges, counts = [pl.DataFrame(schema=RANGES)], [pl.DataFrame(schema=COUNTS)]
    if FEWEST <= fitted.n_groups <= MOST_DYADS:
        groups, terms = left_out_once(fitted)
        ranges.append(_ranges(fitted, terms).select(pl.lit(number, pl.Int32).alias("model"), pl.all()))
        without = terms.filter(pl.col("term") == CONVERGENCE_TIME)["estimate"]
        measured = {"cooks_distance": groups["cooks_distance"], CONVERGENCE_TIME: without}
        for measure, values in measured.items():
            known = values.drop_nulls().to_numpy()
            if len(known) >= FEWEST:
                counted = histogram(known).select(
                    pl.lit(number, pl.Int32).alias("model"), pl.lit(measure).alias("measure"), pl.all()
                )
                counts.append(counted)
    return {"influence": pl.concat(ranges), "influence_histogram": pl.concat(counts)}


def left_out_once(fitted: Fit) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Each dyad's Cook's distance, ``group, cooks_distance ...``, and each term without it, ``group, term, estimate,
    dfbeta, dfbetas``: see `dyadline.inference.influence`."""
    found = influence(fitted, exact=False)
    return found.groups, found.terms


def _ranges(fitted: Fit, terms: pl.DataFrame) -> pl.DataFrame:
    size = pl.col("dfbetas").abs()
    known = terms.drop_nulls("estimate")
    return known.group_by("term", maintain_order=True).agg(
        estimate=(pl.col("estimate") + pl.col("dfbeta")).first(),
        lowest=pl.col("estimate").min(),
        highest=pl.col("estimate").max(),
        largest_dfbetas=size.max(),
        n_beyond=(size > 2.0 / np.sqrt(fitted.n_groups)).sum().cast(pl.Int64),
        n_dyads=pl.len().cast(pl.Int64),
    )
