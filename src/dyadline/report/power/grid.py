"""The designs of a power study as a report reads them: what varies, and what is held at the first design's value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from dyadline.report.power.names import DESIGNED, DIMENSIONS, SCORE, label_of_test, short_names, value_words
from dyadline.studies.power.result import PowerResult

GOAL = 0.80
"""Power that a study should have, unless another was searched for."""

MAIN = "time:convergence"

LEADERS = {"drop_out": "sessions", "per_therapist": "dyads"}
"""What may differ only because something else does: longer studies lose more dyads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A result, and what its tables and figures ask of it.

    Attributes
    ----------
    result
        What a power study found; it has at least one test.
    varying
        What designs differ in, in the order of `DIMENSIONS`; ``score`` among them where there are several.
    following
        What differs only because something else does, such as patients per therapist with the number of dyads where
        that of therapists is fixed; it is shown, but no question of its own.
    reference
        Where what is not asked about is held: dyads and sessions of the design whose main test comes nearest to the
        power that is wanted, since there differences show; all else, and the score, as in the first design.
    short
        Operationalisation -> what it is called in tables and figures.
    model, term
        The test that a study is planned for: convergence × time in the largest model, if it is there.
    goal
        Power that is wanted.
    """

    result: PowerResult
    varying: tuple[str, ...]
    following: tuple[str, ...]
    reference: Mapping[str, Any]
    short: Mapping[str, str]
    model: int
    term: str
    goal: float

    @property
    def test(self) -> str:
        """``Model 3: Convergence × Time``."""
        return label_of_test(self.model, self.term)

    @property
    def designed(self) -> tuple[str, ...]:
        """Columns that tell designs apart, scores aside."""
        return tuple(key for key in DESIGNED if key in self.varying or key in self.following)

    @property
    def several_scores(self) -> bool:
        """Whether there are several operationalisations."""
        return SCORE in self.varying

    def main(self) -> pl.DataFrame:
        """Rows of the main test."""
        tests = self.result.tests
        return tests.filter((pl.col("model") == self.model) & (pl.col("term") == self.term))

    def held(self, frame: pl.DataFrame, *free: str) -> pl.DataFrame:
        """Rows whose values are the reference's in all that is not `free`."""
        for key in self.varying:
            if key not in free and key in frame.columns:
                frame = frame.filter(pl.col(key).eq_missing(pl.lit(self.reference[key], dtype=frame.schema[key])))
        return frame

    def held_words(self, *free: str) -> str:
        """What is held although it varies, as in ``14 sessions, no drop-out``; empty if nothing is."""
        held = [key for key in self.varying if key not in free]
        return ", ".join(
            f"score {self.short[self.reference[key]]}" if key == SCORE else value_words(key, self.reference[key])
            for key in held
        )

    def values(self, key: str) -> list[Any]:
        """Values of a dimension, ascending, nothing first; scores in the order in which they were asked for."""
        if key == SCORE:
            there = set(self.result.tests[SCORE])
            return [name for name in self.short if name in there]
        return self.result.tests[key].unique().sort(nulls_last=False).to_list()

    def words(self, key: str, value: Any) -> str:
        """A value with its unit."""
        return self.short[value] if key == SCORE else value_words(key, value)


def make_grid(result: PowerResult) -> Grid:
    """What varies in a result; scores keep the order of its operationalisations.

    Parameters
    ----------
    result
        With at least one row of `tests`.
    """
    tests = result.tests
    scores = tests[SCORE].unique(maintain_order=True).to_list()
    asked = [name for name, _ in result.operationalisations]
    ordered = list(dict.fromkeys([*(name for name in asked if name in scores), *scores]))
    of_slope = tests.filter(pl.col("term") == MAIN)
    at = (of_slope if of_slope.height else tests).sort("model", descending=True, maintain_order=True).row(0, named=True)
    goals = result.needed["goal"].drop_nulls()
    varying = [key for key in DIMENSIONS if tests[key].n_unique() > 1]
    following = [key for key, leader in LEADERS.items() if key in varying and _follows(tests, key, leader)]
    goal = float(goals[0]) if len(goals) else GOAL
    main = tests.filter(
        (pl.col("model") == at["model"]) & (pl.col("term") == at["term"]) & (pl.col(SCORE) == ordered[0])
    )
    # What follows from dyads or sessions is not held, or they would be too.
    held = [key for key in ("drop_out", "per_therapist", "effect") if key in varying and key not in following]
    return Grid(
        result=result,
        varying=tuple(key for key in varying if key not in following),
        following=tuple(following),
        reference={**_reference(main if main.height else tests, goal, held), SCORE: ordered[0]},
        short=short_names(ordered),
        model=at["model"],
        term=at["term"],
        goal=goal,
    )


def _reference(frame: pl.DataFrame, goal: float, held: Sequence[str]) -> dict[str, Any]:
    first = frame.sort("design", maintain_order=True).row(0, named=True)
    alike = frame
    for key in held:
        alike = alike.filter(pl.col(key).eq_missing(pl.lit(first[key], dtype=alike.schema[key])))
    known = alike.filter(pl.col("power").is_not_null())
    nearest = known.sort((pl.col("power") - goal).abs(), "design", maintain_order=True)
    found = nearest.row(0, named=True) if nearest.height else first
    return {key: found[key] for key in DESIGNED}


def _follows(tests: pl.DataFrame, key: str, leader: str) -> bool:
    per_value = tests.group_by(leader).agg(pl.col(key).n_unique())
    return per_value.height > 1 and int(per_value[key].max()) == 1  # type: ignore[arg-type]


def thinned(values: list[Any], most: int) -> list[Any]:
    """At most that many of them, the first and the last among them."""
    if len(values) <= most:
        return values
    return [values[round(k * (len(values) - 1) / (most - 1))] for k in range(most)]
