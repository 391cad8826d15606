"""The result as a paragraph for a manuscript or an application, with what it rests on."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import polars as pl

from dyadline.plan.truth import DropOutTruth
from dyadline.report.document import Block, Cell, Paragraph, Part
from dyadline.report.power.design import percent as percent_of
from dyadline.report.power.grid import Grid
from dyadline.report.power.names import SCORE, value_words
from dyadline.report.power.sentences import levels_words, needed_of_main, percent, rate_parts
from dyadline.words import counted


def manuscript_blocks(grid: Grid) -> Iterator[Block]:
    """Power of the main test at the design that other questions hold, and what to say beside it."""
    at = grid.held(grid.main())
    if at.is_empty() or at["power"][0] is None or at["effect"][0] == 0.0:
        return
    r = at.row(0, named=True)
    yield Paragraph(
        parts=(*_power(grid, r), *_assumed(grid, r), *_score(grid, r), *_type_i(r), *_needed(grid), *_brackets())
    )
    yield Paragraph(
        heading="Before it is sent.",
        parts=(
            "Say where the parameters come from (a pilot study, a publication, a guess) and why this is the smallest "
            "effect that would matter, and give the power for a smaller one as well. The parameters are part of the "
            "result: add the tables of the first section, or the parameter file.",
        ),
    )


def _power(grid: Grid, r: dict[str, Any]) -> Iterator[Part]:
    result = grid.result
    model, term = grid.test.split(": ", 1)
    studies = counted(r["replicates"], "simulated study", "simulated studies")
    yield f"“Power was estimated by simulating the planned design (dyadline {version('dyadline')}; {studies}). "
    if r["effect"] is None:
        yield "An effect of convergence as in the parameter file"
    else:
        yield "A standardised effect of β = "
        yield Cell(value=r["effect"], kind="proportion")
        yield " of true alliance convergence on change in the outcome"
    yield " would be found with a power of "
    yield from rate_parts(r, "power")
    yield (
        f" ({term} in {model}; linear mixed model {levels_words(result)}by {result.method}; two-sided t test, "
        "Satterthwaite’s degrees of freedom, α = "
    )
    yield Cell(value=result.alpha, kind="proportion")
    yield "). "


def _assumed(grid: Grid, r: dict[str, Any]) -> Iterator[Part]:
    truth = grid.result.given or grid.result.truth
    yield f"We assumed {value_words('dyads', r['dyads'])} with up to {counted(r['sessions'], 'rated session')}"
    missing = truth.missing
    lost = []
    if r["drop_out"]:
        lost.append(f"{percent_of(r['drop_out'])} of dyads lost by the last occasion")
    elif r["drop_out"] is None and isinstance(missing.drop_out, DropOutTruth):
        lost.append("drop-out that depends on time and earlier scores")
    elif not r["drop_out"]:
        lost.append("no drop-out")
    if missing.skipped:
        lost.append(f"{percent_of(missing.skipped)} of occasions without any form")
    if r["per_therapist"] is not None:
        differ = any(
            (*truth.therapist_effects.outcome, truth.therapist_effects.patient, truth.therapist_effects.therapist)
        )
        therapists = value_words("per_therapist", r["per_therapist"])
        lost.append(therapists if differ else f"{therapists} without differences between therapists")
    yield f", {', '.join(lost)}" if lost else ""
    yield ", and growth curves of ratings and outcome with the means and variances that the supplement lists. "


def _score(grid: Grid, r: dict[str, Any]) -> Iterator[Part]:
    known = grid.result.scores.filter((pl.col("design") == r["design"]) & (pl.col(SCORE) == r[SCORE]))
    reliability = known["reliability"][0] if known.height else None
    said = []
    if reliability is not None:
        said.append("reliability")
        yield "In this design the convergence score has a reliability of "
        yield Cell(value=reliability, kind="proportion")
    if r["attenuation"] is not None:
        yield ", and the slope that is found is on average " if said else "The slope that is found is on average "
        yield from rate_parts(r, "attenuation")
        yield " of the slope that a score free of error would show"
        if r["power_error_free"] is not None:
            yield " (power with such a score: "
            yield Cell(value=percent(r["power_error_free"]), kind="percent", decimals=0)
            yield "%)"
        said.append("attenuation")
    yield ". " if said else ""


def _type_i(r: dict[str, Any]) -> Iterator[Part]:
    if r["type_i"] is not None:
        yield "Without an effect the test was significant in "
        yield from rate_parts(r, "type_i", 1)
        yield " of studies. "


def _needed(grid: Grid) -> Iterator[Part]:
    r = needed_of_main(grid)
    if r is None or r["status"] not in ("found", "imprecise"):
        return
    yield "A power of "
    yield Cell(value=percent(r["goal"]), kind="percent", decimals=0)
    yield "% takes "
    yield Cell(value=r["n"], kind="count")
    yield " dyads "
    yield Cell(value=(r["n_low"], r["n_high"]), kind="interval", decimals=0)
    yield ". "


def _brackets() -> Iterator[Part]:
    yield "Brackets are 95% Monte-Carlo intervals.”"
