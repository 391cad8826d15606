"""What the commands share that carry out many replicates: where, by how many, and whether to continue."""

from __future__ import annotations

from typing import Annotated

import typer

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it."""

ExecutorOption = Annotated[
    str, typer.Option("--executor", help="Where replicates are computed: serial, processes or dask.")
]
WorkersOption = Annotated[
    int | None,
    typer.Option("--workers", help="Number of processes; as many as there are processors by default."),
]
SchedulerOption = Annotated[
    str | None,
    typer.Option(
        "--scheduler",
        help="Of Dask, such as tcp://host:8786; a cluster of local processes by default.",
        metavar="ADDRESS",
    ),
]
ResumeOption = Annotated[bool, typer.Option("--resume", help="Continue with the finished parts that are on disk.")]
