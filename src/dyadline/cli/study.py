"""Commands from data to report."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dyadline.cli.console import (
    Figures,
    Force,
    Formats,
    Individual,
    Json,
    PlanFile,
    Strict,
    answer,
    check_free,
    check_strict,
    claim_folder,
    console,
    counts_by_level,
    echo_findings,
    finding_row,
    folded,
    formats_asked,
    print_json,
    progress,
    write_results,
    write_tables,
)
from dyadline.errors import DataError, PlanError
from dyadline.words import listed

if TYPE_CHECKING:
    from dyadline.data.dataset import Dataset
    from dyadline.plan.analysis import AnalysisPlan

ALTERNATIVES = 5
"""Further columns that would fit, on the screen; the plan names more."""

LAYOUTS = {
    "long": "One row per dyad and occasion.",
    "wide": "One row per dyad, with columns that repeat over the occasions.",
    "raters": "One row per dyad, occasion and rater.",
}


def demo(
    study: Annotated[str, typer.Argument(help="study1 or study2")] = "study1",
    out: Annotated[Path, typer.Option(help="Folder to write into.")] = Path("dyadline-demo"),
    force: Force = False,
    formats: Formats = None,
    figures: Figures = False,
    individual: Individual = False,
    json: Json = False,
) -> None:
    """Run a bundled synthetic study, from data to report."""
    from dyadline.plan.document import plan_text, read_plan
    from dyadline.publication import write_whole
    from dyadline.studies.twins import twin_file, twin_plan
    from dyadline.workflow import run

    data, plan = twin_file(study, ".csv").read_bytes(), twin_plan(study)
    written = formats_asked(formats, plan)
    claim_folder(out, force=force)
    write_whole(out / f"{study}.csv", data)
    write_whole(out / f"{study}.toml", plan_text(plan).encode())
    with progress("Reading, scoring and fitting"):
        result = run(read_plan(out / f"{study}.toml"))
    files = write_results(result, out, written, figures=figures, individual=individual)
    answer(result, out, files, json=json)


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
    from dyadline.publication import write_whole
    from dyadline.workflow import first_plan, recognised_files

    found = recognised_files(data, dyads)
    target = out or data.with_suffix(".toml")
    if target.exists() and not force:
        raise PlanError(f"{target.name!r} is already there; nothing was written", way_out="Use --out or --force")
    file, dyads_file = (None if path is None else os.path.relpath(path, target.parent) for path in (data, dyads))
    plan = first_plan(found, str(file), dyads_file)
    write_whole(target, plan_text(plan, found.comments).encode())
    typer.echo(f"{LAYOUTS[found.layout]}\n")
    lines = [(guess, found.scored.get(guess.role)) for guess in (*found.guesses, *found.also)]
    named = [f"{g.column} ({items.measure})" if items else g.column or "(none found)" for g, items in lines]
    role, column = (max(map(len, words)) for words in ([guess.role for guess, _ in lines], named))
    for (guess, _), name in zip(lines, named, strict=True):
        alternatives = guess.alternatives
        others = f"; or {listed(alternatives[:ALTERNATIVES], total=len(alternatives))}" if alternatives else ""
        typer.echo(f"{guess.role:<{role}}  {name:<{min(column, 40)}}  {guess.reason}{others}")
    if found.covariates:
        typer.echo(f"possible covariates: {', '.join(found.covariates)}")
    if found.doubts:
        typer.echo("\nTo be checked:")
        for line in found.doubts:
            typer.echo(folded(line))
    typer.echo(f"\nWrote {target}.")
    if found.missing:
        typer.echo(f"Fill in {listed(found.missing)} in it: no column looked like it, or not enough is known.")
    typer.echo(f"Look it over, then: dyadline check {target}")


def check(plan: PlanFile, strict: Strict = False, json: Json = False) -> None:
    """Check plan and data and say what would be done.

    Everything that was noticed in the data is printed, errors first; nothing is fitted.
    """
    from dyadline.plan.document import read_plan
    from dyadline.workflow import load

    asked = read_plan(plan)
    try:
        dataset = load(asked)
    except DataError as error:
        if json:
            print_json({"title": asked.title, "findings": [finding_row(f) for f in error.findings]})
        else:
            said = counts_by_level(error.findings)
            typer.echo(f"{asked.title or plan.name}: the data cannot be used; {said}.")
            echo_findings(error.findings)
        raise DataError("The data cannot be used as the plan says", way_out="The errors above say why") from None
    said = counts_by_level(dataset.findings)
    if json:
        print_json(_facts(asked, dataset) | {"findings": [finding_row(f) for f in dataset.findings]})
    else:
        typer.echo(f"{asked.title or plan.name}: plan and data can be used{f'; {said}' if said else ''}.\n")
        _echo_facts(asked, dataset)
        echo_findings(dataset.findings)
    if strict:
        check_strict(dataset.findings)


def _facts(asked: AnalysisPlan, dataset: Dataset) -> dict[str, Any]:
    from dyadline.plan.recipes import outcome_model
    from dyadline.plan.scores import describe_operationalisation

    return {
        "title": asked.title,
        "operationalisation": describe_operationalisation(asked.convergence).name,
        "models": [{"model": n, "formula": outcome_model(n, asked).formula} for n in asked.models.run],
        "counts": {
            "rows": dataset.rows.height,
            "dyads": dataset.dyads.height,
            **{name: dataset.rows[name].count() for name in ("patient_rating", "therapist_rating", "outcome")},
        },
    }


def _echo_facts(asked: AnalysisPlan, dataset: Dataset) -> None:
    from dyadline.plan.scores import describe_operationalisation

    facts = _facts(asked, dataset)
    counts = [f"{n} {name.replace('_', ' ')}{'s' * (name[-1] != 's')}" for name, n in facts["counts"].items()]
    typer.echo(f"Data: {', '.join(counts)}")
    typer.echo(f"Score: {facts['operationalisation']}")
    typer.echo(folded(describe_operationalisation(asked.convergence).sentence))
    for model in facts["models"]:
        typer.echo(f"Model {model['model']} ({asked.models.method}): {model['formula']}")
    if asked.models.levels == "auto":
        typer.echo("Therapists leave the models again if a test finds no difference between them.")


def describe(
    plan: PlanFile,
    out: Annotated[Path | None, typer.Option(help="Folder for a page and tables; without, they are printed.")] = None,
    force: Force = False,
    formats: Formats = None,
    json: Json = False,
) -> None:
    """Describe a plan's data: levels, ratings, attrition, agreement; nothing is scored."""
    from dyadline.plan.document import read_plan
    from dyadline.publication import write_document
    from dyadline.report.description import compose_description
    from dyadline.studies.description import description
    from dyadline.workflow import load

    asked = read_plan(plan)
    written = formats_asked(formats, asked)
    if out:
        check_free(out, force=force)
    with progress("Reading and describing"):
        dataset = load(asked, analysed=False)
        tables = description(dataset, asked)
        document = compose_description(dataset, asked, tables)
    if out:
        claim_folder(out, force=force)
        write_tables(tables, out)
        pages = [write_document(document, out / f"description.{form}") for form in written]
    if json:
        found = {name: table.to_dicts() for name, table in tables.items()}
        print_json({"title": asked.title, **found, "findings": [finding_row(f) for f in dataset.findings]})
        return
    if out:
        echo_findings(dataset.findings, notes=False)
        typer.echo(f"\nDescription: {', '.join(map(str, pages))}\nTables: {out / 'tables'}")
        return
    from dyadline.report.writers.text import render_tables

    console(lambda width: render_tables(document, width=width))
    echo_findings(dataset.findings)


def run(
    plan: PlanFile,
    out: Annotated[Path | None, typer.Option(help="Folder to write into; PLAN-results by default.")] = None,
    force: Force = False,
    strict: Strict = False,
    formats: Formats = None,
    figures: Figures = False,
    individual: Individual = False,
    json: Json = False,
) -> None:
    """Carry out a plan: scores, models, tables, report."""
    from dyadline.plan.document import plan_text, read_plan
    from dyadline.publication import write_whole
    from dyadline.workflow import analyse, load

    asked = read_plan(plan)
    target, written = out or plan.with_name(f"{plan.stem}-results"), formats_asked(formats, asked)
    check_free(target, force=force)
    with progress("Reading"):
        dataset = load(asked)
    noticed = dataset.findings
    if strict and any(finding.level == "warning" for finding in noticed):
        if json:
            print_json({"title": asked.title, "findings": [finding_row(f) for f in noticed]})
        else:
            echo_findings(noticed)
        check_strict(noticed)
    with progress("Scoring and fitting"):
        result = analyse(dataset, asked)
    claim_folder(target, force=force)
    files = write_results(result, target, written, figures=figures, individual=individual)
    write_whole(target / "plan.toml", plan_text(asked).encode())
    answer(result, target, files, json=json)
