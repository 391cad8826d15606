"""The power of a design, by simulation, as a command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated

import typer

from dyadline.cli.console import Figures, Force, Json, check_free, console, named_formats, print_json, progress
from dyadline.cli.progress import replicate_progress
from dyadline.cli.ranges import numbers, whole_numbers
from dyadline.cli.running import INTERRUPTED, ExecutorOption, ResumeOption, SchedulerOption, WorkersOption
from dyadline.errors import PlanError

STOPPED = "Stopped. What is finished is in {}; the same command with --resume goes on."


def design(
    study: Annotated[
        str,
        typer.Argument(
            help="Where the parameters come from: study1 or study2 (the bundled examples), a parameter file (.toml), "
            "or the plan of your own data, which is analysed first.",
            metavar="STUDY",
            show_default=False,
        ),
    ],
    effect: Annotated[
        str,
        typer.Option(
            help="Effect to be found: the correlation of true convergence with true change of the outcome. One or a "
            "list such as .2,.3.",
            metavar="NUMBERS",
        ),
    ] = "0.3",
    dyads: Annotated[
        str | None,
        typer.Option(
            help="Number of dyads: one, a list, or a range from:to:step such as 60:400:20.", metavar="NUMBERS"
        ),
    ] = None,
    sessions: Annotated[
        str | None,
        typer.Option(
            help="Number of sessions with ratings, such as 3,8,14: fewer over the same time, more beyond it.",
            metavar="NUMBERS",
        ),
    ] = None,
    drop_out: Annotated[
        str | None,
        typer.Option(help="Share of dyads lost by the last session, such as 0,.3.", metavar="NUMBERS"),
    ] = None,
    per_therapist: Annotated[
        str | None, typer.Option(help="Patients for each therapist, such as 1,3,6.", metavar="NUMBERS")
    ] = None,
    scores: Annotated[
        str,
        typer.Option(
            help="Convergence scores to compare: plan is the study's own, others are called by what differs from it, "
            "such as plan,ols,signed/none,observed.",
            metavar="WORDS",
        ),
    ] = "plan",
    find: Annotated[
        float | None, typer.Option(help="Find the number of dyads that gives this power, such as .8.")
    ] = None,
    search: Annotated[
        str, typer.Option(help="Fewest and most dyads to look among with --find.", metavar="NUMBERS")
    ] = "20,2000",
    precision: Annotated[
        float, typer.Option(help="How precisely --find looks: .05 is plus or minus 5 % of the number.")
    ] = 0.05,
    reps: Annotated[int, typer.Option(help="Simulated studies for each design.")] = 1000,
    seed: Annotated[int, typer.Option(help="Seed of the random numbers: the same seed gives the same numbers.")] = 1,
    alpha: Annotated[float, typer.Option(help="Level of the two-sided tests.")] = 0.05,
    models: Annotated[
        str,
        typer.Option(
            help="Models to test in: 2 (convergence), 3 (with the other predictors) or both.", metavar="NUMBERS"
        ),
    ] = "2,3",
    levels: Annotated[
        int, typer.Option(help="Levels of the analysis: 2, or 3 with therapists above the dyads (slower).")
    ] = 2,
    null: Annotated[
        bool, typer.Option("--null/--no-null", help="Draw studies without any effect as well, for the type I error.")
    ] = True,
    error_free: Annotated[
        bool,
        typer.Option(
            "--error-free/--no-error-free",
            help="Analyse with scores free of error as well, for bias, coverage and attenuation.",
        ),
    ] = True,
    every: Annotated[
        bool, typer.Option("--all-terms", help="Count the tests of all predictors, not of convergence alone.")
    ] = False,
    confounded: Annotated[
        bool,
        typer.Option(
            "--confounded",
            help="Let early alliance and its development have the effects that the parameters give them; without it "
            "convergence alone drives change.",
        ),
    ] = False,
    executor: ExecutorOption = "processes",
    workers: WorkersOption = None,
    scheduler: SchedulerOption = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the report; STUDY-power by default.")] = None,
    formats: Annotated[
        str, typer.Option("--format", help="Of the report: html, docx, pdf, tex, md, with commas, or all.")
    ] = "html",
    figures: Figures = False,
    resume: ResumeOption = False,
    force: Force = False,
    json: Json = False,
) -> None:
    """By simulation: power of a planned study.

    Studies are drawn, with their sessions, drop-out and therapists, scored and analysed as yours would be, for every
    combination of what is listed. What is not said stays as it is in STUDY. Shows power and type I error, and writes a
    report with tables, figures and a paragraph for a manuscript.

    dyadline power design study1 --dyads 60:300:40 --sessions 3,8,14
    """
    from dyadline.parallel.run import check_running
    from dyadline.planning import power_design
    from dyadline.publication import write_power
    from dyadline.report.power.terminal import power_table

    wanted = named_formats(formats)
    where = check_running(executor, workers, scheduler)
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
    with _tidied(folder, parts), replicate_progress() as shown:
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
            executor=where,
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
        typer.echo(f"Report: {', '.join(str(p) for p in written if p.parent == folder and p.stem == 'report')}")
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
