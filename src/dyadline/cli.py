"""The command line: verbs over the same functions that Python users call; no rule of its own.

Exit status: 0 done, 1 the analysis found no answer, 2 the plan or the call is wrong, 3 the data are wrong.
Whatever is heavy is imported inside the command that needs it, so that help and mistakes answer at once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dyadline import __version__
from dyadline.errors import DyadlineError, Finding, PlanError

if TYPE_CHECKING:
    from rich.text import Text

    from dyadline.result import AnalysisResult

app = typer.Typer(
    help="Alliance convergence and outcome: from session ratings to scores, models and a report.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # plain help and usage errors: boxes would take a fifth of a second to import
    pretty_exceptions_enable=False,  # a pretty traceback would print the values of local variables: patient data
)

Force = Annotated[bool, typer.Option("--force", help="Write over what is there.")]
Json = Annotated[bool, typer.Option("--json", help="Answer in JSON on standard output.")]
PlanFile = Annotated[Path, typer.Argument(help="The plan, a TOML file.", metavar="PLAN", show_default=False)]


def main() -> None:
    """Run the command line; errors become one message on standard error and an exit status."""
    try:
        app()
    except DyadlineError as error:
        typer.echo(f"dyadline: {error}", err=True)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"dyadline {__version__}")
        raise typer.Exit


@app.callback()
def _everything(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and stop.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    pass


@app.command()
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
    _folder(out, force=force)
    write_whole(out / f"{study}.csv", data)
    write_whole(out / f"{study}.toml", plan_text(twin_plan(study)).encode())
    with _progress("Reading, scoring and fitting"):
        result = run(read_plan(out / f"{study}.toml"))
    _write(result, out)
    _answer(result, out, json=json)


@app.command()
def new(
    data: Annotated[Path, typer.Argument(help="Data file: csv, tsv or parquet.", show_default=False)],
    out: Annotated[Path | None, typer.Option(help="Plan to write; beside the data by default.")] = None,
    force: Force = False,
) -> None:
    """Write a commented plan for a data file.

    Which column is which is guessed from names and values, and printed.
    """
    from dyadline.data.read import read_frame
    from dyadline.data.recognise import recognise
    from dyadline.plan.document import plan_text
    from dyadline.workflow import first_plan, write_whole

    guess = recognise(read_frame(data))
    target = out or data.with_suffix(".toml")
    if target.exists() and not force:
        raise PlanError(f"{target.name!r} is already there; nothing was written", way_out="Use --out or --force")
    file = os.path.relpath(data, target.parent)
    write_whole(target, plan_text(first_plan(guess, file)).encode())
    for g in guess.guesses:
        others = f"; or {', '.join(g.alternatives)}" if g.alternatives else ""
        typer.echo(f"{g.role:<17} {g.column or '(none found)':<20} {g.reason}{others}")
    if guess.covariates:
        typer.echo(f"possible covariates: {', '.join(guess.covariates)}")
    typer.echo(f"\nWrote {target}.")
    if guess.missing:
        typer.echo(f"Fill in {' and '.join(guess.missing)} under [columns]: no column looked like it.")
    typer.echo(f"Look it over, then: dyadline check {target}")


@app.command()
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
        _print_json(
            {
                "title": asked.title,
                "operationalisation": how.name,
                "models": [{"model": n, "formula": f} for n, f in models.items()],
                "counts": counts,
                "findings": [_finding(f) for f in dataset.findings],
            }
        )
        return
    typer.echo(f"{asked.title or plan.name}: plan and data can be used.\n")
    typer.echo(
        "Data: " + ", ".join(f"{n} {name.replace('_', ' ')}{'s' * (name[-1] != 's')}" for name, n in counts.items())
    )
    typer.echo(f"Score: {how.name}\n{_folded(how.sentence)}")
    for number, formula in models.items():
        typer.echo(f"Model {number} ({asked.models.method}): {formula}")
    if asked.models.levels == "auto":
        typer.echo("Therapists leave the models again if a test finds no difference between them.")
    _echo_findings(dataset.findings)


@app.command()
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
    _free(target, force=force)
    with _progress("Reading, scoring and fitting"):
        result = carry_out(asked)
    _folder(target, force=force)
    write_whole(target / "plan.toml", plan_text(asked).encode())
    _write(result, target)
    _answer(result, target, json=json)


@app.command("fit")
def fit_command(
    formula: Annotated[str, typer.Argument(help="For example 'y ~ t * x + (t | dyad)'.", show_default=False)],
    data: Annotated[Path, typer.Argument(help="Data file: csv, tsv or parquet.", show_default=False)],
    method: Annotated[str, typer.Option(help="REML or ML.")] = "REML",
    df: Annotated[str, typer.Option(help="satterthwaite, kenward-roger or normal.")] = "satterthwaite",
    criteria: Annotated[str, typer.Option(help="spss, lme4, nlme or sas.")] = "spss",
    residual: Annotated[
        str | None, typer.Option(help="by(rater), pairs(rater, session), ar1(session), car1(week) or cs.")
    ] = None,
    json: Json = False,
) -> None:
    """Fit one mixed model from a formula as in lme4.

    Three levels: (t | dyad) + (1 | therapist). Two outcomes of a row at once: cbind(a, b) ~ t + (t | dyad).
    """
    from dyadline.data.read import read_frame
    from dyadline.inference.boundary import boundary_words
    from dyadline.inference.checks import checks
    from dyadline.inference.coefficients import coefficients
    from dyadline.inference.criteria import information_criteria
    from dyadline.inference.variance import variance_components
    from dyadline.model.fit import fit

    fitted = fit(formula, read_frame(data), method, residual=residual)
    findings = checks(fitted)
    tables = {
        "coefficients": coefficients(fitted, df=df),
        "variance_components": variance_components(fitted),
        "information_criteria": information_criteria(fitted, convention=criteria),
    }
    facts = {
        "formula": fitted.spec.formula,
        "method": fitted.method,
        "residual": fitted.spec.residual.label,
        "criterion": fitted.criterion,
        "converged": fitted.converged,
        "singular": fitted.singular,
        "boundary": boundary_words(fitted) if fitted.singular else "",
        "sigma": fitted.sigma,
        "n_rows": fitted.n_rows,
        "n_groups": fitted.n_groups,
        "groups": {grouping.name: len(grouping.labels) for grouping in fitted.design.groupings},
        "n_dropped": fitted.design.n_dropped,
        "groups_lost": list(fitted.design.lost),
        "reference_levels": {name: levels[0] for name, levels in fitted.design.levels.items()},
    }
    if json:
        notes = [_finding(note) for note in findings]
        _print_json({**facts, **{name: table.to_dicts() for name, table in tables.items()}, "findings": notes})
    else:
        from dyadline.report.text import fit_tables

        _console(lambda width: fit_tables(facts, tables, width=width))
        _echo_findings(findings)
    if not fitted.converged:
        typer.echo("dyadline: the optimum is not certified; do not report these numbers as they are.", err=True)
        raise typer.Exit(1)


@app.command()
def simulate(
    study: Annotated[str, typer.Argument(help="study1 or study2", show_default=False)],
    dyads: Annotated[int | None, typer.Option(help="Number of dyads; the paper's by default.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of the random numbers; the bundled draw's by default.")] = None,
    out: Annotated[Path | None, typer.Option(help="File to write (csv or parquet); standard output if none.")] = None,
    force: Force = False,
) -> None:
    """Draw a synthetic study, like the bundled ones."""
    from io import BytesIO

    from dyadline.studies.twins import simulate as draw
    from dyadline.workflow import write_whole

    if out is not None and out.suffix.lower() not in (".csv", ".parquet"):
        raise PlanError(f"A study is written as .csv or .parquet, not as {out.suffix or 'a name without suffix'!r}")
    if out is not None and out.exists() and not force:
        raise PlanError(f"{out.name!r} is already there; nothing was written", way_out="Use another name or --force")
    frame = draw(study, dyads=dyads, seed=seed)
    if out is None:
        typer.echo(frame.write_csv(), nl=False)
        return
    content = BytesIO()
    if out.suffix.lower() == ".csv":
        frame.write_csv(content)
    else:
        frame.write_parquet(content)
    write_whole(out, content.getvalue())
    typer.echo(f"Wrote {out}: {frame.height} rows, synthetic.", err=True)


@app.command()
def schema() -> None:
    """Print the JSON Schema of the plan."""
    from dyadline.plan.document import plan_schema

    _print_json(plan_schema())


def _free(folder: Path, *, force: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise PlanError(f"{folder.name!r} is a file, not a folder", way_out="Name another with --out")
    if not force and folder.is_dir() and any(folder.iterdir()):
        raise PlanError(
            f"The folder {folder.resolve().name!r} is not empty; nothing was written",
            way_out="Use --out for another, or --force",
        )


def _folder(folder: Path, *, force: bool) -> None:
    from dyadline.workflow import make_folder

    _free(folder, force=force)
    make_folder(folder)


def _write(result: AnalysisResult, folder: Path) -> None:
    """Report and tables."""
    from dyadline.workflow import make_folder, write_report, write_whole

    make_folder(folder / "tables")
    for name, table in result.tables.items():
        write_whole(folder / "tables" / f"{name}.csv", table.write_csv().encode())
    with _progress("Writing the report"):
        write_report(result, folder / "report.html")


def _answer(result: AnalysisResult, folder: Path, *, json: bool) -> None:
    if json:
        tables = {name: table.to_dicts() for name, table in result.tables.items()}
        _print_json({"title": result.plan.title, **tables, "findings": [_finding(f) for f in result.findings]})
        return
    from dyadline.report.text import main_table

    _console(lambda width: main_table(result, width=width))
    _echo_findings(result.findings, notes=False)
    typer.echo(f"\nReport: {folder / 'report.html'}\nTables: {folder / 'tables'}")


def _finding(finding: Finding) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(finding)


def _echo_findings(findings: tuple[Finding, ...], *, notes: bool = True) -> None:
    shown = [f for f in findings if notes or f.level != "note"]
    for finding in shown:
        said = " ".join(
            f"{part}." if part[-1] not in ".?!" else part for part in (finding.words, finding.way_out) if part
        )
        typer.echo("\n" + _folded(f"[{finding.level}] {said}"))
    if len(findings) > len(shown):
        typer.echo(f"\n{len(findings) - len(shown)} further notes are in the report.")


def _folded(words: str) -> str:
    from shutil import get_terminal_size
    from textwrap import fill

    return fill(words, width=min(100, get_terminal_size((100, 24)).columns), subsequent_indent="  ")


def _print_json(value: Any) -> None:
    import json
    import math

    def plain(item: Any) -> Any:
        if isinstance(item, float) and not math.isfinite(item):
            return None  # JSON has no infinity: normal tests have infinite df
        if isinstance(item, dict):
            return {key: plain(inner) for key, inner in item.items()}
        return [plain(inner) for inner in item] if isinstance(item, list | tuple) else item

    typer.echo(json.dumps(plain(value), indent=1, ensure_ascii=False, allow_nan=False))


def _console(text: Callable[[int], Text]) -> None:
    """Print a table on standard output, as wide as the terminal is."""
    from rich.console import Console

    console = Console(highlight=False)
    console.print(text(max(80, console.width)))


@contextmanager
def _progress(words: str) -> Iterator[None]:
    """A spinner on standard error, and nothing where that is not a terminal."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(words):
        yield


if __name__ == "__main__":
    main()
