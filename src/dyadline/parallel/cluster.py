"""Dask: a scheduler somewhere, or one in this process with workers on this machine."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from importlib.metadata import version
from multiprocessing.context import SpawnContext, SpawnProcess
from tempfile import TemporaryDirectory
from time import monotonic, sleep
from typing import Any

from dyadline.errors import DyadlineError, PlanError
from dyadline.parallel.crew import Fate, outcome_of
from dyadline.parallel.jobs import Part, Work
from dyadline.parallel.outcome import Outcome, Sealed, carried_out
from dyadline.parallel.processes import UNBORN, begin, deaf, pickled

REACHED = 5.0
"""Seconds in which a scheduler has to answer, and to have a worker."""

TENDED = 1.0
"""Seconds after which the workers are counted anew: some may have died, and a cluster may grow."""

DESERTED = 60.0
"""Seconds without any worker after which the run ends."""

WELCOMED = 0.5
"""Seconds between the start of a foreign worker and its first part: a nanny whose worker dies sooner gives up."""

CONTINUED = "Finished parts that were kept on disk can be continued"

QUIET: dict[str, list[str]] = {"distributed.scheduler.http.routes": [], "distributed.worker.http.routes": []}
"""A local cluster shows no pages."""


class Cluster:
    """Workers of a Dask scheduler.

    Parts of a worker that died are given up by Dask, at once or after some more workers, and come back here. Local
    workers have no nanny but this class: Dask's own does not start a worker anew that died too soon after its start.

    Parameters
    ----------
    workers
        Processes on this machine, where there is no scheduler yet.
    scheduler
        Address of a scheduler that has workers of its own.

    Raises
    ------
    PlanError
        Dask is not there, the scheduler does not answer, or it has no workers, or workers of another version.
    DyadlineError
        Local workers do not start.
    """

    def __init__(self, workers: int = 1, scheduler: str | None = None) -> None:
        check_dask()
        self._open = ExitStack()
        self._local: list[SpawnProcess] = []
        self._out: set[Future[Outcome]] = set()
        self.slots = 2 * workers
        self._tended = self._seen = monotonic()
        with ExitStack() as undo:
            undo.callback(self.close)
            self._open.enter_context(_silence())
            with deaf():  # the threads that Dask starts here neither
                self._client = self._started() if scheduler is None else _connected(scheduler)
            self._open.callback(self._client.close)
            if scheduler is None:
                self._await_local(workers)
            else:
                _check_workers(self._client, scheduler)
            undo.pop_all()
        self._executor = self._client.get_executor(pure=False)
        self._carry = carried_out if scheduler is None else _carried_out_welcome

    def seal(self, work: Work) -> Sealed:
        from cloudpickle import dumps  # functions of the user's script travel as they are

        return Sealed(pickled(work, dumps))

    def submit(self, work: Work | Sealed, part: Part) -> Future[Outcome]:
        future: Future[Outcome] = self._executor.submit(self._carry, work, part)
        self._out.add(future)
        return future

    def settle(self, future: Future[Outcome]) -> Fate:
        from distributed import KilledWorker

        self._out.discard(future)
        error = None if future.cancelled() else future.exception()
        if isinstance(error, KilledWorker):
            deaths: int = error.allowed_failures + 1
            return deaths
        try:
            return outcome_of(future)
        except CancelledError:
            raise DyadlineError("The Dask scheduler is gone", way_out=CONTINUED) from None

    def tend(self) -> None:
        now = monotonic()
        if now - self._tended < TENDED:
            return
        threads = self._threads()
        self._tended = now
        if threads:
            self.slots, self._seen = 2 * threads, now
        elif now - self._seen > DESERTED:
            raise DyadlineError("All workers of the Dask scheduler are gone", way_out=CONTINUED)
        self._local = [process if process.is_alive() else self._worker() for process in self._local]

    def stop(self) -> None:
        for future in self._out:
            future.cancel()
        self._out.clear()

    def close(self) -> None:
        for process in self._local:
            process.kill()
        for process in self._local:
            process.join()
        self._local = []
        self._open.close()

    def _started(self) -> Any:
        import dask
        from distributed import Client, LocalCluster

        self._folder = self._open.enter_context(TemporaryDirectory(prefix="dyadline-", ignore_cleanup_errors=True))
        self._open.enter_context(dask.config.set(QUIET))
        cluster = LocalCluster(
            n_workers=0,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            silence_logs=logging.CRITICAL,
            local_directory=self._folder,
            scheduler_kwargs={"allowed_failures": 0, "dashboard": False},
        )
        self._open.callback(cluster.close)
        return Client(cluster, set_as_default=False)

    def _await_local(self, workers: int) -> None:
        self._local = [self._worker() for _ in range(workers)]
        while not self._threads():
            if not all(process.is_alive() for process in self._local):
                raise DyadlineError("Workers of the local Dask cluster die before they have begun", way_out=UNBORN)
            sleep(0.05)

    def _worker(self) -> SpawnProcess:
        arguments = (self._client.scheduler.address, self._folder)
        process = SpawnContext().Process(target=_serve, args=arguments, daemon=True)
        with deaf():
            process.start()
        return process

    def _threads(self) -> int:
        with suppress(OSError):
            return sum(self._client.nthreads().values())
        return 0


def check_dask() -> None:
    """See whether Dask is there.

    Raises
    ------
    PlanError
        If not, naming the line that installs it.
    """
    from importlib.util import find_spec

    if find_spec("distributed") is None:
        raise PlanError("The executor 'dask' needs Dask", way_out='Install it with: pip install "dyadline[dask]"')


@contextmanager
def _silence() -> Iterator[None]:
    # What matters of a worker's death is said by the run itself.
    import distributed  # noqa: F401 - sets the levels when it is imported

    loggers = [logging.getLogger(name) for name in ("distributed", "distributed.client")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


def versions() -> dict[str, str]:
    """What decides on digits in this process."""
    return {name: version(name) for name in ("dyadline", "numpy", "scipy")}


def _serve(scheduler: str, folder: str) -> None:
    begin()
    import asyncio

    import dask
    from distributed import Worker

    logging.getLogger("distributed").setLevel(logging.CRITICAL)

    async def serve() -> None:
        async with Worker(
            scheduler, host="127.0.0.1", nthreads=1, memory_limit=0, local_directory=folder, dashboard=False
        ) as worker:
            await worker.finished()

    with dask.config.set(QUIET):
        asyncio.run(serve())


def _carried_out_welcome(work: Work | Sealed, part: Part) -> Outcome:
    _welcome()
    return carried_out(work, part)


@cache
def _welcome() -> None:
    sleep(WELCOMED)


def _connected(scheduler: str) -> Any:
    from distributed import Client

    try:
        return Client(scheduler, timeout=REACHED, set_as_default=False)
    except (OSError, ValueError, ImportError):
        raise PlanError(
            f"No Dask scheduler answers at {scheduler!r}",
            way_out="Its address looks like tcp://host:8786; or leave it out for a local cluster",
        ) from None


def _check_workers(client: Any, scheduler: str) -> None:
    try:
        client.wait_for_workers(1, timeout=REACHED)
    except TimeoutError:
        raise PlanError(
            f"The Dask scheduler {scheduler!r} has no workers", way_out=f"Start one with: dask worker {scheduler}"
        ) from None
    here = versions()
    for theirs in client.run(versions, on_error="return").values():
        if not isinstance(theirs, dict):
            raise PlanError(
                f"Workers of the Dask scheduler {scheduler!r} have no dyadline",
                way_out=f"Install there what is here: pip install dyadline=={here['dyadline']}",
            )
        for name, known in theirs.items():
            if known != here[name]:
                raise PlanError(
                    f"Workers of the Dask scheduler {scheduler!r} have {name} {known}, here it is {here[name]}",
                    way_out="Install the same versions: digits depend on them",
                )
