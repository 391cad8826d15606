"""Parts of work on any executor: the same numbers wherever they are computed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, Protocol

from dyadline.parallel.jobs import Done, Part, Progress, Work

ExecutorName = Literal["serial", "processes", "dask"]


class Runner(Protocol):
    """Carries out parts; may be asked again and again while it is open."""

    def __call__(
        self,
        work: Work,
        parts: Sequence[Part],
        *,
        store: Path | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> Done:
        """Carry out all parts.

        Parameters
        ----------
        work, parts
            What is to be done.
        store
            Folder of finished parts; what is there already for these very parts is taken from it.
        progress
            Called after each finished part.
        """
        ...


@contextmanager
def runner(
    executor: ExecutorName = "serial", *, workers: int | None = None, scheduler: str | None = None
) -> Iterator[Runner]:
    """Open an executor.

    Parameters
    ----------
    executor
        ``serial``: in this process; ``processes``: in processes of their own (spawn); ``dask``: on a Dask
        scheduler, or a cluster of local processes without one.
    workers
        Number of processes; as many as there are processors unless said.
    scheduler
        Address of a Dask scheduler, ``tcp://host:port``.
    """
    raise NotImplementedError
    yield
