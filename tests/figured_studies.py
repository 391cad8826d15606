"""Small studies as the figures of the report want them, and what is inside a specification."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl

from dyadline.report.document import Figure
from dyadline.report.figures.axes import AxisTitles
from dyadline.report.figures.discrepancy import mean_discrepancy
from dyadline.report.figures.missing import missing_values
from dyadline.report.figures.outcome import outcome_curves
from dyadline.report.figures.panels import convergence_groups, dyad_panels
from dyadline.report.figures.pseudonyms import pseudonyms
from dyadline.report.figures.ratings import two_raters
from dyadline.report.figures.scores import score_histograms
from dyadline.report.figures.spaghetti import rating_curves

TITLES = AxisTitles(
    time="Session",
    patient="Alliance rating (p)",
    therapist="Alliance rating (t)",
    ratings="Alliance rating (p, t)",
    outcome="Outcome (bdi)",
)


def study(dyads: int, occasions: int, *, seed: int = 1, **changes: Any) -> pl.DataFrame:
    """Rows as a dataset has them, with a third of the ratings missing at random."""
    rng = np.random.default_rng(seed)
    n = dyads * occasions
    frame = pl.DataFrame(
        {
            "dyad": np.repeat([f"SECRET-{j}" for j in range(dyads)], occasions),
            "time": np.tile(np.arange(1.0, occasions + 1), dyads),
            "patient_rating": rng.normal(5, 1, n),
            "therapist_rating": rng.normal(5.2, 0.8, n),
            "outcome": rng.normal(20, 8, n),
        }
    ).with_columns(t=pl.col("time") - 1)
    for column in ("patient_rating", "therapist_rating"):
        absent = pl.Series(rng.random(n) < 1 / 3)
        frame = frame.with_columns(pl.when(~absent).then(pl.col(column)).alias(column))
    return frame.with_columns(**changes)


def curves_of(rows: pl.DataFrame) -> pl.DataFrame:
    dyads = rows["dyad"].unique(maintain_order=True).to_list()
    return pl.DataFrame(
        [
            {"dyad": d, "rater": rater, "intercept": 4.0 + 0.1 * k + shift, "slope": 0.02 * k * (-1) ** k}
            for rater, shift in (("patient", 0.0), ("therapist", 0.5))
            for k, d in enumerate(dyads)
        ]
    )


def scores_of(rows: pl.DataFrame) -> pl.DataFrame:
    dyads = rows["dyad"].unique(maintain_order=True)
    raw = np.sin(2.1 * np.arange(len(dyads)))
    return pl.DataFrame({"dyad": dyads, "convergence": np.log(raw - raw.min() + 1), "convergence_raw": raw})


def gaps_of(rows: pl.DataFrame) -> pl.DataFrame:
    gap = (pl.col("patient_rating") - pl.col("therapist_rating")).abs()
    return rows.select("dyad", "time", "t", discrepancy=gap).drop_nulls()


NORMALITY = pl.DataFrame(
    {"stage": ["before", "after"], "skewness": [0.1, 0.2], "shapiro_w": [0.9, 0.9], "shapiro_p": [0.3, 0.2]}
)


def every_figure(
    rows: pl.DataFrame, *, individual: bool, curved: bool = True, titles: AxisTitles = TITLES
) -> list[Figure]:
    names = pseudonyms(rows) if individual else None
    curves, scores, gaps = curves_of(rows) if curved else None, scores_of(rows), gaps_of(rows)
    kind = "absolute discrepancy between the patient's and the therapist's curves"
    made = [
        two_raters(rows, titles=titles),
        rating_curves(rows, curves, titles=titles, pseudonyms=names),
        mean_discrepancy(gaps, titles=titles, kind=kind, pseudonyms=names),
        convergence_groups(rows, curves, scores, gaps, titles=titles, kind=kind),
        outcome_curves(rows, titles=titles, pseudonyms=names),
        score_histograms(scores, NORMALITY, transformed=True),
        missing_values(rows, titles=titles, pseudonyms=names),
    ]
    if names is not None:
        made.append(dyad_panels(rows, curves, scores, names, titles=titles))
    return [figure for figure in made if figure is not None]


def data_of(spec: Any) -> Iterator[dict[str, Any]]:
    """All data rows of a specification, however deep."""
    if isinstance(spec, dict):
        for key, value in spec.items():
            if key == "data":
                assert set(value) == {"values"}  # no address, no name of other data
                yield from value["values"]
            else:
                yield from data_of(value)
    elif isinstance(spec, list):
        for part in spec:
            yield from data_of(part)


def numbers_of(spec: Any) -> Iterator[float]:
    if isinstance(spec, dict):
        for value in spec.values():
            yield from numbers_of(value)
    elif isinstance(spec, list):
        for value in spec:
            yield from numbers_of(value)
    elif isinstance(spec, float):
        yield spec


def odd(name: str) -> pl.DataFrame:
    if name == "days":
        return study(40, 5).with_columns(time=pl.Series(np.random.default_rng(2).integers(1, 101, 200) * 1.0))
    return {
        "three dyads": lambda: study(3, 5),
        "one occasion": lambda: study(30, 1),
        "constant": lambda: study(20, 4, patient_rating=pl.lit(5.0), therapist_rating=pl.lit(5.0), outcome=pl.lit(9.0)),
        "many dyads": lambda: study(5000, 14),
        "many occasions": lambda: study(40, 100),
        "missing rater": lambda: study(20, 4, therapist_rating=pl.lit(None, dtype=pl.Float64)),
        "tiny numbers": lambda: study(20, 4, patient_rating=pl.col("patient_rating") * 1e-9),
    }[name]()
