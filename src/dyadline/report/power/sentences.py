"""What a power study found, in plain sentences whose numbers are those of its tables."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import polars as pl

from dyadline.plan.truth import Truth
from dyadline.report.document import Cell, Paragraph, Part, Reference
from dyadline.report.numbers import proportion
from dyadline.report.power.failures import fits_and_failures
from dyadline.report.power.grid import MAIN, Grid
from dyadline.report.power.names import SCORE, label_of_test, term_name, value_words
from dyadline.studies.power.result import PowerResult
from dyadline.words import listed

Record = Mapping[str, Any]

Z = 1.959964
"""Of Monte-Carlo intervals of the bias."""

NOMINAL = 0.95
"""What 95% confidence intervals should cover."""


def rate_parts(r: Record, name: str, decimals: int = 0) -> Iterator[Part]:
    """``46% [43, 49]``."""
    yield Cell(value=percent(r[name], decimals), kind="percent", decimals=decimals)
    yield "%"
    low, high = r[f"{name}_low"], r[f"{name}_high"]
    if low is not None and high is not None:
        yield " "
        yield Cell(value=(percent(low, decimals), percent(high, decimals)), kind="interval", decimals=decimals)


def percent(share: float, decimals: int = 0) -> float:
    """Per cent of a share as tables round it: .435 is .43 there, and has to be 43% here."""
    return 100.0 * float(f"{share:.{decimals + 2}f}")


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
    more = [value_words(key, r[key]) for key in ("drop_out", "per_therapist") if key in grid.varying]
    yield "".join(f"{words}, " for words in more)
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
    r = needed_of_main(grid)
    if r is None:
        yield "."
        return
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


def needed_of_main(grid: Grid) -> Record | None:
    """The row of the dyads that the main test needs, all else held; none where it was not searched for."""
    needed = grid.result.needed
    rows = needed.filter((pl.col("model") == grid.model) & (pl.col("term") == grid.term))
    rows = grid.held(rows) if rows.height else rows
    return None if rows.is_empty() or rows["n"][0] is None else rows.row(0, named=True)


def _trust(grid: Grid, r: Record) -> Iterator[Part]:
    where, alpha = grid.held_words(), grid.result.alpha
    yield f"What follows is for the design with {where}. " if where else ""
    if r["attenuation"] is not None:
        yield "Because the score has error, the slope that is found is on average "
        yield from rate_parts(r, "attenuation")
        yield " of the slope that a score free of error would show"
        if r["power_error_free"] is not None:
            yield "; without that error power would be "
            yield Cell(value=percent(r["power_error_free"]), kind="percent", decimals=0)
            yield "%"
        yield ". "
    if r["type_i"] is not None:
        yield "Where there is no effect, the test is significant in "
        yield from rate_parts(r, "type_i", 1)
        yield " of studies: "
        yield f"{_verdict(r, 'type_i', alpha)}. "
    yield "Brackets are 95% Monte-Carlo intervals: what is uncertain because only "
    yield Cell(value=r["replicates"], kind="count")
    yield " studies were simulated."


def _verdict(r: Record, name: str, wanted: float) -> str:
    side = beyond(r, name, wanted)
    level = f"the nominal {100.0 * wanted:g}%"
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
    result = grid.result
    rows = list(result.tests.iter_rows(named=True))
    alpha = result.alpha
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
    # Where nothing is to be found, nothing can be drawn towards zero.
    of_effects = [r for r in rows if has_effect(result.given or result.truth, r["term"], r["effect"])] or rows
    known = [r for r in of_effects if r["bias"] is not None and r["bias_error"] is not None]
    biased = [r for r in known if abs(r["bias"]) > Z * r["bias_error"]]
    if known:
        among = "" if len(of_effects) == len(rows) else ", of those that have an effect to find,"
        yield Paragraph(
            heading="Bias.",
            parts=(
                *_of(grid, len(biased), len(known)),
                f"{among} the mean estimate differs from that of scores free of error by more than Monte-Carlo error",
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
    outside = len(above) + len(below)
    by_chance = chance_of_as_many(outside, len(known)) >= 1.0 - NOMINAL
    parts: list[Part] = [
        *_of(grid, len(known) - outside, len(known)),
        " the Monte-Carlo interval holds the nominal ",
        Cell(value=100.0 * wanted, kind="occasion"),
        "%. ",
    ]
    for found, words, worst in ((above, too_high, max), (below, too_low, min)):
        if found:
            r = worst(found, key=lambda row: row[name])
            side = "above" if found is above else "below"
            parts.append(Cell(value=len(found), kind="count"))
            parts.append(f" {'lies' if len(found) == 1 else 'lie'} {side} it; the farthest is {_where(grid, r)} with ")
            parts += [*rate_parts(r, name, 1), ". " if by_chance else f". {words} "]
    if outside and (by_chance or len(known) >= MANY):
        expected = Cell(value=(1.0 - NOMINAL) * len(known), decimals=0 if len(known) >= 30 else 1)
        parts += ["By chance alone about ", expected, " would lie outside"]
        parts.append("; this is no more than chance gives." if by_chance else ".")
    return Paragraph(heading=heading, parts=tuple(parts))


MANY = 10
"""Intervals of which some lie outside by chance."""


def chance_of_as_many(outside: int, of: int) -> float:
    """That so many 95% intervals or more miss what they should hold, if they are independent and all is well."""
    miss = 1.0 - NOMINAL
    return 1.0 - math.fsum(math.comb(of, k) * miss**k * NOMINAL ** (of - k) for k in range(outside))


def combinations(grid: Grid) -> str:
    """``combinations of design and test``: of what there are several."""
    several = (("design", bool(grid.designed)), ("score", grid.several_scores))
    named = [what for what, differs in several if differs]
    return f"combinations of {listed([*named, 'test'])}" if named else "tests"


def _of(grid: Grid, some: int, all_of: int) -> Iterator[Part]:
    if all_of == 1:
        yield "In the one test" if some else "In no test"
        return
    yield "In "
    yield Cell(value=some, kind="count")
    yield " of "
    yield Cell(value=all_of, kind="count")
    yield f" {combinations(grid)}"


def has_effect(truth: Truth, term: str, effect: float | None) -> bool:
    """Whether the parameters give a term an effect of its own; `effect` is the standardised one, if there is one."""
    columns = term.split(":")
    given = truth.outcome.slope if "time" in columns else truth.outcome.fixed
    rest = [column for column in columns if column != "time"]
    if columns == MAIN.split(":") and effect is not None:
        return effect != 0.0
    return any(getattr(given, "product" if len(rest) > 1 else name) != 0.0 for name in rest if name != "(Intercept)")


def tests_without_effect(grid: Grid, terms: Collection[str]) -> Iterator[Paragraph]:
    """That some tests have nothing to find; nothing where all have."""
    rows = [r for r in grid.result.tests.iter_rows(named=True) if r["term"] in terms]
    truth = grid.result.given or grid.result.truth
    with_effect = {r["term"] for r in rows if has_effect(truth, r["term"], r["effect"])}
    if not with_effect or with_effect == {r["term"] for r in rows}:
        return
    named = listed([term_name(term) for term in dict.fromkeys(r["term"] for r in rows) if term in with_effect])
    yield Paragraph(
        parts=(
            f"Of these tests only {named} {'has' if len(with_effect) == 1 else 'have'} an effect to find; the "
            "parameters give the others none, and what stands there as power is how often they find something all "
            "the same.",
        )
    )


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
        heading="Power depends on assumptions.",
        parts=(
            "Every number here holds if the parameters do. They are guesses, or estimates with errors of their own; "
            "another size of the effect, other variances or other drop-out give other numbers. Try several before an "
            "application for a grant rests on one.",
        ),
    )
    yield Paragraph(
        heading="Monte-Carlo error.",
        parts=(
            "Power is the share of simulated studies (replicates) with a significant test, and other replicates would "
            "give a slightly different one. Brackets are 95% intervals for that (Morris, White, & Crowther, 2019), "
            "those of shares by Wilson's (1927) method. Four times as many replicates halve them; doubt about the "
            "parameters is not in them.",
        ),
    )
    yield Paragraph(
        heading="Scores in two steps.",
        parts=(
            "A convergence score is computed from the ratings and then entered as if it were known. Its error draws "
            "the slope towards zero and costs power (Spearman, 1904; Carroll, Ruppert, Stefanski, & Crainiceanu, "
            "2006). Scores from multilevel curves are already drawn towards the mean, so that their slope loses "
            "less than their reliability suggests; power is lost all the same.",
        ),
    )
    yield Paragraph(
        heading="Tests.",
        parts=(
            f"Models 2 and 3 as in Nissen-Lie et al. (2020) {levels_words(grid.result)}by {grid.result.method}, "
            "two-sided t tests with Satterthwaite's (1946) "
            f"degrees of freedom at a level of {proportion(grid.result.alpha)}. Convergence × Time is the question: "
            "whether convergence goes with change. Model 3 asks it beside early alliance and alliance development, "
            "which share variance with convergence, so that it usually has less power than Model 2. β is an effect on "
            "the outcome's slope; other terms have an effect only where the table of assumptions gives them one.",
        ),
    )
    yield Paragraph(
        heading="Formula or simulation.",
        parts=(
            "The formula for a slope in a regression with one predictor (Dupont & Plummer, 1998) has neither sessions "
            "nor drop-out nor error in the score. This simulation agrees with it where there are none of these, and "
            "shows what they cost where there are.",
        ),
    )
