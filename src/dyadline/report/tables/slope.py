"""The closed-form power of a slope, in a sentence and a table."""

from __future__ import annotations

import math
from collections.abc import Sequence

from dyadline.inference.power import SlopePower
from dyadline.report.document import Cell, Column, Row, RowGroup, Table
from dyadline.report.numbers import p_relation, proportion
from dyadline.words import counted

POWER = 3
"""Decimals of a power that was computed."""


def slope_sentence(found: SlopePower) -> str:
    """What was asked and what came out: ``82 dyads are needed for a power of .80 ...``."""
    beta, alpha = _as_given(found.beta), f"a two-sided test at α = {_as_given(found.alpha)}"
    if found.solved == "n":
        return (
            f"{counted(found.n, 'dyad')} are needed for a power of {_as_given(found.goal)} to find a standardised "
            f"slope of {beta} with {alpha}; the power is then {proportion(found.power, POWER)}."
        )
    if found.solved == "beta":
        return (
            f"With {counted(found.n, 'dyad')} the smallest standardised slope that {alpha} finds with a power of "
            f"{_as_given(found.goal)} is {beta}, in either direction."
        )
    return (
        f"With {counted(found.n, 'dyad')} {alpha} has a power of {proportion(found.power, POWER)} to find a "
        f"standardised slope of {beta}."
    )


def conditions(found: SlopePower) -> str:
    """What else the answer rests on, in a sentence; empty for one predictor without error."""
    said = []
    if found.reliability < 1.0:
        said.append(
            f"The score has a reliability of {_as_given(found.reliability)}, so that the slope to be seen is "
            f"{_as_given(found.beta_observed)}."
        )
    if found.covariates:
        said.append(
            f"{counted(found.covariates, 'covariate').capitalize()} in the model: they explain "
            f"{_as_given(found.r2_outcome)} of the outcome without the score, and {_as_given(found.r2_predictor)} of "
            "the score."
        )
    return " ".join(said)


def slope_table(found: Sequence[SlopePower]) -> Table:
    """One row per question: slope, dyads, power, and what the test is made of."""
    attenuated = any(one.reliability < 1.0 for one in found)
    columns = [
        Column(label="Dyads"),
        Column(label="Power"),
        *([Column(label="β observed")] if attenuated else []),
        Column(label="f²", rank=1),
        Column(label="df", rank=1),
        Column(label="λ", rank=1),
    ]
    rows = [
        Row(
            label=_as_given(one.beta),
            cells=(
                Cell(value=one.n, kind="count", strong=one.solved == "n"),
                Cell(value=one.power, kind="proportion", decimals=POWER, strong=one.solved == "power"),
                *([Cell(value=one.beta_observed, kind="proportion", decimals=3)] if attenuated else []),
                Cell(value=one.f2, decimals=3),
                Cell(value=one.df, kind="df"),
                Cell(value=one.noncentrality),
            ),
        )
        for one in found
    ]
    return Table(
        key="power-slope",
        caption=f"Power of a two-sided t test of one slope, α {p_relation(found[0].alpha, _decimals(found[0].alpha))}",
        stub="β",
        columns=tuple(columns),
        groups=(RowGroup(rows=tuple(rows)),),
    )


def _as_given(value: float | None) -> str:
    return proportion(value, 2 if value is None else _decimals(value))


def _decimals(value: float) -> int:
    """Two decimals, or as many as a number was given with, or three digits of one that was computed."""
    for decimals in range(2, 5):
        if abs(value - round(value, decimals)) < 1e-9:
            return decimals
    return 3 if abs(value) >= 0.1 else min(9, 2 - math.floor(math.log10(abs(value))))
