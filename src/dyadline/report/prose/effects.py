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
from dyadline.report.numbers import words
from dyadline.report.prose.narrative import EQUALS, p_parts, row_decimals, significant, test_parts
from dyadline.report.prose.phrases import Phrase, listed_words, predictor

Record = Mapping[str, Any]

_BETA = 2
"""Decimals of standardised estimates, as in the table of the models."""


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
    decimals
        Of its estimate in the table, where all models share a row.
    """

    record: Record
    on_slope: bool
    names: tuple[str, ...]
    decimals: int

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
        d = row_decimals(fixed_effects, record["term"]) if "std_error" in record else 2
        names = tuple(v.column for v in of_dyad)
        found.append(Effect(record=record, on_slope=bool(over_time), names=names, decimals=d))
    return found


def subject(effect: Effect) -> str:
    """``convergence``, ``the product of alliance development and convergence``."""
    names = [predictor(name) for name in effect.names]
    return names[0] if len(names) == 1 else f"the product of {listed_words(names)}"


def tested(record: Record, standardised: pl.DataFrame | None, p_decimals: int | None, *, decimals: int) -> Phrase:
    """The test in APA form, with the standardised estimate where there is one, and a word on p beside .05."""
    other = standardised_record(record, standardised)
    beta: Phrase = ()
    if other is not None:
        beta = (", ", Symbol("β"), EQUALS, Cell(value=other["estimate"], kind="estimate", decimals=_BETA))
    return (*test_parts(record, decimals), *beta, *beside_alpha(record["p_value"], p_decimals))


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


def effect_sentence(
    effect: Effect, standardised: pl.DataFrame | None, p_decimals: int | None, *, first_outcome: bool = False
) -> Phrase:
    """What an effect of a predictor says, with its test; where it is not significant also what the test could see.

    Parameters
    ----------
    effect
        The effect.
    standardised
        The table of standardised effects, where there is one.
    p_decimals
        As the plan sets them.
    first_outcome
        Whether initial symptoms are the first outcome value, so that they go with the outcome at time 0 in any study.
    """
    what, test = subject(effect), tested(effect.record, standardised, p_decimals, decimals=effect.decimals)
    if significant(effect.record):
        itself = first_outcome and effect.names == ("baseline",) and not effect.on_slope
        of_course = ", as the outcome's own first value must" if itself and effect.record["estimate"] > 0 else ""
        return (f"higher values of {what} went with {_direction(effect)}{of_course}, ", *test, ".")
    related = "the slope of the outcome" if effect.on_slope else "the outcome at time 0"
    return (
        f"{what} was not significantly related to {related}, ", *test, *_detectable(effect, standardised), ".",
    )  # fmt: skip


def _direction(effect: Effect) -> str:
    """Neither lower nor higher is better: the software does not know."""
    lower = effect.record["estimate"] < 0
    what = "lower" if lower else "higher"
    if not effect.on_slope:
        return f"a {what} outcome at time 0"
    return f"a {what} slope of the outcome (it {'fell more, or rose less' if lower else 'fell less, or rose more'})"


def _detectable(effect: Effect, standardised: pl.DataFrame | None) -> Phrase:
    """The smallest true effect that the test could see, and whether the interval reaches it."""
    record = effect.record
    error = record["std_error"]
    if error is None or not math.isfinite(error) or error <= 0.0:
        return ()
    smallest = detectable_effect(error, record["df"])
    other = standardised_record(record, standardised)
    also: Phrase = ()
    if other is not None:
        own = detectable_effect(other["std_error"], record["df"])
        beta = Cell(value=own, kind="estimate", decimals=_BETA)
        also = (" (", Symbol("β"), "\u00a0±", beta, ")")
    reaches = max(abs(record["conf_low"]), abs(record["conf_high"])) >= smallest
    return (
        "; MDE", EQUALS, "±", Cell(value=smallest, kind="estimate", decimals=effect.decimals), *also,
        f", {'' if reaches else 'not '}reached by the interval",
    )  # fmt: skip


def other_effects(
    effects: Sequence[Effect], standardised: pl.DataFrame | None, p_decimals: int | None, *, first_outcome: bool = False
) -> list[Phrase]:
    """The predictors beside convergence: those that were significant, and the smallest p of those that were not."""
    others = [e for e in effects if e.names and not e.of_convergence]
    found = [e for e in others if significant(e.record)]
    said = [effect_sentence(e, standardised, p_decimals, first_outcome=first_outcome) for e in found]
    rest = [e.record["p_value"] for e in others if not significant(e.record) and e.record["p_value"] is not None]
    if rest:
        other = "other " if found else ""
        number: Phrase = (f"the {other}test",)
        if len(rest) > 1:
            number = ("the ", Cell(value=len(rest), kind="count"), f" {other}tests")
        said.append(
            (
                *number, f" of predictors beside convergence {'was' if len(rest) == 1 else 'were'} not significant "
                "(smallest ", *p_parts(min(rest)), *beside_alpha(min(rest), p_decimals), ").",
            )
        )  # fmt: skip
    return said


def tally(effects: Sequence[Effect]) -> Phrase:
    """How many tests of convergence there were, and how many were significant; nothing for a single one."""
    tests = [e for e in effects if e.of_convergence]
    positive = sum(significant(e.record) for e in tests)
    count, number = Cell(value=len(tests), kind="count"), Cell(value=positive, kind="count")
    if len(tests) < 2:
        return ()
    if not positive:
        return (
            "Neither of the " if len(tests) == 2 else "None of the ", count, " tests of convergence was significant. "
            "That is not evidence that convergence and outcome are unrelated: the intervals say which effects remain "
            "possible.",
        )  # fmt: skip
    verb = "was" if positive == 1 else "were"
    return (
        "Of the ", count, " tests of convergence ", number, f" {verb} significant; ", Symbol("p"), " values are not "
        "adjusted for their number, and among several tests some fall below .05 by chance alone.",
    )  # fmt: skip
