"""Tests of effects as sentences: what was found, and what could not have been seen."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from dyadline.inference.detectable import ALPHA, detectable_effect
from dyadline.plan.model import ModelSpec, term_label
from dyadline.report.document import Cell, Symbol
from dyadline.report.labels import split_time
from dyadline.report.numbers import decimals_for, words
from dyadline.report.prose.narrative import EQUALS, p_parts, significant, test_parts
from dyadline.report.prose.phrases import Phrase, listed_words, predictor

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """A row of the coefficient table, and what it is about.

    Attributes
    ----------
    record
        ``model, term, estimate, std_error, df, statistic, p_value, conf_low, conf_high``.
    on_slope
        Whether it is an effect on the change over time, not on the level at time 0.
    names
        Predictors of the dyad that it multiplies; none for intercept and time.
    """

    record: Record
    on_slope: bool
    names: tuple[str, ...]

    @property
    def of_convergence(self) -> bool:
        """Whether it has convergence in it."""
        return "convergence" in self.names


def effects_in(fixed_effects: pl.DataFrame, specs: Iterable[ModelSpec]) -> list[Effect]:
    """The rows of the coefficient table; what they are about is read from the models, not from their labels."""
    terms = {term_label(term): split_time(term) for spec in specs for term in spec.fixed}
    found = []
    for record in fixed_effects.filter(pl.col("term").is_in(list(terms))).iter_rows(named=True):
        over_time, of_dyad = terms[record["term"]]
        found.append(Effect(record=record, on_slope=bool(over_time), names=tuple(v.column for v in of_dyad)))
    return found


def subject(effect: Effect) -> str:
    """``convergence``, ``the product of alliance development and convergence``."""
    names = [predictor(name) for name in effect.names]
    return names[0] if len(names) == 1 else f"the product of {listed_words(names)}"


def tested(record: Record, standardised: pl.DataFrame | None, decimals: int | None) -> Phrase:
    """The test in APA form, with the standardised estimate where there is one, and a word on p beside .05."""
    other = standardised_record(record, standardised)
    beta: Phrase = ()
    if other is not None:
        beta = (", ", Symbol("β"), EQUALS, _estimate(other, "estimate"))
    return (*test_parts(record), *beta, *beside_alpha(record["p_value"], decimals))


def standardised_record(record: Record, standardised: pl.DataFrame | None) -> Record | None:
    """The same effect in the table of standardised ones."""
    if standardised is None or not {"model", "term", "estimate", "std_error"} <= set(standardised.columns):
        return None
    found = standardised.filter((pl.col("model") == record["model"]) & (pl.col("term") == record["term"]))
    return found.row(0, named=True) if found.height else None


def beside_alpha(p: float | None, decimals: int | None = None) -> Phrase:
    """A word where the printed p looks like .05 and the exact one is not."""
    if p is None or p == ALPHA or not _looks_like_alpha(p, decimals):
        return ()
    return (f" ({'below' if p < ALPHA else 'above'} .05 before rounding)",)


def _looks_like_alpha(p: float, decimals: int | None) -> bool:
    printed = words(Cell(value=p, kind="p", decimals=decimals))
    return printed == words(Cell(value=ALPHA, kind="p", decimals=decimals))


def effect_sentence(effect: Effect, standardised: pl.DataFrame | None, decimals: int | None) -> Phrase:
    """What an effect of a predictor says, with its test; where it is not significant also what the test could see."""
    what, test = subject(effect), tested(effect.record, standardised, decimals)
    if significant(effect.record):
        return (f"higher values of {what} went with {_direction(effect)}, ", *test, ".")
    related = "the slope of the outcome" if effect.on_slope else "the outcome at time 0"
    return (
        f"{what} was not significantly related to {related}, ", *test, *_detectable(effect.record, standardised), ".",
    )  # fmt: skip


def _direction(effect: Effect) -> str:
    """Neither lower nor higher is better: the software does not know."""
    lower = effect.record["estimate"] < 0
    what = "lower" if lower else "higher"
    if not effect.on_slope:
        return f"a {what} outcome at time 0"
    return f"a {what} slope of the outcome (it {'fell more, or rose less' if lower else 'fell less, or rose more'})"


def _detectable(record: Record, standardised: pl.DataFrame | None) -> Phrase:
    """The smallest true effect that the test could see, and whether the interval still has effects of that size."""
    error = record["std_error"]
    if error is None or not math.isfinite(error) or error <= 0.0:
        return ()
    smallest, d = detectable_effect(error, record["df"]), decimals_for([error])
    other = standardised_record(record, standardised)
    also: Phrase = ()
    if other is not None:
        own = detectable_effect(other["std_error"], record["df"])
        also = (
            " (",
            Symbol("β"),
            " of ±",
            Cell(value=own, kind="estimate", decimals=decimals_for([other["std_error"]])),
            ")",
        )
    reaches = max(abs(record["conf_low"]), abs(record["conf_high"])) >= smallest
    return (
        "; a true effect of ±", Cell(value=smallest, kind="estimate", decimals=d), *also,
        " would have been detected with 80% power, and the interval "
        + ("still includes effects of that size" if reaches else "leaves effects of that size out"),
    )  # fmt: skip


def other_effects(effects: Sequence[Effect], standardised: pl.DataFrame | None, decimals: int | None) -> list[Phrase]:
    """The predictors beside convergence: those that were significant, and the smallest p of those that were not."""
    others = [e for e in effects if e.names and not e.of_convergence]
    found = [e for e in others if significant(e.record)]
    said = [effect_sentence(e, standardised, decimals) for e in found]
    rest = [e.record["p_value"] for e in others if not significant(e.record) and e.record["p_value"] is not None]
    if rest:
        start = "the remaining effects of predictors were not" if found else "none of the other predictors was"
        said.append(
            (
                f"{start} significantly related to the outcome at time 0 or its slope (smallest ", *p_parts(min(rest)),
                *beside_alpha(min(rest), decimals), ").",
            )
        )  # fmt: skip
    return said


def _estimate(record: Record, key: str) -> Cell:
    return Cell(value=record[key], kind="estimate", decimals=decimals_for([record["std_error"]]))


def tally(effects: Sequence[Effect]) -> Phrase:
    """How many tests of convergence there were, and how many were significant; nothing for a single one."""
    tests = [e for e in effects if e.of_convergence]
    positive = sum(significant(e.record) for e in tests)
    count, number = Cell(value=len(tests), kind="count"), Cell(value=positive, kind="count")
    if len(tests) < 2:
        return ()
    if not positive:
        return (
            "None of the ", count, " tests of convergence was significant. That is not evidence that convergence and "
            "outcome are unrelated: the intervals say which effects remain possible.",
        )  # fmt: skip
    verb = "was" if positive == 1 else "were"
    return (
        "Of the ", count, " tests of convergence ", number, f" {verb} significant; ", Symbol("p"), " values are not "
        "adjusted for their number, and among several tests some fall below .05 by chance alone.",
    )  # fmt: skip
