"""Commands from data to report."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from dyadline.cli.console import (
    Force,
    Json,
    PlanFile,
    answer,
    check_free,
    claim_folder,
    echo_findings,
    finding_row,
    folded,
    print_json,
    progress,
    write_results,
)
from dyadline.errors import PlanError

LAYOUTS = {
    "long": "One row per dyad and occasion.",
    "wide": "One row per dyad, with columns that repeat over the occasions.",
    "raters": "One row per dyad, occasion and rater.",
}


def demo(
    study: Annotated[str, typer.Argument(help="study1 or study2")] = "study1",
    out: Annotated[Path, typer.Option(help="Folder to write into.")] = Path("dyadline-demo"),
    force: Force = False,
    json: Json = False,
) -> None:
    """Run a bundled synthetic study, from data to report."""
    from dyadline.plan.document import plan_text, read_plan
    from dyadline.studies.twins import twin_file, twin_plan
    from dyadline.workflow import run, write_whole

    data = twin_file(study, ".csv").read_bytes()
    claim_folder(out, force=force)
    write_whole(out / f"{study}.csv", data)
    write_whole(out / f"{study}.toml", plan_text(twin_plan(study)).encode())
    with progress("Reading, scoring and fitting"):
        result = run(read_plan(out / f"{study}.toml"))
    write_results(result, out)
    answer(result, out, json=json)


def new(
    data: Annotated[Path, typer.Argument(help="Data file.", show_default=False)],
    dyads: Annotated[Path | None, typer.Option(help="A second file with one row per dyad.")] = None,
    out: Annotated[Path | None, typer.Option(help="Plan to write; beside the data by default.")] = None,
    force: Force = False,
) -> None:
    """Write a commented plan for a data file.

    Which column is which is recognised by names, labels and values, and printed with the reason.
    """
    from dyadline.plan.document import plan_text
    from dyadline.workflow import first_plan, recognised_files, write_whole

    found = recognised_files(data, dyads)
    target = out or data.with_suffix(".toml")
    if target.exists() and not force:
        raise PlanError(f"{target.name!r} is already there; nothing was written", way_out="Use --out or --force")
    file, dyads_file = (None if path is None else os.path.relpath(path, target.parent) for path in (data, dyads))
    plan = first_plan(found, str(file), dyads_file)
    write_whole(target, plan_text(plan, found.comments).encode())
    typer.echo(f"{LAYOUTS[found.layout]}\n")
    for guess in (*found.guesses, *found.also):
        others = f"; or {', '.join(guess.alternatives)}" if guess.alternatives else ""
        items = found.scored.get(guess.role)
        shown = f"{guess.column} ({items.measure})" if items else guess.column or "(none found)"
        typer.echo(f"{guess.role:<17} {shown:<20} {guess.reason}{others}")
    if found.covariates:
        typer.echo(f"possible covariates: {', '.join(found.covariates)}")
    if found.doubts:
        typer.echo("\nTo be checked:")
        for line in found.doubts:
            typer.echo(folded(line))
    typer.echo(f"\nWrote {target}.")
    if found.missing:
        typer.echo(f"Fill in {' and '.join(found.missing)} in it: no column looked like it, or not enough is known.")
    typer.echo(f"Look it over, then: dyadline check {target}")


def check(plan: PlanFile, json: Json = False) -> None:
    """Check plan and data and say what would be done.

    Everything that was noticed in the data is printed; nothing is fitted.
    """
    from dyadline.plan.document import read_plan
    from dyadline.plan.recipes import outcome_model
    from dyadline.plan.scores import describe_operationalisation
    from dyadline.workflow import load

    asked = read_plan(plan)
    dataset = load(asked)
    models = {number: outcome_model(number, asked).formula for number in asked.models.run}
    how = describe_operationalisation(asked.convergence)
    counts = {
        "rows": dataset.rows.height,
        "dyads": dataset.dyads.height,
        **{name: dataset.rows[name].count() for name in ("patient_rating", "therapist_rating", "outcome")},
    }
    if json:
        print_json(
            {
                "title": asked.title,
                "operationalisation": how.name,
                "models": [{"model": n, "formula": f} for n, f in models.items()],
                "counts": counts,
                "findings": [finding_row(f) for f in dataset.findings],
            }
        )
        return
    typer.echo(f"{asked.title or plan.name}: plan and data can be used.\n")
    typer.echo(
        "Data: " + ", ".join(f"{n} {name.replace('_', ' ')}{'s' * (name[-1] != 's')}" for name, n in counts.items())
    )
    typer.echo(f"Score: {how.name}\n{folded(how.sentence)}")
    for number, formula in models.items():
        typer.echo(f"Model {number} ({asked.models.method}): {formula}")
    if asked.models.levels == "auto":
        typer.echo("Therapists leave the models again if a test finds no difference between them.")
    echo_findings(dataset.findings)


def run(
    plan: PlanFile,
    out: Annotated[Path | None, typer.Option(help="Folder to write into; PLAN-results by default.")] = None,
    force: Force = False,
    json: Json = False,
) -> None:
    """Carry out a plan: scores, models, tables, report."""
    from dyadline.plan.document import plan_text, read_plan
    from dyadline.workflow import run as carry_out
    from dyadline.workflow import write_whole

    asked = read_plan(plan)
    target = out or plan.with_name(f"{plan.stem}-results")
    check_free(target, force=force)
    with progress("Reading, scoring and fitting"):
        result = carry_out(asked)
    claim_folder(target, force=force)
    write_whole(target / "plan.toml", plan_text(asked).encode())
    write_results(result, target)
    answer(result, target, json=json)
