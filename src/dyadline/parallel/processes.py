"""Processes of this machine: one executor each, so that a death costs exactly the part that was being done."""

from __future__ import annotations

import os
import pickle
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import parent_process
from multiprocessing.context import SpawnContext, SpawnProcess
from multiprocessing.queues import SimpleQueue
from typing import Any

from dyadline.errors import DyadlineError, PlanError
from dyadline.parallel.crew import Fate, outcome_of
from dyadline.parallel.jobs import Part, Work
from dyadline.parallel.outcome import Outcome, Sealed, carried_out

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS")
"""What tells libraries that a worker loads later how many threads to start."""


UNBORN = "In a script, the call has to stand below: if __name__ == '__main__':"


class Processes:
    """Processes that are started when they are needed, and anew when they die.

    Parameters
    ----------
    workers
        How many at most.
    """

    def __init__(self, workers: int) -> None:
        self.slots = workers
        self._idle: list[_Worker] = []
        self._busy: dict[Future[Outcome], _Worker] = {}
        self._stillborn = 0

    def seal(self, work: Work) -> Sealed:
        return Sealed(pickled(work, pickle.dumps))

    def submit(self, work: Work | Sealed, part: Part) -> Future[Outcome]:
        while True:
            worker = self._idle.pop() if self._idle else _Worker()
            try:
                future = worker.submit(work, part)
            except BrokenExecutor:  # it died while it had nothing to do
                worker.kill()
                continue
            self._busy[future] = worker
            return future

    def settle(self, future: Future[Outcome]) -> Fate:
        worker = self._busy.pop(future)
        try:
            outcome = outcome_of(future)
        except BrokenExecutor:
            worker.kill()
            if worker.lived:
                return 1
            self._stillborn += 1
            if self._stillborn > 2 * self.slots:
                raise DyadlineError("Worker processes die before they have begun", way_out=UNBORN) from None
            return 0
        self._stillborn = 0
        self._idle.append(worker)
        return outcome

    def tend(self) -> None:
        pass

    def stop(self) -> None:
        for worker in self._busy.values():
            worker.kill()
        self._busy.clear()

    def close(self) -> None:
        self.stop()
        while self._idle:
            self._idle.pop().dismiss()


class _Recorded(SpawnContext):
    """Knows the processes and the way back that it made: the executor does not give away its own."""

    def __init__(self) -> None:
        self.made: list[SpawnProcess] = []
        self.back: list[SimpleQueue[Any]] = []

    def SimpleQueue(self) -> SimpleQueue[Any]:  # noqa: N802
        queue = super().SimpleQueue()
        self.back.append(queue)
        return queue

    def Process(self, *args: Any, **kwargs: Any) -> SpawnProcess:  # type: ignore[override]  # noqa: N802
        process = SpawnProcess(*args, **kwargs)
        self.made.append(process)
        return process


class _Worker:
    """One process."""

    def __init__(self) -> None:
        self._context = _Recorded()
        self._executor = ProcessPoolExecutor(1, mp_context=self._context, initializer=begin)
        with deaf():
            self._begun = self._executor.submit(os.getpid)
        # The process has its own end by now. While this one were open, too, whoever reads an outcome whose sender is
        # killed half-way through would wait for the rest for ever.
        for queue in self._context.back:
            queue._writer.close()  # type: ignore[attr-defined]

    @property
    def lived(self) -> bool:
        """Whether it ever did anything."""
        return self._begun.done() and self._begun.exception() is None

    def submit(self, work: Work | Sealed, part: Part) -> Future[Outcome]:
        with deaf():
            return self._executor.submit(carried_out, work, part)

    def kill(self) -> None:
        for process in self._context.made:
            process.kill()
        self._executor.shutdown(wait=False, cancel_futures=True)

    def dismiss(self) -> None:
        self._executor.shutdown(wait=True)


@contextmanager
def deaf() -> Iterator[None]:
    """Keep Ctrl-C from threads and processes that are started here: it is for the main process to decide what it means.

    It is not lost: this thread gets it afterwards.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def begin() -> None:
    """What a worker process does first: leave Ctrl-C to the main process, keep to one thread, end when that ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in THREADS:
        os.environ[name] = "1"
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    # A worker waits at a pipe of which it holds both ends: it would never notice that its parent was killed.
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def pickled(work: Work, dumps: Any) -> bytes:
    """Work as bytes.

    Raises
    ------
    PlanError
        If it cannot be pickled.
    """
    try:
        content: bytes = dumps(work)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise PlanError(
            f"The work cannot be sent to another process: {error}",
            way_out="Use a function that stands at the top of a module, or the executor 'serial'",
        ) from None
    return content
