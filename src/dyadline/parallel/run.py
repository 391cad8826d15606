"""Parts of work on any executor: the same numbers wherever they are computed."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from contextlib import contextmanager
from time import monotonic
from typing import Literal, Protocol, get_args

from dyadline.errors import PlanError, did_you_mean, whole_number
from dyadline.parallel.agenda import GIVEN_UP, Agenda, Job
from dyadline.parallel.crew import Alone, Crew, Guests
from dyadline.parallel.jobs import Done, Part, Progress, Work
from dyadline.parallel.outcome import Outcome, joined, one_thread, restricted
from dyadline.parallel.store import Store

ExecutorName = Literal["serial", "processes", "dask"]

PATIENCE = 1.0
"""Seconds after which a wait for parts looks up: some systems hear Ctrl-C only then."""


class Runner(Protocol):
    """Carries out parts; may be asked again and again while it is open."""

    def __call__(
        self,
        work: Work,
        parts: Sequence[Part],
        *,
        store: Store | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> Done:
        """Carry out all parts.

        An exception in a replicate, or the death of its process, is a `Failure`. Ctrl-C ends the workers and gives what
        is finished, with ``interrupted``; a second one is raised as `KeyboardInterrupt`.

        Parameters
        ----------
        work, parts
            What is to be done. No replicate may be in two parts.
        store
            Where finished parts are kept, from `open_store`; replicates that are there already are taken from it,
            however the parts were cut, and failed ones stay failed.
        progress
            Called at the beginning and after each finished part.

        Raises
        ------
        PlanError
            A replicate stands in two parts, the work cannot be sent to another process, or the store cannot be written.
        DyadlineError
            Nobody is left who could carry out parts.
        """
        ...


@contextmanager
def runner(
    executor: ExecutorName | Executor = "serial", *, workers: int | None = None, scheduler: str | None = None
) -> Iterator[Runner]:
    """Open an executor.

    Numbers are the same bit for bit whatever the executor, the number of workers and the way parts are cut, on
    processors of one kind: results are put together by task and number, and each part has one thread for linear
    algebra.

    Parameters
    ----------
    executor
        ``serial``: in this process, which a replicate that kills it takes along. ``processes``: in processes of their
        own (spawn); a script has to call this below ``if __name__ == "__main__":``. ``dask``: on a Dask scheduler, or
        without one on a cluster of local processes, which any user of this machine may reach. Or an open
        `concurrent.futures.Executor`, which stays open and must not lose its workers.
    workers
        Number of processes; as many as there are processors unless said.
    scheduler
        Address of a Dask scheduler, ``tcp://host:port``, with at least one worker; all have the same version of
        dyadline.

    Raises
    ------
    PlanError
        As for `check_running`, or the scheduler does not answer, or has no workers, or others than these.
    """
    crew = _crew(executor, workers, scheduler)

    def run(
        work: Work,
        parts: Sequence[Part],
        *,
        store: Store | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> Done:
        with one_thread():  # here too: set by threads of an executor alone, the limit does not always hold
            return _run(crew, work, parts, store, progress)

    try:
        yield run
    finally:
        crew.close()


def check_running(executor: str, workers: int | None = None, scheduler: str | None = None) -> ExecutorName:
    """Check a choice of executor before anything is opened, and return its name.

    Raises
    ------
    PlanError
        An unknown executor, fewer than one worker, a scheduler for another executor than Dask, a number of workers for
        a scheduler that has its own, or no Dask installed.
    """
    known: tuple[ExecutorName, ...] = get_args(ExecutorName)
    if executor not in known:
        way_out = did_you_mean(executor, known) or f"Choose one of {', '.join(known)}"
        raise PlanError(f"{executor!r} is no executor", way_out=way_out)
    if workers is not None:
        whole_number(workers, "The number of workers", 1)
    if executor == "serial" and workers not in (None, 1):
        raise PlanError(f"The executor 'serial' has one worker, not {workers}", way_out="Choose 'processes' or 'dask'")
    if executor == "dask":
        from dyadline.parallel.cluster import check_dask

        check_dask()
    if scheduler is not None:
        if executor != "dask":
            raise PlanError(f"A scheduler is for the executor 'dask', not for {executor!r}")
        if workers is not None:
            raise PlanError(
                "A scheduler has its own workers; their number cannot be chosen here", way_out="Leave one of them out"
            )
    return known[known.index(executor)]


def processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _crew(executor: ExecutorName | Executor, workers: int | None, scheduler: str | None) -> Crew:
    if not isinstance(executor, str):
        if not hasattr(executor, "submit"):
            raise PlanError(
                f"{executor!r} is no executor", way_out=f"Choose one of {', '.join(get_args(ExecutorName))}"
            )
        return Guests(executor, whole_number(workers or processors(), "The number of workers", 1))
    check_running(executor, workers, scheduler)
    number = processors() if workers is None else workers
    if executor == "processes":
        from dyadline.parallel.processes import Processes

        return Processes(number)
    if executor == "dask":
        from dyadline.parallel.cluster import Cluster

        return Cluster(number, scheduler)
    return Alone()


def _run(
    crew: Crew, work: Work, parts: Sequence[Part], store: Store | None, progress: Callable[[Progress], None] | None
) -> Done:
    ledger = _Ledger(parts, store, progress)
    out: dict[Future[Outcome], Job] = {}
    interrupted = False
    try:
        agenda = Agenda(ledger.begin(), crew.slots)
        sealed = crew.seal(work)
        while True:
            while len(out) < crew.slots and (job := agenda.following(len(out))) is not None:
                out[crew.submit(sealed, job.part)] = job
            if not out:
                break
            outcomes = []
            for future in wait(out, PATIENCE, FIRST_COMPLETED).done:
                job, fate = out.pop(future), crew.settle(future)
                if isinstance(fate, Outcome):
                    agenda.finished()
                    outcomes.append(fate)
                else:
                    outcomes += agenda.died(job, fate)
            ledger.add(outcomes)
            crew.tend()
    except KeyboardInterrupt:
        interrupted = True
    finally:
        crew.stop()
    return ledger.done(interrupted)


class _Ledger:
    """What is finished, on disk and in memory."""

    def __init__(self, parts: Sequence[Part], store: Store | None, progress: Callable[[Progress], None] | None) -> None:
        self._parts, self._store, self._progress = parts, store, progress
        self._outcomes: dict[int, list[Outcome]] = {part.task: [] for part in parts}
        self._total = sum(len(part.numbers) for part in parts)
        self._before = self._finished = self._failed = 0
        self._begun = monotonic()

    def begin(self) -> Iterable[Part]:
        """Take what is on disk; the parts, or what is missing of them."""
        missing: dict[int, set[int]] = defaultdict(set)
        for part in self._parts:
            missing[part.task].update(part.numbers)
        if sum(map(len, missing.values())) < self._total:
            raise PlanError("A replicate stands in two parts", way_out="Give each replicate of a task its own number")
        for found in self._store.found() if self._store else ():
            wanted = restricted(found, missing)
            missing[wanted.task] -= {*wanted.numbers, *(failure.number for failure in wanted.failures)}
            if wanted.size:
                self._take(wanted)
        self._before, self._begun = self._finished, monotonic()
        self._tell()
        left = (Part(p.task, tuple(n for n in p.numbers if n in missing[p.task])) for p in self._parts)
        return (part for part in left if part.numbers)

    def add(self, outcomes: Sequence[Outcome]) -> None:
        """Keep what was carried out now."""
        for outcome in outcomes:
            self._take(outcome)
            if self._store and not any(failure.words == GIVEN_UP for failure in outcome.failures):
                self._store.keep(outcome)
        if outcomes:
            self._tell()

    def done(self, interrupted: bool) -> Done:
        """Everything, put together by task and number."""
        tasks = {task: joined(task, self._outcomes[task]) for task in sorted(self._outcomes)}
        return Done(
            numbers={task: whole.numbers for task, whole in tasks.items()},
            arrays={task: whole.arrays for task, whole in tasks.items()},
            failures=tuple(failure for whole in tasks.values() for failure in whole.failures),
            interrupted=interrupted,
        )

    def _take(self, outcome: Outcome) -> None:
        self._outcomes[outcome.task].append(outcome)
        self._finished += outcome.size
        self._failed += len(outcome.failures)

    def _tell(self) -> None:
        if self._progress is None:
            return
        here = self._finished - self._before
        left = (monotonic() - self._begun) / here * (self._total - self._finished) if here else None
        self._progress(Progress(done=self._finished, total=self._total, failed=self._failed, seconds_left=left))
