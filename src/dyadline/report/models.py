"""What a report shows of the models beside their table: effects, diagnostics, sensitivity."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

from dyadline.inference.modes import random_effects
from dyadline.report.document import Block, Figure
from dyadline.report.figures.axes import axis_titles
from dyadline.report.figures.coefficients import coefficient_plot
from dyadline.report.figures.diagnostics import residual_plots
from dyadline.report.figures.influence import influence_of_dyads, influence_plots
from dyadline.report.figures.random_effects import random_effect_plots, random_effects_of_dyads
from dyadline.report.figures.trajectories import expected_courses
from dyadline.report.tables import sensitivity as sensitivity_tables
from dyadline.report.tables.effect_sizes import effect_sizes_table, influence_table
from dyadline.studies.influence import left_out_once

if TYPE_CHECKING:
    from dyadline.result import AnalysisResult


def effect_blocks(result: AnalysisResult) -> Iterator[Block]:
    """Standardised effects, explained variance, and the courses that the models expect."""
    tables, plan = result.tables, result.plan
    specs = [fit.spec for fit in result.fits]
    figures: list[Figure | None] = []
    if "r_squared" in tables:
        yield effect_sizes_table(tables)
    if "standardised" in tables:
        figures.append(coefficient_plot(tables["standardised"], specs))
    if "trajectories" in tables:
        times = result.dataset.rows.drop_nulls("outcome")["time"]
        window = plan.convergence.outcome_window
        if not isinstance(window, str):
            times = times.filter(times.is_between(*window))
        titles = axis_titles(plan.columns)
        courses = expected_courses(tables["trajectories"], times, titles=titles, freedom=plan.models.df)
        figures.extend(_drawn([courses], result))
    yield from (figure for figure in figures if figure is not None)


def _drawn(figures: Iterable[Figure | None], result: AnalysisResult) -> Iterator[Figure]:
    """The figures that are there; where estimates are pooled, they say that they are of complete cases."""
    for figure in figures:
        if figure is not None and "imputation" in result.tables:
            yield replace(
                figure, caption=f"{figure.caption} Of the dyads that have all predictors, without imputation."
            )
        elif figure is not None:
            yield figure


def diagnostic_blocks(result: AnalysisResult, pseudonyms: pl.DataFrame | None) -> Iterator[Block]:
    """Residuals, random effects and influence of the model with the highest number.

    Parameters
    ----------
    result
        What `run` computed.
    pseudonyms
        ``dyad, pseudonym``, where figures may show single dyads.
    """
    tables, model = result.tables, max(result.plan.models.run)
    if "residual_bins" not in tables or "influence" not in tables:
        return
    figures = [residual_plots(tables, model), random_effect_plots(tables, model), influence_plots(tables)]
    if pseudonyms is not None:
        figures += _of_dyads(result, pseudonyms, model)
    yield from _drawn(figures, result)
    if tables["influence"].height:
        yield influence_table(tables["influence"], [fit.spec for fit in result.fits])


def _of_dyads(result: AnalysisResult, pseudonyms: pl.DataFrame, model: int) -> Iterator[Figure | None]:
    fitted = result.fits[result.plan.models.run.index(model)]
    modes = random_effects(fitted)
    yield random_effects_of_dyads(modes.filter(pl.col("group") == modes["group"][0]), pseudonyms, model)
    if result.tables["influence"].height:
        yield influence_of_dyads(*left_out_once(fitted), pseudonyms, model)


def sensitivity_blocks(result: AnalysisResult) -> Iterator[Block]:
    """The effects of convergence under other choices."""
    if "sensitivity" in result.tables:
        yield from sensitivity_tables.sensitivity_blocks(
            result.tables["sensitivity"],
            [fit.spec for fit in result.fits],
            most_sessions=result.plan.sensitivity.most_sessions,
        )
