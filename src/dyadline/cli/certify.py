"""The recovery certificate as a command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dyadline.cli.console import Force, Json, folded, print_json
from dyadline.cli.progress import replicate_progress
from dyadline.cli.running import INTERRUPTED, ExecutorOption, ResumeOption, SchedulerOption, WorkersOption
from dyadline.errors import PlanError
from dyadline.words import counted

if TYPE_CHECKING:
    from dyadline.studies.certificate.certificate import Certificate

REASONS = {
    "boundary": "a variance lies next to its limits",
    "large_sample": "a large-sample approximation",
    "unexplained": "no reason is known",
}


def certify(
    seeds: Annotated[int, typer.Option(help="How often each study is drawn: seeds 1, 2, …")] = 1000,
    studies: Annotated[
        str, typer.Option(help="study1, study2 or both, with a comma.", metavar="WORDS")
    ] = "study1,study2",
    dyads: Annotated[int | None, typer.Option(help="Dyads of each study; those of the paper by default.")] = None,
    out: Annotated[Path, typer.Option(help="Page to write (.md).")] = Path("recovery.md"),
    executor: ExecutorOption = "processes",
    workers: WorkersOption = None,
    scheduler: SchedulerOption = None,
    resume: ResumeOption = False,
    force: Force = False,
    json: Json = False,
) -> None:
    """Check the software: does the analysis give back what simulated studies were made from?

    Draws the bundled studies many times, analyses each as any other, and writes a page: bias, standard errors,
    coverage and type I error, each with its Monte-Carlo error. Exit status 1 if something lies beyond chance for no
    known reason, or a draw has no answer.
    """
    from dyadline.certification import certify as made
    from dyadline.parallel.run import check_running
    from dyadline.parallel.store import discard
    from dyadline.publication import write_whole

    check_page(out, force=force)
    where = check_running(executor, workers, scheduler)
    parts = out.with_suffix(".parts")
    with replicate_progress() as shown:
        found = made(
            seeds,
            studies=[name.strip() for name in studies.split(",") if name.strip()],
            dyads=dyads,
            executor=where,
            workers=workers,
            scheduler=scheduler,
            store=parts,
            resume=resume,
            force=force,
            progress=shown,
        )
    if found.interrupted:
        typer.echo(f"\nStopped. What is finished is in {parts}; continue with --resume.", err=True)
        raise typer.Exit(INTERRUPTED)
    write_whole(out, found.page.encode())
    discard(parts)
    if json:
        print_json(answer(found, out))
    else:
        _echo(found, out)
    if not found.passed:
        raise typer.Exit(1)


def check_page(out: Path, *, force: bool) -> None:
    """Refuse a page that cannot be written, before minutes are spent on it.

    Raises
    ------
    PlanError
        Another suffix than ``.md``, no such folder, or the page is there and `force` is not given.
    """
    if out.suffix.lower() != ".md":
        raise PlanError(f"The page is written as .md, not as {out.suffix or 'a name without suffix'!r}")
    if not out.parent.is_dir():
        raise PlanError(f"The folder {out.parent.name!r} does not exist", way_out="Make it first, or use --out")
    if out.exists() and not force:
        raise PlanError(f"{out.name!r} is already there; nothing was written", way_out="Use --out or --force")


def answer(found: Certificate, out: Path) -> dict[str, Any]:
    """The certificate for machines."""
    return {
        "version": found.version,
        "seeds": found.seeds,
        "passed": found.passed,
        "page": str(out),
        **{name: getattr(found, name).to_dicts() for name in ("recovery", "type_i", "fits")},
        "failures": [
            {"study": found.tasks[f.task].study, "dyads": found.tasks[f.task].dyads, "seed": f.number, "words": f.words}
            for f in found.failures
        ],
    }


def _echo(found: Certificate, out: Path) -> None:
    """Type I error of the effects on the slope, what lies beyond chance, and where the page is."""
    table = found.type_i
    for row in table.filter((table["term"] == "time:convergence") & (table["df"] == "satterthwaite")).to_dicts():
        typer.echo(
            f"{row['study']}, {counted(row['dyads'], 'dyad')}, Model {row['model']}, convergence on the slope: "
            f"type I error {row['type_i']:.4f} [{row['type_i_low']:.3f}, {row['type_i_high']:.3f}]"
        )
    for row in found.recovery.filter(found.recovery["beyond"] != "").to_dicts():
        where = f"{row['study']}, {counted(row['dyads'], 'dyad')}, Model {row['model']}, {row['term']}"
        typer.echo(folded(f"Beyond chance: {where}: {row['beyond'].replace('_', ' ')} ({REASONS[row['reason']]})"))
    for row in table.filter("beyond").to_dicts():
        where = f"{row['study']}, {counted(row['dyads'], 'dyad')}, Model {row['model']}, {row['term']}, {row['df']}"
        typer.echo(folded(f"Beyond chance: {where}: type I error {row['type_i']:.4f} ({REASONS['unexplained']})"))
    if found.failures:
        typer.echo(f"{counted(len(found.failures), 'draw')} without an answer; the page names them.", err=True)
    typer.echo(f"Page: {out}")
