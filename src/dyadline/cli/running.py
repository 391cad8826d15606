"""Where long work runs: the options that commands share, and how far it is."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from dyadline.words import counted

if TYPE_CHECKING:
    from dyadline.parallel.jobs import Progress

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it."""

ExecutorOption = Annotated[str, typer.Option("--executor", help="serial, processes or dask: the numbers are the same.")]
Workers = Annotated[int | None, typer.Option(help="Number of processes; one per processor by default.")]
Scheduler = Annotated[str | None, typer.Option(help="Of Dask: tcp://host:port; else a cluster of local processes.")]
Resume = Annotated[bool, typer.Option("--resume", help="Continue with the parts that are finished.")]


@contextmanager
def replicate_progress(what: str) -> Iterator[Callable[[Progress], None]]:
    """What is called as replicates are finished: a bar on standard error, and nothing where that is no terminal."""
    if not sys.stderr.isatty():
        yield lambda progress: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[left]}"))
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        shown = bar.add_task(what, total=None, left="")

        def show(progress: Progress) -> None:
            failed = f", {progress.failed:,} failed" if progress.failed else ""
            said = f"{progress.done:,} of {progress.total:,}{failed}{time_left(progress.seconds_left)}"
            said = f"{progress.what}: {said}" if progress.what else said
            bar.update(shown, completed=progress.done, total=progress.total, left=said)

        yield show


def time_left(seconds: float | None) -> str:
    """`, about 2 minutes left`; empty where it is not known."""
    if seconds is None:
        return ""
    if seconds < 90.0:
        return f", about {counted(max(1, round(seconds)), 'second')} left"
    return f", about {counted(round(seconds / 60.0), 'minute')} left"
