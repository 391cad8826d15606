"""Who carries parts out: the one protocol of all executors."""

from __future__ import annotations

from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from typing import Protocol

from dyadline.errors import DyadlineError
from dyadline.parallel.jobs import Part, Work
from dyadline.parallel.outcome import Outcome, Sealed, carried_out, failure_words

Fate = Outcome | int
"""What came of a part that was handed out: its outcome, or how many workers died while they had it (none: the part was
never begun)."""


class Crew(Protocol):
    """Carries out parts, several at a time."""

    @property
    def slots(self) -> int:
        """Parts that may be out at the same time; few, so that a million of them do not flood memory. It may change."""
        ...

    def seal(self, work: Work) -> Work | Sealed:
        """The work in the form in which it is handed out.

        Raises
        ------
        PlanError
            If it cannot be sent to another process.
        """
        ...

    def submit(self, work: Work | Sealed, part: Part) -> Future[Outcome]:
        """Hand out a part."""
        ...

    def settle(self, future: Future[Outcome]) -> Fate:
        """What came of a part; to be called once for each future that is done.

        Raises
        ------
        DyadlineError
            If nobody is left who could carry out parts, or the work cannot be opened where they are.
        """
        ...

    def tend(self) -> None:
        """Look after the workers; called again and again while parts are out.

        Raises
        ------
        DyadlineError
            If nobody is left who could carry out parts.
        """
        ...

    def stop(self) -> None:
        """Give up all parts that are out."""
        ...

    def close(self) -> None:
        """Let everybody go."""
        ...


class Alone:
    """This process, one part after the other. A replicate that kills the process cannot be survived."""

    slots = 1

    def seal(self, work: Work) -> Work:
        return work

    def submit(self, work: Work | Sealed, part: Part) -> Future[Outcome]:
        future: Future[Outcome] = Future()
        future.set_result(carried_out(work, part))
        return future

    def settle(self, future: Future[Outcome]) -> Fate:
        return future.result()

    def tend(self) -> None:
        pass

    def stop(self) -> None:
        pass

    def close(self) -> None:
        pass


class Guests:
    """An executor that somebody else opened and will close, such as one of threads or of MPI.

    Parameters
    ----------
    executor
        Anything with the interface of `concurrent.futures`.
    workers
        How many it has; twice as many parts are out at a time.
    """

    def __init__(self, executor: Executor, workers: int) -> None:
        self._executor = executor
        self._out: set[Future[Outcome]] = set()
        self.slots = 2 * workers

    def seal(self, work: Work) -> Work:
        return work

    def submit(self, work: Work | Sealed, part: Part) -> Future[Outcome]:
        future = self._executor.submit(carried_out, work, part)
        self._out.add(future)
        return future

    def settle(self, future: Future[Outcome]) -> Fate:
        self._out.discard(future)
        try:
            return outcome_of(future)
        except (BrokenExecutor, CancelledError):
            raise DyadlineError(
                "A worker of the executor that was handed in died, and only its owner can make it anew",
                way_out="Make another executor, or use 'processes', which survives it",
            ) from None

    def tend(self) -> None:
        pass

    def stop(self) -> None:
        for future in self._out:
            future.cancel()
        self._out.clear()

    def close(self) -> None:
        self.stop()


def outcome_of(future: Future[Outcome]) -> Outcome:
    """The outcome of a part that is done.

    Raises
    ------
    BrokenExecutor, CancelledError
        If its worker died or nobody is there any more.
    DyadlineError
        If the work could not be opened or sent.
    """
    error = None if future.cancelled() else future.exception()
    if error is None or isinstance(error, BrokenExecutor | DyadlineError):
        return future.result()
    raise DyadlineError(
        f"The work cannot be carried out in a worker process: {failure_words(error)}",
        way_out="Its function has to stand in a module that workers can import",
    ) from error
