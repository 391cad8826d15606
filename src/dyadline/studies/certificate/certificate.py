"""The certificate: the twins' own parameters are looked for in many of their draws."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from dyadline.errors import FitError, PlanError, whole_number
from dyadline.parallel.jobs import Failure, Part, Progress
from dyadline.parallel.run import Runner
from dyadline.studies.certificate.replicates import Load, Replicates, Task
from dyadline.studies.certificate.summary import fit_counts, recovery, type_i
from dyadline.studies.twins import STUDIES, parameters

LARGER = {"study2": 10}
"""Twins that are drawn with so many times their dyads as well: a variance of theirs lies next to zero."""

PART = 20
"""Replicates of a part, which is what is stored or done again after a stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What many draws of the twins gave back.

    Attributes
    ----------
    seeds
        Replicates of each kind of study; their seeds are 1, 2 ...
    tasks
        The kinds of studies.
    recovery, type_i, fits
        Frames with the columns `summary.RECOVERY`, `summary.TYPE_I` and `summary.FIT_COUNTS`.
    failures
        Replicates without an answer; a task is a place in `tasks`.
    interrupted
        Whether it was stopped: then there are fewer replicates than seeds.
    version
        Of the program that made it.
    page
        What it says, in Markdown; empty until it is written.
    """

    seeds: int
    tasks: tuple[Task, ...]
    recovery: pl.DataFrame
    type_i: pl.DataFrame
    fits: pl.DataFrame
    failures: tuple[Failure, ...]
    interrupted: bool = False
    version: str = ""
    page: str = ""

    @property
    def unexplained(self) -> int:
        """How many rows lie beyond chance without a reason that is known."""
        rows = self.recovery.filter(pl.col("reason") == "unexplained").height
        return rows + int(self.type_i["beyond"].sum())

    @property
    def passed(self) -> bool:
        """Whether every replicate has an answer, and nothing lies beyond chance without a reason."""
        return not self.failures and not self.interrupted and not self.unexplained


def kinds(studies: Sequence[str], dyads: int | None = None) -> tuple[Task, ...]:
    """The kinds of studies that are drawn: each twin, and with more dyads those of `LARGER`.

    Raises
    ------
    PlanError
        No study, an unknown one, or too few dyads.
    """
    asked = list(dict.fromkeys(studies))
    if not asked:
        raise PlanError("No study is named", way_out=f"Use {' or '.join(STUDIES)}")
    sizes = {
        study: parameters(study)["dyads"] if dyads is None else whole_number(dyads, "The number of dyads", 10)
        for study in asked
    }
    larger = [Task(study, times * sizes[study], larger=True) for study, times in LARGER.items() if study in asked]
    return (*(Task(study, size) for study, size in sizes.items()), *larger)


def certificate(
    run: Runner,
    load: Load,
    *,
    seeds: int,
    studies: Sequence[str] = STUDIES,
    dyads: int | None = None,
    store: Path | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Certificate:
    """Draw the twins many times, analyse each draw, and compare with what they were drawn from.

    Parameters
    ----------
    run
        An open executor.
    load
        From a frame to a dataset.
    seeds
        Replicates of each kind of study, at least 2.
    studies, dyads
        As for `kinds`.
    store, progress
        As for `Runner`.

    Raises
    ------
    PlanError
        As for `kinds`; too few seeds.
    FitError
        If fewer than two replicates of a kind have an answer.
    """
    seeds = whole_number(seeds, "The number of seeds", 2)
    tasks = kinds(studies, dyads)
    numbers = range(1, seeds + 1)
    parts = [
        Part(task, tuple(numbers[start : start + PART]))
        for task in range(len(tasks))
        for start in range(0, seeds, PART)
    ]
    done = run(Replicates(tasks, load), parts, store=store, progress=progress)
    for k, task in enumerate(tasks):
        if len(done.numbers.get(k, ())) < 2 and not done.interrupted:
            words = next((failure.words for failure in done.failures if failure.task == k), "")
            raise FitError(f"{task.study} of {task.dyads} dyads: fewer than two replicates have an answer", where=words)
    return Certificate(
        seeds=seeds,
        tasks=tasks,
        recovery=recovery(tasks, done),
        type_i=type_i(tasks, done),
        fits=fit_counts(tasks, done),
        failures=tuple(done.failures),
        interrupted=done.interrupted,
    )
