"""The power of a design, by simulation, as a command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated

import typer

from dyadline.cli.console import Figures, Force, Json, check_free, console, named_formats, print_json, progress
from dyadline.cli.ranges import numbers, whole_numbers
from dyadline.cli.running import INTERRUPTED, ExecutorOption, Resume, Scheduler, Workers, replicate_progress
from dyadline.errors import PlanError

STOPPED = "Stopped. What is finished is in {}; the same command with --resume goes on."


def design(
    study: Annotated[
        str,
        typer.Argument(
            help="study1, study2, a plan or a parameter file (.toml); a plan is carried out first.",
            metavar="STUDY",
            show_default=False,
        ),
    ],
    effect: Annotated[
        str, typer.Option(help="Standardised effect of true convergence on the outcome's slope; one or a list (.2,.3).")
    ] = "0.3",
    dyads: Annotated[str | None, typer.Option(help="Number of dyads: one, a list or a range (60:400:20).")] = None,
    sessions: Annotated[str | None, typer.Option(help="Occasions with ratings (3,8,14), over the same time.")] = None,
    drop_out: Annotated[str | None, typer.Option(help="Share of dyads lost by the last occasion (0,.3).")] = None,
    per_therapist: Annotated[str | None, typer.Option(help="Patients per therapist (1,3,6).")] = None,
    scores: Annotated[
        str,
        typer.Option(
            help="Ways to score, with a comma between: plan for the plan's own, else what differs from it: "
            "plan,ols,signed/none,observed."
        ),
    ] = "plan",
    models: Annotated[str, typer.Option(help="2, 3 or 2,3.")] = "2,3",
    levels: Annotated[int, typer.Option(help="2, or 3 with therapists above the dyads (slower).")] = 2,
    reps: Annotated[int, typer.Option(help="Simulated studies per design.")] = 1000,
    find: Annotated[float | None, typer.Option(help="Search the dyads for this power, such as .8.")] = None,
    search: Annotated[str, typer.Option(help="Fewest and most dyads of the search.")] = "20,2000",
    precision: Annotated[float, typer.Option(help="Half width of their 95 % interval, as a share of them.")] = 0.05,
    alpha: Annotated[float, typer.Option(help="Level of the two-sided tests.")] = 0.05,
    seed: Annotated[int, typer.Option(help="Of the random numbers.")] = 1,
    null: Annotated[bool, typer.Option("--null/--no-null", help="Also without effect: type I error.")] = True,
    error_free: Annotated[
        bool, typer.Option("--error-free/--no-error-free", help="Also with scores free of error: bias, coverage.")
    ] = True,
    every: Annotated[
        bool, typer.Option("--all-terms", help="Tests of all predictors, not of convergence alone.")
    ] = False,
    confounded: Annotated[
        bool, typer.Option("--confounded", help="Early alliance and development have the study's effects too.")
    ] = False,
    executor: ExecutorOption = "processes",
    workers: Workers = None,
    scheduler: Scheduler = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the report; NAME-power by default.")] = None,
    formats: Annotated[str, typer.Option("--format", help="Of the report: html,docx,pdf,tex,md or all.")] = "html",
    figures: Figures = False,
    resume: Resume = False,
    force: Force = False,
    json: Json = False,
) -> None:
    """Power of the tests of convergence in a real design, by simulation.

    Studies are drawn, scored and analysed as a real one would be, for every combination of what is listed. Shows power,
    type I error, bias, coverage and attenuation with their Monte-Carlo errors, and writes a report.
    """
    from dyadline.parallel.run import check_running
    from dyadline.planning import power_design
    from dyadline.publication import write_power
    from dyadline.report.power.terminal import power_table

    wanted = named_formats(formats)
    check_running(executor, workers, scheduler)
    ends = whole_numbers(search, "--search")
    if len(ends) != 2 or ends[0] >= ends[1]:
        raise PlanError("--search takes two numbers, the fewest and the most dyads", way_out="For example 20,2000")
    named = [word.strip() for word in scores.split(",") if word.strip()]
    if not named:
        raise PlanError("No score is named", where="--scores", way_out="plan stands for the plan's own")
    folder = out if out is not None else Path(f"{Path(study).stem}-power")
    parts = folder / "parts"
    # Continued is what stopped: a folder with a report but without parts is somebody's finished work.
    check_free(folder, force=force or (resume and parts.is_dir()))
    with _tidied(folder, parts), replicate_progress("Simulating") as shown:
        found = power_design(
            study,
            effect=numbers(effect, "--effect"),
            dyads=None if dyads is None else whole_numbers(dyads, "--dyads"),
            sessions=None if sessions is None else whole_numbers(sessions, "--sessions"),
            drop_out=None if drop_out is None else numbers(drop_out, "--drop-out"),
            per_therapist=None if per_therapist is None else numbers(per_therapist, "--per-therapist"),
            scores=named,
            models=whole_numbers(models, "--models"),
            levels=levels,
            replicates=reps,
            seed=seed,
            alpha=alpha,
            null=null,
            error_free=error_free,
            every=every,
            confounded=confounded,
            goal=find,
            search=(ends[0], ends[1]),
            precision=precision,
            executor=executor,  # type: ignore[arg-type]  # checked above
            workers=workers,
            scheduler=scheduler,
            folder=parts,
            resume=resume,
            force=force,
            progress=shown,
        )
    if found.interrupted and found.tests.is_empty():
        typer.echo(STOPPED.format(parts) if parts.is_dir() else "Stopped before anything was finished.", err=True)
        raise typer.Exit(INTERRUPTED)
    with progress("Writing the report"):
        written = write_power(found, folder, wanted, figures=figures)
    if json:
        tables = {name: getattr(found, name).to_dicts() for name in ("tests", "scores", "needed")}
        print_json({"title": found.title, "alpha": found.alpha, "replicates": found.replicates, **tables})
    else:
        console(lambda width: power_table(found, width=width))
        typer.echo(f"\nReport: {', '.join(str(p) for p in written if p.parent == folder and p.stem == 'report')}")
    if found.interrupted:
        typer.echo(STOPPED.format(parts), err=True)
        raise typer.Exit(INTERRUPTED)
    _discard(parts)


@contextmanager
def _tidied(folder: Path, parts: Path) -> Iterator[None]:
    """Leave no folder behind where nothing was finished."""
    new = not folder.exists()
    try:
        yield
    finally:
        if parts.is_dir() and not any(parts.glob("*/*-*-*.npz")):
            _discard(parts)
            if new:
                with suppress(OSError):
                    folder.rmdir()


def _discard(parts: Path) -> None:
    """Remove finished parts, and nothing else that lies there."""
    from dyadline.parallel.store import discard

    for store in (parts / "grid", *parts.glob("search-*")):
        discard(store)
    with suppress(OSError):
        parts.rmdir()
