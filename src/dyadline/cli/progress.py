"""How far many replicates are, on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dyadline.words import counted

if TYPE_CHECKING:
    from dyadline.parallel.jobs import Progress


@contextmanager
def replicate_progress() -> Iterator[Callable[[Progress], None]]:
    """A bar on standard error for as long as it is open, and nothing where that is not a terminal."""
    if not sys.stderr.isatty():
        yield lambda progress: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bar

    columns = BarColumn(bar_width=30), TextColumn("{task.description}")
    with Bar(*columns, console=Console(stderr=True), transient=True, redirect_stdout=False) as bar:
        task = bar.add_task("", total=None)

        def show(progress: Progress) -> None:
            bar.update(task, completed=progress.done, total=progress.total, description=progress_words(progress))

        yield show


def progress_words(progress: Progress) -> str:
    """`1,200 of 20,000 replicates, 3 failed, about 2 min left`."""
    words = [f"{progress.done:,} of {counted(progress.total, 'replicate')}"]
    if progress.failed:
        words.append(f"{progress.failed:,} failed")
    if progress.seconds_left is not None and progress.done < progress.total:
        words.append(f"about {_duration(progress.seconds_left)} left")
    return ", ".join(words)


def _duration(seconds: float) -> str:
    if seconds < 55:
        return f"{max(1, round(seconds / 5) * 5)} s" if seconds >= 8 else f"{max(1, round(seconds))} s"
    minutes = max(1, round(seconds / 60))
    if minutes < 100:
        return f"{minutes} min"
    return f"{round(minutes / 60):,} h"
