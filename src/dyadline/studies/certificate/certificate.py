"""The certificate: the twins' own parameters are looked for in many of their draws."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from dyadline.errors import FitError, PlanError, whole_number
from dyadline.parallel.jobs import Done, Failure, Progress, parts_of
from dyadline.parallel.run import Runner
from dyadline.parallel.store import Store
from dyadline.studies.certificate.replicates import Load, Replicates, Task
from dyadline.studies.certificate.summary import fit_counts, recovery, type_i
from dyadline.studies.twins import STUDIES, parameters
from dyadline.words import counted

LARGER = {"study2": 10}
"""Twins that are drawn with so many times their dyads as well: a variance of theirs lies next to zero."""

PART = 10
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


def facts(tasks: Sequence[Task]) -> Mapping[str, object]:
    """What the numbers of a draw depend on beside the program, for a store's fingerprint; not how many there are."""
    return {
        "work": "recovery certificate",
        "tasks": [[task.study, task.dyads] for task in tasks],
        "parameters": {task.study: parameters(task.study) for task in tasks},
    }


def certificate(
    run: Runner,
    load: Load,
    tasks: tuple[Task, ...],
    seeds: int,
    *,
    store: Store | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Certificate:
    """Draw the twins many times, analyse each draw, and compare with what they were drawn from.

    Parameters
    ----------
    run
        An open executor.
    load
        From a frame to a dataset.
    tasks
        The kinds of studies: see `kinds`.
    seeds
        Replicates of each of them, at least 2.
    store, progress
        As for `Runner`.

    Raises
    ------
    PlanError
        Too few seeds; as for `Runner`.
    FitError
        If fewer than two replicates of a kind have an answer.
    """
    seeds = whole_number(seeds, "The number of seeds", 2)
    parts = [part for place in range(len(tasks)) for part in parts_of(place, seeds, PART, first=1)]
    done = run(Replicates(tasks, load), parts, store=store, progress=progress)
    if not done.interrupted:
        _check_answers(tasks, done)
    return Certificate(
        seeds=seeds,
        tasks=tasks,
        recovery=recovery(tasks, done),
        type_i=type_i(tasks, done),
        fits=fit_counts(tasks, done),
        failures=tuple(done.failures),
        interrupted=done.interrupted,
    )


def _check_answers(tasks: Sequence[Task], done: Done) -> None:
    for place, task in enumerate(tasks):
        if len(done.numbers.get(place, ())) < 2:
            raise FitError(
                f"Fewer than two draws of {task.study} with {counted(task.dyads, 'dyad')} have an answer",
                where=next((failure.words for failure in done.failures if failure.task == place), ""),
            )
