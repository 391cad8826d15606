"""What a power study found, in plain sentences whose numbers are those of its tables."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from dyadline.report.document import Cell, Paragraph, Part, Reference
from dyadline.report.power.failures import fits_and_failures
from dyadline.report.power.grid import Grid
from dyadline.report.power.names import SCORE, label_of_test, value_words
from dyadline.studies.power.result import PowerResult

Record = Mapping[str, Any]

Z = 1.959964
"""Of Monte-Carlo intervals of the bias."""

NOMINAL = 0.95
"""What 95% confidence intervals should cover."""


def rate_parts(r: Record, name: str, decimals: int = 0) -> Iterator[Part]:
    """``46% [43, 49]``."""
    yield Cell(value=100.0 * r[name], kind="percent", decimals=decimals)
    yield "%"
    low, high = r[f"{name}_low"], r[f"{name}_high"]
    if low is not None and high is not None:
        yield " "
        yield Cell(value=(100.0 * low, 100.0 * high), kind="interval", decimals=decimals)


def summary(grid: Grid) -> Iterator[Paragraph]:
    """The main result in a few sentences."""
    at = grid.held(grid.main())
    if at.is_empty() or at["power"][0] is None:
        where = Reference("section-failures")
        yield Paragraph(parts=(f"The test of {grid.test} has no answer: all replicates failed. See ", where, "."))
        return
    yield Paragraph(parts=(*_found(grid), *_dyads_needed(grid)))
    yield Paragraph(parts=tuple(_trust(grid, at.row(0, named=True))))
    if fits_and_failures(grid)[1] or grid.result.failures:
        parts = ("Some replicates failed: see ", Reference("table-failures"), ".")
        yield Paragraph(heading="Read before use.", parts=parts)


def _found(grid: Grid) -> Iterator[Part]:
    over = grid.held(grid.main(), "dyads").filter(pl.col("power").is_not_null()).sort("dyads")
    r, last = over.row(0, named=True), over.row(-1, named=True)
    effect = r["effect"]
    yield f"With {value_words('dyads', r['dyads'])} rated at {value_words('sessions', r['sessions'])}, "
    if effect is None:
        yield "the effect of the parameter file would be found in "
    elif effect == 0:
        yield "and without any effect, an effect would be found in "
    else:
        yield "a true effect of β = "
        yield Cell(value=effect, kind="proportion")
        yield " would be found in "
    yield from rate_parts(r, "power")
    model, term = grid.test.split(": ", 1)
    yield f" of studies by the test of {term} in {model}"
    if grid.several_scores:
        yield " with the score "
        yield Cell(value=grid.short[r[SCORE]], kind="text")
    if last["dyads"] != r["dyads"]:
        yield f", with {value_words('dyads', last['dyads'])} in "
        yield from rate_parts(last, "power")


def _dyads_needed(grid: Grid) -> Iterator[Part]:
    needed = grid.result.needed
    rows = needed.filter((pl.col("model") == grid.model) & (pl.col("term") == grid.term))
    rows = grid.held(rows) if rows.height else rows
    if rows.is_empty() or rows["n"][0] is None:
        yield "."
        return
    r = rows.row(0, named=True)
    if r["status"] == "imprecise" and not (r["n_low"] and math.isfinite(r["n_high"])):
        yield "; the search for the dyads that "
        yield Cell(value=100.0 * r["goal"], kind="percent", decimals=0)
        yield "% takes was stopped before it could bound their number."
        return
    yield "; for "
    yield Cell(value=100.0 * r["goal"], kind="percent", decimals=0)
    yield "% it takes "
    yield {"below": "no more than ", "above": "more than ", "imprecise": "about "}.get(r["status"], "")
    yield Cell(value=r["n"], kind="count")
    if r["status"] in ("found", "imprecise"):
        yield " "
        yield Cell(value=(r["n_low"], r["n_high"]), kind="interval", decimals=0)
    yield " dyads"
    yield " (the search was stopped before it was precise)." if r["status"] == "imprecise" else "."


def _trust(grid: Grid, r: Record) -> Iterator[Part]:
    where, alpha = grid.held_words(), grid.result.alpha
    yield f"At {where}: " if where else ""
    if r["attenuation"] is not None:
        yield f"{'b' if where else 'B'}ecause the score has error, the slope that is found is on average "
        yield from rate_parts(r, "attenuation")
        yield " of the slope that a score free of error would show"
        if r["power_error_free"] is not None:
            yield "; with such a score power would be "
            yield Cell(value=100.0 * r["power_error_free"], kind="percent", decimals=0)
            yield "%"
        yield ". "
    if r["type_i"] is not None:
        yield "Without any effect the test rejects in "
        yield from rate_parts(r, "type_i", 1)
        yield " of studies: "
        yield f"{_verdict(r, 'type_i', alpha)}. "
    yield "Brackets are 95% Monte-Carlo intervals: what the simulation, not the study, leaves open."


def _verdict(r: Record, name: str, wanted: float) -> str:
    side = beyond(r, name, wanted)
    level = f"the {100.0 * wanted:g}% that it should"
    return {
        0: f"within Monte-Carlo error of {level}",
        1: f"more often than {level}, so that its p values are too small and its power is overstated",
        -1: f"less often than {level}: the test is cautious",
    }[side]


def beyond(r: Record, name: str, wanted: float) -> int:
    """1 where the interval lies above what is wanted, −1 below, 0 where it holds it or is not known."""
    low, high = r[f"{name}_low"], r[f"{name}_high"]
    if low is None or high is None:
        return 0
    return 1 if low > wanted else -1 if high < wanted else 0


def error_words(grid: Grid) -> Iterator[Paragraph]:
    """Whether type I error, bias and coverage are within Monte-Carlo error of what they should be, and what it means.

    All designs, scores and tests are counted, whether or not the table has room for them.
    """
    rows = list(grid.result.tests.iter_rows(named=True))
    alpha = grid.result.alpha
    yield _rates(
        "Type I error.",
        rows,
        "type_i",
        alpha,
        absent="It was not asked for: nothing says how often the test finds an effect where there is none.",
        too_high="Above it the test finds effects that are none, and its power is overstated: p values are too small.",
        too_low="Below it the test is cautious, and some of its power is given away.",
        grid=grid,
    )
    known = [r for r in rows if r["bias"] is not None and r["bias_error"] is not None]
    biased = [r for r in known if abs(r["bias"]) > Z * r["bias_error"]]
    if known:
        yield Paragraph(
            heading="Bias.",
            parts=(
                *_of(len(biased), len(known)),
                " the mean estimate differs from that of scores free of error by more than Monte-Carlo error",
                *_towards_zero(biased),
            ),
        )
    yield _rates(
        "Coverage.",
        rows,
        "coverage",
        NOMINAL,
        absent="It is not known.",
        too_high="Above it intervals are wider than they need to be.",
        too_low="Below it intervals miss the effect that scores free of error would show: because the estimate is "
        "biased, or because standard errors are too small.",
        grid=grid,
    )


def _towards_zero(biased: list[dict[str, Any]]) -> Iterator[Part]:
    smaller = sum(abs(r["estimate"]) < abs(r["true_effect"]) for r in biased)
    if not smaller:
        yield "."
        return
    yield ", "
    yield Cell(value=smaller, kind="count")
    yield (
        f" time{'s' * (smaller != 1)} towards zero. That is what error in the scores does; it is not the model's "
        "fault, and more dyads do not remove it."
    )


def _rates(
    heading: str,
    rows: list[dict[str, Any]],
    name: str,
    wanted: float,
    *,
    absent: str,
    too_high: str,
    too_low: str,
    grid: Grid,
) -> Paragraph:
    known = [r for r in rows if r[name] is not None and r[f"{name}_low"] is not None]
    if not known:
        return Paragraph(heading=heading, parts=(absent,))
    above = [r for r in known if beyond(r, name, wanted) > 0]
    below = [r for r in known if beyond(r, name, wanted) < 0]
    inside = len(known) - len(above) - len(below)
    parts: list[Part] = [
        *_of(inside, len(known)),
        " the Monte-Carlo interval holds the nominal ",
        Cell(value=100.0 * wanted, kind="occasion"),
        "%. ",
    ]
    for found, words, worst in ((above, too_high, max), (below, too_low, min)):
        if found:
            r = worst(found, key=lambda row: row[name])
            side = "above" if found is above else "below"
            parts += [Cell(value=len(found), kind="count"), f" {'lies' if len(found) == 1 else 'lie'} {side}, at most "]
            parts[-1] = f" {'lies' if len(found) == 1 else 'lie'} {side} it; the farthest is {_where(grid, r)} with "
            parts += [*rate_parts(r, name, 1), f". {words} "]
    if len(known) >= 10 and len(above) + len(below):
        parts += [
            "By chance alone about ",
            Cell(value=0.05 * len(known), decimals=0 if len(known) >= 30 else 1),
            " would lie outside.",
        ]
    return Paragraph(heading=heading, parts=tuple(parts))


def _of(some: int, all_of: int) -> Iterator[Part]:
    if all_of == 1:
        yield "In the one test" if some else "In no test"
        return
    yield "In "
    yield Cell(value=some, kind="count")
    yield " of "
    yield Cell(value=all_of, kind="count")
    yield " combinations of design, score and test"


def _where(grid: Grid, r: Record) -> str:
    said = [value_words(key, r[key]) for key in grid.designed]
    said += [f"score {grid.short[r[SCORE]]}"] if grid.several_scores else []
    test = label_of_test(r["model"], r["term"])
    return f"{test} ({', '.join(said)})" if said else test


def levels_words(result: PowerResult) -> str:
    """What three levels add to the name of the models, with a blank behind it."""
    return "of three levels (sessions, dyads, therapists) " if result.levels == 3 else ""


def reading_words(grid: Grid) -> Iterator[Paragraph]:
    """What the numbers are, and what they cannot say."""
    yield Paragraph(
        heading="Power is of a truth, not of a study.",
        parts=(
            "Every number here holds where the parameters do. They are guesses, or estimates with errors of their own; "
            "another size of the effect, other variances or another course of drop-out give other numbers. Draw the "
            "curve for several of them before a grant rests on one.",
        ),
    )
    yield Paragraph(
        heading="Monte-Carlo error.",
        parts=(
            "Shares are counted over replicates, and means are taken over them; the brackets say what other replicates "
            "could have given (Morris, White, & Crowther, 2019), shares by Wilson's (1927) interval. They shrink with "
            "the square root of the number of replicates.",
        ),
    )
    yield Paragraph(
        heading="Scores in two steps.",
        parts=(
            "A convergence score is computed from the ratings and then entered as if it were known. Its error draws "
            "the slope towards zero and costs power (Spearman, 1904; Carroll, Ruppert, Stefanski, & Crainiceanu, "
            "2006). Scores from multilevel curves are already drawn towards the mean, so that their slope may lose "
            "less than their reliability suggests; power is lost all the same.",
        ),
    )
    yield Paragraph(
        heading="Tests.",
        parts=(
            f"Models 2 and 3 as in Nissen-Lie et al. (2020) {levels_words(grid.result)}by {grid.result.method}, "
            f"two-sided t tests with Satterthwaite's (1946) degrees of freedom at a level of {grid.result.alpha:g}. β "
            "is an effect on the outcome's slope; other terms have an effect only where the table of assumptions gives "
            "them one.",
        ),
    )
    yield Paragraph(
        heading="Formula or simulation.",
        parts=(
            "The formula for a slope in a regression with one predictor (Dupont & Plummer, 1998) has neither sessions "
            "nor drop-out nor error in the score; it is the limit that this simulation meets where the score and the "
            "outcome's slope are observed without error.",
        ),
    )
